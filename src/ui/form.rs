//! The form of the load page: a plan as texts, checked as one types, and the list of saved plans.

mod common;
mod draft;
mod find;
mod labels;
mod methods;
mod mix;
mod more;
mod plans;
mod preview;
mod protocol;
mod reach;
mod request;
mod sheet;
mod tls;
mod words;

use std::sync::Arc;

use eframe::egui::{
    Align, CentralPanel, CollapsingHeader, Frame, Key, KeyboardShortcut, Label, Layout, Margin, Modifiers,
    Panel, RichText, ScrollArea, Ui, vec2,
};

use crate::app::methods::{Description, Listing};
use crate::app::state::{Picked, PlanId, Slot};
use crate::app::{Command, State};
use crate::model::{Plan, Target};

use super::{Cx, widgets};
use draft::Touched;
use find::Find;
use methods::Choosing;
use sheet::{Section, Sheet, Spec};

pub use draft::{
    At, BodyKind, ClientKind, Draft, PacingKind, ProtocolKind, RequestDraft, ResolveDraft, SchemaKind,
    StopKind, TargetDraft, VariantDraft, Which, Wrong,
};
pub(in crate::ui) use find::FIND;
pub use labels::{LabelAt, LabelDraft};
pub(in crate::ui) use sheet::name;
pub use words::sentence;

/// Why nothing can be started now.
const RUNNING: &str = "A run is going; wait for its end or stop it first";

/// Width of the list of saved plans with its distance to the form, in points.
const PLANS_WIDTH: f32 = 240.0;
/// Height of the list of saved plans above the form, in points.
const PLANS_HEIGHT: f32 = 240.0;
/// From this width on, in points, the list of saved plans is beside the form.
const WIDE: f32 = 800.0;

/// From this width on, in points, the keys are shown beside the button that runs the test.
const KEYS_SHOWN: f32 = 480.0;

/// The form and what a person has done to it.
#[derive(Debug)]
pub struct LoadPage {
    draft: Draft,
    touched: Touched,
    /// Of `draft`; made anew when it changes.
    check: Check,
    /// The saved plan that the form shows.
    shown: Option<PlanId>,
    /// The form as it was loaded or saved last.
    clean: Draft,
    /// The form as it was run last: a run keeps its plan.
    ran: Option<Draft>,
    saving: Option<Saving>,
    question: Option<Question>,
    /// How the highest rate shall be looked for, while that is asked.
    find: Option<Find>,
    /// The name that is being typed for a copy.
    save_as: Option<String>,
    /// What is searched among saved plans.
    search: String,
    /// Numbers of `State::form` and `State::picked` that were taken.
    form_taken: u64,
    picked_taken: u64,
    listing_taken: u64,
    /// What a gRPC target said that it offers.
    described: Option<(Target, Arc<Description>)>,
    /// The list of its methods, while it is open.
    choosing: Option<Choosing>,
    /// Sections to open in the next frame.
    open: Vec<Section>,
    focus_url: bool,
    focus_goal: bool,
}

/// What the texts stand for.
#[derive(Debug)]
struct Check {
    plan: Result<Plan, Vec<Wrong>>,
    /// What will happen, or what is in the way.
    words: String,
    /// The target, where it can be asked what it offers.
    asked: Option<Target>,
}

/// A plan that was given to the store and is not seen there yet.
#[derive(Debug)]
struct Saving {
    id: Option<PlanId>,
    draft: Draft,
    plan: Plan,
    /// What takes the place of the form's texts once they are safe.
    then: Option<Replacement>,
}

/// Asked in place before anything is lost.
#[derive(Debug)]
enum Question {
    /// The form has unsaved changes and something else shall take its place.
    Replace(Replacement),
    /// A saved plan shall be deleted.
    Delete(PlanId),
}

/// What takes the place of the form's texts.
#[derive(Clone, Debug)]
enum Replacement {
    Fresh,
    Saved(PlanId),
    Given(Box<Plan>),
}

impl LoadPage {
    /// A form with every default.
    #[must_use]
    pub fn new() -> Self {
        let draft = Draft::default();
        Self {
            check: Check::of(&draft, None),
            clean: draft.clone(),
            draft,
            touched: Touched::default(),
            shown: None,
            ran: None,
            saving: None,
            question: None,
            find: None,
            save_as: None,
            search: String::new(),
            form_taken: 0,
            picked_taken: 0,
            listing_taken: 0,
            described: None,
            choosing: None,
            open: Vec::new(),
            focus_url: false,
            focus_goal: false,
        }
    }

