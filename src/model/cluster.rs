//! Kubernetes clusters as a person knows them: files, contexts, what was chosen for them, and what a check of one told.
//!
//! Files are referred to and never copied: nothing here holds a secret.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The version of [`ClusterBook`] that is written.
pub const CLUSTER_BOOK_VERSION: u32 = 1;
/// The most kubeconfig files that are kept in mind.
pub const FILES_MAX: usize = 256;
/// The longest alias, in characters.
pub const ALIAS_CHARS_MAX: usize = 60;

/// What a person has said of clusters, as it is kept on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClusterBook {
    /// [`CLUSTER_BOOK_VERSION`].
    pub version: u32,
    /// Kubeconfig files, and folders of them, in the order in which they were added. Each file stands for itself.
    pub files: Vec<PathBuf>,
    /// Whether the files that kubectl would use are used too: those of `KUBECONFIG`, or `~/.kube/config`. They are one
    /// configuration, as for kubectl: of two entries of one name, that of the earlier file.
    pub uses_kubectls: bool,
    /// What was chosen for contexts.
    #[serde(with = "as_pairs")]
    pub contexts: BTreeMap<ContextKey, ContextChoice>,
    /// What was agreed to.
    pub consents: Vec<Consent>,
    /// The context in use; Meshbench's own, whatever kubectl uses.
    pub chosen: Option<ContextKey>,
    /// Whether the person was offered the usual places.
    pub was_offered: bool,
}

/// Which context.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ContextKey {
    /// The file that it is in.
    pub file: PathBuf,
    /// Its name there.
    pub name: String,
}

/// What a person chose for a context.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ContextChoice {
    /// What it is called here; empty for its own name.
    pub alias: String,
    /// Its colour; none for no colour of its own.
    pub colour: Option<Colour>,
    /// Whether it is listed first.
    pub is_favourite: bool,
    /// Whether it is production: red, and asked about before anything is changed there.
    pub is_production: bool,
}

/// A colour by its role; the theme knows how it looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Colour {
    /// The first of the set that everybody can tell apart.
    Blue,
    /// Orange.
    Orange,
    /// Green.
    Green,
    /// Purple.
    Purple,
    /// Sky blue.
    Sky,
}

/// Something that a person agreed to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Consent {
    /// Run a command to log in.
    Command {
        /// Where the program is.
        program: PathBuf,
        /// SHA-256 of the program, as hexadecimal digits: another program in its place is asked about again.
        sha256: String,
        /// Its arguments.
        arguments: Vec<String>,
        /// Names of variables that the kubeconfig sets for it, sorted.
        variables: Vec<String>,
    },
    /// Send what is in these files, which are not in the kubeconfig's own folder, to this server.
    Files {
        /// Which files, sorted.
        files: Vec<PathBuf>,
        /// The API server.
        server: String,
    },
}

/// A kubeconfig file, as far as it could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterFile {
    /// Where.
    pub path: PathBuf,
    /// How many contexts it has, or why it cannot be used and what to do.
    pub state: Result<usize, String>,
    /// What one should know of it, though it can be used.
    pub remarks: Vec<String>,
}

/// A context of a kubeconfig.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterContext {
    /// Which.
    pub key: ContextKey,
    /// The cluster's name.
    pub cluster: String,
    /// The user's name; empty for none.
    pub user: String,
    /// The namespace; `default` where it names none.
    pub namespace: String,
    /// The API server; without user and password.
    pub server: String,
    /// The file whose entry of this name is used instead of it, as kubectl would.
    pub shadowed_by: Option<PathBuf>,
    /// Whether the server's certificate is not looked at.
    pub is_insecure: bool,
    /// How it logs in.
    pub login: Login,
    /// Why it cannot be used; empty where it can.
    pub problems: Vec<String>,
}

/// How a context logs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// Not at all.
    Nothing,
    /// A client certificate.
    Certificate,
    /// A token, in the kubeconfig or a file.
    Token,
    /// User and password.
    Basic,
    /// A command (`exec`); its name.
    Command(String),
    /// A provider of logins (`auth-provider`); its name.
    Provider(String),
}

/// What a person must agree to before a cluster is connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// What would be kept of the agreement.
    pub consent: Consent,
    /// The context that is to be connected.
    pub context: ContextKey,
    /// The command as the kubeconfig has it; empty for files.
    pub written: String,
    /// Whether another program was agreed to at the same place before.
    pub has_changed: bool,
}

