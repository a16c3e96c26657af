//! What every load test needs: where to, how fast, how long.

use eframe::egui::{ComboBox, Ui};

use super::draft::{At, PacingKind, ProtocolKind, StopKind, Which};
use super::request::{of_words, place};
use super::sheet::{SHORT, Sheet, Spec, VALUE, name};
use crate::app::state::Slot;
use crate::model::plan::{Route, ServiceTarget, TargetKind};
use crate::ui::widgets;

/// Offered as methods; any other can be typed.
const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

impl Sheet<'_> {
    /// Protocol, method and URL; with gRPC the call too.
    pub(super) fn target(&mut self, ui: &mut Ui, focus_url: bool) {
        self.row(ui, "URL", |sheet, ui, caption| {
            sheet.protocol(ui);
            if sheet.shows_method() {
                sheet.method(ui, Which::Plan);
            }
            let width = (ui.available_width() - 8.0).min(640.0);
            let spec = Spec { caption: "URL", hint: "http://localhost:8080/", unit: "", width };
            let response = sheet.edit(ui, At::Url, spec, |draft| &mut draft.url);
            if focus_url {
                response.request_focus();
            }
            response.labelled_by(caption.id)
        });
        self.service(ui);
        self.reason_below(ui, At::Url);
        self.reason_below(ui, At::Method);
        if self.draft.is_grpc() {
            self.grpc(ui);
        }
        if !self.has_streams() {
            self.reason_below(ui, At::Protocol);
        }
    }

    /// The Service of a cluster that the load is for, and how it is reached.
    fn service(&mut self, ui: &mut Ui) {
        let Some(service) = self.draft.service.clone() else { return };
        let caption = if service.kind == TargetKind::Pod { "Pod" } else { "Service" };
        self.row(ui, caption, |sheet, ui, _| {
            let place = format!("{}/{}:{}", service.namespace, service.name, service.port);
            ui.label(format!("{place} in {}", service.context));
            let mut route = service.route;
            let options = [(Route::PortForward, "Through the API server"), (Route::Direct, "By the URL")];
            if widgets::segmented(ui, sheet.theme, "How it is reached", &mut route, &options) {
                sheet.draft.service = Some(ServiceTarget { route, ..service.clone() });
            }
            if ui.button("Forget").on_hover_text("Load goes to the URL, whatever it is").clicked() {
                sheet.draft.service = None;
            }
        });
        if service.route == Route::PortForward {
            let words = "One pod is reached through the API server (port-forward): slower than the Service is, and said so in the result";
            widgets::caption(ui, self.theme, words);
        }
    }

    /// Whether the plan's own method is sent, or stands in the way.
    fn shows_method(&self) -> bool {
        let is_sent = self.draft.variants.is_empty() && !self.draft.is_grpc() && self.draft.echo().is_none();
        is_sent || self.wrong.iter().any(|wrong| wrong.at == At::Method)
    }

    fn has_streams(&self) -> bool {
        self.draft.target.protocol != ProtocolKind::Http1 && self.draft.echo().is_none()
    }

    /// The method of a request: one of the usual, or any other.
    pub(super) fn method(&mut self, ui: &mut Ui, which: Which) {
        let of = of_words(which);
        let current = self.draft.request(which).method.clone();
        let known = METHODS.contains(&current.as_str());
        let shown = if known { current.as_str() } else { OTHER };
        let combo = ComboBox::from_id_salt(("method", of.as_str())).selected_text(shown).width(88.0);
        let response = combo.show_ui(ui, |ui| {
            let mut chosen = None;
            for method in METHODS {
                if ui.selectable_label(current == method, method).clicked() {
                    chosen = Some(method);
                }
            }
            if ui.selectable_label(!known, OTHER).clicked() && known {
                chosen = Some("");
            }
            if let Some(method) = chosen {
                method.clone_into(&mut self.draft.request_mut(which).method);
                self.changed = true;
            }
        });
        name(ui, &response.response, &format!("Method{of}"));
        if !known {
            let spec = Spec { caption: "Method", hint: "PURGE", unit: "", width: SHORT };
            let at = place(which, At::Method);
            let response = self.edit(ui, at, spec, |draft| &mut draft.request_mut(which).method);
            name(ui, &response, &format!("Other method{of}"));
        }
    }

    /// Pacing, rate, connections, end, warm-up and timeout.
    pub(super) fn load(&mut self, ui: &mut Ui) {
        self.row(ui, "Pacing", |sheet, ui, _| {
            sheet.choice(ui, "Pacing", &PACINGS, |draft| &mut draft.pacing)
        });
        self.row(ui, "", |sheet, ui, _| sheet.remark(ui, pacing_words(sheet.draft.pacing)));
        if self.draft.pacing == PacingKind::Stages {
            let lines = self.draft.stages.lines().count().clamp(STAGE_LINES_MIN, STAGE_LINES_MAX);
            self.code(ui, At::Rate, "Stages", "Stages", lines, |draft| &mut draft.stages);
            self.reason_below(ui, At::Rate);
            self.preview(ui);
            self.row(ui, "", |sheet, ui, _| sheet.remark(ui, STAGES_WORDS));
            self.tick(ui, "", "At random moments", |draft| &mut draft.random_stages);
        }
        if self.draft.pacing == PacingKind::Replay {
            let spec = Spec { caption: "Recording", hint: "/path/to/moments.csv", unit: "", width: VALUE };
            self.path(ui, At::Rate, spec, Slot::Replay, |draft| &mut draft.replay_file);
            self.reason_below(ui, At::Rate);
            self.row(ui, "", |sheet, ui, _| sheet.remark(ui, REPLAY_WORDS));
        }
        if self.draft.pacing == PacingKind::Max {
            let unit = "after each answer, before the next request";
            let spec = Spec { caption: "Think time", hint: "0s", unit, width: SHORT };
            self.line(ui, At::Rate, spec, |draft| &mut draft.think);
        }
        if matches!(self.draft.pacing, PacingKind::Constant | PacingKind::Poisson) {
            let unit = match self.draft.pacing {
                PacingKind::Poisson => "requests/s on average",
                _ => "requests/s",
            };
            let spec = Spec { caption: "Rate", hint: "100", unit, width: SHORT };
            self.line(ui, At::Rate, spec, |draft| &mut draft.rate);
        }
        let has_streams = self.has_streams();
        let unit = match (self.draft.pacing == PacingKind::Max, has_streams) {
            (true, false) => "kept busy, one request at a time each",
            (false, false) => "at most, one request at a time each",
            (true, true) => "kept busy",
            (false, true) => "at most",
        };
        let spec = Spec { caption: "Connections", hint: "16", unit, width: SHORT };
        self.line(ui, At::Connections, spec, |draft| &mut draft.connections);
        if has_streams {
            let unit = "requests at a time on each connection";
            let spec = Spec { caption: "Streams", hint: "1", unit, width: SHORT };
            self.line(ui, At::Protocol, spec, |draft| &mut draft.target.streams);
        }
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

/// Lines that are shown of the stages without scrolling.
const STAGE_LINES_MIN: usize = 2;
const STAGE_LINES_MAX: usize = 10;
const STAGES_WORDS: &str = "hold 100 30s · ramp 100..1000 1m · steps 100..1000/10 5m · spike 100..1000@20s+5s 1m · sine 500±200/30s 5m · max/10ms 30s";
const REPLAY_WORDS: &str =
    "A number of seconds or an RFC 3339 time on each line, alone or as a CSV's first column";
const PACINGS: [(PacingKind, &str); 5] = [
    (PacingKind::Constant, "Constant rate"),
    (PacingKind::Poisson, "Poisson arrivals"),
    (PacingKind::Max, "As fast as possible"),
    (PacingKind::Stages, "Stages"),
    (PacingKind::Replay, "Recording"),
];

const STOPS: [(StopKind, &str); 3] = [
    (StopKind::Duration, "A time"),
    (StopKind::Requests, "A number of requests"),
    (StopKind::Never, "Nothing but Stop"),
];

fn pacing_words(pacing: PacingKind) -> &'static str {
    match pacing {
        PacingKind::Constant => "Evenly spaced, whether or not answers come (open loop)",
        PacingKind::Poisson => "At random moments, as independent users would come (open loop)",
        PacingKind::Max => {
            "The next request follows the answer (closed loop): a slow target is asked less often"
        }
        PacingKind::Stages => "At a rate that changes, whether or not answers come (open loop)",
        PacingKind::Replay => "At the moments of a recording, whether or not answers come (open loop)",
    }
}
