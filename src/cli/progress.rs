//! The line that shows how a run is doing.

use crate::app::state::{Live, Phase};
use crate::model::{Run, number};

use super::screen::plain;

/// One line of at most 79 characters; pure.
pub(super) fn line(live: &Live) -> String {
    let words = match live.phase {
        Phase::Connecting => return "Connecting …".to_owned(),
        Phase::Warmup => "warm-up  ",
        Phase::Measuring => "",
        Phase::Draining => "last answers  ",
        Phase::Stopping => "stopping  ",
        Phase::Saving => "saving  ",
        Phase::Failed { .. } => return String::new(),
    };
    let trial = live.so_far.as_ref().filter(|_| live.search.is_some()).and_then(|run| {
        let number = run.capacity.as_ref()?.trials.len() + 1;
        Some(format!("trial {number} at {}  ", number::rate(run.rate.asked?)))
    });
    let words = format!("{words}{}", trial.unwrap_or_default());
    let elapsed = number::clock(live.elapsed.as_secs_f64());
    let time = match live.remaining {
        Some(remaining) => {
            format!("{elapsed} of {}", number::clock((live.elapsed + remaining).as_secs_f64()))
        }
        None => match live.progress {
            Some(share) => format!("{elapsed}  {:.0} %", share * 100.0),
            None => elapsed,
        },
    };
    let numbers = live.so_far.as_deref().map(numbers).unwrap_or_default();
    plain(&format!("{words}{time}{numbers}  in flight {}", number::count(live.in_flight)))
}

fn numbers(run: &Run) -> String {
    if run.response_ms.count == 0 {
        return format!("  sent {}", number::count(run.requests.due + run.warmup.due));
    }
    format!(
        "  {}  p50 {}  p99 {}  failed {}",
        number::rate(run.rate.achieved),
        number::millis(run.response_ms.p50),
        number::millis(run.response_ms.p99),
        number::count(run.requests.failed)
    )
}