/// How a connection to a cluster stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Connection {
    /// Nobody asked for one.
    #[default]
    None,
    /// It is being made.
    Connecting,
    /// A person must agree to something first.
    NeedsConsent(Box<Ask>),
    /// It stands.
    Connected(Box<ClusterFacts>),
    /// It does not.
    Failed(Trouble),
}

/// Why a cluster cannot be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// In a sentence: `The API server refused the connection`.
    pub title: String,
    /// The whole cause.
    pub cause: String,
    /// What to do.
    pub advice: String,
}

/// What a check of a cluster told.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterFacts {
    /// `v1.36.2`.
    pub version: String,
    /// `linux/amd64`.
    pub platform: String,
    /// How long the API takes to answer a small question: the median of a few.
    pub latency: Duration,
    /// Who the cluster says we are; none where it does not tell.
    pub identity: Option<Identity>,
    /// What we may do.
    pub rights: Vec<Right>,
    /// Nodes, or why they are not known.
    pub nodes: Result<Vec<Node>, String>,
    /// What one should know of the connection, though it stands.
    pub remarks: Vec<String>,
}

/// Who the cluster says we are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Name.
    pub user: String,
    /// Groups.
    pub groups: Vec<String>,
}

/// Something that Meshbench can do where it is allowed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Right {
    /// `list pods`.
    pub what: &'static str,
    /// What it is needed for: `see workloads and proxies`.
    pub why: &'static str,
    /// Whether it is allowed; none where the cluster did not tell.
    pub is_allowed: Option<bool>,
}

/// A node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Its roles: `control-plane`.
    pub roles: Vec<String>,
    /// Whether it is ready.
    pub is_ready: bool,
    /// `Debian GNU/Linux 12 (bookworm)`.
    pub os: String,
    /// `v1.36.2`.
    pub kubelet: String,
    /// `containerd://2.0.1`.
    pub runtime: String,
    /// `amd64`.
    pub architecture: String,
    /// Where it is reached from outside, or else from its own network; empty where it does not say.
    pub address: String,
    /// Processors and memory that it has.
    pub capacity: Resources,
    /// Of them, what pods may use.
    pub allocatable: Resources,
}

/// Processors and memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    /// Thousandths of a processor.
    pub cpu_millis: u64,
    /// Bytes.
    pub memory_bytes: u64,
}

impl Default for ClusterBook {
    fn default() -> Self {
        Self {
            version: CLUSTER_BOOK_VERSION,
            files: Vec::new(),
            uses_kubectls: false,
            contexts: BTreeMap::new(),
            consents: Vec::new(),
            chosen: None,
            was_offered: false,
        }
    }
}

impl ClusterBook {
    /// What was chosen for a context; the usual where nothing was.
    #[must_use]
    pub fn choice(&self, key: &ContextKey) -> ContextChoice {
        self.contexts.get(key).cloned().unwrap_or_default()
    }

    /// What a context is called.
    #[must_use]
    pub fn title<'a>(&'a self, key: &'a ContextKey) -> &'a str {
        let alias = self.contexts.get(key).map(|choice| choice.alias.as_str());
        alias.filter(|alias| !alias.is_empty()).unwrap_or(&key.name)
    }

    /// Keeps what was chosen for a context, or nothing where that is the usual.
    pub fn choose(&mut self, key: ContextKey, choice: ContextChoice) {
        if choice == ContextChoice::default() {
            self.contexts.remove(&key);
        } else {
            self.contexts.insert(key, choice);
        }
    }

    /// Whether this was agreed to.
    #[must_use]
    pub fn allows(&self, wanted: &Consent) -> bool {
        self.consents.contains(wanted)
    }
}

impl Login {
    /// In words.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Nothing => "no login".to_owned(),
            Self::Certificate => "certificate".to_owned(),
            Self::Token => "token".to_owned(),
            Self::Basic => "user and password".to_owned(),
            Self::Command(name) => format!("command {name}"),
            Self::Provider(name) => format!("provider {name}"),
        }
    }
}

/// A map with a key that is not text, as a list of pairs.
mod as_pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{ContextChoice, ContextKey};

    #[derive(Serialize, Deserialize)]
    struct Pair {
        key: ContextKey,
        choice: ContextChoice,
    }

    pub(super) fn serialize<S: Serializer>(
        map: &BTreeMap<ContextKey, ContextChoice>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer
            .collect_seq(map.iter().map(|(key, choice)| Pair { key: key.clone(), choice: choice.clone() }))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<ContextKey, ContextChoice>, D::Error> {
        let pairs = Vec::<Pair>::deserialize(deserializer)?;
        Ok(pairs.into_iter().map(|pair| (pair.key, pair.choice)).collect())
    }
}
