//! Which kinds of objects a cluster serves, and under which paths.

use std::collections::BTreeMap;

use kube::api::{ApiResource, DynamicObject, ListParams};
use kube::core::discovery::verbs;
use kube::discovery::{self, ApiCapabilities, Scope};
use kube::{Api, Client, Discovery, ResourceExt as _};

use super::super::Link;
use super::super::asking::Doing;
use crate::model::cluster::Trouble;

/// The most objects of a kind that are looked at to see whether a namespace is anybody's.
const LOOKED_AT_MAX: u32 = 500;
/// What Kubernetes and meshes put into each namespace.
const OWN: [(&str, &str); 3] =
    [("ServiceAccount", "default"), ("ConfigMap", "kube-root-ca.crt"), ("ConfigMap", "istio-ca-root-cert")];
/// Kinds that come and go with others.
const PASSING: [&str; 2] = ["Event", "Endpoints"];
/// Measures of what is there, served as if they were objects.
const METRICS: &str = "metrics.k8s.io";

/// A kind that is served.
#[derive(Clone, Debug)]
pub(super) struct Kind {
    pub(super) resource: ApiResource,
    pub(super) is_namespaced: bool,
}

impl Kind {
    fn new((resource, capabilities): (ApiResource, ApiCapabilities)) -> Self {
        Self { resource, is_namespaced: capabilities.scope == Scope::Namespaced }
    }

    pub(super) fn api(&self, client: &Client, namespace: Option<&str>) -> Api<DynamicObject> {
        match namespace {
            Some(namespace) => Api::namespaced_with(client.clone(), namespace, &self.resource),
            None => Api::all_with(client.clone(), &self.resource),
        }
    }

    pub(super) fn doing(&self, verb: &'static str, namespace: Option<&str>, name: &str) -> Doing {
        let ApiResource { group, plural, kind, .. } = &self.resource;
        let resource = if group.is_empty() { plural.clone() } else { format!("{plural}.{group}") };
        Doing::new(verb, &resource, kind, namespace, name)
    }
}

/// What was asked of a cluster's kinds.
pub(super) struct Kinds<'a> {
    link: &'a Link,
    known: BTreeMap<(String, String), Option<Kind>>,
}

impl<'a> Kinds<'a> {
    pub(super) fn new(link: &'a Link) -> Self {
        Self { link, known: BTreeMap::new() }
    }

    /// A kind of a group's version; none where it is not served.
    pub(super) async fn find(&mut self, api_version: &str, kind: &str) -> Result<Option<Kind>, Trouble> {
        let key = (api_version.to_owned(), kind.to_owned());
        if let Some(known) = self.known.get(&key) {
            return Ok(known.clone());
        }
        let client = self.link.client();
        let asked = async {
            match api_version.split_once('/') {
                Some(_) => client.list_api_group_resources(api_version).await,
                None => client.list_core_api_resources(api_version).await,
            }
        };
        let doing = Doing::new("get", "the list of kinds", "APIResourceList", None, api_version);
        let Some(listed) = self.link.within_or_gone(&doing, asked).await? else {
            self.known.insert(key, None);
            return Ok(None);
        };
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let found = listed.resources.into_iter().find(|it| it.kind == kind && !it.name.contains('/'));
        let found = found.map(|it| Kind {
            is_namespaced: it.namespaced,
            resource: ApiResource {
                group: group.to_owned(),
                version: version.to_owned(),
                api_version: api_version.to_owned(),
                kind: it.kind,
                plural: it.name,
            },
        });
        self.known.insert(key, found.clone());
        Ok(found)
    }

    /// A kind in the most stable version that its group has it in.
    pub(super) async fn find_in_group(&mut self, group: &str, kind: &str) -> Result<Option<Kind>, Trouble> {
        if group.is_empty() {
            return self.find("v1", kind).await;
        }
        let doing = Doing::new("get", "the list of kinds", "APIGroup", None, group);
        let asked = async {
            match discovery::group(self.link.client(), group).await {
                Err(kube::Error::Discovery(_)) => Ok(None),
                asked => asked.map(Some),
            }
        };
        let found = self.link.within_or_gone(&doing, asked).await?.flatten();
        // Kinds of one group are often of different versions: that which the group prefers may not have all.
        let all = found.map(|found| found.resources_by_stability()).unwrap_or_default();
        Ok(all.into_iter().find(|(resource, _)| resource.kind == kind).map(Kind::new))
    }

    /// New ones may be served.
    pub(super) fn forget(&mut self) {
        self.known.clear();
    }

    /// Whether a namespace holds nothing but what Kubernetes puts there; `false` also where that cannot be seen.
    pub(super) async fn is_empty_namespace(&self, namespace: &str) -> bool {
        let Some(Ok(all)) =
            self.link.within_raw(Discovery::new(self.link.client().clone()).run_aggregated()).await
        else {
            return false;
        };
        for group in all.groups().filter(|group| group.name() != METRICS) {
            for (resource, capabilities) in group.resources_by_stability() {
                let is_listed =
                    capabilities.scope == Scope::Namespaced && capabilities.supports_operation(verbs::LIST);
                let is_passing = PASSING.contains(&resource.kind.as_str());
                if is_listed && !is_passing && !self.is_free_of(&resource, namespace).await {
                    return false;
                }
            }
        }
        true
    }

    async fn is_free_of(&self, resource: &ApiResource, namespace: &str) -> bool {
        let api: Api<DynamicObject> = Api::namespaced_with(self.link.client().clone(), namespace, resource);
        let few = ListParams::default().limit(LOOKED_AT_MAX);
        let Some(Ok(listed)) = self.link.within_raw(api.list_metadata(&few)).await else { return false };
        let is_whole = listed.metadata.continue_.as_deref().unwrap_or_default().is_empty();
        is_whole
            && listed.items.iter().all(|object| {
                let name = object.name_any();
                OWN.contains(&(resource.kind.as_str(), name.as_str()))
                    || object.metadata.deletion_timestamp.is_some()
                    // What keeps it going counts by itself; where that is gone, this goes too.
                    || !object.owner_references().is_empty()
            })
    }
}
