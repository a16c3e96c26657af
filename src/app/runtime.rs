//! Carries out jobs in the background; every one ends in events.
//!
//! | where | what |
//! |---|---|
//! | one thread for the store | everything that touches the data directory's database, in order |
//! | one thread for a run (and the load engine's own) | `load::run`, checkpoints, the record |
//! | a small tokio runtime | dialogs, files, the built-in target's start, logins, one exchange for each server |
//!
//! `start` never waits: queues are bounded, and a full one is told as an event.

mod accounts;
mod adapters;
mod builtin;
mod clusters;
mod desktop;
mod files;
mod forward;
mod machine;
mod metrics;
mod mirror;
mod publish;
mod run;
mod serving;
mod sharing;
mod store;

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::load;
use crate::model::causes::chain;
use crate::model::sync::SyncBook;

use super::accounts::{AccountJob, AccountNews};
use super::adapters::{AdapterJob, AdapterNews};
use super::clusters::{ClusterEvent, ClusterJob};
use super::command::ExportFormat;
use super::event::Event;
use super::job::{Job, JobKey};
use super::methods::ANSWER_MAX;
use super::metrics::{MetricsJob, MetricsNews};
use super::mirror::Seen;
use super::mirroring::{MirrorJob, MirrorNews, Mirroring};
use super::publish::{PublishJob, PublishNews};
use super::sharing::SharingJob;
use super::state::{Picked, Slot};

pub use serving::{Serving, ServingError, ServingOptions, meshes};
pub use store::StartError;

/// The most events that wait for the face.
pub const EVENTS_MAX: usize = 1024;

/// How long the end waits for a run to stop and for the disk.
const END_WAIT: Duration = Duration::from_secs(5);
/// How long it waits for tasks to be dropped: programs that they run end with them.
const TASKS_END_MAX: Duration = Duration::from_millis(300);

/// Tells the face that events wait: a repaint, or nothing.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// Asks a person for a file.
pub type Dialogs =
    Arc<dyn Fn(DialogRequest) -> Pin<Box<dyn Future<Output = DialogAnswer> + Send>> + Send + Sync>;

/// The paths that were chosen, none when the person chose none, or why nobody could be asked and what to do.
pub type DialogAnswer = Result<Vec<PathBuf>, String>;

/// What a file dialog is opened for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialogRequest {
    /// Shown in its title bar.
    pub title: String,
    /// Open a file, choose a folder, or save a file.
    pub kind: DialogKind,
    /// What the files are, for the dialog's filter: `TOML plan`.
    pub filter: String,
    /// Their endings without a dot; empty for any file.
    pub extensions: Vec<String>,
}

/// Open a file, choose a folder, or save a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DialogKind {
    /// Open one file.
    Open,
    /// Open one or more files.
    OpenMany,
    /// Choose a folder.
    Folder,
    /// Save one file, under this name if the person does not change it.
    Save {
        /// The name that is offered.
        file_name: String,
    },
}

/// Where and how to keep things.
#[derive(Clone, Debug)]
pub struct Options {
    /// The data directory.
    pub data_dir: PathBuf,
    /// How runs are kept.
    pub keep: Keep,
}

/// How runs are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// In the data directory; another program that has it open is an error.
    Here,
    /// In the data directory; while another program has it open, finished runs are laid beside it, and
    /// that program's next start takes them in.
    HereOrBeside,
    /// Nowhere: everything is gone when the program ends.
    Nowhere,
}

/// Where news goes: a bounded queue and a wake-up.
#[derive(Clone)]
pub(super) struct Outbox {
    queue: mpsc::Sender<Event>,
    wake: Wake,
}

impl Outbox {
    /// Waits for room, and arrives. On threads of our own.
    pub(super) fn send(&self, event: Event) {
        // Fails only when the face is gone, and nobody is left to tell.
        let _ = self.queue.blocking_send(event);
        (self.wake)();
    }

