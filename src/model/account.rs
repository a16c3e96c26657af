//! Where a person logs in, and who they are there. No secrets: those are in the system's keyring.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use url::Url;
use uuid::Uuid;

use super::host::is_safe;

/// The version of the format that this program writes.
pub const ACCOUNT_BOOK_VERSION: u32 = 1;
/// The most providers, and the most accounts.
pub const ACCOUNTS_MAX: usize = 32;
/// Where GitHub is.
pub const GITHUB: &str = "https://github.com";
/// Where GitHub's API is.
pub const GITHUB_API: &str = "https://api.github.com";
/// The most characters of anything here.
const TEXT_MAX: usize = 500;

/// Where a person logs in, and who they are there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AccountBook {
    /// [`ACCOUNT_BOOK_VERSION`] of the writer.
    pub version: u32,
    /// In the order in which they were added.
    pub providers: Vec<Provider>,
    /// In the order in which they were logged in.
    pub accounts: Vec<Account>,
    /// The account in use; none is local.
    pub active: Option<Uuid>,
}

/// Where one logs in. As TOML it is the file by which one is handed on; `id` is left out there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provider {
    /// Its own.
    #[serde(default = "Uuid::nil")]
    pub id: Uuid,
    /// As it is shown.
    pub name: String,
    /// What is spoken with it.
    #[serde(flatten)]
    pub kind: ProviderKind,
    /// The Meshbench server whose logins these are, if that is how it was added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
}

/// What is spoken with a provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum ProviderKind {
    /// OpenID Connect.
    OpenId {
        /// Its address.
        issuer: String,
        /// What Meshbench is called there; a public client, without a secret.
        client_id: String,
        /// What some providers (Google) want of installed programs beside the id. It is no secret there: everybody who has
        /// the program has it (RFC 8252 §8.5).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        client_secret: Option<String>,
        /// What access tokens are for, asked for as `resource` (RFC 8707).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        audience: Option<String>,
        /// Asked for beside `openid profile email offline_access`.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        scopes: Vec<String>,
        /// The path to which the browser comes back on this machine, where the provider wants one that it knows: `/callback`.
        /// None for another one each time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        callback: Option<String>,
    },
    /// GitHub's OAuth, with a device code.
    GitHub {
        /// What Meshbench is called there.
        client_id: String,
        /// [`GITHUB`], or an enterprise's own.
        #[serde(default = "github")]
        address: String,
        /// [`GITHUB_API`], or an enterprise's own.
        #[serde(default = "github_api")]
        api: String,
    },
}

/// What is known beforehand of a provider that many people have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    /// As it is shown.
    pub name: &'static str,
    /// Its issuer; what is in capitals is to be replaced.
    pub issuer: &'static str,
    /// How Meshbench is registered there, as a program that is installed.
    pub register: &'static str,
    /// Whether it wants a client secret of such programs.
    pub wants_secret: bool,
}

/// Providers of OpenID Connect that many people have.
pub const PRESETS: [Preset; 5] = [
    Preset {
        name: "Keycloak",
        issuer: "https://HOST/realms/REALM",
        register: "Create an OpenID Connect client without client authentication, with the standard flow, the device \
                   grant, and the redirect address http://127.0.0.1/callback.",
        wants_secret: false,
    },
    Preset {
        name: "Microsoft Entra ID",
        issuer: "https://login.microsoftonline.com/TENANT/v2.0",
        register: "Register an app of the platform “Mobile and desktop applications” with the redirect address \
                   http://127.0.0.1/callback.",
        wants_secret: false,
    },
    Preset {
        name: "Google",
        issuer: "https://accounts.google.com",
        register: "Create an OAuth client id of the type “Desktop app”. Google gives such apps a client secret too, which \
                   is none, and wants it.",
        wants_secret: true,
    },
    Preset {
        name: "Okta",
        issuer: "https://ORGANIZATION.okta.com",
        register: "Create an app integration of the type “Native application” with the grants authorization code, refresh \
                   token and device authorization, and the redirect address http://127.0.0.1/callback.",
        wants_secret: false,
    },
    Preset {
        name: "Dex",
        issuer: "https://HOST/dex",
        register: "Add a static client with “public: true”, and the redirect address http://127.0.0.1/callback.",
        wants_secret: false,
    },
];

/// A person at a provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its own; secrets are kept under it.
    pub id: Uuid,
    /// At which provider.
    pub provider: Uuid,
    /// The provider's name for the person, which never changes.
    pub subject: String,
    /// The name shown.
    pub name: String,
    /// If the provider told it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// When they logged in.
    pub since: Timestamp,
}

fn github() -> String {
    GITHUB.to_owned()
}

fn github_api() -> String {
    GITHUB_API.to_owned()
}

impl Default for AccountBook {
    fn default() -> Self {
        Self { version: ACCOUNT_BOOK_VERSION, providers: Vec::new(), accounts: Vec::new(), active: None }
    }
}

impl AccountBook {
    /// A provider by its id.
    #[must_use]
    pub fn provider(&self, id: Uuid) -> Option<&Provider> {
        self.providers.iter().find(|provider| provider.id == id)
    }

    /// An account by its id.
    #[must_use]
    pub fn account(&self, id: Uuid) -> Option<&Account> {
        self.accounts.iter().find(|account| account.id == id)
    }

    /// The account in use.
    #[must_use]
    pub fn active(&self) -> Option<&Account> {
        self.account(self.active?)
    }

    /// The account that a person has at a provider already: logging in again keeps its id.
    #[must_use]
    pub fn known(&self, provider: Uuid, subject: &str) -> Option<&Account> {
        self.accounts.iter().find(|account| account.provider == provider && account.subject == subject)
    }
}

