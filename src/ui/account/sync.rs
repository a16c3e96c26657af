//! With whom history is shared, how that stands, and how to begin.

use eframe::egui::{ComboBox, Label, RichText, Ui};
use jiff::Timestamp;
use uuid::Uuid;

use crate::app::Command;
use crate::app::sharing::{Going, SharingCommand, Standing};
use crate::model::account::Account;
use crate::model::number;
use crate::model::sync::{Choice, SyncTarget};
use crate::ui::form::name;
use crate::ui::theme::SPACE;
use crate::ui::widgets::{self, Field};
use crate::ui::{Cx, icon};

use super::{muted, panel};

/// The name of the space that everybody has alone.
const PERSONAL: &str = "me";
/// The most refusals that are on show at once.
const REFUSALS_SHOWN: usize = 20;

/// What is being written.
#[derive(Debug)]
pub(super) struct SyncForm {
    space: String,
    what: What,
    label: String,
}

/// What of history goes up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Everything,
    FromNowOn,
    Labelled,
}

impl Default for SyncForm {
    fn default() -> Self {
        Self { space: PERSONAL.to_owned(), what: What::Everything, label: String::new() }
    }
}

impl SyncForm {
    pub(super) fn ui(&mut self, cx: &mut Cx<'_>, ui: &mut Ui) {
        let targets = cx.state.sharing.book.targets.clone();
        for target in &targets {
            one(cx, ui, target);
        }
        let Some((account, server)) = account(cx) else {
            if targets.is_empty() {
                let words = "Sync is off: every run stays on this machine. To have one history on all your machines, or a \
                             team’s results together, log in at a Meshbench server first. A server of your own: \
                             meshbench serve --help";
                muted(cx, ui, words);
            }
            return;
        };
        self.add(cx, ui, &account, &server);
    }

    fn add(&mut self, cx: &mut Cx<'_>, ui: &mut Ui, account: &Account, server: &str) {
        panel(cx.theme).show(ui, |ui| {
            ui.set_min_width(ui.available_width());
            ui.spacing_mut().item_spacing.y = SPACE[1];
            ui.label(RichText::new(format!("Sync history with {server}")).strong());
            muted(cx, ui, "Runs, plans, labels, notes and deletions go up and come down. Secrets in plans stay here. Whoever runs the server can read the rest.");
            ui.horizontal_top(|ui| {
                let field = Field { name: "Space: me, or a team", hint: PERSONAL, unit: "", reason: None, width: 180.0 };
                widgets::field(ui, cx.theme, field, &mut self.space);
                ui.vertical(|ui| {
                    ui.spacing_mut().item_spacing.y = SPACE[0];
                    widgets::caption(ui, cx.theme, "What goes up");
                    let options = [
                        (What::Everything, "Everything"),
                        (What::FromNowOn, "From now on"),
                        (What::Labelled, "Runs with a label"),
                    ];
                    widgets::segmented(ui, cx.theme, "What goes up", &mut self.what, &options);
                });
                if self.what == What::Labelled {
                    let field = Field { name: "Label", hint: "mesh=istio", unit: "", reason: None, width: 160.0 };
                    widgets::field(ui, cx.theme, field, &mut self.label);
                }
            });
            let choice = self.choice();
            let ready = choice.as_ref().map(|_| ()).map_err(|reason| *reason);
            if widgets::primary_if(ui, cx.theme, "Turn on sync", ready)
                && let Ok(choice) = choice
            {
                let target = SyncTarget {
                    id: Uuid::now_v7(),
                    server: server.to_owned(),
                    account: account.id,
                    space: self.space.trim().to_owned(),
                    choice,
                    is_on: true,
                };
                cx.push(Command::Sharing(SharingCommand::Put(target)));
            }
        });
    }

    fn choice(&self) -> Result<Choice, &'static str> {
        if self.space.trim().is_empty() {
            return Err("Write which space: me for your own, or a team’s");
        }
        match self.what {
            What::Everything => Ok(Choice::Everything),
            What::FromNowOn => Ok(Choice::Since(Timestamp::now())),
            What::Labelled => {
                let (key, value) = self.label.trim().split_once('=').ok_or("Write the label as key=value")?;
                Ok(Choice::Labelled([(key.trim().to_owned(), value.trim().to_owned())].into()))
            }
        }
    }
}

/// The account in use at a server that history is not shared with yet in the same way.
fn account(cx: &Cx<'_>) -> Option<(Account, String)> {
    let account = cx.state.accounts.book.active()?;
    let server = cx.state.accounts.book.provider(account.provider)?.server.clone()?;
    Some((account.clone(), server))
}

