//! How `State` changes: one line per arm, the work in `update/<area>.rs`. Pure: no clock, no disk, no
//! starting of anything; what must be done comes back as jobs.

mod accounts;
mod adapters;
mod clusters;
mod history;
mod methods;
mod metrics;
mod mirror;
mod notice;
mod passing;
mod plan;
mod publish;
mod run;
mod sharing;

use uuid::Uuid;

use super::command::Command;
use super::event::Event;
use super::job::Job;
use super::sharing::SharingJob;
use super::state::{Question, State, StoreState};
use crate::model::Settings;
use crate::model::cluster::ClusterBook;

/// What `update` may not make itself: a new identity.
#[derive(Clone, Copy, Debug)]
pub struct Fresh {
    /// An id that nothing has yet.
    pub id: Uuid,
}

impl State {
    /// Carries out what a person asked for; what must be done outside comes back as jobs.
    pub fn command(&mut self, command: Command, fresh: Fresh) -> Vec<Job> {
        match command {
            Command::Go(page) => self.go(page),
            Command::TryIt => self.try_it(),
            Command::StartRun(plan) => self.start_run(plan, None, fresh),
            Command::FindMax(plan, search) => self.start_run(plan, Some(search), fresh),
            Command::AgreeToLoad => self.agree_to_load(fresh),
            Command::DismissLoadQuestion | Command::DismissQuitQuestion => self.dismiss_question(),
            Command::StopRun => self.stop_run(),
            Command::SetRateFactor(factor) => self.set_rate_factor(factor),
            Command::PauseRun => self.pause_run(),
            Command::ResumeRun => self.resume_run(),
            Command::MarkRun(text) => self.mark_run(&text),
            Command::UseTimer(timer) => self.use_timer(timer),
            Command::UseThreads(threads) => self.use_threads(threads),
            Command::DismissFailedRun => self.dismiss_failed_run(),
            Command::EditPlan(plan) => self.edit_plan(plan),
            Command::OpenRun(id) => self.open_run(id),
            Command::CloseRun | Command::CloseComparison => self.close_open(),
            Command::Compare(ids) => self.compare(ids),
            Command::EditRun(id, edit) => self.edit_run(id, edit),
            Command::DeleteRuns(ids) => self.delete_runs(ids),
            Command::UndoDelete => self.undo_delete(),
            Command::RestoreRuns(ids) => vec![Job::RestoreRuns(ids)],
            Command::ExportRuns(ids, format) => self.export_runs(ids, format),
            Command::ExportRunsTo(ids, format, path) => vec![Job::ExportRuns(ids, format, path)],
            Command::Publish(command) => self.publish_command(command),
            Command::Mirror(command) => self.mirror_command(command),
            Command::SavePlan(id, plan) => self.save_plan(id, plan, fresh),
            Command::DuplicatePlan(id) => self.duplicate_plan(id, fresh),
            Command::DeletePlan(id) => vec![Job::DeletePlan(id)],
            Command::ImportPlan => vec![Job::PickPlan],
            Command::ImportPlanFrom(path) => vec![Job::ImportPlan(path)],
            Command::ExportPlan(plan) => vec![Job::PickPlanPlace(plan)],
            Command::ExportPlanTo(plan, path) => vec![Job::ExportPlan(plan, path)],
            Command::ListMethods(target) => self.list_methods(target),
            Command::StopListing => self.stop_listing(),
            Command::PickFile(slot) => vec![Job::PickFile(slot)],
            Command::ChangeSettings(settings) => self.change_settings(settings),
            Command::DismissNotice(id) => self.dismiss_notice(id),
            Command::DismissAllNotices => self.dismiss_all_notices(),
            Command::ToggleNotices => self.toggle_notices(),
            Command::ReloadHistory => vec![Job::ReadHistory],
            Command::Cluster(command) => self.cluster_command(command),
            Command::Adapter(command) => self.adapter_command(command, fresh),
            Command::Metrics(command) => self.metrics_command(command),
            Command::Account(command) => self.account_command(command),
            Command::Sharing(command) => self.sharing_command(command),
            Command::Hidden(is_hidden) => self.hidden(is_hidden),
            Command::Quit => self.quit(),
            Command::QuitConfirmed => self.quit_confirmed(),
        }
    }

    /// Takes in what happened outside.
    pub fn event(&mut self, event: Event, fresh: Fresh) -> Vec<Job> {
        let is_shared = (self.sharing.is_on() || self.is_mirroring) && event.changes_records();
        let mut jobs = self.happened(event, fresh);
        // A run that goes is disturbed by nothing; its end tells of what came meanwhile, too.
        if is_shared && !self.is_running() {
            jobs.push(Job::Sharing(SharingJob::Changed));
        }
        jobs
    }