impl Provider {
    /// Reads a provider from the file by which one is handed on.
    ///
    /// # Errors
    /// What is wrong, for people.
    pub fn from_toml(text: &str) -> Result<Self, String> {
        if text.len() > 64 * 1024 {
            return Err("it is larger than 64 KiB".to_owned());
        }
        let provider: Self =
            toml::from_str(text).map_err(|error| format!("it describes no provider: {}", error.message()))?;
        provider.check()?;
        Ok(provider)
    }

    /// The file by which it is handed on.
    ///
    /// # Panics
    /// Never: every provider has a TOML form.
    #[must_use]
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(self).expect("every provider has a TOML form")
    }

    /// # Errors
    /// What is wrong, for people.
    pub fn check(&self) -> Result<(), String> {
        let texts: Vec<&str> = match &self.kind {
            ProviderKind::OpenId { issuer, client_id, client_secret, audience, scopes, callback } => {
                is_address("the issuer", issuer)?;
                if callback.as_ref().is_some_and(|path| !path.starts_with('/') || path.contains(['?', '#'])) {
                    return Err("the callback is a path like /callback".to_owned());
                }
                let more =
                    client_secret.iter().chain(audience).chain(scopes).chain(callback).map(String::as_str);
                [issuer.as_str(), client_id.as_str()].into_iter().chain(more).collect()
            }
            ProviderKind::GitHub { client_id, address, api } => {
                is_address("GitHub's address", address)?;
                is_address("the address of GitHub's API", api)?;
                vec![client_id, address, api]
            }
        };
        if texts.iter().any(|text| text.len() > TEXT_MAX || text.chars().any(char::is_control)) {
            return Err(format!("each part has at most {TEXT_MAX} characters, on one line"));
        }
        if self.client_id().trim().is_empty() {
            return Err(
                "the client id is missing: register Meshbench with the provider as a native app (a public client) first"
                    .to_owned(),
            );
        }
        if self.name.trim().is_empty() || self.name.chars().count() > 120 {
            return Err("a name of 1 to 120 characters is missing".to_owned());
        }
        Ok(())
    }

    /// What Meshbench is called there.
    #[must_use]
    pub fn client_id(&self) -> &str {
        match &self.kind {
            ProviderKind::OpenId { client_id, .. } | ProviderKind::GitHub { client_id, .. } => client_id,
        }
    }

    /// What it wants beside the id.
    #[must_use]
    pub fn client_secret(&self) -> Option<&String> {
        match &self.kind {
            ProviderKind::OpenId { client_secret, .. } => client_secret.as_ref(),
            ProviderKind::GitHub { .. } => None,
        }
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> &str {
        match &self.kind {
            ProviderKind::OpenId { issuer, .. } => issuer,
            ProviderKind::GitHub { address, .. } => address,
        }
    }
}

impl Account {
    /// The first letters of the name, at most two.
    #[must_use]
    pub fn initials(&self) -> String {
        let words =
            self.name.split_whitespace().filter_map(|word| word.chars().find(|c| c.is_alphanumeric()));
        let letters: Vec<char> = words.collect();
        let chosen = match letters.as_slice() {
            [] => vec!['?'],
            [one] => vec![*one],
            [first, .., last] => vec![*first, *last],
        };
        chosen.into_iter().flat_map(char::to_uppercase).collect()
    }
}

fn is_address(what: &str, text: &str) -> Result<(), String> {
    match Url::parse(text) {
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            Err(format!("{what} holds a user or password"))
        }
        Ok(url) if is_safe(&url) && url.query().is_none() && url.fragment().is_none() => Ok(()),
        _ => Err(format!("{what} is an address that begins with https://")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_handed_on_as_a_file() {
        let text =
            "name = \"Acme\"\nkind = \"open_id\"\nissuer = \"https://id.acme.test\"\nclient_id = \"bench\"\n";
        let provider = Provider::from_toml(text).unwrap();
        assert_eq!((provider.name.as_str(), provider.client_id()), ("Acme", "bench"));
        assert_eq!(Provider::from_toml(&provider.to_toml()).unwrap(), provider);
        let github = Provider::from_toml("name = \"GitHub\"\nkind = \"git_hub\"\nclient_id = \"x\"").unwrap();
        assert_eq!(github.address(), GITHUB);
        for (wrong, why) in [
            ("", "describes no provider"),
            ("name = \"A\"\nkind = \"open_id\"\nissuer = \"http://id.test\"\nclient_id = \"b\"", "https://"),
            (
                "name = \"A\"\nkind = \"open_id\"\nissuer = \"https://u:p@id.test\"\nclient_id = \"b\"",
                "password",
            ),
            (
                "name = \"A\"\nkind = \"open_id\"\nissuer = \"https://id.test\"\nclient_id = \" \"",
                "client id",
            ),
            ("name = \" \"\nkind = \"open_id\"\nissuer = \"https://id.test\"\nclient_id = \"b\"", "a name"),
        ] {
            let error = Provider::from_toml(wrong).unwrap_err();
            assert!(error.contains(why), "{wrong}: {error}");
        }
        assert!(Provider::from_toml(&"x".repeat(70_000)).is_err());
    }

    #[test]
    fn initials_are_of_first_and_last_name() {
        let of = |name: &str| {
            let (id, since) = (Uuid::nil(), Timestamp::UNIX_EPOCH);
            let name = name.to_owned();
            Account { id, provider: id, subject: String::new(), name, email: None, since }.initials()
        };
        assert_eq!([of("Ann"), of("ann b. éclair"), of(" (x) "), of("")], ["A", "AÉ", "X", "?"]);
    }
}
