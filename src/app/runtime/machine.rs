//! What this machine does while it sends load: read from `/proc`, once a second; nothing elsewhere.

use std::time::Duration;

use crate::model::run::{Machine, MachineSample};

/// Between two looks.
const EVERY: Duration = Duration::from_secs(1);

/// Looks at the machine from time to time.
#[derive(Debug, Default)]
pub(super) struct MachineWatch {
    machine: Machine,
    /// When it was looked at last, since the first due time, and what was seen.
    before: Option<(Duration, Reading)>,
}

/// What the system's counters say. Processor time is in ticks: of the machine's own, so that none need be known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Reading {
    /// How many processors the counters are of: more than we may use, where we may not use all.
    processors: u32,
    /// Of all processors together.
    ticks: u64,
    busy_ticks: u64,
    own_ticks: u64,
    memory_bytes: u64,
    memory_free_bytes: u64,
    own_memory_bytes: u64,
    received_bytes: u64,
    sent_bytes: u64,
}

impl MachineWatch {
    /// Looks, if it is time to. `since_start`: since the first due time.
    pub(super) fn look(&mut self, since_start: Duration) {
        let is_time =
            self.before.is_none_or(|(at, _)| since_start.checked_sub(at).is_some_and(|gone| gone >= EVERY));
        if !is_time {
            return;
        }
        let Some(now) = Reading::now() else { return };
        if let Some((at, before)) = self.before.replace((since_start, now)) {
            let length = since_start.saturating_sub(at);
            self.machine.memory_bytes = now.memory_bytes;
            self.machine.add(now.since(before, at.as_secs_f64(), length));
        }
    }

    /// What was seen so far, of a run that was counted from so many seconds after its first due time on.
    pub(super) fn so_far(&self, counted_after_s: f64) -> Machine {
        let mut machine = self.machine.clone();
        for sample in &mut machine.samples {
            sample.start_s -= counted_after_s;
        }
        machine
    }
}

impl Reading {
    fn now() -> Option<Self> {
        let read = |path: &str| std::fs::read_to_string(path).ok();
        let (processors, ticks, busy_ticks) = processors(&read("/proc/stat")?)?;
        let (memory_bytes, memory_free_bytes) = memory(&read("/proc/meminfo")?)?;
        let (received_bytes, sent_bytes) =
            read("/proc/net/dev").map(|text| network(&text)).unwrap_or_default();
        Some(Self {
            processors,
            ticks,
            busy_ticks,
            own_ticks: own_ticks(&read("/proc/self/stat")?)?,
            memory_bytes,
            memory_free_bytes,
            own_memory_bytes: kilobytes(&read("/proc/self/status")?, "VmRSS")?,
            received_bytes,
            sent_bytes,
        })
    }

    fn since(self, before: Self, start_s: f64, length: Duration) -> MachineSample {
        let length_s = length.as_secs_f64();
        let ticks = self.ticks.saturating_sub(before.ticks);
        let cores = |now: u64, before: u64| {
            let share = now.saturating_sub(before) as f64 / ticks.max(1) as f64;
            share.min(1.0) * f64::from(self.processors)
        };
        let per_s =
            |now: u64, before: u64| now.saturating_sub(before) as f64 / length_s.max(f64::MIN_POSITIVE);
        MachineSample {
            start_s,
            length_s,
            busy_cores: cores(self.busy_ticks, before.busy_ticks),
            own_cores: cores(self.own_ticks, before.own_ticks),
            memory_used_bytes: self.memory_bytes.saturating_sub(self.memory_free_bytes),
            own_memory_bytes: self.own_memory_bytes,
            received_per_s: per_s(self.received_bytes, before.received_bytes),
            sent_per_s: per_s(self.sent_bytes, before.sent_bytes),
        }
    }
}

/// Of `/proc/stat`: how many processors there are, all ticks, and those that were not idle. What guests use is in user and
/// nice.
fn processors(text: &str) -> Option<(u32, u64, u64)> {
    let mut lines = text.lines();
    let line = lines.next()?.strip_prefix("cpu ")?;
    let each = lines.take_while(|line| line.starts_with("cpu")).count();
    let ticks: Vec<u64> = line.split_whitespace().take(8).map_while(|field| field.parse().ok()).collect();
    let all: u64 = ticks.iter().sum();
    let idle = ticks.get(3)? + ticks.get(4)?;
    Some((u32::try_from(each).ok()?, all, all - idle))
}

/// User and system ticks of a process, of all its threads: fields 14 and 15; the name before them may hold anything.
fn own_ticks(text: &str) -> Option<u64> {
    let (_, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<u64>().ok();
    Some(next()? + next()?)
}

/// All memory, and what could be had of it, in bytes.
fn memory(text: &str) -> Option<(u64, u64)> {
    Some((kilobytes(text, "MemTotal")?, kilobytes(text, "MemAvailable")?))
}

/// The bytes of a line `NAME: 10 kB`.
fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// Bytes received and sent over all interfaces.
fn network(text: &str) -> (u64, u64) {
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    lines.fold((0, 0), |(received, sent), (_, counters)| {
        let mut fields = counters.split_whitespace().map(|field| field.parse::<u64>().unwrap_or(0));
        let first = fields.next().unwrap_or(0);
        (received + first, sent + fields.nth(7).unwrap_or(0))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_counters_are_read() {
        assert_eq!(processors("cpu  10 5 20 100 7 1 2 3 4 0\ncpu0 1\ncpu1 2\nintr 5\n"), Some((2, 148, 41)));
        assert_eq!(processors("intr 5"), None);
        let stat = "42 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 300 55 0 0 20 0 1 0 5 6 7";
        assert_eq!(own_ticks(stat), Some(355));
        assert_eq!(memory("MemTotal: 100 kB\nMemAvailable:  40 kB\n"), Some((102_400, 40_960)));
        assert_eq!(kilobytes("VmHWM:\t 30 kB\nVmRSS:\t   20 kB\n", "VmRSS"), Some(20 * 1024));
        let dev = "Inter-|\n face |bytes\n lo: 10 1 0 0 0 0 0 0 20 1\n eth0:5 1 0 0 0 0 0 0 6 1\n";
        assert_eq!(network(dev), (15, 26));
    }

    #[test]
    fn a_second_of_work_is_shares_of_processors_and_rates() {
        let before = Reading { ticks: 1000, busy_ticks: 500, own_ticks: 100, ..Reading::default() };
        let now = Reading {
            processors: 2,
            ticks: 1200,
            busy_ticks: 600,
            own_ticks: 150,
            memory_bytes: 100,
            memory_free_bytes: 30,
            sent_bytes: 500,
            ..Reading::default()
        };
        let sample = now.since(before, -1.0, Duration::from_millis(500));
        assert_eq!((sample.busy_cores, sample.own_cores), (1.0, 0.5));
        assert_eq!((sample.memory_used_bytes, sample.sent_per_s), (70, 1000.0));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_machine_tells_and_a_look_is_taken_once_a_second() {
        let mut watch = MachineWatch::default();
        for tenth in 0..=25 {
            watch.look(Duration::from_millis(tenth * 100));
        }
        let machine = watch.so_far(1.0);
        let starts: Vec<f64> = machine.samples.iter().map(|sample| sample.start_s).collect();
        assert_eq!(starts, [-1.0, 0.0]);
        assert!(machine.memory_bytes > 0 && machine.samples[0].own_memory_bytes > 0);
    }
}
