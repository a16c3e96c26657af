//! A corpus of kubeconfigs, each given to kubectl and to Meshbench against the same API server: who each is there must be
//! the same, or both must fail. Where we are other than kubectl, on purpose, the reason stands in the corpus.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::kube::{Cluster, Person, program};
use crate::load_reach::Proxies;

/// What both, or each of them, must make of a case.
#[derive(Clone, Copy)]
enum Made {
    /// Both are this one there.
    Is(&'static str),
    /// Both fail.
    Fails,
    /// kubectl fails and we do not, or the other way round; why.
    Differs { kubectl: Option<&'static str>, ours: Option<&'static str>, _why: &'static str },
}

struct Case {
    name: &'static str,
    files: Vec<(&'static str, String)>,
    /// Of `KUBECONFIG`; the first file where it is empty.
    list: &'static str,
    variables: Vec<(&'static str, String)>,
    made: Made,
}

/// Both are nobody there, and kubectl is asked who that is.
const ANYBODY: &str = "nobody may ask who they are, but the version is told to everybody";

/// The parts of which kubeconfigs are put together.
struct Parts<'a> {
    cluster: &'a Cluster,
}

impl Parts<'_> {
    /// The cluster's lines, with the authority.
    fn trusted(&self) -> String {
        format!(
            "server: {}, certificate-authority-data: {}",
            self.cluster.url(),
            STANDARD.encode(self.cluster.authority_pem())
        )
    }

    fn certificate(&self, person: Person) -> String {
        let identity = self.cluster.identity(person);
        format!(
            "client-certificate-data: {}, client-key-data: {}",
            STANDARD.encode(identity.certificate),
            STANDARD.encode(identity.key)
        )
    }

    /// A whole kubeconfig with one context, `tests`.
    fn config(&self, cluster: &str, user: &str) -> String {
        config("tests", "tests", cluster, user)
    }
}

fn config(current: &str, context: &str, cluster: &str, user: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: \"{current}\"\n\
         contexts:\n- {{name: {context}, context: {{cluster: {context}, user: {context}}}}}\n\
         clusters:\n- {{name: {context}, cluster: {{{cluster}}}}}\n\
         users:\n- {{name: {context}, user: {{{user}}}}}\n"
    )
}

fn token(person: Person) -> String {
    format!("token: {}", person.token())
}

fn one(name: &'static str, text: String, made: Made) -> Case {
    Case { name, files: vec![("config", text)], list: "", variables: Vec::new(), made }
}

fn with(mut case: Case, name: &'static str, text: impl Into<String>) -> Case {
    case.files.push((name, text.into()));
    case
}

fn listed(mut case: Case, list: &'static str) -> Case {
    case.list = list;
    case
}

fn given(mut case: Case, name: &'static str, value: impl Into<String>) -> Case {
    case.variables.push((name, value.into()));
    case
}

use Made::{Differs, Fails, Is};

/// Who logs in, and by what.
fn users(parts: &Parts<'_>) -> Vec<Case> {
    let cluster = &parts.trusted();
    let is = |name, user: String, made| one(name, parts.config(cluster, &user), made);
    let (viewer, admin) = (token(Person::Viewer), token(Person::Admin));
    let certificate = parts.certificate(Person::Viewer);
    let half = certificate.split(", ").next().expect("a part").to_owned();
    vec![
        is("a certificate", certificate.clone(), Is("viewer")),
        is("a certificate without its key", half, Fails),
        is("a certificate that is no base64", "client-certificate-data: \"*\", client-key-data: \"*\"".to_owned(), Fails),
        is("a token", viewer.clone(), Is("viewer")),
        is("a certificate and a token: the server looks at the certificate first", format!("{certificate}, {admin}"), Is("viewer")),
        is("an unknown token", "token: nobody-knows-it".to_owned(), Fails),
        with(is("a file with a token", "tokenFile: here".to_owned(), Is("viewer")), "here", Person::Viewer.token()),
        with(
            is("a file with a token and a newline", "tokenFile: here".to_owned(), Is("viewer")),
            "here",
            format!("{}\n\n", Person::Viewer.token()),
        ),
        with(is("a token's file is over a token", format!("tokenFile: here, {admin}"), Is("viewer")), "here", Person::Viewer.token()),
        is("a token's file that is not there", "tokenFile: gone".to_owned(), Fails),
        with(is("a token's file that is empty", "tokenFile: here".to_owned(), Fails), "here", "\n"),
        is(
            "user and password, which no cluster takes any more",
            "username: viewer, password: word".to_owned(),
            Differs { kubectl: None, ours: Some(""), _why: ANYBODY },
        ),
        is("a token, and user and password", format!("{viewer}, username: viewer, password: word"), Fails),
        is("somebody else's name", format!("{admin}, as: jane"), Is("jane")),
        is(
            "nobody's name",
            format!("{admin}, as: system:anonymous, as-groups: [system:unauthenticated]"),
            Differs { kubectl: None, ours: Some(""), _why: ANYBODY },
        ),
        is("somebody else's name and groups", format!("{admin}, as: jane, as-groups: [devs, ops]"), Is("jane")),
        is("somebody else's name, for more than one may", format!("{viewer}, as: jane"), Fails),
        is("a login of gcp that is over", "auth-provider: {name: gcp, config: {access-token: x, expiry: \"2001-01-01T00:00:00Z\"}}".to_owned(), Fails),
        is("a login of azure", "auth-provider: {name: azure, config: {}}".to_owned(), Fails),
        is(
            "a command of a version that was taken away",
            "exec: {apiVersion: client.authentication.k8s.io/v1alpha1, command: \"true\", interactiveMode: Never}".to_owned(),
            Fails,
        ),
        is(
            "a command that is not there",
            "exec: {apiVersion: client.authentication.k8s.io/v1, command: no-such-program, interactiveMode: Never}".to_owned(),
            Fails,
        ),
        is(
            "a command that wants a terminal",
            "exec: {apiVersion: client.authentication.k8s.io/v1, command: \"true\", interactiveMode: Always}".to_owned(),
            Fails,
        ),
        is(
            "a command: it is run with consent only",
            format!(
                "exec: {{apiVersion: client.authentication.k8s.io/v1, command: printenv, interactiveMode: Never, args: [LOGIN], \
                 env: [{{name: LOGIN, value: '{}'}}]}}",
                format_args!(
                    "{{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\",\
                     \"status\":{{\"token\":\"{}\"}}}}",
                    Person::Viewer.token()
                )
            ),
            Differs { kubectl: Some("viewer"), ours: None, _why: "a kubeconfig from somewhere could run anything" },
        ),
    ]
}

/// How the server is reached and trusted.
fn servers(parts: &Parts<'_>) -> Vec<Case> {
    let user = &token(Person::Viewer);
    let url = parts.cluster.url();
    let trusted = parts.trusted();
    let authority = parts.cluster.authority_pem();
    let is = |name, cluster: String, made| one(name, parts.config(&cluster, user), made);
    vec![
        with(
            is("an authority's file", format!("server: {url}, certificate-authority: ca.crt"), Is("viewer")),
            "ca.crt",
            &*authority,
        ),
        is(
            "an authority's file that is not there",
            format!("server: {url}, certificate-authority: gone.crt"),
            Fails,
        ),
        with(
            is(
                "an authority's file without a certificate",
                format!("server: {url}, certificate-authority: ca.crt"),
                Fails,
            ),
            "ca.crt",
            "none",
        ),
        is("no authority: what the machine trusts", format!("server: {url}"), Fails),
        is(
            "a certificate that nobody looks at",
            format!("server: {url}, insecure-skip-tls-verify: true"),
            Is("viewer"),
        ),
        is(
            "a certificate that nobody looks at, and an authority",
            format!("{trusted}, insecure-skip-tls-verify: true"),
            Fails,
        ),
        is(
            "another name in the certificate",
            format!("{trusted}, tls-server-name: kubernetes.default.svc"),
            Is("viewer"),
        ),
        is("a wrong name in the certificate", format!("{trusted}, tls-server-name: other.test"), Fails),
        is("no compression", format!("{trusted}, disable-compression: true"), Is("viewer")),
        is("a slash at the end of the server", trusted.replace(&url, &format!("{url}/")), Is("viewer")),
        is(
            "a path at the end of the server, where nobody is",
            trusted.replace(&url, &format!("{url}/a/b")),
            Fails,
        ),
        is(
            "a server without a scheme",
            trusted.replace("https://", ""),
            Differs {
                kubectl: None,
                ours: None,
                _why: "kubectl tries it without TLS first; neither gets an answer",
            },
        ),
        is("a server that is not there", "server: \"https://127.0.0.1:1\"".to_owned(), Fails),
    ]
}

/// What is on the way to the server.
fn ways(parts: &Parts<'_>, proxies: &Proxies) -> Vec<Case> {
    let (user, trusted, http) = (&token(Person::Viewer), parts.trusted(), proxies.http());
    let is = |name, cluster: String, made| one(name, parts.config(&cluster, user), made);
    vec![
        is("a proxy", format!("{trusted}, proxy-url: \"{http}\""), Is("viewer")),
        is("a proxy for connections", format!("{trusted}, proxy-url: \"{}\"", proxies.socks()), Is("viewer")),
        is("a proxy that is not there", format!("{trusted}, proxy-url: \"http://127.0.0.1:1\""), Fails),
        is(
            "a proxy of a kind that nobody knows",
            format!("{trusted}, proxy-url: \"ftp://127.0.0.1:1\""),
            Fails,
        ),
        given(
            is(
                "a proxy of the kubeconfig, whatever NO_PROXY says",
                format!("{trusted}, proxy-url: \"http://127.0.0.1:1\""),
                Fails,
            ),
            "NO_PROXY",
            "127.0.0.1,localhost,",
        ),
        given(
            is(
                "this machine is never reached through the environment's proxy",
                trusted.clone(),
                Is("viewer"),
            ),
            "HTTPS_PROXY",
            "http://127.0.0.1:1",
        ),
    ]
}

/// What a file, and a list of files, may look like.
fn files(parts: &Parts<'_>) -> Vec<Case> {
    let (viewer, admin) = (token(Person::Viewer), token(Person::Admin));
    let trusted = &parts.trusted();
    let (whole, other) = (parts.config(trusted, &viewer), config("", "other", trusted, &admin));
    let lines = |gone: &str| {
        whole.lines().filter(|line| !line.starts_with(gone)).fold(String::new(), |mut text, line| {
            let _ = writeln!(text, "{line}");
            text
        })
    };
    let json = serde_json::json!({
        "current-context": "tests",
        "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "tests"}}],
        "clusters": [{"name": "tests", "cluster": {
            "server": parts.cluster.url(),
            "certificate-authority-data": STANDARD.encode(parts.cluster.authority_pem())}}],
        "users": [{"name": "tests", "user": {"token": Person::Viewer.token()}}],
    });
    let unknown = format!(
        "{whole}preferences: {{colors: true}}\nextensions:\n- {{name: a, extension: {{b: c}}}}\nnew-key: 1\n"
    );
    vec![
        one("JSON", json.to_string(), Is("viewer")),
        one("no kind and no version", lines("kind").replace("apiVersion: v1\n", ""), Is("viewer")),
        one("keys that nobody knows", unknown, Is("viewer")),
        one("a comment and Windows' ends of lines", format!("# mine\r\n{}", whole.replace('\n', "\r\n")), Is("viewer")),
        one("a user that is not there", lines("- {name: tests, user: ").replace("users:", "users: []"), Fails),
        one(
            "a context without a user",
            whole.replace(", user: tests}", "}"),
            Differs { kubectl: None, ours: Some(""), _why: "kubectl asks for a name in the terminal; a window does not" },
        ),
        one("a cluster that is not there", whole.replace("{cluster: tests,", "{cluster: gone,"), Fails),
        one("an empty file", String::new(), Fails),
        one("a broken file", "contexts: [".to_owned(), Fails),
        one("a list where a map should be", "- a\n- b\n".to_owned(), Fails),
        listed(with(one("a file that is not there is passed over", whole.clone(), Is("viewer")), "second", other.clone()), "gone:config"),
        listed(
            with(one("an empty current-context is none", config("", "first", trusted, &admin), Is("viewer")), "second", whole.clone()),
            "config:second",
        ),
        listed(
            with(one("of two entries of a name the first file's holds", whole.clone(), Is("viewer")), "second", parts.config(trusted, &admin)),
            "config:second",
        ),
        listed(
            with(
                one("a context of one file, cluster and user of another", "current-context: tests\ncontexts: [{name: tests, context: {cluster: other, user: other}}]\n".to_owned(), Is("admin")),
                "second",
                other.clone(),
            ),
            "config:second",
        ),
        listed(
            with(one("a broken file beside a good one", whole, Differs {
                kubectl: None, ours: Some("viewer"), _why: "one broken file should not take the others away",
            }), "second", "contexts: ["),
            "config:second",
        ),
    ]
}

/// Who the program is there; none where it fails.
fn who(mut command: Command, folder: &Path, case: &Case) -> (Option<String>, String) {
    let list: Vec<String> = match case.list {
        "" => vec![folder.join("config").display().to_string()],
        list => list.split(':').map(|name| folder.join(name).display().to_string()).collect(),
    };
    command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", folder.join("home"));
    command.env("KUBECONFIG", list.join(":")).stdin(Stdio::null());
    command.envs(case.variables.iter().map(|(name, value)| (*name, value)));
    let done = command.output().expect("it can be started");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    let is = done.status.success().then(|| text(&done.stdout));
    (is, text(&done.stderr))
}

fn kubectls(kubectl: &PathBuf) -> Command {
    let mut command = Command::new(kubectl);
    command.args(["auth", "whoami", "--request-timeout=10s", "-o", "jsonpath={.status.userInfo.username}"]);
    command
}

fn ours(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_meshbench"));
    command.arg("--data-dir").arg(folder.join("data")).args(["cluster", "check", "tests", "--json"]);
    command
}

fn user(json: &str) -> String {
    let read: serde_json::Value =
        serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"));
    read["user"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_kubeconfig_is_what_kubectl_makes_of_it() {
    let parts = Parts { cluster: Cluster::shared() };
    let proxies = Proxies::start();
    let kubectl = program("kubectl").unwrap_or_else(|reason| panic!("{reason}"));
    let mut wrong = Vec::new();
    let cases =
        users(&parts).into_iter().chain(servers(&parts)).chain(ways(&parts, &proxies)).chain(files(&parts));
    for case in cases {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("home")).expect("a folder");
        for (name, text) in &case.files {
            std::fs::write(folder.path().join(name), text).expect("a file");
        }
        let (theirs, their_words) = who(kubectls(&kubectl), folder.path(), &case);
        let (ours, our_words) = who(ours(folder.path()), folder.path(), &case);
        let ours = ours.map(|json| user(&json));
        let (want_theirs, want_ours) = match case.made {
            Is(name) => (Some(name), Some(name)),
            Fails => (None, None),
            Differs { kubectl, ours, .. } => (kubectl, ours),
        };
        if theirs.as_deref() != want_theirs || ours.as_deref() != want_ours {
            wrong.push(format!(
                "{}:\n  kubectl {theirs:?} {their_words}\n  ours {ours:?} {our_words}",
                case.name
            ));
        }
        let secrets = [Person::Viewer.token(), Person::Admin.token()];
        assert!(!secrets.iter().any(|secret| our_words.contains(secret)), "{}: {our_words}", case.name);
        if ours.is_none() {
            assert!(our_words.len() > 40, "{}: a reason with what to do: {our_words}", case.name);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
