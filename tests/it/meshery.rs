//! Publishing to a provider of Meshery: the real binary, a real run, a real keyring, and a peer written from what is known
//! of such providers.

mod chart;
mod peer;

use std::path::Path;
use std::process::{Command, Output, Stdio};

use meshbench::load::target::{Target, TargetOptions};
use meshbench::model::run::{Warning, WarningKind};
use meshbench::model::{Run, RunId};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cli::{err, out, status};
use chart::assert_fortio_draws;
use peer::{Fault, PROFILE_ID, Peer, RESULT_ID, Year, blob};

/// A home with a run in it.
struct Home {
    dir: TempDir,
    run: Run,
}

impl Home {
    /// Its run was sent with secrets wherever there is a place for one; some of its answers are errors.
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        use std::os::unix::fs::PermissionsExt as _;
        let run_dir = dir.path().join("run");
        std::fs::create_dir(&run_dir).expect("a folder");
        std::fs::set_permissions(&run_dir, std::fs::Permissions::from_mode(0o700)).expect("rights");
        let options = TargetOptions { error_share: 0.2, ..TargetOptions::default() };
        let target = Target::start(options).expect("a target on loopback");
        let url = format!("http://user:CANARY-word@{}/cart?token=CANARY-query#x", target.address());
        let done = bare(dir.path(), "env", &[])
            .args(["run", &url, "--rate", "400", "--requests", "200", "--label", "mesh=istio"])
            .args(["--header", "Authorization: Bearer CANARY-header", "--secret-header", "X-Key: CANARY-key"])
            .args([
                "--cookie",
                "id=CANARY-cookie",
                "--body",
                "CANARY-body",
                "--name",
                "checkout",
                "--no-save",
                "--json",
                "-",
            ])
            .output()
            .expect("the binary starts");
        assert_eq!(status(&done), 0, "{}", err(&done));
        let mut home = Self { dir, run: serde_json::from_slice(&done.stdout).expect("a run") };
        // On a busy machine our own generator may really have been late.
        home.warn(&[]);
        home
    }

    /// Publishes it, with a login from standard input.
    fn publish(&self, peer: &Peer, login: &str, more: &[&str]) -> Output {
        let id = self.run.id.to_string();
        let mut command = bare(self.dir.path(), "env", &[]);
        command.args(["publish", &id, "--meshery", &peer.url(), "--token-file", "-"]).args(more);
        with_input(command, login)
    }

    /// In a session with a keyring that outlives it; without a login where the keyring is to have it.
    fn publish_with_keyring(&self, peer: &Peer, login: Option<&str>) -> Output {
        let unlock =
            "printf word | gnome-keyring-daemon --unlock --components=secrets >/dev/null && exec \"$@\"";
        let mut command = bare(self.dir.path(), "dbus-run-session", &["--", "sh", "-c", unlock, "sh"]);
        command.args(["publish", &self.run.id.to_string(), "--meshery", &peer.url()]);
        if login.is_some() {
            let file = self.dir.path().join("auth.json");
            let text = json!({"meshery-provider": "Meshery", "token": login}).to_string();
            std::fs::write(&file, text).expect("a file");
            command.arg("--token-file").arg(file);
        }
        command.output().expect("dbus-run-session, of the package dbus-daemon; ./test parts installs it")
    }

    /// The run under another id, with these warnings and no others: what is kept of a run never changes.
    fn warn(&mut self, kinds: &[WarningKind]) {
        let warning = |kind: &WarningKind| Warning { kind: *kind, text: "of a test".to_owned() };
        self.run.id = RunId(uuid::Uuid::now_v7());
        self.run.warnings = kinds.iter().map(warning).collect();
        let data = self.dir.path().join("data");
        let store = meshbench::store::Store::open(&data, jiff::Timestamp::now(), &mut |_| {});
        let (store, _) = store.expect("a store");
        store.save_run(&self.run).expect("saved");
        store.close().expect("closed");
    }
}

/// The binary without anything of the machine's: no keyring but one that `program` starts.
fn bare(home: &Path, program: &str, before: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(before).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("HOME", home).env("XDG_RUNTIME_DIR", home.join("run"));
    command.arg(env!("CARGO_BIN_EXE_meshbench")).arg("--data-dir").arg(home.join("data"));
    command.stdin(Stdio::null());
    command
}

