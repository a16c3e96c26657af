//! What was deleted long enough ago is deleted for good, and what broken-off uploads left is cleared away.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::book::{collect, keys};
use super::line;
use super::routes::Desk;

/// Between two clearings, in sweeps: each lists every record of the store, which a cloud counts.
const COLLECT_EACH: u64 = 24;

/// Sweeps all spaces, now and again, until it is dropped.
pub(super) async fn repeat(desk: Arc<Desk>) {
    let mut every = tokio::time::interval(desk.settings.limits.sweep_every);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for round in 0_u64.. {
        every.tick().await;
        let what = if round.is_multiple_of(COLLECT_EACH) { What::All } else { What::Deleted };
        match sweep(&desk, what, Timestamp::now()).await {
            Ok(0) => {}
            Ok(collected) => tell(&desk, "collected", ("records", collected.into())),
            Err(error) => tell(&desk, "failed", ("error", error.to_string().into())),
        }
    }
}

/// What is swept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    /// Runs that their authors deleted.
    Deleted,
    /// And what uploads left that were broken off.
    All,
}

fn tell(desk: &Desk, how: &str, with: (&str, serde_json::Value)) {
    (desk.settings.log)(&line(&BTreeMap::from([("sweep", how.into()), with])));
}

/// How many records were left by uploads.
async fn sweep(desk: &Desk, what: What, now: Timestamp) -> Result<usize, object_store::Error> {
    let limits = &desk.settings.limits;
    let grace_secs = i64::try_from(limits.grace.as_secs()).unwrap_or(i64::MAX);
    let store = desk.store.as_ref();
    let mut collected = 0;
    for key in keys(store, "").await? {
        let named = {
            let book = desk.book(&key);
            let mut book = book.lock().await;
            book.catch_up(store).await?;
            let places = book.deleted_by_their_authors(now, grace_secs);
            book.erase(store, &places).await?;
            if what == What::Deleted {
                continue;
            }
            book.catch_up(store).await?;
            book.record_paths()
        };
        match collect(store, &key, &named, (now, limits.orphan_age)).await? {
            Some(of_space) => collected += of_space,
            None => tell(desk, "passed over", ("reason", "the log of a space has a hole".into())),
        }
    }
    Ok(collected)
}
