//! Notifications of the desktop.

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
