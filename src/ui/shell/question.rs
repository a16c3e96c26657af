//! Questions that must be answered before anything is lost or much load is sent. The only modal dialogs.

use eframe::egui::{Area, Context, Frame, Id, Label, Margin, Modal, RichText, Role, ScrollArea, Ui, vec2};

use crate::app::Command;
use crate::app::accounts::AccountCommand;
use crate::app::adapters::{AdapterCommand, OperationQuestion, Rehearsal};
use crate::app::clusters::{ClusterCommand, ask_words};
use crate::app::state::Question;
use crate::model::adapter::{Change, Changed};
use crate::model::number;
use crate::ui::theme::{CONTROL_HEIGHT, SIZE_SMALL, SPACE};
use crate::ui::{Cx, widgets};

const WIDTH: f32 = 440.0;
/// Of one that lists what would change.
const WIDTH_OF_CHANGES: f32 = 620.0;
/// The most objects of a cluster that are named; of more the count is told.
const OBJECTS_MAX: usize = 60;
/// The most fields of an object that are shown.
const FIELDS_MAX: usize = 12;

/// The words of a question and what its answers ask for.
struct Dialog {
    title: &'static str,
    words: String,
    /// What an operation would do in each context, by its title.
    changes: Vec<(String, Rehearsal)>,
    /// What must be typed before the answer can be yes.
    must_type: Option<String>,
    /// Why.
    typed_for: &'static str,
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
            changes: Vec::new(),
            must_type: None,
            typed_for: "",
            yes: ("Stop and close", Command::QuitConfirmed),
            no: ("Keep running", Command::DismissQuitQuestion),
        },
        Question::Login(ask) => Dialog {
            title: "Agree to this login?",
            words: ask_words(ask),
            changes: Vec::new(),
            must_type: None,
            typed_for: "",
            yes: ("Agree and connect", Command::Cluster(ClusterCommand::Agree)),
            no: ("Cancel", Command::Cluster(ClusterCommand::Decline)),
        },
        Question::Operation(question) => Dialog {
            title: "Carry this out?",
            words: operation_words(question),
            changes: question
                .rehearsals
                .iter()
                .map(|(key, told)| (cx.state.clusters.book.title(key).to_owned(), told.clone()))
                .collect(),
            must_type: question.must_type.clone(),
            typed_for: "This is production. Type its name to go on",
            yes: ("Carry out", Command::Adapter(AdapterCommand::Agree(String::new()))),
            no: ("Cancel", Command::Adapter(AdapterCommand::Decline)),
        },
        Question::DeleteAccount(asked) => Dialog {
            title: "Delete this account?",
            words: asked.words(),
            changes: Vec::new(),
            must_type: Some(asked.host.clone()),
            typed_for: "It cannot be taken back. Type the server’s name to go on",
            yes: ("Delete for good", Command::Account(AccountCommand::Delete(asked.account))),
            no: ("Cancel", Command::Account(AccountCommand::KeepAccount)),
        },
        Question::HeavyLoad { plan, reason, .. } => Dialog {
            title: "Send this much load?",
            words: format!("{reason}\n\nTarget: {}", plan.target.url),
            changes: Vec::new(),
            must_type: None,
            typed_for: "",
            yes: ("Run test", Command::AgreeToLoad),
            no: ("Cancel", Command::DismissLoadQuestion),
        },
    }
}

/// What would change in one cluster, as its API server says.
fn changes(ui: &mut Ui, cx: &Cx<'_>, context: &str, told: &Rehearsal) {
    ui.spacing_mut().item_spacing.y = SPACE[0];
    ui.add_space(SPACE[1]);
    widgets::section(ui, &format!("What would change in {context}"));
    match told {
        Rehearsal::Asked => widgets::waiting(ui, cx, "Asking the cluster; nothing is changed by that…"),
        Rehearsal::Failed(reason) => widgets::warning(ui, cx.theme, reason),
        Rehearsal::Told(changes) if changes.is_empty() => {
            widgets::caption(ui, cx.theme, "Nothing: it has nothing of this");
        }
        Rehearsal::Told(changes) if changes.iter().all(|change| change.how == Changed::Unchanged) => {
            widgets::caption(ui, cx.theme, "Nothing: all of it is there already");
        }
        Rehearsal::Told(changes) => {
            for change in changes.iter().take(OBJECTS_MAX) {
                one_change(ui, cx, change);
            }
            if changes.len() > OBJECTS_MAX {
                widgets::caption(ui, cx.theme, &format!("and {} more objects", changes.len() - OBJECTS_MAX));
            }
        }
    }
}

fn one_change(ui: &mut Ui, cx: &Cx<'_>, change: &Change) {
    let theme = cx.theme;
    let (sign, ink, words) = match &change.how {
        Changed::Created => ("+", theme.good, "new"),
        Changed::Fields(_) => ("~", theme.warning, "changed"),
        Changed::Removed => ("−", theme.error, "taken away"),
        Changed::Released => ("−", theme.warning, "was there before: stays, without what was set in it"),
        Changed::Restarted => ("~", theme.warning, "its pods start anew"),
        Changed::Unchanged => ("=", theme.text_muted, "stays as it is"),
    };
    ui.horizontal(|ui| {
        ui.label(RichText::new(sign).monospace().color(ink));
        ui.add(Label::new(&*change.object).truncate());
        ui.label(RichText::new(words).small().color(theme.text_muted));
    });
    let Changed::Fields(fields) = &change.how else { return };
    for field in fields.iter().take(FIELDS_MAX) {
        let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
        let words = format!("{}: {} → {}", field.path, value(&field.old), value(&field.new));
        ui.indent("field", |ui| {
            ui.add(
                Label::new(RichText::new(words).monospace().size(SIZE_SMALL).color(theme.text_muted)).wrap(),
            );
        });
    }
    if fields.len() > FIELDS_MAX {
        let words = format!("and {} more fields", fields.len() - FIELDS_MAX);
        ui.indent("more", |ui| widgets::caption(ui, theme, &words));
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
fn typed(ui: &mut Ui, cx: &Cx<'_>, why: &str, name: &str) -> bool {
    let place = ui.scope_id().with(("typed", name));
    let mut words: String = ui.data_mut(|data| data.get_temp(place)).unwrap_or_default();
    let caption = ui.add(Label::new(format!("{why}: {name}")).wrap());
    let field = widgets::line(&mut words).desired_width(WIDTH - 8.0);
    widgets::edit(ui, cx.theme, field).labelled_by(caption.id);
    let is_typed = words.trim() == name;
    ui.data_mut(|data| data.insert_temp(place, words));
    is_typed
}

/// Whether the answer was yes or no; none until one is given. The safe answer has the focus.
fn content(ui: &mut Ui, cx: &Cx<'_>, dialog: &Dialog) -> Option<bool> {
    ui.set_width(if dialog.changes.is_empty() { WIDTH } else { WIDTH_OF_CHANGES });
    ui.spacing_mut().item_spacing.y = SPACE[2];
    widgets::heading(ui, dialog.title);
    let most = ui.ctx().content_rect().height() * 0.5;
    ScrollArea::vertical().max_height(most).show(ui, |ui| {
        ui.add(Label::new(&dialog.words).wrap());
        for (context, told) in &dialog.changes {
            changes(ui, cx, context, told);
        }
    });
    let must_type = dialog.must_type.as_ref();
    let is_typed = must_type.is_none_or(|name| typed(ui, cx, dialog.typed_for, name));
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
