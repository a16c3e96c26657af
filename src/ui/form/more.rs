//! The folded parts of the form.

use eframe::egui::Ui;

use crate::model::KNOWN_LABELS;
use crate::ui::widgets;

use super::draft::{At, Draft, Which};
use super::labels::LabelAt;
use super::sheet::{KEY, Section, Sheet, Spec, counted, name, remove_button};
use super::{mix, reach, request, tls};

impl Sheet<'_> {
    /// All folded parts.
    pub(super) fn more(&mut self, ui: &mut Ui, focus_goal: bool) {
        let (title, summary) = (request::title(self.draft), request_summary(self.draft));
        self.section(ui, Section::Request, title, &summary, Self::own_request);
        let summary = mix::summary(self.draft);
        self.section(ui, Section::Mix, "Several requests", &summary, Self::mix);
        let summary = mix::data_summary(self.draft);
        self.section(ui, Section::Data, "Data, cookies and redirects", &summary, Self::data);
        let labels = self.draft.labels.labels().map_or(0, |labels| labels.len());
        let summary = counted(labels, "label");
        self.section(ui, Section::Labels, "Labels", &summary, Self::labels);
        let summary = goals_summary(self.draft);
        self.section(ui, Section::Goals, "Goals", &summary, |sheet, ui| sheet.goals(ui, focus_goal));
        let summary = tls::summary(self.draft);
        self.section(ui, Section::Tls, "TLS", &summary, Self::tls);
        let summary = reach::summary(self.draft);
        self.section(ui, Section::Reach, "Addresses and connections", &summary, Self::reach);
    }

    fn own_request(&mut self, ui: &mut Ui) {
        if !self.draft.variants.is_empty() {
            self.remark(ui, "Not sent: this plan has several requests");
        }
        self.request(ui, Which::Plan);
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

    fn goals(&mut self, ui: &mut Ui, focus: bool) {
        self.remark(ui, "What a run must reach, for example p99<20ms, errors<0.1% or rate>=950");
        let mut removed = None;
        for row in 0..self.draft.goals.len() {
            let (at, number) = (At::Goal(row), row + 1);
            self.row(ui, &format!("Goal {number}"), |sheet, ui, caption| {
                let spec = Spec { caption: "", hint: "p99<20ms", unit: "", width: KEY };
                let field = sheet.edit(ui, at, spec, |draft| &mut draft.goals[row]).labelled_by(caption.id);
                if focus && row == 0 {
                    field.request_focus();
                    field.scroll_to_me(None);
                }
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
        let words = "End early when a goal is out of reach";
        self.tick(ui, "", words, |draft| &mut draft.give_up);
    }

    /// Said wherever it matters: an insecure run must not look like any other.
    pub(super) fn insecure_warning(&self, ui: &mut Ui) {
        let text = "Certificates are not checked: anyone between here and the target can read and change \
                    what is sent, secrets included";
        widgets::warning(ui, self.theme, text);
    }
}

fn request_summary(draft: &Draft) -> String {
    let summary = request::summary(&draft.request);
    let unsent = !draft.variants.is_empty() && !summary.is_empty();
    if unsent { format!("{summary} (not sent)") } else { summary }
}

fn goals_summary(draft: &Draft) -> String {
    let goals = draft.goals.iter().filter(|goal| !goal.trim().is_empty()).count();
    let end = if draft.give_up && goals > 0 { ", ends early" } else { "" };
    format!("{}{end}", counted(goals, "goal"))
}
