//! What the built-in adapters offer and would do, in words: pure.

use uuid::Uuid;

use crate::adapter::builtin::{self, Operable};
use crate::model::adapter::book::{AdapterId, OperationRecord};
use crate::model::adapter::{AdapterFacts, Category, Operation, OperationRequest, Step};
use crate::model::manifest;

/// Identities of built-in adapters are these numbers and those after them.
const FIRST_ID: u128 = 1;

/// The built-in adapters, one for each mesh that they operate.
pub fn built_in() -> impl Iterator<Item = (AdapterId, Operable)> {
    (FIRST_ID..).map(|number| AdapterId(Uuid::from_u128(number))).zip(Operable::ALL)
}

/// The mesh that a built-in adapter operates; none where it is another adapter.
#[must_use]
pub fn mesh(id: AdapterId) -> Option<Operable> {
    built_in().find(|(known, _)| *known == id).map(|(_, mesh)| mesh)
}

/// What a built-in adapter says of itself.
#[must_use]
pub fn facts(mesh: Operable) -> AdapterFacts {
    AdapterFacts {
        name: mesh.name().to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        operations: builtin::operations(mesh),
        ..AdapterFacts::default()
    }
}

/// What clusters can be asked about before: the steps of which they know what they would do. Of an adapter that is not
/// ours that is a manifest which a person wrote, and nothing else; how it applies that is its own.
#[must_use]
pub fn rehearsed(adapter: AdapterId, operation: &Operation, request: &OperationRequest) -> Vec<Step> {
    let can_be = |step: &Step| {
        matches!(step, Step::Apply { .. } | Step::Prune { .. } | Step::Mark { .. } | Step::Restart { .. })
    };
    if let Some(mesh) = mesh(adapter) {
        let steps = builtin::steps(mesh, request).unwrap_or_default();
        return if steps.iter().any(can_be) { steps } else { Vec::new() };
    }
    let is_manifest = operation.category == Category::Custom && manifest::objects(&request.body).is_ok();
    if !is_manifest || request.removes {
        return Vec::new();
    }
    vec![Step::Apply {
        set: "rehearsal".to_owned(),
        namespace: request.namespace.clone(),
        manifest: request.body.clone(),
    }]
}

/// The Service and port at which a sample application of ours is tried once it is ready; none where there is none.
#[must_use]
pub fn tried_at(record: &OperationRecord) -> Option<(&'static str, u16)> {
    mesh(record.adapter)?;
    builtin::front(&record.operation.key).filter(|_| !record.request.removes)
}

/// What a request comes to, a sentence for each step.
///
/// # Errors
/// What is wrong with the request, or what this mesh cannot do.
pub fn words(mesh: Operable, request: &OperationRequest) -> Result<Vec<String>, String> {
    builtin::steps(mesh, request).map(|steps| builtin::describe(&steps))
}
