//! The system's keyring: Secret Service, macOS Keychain, Windows Credential Manager.
//!
//! A keyring may wait for a person who unlocks it, or for ever. It is spoken to on a thread of its own, and nobody waits
//! for it longer than [`ANSWER_MAX`].

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender, TrySendError};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use keyring_core::{Entry, Error};

/// The longest wait for the keyring.
const ANSWER_MAX: Duration = Duration::from_secs(3);
/// Questions that wait for a keyring that is slow.
const QUESTIONS_MAX: usize = 16;
/// Under what our secrets are kept.
const SERVICE: &str = "meshbench";

/// The system's keyring. Opened with the first question.
#[derive(Default)]
pub struct Keyring {
    questions: Mutex<Option<SyncSender<Question>>>,
}

struct Question {
    name: String,
    ask: Ask,
    answer: Sender<Result<Option<String>, String>>,
}

enum Ask {
    Read,
    Write(String),
    Remove,
}

impl Keyring {
    /// A secret by its name; none where nothing is kept under it. Blocks, for a few seconds at most.
    ///
    /// # Errors
    /// Why the keyring cannot be used, in words.
    pub fn read(&self, name: &str) -> Result<Option<String>, String> {
        self.ask(name, Ask::Read)
    }

    /// Keeps a secret, in the place of the one before. Blocks, for a few seconds at most.
    ///
    /// # Errors
    /// Why the keyring cannot be used, in words.
    pub fn write(&self, name: &str, secret: &str) -> Result<(), String> {
        self.ask(name, Ask::Write(secret.to_owned())).map(drop)
    }

    /// Forgets a secret; nothing where there is none. Blocks, for a few seconds at most.
    ///
    /// # Errors
    /// Why the keyring cannot be used, in words.
    pub fn remove(&self, name: &str) -> Result<(), String> {
        self.ask(name, Ask::Remove).map(drop)
    }

    fn ask(&self, name: &str, ask: Ask) -> Result<Option<String>, String> {
        let (answer, answered) = mpsc::channel();
        let question = Question { name: name.to_owned(), ask, answer };
        {
            let mut questions = self.questions.lock().unwrap_or_else(PoisonError::into_inner);
            let sender = match &mut *questions {
                Some(sender) => sender,
                none => none.insert(start()?),
            };
            sender.try_send(question).map_err(|error| match error {
                TrySendError::Full(_) => silent(),
                TrySendError::Disconnected(_) => "the thread of the keyring has ended".to_owned(),
            })?;
        }
        answered.recv_timeout(ANSWER_MAX).map_err(|error| match error {
            RecvTimeoutError::Timeout => silent(),
            RecvTimeoutError::Disconnected => "the thread of the keyring has ended".to_owned(),
        })?
    }
}

fn silent() -> String {
    format!("the keyring did not answer within {} s; is it locked?", ANSWER_MAX.as_secs())
}

fn start() -> Result<SyncSender<Question>, String> {
    let (sender, questions) = mpsc::sync_channel(QUESTIONS_MAX);
    let thread = std::thread::Builder::new().name("meshbench-keyring".to_owned());
    thread.spawn(move || work(&questions)).map_err(|error| format!("no thread for the keyring: {error}"))?;
    Ok(sender)
}

fn work(questions: &Receiver<Question>) {
    while let Ok(Question { name, ask, answer }) = questions.recv() {
        // Whoever asked may have stopped waiting.
        let _ = answer.send(carry_out(&name, ask));
    }
}

fn carry_out(name: &str, ask: Ask) -> Result<Option<String>, String> {
    // Another try where there was no keyring before: it may have been started since.
    if keyring_core::get_default_store().is_none() {
        open().map_err(|error| format!("no keyring: {}", words(&error)))?;
    }
    let done = Entry::new(SERVICE, name).and_then(|entry| match ask {
        Ask::Read => entry.get_password().map(Some),
        Ask::Write(secret) => entry.set_password(&secret).map(|()| None),
        Ask::Remove => entry.delete_credential().map(|()| None),
    });
    match done {
        Err(Error::NoEntry) => Ok(None),
        done => done.map_err(|error| words(&error)),
    }
}

fn open() -> Result<(), Error> {
    #[cfg(any(target_os = "linux", target_os = "freebsd"))]
    keyring_core::set_default_store(zbus_secret_service_keyring_store::Store::new()?);
    #[cfg(target_os = "macos")]
    keyring_core::set_default_store(apple_native_keyring_store::keychain::Store::new()?);
    #[cfg(windows)]
    keyring_core::set_default_store(windows_native_keyring_store::Store::new()?);
    Ok(())
}

/// What went wrong, without what was read.
fn words(error: &Error) -> String {
    match error {
        Error::PlatformFailure(cause) => format!("the keyring failed: {cause}"),
        Error::NoStorageAccess(cause) => format!("the keyring cannot be opened: {cause}"),
        Error::BadEncoding(_) | Error::BadDataFormat(..) => "what the keyring keeps is no text".to_owned(),
        Error::TooLong(what, most) => format!("the keyring keeps at most {most} bytes of {what}"),
        Error::Ambiguous(_) => "the keyring keeps several secrets under one name".to_owned(),
        other => other.to_string(),
    }
}
