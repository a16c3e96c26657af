//! The run that is going.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::app::aim;
use crate::app::command::Page;
use crate::app::event::Progress;
use crate::app::heavy;
use crate::app::job::{Job, JobKey, Steer};
use crate::app::state::{Live, NoticeAction, Open, Phase, Question, State};
use crate::app::try_it;
use crate::app::update::Fresh;
use crate::load::{FACTOR_MAX, FACTOR_MIN};
use crate::model::plan::RATE_MAX;
use crate::model::{Ended, Plan, Run, RunId, RunSummary, Search, Timer, number};

impl State {
    pub(super) fn try_it(&mut self) -> Vec<Job> {
        if self.refuse_while_running() {
            return Vec::new();
        }
        vec![Job::StartTarget]
    }

    pub(super) fn target_ready(&mut self, url: &str, fresh: Fresh) -> Vec<Job> {
        if self.refuse_while_running() {
            return Vec::new();
        }
        let jobs = self.begin(Box::new(try_it::plan(url)), None, fresh);
        if let Some(live) = &mut self.live {
            live.is_try = true;
        }
        jobs
    }

    pub(super) fn target_failed(&mut self, reason: String) -> Vec<Job> {
        self.failed("The built-in target could not be started".to_owned(), reason)
    }

    pub(super) fn start_run(&mut self, plan: Box<Plan>, search: Option<Search>, fresh: Fresh) -> Vec<Job> {
        if self.refuse_while_running() {
            return Vec::new();
        }
        if let Some(problem) = plan.problems().into_iter().next() {
            return self.failed("The plan cannot be run yet".to_owned(), problem.reason);
        }
        if let Some(Err(reason)) = search.map(|search| search.check(&plan)) {
            return self.failed("The highest rate cannot be searched for yet".to_owned(), reason);
        }
        let production = self.clusters.production_of(&plan);
        let production =
            production.map(|name| format!("{name} is production, and this plan sends load to it"));
        match production.or_else(|| heavy::reason(&plan, search)) {
            Some(reason) => {
                self.question = Some(Question::HeavyLoad { plan, search, reason });
                Vec::new()
            }
            None => self.begin(plan, search, fresh),
        }
    }

    pub(super) fn agree_to_load(&mut self, fresh: Fresh) -> Vec<Job> {
        let Some(Question::HeavyLoad { plan, search, .. }) =
            self.question.take_if(|question| matches!(question, Question::HeavyLoad { .. }))
        else {
            return Vec::new();
        };
        if self.refuse_while_running() {
            return Vec::new();
        }
        self.begin(plan, search, fresh)
    }

    pub(super) fn stop_run(&mut self) -> Vec<Job> {
        match &mut self.live {
            Some(live) if !matches!(live.phase, Phase::Failed { .. } | Phase::Saving) => {
                live.phase = Phase::Stopping;
                vec![Job::Stop(JobKey::Run)]
            }
            _ => Vec::new(),
        }
    }

    /// A rate that would have been asked about before the run is not reached by turning it up.
    pub(super) fn set_rate_factor(&mut self, factor: f64) -> Vec<Job> {
        let Some(live) = self.live_to_steer() else { return Vec::new() };
        let peak = live.plan.pacing.peak_per_sec().unwrap_or(0.0) * factor;
        let refusal = if !live.plan.pacing.is_open_loop() {
            Some("It goes as fast as answers come, and has no rate".to_owned())
        } else if !(FACTOR_MIN..=FACTOR_MAX).contains(&factor) {
            Some("The planned rate can be multiplied by 0.001 to 1000".to_owned())
        } else if peak > RATE_MAX {
            Some(format!("The highest rate is {}", number::rate(RATE_MAX)))
        } else {
            heavy::reason(&live.plan, live.search)
                .xor(heavy::reason_at(&live.plan, factor))
                .filter(|_| factor > 1.0)
        };
        if let Some(reason) = refusal {
            self.warn("The rate was not changed".to_owned(), reason);
            return Vec::new();
        }
        live.factor = factor;
        vec![Job::Steer(Steer::Factor(factor))]
    }

    pub(super) fn pause_run(&mut self) -> Vec<Job> {
        self.set_paused(true)
    }

    pub(super) fn resume_run(&mut self) -> Vec<Job> {
        self.set_paused(false)
    }

    fn set_paused(&mut self, paused: bool) -> Vec<Job> {
        let Some(live) = self.live_to_steer() else { return Vec::new() };
        live.is_paused = paused;
        vec![Job::Steer(if paused { Steer::Pause } else { Steer::Resume })]
    }

    pub(super) fn mark_run(&mut self, text: &str) -> Vec<Job> {
        let text = text.trim();
        if text.is_empty() || self.live_to_steer().is_none() {
            return Vec::new();
        }
        vec![Job::Steer(Steer::Mark(text.to_owned()))]
    }

    pub(super) fn use_timer(&mut self, timer: Timer) -> Vec<Job> {
        self.timer = Some(timer);
        Vec::new()
    }

    pub(super) fn use_threads(&mut self, threads: u32) -> Vec<Job> {
        self.threads = Some(threads);
        Vec::new()
    }

    /// The run that is going, while requests may still become due.
    fn live_to_steer(&mut self) -> Option<&mut Live> {
        let live = self.live.as_mut()?;
        matches!(live.phase, Phase::Connecting | Phase::Warmup | Phase::Measuring).then_some(live)
    }

