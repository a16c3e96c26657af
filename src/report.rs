//! Turn runs into documents: JSON without loss, CSV for spreadsheets, HTML to read and to print, and
//! the shape of Fortio's results for other programs.
//!
//! Everything here is pure: runs in, text out. What runs hold may have come from elsewhere (labels, names,
//! addresses, whole files), so each format escapes in one place: `markup` for HTML and SVG, [`csv`] for cells.

mod axis;
pub mod csv;
pub mod fortio;
pub mod html;
pub mod json;
mod markup;
mod plot;
mod svg;
