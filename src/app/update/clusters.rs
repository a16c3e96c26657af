//! Kubeconfigs, contexts and connections.

use std::path::PathBuf;
use std::sync::Arc;

use crate::app::aim;
use crate::app::clusters::{
    Aim, CONNECTED_MAX, ClusterCommand, ClusterEvent, ClusterJob, ClusterLink, FilesRead,
};
use crate::app::command::Page;
use crate::app::job::Job;
use crate::app::state::{Question, State};
use crate::model::cluster::{
    ALIAS_CHARS_MAX, ClusterBook, Connection, Consent, ContextChoice, ContextKey, FILES_MAX,
};
use crate::model::inventory::Service;

impl State {
    pub(super) fn cluster_command(&mut self, command: ClusterCommand) -> Vec<Job> {
        match command {
            ClusterCommand::PickFiles => vec![Job::Cluster(ClusterJob::PickFiles)],
            ClusterCommand::PickFolder => vec![Job::Cluster(ClusterJob::PickFolder)],
            ClusterCommand::Add(paths) => self.add_kubeconfigs(paths),
            ClusterCommand::Use(paths) => self.use_kubeconfigs(paths),
            ClusterCommand::Remove(path) => self.remove_kubeconfig(&path),
            ClusterCommand::UseKubectls(uses) => self.use_kubectls(uses),
            ClusterCommand::Reread => self.read_kubeconfigs(),
            ClusterCommand::Choose(key) => self.choose_context(key),
            ClusterCommand::Connect(key) => self.connect_context(key),
            ClusterCommand::Disconnect(key) => self.disconnect_context(key),
            ClusterCommand::Agree => self.agree_to_login(),
            ClusterCommand::Decline => self.decline_login(),
            ClusterCommand::Describe(key, choice) => self.describe_context(key, choice),
            ClusterCommand::Aim(aim) => self.aim(&aim),
        }
    }

    pub(super) fn cluster_event(&mut self, event: ClusterEvent) -> Vec<Job> {
        match event {
            ClusterEvent::Picked(paths) => self.add_kubeconfigs(paths),
            ClusterEvent::Read(read) => self.kubeconfigs_read(*read),
            ClusterEvent::Stands { key, number, connection } => {
                self.connection_stands(&key, number, *connection)
            }
            ClusterEvent::Seen { key, number, seen } => {
                if let Some(link) = self.clusters.links.get_mut(&key).filter(|link| link.number == number) {
                    link.seen = Some(seen);
                    link.revision += 1;
                    self.find_metrics();
                }
                self.aim_now(&key)
            }
            ClusterEvent::BookSaved => Vec::new(),
        }
    }

    /// The store told what was chosen.
    pub(super) fn book_opened(&mut self, book: ClusterBook) -> Vec<Job> {
        self.clusters.book = book;
        self.clusters.revision += 1;
        self.read_kubeconfigs()
    }

    fn read_kubeconfigs(&self) -> Vec<Job> {
        vec![Job::Cluster(ClusterJob::Read(self.clusters.sources()))]
    }

    /// Keeps what was chosen on disk.
    fn keep_book(&mut self) -> Job {
        self.clusters.revision += 1;
        Job::Cluster(ClusterJob::Save(Box::new(self.clusters.book.clone())))
    }

    fn add_kubeconfigs(&mut self, paths: Vec<PathBuf>) -> Vec<Job> {
        let book = &mut self.clusters.book;
        let fresh: Vec<PathBuf> = paths.into_iter().filter(|path| !book.files.contains(path)).collect();
        let room = FILES_MAX.saturating_sub(book.files.len());
        let is_too_much = fresh.len() > room;
        book.files.extend(fresh.into_iter().take(room));
        if is_too_much {
            let detail = format!("At most {FILES_MAX} kubeconfigs and folders are kept in mind");
            self.warn("Not all were added".to_owned(), detail);
        }
        self.page = Page::Clusters;
        let mut jobs = vec![self.keep_book()];
        jobs.extend(self.read_kubeconfigs());
        jobs
    }

    fn remove_kubeconfig(&mut self, path: &PathBuf) -> Vec<Job> {
        let book = &mut self.clusters.book;
        book.files.retain(|file| file != path);
        let is_gone = |key: &ContextKey| key.file == *path || key.file.parent() == Some(path);
        if book.chosen.as_ref().is_some_and(is_gone) {
            book.chosen = None;
        }
        let gone: Vec<ContextKey> = self.clusters.links.keys().filter(|key| is_gone(key)).cloned().collect();
        let mut jobs = vec![self.keep_book()];
        for key in gone {
            jobs.extend(self.disconnect_context(key));
        }
        jobs.extend(self.read_kubeconfigs());
        jobs
    }

    fn use_kubectls(&mut self, uses: bool) -> Vec<Job> {
        self.clusters.book.uses_kubectls = uses;
        self.clusters.book.was_offered = true;
        let mut jobs = vec![self.keep_book()];
        jobs.extend(self.read_kubeconfigs());
        jobs
    }

    fn kubeconfigs_read(&mut self, read: FilesRead) -> Vec<Job> {
        let clusters = &mut self.clusters;
        clusters.files = read.files;
        clusters.contexts = read.contexts;
        clusters.current = read.current;
        clusters.kubectls = read.kubectls;
        clusters.is_read = true;
        clusters.revision += 1;
        // What was connected by a file that is another now is connected anew, or let go.
        let touched: Vec<ContextKey> =
            clusters.links.keys().filter(|key| read.changed.contains(&key.file)).cloned().collect();
        let mut jobs = Vec::new();
        for key in touched {
            let is_there = self.clusters.context(&key).is_some_and(|context| context.problems.is_empty());
            jobs.extend(match is_there {
                true => self.connect_context(key),
                false => self.disconnect_context(key),
            });
        }
        jobs
    }

