//! What is around the pages: rail, top bar, palette, notices, questions. Draws any [`State`] without a core.

mod action;
mod bar;
mod drop;
mod notices;
mod palette;
mod question;
mod rail;
mod toasts;

use eframe::egui::{
    CentralPanel, Context, Event, Frame, Key, KeyboardShortcut, Margin, Modifiers, ThemePreference, Ui,
    UiBuilder, UiKind, UiStackInfo,
};

use crate::app::mirroring::MirrorCommand;
use crate::app::sharing::SharingCommand;
use crate::app::state::{Open, StoreState};
use crate::app::{Command, Page, State};
use crate::model::{Settings, ThemeChoice};

use super::account::AccountPage;
use super::adapters::AdaptersPage;
use super::clusters::ClustersPage;
use super::compare::{self, CompareView};
use super::form::LoadPage;
use super::history::HistoryPage;
use super::live::{self, LiveView};
use super::metrics::MetricsPage;
use super::result::{self, ResultView};
use super::{Cx, Theme, about, home, settings, widgets};

pub use action::{Action, Effect, all as actions};

/// The smallest and largest size of everything.
pub const ZOOM_MIN: f32 = 0.75;
/// The largest size of everything.
pub const ZOOM_MAX: f32 = 2.0;
/// How far one press of a zoom key goes.
pub const ZOOM_STEP: f32 = 0.25;
/// Length of the few movements that there are, in seconds.
const MOVEMENT_S: f32 = 0.08;

/// What the window knows of the machine that it is drawn on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// Who draws: `llvmpipe (LLVM 15.0.6, 256 bits)`; empty when it is not known.
    pub renderer: String,
    /// Whether pictures are drawn by the processor.
    pub software_rasterizer: bool,
}

/// The whole content of the window, without a core: draws a state and says what was asked for.
pub struct Shell {
    machine: Machine,
    light: Theme,
    dark: Theme,
    palette: palette::Palette,
    toasts: toasts::Toasts,
    settings: settings::SettingsPage,
    /// Keys that a page is to get when it is on show.
    press: Option<(Page, KeyboardShortcut)>,
    /// Whether a field had the focus after the last frame: Esc takes it away before anybody is asked.
    typing: bool,
    clusters: ClustersPage,
    adapters: AdaptersPage,
    form: LoadPage,
    live: LiveView,
    history: HistoryPage,
    metrics: MetricsPage,
    result: ResultView,
    comparison: CompareView,
    account: AccountPage,
    /// Whether what is shared has begun to be.
    has_begun: bool,
}

impl Shell {
    /// A window's content. [`super::theme::install`] must have been called for its context.
    #[must_use]
    pub fn new(machine: Machine) -> Self {
        Self {
            machine,
            light: Theme::light(),
            dark: Theme::dark(),
            palette: palette::Palette::default(),
            toasts: toasts::Toasts::default(),
            settings: settings::SettingsPage::default(),
            press: None,
            typing: false,
            clusters: ClustersPage::default(),
            adapters: AdaptersPage::default(),
            form: LoadPage::default(),
            live: LiveView::default(),
            history: HistoryPage::default(),
            metrics: MetricsPage::default(),
            result: ResultView::default(),
            comparison: CompareView::default(),
            account: AccountPage::default(),
            has_begun: false,
        }
    }

    /// Whether pictures are drawn by the processor.
    #[must_use]
    pub fn software_rasterizer(&self) -> bool {
        self.machine.software_rasterizer
    }

    /// Draws everything; what was asked for, in order.
    pub fn ui(&mut self, ui: &mut Ui, state: &State) -> Vec<Command> {
        let ctx = ui.ctx().clone();
        if state.store != StoreState::Opening {
            // Until then nobody knows what was chosen, and what the window was last time is the best guess.
            apply_settings(&ctx, &state.settings);
        }
        let theme = if ui.visuals().dark_mode { self.dark.clone() } else { self.light.clone() };
        let mut commands = Vec::new();
        let software_rasterizer = self.machine.software_rasterizer;
        let mut cx = Cx { state, commands: &mut commands, theme: &theme, software_rasterizer };

        self.begin(&mut cx);
        self.press(&ctx, state);
        self.keys(&ctx, &mut cx);
        rail::ui(ui, &mut cx);
        bar::ui(ui, &mut cx, &mut self.palette);
        notices::ui(ui, &mut cx);
        self.page(ui, &mut cx);
        if let Some(effect) = self.palette.ui(&ctx, &mut cx) {
            self.carry_out(&ctx, &mut cx, effect);
        }
        question::ui(&ctx, &mut cx);
        self.toasts.ui(&ctx, &mut cx);
        drop::ui(&ctx, &mut cx);
        self.typing = ctx.text_edit_focused();
        commands
    }

    /// Lets sync and mirroring go on once it is known with whom and where.
    fn begin(&mut self, cx: &mut Cx<'_>) {
        if !self.has_begun && cx.state.store == StoreState::Open {
            self.has_begun = true;
            if cx.state.sharing.is_on() {
                cx.push(Command::Sharing(SharingCommand::Begin));
            }
            if cx.state.settings.mirror.is_some() {
                cx.push(Command::Mirror(MirrorCommand::Begin));
            }
        }
    }

