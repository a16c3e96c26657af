//! The unit and the container file say what the program knows.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

const UNIT: &str = include_str!("../../../packaging/serve/meshbench-serve.service");
const CONTAINER: &str = include_str!("../../../packaging/serve/Containerfile");
const MANIFEST: &str = include_str!("../../../Cargo.toml");

fn unit(key: &str) -> &'static str {
    let line = UNIT.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    line.unwrap_or_else(|| panic!("the unit has no {key}"))
}

/// The words of each step of this kind.
fn steps(kind: &str) -> Vec<Vec<&'static str>> {
    let steps = CONTAINER.lines().filter_map(|line| line.strip_prefix(kind)?.strip_prefix(' '));
    steps.map(|step| step.split_whitespace().collect()).collect()
}

/// Options that the program says it knows.
fn options() -> BTreeSet<String> {
    let help = Command::new(env!("CARGO_BIN_EXE_meshbench")).args(["serve", "--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let words = help.split(|letter: char| letter.is_whitespace() || letter == ',');
    words.filter(|word| word.starts_with("--")).map(str::to_owned).collect()
}

/// Whether a server with these arguments says where it listens; its port is any that is free.
fn starts(arguments: &[String]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_meshbench"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut address = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut address).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    address
}

#[test]
fn the_unit_starts_the_program_with_options_that_it_knows() {
    let (known, state) = (options(), tempfile::tempdir().unwrap());
    let mut words = unit("ExecStart").split_whitespace();
    assert_eq!(words.next(), Some("/usr/bin/meshbench"));
    let said = |word: &str| {
        let word =
            word.replace("%S", state.path().to_str().unwrap()).replace("127.0.0.1:8787", "127.0.0.1:0");
        word.replace("${MESHBENCH_ISSUER}", "https://id.test").replace("${MESHBENCH_AUDIENCE}", "bench")
    };
    let arguments: Vec<String> = words.map(said).collect();
    for option in arguments.iter().filter(|word| word.starts_with("--")) {
        assert!(known.contains(option), "{option} is none of {known:?}");
    }
    assert!(starts(&arguments).starts_with("http://127.0.0.1:"));
    // It writes where the unit lets it, and nowhere else.
    let folder = unit("StateDirectory");
    assert_eq!(unit("ProtectSystem"), "strict");
    let written: Vec<_> =
        std::fs::read_dir(state.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(written, [folder]);
}

#[test]
fn systemd_finds_nothing_wrong_with_the_unit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("meshbench-serve.service");
    std::fs::write(&path, UNIT.replace("/usr/bin/meshbench", env!("CARGO_BIN_EXE_meshbench"))).unwrap();
    let verified = Command::new("systemd-analyze").arg("verify").arg(&path).output();
    let verified = verified.expect("systemd-analyze, of the package systemd; ./test parts installs it");
    let errors = String::from_utf8_lossy(&verified.stderr).into_owned();
    assert!(verified.status.success(), "{errors}");
    assert!(!errors.contains(path.to_str().unwrap()), "{errors}");
}

#[test]
fn the_container_file_builds_what_there_is_with_the_tools_that_the_manifest_names() {
    let version = MANIFEST.lines().find_map(|line| line.strip_prefix("rust-version = \"")).unwrap();
    let version = version.trim_end_matches('"');
    let from = steps("FROM");
    assert!(from[0][0].starts_with(&format!("docker.io/library/rust:{version}-")), "{:?}", from[0]);
    for step in steps("COPY").into_iter().filter(|step| !step[0].starts_with("--")) {
        let (target, sources) = step.split_last().unwrap();
        for source in sources {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(source);
            assert!(path.exists(), "{source} is copied to {target}");
        }
    }
    // What the manifest names must be there, or cargo reads no further.
    let copied = |file: &str| {
        let sources: Vec<&str> = steps("COPY").concat();
        sources.iter().any(|source| file == *source || Path::new(file).starts_with(source))
    };
    for file in MANIFEST.lines().filter_map(|line| line.strip_prefix("path = \"")?.strip_suffix('"')) {
        assert!(copied(file), "{file} is not copied");
    }
    let run = CONTAINER.lines().find(|line| line.starts_with("RUN cargo build")).unwrap();
    assert!(run.contains("--locked --profile dist --no-default-features --bin meshbench"), "{run}");
    assert!(MANIFEST.contains("[profile.dist]"));
    let program = steps("COPY").into_iter().find(|step| step.last() == Some(&"/usr/bin/meshbench")).unwrap();
    assert_eq!(program, ["--from=build", "/src/target/dist/meshbench", "/usr/bin/meshbench"]);
}

#[test]
fn the_container_starts_the_program_with_options_that_it_knows() {
    let (known, data) = (options(), tempfile::tempdir().unwrap());
    let entry = CONTAINER.lines().find_map(|line| line.strip_prefix("ENTRYPOINT ")).unwrap();
    let entry: Vec<String> = serde_json::from_str(entry).unwrap();
    assert_eq!(entry[0], "/usr/bin/meshbench");
    // As the file says: what comes after the kept part.
    let more = ["--issuer", "https://id.test", "--audience", "bench", "--store", "/data"];
    let all = entry[1..].iter().cloned().chain(more.map(str::to_owned));
    let arguments: Vec<String> = all
        .map(|word| {
            word.replace("/data", data.path().to_str().unwrap()).replace("0.0.0.0:8787", "127.0.0.1:0")
        })
        .collect();
    for option in arguments.iter().filter(|word| word.starts_with("--")) {
        assert!(known.contains(option), "{option} is none of {known:?}");
    }
    assert!(starts(&arguments).starts_with("http://127.0.0.1:"));
    assert!(data.path().join("epoch").is_file());
}
