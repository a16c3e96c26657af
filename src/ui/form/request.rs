//! One request: content type, body, headers, cookies and credentials, or a gRPC call.

use eframe::egui::{TextEdit, Ui};

use crate::app::state::Slot;
use crate::model::{Cookie, Header};
use crate::ui::widgets;

use super::draft::{At, BodyKind, Draft, RequestDraft, Which};
use super::sheet::{FIELD_MARGIN, KEY, Sheet, Spec, VALUE, counted, name, remove_button};

/// Room for the button beside the method of a gRPC call, in points.
const LIST_BUTTON: f32 = 128.0;

impl Sheet<'_> {
    /// Everything of a request but its method. What the protocol does not send is shown where it is set all the
    /// same, so that nothing is kept out of sight.
    pub(super) fn request(&mut self, ui: &mut Ui, which: Which) {
        let (is_grpc, is_echo) = (self.draft.is_grpc(), self.draft.echo().is_some());
        let request = self.draft.request(which);
        let has_body = request.body != BodyKind::Empty;
        let (has_type, has_cookies) = (!request.content_type.is_empty(), !request.cookies.is_empty());
        let (has_headers, has_auth) = (!request.headers.is_empty(), request.auth_on);
        if has_type || !(is_grpc || is_echo) {
            let at = place(which, At::ContentType);
            let spec = Spec { caption: "Content type", hint: "application/json", unit: "", width: VALUE };
            self.row(ui, spec.caption, |sheet, ui, caption| {
                sheet
                    .edit(ui, at, spec, |draft| &mut draft.request_mut(which).content_type)
                    .labelled_by(caption.id);
            });
            self.own_reason(ui, which, at);
        }
        if has_body || !is_grpc {
            self.body(ui, which);
        }
        if has_headers || !is_echo {
            self.headers(ui, which);
        }
        if has_cookies || !(is_grpc || is_echo) {
            self.cookies(ui, which);
        }
        if has_auth || !is_echo {
            self.auth(ui, which);
        }
    }

    /// The method and message of a gRPC call.
    pub(super) fn call(&mut self, ui: &mut Ui, which: Which) {
        let (at, message, of) = (place(which, At::Grpc), place(which, At::Message), of_words(which));
        self.row(ui, "Method", |sheet, ui, _| {
            let width = (ui.available_width() - LIST_BUTTON).min(KEY + VALUE);
            let spec = Spec { caption: "Method", hint: "package.Service/Method", unit: "", width };
            let response = sheet.edit(ui, at, spec, |draft| &mut draft.request_mut(which).call);
            name(ui, &response, &format!("gRPC method{of}"));
            sheet.list_button(ui, which);
        });
        self.methods(ui, which);
        let rows = if which == Which::Plan { 3 } else { 2 };
        self.code(ui, message, "Message", &format!("Message as JSON{of}"), rows, |draft| {
            &mut draft.request_mut(which).message
        });
        self.own_reason(ui, which, at);
        self.own_reason(ui, which, message);
    }

    fn body(&mut self, ui: &mut Ui, which: Which) {
        let (at, of) = (place(which, At::Body), of_words(which));
        self.row(ui, "Body", |sheet, ui, _| {
            sheet.choice(ui, &format!("Body{of}"), &BODIES, |draft| &mut draft.request_mut(which).body);
        });
        match self.draft.request(which).body {
            BodyKind::Empty => {}
            BodyKind::Text => {
                let words = format!("Body text{of}");
                self.code(ui, at, "", &words, 4, |draft| &mut draft.request_mut(which).body_text);
            }
            BodyKind::File => self.row(ui, "File", |sheet, ui, caption| {
                let spec = Spec { caption: "File", hint: "/path/to/body.json", unit: "", width: VALUE };
                sheet
                    .edit(ui, at, spec, |draft| &mut draft.request_mut(which).body_file)
                    .labelled_by(caption.id);
                let number = if let Which::Variant(number) = which { Some(number) } else { None };
                sheet.choose(ui, Slot::Body(number), &format!("a file for the body{of}"));
                sheet.unit(ui, "read when the run starts");
            }),
        }
        self.own_reason(ui, which, at);
    }

    /// Several lines of text with fixed width.
    pub(super) fn code(
        &mut self,
        ui: &mut Ui,
        at: At,
        caption: &str,
        words: &str,
        rows: usize,
        text: impl FnOnce(&mut Draft) -> &mut String,
    ) {
        self.row(ui, caption, |sheet, ui, _| {
            let wrong = sheet.is_wrong(at);
            let width = (ui.available_width() - 8.0).min(KEY + VALUE);
            let edit = TextEdit::multiline(text(sheet.draft))
                .code_editor()
                .margin(FIELD_MARGIN)
                .desired_rows(rows)
                .desired_width(width);
            let response = ui.scope(|ui| {
                if wrong {
                    widgets::mark_invalid(ui, sheet.theme);
                }
                widgets::edit(ui, sheet.theme, edit)
            });
            name(ui, &response.inner, words);
            sheet.noted(at, &response.inner);
        });
    }

    /// The reasons of one of several requests stand together, under it.
    fn own_reason(&mut self, ui: &mut Ui, which: Which, at: At) {
        if which == Which::Plan {
            self.reason_below(ui, at);
        }
    }

    fn headers(&mut self, ui: &mut Ui, which: Which) {
        let (mut removed, of) = (None, of_words(which));
        for row in 0..self.draft.request(which).headers.len() {
            let (at, number) = (place(which, At::Header(row)), row + 1);
            self.row(ui, if row == 0 { "Headers" } else { "" }, |sheet, ui, _| {
                let spec = Spec { caption: "", hint: "Name", unit: "", width: KEY };
                let key = sheet.edit(ui, at, spec, |draft| &mut draft.request_mut(which).headers[row].name);
                name(ui, &key, &format!("Header {number} name{of}"));
                let spec = Spec { hint: "Value", width: VALUE, ..spec };
                let value = if sheet.draft.request_mut(which).headers[row].is_secret() {
                    sheet.secret(ui, at, spec, |draft| &mut draft.request_mut(which).headers[row].value)
                } else {
                    sheet.edit(ui, at, spec, |draft| &mut draft.request_mut(which).headers[row].value)
                };
                name(ui, &value, &format!("Header {number} value{of}"));
                let by_name = !sheet.draft.request_mut(which).headers[row].secret
                    && sheet.draft.request_mut(which).headers[row].is_secret();
                if by_name {
                    sheet.unit(ui, "always secret");
                } else {
                    let secret = widgets::checkbox(
                        ui,
                        sheet.theme,
                        &mut sheet.draft.request_mut(which).headers[row].secret,
                        "Secret",
                    );
                    name(ui, &secret, &format!("Header {number} is secret{of}"));
                    sheet.changed |= secret.changed();
                    secret.on_hover_text("Never kept in a record, a report or an exported plan");
                }
                if remove_button(ui, &format!("header {number}{of}")) {
                    removed = Some(row);
                }
            });
            self.own_reason(ui, which, at);
        }
        if let Some(row) = removed {
            self.draft.request_mut(which).headers.remove(row);
            self.changed = true;
        }
        if self.add_button(
            ui,
            self.draft.request(which).headers.is_empty().then_some("Headers"),
            "Add header",
        ) {
            let empty = Header { name: String::new(), value: String::new(), secret: false };
            self.draft.request_mut(which).headers.push(empty);
        }
    }

    fn cookies(&mut self, ui: &mut Ui, which: Which) {
        let (mut removed, of) = (None, of_words(which));
        for row in 0..self.draft.request(which).cookies.len() {
            let (at, number) = (place(which, At::Cookie(row)), row + 1);
            self.row(ui, if row == 0 { "Cookies" } else { "" }, |sheet, ui, _| {
                let spec = Spec { caption: "", hint: "Name", unit: "", width: KEY };
                let key = sheet.edit(ui, at, spec, |draft| &mut draft.request_mut(which).cookies[row].name);
                name(ui, &key, &format!("Cookie {number} name{of}"));
                let spec = Spec { hint: "Value", width: VALUE, ..spec };
                let value =
                    sheet.secret(ui, at, spec, |draft| &mut draft.request_mut(which).cookies[row].value);
                name(ui, &value, &format!("Cookie {number} value{of}"));
                sheet.unit(ui, "always secret");
                if remove_button(ui, &format!("cookie {number}{of}")) {
                    removed = Some(row);
                }
            });
            self.own_reason(ui, which, at);
        }
        if let Some(row) = removed {
            self.draft.request_mut(which).cookies.remove(row);
            self.changed = true;
        }
        if self.add_button(
            ui,
            self.draft.request(which).cookies.is_empty().then_some("Cookies"),
            "Add cookie",
        ) {
            self.draft.request_mut(which).cookies.push(Cookie { name: String::new(), value: String::new() });
        }
    }

    fn auth(&mut self, ui: &mut Ui, which: Which) {
        let at = place(which, At::BasicAuth);
        self.row(ui, "Basic auth", |sheet, ui, _| {
            let words = "Send user name and password";
            let on = widgets::checkbox(ui, sheet.theme, &mut sheet.draft.request_mut(which).auth_on, words);
            sheet.changed |= on.changed();
        });
        if !self.draft.request(which).auth_on {
            return;
        }
        let spec = Spec { caption: "User name", hint: "", unit: "", width: KEY };
        self.line(ui, at, spec, |draft| &mut draft.request_mut(which).auth.user);
        self.row(ui, "Password", |sheet, ui, caption| {
            let spec = Spec { caption: "Password", ..spec };
            let edit = sheet.secret(ui, at, spec, |draft| &mut draft.request_mut(which).auth.password);
            edit.labelled_by(caption.id);
            sheet.unit(ui, "always secret");
        });
    }
}

