//! Clusters as the app knows them: what was chosen, what the files say, and how each connection stands.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use super::aim;
use crate::model::Plan;
use crate::model::cluster::{
    Ask, ClusterBook, ClusterContext, ClusterFile, Connection, Consent, ContextChoice, ContextKey,
};
use crate::model::inventory::{Inventory, Pod, Port, Service};
use crate::model::plan::{Route, ServiceTarget, TargetKind};

/// The most contexts that are connected at once.
pub const CONNECTED_MAX: usize = 16;

/// Everything about clusters that the faces draw.
#[derive(Clone, Debug, Default)]
pub struct Clusters {
    /// What a person has said of them.
    pub book: ClusterBook,
    /// Kubeconfigs for as long as the program runs: not kept.
    pub passing: Vec<PathBuf>,
    /// What became of each kubeconfig.
    pub files: Vec<ClusterFile>,
    /// Every context of them, in their order.
    pub contexts: Vec<ClusterContext>,
    /// The context that kubectl would use.
    pub current: Option<ContextKey>,
    /// The files that kubectl would use and that are there.
    pub kubectls: Vec<PathBuf>,
    /// Whether the files were read once.
    pub is_read: bool,
    /// Grows with every change of contexts and what was chosen for them, so that faces may cache what they derive.
    pub revision: u64,
    /// Contexts that a connection was asked for.
    pub links: BTreeMap<ContextKey, ClusterLink>,
    /// What load is to be sent at as soon as its cluster was seen.
    pub(super) aimed: Option<Aim>,
}

/// A context that a connection was asked for.
#[derive(Clone, Debug, Default)]
pub struct ClusterLink {
    /// New with each connection: news of older ones is ignored.
    pub number: u64,
    /// How it stands.
    pub connection: Connection,
    /// What the cluster holds, as far as it was seen; of a connection that broke, what was seen last.
    pub seen: Option<Arc<Inventory>>,
    /// Grows with each news of what it holds.
    pub revision: u64,
}

/// What a person or script wants of clusters.
#[derive(Clone, Debug, PartialEq)]
pub enum ClusterCommand {
    /// Ask for kubeconfigs with the native dialog.
    PickFiles,
    /// Ask for a folder of kubeconfigs with the native dialog.
    PickFolder,
    /// Keep these kubeconfigs, or folders of them, in mind.
    Add(Vec<PathBuf>),
    /// Use these kubeconfigs for as long as the program runs, without keeping them in mind.
    Use(Vec<PathBuf>),
    /// Forget this kubeconfig or folder; the file stays as it is.
    Remove(PathBuf),
    /// Use the files that kubectl uses, or not.
    UseKubectls(bool),
    /// Read the files again.
    Reread,
    /// Make this context the one in use, and connect it.
    Choose(ContextKey),
    /// Connect a context, or try again.
    Connect(ContextKey),
    /// Let go of a connection.
    Disconnect(ContextKey),
    /// Agree to what was asked about in [`super::state::Question::Login`].
    Agree,
    /// Do not agree.
    Decline,
    /// Keep what was chosen for a context.
    Describe(ContextKey, ContextChoice),
    /// Put load at a port of a Service into the form of the load page.
    Aim(Aim),
}

/// A port of a Service or a pod that is to be sent load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aim {
    /// In which cluster.
    pub context: ContextKey,
    /// A Service or a pod.
    pub kind: TargetKind,
    /// Where it is.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its port.
    pub port: u16,
    /// The URL of one of the ways to it ([`Clusters::ways`]); none for the first.
    pub url: Option<String>,
}

/// A way to a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WayIn {
    /// `node port`, `through the API server`.
    pub words: String,
    /// The URL that requests are sent to.
    pub url: String,
    /// Straight or through the API server.
    pub route: Route,
    /// The address of the URL's host, where it is known and names may not tell it.
    pub address: Option<IpAddr>,
}

/// News about clusters.
#[derive(Clone, Debug)]
pub enum ClusterEvent {
    /// A person picked kubeconfigs, or a folder of them.
    Picked(Vec<PathBuf>),
    /// The files were read, at first or because one changed.
    Read(Box<FilesRead>),
    /// How a connection stands.
    Stands {
        /// Of which context.
        key: ContextKey,
        /// The connection's number.
        number: u64,
        /// How.
        connection: Box<Connection>,
    },
    /// What a cluster holds. May be dropped: the next one holds all of this one.
    Seen {
        /// Of which context.
        key: ContextKey,
        /// The connection's number.
        number: u64,
        /// What was seen.
        seen: Arc<Inventory>,
    },
    /// What was chosen is on disk.
    BookSaved,
}

/// What kubeconfigs say.
#[derive(Clone, Debug, Default)]
pub struct FilesRead {
    /// What became of each.
    pub files: Vec<ClusterFile>,
    /// Every context.
    pub contexts: Vec<ClusterContext>,
    /// The one that kubectl would use.
    pub current: Option<ContextKey>,
    /// The files that kubectl would use and that are there.
    pub kubectls: Vec<PathBuf>,
    /// Files that are other than when they were read last.
    pub changed: Vec<PathBuf>,
}