fn with_input(mut command: Command, input: &str) -> Output {
    use std::io::Write as _;
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().expect("the binary starts");
    let mut pipe = child.stdin.take().expect("a pipe");
    // It may have ended before it read.
    let _ = pipe.write_all(input.as_bytes());
    drop(pipe);
    child.wait_with_output().expect("it ends")
}

fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no count"))
}

/// Holds what arrived against the run.
fn assert_is_run(runner: &Value, run: &Run) {
    let histogram = &runner["DurationHistogram"];
    assert_eq!(count(&histogram["Count"]), run.response_ms.count);
    assert_eq!(count(&histogram["Count"]), run.requests.due - run.requests.cancelled);
    let buckets = histogram["Data"].as_array().expect("buckets");
    assert_eq!(buckets.iter().map(|bucket| count(&bucket["Count"])).sum::<u64>(), run.response_ms.count);
    let codes = runner["RetCodes"].as_object().expect("codes");
    assert_eq!(codes.values().map(count).sum::<u64>(), run.response_ms.count);
    for (status, number) in &run.status {
        assert_eq!(codes.get(status).map(count), Some(*number), "{codes:?}");
    }
    assert!(run.status.contains_key("200") && run.status.len() > 1, "{:?}", run.status);
    let at = |percent: f64| {
        let percentiles = histogram["Percentiles"].as_array().expect("percentiles");
        let found = percentiles.iter().find(|one| one["Percentile"] == percent).expect("it is there");
        found["Value"].as_f64().expect("seconds") * 1e3
    };
    for (percent, expected) in
        [(50.0, run.response_ms.p50), (90.0, run.response_ms.p90), (99.9, run.response_ms.p99_9)]
    {
        assert!((at(percent) / expected - 1.0).abs() < 1e-6, "p{percent}: {} for {expected}", at(percent));
    }
    assert!((histogram["Max"].as_f64().expect("seconds") * 1e3 / run.response_ms.max - 1.0).abs() < 1e-6);
    assert_eq!(runner["RunType"], "HTTP");
    assert_eq!(runner["RequestedQPS"], "400");
    assert_eq!(runner["RequestedDuration"], "exactly 200 calls");
    assert_eq!(runner["ActualQPS"], run.rate.achieved);
    assert_eq!(runner["NumThreads"], run.plan.connections);
    assert_eq!(runner["ActualDuration"].as_u64(), Some((run.elapsed_s * 1e9).round() as u64));
    assert_eq!(runner["Labels"], format!("{} -_- {}", "checkout", runner["URL"].as_str().expect("a URL")));
    assert!(runner["URL"].as_str().is_some_and(|url| url.ends_with("/cart")), "{}", runner["URL"]);
    assert_eq!(runner["load-generator"], "meshbench");
}

#[test]
fn a_run_arrives_as_each_year_of_meshery_writes_it_and_without_its_secrets() {
    let home = Home::new();
    for (year, profiles, runner, mesh) in [
        (Year::Y2024, "/user/performance/profiles", "runner_results", "service_mesh"),
        (Year::Y2026, "/api/performance/profiles", "runnerResults", "serviceMesh"),
    ] {
        let peer = Peer::start(year, Fault::None);
        let done = home.publish(&peer, &blob(1), &[]);
        assert_eq!(status(&done), 0, "{}", err(&done));
        assert!(out(&done).contains(RESULT_ID) && out(&done).contains("experimental"), "{}", out(&done));
        assert!(err(&done).contains("experimental"), "{}", err(&done));
        let expected = [
            "GET /v0.3.14/capabilities".to_owned(),
            format!("GET {profiles}"),
            format!("POST {profiles}"),
            format!("POST {profiles}/{PROFILE_ID}/results"),
        ];
        assert_eq!(peer.asked(), expected);
        let result = &peer.posted("/results")[0];
        assert_is_run(&result[runner], &home.run);
        assert_eq!((&result["name"], &result["mesh"]), (&json!("checkout"), &json!("istio")));
        let profile = &peer.posted("/profiles")[0];
        assert_eq!((&profile["name"], &profile[mesh]), (&json!("Meshbench"), &json!("istio")));
        assert_eq!(profile["qps"], 400);
        assert!(!peer.everything().contains("CANARY"), "{}", peer.everything());
        assert!(!peer.everything().contains("user:"), "{}", peer.everything());
        // The second time the profile is there.
        let done = home.publish(&peer, &format!("{{\"token\": \"{}\"}}", blob(1)), &["--name", "again"]);
        assert_eq!(status(&done), 0, "{}", err(&done));
        assert_eq!(peer.posted("/profiles").len(), 1);
        assert_eq!(peer.posted("/results")[1]["name"], "again");
    }
}

