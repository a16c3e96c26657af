//! What a gRPC target offers to be called, as far as it was asked.

use std::sync::Arc;
use std::time::Duration;

pub use crate::load::grpc::{Description, Method, Service};
use crate::model::plan::Target;

/// A target that says nothing for so long is not waited for.
pub(super) const ANSWER_MAX: Duration = Duration::from_secs(10);

/// A target that was asked what it offers.
#[derive(Clone, Debug)]
pub struct Listing {
    /// New with each question and answer.
    pub number: u64,
    /// Who was asked.
    pub target: Target,
    /// What is known.
    pub answer: Answer,
}

/// What a target said of what it offers.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Nothing yet.
    Awaited,
    /// Its services and methods.
    Told(Arc<Description>),
    /// Nothing of use; why, in words.
    Failed(String),
}

impl Listing {
    /// What the target offers, once it is known.
    #[must_use]
    pub fn description(&self) -> Option<&Arc<Description>> {
        match &self.answer {
            Answer::Told(description) => Some(description),
            Answer::Awaited | Answer::Failed(_) => None,
        }
    }
}
