//! State and runtime together: what a face holds.

use std::time::Duration;

use tokio::sync::mpsc;
use uuid::Uuid;

use super::command::Command;
use super::event::Event;
use super::job::Job;
use super::runtime::{Dialogs, Options, Runtime, StartError, Wake};
use super::state::State;
use super::update::Fresh;

/// The most events that one turn takes in: a storm of news slows the news, never the window.
pub const EVENTS_PER_TURN: usize = 64;

/// State and runtime together. Lives on the face's thread.
pub struct Core {
    state: State,
    runtime: Runtime,
    events: mpsc::Receiver<Event>,
}

impl Core {
    /// Starts the background; the store opens meanwhile, and its content comes as news.
    ///
    /// # Errors
    /// When another program holds the data directory, or threads cannot be started.
    pub fn start(options: Options, wake: Wake, dialogs: Dialogs) -> Result<Self, StartError> {
        let state = State { data_dir: options.data_dir.clone(), ..State::default() };
        let (runtime, events) = Runtime::start_background(options, wake, dialogs)?;
        Ok(Self { state, runtime, events })
    }

    /// What is so.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Carries out what a person asked for.
    pub fn command(&mut self, command: Command) {
        let jobs = self.state.command(command, fresh());
        self.begin(jobs);
    }

    /// Takes in news that waits, up to a bound; whether more waits.
    pub fn turn(&mut self) -> bool {
        for _ in 0..EVENTS_PER_TURN {
            match self.events.try_recv() {
                Ok(event) => self.take_in(event),
                Err(_) => return false,
            }
        }
        true
    }

    /// Waits for news, for at most `timeout`, and takes it in; whether there was any. For the terminal.
    pub fn wait(&mut self, timeout: Duration) -> bool {
        match self.runtime.wait(&mut self.events, timeout) {
            Some(event) => {
                self.take_in(event);
                true
            }
            None => false,
        }
    }

    /// Stops what runs, waits until the disk has everything (not for ever), and ends. What the person should
    /// know of the end, if anything.
    pub fn end(mut self) -> Option<String> {
        let last = self.state.last_jobs();
        self.begin(last);
        // Senders must not wait for a face that is gone.
        drop(self.events);
        self.runtime.end()
    }

    fn take_in(&mut self, event: Event) {
        let jobs = self.state.event(event, fresh());
        self.begin(jobs);
    }

    fn begin(&mut self, jobs: Vec<Job>) {
        for job in jobs {
            self.runtime.start(job);
        }
    }
}

