//! What the machine that sends load is doing while it does.

use serde::{Deserialize, Serialize};

/// The most samples of one run; longer runs have wider ones.
pub const MACHINE_SAMPLES_MAX: usize = 240;

/// What the machine did over a run, in order, without overlap.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Machine {
    /// Memory of the whole machine, in bytes.
    pub memory_bytes: u64,
    /// One after another, each up to the next.
    pub samples: Vec<MachineSample>,
}

/// What the machine did for a while.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MachineSample {
    /// Start, in seconds from the first counted due time; less than 0 in the warm-up.
    pub start_s: f64,
    /// Length in seconds.
    pub length_s: f64,
    /// Processors that were busy, of the whole machine: 1 is one of them all the time.
    pub busy_cores: f64,
    /// Processors that Meshbench itself kept busy, window and all.
    pub own_cores: f64,
    /// Memory in use on the whole machine at its end, in bytes.
    pub memory_used_bytes: u64,
    /// Memory of Meshbench that is resident at its end, in bytes.
    pub own_memory_bytes: u64,
    /// Bytes received in a second over all interfaces, loopback included.
    pub received_per_s: f64,
    /// Bytes sent in a second over all interfaces, loopback included.
    pub sent_per_s: f64,
}

impl Machine {
    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// Adds what came after all that is there; where there is no more room, two neighbours become one.
    pub fn add(&mut self, sample: MachineSample) {
        self.samples.push(sample);
        if self.samples.len() > MACHINE_SAMPLES_MAX {
            self.samples = self.samples.chunks(2).map(merged).collect();
        }
    }
}

/// One sample of one or two neighbours: means by length, memory as it was at the end.
fn merged(pair: &[MachineSample]) -> MachineSample {
    let [one, other] = pair else { return pair.first().copied().unwrap_or_default() };
    let length_s = one.length_s + other.length_s;
    let mean = |of: fn(&MachineSample) -> f64| {
        if length_s > 0.0 {
            (of(one) * one.length_s + of(other) * other.length_s) / length_s
        } else {
            of(other)
        }
    };
    MachineSample {
        start_s: one.start_s,
        length_s,
        busy_cores: mean(|sample| sample.busy_cores),
        own_cores: mean(|sample| sample.own_cores),
        received_per_s: mean(|sample| sample.received_per_s),
        sent_per_s: mean(|sample| sample.sent_per_s),
        ..*other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_run_has_wider_samples_and_the_same_sums() {
        let mut machine = Machine::default();
        for second in 0..1000 {
            machine.add(MachineSample {
                start_s: f64::from(second),
                length_s: 1.0,
                busy_cores: f64::from(second % 7),
                own_memory_bytes: second as u64,
                ..MachineSample::default()
            });
        }
        assert!(machine.samples.len() <= MACHINE_SAMPLES_MAX);
        let sum: f64 = machine.samples.iter().map(|sample| sample.busy_cores * sample.length_s).sum();
        let whole: u32 = (0..1000).map(|second| second % 7).sum();
        assert!((sum - f64::from(whole)).abs() < 1e-6, "{sum}");
        assert_eq!(machine.samples.last().map(|sample| sample.own_memory_bytes), Some(999));
        let end = machine.samples.last().map(|sample| sample.start_s + sample.length_s);
        assert_eq!(end, Some(1000.0));
    }
}