    /// As `send`, in a task.
    pub(super) async fn post(&self, event: Event) {
        let _ = self.queue.send(event).await;
        (self.wake)();
    }

    /// May be dropped when there is no room; only for news that the next one holds as well.
    /// Whether there was room.
    pub(super) fn offer(&self, event: Event) -> bool {
        let is_sent = self.queue.try_send(event).is_ok();
        (self.wake)();
        is_sent
    }
}

/// Carries out jobs.
pub struct Runtime {
    tokio: tokio::runtime::Runtime,
    outbox: Outbox,
    store: store::StoreThread,
    dialogs: Dialogs,
    run: Option<run::RunThread>,
    reading: store::Generation,
    /// The built-in target serves until this is dropped.
    target: Option<Holder>,
    /// Asks a target what it offers.
    listing: Option<AbortHandle>,
    clusters: clusters::Clusters,
    adapters: adapters::Adapters,
    exchanges: sharing::Exchanges,
    mirror: mirror::Mirror,
    logins: accounts::Logins,
    metrics: metrics::MetricsWork,
    /// The run that is being published.
    publishing: Option<tokio::task::AbortHandle>,
}

impl Runtime {
    /// Starts the background, and opens the store.
    ///
    /// # Errors
    /// When another program holds the data directory, or threads cannot be started.
    pub fn start_background(
        options: Options,
        wake: Wake,
        dialogs: Dialogs,
    ) -> Result<(Self, mpsc::Receiver<Event>), StartError> {
        let (queue, events) = mpsc::channel(EVENTS_MAX);
        let outbox = Outbox { queue, wake };
        let tokio = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("meshbench-work")
            .enable_all()
            .build()
            .map_err(StartError::Threads)?;
        let store = store::StoreThread::start(options, outbox.clone())?;
        let clusters = clusters::Clusters::default();
        let tokens = clusters.tokens();
        let runtime = Self {
            tokio,
            outbox,
            store,
            dialogs,
            run: None,
            reading: store::Generation::default(),
            target: None,
            listing: None,
            clusters,
            adapters: adapters::Adapters::default(),
            exchanges: sharing::Exchanges::default(),
            mirror: mirror::Mirror::default(),
            logins: accounts::Logins::default(),
            metrics: metrics::MetricsWork::new(tokens),
            publishing: None,
        };
        Ok((runtime, events))
    }

