//! What servers of metrics and Grafana answer, read with limits: what is beyond them is counted, not kept.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::failure::{Failure, said};
use crate::model::metrics::promql::quoted;
use crate::model::metrics::series::SERIES_MAX;
use crate::model::metrics::{Answer, Point, Series};
use crate::model::{Labels, number};

/// The most of what a server has to say beside its answer that is kept.
const REMARKS_MAX: usize = 10;

/// What Prometheus' API wraps every answer in.
#[derive(Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
struct Envelope<T> {
    #[serde(default)]
    status: String,
    data: Option<T>,
    error: Option<String>,
    #[serde(default)]
    warnings: Option<Vec<String>>,
    #[serde(default)]
    infos: Option<Vec<String>>,
    /// VictoriaMetrics: some of its stores did not answer.
    #[serde(default, rename = "isPartial")]
    is_partial: bool,
}

/// An answer, and what the server had to say beside it.
pub(super) struct Told<T> {
    pub(super) data: T,
    pub(super) remarks: Vec<String>,
}

/// The data of an answer of Prometheus' API.
pub(super) fn data<T: DeserializeOwned>(body: &[u8], secrets: &[String]) -> Result<Told<T>, Failure> {
    let envelope: Envelope<T> = json(body, secrets)?;
    if envelope.status == "error" {
        let error = envelope.error.unwrap_or_else(|| "it says that it failed, and not why".to_owned());
        return Err(Failure::Query(said(&error, secrets)));
    }
    let Some(data) = envelope.data else {
        return Err(Failure::Odd("its answer holds no data".to_owned()));
    };
    let told = envelope.warnings.into_iter().chain(envelope.infos).flatten();
    let mut remarks: Vec<String> = told.take(REMARKS_MAX).map(|remark| said(&remark, secrets)).collect();
    if envelope.is_partial {
        remarks.push("Some of the server’s stores did not answer: the data is not whole".to_owned());
    }
    Ok(Told { data, remarks })
}

/// A document in JSON.
pub(super) fn json<T: DeserializeOwned>(body: &[u8], secrets: &[String]) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|error| {
        let what = match error.classify() {
            serde_json::error::Category::Eof if body.is_empty() => "its answer is empty".to_owned(),
            serde_json::error::Category::Eof => "its answer breaks off in the middle".to_owned(),
            serde_json::error::Category::Data => {
                format!("its answer is not as it should be: {}", said(&error.to_string(), secrets))
            }
            _ => "its answer is not JSON".to_owned(),
        };
        Failure::Odd(what)
    })
}

/// What an answer in JSON says for people, as Prometheus (`error`), Grafana (`message`) and others do.
pub(super) fn told(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Words {
        error: Option<String>,
        message: Option<String>,
    }
    let words: Words = serde_json::from_slice(body).ok()?;
    words.error.or(words.message)
}

/// At most so many; the rest is counted.
pub(super) struct Bounded<T, const MAX: usize> {
    pub(super) items: Vec<T>,
    pub(super) left_out: usize,
}

impl<'de, T: Deserialize<'de>, const MAX: usize> Deserialize<'de> for Bounded<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List<T, const MAX: usize>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for List<T, MAX> {
            type Value = Bounded<T, MAX>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut items = Vec::new();
                while items.len() < MAX {
                    let Some(item) = seq.next_element()? else { return Ok(Bounded { items, left_out: 0 }) };
                    items.push(item);
                }
                let mut left_out = 0;
                while seq.next_element::<IgnoredAny>()?.is_some() {
                    left_out += 1;
                }
                Ok(Bounded { items, left_out })
            }

            // Mimir and others say `null` for an empty list.
            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Bounded { items: Vec::new(), left_out: 0 })
            }
        }
        deserializer.deserialize_any(List(PhantomData))
    }
}

/// What a query was answered: a matrix, a vector, or one value.
#[derive(Deserialize)]
pub(super) struct QueryResult {
    #[serde(rename = "resultType")]
    kind: String,
    result: Bounded<Item, SERIES_MAX>,
}

/// A member of a matrix or vector; or, of a scalar or string, its moment or its value.
enum Item {
    One(One),
    Moment(f64),
    Text(String),
}

#[derive(Default)]
struct One {
    labels: Labels,
    points: Vec<Point>,
    gaps: usize,
    has_histograms: bool,
}

impl QueryResult {
    /// As series; what is no number is a gap, and told.
    pub(super) fn answer(self, remarks: Vec<String>) -> Result<Answer, Failure> {
        let mut answer = Answer { left_out: self.result.left_out, remarks, ..Answer::default() };
        let mut items = self.result.items.into_iter();
        let (mut gaps, mut histograms) = (0, 0);
        if self.kind == "scalar" || self.kind == "string" {
            let (Some(Item::Moment(at)), Some(Item::Text(text))) = (items.next(), items.next()) else {
                return Err(odd("a value without its moment"));
            };
            let mut one = One::default();
            one.push(at, &text)?;
            gaps += one.gaps;
            answer.series.push(Series { labels: Labels::new(), points: one.points });
        }
        for item in items {
            let Item::One(one) = item else { return Err(odd("a series that is none")) };
            gaps += one.gaps;
            histograms += usize::from(one.has_histograms);
            answer.series.push(Series { labels: one.labels, points: one.points });
        }
        if gaps > 0 {
            answer.remarks.push(format!(
                "{} not a number, and shown as {}",
                of(gaps, "value is", "values are"),
                if gaps == 1 { "a gap" } else { "gaps" }
            ));
        }
        if histograms > 0 {
            answer.remarks.push(format!(
                "{} histograms, which have no single value; ask for a quantile or a sum of them",
                of(histograms, "series holds", "series hold")
            ));
        }
        Ok(answer)
    }

