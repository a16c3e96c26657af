//! History shared with servers.

use std::sync::Arc;

use uuid::Uuid;

use crate::app::exchange::Exchanged;
use crate::app::job::Job;
use crate::app::sharing::{SharingCommand, SharingJob, SharingNews};
use crate::app::state::State;
use crate::model::sync::{SyncBook, SyncTarget, TARGETS_MAX};
use crate::store::Arrivals;

impl State {
    pub(super) fn sharing_opened(&mut self, book: SyncBook) {
        self.sharing.book = book;
    }

    /// A login is new: what is shared with it goes on at once.
    pub(super) fn sharing_of(&mut self, account: Uuid) -> Vec<Job> {
        let of_account = self.sharing.book.targets.iter().filter(|target| target.account == account);
        of_account.map(|target| Job::Sharing(SharingJob::Now(target.id))).collect()
    }

    /// A login is over: nothing is shared with it any more.
    pub(super) fn stop_sharing_of(&mut self, account: Uuid) -> Vec<Job> {
        let mut is_any = false;
        for target in self.sharing.book.targets.iter_mut().filter(|target| target.account == account) {
            is_any |= std::mem::take(&mut target.is_on);
        }
        if is_any { vec![Job::Sharing(SharingJob::Save(self.sharing.book.clone()))] } else { Vec::new() }
    }

    /// What was shared with an account is gone there.
    pub(super) fn share_no_more_with(&mut self, account: Uuid) -> Vec<Job> {
        let of_account = self.sharing.book.targets.iter().filter(|target| target.account == account);
        let ids: Vec<Uuid> = of_account.map(|target| target.id).collect();
        ids.into_iter().flat_map(|id| self.share_no_more(id)).collect()
    }

    pub(super) fn sharing_command(&mut self, command: SharingCommand) -> Vec<Job> {
        match command {
            SharingCommand::Begin => vec![Job::Sharing(SharingJob::Watch(self.sharing.book.clone()))],
            SharingCommand::Put(target) => self.share(target),
            SharingCommand::Remove(id) => self.share_no_more(id),
            SharingCommand::Now(id) => vec![Job::Sharing(SharingJob::Now(id))],
            SharingCommand::TryAgain(id) => vec![Job::Sharing(SharingJob::TryAgain(id))],
        }
    }

    pub(super) fn sharing_news(&mut self, news: SharingNews) -> Vec<Job> {
        match news {
            SharingNews::Kept(id, kept) => {
                let standing = self.sharing.targets.entry(id).or_default();
                if standing.kept.shared != kept.shared {
                    self.sharing.revision += 1;
                }
                standing.kept = *kept;
                Vec::new()
            }
            SharingNews::Going(id, going) => {
                self.sharing.targets.entry(id).or_default().going = Some(going);
                Vec::new()
            }
            SharingNews::Ended(id, ended) => self.exchange_ended(id, ended),
            SharingNews::Changed(arrivals) => self.arrived(*arrivals),
            SharingNews::Authors(authors) => {
                if *self.sharing.authors != authors {
                    self.sharing.authors = Arc::new(authors);
                    self.sharing.revision += 1;
                }
                Vec::new()
            }
        }
    }

    fn share(&mut self, target: SyncTarget) -> Vec<Job> {
        let targets = &mut self.sharing.book.targets;
        match targets.iter().position(|known| known.id == target.id) {
            Some(at) => targets[at] = target,
            None if targets.len() < TARGETS_MAX => targets.push(target),
            None => {
                let reason =
                    format!("History is shared with {TARGETS_MAX} servers at most; remove one first");
                return self.failed("The server was not added".to_owned(), reason);
            }
        }
        vec![Job::Sharing(SharingJob::Save(self.sharing.book.clone()))]
    }

    fn share_no_more(&mut self, id: Uuid) -> Vec<Job> {
        self.sharing.book.targets.retain(|target| target.id != id);
        self.sharing.targets.remove(&id);
        self.sharing.revision += 1;
        let save = Job::Sharing(SharingJob::Save(self.sharing.book.clone()));
        vec![save, Job::Sharing(SharingJob::Forget(id))]
    }

    fn exchange_ended(&mut self, id: Uuid, ended: Result<Box<Exchanged>, String>) -> Vec<Job> {
        // Late news of a server that was removed meanwhile.
        if !self.sharing.book.targets.iter().any(|target| target.id == id) {
            return Vec::new();
        }
        let standing = self.sharing.targets.entry(id).or_default();
        standing.going = None;
        match ended {
            Ok(exchanged) => {
                standing.trouble = None;
                standing.last = Some(*exchanged);
            }
            Err(reason) => standing.trouble = Some(reason),
        }
        Vec::new()
    }

    pub(super) fn arrived(&mut self, arrivals: Arrivals) -> Vec<Job> {
        let Arrivals { runs, deleted, plans } = arrivals;
        let mut jobs = Vec::new();
        if !runs.is_empty() {
            let mut history = std::mem::take(&mut self.history);
            history.retain(|row| runs.iter().all(|run| run.id != row.id));
            // What is open is read again: its name or note may be another.
            let open: Vec<_> = self.open_ids();
            if open.iter().any(|id| runs.iter().any(|run| run.id == *id)) {
                jobs.push(Job::ReadRuns(open));
            }
            history.extend(runs);
            jobs.extend(self.history_read(history));
        }
        if !deleted.is_empty() {
            jobs.extend(self.runs_deleted_elsewhere(deleted));
        }
        if plans {
            jobs.push(Job::ReadPlans);
        }
        jobs
    }
}