/// Background work for clusters.
#[derive(Clone, Debug)]
pub enum ClusterJob {
    /// Ask for kubeconfigs.
    PickFiles,
    /// Ask for a folder of kubeconfigs.
    PickFolder,
    /// Read kubeconfigs now, and again whenever one changes. Replaces the watch before it.
    Read(Sources),
    /// Keep what was chosen.
    Save(Box<ClusterBook>),
    /// Connect a context and keep an eye on its cluster. Replaces that context's connection before it.
    Connect {
        /// Which context.
        key: ContextKey,
        /// The connection's number.
        number: u64,
        /// Where it is.
        sources: Sources,
        /// What was agreed to.
        consents: Vec<Consent>,
    },
    /// Let go of a context's connection.
    Disconnect(ContextKey),
}

/// The way of load through a cluster's API server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// Through which cluster.
    pub context: ContextKey,
    /// Where kubeconfigs are.
    pub sources: Sources,
    /// What was agreed to.
    pub consents: Vec<Consent>,
}

/// Where kubeconfigs are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// Files and folders.
    pub own: Vec<PathBuf>,
    /// Whether those that kubectl uses are used.
    pub uses_kubectls: bool,
}

impl Clusters {
    /// A context by its key.
    #[must_use]
    pub fn context(&self, key: &ContextKey) -> Option<&ClusterContext> {
        self.contexts.iter().find(|context| context.key == *key)
    }

    /// The context in use.
    #[must_use]
    pub fn chosen(&self) -> Option<&ContextKey> {
        self.book.chosen.as_ref()
    }

    /// How the connection of a context stands.
    #[must_use]
    pub fn connection(&self, key: &ContextKey) -> &Connection {
        static NONE: Connection = Connection::None;
        self.links.get(key).map_or(&NONE, |link| &link.connection)
    }

    /// The way of a plan's load through an API server; none where it goes straight.
    ///
    /// # Errors
    /// Why there is none, in words.
    pub fn way(&self, plan: &Plan) -> Result<Option<Way>, String> {
        let Some(service) =
            plan.target.service.as_ref().filter(|service| service.route == Route::PortForward)
        else {
            return Ok(None);
        };
        if !cfg!(unix) {
            return Err(
                "Load through the API server needs Unix sockets, which this system does not have".to_owned()
            );
        }
        let key = self.key_of(service)?;
        Ok(Some(Way { context: key, sources: self.sources(), consents: self.book.consents.clone() }))
    }

    /// The context that a plan names.
    fn key_of(&self, service: &ServiceTarget) -> Result<ContextKey, String> {
        let is_it = |context: &&ClusterContext| {
            context.key.name == service.context
                && service.kubeconfig.as_ref().is_none_or(|file| *file == context.key.file)
        };
        let mut found = self.contexts.iter().filter(is_it);
        match (found.next(), found.next()) {
            (Some(context), None) => Ok(context.key.clone()),
            (None, _) => Err(format!(
                "No kubeconfig has the context “{}”; add it on the Clusters page",
                service.context
            )),
            (Some(_), Some(_)) => Err(format!(
                "Several kubeconfigs have a context “{}”; choose the Service again",
                service.context
            )),
        }
    }

    /// Whether a plan sends load into a cluster that is marked as production; its name.
    #[must_use]
    pub fn production_of(&self, plan: &Plan) -> Option<String> {
        let key = self.key_of(plan.target.service.as_ref()?).ok()?;
        self.book.choice(&key).is_production.then(|| self.book.title(&key).to_owned())
    }

    /// The ways to a port of a Service, the usual one first; none for what is not TCP.
    #[must_use]
    pub fn ways(&self, context: &ContextKey, service: &Service, port: &Port) -> Vec<WayIn> {
        self.links.get(context).map(|link| aim::ways(link, service, port)).unwrap_or_default()
    }

    /// Where kubeconfigs are.
    #[must_use]
    pub fn sources(&self) -> Sources {
        let own = self.book.files.iter().chain(&self.passing).cloned().collect();
        Sources { own, uses_kubectls: self.book.uses_kubectls }
    }

    /// Whether kubectl's files are there, and nobody has said whether to use them.
    #[must_use]
    pub fn is_offer_open(&self) -> bool {
        self.is_read && !self.book.was_offered && !self.book.uses_kubectls && !self.kubectls.is_empty()
    }
}

/// The pods that a Service sends to.
#[must_use]
pub fn pods_behind<'a>(service: &Service, seen: &'a Inventory) -> Vec<&'a Pod> {
    seen.pods.iter().map(Arc::as_ref).filter(|pod| service.selects(pod)).collect()
}

/// What is asked before a login, in words.
#[must_use]
pub fn ask_words(ask: &Ask) -> String {
    let file = ask.context.file.display();
    let changed = if ask.has_changed { "This program has changed since you agreed to it.\n\n" } else { "" };
    match &ask.consent {
        Consent::Command { program, sha256, variables, .. } => {
            let given = match variables.as_slice() {
                [] => String::new(),
                names => format!("\nVariables it is given: {}", names.join(", ")),
            };
            format!(
                "{changed}The kubeconfig {file} logs in to “{}” with a program. It is run with your rights.\n\n\
                 Command: {}\nProgram: {}\nSHA-256: {sha256}{given}",
                ask.context.name,
                ask.written,
                program.display(),
            )
        }
        Consent::Files { files, server } => {
            let files: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
            format!(
                "The kubeconfig {file} sends what is in files outside its own folder to {server}.\n\nFiles: {}",
                files.join("\n")
            )
        }
    }
}
