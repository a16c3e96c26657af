//! Asked in place before a search: how high, how exact, how often.

use eframe::egui::{Frame, Key, KeyboardShortcut, Label, Margin, Modifiers, RichText, Stroke, Ui};

use crate::app::Command;
use crate::model::{Plan, Search, number};
use crate::ui::{Cx, widgets};

use super::draft::digits;
use super::sheet::{Section, name};
use super::words::{sentence_case, spaced};
use super::{Check, LoadPage, RUNNING};

/// The keys that ask for a search.
pub(in crate::ui) const FIND: KeyboardShortcut =
    KeyboardShortcut::new(Modifiers::COMMAND.plus(Modifiers::SHIFT), Key::Enter);

/// From this width on, in points, the fields are beside each other.
const ONE_ROW: f32 = 560.0;

/// How to search, as it is being typed.
#[derive(Clone, Debug)]
pub(super) struct Find {
    highest: String,
    /// In percent.
    resolution: String,
    repeats: String,
    /// Whether the first field shall take the focus.
    is_fresh: bool,
}

impl Find {
    fn new() -> Self {
        let Search { highest, resolution, repeats } = Search::default();
        Self {
            highest: highest.to_string(),
            resolution: (resolution * 100.0).round().to_string(),
            repeats: repeats.to_string(),
            is_fresh: true,
        }
    }

    /// What the texts stand for.
    fn search(&self) -> Result<Search, String> {
        let highest = digits(self.highest.trim().trim_end_matches("/s")).parse();
        let highest = highest.map_err(|_| "write the highest rate to try, for example 100000".to_owned())?;
        let resolution = digits(self.resolution.trim().trim_end_matches('%')).parse::<f64>();
        let resolution =
            resolution.map_err(|_| "write how exact the answer must be, for example 5".to_owned())?;
        let repeats = digits(&self.repeats).parse();
        let repeats = repeats.map_err(|_| "write the number of trials, for example 3".to_owned())?;
        Ok(Search { highest, resolution: resolution / 100.0, repeats })
    }
}

impl LoadPage {
    pub(super) fn ask_to_find(&mut self) {
        if self.find.is_none() {
            self.find = Some(Find::new());
        }
    }

    /// The question above the bar with the buttons.
    pub(super) fn find_ui(&mut self, cx: &mut Cx<'_>, ui: &mut Ui) {
        let Some(mut find) = self.find.take() else { return };
        if ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Escape)) {
            return;
        }
        let frame = Frame::new()
            .fill(cx.theme.raised)
            .stroke(Stroke::new(1.0, cx.theme.border))
            .inner_margin(Margin::same(12))
            .corner_radius(4.0);
        let is_fresh = find.is_fresh;
        ui.add_space(12.0);
        let is_open = frame.show(ui, |ui| {
            ui.set_width(ui.available_width());
            widgets::section(ui, "Find the highest rate that meets the goals");
            ui.add_space(4.0);
            find.fields(cx, ui);
            ui.add_space(4.0);
            self.find_answer(cx, ui, &find)
        });
        if is_fresh {
            is_open.response.scroll_to_me(None);
        }
        if is_open.inner {
            self.find = Some(find);
        }
    }

    /// What will be done or what is missing, and the buttons; whether the question stays.
    fn find_answer(&mut self, cx: &mut Cx<'_>, ui: &mut Ui, find: &Find) -> bool {
        let asked = find.asked(&self.check);
        let refusal = match &asked {
            _ if cx.state.is_running() => Some(RUNNING),
            Err(reason) => Some(reason.as_str()),
            Ok(_) => None,
        };
        let (words, color) = match (&asked, refusal) {
            (_, Some(refusal)) => (sentence_case(refusal), cx.theme.warning),
            (Ok((plan, search)), None) => (words(plan, search), cx.theme.text_muted),
            (Err(_), None) => (String::new(), cx.theme.text_muted),
        };
        ui.add(Label::new(RichText::new(words).color(color)).wrap());
        ui.add_space(4.0);
        let mut stays = true;
        ui.horizontal(|ui| {
            let ready = refusal.map_or(Ok(()), Err);
            if widgets::button_if(ui, "Start search", ready)
                && let Ok((plan, search)) = &asked
            {
                cx.push(Command::FindMax(Box::new(plan.clone()), *search));
                self.ran = Some(self.draft.clone());
                stays = false;
            }
            if ui.button("Cancel").clicked() {
                stays = false;
            }
            let has_goal = self.draft.goals.iter().any(|goal| !goal.trim().is_empty());
            if !has_goal && ui.button("Set a goal").clicked() {
                if self.draft.goals.is_empty() {
                    self.draft.goals.push(String::new());
                }
                self.check_again();
                self.open.push(Section::Goals);
                self.focus_goal = true;
            }
        });
        stays
    }
}

impl Find {
    fn fields(&mut self, cx: &Cx<'_>, ui: &mut Ui) {
        let field = |ui: &mut Ui, words: &str, text: &mut String, width: f32, unit: &str| {
            ui.label(words);
            let response = widgets::edit(ui, cx.theme, widgets::line(text).desired_width(width));
            name(ui, &response, words);
            ui.label(RichText::new(unit).color(cx.theme.text_muted));
            ui.add_space(12.0);
            response
        };
        let mut rows = |ui: &mut Ui| {
            let first = ui.horizontal(|ui| field(ui, "Up to", &mut self.highest, 88.0, "requests/s")).inner;
            if std::mem::take(&mut self.is_fresh) {
                first.request_focus();
            }
            ui.horizontal(|ui| field(ui, "Exact to", &mut self.resolution, 40.0, "%"));
            ui.horizontal(|ui| field(ui, "Trials at each edge", &mut self.repeats, 40.0, ""));
        };
        if ui.available_width() < ONE_ROW { rows(ui) } else { _ = ui.horizontal(rows) }
    }

    /// The plan and the search, or the first thing that is in the way.
    fn asked(&self, check: &Check) -> Result<(Plan, Search), String> {
        let search = self.search()?;
        let plan = check.plan.as_ref().map_err(|_| check.words.clone())?;
        search.check(plan)?;
        Ok((plan.clone(), search))
    }
}

/// `Trials of 30 s each, from 100/s on, until the highest rate that meets p99<20ms is known to 5 %`.
fn words(plan: &Plan, search: &Search) -> String {
    let goals: Vec<String> = plan.goals.iter().map(ToString::to_string).collect();
    let length = plan.counted_length().map(spaced).unwrap_or_default();
    let from = plan.pacing.rate_per_sec().map(number::rate).unwrap_or_default();
    format!(
        "Trials of {length} each, from {from} on, until the highest rate that meets {} is known to {} %",
        goals.join(" and "),
        (search.resolution * 1e4).round() / 1e2
    )
}
