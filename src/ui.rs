//! The window's face. Pages draw from `&State` and push commands; nothing here waits, reads a disk or locks.
//!
//! | file | duty |
//! |---|---|
//! | [`theme`] | colours by role, text sizes, fonts |
//! | [`icon`], [`widgets`] | small pieces that pages are made of |
//! | [`shell`] | what is around the pages: rail, top bar, palette, notices, questions |
//! | [`metrics`], `home`, `settings`, `about` | pages |
//! | `window` | the real window: eframe around the shell, the core behind it |

mod about;
pub mod account;
pub mod adapters;
mod capacity;
pub mod clusters;
pub mod compare;
mod figures;
pub mod form;
pub mod history;
mod home;
pub mod icon;
pub mod live;
pub mod metrics;
pub mod plot;
pub mod result;
mod settings;
pub mod shell;
pub mod theme;
pub mod widgets;
mod window;

use crate::app::{Command, State};

pub use shell::{Machine, Shell};
pub use theme::Theme;
pub use window::open;

/// What every page gets: what is so, and where to put what the person asks for.
pub struct Cx<'a> {
    /// What is so.
    pub state: &'a State,
    /// Carried out between frames.
    pub commands: &'a mut Vec<Command>,
    /// Colours by role.
    pub theme: &'a Theme,
    /// Pictures are drawn by the processor: live plots are redrawn less often, and say so.
    pub software_rasterizer: bool,
}

impl Cx<'_> {
    /// Asks for something.
    pub fn push(&mut self, command: Command) {
        self.commands.push(command);
    }
}
