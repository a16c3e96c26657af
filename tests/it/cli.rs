//! The terminal's face: the real binary, a real target on loopback, a real data directory.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use meshbench::load::target::{Delay, Target, TargetOptions};
use meshbench::model::{Ended, Run, RunSummary};
use serde_json::Value;
use tempfile::TempDir;

/// No test waits longer for anything.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks at something that another process does.
const LOOK_EVERY: Duration = Duration::from_millis(10);
const SECRET: &str = "CANARY-7f3a";

/// A data directory and a target of its own.
struct Bench {
    dir: TempDir,
    target: Target,
}

impl Bench {
    fn new() -> Self {
        let target = Target::start(TargetOptions::default()).expect("a target on loopback");
        Self { dir: tempfile::tempdir().expect("a place"), target }
    }

    fn url(&self) -> String {
        format!("http://{}/", self.target.address())
    }

    fn command(&self, line: &str) -> Command {
        command(self.dir.path(), line)
    }

    /// Runs to its end.
    fn done(&self, line: &str) -> Output {
        self.command(line).output().expect("the binary starts")
    }

    /// Runs `meshbench run` on the target to its end.
    fn run(&self, options: &str) -> Output {
        self.done(&format!("run {} {options}", self.url()))
    }

    fn begin(&self, line: &str) -> Going {
        Going::start(self.command(line))
    }

    fn until_served(&self, count: u64) {
        until("requests at the target", || self.target.served() >= count);
    }

    fn history(&self) -> Vec<RunSummary> {
        let output = self.done("history list --json");
        assert_eq!(status(&output), 0, "{}", err(&output));
        serde_json::from_slice(&output.stdout).expect("a list of summaries")
    }
}

/// A process that does not outlive its test.
pub(crate) struct Going(Child);

impl Going {
    /// With its output kept.
    pub(crate) fn start(mut command: Command) -> Self {
        Self(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts"))
    }

    /// The next line of its standard output.
    pub(crate) fn line(&mut self) -> String {
        let mut line = Vec::new();
        let pipe = self.0.stdout.as_mut().expect("a pipe");
        let mut byte = [0];
        while pipe.read(&mut byte).expect("a pipe") == 1 && byte != *b"\n" {
            line.push(byte[0]);
        }
        String::from_utf8(line).expect("UTF-8")
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.0.id().to_string()]).status();
        assert!(sent.expect("kill (Debian package procps)").success());
    }

    pub(crate) fn end(mut self) -> Output {
        until("the end of the process", || self.0.try_wait().expect("a child").is_some());
        let status = self.0.wait().expect("a child");
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        if let Some(mut pipe) = self.0.stdout.take() {
            pipe.read_to_end(&mut stdout).expect("a pipe");
        }
        if let Some(mut pipe) = self.0.stderr.take() {
            pipe.read_to_end(&mut stderr).expect("a pipe");
        }
        Output { status, stdout, stderr }
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        // Both fail when it has ended, which is as it should be.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn command(dir: &Path, line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_meshbench"));
    command.args(line.split_whitespace()).stdin(Stdio::null()).env("MESHBENCH_DATA_DIR", dir);
    for inherited in ["NO_COLOR", "DISPLAY", "WAYLAND_DISPLAY"] {
        command.env_remove(inherited);
    }
    command
}

pub(crate) fn until(what: &str, mut reached: impl FnMut() -> bool) {
    let start = Instant::now();
    while !reached() {
        assert!(start.elapsed() < PATIENCE, "{what} did not come");
        std::thread::sleep(LOOK_EVERY);
    }
}

pub(crate) fn status(output: &Output) -> i32 {
    output.status.code().expect("it ended by itself")
}

pub(crate) fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

pub(crate) fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

/// A loopback port on which nobody listens.
fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("loopback").local_addr().expect("bound").port()
}