    fn happened(&mut self, event: Event, fresh: Fresh) -> Vec<Job> {
        match event {
            Event::StoreOpened(opened) => self.store_opened(*opened),
            Event::StoreFailed { reason } => self.store_failed(reason),
            Event::TargetReady { url } => self.target_ready(&url, fresh),
            Event::TargetFailed { reason } => self.target_failed(reason),
            Event::RunProgress(progress) => self.run_progress(*progress),
            Event::RunEnded(run) => self.run_ended(run),
            Event::RunFailed { id, reason } => self.run_failed(id, reason),
            Event::RunSaved(summary) => self.run_saved(*summary),
            Event::RunNotSaved { run, waits_in, reason } => self.run_not_saved(run, waits_in, reason),
            Event::RunsRead(runs) => self.runs_read(runs),
            Event::RunsNotRead { reason } => self.runs_not_read(reason),
            Event::HistoryRead(history) => self.history_read(history),
            Event::RunEdited(run) => self.run_edited(run),
            Event::RunsDeleted(runs) => self.runs_deleted(runs),
            Event::RunsRestored(runs) => self.runs_restored(runs),
            Event::PlanSaved(plan) => self.plan_saved(*plan),
            Event::PlansRead(plans) => self.plans_read(plans),
            Event::PlanDeleted(id) => self.plan_deleted(id),
            Event::PlanImported(plan) => self.edit_plan(plan),
            Event::Exported { path } => self.exported(&path),
            Event::ExportPlacePicked(ids, format, path) => vec![Job::ExportRuns(ids, format, path)],
            Event::Publish(news) => self.publish_news(news),
            Event::Mirror(news) => self.mirror_news(news),
            Event::PlanFilePicked(path) => vec![Job::ImportPlan(path)],
            Event::PlanPlacePicked(plan, path) => vec![Job::ExportPlan(plan, path)],
            Event::FilePicked(picked) => self.file_picked(picked),
            Event::MethodsListed { asked, told } => self.methods_listed(asked, told),
            Event::Cluster(event) => self.cluster_event(event),
            Event::Adapter(news) => self.adapter_news(news),
            Event::Metrics(news) => self.metrics_news(news),
            Event::Account(news) => self.account_news(news),
            Event::Sharing(news) => self.sharing_news(news),
            Event::SettingsSaved(settings) => self.settings_saved(settings),
            Event::Failed { title, reason } => self.failed(title, reason),
        }
    }

    /// A number that this state has not given out yet.
    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    fn store_opened(&mut self, opened: super::event::Opened) -> Vec<Job> {
        self.store = StoreState::Open;
        self.settings = opened.settings;
        self.plans = opened.plans;
        self.trash = opened.trash;
        for remark in opened.remarks {
            self.warn("About your stored runs".to_owned(), remark);
        }
        self.plan_order();
        let mut jobs = self.book_opened(opened.clusters);
        jobs.extend(self.adapters_opened(opened.adapters));
        jobs.extend(self.history_read(opened.history));
        jobs.extend(self.metrics_opened(opened.metrics));
        jobs.extend(self.accounts_opened(opened.accounts));
        self.sharing_opened(opened.sync);
        jobs
    }

    fn store_failed(&mut self, reason: String) -> Vec<Job> {
        self.store = StoreState::Failed { reason: reason.clone() };
        let mut jobs = self.failed("Stored runs cannot be used".to_owned(), reason);
        // What was chosen is not known, but kubeconfigs can be read all the same.
        jobs.extend(self.book_opened(ClusterBook::default()));
        jobs.extend(self.adapters_shown());
        jobs.extend(self.metrics_shown());
        jobs
    }

    fn hidden(&mut self, is_hidden: bool) -> Vec<Job> {
        let was_hidden = std::mem::replace(&mut self.is_hidden, is_hidden);
        if was_hidden == is_hidden { Vec::new() } else { self.metrics_shown() }
    }

    fn change_settings(&mut self, settings: Settings) -> Vec<Job> {
        // Shown at once: a switch that waits for the disk feels broken. A failure is told as an event.
        self.settings = settings.clone();
        vec![Job::SaveSettings(settings)]
    }

    fn settings_saved(&mut self, _settings: Settings) -> Vec<Job> {
        Vec::new()
    }

    fn quit(&mut self) -> Vec<Job> {
        if self.is_running() {
            self.question = Some(Question::Quit);
        } else {
            self.closing = true;
        }
        Vec::new()
    }

    fn quit_confirmed(&mut self) -> Vec<Job> {
        self.question = None;
        if !self.is_running() || self.closing_after_run {
            // Asked twice: the person does not want to wait for the disk. The last checkpoint is there.
            self.closing = true;
            return Vec::new();
        }
        self.closing_after_run = true;
        self.stop_run()
    }

    fn dismiss_question(&mut self) -> Vec<Job> {
        self.question = None;
        Vec::new()
    }
}

#[cfg(test)]
mod tests;
