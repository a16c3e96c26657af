//! Manifests in a cluster: applied on the server's side under a name of our own, and remembered as a set, so that what a
//! later manifest has not is taken away, and the whole of it can be.
//!
//! A set is kept as kubectl's ApplySets are: its objects bear a label with the set's identity, and a `ConfigMap` bears the
//! kinds and namespaces that they are of. An object that was there before is not taken away with the set: only what was
//! set in it is taken out. Nothing is forced: where another manager holds a field, that is told.

mod difference;
mod kinds;

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, Preconditions};
use kube::runtime::wait::{await_condition, conditions::is_crd_established};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::asking::Doing;
use super::words::{chain, trouble};
use super::{ANSWER_MAX, Link};
use crate::model::adapter::{Change, Changed, News};
use crate::model::cluster::Trouble;
use crate::model::manifest::{self, Object};
pub(super) use difference::fields;
use kinds::{Kind, Kinds};

/// Under what name fields are ours.
pub(super) const MANAGER: &str = "meshbench";
const TOOLING: &str = concat!("meshbench/v", env!("CARGO_PKG_VERSION"));

const PART_OF: &str = "applyset.kubernetes.io/part-of";
const SET_ID: &str = "applyset.kubernetes.io/id";
const SET_TOOLING: &str = "applyset.kubernetes.io/tooling";
const SET_KINDS: &str = "applyset.kubernetes.io/contains-group-kinds";
const SET_NAMESPACES: &str = "applyset.kubernetes.io/additional-namespaces";
/// On an object that was there before a set had it.
const WAS_THERE: &str = "meshbench/was-there";
/// On a set whose namespace was made for it.
const MADE_NAMESPACE: &str = "meshbench/made-namespace";
/// The most objects of a kind and namespace that are looked at for a set.
const MEMBERS_MAX: u32 = 5000;

/// Tells of what happens.
pub(super) type Tell<'a> = &'a mut (dyn FnMut(News) + Send);

/// Whether something is done, or only asked what it would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Earnest {
    Done,
    Rehearsed,
}

/// The objects that belong together under one name.
struct Set<'a> {
    link: &'a Link,
    kinds: Kinds<'a>,
    /// Where the set is kept, and objects go that name no namespace.
    namespace: &'a str,
    /// What keeps it.
    parent: String,
    id: String,
    earnest: Earnest,
}

/// What is remembered of a set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Kept {
    /// `Deployment.apps`, `Service`.
    group_kinds: BTreeSet<String>,
    /// Beside its own.
    namespaces: BTreeSet<String>,
    made_namespace: bool,
}

/// Applies a manifest as a set, and takes away what was in the set and is not any more.
///
/// # Errors
/// What did not work, in words; what was applied before stays, and belongs to the set.
pub(super) async fn apply(
    link: &Link,
    (set, namespace): (&str, &str),
    manifest: &str,
    earnest: Earnest,
    tell: Tell<'_>,
) -> Result<(), Trouble> {
    let mut objects = manifest::objects(manifest)
        .map_err(|cause| trouble("The manifest cannot be applied", cause, "Put the manifest right"))?;
    objects.sort_by_key(stage);
    let mut set = Set::new(link, set, namespace, earnest);
    set.refuse_unknown(&objects).await?;
    let made = set.make_namespace(&objects, tell).await?;
    let before = set.kept().await?;
    let is_new = before.is_none() && earnest == Earnest::Done;
    let mut kept = set.plan(&objects).await?;
    kept.made_namespace = made || before.as_ref().is_some_and(|before| before.made_namespace);
    let before = before.unwrap_or_default();
    let all = Kept {
        group_kinds: before.group_kinds.union(&kept.group_kinds).cloned().collect(),
        namespaces: before.namespaces.union(&kept.namespaces).cloned().collect(),
        made_namespace: kept.made_namespace,
    };
    // What is made from here on is found again, whatever happens.
    set.keep(&all).await?;
    let mut stays = BTreeSet::new();
    for object in &objects {
        let (place, change) = match set.apply_one(object).await {
            Ok(applied) => applied,
            Err(trouble) => {
                if is_new && stays.is_empty() {
                    set.take_back(&kept).await;
                }
                return Err(trouble);
            }
        };
        stays.insert(place);
        tell(News::Changed(change));
    }
    set.take_away(&all, &stays, tell).await?;
    set.keep(&kept).await
}

