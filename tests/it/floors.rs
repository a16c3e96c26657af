//! The house rules that the compiler does not know, held against every file in `src/`: who may use whom,
//! where the window's toolkit and colours may be named, where formats may live, and that the map is complete.
//!
//! Each rule is a pure function from sources to findings, so each is also held against a sample that breaks it.

use std::collections::BTreeSet;
use std::fmt::{self, Display};
use std::fs;
use std::path::{Path, PathBuf};

use self::scan::{Token, Word, tokens};

mod scan;

/// Which module may use which; every module may use itself.
const MAY_USE: [(&str, &[&str]); 14] = [
    ("ui", &["app", "model"]),
    ("cli", &["app", "model"]),
    (
        "app",
        &["load", "cluster", "adapter", "metrics", "account", "sync", "store", "report", "stats", "model"],
    ),
    ("load", &["stats", "model"]),
    ("cluster", &["stats", "model"]),
    ("adapter", &["stats", "model", "proto"]),
    ("metrics", &["stats", "model"]),
    ("account", &["stats", "model"]),
    ("sync", &["stats", "model"]),
    ("store", &["stats", "model"]),
    ("report", &["stats", "model"]),
    ("stats", &["model"]),
    ("model", &[]),
    ("proto", &[]),
];

/// What `src/main.rs` may use of the library.
const MAIN_MAY_USE: [&str; 4] = ["ui", "cli", "app", "model"];

/// Crates that only `ui` may name: the build without the window does not have them.
const WINDOW_CRATES: [&str; 8] =
    ["eframe", "ecolor", "egui", "egui_extras", "egui_plot", "emath", "epaint", "rfd"];

/// What a floor must not know, by the word that would give it away.
const MUST_NOT_NAME: [(&str, &[&str], &str); 3] = [
    ("model", &["tokio", "redb", "Instant", "SystemTime", "Mutex"], "model is plain data and pure rules"),
    ("stats", &["tokio", "redb", "Instant", "SystemTime", "Mutex"], "stats are pure functions"),
    ("ui", &["tokio", "redb", "Mutex", "RwLock"], "the window's thread waits for nothing"),
];

/// Colours that are no choice of ours: nothing at all, the identity of a tint, and "take the style's".
const COLOURLESS: [&str; 3] = ["TRANSPARENT", "WHITE", "PLACEHOLDER"];

/// Files outside `model` that derive serde, each with its reason.
const SERDE_OUTSIDE_MODEL: [(&str, &str); 13] = [
    ("src/account/issuer.rs", "what issuers of OpenID Connect say of themselves"),
    ("src/account/jwt.rs", "what tokens and the keys of issuers say"),
    ("src/account/login.rs", "what providers answer"),
    ("src/account/session.rs", "what proves a login, as the keyring keeps it"),
    ("src/sync/server/book.rs", "what a server notes of each record in its store"),
    ("src/sync/server/routes.rs", "what stands in the addresses that a server is asked at"),
    ("src/store/travel.rs", "what is known of a record, inside the store's own envelope"),
    ("src/sync/words.rs", "what is said between machines and servers"),
    ("src/store/tables.rs", "what a person wrote about a run, inside the store's own envelope"),
    ("src/cluster/kubeconfig.rs", "kubectl's format, which is only read"),
    ("src/cluster/oidc.rs", "what providers of OpenID Connect answer"),
    ("src/metrics/wire.rs", "what servers of metrics and Grafana answer, which is only read"),
    ("src/cluster/credentials.rs", "what commands that log in answer"),
];

#[test]
fn every_import_goes_downward() {
    holds(imports_upward);
}

#[test]
fn only_the_window_names_the_windows_toolkit() {
    holds(toolkit_below_ui);
}

#[test]
fn no_floor_names_what_it_must_not_know() {
    holds(named_unduly);
}

#[test]
fn colours_are_named_in_the_theme_only() {
    holds(colours_outside_theme);
}

#[test]
fn only_the_model_derives_formats() {
    holds(serde_outside_model);
}