/// What the parts of a request are called in the protocol of this draft.
pub(super) fn title(draft: &Draft) -> &'static str {
    match (draft.echo(), draft.is_grpc()) {
        (Some(_), _) => "Payload",
        (None, true) => "Metadata",
        (None, false) => "Headers and body",
    }
}

/// What is set beside the method.
pub(super) fn summary(request: &RequestDraft) -> String {
    let mut parts = Vec::new();
    if !request.headers.is_empty() {
        parts.push(counted(request.headers.len(), "header"));
    }
    if !request.cookies.is_empty() {
        parts.push(counted(request.cookies.len(), "cookie"));
    }
    if request.auth_on {
        parts.push("basic auth".to_owned());
    }
    match request.body {
        BodyKind::Empty => {}
        BodyKind::Text => parts.push("text body".to_owned()),
        BodyKind::File => parts.push("body from a file".to_owned()),
    }
    parts.join(", ")
}

/// Where a reason stands: what is wrong in one of several requests is said of it as a whole.
pub(super) fn place(which: Which, at: At) -> At {
    match which {
        Which::Plan => at,
        Which::Variant(number) => At::Variant(number),
    }
}

/// What tells the fields of several requests apart.
pub(super) fn of_words(which: Which) -> String {
    match which {
        Which::Plan => String::new(),
        Which::Variant(number) => format!(" of request {}", number + 1),
    }
}

const BODIES: [(BodyKind, &str); 3] =
    [(BodyKind::Empty, "None"), (BodyKind::Text, "Text"), (BodyKind::File, "File")];
