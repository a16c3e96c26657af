//! The programs of a cluster: where they are, and processes that never outlive the tests.

use std::fs::File;
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc::{Sender, channel};

use rustix::process::{Pid, Signal, kill_process};

const KUBERNETES: &str = "kubernetes-1.36.3";
/// How much of a log goes into the message of a test that fails.
const LOG_TAIL_BYTES: usize = 4000;
/// Below what the system gives out by itself, so that a server can be started again where it was.
const PORTS: std::ops::Range<u16> = 20_000..30_000;

/// Where a program is: as the ecosystem does, in the folder of `KUBEBUILDER_ASSETS`, else where `./test` puts it.
pub(crate) fn program(name: &str) -> Result<PathBuf, String> {
    let named = std::env::var_os("KUBEBUILDER_ASSETS").map(|folder| PathBuf::from(folder).join(name));
    let built = tools().join(KUBERNETES).join(name);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let installed = std::env::split_paths(&path).map(|folder| folder.join(name));
    // A kubectl of the machine may be of any version.
    let installed = installed.filter(|_| name != "kubectl");
    named.into_iter().chain([built]).chain(installed).find(|path| path.is_file()).ok_or_else(|| {
        format!("{name} is missing; get it with: ./test parts (or name a folder that has it in KUBEBUILDER_ASSETS)")
    })
}

/// Where `./test` puts what tests need.
pub(crate) fn tools() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_else(|| "/tmp".into())).join(".cache");
    cache.unwrap_or_else(home).join("meshbench/tools")
}

/// A port of loopback on which nobody listens and which nobody else of this process is given.
pub(crate) fn free_port() -> u16 {
    static NEXT: OnceLock<AtomicU16> = OnceLock::new();
    let count = PORTS.end - PORTS.start;
    let begin = || {
        // Far apart for processes that run side by side.
        let begin = std::process::id().wrapping_mul(617) % u32::from(count);
        AtomicU16::new(u16::try_from(begin).expect("less than the count"))
    };
    let next = NEXT.get_or_init(begin);
    let mut tried = (0..count).map(|_| PORTS.start + next.fetch_add(1, Ordering::SeqCst) % count);
    tried.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).expect("a free port")
}

/// A program of a cluster. It ends when this goes out of scope, and when the tests end in any way.
pub(crate) struct Process {
    child: Child,
    name: &'static str,
    log: PathBuf,
}

impl Process {
    /// `log` takes what it says after what is there already.
    pub(crate) fn start(name: &'static str, log: &Path, arguments: &[String]) -> Result<Self, String> {
        let program = program(name)?;
        let output =
            File::options().create(true).append(true).open(log).map_err(|error| error.to_string())?;
        let errors = output.try_clone().map_err(|error| error.to_string())?;
        // The kernel ends it with the thread that started it.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(program).args(arguments);
        // Nothing of the person who runs the tests; Go finds no proxy here.
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.stdin(Stdio::null()).stdout(output).stderr(errors);
        let child =
            spawn(command).map_err(|error| format!("setpriv: {error}; apt-get install util-linux"))?;
        Ok(Self { child, name, log: log.to_owned() })
    }

    /// Fails with the end of its log once it has ended by itself.
    pub(crate) fn assert_alive(&mut self) -> Result<(), String> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            ended => Err(format!("{} ended: {ended:?}\n{}", self.name, self.log_tail())),
        }
    }

    /// The last of what it said.
    pub(crate) fn log_tail(&self) -> String {
        let log = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&log[log.len().saturating_sub(LOG_TAIL_BYTES)..]).into_owned()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it runs");
    }

    /// Ends it at once, as a crash does.
    pub(crate) fn kill(&mut self) {
        let _gone_already = self.child.kill();
        let _reaped = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Starts a child from the one thread that lives as long as the tests, as tests' own threads do not.
fn spawn(command: Command) -> io::Result<Child> {
    type Asked = (Command, Sender<io::Result<Child>>);
    static KEEPER: OnceLock<Sender<Asked>> = OnceLock::new();
    let keeper = KEEPER.get_or_init(|| {
        let (ask, asked) = channel::<Asked>();
        std::thread::spawn(move || {
            for (mut command, answer) in asked {
                let _nobody_waits = answer.send(command.spawn());
            }
        });
        ask
    });
    let (answer, answered) = channel();
    keeper.send((command, answer)).expect("the keeper never ends");
    answered.recv().expect("the keeper answers")
}

/// A folder that is removed when this goes out of scope, and, as a static never does, when the tests end in any way.
pub(crate) struct Folder {
    path: PathBuf,
    janitor: Child,
    /// The janitor reads from it until it is closed, by us or by the end of this process.
    leash: Option<ChildStdin>,
}

impl Folder {
    pub(crate) fn new() -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|error| format!("no temporary folder: {error}"))?.keep();
        // What is being ended may still write for a moment.
        let script = "trap '' INT TERM HUP; cat >/dev/null; \
            for _ in 1 2 3 4 5 6 7 8 9; do rm -rf \"$1\" 2>/dev/null && break; sleep 0.2; done";
        let mut janitor = Command::new("sh")
            .args(["-c", script, "janitor"])
            .arg(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("sh: {error}"))?;
        let leash = janitor.stdin.take();
        Ok(Self { path: folder, janitor, leash })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        self.leash.take();
        let _reaped = self.janitor.wait();
    }
}
