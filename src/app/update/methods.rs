//! What gRPC targets offer.

use std::sync::Arc;

use crate::app::job::{Job, JobKey};
use crate::app::methods::{Answer, Description, Listing};
use crate::app::state::State;
use crate::model::Target;

impl State {
    pub(super) fn list_methods(&mut self, target: Box<Target>) -> Vec<Job> {
        let number = self.number();
        self.listing = Some(Listing { number, target: (*target).clone(), answer: Answer::Awaited });
        vec![Job::ListMethods(number, target)]
    }

    pub(super) fn stop_listing(&mut self) -> Vec<Job> {
        self.listing = None;
        vec![Job::Stop(JobKey::ListMethods)]
    }

    pub(super) fn methods_listed(&mut self, asked: u64, told: Result<Arc<Description>, String>) -> Vec<Job> {
        let number = self.number();
        if let Some(listing) = self.listing.as_mut().filter(|listing| listing.number == asked) {
            listing.number = number;
            listing.answer = told.map_or_else(Answer::Failed, Answer::Told);
        }
        Vec::new()
    }
}
