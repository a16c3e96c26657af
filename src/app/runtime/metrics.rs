//! Asks sources of metrics in the background: what they are, what boards show now, and what they showed over a run.

mod keep;
mod reader;
mod round;
mod secrets;

use std::collections::BTreeMap;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use jiff::Timestamp;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use uuid::Uuid;

use crate::app::event::Event;
use crate::app::metrics::{MetricsJob, MetricsNews, Range, Reach, View, Watch};
use crate::cluster::Tokens;
use crate::model::RunId;
use crate::model::causes::chain;
use crate::model::cluster::Trouble;
use crate::model::metrics::step::grid;
use crate::model::metrics::{Board, Grid, SourceId};
use crate::report::grafana;

use super::sharing::ask_store;
use super::store::Desk;
use super::{Outbox, files};
use reader::Readers;
use round::Round;
use secrets::Secrets;

/// A clock that is less ahead or behind is taken to be ours.
const CLOCK_AHEAD_MS_MIN: i64 = 2000;

/// Everything that is asked of sources; all ends with this.
pub(super) struct MetricsWork {
    secrets: Secrets,
    readers: Readers,
    watch: Option<AbortHandle>,
    checks: BTreeMap<SourceId, AbortHandle>,
    keeps: BTreeMap<RunId, AbortHandle>,
}

/// What the work needs of the rest.
#[derive(Clone)]
pub(super) struct Around {
    pub(super) handle: Handle,
    pub(super) outbox: Outbox,
    pub(super) desk: Desk,
}

impl MetricsWork {
    pub(super) fn new(tokens: Tokens) -> Self {
        let secrets = Secrets::default();
        let readers = Readers::new(secrets.clone(), tokens);
        Self { secrets, readers, watch: None, checks: BTreeMap::new(), keeps: BTreeMap::new() }
    }

    /// Begins what needs no file dialog.
    pub(super) fn start(&mut self, job: MetricsJob, around: &Around) {
        match job {
            MetricsJob::KeepSecret(id, secret) => self.keep_secret(id, secret, around),
            MetricsJob::UseSecret(id, secret) => self.secrets.hold(id, secret),
            MetricsJob::ForgetSecret(id) => {
                let secrets = self.secrets.clone();
                around.handle.spawn_blocking(move || secrets.forget(id));
            }
            MetricsJob::Check(reach, number) => self.check(*reach, number, around),
            MetricsJob::Watch(watch) => {
                self.stop();
                self.readers.watch();
                let task = watched(*watch, self.readers.clone(), around.outbox.clone());
                self.watch = Some(around.handle.spawn(task).abort_handle());
            }
            MetricsJob::Stop => {
                self.stop();
                self.readers.rest(&around.handle);
            }
            MetricsJob::ReadBoards(paths) => {
                let outbox = around.outbox.clone();
                around.handle.spawn_blocking(move || paths.iter().for_each(|path| read_board(path, &outbox)));
            }
            MetricsJob::FetchBoard(reach, uid) => {
                let (readers, outbox) = (self.readers.clone(), around.outbox.clone());
                around.handle.spawn(async move {
                    let event = fetched(&reach, &uid, &readers).await;
                    outbox.post(event).await;
                });
            }
            MetricsJob::WriteBoard(board, path) => {
                let outbox = around.outbox.clone();
                around.handle.spawn_blocking(move || {
                    outbox.send(files::written(&path, grafana::write_board(&board).as_bytes()));
                });
            }
            MetricsJob::ReadFor(run, reach) => self.readers.hold_for(run, *reach, &around.handle),
            MetricsJob::Keep(keep) => {
                let run = keep.run;
                let store = ask_store(around.desk.clone(), &around.handle);
                let task = keep::keep(*keep, self.readers.clone(), store, around.outbox.clone());
                if let Some(before) = self.keeps.insert(run, around.handle.spawn(task).abort_handle()) {
                    before.abort();
                }
            }
            MetricsJob::StopKeeping(run) => {
                if let Some(keeping) = self.keeps.remove(&run) {
                    keeping.abort();
                }
                self.readers.let_go(run, &around.handle);
            }
            // Dialogs and the store are the runtime's own.
            MetricsJob::Save(_) | MetricsJob::PickBoard | MetricsJob::PickBoardPlace(_) => {}
        }
    }

    fn stop(&mut self) {
        if let Some(watch) = self.watch.take() {
            watch.abort();
        }
    }

    fn keep_secret(&self, id: SourceId, secret: String, around: &Around) {
        // Used from now on, wherever it is kept.
        self.secrets.hold(id, secret.clone());
        let (secrets, outbox) = (self.secrets.clone(), around.outbox.clone());
        around.handle.spawn_blocking(move || {
            let reason = secrets.keep(id, &secret).err();
            outbox.send(Event::Metrics(MetricsNews::Secret(id, reason)));
        });
    }

    fn check(&mut self, reach: Reach, number: u64, around: &Around) {
        let (readers, outbox) = (self.readers.clone(), around.outbox.clone());
        let id = reach.source.id;
        let task = around.handle.spawn(async move {
            let told = readers.anew(&reach).await;
            let told = match told {
                Ok(reader) => reader.facts().await.map(Arc::new),
                Err(trouble) => Err(trouble),
            };
            outbox.post(Event::Metrics(MetricsNews::Stands(id, number, told))).await;
        });
        if let Some(before) = self.checks.insert(id, task.abort_handle()) {
            before.abort();
        }
    }
}

