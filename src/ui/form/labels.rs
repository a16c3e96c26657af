//! Labels as they are being typed: the ones that every page knows, and free ones.

use crate::model::plan::check_label;
use crate::model::{KNOWN_LABELS, Labels};

/// Labels as they are being typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelDraft {
    /// Values of [`KNOWN_LABELS`], in their order; empty for none.
    pub known: [String; KNOWN_LABELS.len()],
    /// Keys and values; a row that is empty is no label.
    pub free: Vec<(String, String)>,
}

/// Where a label stands. Rows count from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LabelAt {
    /// One of [`KNOWN_LABELS`].
    Known(usize),
    /// A free one.
    Free(usize),
}

impl LabelDraft {
    /// The texts of these labels.
    #[must_use]
    pub fn from_labels(labels: &Labels) -> Self {
        let mut draft = Self::default();
        for (key, value) in labels {
            match KNOWN_LABELS.iter().position(|(known, _)| known == key) {
                Some(at) if !value.is_empty() => draft.known[at].clone_from(value),
                _ => draft.free.push((key.clone(), value.clone())),
            }
        }
        draft
    }

    /// The labels that the texts stand for.
    ///
    /// # Errors
    /// Every label that cannot be kept, and why.
    pub fn labels(&self) -> Result<Labels, Vec<(LabelAt, String)>> {
        let known = KNOWN_LABELS.iter().zip(&self.known).enumerate();
        let known = known.map(|(row, ((key, _), value))| (LabelAt::Known(row), *key, value.trim()));
        let known = known.filter(|(_, _, value)| !value.is_empty());
        let free = self.free.iter().enumerate();
        let free = free.map(|(row, (key, value))| (LabelAt::Free(row), key.trim(), value.trim()));
        let free = free.filter(|(_, key, value)| !(key.is_empty() && value.is_empty()));

        let (mut labels, mut wrong) = (Labels::new(), Vec::new());
        for (at, key, value) in known.chain(free) {
            if key.is_empty() {
                wrong.push((at, format!("the label “{value}” has no key; write for example region")));
            } else if let Err(reason) = check_label(key, value) {
                wrong.push((at, reason));
            } else if labels.insert(key.to_owned(), value.to_owned()).is_some() {
                wrong.push((at, format!("the label {key} is there twice")));
            }
        }
        if wrong.is_empty() { Ok(labels) } else { Err(wrong) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn labels_survive_their_texts() {
        for pairs in [
            &[][..],
            &[("mesh", "istio"), ("app_version", "v1")],
            &[("region", "eu"), ("mesh", ""), ("note", "a, b = c")],
        ] {
            assert_eq!(LabelDraft::from_labels(&labels(pairs)).labels(), Ok(labels(pairs)));
        }
    }

    #[test]
    fn a_label_that_cannot_be_kept_says_why() {
        let free = |key: &str, value: &str| LabelDraft {
            known: ["istio".to_owned(), String::new(), String::new()],
            free: vec![(String::new(), String::new()), (key.to_owned(), value.to_owned())],
        };
        for (key, value, reason) in [
            ("", "eu", "no key"),
            ("a b", "eu", "not a label key"),
            ("mesh", "linkerd", "there twice"),
            ("region", "a\nb", "control characters"),
        ] {
            let wrong = free(key, value).labels().expect_err(reason);
            assert_eq!(wrong[0].0, LabelAt::Free(1));
            assert!(wrong[0].1.contains(reason), "{}", wrong[0].1);
        }
    }
}
