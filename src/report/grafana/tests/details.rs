//! One thing at a time.

use super::*;

fn levels(panel: &Panel) -> Vec<(Option<f64>, Grade)> {
    panel.thresholds.iter().map(|Threshold { from, level }| (*from, *level)).collect()
}

#[test]
fn titles_that_are_missing_are_untitled() {
    let board =
        board_of(&json!({"panels": [{"type": "stat", "title": "  "}, {"type": "text"}], "title": ""}));
    assert_eq!(board.title, "Untitled");
    let titles: Vec<&str> = board.panels().map(|(_, panel)| panel.title.as_str()).collect();
    assert_eq!(titles, ["Untitled", ""]);
    assert_eq!(board.id, BoardId(ID.to_string()));
}

#[test]
fn panels_are_in_reading_order_and_rows_hold_what_is_below_them() {
    let at = |title: &str, x: i32, y: i32| json!({"type": "stat", "title": title, "gridPos": {"x": x, "y": y, "w": 30, "h": 0}});
    let row = |title: &str, y: i32| json!({"type": "row", "title": title, "gridPos": {"x": 0, "y": y, "w": 24, "h": 1}});
    let board = board_of(&json!({"panels": [
        at("d", 12, 6), row("second", 5), at("b", 12, 0), at("a", 0, 0), at("c", 0, 6)
    ]}));
    let rows: Vec<(&str, Vec<&str>)> = board
        .rows
        .iter()
        .map(|row| (row.title.as_str(), row.panels.iter().map(|panel| panel.title.as_str()).collect()))
        .collect();
    assert_eq!(rows, [("", vec!["a", "b"]), ("second", vec!["c", "d"])]);
    assert_eq!((board.rows[0].panels[0].width, board.rows[0].panels[0].height), (24, 1));
}

#[test]
fn limits_downward_and_upward_become_levels() {
    let limit = |op: &str, value: f64, mode: &str| json!({"op": op, "value": value, "colorMode": mode});
    let panel = panel_of(json!({"type": "graph", "thresholds": [
        limit("lt", 10.0, "critical"), limit("gt", 90.0, "critical"), limit("gt", 80.0, "warning"), limit("lt", 20.0, "ok")
    ]}));
    assert_eq!(
        levels(&panel),
        [
            (None, Grade::Bad),
            (Some(10.0), Grade::Fine),
            (Some(20.0), Grade::Fine),
            (Some(80.0), Grade::Warning),
            (Some(90.0), Grade::Bad)
        ]
    );
}

#[test]
fn levels_in_per_cent_are_of_the_range_or_left_out() {
    let steps = json!({"mode": "percentage", "steps": [{"color": "green", "value": null}, {"color": "red", "value": 50}]});
    let of = |defaults: Value| {
        let mut defaults = defaults;
        defaults["thresholds"] = steps.clone();
        panel_of(json!({"type": "gauge", "fieldConfig": {"defaults": defaults}}))
    };
    assert_eq!(levels(&of(json!({"min": -100, "max": 100}))), [(None, Grade::Fine), (Some(0.0), Grade::Bad)]);
    assert_eq!(levels(&of(json!({"unit": "percentunit"})))[1], (Some(0.5), Grade::Bad));
    let lost = of(json!({"min": 0}));
    assert!(lost.thresholds.is_empty() && lost.notes[0].contains("per cent"), "{:?}", lost.notes);
}

#[test]
fn levels_that_grafana_does_not_show_are_not_taken_over() {
    let defaults =
        json!({"thresholds": {"steps": [{"color": "green", "value": null}, {"color": "red", "value": 80}]}});
    let of = |kind: &str, options: Value| {
        panel_of(json!({"type": kind, "options": options, "fieldConfig": {"defaults": defaults}}))
            .thresholds
            .len()
    };
    assert_eq!(of("timeseries", json!({})), 0);
    assert_eq!(of("stat", json!({"colorMode": "none"})), 0);
    assert_eq!(of("stat", json!({"colorMode": "value"})), 2);
    assert_eq!(of("table", json!({})), 0);
}

#[test]
fn colours_are_read_by_name_and_by_hue() {
    for (colour, level) in [
        ("green", Grade::Fine),
        ("semi-dark-blue", Grade::Fine),
        ("super-light-yellow", Grade::Warning),
        ("dark-orange", Grade::Warning),
        ("light-red", Grade::Bad),
        ("purple", Grade::Bad),
        ("transparent", Grade::Fine),
        ("#f00", Grade::Bad),
        ("#EAB839", Grade::Warning),
        ("#E24D42", Grade::Bad),
        ("#7EB26D", Grade::Fine),
        ("#1F78C1", Grade::Fine),
        ("#808080", Grade::Fine),
        ("#F2495Cff", Grade::Bad),
        ("rgba(245, 54, 54, 0.9)", Grade::Bad),
        ("rgba(237, 129, 40, 0.89)", Grade::Warning),
        ("rgb(50, 172, 45)", Grade::Fine),
        ("#ä", Grade::Fine),
        ("rgba(1,2", Grade::Fine),
        ("", Grade::Fine),
    ] {
        assert_eq!(thresholds::grade(colour), level, "{colour}");
    }
}

