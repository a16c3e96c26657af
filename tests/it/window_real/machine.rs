//! Parts of a machine for tests: processes that end with the test, and a display of their own.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long a part may take to start, on a machine that has much else to do.
pub(super) const START_MAX: Duration = Duration::from_secs(60);
/// How long a part may take to end after it was asked to.
pub(super) const END_MAX: Duration = Duration::from_secs(30);
/// Between two looks at something outside this process.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(50);
const SCREEN: &str = "1400x900x24";

/// A program that must be there; its absence fails the test with the package to install.
pub(super) fn start(program: &str, package: &str, prepare: impl FnOnce(&mut Command)) -> Process {
    let mut command = Command::new(program);
    prepare(&mut command);
    match command.spawn() {
        Ok(child) => Process { child, name: program.to_owned() },
        Err(error) => panic!("{program} did not start ({error}); apt-get install {package}"),
    }
}

/// A child that is asked to end, and then ended, when it goes out of scope.
pub(super) struct Process {
    child: Child,
    name: String,
}

impl Process {
    /// The first line that it writes to the pipe of its standard output, which must not have been read before.
    pub(super) fn first_line(&mut self) -> String {
        let mut line = String::new();
        let output = self.child.stdout.take().expect("started with a pipe, and read once");
        BufReader::new(output).read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    /// Its exit status if it has ended.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Its number in the system.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it at once, as a crash does.
    pub(super) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end, within limits.
    pub(super) fn wait_for_end(&mut self, max: Duration) -> ExitStatus {
        let name = self.name.clone();
        until(&format!("{name} ends"), max, || self.ended())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_some()) {
            return;
        }
        // An X server that is killed leaves its lock behind; asked, it clears up.
        let _gone_already = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let deadline = Instant::now() + END_MAX;
        while Instant::now() < deadline {
            if self.child.try_wait().is_ok_and(|ended| ended.is_some()) {
                return;
            }
            thread::sleep(LOOK_EVERY);
        }
        let _gone_already = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Looks until there is an answer; fails with what was awaited.
pub(super) fn until<T>(awaited: &str, max: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + max;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {max:?}: {awaited}");
        thread::sleep(LOOK_EVERY);
    }
}

/// An X display of our own with a window manager, on this machine's processor alone.
pub(super) struct Display {
    // In the order in which they must end.
    bus: Option<(Process, String)>,
    _manager: Process,
    _server: Process,
    name: String,
    folder: tempfile::TempDir,
}

impl Display {
    /// Starts Xvfb on a free display, and openbox on it.
    pub(super) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut server = start("Xvfb", "xvfb", |command| {
            command.args(["-displayfd", "1", "-screen", "0", SCREEN, "-nolisten", "tcp", "-noreset"]);
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        });
        // Xvfb writes the number when it is ready, or closes the pipe when it fails.
        let number = server.first_line();
        assert!(!number.is_empty(), "Xvfb found no free display; it ended with {:?}", server.ended());
        let name = format!(":{number}");
        let manager = start("openbox", "openbox", |command| {
            command.arg("--sm-disable");
            command.env("DISPLAY", &name).env("HOME", folder.path());
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        });
        Self { bus: None, _manager: manager, _server: server, name, folder }
    }

    /// As [`Self::start`], with a session bus, as a desktop has one.
    pub(super) fn with_bus() -> Self {
        let mut display = Self::start();
        let mut bus = start("dbus-daemon", "dbus-daemon", |command| {
            display.clothe(command);
            command.args(["--session", "--nofork", "--print-address=1"]);
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        });
        let address = bus.first_line();
        assert!(!address.is_empty(), "dbus-daemon ended with {:?}", bus.ended());
        display.bus = Some((bus, address));
        display
    }

    /// Points a program at this display, and away from everything of the person who runs the tests.
    pub(super) fn clothe(&self, command: &mut Command) {
        let home = self.folder.path();
        command.env("DISPLAY", &self.name).env("HOME", home);
        command.env("XDG_RUNTIME_DIR", home).env("XDG_DATA_HOME", home.join("data"));
        command.env("XDG_CONFIG_HOME", home.join("config")).env("XDG_CACHE_HOME", home.join("cache"));
        command.env("LIBGL_ALWAYS_SOFTWARE", "1");
        for inherited in
            ["WAYLAND_DISPLAY", "WAYLAND_SOCKET", "DBUS_SESSION_BUS_ADDRESS", "MESHBENCH_DATA_DIR"]
        {
            command.env_remove(inherited);
        }
        if let Some((_, address)) = &self.bus {
            command.env("DBUS_SESSION_BUS_ADDRESS", address);
        }
    }

    /// A folder that goes away with the display.
    pub(super) fn home(&self) -> &Path {
        self.folder.path()
    }

    /// Runs xdotool on this display and returns what it prints, or nothing if it fails.
    pub(super) fn xdotool(&self, arguments: &[&str]) -> Option<String> {
        let mut command = Command::new("xdotool");
        self.clothe(&mut command);
        let done = command.args(arguments).output();
        let done = done.unwrap_or_else(|error| {
            panic!("xdotool did not start ({error}); apt-get install xdotool");
        });
        done.status.success().then(|| String::from_utf8_lossy(&done.stdout).trim().to_owned())
    }
}