#[test]
fn the_status_says_whether_goals_were_met() {
    let bench = Bench::new();
    for (goals, expected, words) in [
        ("", 0, "requests"),
        ("--goal p99<10s --goal errors<1%", 0, "goal met     p99<10s"),
        ("--goal p99<10s --goal rate>=900000", 1, "goal missed  rate>=900000"),
    ] {
        let output = bench.run(&format!("--rate 200 --requests 40 {goals}"));
        assert_eq!(status(&output), expected, "{goals}: {}", err(&output));
        assert!(out(&output).contains(words), "{}", out(&output));
    }
    assert_eq!(bench.target.served(), 120);
}

#[test]
fn bad_input_is_refused_before_anything_happens() {
    let bench = Bench::new();
    let url = bench.url();
    for (line, words) in [
        ("run".to_owned(), "a URL is missing"),
        ("run localhost:1".to_owned(), "write the scheme too"),
        ("run ftp://127.0.0.1/".to_owned(), "ftp is not supported"),
        (format!("run {url} --rate 0"), "more than 0"),
        (format!("run {url} --rate 10 --pacing max"), "no --rate"),
        (format!("run {url} --duration 30"), "no unit"),
        (format!("run {url} --duration 1s --requests 5"), "cannot be used with"),
        (format!("run {url} --goal p42<1ms"), "not measured"),
        (format!("run {url} --label mesh"), "key=value"),
        (format!("run {url} --method G(T"), "not an HTTP method"),
        (format!("run {url} --json /nowhere/at/all/x.json"), "no folder"),
        (format!("run {url} --plan /nowhere/at/all.toml"), "--plan"),
        (format!("run {url} --surprise"), "--surprise"),
        // TEST-NET-1: an address that is not private and that nobody has.
        ("run http://192.0.2.1/ --rate 5000".to_owned(), "--yes"),
        ("history show 0193".to_owned(), "no run has an id"),
        ("history show nothing".to_owned(), "not the beginning of an id"),
        ("history export 01 --format pdf".to_owned(), "pdf"),
        ("target --error-rate 200%".to_owned(), "share"),
        ("target --stall 10s/1s".to_owned(), "stall"),
        ("surprise".to_owned(), "surprise"),
    ] {
        let output = bench.done(&line);
        assert_eq!(status(&output), 2, "{line}: {}", err(&output));
        assert!(err(&output).contains(words), "{line}: {}", err(&output));
        assert_eq!(out(&output), "", "{line}");
    }
    assert_eq!(bench.target.served(), 0);
    assert!(bench.history().is_empty());
}

#[test]
fn what_could_not_be_carried_out_says_so() {
    let bench = Bench::new();
    let refused = bench.done(&format!("run http://127.0.0.1:{}/ --requests 5 --json -", closed_port()));
    assert_eq!(status(&refused), 3);
    assert!(err(&refused).contains("nothing at all was answered"), "{}", err(&refused));
    let run: Run = serde_json::from_slice(&refused.stdout).expect("the result is reported all the same");
    assert_eq!((run.requests.due, run.requests.answered, run.requests.failed), (5, 0, 5));
    let unknown = bench.done("run http://nowhere.invalid/ --requests 5");
    assert_eq!(status(&unknown), 3, "{}", err(&unknown));
    let no_ca = bench.done(&format!("run https://127.0.0.1:{}/ --ca-file /nowhere.pem", closed_port()));
    assert_eq!(status(&no_ca), 3, "{}", err(&no_ca));
    assert!(err(&no_ca).contains("/nowhere.pem"), "{}", err(&no_ca));
    let file = bench.dir.path().join("file");
    fs::write(&file, "no folder").expect("written");
    let no_place = command(&file, "history list").output().expect("the binary starts");
    assert_eq!(status(&no_place), 3, "{}", err(&no_place));
    let unkept = command(&file, &format!("run {} --requests 5 --json -", bench.url())).output();
    let unkept = unkept.expect("the binary starts");
    assert_eq!(status(&unkept), 3, "{}", err(&unkept));
    assert!(err(&unkept).contains("could not be kept"), "{}", err(&unkept));
    let run: Run = serde_json::from_slice(&unkept.stdout).expect("the result is reported all the same");
    assert_eq!(run.requests.answered, 5);
    let taken = bench.done(&format!("target --listen {}", bench.target.address()));
    assert_eq!(status(&taken), 3, "{}", err(&taken));
}