    fn page(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        // The window is cleared in this colour, and to fill it again was half of what a processor draws; it is named
        // for what fades into it.
        let background = UiStackInfo::new(UiKind::Frame).with_frame(Frame::new().fill(cx.theme.background));
        let inner = UiBuilder::new().ui_stack_info(background);
        let outer = Frame::new().inner_margin(Margin::symmetric(24, 16));
        CentralPanel::default().frame(outer).show(ui, |ui| {
            ui.scope_builder(inner, |ui| match cx.state.page {
                Page::Home => home::ui(ui, cx),
                Page::Clusters => self.clusters.ui(cx, ui),
                Page::Adapters => self.adapters.ui(cx, ui),
                Page::Load => self.load(ui, cx),
                Page::History => self.history(ui, cx),
                Page::Metrics => self.metrics.ui(cx, ui),
                Page::Account => self.account.ui(cx, ui),
                Page::Settings => self.settings.ui(ui, cx),
                Page::About => about::ui(ui, cx, &self.machine),
            })
        });
    }

    /// The run that is going takes the place of the form.
    fn load(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        match &cx.state.live {
            Some(going) => live::ui(cx, ui, &mut self.live, going),
            None => self.form.ui(cx, ui),
        }
    }

    fn history(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        match &cx.state.open {
            Open::Nothing => self.history.ui(cx, ui),
            Open::Reading(_) => widgets::waiting(ui, cx, "Reading…"),
            Open::Result(run) => result::ui(cx, ui, &mut self.result, run),
            Open::Comparison(runs) => compare::ui(cx, ui, &mut self.comparison, runs),
        }
    }

    /// Gives a page that is on show by now the keys of what was chosen in the palette.
    fn press(&mut self, ctx: &Context, state: &State) {
        let Some((_, keys)) = self.press.take_if(|(page, _)| *page == state.page) else { return };
        ctx.input_mut(|input| {
            input.events.push(Event::Key {
                key: keys.logical_key,
                physical_key: None,
                pressed: true,
                repeat: false,
                modifiers: keys.modifiers,
            });
        });
    }

    /// Keys first of all, so that no field of a page takes one away.
    fn keys(&mut self, ctx: &Context, cx: &mut Cx<'_>) {
        if cx.state.question.is_some() {
            return;
        }
        if let Some(effect) = action::pressed(ctx, cx.state) {
            self.carry_out(ctx, cx, effect);
        }
        // What is being dragged takes Esc to stop it.
        let dragging = ctx.dragged_id().is_some();
        if !self.palette.is_open() && !self.typing && !ctx.any_popup_open() && !dragging {
            escape(ctx, cx);
        }
    }

    fn carry_out(&mut self, ctx: &Context, cx: &mut Cx<'_>, effect: Effect) {
        match effect {
            Effect::Ask(command) => cx.push(*command),
            Effect::Palette => self.palette.toggle(),
            Effect::Copy(text) => ctx.copy_text(text),
            Effect::Press(page, keys) => {
                // A page takes no keys while somebody writes, and the palette's field has the focus still.
                if let Some(field) = ctx.memory(|memory| memory.focused()) {
                    ctx.memory_mut(|memory| memory.surrender_focus(field));
                }
                self.press = Some((page, keys));
                cx.push(Command::Go(page));
            }
        }
    }
}

/// Esc closes what was opened last: the list of notices, then a result.
fn escape(ctx: &Context, cx: &mut Cx<'_>) {
    let closes = match (&cx.state.open, cx.state.page) {
        _ if cx.state.notices_shown => Command::ToggleNotices,
        (Open::Result(_) | Open::Reading(_), Page::History) => Command::CloseRun,
        (Open::Comparison(_), Page::History) => Command::CloseComparison,
        _ => return,
    };
    if ctx.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Escape)) {
        cx.push(closes);
    }
}

/// Gives a context what a person has chosen. Cheap when nothing changed.
pub fn apply_settings(ctx: &Context, settings: &Settings) {
    let preference = match settings.theme {
        ThemeChoice::System => ThemePreference::System,
        ThemeChoice::Light => ThemePreference::Light,
        ThemeChoice::Dark => ThemePreference::Dark,
    };
    if ctx.options(|options| options.theme_preference) != preference {
        ctx.set_theme(preference);
        ctx.request_repaint();
    }
    if ctx.options(|options| options.zoom_with_keyboard) {
        // Zoom is a setting, so its keys are commands of ours.
        ctx.options_mut(|options| options.zoom_with_keyboard = false);
    }
    let zoom = settings.zoom.clamp(ZOOM_MIN, ZOOM_MAX);
    if (ctx.zoom_factor() - zoom).abs() > f32::EPSILON {
        ctx.set_zoom_factor(zoom);
    }
    let movement = if settings.reduced_motion { 0.0 } else { MOVEMENT_S };
    if (ctx.global_style().animation_time - movement).abs() > f32::EPSILON {
        ctx.all_styles_mut(|style| style.animation_time = movement);
    }
}

impl Default for Shell {
    fn default() -> Self {
        Self::new(Machine::default())
    }
}
