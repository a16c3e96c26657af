//! Mirroring as the app knows it: what a person asks for, and how it goes. The work itself is [`super::mirror`]'s.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::mirror::Mirrored;
use crate::model::RunId;

/// How long a folder is mirrored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mirroring {
    /// Now, once.
    Once,
    /// From now on, whenever Meshbench is open.
    Kept,
}

/// What is written when a folder begins to be kept in step; afterwards it is what changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// Whatever is another there.
    Whole,
    /// Runs without a file: what is there was written when it changed.
    Missing,
}

/// What a person or script wants of mirroring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MirrorCommand {
    /// Ask for a folder with the native dialog.
    Pick(Mirroring),
    /// Write each run as a file into this folder, and take in runs that are only there.
    Once(PathBuf),
    /// Keep this folder in step from now on, this time and whenever Meshbench is open.
    Keep(PathBuf),
    /// Keep none any more. History and folder stay as they are.
    KeepNone,
    /// Keep the folder in step that was chosen, if one was.
    Begin,
    /// Keep this folder in step until the program ends; it was mirrored once.
    Watch(PathBuf),
}

/// Background work of mirroring.
#[derive(Clone, Debug)]
pub enum MirrorJob {
    /// Ask for a folder.
    Pick(Mirroring),
    /// Mirror once.
    Once(PathBuf),
    /// Keep a folder in step, in the place of any before.
    Watch {
        /// The folder.
        folder: PathBuf,
        /// Runs that are not taken in from there.
        away: BTreeSet<RunId>,
        /// What is written at first.
        first: First,
    },
    /// Write this run at the next look, even where its summary is as it was.
    WriteAgain(RunId),
    /// Keep none in step.
    StopWatching,
}

/// News of mirroring.
#[derive(Clone, Debug)]
pub enum MirrorNews {
    /// A person picked a folder.
    Picked(PathBuf, Mirroring),
    /// History was mirrored, once.
    Done(Box<Mirrored>),
    /// A folder that is kept in step was looked at, and something was done, or can be again.
    Looked(Box<Mirrored>),
    /// A folder that is kept in step cannot be used now, and why.
    Stuck(PathBuf, String),
}