    /// Starts a job. Never waits.
    pub fn start(&mut self, job: Job) {
        match job {
            Job::StartTarget => self.start_target(),
            Job::Run { id, plan, search, threads, timer, way } => {
                let options = load::Options { threads, timer };
                let (handle, tokens) = (self.tokio.handle().clone(), self.clusters.tokens());
                let way = way.map(|way| run::Passage { way: *way, handle, tokens });
                let order = run::Order { id, plan: *plan, search, options, way };
                let desk = self.store.desk().clone();
                // Nothing else is to use the processor.
                self.exchanges.hold(true);
                self.run = Some(run::RunThread::start(order, desk, self.outbox.clone()));
            }
            Job::Stop(JobKey::Run) => self.stop_run(),
            Job::Steer(steer) => {
                if let Some(run) = &self.run {
                    run.steer(steer);
                }
            }
            Job::Stop(JobKey::ListMethods) => self.stop_listing(),
            Job::ListMethods(number, target) => self.list_methods(number, *target),
            Job::Stop(JobKey::ReadRuns) => self.reading.next(),
            Job::ReadRuns(ids) => {
                self.reading.next();
                let reading = self.reading.clone();
                self.ask_store(move |shelf, outbox| shelf.read_runs(&ids, &reading, outbox));
            }
            Job::ReadHistory => self.ask_store(store::Shelf::read_history),
            Job::EditRun(id, edit) => self.ask_store(move |shelf, outbox| shelf.edit_run(id, edit, outbox)),
            Job::DeleteRuns(ids) => self.ask_store(move |shelf, outbox| shelf.delete_runs(&ids, outbox)),
            Job::RestoreRuns(ids) => self.ask_store(move |shelf, outbox| shelf.restore_runs(&ids, outbox)),
            Job::SavePlan(plan) => self.ask_store(move |shelf, outbox| shelf.save_plan(*plan, outbox)),
            Job::DeletePlan(id) => self.ask_store(move |shelf, outbox| shelf.delete_plan(id, outbox)),
            Job::Mirror(job) => self.start_mirror(job),
            Job::ReadPlans => self.ask_store(store::Shelf::read_plans),
            Job::Account(job) => self.start_account(job),
            Job::Sharing(job) => self.start_sharing(job),
            Job::Publish(job) => self.start_publish(job),
            Job::SaveSettings(settings) => {
                self.ask_store(move |shelf, outbox| shelf.save_settings(settings, outbox));
            }
            Job::ExportRuns(ids, format, path) => {
                self.ask_store(move |shelf, outbox| shelf.export_runs(&ids, format, path, outbox));
            }
            Job::ImportPlan(path) => self.on_thread(move |outbox| files::import_plan(&path, outbox)),
            Job::ExportPlan(plan, path) => {
                self.on_thread(move |outbox| files::export_plan(&plan, &path, outbox))
            }
            Job::PickExportPlace { runs, format, file_name } => {
                self.pick_export_place(runs, format, file_name)
            }
            Job::PickPlan => self.pick_plan(),
            Job::PickPlanPlace(plan) => self.pick_plan_place(plan),
            Job::PickFile(slot) => self.pick_for_form(slot),
            Job::Cluster(job) => self.start_cluster(job),
            Job::Adapter(job) => self.start_adapter(job),
            Job::Metrics(job) => self.start_metrics(job),
            Job::TellDesktop { title, words } => self.on_thread(move |_| desktop::tell(&title, &words)),
        }
    }

    /// Waits until an event comes, for at most `timeout`. For faces that have nothing else to wait for.
    pub(super) fn wait(&self, events: &mut mpsc::Receiver<Event>, timeout: Duration) -> Option<Event> {
        self.tokio.block_on(async { tokio::time::timeout(timeout, events.recv()).await.ok().flatten() })
    }

    /// Stops what runs, and ends once the store has written what it was given, or after `END_WAIT`: a disk
    /// that is stuck must not keep the program. What the person should know of the end, if anything.
    pub fn end(self) -> Option<String> {
        let deadline = Instant::now() + END_WAIT;
        self.stop_run();
        if let Some(run) = &self.run {
            // The store outlives the run's thread, which hands in the record: one that is stuck shows below.
            run.join(deadline);
        }
        let words = self.store.end(deadline);
        self.tokio.shutdown_timeout(TASKS_END_MAX);
        words
    }

    /// Keeps the store's thread busy until the other end of `hold` is dropped.
    #[cfg(test)]
    pub(super) fn hold_store(&self, hold: std::sync::mpsc::Receiver<()>) -> bool {
        self.store.desk().try_ask(move |_, _| {
            let _ = hold.recv();
        })
    }

    #[cfg(test)]
    pub(super) fn outbox(&self) -> Outbox {
        self.outbox.clone()
    }

    fn stop_run(&self) {
        if let Some(run) = &self.run {
            run.stop();
        }
    }

    fn ask_store(&self, work: impl FnOnce(&mut store::Shelf, &Outbox) + Send + 'static) {
        // What is not done is told.
        let _ = self.try_store(work);
    }

    /// Whether it will be done: not where too much waits for the disk, which is told.
    fn try_store(&self, work: impl FnOnce(&mut store::Shelf, &Outbox) + Send + 'static) -> bool {
        let is_asked = self.store.desk().try_ask(work);
        if !is_asked {
            self.outbox.offer(Event::Failed {
                title: "The disk does not keep up".to_owned(),
                reason: "Too many changes are waiting to be written; try again in a moment".to_owned(),
            });
        }
        is_asked
    }

