//! Adapters: what they say of themselves, what they offer, what is asked of them and what they report; and the steps of
//! which an operation of the built-in one is made.

pub mod book;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// What an operation is for; in the order in which pages list them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// Install or remove a mesh.
    #[default]
    Install,
    /// A sample application.
    SampleApplication,
    /// Change how a mesh works.
    Configure,
    /// Look for mistakes.
    Validate,
    /// Any manifest.
    Custom,
}

/// Something that an adapter offers.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct Operation {
    /// What it is for.
    pub category: Category,
    /// In words, for people.
    pub text: String,
    /// By what it is asked for.
    pub key: String,
}

/// What is asked of an adapter.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OperationRequest {
    /// A UUID of our own: what is reported later bears it.
    pub id: String,
    /// [`Operation::key`].
    pub key: String,
    /// Where; `default` where a person said nothing.
    pub namespace: String,
    /// Whether it is to be undone.
    pub removes: bool,
    /// The manifest of a custom operation, or the values of an installation; empty for none.
    pub body: String,
    /// Which version of the mesh; empty for the adapter's choice.
    pub version: String,
}

/// How grave something is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know.
    #[default]
    Info,
    /// It may not be as wished.
    Warning,
    /// It failed.
    Error,
}

/// What an adapter reported. All of it is foreign text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AdapterEvent {
    /// How grave.
    pub severity: Severity,
    /// In a line.
    pub summary: String,
    /// The whole of it; may be long.
    pub details: String,
    /// The operation that it belongs to; empty for none.
    pub operation_id: String,
    /// Why, where it was sent.
    pub cause: String,
    /// What to do, where it was sent.
    pub remedy: String,
    /// The adapter's own code for it.
    pub code: String,
    /// `adapter`.
    pub component: String,
    /// `ISTIO`.
    pub component_name: String,
}

/// Which contract an adapter speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Era {
    /// That of 2019: a kubeconfig is handed over once, before anything else.
    First,
    /// That of the adapter library: a kubeconfig goes with each operation.
    #[default]
    Library,
}

/// What an adapter says of itself and offers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AdapterFacts {
    /// Its mesh's name, as it says it: `ISTIO`.
    pub name: String,
    /// Its own version; empty where it does not say.
    pub version: String,
    /// The commit that it was built from; empty where it does not say.
    pub git_sha: String,
    /// Versions of the mesh that it knows.
    pub mesh_versions: Vec<String>,
    /// Its contract.
    pub era: Era,
    /// What it offers; sorted.
    pub operations: Vec<Operation>,
    /// How many more it offers that are not listed: too many, or of keys by which nobody can ask.
    pub left_out: usize,
}

/// A part of an operation of the built-in adapter, carried out in one cluster, in order.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Install or upgrade a chart with `helm`.
    Helm(HelmRelease),
    /// Take a chart's release away with `helm`, and nothing where there is none.
    Unhelm {
        /// The release.
        release: String,
        /// Where it is.
        namespace: String,
    },
    /// Apply the documents of a manifest on the server's side; what an earlier manifest of this set had and this has not is
    /// taken away.
    Apply {
        /// By what name these objects belong together.
        set: String,
        /// Where objects go that name no namespace.
        namespace: String,
        /// YAML documents.
        manifest: String,
    },
    /// Take away all objects of a set.
    Prune {
        /// By what name.
        set: String,
        /// Where it was applied.
        namespace: String,
    },
    /// Write labels and annotations on an object, or take them off.
    Mark {
        /// On which.
        object: Marked,
        /// Labels; none to take one off.
        labels: BTreeMap<String, Option<String>>,
        /// Annotations; none to take one off.
        annotations: BTreeMap<String, Option<String>>,
    },
    /// Start the pods of all workloads of a namespace anew, one after another, as `kubectl rollout restart` does.
    Restart {
        /// Where.
        namespace: String,
    },
    /// Wait until all workloads of a namespace are ready.
    Ready {
        /// Where.
        namespace: String,
        /// For how long, in seconds.
        seconds: u32,
    },
    /// Look for mistakes with the meshes of the cluster and report each.
    Validate {
        /// In which namespace; empty for the whole cluster.
        namespace: String,
    },
}

/// What [`Step::Mark`] is written on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Marked {
    /// A namespace.
    Namespace(String),
    /// The pod templates of all workloads of a namespace.
    Templates(String),
}

