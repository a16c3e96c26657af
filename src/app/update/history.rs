//! The list of runs, and the runs that are open.

use std::cmp::Reverse;
use std::sync::Arc;

use crate::app::command::{ExportFormat, Page};
use crate::app::job::{Job, JobKey};
use crate::app::state::{COMPARED_MAX, NoticeAction, Open, State};
use crate::model::run::RunEdit;
use crate::model::{Run, RunId, RunSummary, plan};

impl State {
    pub(super) fn open_run(&mut self, id: RunId) -> Vec<Job> {
        self.page = Page::History;
        self.notices_shown = false;
        self.read_runs(vec![id])
    }

    pub(super) fn compare(&mut self, mut ids: Vec<RunId>) -> Vec<Job> {
        if ids.len() > COMPARED_MAX {
            self.warn(
                format!("Only the first {COMPARED_MAX} runs are shown"),
                format!("An overlay of more than {COMPARED_MAX} curves cannot be read"),
            );
            ids.truncate(COMPARED_MAX);
        }
        if ids.is_empty() {
            return self.close_open();
        }
        self.page = Page::History;
        self.read_runs(ids)
    }

    fn read_runs(&mut self, ids: Vec<RunId>) -> Vec<Job> {
        self.open = Open::Reading(ids.clone());
        vec![Job::ReadRuns(ids)]
    }

    pub(super) fn close_open(&mut self) -> Vec<Job> {
        let reading = matches!(self.open, Open::Reading(_));
        self.open = Open::Nothing;
        if reading { vec![Job::Stop(JobKey::ReadRuns)] } else { Vec::new() }
    }

    pub(super) fn runs_read(&mut self, mut runs: Vec<Arc<Run>>) -> Vec<Job> {
        // What is open already is read again when it has changed elsewhere.
        if !runs.iter().map(|run| run.id).eq(self.open_ids()) {
            return Vec::new();
        }
        self.open = match runs.pop() {
            Some(run) if runs.is_empty() => Open::Result(run),
            Some(last) => {
                runs.push(last);
                Open::Comparison(runs)
            }
            None => Open::Nothing,
        };
        Vec::new()
    }

    pub(super) fn runs_not_read(&mut self, reason: String) -> Vec<Job> {
        self.open = Open::Nothing;
        self.failed("The run cannot be shown".to_owned(), reason)
    }

    pub(super) fn history_read(&mut self, mut history: Vec<RunSummary>) -> Vec<Job> {
        history.sort_by_key(|row| Reverse((row.started, row.id)));
        self.history = history;
        self.history_revision += 1;
        Vec::new()
    }

    pub(super) fn edit_run(&mut self, id: RunId, edit: RunEdit) -> Vec<Job> {
        let problem = match &edit {
            RunEdit::Name(name) if name.trim().is_empty() => Some("A run needs a name".to_owned()),
            RunEdit::Name(name) => plan::check_name(name).err(),
            RunEdit::Labels(labels) => {
                labels.iter().find_map(|(key, value)| plan::check_label(key, value).err())
            }
            RunEdit::Note(_) => None,
        };
        match problem {
            Some(reason) => self.failed("The change was not kept".to_owned(), reason),
            None => vec![Job::EditRun(id, edit)],
        }
    }

    pub(super) fn run_edited(&mut self, run: Arc<Run>) -> Vec<Job> {
        let summary = run.summary();
        if let Some(row) = self.history.iter_mut().find(|row| row.id == run.id) {
            *row = summary;
            self.history_revision += 1;
        }
        match &mut self.open {
            Open::Result(open) if open.id == run.id => *open = run,
            Open::Comparison(open) => {
                if let Some(place) = open.iter_mut().find(|open| open.id == run.id) {
                    *place = run;
                }
            }
            _ => {}
        }
        Vec::new()
    }

    pub(super) fn delete_runs(&mut self, ids: Vec<RunId>) -> Vec<Job> {
        if ids.is_empty() { Vec::new() } else { vec![Job::DeleteRuns(ids)] }
    }