#[test]
fn fortio_itself_draws_what_is_published() {
    let home = Home::new();
    let peer = Peer::start(Year::Y2024, Fault::None);
    let done = home.publish(&peer, &blob(1), &[]);
    assert_eq!(status(&done), 0, "{}", err(&done));
    assert_fortio_draws(&peer.posted("/results")[0]["runner_results"], &home.run);
}

#[test]
fn without_capabilities_the_documented_places_are_tried() {
    let home = Home::new();
    for year in [Year::Y2024, Year::Y2026] {
        let peer = Peer::start(year, Fault::NoCapabilities);
        let done = home.publish(&peer, &blob(1), &[]);
        assert_eq!(status(&done), 0, "{year:?}: {}", err(&done));
        assert_eq!(peer.posted("/results").len(), 1);
    }
}

#[test]
fn an_expired_login_is_renewed_once_and_what_was_asked_is_asked_again() {
    let home = Home::new();
    let peer = Peer::start(Year::Y2024, Fault::None);
    let done = home.publish(&peer, &blob(0), &[]);
    assert_eq!(status(&done), 0, "{}", err(&done));
    // There is no keyring here.
    assert!(
        err(&done).contains("could not be kept") && err(&done).contains("new token file"),
        "{}",
        err(&done)
    );
    let asked = peer.asked();
    assert_eq!(
        asked[..3],
        ["GET /v0.3.14/capabilities", "POST /refresh", "GET /v0.3.14/capabilities"].map(str::to_owned)
    );
    assert_eq!(peer.posted("/refresh"), [json!({"token": blob(0)})]);
    assert_eq!(peer.posted("/results").len(), 1);
    for (fault, refreshes, words) in
        [(Fault::NoRefresh, 1, "does not renew it"), (Fault::NeverAccepts, 1, "does not accept the login")]
    {
        let peer = Peer::start(Year::Y2026, fault);
        let done = home.publish(&peer, &blob(0), &[]);
        assert_eq!(status(&done), 3, "{fault:?}");
        assert!(err(&done).contains(words), "{fault:?}: {}", err(&done));
        assert!(!err(&done).contains(&blob(0)) && !err(&done).contains("CANARY"), "{}", err(&done));
        assert_eq!(peer.posted("/refresh").len(), refreshes, "{fault:?}");
        assert!(peer.posted("/results").is_empty());
    }
    // A bare token has nothing to renew it with.
    let peer = Peer::start(Year::Y2026, Fault::None);
    assert_eq!(status(&home.publish(&peer, "an-api-token", &[])), 3);
    assert!(peer.posted("/refresh").is_empty());
}

#[test]
fn a_renewed_login_is_in_the_keyring_before_it_is_used() {
    let home = Home::new();
    // The results are refused: what comes after the renewal fails, and the new login is kept all the same.
    let peer = Peer::start(Year::Y2024, Fault::Repeats);
    let done = home.publish_with_keyring(&peer, Some(&blob(0)));
    assert_eq!(status(&done), 3, "{}", err(&done));
    assert_eq!(peer.posted("/refresh").len(), 1);
    assert!(!err(&done).contains("kept"), "{}", err(&done));
    peer.known().fault = Fault::None;
    std::fs::remove_file(home.dir.path().join("auth.json")).expect("it was there");
    let done = home.publish_with_keyring(&peer, None);
    assert_eq!(status(&done), 0, "{}", err(&done));
    assert_eq!(peer.posted("/refresh").len(), 1, "the login that is kept is the renewed one");
    let systems: std::collections::BTreeSet<String> = peer
        .known()
        .arrived
        .iter()
        .filter_map(|one| {
            one.headers.get("SystemID").and_then(|value| value.to_str().ok()).map(str::to_owned)
        })
        .collect();
    assert_eq!(systems.len(), 1, "one instance: {systems:?}");
    // In no file of ours.
    for file in std::fs::read_dir(home.dir.path().join("data")).expect("a folder").flatten() {
        let bytes = std::fs::read(file.path()).unwrap_or_default();
        for secret in [blob(0), blob(2)] {
            assert!(!bytes.windows(secret.len()).any(|part| part == secret.as_bytes()), "{:?}", file.path());
        }
    }
}

