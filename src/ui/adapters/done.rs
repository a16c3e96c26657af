//! What was done with adapters, and what they reported.

use eframe::egui::{CollapsingHeader, Label, RichText, ScrollArea, Ui};

use crate::app::adapters::{AdapterCommand, Adapters};
use crate::app::clusters::{Aim, ClusterCommand};
use crate::app::operations;
use crate::model::adapter::book::{AdapterId, OperationRecord, OperationState, Report, Reported, SILENT_S};
use crate::model::adapter::{AdapterEvent, Severity};
use crate::model::plan::TargetKind;
use crate::ui::clusters::name;
use crate::ui::icon::Icon;
use crate::ui::theme::SPACE;
use crate::ui::{Cx, widgets};

const ICON: f32 = 14.0;

/// The operations of one adapter, the latest first.
pub(super) fn operations(cx: &mut Cx<'_>, ui: &mut Ui, id: AdapterId) {
    let records = &cx.state.adapters.book.operations;
    let of: Vec<&OperationRecord> = records.iter().filter(|record| record.adapter == id).collect();
    if of.is_empty() {
        let words = "What you ask of this adapter is kept here, with how it went.";
        widgets::empty_state(ui, cx.theme, "Nothing was done yet", words, None);
        return;
    }
    ScrollArea::vertical().id_salt("operations").auto_shrink(false).show(ui, |ui| {
        for record in of {
            operation(cx, ui, record);
        }
    });
}

fn operation(cx: &mut Cx<'_>, ui: &mut Ui, record: &OperationRecord) {
    let (icon, ink, words) = state(cx, record);
    let verb = if record.request.removes { "Remove: " } else { "" };
    let contexts: Vec<&str> = record.contexts.iter().map(|key| cx.state.clusters.book.title(key)).collect();
    ui.horizontal(|ui| {
        icon.show(ui, ICON, ink);
        ui.add(Label::new(format!("{verb}{}", record.operation.text)).truncate());
    });
    let when = record.started.map(widgets::when).unwrap_or_default();
    let namespace = match record.request.namespace.as_str() {
        "" => "all namespaces",
        namespace => namespace,
    };
    let about = format!("{words} · {namespace} in {} · {when}", contexts.join(", "));
    ui.add(Label::new(RichText::new(about).small().color(cx.theme.text_muted)).wrap());
    buttons(cx, ui, record);
    if !record.reports.is_empty() {
        let is_last = cx.state.adapters.book.operations.first() == Some(record);
        let title = match record.reports.len() {
            1 => "1 report".to_owned(),
            count => format!("{count} reports"),
        };
        let open = CollapsingHeader::new(title).id_salt(&record.request.id).default_open(is_last);
        open.show(ui, |ui| {
            for report in &record.reports {
                reported(cx, ui, report);
            }
        });
    }
    ui.add_space(SPACE[1]);
}

/// What can be done about an operation that waits, and with a sample application that is there.
fn buttons(cx: &mut Cx<'_>, ui: &mut Ui, record: &OperationRecord) {
    let id = &record.request.id;
    if record.state == OperationState::Waiting {
        ui.horizontal(|ui| {
            let now = ui.button("Do not wait");
            if now.on_hover_text("Most adapters keep one kubeconfig for all that they do").clicked() {
                cx.adapter(AdapterCommand::DoNotWait(id.clone()));
            }
            if ui.button("Withdraw").clicked() {
                cx.adapter(AdapterCommand::Withdraw(id.clone()));
            }
        });
    }
    let is_ours = Adapters::is_built_in(record.adapter);
    if record.state == OperationState::Running && is_ours {
        let stop = ui.button("Stop").on_hover_text("What was done until now stays");
        name(ui, stop.id, &format!("Stop {}", record.operation.text));
        if stop.clicked() {
            cx.adapter(AdapterCommand::StopOperation(id.clone()));
        }
    }
    let tried = operations::tried_at(record).filter(|_| record.state == OperationState::Succeeded);
    let Some((service, port)) = tried else { return };
    ui.horizontal(|ui| {
        for context in &record.contexts {
            let title = cx.state.clusters.book.title(context);
            let words = match record.contexts.len() {
                1 => "Load test this".to_owned(),
                _ => format!("Load test this in {title}"),
            };
            if ui
                .button(words)
                .on_hover_text(format!("svc/{}/{service}:{port}", record.request.namespace))
                .clicked()
            {
                cx.cluster(ClusterCommand::Aim(Aim {
                    context: context.clone(),
                    kind: TargetKind::Service,
                    namespace: record.request.namespace.clone(),
                    name: service.to_owned(),
                    port,
                    url: None,
                }));
            }
        }
    });
}

