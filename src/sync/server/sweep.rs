//! What was deleted long enough ago is deleted for good.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::book::keys;
use super::line;
use super::routes::Desk;

/// Sweeps all spaces, now and again, until it is dropped.
pub(super) async fn repeat(desk: Arc<Desk>) {
    let mut every = tokio::time::interval(desk.settings.limits.sweep_every);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        if let Err(error) = sweep(&desk, Timestamp::now()).await {
            let fields = BTreeMap::from([("sweep", "failed".into()), ("error", error.to_string().into())]);
            (desk.settings.log)(&line(&fields));
        }
    }
}

async fn sweep(desk: &Desk, now: Timestamp) -> Result<(), object_store::Error> {
    let grace_secs = i64::try_from(desk.settings.limits.grace.as_secs()).unwrap_or(i64::MAX);
    for key in keys(desk.store.as_ref(), "").await? {
        let book = desk.book(&key);
        let mut book = book.lock().await;
        book.catch_up(desk.store.as_ref()).await?;
        let places = book.deleted_by_their_authors(now, grace_secs);
        book.erase(desk.store.as_ref(), &places).await?;
    }
    Ok(())
}