#[test]
fn json_on_standard_output_stands_alone() {
    let bench = Bench::new();
    let file = bench.dir.path().join("result.json");
    let alone =
        bench.run("--rate 200 --requests 40 --label mesh=none --name Checkout --goal p99<10s --json -");
    let value: Value = serde_json::from_slice(&alone.stdout).expect("JSON and nothing else");
    for key in [
        "id",
        "name",
        "labels",
        "plan",
        "requests",
        "rate",
        "response_ms",
        "service_ms",
        "lag_ms",
        "errors",
        "status",
        "goals",
        "warnings",
        "interrupted",
    ] {
        assert!(value.get(key).is_some(), "{key}");
    }
    assert_eq!(value["name"], "Checkout");
    assert_eq!(value["labels"]["mesh"], "none");
    assert_eq!(value["requests"]["due"], 40);
    assert_eq!(value["requests"]["answered"], 40);
    assert_eq!(value["status"]["200"], 40);
    assert_eq!(value["rate"]["asked"], 200.0);
    // 40 at 200/s are due within 195 ms, and stand for 200.
    let (length, achieved) = (value["elapsed_s"].as_f64(), value["rate"]["achieved"].as_f64());
    let (length, achieved) = (length.expect("a number"), achieved.expect("a number"));
    assert!(
        length >= 0.2 && achieved <= 200.0 && (length * achieved - 40.0).abs() < 1e-6,
        "{length} {achieved}"
    );
    assert_eq!(value["response_ms"]["count"], 40);
    assert!(value["response_ms"]["p99.9"].as_f64() > Some(0.0));
    assert_eq!(value["goals"][0]["met"], true);
    assert_eq!(value["interrupted"], false);
    assert!(err(&alone).contains("response time"), "the table is on standard error: {}", err(&alone));
    let beside = bench.run(&format!("--rate 200 --requests 40 --json {}", file.display()));
    assert!(out(&beside).contains("response time"), "{}", out(&beside));
    let run: Run = serde_json::from_slice(&fs::read(&file).expect("the file")).expect("a run");
    assert_eq!(run.requests.answered, 40);
}

#[test]
fn output_that_nobody_watches_is_plain() {
    let bench = Bench::new();
    let output = bench.run("--rate 200 --requests 40");
    assert!(!out(&output).contains('\u{1b}') && !err(&output).contains(['\u{1b}', '\r']), "{}", err(&output));
    for help in ["--help", "--version", "run --help", "history export --help", "target --help"] {
        let output = bench.done(help);
        assert_eq!(status(&output), 0, "{help}");
        assert!(!out(&output).is_empty(), "{help}");
    }
    assert!(out(&bench.done("run --help")).contains("Examples:"));
}

#[cfg(unix)]
#[test]
fn ctrl_c_stops_saves_and_reports() {
    let bench = Bench::new();
    // As fast as possible: a closed loop is never void, however busy this machine is.
    let line = format!("run {} --pacing max --connections 1 --duration 60s --goal p99<10s", bench.url());
    let going = bench.begin(&line);
    bench.until_served(40);
    going.signal("-INT");
    let output = going.end();
    assert_eq!(status(&output), 0, "{}", err(&output));
    assert!(out(&output).contains("stopped") && out(&output).contains("goal met"), "{}", out(&output));
    let history = bench.history();
    assert_eq!(history.len(), 1);
    assert!(history[0].requests.answered >= 40 && history[0].elapsed_s < 30.0, "{history:?}");
    assert!(out(&bench.done("history list")).contains("stopped"));
}

