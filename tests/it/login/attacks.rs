//! What others may try: against the listener of a login, and with tokens of a provider that is not good.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use meshbench::account::{LoginError, LoginStep, TellLogin, Verifier, VerifyError, by_browser};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{OpenId, browse};

/// Asks the listener of a login in a way of one's own; the status of its answer.
async fn ask(address: &str, head: String) -> u16 {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut said = Vec::new();
    let _ = stream.read_to_end(&mut said).await;
    let said = String::from_utf8_lossy(&said).into_owned();
    said.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_can_speak_to_the_listener_of_a_login() {
    let openid = OpenId::start(60);
    let (send, asked) = tokio::sync::oneshot::channel();
    let send = Mutex::new(Some(send));
    let tell: TellLogin = Arc::new(move |step| {
        if let (LoginStep::Browser { url }, Some(send)) = (step, send.lock().unwrap().take()) {
            send.send(url).unwrap();
        }
    });
    let provider = openid.provider();
    let login = tokio::spawn(async move { by_browser(&provider, &tell).await });
    let page = asked.await.unwrap();
    let url = url::Url::parse(&page).unwrap();
    let asks = |name: &str| url.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned();
    assert_eq!((asks("code_challenge_method").as_str(), asks("response_type").as_str()), ("S256", "code"));
    let (state, back) = (asks("state"), url::Url::parse(&asks("redirect_uri")).unwrap());
    assert!(state.len() >= 40 && asks("nonce").len() >= 40);
    let host = format!("127.0.0.1:{}", back.port().unwrap());
    let get = |query: &str, host: &str, more: &str| {
        format!("GET /callback?{query} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n")
    };
    let good = format!("state={state}&code=x");
    for (what, head, status) in [
        ("DNS rebinding", get(&good, "evil.test", ""), 403),
        ("another port's name", get(&good, "127.0.0.1:1", ""), 403),
        ("localhost", get(&good, &host.replace("127.0.0.1", "localhost"), ""), 403),
        ("a page's request", get(&good, &host, "Origin: https://evil.test\r\n"), 403),
        ("two hosts", get(&good, &host, "Host: evil.test\r\n"), 403),
        ("another state", get("state=guess&code=x", &host, ""), 400),
        ("no state", get("code=x", &host, ""), 400),
        ("the state twice", get(&format!("state=a&state={state}&code=x"), &host, ""), 400),
        ("another path", format!("GET /?{good} HTTP/1.1\r\nHost: {host}\r\n\r\n"), 404),
        ("another method", format!("POST /callback?{good} HTTP/1.1\r\nHost: {host}\r\n\r\n"), 405),
        ("no HTTP", "hello\r\n\r\n".to_owned(), 400),
        ("an endless head", format!("GET / HTTP/1.1\r\nX: {}\r\n", "x".repeat(20_000)), 400),
    ] {
        let answered = ask(&host, head).await;
        // What is cut off unread may be reset instead of answered.
        assert!(answered == status || (what == "an endless head" && answered == 0), "{what}: {answered}");
    }
    assert!(!login.is_finished(), "the login goes on");
    browse(&page);
    let done = tokio::time::timeout(Duration::from_secs(60), login).await.unwrap().unwrap();
    assert_eq!(done.unwrap().subject, "alice");
    assert!(TcpStream::connect(&host).await.is_err(), "the listener is gone with the login");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_another_provider_or_with_a_code_of_nobody_logs_nobody_in() {
    let openid = OpenId::start(60);
    for (query, words) in [
        ("code=stolen&iss=https%3A%2F%2Fevil.test", "another provider"),
        ("error=access_denied&error_description=She+said+no&iss=ISSUER", "access_denied: She said no"),
        ("code=replayed&iss=ISSUER", "invalid_grant"),
        ("iss=ISSUER", "no code"),
    ] {
        let query = query.replace("ISSUER", &openid.issuer.replace(':', "%3A").replace('/', "%2F"));
        let tell: TellLogin = Arc::new(move |step| {
            let LoginStep::Browser { url } = step else { return };
            let query = query.clone();
            tokio::spawn(async move {
                let url = url::Url::parse(&url).unwrap();
                let asks =
                    |name: &str| url.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned();
                let back = url::Url::parse(&asks("redirect_uri")).unwrap();
                let host = format!("127.0.0.1:{}", back.port().unwrap());
                let target = format!("/callback?state={}&{query}", asks("state"));
                ask(&host, format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
            });
        });
        let provider = openid.provider();
        let login = by_browser(&provider, &tell);
        let failed = tokio::time::timeout(Duration::from_secs(30), login).await.unwrap().err().unwrap();
        assert!(failed.to_string().contains(words), "{words}: {failed}");
        assert!(!matches!(failed, LoginError::NobodyCame));
    }
}

/// An issuer whose keys and words are ours.
pub(crate) struct Forger {
    pub(crate) issuer: String,
    pub(crate) keys: Arc<Mutex<Vec<Value>>>,
    asked: Arc<AtomicUsize>,
}

type Shared = (String, Arc<Mutex<Vec<Value>>>, Arc<AtomicUsize>);

impl Forger {
    pub(crate) async fn start(called: Option<&str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        let issuer = format!("http://{address}");
        let (keys, asked): (Arc<Mutex<Vec<Value>>>, Arc<AtomicUsize>) = Default::default();
        let shared: Shared = (called.unwrap_or(&issuer).to_owned(), Arc::clone(&keys), Arc::clone(&asked));
        let at = issuer.clone();
        let discovery = move |State((called, _, _)): State<Shared>| async move {
            Json(json!({ "issuer": called, "jwks_uri": format!("{at}/keys") }))
        };
        let all = |State((_, keys, asked)): State<Shared>| async move {
            asked.fetch_add(1, Ordering::Relaxed);
            Json(json!({ "keys": *keys.lock().unwrap() }))
        };
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(all))
            .with_state(shared);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { issuer, keys, asked }
    }

    pub(crate) fn claims(&self) -> Value {
        let now = Timestamp::now().as_second();
        json!({ "iss": self.issuer, "sub": "ann", "aud": ["other", "bench"], "exp": now + 300, "iat": now })
    }
}

pub(crate) struct Key(EcdsaKeyPair, &'static str);

impl Key {
    pub(crate) fn new(kid: &'static str) -> Self {
        let random = SystemRandom::new();
        let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, made.as_ref(), &random);
        Self(pair.unwrap(), kid)
    }

    pub(crate) fn public(&self) -> Value {
        let point = self.0.public_key().as_ref();
        let part = |range: std::ops::Range<usize>| URL_SAFE_NO_PAD.encode(&point[range]);
        json!({ "kty": "EC", "crv": "P-256", "use": "sig", "kid": self.1, "x": part(1..33), "y": part(33..65) })
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encode(header), encode(claims));
        let signature = self.0.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    pub(crate) fn token(&self, claims: &Value) -> String {
        self.sign(&json!({ "alg": "ES256", "kid": self.1, "typ": "at+jwt" }), claims)
    }
}

fn reason(result: Result<meshbench::account::Bearer, VerifyError>) -> String {
    result.expect_err("it proves nothing").to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_say_of_themselves_how_they_are_proven_prove_nothing() {
    let (forger, key) = (Forger::start(None).await, Key::new("one"));
    forger.keys.lock().unwrap().push(key.public());
    let verifier = Verifier::new(&forger.issuer, "bench", "groups").unwrap();
    let (now, claims) = (Timestamp::now(), forger.claims());
    assert_eq!(verifier.access(&key.token(&claims), now).await.unwrap().subject, "ann");
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let none = format!("{}.{}.", encode(&json!({ "alg": "none" })), encode(&claims));
    assert!(reason(verifier.access(&none, now).await).contains("not signed"));
    // HS256 with the public key as the secret that everybody knows.
    let signed = format!("{}.{}", encode(&json!({ "alg": "HS256", "kid": "one" })), encode(&claims));
    let secret = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key.0.public_key().as_ref());
    let forged = URL_SAFE_NO_PAD.encode(ring::hmac::sign(&secret, signed.as_bytes()));
    assert!(reason(verifier.access(&format!("{signed}.{forged}"), now).await).contains("not signed"));
    let critical = key.sign(&json!({ "alg": "ES256", "kid": "one", "crit": ["b64"] }), &claims);
    assert!(reason(verifier.access(&critical, now).await).contains("not understood"));
    let other_way = key.sign(&json!({ "alg": "RS256", "kid": "one" }), &claims);
    assert!(reason(verifier.access(&other_way, now).await).contains("signature"));
    for (what, value, words) in [
        ("iss", json!("https://evil.test"), "another issuer"),
        ("aud", json!("other"), "another audience"),
        ("aud", json!(["bench2"]), "another audience"),
        ("exp", json!(now.as_second() - 61), "good until"),
        ("nbf", json!(now.as_second() + 90), "clock"),
        ("iat", json!(now.as_second() + 90), "clock"),
        ("sub", json!(""), "whose"),
    ] {
        let mut wrong = claims.clone();
        wrong[what] = value;
        let said = reason(verifier.access(&key.token(&wrong), now).await);
        assert!(said.contains(words), "{what}: {said}");
    }
    let stranger = Key::new("one").token(&claims);
    assert!(reason(verifier.access(&stranger, now).await).contains("signature"));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_change_are_fetched_but_not_for_everybody_who_names_one() {
    let (forger, one, two) = (Forger::start(None).await, Key::new("one"), Key::new("two"));
    forger.keys.lock().unwrap().push(one.public());
    let verifier = Verifier::new(&forger.issuer, "bench", "groups").unwrap();
    let (now, claims) = (Timestamp::now(), forger.claims());
    assert!(verifier.access(&one.token(&claims), now).await.is_ok());
    for _ in 0..50 {
        assert!(reason(verifier.access(&two.token(&claims), now).await).contains("does not have"));
    }
    assert_eq!(forger.asked.load(Ordering::Relaxed), 1, "asked a moment ago");
    forger.keys.lock().unwrap().push(two.public());
    let later = now + SignedDuration::from_secs(11);
    assert!(verifier.access(&two.token(&claims), later).await.is_ok());
    assert_eq!(forger.asked.load(Ordering::Relaxed), 2);

    let impostor = Forger::start(Some("https://id.test")).await;
    impostor.keys.lock().unwrap().push(one.public());
    let verifier = Verifier::new(&impostor.issuer, "bench", "groups").unwrap();
    let unknown = verifier.access(&one.token(&claims), now).await;
    assert!(
        matches!(&unknown, Err(VerifyError::Unavailable(why)) if why.contains("calls itself")),
        "{unknown:?}"
    );
    let nobody = Verifier::new("http://127.0.0.1:1", "bench", "groups").unwrap();
    assert!(matches!(nobody.access(&one.token(&claims), now).await, Err(VerifyError::Unavailable(_))));
    assert!(Verifier::new("http://id.test", "bench", "groups").is_err(), "without TLS");
}