    fn on_thread(&self, work: impl FnOnce(&Outbox) + Send + 'static) {
        let outbox = self.outbox.clone();
        self.tokio.spawn_blocking(move || work(&outbox));
    }

    fn start_target(&mut self) {
        let (holder, released) = std::sync::mpsc::channel();
        self.target = Some(holder);
        self.on_thread(move |outbox| match load::target::Target::start(super::try_it::target()) {
            Ok(target) => {
                outbox.send(Event::TargetReady { url: format!("http://{}/", target.address()) });
                // Ends with an error as soon as the runtime lets go of its end.
                let _ = released.recv();
            }
            Err(error) => outbox.send(Event::TargetFailed { reason: chain(&error) }),
        });
    }

    fn list_methods(&mut self, asked: u64, target: crate::model::Target) {
        self.stop_listing();
        let outbox = self.outbox.clone();
        let task = self.tokio.spawn(async move {
            let told = match tokio::time::timeout(ANSWER_MAX, load::grpc::describe(&target)).await {
                Ok(told) => told.map(Arc::new).map_err(|error| chain(&error)),
                Err(_) => Err(format!(
                    "No answer within {} s; is it the right address, and does it offer reflection?",
                    ANSWER_MAX.as_secs()
                )),
            };
            outbox.post(Event::MethodsListed { asked, told }).await;
        });
        self.listing = Some(task.abort_handle());
    }

    fn stop_listing(&mut self) {
        if let Some(listing) = self.listing.take() {
            listing.abort();
        }
    }

    fn start_cluster(&mut self, job: ClusterJob) {
        let handle = self.tokio.handle().clone();
        match job {
            ClusterJob::PickFiles => self.pick_kubeconfigs(DialogKind::OpenMany, "Add kubeconfigs"),
            ClusterJob::PickFolder => {
                self.pick_kubeconfigs(DialogKind::Folder, "Add a folder of kubeconfigs")
            }
            ClusterJob::Read(sources) => self.clusters.read(sources, &handle, &self.outbox),
            ClusterJob::Save(book) => self.ask_store(move |shelf, outbox| shelf.save_clusters(&book, outbox)),
            ClusterJob::Connect { key, number, sources, consents } => {
                self.clusters.connect((key, number), sources, consents, &handle, &self.outbox);
            }
            ClusterJob::Disconnect(key) => self.clusters.disconnect(&key),
        }
    }

    fn start_metrics(&mut self, job: MetricsJob) {
        match job {
            MetricsJob::Save(book) => {
                self.ask_store(move |shelf, outbox| shelf.save_metrics(&book, outbox));
            }
            MetricsJob::PickBoard => self.pick_board(),
            MetricsJob::PickBoardPlace(board) => self.pick_board_place(board),
            job => {
                let around = metrics::Around {
                    handle: self.tokio.handle().clone(),
                    outbox: self.outbox.clone(),
                    desk: self.store.desk().clone(),
                };
                self.metrics.start(job, &around);
            }
        }
    }

    fn pick_board(&self) {
        let request = DialogRequest {
            title: "Import boards".to_owned(),
            kind: DialogKind::OpenMany,
            filter: "JSON".to_owned(),
            extensions: vec!["json".to_owned()],
        };
        self.ask_person_for_all(request, |paths| Event::Metrics(MetricsNews::BoardsPicked(paths)));
    }

    fn pick_board_place(&self, board: Box<crate::model::metrics::Board>) {
        let request = DialogRequest {
            title: "Save a board".to_owned(),
            kind: DialogKind::Save { file_name: metrics::board_file_name(&board) },
            filter: "JSON".to_owned(),
            extensions: vec!["json".to_owned()],
        };
        self.ask_person(request, move |path| Event::Metrics(MetricsNews::BoardPlacePicked(board, path)));
    }

