//! A process that is killed while it saves: nothing that it called saved may be lost.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use meshbench::store::Remark;

use super::{Draw, id, open, run};

const DIR_VARIABLE: &str = "MESHBENCH_TEST_SAVE_LOOP";
const KILLS: u64 = 20;

/// Not a test: what the test below starts and kills. Saves runs from the first free number on and says each.
#[test]
#[ignore = "is started and killed by the test below"]
fn save_loop() {
    let Some(dir) = std::env::var_os(DIR_VARIABLE).map(PathBuf::from) else { return };
    let (store, _) = open(&dir);
    let first = store.summaries().unwrap().len() as u64;
    let mut out = std::io::stdout();
    for number in first.. {
        store.checkpoint(&run(number)).unwrap();
        store.save_run(&run(number)).unwrap();
        writeln!(out, "saved {number}").unwrap();
        out.flush().unwrap();
    }
}

#[test]
fn a_kill_loses_nothing_that_was_called_saved() {
    let dir = tempfile::tempdir().unwrap();
    let mut draw = Draw::from_environment(3);
    let (mut saved, mut interrupted) = (0, 0);
    for kill in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "store::crash::save_loop", "--ignored", "--nocapture"])
            .env(DIR_VARIABLE, dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // So many more runs, then a part of the time that one takes: the kill falls anywhere in a save.
        let (runs, spins) = (1 + draw.below(4), draw.below(3_000_000));
        let mut seen = Vec::new();
        for line in lines.map_while(Result::ok) {
            let Some(number) = line.rsplit_once("saved ").and_then(|(_, number)| number.parse::<u64>().ok())
            else {
                continue;
            };
            seen.push(number);
            if seen.len() as u64 == runs {
                (0..spins).for_each(|spin| {
                    std::hint::black_box(spin);
                });
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(!seen.is_empty(), "kill {kill}: the loop saved nothing");
        let (store, report) = open(dir.path());
        for number in seen {
            assert!(store.run(id(number)).unwrap() == Some(run(number)), "kill {kill}: run {number}");
            saved += 1;
        }
        for remark in &report.remarks {
            assert!(matches!(remark, Remark::Interrupted { .. }), "kill {kill}: {remark}");
            interrupted += 1;
        }
        for summary in store.summaries().unwrap() {
            assert!(store.run(summary.id).unwrap().is_some(), "kill {kill}");
        }
    }
    println!("{KILLS} kills, {saved} runs called saved, none lost; {interrupted} were found interrupted");
}
