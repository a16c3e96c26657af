//! Folders that history is mirrored to.

use std::path::PathBuf;

use crate::app::job::Job;
use crate::app::mirror::Mirrored;
use crate::app::mirroring::{First, MirrorCommand, MirrorJob, MirrorNews, Mirroring};
use crate::app::state::State;
use crate::model::RunSummary;
use crate::model::settings::{AWAY_MAX, KeptFolder};
use crate::store::Arrivals;

impl State {
    pub(super) fn mirror_command(&mut self, command: MirrorCommand) -> Vec<Job> {
        match command {
            MirrorCommand::Pick(how) => vec![Job::Mirror(MirrorJob::Pick(how))],
            MirrorCommand::Once(folder) => vec![Job::Mirror(MirrorJob::Once(folder))],
            MirrorCommand::Keep(folder) => self.keep_mirror(folder),
            MirrorCommand::KeepNone => self.keep_no_mirror(),
            MirrorCommand::Begin => match self.settings.mirror.clone() {
                Some(kept) => self.watch_mirror(kept, First::Missing),
                None => Vec::new(),
            },
            MirrorCommand::Watch(folder) => self.watch_mirror(KeptFolder::new(folder), First::Missing),
        }
    }

    pub(super) fn mirror_news(&mut self, news: MirrorNews) -> Vec<Job> {
        match news {
            MirrorNews::Picked(folder, Mirroring::Once) => self.mirror_command(MirrorCommand::Once(folder)),
            MirrorNews::Picked(folder, Mirroring::Kept) => self.mirror_command(MirrorCommand::Keep(folder)),
            MirrorNews::Done(mirrored) => self.mirrored(*mirrored),
            MirrorNews::Looked(mirrored) => self.looked_at_mirror(*mirrored),
            MirrorNews::Stuck(folder, reason) => {
                if self.mirror_trouble.as_ref() != Some(&reason) {
                    self.warn(format!("{} is not kept in step now", folder.display()), reason.clone());
                    self.mirror_trouble = Some(reason);
                }
                Vec::new()
            }
        }
    }

    fn keep_mirror(&mut self, folder: PathBuf) -> Vec<Job> {
        if folder.to_str().is_none() {
            let reason = "Its name is not text in UTF-8 and cannot be kept; rename it".to_owned();
            return self.failed("The folder is not kept in step".to_owned(), reason);
        }
        let kept = KeptFolder::new(folder);
        let mut settings = self.settings.clone();
        settings.mirror = Some(kept.clone());
        let mut jobs = self.change_settings(settings);
        jobs.extend(self.watch_mirror(kept, First::Whole));
        jobs
    }

    fn keep_no_mirror(&mut self) -> Vec<Job> {
        self.is_mirroring = false;
        self.mirror_trouble = None;
        let mut settings = self.settings.clone();
        settings.mirror = None;
        let mut jobs = self.change_settings(settings);
        jobs.push(Job::Mirror(MirrorJob::StopWatching));
        jobs
    }

    fn watch_mirror(&mut self, kept: KeptFolder, first: First) -> Vec<Job> {
        self.is_mirroring = true;
        self.mirror_trouble = None;
        let KeptFolder { folder, away } = kept;
        vec![Job::Mirror(MirrorJob::Watch { folder, away, first })]
    }

    /// Runs were deleted: they do not come back from the folder with the next start.
    pub(super) fn keep_away_from_mirror(&mut self, runs: &[RunSummary]) -> Vec<Job> {
        self.change_away(|kept| {
            // Ids sort by time: the oldest are the first to be forgotten.
            kept.away.extend(runs.iter().map(|run| run.id));
            while kept.away.len() > AWAY_MAX {
                kept.away.pop_first();
            }
        })
    }

    /// And now they may.
    pub(super) fn let_back_from_mirror(&mut self, runs: &[RunSummary]) -> Vec<Job> {
        self.change_away(|kept| kept.away.retain(|id| runs.iter().all(|run| run.id != *id)))
    }

    fn change_away(&mut self, change: impl FnOnce(&mut KeptFolder)) -> Vec<Job> {
        let mut settings = self.settings.clone();
        let Some(kept) = &mut settings.mirror else { return Vec::new() };
        change(kept);
        if settings == self.settings { Vec::new() } else { self.change_settings(settings) }
    }

    fn mirrored(&mut self, mirrored: Mirrored) -> Vec<Job> {
        let Mirrored { folder, written, taken_in, refused } = mirrored;
        let files = if written == 1 { "1 file".to_owned() } else { format!("{written} files") };
        let runs = match taken_in.len() {
            1 => "1 run".to_owned(),
            many => format!("{many} runs"),
        };
        self.inform(format!("{files} written to {}, {runs} taken in", folder.display()), None);
        self.warn_of_refused(&refused);
        self.arrived(Arrivals { runs: taken_in, ..Arrivals::default() })
    }

    /// What comes by itself says so, and what goes by itself needs no word.
    fn looked_at_mirror(&mut self, mirrored: Mirrored) -> Vec<Job> {
        let Mirrored { folder, taken_in, refused, .. } = mirrored;
        self.mirror_trouble = None;
        match taken_in.as_slice() {
            [] => {}
            [run] => self.inform(format!("“{}” came in from {}", run.name, folder.display()), None),
            many => self.inform(format!("{} runs came in from {}", many.len(), folder.display()), None),
        }
        self.warn_of_refused(&refused);
        self.arrived(Arrivals { runs: taken_in, ..Arrivals::default() })
    }