fn fresh() -> Fresh {
    Fresh { id: Uuid::now_v7() }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::sync::Arc;
    use std::sync::mpsc;
    use std::time::Instant;

    use crate::app::command::ExportFormat;
    use crate::app::event::Event;
    use crate::app::runtime::{EVENTS_MAX, Keep};
    use crate::app::state::{Open, Phase, StoreState};
    use crate::model::run::RunEdit;
    use crate::model::{Pacing, Plan, RunId, Settings, Stop};

    use super::*;

    /// No test waits longer for anything.
    const PATIENCE: Duration = Duration::from_secs(20);

    fn core(dir: &std::path::Path, keep: Keep) -> Core {
        let dialogs: Dialogs = Arc::new(|_| Box::pin(async { Ok(Vec::new()) }));
        let options = Options { data_dir: dir.to_owned(), keep };
        Core::start(options, Arc::new(|| {}), dialogs).expect("a free data directory")
    }

    fn until(core: &mut Core, what: &str, reached: impl Fn(&State) -> bool) {
        let start = Instant::now();
        while !reached(core.state()) {
            assert!(start.elapsed() < PATIENCE, "{what} did not come: {:#?}", core.state().notices);
            core.wait(Duration::from_millis(100));
        }
    }

    fn short_plan(url: &str) -> Box<Plan> {
        let mut plan = Plan::for_url(url);
        plan.pacing = Pacing::Constant { rate_per_sec: 200.0 };
        plan.stop = Stop::Requests(100);
        Box::new(plan)
    }

    #[test]
    fn a_run_is_in_history_and_still_there_after_a_restart() {
        let dir = tempfile::tempdir().expect("a place");
        let target = crate::load::target::Target::start(Default::default()).expect("loopback");
        let mut first = core(dir.path(), Keep::Here);
        until(&mut first, "the store", |state| state.store == StoreState::Open);
        first.command(Command::StartRun(short_plan(&format!("http://{}/", target.address()))));
        until(&mut first, "the end of the run", |state| state.history.len() == 1 && !state.is_running());
        let summary = first.state().history[0].clone();
        assert_eq!((summary.requests.due, summary.requests.answered), (100, 100));
        first.end();
        let mut second = core(dir.path(), Keep::Here);
        until(&mut second, "the store", |state| state.store == StoreState::Open);
        assert_eq!(second.state().history, [summary]);
        second.end();
    }

    #[test]
    fn a_second_program_is_told_that_the_data_directory_is_in_use() {
        let dir = tempfile::tempdir().expect("a place");
        let mut first = core(dir.path(), Keep::Here);
        until(&mut first, "the store", |state| state.store == StoreState::Open);
        let dialogs: Dialogs = Arc::new(|_| Box::pin(async { Ok(Vec::new()) }));
        let options = Options { data_dir: dir.path().to_owned(), keep: Keep::Here };
        let second = Core::start(options, Arc::new(|| {}), dialogs);
        assert!(matches!(second, Err(StartError::InUse { .. })));
        first.end();
    }

    #[test]
    fn a_run_beside_an_open_store_is_taken_in_later() {
        let dir = tempfile::tempdir().expect("a place");
        let target = crate::load::target::Target::start(Default::default()).expect("loopback");
        let mut first = core(dir.path(), Keep::Here);
        until(&mut first, "the store", |state| state.store == StoreState::Open);
        let mut beside = core(dir.path(), Keep::HereOrBeside);
        until(&mut beside, "the answer", |state| matches!(state.store, StoreState::Failed { .. }));
        beside.command(Command::StartRun(short_plan(&format!("http://{}/", target.address()))));
        until(&mut beside, "the end of the run", |state| state.history.len() == 1 && !state.is_running());
        let id = beside.state().history[0].id;
        beside.end();
        first.end();
        let mut later = core(dir.path(), Keep::Here);
        until(&mut later, "the store", |state| state.store == StoreState::Open);
        assert_eq!(later.state().history.iter().map(|row| row.id).collect::<Vec<_>>(), [id]);
        later.end();
    }

    /// The store's thread is held fast and the target never answers: whatever the face asks for must come
    /// back all the same. If a command waited for the store, this test would never reach the release.
    #[test]
    fn nothing_waits_for_a_slow_store_or_a_silent_target() {
        let dir = tempfile::tempdir().expect("a place");
        let silent = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let url = format!("http://{}/", silent.local_addr().expect("bound"));
        let mut core = core(dir.path(), Keep::Here);
        until(&mut core, "the store", |state| state.store == StoreState::Open);
        let (held, hold) = mpsc::channel::<()>();
        assert!(core.runtime.hold_store(hold), "there is room in an idle queue");
        let watchdog = Watchdog::new();
        core.command(Command::StartRun(short_plan(&url)));
        until(&mut core, "requests in flight", |state| {
            state.live.as_ref().is_some_and(|live| live.in_flight > 0)
        });
        let id = RunId(Uuid::now_v7());
        for n in 0..2000 {
            core.command(Command::EditRun(id, RunEdit::Note(n.to_string())));
            core.command(Command::OpenRun(id));
            core.command(Command::ExportRunsTo(vec![id], ExportFormat::Json, dir.path().join("x.json")));
            core.command(Command::ChangeSettings(Settings::default()));
            core.turn();
        }
        core.command(Command::StopRun);
        until(&mut core, "the end of the run", |state| {
            state.live.as_ref().is_some_and(|live| live.phase == Phase::Saving)
        });
        assert!(core.state().notices.iter().any(|notice| notice.title.contains("disk does not keep up")));
        drop(held);
        until(&mut core, "the run on disk", |state| state.history.len() == 1);
        drop(watchdog);
        core.end();
    }

    #[test]
    fn a_disk_that_is_stuck_does_not_keep_the_program() {
        let dir = tempfile::tempdir().expect("a place");
        let mut core = core(dir.path(), Keep::Here);
        until(&mut core, "the store", |state| state.store == StoreState::Open);
        let (held, hold) = mpsc::channel::<()>();
        assert!(core.runtime.hold_store(hold), "there is room in an idle queue");
        let watchdog = Watchdog::new();
        let words = core.end();
        assert!(words.is_some_and(|words| words.contains("did not answer in time")));
        drop((held, watchdog));
    }

    #[test]
    fn a_run_that_cannot_be_saved_can_still_be_read_and_exported() {
        let dir = tempfile::tempdir().expect("a place");
        let target = crate::load::target::Target::start(Default::default()).expect("loopback");
        // No folder can be made under a file.
        let file = dir.path().join("file");
        std::fs::write(&file, "no folder").expect("written");
        let mut core = core(&file, Keep::Here);
        until(&mut core, "the answer", |state| matches!(state.store, StoreState::Failed { .. }));
        core.command(Command::StartRun(short_plan(&format!("http://{}/", target.address()))));
        until(&mut core, "the end of the run", |state| state.history.len() == 1 && !state.is_running());
        let id = core.state().history[0].id;
        assert!(core.state().only_in_memory.contains(&id));
        core.command(Command::OpenRun(id));
        until(&mut core, "the run", |state| matches!(&state.open, Open::Result(run) if run.id == id));
        let saved = dir.path().join("run.json");
        core.command(Command::ExportRunsTo(vec![id], ExportFormat::Json, saved.clone()));
        until(&mut core, "the file", |_| saved.exists());
        assert_eq!(core.end(), None);
    }

    #[test]
    fn a_storm_of_news_takes_many_turns_and_loses_nothing() {
        let dir = tempfile::tempdir().expect("a place");
        let mut core = core(dir.path(), Keep::Nowhere);
        until(&mut core, "the store", |state| state.store == StoreState::Open);
        let sender = core.runtime.outbox();
        let storm = std::thread::spawn(move || {
            for n in 0..EVENTS_MAX * 2 {
                sender.send(Event::TargetFailed { reason: n.to_string() });
            }
        });
        let (mut turns, start) = (0, Instant::now());
        let last = (EVENTS_MAX * 2 - 1).to_string();
        while core.state().notices.last().is_none_or(|notice| notice.detail != last) {
            assert!(start.elapsed() < PATIENCE, "the storm did not pass");
            core.turn();
            turns += 1;
        }
        assert!(turns >= EVENTS_MAX * 2 / EVENTS_PER_TURN, "{turns} turns");
        storm.join().expect("no panic");
    }

    /// Ends the test's process with a message if a call hangs: a blocked thread cannot fail by itself.
    struct Watchdog(mpsc::Sender<()>);

    impl Watchdog {
        fn new() -> Self {
            let (alive, ended) = mpsc::channel();
            std::thread::spawn(move || {
                if ended.recv_timeout(PATIENCE * 3) == Err(mpsc::RecvTimeoutError::Timeout) {
                    eprintln!("a command waited for the store or the target");
                    std::process::abort();
                }
            });
            Self(alive)
        }
    }

    impl Drop for Watchdog {
        fn drop(&mut self) {
            // The watching thread may be gone already.
            let _ = self.0.send(());
        }
    }
}