fn state(cx: &Cx<'_>, record: &OperationRecord) -> (Icon, eframe::egui::Color32, String) {
    let theme = cx.theme;
    let silent =
        cx.state.adapters.now.and_then(|now| record.silent_s(now)).filter(|silent| *silent >= SILENT_S);
    match (record.state, silent) {
        (OperationState::Running, Some(silent)) => {
            (Icon::Warning, theme.warning, format!("No word for {} minutes", silent / 60))
        }
        (OperationState::Running, None) => (Icon::About, theme.text_muted, "Running".to_owned()),
        (OperationState::Waiting, _) => {
            (Icon::About, theme.text_muted, "Waits for the adapter’s other operation".to_owned())
        }
        (OperationState::Withdrawn, _) => (Icon::About, theme.text_muted, "Never begun".to_owned()),
        (OperationState::Succeeded, _) => (Icon::Good, theme.good, "Done".to_owned()),
        (OperationState::Failed, _) => (Icon::Error, theme.error, "Failed".to_owned()),
        (OperationState::Unknown, _) => {
            (Icon::Warning, theme.warning, "How it ended is not known".to_owned())
        }
    }
}

fn reported(cx: &Cx<'_>, ui: &mut Ui, report: &Report) {
    event(cx, ui, &report.event, Some(report.at));
}

fn event(cx: &Cx<'_>, ui: &mut Ui, event: &AdapterEvent, at: Option<jiff::Timestamp>) {
    let (icon, ink) = match event.severity {
        Severity::Info => (Icon::About, cx.theme.text_muted),
        Severity::Warning => (Icon::Warning, cx.theme.warning),
        Severity::Error => (Icon::Error, cx.theme.error),
    };
    ui.horizontal_top(|ui| {
        if let Some(at) = at {
            ui.label(RichText::new(widgets::time(at)).small().color(cx.theme.text_muted));
        }
        icon.show(ui, ICON, ink);
        ui.vertical(|ui| {
            ui.add(Label::new(&event.summary).wrap());
            let more = [("Cause: ", &event.cause), ("What to do: ", &event.remedy), ("", &event.details)];
            for (caption, words) in more.into_iter().filter(|(_, words)| !words.is_empty()) {
                let words = RichText::new(format!("{caption}{words}")).small().color(cx.theme.text_muted);
                ui.add(Label::new(words).wrap());
            }
        });
    });
}

/// What is searched for among events.
#[derive(Debug, Default)]
pub(super) struct View {
    query: String,
    /// Less grave ones are left out.
    least: Severity,
}

impl View {
    pub(super) fn ui(&mut self, cx: &mut Cx<'_>, ui: &mut Ui) {
        ui.horizontal(|ui| {
            let line = widgets::line(&mut self.query).hint_text("Search events").desired_width(220.0);
            let field = widgets::edit(ui, cx.theme, line);
            name(ui, field.id, "Search events");
            let options =
                [(Severity::Info, "All"), (Severity::Warning, "Warnings"), (Severity::Error, "Errors")];
            widgets::segmented(ui, cx.theme, "Which events", &mut self.least, &options);
        });
        ui.add_space(SPACE[1]);
        let query = self.query.trim().to_lowercase();
        let fits = |reported: &&Reported| {
            let event = &reported.event;
            let texts = [&event.summary, &event.details, &event.cause, &reported.adapter_name];
            event.severity >= self.least
                && query
                    .split_whitespace()
                    .all(|word| texts.iter().any(|text| text.to_lowercase().contains(word)))
        };
        let shown: Vec<&Reported> = cx.state.adapters.book.events.iter().rev().filter(fits).collect();
        if shown.is_empty() {
            let (title, words) = match cx.state.adapters.book.events.is_empty() {
                true => ("No events yet", "What adapters report is kept here."),
                false => ("No event fits", "Search for other words, or show all."),
            };
            widgets::empty_state(ui, cx.theme, title, words, None);
        }
        ScrollArea::vertical().id_salt("events").auto_shrink(false).show(ui, |ui| {
            for reported in shown {
                let about = format!("{} · {}", reported.adapter_name, widgets::when(reported.at));
                let words = RichText::new(about).small().color(cx.theme.text_muted);
                ui.label(if reported.is_read { words } else { words.strong() });
                event(cx, ui, &reported.event, None);
                ui.add_space(SPACE[0]);
            }
        });
        if cx.state.adapters.book.unread() > 0 {
            cx.adapter(AdapterCommand::ReadEvents);
        }
    }
}
