//! When requests are due, and when a run ends: pure.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::check_rate;
use super::curve::{Curve, PER_REQUEST};
use crate::model::duration::{self, DURATION_MAX};
use crate::model::number;

/// The most stages of a profile.
pub const STAGES_MAX: usize = 100;
/// The most steps of a stage.
pub const STEPS_MAX: u32 = 1000;
/// The longest stage.
pub const STAGE_MAX: Duration = Duration::from_secs(24 * 3600);
/// The shortest stage, and the shortest period of a sine.
pub const STAGE_MIN: Duration = Duration::from_millis(1);
/// The longest think time.
const THINK_MAX: Duration = Duration::from_secs(3600);
/// The most characters of a stage's name.
pub const STAGE_NAME_MAX: usize = 60;

/// When request *n* is due.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
pub enum Pacing {
    /// As fast as answers come, one request a connection at a time (closed loop).
    Max {
        /// How long a connection waits after each answer before its next request is due.
        #[serde(default, with = "duration::serde_text", skip_serializing_if = "Duration::is_zero")]
        think: Duration,
    },
    /// Evenly spaced (open loop).
    Constant {
        /// Requests per second.
        rate_per_sec: f64,
    },
    /// Independent arrivals at this mean rate (open loop).
    Poisson {
        /// Mean requests per second.
        rate_per_sec: f64,
    },
    /// A rate that changes (open loop).
    Profile(Profile),
    /// At recorded moments (open loop).
    Replay {
        /// The recording; see [`super::parse_replay`].
        file: PathBuf,
    },
}

/// A rate that changes: stages, one after another.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Whether requests are evenly spaced or come at random.
    #[serde(default)]
    pub arrivals: Arrivals,
    /// In their order; at least one.
    pub stages: Vec<Stage>,
}

/// Whether requests are evenly spaced or come at random.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arrivals {
    /// Evenly spaced.
    #[default]
    Even,
    /// Independent of one another.
    Poisson,
}

/// A stretch of a profile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// What a person calls it; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// How long it lasts.
    #[serde(with = "duration::serde_text")]
    pub length: Duration,
    /// How the rate goes.
    pub shape: Shape,
}

/// How the rate goes within a stage, in requests per second.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Shape {
    /// The same rate; 0 for silence.
    Hold(f64),
    /// In a straight line.
    Ramp {
        /// At its beginning.
        from: f64,
        /// At its end.
        to: f64,
    },
    /// Steps of equal length and height.
    Steps {
        /// The first.
        from: f64,
        /// The last.
        to: f64,
        /// How many.
        count: u32,
    },
    /// One rate, and for a while another.
    Spike {
        /// Before and after.
        base: f64,
        /// Meanwhile.
        peak: f64,
        /// How long before it.
        #[serde(with = "duration::serde_text")]
        after: Duration,
        /// How long it lasts.
        #[serde(with = "duration::serde_text")]
        width: Duration,
    },
    /// Up and down about a mean, upwards first.
    Sine {
        /// The mean.
        mean: f64,
        /// How far above and below it.
        swing: f64,
        /// The time of one up and down.
        #[serde(with = "duration::serde_text")]
        period: Duration,
    },
    /// No rate: as fast as answers come, one request a connection at a time (closed loop).
    Max {
        /// How long a connection waits after each answer before its next request is due.
        #[serde(default, with = "duration::serde_text", skip_serializing_if = "Duration::is_zero")]
        think: Duration,
    },
}

/// When a run ends by itself. Warm-up comes before, and is not counted. A profile and a replay also end where
/// they end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// Once requests have been due for this long.
    Duration(#[serde(with = "duration::serde_text")] Duration),
    /// Once this many requests have been due.
    Requests(u64),
    /// When it is stopped.
    Never,
}

impl Pacing {
    /// As fast as answers come, without think time.
    pub const MAX: Self = Self::Max { think: Duration::ZERO };

    /// The rate asked for, in requests per second; none for a closed loop, and where it is not always the same.
    #[must_use]
    pub fn rate_per_sec(&self) -> Option<f64> {
        match self {
            Self::Constant { rate_per_sec } | Self::Poisson { rate_per_sec } => Some(*rate_per_sec),
            Self::Max { .. } | Self::Profile(_) | Self::Replay { .. } => None,
        }
    }

    /// The highest rate, in requests per second, of what has a rate; none where answers or a file decide.
    #[must_use]
    pub fn peak_per_sec(&self) -> Option<f64> {
        Curve::of(self).filter(|_| self.is_open_loop()).map(|curve| curve.peak())
    }

    /// Whether requests are due at their own times at least for a while, not only when answers come.
    #[must_use]
    pub fn is_open_loop(&self) -> bool {
        match self {
            Self::Max { .. } => false,
            Self::Profile(profile) => !profile.stages.iter().all(|stage| stage.shape.is_closed_loop()),
            Self::Constant { .. } | Self::Poisson { .. } | Self::Replay { .. } => true,
        }
    }

