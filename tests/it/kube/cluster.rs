//! A real control plane on loopback: etcd and kube-apiserver, with controllers and scheduler where they are wanted.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use rcgen::KeyPair;
use rustix::process::Signal;
use serde_json::{Value, json};

use super::asking::{Answer, Asker};
use super::kubeconfig::{Kubeconfig, Kubectl, kubectl};
use super::parts::{Folder, Process, free_port};
use super::people::{Authority, Identity, PEOPLE, Person};

/// How long a part may take to start, on a machine that has much else to do.
const START_MAX: Duration = Duration::from_secs(120);
/// Between two looks at something outside this process.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// The name under which the API server's certificate holds besides 127.0.0.1.
pub(crate) const SERVER_NAME: &str = "kubernetes.default.svc";

/// What a cluster has beyond the ordinary.
#[derive(Default)]
pub(crate) struct Options {
    /// Flags for the API server; the last of a name holds.
    pub(crate) flags: Vec<String>,
    /// Whether controller manager and scheduler run.
    pub(crate) has_controllers: bool,
}

/// A cluster whose parts end with it. Objects of a shared one stay: use a namespace of your own.
pub(crate) struct Cluster {
    // In the order in which they must end.
    parts: Mutex<Vec<Process>>,
    pub(crate) authority: Authority,
    address: SocketAddr,
    admin: Asker,
    flags: Vec<String>,
    is_shared: bool,
    folder: Folder,
}

