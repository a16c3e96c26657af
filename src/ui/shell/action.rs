//! Everything that can be done from anywhere, in one table: the palette lists it, and keys are looked up in it.

use eframe::egui::{Context, Key, KeyboardShortcut, Modifiers};

use crate::app::clusters::ClusterCommand;
use crate::app::metrics::MetricsCommand;
use crate::app::state::Open;
use crate::app::{Command, ExportFormat, Page, State};
use crate::model::{RunId, Settings, ThemeChoice};
use crate::ui::form::FIND;
use crate::ui::live::{self, MARK, PAUSE, RATE};
use crate::ui::metrics::{ADD_SOURCE, NEW_BOARD};

use super::{ZOOM_MAX, ZOOM_MIN, ZOOM_STEP};

/// The most runs and saved plans that the palette lists by name.
const NAMED_MAX: usize = 20;

/// Something that can be done from anywhere.
#[derive(Clone, Debug)]
pub struct Action {
    /// What it does: `Stop the run`.
    pub title: String,
    /// The keys that do it.
    pub keys: Option<KeyboardShortcut>,
    /// Why it cannot be done now.
    pub ready: Result<(), &'static str>,
    /// How it is done.
    pub effect: Effect,
}

/// How an action is done.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Ask the core.
    Ask(Box<Command>),
    /// Open or close the palette.
    Palette,
    /// Put text on the clipboard.
    Copy(String),
    /// Show a page and press these keys there, which are the page's own.
    Press(Page, KeyboardShortcut),
}

/// The pages with the words of the rail and their keys.
pub(super) const PAGES: [(Page, &str, Key); 9] = [
    (Page::Home, "Home", Key::Num1),
    (Page::Clusters, "Clusters", Key::Num2),
    (Page::Adapters, "Adapters", Key::Num3),
    (Page::Load, "Load", Key::Num4),
    (Page::History, "History", Key::Num5),
    (Page::Metrics, "Metrics", Key::Num6),
    (Page::Account, "Account", Key::Num7),
    (Page::Settings, "Settings", Key::Num8),
    (Page::About, "About", Key::Num9),
];

/// The keys of the palette.
pub(super) const PALETTE: KeyboardShortcut = KeyboardShortcut::new(Modifiers::COMMAND, Key::K);
/// The keys of the list of notices.
pub(super) const NOTICES: KeyboardShortcut =
    KeyboardShortcut::new(Modifiers::COMMAND.plus(Modifiers::SHIFT), Key::N);

/// Everything that can be done, in the order in which the palette lists it.
#[must_use]
pub fn all(state: &State) -> Vec<Action> {
    let mut actions = pages();
    actions.extend(running(state));
    actions.extend(results(state));
    actions.extend(metrics(state));
    actions.extend(appearance(state));
    actions.extend(rest(state));
    actions.extend(named(state));
    actions
}

/// What the keys that were pressed since the last frame ask for.
pub(super) fn pressed(ctx: &Context, state: &State) -> Option<Effect> {
    let any_key = ctx.input(|input| {
        input.events.iter().any(|event| matches!(event, eframe::egui::Event::Key { pressed: true, .. }))
    });
    if !any_key {
        return None;
    }
    let typing = ctx.text_edit_focused();
    let hit = |action: &Action| {
        let Some(keys) = action.keys else { return false };
        // A field has its own undo.
        let field_s = typing && keys == command(Key::Z);
        // The page itself takes its own keys.
        let pages = matches!(action.effect, Effect::Press(..));
        action.ready.is_ok() && !field_s && !pages && ctx.input_mut(|input| input.consume_shortcut(&keys))
    };
    if ctx.input_mut(|input| input.consume_shortcut(&command(Key::Equals))) {
        // On most keyboards the plus needs a shift; what is meant is the same.
        return Some(Effect::Ask(Box::new(zoomed(state, ZOOM_STEP))));
    }
    all(state).into_iter().find(hit).map(|action| action.effect)
}

fn pages() -> Vec<Action> {
    PAGES
        .into_iter()
        .map(|(page, words, key)| ask(format!("Go to {words}"), Some(command(key)), Command::Go(page)))
        .collect()
}