    /// Whether requests are due when answers come, all along or for a while.
    #[must_use]
    pub fn has_closed_loop(&self) -> bool {
        match self {
            Self::Max { .. } => true,
            Self::Profile(profile) => profile.stages.iter().any(|stage| stage.shape.is_closed_loop()),
            Self::Constant { .. } | Self::Poisson { .. } | Self::Replay { .. } => false,
        }
    }

    /// Whether requests come independently of one another.
    #[must_use]
    pub fn is_random(&self) -> bool {
        match self {
            Self::Poisson { .. } => true,
            Self::Profile(profile) => profile.arrivals == Arrivals::Poisson,
            Self::Max { .. } | Self::Constant { .. } | Self::Replay { .. } => false,
        }
    }

    /// Whether it comes to an end by itself.
    #[must_use]
    pub fn ends_by_itself(&self) -> bool {
        matches!(self, Self::Profile(_) | Self::Replay { .. })
    }

    /// When request `n` (from 0) of an evenly spaced load is due, from the start of the run.
    ///
    /// None where a closed loop is part of it (due when a connection is free), for random arrivals and a replay,
    /// and for what a profile never comes to. Exact to the nanosecond for any `n`, never a running sum.
    #[must_use]
    pub fn due(&self, n: u64) -> Option<Duration> {
        if self.is_random() || self.has_closed_loop() {
            return None;
        }
        Curve::of(self)?.time_of(u128::from(n) * PER_REQUEST).map(Duration::from_nanos)
    }

    /// How long requests are due if nothing else ends it; none where that is not in the plan.
    #[must_use]
    pub fn own_length(&self) -> Option<Duration> {
        Curve::of(self)?.length()
    }

    /// # Errors
    /// Why requests cannot be paced so.
    pub fn check(&self) -> Result<(), String> {
        match self {
            Self::Max { think } => check_think(*think),
            Self::Constant { rate_per_sec } | Self::Poisson { rate_per_sec } => check_rate(*rate_per_sec),
            Self::Profile(profile) => check_profile(profile),
            Self::Replay { file } if file.as_os_str().is_empty() => {
                Err("the file of the recording is missing".to_owned())
            }
            Self::Replay { .. } => Ok(()),
        }
    }
}

/// # Errors
/// Why this profile cannot be carried out.
pub fn check_profile(profile: &Profile) -> Result<(), String> {
    if profile.stages.is_empty() || profile.stages.len() > STAGES_MAX {
        return Err(format!("a profile has 1 to {STAGES_MAX} stages"));
    }
    for (number, stage) in (1..).zip(&profile.stages) {
        check_stage(stage).map_err(|reason| format!("stage {number}: {reason}"))?;
    }
    let length: Duration = profile.stages.iter().map(|stage| stage.length).sum();
    if length > DURATION_MAX {
        return Err("the longest profile is 10 days".to_owned());
    }
    let pacing = Pacing::Profile(profile.clone());
    if !pacing.has_closed_loop() && Curve::of(&pacing).is_none_or(|curve| curve.peak() <= 0.0) {
        return Err("no request is ever due".to_owned());
    }
    Ok(())
}

fn check_think(think: Duration) -> Result<(), String> {
    if think > THINK_MAX { Err("the longest think time is 1 hour".to_owned()) } else { Ok(()) }
}

/// # Errors
/// Why this cannot be a stage of a profile.
pub fn check_stage(stage: &Stage) -> Result<(), String> {
    if stage.name.chars().count() > STAGE_NAME_MAX || stage.name.chars().any(char::is_control) {
        return Err(format!("a name has at most {STAGE_NAME_MAX} characters and no line breaks"));
    }
    if !(STAGE_MIN..=STAGE_MAX).contains(&stage.length) {
        return Err("a stage lasts 1 ms to 24 hours".to_owned());
    }
    let rates: &[f64] = match &stage.shape {
        Shape::Hold(rate) => &[*rate],
        Shape::Ramp { from, to } | Shape::Steps { from, to, .. } => &[*from, *to],
        Shape::Spike { base, peak, .. } => &[*base, *peak],
        Shape::Sine { mean, .. } => &[*mean],
        Shape::Max { .. } => &[],
    };
    for rate in rates {
        // Silence is a rate too.
        if *rate != 0.0 {
            check_rate(*rate)?;
        }
    }
    match stage.shape {
        Shape::Steps { count, .. } if !(2..=STEPS_MAX).contains(&count) => {
            Err(format!("there are 2 to {STEPS_MAX} steps"))
        }
        Shape::Spike { after, width, .. }
            if width.is_zero() || after.saturating_add(width) > stage.length =>
        {
            Err("the spike must lie within its stage".to_owned())
        }
        Shape::Sine { mean, swing, .. } if !(0.0..=mean).contains(&swing) || mean <= 0.0 => {
            Err("a sine swings by at most its mean".to_owned())
        }
        Shape::Sine { mean, swing, .. } if check_rate(mean + swing).is_err() => check_rate(mean + swing),
        Shape::Sine { period, .. } if period < STAGE_MIN => Err("the shortest period is 1 ms".to_owned()),
        Shape::Max { think } => check_think(think),
        _ => Ok(()),
    }
}

