//! What nodes do: Meshery's board “Nodes”, all of them at once.

use super::part::{board as of_rows, lines, rate, ratio, rest, row, sum};
use crate::model::metrics::board::{Board, Panel};
use crate::model::metrics::measure::{Measure, Op, Selector};
use crate::model::metrics::unit::Unit;

const HINT: &str = "Needs node-exporter on the nodes.";
const NODE: &str = "instance";
/// What are no disks.
const NO_DISKS: &str = "tmpfs|ramfs|overlay|squashfs|devtmpfs|nsfs|fuse.*";

/// All nodes.
pub(crate) fn board() -> Board {
    of_rows(
        "Load, processors, memory, disks and network of each node, by node-exporter.",
        vec![
            row("Processors", [load(), utilisation(), by_core()]),
            row("Memory", [memory_share(), memory_bytes()]),
            row("Disks", [disk_bytes(), disk_busy(), disk_space(), inodes()]),
            row(
                "Network",
                [
                    network("Received", "node_network_receive_bytes_total"),
                    network("Sent", "node_network_transmit_bytes_total"),
                ],
            ),
        ],
    )
}

fn told(title: &str, unit: Unit, asks: Vec<(Measure, &str)>) -> Panel {
    let asks = asks.into_iter().map(|(measure, legend)| (measure, legend.to_owned())).collect();
    Panel { hint: HINT.to_owned(), ..lines(title, unit, asks) }
}

fn gauge(metric: &str) -> Measure {
    sum(Selector::of(metric), &[NODE])
}

fn load() -> Panel {
    told(
        "Load",
        Unit::None,
        vec![
            (gauge("node_load1"), "{{instance}} 1 min"),
            (gauge("node_load5"), "{{instance}} 5 min"),
            (gauge("node_load15"), "{{instance}} 15 min"),
        ],
    )
}

fn utilisation() -> Panel {
    let all = Selector::of("node_cpu_seconds_total");
    let idle = all.clone().with("mode", Op::Matches, "idle|iowait|steal");
    let used = rest(ratio(rate(idle, &[NODE]), rate(all, &[NODE])));
    Panel { max: Some(1.0), ..told("CPU in use", Unit::Share, vec![(used, "{{instance}}")]) }
}

fn by_core() -> Panel {
    let busy = Selector::of("node_cpu_seconds_total").with("mode", Op::MatchesNot, "idle|iowait|steal");
    told("CPU by core", Unit::Cores, vec![(rate(busy, &[NODE, "cpu"]), "{{instance}} {{cpu}}")])
}

fn memory_share() -> Panel {
    let used = rest(ratio(gauge("node_memory_MemAvailable_bytes"), gauge("node_memory_MemTotal_bytes")));
    Panel { max: Some(1.0), ..told("Memory in use", Unit::Share, vec![(used, "{{instance}}")]) }
}

fn memory_bytes() -> Panel {
    told(
        "Memory",
        Unit::Bytes,
        vec![
            (gauge("node_memory_MemTotal_bytes"), "{{instance}} all"),
            (gauge("node_memory_MemAvailable_bytes"), "{{instance}} available"),
            (gauge("node_memory_Cached_bytes"), "{{instance}} cache"),
            (gauge("node_memory_Buffers_bytes"), "{{instance}} buffers"),
            (gauge("node_memory_MemFree_bytes"), "{{instance}} free"),
        ],
    )
}

fn disk(metric: &str) -> Measure {
    rate(Selector::of(metric), &[NODE])
}

fn disk_bytes() -> Panel {
    told(
        "Read and written",
        Unit::BytesPerSec,
        vec![
            (disk("node_disk_read_bytes_total"), "{{instance}} read"),
            (disk("node_disk_written_bytes_total"), "{{instance}} written"),
        ],
    )
}

fn disk_busy() -> Panel {
    let busy = rate(Selector::of("node_disk_io_time_seconds_total"), &[NODE, "device"]);
    told("Disks busy", Unit::Share, vec![(busy, "{{instance}} {{device}}")])
}

/// What is taken of file systems: 1 less what is free of all.
fn taken(title: &str, free: &str, all: &str) -> Panel {
    let of = |metric: &str| {
        let disks = Selector::of(metric).with("fstype", Op::MatchesNot, NO_DISKS);
        sum(disks, &[NODE, "device", "mountpoint"])
    };
    let used = rest(ratio(of(free), of(all)));
    Panel { max: Some(1.0), ..told(title, Unit::Share, vec![(used, "{{instance}} {{mountpoint}}")]) }
}

fn disk_space() -> Panel {
    taken("Disk space in use", "node_filesystem_avail_bytes", "node_filesystem_size_bytes")
}

fn inodes() -> Panel {
    taken("Inodes in use", "node_filesystem_files_free", "node_filesystem_files")
}

fn network(title: &str, metric: &str) -> Panel {
    let of = Selector::of(metric).with("device", Op::MatchesNot, "lo|veth.*|cali.*|lxc.*");
    told(title, Unit::BytesPerSec, vec![(rate(of, &[NODE, "device"]), "{{instance}} {{device}}")])
}
