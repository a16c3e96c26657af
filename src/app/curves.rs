//! What the result pages draw of a run's histograms. Pure.

use crate::model::Run;
use crate::stats::Latency;

/// Points of a curve for each nine.
const POINTS_PER_NINE: u32 = 40;
/// Buckets of a histogram for each power of ten.
const BUCKETS_PER_DECADE: u32 = 20;

/// Curves and buckets of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curves {
    /// Of response time.
    pub response: Curve,
    /// Of service time.
    pub service: Curve,
}

/// One histogram, ready to draw; empty when nothing was measured.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve {
    /// Pairs of quantile (0 to 1) and milliseconds, ascending.
    pub quantiles: Vec<(f64, f64)>,
    /// Low and high edge in milliseconds and count, ascending, equally wide on a logarithmic axis.
    pub buckets: Vec<(f64, f64, u64)>,
}

/// Decodes the histograms of a run.
///
/// # Errors
/// Which histogram is damaged, and how.
pub fn curves(run: &Run) -> Result<Curves, String> {
    Ok(Curves {
        response: curve("response times", &run.histograms.response)?,
        service: curve("service times", &run.histograms.service)?,
    })
}

fn curve(of: &str, text: &str) -> Result<Curve, String> {
    if text.is_empty() {
        return Ok(Curve::default());
    }
    let latency =
        Latency::decode(text).map_err(|error| format!("The histogram of {of} cannot be read: {error}"))?;
    Ok(Curve { quantiles: latency.curve(POINTS_PER_NINE), buckets: latency.log_buckets(BUCKETS_PER_DECADE) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_becomes_a_curve_and_buckets() {
        let mut latency = Latency::new();
        for micros in 1..=1000 {
            latency.record_nanos(micros * 1000);
        }
        let curve = curve("response times", &latency.encode()).expect("our own text");
        assert_eq!(curve.buckets.iter().map(|bucket| bucket.2).sum::<u64>(), 1000);
        assert!(curve.quantiles.last().is_some_and(|(_, ms)| (ms - 1.0).abs() < 0.01));
    }

    #[test]
    fn what_cannot_be_read_says_so_and_what_is_missing_is_empty() {
        let error = curve("service times", "HISTFnonsense").expect_err("nonsense");
        assert!(error.contains("service times"), "{error}");
        assert_eq!(curve("service times", ""), Ok(Curve::default()));
    }
}