/// Takes away all objects of a set, and what keeps it.
///
/// # Errors
/// What did not work, in words; what is left still belongs to the set.
pub(super) async fn prune(
    link: &Link,
    (set, namespace): (&str, &str),
    earnest: Earnest,
    tell: Tell<'_>,
) -> Result<(), Trouble> {
    let mut set = Set::new(link, set, namespace, earnest);
    let Some(kept) = set.kept().await? else {
        tell(News::Told(format!("Nothing is there of the set {} in the namespace {namespace}", set.name())));
        return Ok(());
    };
    set.take_away(&kept, &BTreeSet::new(), tell).await?;
    if earnest == Earnest::Done {
        set.forget().await?;
        if kept.made_namespace {
            set.remove_namespace_if_empty(tell).await?;
        }
    }
    Ok(())
}

/// What must be there before other things, and what may only come after them.
fn stage(object: &Object) -> u8 {
    match (object.group(), object.kind.as_str()) {
        ("", "Namespace") => 0,
        ("apiextensions.k8s.io", "CustomResourceDefinition") => 1,
        ("admissionregistration.k8s.io", _) => 3,
        _ => 2,
    }
}

/// Kind, namespace and name.
type Place = (String, String, String);

impl<'a> Set<'a> {
    fn new(link: &'a Link, name: &str, namespace: &'a str, earnest: Earnest) -> Self {
        let parent = format!("meshbench-{name}");
        // As the specification of ApplySets has it.
        let digest = Sha256::digest(format!("{parent}.{namespace}.ConfigMap."));
        let id = format!("applyset-{}-v1", URL_SAFE_NO_PAD.encode(digest));
        Self { link, kinds: Kinds::new(link), namespace, parent, id, earnest }
    }

    fn name(&self) -> &str {
        self.parent.trim_start_matches("meshbench-")
    }

    fn parents(&self) -> Api<core::ConfigMap> {
        Api::namespaced(self.link.client().clone(), self.namespace)
    }

    fn doing(&self, verb: &'static str) -> Doing {
        Doing::new(verb, "configmaps", "ConfigMap", Some(self.namespace), &self.parent)
    }

    fn params(&self) -> PatchParams {
        // A field that its kind does not know is a mistake, not something to leave out without a word.
        let params = PatchParams::apply(MANAGER).validation_strict();
        PatchParams { dry_run: self.earnest == Earnest::Rehearsed, ..params }
    }

    /// What is remembered; none where there is no such set.
    async fn kept(&self) -> Result<Option<Kept>, Trouble> {
        let api = self.parents();
        let found = self.link.within(&self.doing("get"), api.get_opt(&self.parent)).await?;
        Ok(found.map(|parent| {
            let listed = |key: &str| -> BTreeSet<String> {
                let text = parent.annotations().get(key).cloned().unwrap_or_default();
                text.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect()
            };
            Kept {
                group_kinds: listed(SET_KINDS),
                namespaces: listed(SET_NAMESPACES),
                made_namespace: parent.annotations().contains_key(MADE_NAMESPACE),
            }
        }))
    }

