//! Over a network that loses packets, the kernel notes that the pieces after a lost one came early. The answer did not.
#![cfg(target_os = "linux")]

use std::path::Path;
use std::process::{Command, Stdio};

use meshbench::model::Run;

/// What the script needs, and the packages that have it.
const PARTS: [(&str, &str); 4] = [
    ("/usr/sbin/nft", "nftables"),
    ("/usr/sbin/ethtool", "ethtool"),
    ("/usr/sbin/ip", "iproute2"),
    ("/usr/bin/unshare", "util-linux"),
];

/// In a network of its own: answers of 14 packets, of which every 25th is lost. The same load: with a rate, where the
/// kernel is asked when answers came, by a thread that sleeps and by one that watches; and as a closed loop, where they
/// came when they were read.
const SCRIPT: &str = r#"
set -eu
ip link set lo up mtu 1500
ethtool -K lo gso off tso off gro off
nft add table ip lossy
nft add chain ip lossy in '{ type filter hook input priority 0; }'
nft add rule ip lossy in tcp sport 8088 ip length '>' 1000 numgen inc mod 25 == 0 drop
"$1" target --listen 127.0.0.1:8088 --size 20KB --data-dir "$2" >"$2/target.log" 2>&1 &
trap 'kill $!' EXIT
for try in $(seq 100); do grep -q 8088 "$2/target.log" && break; sleep 0.1; done
send() { "$meshbench" run http://127.0.0.1:8088/ --no-save --duration 6s --timeout 5s --connections 32 "$@"; }
meshbench="$1"
send --rate 300 --json "$2/rate.json"
send --rate 300 --timer precise --json "$2/precise.json"
send --pacing max --think 100ms --json "$2/closed.json"
"#;

#[test]
fn a_packet_that_was_lost_makes_no_answer_early() {
    for (part, package) in PARTS {
        assert!(
            Path::new(part).exists(),
            "{part} is missing; install the Debian package {package} (apt-get install {package})"
        );
    }
    let place = tempfile::tempdir().unwrap();
    let done = Command::new("unshare")
        .args(["--map-root-user", "--net", "--", "bash", "-c", SCRIPT, "bash"])
        .args([Path::new(env!("CARGO_BIN_EXE_meshbench")), place.path()])
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("MESHBENCH_DATA_DIR", place.path())
        .stdin(Stdio::null())
        .output()
        .expect("unshare starts");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{} {said}", done.status);
    let [rate, precise, closed] = ["rate.json", "precise.json", "closed.json"].map(|file| {
        let run: Run = serde_json::from_slice(&std::fs::read(place.path().join(file)).unwrap()).unwrap();
        assert!(
            run.requests.answered > 1_000 && run.errors.is_empty(),
            "{:?} {:?}",
            run.requests,
            run.errors
        );
        run.service_ms
    });
    println!(
        "service p95: {} and {} ms with a rate, {} ms in a closed loop",
        rate.p95, precise.p95, closed.p95
    );
    // What is lost last in an answer is sent again after some milliseconds.
    assert!(closed.p95 > 2.0, "nothing was lost: {closed:?}");
    assert!(rate.p95.min(precise.p95) > closed.p95 / 2.0, "{rate:?} {precise:?} {closed:?}");
}
