//! Not tests: numbers. Start them with `cargo test --test it -- --ignored --nocapture sync::numbers`.

use std::time::Instant;

use super::parts::{Machine, Running, limits};
use crate::store::run;

const RUNS: u64 = 10_000;

fn resident_mib() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / 1024
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "prints numbers"]
async fn ten_thousand_runs_go_up_and_come_down() {
    let folder = tempfile::tempdir().unwrap();
    let server = Running::start(folder.path(), limits()).await;
    let (desk, fresh) = (Machine::alone("ann", server.address), Machine::alone("ann", server.address));
    for start in (0..RUNS).step_by(500) {
        desk.store.save_runs(&(start..start + 500).map(run).collect::<Vec<_>>()).unwrap();
    }
    let rate = |since: Instant| RUNS as f64 / since.elapsed().as_secs_f64();
    let before = resident_mib();
    let up = Instant::now();
    assert_eq!(desk.sync().await.unwrap().sent as u64, RUNS);
    println!("up: {:.0} records/s, {} MiB before, {} MiB after", rate(up), before, resident_mib());
    let down = Instant::now();
    assert_eq!(fresh.sync().await.unwrap().received as u64, RUNS);
    println!("down: {:.0} records/s, {} MiB after", rate(down), resident_mib());
    let again = Instant::now();
    assert_eq!(fresh.sync().await.unwrap().received, 0);
    println!("with nothing to do: {:.0} ms", again.elapsed().as_secs_f64() * 1e3);
    server.end().await;
}
