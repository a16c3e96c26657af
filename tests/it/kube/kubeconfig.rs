//! Kubeconfig files for every way to log in, and kubectl.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::cluster::Cluster;
use super::parts::program;
use super::people::Person;

/// How someone shows who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Login {
    Certificate,
    /// Named by paths relative to the kubeconfig's folder.
    CertificateFiles,
    Token,
    /// Ends with a newline, as editors leave it.
    TokenFile,
    /// A credential plugin beside the kubeconfig; its runs are counted.
    Exec,
}

/// How the server is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    Authority,
    AuthorityFile,
    /// `insecure-skip-tls-verify`.
    Insecure,
    /// By what the machine trusts: not at all.
    Machine,
}

/// A kubeconfig with one cluster, one context and one user, all of the context's name.
pub(crate) struct Kubeconfig<'a> {
    cluster: &'a Cluster,
    person: Person,
    login: Login,
    trust: Trust,
    context: String,
    namespace: Option<String>,
    server: String,
}

impl<'a> Kubeconfig<'a> {
    /// With the person's certificate inside, and the context `tests`.
    pub(crate) fn of(cluster: &'a Cluster, person: Person) -> Self {
        Self {
            cluster,
            person,
            login: Login::Certificate,
            trust: Trust::Authority,
            context: "tests".to_owned(),
            namespace: None,
            server: cluster.url(),
        }
    }

    pub(crate) fn login(self, login: Login) -> Self {
        Self { login, ..self }
    }

    pub(crate) fn trust(self, trust: Trust) -> Self {
        Self { trust, ..self }
    }

    pub(crate) fn namespace(self, namespace: &str) -> Self {
        Self { namespace: Some(namespace.to_owned()), ..self }
    }

    /// Another URL for the same cluster: through a proxy, a relay, or a port where nobody is.
    pub(crate) fn server(self, url: &str) -> Self {
        Self { server: url.to_owned(), ..self }
    }

    /// As YAML. What it refers to is there only once it was written.
    pub(crate) fn text(&self) -> String {
        let name = &self.context;
        let mut text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: \"{name}\"\ncontexts:\n- name: \"{name}\"\n  \
             context:\n    cluster: \"{name}\"\n    user: \"{name}\"\n"
        );
        if let Some(namespace) = &self.namespace {
            let _ = writeln!(text, "    namespace: \"{namespace}\"");
        }
        let _ = write!(
            text,
            "clusters:\n- name: \"{name}\"\n  cluster:\n    server: {}\n{}",
            self.server,
            self.trusted()
        );
        let _ = write!(text, "users:\n- name: \"{name}\"\n  user:{}", self.shown());
        text
    }

    /// Writes it as `NAME` into the folder, with the files that it refers to.
    pub(crate) fn write(&self, folder: &Path, name: &str) -> Written {
        let place = |name: &str| folder.join(name);
        match (self.login, self.trust) {
            (Login::CertificateFiles, _) => self.cluster.identity(self.person).write(folder, "person"),
            (Login::TokenFile, _) => {
                std::fs::write(place("token"), self.person.token() + "\n").unwrap();
            }
            (Login::Exec, _) => self.write_plugin(&place(PLUGIN)),
            _ => {}
        }
        if self.trust == Trust::AuthorityFile {
            std::fs::write(place("authority.crt"), self.cluster.authority_pem()).unwrap();
        }
        std::fs::write(place(name), self.text()).unwrap();
        Written { path: place(name) }
    }

    fn trusted(&self) -> String {
        match self.trust {
            Trust::Authority => {
                let data = STANDARD.encode(self.cluster.authority_pem());
                format!("    certificate-authority-data: {data}\n")
            }
            Trust::AuthorityFile => "    certificate-authority: authority.crt\n".to_owned(),
            Trust::Insecure => "    insecure-skip-tls-verify: true\n".to_owned(),
            Trust::Machine => String::new(),
        }
    }

    fn shown(&self) -> String {
        match self.login {
            Login::Certificate => {
                let identity = self.cluster.identity(self.person);
                let (certificate, key) =
                    (STANDARD.encode(identity.certificate), STANDARD.encode(identity.key));
                format!("\n    client-certificate-data: {certificate}\n    client-key-data: {key}\n")
            }
            Login::CertificateFiles => {
                "\n    client-certificate: person.crt\n    client-key: person.key\n".to_owned()
            }
            Login::Token => format!("\n    token: {}\n", self.person.token()),
            Login::TokenFile => "\n    tokenFile: token\n".to_owned(),
            Login::Exec => format!(
                "\n    exec:\n      apiVersion: client.authentication.k8s.io/v1\n      command: ./{PLUGIN}\n      \
                 args: [\"{}\"]\n      interactiveMode: IfAvailable\n      \
                 installHint: \"The plugin of the tests is beside the kubeconfig.\"\n",
                self.person.name()
            ),
        }
    }

    fn write_plugin(&self, place: &Path) {
        let text = format!(
            "#!/bin/sh\necho run >>\"$0.runs\"\ncat <<'END'\n{{\"apiVersion\": \"client.authentication.k8s.io/v1\", \
             \"kind\": \"ExecCredential\", \"status\": {{\"token\": \"{}\"}}}}\nEND\n",
            self.person.token()
        );
        std::fs::write(place, text).unwrap();
        std::fs::set_permissions(place, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
}

/// The credential plugin's name beside the kubeconfig.
pub(crate) const PLUGIN: &str = "credential-plugin";

/// A kubeconfig on disk.
pub(crate) struct Written {
    pub(crate) path: PathBuf,
}

impl Written {
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> Kubectl {
        kubectl(&self.path, arguments, "")
    }

    /// How often the credential plugin beside it was run.
    pub(crate) fn plugin_runs(&self) -> usize {
        let runs = self.path.with_file_name(format!("{PLUGIN}.runs"));
        std::fs::read_to_string(runs).unwrap_or_default().lines().count()
    }
}

/// What a kubectl said.
#[derive(Debug)]
pub(crate) struct Kubectl {
    pub(crate) is_ok: bool,
    pub(crate) output: String,
    pub(crate) errors: String,
}

/// Runs kubectl with this kubeconfig and nothing of the person who runs the tests.
pub(crate) fn kubectl(kubeconfig: &Path, arguments: &[&str], input: &str) -> Kubectl {
    let home = tempfile::tempdir().unwrap();
    let given = home.path().join("input");
    std::fs::write(&given, input).unwrap();
    let program = program("kubectl").unwrap_or_else(|reason| panic!("{reason}"));
    let mut command = Command::new(program);
    command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", home.path());
    command.arg("--kubeconfig").arg(kubeconfig).args(arguments);
    command.stdin(Stdio::from(std::fs::File::open(&given).unwrap()));
    let done = command.output().expect("kubectl can be started");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Kubectl { is_ok: done.status.success(), output: text(done.stdout), errors: text(done.stderr) }
}