    pub(super) fn runs_deleted(&mut self, runs: Vec<RunSummary>) -> Vec<Job> {
        let title = match runs.as_slice() {
            [] => return Vec::new(),
            [run] => format!("Deleted “{}”", run.name),
            many => format!("Deleted {} runs", many.len()),
        };
        self.gone(runs, title)
    }

    pub(super) fn runs_deleted_elsewhere(&mut self, runs: Vec<RunSummary>) -> Vec<Job> {
        let title = match runs.as_slice() {
            [] => return Vec::new(),
            [run] => format!("“{}” was deleted on another machine", run.name),
            many => format!("{} runs were deleted on another machine", many.len()),
        };
        self.gone(runs, title)
    }

    fn gone(&mut self, runs: Vec<RunSummary>, title: String) -> Vec<Job> {
        self.history.retain(|row| runs.iter().all(|run| run.id != row.id));
        self.history_revision += 1;
        if self.open_ids().iter().any(|id| runs.iter().any(|run| run.id == *id)) {
            self.open = Open::Nothing;
        }
        // An older notice would bring back the wrong runs.
        for notice in &mut self.notices {
            notice.action = notice.action.filter(|action| *action != NoticeAction::UndoDelete);
        }
        self.trash.retain(|row| runs.iter().all(|run| run.id != row.id));
        self.trash.extend(runs.iter().cloned());
        let jobs = self.keep_away_from_mirror(&runs);
        self.deleted = Some(runs);
        self.inform(title, Some(NoticeAction::UndoDelete));
        jobs
    }

    pub(super) fn undo_delete(&mut self) -> Vec<Job> {
        match self.deleted.take() {
            Some(runs) => vec![Job::RestoreRuns(runs.iter().map(|run| run.id).collect())],
            None => Vec::new(),
        }
    }

    pub(super) fn runs_restored(&mut self, runs: Vec<RunSummary>) -> Vec<Job> {
        self.notices.retain(|notice| notice.action != Some(NoticeAction::UndoDelete));
        let is_back = |row: &RunSummary| runs.iter().any(|run| run.id == row.id);
        self.trash.retain(|row| !is_back(row));
        if self.deleted.as_ref().is_some_and(|deleted| deleted.iter().any(is_back)) {
            self.deleted = None;
        }
        let mut history = std::mem::take(&mut self.history);
        history.retain(|row| !is_back(row));
        let mut jobs = self.let_back_from_mirror(&runs);
        history.extend(runs);
        jobs.extend(self.history_read(history));
        jobs
    }

    pub(super) fn export_runs(&mut self, ids: Vec<RunId>, format: ExportFormat) -> Vec<Job> {
        let name = match ids.as_slice() {
            [] => return Vec::new(),
            [id] => self.history.iter().find(|row| row.id == *id).map_or("run", |row| row.name.as_str()),
            _ => "runs",
        };
        let file_name = format!("{}.{}", file_stem(name), format.extension());
        vec![Job::PickExportPlace { runs: ids, format, file_name }]
    }

    pub(super) fn open_ids(&self) -> Vec<RunId> {
        match &self.open {
            Open::Nothing => Vec::new(),
            Open::Reading(ids) => ids.clone(),
            Open::Result(run) => vec![run.id],
            Open::Comparison(runs) => runs.iter().map(|run| run.id).collect(),
        }
    }
}

/// A file name that every system takes: letters, digits, dots and dashes.
fn file_stem(name: &str) -> String {
    const STEM_MAX: usize = 60;
    let mut stem = String::new();
    for c in name.chars().take(STEM_MAX) {
        let plain = c.is_alphanumeric() || c == '.';
        if plain {
            stem.push(c);
        } else if !stem.ends_with('-') {
            stem.push('-');
        }
    }
    let stem = stem.trim_matches(['-', '.']);
    if stem.is_empty() { "run".to_owned() } else { stem.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::file_stem;

    #[test]
    fn file_names_hold_nothing_that_a_system_refuses() {
        for (name, stem) in [
            ("Checkout @ staging", "Checkout-staging"),
            ("../../etc/passwd", "etc-passwd"),
            ("", "run"),
            ("a/b:c*", "a-b-c"),
        ] {
            assert_eq!(file_stem(name), stem);
        }
    }
}
