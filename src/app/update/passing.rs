//! Adapters and kubeconfigs for as long as the program runs: used, and not kept in mind.

use std::path::PathBuf;

use uuid::Uuid;

use crate::app::adapters::Adapters;
use crate::app::clusters::ClusterJob;
use crate::app::job::Job;
use crate::app::state::State;
use crate::model::adapter::book::{ADAPTERS_MAX, AdapterId, AdapterPlace, KnownAdapter};
use crate::model::adapter::{Category, Operation};
use crate::model::cluster::FILES_MAX;

impl State {
    pub(super) fn use_adapter(&mut self, place: AdapterPlace, id: Uuid) -> Vec<Job> {
        let adapters = &mut self.adapters;
        let known = adapters.book.adapters.iter().chain(&adapters.passing).find(|known| known.place == place);
        if let Some(id) = known.map(|known| known.id) {
            return self.connect_adapter(id);
        }
        if adapters.passing.len() >= ADAPTERS_MAX {
            let detail = format!("At most {ADAPTERS_MAX} adapters are used at once");
            return self.failed("The adapter is not used".to_owned(), detail);
        }
        let id = AdapterId(id);
        adapters.passing.push(KnownAdapter { id, name: String::new(), place, may_have_logins: false });
        self.connect_adapter(id)
    }

    pub(super) fn use_kubeconfigs(&mut self, paths: Vec<PathBuf>) -> Vec<Job> {
        let clusters = &mut self.clusters;
        for path in paths {
            let is_known = clusters.book.files.contains(&path) || clusters.passing.contains(&path);
            if !is_known && clusters.passing.len() < FILES_MAX {
                clusters.passing.push(path);
            }
        }
        vec![Job::Cluster(ClusterJob::Read(clusters.sources()))]
    }
}

impl Adapters {
    pub(super) fn known_mut(&mut self, id: AdapterId) -> Option<&mut KnownAdapter> {
        self.book.adapters.iter_mut().chain(&mut self.passing).find(|known| known.id == id)
    }
}

/// Where an operation is done. Mistakes are looked for in the whole cluster where no namespace is named.
pub(super) fn namespace_words(operation: &Operation, namespace: &str) -> String {
    match (namespace, operation.category) {
        ("", Category::Validate) => "all namespaces".to_owned(),
        ("", _) => "the namespace default".to_owned(),
        (name, _) => format!("the namespace {name}"),
    }
}
