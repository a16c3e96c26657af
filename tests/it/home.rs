//! A machine for the program: a home of its own, with a keyring in it that outlives the sessions in which it is used.

use std::path::Path;
use std::process::{Command, Stdio};

/// What is said where the part is missing.
pub(crate) const MISSING: &str = "dbus-run-session, of the package dbus-daemon; ./test parts installs it";

pub(crate) struct Home(tempfile::TempDir);

impl Home {
    pub(crate) fn new() -> Self {
        use std::os::unix::fs::PermissionsExt as _;
        let home = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(home.path().join("run")).expect("a folder");
        let private = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(home.path().join("run"), private).expect("rights");
        Self(home)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// The program without anything of this machine's; in a session with its keyring, or without any.
    pub(crate) fn meshbench(&self, has_keyring: bool) -> Command {
        let mut command = Command::new(if has_keyring { "dbus-run-session" } else { "env" });
        if has_keyring {
            let unlock =
                "printf word | gnome-keyring-daemon --unlock --components=secrets >/dev/null && exec \"$@\"";
            command.args(["--", "sh", "-c", unlock, "sh"]);
        }
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.path()).env("XDG_RUNTIME_DIR", self.path().join("run"));
        command.arg(env!("CARGO_BIN_EXE_meshbench")).arg("--data-dir").arg(self.path().join("data"));
        command.stdin(Stdio::null());
        command
    }
}