    /// The texts as typed.
    #[must_use]
    pub fn draft(&self) -> &Draft {
        &self.draft
    }

    /// Whether the form holds changes that neither a saved plan nor a run has kept.
    #[must_use]
    pub fn is_unsaved(&self) -> bool {
        self.draft != self.clean && self.ran.as_ref() != Some(&self.draft)
    }

    /// Draws the page and takes what a person does.
    pub fn ui(&mut self, cx: &mut Cx<'_>, ui: &mut Ui) {
        self.take_news(cx.state);
        // First: the keys of a run are also part of these.
        if ui.input_mut(|input| input.consume_shortcut(&FIND)) {
            self.ask_to_find();
        }
        if ui.input_mut(|input| input.consume_key(Modifiers::COMMAND, Key::Enter)) {
            self.run(cx);
        }
        if ui.available_width() < WIDE { self.narrow(cx, ui) } else { self.wide(cx, ui) }
    }

    /// The list of plans beside the form.
    fn wide(&mut self, cx: &mut Cx<'_>, ui: &mut Ui) {
        // The page has its margin already: each part only keeps its distance to the next.
        let margin = |left, right| Frame::new().inner_margin(Margin { left, right, top: 0, bottom: 0 });
        let plans = Panel::left("saved plans").exact_size(PLANS_WIDTH).resizable(false).frame(margin(0, 16));
        plans.show(ui, |ui| self.plans(cx, ui));
        let run = Panel::bottom("run").resizable(false).frame(margin(24, 0));
        run.show(ui, |ui| {
            self.find_ui(cx, ui);
            self.foot(cx, ui);
        });
        CentralPanel::default().frame(margin(24, 0)).show(ui, |ui| {
            self.question_ui(cx, ui);
            ui.horizontal(|ui| {
                self.name_row(cx, ui);
                self.save_row(cx, ui);
            });
            self.below_name(cx, ui);
            ScrollArea::vertical().auto_shrink(false).show(ui, |ui| self.fields(cx, ui));
        });
    }

    /// In a small window, or at a large zoom: the list of plans folded above the form, all in one column.
    fn narrow(&mut self, cx: &mut Cx<'_>, ui: &mut Ui) {
        let run = Panel::bottom("run").resizable(false).frame(Frame::new());
        run.show(ui, |ui| self.foot(cx, ui));
        CentralPanel::default().frame(Frame::new()).show(ui, |ui| {
            self.question_ui(cx, ui);
            // Some rows have more than fits.
            ScrollArea::both().auto_shrink(false).show(ui, |ui| {
                CollapsingHeader::new("Saved plans").show_unindented(ui, |ui| {
                    ui.set_max_height(PLANS_HEIGHT);
                    self.plans(cx, ui);
                });
                self.name_row(cx, ui);
                ui.horizontal_wrapped(|ui| self.save_row(cx, ui));
                self.below_name(cx, ui);
                self.fields(cx, ui);
                self.find_ui(cx, ui);
            });
        });
    }

    /// Takes a plan or a file that came from elsewhere, and notices that a plan was saved.
    fn take_news(&mut self, state: &State) {
        if let Some((number, plan)) = &state.form
            && *number != self.form_taken
        {
            self.form_taken = *number;
            self.ask_to_replace(state, Replacement::Given(plan.clone()));
        }
        if let Some((number, picked)) = &state.picked
            && *number != self.picked_taken
        {
            self.picked_taken = *number;
            self.take_file(picked);
        }
        if let Some(listing) = &state.listing
            && listing.number != self.listing_taken
        {
            self.listing_taken = listing.number;
            self.described = listing.description().map(|told| (listing.target.clone(), Arc::clone(told)));
            self.check_again();
        }
        if let Some(saving) = &self.saving
            && let Some(id) = saving.seen(state)
        {
            self.shown = Some(id);
            self.clean = saving.draft.clone();
            if let Some(Saving { then: Some(with), .. }) = self.saving.take() {
                self.replace(state, with);
            }
        }
        if self.shown.is_some_and(|id| state.plans.iter().all(|saved| saved.id != id)) {
            self.shown = None;
        }
    }

    fn check_again(&mut self) {
        self.check = Check::of(&self.draft, self.described.as_ref());
    }