impl Cluster {
    /// The one of all tests that need no controllers: what is written there stays as it was written.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Result<Cluster, String>> = OnceLock::new();
        Self::once(&SHARED, false)
    }

    /// The one of all tests that need controllers and scheduler.
    pub(crate) fn controlled() -> &'static Self {
        static CONTROLLED: OnceLock<Result<Cluster, String>> = OnceLock::new();
        Self::once(&CONTROLLED, true)
    }

    fn once(cell: &'static OnceLock<Result<Self, String>>, has_controllers: bool) -> &'static Self {
        let start = || Self::start(Options { has_controllers, ..Options::default() }, true);
        match cell.get_or_init(start) {
            Ok(cluster) => cluster,
            Err(reason) => panic!("{reason}"),
        }
    }

    /// One for a test alone, that may stop it, restart it, or give it flags.
    pub(crate) fn own(options: Options) -> Self {
        Self::start(options, false).unwrap_or_else(|reason| panic!("{reason}"))
    }

    fn start(options: Options, is_shared: bool) -> Result<Self, String> {
        let folder = Folder::new()?;
        let authority = Authority::new("authority of a cluster for tests");
        write_identities(folder.path(), &authority);
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let client = format!("http://127.0.0.1:{}", free_port());
        let etcd =
            Process::start("etcd", &folder.path().join("etcd.log"), &etcd_flags(folder.path(), &client))?;
        let mut flags = api_server_flags(folder.path(), address, &client);
        flags.extend(options.flags);
        let admin = Asker::new(address, &authority.pem(), &authority.person(Person::Admin));
        let parts = Mutex::new(vec![etcd]);
        let cluster = Self { parts, authority, address, admin, flags, is_shared, folder };
        cluster.start_api_server()?;
        cluster.bind_viewer()?;
        if options.has_controllers {
            cluster.start_controllers()?;
        }
        Ok(cluster)
    }

    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// The certificate of its authority.
    pub(crate) fn authority_pem(&self) -> String {
        self.authority.pem()
    }

    /// The address of its etcd.
    pub(super) fn store(&self) -> &str {
        let flag = self.flags.iter().find_map(|flag| flag.strip_prefix("--etcd-servers=http://"));
        flag.expect("each API server has it")
    }

    /// Who asks as the admin.
    pub(super) fn asker(&self) -> Asker {
        self.admin.clone()
    }

    /// A new certificate for someone, signed by its authority.
    pub(crate) fn identity(&self, person: Person) -> Identity {
        self.authority.person(person)
    }

    /// A kubeconfig to shape and write.
    pub(crate) fn kubeconfig(&self, person: Person) -> Kubeconfig<'_> {
        Kubeconfig::of(self, person)
    }

    /// kubectl as someone, with their certificate.
    pub(crate) fn kubectl(&self, person: Person, arguments: &[&str]) -> Kubectl {
        let file = self.folder.path().join(format!("{}.kubeconfig", person.name()));
        kubectl(&file, arguments, "")
    }

    /// kubectl apply, as the admin; panics with what kubectl says when anything is refused.
    pub(crate) fn apply(&self, yaml: &str) {
        let file = self.folder.path().join("admin.kubeconfig");
        let done = kubectl(&file, &["apply", "--server-side", "-f", "-"], yaml);
        assert!(done.is_ok, "kubectl apply: {}\n{yaml}", done.errors);
    }

    /// A new namespace of an own name, that starts with this one.
    pub(crate) fn namespace(&self, name: &str) -> String {
        let body = json!({"metadata": {"generateName": format!("{name}-")}});
        let made = self.create("/api/v1/namespaces", &body);
        made["metadata"]["name"].as_str().expect("a name").to_owned()
    }

    /// POSTs an object as the admin and returns what was made of it.
    pub(crate) fn create(&self, path: &str, object: &Value) -> Value {
        read(path, self.admin.post(path, object))
    }

    /// A merge patch as the admin.
    pub(crate) fn patch(&self, path: &str, patch: &Value) -> Value {
        read(path, self.admin.patch(path, patch))
    }

    /// GETs as the admin.
    pub(crate) fn get(&self, path: &str) -> Value {
        read(path, self.admin.get(path))
    }

    /// Looks at an object or a list until it is as awaited.
    pub(crate) fn wait_for<T>(&self, awaited: &str, path: &str, look: impl Fn(&Value) -> Option<T>) -> T {
        until(awaited, START_MAX, || Ok(look(&self.get(path)))).unwrap_or_else(|reason| panic!("{reason}"))
    }

    /// Its API server takes connections and answers nothing, until it goes on.
    pub(crate) fn pause(&self) {
        self.own_api_server().signal(Signal::STOP);
    }

    pub(crate) fn resume(&self) {
        self.own_api_server().signal(Signal::CONT);
    }

    /// Its API server ends at once, as in a crash.
    pub(crate) fn kill(&self) {
        self.own_api_server().kill();
        self.parts().pop();
    }

    /// Starts the API server again after `kill`, at the same address and with the same objects.
    pub(crate) fn start_again(&self) {
        assert_eq!(self.parts().len(), 1, "kill it first");
        self.start_api_server().unwrap_or_else(|reason| panic!("{reason}"));
    }

    fn own_api_server(&self) -> ApiServer<'_> {
        assert!(!self.is_shared, "other tests use this cluster; start one with Cluster::own");
        let parts = self.parts();
        assert!(parts.len() > 1, "its API server was killed");
        ApiServer(parts)
    }

    fn parts(&self) -> MutexGuard<'_, Vec<Process>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start_api_server(&self) -> Result<(), String> {
        let log = self.folder.path().join("kube-apiserver.log");
        let mut parts = self.parts();
        parts.push(Process::start("kube-apiserver", &log, &self.flags)?);
        until("kube-apiserver is ready", START_MAX, || {
            parts.iter_mut().try_for_each(Process::assert_alive)?;
            Ok(self.admin.get("/readyz").is_ok_and(|answer| answer.status == 200).then_some(()))
        })
        .map_err(|reason| format!("{reason}\n{}", parts.iter().map(Process::log_tail).collect::<String>()))
    }

    /// The rules of `view` are filled in by a controller; where none runs, the role that they come from has them.
    fn bind_viewer(&self) -> Result<(), String> {
        for role in ["view", "system:aggregate-to-view"] {
            let binding = json!({
                "metadata": {"name": format!("tests-{}", role.replace(':', "-"))},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
                "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": Person::Viewer.name()}],
            });
            let path = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings";
            self.admin.post(path, &binding).map_err(|error| error.to_string())?.json()?;
        }
        for person in PEOPLE {
            let file = self.folder.path().join(format!("{}.kubeconfig", person.name()));
            std::fs::write(&file, self.kubeconfig(person).text()).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    fn start_controllers(&self) -> Result<(), String> {
        for (name, flags) in
            [("kube-controller-manager", &["--controllers=*,-nodelifecycle"][..]), ("kube-scheduler", &[])]
        {
            self.start_controller(name, flags)?;
        }
        // Each namespace gets it from a controller.
        until("a controller has done something", START_MAX, || {
            let path = "/api/v1/namespaces/default/serviceaccounts/default";
            Ok(self.admin.get(path).is_ok_and(|answer| answer.status == 200).then_some(()))
        })
    }

    fn start_controller(&self, name: &'static str, flags: &[&str]) -> Result<(), String> {
        let (folder, port) = (self.folder.path(), free_port());
        let mut all = vec![
            format!("--kubeconfig={}", folder.join("admin.kubeconfig").display()),
            format!("--secure-port={port}"),
            "--bind-address=127.0.0.1".to_owned(),
            "--leader-elect=false".to_owned(),
            format!("--tls-cert-file={}", folder.join("server.crt").display()),
            format!("--tls-private-key-file={}", folder.join("server.key").display()),
        ];
        if name == "kube-controller-manager" {
            all.push(format!("--service-account-private-key-file={}", folder.join("accounts.key").display()));
            all.push(format!("--root-ca-file={}", folder.join("authority.crt").display()));
        }
        all.extend(flags.iter().map(|&flag| flag.to_owned()));
        let mut part = Process::start(name, &folder.join(format!("{name}.log")), &all)?;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let asker = Asker::new(address, &self.authority.pem(), &self.authority.person(Person::Admin));
        let healthy = until(&format!("{name} is healthy"), START_MAX, || {
            part.assert_alive()?;
            Ok(asker.get("/healthz").is_ok_and(|answer| answer.status == 200).then_some(()))
        });
        healthy.map_err(|reason| format!("{reason}\n{}", part.log_tail()))?;
        // The API server stays the last.
        self.parts().insert(0, part);
        Ok(())
    }
}

