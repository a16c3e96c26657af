//! Not tests: numbers. Start them with `cargo test --test it -- --ignored --nocapture sync::numbers`.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use meshbench::sync::client::Tokens;
use tokio::task::JoinSet;

use super::parts::{Machine, Running, limits};
use crate::login::attacks::{Forger, Key};
use crate::store::run;

const RUNS: u64 = 10_000;
const CLIENTS: u64 = 200;
const RUNS_OF_CLIENT: u64 = 20;

fn resident_mib() -> u64 {
    resident_mib_of("self")
}

fn resident_mib_of(process: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
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

/// The program, alone in its process; killed with this.
struct Program(Child, String);

impl Program {
    fn start(issuer: &str, folder: &std::path::Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_meshbench"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--audience", "bench", "--rate", "100000"]);
        command.args(["--issuer", issuer, "--store"]).arg(folder);
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut address = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut address).unwrap();
        Self(child, address.trim().to_owned())
    }

    fn resident_mib(&self) -> u64 {
        resident_mib_of(&self.0.id().to_string())
    }

    async fn requests(&self) -> u64 {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let text = client.get(format!("{}/metrics", self.1)).send().await.unwrap().text().await.unwrap();
        let counts = text.lines().filter(|line| line.starts_with("meshbench_http_requests_total{"));
        counts.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The most that a process had resident while something went on.
async fn peak_mib<T>(process: u32, work: impl Future<Output = T>) -> (T, u64) {
    let (is_over, peak) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let watching = {
        let (is_over, peak) = (Arc::clone(&is_over), Arc::clone(&peak));
        std::thread::spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                peak.fetch_max(resident_mib_of(&process.to_string()), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(20));
            }
        })
    };
    let done = work.await;
    is_over.store(true, Ordering::Relaxed);
    watching.join().unwrap();
    (done, peak.load(Ordering::Relaxed))
}

/// Each a person of their own, all at once; how often one of them was cut off and came back, as a machine does by itself.
async fn all_at_once(machines: &[(Machine, Tokens)]) -> u64 {
    let again = Arc::new(AtomicU64::new(0));
    let mut going = JoinSet::new();
    for (machine, tokens) in machines {
        let (machine, tokens, again) = (machine.clone(), Arc::clone(tokens), Arc::clone(&again));
        going.spawn(async move {
            while let Err(error) = machine.sync_with(Arc::clone(&tokens)).await {
                assert!(error.may_pass(), "{error}");
                again.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        });
    }
    while let Some(done) = going.join_next().await {
        done.unwrap();
    }
    again.load(Ordering::Relaxed)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "prints numbers"]
async fn a_server_of_two_hundred_clients() {
    let folder = tempfile::tempdir().unwrap();
    let (issuer, key) = (Forger::start(None).await, Key::new("one"));
    issuer.keys.lock().unwrap().push(key.public());
    let server = Program::start(&issuer.issuer, folder.path());
    let address = server.1.strip_prefix("http://").unwrap().parse().unwrap();
    let machines: Vec<(Machine, Tokens)> = (0..CLIENTS)
        .map(|number| {
            let mut claims = issuer.claims();
            claims["sub"] = format!("person {number}").into();
            let token = key.token(&claims);
            let tokens: Tokens = Arc::new(move |_| {
                let token = token.clone();
                Box::pin(async move { Ok(token) })
            });
            let machine = Machine::alone("a person", address);
            let first = number * RUNS_OF_CLIENT;
            let runs: Vec<_> = (first..first + RUNS_OF_CLIENT).map(run).collect();
            machine.store.save_runs(&runs).unwrap();
            (machine, tokens)
        })
        .collect();
    println!("server alone: {} MiB", server.resident_mib());
    for what in ["sends its runs", "has nothing to do"] {
        let (began, before) = (Instant::now(), server.requests().await);
        let (again, peak) = peak_mib(server.0.id(), all_at_once(&machines)).await;
        let (seconds, requests) = (began.elapsed().as_secs_f64(), server.requests().await - before);
        println!(
            "{CLIENTS} clients, each {what}: {requests} requests in {seconds:.1} s, {:.0}/s, {again} times again, at most {peak} MiB, {} MiB after",
            requests as f64 / seconds,
            server.resident_mib(),
        );
    }
    drop(machines);
    tokio::time::sleep(Duration::from_secs(2)).await;
    println!("two seconds after the last left: {} MiB", server.resident_mib());
}
