//! Operations that go on in what is served: how many at once, which, and when the last has ended.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;

/// Operations that go on at once; more are refused.
pub(super) const RUNNING_MAX: usize = 16;

/// Which operations go on.
#[derive(Clone)]
pub(super) struct Running(watch::Sender<BTreeMap<u64, String>>);

/// An operation that goes on for as long as this lives.
pub(super) struct Work {
    number: u64,
    running: Running,
}

impl Running {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(BTreeMap::new()))
    }

    /// One more, called so; none where there is no room.
    pub(super) fn begin(&self, name: String) -> Option<Arc<Work>> {
        let mut begun = None;
        self.0.send_modify(|running| {
            if running.len() < RUNNING_MAX {
                let number = running.keys().next_back().map_or(0, |last| last + 1);
                running.insert(number, name);
                begun = Some(number);
            }
        });
        begun.map(|number| Arc::new(Work { number, running: self.clone() }))
    }

    /// Waits until none goes on.
    pub(super) async fn none(&self) {
        let mut running = self.0.subscribe();
        // Fails never: the sender is here.
        let _ = running.wait_for(BTreeMap::is_empty).await;
    }

    /// What those are called that go on.
    pub(super) fn names(&self) -> Vec<String> {
        self.0.borrow().values().cloned().collect()
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.running.0.send_modify(|running| drop(running.remove(&self.number)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn as_many_go_on_as_there_is_room_for_and_each_end_makes_room() {
        let running = Running::new();
        let mut works: Vec<_> = (0..RUNNING_MAX).map(|number| running.begin(number.to_string())).collect();
        assert!(works.iter().all(Option::is_some) && running.begin("more".to_owned()).is_none());
        let other = works[3].clone();
        works.remove(3);
        assert!(running.begin("more".to_owned()).is_none(), "one of its holders is left");
        drop(other);
        let again = running.begin("more".to_owned());
        assert_eq!(running.names().last().map(String::as_str), Some("more"));
        drop((works, again));
        running.none().await;
        assert!(running.names().is_empty());
    }
}
