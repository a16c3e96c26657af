//! What is the desktop's: notifications, and the browser.

use std::io;
use std::process::{Command, Stdio};

/// Opens an address in the person's browser; `BROWSER` names another one than the system's.
///
/// # Errors
/// When there is nothing that opens it.
pub(super) fn open_page(url: &str) -> io::Result<()> {
    let mut command = match std::env::var_os("BROWSER").filter(|browser| !browser.is_empty()) {
        Some(browser) => Command::new(browser),
        None if cfg!(target_os = "macos") => Command::new("open"),
        None if cfg!(windows) => {
            let mut command = Command::new("rundll32");
            command.arg("url.dll,FileProtocolHandler");
            command
        }
        None => Command::new("xdg-open"),
    };
    let quiet = command.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = quiet.spawn()?;
    // Waited for, so that it does not stay as a zombie; it may live as long as the browser.
    std::thread::Builder::new().name("meshbench-browser".to_owned()).spawn(move || drop(child.wait()))?;
    Ok(())
}

/// The longest text that is shown, in characters: what foreign programs say has any length.
#[cfg(feature = "gui")]
const CHARS_MAX: usize = 300;

/// Shows a notification where the desktop has a place for them; where it has none, the window's own list has the same.
#[cfg(feature = "gui")]
pub(super) fn tell(title: &str, words: &str) {
    let shown = notify_rust::Notification::new()
        .appname("Meshbench")
        .icon("meshbench")
        .summary(&plain(title))
        .body(&plain(words))
        .show();
    // Nobody has to be told that they were not told: the window has it.
    drop(shown);
}

/// Without a window nobody looks away from it.
#[cfg(not(feature = "gui"))]
pub(super) fn tell(_: &str, _: &str) {}

/// Desktops may read marks of HTML in what they show.
#[cfg(feature = "gui")]
fn plain(text: &str) -> String {
    let kept: String = text.chars().take(CHARS_MAX).collect();
    kept.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(all(test, feature = "gui"))]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_is_no_markup_and_of_bounded_length() {
        assert_eq!(plain("<a href=x>b</a> & c"), "&lt;a href=x&gt;b&lt;/a&gt; &amp; c");
        assert_eq!(plain(&"x".repeat(10_000)).len(), CHARS_MAX);
    }
}
