//! Asks for boards over a run that has ended, and keeps what they showed with it.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use jiff::Timestamp;

use crate::app::exchange::{AskStore, ask};
use crate::app::metrics::{Keep, Keeping, MetricsNews};
use crate::model::Run;
use crate::model::metrics::cost::{self, Counted, Used};
use crate::model::metrics::fill::Values;
use crate::model::metrics::kept::RUN_METRICS_VERSION;
use crate::model::metrics::step::{SCRAPE_UNKNOWN_MS, rate_window_ms, run_grid};
use crate::model::metrics::{Answer, Cost, Facts, Grid, KeptBoard, KeptPanel, RunMetrics, Series};

use super::reader::{Question, Reader, Readers};
use super::round::Round;
use super::{Outbox, ahead, post, words};

/// Readings after the end of a run that are waited for: what it did last is in the second at the latest.
const READINGS_AFTER: u64 = 2;
/// The longest wait for them.
const WAIT_MAX_MS: u64 = 180_000;
/// A run that is shorter than so many windows has too little to leave the first out.
const WINDOWS_MIN: i64 = 3;

/// Keeps what the boards show over the run, or says why not.
pub(super) async fn keep(keep: Keep, readers: Readers, store: AskStore, outbox: Outbox) {
    let id = keep.run;
    let news = match kept(&keep, &readers, &store, &outbox).await {
        Ok(run) => MetricsNews::Kept(Arc::new(run)),
        Err(reason) => MetricsNews::Keeping(id, Keeping::Failed(reason)),
    };
    post(&outbox, news).await;
    readers.let_go_now(id).await;
}

async fn kept(keep: &Keep, readers: &Readers, store: &AskStore, outbox: &Outbox) -> Result<Run, String> {
    let id = keep.run;
    let run = ask(store, move |store| store.run(id)).await.map_err(|error| error.to_string())?;
    let run = run.ok_or_else(|| "the run is not in history".to_owned())?;
    let reader = readers.get(&keep.reach).await.map_err(|trouble| words(&trouble))?;
    let facts = reader.facts().await.map_err(|trouble| words(&trouble))?;
    let over = Over::of(&run);
    let ready_ms = over.to_ms.saturating_add(over_scrapes(facts.scrape_ms));
    let now_ms = Timestamp::now().as_millisecond();
    if ready_ms > now_ms {
        let until = Timestamp::from_millisecond(ready_ms).unwrap_or_default();
        post(outbox, MetricsNews::Keeping(id, Keeping::Waiting(until))).await;
        tokio::time::sleep(Duration::from_millis(ready_ms.abs_diff(now_ms))).await;
    }
    post(outbox, MetricsNews::Keeping(id, Keeping::Asking)).await;
    let metrics = over.asked(keep, &reader, &facts, &run).await;
    ask(store, move |store| store.keep_metrics(&metrics)).await.map_err(|error| error.to_string())
}

/// How long after its end everything of a run has been read, in milliseconds.
fn over_scrapes(scrape_ms: Option<u64>) -> i64 {
    let wait = scrape_ms.unwrap_or(SCRAPE_UNKNOWN_MS).saturating_mul(READINGS_AFTER).min(WAIT_MAX_MS);
    i64::try_from(wait).unwrap_or(i64::MAX)
}

/// The counted part of a run, in milliseconds since 1970.
#[derive(Clone, Copy, Debug)]
struct Over {
    from_ms: i64,
    to_ms: i64,
}

impl Over {
    fn of(run: &Run) -> Self {
        let from_ms = run.counted_from_ms();
        Self { from_ms, to_ms: from_ms + (run.elapsed_s * 1e3).round() as i64 }
    }