    fn start_adapter(&mut self, job: AdapterJob) {
        let around = adapters::Around {
            handle: self.tokio.handle().clone(),
            outbox: self.outbox.clone(),
            tokens: self.clusters.tokens(),
            stops: self.adapters.stops().clone(),
        };
        match job {
            AdapterJob::Save(book) => {
                let is_asked = self.try_store(move |shelf, outbox| shelf.save_adapters(&book, outbox));
                if !is_asked {
                    // It is written with the next change.
                    let outbox = self.outbox.clone();
                    self.tokio
                        .spawn(async move { outbox.post(Event::Adapter(AdapterNews::BookSaved)).await });
                }
            }
            AdapterJob::Connect { id, place, number, access } => {
                self.adapters.connect((id, number), place, access, &around);
            }
            AdapterJob::Disconnect(id) => self.adapters.disconnect(id),
            AdapterJob::Apply { record, agreed, access } => {
                self.adapters.apply(*record, agreed, access, &around);
            }
            AdapterJob::Rehearse { number, steps, contexts, access } => {
                self.adapters.rehearse(number, &Arc::new(steps), contexts, &Arc::new(access), &around);
            }
            AdapterJob::StopRehearsal => self.adapters.stop_rehearsal(),
            AdapterJob::Ping(id) => self.adapters.ping(id, &around),
            AdapterJob::AskVersions(id) => drop(self.tokio.spawn(adapters::ask_versions(id, around.outbox))),
            AdapterJob::PickManifest => self.pick_manifest(),
            AdapterJob::ReadManifest(path) => {
                self.on_thread(move |outbox| files::read_manifest(&path, outbox));
            }
            AdapterJob::StopOperation(id) => self.adapters.stops().stop(id),
            AdapterJob::Find => drop(self.tokio.spawn(adapters::find(around.outbox))),
        }
    }

    fn start_sharing(&mut self, job: SharingJob) {
        match job {
            SharingJob::Save(book) => {
                self.watch(&book);
                self.ask_store(move |shelf, outbox| shelf.save_sync_book(&book, outbox));
            }
            SharingJob::Watch(book) => self.watch(&book),
            SharingJob::Changed => {
                self.exchanges.changed();
                self.mirror.changed();
            }
            SharingJob::Now(id) => self.exchanges.now(id),
            SharingJob::TryAgain(id) => {
                self.ask_store(move |shelf, outbox| shelf.forgive(id, outbox));
                self.exchanges.now(id);
            }
            SharingJob::Forget(id) => self.ask_store(move |shelf, outbox| shelf.forget(id, outbox)),
        }
    }

    fn watch(&mut self, book: &SyncBook) {
        let around = sharing::Around {
            handle: self.tokio.handle().clone(),
            outbox: self.outbox.clone(),
            desk: self.store.desk().clone(),
            tokens: self.logins.tokens(&self.outbox),
        };
        self.hold();
        self.exchanges.watch(book, &around);
    }

    /// While a run goes nothing else is to use the processor.
    fn hold(&self) {
        let is_running = self.run.as_ref().is_some_and(|run| !run.join(Instant::now()));
        self.exchanges.hold(is_running);
    }

    fn start_account(&mut self, job: AccountJob) {
        let handle = self.tokio.handle().clone();
        match job {
            AccountJob::Save(book) => {
                self.logins.know(book.clone());
                self.ask_store(move |shelf, outbox| shelf.save_accounts(&book, outbox));
            }
            AccountJob::Know(book) => self.logins.know(book),
            AccountJob::LogIn { number, place, how } => {
                let order = accounts::Order { number, place, how };
                self.logins.log_in(order, &handle, &self.outbox);
            }
            AccountJob::Cancel => self.logins.cancel(),
            AccountJob::LogOut(account, provider) => {
                self.logins.log_out(*account, provider.map(|provider| *provider), &handle, &self.outbox);
            }
            AccountJob::Look(account) => self.logins.look(account, &handle, &self.outbox),
            AccountJob::PickProvider => self.pick_provider(),
            AccountJob::ReadProvider(path) => {
                self.on_thread(move |outbox| accounts::read_provider(&path, outbox));
            }
            AccountJob::Delete(account, server) => {
                self.logins.delete(account, server, &handle, &self.outbox);
            }
            AccountJob::Open(url) => self.on_thread(move |outbox| accounts::open(&url, outbox)),
        }
    }

