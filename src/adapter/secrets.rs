//! Logins kept out of what an adapter says: those that it was handed, and whatever looks like one.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use super::Login;
use crate::model::manifest;

/// Stands for what is not shown.
const HIDDEN: &str = "(hidden)";
/// The most values that are remembered, the latest.
const KNOWN_MAX: usize = 128;
/// Shorter values are no secrets, and would be found in any text.
const KNOWN_BYTES_MIN: usize = 6;
/// How deep a kubeconfig is looked into.
const DEPTH_MAX: usize = 12;
/// Values under these keys are never shown.
const KEYS: [&str; 14] = [
    "access-token",
    "authorization",
    "client-certificate-data",
    "client-key-data",
    "client-secret",
    "client_secret",
    "clientkeydata",
    "access_token",
    "id-token",
    "id_token",
    "password",
    "refresh-token",
    "refresh_token",
    "secret-access-key",
];
/// Values under these are not, unless they are words: `token: expired`.
const LOOSE_KEYS: [&str; 3] = ["token", "bearer", "apikey"];
/// What comes between such a key and its value.
const SCHEMES: [&str; 4] = ["bearer", "basic", "negotiate", "token"];
/// A value of a loose key that is as long as this is no word.
const LOOSE_BYTES_MIN: usize = 20;
/// A run of base64 of this length, with capitals, small letters and digits, is no word and no digest.
const BASE64_BYTES_MIN: usize = 64;
/// Base64 of `-----BEGIN`.
const PEM_IN_BASE64: &str = "LS0tLS1CRUdJTi";
/// How a JSON web token begins: base64 of `{"`.
const JWT_BEGINS: &str = "eyJ";

/// What was handed to an adapter and must not be seen again.
#[derive(Clone, Default)]
pub(super) struct Secrets(Arc<Mutex<VecDeque<String>>>);

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets(hidden)")
    }
}

impl Secrets {
    /// Remembers what is secret in a login.
    pub(super) fn learn(&self, login: &Login) {
        let mut found = Vec::new();
        // What is no YAML has no secrets under keys; what looks like one is hidden anyway.
        if let Ok(fields) = manifest::mapping(login.expose()) {
            collect(&Value::Object(fields), false, DEPTH_MAX, &mut found);
        }
        let mut known = self.known();
        for secret in found {
            if !known.contains(&secret) {
                known.push_back(secret);
            }
            if known.len() > KNOWN_MAX {
                known.pop_front();
            }
        }
    }

    /// The text without them.
    pub(super) fn hide(&self, text: String) -> String {
        let mut text = text;
        for secret in self.known().iter() {
            if text.contains(secret.as_str()) {
                text = text.replace(secret.as_str(), HIDDEN);
            }
        }
        without_lookalikes(&without_keys_in_pem(text))
    }

    fn known(&self) -> MutexGuard<'_, VecDeque<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Everything under a key that is secret.
fn collect(value: &Value, is_secret: bool, depth: usize, found: &mut Vec<String>) {
    if depth == 0 {
        return;
    }
    match value {
        Value::String(text) if is_secret => {
            found.extend(
                text.lines().map(str::trim).filter(|line| line.len() >= KNOWN_BYTES_MIN).map(str::to_owned),
            );
        }
        Value::Number(number) if is_secret => {
            found.extend(Some(number.to_string()).filter(|text| text.len() >= KNOWN_BYTES_MIN));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, is_secret, depth - 1, found)),
        Value::Object(fields) => {
            for (key, value) in fields {
                collect(value, is_secret || is_secret_key(key) || is_loose_key(key), depth - 1, found);
            }
        }
        _ => {}
    }
}

fn is_secret_key(key: &str) -> bool {
    KEYS.iter().any(|known| known.eq_ignore_ascii_case(key))
}

fn is_loose_key(key: &str) -> bool {
    LOOSE_KEYS.iter().any(|known| known.eq_ignore_ascii_case(key))
}

