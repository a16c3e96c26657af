use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::cluster::TokenStore;
use crate::model::cluster::ContextKey;

const CANARY: &str = "CANARY-SECRET";
const V1: &str = "client.authentication.k8s.io/v1";

/// A folder with a kubeconfig in it, and what a login does there.
struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    /// A program that notes each run and then does this.
    fn program(&self, text: &str) -> String {
        let path = self.folder.path().join("plugin");
        let runs = self.folder.path().join("runs").display().to_string();
        std::fs::write(&path, format!("#!/bin/sh\necho run >> {runs}\n{text}\n")).expect("a file");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("rights");
        path.display().to_string()
    }

    fn runs(&self) -> usize {
        std::fs::read_to_string(self.folder.path().join("runs")).map_or(0, |text| text.lines().count())
    }

    fn resolved(&self, user: User) -> Resolved {
        Resolved {
            key: ContextKey { file: self.folder.path().join("config"), name: "dev".to_owned() },
            cluster: Cluster { server: "https://a.test".to_owned(), ..Cluster::default() },
            user,
            namespace: "default".to_owned(),
            is_kubectls: false,
        }
    }

    async fn keeper(&self, user: User) -> Result<Keeper, Refused> {
        Keeper::new(&self.resolved(user), &|_| Some(true), &nowhere()).await
    }

    fn exec(&self, text: &str) -> User {
        exec(Exec { command: self.program(text), ..usual() })
    }
}

/// No login of these is renewed.
fn nowhere() -> Tokens {
    struct Nowhere;
    impl TokenStore for Nowhere {
        fn read(&self, _: &str) -> Result<Option<String>, String> {
            Ok(None)
        }

        fn write(&self, _: &str, _: &str) -> Result<(), String> {
            Err("nowhere".to_owned())
        }
    }
    Tokens::new(std::sync::Arc::new(Nowhere))
}

fn usual() -> Exec {
    Exec { api_version: V1.to_owned(), ..Exec::default() }
}

fn exec(exec: Exec) -> User {
    User { exec: Some(exec), ..User::default() }
}

/// Answers with this status.
fn answer(status: &str) -> String {
    format!(
        "cat <<'END'\n{{\"apiVersion\": \"{V1}\", \"kind\": \"ExecCredential\", \"status\": {status}}}\nEND"
    )
}

async fn sent(keeper: &Keeper) -> String {
    let header = keeper.header().await.expect("a login").expect("a header");
    header.to_str().expect("text").to_owned()
}

fn told(refused: Refused) -> String {
    match refused {
        Refused::Trouble(trouble) => format!("{}: {}: {}", trouble.title, trouble.cause, trouble.advice),
        Refused::NeedsConsent(ask) => panic!("{ask:?}"),
    }
}

async fn fails(bench: &Bench, user: User) -> String {
    match bench.keeper(user).await {
        Err(refused) => told(refused),
        Ok(keeper) => {
            let trouble = keeper.header().await.expect_err("it cannot log in").0;
            format!("{}: {}", trouble.title, trouble.cause)
        }
    }
}

#[tokio::test]
async fn a_file_with_a_token_wins_over_the_token_and_is_trimmed() {
    let bench = Bench::new();
    let file = bench.folder.path().join("token");
    std::fs::write(&file, "of-file\n\n").expect("a file");
    let user = User {
        token: Some(Secret::new("of-config".to_owned())),
        token_file: Some(file.clone()),
        ..User::default()
    };
    let keeper = bench.keeper(user.clone()).await.expect("a login");
    assert_eq!(sent(&keeper).await, "Bearer of-file");
    std::fs::write(&file, "renewed").expect("a file");
    assert_eq!(sent(&keeper).await, "Bearer of-file", "not read for each request");
    keeper.note_refused();
    assert_eq!(sent(&keeper).await, "Bearer renewed");
    std::fs::write(&file, format!("a\n{CANARY}")).expect("a file");
    keeper.note_refused();
    let trouble = keeper.header().await.expect_err("no token");
    assert!(!format!("{trouble}{trouble:?}").contains("CANARY"));
    std::fs::remove_file(&file).expect("it is there");
    assert!(fails(&bench, user).await.contains("file"));
}

#[tokio::test]
async fn tokens_and_passwords_are_sent_as_kubectl_does() {
    let bench = Bench::new();
    let secret = |text: &str| Some(Secret::new(text.to_owned()));
    let keeper = bench.keeper(User { token: secret("abc\n"), ..User::default() }).await.expect("a login");
    assert_eq!(sent(&keeper).await, "Bearer abc");
    let basic = User { username: Some("ada".to_owned()), password: secret("pw"), ..User::default() };
    let keeper = bench.keeper(basic.clone()).await.expect("a login");
    assert_eq!(sent(&keeper).await, "Basic YWRhOnB3");
    let both = User { token: secret("abc"), ..basic };
    assert!(fails(&bench, both).await.contains("ambiguous"));
    let keeper = bench.keeper(User::default()).await.expect("no login");
    assert!(keeper.header().await.expect("nothing can fail").is_none() && !keeper.can_renew());
    let broken = fails(&bench, User { token: secret(&format!("a\n{CANARY}")), ..User::default() }).await;
    assert!(broken.contains("cannot be sent") && !broken.contains("CANARY"), "{broken}");
}

