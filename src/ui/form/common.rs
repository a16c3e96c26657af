//! What every load test needs: where to, how fast, how long.

use eframe::egui::{ComboBox, Ui};

use super::draft::{At, PacingKind, StopKind};
use super::sheet::{Sheet, Spec, name};

/// Offered as methods; any other can be typed.
const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
/// Width of fields with a number or duration, in points.
const SHORT: f32 = 88.0;

impl Sheet<'_> {
    /// Method and URL. Returns whether the URL field should keep the focus it was asked to take.
    pub(super) fn target(&mut self, ui: &mut Ui, focus_url: bool) {
        self.row(ui, "URL", |sheet, ui, caption| {
            sheet.method(ui);
            let width = (ui.available_width() - 8.0).min(640.0);
            let spec = Spec { caption: "URL", hint: "http://localhost:8080/", unit: "", width };
            let response = sheet.edit(ui, At::Url, spec, |draft| &mut draft.url);
            if focus_url {
                response.request_focus();
            }
            response.labelled_by(caption.id)
        });
        self.reason_below(ui, At::Url);
        self.reason_below(ui, At::Method);
    }

    fn method(&mut self, ui: &mut Ui) {
        let known = METHODS.contains(&self.draft.method.as_str());
        let shown = if known { self.draft.method.clone() } else { OTHER.to_owned() };
        let combo = ComboBox::from_id_salt("method").selected_text(shown.as_str()).width(88.0);
        let response = combo.show_ui(ui, |ui| {
            for method in METHODS {
                let clicked = ui.selectable_label(self.draft.method == method, method).clicked();
                if clicked {
                    method.clone_into(&mut self.draft.method);
                    self.changed = true;
                }
            }
            if ui.selectable_label(!known, OTHER).clicked() && known {
                self.draft.method.clear();
                self.changed = true;
            }
        });
        name(ui, &response.response, "Method");
        if !known {
            let spec = Spec { caption: "Method", hint: "PURGE", unit: "", width: SHORT };
            let response = self.edit(ui, At::Method, spec, |draft| &mut draft.method);
            name(ui, &response, "Other method");
        }
    }

    /// Pacing, rate, connections, end, warm-up and timeout.
    pub(super) fn load(&mut self, ui: &mut Ui) {
        self.row(ui, "Pacing", |sheet, ui, _| {
            sheet.choice(ui, "Pacing", &PACINGS, |draft| &mut draft.pacing)
        });
        self.row(ui, "", |sheet, ui, _| sheet.remark(ui, pacing_words(sheet.draft.pacing)));
        if !matches!(self.draft.pacing, PacingKind::Max | PacingKind::Kept) {
            let unit = match self.draft.pacing {
                PacingKind::Poisson => "requests/s on average",
                _ => "requests/s",
            };
            let spec = Spec { caption: "Rate", hint: "100", unit, width: SHORT };
            self.line(ui, At::Rate, spec, |draft| &mut draft.rate);
        }
        let unit = if self.draft.pacing == PacingKind::Max {
            "kept busy, one request at a time each"
        } else {
            "at most, one request at a time each"
        };
        let spec = Spec { caption: "Connections", hint: "16", unit, width: SHORT };
        self.line(ui, At::Connections, spec, |draft| &mut draft.connections);
        self.end(ui);
        let spec =
            Spec { caption: "Warm-up", hint: "0s", unit: "(s, m, h) sent first, not counted", width: SHORT };
        self.line(ui, At::Warmup, spec, |draft| &mut draft.warmup);
        let spec = Spec { caption: "Timeout", hint: "5s", unit: "(ms, s, m) for one request", width: SHORT };
        self.line(ui, At::Timeout, spec, |draft| &mut draft.timeout);
    }

    fn end(&mut self, ui: &mut Ui) {
        self.row(ui, "Ends after", |sheet, ui, _| {
            sheet.choice(ui, "Ends after", &STOPS, |draft| &mut draft.stop)
        });
        match self.draft.stop {
            StopKind::Duration => {
                let spec = Spec {
                    caption: "Duration",
                    hint: "30s",
                    unit: "(s, m, h) for example 30s, 2m",
                    width: SHORT,
                };
                self.line(ui, At::Stop, spec, |draft| &mut draft.duration);
            }
            StopKind::Requests => {
                let spec = Spec { caption: "Requests", hint: "10000", unit: "requests", width: SHORT };
                self.line(ui, At::Stop, spec, |draft| &mut draft.requests);
            }
            StopKind::Never => {
                self.row(ui, "", |sheet, ui, _| sheet.remark(ui, "By itself, or when it is stopped"));
            }
        }
    }
}

const OTHER: &str = "Other…";

const PACINGS: [(PacingKind, &str); 3] = [
    (PacingKind::Constant, "Constant rate"),
    (PacingKind::Poisson, "Poisson arrivals"),
    (PacingKind::Max, "As fast as possible"),
];

const STOPS: [(StopKind, &str); 2] =
    [(StopKind::Duration, "A time"), (StopKind::Requests, "A number of requests")];

fn pacing_words(pacing: PacingKind) -> &'static str {
    match pacing {
        PacingKind::Constant => "Evenly spaced, whether or not answers come (open loop)",
        PacingKind::Poisson => "At random moments, as independent users would come (open loop)",
        PacingKind::Max => {
            "The next request follows the answer (closed loop): a slow target is asked less often"
        }
        PacingKind::Kept => "At a rate that changes, as the plan has it",
    }
}
