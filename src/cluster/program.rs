//! Runs a command that logs in: found as the person's shell would find it, and bounded in all it can do to us.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};

use super::kubeconfig::Secret;
use crate::model::digest::Digest;

/// The longest that a command may take.
pub(super) const COMMAND_MAX: Duration = Duration::from_secs(10);
/// The longest that the login shell may take to say its PATH.
const SHELL_MAX: Duration = Duration::from_secs(3);
/// The most that a command may say.
const OUTPUT_BYTES_MAX: u64 = 1024 * 1024;
/// The largest program.
const PROGRAM_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// What a command said.
pub(super) struct Said {
    pub(super) status: ExitStatus,
    pub(super) output: Vec<u8>,
    pub(super) errors: String,
}

/// Where a command is: its path, or the first of its name in the PATH of this program and of the login shell.
pub(super) async fn find(command: &str) -> Option<PathBuf> {
    if Path::new(command).components().count() > 1 {
        return Some(PathBuf::from(command)).filter(|path| is_program(path));
    }
    let own = std::env::var_os("PATH").unwrap_or_default();
    match find_in(command, &own) {
        Some(found) => Some(found),
        // A window is often started without what a shell's profile adds.
        None => find_in(command, login_path().await),
    }
}

fn find_in(command: &str, path: &OsStr) -> Option<PathBuf> {
    let endings = if cfg!(windows) { &["", ".exe", ".cmd", ".bat"][..] } else { &[""] };
    std::env::split_paths(path)
        .flat_map(|folder| endings.iter().map(move |ending| folder.join(format!("{command}{ending}"))))
        .find(|path| path.is_absolute() && is_program(path))
}

#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(path: &Path) -> bool {
    path.is_file()
}

/// The PATH that the person's login shell has; asked once.
async fn login_path() -> &'static OsStr {
    static PATH: OnceLock<OsString> = OnceLock::new();
    if let Some(path) = PATH.get() {
        return path;
    }
    let asked = ask_login_path().await.unwrap_or_default();
    PATH.get_or_init(|| asked)
}

async fn ask_login_path() -> Option<OsString> {
    let shell = std::env::var_os("SHELL").filter(|_| cfg!(unix))?;
    // What else the profile prints is told apart by what stands around the answer.
    let arguments = ["-lc", "printf '<<%s>>' \"$PATH\""].map(str::to_owned);
    let said = run(Path::new(&shell), &arguments, &[], SHELL_MAX).await.ok()?;
    let text = String::from_utf8(said.output).ok()?;
    let (_, rest) = text.rsplit_once("<<")?;
    Some(rest.strip_suffix(">>")?.into())
}

/// SHA-256 of a file as hexadecimal digits. Blocks.
pub(super) fn sha256(path: &Path) -> io::Result<String> {
    let mut file = io::Read::take(std::fs::File::open(path)?, PROGRAM_BYTES_MAX);
    let mut hasher = Sha256::new();
    io::copy(&mut file, &mut Hashing(&mut hasher))?;
    Ok(Digest(hasher.finalize().into()).to_string())
}

struct Hashing<'a>(&'a mut Sha256);

impl io::Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Runs a program without our standard input, and ends it and its children when its time is over or the future is
/// dropped.
///
/// # Errors
/// [`io::ErrorKind::TimedOut`] when it took too long, [`io::ErrorKind::FileTooLarge`] when it said too much.
pub(super) async fn run(
    program: &Path,
    arguments: &[String],
    variables: &[(String, Secret)],
    limit: Duration,
) -> io::Result<Said> {
    run_in(None, program, arguments, variables, limit).await
}

/// As [`run`], in a folder other than ours.
///
/// # Errors
/// As [`run`].
pub(super) async fn run_in(
    folder: Option<&Path>,
    program: &Path,
    arguments: &[String],
    variables: &[(String, Secret)],
    limit: Duration,
) -> io::Result<Said> {
    let mut command = Command::new(program);
    if let Some(folder) = folder {
        command.current_dir(folder);
    }
    command.args(arguments).envs(variables.iter().map(|(name, value)| (name, value.expose())));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    #[cfg(unix)]
    command.process_group(0);
    #[cfg(windows)]
    command.creation_flags(0x0800_0000);
    let mut running = Running(command.spawn()?);
    let (output, errors) = (running.0.stdout.take(), running.0.stderr.take());
    let all = async {
        let (output, errors) = tokio::join!(read(output), read(errors));
        Ok::<_, io::Error>(Said {
            status: running.0.wait().await?,
            output: output?,
            errors: String::from_utf8_lossy(&errors?).into_owned(),
        })
    };
    tokio::time::timeout(limit, all).await.map_err(|_| io::ErrorKind::TimedOut)?
}

async fn read(from: Option<impl AsyncRead + Unpin>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(from) = from {
        from.take(OUTPUT_BYTES_MAX + 1).read_to_end(&mut bytes).await?;
    }
    if bytes.len() as u64 > OUTPUT_BYTES_MAX {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}

/// A program with its children, which end with it.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        #[cfg(target_os = "linux")]
        if let Some(group) =
            self.0.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw)
        {
            // Fails when all have ended.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn script(folder: &Path, text: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;
        let path = folder.join("plugin");
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("a file");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("rights");
        path
    }

    #[tokio::test]
    async fn a_program_gets_nothing_of_our_input_and_its_words_are_kept_apart() {
        let folder = tempfile::tempdir().expect("a folder");
        let program = script(folder.path(), "cat; echo \"$1 $SECRET\"; echo no >&2; exit 3");
        let variables = [("SECRET".to_owned(), Secret::new("x".to_owned()))];
        let said = run(&program, &["a b".to_owned()], &variables, COMMAND_MAX).await.expect("it runs");
        assert_eq!((said.output.as_slice(), said.errors.as_str()), (&b"a b x\n"[..], "no\n"));
        assert_eq!(said.status.code(), Some(3));
    }

    #[tokio::test]
    async fn what_takes_too_long_or_says_too_much_is_ended_with_its_children() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("child");
        let program = script(folder.path(), &format!("sleep 1000 & echo $! > {}; wait", file.display()));
        let limit = Duration::from_millis(500);
        let error = run(&program, &[], &[], limit).await.map(|_| ()).expect_err("it sleeps");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let child: u32 = std::fs::read_to_string(&file).expect("its child").trim().parse().expect("a number");
        let begun = std::time::Instant::now();
        let is_there = || {
            let state = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
            !state.is_empty() && !state.contains(") Z ")
        };
        while is_there() {
            assert!(begun.elapsed() < Duration::from_secs(20), "its child goes on");
            tokio::task::yield_now().await;
        }
        let program = script(folder.path(), "yes");
        let error = run(&program, &[], &[], COMMAND_MAX).await.map(|_| ()).expect_err("it never ends");
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    }

    #[tokio::test]
    async fn programs_are_found_by_path_and_by_name() {
        assert_eq!(find("/bin/sh").await.as_deref(), Some(Path::new("/bin/sh")));
        assert!(find("sh").await.is_some_and(|path| path.is_absolute()));
        assert_eq!(find("/etc/passwd").await, None, "not a program");
        assert_eq!(find("no-such-program-anywhere").await, None);
        let folder = tempfile::tempdir().expect("a folder");
        let program = script(folder.path(), "exit 0");
        assert_eq!(find_in("plugin", folder.path().as_os_str()), Some(program.clone()));
        let before = sha256(&program).expect("a file");
        std::fs::write(&program, "#!/bin/sh\nexit 1\n").expect("a file");
        assert!(before.len() == 64 && before != sha256(&program).expect("a file"));
    }
}
