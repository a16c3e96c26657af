//! A kubeconfig with one context, whose login is done already: for programs that can neither ask a person nor run what
//! this context's login runs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use serde_json::{Map, Value, json};

use super::connect::Pems;
use super::kubeconfig::{Resolved, Secret};

/// The name of the only context, cluster and user.
const NAME: &str = "meshbench";

/// A kubeconfig that gives everything away: shown nowhere, and written only where nobody else can read it.
#[derive(Clone, Debug)]
pub struct MinifiedKubeconfig(Secret);

impl MinifiedKubeconfig {
    /// The text, as JSON, which is YAML too.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

pub(super) fn kubeconfig(
    resolved: &Resolved,
    proxy: Option<&str>,
    authority: Option<&[u8]>,
    header: Option<&HeaderValue>,
    (certificate, key): Pems,
) -> MinifiedKubeconfig {
    let (cluster, user) = (&resolved.cluster, &resolved.user);
    let base64 = |bytes: &[u8]| STANDARD.encode(bytes);
    let way = said([
        ("server", cluster.server.clone().into()),
        ("certificate-authority-data", authority.map(base64).into()),
        ("insecure-skip-tls-verify", cluster.insecure_skip_tls_verify.then_some(true).into()),
        ("tls-server-name", cluster.tls_server_name.clone().into()),
        ("proxy-url", proxy.map(str::to_owned).into()),
        ("disable-compression", cluster.disable_compression.then_some(true).into()),
    ]);
    let mut login = said([
        ("client-certificate-data", certificate.as_deref().map(base64).into()),
        ("client-key-data", key.as_deref().map(base64).into()),
        ("as", user.impersonate.clone().into()),
        ("as-uid", user.as_uid.clone().into()),
        ("as-groups", user.as_groups.clone().into()),
        ("as-user-extra", user.as_user_extra.as_ref().map(|extra| json!(extra)).into()),
    ]);
    login.extend(header.and_then(sent).unwrap_or_default());
    let text = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": NAME,
        "contexts": [{"name": NAME, "context": {"cluster": NAME, "user": NAME, "namespace": resolved.namespace}}],
        "clusters": [{"name": NAME, "cluster": way}],
        "users": [{"name": NAME, "user": login}],
    });
    MinifiedKubeconfig(Secret::new(text.to_string()))
}

fn said<const COUNT: usize>(fields: [(&str, Value); COUNT]) -> Map<String, Value> {
    fields
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

/// What is sent with each request, in a kubeconfig's words.
fn sent(header: &HeaderValue) -> Option<Map<String, Value>> {
    let text = header.to_str().ok()?;
    if let Some(token) = text.strip_prefix("Bearer ") {
        return Some(said([("token", token.into())]));
    }
    let pair = String::from_utf8(STANDARD.decode(text.strip_prefix("Basic ")?).ok()?).ok()?;
    let (name, password) = pair.split_once(':')?;
    Some(said([("username", name.into()), ("password", password.into())]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_said_in_a_kubeconfigs_words() {
        let words = |text: &'static str| sent(&HeaderValue::from_static(text)).map(Value::Object);
        assert_eq!(words("Bearer abc"), Some(json!({"token": "abc"})));
        assert_eq!(words("Basic YTpiOmM="), Some(json!({"username": "a", "password": "b:c"})));
        assert_eq!(words("Other"), None);
    }

    #[test]
    fn nothing_of_it_is_shown() {
        let secret = MinifiedKubeconfig(Secret::new("CANARY".to_owned()));
        assert_eq!(format!("{secret:?}"), "MinifiedKubeconfig((secret))");
        assert_eq!(secret.expose(), "CANARY");
    }
}
