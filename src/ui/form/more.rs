//! The folded parts of the form: request, labels, goals, TLS.

use eframe::egui::{Button, TextEdit, Ui};

use crate::app::Command;
use crate::model::{Cookie, Header, KNOWN_LABELS};
use crate::ui::widgets;

use super::draft::{At, BodyKind, Draft};
use super::labels::LabelAt;
use super::sheet::{FIELD_MARGIN, Section, Sheet, Spec, name, remove_button};

/// Width of the left field in rows of two, in points.
const KEY: f32 = 168.0;
/// Width of the right field in rows of two, in points.
const VALUE: f32 = 320.0;

impl Sheet<'_> {
    /// All folded parts.
    pub(super) fn more(&mut self, ui: &mut Ui) {
        let summary = request_summary(self.draft);
        self.section(ui, Section::Request, "Headers and body", &summary, Self::request);
        let labels = self.draft.labels.labels().map_or(0, |labels| labels.len());
        let summary = counted(labels, "label");
        self.section(ui, Section::Labels, "Labels", &summary, Self::labels);
        let goals = self.draft.goals.iter().filter(|goal| !goal.trim().is_empty()).count();
        self.section(ui, Section::Goals, "Goals", &counted(goals, "goal"), Self::goals);
        let summary = match (self.draft.insecure, self.draft.ca_file.trim().is_empty()) {
            (true, _) => "certificates are not checked",
            (false, false) => "further authorities",
            (false, true) => "",
        };
        self.section(ui, Section::Tls, "TLS", summary, Self::tls);
    }

    fn request(&mut self, ui: &mut Ui) {
        let spec = Spec { caption: "Content type", hint: "application/json", unit: "", width: VALUE };
        self.line(ui, At::ContentType, spec, |draft| &mut draft.content_type);
        self.row(ui, "Body", |sheet, ui, _| sheet.choice(ui, "Body", &BODIES, |draft| &mut draft.body));
        match self.draft.body {
            BodyKind::Empty => {}
            BodyKind::Text => self.body_text(ui),
            BodyKind::File => self.body_file(ui),
        }
        self.reason_below(ui, At::Body);
        self.headers(ui);
        self.cookies(ui);
        self.auth(ui);
    }

    fn body_text(&mut self, ui: &mut Ui) {
        self.row(ui, "", |sheet, ui, _| {
            let edit = TextEdit::multiline(&mut sheet.draft.body_text)
                .code_editor()
                .margin(FIELD_MARGIN)
                .desired_rows(4)
                .desired_width(KEY + VALUE);
            let response = widgets::edit(ui, sheet.theme, edit);
            name(ui, &response, "Body text");
            sheet.noted(At::Body, &response);
        });
    }

    fn body_file(&mut self, ui: &mut Ui) {
        self.row(ui, "File", |sheet, ui, caption| {
            let spec = Spec { caption: "File", hint: "/path/to/body.json", unit: "", width: VALUE };
            sheet.edit(ui, At::Body, spec, |draft| &mut draft.body_file).labelled_by(caption.id);
            let button = ui.button("Choose…");
            name(ui, &button, "Choose a file for the body…");
            if button.clicked() {
                sheet.commands.push(Command::PickBodyFile);
            }
            sheet.unit(ui, "read when the run starts");
        });
    }

    fn headers(&mut self, ui: &mut Ui) {
        let mut removed = None;
        for row in 0..self.draft.headers.len() {
            let (at, number) = (At::Header(row), row + 1);
            self.row(ui, if row == 0 { "Headers" } else { "" }, |sheet, ui, _| {
                let spec = Spec { caption: "", hint: "Name", unit: "", width: KEY };
                let key = sheet.edit(ui, at, spec, |draft| &mut draft.headers[row].name);
                name(ui, &key, &format!("Header {number} name"));
                let spec = Spec { hint: "Value", width: VALUE, ..spec };
                let value = if sheet.draft.headers[row].is_secret() {
                    sheet.secret(ui, at, spec, |draft| &mut draft.headers[row].value)
                } else {
                    sheet.edit(ui, at, spec, |draft| &mut draft.headers[row].value)
                };
                name(ui, &value, &format!("Header {number} value"));
                let by_name = !sheet.draft.headers[row].secret && sheet.draft.headers[row].is_secret();
                if by_name {
                    sheet.unit(ui, "always secret");
                } else {
                    let secret =
                        widgets::checkbox(ui, sheet.theme, &mut sheet.draft.headers[row].secret, "Secret");
                    name(ui, &secret, &format!("Header {number} is secret"));
                    sheet.changed |= secret.changed();
                    secret.on_hover_text("Never kept in a record, a report or an exported plan");
                }
                if remove_button(ui, &format!("header {number}")) {
                    removed = Some(row);
                }
            });
            self.reason_below(ui, at);
        }
        if let Some(row) = removed {
            self.draft.headers.remove(row);
            self.changed = true;
        }
        if self.add_button(ui, self.draft.headers.is_empty().then_some("Headers"), "Add header") {
            let empty = Header { name: String::new(), value: String::new(), secret: false };
            self.draft.headers.push(empty);
        }
    }

    fn cookies(&mut self, ui: &mut Ui) {
        let mut removed = None;
        for row in 0..self.draft.cookies.len() {
            let (at, number) = (At::Cookie(row), row + 1);
            self.row(ui, if row == 0 { "Cookies" } else { "" }, |sheet, ui, _| {
                let spec = Spec { caption: "", hint: "Name", unit: "", width: KEY };
                let key = sheet.edit(ui, at, spec, |draft| &mut draft.cookies[row].name);
                name(ui, &key, &format!("Cookie {number} name"));
                let spec = Spec { hint: "Value", width: VALUE, ..spec };
                let value = sheet.secret(ui, at, spec, |draft| &mut draft.cookies[row].value);
                name(ui, &value, &format!("Cookie {number} value"));
                sheet.unit(ui, "always secret");
                if remove_button(ui, &format!("cookie {number}")) {
                    removed = Some(row);
                }
            });
            self.reason_below(ui, at);
        }
        if let Some(row) = removed {
            self.draft.cookies.remove(row);
            self.changed = true;
        }
        if self.add_button(ui, self.draft.cookies.is_empty().then_some("Cookies"), "Add cookie") {
            self.draft.cookies.push(Cookie { name: String::new(), value: String::new() });
        }
    }

    fn auth(&mut self, ui: &mut Ui) {
        self.row(ui, "Basic auth", |sheet, ui, _| {
            let words = "Send user name and password";
            let on = widgets::checkbox(ui, sheet.theme, &mut sheet.draft.auth_on, words);
            sheet.changed |= on.changed();
        });
        if !self.draft.auth_on {
            return;
        }
        let spec = Spec { caption: "User name", hint: "", unit: "", width: KEY };
        self.line(ui, At::BasicAuth, spec, |draft| &mut draft.auth.user);
        self.row(ui, "Password", |sheet, ui, caption| {
            let spec = Spec { caption: "Password", ..spec };
            let edit = sheet.secret(ui, At::BasicAuth, spec, |draft| &mut draft.auth.password);
            edit.labelled_by(caption.id);
            sheet.unit(ui, "always secret");
        });
    }

    fn labels(&mut self, ui: &mut Ui) {
        self.remark(ui, "History is searched, grouped and compared by labels");
        for (row, (_, words)) in KNOWN_LABELS.iter().enumerate() {
            let hint = ["istio", "1.30.0", "v1.4.2"][row];
            let spec = Spec { caption: words, hint, unit: "", width: KEY };
            self.line(ui, At::Label(LabelAt::Known(row)), spec, |draft| &mut draft.labels.known[row]);
        }
        let mut removed = None;
        for row in 0..self.draft.labels.free.len() {
            let (at, number) = (At::Label(LabelAt::Free(row)), row + 1);
            self.row(ui, if row == 0 { "Others" } else { "" }, |sheet, ui, _| {
                let spec = Spec { caption: "", hint: "Key", unit: "", width: KEY };
                let key = sheet.edit(ui, at, spec, |draft| &mut draft.labels.free[row].0);
                name(ui, &key, &format!("Label {number} key"));
                let spec = Spec { hint: "Value", ..spec };
                let value = sheet.edit(ui, at, spec, |draft| &mut draft.labels.free[row].1);
                name(ui, &value, &format!("Label {number} value"));
                if remove_button(ui, &format!("label {number}")) {
                    removed = Some(row);
                }
                sheet.reason(ui, at);
            });
        }
        if let Some(row) = removed {
            self.draft.labels.free.remove(row);
            self.changed = true;
        }
        if self.add_button(ui, self.draft.labels.free.is_empty().then_some("Others"), "Add label") {
            self.draft.labels.free.push(Default::default());
        }
    }

    fn goals(&mut self, ui: &mut Ui) {
        self.remark(ui, "What a run must reach, for example p99<20ms, errors<0.1% or rate>=950");
        let mut removed = None;
        for row in 0..self.draft.goals.len() {
            let (at, number) = (At::Goal(row), row + 1);
            self.row(ui, &format!("Goal {number}"), |sheet, ui, caption| {
                let spec = Spec { caption: "", hint: "p99<20ms", unit: "", width: KEY };
                sheet.edit(ui, at, spec, |draft| &mut draft.goals[row]).labelled_by(caption.id);
                if remove_button(ui, &format!("goal {number}")) {
                    removed = Some(row);
                }
                sheet.reason(ui, at);
            });
        }
        if let Some(row) = removed {
            self.draft.goals.remove(row);
            self.changed = true;
        }
        if self.add_button(ui, Some(""), "Add goal") {
            self.draft.goals.push(String::new());
        }
    }

    fn tls(&mut self, ui: &mut Ui) {
        self.row(ui, "Certificates", |sheet, ui, _| {
            let words = "Accept any certificate (insecure)";
            let accepted = widgets::checkbox(ui, sheet.theme, &mut sheet.draft.insecure, words);
            sheet.changed |= accepted.changed();
        });
        if self.draft.insecure {
            self.insecure_warning(ui);
        }
        self.row(ui, "CA file", |sheet, ui, caption| {
            let edit = widgets::line(&mut sheet.draft.ca_file).hint_text("/path/to/ca.pem");
            let response = widgets::edit(ui, sheet.theme, edit.desired_width(VALUE));
            sheet.changed |= response.changed();
            response.labelled_by(caption.id);
            let button = ui.button("Choose…");
            name(ui, &button, "Choose a file of certificate authorities…");
            if button.clicked() {
                sheet.commands.push(Command::PickCaFile);
            }
            sheet.unit(ui, "PEM, used beside the system's");
        });
    }

    /// Said wherever it matters: an insecure run must not look like any other.
    pub(super) fn insecure_warning(&self, ui: &mut Ui) {
        let text = "Certificates are not checked: anyone between here and the target can read and change \
                    what is sent, secrets included";
        widgets::warning(ui, self.theme, text);
    }

    /// A button that adds a row. The caption is shown where no row shows it; `None` keeps the column.
    fn add_button(&mut self, ui: &mut Ui, caption: Option<&str>, words: &str) -> bool {
        let clicked = self.row(ui, caption.unwrap_or(""), |_, ui, _| ui.add(Button::new(words)).clicked());
        self.changed |= clicked;
        clicked
    }
}

fn request_summary(draft: &Draft) -> String {
    let mut parts = Vec::new();
    if !draft.headers.is_empty() {
        parts.push(counted(draft.headers.len(), "header"));
    }
    if !draft.cookies.is_empty() {
        parts.push(counted(draft.cookies.len(), "cookie"));
    }
    if draft.auth_on {
        parts.push("basic auth".to_owned());
    }
    match draft.body {
        BodyKind::Empty => {}
        BodyKind::Text => parts.push("text body".to_owned()),
        BodyKind::File => parts.push("body from a file".to_owned()),
    }
    parts.join(", ")
}

/// `2 labels`; nothing for none.
fn counted(count: usize, noun: &str) -> String {
    match count {
        0 => String::new(),
        1 => format!("1 {noun}"),
        many => format!("{many} {noun}s"),
    }
}

const BODIES: [(BodyKind, &str); 3] =
    [(BodyKind::Empty, "None"), (BodyKind::Text, "Text"), (BodyKind::File, "File")];