fn running(state: &State) -> Vec<Action> {
    let idle = if state.is_running() { Err("A run is going") } else { Ok(()) };
    let going = if state.is_running() { Ok(()) } else { Err("No run is going") };
    let steered = live::steered(state).map(|_| ());
    let rated = live::steered(state).and_then(live::rated);
    let is_paused = live::steered(state).is_ok_and(|live| live.is_paused);
    let pause = if is_paused { "Resume the run" } else { "Pause the run" };
    let form = if state.live.is_some() { Err("A run is on show") } else { Ok(()) };
    vec![
        press("Run the test in the form", Page::Load, command(Key::Enter)).when(idle.and(form)),
        press("Find the highest rate for the test in the form…", Page::Load, FIND).when(idle.and(form)),
        ask("Try it: a first run against the built-in target", None, Command::TryIt).when(idle),
        ask("Stop the run", Some(command(Key::Period)), Command::StopRun).when(going),
        press(pause, Page::Load, PAUSE).when(steered),
        press("Mark this moment of the run…", Page::Load, MARK).when(steered),
        press("Change the rate of the run…", Page::Load, RATE).when(rated),
        ask("Import a plan…", Some(command(Key::O)), Command::ImportPlan),
    ]
}

fn results(state: &State) -> Vec<Action> {
    let open = open_runs(&state.open);
    let shown = if open.is_empty() { Err("No result is open") } else { Ok(()) };
    let newest: Vec<RunId> = state.history.iter().take(2).map(|run| run.id).collect();
    let last = newest.first().map(|id| Command::OpenRun(*id));
    let two = if newest.len() == 2 { Ok(()) } else { Err("There are fewer than two runs") };
    let deleted = if state.deleted.is_some() { Ok(()) } else { Err("Nothing was deleted") };
    let some = if last.is_some() { Ok(()) } else { Err("There are no runs yet") };
    let listed = match state.open {
        Open::Nothing => some,
        _ => Err("A result is open"),
    };
    let slash = KeyboardShortcut::new(Modifiers::NONE, Key::Slash);
    let mut actions = vec![
        press("Search history", Page::History, slash).when(listed),
        ask("Open the last run", None, last.unwrap_or(Command::Go(Page::History))).when(some),
        ask("Compare the last two runs", None, Command::Compare(newest)).when(two),
    ];
    for format in ExportFormat::ALL {
        let title = format!("Export as {}…", format.words());
        actions.push(ask(title, None, Command::ExportRuns(open.clone(), format)).when(shown));
    }
    actions.push(ask("Undo delete", Some(command(Key::Z)), Command::UndoDelete).when(deleted));
    actions.push(ask("Read history again", None, Command::ReloadHistory));
    actions
}

fn metrics(state: &State) -> Vec<Action> {
    let of = |command| Command::Metrics(command);
    let metrics = &state.metrics;
    let source = if metrics.source().is_some() { Ok(()) } else { Err("There is no source of metrics") };
    let removed = if metrics.removed.is_some() { Ok(()) } else { Err("Nothing was removed") };
    let mut actions = vec![
        press("Add a source of metrics…", Page::Metrics, ADD_SOURCE),
        press("Make a new board of metrics", Page::Metrics, NEW_BOARD).when(source),
        ask("Ask for metrics now", None, of(MetricsCommand::Refresh)).when(source),
        ask("Import a board of metrics…", None, of(MetricsCommand::PickBoard)),
        ask("Bring back the board or source that was removed", None, of(MetricsCommand::UndoRemove))
            .when(removed),
    ];
    let chosen = metrics.book.source;
    actions.extend(metrics.book.sources.iter().take(NAMED_MAX).map(|source| {
        let is_chosen = if chosen == Some(source.id) { Err("This is the source on show") } else { Ok(()) };
        let title = format!("Use source of metrics: {} ({})", source.name, source.kind.words());
        ask(title, None, of(MetricsCommand::ChooseSource(source.id))).when(is_chosen)
    }));
    if source.is_ok() {
        actions.extend(metrics.boards().into_iter().take(NAMED_MAX).map(|(id, title)| {
            ask(format!("Show board: {title}"), None, of(MetricsCommand::ChooseBoard(id)))
        }));
    }
    actions
}

fn appearance(state: &State) -> Vec<Action> {
    let settings = &state.settings;
    let themes = [
        ("Theme: as the system", ThemeChoice::System),
        ("Theme: light", ThemeChoice::Light),
        ("Theme: dark", ThemeChoice::Dark),
    ];
    let mut actions: Vec<Action> = themes
        .into_iter()
        .map(|(title, theme)| {
            let chosen = if settings.theme == theme { Err("This is the theme") } else { Ok(()) };
            ask(title, None, change(settings, |new| new.theme = theme)).when(chosen)
        })
        .collect();
    let largest = if settings.zoom >= ZOOM_MAX { Err("This is the largest size") } else { Ok(()) };
    let smallest = if settings.zoom <= ZOOM_MIN { Err("This is the smallest size") } else { Ok(()) };
    let motion = if settings.reduced_motion { "Allow motion" } else { "Reduce motion" };
    actions.extend([
        ask("Zoom in", Some(command(Key::Plus)), zoomed(state, ZOOM_STEP)).when(largest),
        ask("Zoom out", Some(command(Key::Minus)), zoomed(state, -ZOOM_STEP)).when(smallest),
        ask("Reset zoom", Some(command(Key::Num0)), change(settings, |new| new.zoom = 1.0)),
        ask(motion, None, change(settings, |new| new.reduced_motion = !settings.reduced_motion)),
    ]);
    actions
}

