//! Turn runs into documents: JSON without loss, CSV for spreadsheets, HTML to read and to print, and
//! the shape of Fortio's results for other programs. Read and write boards: our own format, and Grafana's.
//!
//! Everything here is pure: runs or boards in, text out, or the other way. What runs hold may have come from elsewhere (labels, names,
//! addresses, whole files), so each format escapes in one place: `markup` for HTML and SVG, [`csv`] for cells.

mod axis;
pub mod csv;
pub mod fortio;
pub mod grafana;
pub mod html;
pub mod json;
mod markup;
mod plot;
mod svg;