impl Shape {
    /// Whether requests are due when answers come, not at a rate.
    #[must_use]
    pub fn is_closed_loop(&self) -> bool {
        matches!(self, Self::Max { .. })
    }

    /// For people: `from 10/s to 100/s`.
    #[must_use]
    pub fn words(&self) -> String {
        let rate = |rate: f64| number::rate(rate);
        match self {
            Self::Hold(0.0) => "nothing".to_owned(),
            Self::Hold(hold) => format!("at {}", rate(*hold)),
            Self::Ramp { from, to } => format!("from {} to {}", rate(*from), rate(*to)),
            Self::Steps { from, to, count } => {
                format!("from {} to {} in {count} steps", rate(*from), rate(*to))
            }
            Self::Spike { base, peak, after, width } => format!(
                "at {}, with {} for {} after {}",
                rate(*base),
                rate(*peak),
                duration::text(*width),
                duration::text(*after)
            ),
            Self::Sine { mean, swing, period } => format!(
                "about {}, {} up and down each {}",
                rate(*mean),
                rate(*swing),
                duration::text(*period)
            ),
            Self::Max { think } if think.is_zero() => "as fast as answers come".to_owned(),
            Self::Max { think } => format!("{} after each answer", duration::text(*think)),
        }
    }
}

impl Profile {
    /// For people: `rise: from 10/s to 100/s for 30s, then at 100/s for 1m`.
    #[must_use]
    pub fn words(&self) -> String {
        let stage = |stage: &Stage| {
            let name = if stage.name.is_empty() { String::new() } else { format!("{}: ", stage.name) };
            format!("{name}{} for {}", stage.shape.words(), duration::text(stage.length))
        };
        self.stages.iter().map(stage).collect::<Vec<_>>().join(", then ")
    }
}

impl Default for Pacing {
    fn default() -> Self {
        Self::Constant { rate_per_sec: 100.0 }
    }
}

impl Default for Stop {
    fn default() -> Self {
        Self::Duration(Duration::from_secs(30))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn due_times_do_not_drift() {
        let pacing = Pacing::Constant { rate_per_sec: 3.0 };
        assert_eq!(pacing.due(0), Some(Duration::ZERO));
        assert_eq!(pacing.due(3_000_000_000), Some(Duration::from_secs(1_000_000_000)));
        let odd = Pacing::Constant { rate_per_sec: 0.5 };
        assert_eq!(odd.due(3), Some(Duration::from_secs(6)));
    }

    #[test]
    fn wrong_profiles_get_a_reason() {
        let secs = Duration::from_secs;
        let check = |length, shape| {
            check_profile(&Profile {
                arrivals: Arrivals::Even,
                stages: vec![Stage { name: String::new(), length, shape }],
            })
        };
        for (length, shape, reason) in [
            (secs(1), Shape::Hold(0.0), "ever due"),
            (secs(1), Shape::Hold(-1.0), "more than 0"),
            (secs(1), Shape::Hold(f64::NAN), "more than 0"),
            (Duration::ZERO, Shape::Hold(1.0), "1 ms"),
            (secs(90_000), Shape::Hold(1.0), "24 hours"),
            (secs(1), Shape::Ramp { from: 0.0, to: 2e6 }, "highest rate"),
            (secs(1), Shape::Steps { from: 0.0, to: 1.0, count: 1 }, "steps"),
            (secs(1), Shape::Spike { base: 0.0, peak: 1.0, after: secs(1), width: secs(1) }, "within"),
            (secs(1), Shape::Sine { mean: 1.0, swing: 2.0, period: secs(1) }, "at most its mean"),
            (secs(1), Shape::Sine { mean: 9e5, swing: 9e5, period: secs(1) }, "highest rate"),
            (secs(1), Shape::Sine { mean: 1.0, swing: 1.0, period: Duration::ZERO }, "period"),
        ] {
            let error = check(length, shape).expect_err(reason);
            assert!(error.contains(reason), "{shape:?}: {error}");
        }
        assert!(check_profile(&Profile::default()).is_err());
        assert_eq!(check(secs(1), Shape::Ramp { from: 0.0, to: 5.0 }), Ok(()));
        assert_eq!(check(secs(1), Shape::Max { think: secs(1) }), Ok(()));
        assert!(check(secs(1), Shape::Max { think: secs(3601) }).is_err());
    }

    #[test]
    fn a_closed_loop_among_stages_has_no_rate_of_its_own() {
        let of = |stages: &[&str]| {
            let stages = stages.iter().map(|text| text.parse().expect("a stage")).collect();
            Pacing::Profile(Profile { arrivals: Arrivals::Even, stages })
        };
        let mixed = of(&["hold 50 1m", "max 30s"]);
        assert!(mixed.is_open_loop() && mixed.has_closed_loop());
        assert_eq!((mixed.peak_per_sec(), mixed.due(0)), (Some(50.0), None));
        assert_eq!(mixed.own_length(), Some(Duration::from_secs(90)));
        let closed = of(&["max 30s", "max/1s 30s"]);
        assert!(!closed.is_open_loop() && closed.has_closed_loop() && closed.peak_per_sec().is_none());
    }
}
