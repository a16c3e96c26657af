//! Pages of Services through the API server's own proxy, and what pods use as the metrics API tells it.

use std::time::Duration;

use http::header::CONTENT_TYPE;
use kube::client::Body;
use serde_json::Value;
use url::form_urlencoded::byte_serialize;

use super::facts::quantity;
use super::words::{bounded, of_kube, silent, trouble};
use super::{ANSWER_MAX, Link};
use crate::model::cluster::Trouble;
use crate::model::metrics::usage::PodUsage;

/// The largest page that is taken, in bytes.
const PAGE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// The most pods whose usage is taken.
const PODS_MAX: usize = 20_000;
const USAGE_PATH: &str = "/apis/metrics.k8s.io/v1beta1/pods";

/// A page as it was answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fetched {
    /// Its status code: the Service's own, or the API server's where that answered itself.
    pub status: u16,
    /// `application/json`; empty where it was not said.
    pub content_type: String,
    /// What it holds.
    pub bytes: Vec<u8>,
}

impl Link {
    /// A page of a Service through the API server's proxy, within `patience`. `path` begins with `/` and may have a query.
    ///
    /// The API server takes a login for itself: what the Service would want one for cannot be asked this way.
    ///
    /// # Errors
    /// Why there is no answer, in words. An answer that refuses is an answer.
    pub async fn fetch(
        &self,
        (namespace, name, port): (&str, &str, u16),
        path: &str,
        headers: &[(String, String)],
        patience: Duration,
    ) -> Result<Fetched, Trouble> {
        let place = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
        let way =
            format!("/api/v1/namespaces/{}/services/{}:{port}/proxy{path}", place(namespace), place(name));
        self.page(&way, headers, patience).await
    }

    /// What the containers of all pods use now, as the cluster's metrics API tells it.
    ///
    /// # Errors
    /// Why it is not known, in words: mostly that nothing serves that API.
    pub async fn usage(&self) -> Result<Vec<PodUsage>, Trouble> {
        let fetched = self.page(USAGE_PATH, &[], ANSWER_MAX).await?;
        let said = || bounded(&String::from_utf8_lossy(&fetched.bytes));
        match fetched.status {
            200 => read_usage(&fetched.bytes).map_err(|cause| {
                trouble("The metrics API answered something else", cause, "Check what serves metrics.k8s.io")
            }),
            404 | 503 => Err(trouble(
                "The cluster serves no metrics API",
                said(),
                "Install metrics-server, or use a Prometheus",
            )),
            401 | 403 => Err(trouble(
                "You may not read what pods use",
                said(),
                "Ask for the right to list pods of metrics.k8s.io",
            )),
            status => Err(trouble(
                "The metrics API did not answer",
                format!("status {status}: {}", said()),
                "Try again later",
            )),
        }
    }

    async fn page(
        &self,
        way: &str,
        headers: &[(String, String)],
        patience: Duration,
    ) -> Result<Fetched, Trouble> {
        let (client, server, through) = self.parts();
        let mut request = http::Request::get(way);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.body(Body::empty()).map_err(|error| {
            trouble("The address cannot be asked", error.to_string(), "Check the name and path of the source")
        })?;
        let asked = async {
            let answer = client.send(request).await.map_err(|error| of_kube(&error, server, through))?;
            let status = answer.status().as_u16();
            let kind = answer.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
            let content_type = kind.unwrap_or_default().to_owned();
            let body = axum::body::Body::new(answer.into_body());
            let bytes = axum::body::to_bytes(body, PAGE_BYTES_MAX).await.map_err(|error| {
                let cause = format!("{error} (at most {} MiB are taken)", PAGE_BYTES_MAX >> 20);
                trouble("The answer broke off", cause, "Ask for less at once, or try again")
            })?;
            Ok(Fetched { status, content_type, bytes: bytes.to_vec() })
        };
        tokio::time::timeout(patience, asked)
            .await
            .unwrap_or_else(|_| Err(silent(server, &format!("no answer within {} s", patience.as_secs()))))
    }
}

/// Reads a `PodMetricsList`.
fn read_usage(bytes: &[u8]) -> Result<Vec<PodUsage>, String> {
    let list: Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let items = list.get("items").and_then(Value::as_array).ok_or("it has no list of pods")?;
    let mut usages = Vec::new();
    for item in items.iter().take(PODS_MAX) {
        let text = |path: &str| item.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (namespace, pod) = (text("/metadata/namespace"), text("/metadata/name"));
        let at = text("/timestamp").parse::<jiff::Timestamp>();
        let at_ms = at.map_err(|_| format!("{namespace}/{pod} has no time"))?.as_millisecond();
        for container in item.get("containers").and_then(Value::as_array).into_iter().flatten() {
            let value = |path: &str| container.pointer(path).and_then(Value::as_str).and_then(quantity);
            usages.push(PodUsage {
                namespace: namespace.clone(),
                pod: pod.clone(),
                container: container.get("name").and_then(Value::as_str).unwrap_or_default().to_owned(),
                at_ms,
                cpu_cores: value("/usage/cpu"),
                memory_bytes: value("/usage/memory"),
            });
        }
    }
    Ok(usages)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_pods_use_is_read_and_other_words_are_refused() {
        let list = r#"{"items":[{"metadata":{"namespace":"shop","name":"web-1"},
            "timestamp":"2026-11-29T10:00:00Z","window":"15s","containers":[
            {"name":"web","usage":{"cpu":"250m","memory":"64Mi"}},{"name":"istio-proxy","usage":{}}]}]}"#;
        let usages = read_usage(list.as_bytes()).unwrap();
        assert_eq!(usages.len(), 2);
        assert_eq!((usages[0].cpu_cores, usages[0].memory_bytes), (Some(0.25), Some(67_108_864.0)));
        assert_eq!((usages[1].container.as_str(), usages[1].cpu_cores), ("istio-proxy", None));
        for bad in ["<html>", "{}", r#"{"items":[{"metadata":{}}]}"#, r#"{"items":7}"#] {
            assert!(read_usage(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
