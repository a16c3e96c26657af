//! The window's face. Pages draw from `&State` and push commands; nothing here waits, reads a disk or locks.

pub mod form;
pub mod history;
pub mod theme;

use crate::app::{Command, State};

pub use theme::Theme;

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
