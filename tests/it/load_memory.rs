//! Targets that send without end: what they make us keep is bounded, seen from outside the process.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::http2_peer::{
    CONTINUATION, DATA, END_HEADERS, HEADERS, PING, SETTINGS, fields, frame, preface, read_frame, reset,
};
use crate::peer::{Peer, flood};

/// What a flood may cost beyond a run against a good target: the windows of the connections, and some.
const MORE_MIB_MAX: f64 = 64.0;
/// No run of this test takes longer.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at the process.
const LOOK_EVERY: Duration = Duration::from_millis(5);
const HEAD: &str = "HTTP/1.1 200 OK\r\n";

/// The most memory that a run against `peer` had resident, in MiB.
fn peak_mib(peer: &Peer, options: &str) -> f64 {
    let dir = tempfile::tempdir().expect("a place");
    let line = format!("run {} --pacing max --timeout 2s --requests 16 --no-save {options}", peer.url());
    let mut child = Command::new(env!("CARGO_BIN_EXE_meshbench"))
        .args(line.split_whitespace())
        .env("MESHBENCH_DATA_DIR", dir.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary starts");
    let (begun, mut peak_kib) = (Instant::now(), 0u64);
    while child.try_wait().expect("a child").is_none() {
        if begun.elapsed() > PATIENCE {
            let _ = child.kill();
            let _ = child.wait();
            panic!("the run did not end");
        }
        let told = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = told.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")).and_then(|kib| kib.parse().ok());
        peak_kib = peak_kib.max(kib.unwrap_or(0));
        std::thread::sleep(LOOK_EVERY);
    }
    assert!(peak_kib > 0, "the system tells how much memory a process has");
    peak_kib as f64 / 1024.0
}

/// After the first head: these bytes, then others without end; what we send in between is not even read.
fn http2(
    first: impl Fn(u32) -> Vec<u8> + Send + Sync + 'static,
    again: impl Fn(u32) -> Vec<u8> + Send + Sync + 'static,
) -> Peer {
    Peer::start(move |mut stream, _| {
        if !preface(&mut stream) || stream.write_all(&frame(SETTINGS, 0, 0, &[])).is_err() {
            return;
        }
        while let Some(got) = read_frame(&mut stream) {
            if got.kind == HEADERS && stream.write_all(&first(got.stream)).is_ok() {
                flood(&mut stream, &again(got.stream).repeat(64));
            }
        }
    })
}

#[test]
fn a_flood_of_http1_does_not_pile_up() {
    let good =
        peak_mib(&Peer::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"), "--connections 4");
    for (what, first, again) in [
        ("a body until the end", "HTTP/1.1 200 OK\r\n\r\n", "0123456789abcdef"),
        ("chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "8\r\n01234567\r\n"),
        ("headers", HEAD, "A: b\r\n"),
        ("early hints", "", "HTTP/1.1 103 Early Hints\r\n\r\n"),
    ] {
        let peak = peak_mib(&Peer::flooding(first, again.repeat(4096)), "--connections 4");
        assert!(peak < good + MORE_MIB_MAX, "{what}: {peak:.1} MiB, a good target {good:.1} MiB");
    }
}

#[test]
fn a_flood_of_http2_does_not_pile_up() {
    const OPTIONS: &str = "--connections 2 --protocol http2 --streams 4";
    let good =
        crate::http2_peer::answering(&[], |_, stream| Some(crate::http2_peer::answer(stream, "200", b"hi")));
    let good = peak_mib(&good, OPTIONS);
    let head = |flags| move |stream| frame(HEADERS, flags, stream, &fields(&[(":status", "200")]));
    let nothing = |_| Vec::new();
    let field = fields(&[("x-flood", &"f".repeat(100))]).repeat(100);
    let floods: [(&str, Peer); 6] = [
        ("PING that nobody reads the answers to", http2(nothing, |_| frame(PING, 0, 0, &[7; 8]))),
        ("SETTINGS", http2(nothing, |_| frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100]))),
        ("CONTINUATION", http2(head(0), move |stream| frame(CONTINUATION, 0, stream, &field))),
        ("DATA beyond every window", http2(head(END_HEADERS), |stream| frame(DATA, 0, stream, &[0; 16_000]))),
        ("resets", http2(nothing, |stream| reset(stream, 8))),
        ("windows", http2(nothing, |stream| frame(8, 0, stream, &[0, 0, 0, 1]))),
    ];
    for (what, peer) in floods {
        let peak = peak_mib(&peer, OPTIONS);
        assert!(peak < good + MORE_MIB_MAX, "{what}: {peak:.1} MiB, a good target {good:.1} MiB");
    }
}
