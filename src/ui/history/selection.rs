//! The runs that a person has chosen, in the order in which they were chosen.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::RunId;

/// Chosen runs.
#[derive(Debug, Default)]
pub(super) struct Selection {
    /// When each was chosen.
    chosen: BTreeMap<RunId, u64>,
    /// How many were ever chosen.
    count: u64,
}

impl Selection {
    pub(super) fn contains(&self, id: RunId) -> bool {
        self.chosen.contains_key(&id)
    }

    pub(super) fn len(&self) -> usize {
        self.chosen.len()
    }

    pub(super) fn toggle(&mut self, id: RunId) {
        if self.chosen.remove(&id).is_none() {
            self.add(id);
        }
    }

    pub(super) fn add(&mut self, id: RunId) {
        self.count += 1;
        self.chosen.entry(id).or_insert(self.count);
    }

    pub(super) fn clear(&mut self) {
        self.chosen.clear();
    }

    /// Forgets runs that are not there any more.
    pub(super) fn keep(&mut self, present: &BTreeSet<RunId>) {
        self.chosen.retain(|id, _| present.contains(id));
    }

    /// In the order in which they were chosen.
    pub(super) fn in_order(&self) -> Vec<RunId> {
        let mut ids: Vec<(u64, RunId)> = self.chosen.iter().map(|(id, at)| (*at, *id)).collect();
        ids.sort_unstable();
        ids.into_iter().map(|(_, id)| id).collect()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn runs_stay_in_the_order_in_which_they_were_chosen() {
        let id = |number| RunId(Uuid::from_u128(number));
        let mut selection = Selection::default();
        for number in [3, 1, 2, 1, 1] {
            selection.toggle(id(number));
        }
        assert_eq!(selection.in_order(), [id(3), id(2), id(1)]);
        selection.add(id(3));
        assert_eq!(selection.in_order(), [id(3), id(2), id(1)], "chosen once, chosen where it was");
        selection.keep(&[id(1), id(2)].into());
        assert_eq!(selection.in_order(), [id(2), id(1)]);
    }
}
