//! Which Services of a cluster are sources of metrics, by what their charts call them.

use super::source::Place;
use crate::model::cluster::ContextKey;
use crate::model::inventory::{Inventory, Port, Service};
use crate::model::plan::TargetKind;

/// The most that are found in one cluster.
pub const FOUND_MAX: usize = 20;

/// What a Service seems to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Speaks Prometheus' API.
    Prometheus,
    /// A Grafana.
    Grafana,
}

/// How a source is told: by `app.kubernetes.io/name` or `app`, else by its Service's own name; and the ports and the
/// path that its API is at.
struct Rule {
    names: &'static [&'static str],
    kind: Kind,
    ports: &'static [u16],
    path: &'static str,
}

const RULES: [Rule; 5] = [
    Rule {
        names: &["prometheus", "prometheus-server", "prometheus-k8s", "kube-prometheus-stack-prometheus"],
        kind: Kind::Prometheus,
        ports: &[9090, 80],
        path: "",
    },
    Rule {
        names: &["thanos-query", "thanos-query-frontend", "thanos-querier"],
        kind: Kind::Prometheus,
        ports: &[9090, 10902, 80],
        path: "",
    },
    Rule {
        names: &["mimir-query-frontend", "mimir-gateway", "mimir-nginx"],
        kind: Kind::Prometheus,
        ports: &[80, 8080],
        path: "/prometheus",
    },
    Rule {
        names: &["vmsingle", "victoria-metrics-single", "victoria-metrics-single-server", "vmselect"],
        kind: Kind::Prometheus,
        ports: &[8428, 8429],
        path: "",
    },
    Rule { names: &["grafana"], kind: Kind::Grafana, ports: &[3000, 80], path: "" },
];

/// The sources of a cluster, Prometheus' kind first.
#[must_use]
pub fn find(context: &ContextKey, seen: &Inventory) -> Vec<(Kind, Place)> {
    let mut found: Vec<(Kind, Place)> = seen
        .services
        .iter()
        .filter_map(|service| {
            let rule = RULES.iter().find(|rule| rule.is_of(service))?;
            let port = rule.port(service)?;
            let place = Place::Cluster {
                context: context.clone(),
                kind: TargetKind::Service,
                namespace: service.namespace.clone(),
                name: service.name.clone(),
                port: port.port,
                path: rule.path.to_owned(),
            };
            Some((rule.kind, place))
        })
        .collect();
    found.sort_by_key(|(kind, _)| *kind);
    found.truncate(FOUND_MAX);
    found
}

impl Rule {
    fn is_of(&self, service: &Service) -> bool {
        let labels = ["app.kubernetes.io/name", "app"].map(|key| service.labels.get(key).map(String::as_str));
        let said = labels.into_iter().flatten().any(|name| self.names.contains(&name));
        said || self.names.contains(&service.name.as_str())
    }

    /// The port of its API: by number, else one that is called `http` or `web`. Services without are others of its parts.
    fn port<'a>(&self, service: &'a Service) -> Option<&'a Port> {
        let tcp = || service.ports.iter().filter(|port| port.is_tcp);
        let numbered = self.ports.iter().find_map(|number| tcp().find(|port| port.port == *number));
        numbered.or_else(|| {
            tcp().find(|port| matches!(port.name.as_str(), "http" | "http-web" | "web" | "service"))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::inventory::ServiceKind;

    fn service(name: &str, app: &str, ports: &[(&str, u16)]) -> Arc<Service> {
        let port = |(name, port): &(&str, u16)| Port {
            name: (*name).to_owned(),
            port: *port,
            target: port.to_string(),
            node_port: None,
            app_protocol: String::new(),
            is_tcp: true,
        };
        Arc::new(Service {
            namespace: "monitoring".to_owned(),
            name: name.to_owned(),
            labels: [("app.kubernetes.io/name".to_owned(), app.to_owned())].into(),
            selector: Default::default(),
            kind: ServiceKind::ClusterIp,
            ports: ports.iter().map(port).collect(),
            external: Vec::new(),
        })
    }

    #[test]
    fn servers_are_found_by_what_their_charts_call_them_and_others_are_not() {
        let services = vec![
            service("grafana", "grafana", &[("http", 80)]),
            service("prom", "prometheus", &[("web", 9090), ("reloader", 8080)]),
            service("prom-alertmanager", "alertmanager", &[("http", 9093)]),
            service("prom-operated", "prometheus", &[("grpc", 10_901)]),
            service("mimir-nginx", "mimir", &[("http-metric", 80)]),
            service("web", "shop", &[("http", 9090)]),
        ];
        let seen = Inventory { services: Arc::new(services), ..Inventory::default() };
        let context = ContextKey { file: "/config".into(), name: "dev".to_owned() };
        let found: Vec<(Kind, String)> =
            find(&context, &seen).into_iter().map(|(kind, place)| (kind, place.words())).collect();
        assert_eq!(
            found.iter().map(|(kind, words)| (*kind, words.as_str())).collect::<Vec<_>>(),
            [
                (Kind::Prometheus, "Service monitoring/prom:9090 in dev"),
                (Kind::Prometheus, "Service monitoring/mimir-nginx:80 in dev, path /prometheus"),
                (Kind::Grafana, "Service monitoring/grafana:80 in dev"),
            ]
        );
    }
}