/// A chart to be installed.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HelmRelease {
    /// What it is called in the cluster.
    pub release: String,
    /// The repository's URL; empty where the chart is a folder or a file.
    pub repository: String,
    /// The chart's name there, or its path.
    pub chart: String,
    /// Its version; empty for the newest.
    pub version: String,
    /// Where; made where it is missing.
    pub namespace: String,
    /// Values as YAML; empty for the chart's own.
    pub values: String,
    /// Whether certificates for identities of workloads are put into the values, as Linkerd's chart wants them.
    pub makes_identity: bool,
}

/// News of steps that are carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Which step, from zero.
    pub step: usize,
    /// Of how many.
    pub of: usize,
    /// What happened.
    pub news: News,
}

/// What happened with a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// It is being carried out.
    Begun,
    /// An object was changed, or looked at and left as it was.
    Changed(Change),
    /// Workloads are waited for.
    Waits {
        /// Pods that are ready.
        ready: u32,
        /// Pods that are wanted.
        wanted: u32,
        /// Workloads that are not ready, with why where it is known; bounded.
        waits_for: Vec<String>,
    },
    /// In a sentence.
    Told(String),
    /// What a validation found.
    Found(Finding),
    /// It was carried out.
    Done,
}

/// What is done, or would be, to one object of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// `Deployment shop/web`, `Namespace shop`.
    pub object: String,
    /// What.
    pub how: Changed,
}

/// What is done to an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed {
    /// It was not there.
    Created,
    /// It is as it is to be.
    Unchanged,
    /// These fields are other; bounded.
    Fields(Vec<FieldChange>),
    /// It is taken away.
    Removed,
    /// It was there before: what was set in it is taken out, and it stays.
    Released,
    /// Its pods start anew.
    Restarted,
}

/// A field that is other than before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldChange {
    /// `spec.template.spec.containers[web].image`.
    pub path: String,
    /// Before; none where it was not there; bounded.
    pub old: Option<String>,
    /// After; none where it is taken out; bounded.
    pub new: Option<String>,
}

/// A mistake, or a danger of one, that a validation found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Finding {
    /// How grave.
    pub severity: Severity,
    /// What it is about: `namespace shop`, `Deployment shop/checkout`.
    pub subject: String,
    /// In a sentence.
    pub summary: String,
    /// What to do.
    pub remedy: String,
}

impl Category {
    /// All, in their order.
    pub const ALL: [Self; 5] =
        [Self::Install, Self::SampleApplication, Self::Configure, Self::Validate, Self::Custom];

    /// As a heading.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Install => "Install",
            Self::SampleApplication => "Sample applications",
            Self::Configure => "Configure",
            Self::Validate => "Validate",
            Self::Custom => "Custom",
        }
    }
}

// Values and manifests may hold keys and passwords: they are shown by their length.

impl fmt::Debug for OperationRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, key, namespace, removes, body, version } = self;
        let words =
            format!("{key} in {namespace}, removes: {removes}, version “{version}”, {} bytes", body.len());
        f.debug_tuple("OperationRequest").field(id).field(&words).finish()
    }
}

impl fmt::Debug for HelmRelease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { release, repository, chart, version, namespace, values, makes_identity: _ } = self;
        let words = format!(
            "{release} in {namespace}: {chart} “{version}” of “{repository}”, {} bytes of values",
            values.len()
        );
        f.debug_tuple("HelmRelease").field(&words).finish()
    }
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Helm(release) => f.debug_tuple("Helm").field(release).finish(),
            Self::Unhelm { release, namespace } => write!(f, "Unhelm({release} in {namespace})"),
            Self::Apply { set, namespace, manifest } => {
                write!(f, "Apply({set} in {namespace}: {} bytes)", manifest.len())
            }
            Self::Prune { set, namespace } => write!(f, "Prune({set} in {namespace})"),
            Self::Mark { object, labels, annotations } => {
                f.debug_tuple("Mark").field(object).field(labels).field(annotations).finish()
            }
            Self::Restart { namespace } => write!(f, "Restart({namespace})"),
            Self::Ready { namespace, seconds } => write!(f, "Ready({namespace} within {seconds} s)"),
            Self::Validate { namespace } => write!(f, "Validate({namespace})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_manifests_are_not_shown() {
        let secret = || "CANARY".to_owned();
        let release = HelmRelease { values: secret(), ..HelmRelease::default() };
        let request = OperationRequest { body: secret(), ..OperationRequest::default() };
        let manifest = Step::Apply { set: "a".to_owned(), namespace: "b".to_owned(), manifest: secret() };
        let shown = format!("{:?} {request:?} {manifest:?}", Step::Helm(release));
        assert!(!shown.contains("CANARY") && shown.contains("6 bytes"), "{shown}");
    }
}
