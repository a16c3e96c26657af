//! Notices: news shown once, and kept in a list.

use std::path::Path;

use crate::app::command::Page;
use crate::app::job::Job;
use crate::app::state::{Level, NOTICES_MAX, Notice, NoticeAction, NoticeId, Picked, State};

impl State {
    pub(super) fn notify(
        &mut self,
        level: Level,
        title: String,
        detail: String,
        action: Option<NoticeAction>,
    ) {
        let id = NoticeId(self.number());
        self.notices.push(Notice { id, level, title, detail, read: false, action });
        if self.notices.len() > NOTICES_MAX {
            self.notices.remove(0);
        }
    }

    pub(super) fn inform(&mut self, title: String, action: Option<NoticeAction>) {
        self.notify(Level::Info, title, String::new(), action);
    }

    pub(super) fn warn(&mut self, title: String, detail: String) {
        self.notify(Level::Warning, title, detail, None);
    }

    pub(super) fn failed(&mut self, title: String, reason: String) -> Vec<Job> {
        self.notify(Level::Error, title, reason, None);
        Vec::new()
    }

    /// Tells on the desktop what a person who looks elsewhere would miss.
    pub(super) fn tell_desktop(&self, title: &str, words: &str) -> Vec<Job> {
        match self.is_hidden {
            true => vec![Job::TellDesktop { title: title.to_owned(), words: words.to_owned() }],
            false => Vec::new(),
        }
    }

    pub(super) fn dismiss_notice(&mut self, id: NoticeId) -> Vec<Job> {
        self.notices.retain(|notice| notice.id != id);
        Vec::new()
    }

    pub(super) fn dismiss_all_notices(&mut self) -> Vec<Job> {
        self.notices.clear();
        Vec::new()
    }

    pub(super) fn toggle_notices(&mut self) -> Vec<Job> {
        self.notices_shown = !self.notices_shown;
        for notice in &mut self.notices {
            notice.read = true;
        }
        Vec::new()
    }

    pub(super) fn exported(&mut self, path: &Path) -> Vec<Job> {
        self.inform(format!("Saved to {}", path.display()), None);
        Vec::new()
    }

    pub(super) fn file_picked(&mut self, picked: Picked) -> Vec<Job> {
        let number = self.number();
        self.picked = Some((number, picked));
        Vec::new()
    }

    pub(super) fn go(&mut self, page: Page) -> Vec<Job> {
        // Asked for where one already is, a page goes back to its start: the list instead of a result.
        let again = self.page == page && page == Page::History;
        self.page = page;
        self.notices_shown = false;
        let mut jobs = self.adapters_shown();
        jobs.extend(self.metrics_shown());
        if again {
            jobs.extend(self.close_open());
        }
        jobs
    }
}
