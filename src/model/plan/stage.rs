//! A stage of a profile as people write it on one line: `ramp 100..1000 1m`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::{Shape, Stage};
use crate::model::duration;

/// What a stage looks like, for messages.
const EXAMPLES: &str = "write for example “hold 100 30s”, “ramp 100..1000 1m”, “steps 100..1000/10 5m”, \
                        “spike 100..1000@20s+5s 1m”, “sine 500+-200/30s 5m”, “max 30s” or “max/10ms 30s”";

impl FromStr for Stage {
    type Err = String;

    /// Shape, rates in requests per second and length; before them a name and a colon, if there is one.
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, rest) = match text.split_once(':') {
            Some((name, rest)) => (name.trim(), rest),
            None => ("", text),
        };
        let mut words = rest.split_whitespace();
        let words = (words.next(), words.next(), words.next(), words.next());
        let (found, told, length) = match words {
            (Some(max), Some(length), None, None) if max.starts_with("max") => {
                (closed_loop(max), max.to_owned(), length)
            }
            (Some(kind), Some(rates), Some(length), None) => {
                (shape(kind, rates), format!("{kind} {rates}"), length)
            }
            _ => return Err(format!("a stage is a shape, its rates and its length; {EXAMPLES}")),
        };
        let shape = found.ok_or_else(|| format!("“{told}” is not the shape of a stage; {EXAMPLES}"))?;
        let stage = Self { name: name.to_owned(), length: duration::parse(length)?, shape };
        super::check_stage(&stage)?;
        Ok(stage)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.name.is_empty() {
            write!(f, "{}: ", self.name)?;
        }
        match self.shape {
            Shape::Hold(rate) => write!(f, "hold {rate}")?,
            Shape::Ramp { from, to } => write!(f, "ramp {from}..{to}")?,
            Shape::Steps { from, to, count } => write!(f, "steps {from}..{to}/{count}")?,
            Shape::Spike { base, peak, after, width } => {
                write!(f, "spike {base}..{peak}@{}+{}", duration::text(after), duration::text(width))?;
            }
            Shape::Sine { mean, swing, period } => {
                write!(f, "sine {mean}+-{swing}/{}", duration::text(period))?;
            }
            Shape::Max { think } if think.is_zero() => f.write_str("max")?,
            Shape::Max { think } => write!(f, "max/{}", duration::text(think))?,
        }
        write!(f, " {}", duration::text(self.length))
    }
}

/// `max`, or `max/10ms` with think time.
fn closed_loop(text: &str) -> Option<Shape> {
    let think = match text.strip_prefix("max")? {
        "" => Duration::ZERO,
        think => duration::parse(think.strip_prefix('/')?).ok()?,
    };
    Some(Shape::Max { think })
}

fn shape(kind: &str, text: &str) -> Option<Shape> {
    let number = |text: &str| text.parse::<f64>().ok();
    let time = |text: &str| -> Option<Duration> { duration::parse(text).ok() };
    let range = |text: &str| {
        let (from, to) = text.split_once("..")?;
        Some((number(from)?, number(to)?))
    };
    Some(match kind {
        "hold" => Shape::Hold(number(text)?),
        "ramp" => {
            let (from, to) = range(text)?;
            Shape::Ramp { from, to }
        }
        "steps" => {
            let (rates, count) = text.rsplit_once('/')?;
            let (from, to) = range(rates)?;
            Shape::Steps { from, to, count: count.parse().ok()? }
        }
        "spike" => {
            let (rates, times) = text.split_once('@')?;
            let (base, peak) = range(rates)?;
            let (after, width) = times.split_once('+')?;
            Shape::Spike { base, peak, after: time(after)?, width: time(width)? }
        }
        "sine" => {
            let (rates, period) = text.rsplit_once('/')?;
            let (mean, swing) = rates.split_once("+-").or_else(|| rates.split_once('±'))?;
            Shape::Sine { mean: number(mean)?, swing: number(swing)?, period: time(period)? }
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_is_read_as_it_is_written() {
        for text in [
            "hold 100 30s",
            "night: hold 0 1m",
            "ramp 100..1000 1m",
            "steps 100..1000/10 5m",
            "Black Friday: spike 100..1000@20s+5s 1m",
            "sine 500+-200.5/30s 5m",
            "max 30s",
            "all out: max/10ms 30s",
        ] {
            let stage: Stage = text.parse().expect(text);
            assert_eq!(stage.to_string(), text);
        }
        assert_eq!("sine 500±200/30s 5m".parse::<Stage>(), "sine 500+-200/30s 5m".parse());
    }

    #[test]
    fn what_is_no_stage_says_what_would_be_one() {
        for (text, reason) in [
            ("", "ramp 100..1000 1m"),
            ("ramp 100..1000", "its length"),
            ("ramp 100 1m", "not the shape"),
            ("climb 1..2 1m", "not the shape"),
            ("hold 100 30", "unit"),
            ("hold -5 30s", ""),
            ("hold 1e12 30s", ""),
            ("sine 100+-200/30s 1m", ""),
            ("max 100 30s", "not the shape"),
            ("max/ 30s", "not the shape"),
            ("maximum 30s", "not the shape"),
            ("max/2h 30s", "1 hour"),
        ] {
            let told = text.parse::<Stage>().expect_err(text);
            assert!(told.contains(reason), "{text}: {told}");
        }
    }
}