#[cfg(unix)]
#[test]
fn a_killed_run_is_kept_as_interrupted_with_nearly_all_of_its_seconds() {
    let bench = Bench::new();
    let going = bench.begin(&format!("run {} --rate 100 --duration 60s", bench.url()));
    bench.until_served(400);
    going.signal("-KILL");
    drop(going);
    let sent_s = bench.target.served() as f64 / 100.0;
    let history = bench.history();
    assert_eq!(history.len(), 1, "one run");
    let run = &history[0];
    assert!(run.elapsed_s > sent_s - 2.0 && run.elapsed_s < sent_s + 1.0, "{} of {sent_s} s", run.elapsed_s);
    assert!(run.requests.answered as f64 > (sent_s - 2.0) * 100.0, "{:?}", run.requests);
    assert!(out(&bench.done("history list")).contains("interrupted"));
    let shown = bench.done(&format!("history show {} --json", run.id));
    let value: Value = serde_json::from_slice(&shown.stdout).expect("JSON");
    assert_eq!(value["interrupted"], true);
}

/// The other program keeps the history open throughout: what the killed run leaves lies beside it.
#[cfg(unix)]
#[test]
fn a_run_that_is_killed_beside_a_busy_history_is_kept_as_well() {
    let bench = Bench::new();
    let first = bench.begin(&format!("run {} --rate 20 --duration 60s --name First", bench.url()));
    bench.until_served(5);
    let other = Target::start(TargetOptions::default()).expect("a target on loopback");
    let url = format!("http://{}/", other.address());
    let second = bench.begin(&format!("run {url} --rate 100 --duration 60s --name Second"));
    until("requests at the target", || other.served() >= 250);
    second.signal("-KILL");
    drop(second);
    first.signal("-INT");
    assert_eq!(status(&first.end()), 0);
    let history = bench.history();
    let killed = history.iter().find(|run| run.name == "Second").expect("it is in history");
    assert_eq!(killed.ended, meshbench::model::Ended::Interrupted);
    assert!(killed.requests.answered >= 50, "{:?}", killed.requests);
    for format in ["json", "csv", "html", "csv --what intervals"] {
        let output = bench.done(&format!("history export {} --format {format}", killed.id));
        assert_eq!(status(&output), 0, "{format}: {}", err(&output));
        assert!(!output.stdout.is_empty(), "{format}");
    }
    let shown = out(&bench.done(&format!("history show {}", killed.id)));
    assert!(shown.contains("interrupted") && shown.contains("at most its last second is missing"), "{shown}");
}

#[test]
fn nothing_is_kept_when_it_is_not_wanted() {
    let bench = Bench::new();
    let output = bench.run("--rate 200 --requests 40 --no-save");
    assert_eq!(status(&output), 0, "{}", err(&output));
    assert!(!err(&output).contains("Kept as"), "{}", err(&output));
    assert_eq!(fs::read_dir(bench.dir.path()).expect("the data directory").count(), 0, "no file at all");
    assert!(bench.history().is_empty());
    assert!(out(&bench.done("history list")).contains("meshbench try"));
}

#[cfg(unix)]
#[test]
fn a_second_run_on_the_same_data_is_taken_in_later() {
    let bench = Bench::new();
    let first = bench.begin(&format!("run {} --rate 100 --duration 60s --name First", bench.url()));
    bench.until_served(20);
    let listed = bench.done("history list");
    assert_eq!(status(&listed), 3, "history is in use: {}", err(&listed));
    let second = bench.run("--rate 200 --requests 40 --name Second");
    assert_eq!(status(&second), 0, "{}", err(&second));
    first.signal("-INT");
    assert_eq!(status(&first.end()), 0);
    let mut names: Vec<String> = bench.history().into_iter().map(|run| run.name).collect();
    names.sort();
    assert_eq!(names, ["First", "Second"]);
}

