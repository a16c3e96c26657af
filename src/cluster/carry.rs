//! Carries out the steps of an operation, one after another.

use std::time::Duration;

use super::apply::{self, Earnest};
use super::{Link, Means, helm, look, rollout};
use crate::model::adapter::{Change, Finding, News, Progress, Severity, Step};
use crate::model::cluster::Trouble;
use crate::model::mesh::validate::validate;

/// Carries steps out in their order and tells of each. Dropping the future stops it where it is.
///
/// # Errors
/// What did not work, in words; later steps are not begun, and what was done stays.
pub async fn carry_out(
    link: &Link,
    steps: &[Step],
    tell: impl FnMut(Progress) + Send,
) -> Result<(), Trouble> {
    carry_out_with(link, steps, &Means::default(), tell).await
}

/// As [`carry_out`], with programs that a person chose.
///
/// # Errors
/// As [`carry_out`].
pub async fn carry_out_with(
    link: &Link,
    steps: &[Step],
    means: &Means,
    mut tell: impl FnMut(Progress) + Send,
) -> Result<(), Trouble> {
    let of = steps.len();
    for (at, step) in steps.iter().enumerate() {
        let mut tell = |news| tell(Progress { step: at, of, news });
        tell(News::Begun);
        one(link, step, means, &mut tell).await?;
        tell(News::Done);
    }
    Ok(())
}

async fn one(link: &Link, step: &Step, means: &Means, tell: apply::Tell<'_>) -> Result<(), Trouble> {
    match step {
        Step::Apply { set, namespace, manifest } => {
            apply::apply(link, (set, namespace), manifest, Earnest::Done, tell).await
        }
        Step::Prune { set, namespace } => apply::prune(link, (set, namespace), Earnest::Done, tell).await,
        Step::Mark { object, labels, annotations } => {
            rollout::mark(link, object, (labels, annotations), Earnest::Done, tell).await
        }
        Step::Restart { namespace } => rollout::restart(link, namespace, Earnest::Done, tell).await,
        Step::Ready { namespace, seconds } => {
            rollout::ready(link, namespace, Duration::from_secs(u64::from(*seconds)), tell).await
        }
        Step::Helm(release) => helm::install(link, release, means, tell).await,
        Step::Unhelm { release, namespace } => helm::uninstall(link, (release, namespace), means, tell).await,
        Step::Validate { namespace } => {
            let (seen, looked) = look::look(link).await?;
            let findings = validate(&seen, &looked, namespace);
            if findings.iter().all(|finding| finding.severity == Severity::Info) {
                tell(News::Found(nothing_wrong(namespace)));
            }
            findings.into_iter().for_each(|finding| tell(News::Found(finding)));
            Ok(())
        }
    }
}

fn nothing_wrong(namespace: &str) -> Finding {
    let subject =
        if namespace.is_empty() { "the cluster".to_owned() } else { format!("namespace {namespace}") };
    Finding {
        severity: Severity::Info,
        subject,
        summary: "No mistake was found".to_owned(),
        remedy: String::new(),
    }
}

impl Link {
    /// What steps would do to objects, asked of the cluster without changing anything. What `helm` would do is not among
    /// it, nor what only comes to be by an earlier step.
    ///
    /// # Errors
    /// What would not work, in words.
    pub async fn rehearse(&self, steps: &[Step]) -> Result<Vec<Change>, Trouble> {
        let mut changes = Vec::new();
        let mut tell = |news| {
            if let News::Changed(change) = news {
                changes.push(change);
            }
        };
        let how = Earnest::Rehearsed;
        for step in steps {
            match step {
                Step::Apply { set, namespace, manifest } => {
                    apply::apply(self, (set, namespace), manifest, how, &mut tell).await?;
                }
                Step::Prune { set, namespace } => {
                    apply::prune(self, (set, namespace), how, &mut tell).await?;
                }
                Step::Mark { object, labels, annotations } => {
                    rollout::mark(self, object, (labels, annotations), how, &mut tell).await?;
                }
                Step::Restart { namespace } => rollout::restart(self, namespace, how, &mut tell).await?,
                Step::Helm(_) | Step::Unhelm { .. } | Step::Ready { .. } | Step::Validate { .. } => {}
            }
        }
        Ok(changes)
    }
}
