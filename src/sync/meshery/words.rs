//! What is said to a provider, and what is read of its answers: pure. Names changed over the years, so each is written in
//! one of two ways.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::Publication;

/// The most characters of a name.
const NAME_CHARS_MAX: usize = 255;
/// The most connections of a profile.
const CONNECTIONS_MAX: u32 = 100_000;
/// The highest rate of a profile.
const RATE_MAX: u64 = 1_000_000;
/// The most characters of a profile's endpoint.
const ENDPOINT_CHARS_MAX: usize = 2048;
/// The most profiles that are looked at.
pub(super) const PROFILES_MAX: usize = 100;
/// What says of itself that it sent the load.
const GENERATOR: &str = "meshbench";

/// How a provider writes names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Era {
    /// Up to 2024: `runner_results`.
    Snake,
    /// From 2026 on: `runnerResults`.
    Camel,
}

/// Where a provider keeps profiles, and how it writes names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) era: Era,
    pub(super) profiles: String,
}

impl Place {
    /// What capabilities say; none where they do not tell.
    pub(super) fn of(capabilities: &Value) -> Option<Self> {
        let features = capabilities["capabilities"].as_array()?;
        let has_profiles = |feature: &&Value| feature["feature"] == "persist-performance-profiles";
        let profiles = features.iter().find(has_profiles)?["endpoint"].as_str()?;
        let profiles = profiles.trim_end_matches('/').to_owned();
        let has = |keys: [&str; 2]| keys.iter().any(|key| capabilities.get(key).is_some());
        let era = if has(["packageVersion", "providerType"]) {
            Era::Camel
        } else if has(["package_version", "provider_type"]) || !profiles.starts_with("/api/") {
            Era::Snake
        } else {
            Era::Camel
        };
        Some(Self { era, profiles })
    }

    /// Where the documents of each year say that they are, the newest first.
    pub(super) fn documented() -> Vec<Self> {
        vec![
            Self { era: Era::Camel, profiles: "/api/performance/profiles".to_owned() },
            Self { era: Era::Snake, profiles: "/user/performance/profiles".to_owned() },
        ]
    }
}

impl Era {
    /// A name, given as the older years write it.
    fn name(self, snake: &str) -> String {
        if self == Self::Snake {
            return snake.to_owned();
        }
        let mut words = snake.split('_');
        let first = words.next().unwrap_or_default().to_owned();
        words.fold(first, |name, word| {
            let (head, rest) = word.split_at(word.len().min(1));
            name + &head.to_ascii_uppercase() + rest
        })
    }

    fn named<const N: usize>(self, fields: [(&str, Value); N]) -> Value {
        Value::Object(fields.into_iter().map(|(name, value)| (self.name(name), value)).collect())
    }

    /// How many profiles one page of them has: older providers know no other name of it.
    pub(super) fn page_size(self) -> &'static str {
        match self {
            Self::Snake => "pagesize",
            Self::Camel => "pageSize",
        }
    }

    /// A profile as it is made.
    pub(super) fn profile(self, publication: &Publication) -> Value {
        let profile = &publication.profile;
        let endpoint: String = profile.url.chars().take(ENDPOINT_CHARS_MAX).collect();
        self.named([
            ("name", bounded(&profile.name).into()),
            ("load_generators", json!([GENERATOR])),
            ("endpoints", json!([endpoint])),
            ("service_mesh", publication.mesh.clone().into()),
            ("concurrent_request", profile.connections.clamp(1, CONNECTIONS_MAX).into()),
            ("qps", profile.rate_per_sec.min(RATE_MAX).into()),
            ("duration", profile.duration.clone().into()),
        ])
    }

    /// A result as it is published.
    pub(super) fn result(self, publication: &Publication, profile: &str) -> Value {
        let mut runner = publication.runner_results.clone();
        if let Value::Object(fields) = &mut runner {
            fields.insert("load-generator".to_owned(), GENERATOR.into());
        }
        self.named([
            ("meshery_id", Uuid::nil().to_string().into()),
            ("name", bounded(&publication.name).into()),
            ("mesh", publication.mesh.clone().into()),
            ("performance_profile", profile.into()),
            ("test_id", publication.test_id.clone().into()),
            ("runner_results", runner),
            ("test_start_time", publication.started.to_string().into()),
        ])
    }
}

/// The id of the profile of this name, in a page of profiles.
pub(super) fn profile_id(page: &Value, name: &str) -> Option<String> {
    let lists = ["profiles", "results"].into_iter().filter_map(|key| page.get(key).and_then(Value::as_array));
    let name = bounded(name);
    lists.flatten().take(PROFILES_MAX).find(|profile| profile["name"] == name.as_str()).and_then(id)
}

/// The id in what was made. It becomes part of a path, so it must be one.
pub(super) fn id(made: &Value) -> Option<String> {
    let id = made.get("id")?.as_str()?;
    Uuid::parse_str(id).ok().map(|id| id.to_string())
}

/// The renewed blob.
pub(super) fn renewed(answer: &Value) -> Option<&str> {
    answer.as_object().and_then(|answer: &Map<String, Value>| answer.get("token")).and_then(Value::as_str)
}

fn bounded(name: &str) -> String {
    name.chars().take(NAME_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_year_has_its_names() {
        assert_eq!(Era::Snake.name("test_start_time"), "test_start_time");
        assert_eq!(Era::Camel.name("test_start_time"), "testStartTime");
        assert_eq!(Era::Camel.name("mesh"), "mesh");
    }

    #[test]
    fn capabilities_tell_the_year_and_the_place() {
        let feature = |endpoint| json!([{"feature": "persist-performance-profiles", "endpoint": endpoint}]);
        let said = |place: Option<Place>| place.map(|place| (place.era, place.profiles));
        for (capabilities, expected) in [
            (
                json!({"package_version": "v0.7", "capabilities": feature("/user/performance/profiles")}),
                Some((Era::Snake, "/user/performance/profiles".to_owned())),
            ),
            (
                json!({"packageVersion": "v1", "capabilities": feature("/elsewhere/")}),
                Some((Era::Camel, "/elsewhere".to_owned())),
            ),
            (
                json!({"capabilities": feature("/api/performance/profiles")}),
                Some((Era::Camel, "/api/performance/profiles".to_owned())),
            ),
            (json!({"capabilities": []}), None),
            (json!([]), None),
        ] {
            assert_eq!(said(Place::of(&capabilities)), expected, "{capabilities}");
        }
    }

    #[test]
    fn an_id_that_is_none_never_becomes_a_path() {
        assert_eq!(id(&json!({"id": "../../user"})), None);
        assert_eq!(id(&json!({"id": 7})), None);
        let nil = Uuid::nil().to_string();
        assert_eq!(id(&json!({"id": nil})), Some(nil));
    }
}
