//! Questions that must be answered before anything is lost or much load is sent. The only modal dialogs.

use eframe::egui::{Area, Context, Frame, Id, Label, Margin, Modal, Role, Ui, vec2};

use crate::app::Command;
use crate::app::clusters::{ClusterCommand, ask_words};
use crate::app::state::Question;
use crate::model::number;
use crate::ui::theme::{CONTROL_HEIGHT, SPACE};
use crate::ui::{Cx, widgets};

const WIDTH: f32 = 440.0;

/// The words of a question and what its answers ask for.
struct Dialog {
    title: &'static str,
    words: String,
    yes: (&'static str, Command),
    no: (&'static str, Command),
}

pub(super) fn ui(ctx: &Context, cx: &mut Cx<'_>) {
    let Some(question) = &cx.state.question else { return };
    let dialog = dialog(cx, question);
    let id = Id::unique("question");
    let area: Area = Modal::default_area(id).accessible_name(dialog.title).role(Role::AlertDialog);
    let frame = Frame::popup(&ctx.global_style()).inner_margin(Margin::same(20));
    let shown = Modal::new(id)
        .area(area)
        .frame(frame)
        .backdrop_color(cx.theme.shade())
        .show(ctx, |ui| content(ui, cx, &dialog));
    let answer = shown.inner;
    let closed = shown.should_close();
    match answer {
        Some(true) => cx.push(dialog.yes.1),
        Some(false) => cx.push(dialog.no.1),
        None if closed => cx.push(dialog.no.1),
        None => {}
    }
}

fn dialog(cx: &Cx<'_>, question: &Question) -> Dialog {
    match question {
        Question::Quit => Dialog {
            title: "Stop the run and close?",
            words: quit_words(cx),
            yes: ("Stop and close", Command::QuitConfirmed),
            no: ("Keep running", Command::DismissQuitQuestion),
        },
        Question::Login(ask) => Dialog {
            title: "Agree to this login?",
            words: ask_words(ask),
            yes: ("Agree and connect", Command::Cluster(ClusterCommand::Agree)),
            no: ("Cancel", Command::Cluster(ClusterCommand::Decline)),
        },
        Question::HeavyLoad { plan, reason, .. } => Dialog {
            title: "Send this much load?",
            words: format!("{reason}\n\nTarget: {}", plan.target.url),
            yes: ("Run test", Command::AgreeToLoad),
            no: ("Cancel", Command::DismissLoadQuestion),
        },
    }
}

fn quit_words(cx: &Cx<'_>) -> String {
    let kept = "What it has measured so far will be kept.";
    match &cx.state.live {
        Some(live) => {
            let since = number::clock(live.elapsed.as_secs_f64());
            let plan = &live.plan;
            let name = if plan.name.is_empty() { &plan.target.url } else { &plan.name };
            format!("“{name}” has been running for {since}. {kept}")
        }
        None => format!("A run is going. {kept}"),
    }
}

/// Whether the answer was yes or no; none until one is given. The safe answer has the focus.
fn content(ui: &mut Ui, cx: &Cx<'_>, dialog: &Dialog) -> Option<bool> {
    ui.set_width(WIDTH);
    ui.spacing_mut().item_spacing.y = SPACE[2];
    widgets::heading(ui, dialog.title);
    ui.add(Label::new(&dialog.words).wrap());
    ui.add_space(SPACE[0]);
    ui.horizontal(|ui| {
        let no = ui.add(eframe::egui::Button::new(dialog.no.0).min_size(vec2(0.0, CONTROL_HEIGHT + 4.0)));
        let asked = ui.ctx().memory(|memory| memory.focused().is_none());
        if asked {
            no.request_focus();
        }
        let yes = widgets::primary(ui, cx.theme, dialog.yes.0);
        if no.clicked() { Some(false) } else { yes.clicked().then_some(true) }
    })
    .inner
}
