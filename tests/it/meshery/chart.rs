//! Fortio itself lists what we write, and its own page draws it: the real server, and the page's real script in node.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use meshbench::model::Run;
use serde_json::Value;

use crate::cli::until;
use crate::load_grpc::fortio;
use crate::peer::closed_port;

/// Takes the page's script and a result, and prints what the chart is made of.
const DRAW: &str = "const vm = require('vm'), fs = require('fs');\n\
    const page = vm.createContext({Chart: {defaults: {global: {}}}, window: {}, document: {}, console});\n\
    vm.runInContext(fs.readFileSync(process.argv[1], 'utf8'), page);\n\
    page.result = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));\n\
    console.log(JSON.stringify(vm.runInContext('fortioResultToJsChartData(result)', page)));";

/// Serves a folder of results.
struct Report {
    child: Child,
    address: SocketAddr,
}

impl Report {
    fn of(folder: &Path) -> Self {
        let (address, program) = (closed_port(), fortio());
        let mut child = Command::new(&program)
            .args(["report", "-redirect-port", "disabled", "-http-port", &address.to_string(), "-data-dir"])
            .arg(folder)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}; get it with: ./test parts", program.display()));
        let log = BufReader::new(child.stderr.take().expect("it is piped"));
        // So that it never waits for us to read.
        std::thread::spawn(move || for _ in log.lines() {});
        until("fortio", || TcpStream::connect(address).is_ok());
        Self { child, address }
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.address).expect("fortio listens");
        write!(stream, "GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n", self.address).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("UTF-8");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        assert!(head.contains(" 200 "), "{path}: {head}");
        body.to_owned()
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        // Both fail when it has ended, which is as it should be.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Holds what Fortio makes of a result against the run.
pub(super) fn assert_fortio_draws(result: &Value, run: &Run) {
    let folder = tempfile::tempdir().expect("a folder");
    let name = result["ID"].as_str().expect("an id");
    let file = folder.path().join(format!("{name}.json"));
    std::fs::write(&file, result.to_string()).expect("a file");
    let report = Report::of(folder.path());
    let page = report.get("/browse");
    assert!(page.contains(name), "it is not listed: {page}");
    let from = page.find("/static/js/fortio_chart.js").expect("the page's script");
    let script =
        format!("/{}/static/js/fortio_chart.js", page[..from].rsplit('"').next().expect("its address"));
    let drawing = folder.path().join("chart.js");
    std::fs::write(&drawing, report.get(&script)).expect("a file");
    let served: Value = serde_json::from_str(&report.get(&format!("/data/{name}.json"))).expect("JSON");
    assert_eq!(&served, result);
    let drawn = Command::new("node").args(["-e", DRAW]).arg(&drawing).arg(&file).output();
    let drawn = drawn.expect("node, of the package nodejs; ./test parts installs it");
    assert!(drawn.status.success(), "{}", String::from_utf8_lossy(&drawn.stderr));
    let drawn: Value = serde_json::from_slice(&drawn.stdout).expect("JSON");
    let title = drawn["title"].to_string();
    let failed = run.response_ms.count - run.status["200"];
    let share = (10_000.0 * failed as f64 / run.response_ms.count as f64).round() / 100.0;
    for words in [
        format!("{share}% errors"),
        format!("at {} target qps", result["RequestedQPS"].as_str().expect("text")),
    ] {
        assert!(title.contains(&words), "{words}: {title}");
    }
    let last = drawn["dataP"].as_array().and_then(|points| points.last()).expect("points");
    assert_eq!(last["y"].as_f64(), Some(100.0));
    let max_ms = last["x"].as_f64().expect("a number");
    assert!((max_ms - run.response_ms.max).abs() < 1e-3, "{max_ms}");
}
