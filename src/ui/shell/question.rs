//! Questions that must be answered before anything is lost or much load is sent. The only modal dialogs.

use eframe::egui::{Area, Context, Frame, Id, Label, Margin, Modal, Role, ScrollArea, Ui, vec2};

use crate::app::Command;
use crate::app::adapters::{AdapterCommand, OperationQuestion};
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
    /// What must be typed before the answer can be yes.
    must_type: Option<String>,
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
        Some(true) => cx.push(match dialog.yes.1 {
            Command::Adapter(AdapterCommand::Agree(_)) => {
                Command::Adapter(AdapterCommand::Agree(dialog.must_type.unwrap_or_default()))
            }
            yes => yes,
        }),
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
            must_type: None,
            yes: ("Stop and close", Command::QuitConfirmed),
            no: ("Keep running", Command::DismissQuitQuestion),
        },
        Question::Login(ask) => Dialog {
            title: "Agree to this login?",
            words: ask_words(ask),
            must_type: None,
            yes: ("Agree and connect", Command::Cluster(ClusterCommand::Agree)),
            no: ("Cancel", Command::Cluster(ClusterCommand::Decline)),
        },
        Question::Operation(question) => Dialog {
            title: "Carry this out?",
            words: operation_words(question),
            must_type: question.must_type.clone(),
            yes: ("Carry out", Command::Adapter(AdapterCommand::Agree(String::new()))),
            no: ("Cancel", Command::Adapter(AdapterCommand::Decline)),
        },
        Question::HeavyLoad { plan, reason, .. } => Dialog {
            title: "Send this much load?",
            words: format!("{reason}\n\nTarget: {}", plan.target.url),
            must_type: None,
            yes: ("Run test", Command::AgreeToLoad),
            no: ("Cancel", Command::DismissLoadQuestion),
        },
    }
}

fn operation_words(question: &OperationQuestion) -> String {
    let mut words = question.words.join("\n\n");
    if let Some(address) = &question.in_the_clear {
        words.push_str(&format!(
            "\n\nThe login goes to {address} without TLS: whoever is on the way can read and use it. To agree is kept for \
             this address."
        ));
    }
    words
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

/// Asks for a name to be typed, and whether it was.
fn typed(ui: &mut Ui, cx: &Cx<'_>, name: &str) -> bool {
    let place = ui.scope_id().with(("typed", name));
    let mut words: String = ui.data_mut(|data| data.get_temp(place)).unwrap_or_default();
    let caption = ui.label(format!("This is production. Type its name to go on: {name}"));
    let field = widgets::line(&mut words).desired_width(WIDTH - 8.0);
    widgets::edit(ui, cx.theme, field).labelled_by(caption.id);
    let is_typed = words.trim() == name;
    ui.data_mut(|data| data.insert_temp(place, words));
    is_typed
}

/// Whether the answer was yes or no; none until one is given. The safe answer has the focus.
fn content(ui: &mut Ui, cx: &Cx<'_>, dialog: &Dialog) -> Option<bool> {
    ui.set_width(WIDTH);
    ui.spacing_mut().item_spacing.y = SPACE[2];
    widgets::heading(ui, dialog.title);
    let most = ui.ctx().content_rect().height() * 0.5;
    ScrollArea::vertical().max_height(most).show(ui, |ui| ui.add(Label::new(&dialog.words).wrap()));
    let is_typed = dialog.must_type.as_ref().is_none_or(|name| typed(ui, cx, name));
    ui.add_space(SPACE[0]);
    ui.horizontal(|ui| {
        let no = ui.add(eframe::egui::Button::new(dialog.no.0).min_size(vec2(0.0, CONTROL_HEIGHT + 4.0)));
        let asked = ui.ctx().memory(|memory| memory.focused().is_none());
        if asked {
            no.request_focus();
        }
        let yes = ui.add_enabled_ui(is_typed, |ui| widgets::primary(ui, cx.theme, dialog.yes.0)).inner;
        if no.clicked() { Some(false) } else { (is_typed && yes.clicked()).then_some(true) }
    })
    .inner
}