    fn warn_of_refused(&mut self, refused: &[(PathBuf, String)]) {
        let Some((path, reason)) = refused.first() else { return };
        let title = match refused.len() {
            1 => "1 file was not taken in".to_owned(),
            many => format!("{many} files were not taken in"),
        };
        self.warn(title, format!("{}: {reason}", path.display()));
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use uuid::Uuid;

    use crate::app::Command;
    use crate::app::event::{Event, Opened};
    use crate::app::sharing::SharingJob;
    use crate::app::update::Fresh;
    use crate::model::{RunId, Settings};

    use super::*;

    fn fresh() -> Fresh {
        Fresh { id: Uuid::nil() }
    }

    fn ask(state: &mut State, command: MirrorCommand) -> Vec<Job> {
        state.command(Command::Mirror(command), fresh())
    }

    fn tell(state: &mut State, news: MirrorNews) -> Vec<Job> {
        state.event(Event::Mirror(news), fresh())
    }

    fn kept() -> State {
        let mirror = Some(KeptFolder::new("/share".into()));
        let settings = Settings { mirror, ..Settings::default() };
        let mut state = State::default();
        state.event(Event::StoreOpened(Box::new(Opened { settings, ..Opened::default() })), fresh());
        state
    }

    fn watched(jobs: &[Job]) -> Option<(&Path, usize, First)> {
        jobs.iter().find_map(|job| match job {
            Job::Mirror(MirrorJob::Watch { folder, away, first }) => {
                Some((folder.as_path(), away.len(), *first))
            }
            _ => None,
        })
    }

    #[test]
    fn a_folder_is_kept_in_step_only_where_a_person_said_so_and_until_they_say_otherwise() {
        let mut state = State::default();
        assert!(ask(&mut state, MirrorCommand::Begin).is_empty() && !state.is_mirroring);
        let jobs = tell(&mut state, MirrorNews::Picked("/share".into(), Mirroring::Kept));
        assert_eq!(watched(&jobs), Some((Path::new("/share"), 0, First::Whole)));
        let is_kept = |job: &Job| matches!(job, Job::SaveSettings(settings) if settings.mirror.is_some());
        assert!(jobs.iter().any(is_kept), "{jobs:?}");
        let jobs = ask(&mut state, MirrorCommand::KeepNone);
        assert!(jobs.iter().any(|job| matches!(job, Job::Mirror(MirrorJob::StopWatching))), "{jobs:?}");
        assert!(state.settings.mirror.is_none() && !state.is_mirroring);

        let mut next = kept();
        assert!(!next.is_mirroring, "a command in a terminal keeps nothing in step");
        assert_eq!(
            watched(&ask(&mut next, MirrorCommand::Begin)),
            Some((Path::new("/share"), 0, First::Missing))
        );
        let mut terminal = State::default();
        let jobs = ask(&mut terminal, MirrorCommand::Watch("/share".into()));
        assert!(watched(&jobs).is_some() && terminal.settings.mirror.is_none(), "{jobs:?}");
    }

    #[test]
    fn what_comes_in_is_shown_and_told_and_nothing_else_is() {
        let mut state = kept();
        ask(&mut state, MirrorCommand::Begin);
        let mut looked = Mirrored { folder: "/share".into(), written: 3, ..Mirrored::default() };
        tell(&mut state, MirrorNews::Looked(Box::new(looked.clone())));
        assert!(state.notices.is_empty());
        looked.taken_in = vec![crate::app::update::tests::summary(1)];
        tell(&mut state, MirrorNews::Looked(Box::new(looked)));
        assert_eq!((state.history.len(), state.notices.len()), (1, 1));
        for _ in 0..3 {
            tell(&mut state, MirrorNews::Stuck("/share".into(), "no such folder".to_owned()));
        }
        assert_eq!(state.notices.len(), 2, "the same is said once");
        assert!(state.mirror_trouble.is_some());
        tell(&mut state, MirrorNews::Looked(Box::default()));
        assert!(state.mirror_trouble.is_none());
    }

    #[test]
    fn what_is_deleted_here_stays_away_until_it_is_taken_back() {
        let mut state = kept();
        ask(&mut state, MirrorCommand::Begin);
        let run = crate::app::update::tests::summary(1);
        let jobs = state.event(Event::RunsDeleted(vec![run.clone()]), fresh());
        let is_nudge = |job: &Job| matches!(job, Job::Sharing(SharingJob::Changed));
        assert!(jobs.iter().any(is_nudge), "{jobs:?}");
        assert_eq!(
            watched(&ask(&mut state, MirrorCommand::Begin)),
            Some((Path::new("/share"), 1, First::Missing))
        );
        state.event(Event::RunsRestored(vec![run]), fresh());
        assert_eq!(
            watched(&ask(&mut state, MirrorCommand::Begin)),
            Some((Path::new("/share"), 0, First::Missing))
        );
        let many = (0..=AWAY_MAX as u128).map(|number| RunId(Uuid::from_u128(number)));
        state.settings.mirror.as_mut().expect("kept").away = many.collect();
        state.event(Event::RunsDeleted(vec![crate::app::update::tests::summary(2)]), fresh());
        assert_eq!(state.settings.mirror.as_ref().map(|kept| kept.away.len()), Some(AWAY_MAX));
    }
}
