//! Logging in, staying logged in, logging out.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use meshbench::account::{
    Kept, Lasts, LoggedIn, LoginError, LoginStep, SessionError, Sessions, TellLogin, Vault, Verifier,
    VerifyError, by_browser, by_device,
};
use tokio::sync::Notify;
use uuid::Uuid;

use super::{AUDIENCE, OpenId, browse};

const ACCOUNT: Uuid = Uuid::from_u128(3 << 100);

/// A keyring in memory.
#[derive(Default)]
pub(crate) struct Pocket(Mutex<HashMap<String, String>>, AtomicBool);

/// What a keyring says that keeps nothing any more.
const BROKEN: &str = "the keyring is locked";

impl Pocket {
    fn break_off(&self) {
        self.1.store(true, Ordering::SeqCst);
    }

    fn mend(&self) {
        self.1.store(false, Ordering::SeqCst);
    }
}

impl Vault for Pocket {
    fn read(&self, name: &str) -> Result<Option<String>, String> {
        Ok(self.0.lock().unwrap().get(name).cloned())
    }

    fn write(&self, name: &str, secret: &str) -> Result<(), String> {
        if self.1.load(Ordering::SeqCst) {
            return Err(BROKEN.to_owned());
        }
        self.0.lock().unwrap().insert(name.to_owned(), secret.to_owned());
        Ok(())
    }

    fn remove(&self, name: &str) -> Result<(), String> {
        self.0.lock().unwrap().remove(name);
        Ok(())
    }
}

fn with_browser() -> TellLogin {
    Arc::new(|step| match step {
        LoginStep::Browser { url } => browse(&url),
        LoginStep::Device { address, code, whole, .. } => {
            assert!(address.starts_with("http://127.0.0.1:") && code.len() >= 8, "{address} {code}");
            browse(&whole.unwrap());
        }
    })
}

pub(crate) async fn logged_in(openid: &OpenId) -> LoggedIn {
    let (provider, tell) = (openid.provider(), with_browser());
    let login = by_browser(&provider, &tell);
    tokio::time::timeout(Duration::from_secs(60), login).await.expect("in a minute").expect("a login")
}