#[test]
fn lists_of_words_may_be_escaped_and_named() {
    let of = |query: &str| match variable_of(json!({"type": "custom", "name": "v", "query": query})).kind {
        VariableKind::Custom(pairs) => pairs,
        kind => panic!("{kind:?}"),
    };
    let pair = |shown: &str, used: &str| (shown.to_owned(), used.to_owned());
    assert_eq!(
        of(r"a, b\,c ,, d : e\,f, \\g"),
        [pair("a", "a"), pair("b,c", "b,c"), pair("d", "e,f"), pair(r"\\g", r"\\g")]
    );
    let written = json!({"type": "custom", "name": "v", "valuesFormat": "json", "query": r#"[{"text": "one", "value": 1}, "x"]"#});
    assert_eq!(variable_of(written).kind, VariableKind::Custom(vec![pair("one", "1")]));
    assert_eq!(of("http://a:80, x :y"), [pair("http://a:80", "http://a:80"), pair("x :y", "x :y")]);
}

#[test]
fn expressions_of_variables_are_whole_or_between_slashes() {
    for (given, read, notes) in [
        ("", "", 0),
        ("/.*job=\"([^\"]*).*/", ".*job=\"([^\"]*).*", 0),
        ("/a(b)/gi", "(?i)a(b)", 0),
        ("prod-.*", "^(?:prod-.*)$", 0),
        ("/a", "^(?:/a)$", 0),
        ("/^(?!kube)(.*)$/", "", 1),
    ] {
        let variable =
            json!({"type": "query", "name": "v", "query": "label_values(up, job)", "regex": given});
        let board = board_of(&json!({"panels": [], "templating": {"list": [variable]}}));
        let VariableKind::Query { regex, .. } = &board.variables[0].kind else { panic!("a query") };
        assert_eq!((regex.as_str(), board.notes.len()), (read, notes), "{given}");
    }
}

#[test]
fn what_variables_ask_is_a_text_or_an_object() {
    for query in [
        json!({"query": "label_values(up, job)"}),
        json!({"query": {"query": "label_values(up, job)", "refId": "A"}}),
        json!({"query": {"qryType": 1}, "definition": "label_values(up, job)"}),
    ] {
        let mut variable = query;
        variable["type"] = json!("query");
        variable["name"] = json!("job");
        let VariableKind::Query { query, .. } = variable_of(variable).kind else { panic!("a query") };
        assert_eq!(query, "label_values(up, job)");
    }
}

#[test]
fn sources_are_found_by_name_by_input_and_by_variable() {
    let of = json!({
        "__inputs": [{"name": "DS_A", "type": "datasource", "pluginId": "prometheus"}, {"name": "DS_B", "type": "datasource", "pluginId": "loki"}],
        "templating": {"list": [{"name": "ds", "type": "datasource", "query": "grafana-amazonprometheus-datasource"}, {"name": "logs", "type": "datasource", "query": "loki"}]},
    });
    let sources = Sources::new(&of);
    let other = |name: &str| sources::Whose::Other(name.to_owned());
    for (source, whose) in [
        (json!(null), sources::Whose::Default),
        (json!("Prometheus main"), sources::Whose::Default),
        (json!("Loki"), other("Loki")),
        (json!("${DS_A}"), sources::Whose::Prometheus),
        (json!("${DS_B}"), other("loki")),
        (json!("$ds"), sources::Whose::Prometheus),
        (json!("[[logs]]"), other("loki")),
        (json!("-- Mixed --"), sources::Whose::Default),
        (json!({"type": "prometheus", "uid": "x"}), sources::Whose::Prometheus),
        (json!({"type": "${ds:raw}"}), sources::Whose::Prometheus),
        (json!({"type": "datasource", "uid": "-- Mixed --"}), sources::Whose::Default),
        (json!({"uid": "${logs}"}), other("loki")),
        (json!({"type": "testdata", "uid": "x"}), other("testdata")),
        (json!({"type": "__expr__", "uid": "__expr__"}), other("Grafana’s expressions")),
        (json!([7]), sources::Whose::Default),
    ] {
        assert_eq!(sources.whose(&source), whose, "{source}");
    }
}

#[test]
fn queries_have_names_of_their_own() {
    let panel = panel_of(json!({"type": "stat", "targets": [
        {"expr": "a", "refId": "B"}, {"expr": "b", "refId": "B"}, {"expr": "c"}, {"expr": "d", "refId": 7}, {"expr": ["e"]}, 7
    ]}));
    let names: Vec<&str> = panel.queries.iter().map(|query| query.name.as_str()).collect();
    assert_eq!(names, ["B", "A", "C", "D"]);
}

#[test]
fn words_lose_their_tags_and_scripts() {
    let words = |content: &str| match panel_of(json!({"type": "text", "options": {"content": content}})).kind
    {
        PanelKind::Text(words) => words,
        kind => panic!("{kind:?}"),
    };
    for (content, plain) in [
        ("<h1>Mesh</h1><p>all &lt;b&gt; of it</p>", "Mesh\nall <b> of it"),
        ("a<script>alert('x < y')</script>b<STYLE>p {}</STYLE >c", "abc"),
        ("a<!-- hidden -->b", "ab"),
        ("1 < 2 & 3 > 2", "1 < 2 & 3 > 2"),
        ("## Head\n\n\n\n**bold** `code`\n#hash", "Head\n\nbold `code`\n#hash"),
        ("a ![logo](http://x/y.png) b ![c", "a logo b ![c"),
        ("left <a href=\"x\"", "left"),
        ("<script>never closed", ""),
    ] {
        assert_eq!(words(content), plain, "{content}");
    }
    assert!(words(&"ä".repeat(50_000)).chars().count() <= 10_001);
}

#[test]
fn equal_notes_are_told_once_and_many_are_counted() {
    let mut notes = Notes::new(3);
    ["a", "a", "b", "c", "d", "c", "b"].iter().for_each(|note| notes.add(note));
    assert_eq!(notes.finish(), ["a", "b", "2 more that could not be taken over"]);
    let many = (0..10).map(|n| n.to_string()).chain(["0", "9", "8"].map(str::to_owned));
    assert_eq!(names(many), "0, 1, 2, 3, 4, 5, 6, 7 and 2 more");
}

#[test]
fn the_ends_of_an_axis_that_are_the_wrong_way_round_are_left_out() {
    let panel = panel_of(
        json!({"type": "timeseries", "fieldConfig": {"defaults": {"min": 5, "max": "5", "decimals": 999}}}),
    );
    assert_eq!((panel.min, panel.max, panel.decimals), (None, None, Some(10)));
    assert_eq!(panel.notes.len(), 1);
}

#[test]
fn a_ready_board_that_comes_back_gets_an_id_of_its_own() {
    let mut board = Board::new(BoardId("istio".to_owned()), "Istio");
    let written = write_board(&board);
    let read = read_any(written.as_bytes(), ID).expect("our own");
    assert_eq!((is_ours(written.as_bytes()), read.id.0), (true, ID.to_string()));
    board.id = BoardId(Uuid::from_u128(9).to_string());
    let read = read_any(write_board(&board).as_bytes(), ID).expect("our own");
    assert_eq!(read.id, board.id);
}

#[test]
fn what_stands_around_a_board_is_taken_off() {
    let board = json!({"title": "In it", "panels": []});
    for wrapped in [
        json!({"dashboard": board, "meta": {}}),
        json!({"dashboard": board, "overwrite": true, "inputs": []}),
        json!({"apiVersion": "dashboard.grafana.app/v1beta1", "kind": "Dashboard", "spec": board}),
        json!({"dashboard": {"kind": "Dashboard", "spec": board}}),
        json!({"id": 1860, "json": board}),
    ] {
        assert_eq!(board_of(&wrapped).title, "In it", "{wrapped}");
    }
    let with_mark = format!("\u{feff}{board}");
    assert_eq!(read(with_mark.as_bytes(), ID).expect("a board").title, "In it");
}

#[test]
fn what_is_shown_once_in_place_of_many_asks_for_all() {
    let panel = |title: &str, repeat: Value| {
        json!({"type": "stat", "title": title, "repeat": repeat, "targets": [
            {"expr": r#"a{x="$v", y!= "${v}", z="$v-1", w="$other"} > 1"#}
        ]})
    };
    let board = board_of(&json!({"panels": [
        panel("its own", json!("v")), panel("none", json!(null)),
        {"type": "row", "title": "r", "repeat": "v"}, panel("of its row", json!(null)),
        {"type": "row", "title": "s"}, panel("none again", json!(null)),
    ]}));
    let asked: Vec<(String, usize)> = board
        .panels()
        .map(|(_, panel)| match &panel.queries[0].ask {
            Ask::PromQl(asked) => (asked.clone(), panel.notes.len()),
            ask => panic!("{ask:?}"),
        })
        .collect();
    let same = r#"a{x="$v", y!= "${v}", z="$v-1", w="$other"} > 1"#.to_owned();
    let all = r#"a{x=~"$v", y!~ "${v}", z="$v-1", w="$other"} > 1"#.to_owned();
    assert_eq!(asked, [(all.clone(), 2), (same.clone(), 0), (all, 1), (same, 0)]);
}

#[test]
fn a_name_for_all_series_goes_before_legends() {
    let of = |name: &str| {
        let panel = panel_of(json!({
            "type": "stat", "fieldConfig": {"defaults": {"displayName": name}}, "targets": [{"expr": "a", "legendFormat": "{{ b }}"}]
        }));
        (panel.queries[0].legend.clone(), panel.notes.len())
    };
    for (name, legend, notes) in [
        ("", "{{b}}", 0),
        ("Total", "Total", 0),
        ("${__field.labels.pod} of ${__field.labels[\"ns\"]}", "{{pod}} of {{ns}}", 0),
        ("${__field.name}", "{{b}}", 0),
        ("$__cell_0", "{{b}}", 1),
        ("${__field.labels", "{{b}}", 1),
    ] {
        assert_eq!(of(name), (legend.to_owned(), notes), "{name}");
    }
}
