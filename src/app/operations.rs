//! What the built-in adapters offer and would do, in words: pure.

use uuid::Uuid;

use crate::adapter::builtin::{self, Operable};
use crate::model::adapter::book::AdapterId;
use crate::model::adapter::{AdapterFacts, OperationRequest};

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

/// What a request comes to, a sentence for each step.
///
/// # Errors
/// What is wrong with the request, or what this mesh cannot do.
pub fn words(mesh: Operable, request: &OperationRequest) -> Result<Vec<String>, String> {
    builtin::steps(mesh, request).map(|steps| builtin::describe(&steps))
}