    fn pick_provider(&self) {
        let request = DialogRequest {
            title: "Add a provider from its file".to_owned(),
            kind: DialogKind::Open,
            filter: "TOML provider".to_owned(),
            extensions: vec!["toml".to_owned()],
        };
        self.ask_person(request, |path| Event::Account(AccountNews::ProviderPicked(path)));
    }

    fn start_publish(&mut self, job: PublishJob) {
        match job {
            PublishJob::PickTokenFile => {
                let request = DialogRequest {
                    title: "Use a token file of Meshery".to_owned(),
                    kind: DialogKind::Open,
                    filter: "JSON".to_owned(),
                    extensions: vec!["json".to_owned()],
                };
                self.ask_person(request, |path| Event::Publish(PublishNews::TokenFilePicked(path)));
            }
            PublishJob::Send { number, order, run, token_file } => {
                let sent = publish::send(number, order, run, token_file, self.tokio.handle(), &self.outbox);
                self.publishing = Some(sent);
            }
            PublishJob::Cancel => {
                if let Some(publishing) = self.publishing.take() {
                    publishing.abort();
                }
            }
        }
    }

    fn start_mirror(&mut self, job: MirrorJob) {
        let handle = self.tokio.handle().clone();
        let store = sharing::ask_store(self.store.desk().clone(), &handle);
        match job {
            MirrorJob::Pick(how) => self.pick_mirror(how),
            MirrorJob::Once(folder) => self.on_thread(move |outbox| mirror::once(&folder, &store, outbox)),
            MirrorJob::Watch { folder, away, first } => {
                self.hold();
                let (outbox, held) = (self.outbox.clone(), self.exchanges.held());
                let around = mirror::Around { handle, outbox, store, held };
                self.mirror.watch(folder, Seen::nothing(first, away), around);
            }
            MirrorJob::WriteAgain(run) => self.mirror.write_again(run),
            MirrorJob::StopWatching => self.mirror.stop(),
        }
    }

    fn pick_mirror(&self, how: Mirroring) {
        let title = match how {
            Mirroring::Once => "Mirror history to a folder",
            Mirroring::Kept => "Keep a folder in step with history",
        };
        let request = DialogRequest {
            title: title.to_owned(),
            kind: DialogKind::Folder,
            filter: "Any folder".to_owned(),
            extensions: Vec::new(),
        };
        self.ask_person(request, move |folder| Event::Mirror(MirrorNews::Picked(folder, how)));
    }

    fn pick_manifest(&self) {
        let request = DialogRequest {
            title: "Open a manifest".to_owned(),
            kind: DialogKind::Open,
            filter: "YAML or JSON".to_owned(),
            extensions: ["yaml", "yml", "json"].map(str::to_owned).to_vec(),
        };
        self.ask_person(request, |path| Event::Adapter(AdapterNews::ManifestPicked(path)));
    }

    fn pick_kubeconfigs(&self, kind: DialogKind, title: &str) {
        let request = DialogRequest {
            title: title.to_owned(),
            kind,
            filter: "Any file".to_owned(),
            extensions: Vec::new(),
        };
        self.ask_person_for_all(request, |paths| Event::Cluster(ClusterEvent::Picked(paths)));
    }