    async fn asked(self, keep: &Keep, reader: &Reader, facts: &Facts, run: &Run) -> RunMetrics {
        let scrape_ms = facts.scrape_ms;
        let (moments, remark) = self.grid(scrape_ms);
        let ahead_ms = ahead(facts.clock_ahead_ms);
        let mut boards = Vec::new();
        for board in &keep.boards {
            let round = Round { reader, board, chosen: &keep.chosen, grid: moments, scrape_ms, ahead_ms };
            let (values, _) = round.values().await;
            boards.push(KeptBoard { board: (**board).clone(), panels: panels(&round, &values).await });
        }
        let (costs, mut remarks) = self.costs(keep, reader, run, (scrape_ms, ahead_ms)).await;
        remarks.extend(remark);
        if ahead_ms != 0 {
            let by = ahead_ms as f64 / 1e3;
            remarks.push(format!("The source’s clock is {by:.1} s ahead of ours; that was allowed for"));
        }
        RunMetrics {
            version: RUN_METRICS_VERSION,
            run: run.id,
            source: format!("{} ({})", keep.reach.source.name, keep.reach.source.kind.words()),
            taken: Timestamp::now(),
            grid: moments,
            scrape_ms,
            boards,
            costs,
            remarks,
        }
    }

    /// The moments that are asked for. A rate looks back over its window, so the first ones are left out where there are
    /// enough: what was before the counted part is no part of it.
    fn grid(self, scrape_ms: Option<u64>) -> (Grid, Option<String>) {
        let whole = run_grid(self.from_ms, self.to_ms, scrape_ms);
        let window_ms = rate_window_ms(whole.step_ms, scrape_ms);
        if self.to_ms - self.from_ms >= window_ms.saturating_mul(WINDOWS_MIN) {
            let left_out = (window_ms + whole.step_ms - 1) / whole.step_ms * whole.step_ms;
            return (Grid { from_ms: (whole.from_ms + left_out).min(whole.to_ms), ..whole }, None);
        }
        let seconds = window_ms as f64 / 1e3;
        let remark = format!(
            "The run is short for what is read every few seconds: rates look back over {seconds:.0} s, so the first of \
             them have in them what was before"
        );
        (whole, Some(remark))
    }

    async fn costs(
        self,
        keep: &Keep,
        reader: &Reader,
        run: &Run,
        (scrape_ms, ahead_ms): (Option<u64>, i64),
    ) -> (Vec<Cost>, Vec<String>) {
        let counted = Counted { from_ms: self.from_ms, to_ms: self.to_ms, requests: run.requests.answered };
        let (cpu_grid, memory_grid) = (counted.cpu_grid(), run_grid(self.from_ms, self.to_ms, scrape_ms));
        let (mut costs, mut remarks) = (Vec::new(), Vec::new());
        for ask in cost::asks_of(keep.boards.iter().map(|board| &board.id), &keep.scope) {
            let window_ms = counted.cpu_window_ms();
            let cpu = one(reader, Question::Measure(&ask.cpu, window_ms), cpu_grid, ahead_ms).await;
            let memory = one(reader, Question::Measure(&ask.memory, window_ms), memory_grid, ahead_ms).await;
            for reason in [&cpu, &memory].into_iter().filter_map(|told| told.as_ref().err()) {
                if !remarks.contains(reason) {
                    remarks.push(reason.clone());
                }
            }
            let (cpu, memory) = (cpu.unwrap_or_default(), memory.unwrap_or_default());
            let cpu = Used { series: cpu.as_ref(), grid: cpu_grid };
            let memory = Used { series: memory.as_ref(), grid: memory_grid };
            let (cost, said) = cost::cost(&ask, counted, cpu, memory);
            remarks.extend(said);
            costs.push(cost);
        }
        (costs, remarks)
    }
}

/// The one series of a measure, by our clock.
async fn one(
    reader: &Reader,
    question: Question<'_>,
    moments: Grid,
    ahead_ms: i64,
) -> Result<Option<Series>, String> {
    let answer = reader.ask(&question, super::shifted(moments, ahead_ms)).await?;
    Ok(answer.earlier(ahead_ms).series.into_iter().next())
}

async fn panels(round: &Round<'_>, values: &Values) -> Vec<KeptPanel> {
    let mut kept = Vec::new();
    let mut panels = pin!(round.panels(values));
    while let Some((place, answers)) = panels.next().await {
        let is_worth_it =
            |answer: &Result<Answer, String>| answer.as_ref().map_or(true, |it| !it.series.is_empty());
        if answers.iter().any(is_worth_it) {
            kept.push(KeptPanel { place, answers });
        }
    }
    kept.sort_by_key(|panel| panel.place);
    kept
}