#[tokio::test]
async fn a_command_runs_only_once_a_person_agreed_to_it_and_to_this_very_program() {
    let bench = Bench::new();
    let user = bench.exec(&answer("{\"token\": \"abc\"}"));
    let asked = |resolved: Resolved, answer: Option<bool>| async move {
        match Keeper::new(&resolved, &|_| answer, &nowhere()).await {
            Err(Refused::NeedsConsent(ask)) => *ask,
            other => panic!("{:?}", other.map(|_| ())),
        }
    };
    let first = asked(bench.resolved(user.clone()), Some(false)).await;
    let Consent::Command { program, sha256, .. } = &first.consent else { panic!("{first:?}") };
    assert!(program.ends_with("plugin") && sha256.len() == 64 && !first.has_changed);
    assert_eq!(bench.runs(), 0);
    let changed = bench.exec(&answer("{\"token\": \"other\"}"));
    let second = asked(bench.resolved(changed), None).await;
    assert!(second.consent != first.consent && second.has_changed);
    assert_eq!(bench.runs(), 0);
}

#[tokio::test]
async fn a_command_runs_once_and_again_after_a_401_and_before_expiry() {
    let bench = Bench::new();
    let keeper = bench.keeper(bench.exec(&answer("{\"token\": \"abc\"}"))).await.expect("a login");
    let all = futures_util::future::join_all((0..8).map(|_| sent(&keeper))).await;
    assert!(all.iter().all(|header| header == "Bearer abc"));
    assert!(keeper.identity().await.expect("it ran").is_none());
    assert_eq!(bench.runs(), 1);
    keeper.note_refused();
    sent(&keeper).await;
    assert_eq!(bench.runs(), 1, "a server that never accepts it must not have it run for each request");
    age(&keeper).await;
    sent(&keeper).await;
    sent(&keeper).await;
    assert_eq!(bench.runs(), 2);
    let soon = Timestamp::now() + jiff::SignedDuration::from_secs(30);
    let status = format!("{{\"token\": \"abc\", \"expirationTimestamp\": \"{soon}\"}}");
    let keeper = bench.keeper(bench.exec(&answer(&status))).await.expect("a login");
    sent(&keeper).await;
    sent(&keeper).await;
    assert_eq!(bench.runs(), 3);
    age(&keeper).await;
    sent(&keeper).await;
    assert_eq!(bench.runs(), 4, "renewed a minute before it expires");
}

/// Makes what was got last older than the pause between runs.
async fn age(keeper: &Keeper) {
    if let Some(got) = &mut *keeper.got.lock().await {
        let ago = COMMAND_PAUSE + Duration::from_secs(1);
        got.at = got.at.checked_sub(ago).expect("the machine has run for longer");
    }
}

#[tokio::test]
async fn a_command_may_give_a_certificate() {
    let bench = Bench::new();
    let both = "{\"clientCertificateData\": \"cert\", \"clientKeyData\": \"key\"}";
    let keeper = bench.keeper(bench.exec(&answer(both))).await.expect("a login");
    let identity = keeper.identity().await.expect("it ran").expect("a certificate");
    assert_eq!((identity.certificate.as_slice(), identity.key.expose()), (&b"cert"[..], "key"));
    assert!(keeper.header().await.expect("a login").is_none());
    assert_eq!(bench.runs(), 1);
}

#[tokio::test]
async fn a_command_is_told_of_the_cluster_where_it_asks_to_be() {
    let bench = Bench::new();
    let text = "echo \"$KUBERNETES_EXEC_INFO\" > \"$(dirname \"$0\")/info\"; echo \"$EXTRA $1\" >> \"$(dirname \"$0\")/info\"; ";
    let command = bench.program(&format!("{text}{}", answer("{\"token\": \"abc\"}")));
    let user = exec(Exec {
        command,
        args: Some(vec!["get token".to_owned()]),
        env: Some(vec![super::super::kubeconfig::Variable {
            name: "EXTRA".to_owned(),
            value: Secret::new("given".to_owned()),
        }]),
        provide_cluster_info: true,
        ..usual()
    });
    let keeper = bench.keeper(user).await.expect("a login");
    sent(&keeper).await;
    let info = std::fs::read_to_string(bench.folder.path().join("info")).expect("it was written");
    let (json, rest) = info.split_once('\n').expect("two lines");
    let json: serde_json::Value = serde_json::from_str(json).expect("JSON");
    assert_eq!(json["spec"]["cluster"]["server"], "https://a.test");
    assert_eq!((&json["spec"]["interactive"], rest), (&false.into(), "given get token\n"));
}

