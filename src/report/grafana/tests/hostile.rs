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

/// Pointers to every node of a document.
fn pointers(value: &Value, at: &str, out: &mut Vec<String>) {
    out.push(at.to_owned());
    match value {
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(n, item)| pointers(item, &format!("{at}/{n}"), out));
        }
        Value::Object(fields) => fields.iter().for_each(|(key, item)| {
            let key = key.replace('~', "~0").replace('/', "~1");
            pointers(item, &format!("{at}/{key}"), out);
        }),
        _ => {}
    }
}

/// Puts these in the places of nodes; what is below one that was replaced is gone.
fn change(value: &mut Value, changes: Vec<(Index, Value)>) {
    let mut all = Vec::new();
    pointers(value, "", &mut all);
    for (place, becomes) in changes {
        if let Some(node) = value.pointer_mut(&all[place.index(all.len())]) {
            *node = becomes;
        }
    }
}

/// What a node becomes.
fn replacement() -> impl Strategy<Value = Value> {
    proptest::sample::select(vec![
        Value::Null,
        json!(true),
        json!(-1),
        json!(1e308),
        json!(-1e308),
        json!(u64::MAX),
        json!(0.000_001),
        json!(""),
        json!("x"),
        json!("NaN"),
        json!("-inf"),
        json!("$__all"),
        json!("[[job]] ${ [[ ]] {{ }} {{"),
        json!("# ![a](b **x** <script> <p &amp; <"),
        json!("\u{0}\u{1b}[31m\u{202e}ä€𝄞\n\n"),
        json!("y".repeat(70_000)),
        json!("row"),
        json!("timeseries"),
        json!("singlestat"),
        json!([]),
        json!({}),
        json!([null, 7, "a", [], {}, [[]]]),
        json!({"type": "row", "panels": [{"type": "row", "panels": [{"type": "graph"}]}], "spec": {"spec": 1}}),
    ])
}

proptest::proptest! {
    #[test]
    fn whatever_happens_to_a_board_it_is_read_or_refused(
        which in any::<Index>(), changes in proptest::collection::vec((any::<Index>(), replacement()), 1..12)
    ) {
        let names = boards();
        let mut value: Value = serde_json::from_slice(&bytes(&names[which.index(names.len())])).expect("JSON");
        change(&mut value, changes);
        match read_any(value.to_string().as_bytes(), ID) {
            Ok(board) => {
                let again = read_board(write_board(&board).as_bytes()).expect("what was read can be kept");
                proptest::prop_assert_eq!(again, board);
            }
            Err(error) => proptest::prop_assert!(error.to_string().len() > 20),
        }
    }

    #[test]
    fn whatever_happens_to_one_of_ours_it_is_read_or_refused(
        which in any::<Index>(), changes in proptest::collection::vec((any::<Index>(), replacement()), 1..4)
    ) {
        let names = boards();
        let board = read(&bytes(&names[which.index(names.len())]), ID).expect("a board");
        let mut value = serde_json::to_value(&board).expect("a form");
        change(&mut value, changes);
        if let Ok(board) = read_board(value.to_string().as_bytes()) {
            let again = read_board(write_board(&board).as_bytes()).expect("what was read can be kept");
            proptest::prop_assert_eq!(again, board);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read_any(&bytes, ID);
    }
}

#[test]
fn a_small_file_does_not_become_a_large_board() {
    let long = "x".repeat(60_000);
    let targets: Vec<Value> = (0..26).map(|_| json!({"expr": long})).collect();
    let library = json!({"a": {"model": {"type": "stat", "targets": targets}}});
    let panel = json!({"libraryPanel": {"uid": "a", "name": "a"}});
    let board = board_of(&json!({"panels": vec![panel; PANELS_MAX], "__elements": library}));
    assert!(write_board(&board).len() < BYTES_MAX);
    assert_eq!(board.panels().count(), PANELS_MAX);

    let item = json!({"kind": "GridLayoutItem", "spec": {"element": {"name": "a"}}});
    let board = board_of(&json!({
        "elements": {"a": {"kind": "Panel", "spec": {"title": "x"}}},
        "layout": {"kind": "GridLayout", "spec": {"items": vec![item; 1000]}},
    }));
    assert_eq!(board.panels().count(), 1);
}

#[test]
fn one_of_ours_that_cannot_be_is_refused_in_words() {
    let good =
        serde_json::to_value(board_of(&json!({"panels": [{"type": "stat"}], "title": "x"}))).expect("a form");
    let broken = |change: &dyn Fn(&mut Value)| {
        let mut value = good.clone();
        change(&mut value);
        read_board(value.to_string().as_bytes()).expect_err("it cannot be").to_string()
    };
    let levels = json!([{"from": 2.0, "level": "bad"}, {"from": 1.0, "level": "fine"}]);
    let variable = |name: &str| json!({"name": name, "kind": "data_source"});
    for (error, words) in [
        (broken(&|it| it["version"] = json!(2)), "version 2"),
        (broken(&|it| it["version"] = json!(0)), "version 0"),
        (broken(&|it| it["version"] = json!("1")), "no board as Meshbench"),
        (broken(&|it| it["rows"] = json!(7)), "no board as Meshbench"),
        (broken(&|it| it["id"] = json!("")), "no id"),
        (broken(&|it| it["rows"] = json!(vec![json!({"panels": []}); ROWS_MAX + 1])), "more than 200 rows"),
        (broken(&|it| it["rows"][0]["panels"][0]["thresholds"] = levels.clone()), "do not ascend"),
        (broken(&|it| it["variables"] = json!([variable("a"), variable("a")])), "two variables"),
        (broken(&|it| it["variables"] = json!([variable("a-b")])), "no name of a variable"),
    ] {
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn a_damaged_one_of_ours_is_not_taken_for_grafanas() {
    let mut value = serde_json::to_value(board_of(&json!({"panels": [{"type": "stat"}]}))).expect("a form");
    value.as_object_mut().expect("an object").remove("id");
    let error = read_any(value.to_string().as_bytes(), ID).expect_err("it has no id");
    assert!(matches!(error, ImportError::Damaged(_)), "{error}");
}