/// The last of a cluster's parts.
struct ApiServer<'a>(MutexGuard<'a, Vec<Process>>);

impl std::ops::Deref for ApiServer<'_> {
    type Target = Process;

    fn deref(&self) -> &Process {
        self.0.last().expect("looked at when it was made")
    }
}
impl std::ops::DerefMut for ApiServer<'_> {
    fn deref_mut(&mut self) -> &mut Process {
        self.0.last_mut().expect("looked at when it was made")
    }
}

/// Looks until there is an answer; fails with what was awaited.
pub(crate) fn until<T>(
    awaited: &str,
    max: Duration,
    mut look: impl FnMut() -> Result<Option<T>, String>,
) -> Result<T, String> {
    let deadline = Instant::now() + max;
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if Instant::now() > deadline {
            return Err(format!("not within {max:?}: {awaited}"));
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

fn read(path: &str, answer: std::io::Result<Answer>) -> Value {
    let answer = answer.map_err(|error| error.to_string()).and_then(Answer::json);
    answer.unwrap_or_else(|reason| panic!("{path}: {reason}"))
}

fn write_identities(folder: &Path, authority: &Authority) {
    std::fs::write(folder.join("authority.crt"), authority.pem()).unwrap();
    let names = ["127.0.0.1", "localhost", "kubernetes", SERVER_NAME];
    authority.server(&names).write(folder, "server");
    authority.client("kube-apiserver-kubelet-client", "system:masters").write(folder, "kubelet-client");
    let accounts = KeyPair::generate().unwrap();
    std::fs::write(folder.join("accounts.key"), accounts.serialize_pem()).unwrap();
    std::fs::write(folder.join("accounts.pub"), accounts.public_key_pem()).unwrap();
    let tokens: String = PEOPLE.map(Person::token_line).concat();
    std::fs::write(folder.join("tokens.csv"), tokens).unwrap();
}

fn etcd_flags(folder: &Path, client: &str) -> Vec<String> {
    let peer = format!("http://127.0.0.1:{}", free_port());
    vec![
        format!("--data-dir={}", folder.join("etcd").display()),
        format!("--listen-client-urls={client}"),
        format!("--advertise-client-urls={client}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster=default={peer}"),
    ]
}

fn api_server_flags(folder: &Path, address: SocketAddr, etcd: &str) -> Vec<String> {
    let file = |flag: &str, name: &str| format!("--{flag}={}", folder.join(name).display());
    vec![
        format!("--etcd-servers={etcd}"),
        "--bind-address=127.0.0.1".to_owned(),
        format!("--secure-port={}", address.port()),
        "--advertise-address=127.0.0.1".to_owned(),
        // Loopback is no legal address of an endpoint.
        "--endpoint-reconciler-type=none".to_owned(),
        "--service-cluster-ip-range=10.0.0.0/16".to_owned(),
        "--authorization-mode=RBAC".to_owned(),
        // Pods need no account, so that they can be made where no controllers run.
        "--disable-admission-plugins=ServiceAccount".to_owned(),
        format!("--service-account-issuer=https://{SERVER_NAME}"),
        file("service-account-key-file", "accounts.pub"),
        file("service-account-signing-key-file", "accounts.key"),
        file("client-ca-file", "authority.crt"),
        file("tls-cert-file", "server.crt"),
        file("tls-private-key-file", "server.key"),
        file("token-auth-file", "tokens.csv"),
        file("kubelet-certificate-authority", "authority.crt"),
        file("kubelet-client-certificate", "kubelet-client.crt"),
        file("kubelet-client-key", "kubelet-client.key"),
        "--kubelet-preferred-address-types=InternalIP".to_owned(),
    ]
}
