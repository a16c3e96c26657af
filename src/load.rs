//! Send load and measure.