    fn ask_person(&self, request: DialogRequest, then: impl FnOnce(PathBuf) -> Event + Send + 'static) {
        self.ask_person_for_all(request, |paths| {
            then(paths.into_iter().next().expect("asked only where there is one"))
        });
    }

    /// `then` is given at least one path.
    fn ask_person_for_all(
        &self,
        request: DialogRequest,
        then: impl FnOnce(Vec<PathBuf>) -> Event + Send + 'static,
    ) {
        // Made here, on the face's thread: macOS opens dialogs on no other.
        let answer = (self.dialogs)(request);
        let outbox = self.outbox.clone();
        self.tokio.spawn(async move {
            match answer.await {
                Ok(paths) if paths.is_empty() => {}
                Ok(paths) => outbox.post(then(paths)).await,
                Err(reason) => {
                    let title = "No file dialog could be shown".to_owned();
                    outbox.post(Event::Failed { title, reason }).await;
                }
            }
        });
    }

    fn pick_export_place(&self, runs: Vec<crate::model::RunId>, format: ExportFormat, file_name: String) {
        let request = DialogRequest {
            title: "Save runs".to_owned(),
            kind: DialogKind::Save { file_name },
            filter: format.words().to_owned(),
            extensions: vec![format.extension().to_owned()],
        };
        self.ask_person(request, move |path| Event::ExportPlacePicked(runs, format, path));
    }

    fn pick_plan(&self) {
        let request = DialogRequest {
            title: "Import a plan".to_owned(),
            kind: DialogKind::Open,
            filter: "TOML plan".to_owned(),
            extensions: vec!["toml".to_owned()],
        };
        self.ask_person(request, Event::PlanFilePicked);
    }

    fn pick_plan_place(&self, plan: Box<crate::model::Plan>) {
        let request = DialogRequest {
            title: "Save a plan".to_owned(),
            kind: DialogKind::Save { file_name: "plan.toml".to_owned() },
            filter: "TOML plan".to_owned(),
            extensions: vec!["toml".to_owned()],
        };
        self.ask_person(request, move |path| Event::PlanPlacePicked(plan, path));
    }

    fn pick_for_form(&self, slot: Slot) {
        let (title, filter, extensions) = slot_words(slot);
        let request = DialogRequest {
            title: title.to_owned(),
            kind: if matches!(slot, Slot::Include(_)) { DialogKind::Folder } else { DialogKind::Open },
            filter: filter.to_owned(),
            extensions: extensions.iter().map(|ending| (*ending).to_owned()).collect(),
        };
        self.ask_person(request, move |path| Event::FilePicked(Picked { slot, path }));
    }
}

/// Title, filter and endings of the dialog that asks for the file of a field.
fn slot_words(slot: Slot) -> (&'static str, &'static str, &'static [&'static str]) {
    match slot {
        Slot::Body(_) => ("Body of the request", "Any file", &[]),
        Slot::Ca => ("Certificate authorities", "PEM", &["pem", "crt", "cer"]),
        Slot::Certificate => ("Client certificate", "PEM", &["pem", "crt", "cer"]),
        Slot::Key => ("Key of the client certificate", "PEM", &["pem", "key"]),
        Slot::Pkcs12 => ("Client certificate and key", "PKCS#12", &["p12", "pfx"]),
        Slot::Proto => ("Shapes of gRPC messages", "Protocol buffers", &["proto"]),
        Slot::Include(_) => ("Folder with imports", "Any folder", &[]),
        Slot::Descriptors => ("Compiled shapes of gRPC messages", "Any file", &[]),
        Slot::Replay => ("Recorded moments", "Text or CSV", &["csv", "txt", "log"]),
        Slot::Data => ("Rows for templates", "CSV or JSON lines", &["csv", "jsonl", "ndjson", "json"]),
        Slot::Socket => ("Unix socket", "Any file", &[]),
    }
}

/// Keeps something on another thread alive; nothing is ever sent.
type Holder = std::sync::mpsc::Sender<()>;