#[test]
fn secrets_are_nowhere_to_be_found() {
    let bench = Bench::new();
    let json = bench.dir.path().join("result.json");
    let url = format!("http://ada:{SECRET}@{}/", bench.target.address());
    let mut command = bench.command(&format!("run {url} --rate 200 --requests 40 --json {}", json.display()));
    command.args(["--header", &format!("Authorization: Bearer {SECRET}")]);
    command.args(["--secret-header", &format!("X-Mine: {SECRET}"), "--cookie", &format!("session={SECRET}")]);
    let output = command.output().expect("the binary starts");
    assert_eq!(status(&output), 0, "{}", err(&output));
    let history = bench.history();
    let id = history[0].id.to_string();
    let mut seen = vec![output];
    for line in ["history list", "history list --json"] {
        seen.push(bench.done(line));
    }
    for line in ["show", "show --json", "export --format html", "export --format json", "export --format csv"]
    {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        seen.push(bench.done(&format!("history {verb} {id} {rest}")));
    }
    // A header that cannot be read must not be repeated in the message about it.
    let mut wrong = bench.command(&format!("run {} --header", bench.url()));
    seen.push(wrong.arg(format!("Authorization Bearer {SECRET}")).output().expect("the binary starts"));
    for output in seen {
        assert!(
            !out(&output).contains(SECRET) && !err(&output).contains(SECRET),
            "{}{}",
            out(&output),
            err(&output)
        );
    }
    let files = fs::read_dir(bench.dir.path()).expect("the data directory");
    for path in files.map(|file| file.expect("a file").path()).filter(|path| path.is_file()) {
        let bytes = fs::read(&path).expect("a file");
        let holds = bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
        assert!(!holds, "{}", path.display());
    }
}

#[test]
fn runs_are_found_by_the_beginning_of_their_id() {
    let bench = Bench::new();
    bench.run("--rate 200 --requests 40 --name One");
    bench.run("--rate 200 --requests 40 --name Two");
    let history = bench.history();
    assert_eq!([history[0].name.as_str(), history[1].name.as_str()], ["Two", "One"], "newest first");
    let id = history[1].id.to_string();
    let other = history[0].id.to_string();
    let shared = id.chars().zip(other.chars()).take_while(|(a, b)| a == b).count();
    for beginning in [id.clone(), id.to_uppercase(), id.replace('-', ""), id[..=shared].to_owned()] {
        let shown = bench.done(&format!("history show {beginning}"));
        assert_eq!(status(&shown), 0, "{beginning}: {}", err(&shown));
        assert!(out(&shown).contains("One") && out(&shown).contains(&id), "{}", out(&shown));
    }
    let vague = bench.done(&format!("history show {}", &id[..4]));
    assert_eq!(status(&vague), 2);
    assert!(err(&vague).contains("2 runs have ids that begin with"), "{}", err(&vague));
    let list = out(&bench.done("history list"));
    let column: Vec<&str> = list.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(column.len(), 2, "{list}");
    for short in column {
        assert_eq!(status(&bench.done(&format!("history show {short}"))), 0, "{short} is enough");
    }
    assert_eq!(out(&bench.done("history list --limit 1")).lines().count(), 2);
}

#[test]
fn runs_leave_in_every_format() {
    let bench = Bench::new();
    bench.run("--rate 200 --requests 100 --name One");
    bench.run("--rate 200 --requests 100 --name Two");
    let ids: Vec<String> = bench.history().iter().map(|run| run.id.to_string()).collect();
    let export = |rest: &str| {
        let output = bench.done(&format!("history export {} {} {rest}", ids[0], ids[1]));
        assert_eq!(status(&output), 0, "{rest}: {}", err(&output));
        out(&output)
    };
    let runs: Vec<Run> = serde_json::from_str(&export("--format json")).expect("runs");
    assert_eq!(runs.iter().map(|run| run.name.as_str()).collect::<Vec<_>>(), ["Two", "One"]);
    let one: Value =
        serde_json::from_str(&out(&bench.done(&format!("history export {}", ids[0])))).expect("JSON");
    assert_eq!(one["name"], "Two", "one run is an object");
    assert_eq!(export("--format csv").lines().count(), 3);
    let intervals = export("--format csv --what intervals");
    assert!(intervals.lines().count() > 2 && intervals.contains("start_s"), "{intervals}");
    let page = bench.dir.path().join("report.html");
    assert_eq!(export(&format!("--format html --out {}", page.display())), "");
    let page = fs::read_to_string(page).expect("the report");
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("Two") && page.contains("<svg"));
    let unwritable = bench.done(&format!("history export {} --out /nowhere/at/all", ids[0]));
    assert_eq!(status(&unwritable), 3);
}

