//! Where a manifest, values or parameters are written: in colours, checked as one types, or taken from a file.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use eframe::egui::{FontSelection, Label, RichText, ScrollArea, TextBuffer, TextEdit, TextStyle, Ui};

use crate::app::adapters::{AdapterCommand, MANIFEST_BYTES_MAX};
use crate::model::manifest;
use crate::ui::clusters::name;
use crate::ui::icon::Icon;
use crate::ui::theme::SPACE;
use crate::ui::{Cx, widgets};

use super::yaml;

/// Height of the editor, in points.
const HEIGHT: f32 = 168.0;
/// A longer text is checked when it is applied, and not with each key that is pressed.
const CHECKED_BYTES_MAX: usize = 128 * 1024;
/// Objects that are named; of more the count is told.
const NAMED_MAX: usize = 4;
const ICON: f32 = 14.0;

/// What is written, and what it was found to be.
#[derive(Debug, Default)]
pub(super) struct Editor {
    pub(super) text: String,
    /// The manifest of a file that was taken in last.
    taken: u64,
    /// Of which text, and what.
    checked: Option<(u64, Result<String, String>)>,
}

impl Editor {
    pub(super) fn ui(&mut self, cx: &mut Cx<'_>, ui: &mut Ui) {
        let theme = cx.theme;
        let font = FontSelection::from(TextStyle::Monospace).resolve(ui.style());
        let mut layouter = |ui: &Ui, text: &dyn TextBuffer, width: f32| {
            let job = yaml::job(text.as_str(), theme, &font, width);
            ui.fonts_mut(|fonts| fonts.layout_job(job))
        };
        let shown = ScrollArea::vertical().id_salt("body").max_height(HEIGHT).show(ui, |ui| {
            let text = TextEdit::multiline(&mut self.text)
                .code_editor()
                .char_limit(MANIFEST_BYTES_MAX as usize)
                .desired_rows(8)
                .desired_width(f32::INFINITY)
                .hint_text("apiVersion: networking.istio.io/v1\nkind: VirtualService\n…")
                .layouter(&mut layouter);
            ui.add(text)
        });
        name(ui, shown.inner.id, "Manifest, values or parameters");
        ui.add_space(SPACE[0]);
        ui.horizontal(|ui| {
            if ui.button("Open a file…").clicked() {
                cx.adapter(AdapterCommand::PickManifest);
            }
            if widgets::button_if(ui, "Clear", if self.text.is_empty() { Err("It is empty") } else { Ok(()) })
            {
                self.text.clear();
            }
            let (icon, ink, words) = match self.check() {
                None => (Icon::About, theme.text_muted, "YAML, as it is written to kubectl or helm"),
                Some(Ok(words)) => (Icon::Good, theme.good, words.as_str()),
                Some(Err(words)) => (Icon::Warning, theme.warning, words.as_str()),
            };
            icon.show(ui, ICON, ink);
            let words = RichText::new(words).small().color(theme.text_muted);
            ui.add(Label::new(words).truncate());
        });
    }

    /// Takes a manifest in that was read from a file; whether it was a new one.
    pub(super) fn take(&mut self, read: Option<&(u64, String)>) -> bool {
        let Some((number, text)) = read.filter(|(number, _)| *number != self.taken) else { return false };
        self.taken = *number;
        self.text.clone_from(text);
        true
    }

    /// What the text is, in words; none where it is empty.
    fn check(&mut self) -> Option<&Result<String, String>> {
        if self.text.trim().is_empty() {
            return None;
        }
        let mut hasher = DefaultHasher::new();
        self.text.hash(&mut hasher);
        let hash = hasher.finish();
        if self.checked.as_ref().is_none_or(|(of, _)| *of != hash) {
            self.checked = Some((hash, found(&self.text)));
        }
        self.checked.as_ref().map(|(_, found)| found)
    }
}

/// What a text is: objects of a manifest, or else keys and values.
fn found(text: &str) -> Result<String, String> {
    if text.len() > CHECKED_BYTES_MAX {
        return Ok("It is long: it is checked before it is applied".to_owned());
    }
    let objects = match manifest::objects(text) {
        Ok(objects) => objects,
        Err(reason) => {
            return match manifest::mapping(text) {
                Ok(map) if !map.contains_key("kind") && !map.is_empty() => {
                    let keys: Vec<&str> = map.keys().take(NAMED_MAX).map(String::as_str).collect();
                    Ok(format!("No manifest; values or parameters: {}", keys.join(", ")))
                }
                _ => Err(reason),
            };
        }
    };
    let named: Vec<String> =
        objects.iter().take(NAMED_MAX).map(|object| format!("{} {}", object.kind, object.name)).collect();
    let more = match objects.len().saturating_sub(NAMED_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let count = if objects.len() == 1 { "1 object".to_owned() } else { format!("{} objects", objects.len()) };
    Ok(format!("{count}: {}{more}", named.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_told_to_be_objects_parameters_or_wrong() {
        let service = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n";
        assert_eq!(found(service).as_deref(), Ok("1 object: Service web"));
        assert_eq!(
            found("host: web\nweight: 1\n").as_deref(),
            Ok("No manifest; values or parameters: host, weight")
        );
        let wrong = found("kind: Service\nmetadata: {}\n").expect_err("no object");
        assert!(wrong.contains("apiVersion"), "{wrong}");
        assert!(found("a: [").expect_err("no YAML").contains("line"));
    }

    #[test]
    fn a_file_is_taken_in_once() {
        let mut editor = Editor::default();
        assert!(editor.take(Some(&(3, "a: 1".to_owned()))));
        editor.text.push_str("\nb: 2");
        assert!(!editor.take(Some(&(3, "a: 1".to_owned()))) && !editor.take(None));
        assert_eq!(editor.text, "a: 1\nb: 2");
    }
}