    pub(super) fn dismiss_failed_run(&mut self) -> Vec<Job> {
        if !self.is_running() {
            self.live = None;
        }
        Vec::new()
    }

    pub(super) fn run_progress(&mut self, news: Progress) -> Vec<Job> {
        let Some(live) = self.live_with(news.id) else { return Vec::new() };
        // What a person asked for stays on show until it is done.
        if !matches!(live.phase, Phase::Stopping | Phase::Saving | Phase::Failed { .. }) {
            live.phase = news.phase;
        }
        live.so_far = Some(news.so_far);
        live.elapsed = news.elapsed;
        live.progress = news.progress;
        live.remaining = news.remaining;
        live.in_flight = news.in_flight;
        (live.factor, live.is_paused) = (news.factor, news.is_paused);
        Vec::new()
    }

    pub(super) fn run_ended(&mut self, run: Arc<Run>) -> Vec<Job> {
        let Some(live) = self.live_with(run.id) else { return Vec::new() };
        live.phase = Phase::Saving;
        live.so_far = Some(Arc::clone(&run));
        live.in_flight = 0;
        live.remaining = Some(Duration::ZERO);
        self.ended = Some(run);
        Vec::new()
    }

    pub(super) fn run_failed(&mut self, id: RunId, reason: String) -> Vec<Job> {
        let mut jobs = self.let_go_metrics_of(id);
        let Some(live) = self.live_with(id) else { return jobs };
        live.phase = Phase::Failed { reason: reason.clone() };
        self.closing |= self.closing_after_run;
        jobs.extend(self.failed("The run could not be carried out".to_owned(), reason));
        jobs
    }

    pub(super) fn run_saved(&mut self, summary: RunSummary) -> Vec<Job> {
        let title = match summary.ended {
            Ended::Completed => format!("“{}” is done and saved", summary.name),
            Ended::Stopped => format!("“{}” was stopped; what it measured is saved", summary.name),
            Ended::GaveUp => format!("“{}” gave up on a goal; what it measured is saved", summary.name),
            Ended::Interrupted => format!("“{}” was interrupted; what it measured is saved", summary.name),
        };
        self.run_is_over(summary, title)
    }

    fn run_is_over(&mut self, summary: RunSummary, title: String) -> Vec<Job> {
        let id = summary.id;
        let mut history = std::mem::take(&mut self.history);
        history.retain(|row| row.id != id);
        history.push(summary);
        self.history_read(history);
        self.show_ended(id, title);
        let jobs = self.keep_metrics_of(id);
        // Who keeps them lets go of the source as well.
        let held = self.let_go_metrics_of(id);
        if jobs.is_empty() { held } else { jobs }
    }

    pub(super) fn run_not_saved(
        &mut self,
        run: Arc<Run>,
        waits_in: Option<PathBuf>,
        reason: String,
    ) -> Vec<Job> {
        // An early failure can come before the window knows that the run ended.
        if self.live_with(run.id).is_some() {
            self.ended = Some(Arc::clone(&run));
        }
        let title = match waits_in {
            Some(_) => {
                self.warn("The run is not in the store yet".to_owned(), reason);
                format!("“{}” is done and waits to be taken into the store", run.name)
            }
            None => {
                self.only_in_memory.insert(run.id);
                self.failed("The run is not on disk".to_owned(), reason);
                format!("“{}” is done, but it is not on disk", run.name)
            }
        };
        self.run_is_over(run.summary(), title)
    }

    /// The result of a run takes the place of the live page, if the person is still looking at it.
    fn show_ended(&mut self, id: RunId, title: String) {
        let ended = self.ended.take().filter(|run| run.id == id);
        if self.live_with(id).is_none() {
            return;
        }
        self.live = None;
        if matches!(self.question, Some(Question::Quit)) {
            self.question = None;
            self.closing = true;
        }
        self.closing |= self.closing_after_run;
        match ended {
            Some(run) if self.page == Page::Load => {
                self.open = Open::Result(run);
                self.page = Page::History;
            }
            _ => self.inform(title, Some(NoticeAction::OpenRun(id))),
        }
    }

    fn begin(&mut self, mut plan: Box<Plan>, search: Option<Search>, fresh: Fresh) -> Vec<Job> {
        let way = match self.clusters.way(&plan) {
            Ok(way) => way.map(Box::new),
            Err(reason) => return self.failed("The plan cannot be run yet".to_owned(), reason),
        };
        aim::note(&self.clusters, &mut plan);
        // Wherever it was asked for, a run is watched on one page.
        self.go(Page::Load);
        let id = RunId(fresh.id);
        self.live = Some(Live {
            id,
            plan: plan.clone(),
            search,
            phase: Phase::Connecting,
            so_far: None,
            elapsed: Duration::ZERO,
            progress: None,
            remaining: None,
            in_flight: 0,
            factor: 1.0,
            is_paused: false,
            is_try: false,
        });
        let timer = self.timer.unwrap_or(self.settings.timer);
        let threads = self.threads.unwrap_or(self.settings.load_threads);
        let mut jobs = self.read_metrics_for(id);
        jobs.push(Job::Run { id, plan, search, threads, timer, way });
        jobs
    }

    fn refuse_while_running(&mut self) -> bool {
        let running = self.is_running();
        if running {
            self.warn(
                "A run is going".to_owned(),
                "Stop it or wait for its end; two runs at once would disturb each other".to_owned(),
            );
        }
        running
    }

    fn live_with(&mut self, id: RunId) -> Option<&mut Live> {
        self.live.as_mut().filter(|live| live.id == id)
    }
}