/// Private keys in PEM go, to their end or that of the text.
fn without_keys_in_pem(text: String) -> String {
    const BEGIN: &str = "-----BEGIN ";
    const END: &str = "-----END ";
    const MARK: &str = "PRIVATE KEY";
    if !text.contains(MARK) {
        return text;
    }
    let (mut kept, mut rest) = (String::new(), text.as_str());
    while let Some(begin) = rest.find(BEGIN) {
        let inside = &rest[begin + BEGIN.len()..];
        let name_end = inside.find("-----").unwrap_or(inside.len());
        if !inside[..name_end].contains(MARK) {
            let shown = begin + BEGIN.len();
            kept.push_str(&rest[..shown]);
            rest = &rest[shown..];
            continue;
        }
        kept.push_str(&rest[..begin]);
        kept.push_str(HIDDEN);
        let after = inside.find(END).map(|end| &inside[end + END.len()..]);
        rest = after.and_then(|after| after.find("-----").map(|end| &after[end + 5..])).unwrap_or_default();
    }
    kept.push_str(rest);
    kept
}

/// What a word says of the one after it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    /// Nothing.
    Any,
    /// It was a key, and a colon may come yet.
    Key { is_loose: bool },
    /// The next is a value.
    Value { is_loose: bool },
}

fn without_lookalikes(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut then = Then::Any;
    let mut rest = text;
    while !rest.is_empty() {
        let between = rest.find(|c| !is_between(c)).unwrap_or(rest.len());
        kept.push_str(&rest[..between]);
        // A value stands on its key's line, or right after it.
        if rest[..between].matches('\n').count() > 1 {
            then = Then::Any;
        }
        rest = &rest[between..];
        let end = rest.find(is_between).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        rest = after;
        if !word.is_empty() {
            then = take(word, then, &mut kept);
        }
    }
    kept
}

fn is_between(c: char) -> bool {
    c.is_whitespace()
        || matches!(c, '"' | '\'' | '`' | ',' | ';' | '{' | '}' | '(' | ')' | '[' | ']' | '<' | '>' | '\\')
}

/// Keeps a word, or hides it; what that says of the next.
fn take(word: &str, then: Then, kept: &mut String) -> Then {
    if let Then::Value { is_loose } = then {
        if word == HIDDEN
            || SCHEMES.iter().any(|scheme| scheme.eq_ignore_ascii_case(word.trim_end_matches(':')))
        {
            kept.push_str(word);
            return then;
        }
        let is_shown = is_loose && !is_long(word) && !looks_secret(word);
        kept.push_str(if is_shown { word } else { HIDDEN });
        return Then::Any;
    }
    if matches!(word, ":" | "=" | ":=")
        && let Then::Key { is_loose } = then
    {
        kept.push_str(word);
        return Then::Value { is_loose };
    }
    // `token=abc`, `token:abc`, and `token:` with its value yet to come.
    if let Some((key, value)) = word.split_once([':', '='])
        && (is_secret_key(key) || is_loose_key(key))
    {
        kept.push_str(&word[..=key.len()]);
        let next = Then::Value { is_loose: !is_secret_key(key) };
        return if value.is_empty() { next } else { take(value, next, kept) };
    }
    kept.push_str(if looks_secret(word) { HIDDEN } else { word });
    match word {
        // After this word comes the token itself, without a colon.
        _ if word.eq_ignore_ascii_case("bearer") => Then::Value { is_loose: true },
        _ if is_secret_key(word) => Then::Key { is_loose: false },
        _ if is_loose_key(word) => Then::Key { is_loose: true },
        _ => Then::Any,
    }
}

/// Of something that may be a word.
fn is_long(word: &str) -> bool {
    word.len() >= LOOSE_BYTES_MIN
        || (word.len() >= KNOWN_BYTES_MIN && word.bytes().any(|byte| byte.is_ascii_digit()))
}