#[test]
fn what_is_no_provider_or_refuses_is_told_in_words_and_nothing_is_published() {
    let home = Home::new();
    for (fault, words) in [
        (Fault::Login, "sends elsewhere (127.0.0.1/login)"),
        (Fault::Page, "a web page came instead of an answer"),
        (Fault::NoJson, "no JSON came instead of an answer"),
        (Fault::Huge, "larger than 4 MiB"),
        (Fault::Forbidden, "not allowed to do this"),
        (Fault::LeadsAway, "not its own: https://evil.test/profiles"),
        (Fault::Repeats, "503 Service Unavailable: no result for (hidden)"),
    ] {
        let peer = Peer::start(Year::Y2026, fault);
        let done = home.publish(&peer, &blob(1), &[]);
        assert_eq!(status(&done), 3, "{fault:?}: {}", err(&done));
        assert!(err(&done).contains(words), "{fault:?}: {}", err(&done));
        assert!(
            !err(&done).contains(&blob(1)) && !err(&done).contains("CANARY"),
            "{fault:?}: {}",
            err(&done)
        );
        assert_eq!(out(&done), "", "{fault:?}");
        let posted = peer.posted("/results").len();
        assert_eq!(posted, usize::from(fault == Fault::Repeats), "{fault:?}: sent once at most");
    }
}

#[test]
fn bad_input_goes_nowhere() {
    let home = Home::new();
    let peer = Peer::start(Year::Y2026, Fault::None);
    let id = home.run.id.to_string();
    for (address, login, words) in [
        ("http://cloud.meshery.test", blob(1), "https:// only"),
        ("https://user:word@127.0.0.1:1", blob(1), "user or password"),
        (peer.url().as_str(), String::new(), "empty"),
        (peer.url().as_str(), "{}".to_owned(), "no token"),
    ] {
        let mut command = bare(home.dir.path(), "env", &[]);
        command.args(["publish", &id, "--meshery", address, "--token-file", "-"]);
        let done = with_input(command, &login);
        assert_eq!(status(&done), 2, "{address}: {}", err(&done));
        assert!(err(&done).contains(words), "{address}: {}", err(&done));
    }
    let mut command = bare(home.dir.path(), "env", &[]);
    command.args(["publish", &id, "--meshery", &peer.url()]);
    let done = with_input(command, "");
    assert_eq!(status(&done), 3, "{}", err(&done));
    assert!(err(&done).contains("no keyring"), "{}", err(&done));
    assert_eq!(peer.asked(), [""; 0]);
}

#[test]
fn a_void_run_is_published_with_a_mark_or_not_at_all() {
    let mut home = Home::new();
    home.warn(&[WarningKind::GeneratorLagged]);
    let peer = Peer::start(Year::Y2024, Fault::None);
    let done = home.publish(&peer, &blob(1), &[]);
    assert_eq!(status(&done), 2, "{}", err(&done));
    assert!(err(&done).contains("void") && err(&done).contains("--void-too"), "{}", err(&done));
    assert_eq!(peer.asked(), [""; 0]);
    let done = home.publish(&peer, &blob(1), &["--void-too"]);
    assert_eq!(status(&done), 0, "{}", err(&done));
    let result = &peer.posted("/results")[0];
    assert_eq!(result["name"], "[VOID] checkout");
    let runner = &result["runner_results"];
    assert!(runner["Labels"].as_str().is_some_and(|labels| labels.starts_with("[VOID] checkout -_- ")));
    assert_eq!(
        (&runner["Meshbench"]["void"], &runner["Meshbench"]["warnings"]),
        (&json!(true), &json!(["generator_lagged"]))
    );
}
