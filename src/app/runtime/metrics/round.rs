//! Asks for everything that a board shows, a few questions at once.

use futures_util::stream::{self, Stream, StreamExt as _};

use crate::model::metrics::board::{Chosen, PanelPlace};
use crate::model::metrics::fill::{self, Values, variables_in};
use crate::model::metrics::series::SERIES_SHOWN_MAX;
use crate::model::metrics::step::rate_window_ms;
use crate::model::metrics::{Answer, Ask, Board, Grid, Panel, PanelQuery, Variable, VariableKind};

use super::reader::{Question, Reader};
use super::shifted;

/// The most panels that are asked for at once.
const PANELS_AT_ONCE: usize = 4;

/// What a variable may be, or why that is not known.
pub(super) type Told = (String, Result<Vec<String>, String>);
/// An answer for each query of a panel, or why there is none.
pub(super) type Answers = Vec<Result<Answer, String>>;

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
    pub(super) async fn values(&self) -> (Values, Vec<Told>) {
        let (mut values, mut all) = (Values::new(), Vec::new());
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
            all.push((variable.name.clone(), told));
        }
        (values, all)
    }

    fn filled(&self, text: &str, values: &Values) -> Result<String, String> {
        let named = variables_in(text);
        let needed: Vec<Variable> =
            self.board.variables.iter().filter(|variable| named.contains(&variable.name)).cloned().collect();
        fill::fill(text, &needed, self.chosen, values, self.grid, self.scrape_ms)
    }

    /// What each panel shows, as soon as it is known.
    pub(super) fn panels(&self, values: &Values) -> impl Stream<Item = (PanelPlace, Answers)> {
        let panels = self.board.panels().filter(|(_, panel)| !panel.queries.is_empty());
        let asked: Vec<_> = panels.map(|(place, panel)| self.panel(place, panel, values)).collect();
        stream::iter(asked).buffer_unordered(PANELS_AT_ONCE)
    }

    async fn panel(&self, place: PanelPlace, panel: &Panel, values: &Values) -> (PanelPlace, Answers) {
        let mut answers = Vec::with_capacity(panel.queries.len());
        for query in &panel.queries {
            answers.push(match query.is_hidden {
                true => Ok(Answer::default()),
                false => self.query(query, values).await,
            });
        }
        (place, answers)
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