/// Asks for a board, again and again where that is wanted.
async fn watched(watch: Watch, readers: Readers, outbox: Outbox) {
    let Watch { number, reach, board, view, scrape_ms, clock_ahead_ms } = watch;
    loop {
        post(&outbox, MetricsNews::Asking(number)).await;
        match readers.get(&reach).await {
            Ok(reader) => {
                let ahead_ms = ahead(clock_ahead_ms);
                let moments = moments(&view, Timestamp::now().as_millisecond(), scrape_ms);
                let chosen = &view.chosen;
                let round =
                    Round { reader: &reader, board: &board, chosen, grid: moments, scrape_ms, ahead_ms };
                let (values, all) = round.values().await;
                for (name, told) in all {
                    post(&outbox, MetricsNews::Values(number, name, told)).await;
                }
                let mut panels = pin!(round.panels(&values));
                while let Some((place, answers)) = panels.next().await {
                    post(&outbox, MetricsNews::Panel(number, place, moments, Arc::new(answers))).await;
                }
                post(&outbox, MetricsNews::Asked(number, moments)).await;
            }
            Err(trouble) => post(&outbox, MetricsNews::Lost(number, trouble)).await,
        }
        let is_over = matches!(view.range, Range::Between(..));
        let Some(pause) = view.refresh_s.filter(|_| !is_over) else { return };
        tokio::time::sleep(Duration::from_secs(pause.max(1))).await;
    }
}

async fn post(outbox: &Outbox, news: MetricsNews) {
    outbox.post(Event::Metrics(news)).await;
}

/// How far a source's clock is ahead of ours, where that is worth knowing.
fn ahead(clock_ahead_ms: Option<i64>) -> i64 {
    clock_ahead_ms.filter(|ahead| ahead.abs() >= CLOCK_AHEAD_MS_MIN).unwrap_or(0)
}

/// The moments that are asked for. Asked again and again, they are the same ones as far as they can be; asked once, the
/// last is now.
fn moments(view: &View, now_ms: i64, scrape_ms: Option<u64>) -> Grid {
    let (from_ms, to_ms) = span(view.range, now_ms);
    let even = grid(from_ms, to_ms, scrape_ms);
    let is_once = view.refresh_s.is_none() && matches!(view.range, Range::Last(_));
    if is_once { shifted(even, now_ms.div_euclid(1000) * 1000 - even.to_ms) } else { even }
}

fn span(range: Range, now_ms: i64) -> (i64, i64) {
    match range {
        Range::Last(seconds) => {
            let length = i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000);
            (now_ms.saturating_sub(length), now_ms)
        }
        Range::Between(from_ms, to_ms) => (from_ms, to_ms),
    }
}

fn read_board(path: &Path, outbox: &Outbox) {
    let not_imported =
        |reason: String| Event::Failed { title: format!("{} was not imported", path.display()), reason };
    let read = files::read_bytes(path, grafana::BYTES_MAX as u64);
    let event = match read.and_then(|bytes| board_of(&bytes)) {
        Ok(board) => Event::Metrics(MetricsNews::Imported(Box::new(board))),
        Err(reason) => not_imported(reason),
    };
    outbox.send(event);
}

fn board_of(bytes: &[u8]) -> Result<Board, String> {
    grafana::read_any(bytes, Uuid::now_v7()).map_err(|error| chain(&error))
}

async fn fetched(reach: &Reach, uid: &str, readers: &Readers) -> Event {
    let failed = |reason: String| Event::Failed { title: "The board was not imported".to_owned(), reason };
    let reader = match readers.get(reach).await {
        Ok(reader) => reader,
        Err(trouble) => return failed(words(&trouble)),
    };
    match reader.dashboard(uid).await.and_then(|bytes| board_of(&bytes)) {
        Ok(board) => Event::Metrics(MetricsNews::Imported(Box::new(board))),
        Err(reason) => failed(reason),
    }
}

fn words(trouble: &Trouble) -> String {
    format!("{}: {}. {}", trouble.title, trouble.cause, trouble.advice)
}

/// The same moments by a clock that is ahead.
fn shifted(grid: Grid, by_ms: i64) -> Grid {
    Grid {
        from_ms: grid.from_ms.saturating_add(by_ms),
        to_ms: grid.to_ms.saturating_add(by_ms),
        step_ms: grid.step_ms,
    }
}

/// The name that the dialog offers for a board's file.
pub(super) fn board_file_name(board: &Board) -> String {
    let stem: String = board
        .title
        .chars()
        .map(|c| if c.is_alphanumeric() || matches!(c, '-' | '.') { c } else { '-' })
        .take(60)
        .collect();
    format!("{}.board.json", stem.trim_matches(['-', '.']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_again_has_the_same_moments_and_what_is_asked_once_ends_now() {
        let view = |refresh_s| View { range: Range::Last(900), refresh_s, ..View::default() };
        let (one, other) =
            (moments(&view(Some(5)), 1_000_003_000, None), moments(&view(Some(5)), 1_000_004_000, None));
        assert_eq!(one, other);
        let once = moments(&view(None), 1_000_003_700, None);
        assert_eq!((once.to_ms, once.step_ms), (1_000_003_000, one.step_ms));
        let between = View { range: Range::Between(0, 60_000), ..view(None) };
        assert_eq!(moments(&between, 1_000_003_700, None).to_ms, 60_000);
    }

    #[test]
    fn a_clock_that_is_nearly_ours_is_taken_to_be() {
        assert_eq!((ahead(None), ahead(Some(-1999)), ahead(Some(-2000))), (0, 0, -2000));
    }
}
