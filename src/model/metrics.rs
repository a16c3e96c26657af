//! Metrics: where they are read, what is asked, how it is shown, and what of it is kept with a run. Plain data and pure
//! rules.
//!
//! ```text
//!  Source (where)   Board ─ Panel ─ PanelQuery ─ Ask ─┬─ Measure ─▶ PromQL, or worked out from what was scraped
//!                                                     └─ PromQl  ─▶ as it was written
//!  Answer ◀─ Series of Points, in milliseconds since 1970
//!  RunMetrics = boards and what they showed over a run, and what it cost
//! ```

pub mod board;
pub mod catalogue;
pub mod cost;
pub mod feed;
pub mod fill;
pub mod find;
pub mod kept;
pub mod legend;
pub mod measure;
pub mod promql;
pub mod reduce;
pub mod series;
pub mod source;
pub mod step;
pub mod unit;
pub mod usage;

pub use board::{
    Ask, Board, BoardId, Panel, PanelKind, PanelQuery, Reduce, Row, Threshold, Variable, VariableKind,
};
pub use cost::{CostAsk, Counted, Used};
pub use feed::{Feed, fed};
pub use fill::{Values, fill, question};
pub use kept::{Component, Cost, KeptBoard, KeptPanel, RunMetrics};
pub use legend::legend;
pub use measure::{Matcher, Measure, Op, Selector};
pub use series::{Answer, Grid, Point, Series};
pub use source::{
    Access, Facts, Login, MetricsBook, Place, Product, Scope, Source, SourceId, SourceKind, TlsFiles,
};
pub use step::{grid, rate_window_ms, step_ms};
pub use unit::Unit;