#[test]
fn runs_are_deleted_only_when_somebody_agrees() {
    let bench = Bench::new();
    bench.run("--rate 200 --requests 40");
    let id = bench.history()[0].id.to_string();
    let asked = bench.done(&format!("history delete {id}"));
    assert_eq!(status(&asked), 2, "nobody can be asked");
    assert_eq!(bench.history().len(), 1);
    let done = bench.done(&format!("history delete {id} --yes"));
    assert_eq!(status(&done), 0, "{}", err(&done));
    assert!(bench.history().is_empty());
}

#[cfg(unix)]
#[test]
fn the_target_counts_what_a_run_sent_to_it() {
    let bench = Bench::new();
    let mut target = bench.begin("target --delay 1ms --error-rate 25% --size 100B");
    let mut lines = BufReader::new(target.0.stdout.take().expect("a pipe")).lines();
    let url = lines.next().expect("a line").expect("UTF-8");
    let output =
        bench.done(&format!("run {url} --rate 400 --requests 200 --warmup 250ms --json - --no-save"));
    let run: Run = serde_json::from_slice(&output.stdout).expect("a run");
    assert_eq!((run.requests.due, run.requests.failed), (200, run.errors["status"]));
    assert!((40..=60).contains(&run.requests.failed), "a quarter of 200: {}", run.requests.failed);
    assert!(run.response_ms.p50 >= 1.0, "it takes 1 ms: {:?}", run.response_ms);
    target.signal("-INT");
    let last = lines.next().expect("a line").expect("UTF-8");
    assert_eq!(last, format!("Answered {} requests", run.requests.due + run.warmup.due));
    assert_eq!(status(&target.end()), 0);
}

#[test]
fn a_plan_s_file_is_run_and_options_go_before_it() {
    let bench = Bench::new();
    let plan = bench.dir.path().join("plan.toml");
    let text = format!(
        "version = 1\nname = \"From a file\"\n[target]\nurl = \"{}\"\n[pacing]\nkind = \"poisson\"\n\
         rate_per_sec = 300.0\n[stop]\nrequests = 1000000\n",
        bench.url()
    );
    fs::write(&plan, text).expect("written");
    let output = bench.done(&format!("run --plan {} --requests 30 --json - --no-save", plan.display()));
    let run: Run = serde_json::from_slice(&output.stdout).expect("a run");
    assert_eq!((run.name.as_str(), run.requests.due, run.rate.asked), ("From a file", 30, Some(300.0)));
}

#[test]
fn the_first_run_needs_nothing_at_all() {
    let bench = Bench::new();
    let output = bench.done("try --json -");
    assert_eq!(status(&output), 0, "{}", err(&output));
    let run: Run = serde_json::from_slice(&output.stdout).expect("a run");
    assert!((9.0..11.5).contains(&run.elapsed_s) && run.requests.answered > 3000, "{:?}", run.requests);
    assert!(err(&output).contains("response time"), "{}", err(&output));
    assert_eq!(bench.history().len(), 1);
}