    async fn keep(&self, kept: &Kept) -> Result<(), Trouble> {
        if self.earnest == Earnest::Rehearsed {
            return Ok(());
        }
        let listed = |words: &BTreeSet<String>| words.iter().cloned().collect::<Vec<_>>().join(",");
        let mut annotations = json!({
            SET_TOOLING: TOOLING,
            SET_KINDS: listed(&kept.group_kinds),
            SET_NAMESPACES: listed(&kept.namespaces),
        });
        if kept.made_namespace {
            annotations[MADE_NAMESPACE] = "true".into();
        }
        let parent = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": self.parent,
                "namespace": self.namespace,
                "labels": { SET_ID: self.id },
                "annotations": annotations,
            },
        });
        let (api, params) = (self.parents(), self.params());
        let patch = Patch::Apply(&parent);
        self.link.within(&self.doing("patch"), api.patch(&self.parent, &params, &patch)).await?;
        Ok(())
    }

    async fn forget(&self) -> Result<(), Trouble> {
        let (api, params) = (self.parents(), DeleteParams::default());
        self.link.within_or_gone(&self.doing("delete"), api.delete(&self.parent, &params)).await?;
        Ok(())
    }

    /// Kinds that neither the cluster nor the manifest knows, before anything is changed.
    async fn refuse_unknown(&mut self, objects: &[Object]) -> Result<(), Trouble> {
        let brings = |object: &Object| {
            objects.iter().filter(|it| stage(it) == 1).any(|definition| {
                let spec = &definition.value["spec"];
                spec["group"] == object.group() && spec["names"]["kind"] == object.kind.as_str()
            })
        };
        for object in objects {
            if self.kinds.find(&object.api_version, &object.kind).await?.is_none() && !brings(object) {
                let cause = format!("{} {} of {}", object.kind, object.name, object.api_version);
                return Err(trouble(
                    "The cluster does not know this kind of object",
                    cause,
                    "Install what brings it first: the mesh, the Gateway API, or its resource types",
                ));
            }
        }
        Ok(())
    }

    /// Makes the set's namespace where it is missing; whether it did.
    async fn make_namespace(&self, objects: &[Object], tell: Tell<'_>) -> Result<bool, Trouble> {
        let api: Api<core::Namespace> = Api::all(self.link.client().clone());
        let doing = |verb| Doing::new(verb, "namespaces", "Namespace", None, self.namespace);
        // Who may not look may still be allowed to work in it.
        let is_there = match self.link.within_raw(api.get_metadata_opt(self.namespace)).await {
            Some(Ok(found)) => found.is_some(),
            Some(Err(kube::Error::Api(status))) if status.is_forbidden() => true,
            Some(Err(error)) => return Err(self.link.failed(&error, &doing("get"))),
            None => return Err(self.link.late(&doing("get"))),
        };
        let is_ours = objects.iter().any(|it| stage(it) == 0 && it.name == self.namespace);
        if is_there {
            return Ok(false);
        }
        if !is_ours {
            tell(News::Changed(Change {
                object: format!("Namespace {}", self.namespace),
                how: Changed::Created,
            }));
        }
        if self.earnest == Earnest::Rehearsed {
            return Ok(false);
        }
        let mut namespace =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}});
        if is_ours {
            namespace["metadata"]["labels"] = json!({ PART_OF: self.id });
        }
        let (params, patch) = (self.params(), Patch::Apply(&namespace));
        self.link.within(&doing("patch"), api.patch(self.namespace, &params, &patch)).await?;
        Ok(!is_ours)
    }

    /// Which kinds and namespaces the set will have.
    async fn plan(&mut self, objects: &[Object]) -> Result<Kept, Trouble> {
        let mut kept = Kept::default();
        for object in objects {
            let group = object.group();
            let name =
                if group.is_empty() { object.kind.clone() } else { format!("{}.{group}", object.kind) };
            kept.group_kinds.insert(name);
            if let Some(namespace) = object.namespace.as_deref().filter(|name| *name != self.namespace) {
                kept.namespaces.insert(namespace.to_owned());
            }
        }
        Ok(kept)
    }

    async fn apply_one(&mut self, object: &Object) -> Result<(Place, Change), Trouble> {
        let Some(kind) = self.kinds.find(&object.api_version, &object.kind).await? else {
            // Its definition is in the manifest: a rehearsal makes none.
            let place = (object.kind.clone(), String::new(), object.name.clone());
            let change = Change { object: format!("{} {}", object.kind, object.name), how: Changed::Created };
            return Ok((place, change));
        };
        let namespace = kind.is_namespaced.then(|| object.namespace.as_deref().unwrap_or(self.namespace));
        let api = kind.api(self.link.client(), namespace);
        let doing = |verb| kind.doing(verb, namespace, &object.name);
        let before = self.link.within(&doing("get"), api.get_opt(&object.name)).await?;
        let was_there = self.was_there(before.as_ref(), &doing("patch"))?;
        let body = self.dressed(object, namespace, was_there);
        let (params, patch) = (self.params(), Patch::Apply(&body));
        let applied = match self.link.within_raw(api.patch(&object.name, &params, &patch)).await {
            Some(Ok(applied)) => Some(applied),
            // Nothing can be asked of a namespace that is not there yet.
            Some(Err(kube::Error::Api(status)))
                if self.earnest == Earnest::Rehearsed && before.is_none() && status.is_not_found() =>
            {
                None
            }
            Some(Err(error)) => return Err(self.link.failed(&error, &doing("patch"))),
            None => return Err(self.link.late(&doing("patch"))),
        };
        if stage(object) == 1 && self.earnest == Earnest::Done {
            self.wait_until_served(&object.name).await?;
        }
        let how = match (&before, &applied) {
            (Some(before), Some(after)) => compared(before, after, &object.kind),
            _ => Changed::Created,
        };
        let place = (object.kind.clone(), namespace.unwrap_or_default().to_owned(), object.name.clone());
        Ok((place, Change { object: doing("patch").object(), how }))
    }

    /// Whether the object was there before the set had it.
    ///
    /// # Errors
    /// Where it belongs to another set.
    fn was_there(&self, before: Option<&DynamicObject>, doing: &Doing) -> Result<bool, Trouble> {
        let Some(before) = before else { return Ok(false) };
        match before.labels().get(PART_OF) {
            None => Ok(true),
            Some(id) if *id == self.id => Ok(before.annotations().contains_key(WAS_THERE)),
            Some(_) => Err(trouble(
                "An object belongs to another set",
                format!("{} was applied as part of something else", doing.object()),
                "Remove that first: the sample, rule or manifest that it came with",
            )),
        }
    }

    /// As it is sent.
    fn dressed(&self, object: &Object, namespace: Option<&str>, was_there: bool) -> Value {
        let mut body = object.value.clone();
        let meta = &mut body["metadata"];
        if let Some(namespace) = namespace {
            meta["namespace"] = namespace.into();
        }
        for (key, name, is) in [
            ("labels", PART_OF, Some(self.id.as_str())),
            ("annotations", WAS_THERE, was_there.then_some("true")),
        ] {
            let Some(is) = is else { continue };
            if !meta[key].is_object() {
                meta[key] = json!({});
            }
            meta[key][name] = is.into();
        }
        body
    }

    async fn wait_until_served(&mut self, name: &str) -> Result<(), Trouble> {
        let api: Api<CustomResourceDefinition> = Api::all(self.link.client().clone());
        let waited = tokio::time::timeout(ANSWER_MAX, await_condition(api, name, is_crd_established())).await;
        self.kinds.forget();
        let cause = match waited {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(error)) => format!("{name}: {}", chain(&error)),
            Err(_) => format!("{name} was not established within {} s", ANSWER_MAX.as_secs()),
        };
        let advice = "Look at its conditions with kubectl describe crd, and whether you may watch it";
        Err(trouble("It is not known whether a resource type is served", cause, advice))
    }

    /// Of a new set of which nothing could be applied, nothing stays; what cannot be taken back still belongs to it.
    async fn take_back(&mut self, kept: &Kept) {
        let mut untold = |_| {};
        let is_empty = self.take_away(kept, &BTreeSet::new(), &mut untold).await.is_ok();
        if is_empty && self.forget().await.is_ok() && kept.made_namespace {
            // Who may not remove it keeps it.
            let _ = self.remove_namespace_if_empty(&mut untold).await;
        }
    }

    /// Takes away what bears the set's label and is not among what stays.
    async fn take_away(
        &mut self,
        kept: &Kept,
        stays: &BTreeSet<Place>,
        tell: Tell<'_>,
    ) -> Result<(), Trouble> {
        let mut group_kinds: Vec<&String> = kept.group_kinds.iter().collect();
        // In the reverse order of their making.
        group_kinds.sort_by_key(|name| match name.as_str() {
            "Namespace" => 2,
            "CustomResourceDefinition.apiextensions.k8s.io" => 1,
            _ => 0,
        });
        for name in group_kinds {
            let (kind, group) = name.split_once('.').unwrap_or((name, ""));
            // Where the kind is not served any more, its objects are gone with it.
            let Some(kind) = self.kinds.find_in_group(group, kind).await? else { continue };
            let own = [self.namespace].into_iter().chain(kept.namespaces.iter().map(String::as_str));
            let places: Vec<Option<&str>> =
                if kind.is_namespaced { own.map(Some).collect() } else { vec![None] };
            for namespace in places {
                self.take_away_in(&kind, namespace, stays, tell).await?;
            }
        }
        Ok(())
    }

    async fn take_away_in(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        stays: &BTreeSet<Place>,
        tell: Tell<'_>,
    ) -> Result<(), Trouble> {
        let api = kind.api(self.link.client(), namespace);
        let wanted = ListParams::default().labels(&format!("{PART_OF}={}", self.id)).limit(MEMBERS_MAX);
        let doing = kind.doing("list", namespace, "");
        let listed = self.link.within(&doing, api.list_metadata(&wanted)).await?;
        for member in listed.items {
            let name = member.name_any();
            let place = (kind.resource.kind.clone(), namespace.unwrap_or_default().to_owned(), name.clone());
            if stays.contains(&place) {
                continue;
            }
            let is_released = member.annotations().contains_key(WAS_THERE);
            let doing = kind.doing(if is_released { "patch" } else { "delete" }, namespace, &name);
            if self.earnest == Earnest::Done {
                if is_released {
                    self.release(kind, &api, namespace, &name).await?;
                } else {
                    let uid = member.uid();
                    let params = DeleteParams::background()
                        .preconditions(Preconditions { uid, ..Preconditions::default() });
                    self.link.within_or_gone(&doing, api.delete(&name, &params)).await?;
                }
            }
            let how = if is_released { Changed::Released } else { Changed::Removed };
            tell(News::Changed(Change { object: doing.object(), how }));
        }
        Ok(())
    }

    /// Takes out of an object what was set in it: who applies nothing holds nothing.
    async fn release(
        &self,
        kind: &Kind,
        api: &Api<DynamicObject>,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<(), Trouble> {
        let mut body = json!({
            "apiVersion": kind.resource.api_version,
            "kind": kind.resource.kind,
            "metadata": { "name": name },
        });
        if let Some(namespace) = namespace {
            body["metadata"]["namespace"] = namespace.into();
        }
        let (params, patch) = (self.params(), Patch::Apply(&body));
        self.link
            .within_or_gone(&kind.doing("patch", namespace, name), api.patch(name, &params, &patch))
            .await?;
        Ok(())
    }

    /// The namespace that was made for the set goes with it, unless others use it by now.
    async fn remove_namespace_if_empty(&mut self, tell: Tell<'_>) -> Result<(), Trouble> {
        if !self.kinds.is_empty_namespace(self.namespace).await {
            tell(News::Told(format!(
                "The namespace {} stays: others use it, or you may not see whether they do",
                self.namespace
            )));
            return Ok(());
        }
        let api: Api<core::Namespace> = Api::all(self.link.client().clone());
        let doing = Doing::new("delete", "namespaces", "Namespace", None, self.namespace);
        let params = DeleteParams::default();
        self.link.within_or_gone(&doing, api.delete(self.namespace, &params)).await?;
        tell(News::Changed(Change { object: doing.object(), how: Changed::Removed }));
        Ok(())
    }
}

/// What is other between two states of one object.
pub(super) fn compared(before: &DynamicObject, after: &DynamicObject, kind: &str) -> Changed {
    let value = |object: &DynamicObject| serde_json::to_value(object).unwrap_or_default();
    match fields(value(before), value(after), kind) {
        fields if fields.is_empty() => Changed::Unchanged,
        fields => Changed::Fields(fields),
    }
}