/// Whatever stands before it.
fn looks_secret(word: &str) -> bool {
    if let Some(at) = word.find(JWT_BEGINS)
        && !word[..at].ends_with(char::is_alphanumeric)
        && word[at..].contains('.')
        && word.len() - at >= LOOSE_BYTES_MIN
    {
        return true;
    }
    if word.contains(PEM_IN_BASE64) {
        return true;
    }
    let is_base64 =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_');
    word.as_bytes().split(|byte| !is_base64(*byte)).any(|run| {
        run.len() >= BASE64_BYTES_MIN
            && run.iter().any(u8::is_ascii_uppercase)
            && run.iter().any(u8::is_ascii_lowercase)
            && run.iter().any(u8::is_ascii_digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KUBECONFIG: &str = "kind: Config\nusers:\n- name: dev\n  user:\n    token: s3cr.et\n    client-key-data: \
                              QUJDREVGR0g=\n    password: open-sesame\ncontexts:\n- name: production-of-the-shop\n";

    fn knowing(kubeconfig: &str) -> Secrets {
        let secrets = Secrets::default();
        secrets.learn(&Login::new("dev".to_owned(), kubeconfig.to_owned()));
        secrets
    }

    fn hidden(text: &str) -> String {
        Secrets::default().hide(text.to_owned())
    }

    #[test]
    fn what_was_handed_over_is_never_seen_again_wherever_it_stands() {
        let secrets = knowing(KUBECONFIG);
        let told = secrets.hide(format!("cannot use {KUBECONFIG} (x-s3cr.et-y, QUJDREVGR0g=, open-sesame)"));
        for secret in ["s3cr.et", "QUJDREVGR0g", "open-sesame"] {
            assert!(!told.contains(secret), "{told}");
        }
        assert!(told.contains("production-of-the-shop") && told.contains("name: dev"), "{told}");
        assert!(!format!("{secrets:?}").contains("s3cr"));
        // JSON is YAML too.
        let json = knowing(r#"{"users":[{"user":{"auth-provider":{"config":{"id-token":"abcdefgh"}}}}]}"#);
        assert_eq!(json.hide("it says abcdefgh".to_owned()), "it says (hidden)");
    }

    #[test]
    fn what_looks_like_a_login_is_hidden_though_nobody_knows_it() {
        let long = "Aa1".repeat(40);
        for (text, shown) in [
            ("Authorization: Bearer abcdef123456", "Authorization: Bearer (hidden)"),
            ("authorization: Basic dXNlcjpwYXNz", "authorization: Basic (hidden)"),
            ("used bearer abc.def.123 in vain", "used bearer (hidden) in vain"),
            (r#"{"token":"k8s-aws-v1.12345","a":"b"}"#, r#"{"token":"(hidden)","a":"b"}"#),
            ("client-key-data: QUJD\nnext: line", "client-key-data: (hidden)\nnext: line"),
            ("password=x", "password=(hidden)"),
            ("bad jwt eyJhbGciOiJSUzI1NiJ9.e30.c2ln!", "bad jwt (hidden)"),
            ("data LS0tLS1CRUdJTiBSU0E=", "data (hidden)"),
            ("a -----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY----- b", "a (hidden) b"),
            ("cut -----BEGIN PRIVATE KEY----- abc", "cut (hidden)"),
            (&format!("what is {long} here"), "what is (hidden) here"),
        ] {
            assert_eq!(hidden(text), shown);
        }
    }

    #[test]
    fn what_people_need_to_read_stays() {
        for text in [
            "the token: expired",
            "no bearer token was sent",
            "image registry.test/a@sha256:2f1b0c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f9",
            "-----BEGIN CERTIFICATE----- abc -----END CERTIFICATE-----",
            "key: value, \"a\": [1, 2] <b>\n\nc = d",
            "Deployment shop/web-5d8f6c7b9-x2x9k in /apis/apps/v1/namespaces/shop/deployments/web",
        ] {
            assert_eq!(hidden(text), text);
        }
    }

    #[test]
    fn hostile_text_takes_no_time_and_no_panic() {
        for piece in ["-----BEGIN PRIVATE KEY-----", "token:", "bearer ", "eyJ.", "ä=", ":"] {
            let text = piece.repeat(20_000);
            let begun = std::time::Instant::now();
            let _ = hidden(&text);
            assert!(begun.elapsed() < std::time::Duration::from_secs(5), "{piece}");
        }
    }
}