#[test]
fn every_exception_is_still_needed() {
    let sources = sources();
    for (path, _) in SERDE_OUTSIDE_MODEL {
        let source = sources.iter().find(|source| source.path == path);
        let source = source.unwrap_or_else(|| panic!("{path} is excepted but not there"));
        assert!(!serde_derives(source).is_empty(), "{path} is excepted but derives nothing");
    }
}

#[test]
fn a_module_is_a_file_beside_its_folder() {
    holds(mod_rs_files);
}

#[test]
fn the_map_names_every_module() {
    holds(modules_missing_in_map);
}

#[test]
fn the_table_of_floors_names_every_module() {
    holds(modules_missing_in_table);
}

/// One file: its path from the root of the package, with `/`, and its text.
struct Source {
    path: String,
    text: String,
}

/// One breach of a rule.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    path: String,
    line: usize,
    what: String,
}

impl Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}: {}", self.path, self.line, self.what)
    }
}

fn holds(rule: fn(&[Source]) -> Vec<Finding>) {
    let sources = sources();
    assert!(sources.iter().any(|source| source.path == "src/lib.rs"), "src/lib.rs was not read");
    let findings: Vec<String> = rule(&sources).iter().map(ToString::to_string).collect();
    assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut waiting = vec![root.join("src")];
    let mut found = Vec::new();
    while let Some(folder) = waiting.pop() {
        let mut entries: Vec<PathBuf> =
            fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        for path in entries {
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let path = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
                found.push(Source { path, text });
            }
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}

impl Source {
    /// The module that the file is, from the crate's root: `src/app/job.rs` is `[app, job]`.
    fn module(&self) -> Vec<&str> {
        let path = self.path.trim_start_matches("src/").trim_end_matches(".rs");
        match path {
            "lib" | "main" => Vec::new(),
            _ => path.split('/').collect(),
        }
    }

    fn floor(&self) -> &str {
        self.module().first().copied().unwrap_or("")
    }

    fn finding(&self, line: usize, what: impl Into<String>) -> Finding {
        Finding { path: self.path.clone(), line, what: what.into() }
    }
}

fn imports_upward(sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in sources {
        let floor = source.floor();
        let may: &[&str] = match source.path.as_str() {
            "src/main.rs" => &MAIN_MAY_USE,
            _ => MAY_USE.iter().find(|(name, _)| *name == floor).map_or(&[], |(_, may)| may),
        };
        for (line, used) in floors_used(source) {
            if used != floor && !may.contains(&used.as_str()) {
                let who = if floor.is_empty() { source.path.as_str() } else { floor };
                findings.push(source.finding(line, format!("{who} must not use {used}")));
            }
        }
    }
    findings
}

/// Every module of ours that the file reaches by a path from the crate's root, with the line.
fn floors_used(source: &Source) -> Vec<(usize, String)> {
    let tokens = tokens(&source.text);
    let mut used = Vec::new();
    // Inline modules around the current token: the depth of braces at which each began.
    let mut inline: Vec<usize> = Vec::new();
    let mut depth = 0;
    for at in 0..tokens.len() {
        match &tokens[at].word {
            Word::Mark('{') => {
                if at >= 2 && tokens[at - 2].is("mod") {
                    inline.push(depth);
                }
                depth += 1;
            }
            Word::Mark('}') => {
                depth = depth.saturating_sub(1);
                if inline.last() == Some(&depth) {
                    inline.pop();
                }
            }
            Word::Name(_) if starts_path(&tokens, at) => {
                if let Some(rest) = from_root(&tokens, at, source.module().len() + inline.len()) {
                    used.extend(heads(&tokens[rest..]));
                }
            }
            _ => {}
        }
    }
    used
}

/// Whether the name at this place is the first of a path that is longer than itself.
fn starts_path(tokens: &[Token], at: usize) -> bool {
    let after_separator = at > 0 && tokens[at - 1].word == Word::Separator;
    !after_separator && tokens.get(at + 1).is_some_and(|next| next.word == Word::Separator)
}

/// Where a path goes on below the crate's root, if it starts there or climbs there by `super`.
fn from_root(tokens: &[Token], at: usize, depth: usize) -> Option<usize> {
    if tokens[at].is("crate") || tokens[at].is("meshbench") {
        return Some(at + 2);
    }
    let mut at = at + if tokens[at].is("self") { 2 } else { 0 };
    let mut climbed = 0;
    while tokens.get(at).is_some_and(|token| token.is("super")) {
        climbed += 1;
        at += 2;
    }
    (climbed > 0 && climbed >= depth).then_some(at)
}

/// The first names of a path or of each path in a group: `{a, b::{c, d}}` gives `a` and `b`.
fn heads(tokens: &[Token]) -> Vec<(usize, String)> {
    let mut heads = Vec::new();
    let mut depth = 0;
    let mut expected = true;
    for token in tokens {
        match &token.word {
            Word::Mark('{') => depth += 1,
            Word::Mark('}') => depth -= 1,
            Word::Mark(',') => expected = depth == 1,
            Word::Name(name) if expected => {
                heads.push((token.line, name.clone()));
                expected = false;
            }
            Word::Mark('*') if expected => {
                heads.push((token.line, "everything".to_owned()));
                expected = false;
            }
            _ => {}
        }
        if depth == 0 && !expected {
            break;
        }
    }
    heads
}

fn toolkit_below_ui(sources: &[Source]) -> Vec<Finding> {
    let below = sources.iter().filter(|source| source.floor() != "ui");
    below
        .flat_map(|source| {
            let tokens = tokens(&source.text);
            let named: Vec<Finding> = tokens
                .iter()
                .filter_map(|token| token.name().map(|name| (token.line, name)))
                .filter(|(_, name)| WINDOW_CRATES.contains(name))
                .map(|(line, name)| source.finding(line, format!("{name} is for ui only")))
                .collect();
            named
        })
        .collect()
}

fn named_unduly(sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (floor, words, reason) in MUST_NOT_NAME {
        for source in sources.iter().filter(|source| source.floor() == floor) {
            for token in tokens(&source.text) {
                if let Some(name) = token.name().filter(|name| words.contains(name)) {
                    findings.push(source.finding(token.line, format!("names {name}, but {reason}")));
                }
            }
        }
    }
    findings
}

fn colours_outside_theme(sources: &[Source]) -> Vec<Finding> {
    let themed = |path: &str| path == "src/ui/theme.rs" || path.starts_with("src/ui/theme/");
    let mut findings = Vec::new();
    for source in sources.iter().filter(|source| source.floor() == "ui" && !themed(&source.path)) {
        let tokens = tokens(&source.text);
        for (at, token) in tokens.iter().enumerate() {
            let named = match &token.word {
                Word::Name(name) if name == "hex_color" => true,
                Word::Name(name) if name == "Color32" || name == "Rgba" => makes_colour(&tokens[at + 1..]),
                Word::Text(text) => is_hex_colour(text),
                _ => false,
            };
            if named {
                findings.push(source.finding(token.line, "names a colour; ui/theme.rs names colours"));
            }
        }
    }
    findings
}

/// Whether `::from_…` or `::A_CONSTANT` follows.
fn makes_colour(after: &[Token]) -> bool {
    let [separator, member, ..] = after else { return false };
    let Some(name) = member.name().filter(|_| separator.word == Word::Separator) else { return false };
    let constant = name.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_');
    name.starts_with("from_") || (constant && !COLOURLESS.contains(&name))
}

fn is_hex_colour(text: &str) -> bool {
    let Some(digits) = text.strip_prefix('#') else { return false };
    matches!(digits.len(), 3 | 6 | 8) && digits.chars().all(|digit| digit.is_ascii_hexdigit())
}

fn serde_outside_model(sources: &[Source]) -> Vec<Finding> {
    let excepted = |path: &str| SERDE_OUTSIDE_MODEL.iter().any(|(file, _)| *file == path);
    let held = sources.iter().filter(|source| source.floor() != "model" && !excepted(&source.path));
    held.flat_map(serde_derives).collect()
}

fn serde_derives(source: &Source) -> Vec<Finding> {
    let tokens = tokens(&source.text);
    let mut findings = Vec::new();
    let mut inside = false;
    for (at, token) in tokens.iter().enumerate() {
        match &token.word {
            Word::Name(name) if name == "derive" => inside = tokens[at + 1].word == Word::Mark('('),
            Word::Mark(']') => inside = false,
            Word::Name(name) if inside && (name == "Serialize" || name == "Deserialize") => {
                findings.push(source.finding(token.line, "derives serde; formats live in model"));
                inside = false;
            }
            _ => {}
        }
    }
    findings
}

fn mod_rs_files(sources: &[Source]) -> Vec<Finding> {
    sources
        .iter()
        .filter(|source| source.path.ends_with("/mod.rs"))
        .map(|source| source.finding(1, "is foo/mod.rs; write foo.rs beside the folder foo"))
        .collect()
}

/// The modules that `src/lib.rs` declares, with their lines.
fn declared(sources: &[Source]) -> (Option<&Source>, Vec<(usize, String)>) {
    let Some(lib) = sources.iter().find(|source| source.path == "src/lib.rs") else {
        return (None, Vec::new());
    };
    let tokens = tokens(&lib.text);
    let pairs = tokens.windows(2).filter(|pair| pair[0].is("mod"));
    let modules = pairs.filter_map(|pair| pair[1].name().map(|name| (pair[1].line, name.to_owned())));
    (Some(lib), modules.collect())
}

fn modules_missing_in_map(sources: &[Source]) -> Vec<Finding> {
    let (Some(lib), modules) = declared(sources) else { return Vec::new() };
    let docs: Vec<&str> = lib.text.lines().filter_map(|line| line.strip_prefix("//!")).collect();
    let rows: Vec<&str> = docs.iter().filter(|line| line.trim_start().starts_with('|')).copied().collect();
    let words: BTreeSet<&str> = docs.iter().flat_map(|line| line.split_whitespace()).collect();
    modules
        .iter()
        .filter(|(_, name)| {
            let in_table = rows.iter().any(|row| row.contains(&format!("`{name}`")));
            !in_table || !words.contains(name.as_str())
        })
        .map(|(line, name)| lib.finding(*line, format!("{name} is not in the map above")))
        .collect()
}

fn modules_missing_in_table(sources: &[Source]) -> Vec<Finding> {
    let (Some(lib), modules) = declared(sources) else { return Vec::new() };
    modules
        .iter()
        .filter(|(_, name)| MAY_USE.iter().all(|(floor, _)| floor != name))
        .map(|(line, name)| lib.finding(*line, format!("{name} is not in the table of tests/it/floors.rs")))
        .collect()
}

#[cfg(test)]
mod samples {
    use super::*;

    fn sample(path: &str, text: &str) -> [Source; 1] {
        [Source { path: path.to_owned(), text: text.to_owned() }]
    }

    fn lines(findings: &[Finding]) -> Vec<(usize, &str)> {
        findings.iter().map(|finding| (finding.line, finding.what.as_str())).collect()
    }

    #[test]
    fn an_upward_import_is_found_with_its_line() {
        let text = "//! Words.\nuse crate::model::Plan;\nuse crate::app::State;\n";
        let findings = imports_upward(&sample("src/load/worker.rs", text));
        assert_eq!(lines(&findings), [(3, "load must not use app")]);
        assert_eq!(findings[0].to_string(), "src/load/worker.rs:3: load must not use app");
    }

    #[test]
    fn every_head_of_a_group_is_seen() {
        let text = "use crate::{\n    model::{Plan, Run},\n    store::Store,\n    stats,\n};\n";
        let findings = imports_upward(&sample("src/load.rs", text));
        assert_eq!(lines(&findings), [(3, "load must not use store")]);
    }

    #[test]
    fn a_climb_past_the_own_module_is_seen_and_one_within_it_is_not() {
        let text = "use super::super::store::Store;\nuse super::pacing::due;\n";
        let findings = imports_upward(&sample("src/load/worker.rs", text));
        assert_eq!(lines(&findings), [(1, "load must not use store")]);
    }

    #[test]
    fn an_inline_module_counts_as_a_floor_to_climb() {
        let text = "use super::store;\nmod tests {\n    use super::pacing;\n    use super::super::app;\n}\n";
        let findings = imports_upward(&sample("src/load.rs", text));
        assert_eq!(lines(&findings), [(1, "load must not use store"), (4, "load must not use app")]);
    }

    #[test]
    fn a_path_within_an_expression_is_seen() {
        let text = "fn f() -> u32 { let x = crate::ui::theme::SIZE; x }\n";
        let findings = imports_upward(&sample("src/model/plan.rs", text));
        assert_eq!(lines(&findings), [(1, "model must not use ui")]);
    }

    #[test]
    fn importing_all_of_the_root_is_refused() {
        let findings = imports_upward(&sample("src/ui.rs", "use crate::*;\n"));
        assert_eq!(lines(&findings), [(1, "ui must not use everything")]);
    }

    #[test]
    fn words_in_comments_strings_and_visibility_are_no_imports() {
        let text = "// crate::app::State\n/* crate::ui /* crate::cli */ crate::app */\n\
                    pub(crate) const A: &str = \"crate::app\";\nconst B: &str = r#\"\" crate::ui::x\"#;\n\
                    const C: char = '\"'; fn f<'a>(x: &'a str) -> &'a str { x }\n";
        assert_eq!(imports_upward(&sample("src/model.rs", text)), []);
    }

    #[test]
    fn a_service_in_the_thin_binary_is_found() {
        let text = "fn main() { meshbench::load::run(); meshbench::cli::main() }\n";
        let findings = imports_upward(&sample("src/main.rs", text));
        assert_eq!(lines(&findings), [(1, "src/main.rs must not use load")]);
    }

    #[test]
    fn the_toolkit_below_the_window_is_found() {
        let text = "use egui::Color32;\nstruct S { at: eframe::egui::Pos2 }\n";
        let findings = toolkit_below_ui(&sample("src/app/state.rs", text));
        assert_eq!(findings.iter().map(|finding| finding.line).collect::<Vec<_>>(), [1, 2, 2]);
        assert_eq!(toolkit_below_ui(&sample("src/ui/home.rs", text)), []);
    }

    #[test]
    fn a_lock_in_the_window_is_found() {
        let findings = named_unduly(&sample("src/ui/home.rs", "use std::sync::Mutex;\n"));
        assert_eq!(findings.len(), 1);
    }

    #[test]
    fn a_colour_outside_the_theme_is_found() {
        let text = "let a = Color32::from_rgb(1, 2, 3);\nlet b = egui::Color32::RED;\nlet c = \"#ff00aa\";\n\
                    let d = Color32::TRANSPARENT;\nlet e: Color32 = f(\"#1\");\n";
        let findings = colours_outside_theme(&sample("src/ui/home.rs", text));
        assert_eq!(findings.iter().map(|finding| finding.line).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(colours_outside_theme(&sample("src/ui/theme.rs", text)), []);
    }

    #[test]
    fn a_format_outside_the_model_is_found() {
        let text =
            "use serde::Serialize;\n#[derive(Clone, Serialize)]\nstruct A;\n#[derive(Clone)]\nstruct B;\n";
        assert_eq!(serde_outside_model(&sample("src/store.rs", text))[0].line, 2);
        assert_eq!(serde_outside_model(&sample("src/store.rs", text)).len(), 1);
        assert_eq!(serde_outside_model(&sample("src/model/run.rs", text)), []);
    }

    #[test]
    fn an_old_style_module_file_is_found() {
        assert_eq!(mod_rs_files(&sample("src/ui/mod.rs", "")).len(), 1);
    }

    #[test]
    fn a_module_that_the_map_forgets_is_found() {
        let text = "//! ground  model\n//! | [`model`] | x |\n//! store is `store`\npub mod model;\npub mod store;\n\
                    mod attic;\n";
        let sources = sample("src/lib.rs", text);
        assert_eq!(lines(&modules_missing_in_map(&sources))[0], (5, "store is not in the map above"));
        assert_eq!(modules_missing_in_table(&sources)[0].line, 6);
    }
}
