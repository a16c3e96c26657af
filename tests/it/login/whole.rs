//! The programs themselves: a provider, a server of records, two machines with keyrings, and one without.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use crate::home::{self, Home};

use super::{AUDIENCE, OpenId, browse, part};

/// A machine whose browser is without a person.
struct Machine(Home);

impl Machine {
    fn new() -> Self {
        Self(Home::new())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn does(&self, has_keyring: bool, arguments: &[&str]) -> Output {
        self.command(has_keyring, arguments).output().expect(home::MISSING)
    }

    fn command(&self, has_keyring: bool, arguments: &[&str]) -> Command {
        let mut command = self.0.meshbench(has_keyring);
        command.env("BROWSER", part("browser.py"));
        command.args(arguments);
        command
    }

    /// Logs in with a code that is entered with another browser.
    fn logs_in_by_code(&self, server: &str) {
        let mut command = self.command(true, &["login", "--server", server, "--device"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect(home::MISSING);
        let mut said = String::new();
        let mut errors = BufReader::new(child.stderr.take().unwrap());
        while !said.contains("enter the code") {
            said.clear();
            assert!(errors.read_line(&mut said).unwrap() > 0, "it ended");
        }
        let words: Vec<&str> = said.split_whitespace().collect();
        let address = words.iter().find(|word| word.starts_with("http://")).unwrap();
        browse(&format!("{address}?user_code={}", words.last().unwrap()));
        let done = child.wait_with_output().unwrap();
        assert!(done.status.success(), "{done:?}");
        assert!(String::from_utf8_lossy(&done.stdout).contains("Logged in as Alice Example"), "{done:?}");
    }

    fn says(&self, arguments: &[&str]) -> String {
        let done = self.does(true, arguments);
        let errors = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.success(), "{arguments:?}: {errors}");
        String::from_utf8_lossy(&done.stdout).into_owned()
    }
}

/// How many the server keeps.
fn records(folder: &Path) -> usize {
    let spaces = std::fs::read_dir(folder.join("spaces")).unwrap();
    let records = spaces.filter_map(|space| std::fs::read_dir(space.unwrap().path().join("records")).ok());
    records.map(Iterator::count).sum()
}

/// A server of records, ended with this.
pub(super) struct Records(Child, pub(super) String);

impl Records {
    fn start(openid: &OpenId, folder: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_meshbench"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--client-id", "desktop", "--audience", AUDIENCE]);
        command.args(["--team", "shop=group:devs", "--issuer", &openid.issuer, "--store"]).arg(folder);
        Self::of(command)
    }

    /// What this command starts, once it listens.
    pub(super) fn of(mut command: Command) -> Self {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut address = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut address).unwrap();
        Self(child, address.trim().to_owned())
    }
}

impl Drop for Records {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn one_history_is_on_all_machines_of_a_person() {
    let (openid, folder) = (OpenId::start(120), tempfile::tempdir().unwrap());
    let server = Records::start(&openid, folder.path());
    let (desk, laptop) = (Machine::new(), Machine::new());
    assert!(desk.says(&["whoami"]).contains("nobody is logged in"));
    let said = desk.says(&["login", "--server", &server.1]);
    assert!(said.contains("Logged in as Alice Example <alice@example.test>"), "{said}");
    desk.says(&["run", "--duration", "1s", "--rate", "50", "--warmup", "0s", &target()]);
    let said = desk.says(&["sync", "on"]);
    assert!(said.contains("0 received, 1 sent, 0 need attention"), "{said}");
    let said = desk.says(&["sync"]);
    assert!(said.contains("0 received, 0 sent"), "{said}");

    laptop.logs_in_by_code(&server.1);
    let said = laptop.says(&["sync", "on"]);
    assert!(said.contains("1 received, 0 sent"), "{said}");
    assert_eq!(laptop.says(&["history", "list"]), desk.says(&["history", "list"]));
    assert!(laptop.says(&["whoami", "--json"]).contains("\"in_use\": true"));
    assert!(laptop.says(&["sync", "status"]).contains("· me · Alice Example · on"));

    // No token is in any file of ours: they are in the keyring, encrypted.
    for machine in [&desk, &laptop] {
        let data = std::fs::read(machine.path().join("data/history.redb")).unwrap();
        let text = String::from_utf8_lossy(&data).into_owned();
        assert!(!text.contains("eyJ") && !text.contains("refresh"), "a token is in the store");
    }
    // Deleted from one machine, with everything of its person there; history stays, and no other machine sends it again.
    let without_a_person = laptop.does(true, &["account", "delete", "--server", &server.1]);
    assert_eq!(without_a_person.status.code(), Some(2), "{without_a_person:?}");
    let elsewhere = laptop.does(true, &["account", "delete", "--server", "https://other.test", "--yes"]);
    assert_eq!(elsewhere.status.code(), Some(2), "{elsewhere:?}");
    assert_eq!(records(folder.path()), 1);
    let said = laptop.says(&["account", "delete", "--server", &server.1, "--yes"]);
    assert!(
        said.contains(&format!("The account of Alice Example at {} is deleted; runs stay here", server.1)),
        "{said}"
    );
    assert!(said.contains("Alice Example is logged out"), "{said}");
    assert_eq!(records(folder.path()), 0);
    assert_eq!(laptop.says(&["history", "list"]), desk.says(&["history", "list"]));
    assert!(laptop.says(&["sync", "status"]).contains("Sync is off"));
    let failed = desk.does(true, &["sync"]);
    let errors = String::from_utf8_lossy(&failed.stderr).into_owned();
    assert!(errors.contains("was deleted, from another machine"), "{errors}");
    assert_eq!((failed.status.code(), records(folder.path())), (Some(3), 0), "{errors}");

    laptop.logs_in_by_code(&server.1);
    laptop.says(&["sync", "on"]);
    assert_eq!(records(folder.path()), 1, "who comes back begins anew");
    let said = laptop.says(&["logout"]);
    assert!(said.contains("Alice Example is logged out; runs stay here"), "{said}");
    assert!(laptop.says(&["sync", "status"]).contains("off"));
    let failed = laptop.does(true, &["sync"]);
    assert_eq!(failed.status.code(), Some(2), "{failed:?}");
}

#[test]
fn without_a_keyring_a_login_is_said_to_be_for_this_once() {
    let openid = OpenId::start(120);
    let machine = Machine::new();
    let arguments = ["login", "--issuer", &openid.issuer, "--client-id", "desktop"];
    let done = machine.does(false, &arguments);
    let errors = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{errors}");
    assert!(errors.contains("the system's keyring cannot be used"), "{errors}");
    let mut folders = vec![machine.path().to_owned()];
    while let Some(path) = folders.pop() {
        if path.is_dir() {
            folders.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if let Ok(bytes) = std::fs::read(&path) {
            assert!(!String::from_utf8_lossy(&bytes).contains("eyJ"), "{}", path.display());
        }
    }
}

/// Something to send load at.
fn target() -> String {
    use std::sync::LazyLock;
    static TARGET: LazyLock<meshbench::load::target::Target> = LazyLock::new(|| {
        let options = meshbench::load::target::TargetOptions::default();
        meshbench::load::target::Target::start(options).expect("a target")
    });
    format!("http://{}/", TARGET.address())
}