fn one(cx: &mut Cx<'_>, ui: &mut Ui, target: &SyncTarget) {
    let standing = cx.state.sharing.targets.get(&target.id).cloned().unwrap_or_default();
    panel(cx.theme).show(ui, |ui| {
        ui.set_min_width(ui.available_width());
        ui.spacing_mut().item_spacing.y = SPACE[1];
        ui.horizontal(|ui| {
            icon::Icon::Cloud.show(ui, 18.0, cx.theme.text_muted);
            let space = if target.space == PERSONAL { "personal space" } else { target.space.as_str() };
            ui.label(RichText::new(format!("{} · {space}", target.server)).strong());
            muted(cx, ui, &chosen(&target.choice));
        });
        ui.add(Label::new(RichText::new(state_words(target, &standing)).color(cx.theme.text)).wrap());
        if let Some(trouble) = &standing.trouble {
            widgets::warning(ui, cx.theme, trouble);
        }
        refusals(cx, ui, target.id, &standing);
        ui.horizontal(|ui| {
            let mut is_on = target.is_on;
            widgets::checkbox(ui, cx.theme, &mut is_on, "On");
            if is_on != target.is_on {
                let changed = SyncTarget { is_on, ..target.clone() };
                cx.push(Command::Sharing(SharingCommand::Put(changed)));
            }
            let ready = if standing.going.is_some() { Err("It goes on already") } else { Ok(()) };
            if widgets::button_if(ui, "Sync now", ready) {
                cx.push(Command::Sharing(SharingCommand::Now(target.id)));
            }
            choice_menu(cx, ui, target);
            if ui
                .button("Remove")
                .on_hover_text("Shares nothing more; history stays, here and there")
                .clicked()
            {
                cx.push(Command::Sharing(SharingCommand::Remove(target.id)));
            }
        });
    });
}

fn choice_menu(cx: &mut Cx<'_>, ui: &mut Ui, target: &SyncTarget) {
    let shown = ComboBox::from_id_salt(("what goes up", target.id)).selected_text("What goes up…");
    let combo = shown.show_ui(ui, |ui| {
        for (words, choice) in
            [("Everything", Choice::Everything), ("Only from now on", Choice::Since(Timestamp::now()))]
        {
            if ui.selectable_label(false, words).clicked() {
                let changed = SyncTarget { choice, ..target.clone() };
                cx.push(Command::Sharing(SharingCommand::Put(changed)));
            }
        }
    });
    name(ui, &combo.response, "What goes up");
}

fn chosen(choice: &Choice) -> String {
    match choice {
        Choice::Everything => "everything goes up".to_owned(),
        Choice::Since(start) => format!("runs since {} go up", widgets::when(*start)),
        Choice::Labelled(labels) => {
            let pairs: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
            format!("runs with {} go up", pairs.join(", "))
        }
    }
}

fn state_words(target: &SyncTarget, standing: &Standing) -> String {
    let count = |value: usize| number::count(value as u64);
    let reached = match standing.kept.reached {
        Some(at) => format!("last complete {}", widgets::when(at)),
        None => "never complete yet".to_owned(),
    };
    let now = match &standing.going {
        _ if !target.is_on && standing.going.is_none() => "Off".to_owned(),
        Some(Going::Asking) => "Asking the server…".to_owned(),
        Some(Going::Receiving(done)) => format!("{} records received…", count(*done)),
        Some(Going::Sending(done, of)) => format!("{} of {} records sent…", count(*done), count(*of)),
        None if standing.trouble.is_some() => "Not reached".to_owned(),
        None if standing.kept.waiting == 0 && standing.kept.reached.is_some() => "Up to date".to_owned(),
        None => "Waiting".to_owned(),
    };
    let waiting = standing.kept.waiting;
    let waits =
        if waiting == 0 { "nothing waits".to_owned() } else { format!("{} records wait", count(waiting)) };
    let shared = count(standing.kept.shared.len());
    let newer = match standing.kept.newer {
        0 => String::new(),
        some => format!(" · {} records need a newer Meshbench", number::count(some)),
    };
    format!("{now} · {waits} · {shared} runs are there · {reached}{newer}")
}

fn refusals(cx: &mut Cx<'_>, ui: &mut Ui, target: Uuid, standing: &Standing) {
    let refused = &standing.kept.refused;
    if refused.is_empty() {
        return;
    }
    let title = match refused.len() {
        1 => "1 record needs your attention".to_owned(),
        many => format!("{} records need your attention", number::count(many as u64)),
    };
    ui.collapsing(title, |ui| {
        for (digest, refusal) in refused.iter().take(REFUSALS_SHOWN) {
            let run = refusal.subject.and_then(|id| cx.state.history.iter().find(|run| run.id.0 == id));
            let what =
                run.map_or_else(|| format!("record {}", digest.short(12)), |run| format!("“{}”", run.name));
            let way = if refusal.is_up { "was not sent" } else { "was not taken in" };
            ui.add(Label::new(format!("{what} {way}: {}", refusal.reason)).wrap());
        }
    });
    if ui.button("Try again").clicked() {
        cx.push(Command::Sharing(SharingCommand::TryAgain(target)));
    }
}
