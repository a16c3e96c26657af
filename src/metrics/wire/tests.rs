use super::*;

fn answer(body: &str) -> Result<Answer, Failure> {
    let told: Told<QueryResult> = data(body.as_bytes(), &[])?;
    told.data.answer(told.remarks)
}

fn matrix(values: &str) -> String {
    format!(
        r#"{{"status":"success","data":{{"resultType":"matrix","result":[{{"metric":{{"__name__":"up","a":"b"}},"values":[{values}]}}]}}}}"#
    )
}

fn points(answer: &Answer) -> Vec<(i64, f64)> {
    answer.series[0].points.iter().map(|point| (point.at_ms, point.value)).collect()
}

#[test]
fn a_matrix_a_vector_and_a_scalar_are_series() {
    let found = answer(&matrix(r#"[1700000000.123,"1.5"],[1700000001,"2e3"]"#)).unwrap();
    assert_eq!(points(&found), [(1_700_000_000_123, 1.5), (1_700_000_001_000, 2000.0)]);
    assert_eq!(found.series[0].labels["a"], "b");
    let vector =
        r#"{"status":"success","data":{"result":[{"metric":{},"value":[1,"7"]}],"resultType":"vector"}}"#;
    assert_eq!(points(&answer(vector).unwrap()), [(1000, 7.0)]);
    let scalar = r#"{"status":"success","data":{"resultType":"scalar","result":[1.5,"-3"]}}"#;
    assert_eq!(points(&answer(scalar).unwrap()), [(1500, -3.0)]);
    let empty = r#"{"status":"success","data":{"resultType":"matrix","result":null}}"#;
    assert_eq!(answer(empty).unwrap(), Answer::default());
}

#[test]
fn what_is_no_number_is_a_gap_and_told() {
    let found = answer(&matrix(r#"[1,"1"],[2,"NaN"],[3,"+Inf"],[4,"-Inf"],[5,"5"]"#)).unwrap();
    assert_eq!(points(&found), [(1000, 1.0), (5000, 5.0)]);
    assert_eq!(found.remarks, ["3 values are not a number, and shown as gaps"]);
}

#[test]
fn points_are_ascending_whatever_is_sent() {
    let found = answer(&matrix(r#"[2,"1"],[1,"9"],[2,"9"],[3,"2"]"#)).unwrap();
    assert_eq!(points(&found), [(2000, 1.0), (3000, 2.0)]);
}

#[test]
fn series_beyond_the_limit_are_counted() {
    let one = r#"{"metric":{},"values":[[1,"1"]]}"#;
    let all = vec![one; SERIES_MAX + 7].join(",");
    let body = format!(r#"{{"status":"success","data":{{"resultType":"matrix","result":[{all}]}}}}"#);
    let found = answer(&body).unwrap();
    assert_eq!((found.series.len(), found.left_out), (SERIES_MAX, 7));
}

#[test]
fn histograms_and_warnings_are_told() {
    let body = r#"{"status":"success","warnings":["w"],"infos":["i"],"isPartial":true,
        "data":{"resultType":"matrix","result":[{"metric":{},"histograms":[[1,{"count":"1","buckets":[]}]]}]}}"#;
    let found = answer(body).unwrap();
    assert_eq!(found.remarks.len(), 4, "{:?}", found.remarks);
    assert_eq!(found.remarks[..2], ["w", "i"]);
    assert!(found.remarks[3].starts_with("1 series holds histograms"));
}

#[test]
fn an_error_is_in_the_words_of_the_server() {
    let body = r#"{"status":"error","errorType":"execution","error":"many-to-many matching not allowed"}"#;
    assert_eq!(answer(body), Err(Failure::Query("many-to-many matching not allowed".to_owned())));
    assert!(matches!(answer(r#"{"status":"error"}"#), Err(Failure::Query(_))));
}

#[test]
fn what_is_not_as_it_should_be_says_how() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let deep_inside = format!(r#"{{"status":"success","data":{{"resultType":"matrix","result":{deep}}}}}"#);
    let deep_beside =
        format!(r#"{{"status":"success","x":{deep},"data":{{"resultType":"matrix","result":[1]}}}}"#);
    let whole = matrix(r#"[1,"1"]"#);
    for (body, word) in [
        ("", "empty"),
        ("{", "breaks off"),
        (&whole[..whole.len() - 9], "breaks off"),
        ("no", "not JSON"),
        ("{}", "no data"),
        (r#"{"status":"success","data":null}"#, "no data"),
        (r#"{"status":"success","data":{"resultType":"matrix","result":7}}"#, "not as it should be"),
        (r#"{"status":"success","data":{"resultType":"matrix","result":[7]}}"#, "a series that is none"),
        (r#"{"status":"success","data":{"resultType":"scalar","result":["x","y"]}}"#, "without its moment"),
        (r#"{"status":"success","data":{"resultType":"scalar","result":[1,"y"]}}"#, "no number"),
        (&matrix(r#"[1,"x"]"#), "not as it should be"),
        (&matrix(r#"["1","2"]"#), "not as it should be"),
        (&matrix(r#"[1]"#), "not as it should be"),
        (&matrix(r#"{"a":1}"#), "not as it should be"),
        ("[1,2,3]", "not as it should be"),
        (&deep, "not"),
        (&deep_inside, "not"),
        (&deep_beside, "a series that is none"),
    ] {
        match answer(body) {
            Err(Failure::Odd(what)) => assert!(what.contains(word), "{body:.60}: {what}"),
            other => panic!("{body:.60}: {other:?}"),
        }
    }
}

#[test]
fn a_string_has_no_value_but_does_no_harm() {
    let body = r#"{"status":"success","data":{"resultType":"string","result":[1,"x"]}}"#;
    assert!(answer(body).is_err());
}

#[test]
fn members_of_a_vector_are_written_as_grafana_does() {
    let body = r#"{"status":"success","data":{"resultType":"vector","result":[
        {"metric":{"__name__":"up","a":"b\"c"},"value":[1.5,"7"]},{"metric":{},"value":[2,"1"]}]}}"#;
    let told: Told<QueryResult> = data(body.as_bytes(), &[]).unwrap();
    assert_eq!(told.data.lines().unwrap(), [r#"up{a="b\"c"} 7 1500"#, "{} 1 2000"]);
}

#[test]
fn values_of_labels_are_written_as_promql_reads_them() {
    let labels = Labels::from([("a".to_owned(), "zero\u{200b}width, it's".to_owned())]);
    assert_eq!(selector(&labels), "{a=\"zero\u{200b}width, it's\"}");
}