    /// As Grafana writes the members of a vector: `name{label="value"} 1 1700000000000`.
    pub(super) fn lines(self) -> Result<Vec<String>, Failure> {
        let answer = self.answer(Vec::new())?;
        let line = |series: &Series| {
            let point = series.points.last();
            let value = point.map(|point| format!(" {} {}", point.value, point.at_ms)).unwrap_or_default();
            format!("{}{value}", selector(&series.labels))
        };
        Ok(answer.series.iter().map(line).collect())
    }
}

/// `name{label="value"}`
pub(super) fn selector(labels: &Labels) -> String {
    let name = labels.get("__name__").map_or("", String::as_str);
    let rest = labels.iter().filter(|(key, _)| *key != "__name__");
    let rest: Vec<String> = rest.map(|(key, value)| format!("{key}={}", quoted(value))).collect();
    if rest.is_empty() && !name.is_empty() {
        name.to_owned()
    } else {
        format!("{name}{{{}}}", rest.join(","))
    }
}

impl One {
    /// A value at a moment in seconds.
    fn push(&mut self, at_s: f64, text: &str) -> Result<(), Failure> {
        let value: f64 = text.trim().parse().map_err(|_| odd("a value that is no number"))?;
        self.put(at_s, value);
        Ok(())
    }

    fn put(&mut self, at_s: f64, value: f64) {
        let at_ms = (at_s * 1000.0).round() as i64;
        // Ascending, whatever the server sends.
        if self.points.last().is_some_and(|last| last.at_ms >= at_ms) {
            return;
        }
        if value.is_finite() { self.points.push(Point { at_ms, value }) } else { self.gaps += 1 }
    }
}

fn odd(what: &str) -> Failure {
    Failure::Odd(format!("its answer holds {what}"))
}

fn of(count: usize, one: &str, many: &str) -> String {
    format!("{} {}", number::count(count as u64), if count == 1 { one } else { many })
}

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Item;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a series, or a moment and a value")
            }

            fn visit_f64<E>(self, at: f64) -> Result<Item, E> {
                Ok(Item::Moment(at))
            }

            fn visit_u64<E>(self, at: u64) -> Result<Item, E> {
                Ok(Item::Moment(at as f64))
            }

            fn visit_i64<E>(self, at: i64) -> Result<Item, E> {
                Ok(Item::Moment(at as f64))
            }

            fn visit_str<E>(self, text: &str) -> Result<Item, E> {
                Ok(Item::Text(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Item, A::Error> {
                one(map).map(Item::One)
            }
        }
        deserializer.deserialize_any(Any)
    }
}

fn one<'de, A: MapAccess<'de>>(mut map: A) -> Result<One, A::Error> {
    let mut one = One::default();
    while let Some(key) = map.next_key::<Cow<'_, str>>()? {
        match key.as_ref() {
            "metric" => one.labels = map.next_value()?,
            "value" => {
                let Pair(at, value) = map.next_value()?;
                one.put(at, value);
            }
            "values" => {
                for Pair(at, value) in map.next_value::<Vec<Pair>>()? {
                    one.put(at, value);
                }
            }
            "histogram" | "histograms" => {
                map.next_value::<IgnoredAny>()?;
                one.has_histograms = true;
            }
            _ => {
                map.next_value::<IgnoredAny>()?;
            }
        }
    }
    Ok(one)
}

/// A moment in seconds and a value, which is written as a text so that it may be `NaN`.
struct Pair(f64, f64);

impl<'de> Deserialize<'de> for Pair {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (at, Number(value)) = <(f64, Number)>::deserialize(deserializer)?;
        Ok(Self(at, value))
    }
}

/// A number, or a text that is one.
struct Number(f64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl Visitor<'_> for Any {
            type Value = Number;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number as a text")
            }

            fn visit_f64<E>(self, value: f64) -> Result<Number, E> {
                Ok(Number(value))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Number, E> {
                Ok(Number(value as f64))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Number, E> {
                Ok(Number(value as f64))
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Number, E> {
                text.parse()
                    .map(Number)
                    .map_err(|_| E::invalid_value(serde::de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// What a server says of itself.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct BuildInfo {
    pub(super) version: String,
    pub(super) application: String,
    pub(super) revision: String,
    #[serde(rename = "goVersion")]
    pub(super) go_version: String,
}

/// What a server reads.
#[derive(Deserialize)]
pub(super) struct Targets {
    #[serde(rename = "activeTargets")]
    pub(super) active: Option<Vec<Target>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Target {
    pub(super) health: String,
    #[serde(rename = "scrapeUrl")]
    pub(super) url: String,
    #[serde(rename = "lastError")]
    pub(super) error: String,
    #[serde(rename = "scrapeInterval")]
    pub(super) every: String,
}

/// The settings of a server.
#[derive(Deserialize)]
pub(super) struct Config {
    pub(super) yaml: String,
}

/// How a Grafana is.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Health {
    pub(super) version: String,
    pub(super) database: String,
}

/// A data source of a Grafana.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct DataSource {
    pub(super) uid: String,
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(rename = "isDefault")]
    pub(super) is_default: bool,
}

/// What a Grafana's own page starts with.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Settings {
    #[serde(rename = "datasources")]
    pub(super) data_sources: BTreeMap<String, DataSource>,
    #[serde(rename = "defaultDatasource")]
    pub(super) default: String,
}

/// What a Grafana found.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Hit {
    pub(super) uid: String,
    pub(super) title: String,
    #[serde(rename = "folderTitle")]
    pub(super) folder: String,
}

#[cfg(test)]
mod tests;