    fn choose_context(&mut self, key: ContextKey) -> Vec<Job> {
        let is_new = self.clusters.book.chosen.as_ref() != Some(&key);
        let is_linked =
            matches!(self.clusters.connection(&key), Connection::Connected(_) | Connection::Connecting);
        self.clusters.book.chosen = Some(key.clone());
        let mut jobs = Vec::new();
        if is_new {
            jobs.push(self.keep_book());
        }
        if !is_linked {
            jobs.extend(self.connect_context(key));
        }
        jobs
    }

    fn connect_context(&mut self, key: ContextKey) -> Vec<Job> {
        if !self.clusters.links.contains_key(&key) && self.clusters.links.len() >= CONNECTED_MAX {
            let detail =
                format!("At most {CONNECTED_MAX} contexts are connected at once; disconnect one first");
            return self.failed("The context was not connected".to_owned(), detail);
        }
        let number = self.number();
        let link = self.clusters.links.entry(key.clone()).or_default();
        *link = ClusterLink { number, connection: Connection::Connecting, ..std::mem::take(link) };
        let sources = self.clusters.sources();
        let consents = self.clusters.book.consents.clone();
        vec![Job::Cluster(ClusterJob::Connect { key, number, sources, consents })]
    }

    fn disconnect_context(&mut self, key: ContextKey) -> Vec<Job> {
        self.clusters.links.remove(&key);
        self.find_metrics();
        vec![Job::Cluster(ClusterJob::Disconnect(key))]
    }

    fn connection_stands(&mut self, key: &ContextKey, number: u64, connection: Connection) -> Vec<Job> {
        let Some(link) = self.clusters.links.get_mut(key).filter(|link| link.number == number) else {
            return Vec::new();
        };
        if let Connection::NeedsConsent(ask) = &connection
            && self.question.is_none()
        {
            self.question = Some(Question::Login(ask.clone()));
        }
        let is_lost = matches!(connection, Connection::Failed(_));
        link.connection = connection;
        // Why is told where the connection stands.
        self.clusters.aimed.take_if(|aim| is_lost && aim.context == *key);
        Vec::new()
    }

    fn agree_to_login(&mut self) -> Vec<Job> {
        let Some(Question::Login(ask)) = self.question.take() else { return Vec::new() };
        let book = &mut self.clusters.book;
        // In the place of what was agreed to for an older program.
        book.consents.retain(|kept| !is_same_place(kept, &ask.consent));
        book.consents.push(ask.consent);
        let mut jobs = vec![self.keep_book()];
        // Others may wait for the same.
        let waiting: Vec<ContextKey> = self
            .clusters
            .links
            .iter()
            .filter(|(_, link)| matches!(link.connection, Connection::NeedsConsent(_)))
            .map(|(key, _)| key.clone())
            .collect();
        for key in waiting {
            jobs.extend(self.connect_context(key));
        }
        jobs
    }

    fn decline_login(&mut self) -> Vec<Job> {
        // The context says that it waits, and asks again when it is connected.
        self.question = None;
        Vec::new()
    }

    fn describe_context(&mut self, key: ContextKey, mut choice: ContextChoice) -> Vec<Job> {
        let alias: String = choice.alias.chars().filter(|c| !c.is_control()).take(ALIAS_CHARS_MAX).collect();
        choice.alias = alias.trim().to_owned();
        self.clusters.book.choose(key, choice);
        vec![self.keep_book()]
    }
}

impl State {
    /// Puts load at a Service into the form.
    /// Load is sent at what was seen; a cluster that was not yet is connected first.
    fn aim(&mut self, aim: &Aim) -> Vec<Job> {
        let link = self.clusters.links.get(&aim.context);
        if link.is_none_or(|link| link.seen.is_none()) && self.clusters.context(&aim.context).is_some() {
            let title = self.clusters.book.title(&aim.context);
            self.inform(format!("Connecting {title}; the Load page opens then"), None);
            self.clusters.aimed = Some(aim.clone());
            let is_going = self.clusters.links.get(&aim.context).is_some_and(|link| {
                matches!(
                    link.connection,
                    Connection::Connecting | Connection::Connected(_) | Connection::NeedsConsent(_)
                )
            });
            return if is_going { Vec::new() } else { self.connect_context(aim.context.clone()) };
        }
        self.aim_at(aim)
    }

    /// What was waited for, once it is among what was seen, or all was.
    fn aim_now(&mut self, key: &ContextKey) -> Vec<Job> {
        let Some(seen) = self.clusters.links.get(key).and_then(|link| link.seen.as_ref()) else {
            return Vec::new();
        };
        let is_there = |aim: &mut Aim| {
            let named =
                |service: &Arc<Service>| service.namespace == aim.namespace && service.name == aim.name;
            aim.context == *key && (seen.is_whole || seen.services.iter().any(named))
        };
        match self.clusters.aimed.take_if(is_there) {
            Some(aim) => self.aim_at(&aim),
            None => Vec::new(),
        }
    }

    fn aim_at(&mut self, aim: &Aim) -> Vec<Job> {
        match aim::plan(&self.clusters, aim) {
            Ok(plan) => self.edit_plan(Box::new(plan)),
            Err(reason) => self.failed("The Service cannot be sent load".to_owned(), reason),
        }
    }
}

/// Whether one stands for the other, perhaps with another program.
fn is_same_place(one: &Consent, other: &Consent) -> bool {
    match (one, other) {
        (
            Consent::Command { program, arguments, variables, .. },
            Consent::Command { program: program2, arguments: arguments2, variables: variables2, .. },
        ) => (program, arguments, variables) == (program2, arguments2, variables2),
        (one, other) => one == other,
    }
}