#[tokio::test]
async fn commands_that_do_not_work_say_why_and_nothing_secret() {
    let bench = Bench::new();
    let jwt = "eyJhbGciOiJSUzI1NiIsImtpZCI6IkNBTkFSWSJ9eyJhbGciOiJSUzI1NiIsImtpZCI";
    for (text, words) in [
        (format!("echo 'not logged in {jwt}' >&2; exit 1"), "not logged in"),
        (format!("echo {CANARY}"), "ExecCredential"),
        (
            format!("echo '{{\"apiVersion\": \"v9\", \"status\": {{\"token\": \"{CANARY}\"}}}}'"),
            "another version",
        ),
        (answer("null"), "no status"),
        (answer("{}"), "neither a token nor a certificate"),
        (answer(&format!("{{\"clientKeyData\": \"{CANARY}\"}}")), "without its certificate"),
        (answer(&format!("{{\"token\": \"{CANARY}\", \"expirationTimestamp\": \"soon\"}}")), "the time"),
        (answer(&format!("{{\"token\": \"a\\n{CANARY}\"}}")), "characters"),
        ("yes CANARY".to_owned(), "more than 1 MiB"),
    ] {
        let told = fails(&bench, bench.exec(&text)).await;
        assert!(told.contains(words) && !told.contains("CANARY") && !told.contains("eyJ"), "{words}: {told}");
    }
    let missing = Exec {
        command: "no-such-login".to_owned(),
        install_hint: Some("Get it from us".to_owned()),
        ..usual()
    };
    let told = fails(&bench, exec(missing)).await;
    assert!(told.contains("no-such-login") && told.contains("Get it from us"), "{told}");
    let always = Exec { command: "sh".to_owned(), interactive_mode: Some("Always".to_owned()), ..usual() };
    assert!(fails(&bench, exec(always)).await.contains("terminal"));
    let old = Exec {
        command: "sh".to_owned(),
        api_version: "client.authentication.k8s.io/v1alpha1".to_owned(),
        ..usual()
    };
    assert!(fails(&bench, exec(old)).await.contains("v1alpha1"));
}

#[tokio::test]
async fn a_file_outside_the_kubeconfigs_folder_is_sent_only_with_a_persons_word() {
    let (bench, elsewhere) = (Bench::new(), tempfile::tempdir().expect("a folder"));
    let file = elsewhere.path().join("shadow");
    std::fs::write(&file, "x").expect("a file");
    let user = User { token_file: Some(file.clone()), ..User::default() };
    let mut resolved = bench.resolved(user);
    let Err(Refused::NeedsConsent(ask)) = Keeper::new(&resolved, &|_| Some(false), &nowhere()).await else {
        panic!("nobody was asked")
    };
    assert_eq!(ask.consent, Consent::Files { files: vec![file], server: "https://a.test".to_owned() });
    resolved.is_kubectls = true;
    Keeper::new(&resolved, &|_| Some(false), &nowhere()).await.map(|_| ()).expect("kubectl would send it");
}

#[tokio::test]
async fn providers_of_before_are_used_as_far_as_they_go() {
    let bench = Bench::new();
    let provider = |name: &str, config: &[(&str, String)]| User {
        auth_provider: Some(Provider {
            name: name.to_owned(),
            config: config
                .iter()
                .map(|(key, value)| ((*key).to_owned(), Secret::new(value.clone())))
                .collect(),
        }),
        ..User::default()
    };
    let command = bench.program(
        "echo '{\"credential\": {\"access_token\": \"abc\", \"token_expiry\": \"2030-01-01T00:00:00Z\"}}'",
    );
    let config = [
        ("cmd-path", command),
        ("cmd-args", "config helper".to_owned()),
        ("token-key", "{.credential.access_token}".to_owned()),
        ("expiry-key", "{.credential.token_expiry}".to_owned()),
    ];
    let keeper = bench.keeper(provider("gcp", &config)).await.expect("a login");
    assert_eq!(sent(&keeper).await, "Bearer abc");
    let jwt = |exp: i64| {
        let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(format!("{{\"exp\": {exp}}}"));
        format!("x.{claims}.y")
    };
    let oidc = |token: String| {
        let config = [
            ("id-token", token),
            ("client-id", "us".to_owned()),
            ("idp-issuer-url", "https://p.test".to_owned()),
        ];
        provider("oidc", &config)
    };
    let far = Timestamp::now().as_second() + 1000;
    let keeper = bench.keeper(oidc(jwt(far))).await.expect("a login");
    assert_eq!(sent(&keeper).await, format!("Bearer {}", jwt(far)));
    let over = bench.keeper(oidc(jwt(1000))).await.expect("a login");
    let said = over.header().await.expect_err("it is over, and nothing renews it").to_string();
    assert!(said.contains("expired") && !said.contains(&jwt(1000)), "{said}");
    assert!(fails(&bench, provider("oidc", &[("id-token", jwt(far))])).await.contains("no idp-issuer-url"));
    assert!(fails(&bench, provider("azure", &[])).await.contains("kubelogin"));
}
