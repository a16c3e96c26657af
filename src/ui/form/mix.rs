//! Several requests in one plan, the data that fills them, and what is remembered between them.

use eframe::egui::{CollapsingHeader, Frame, Margin, RichText, Stroke, Ui};

use crate::app::state::Slot;
use crate::model::plan::{Order, VARIANTS_MAX};

use super::draft::{At, Draft, RequestDraft, VariantDraft, Which};
use super::request::{of_words, summary as request_summary, title as request_title};
use super::sheet::{KEY, SHORT, Sheet, Spec, VALUE, counted, name, remove_button};

impl Sheet<'_> {
    /// The requests among which each due one is chosen.
    pub(super) fn mix(&mut self, ui: &mut Ui) {
        self.remark(ui, "Each request is chosen at random, by weight; results are told apart by name");
        ui.add_space(4.0);
        let mut removed = None;
        for number in 0..self.draft.variants.len() {
            let frame = Frame::new()
                .stroke(Stroke::new(1.0, self.theme.border))
                .corner_radius(4.0)
                .inner_margin(Margin::symmetric(12, 8));
            frame.show(ui, |ui| {
                ui.set_min_width(ui.available_width());
                if self.variant(ui, number) {
                    removed = Some(number);
                }
            });
            ui.add_space(8.0);
        }
        self.reason_below(ui, At::Variants);
        if let Some(number) = removed {
            self.draft.variants.remove(number);
            self.changed = true;
        }
        let full = self.draft.variants.len() >= VARIANTS_MAX;
        if !full && self.add_button(ui, None, "Add request") {
            self.add_variant();
        }
    }

    /// The first request of several is the one that was there alone.
    fn add_variant(&mut self) {
        let fresh = |draft: &Draft, request| VariantDraft::fresh(draft.variants.len() + 1, request);
        if self.draft.variants.is_empty() {
            let first = fresh(self.draft, self.draft.request.clone());
            self.draft.variants.push(first);
        }
        let next = fresh(self.draft, RequestDraft::default());
        self.draft.variants.push(next);
    }

    /// One of several requests; whether it shall be removed.
    fn variant(&mut self, ui: &mut Ui, number: usize) -> bool {
        let (which, at) = (Which::Variant(number), At::Variant(number));
        let of = of_words(which);
        let removed = self.row(ui, &format!("Request {}", number + 1), |sheet, ui, _| {
            let spec = Spec { caption: "", hint: "Name", unit: "", width: KEY };
            let field = sheet.edit(ui, at, spec, |draft| &mut draft.variants[number].name);
            name(ui, &field, &format!("Name{of}"));
            sheet.unit(ui, "weight");
            let spec = Spec { hint: "1", width: 48.0, ..spec };
            let field = sheet.edit(ui, at, spec, |draft| &mut draft.variants[number].weight);
            name(ui, &field, &format!("Weight{of}"));
            remove_button(ui, &format!("request {}", number + 1))
        });
        let is_grpc = self.draft.is_grpc();
        self.row(ui, "URL", |sheet, ui, _| {
            if !is_grpc && sheet.draft.echo().is_none() {
                sheet.method(ui, which);
            }
            let width = (ui.available_width() - 8.0).min(VALUE);
            let spec = Spec { caption: "", hint: "the URL above, a path or another URL", unit: "", width };
            let field = sheet.edit(ui, at, spec, |draft| &mut draft.variants[number].url);
            name(ui, &field, &format!("URL{of}"));
        });
        if is_grpc {
            self.call(ui, which);
        }
        let title = request_title(self.draft);
        let summary = request_summary(self.draft.request(which));
        let title = if summary.is_empty() { title.to_owned() } else { format!("{title}: {summary}") };
        let heading = RichText::new(title).color(self.theme.text_muted);
        let folded = CollapsingHeader::new(heading).id_salt(("request of several", number));
        let folded = folded.show_unindented(ui, |ui| self.request(ui, which));
        name(ui, &folded.header_response, &format!("Details{of}"));
        self.reason_below(ui, at);
        removed
    }

    /// The rows that fill templates, and what is remembered from an answer.
    pub(super) fn data(&mut self, ui: &mut Ui) {
        let unit = "CSV or JSON lines";
        let spec = Spec { caption: "Data file", hint: "/path/to/users.csv", unit, width: VALUE };
        self.path(ui, At::Data, spec, Slot::Data, |draft| &mut draft.data_file);
        if self.draft.data_file.trim().is_empty() {
            let words = "Fill in {{…}} in path, headers and body";
            self.tick(ui, "Templates", words, |draft| &mut draft.templates);
        } else {
            self.row(ui, "Rows", |sheet, ui, _| {
                sheet.choice(ui, "Rows", &ORDERS, |draft| &mut draft.data_order);
            });
            let words = "A column’s value stands for its name in {{…}}, in path, headers and body";
            self.row(ui, "", |sheet, ui, _| sheet.remark(ui, words));
        }
        self.reason_below(ui, At::Data);
        let words = "Send the cookies that answers set";
        self.tick(ui, "Cookies", words, |draft| &mut draft.keep_cookies);
        let unit = "followed at most; 0 for none";
        let spec = Spec { caption: "Redirects", hint: "0", unit, width: SHORT };
        self.line(ui, At::Session, spec, |draft| &mut draft.follow_redirects);
    }
}

/// What several requests there are.
pub(super) fn summary(draft: &Draft) -> String {
    counted(draft.variants.len(), "request")
}

/// What fills requests, and what is remembered.
pub(super) fn data_summary(draft: &Draft) -> String {
    let mut parts = Vec::new();
    let file = draft.data_file.trim();
    if !file.is_empty() {
        let order = if draft.data_order == Order::Random { "at random" } else { "in turn" };
        let file =
            std::path::Path::new(file).file_name().map_or_else(|| file.into(), |name| name.to_string_lossy());
        parts.push(format!("rows of {file} {order}"));
    } else if draft.templates {
        parts.push("templates".to_owned());
    }
    if draft.keep_cookies {
        parts.push("cookies kept".to_owned());
    }
    if draft.follow_redirects.trim() != "0" {
        parts.push("redirects followed".to_owned());
    }
    parts.join(", ")
}

const ORDERS: [(Order, &str); 2] = [(Order::InTurn, "One after another"), (Order::Random, "At random")];
