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

pub mod command;
pub mod curves;
pub mod event;
pub mod job;
pub mod state;
mod update;

pub use command::{Command, ExportFormat, Page};
pub use curves::{Curve, Curves, curves};
pub use event::Event;
pub use job::{Job, JobKey};
pub use state::State;