/// An access token of a login.
pub(crate) async fn access_token(openid: &OpenId) -> String {
    let sessions = Sessions::new(Arc::new(Pocket::default()));
    sessions.keep(ACCOUNT, logged_in(openid).await.tokens).await;
    sessions.access(ACCOUNT, &openid.provider(), false).await.expect("a token")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_logs_in_with_the_browser_and_with_a_code() {
    let openid = OpenId::start(60);
    let by_page = logged_in(&openid).await;
    let who = (by_page.subject.as_str(), by_page.name.as_str(), by_page.email.as_deref());
    assert_eq!(who, ("alice", "Alice Example", Some("alice@example.test")));
    let (provider, tell) = (openid.provider(), with_browser());
    let login = by_device(&provider, &tell);
    let by_code =
        tokio::time::timeout(Duration::from_secs(90), login).await.expect("in time").expect("a login");
    assert_eq!((by_code.subject.as_str(), by_code.name.as_str()), ("alice", "Alice Example"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_renewed_once_at_a_time_and_over_when_it_is_logged_out() {
    let openid = OpenId::start(300);
    let (pocket, provider) = (Arc::new(Pocket::default()), openid.provider());
    let sessions = Sessions::new(Arc::clone(&pocket) as Arc<dyn Vault>);
    let standing = sessions.keep(ACCOUNT, logged_in(&openid).await.tokens).await;
    assert_eq!(standing.kept, Kept::Keyring);
    let Lasts::Renewed(Some(until)) = standing.lasts else { panic!("{standing:?}") };
    let life = until.duration_since(Timestamp::now());
    assert!((240..=300).contains(&life.as_secs()), "{life}");
    let first = sessions.access(ACCOUNT, &provider, false).await.unwrap();
    let kept = pocket.0.lock().unwrap().values().next().unwrap().clone();
    assert!(!kept.contains(&first), "what renews it is enough");
    // A server has refused it; many ask for another at once.
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (sessions, provider) = (sessions.clone(), provider.clone());
        asking.spawn(async move { sessions.access(ACCOUNT, &provider, true).await.unwrap() });
    }
    let mut renewed = asking.join_all().await;
    renewed.dedup();
    assert_eq!(renewed.len(), 1, "one renewal for all; the provider takes each refresh token once");
    assert_ne!(renewed[0], first);
    assert_ne!(pocket.0.lock().unwrap().values().next().unwrap(), &kept, "kept before it is used");
    // Another start of the program goes on with what was kept.
    let later = Sessions::new(Arc::clone(&pocket) as Arc<dyn Vault>);
    assert_eq!(later.standing(ACCOUNT).await.lasts, Lasts::Renewed(None), "what was kept says no more");
    assert!(later.access(ACCOUNT, &provider, false).await.is_ok());
    assert!(matches!(later.standing(ACCOUNT).await.lasts, Lasts::Renewed(Some(_))));
    // The keyring is gone: the login goes on, and it is told that it will not outlive the program.
    pocket.break_off();
    let unkept = Sessions::new(Arc::clone(&pocket) as Arc<dyn Vault>);
    assert!(unkept.access(ACCOUNT, &provider, false).await.is_ok());
    let standing = unkept.standing(ACCOUNT).await;
    assert_eq!(standing.kept, Kept::SessionOnly(BROKEN.to_owned()));
    pocket.mend();
    // Who stole what was kept before has nothing, and it is noticed.
    let thief = Arc::new(Pocket::default());
    thief.write(&format!("login {ACCOUNT}"), &kept).unwrap();
    let stolen = Sessions::new(Arc::clone(&thief) as Arc<dyn Vault>).access(ACCOUNT, &provider, false).await;
    assert!(matches!(stolen, Err(SessionError::LoggedOut(_))), "{stolen:?}");
    assert!(thief.0.lock().unwrap().is_empty());

    let fresh = logged_in(&openid).await;
    later.keep(ACCOUNT, fresh.tokens).await;
    let kept = pocket.0.lock().unwrap().values().next().unwrap().clone();
    later.log_out(ACCOUNT, Some(&provider)).await.unwrap();
    assert!(pocket.0.lock().unwrap().is_empty());
    pocket.write(&format!("login {ACCOUNT}"), &kept).unwrap();
    let over = Sessions::new(pocket).access(ACCOUNT, &provider, false).await;
    assert!(matches!(over, Err(SessionError::LoggedOut(_))), "the provider was told: {over:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn access_tokens_prove_whose_they_are_and_nothing_else_does() {
    let openid = OpenId::start(300);
    let sessions = Sessions::new(Arc::new(Pocket::default()));
    sessions.keep(ACCOUNT, logged_in(&openid).await.tokens).await;
    let token = sessions.access(ACCOUNT, &openid.provider(), false).await.unwrap();
    let verifier = Verifier::new(&openid.issuer, AUDIENCE, "groups").unwrap();
    let now = Timestamp::now();
    let bearer = verifier.access(&token, now).await.unwrap();
    assert_eq!((bearer.subject.as_str(), bearer.name.as_str()), ("alice", "Alice Example"));
    assert_eq!(bearer.groups, ["devs"]);
    let late = verifier.access(&token, now + SignedDuration::from_secs(400)).await;
    assert!(matches!(late, Err(VerifyError::Expired(_))), "{late:?}");
    let early = verifier.access(&token, now - SignedDuration::from_secs(120)).await;
    assert!(matches!(early, Err(VerifyError::Invalid(reason)) if reason.contains("clock")));
    let elsewhere = Verifier::new(&openid.issuer, "https://other.test/", "groups").unwrap();
    assert!(matches!(elsewhere.access(&token, now).await, Err(VerifyError::Invalid(_))));
    let parts: Vec<&str> = token.split('.').collect();
    let claims = URL_SAFE_NO_PAD.decode(parts[1]).unwrap();
    let other = String::from_utf8(claims).unwrap().replace("alice", "mallo");
    let forged = format!("{}.{}.{}", parts[0], URL_SAFE_NO_PAD.encode(other), parts[2]);
    assert!(matches!(verifier.access(&forged, now).await, Err(VerifyError::Invalid(_))));
    for wrong in ["", "a.b.c", "x", &"a".repeat(20_000), &token[..token.len() - 3]] {
        assert!(matches!(verifier.access(wrong, now).await, Err(VerifyError::Invalid(_))), "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_provider_is_said() {
    let openid = OpenId::start(60);
    let tell: TellLogin = Arc::new(|_| {});
    let mut other = openid.provider();
    let at = |issuer: String| meshbench::model::account::ProviderKind::OpenId {
        issuer,
        client_id: "nobody".to_owned(),
        client_secret: None,
        audience: None,
        scopes: Vec::new(),
        callback: None,
    };
    other.kind = at("http://127.0.0.1:1".to_owned());
    let offline = by_browser(&other, &tell).await.err().unwrap();
    assert!(offline.to_string().contains("cannot be used to log in"), "{offline}");
    other.kind = at(format!("{}/elsewhere", openid.issuer));
    let nothing = by_browser(&other, &tell).await.err().unwrap();
    assert!(nothing.to_string().contains("is this its address"), "{nothing}");
    other.kind = at(openid.issuer.clone());
    let unknown = by_device(&other, &tell).await.err().unwrap();
    assert!(matches!(&unknown, LoginError::Provider(words) if words.contains("invalid_client")), "{unknown}");
}

/// A keyring that takes its time, and tells that it was asked to keep something.
struct Slow(Arc<Pocket>, Notify);

impl Vault for Slow {
    fn read(&self, name: &str) -> Result<Option<String>, String> {
        self.0.read(name)
    }

    fn write(&self, name: &str, secret: &str) -> Result<(), String> {
        self.1.notify_one();
        std::thread::sleep(Duration::from_millis(100));
        self.0.write(name, secret)
    }

    fn remove(&self, name: &str) -> Result<(), String> {
        self.0.remove(name)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_breaks_off_a_renewal_does_not_lose_the_login() {
    let openid = OpenId::start(300);
    let (pocket, provider) = (Arc::new(Pocket::default()), openid.provider());
    let sessions = Sessions::new(Arc::clone(&pocket) as Arc<dyn Vault>);
    sessions.keep(ACCOUNT, logged_in(&openid).await.tokens).await;
    let slow = Arc::new(Slow(pocket, Notify::new()));
    let later = Sessions::new(Arc::clone(&slow) as Arc<dyn Vault>);
    // The provider has taken the refresh token, and takes it once only; the next is not kept yet.
    tokio::select! {
        came = later.access(ACCOUNT, &provider, false) => panic!("it was not broken off: {came:?}"),
        () = slow.1.notified() => {}
    }
    let went_on = later.access(ACCOUNT, &provider, false).await;
    assert!(went_on.is_ok(), "{went_on:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_breaks_off_asking_for_keys_does_not_keep_others_from_them() {
    let openid = OpenId::start(300);
    let (sessions, provider) = (Sessions::new(Arc::new(Pocket::default())), openid.provider());
    sessions.keep(ACCOUNT, logged_in(&openid).await.tokens).await;
    let token = sessions.access(ACCOUNT, &provider, false).await.unwrap();
    let verifier = Arc::new(Verifier::new(&openid.issuer, AUDIENCE, "groups").unwrap());
    let now = Timestamp::now();
    tokio::select! {
        biased;
        _ = verifier.access(&token, now) => {}
        () = tokio::task::yield_now() => {}
    }
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (verifier, token) = (Arc::clone(&verifier), token.clone());
        asking.spawn(async move { verifier.access(&token, now).await });
    }
    for answer in asking.join_all().await {
        assert!(answer.is_ok(), "{answer:?}");
    }
}
