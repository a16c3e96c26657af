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

#[cfg(test)]
mod tests {
    use crate::app::Command;
    use crate::app::adapters::{AdapterCommand, AdapterJob};
    use crate::app::clusters::ClusterCommand;
    use crate::app::update::Fresh;

    use super::*;

    fn fresh(number: u128) -> Fresh {
        Fresh { id: Uuid::from_u128(number) }
    }

    #[test]
    fn what_is_used_once_is_connected_and_never_kept() {
        let mut state = State::default();
        let place = || AdapterPlace::Address("localhost:10000".to_owned());
        let ask = |state: &mut State, number| {
            state.command(Command::Adapter(AdapterCommand::Use(place())), fresh(number))
        };
        let jobs = ask(&mut state, 7 << 100);
        assert!(matches!(jobs.as_slice(), [Job::Adapter(AdapterJob::Connect { .. })]), "{jobs:?}");
        ask(&mut state, 8 << 100);
        assert_eq!(state.adapters.passing.len(), 1, "the same is used again");
        assert!(state.adapters.book.adapters.is_empty());
        let id = state.adapters.passing[0].id;
        assert_eq!(state.adapters.name(id), "localhost:10000");

        let file = PathBuf::from("/somewhere/config");
        let used = ClusterCommand::Use(vec![file.clone(), file.clone()]);
        let jobs = state.command(Command::Cluster(used), fresh(9));
        assert!(matches!(jobs.as_slice(), [Job::Cluster(ClusterJob::Read(_))]), "{jobs:?}");
        assert_eq!(state.clusters.sources().own, [file]);
        assert!(state.clusters.book.files.is_empty());
    }

    #[test]
    fn where_an_operation_is_done_is_said_whatever_was_named() {
        let of = |category| Operation { category, ..Operation::default() };
        assert_eq!(namespace_words(&of(Category::Validate), ""), "all namespaces");
        assert_eq!(namespace_words(&of(Category::Install), ""), "the namespace default");
        assert_eq!(namespace_words(&of(Category::Validate), "shop"), "the namespace shop");
    }
}
