//! What keeps the machine from sending load: limits of our control group, and what its host gives to others.

use std::path::{Path, PathBuf};

use crate::model::run::Strain;

/// Where control groups are mounted.
const CGROUPS: &str = "/sys/fs/cgroup";
/// The most levels of control groups that are looked at.
const LEVELS_MAX: usize = 16;

/// Tells what changed since it was made.
#[derive(Debug)]
pub(super) struct Meter {
    files: Vec<PathBuf>,
    before: Reading,
}

/// What the system's counters say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Reading {
    throttled: Option<Throttled>,
    processor: Option<Processor>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Throttled {
    periods: u64,
    nanos: u64,
}

/// In the system's ticks, over all processors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Processor {
    stolen: u64,
    all: u64,
}

impl Meter {
    /// Reads the counters for the first time.
    pub(super) fn new() -> Self {
        let of_process = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let mut files = stat_files(&of_process);
        files.retain(|file| file.exists());
        let before = Reading::now(&files);
        Self { files, before }
    }

    /// What happened since it was made.
    pub(super) fn so_far(&self) -> Strain {
        Reading::now(&self.files).since(self.before)
    }
}

impl Reading {
    fn now(files: &[PathBuf]) -> Self {
        let throttled = files
            .iter()
            .filter_map(|file| throttled(&std::fs::read_to_string(file).ok()?))
            .reduce(|a, b| Throttled { periods: a.periods + b.periods, nanos: a.nanos + b.nanos });
        let processor = std::fs::read_to_string("/proc/stat").ok().and_then(|text| processor(&text));
        Self { throttled, processor }
    }

    fn since(self, before: Self) -> Strain {
        let throttled = self.throttled.zip(before.throttled);
        let stolen = self.processor.zip(before.processor).and_then(|(now, before)| {
            let all = now.all.checked_sub(before.all).filter(|all| *all > 0)?;
            Some(now.stolen.saturating_sub(before.stolen) as f64 / all as f64)
        });
        Strain {
            throttled_periods: throttled.map(|(now, before)| now.periods.saturating_sub(before.periods)),
            throttled_s: throttled.map(|(now, before)| now.nanos.saturating_sub(before.nanos) as f64 / 1e9),
            stolen_share: stolen,
        }
    }
}

/// The counters of every control group that the process is in, from its own upwards: a limit may be on any.
fn stat_files(of_process: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for line in of_process.lines() {
        let mut fields = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (fields.next(), fields.next(), fields.next()) else {
            continue;
        };
        let mount = match controllers {
            "" => Path::new(CGROUPS).to_owned(),
            first if first.split(',').any(|name| name == "cpu") => Path::new(CGROUPS).join(first),
            _ => continue,
        };
        let group = mount.join(path.trim_start_matches('/'));
        let levels = group.ancestors().take(LEVELS_MAX).take_while(|level| level.starts_with(&mount));
        files.extend(levels.map(|level| level.join("cpu.stat")));
    }
    files
}

/// `nr_throttled` and `throttled_usec` (version 2) or `throttled_time` (version 1, nanoseconds).
fn throttled(text: &str) -> Option<Throttled> {
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
        line.trim().parse::<u64>().ok()
    };
    let nanos = value("throttled_usec").map(|micros| micros.saturating_mul(1000));
    Some(Throttled { periods: value("nr_throttled")?, nanos: nanos.or_else(|| value("throttled_time"))? })
}

/// The first line of `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal; what guests use is in user.
fn processor(text: &str) -> Option<Processor> {
    let line = text.lines().next()?.strip_prefix("cpu ")?;
    let ticks: Vec<u64> = line.split_whitespace().take(8).map_while(|field| field.parse().ok()).collect();
    Some(Processor { stolen: *ticks.get(7)?, all: ticks.iter().sum() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_of_both_versions_is_looked_at() {
        let shown =
            |text: &str| stat_files(text).iter().map(|file| file.display().to_string()).collect::<Vec<_>>();
        assert_eq!(
            shown("0::/kube/pod7/box\n"),
            [
                "/sys/fs/cgroup/kube/pod7/box/cpu.stat",
                "/sys/fs/cgroup/kube/pod7/cpu.stat",
                "/sys/fs/cgroup/kube/cpu.stat",
                "/sys/fs/cgroup/cpu.stat"
            ]
        );
        assert_eq!(
            shown("3:cpuset:/a\n2:cpu,cpuacct:/a\n1:name=systemd:/a\n"),
            ["/sys/fs/cgroup/cpu,cpuacct/a/cpu.stat", "/sys/fs/cgroup/cpu,cpuacct/cpu.stat"]
        );
        assert_eq!(shown("0::/"), ["/sys/fs/cgroup/cpu.stat"]);
        assert!(shown("nonsense").is_empty());
    }

    #[test]
    fn counters_are_read_in_both_units() {
        let second = "usage_usec 9\nnr_periods 20\nnr_throttled 3\nthrottled_usec 250000\n";
        let first = "nr_periods 20\nnr_throttled 3\nthrottled_time 250000000\n";
        let expected = Some(Throttled { periods: 3, nanos: 250_000_000 });
        assert_eq!((throttled(second), throttled(first)), (expected, expected));
        assert_eq!(throttled("usage_usec 9\nuser_usec 5\n"), None, "a group without a limit");
    }

    #[test]
    fn only_what_happened_meanwhile_counts() {
        let reading = |periods, nanos, line: &str| Reading {
            throttled: Some(Throttled { periods, nanos }),
            processor: processor(line),
        };
        let before = reading(5, 1_000_000_000, "cpu  100 0 50 800 10 0 0 40 7 0\ncpu0 1 2\n");
        let after = reading(8, 1_300_000_000, "cpu  160 0 60 820 10 0 0 50 9 0\n");
        let strain = after.since(before);
        assert_eq!(strain.throttled_periods, Some(3));
        assert!((strain.throttled_s.expect("told") - 0.3).abs() < 1e-9);
        assert!((strain.stolen_share.expect("told") - 0.1).abs() < 1e-9);
        let unknown = Reading::default().since(before);
        assert_eq!(unknown, Strain::default());
    }
}