    fn take_file(&mut self, picked: &Picked) {
        let text = picked.path.display().to_string();
        let target = &mut self.draft.target;
        let field = match picked.slot {
            Slot::Body(None) => {
                self.draft.request.body = BodyKind::File;
                self.open.push(Section::Request);
                Some(&mut self.draft.request.body_file)
            }
            Slot::Body(Some(number)) => self.draft.variants.get_mut(number).map(|variant| {
                variant.request.body = BodyKind::File;
                &mut variant.request.body_file
            }),
            Slot::Ca => Some(&mut self.draft.ca_file),
            Slot::Certificate => Some(&mut target.certificate),
            Slot::Key => Some(&mut target.key),
            Slot::Pkcs12 => Some(&mut target.pkcs12),
            Slot::Proto => Some(&mut target.proto),
            // The row may be gone since.
            Slot::Include(row) => target.include.get_mut(row),
            Slot::Descriptors => Some(&mut target.descriptors),
            Slot::Replay => Some(&mut self.draft.replay_file),
            Slot::Data => Some(&mut self.draft.data_file),
            Slot::Socket => Some(&mut target.unix_socket),
        };
        if let Some(field) = field {
            *field = text;
        }
        self.check_again();
    }

    /// Replaces the form's texts at once, or asks first if that would lose something.
    fn ask_to_replace(&mut self, state: &State, with: Replacement) {
        if self.is_unsaved() {
            self.question = Some(Question::Replace(with));
        } else {
            self.replace(state, with);
        }
    }

    fn replace(&mut self, state: &State, with: Replacement) {
        let plan = match &with {
            Replacement::Fresh => Plan::for_url(""),
            Replacement::Given(plan) => (**plan).clone(),
            Replacement::Saved(id) => match state.plans.iter().find(|saved| saved.id == *id) {
                Some(saved) => saved.plan.clone(),
                None => return,
            },
        };
        self.draft = Draft::from_plan(&plan);
        self.clean = self.draft.clone();
        self.choosing = None;
        self.check_again();
        self.shown = if let Replacement::Saved(id) = with { Some(id) } else { None };
        self.question = None;
        self.find = None;
        self.save_as = None;
        self.saving = None;
        self.focus_url = plan.target.url.is_empty();
        if self.focus_url {
            self.touched = Touched::default();
        } else {
            // Whatever a plan from elsewhere lacks, for example a secret, is said at once.
            self.show_all_reasons();
        }
    }

    fn show_all_reasons(&mut self) {
        self.touched = Touched::everywhere();
        if let Err(wrong) = &self.check.plan {
            self.open.extend(wrong.iter().filter_map(|wrong| Section::of(wrong.at)));
        }
    }

    fn run(&mut self, cx: &mut Cx<'_>) {
        match &self.check.plan {
            Ok(plan) if !cx.state.is_running() => {
                cx.push(Command::StartRun(Box::new(plan.clone())));
                self.ran = Some(self.draft.clone());
            }
            Ok(_) => {}
            Err(_) => self.show_all_reasons(),
        }
    }

    /// What is done with the plan: always in sight.
    fn foot(&mut self, cx: &mut Cx<'_>, ui: &mut Ui) {
        self.stray_reasons(cx, ui);
        self.run_bar(cx, ui);
    }

    /// What is wrong with no field of the form.
    fn stray_reasons(&self, cx: &Cx<'_>, ui: &mut Ui) {
        let wrong = self.check.plan.as_ref().err().map_or(&[][..], Vec::as_slice);
        for wrong in wrong.iter().filter(|wrong| wrong.at == At::Nowhere) {
            ui.add(Label::new(RichText::new(wrong.reason.as_str()).color(cx.theme.error)).wrap());
        }
    }

