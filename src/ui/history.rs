//! The history page: every run ever made.

pub mod list;