fn rest(state: &State) -> Vec<Action> {
    let some = if state.notices.is_empty() { Err("There are no notifications") } else { Ok(()) };
    let notices = if state.notices_shown { "Hide notifications" } else { "Show notifications" };
    let path = state.data_dir.display().to_string();
    let mut palette = ask("Show commands", Some(PALETTE), Command::Go(state.page));
    palette.effect = Effect::Palette;
    let mut copy = ask("Copy the data directory’s path", None, Command::Go(state.page));
    copy.effect = Effect::Copy(path);
    vec![
        ask(notices, Some(NOTICES), Command::ToggleNotices),
        ask("Dismiss all notifications", None, Command::DismissAllNotices).when(some),
        ask("Add kubeconfigs…", None, Command::Cluster(ClusterCommand::PickFiles)),
        ask("Add a folder of kubeconfigs…", None, Command::Cluster(ClusterCommand::PickFolder)),
        copy,
        palette,
        ask("Quit", Some(command(Key::Q)), Command::Quit),
    ]
}

fn named(state: &State) -> Vec<Action> {
    let plans = state.plans.iter().take(NAMED_MAX).map(|saved| {
        let plan = saved.plan.clone();
        ask(format!("Edit plan: {}", saved.plan.name), None, Command::EditPlan(Box::new(plan)))
    });
    let runs = state
        .history
        .iter()
        .take(NAMED_MAX)
        .map(|run| ask(format!("Open run: {} ({})", run.name, run.url), None, Command::OpenRun(run.id)));
    let clusters = &state.clusters;
    let contexts = clusters.contexts.iter().take(NAMED_MAX).map(|context| {
        let title =
            format!("Use context: {} ({})", clusters.book.title(&context.key), context.key.file.display());
        ask(title, None, Command::Cluster(ClusterCommand::Choose(context.key.clone())))
    });
    plans.chain(contexts).chain(runs).collect()
}

/// The runs that are on show on the history page.
pub(super) fn open_runs(open: &Open) -> Vec<RunId> {
    match open {
        Open::Result(run) => vec![run.id],
        Open::Comparison(runs) => runs.iter().map(|run| run.id).collect(),
        Open::Nothing | Open::Reading(_) => Vec::new(),
    }
}

/// The settings after one of them was changed.
pub(crate) fn change(settings: &Settings, edit: impl FnOnce(&mut Settings)) -> Command {
    let mut new = settings.clone();
    edit(&mut new);
    Command::ChangeSettings(new)
}

fn zoomed(state: &State, by: f32) -> Command {
    change(&state.settings, |new| new.zoom = (new.zoom + by).clamp(ZOOM_MIN, ZOOM_MAX))
}

fn command(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::COMMAND, key)
}

fn ask(title: impl Into<String>, keys: Option<KeyboardShortcut>, command: Command) -> Action {
    Action { title: title.into(), keys, ready: Ok(()), effect: Effect::Ask(Box::new(command)) }
}

fn press(title: &str, page: Page, keys: KeyboardShortcut) -> Action {
    let effect = Effect::Press(page, keys);
    Action { title: title.to_owned(), keys: Some(keys), ready: Ok(()), effect }
}

impl Action {
    fn when(mut self, ready: Result<(), &'static str>) -> Self {
        self.ready = ready;
        self
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_actions_have_the_same_keys_or_words() {
        let actions = all(&State::default());
        let keys: Vec<String> =
            actions.iter().filter_map(|action| action.keys).map(|keys| format!("{keys:?}")).collect();
        assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len(), "{keys:?}");
        let titles: BTreeSet<&String> = actions.iter().map(|action| &action.title).collect();
        assert_eq!(titles.len(), actions.len());
    }

    #[test]
    fn zoom_stays_within_its_bounds() {
        let mut state = State::default();
        for by in [ZOOM_STEP, -ZOOM_STEP] {
            for _ in 0..20 {
                let Command::ChangeSettings(settings) = zoomed(&state, by) else { panic!("not settings") };
                state.settings = settings;
            }
            assert!((ZOOM_MIN..=ZOOM_MAX).contains(&state.settings.zoom));
        }
    }
}
