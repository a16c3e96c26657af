//! Asks for everything that a board shows, a few questions at once.

use futures_util::StreamExt as _;
use futures_util::stream;

use crate::model::metrics::board::{Chosen, PanelPlace};
use crate::model::metrics::fill::{self, Values, variables_in};
use crate::model::metrics::series::SERIES_SHOWN_MAX;
use crate::model::metrics::step::rate_window_ms;
use crate::model::metrics::{Answer, Ask, Board, Grid, Panel, PanelQuery, Variable, VariableKind};

use super::reader::{Question, Reader};
use super::shifted;

/// The most panels that are asked for at once.
const PANELS_AT_ONCE: usize = 4;

/// A board, asked for over some moments.
pub(super) struct Round<'a> {
    pub(super) reader: &'a Reader,
    pub(super) board: &'a Board,
    pub(super) chosen: &'a Chosen,
    pub(super) grid: Grid,
    pub(super) scrape_ms: Option<u64>,
    /// How far the source's clock is ahead of ours, in milliseconds.
    pub(super) ahead_ms: i64,
}

impl Round<'_> {
    /// What each variable may be, in their order: a later one may be asked for with an earlier one's value.
    pub(super) async fn values(&self, tell: &impl AsyncFn(String, Result<Vec<String>, String>)) -> Values {
        let mut values = Values::new();
        for variable in &self.board.variables {
            let VariableKind::Query { query, regex } = &variable.kind else { continue };
            let asked = self.filled(query, &values);
            let told = match asked {
                Ok(query) => self.reader.values(&query, regex, shifted(self.grid, self.ahead_ms)).await,
                Err(reason) => Err(reason),
            };
            if let Ok(found) = &told {
                values.insert(variable.name.clone(), found.clone());
            }
            tell(variable.name.clone(), told).await;
        }
        values
    }

    fn filled(&self, text: &str, values: &Values) -> Result<String, String> {
        let named = variables_in(text);
        let needed: Vec<Variable> =
            self.board.variables.iter().filter(|variable| named.contains(&variable.name)).cloned().collect();
        fill::fill(text, &needed, self.chosen, values, self.grid, self.scrape_ms)
    }

    /// What each panel shows, as soon as it is known.
    pub(super) async fn panels(
        &self,
        values: &Values,
        tell: &impl AsyncFn(PanelPlace, Vec<Result<Answer, String>>),
    ) {
        let panels = self.board.panels().filter(|(_, panel)| !panel.queries.is_empty());
        stream::iter(panels)
            .for_each_concurrent(PANELS_AT_ONCE, async |(place, panel)| {
                let answers = self.panel(panel, values).await;
                tell(place, answers).await;
            })
            .await;
    }

    async fn panel(&self, panel: &Panel, values: &Values) -> Vec<Result<Answer, String>> {
        let mut answers = Vec::with_capacity(panel.queries.len());
        for query in &panel.queries {
            answers.push(match query.is_hidden {
                true => Ok(Answer::default()),
                false => self.query(query, values).await,
            });
        }
        answers
    }

    async fn query(&self, query: &PanelQuery, values: &Values) -> Result<Answer, String> {
        let window_ms = rate_window_ms(self.grid.step_ms, self.scrape_ms);
        let question = match &query.ask {
            Ask::Measure(measure) => Question::Measure(measure, window_ms),
            Ask::PromQl(_) => Question::PromQl(fill::question(
                &query.ask,
                &self.board.variables,
                self.chosen,
                values,
                self.grid,
                self.scrape_ms,
            )?),
        };
        let grid = shifted(self.grid, self.ahead_ms);
        let asked = if query.is_instant { Grid { from_ms: grid.to_ms, ..grid } } else { grid };
        let answer = self.reader.ask(&question, asked).await?;
        Ok(answer.largest(SERIES_SHOWN_MAX).earlier(self.ahead_ms))
    }
}