    fn run_bar(&mut self, cx: &mut Cx<'_>, ui: &mut Ui) {
        let refusal = match &self.check.plan {
            _ if cx.state.is_running() => Some(RUNNING),
            Err(_) => Some(self.check.words.as_str()),
            Ok(_) => None,
        };
        let refusal = refusal.map(str::to_owned);
        ui.allocate_ui_with_layout(
            vec2(ui.available_width(), 48.0),
            Layout::right_to_left(Align::Center),
            |ui| {
                ui.set_min_height(48.0);
                let ready = refusal.as_deref().map_or(Ok(()), Err);
                if widgets::primary_wide(ui, cx.theme, "Run test", 112.0, ready) {
                    self.run(cx);
                }
                if ui.available_width() > KEYS_SHOWN {
                    let shortcut = KeyboardShortcut::new(Modifiers::COMMAND, Key::Enter);
                    widgets::caption(ui, cx.theme, &ui.ctx().format_shortcut(&shortcut));
                }
                if self.find.is_none() && widgets::button_if(ui, "Find highest rate…", Ok(())) {
                    self.ask_to_find();
                }
                ui.add_space(8.0);
                ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                    let words = refusal.unwrap_or_else(|| self.check.words.clone());
                    let color = if self.check.plan.is_ok() { cx.theme.text } else { cx.theme.text_muted };
                    ui.add(Label::new(RichText::new(words).color(color)).wrap());
                });
            },
        );
    }

    fn fields(&mut self, cx: &mut Cx<'_>, ui: &mut Ui) {
        let focus_url = std::mem::take(&mut self.focus_url);
        let focus_goal = std::mem::take(&mut self.focus_goal);
        self.write(cx, ui, |sheet, ui| {
            sheet.target(ui, focus_url);
            ui.add_space(12.0);
            widgets::section(ui, "Load");
            ui.add_space(4.0);
            sheet.load(ui);
            ui.add_space(12.0);
            widgets::section(ui, "More");
            ui.add_space(4.0);
            if sheet.draft.insecure {
                sheet.insecure_warning(ui);
            }
            sheet.more(ui, focus_goal);
        });
        self.open.clear();
    }

    fn name_row(&mut self, cx: &mut Cx<'_>, ui: &mut Ui) {
        let spec = Spec { caption: "Name", hint: "Checkout on staging", unit: "", width: 280.0 };
        self.write(cx, ui, |sheet, ui| {
            sheet.row(ui, "Name", |sheet, ui, caption| {
                sheet.edit(ui, At::Name, spec, |draft| &mut draft.name).labelled_by(caption.id);
            });
        });
    }

    fn below_name(&mut self, cx: &mut Cx<'_>, ui: &mut Ui) {
        self.name_reason(cx, ui);
        self.save_as_row(cx, ui);
        ui.separator();
    }

    /// Draws a part of the form and checks the texts again if any was changed.
    fn write(&mut self, cx: &mut Cx<'_>, ui: &mut Ui, draw: impl FnOnce(&mut Sheet<'_>, &mut Ui)) {
        let asked = self.check.asked.as_ref();
        let is_of = |listing: &&Listing| asked == Some(&listing.target);
        let mut sheet = Sheet {
            asked,
            listing: cx.state.listing.as_ref().filter(is_of),
            choosing: &mut self.choosing,
            draft: &mut self.draft,
            touched: &mut self.touched,
            wrong: self.check.plan.as_ref().err().map_or(&[], Vec::as_slice),
            theme: cx.theme,
            commands: cx.commands,
            open: &self.open,
            changed: false,
        };
        draw(&mut sheet, ui);
        if sheet.changed {
            self.check_again();
            // The reasons drawn in this frame are of the texts before.
            ui.ctx().request_repaint();
        }
    }

    fn name_reason(&self, cx: &Cx<'_>, ui: &mut Ui) {
        let wrong = self.check.plan.as_ref().err().and_then(|wrong| wrong.iter().find(|w| w.at == At::Name));
        if let Some(wrong) = wrong.filter(|_| self.touched.is(At::Name)) {
            ui.label(RichText::new(wrong.reason.as_str()).color(cx.theme.error));
        }
    }
}

impl Default for LoadPage {
    fn default() -> Self {
        Self::new()
    }
}

impl Check {
    fn of(draft: &Draft, described: Option<&(Target, Arc<Description>)>) -> Self {
        let mut plan = draft.plan();
        let asked = draft.asked(plan.as_ref().err().map_or(&[], Vec::as_slice));
        if let Some((target, description)) = described
            && asked.as_ref() == Some(target)
        {
            plan = draft.held_against(description, plan);
        }
        let words = match &plan {
            Ok(plan) => sentence(plan),
            Err(wrong) => refusal(wrong),
        };
        Self { plan, words, asked }
    }
}

impl Saving {
    /// The id under which the store holds the plan now.
    fn seen(&self, state: &State) -> Option<PlanId> {
        let redacted = self.plan.redacted();
        let same = |saved: &&crate::app::state::SavedPlan| {
            self.id.is_none_or(|id| id == saved.id) && saved.plan.redacted() == redacted
        };
        state.plans.iter().find(same).map(|saved| saved.id)
    }
}

/// What is in the way of a run.
fn refusal(wrong: &[Wrong]) -> String {
    let first = wrong.first().map_or_else(String::new, |wrong| words::sentence_case(&wrong.reason));
    match wrong.len() {
        0 | 1 => first,
        2 => format!("{first}; 1 more correction is needed"),
        many => format!("{first}; {} more corrections are needed", many - 1),
    }
}
