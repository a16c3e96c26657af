//! The heart: what a person can ask ([`Command`]), what happens outside ([`Event`]), what is so
//! ([`State`]), how it changes (`update`), and the background work ([`Job`]) that [`Runtime`] carries out.
//!
//! ```text
//! face ── Command ──▶ State::command ──▶ Vec<Job> ──▶ Runtime::start ──▶ background
//! face ◀── &State ──  State::event   ◀── Event ◀───── bounded queue ◀──────┘
//! ```
//!
//! `State` lives on the face's thread and only `update` changes it; there is no clock, no disk and no
//! lock in it. A job's failure is an event like any other news.

pub mod accounts;
pub mod adapters;
mod aim;
pub mod clusters;
pub mod command;
mod core;
mod curves;
pub mod document;
pub mod event;
pub mod exchange;
mod heat;
mod heavy;
mod hopeless;
pub mod job;
pub mod methods;
pub mod metrics;
pub mod mirror;
pub mod mirroring;
pub mod operations;
mod place;
pub mod publish;
pub mod publishing;
mod record;
mod runtime;
mod search;
mod served;
pub mod serving;
pub mod serving_records;
pub mod sharing;
pub mod state;
pub mod target;
mod try_it;
mod update;

pub use command::{Command, ExportFormat, Page};
pub use core::{Core, EVENTS_PER_TURN};
pub use curves::{Curve, Curves, curves};
pub use event::Event;
pub use heat::{HeatColumn, HeatMap};
pub use job::{Job, JobKey};
pub use place::{DATA_DIR_VARIABLE, default_data_dir};
pub use runtime::{
    DialogAnswer, DialogKind, DialogRequest, Dialogs, EVENTS_MAX, Keep, Options, Runtime, StartError, Wake,
};
pub use state::State;
pub use update::Fresh;
