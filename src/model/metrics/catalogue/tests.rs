//! The questions of every ready board, held against committed texts: `UPDATE_PROMQL=1 cargo test` renews them.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use super::*;
use crate::model::metrics::board::{Ask, COLUMNS, PanelKind};
use crate::model::metrics::cost;
use crate::model::metrics::feed::fed;

const WINDOW_MS: i64 = 60_000;

fn id(key: &str) -> BoardId {
    BoardId(key.to_owned())
}

fn checkout() -> Scope {
    Scope { namespace: "shop".to_owned(), workload: "checkout".to_owned() }
}

fn shop() -> Scope {
    Scope { namespace: "shop".to_owned(), workload: String::new() }
}

fn asked(board: &Board, text: &mut String) {
    for row in &board.rows {
        let _ = writeln!(text, "  {}", row.title);
        for panel in &row.panels {
            let _ = writeln!(text, "    {} [{:?}]", panel.title, panel.unit);
            for query in &panel.queries {
                let Ask::Measure(measure) = &query.ask else { panic!("{}: text", panel.title) };
                let _ =
                    writeln!(text, "      {} “{}”: {}", query.name, query.legend, measure.promql(WINDOW_MS));
            }
        }
    }
}

fn costs(key: &str, scope: &Scope, text: &mut String) {
    for ask in cost::asks(&id(key), scope) {
        let _ = writeln!(text, "  cost of {:?} {}", ask.component, ask.of);
        let _ = writeln!(text, "    cpu: {}", ask.cpu.promql(WINDOW_MS));
        let _ = writeln!(text, "    memory: {}", ask.memory.promql(WINDOW_MS));
    }
}

fn golden(key: &str) -> String {
    let mut text = String::new();
    let versions: &[Option<&str>] = match key {
        "kuma" => &[None, Some("2.10.1"), Some("3.0.0")],
        "linkerd" => &[None, Some("stable-2.14.1")],
        _ => &[None],
    };
    for version in versions {
        for (words, scope) in [("everything", Scope::default()), ("shop/checkout", checkout())] {
            let version = version.map(|it| format!(" of version {it}")).unwrap_or_default();
            let _ = writeln!(text, "{words}{version}");
            asked(&ready(&id(key), version.split(' ').next_back(), &scope).expect("ready"), &mut text);
            costs(key, &scope, &mut text);
            text.push('\n');
        }
    }
    text
}

#[test]
fn every_ready_board_asks_what_is_committed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/promql");
    let mut stale = Vec::new();
    for key in ids() {
        let (path, now) = (folder.join(format!("{key}.txt")), golden(key));
        if std::env::var_os("UPDATE_PROMQL").is_some() {
            std::fs::write(&path, &now).expect("a folder");
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        if let Some(line) =
            now.lines().zip(kept.lines().chain(std::iter::repeat(""))).position(|(a, b)| a != b)
        {
            let told = now.lines().nth(line).unwrap_or("");
            stale.push(format!("{}:{}: now “{told}”", path.display(), line + 1));
        } else if now != kept {
            stale.push(format!("{}: has more lines than there are", path.display()));
        }
    }
    assert!(stale.is_empty(), "look at the difference, then UPDATE_PROMQL=1:\n{}", stale.join("\n"));
}

#[test]
fn every_ready_board_is_whole() {
    for key in ids() {
        for scope in [Scope::default(), shop(), checkout()] {
            let board = ready(&id(key), None, &scope).expect("ready");
            assert_eq!((board.id.0.as_str(), Some(board.title.as_str())), (key, title(key)));
            assert!(!board.description.is_empty() && !board.rows.is_empty(), "{key}");
            for row in &board.rows {
                assert!(!row.title.is_empty() && !row.panels.is_empty(), "{key}: {}", row.title);
                let titles: BTreeSet<&str> = row.panels.iter().map(|panel| panel.title.as_str()).collect();
                assert_eq!(titles.len(), row.panels.len(), "{key} {}: a title twice", row.title);
            }
            for (_, panel) in board.panels() {
                assert!(!panel.queries.is_empty() && !panel.hint.is_empty(), "{key}: {}", panel.title);
                assert!(panel.width > 0 && panel.width <= COLUMNS, "{key}: {}", panel.title);
                assert!(!matches!(panel.kind, PanelKind::Unsupported(_)), "{key}: {}", panel.title);
                assert!(panel.queries.iter().all(|query| !query.legend.is_empty()), "{key}: {}", panel.title);
            }
        }
    }
    assert_eq!(ready(&id("gone"), None, &Scope::default()), None);
}

#[test]
fn a_mesh_has_boards_or_a_reason_why_not() {
    for mesh in MeshKind::ALL {
        let boards = for_mesh(mesh, false);
        assert_eq!(boards.is_empty(), why_none(mesh).is_some(), "{mesh:?}");
        assert!(boards.iter().all(|board| title(&board.0).is_some()), "{mesh:?}");
    }
    assert_eq!(for_mesh(MeshKind::Istio, true), [id("istio-ambient"), id("istio")]);
}

#[test]
fn every_traffic_board_shows_three_quantiles_in_one_panel_and_says_that_they_are_interpolated() {
    for key in ids().into_iter().filter(|key| !matches!(*key, "cluster" | "node")) {
        let board = ready(&id(key), None, &checkout()).expect("ready");
        let panels: Vec<_> = board
            .panels()
            .map(|(_, it)| it)
            .filter(|it| it.title == "Latency" && it.is_interpolated())
            .collect();
        assert!(!panels.is_empty(), "{key}");
        for panel in panels {
            let legends: Vec<&str> = panel.queries.iter().map(|query| query.legend.as_str()).collect();
            assert_eq!(legends, ["p50", "p90", "p99"], "{key}");
            assert!(panel.description.contains("nterpolated"), "{key}");
        }
    }
}

#[test]
fn a_scope_narrows_every_panel_of_traffic() {
    for key in ids().into_iter().filter(|key| !matches!(*key, "node")) {
        let board = ready(&id(key), None, &checkout()).expect("ready");
        for panel in board.rows.iter().filter(|row| row.title.contains("raffic")).flat_map(|row| &row.panels)
        {
            for query in &panel.queries {
                let Ask::Measure(measure) = &query.ask else { continue };
                let text = measure.promql(WINDOW_MS);
                assert!(text.contains("shop") && text.contains("checkout"), "{key}: {text}");
            }
        }
    }
}

#[test]
fn a_source_with_istios_proxies_alone_feeds_their_traffic() {
    let names = ["istio_requests_total", "istio_request_duration_milliseconds_bucket"];
    let names = names.into_iter().map(str::to_owned).collect();
    let feed = fed(&ready(&id("istio"), None, &Scope::default()).expect("ready"), &names);
    assert_eq!(feed.words(), "feeds 4 of 12 panels");
    assert!(feed.missing_names().contains("container_cpu_usage_seconds_total"));
}