#[cfg(target_os = "linux")]
#[test]
fn without_a_display_the_window_names_its_twin() {
    let bench = Bench::new();
    let mut command = bench.command("");
    let output =
        command.env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY").output().expect("the binary starts");
    assert_eq!(status(&output), 3);
    assert!(err(&output).contains("meshbench try"), "{}", err(&output));
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let bench = Bench::new();
    bench.run("--rate 200 --requests 100");
    let id = bench.history()[0].id.to_string();
    let mut going = bench.begin(&format!("history export {id} --format html"));
    drop(going.0.stdout.take());
    let output = going.end();
    assert_eq!((status(&output), err(&output).as_str()), (0, ""));
}

/// With four connections and 50 ms an answer: 80 requests a second, and no more. So slow that a busy machine can
/// send them when they are due.
fn narrow() -> Bench {
    let delay = Delay::Fixed(Duration::from_millis(50));
    let target = Target::start(TargetOptions { delay, ..TargetOptions::default() });
    Bench { dir: tempfile::tempdir().expect("a place"), target: target.expect("a target on loopback") }
}

#[test]
fn a_search_finds_the_rate_that_the_target_carries() {
    let bench = narrow();
    let options = "--find-max p99<250ms,errors<1% --connections 4 --duration 1s --rate 20 --repeats 2 \
                   --resolution 10% --json -";
    let output = bench.run(options);
    assert_eq!(status(&output), 0, "{}", err(&output));
    let run: Run = serde_json::from_slice(&output.stdout).expect("a run");
    let capacity = run.capacity.expect("what the search found");
    let rate = capacity.rate.expect("a rate");
    assert!((40.0..=85.0).contains(&rate), "{}\n{}", capacity.words(), err(&output));
    assert_eq!(run.rate.asked, Some(rate), "the record is the trial at the answer");
    assert!(capacity.trials.len() >= 5, "{:?}", capacity.trials);
    assert!(capacity.fails_at.is_some_and(|fails| fails > rate), "{}", capacity.words());
    assert!(err(&output).contains("highest rate"), "{}", err(&output));
    assert_eq!(bench.history().len(), 1, "a search is one entry");
}

#[test]
fn a_run_gives_up_when_a_goal_is_out_of_reach() {
    let bench = narrow();
    let began = Instant::now();
    let output = bench.run("--goal p99<20ms --give-up --rate 50 --duration 20s --json -");
    assert_eq!(status(&output), 1, "{}", err(&output));
    assert!(began.elapsed() < Duration::from_secs(15), "it should not take its whole time");
    let run: Run = serde_json::from_slice(&output.stdout).expect("a run");
    assert_eq!(run.ended, Ended::GaveUp);
    assert!(!run.goals[0].met);
}

#[test]
fn a_folder_that_is_watched_brings_runs_of_other_machines_by_itself() {
    let (desk, laptop, share) = (Bench::new(), Bench::new(), tempfile::tempdir().expect("a place"));
    assert_eq!(status(&desk.run("--rate 200 --requests 20 --name elsewhere")), 0);
    assert_eq!(status(&laptop.run("--rate 200 --requests 20 --name here")), 0);
    let mut watching = laptop.begin(&format!("history mirror {} --watch", share.path().display()));
    assert!(watching.line().starts_with("1 file written"));
    let mirrored = desk.done(&format!("history mirror {}", share.path().display()));
    assert!(
        out(&mirrored).contains("1 file written") && out(&mirrored).contains("1 run taken in"),
        "{mirrored:?}"
    );
    fs::write(share.path().join("cut.json"), "{\"version\": 1,").expect("written");
    let came = watching.line();
    assert!(came.contains("“elsewhere” came in from"), "{came}");
    watching.signal("-INT");
    let ended = watching.end();
    assert_eq!(status(&ended), 0, "{}", err(&ended));
    assert_eq!(laptop.history().len(), 2);
    // No command of a terminal goes on with it.
    assert!(!out(&laptop.done("whoami")).contains("step"));
    assert_eq!(fs::read_dir(share.path()).expect("a folder").count(), 3, "no file is deleted");
}
