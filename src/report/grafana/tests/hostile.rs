//! Input that means harm, or is broken.

use super::*;

#[test]
fn what_is_no_board_is_refused_in_words() {
    let too_large = vec![b' '; BYTES_MAX + 1];
    for (bytes, words) in [
        (&b"apiVersion: 1"[..], "not JSON"),
        (b"", "not JSON"),
        (b"[]", "holds no board"),
        (b"7", "holds no board"),
        (b"{}", "holds no board"),
        (br#"{"panels": {"a": 1}, "rows": "none"}"#, "holds no board"),
        (br#"{"kind": "Dashboard", "spec": {"layouts": [], "panels": {}}}"#, "Perses"),
        (&too_large, "larger than 8 MiB"),
    ] {
        let error = read(bytes, ID).expect_err("it is no board").to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn deep_nesting_is_refused_or_cut() {
    let deep = |levels: usize| {
        let open = r#"{"type": "row", "title": "r", "panels": ["#.repeat(levels);
        format!(r#"{{"panels": [{open}{{"type": "stat"}}{}]}}"#, "]}".repeat(levels))
    };
    assert!(matches!(read(deep(1000).as_bytes(), ID), Err(ImportError::Json(_))));
    let board = read(deep(20).as_bytes(), ID).expect("a board");
    assert_eq!(board.panels().count(), 0);
    assert!(board.notes[0].contains("rows deep"), "{:?}", board.notes);
    assert_eq!(read(deep(3).as_bytes(), ID).expect("a board").panels().count(), 1);
}

#[test]
fn what_is_beyond_a_limit_is_left_out_with_a_note() {
    let target = json!({"expr": "up", "refId": "A"});
    let panel = json!({"type": "stat", "title": "x", "targets": vec![target; QUERIES_MAX + 2]});
    let variables: Vec<Value> = (0..VARIABLES_MAX + 1)
        .map(|at| json!({"type": "custom", "name": format!("v{at}"), "query": "a"}))
        .collect();
    let board = board_of(&json!({
        "panels": vec![panel; PANELS_MAX + 3], "templating": {"list": variables}
    }));
    assert_eq!(board.panels().count(), PANELS_MAX);
    assert_eq!(board.variables.len(), VARIABLES_MAX);
    let notes =
        ["1 variable is left out: a board has at most 50", "3 panels are left out: a board has at most 200"];
    assert_eq!(board.notes, notes);
    let first = &board.rows[0].panels[0];
    assert_eq!(first.queries.len(), QUERIES_MAX);
    assert_eq!(first.queries[25].name, "Z");
    assert_eq!(first.notes.len(), 1, "{:?}", first.notes);
}
