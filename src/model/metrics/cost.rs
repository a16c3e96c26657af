//! What a run cost: which questions tell it, and what follows from their answers.
//!
//! Processor time is asked as one rate over the whole counted part, at its end ([`Counted::cpu_grid`] and
//! [`Counted::cpu_window_ms`]): a rate over a shorter window at the beginning would count what was used before. Memory is
//! asked over the grid.

use super::board::BoardId;
use super::catalogue::part::{CPU, MEMORY, PODS, either, rate, sum};
use super::kept::{Component, Cost};
use super::measure::{Measure, Op, Selector};
use super::series::{Grid, Point, Series};
use super::source::Scope;
use crate::model::number;

/// Below this share of known time nothing is told.
const COVERED_MIN: f64 = 0.5;
/// From this share on it counts as all.
const COVERED_ALL: f64 = 0.95;
/// The containers of proxies, and what stands beside containers in cAdvisor's metrics.
const NO_APPLICATION: &str = "|POD|istio-proxy|istio-validation|istio-init|linkerd-proxy|linkerd-init|consul-dataplane|\
                              kuma-sidecar|kuma-init|envoy|nginx-mesh-sidecar|nginx-mesh-init";

/// What is asked for one cost. Each measure is one series.
#[derive(Clone, Debug, PartialEq)]
pub struct CostAsk {
    /// Whose.
    pub component: Component,
    /// Of which mesh or what: `istio`, `shop/checkout`.
    pub of: String,
    /// Processors in use.
    pub cpu: Measure,
    /// Bytes in use.
    pub memory: Measure,
}

/// The counted part of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// When it began, in milliseconds since 1970.
    pub from_ms: i64,
    /// When it ended.
    pub to_ms: i64,
    /// Requests that were answered meanwhile.
    pub requests: u64,
}

/// What was answered to a measure, and the moments that it was asked for.
#[derive(Clone, Copy, Debug)]
pub struct Used<'a> {
    /// The series; none where there is none, or an error.
    pub series: Option<&'a Series>,
    /// The moments.
    pub grid: Grid,
}

impl Counted {
    /// When processor time is asked for: once, at the end.
    #[must_use]
    pub fn cpu_grid(&self) -> Grid {
        Grid { from_ms: self.to_ms, to_ms: self.to_ms, step_ms: self.cpu_window_ms() }
    }

    /// Over which time: all of the counted part, at least a second.
    #[must_use]
    pub fn cpu_window_ms(&self) -> i64 {
        self.to_ms.saturating_sub(self.from_ms).max(1000)
    }

    fn seconds(&self) -> f64 {
        self.to_ms.saturating_sub(self.from_ms).max(0) as f64 / 1000.0
    }
}

/// What tells the costs that a ready board is about; none for boards of a person's own.
#[must_use]
pub fn asks(board: &BoardId, scope: &Scope) -> Vec<CostAsk> {
    let key = board.0.as_str();
    let mut asks = Vec::new();
    asks.extend(proxies(key, scope).map(|(cpu, memory)| ask(Component::Proxies, key, cpu, memory)));
    asks.extend(control_plane(key).map(|of| {
        ask(
            Component::ControlPlane,
            key,
            rate(of(Selector::of(CPU)), &[]),
            sum(of(Selector::of(MEMORY)), &[]),
        )
    }));
    if !scope.namespace.is_empty() && super::catalogue::title(key).is_some() && key != "node" {
        let of = |metric: &str| {
            PODS.within(Selector::of(metric).with("container", Op::MatchesNot, NO_APPLICATION), scope)
        };
        let name = match scope.workload.as_str() {
            "" => scope.namespace.clone(),
            workload => format!("{}/{workload}", scope.namespace),
        };
        asks.push(ask(Component::Application, &name, rate(of(CPU), &[]), sum(of(MEMORY), &[])));
    }
    asks
}

/// As [`asks`], of several boards: what two of them are about once.
#[must_use]
pub fn asks_of<'a>(boards: impl IntoIterator<Item = &'a BoardId>, scope: &Scope) -> Vec<CostAsk> {
    let mut all: Vec<CostAsk> = Vec::new();
    for ask in boards.into_iter().flat_map(|board| asks(board, scope)) {
        if !all.iter().any(|it| it.component == ask.component && it.of == ask.of) {
            all.push(ask);
        }
    }
    all
}

/// What follows from the answers, and what one must know of it.
#[must_use]
pub fn cost(ask: &CostAsk, counted: Counted, cpu: Used<'_>, memory: Used<'_>) -> (Cost, Vec<String>) {
    let whose = format!("{} of {}", ask.component.words(), ask.of);
    let mut remarks = Vec::new();
    let cores = known(cpu, &format!("{whose}: processor time"), &mut remarks);
    let bytes = known(memory, &format!("{whose}: memory"), &mut remarks);
    let largest =
        memory.series.map(|it| inside(it, memory.grid).map(|point| point.value).fold(f64::MIN, f64::max));
    let cost = Cost {
        component: ask.component,
        of: ask.of.clone(),
        cpu_s: cores.map(|mean| mean.max(0.0) * counted.seconds()),
        memory_mean_bytes: bytes,
        memory_max_bytes: largest.filter(|_| bytes.is_some()),
        requests: counted.requests,
        seconds: counted.seconds(),
    };
    (cost, remarks)
}

fn ask(component: Component, of: &str, cpu: Measure, memory: Measure) -> CostAsk {
    CostAsk { component, of: of.to_owned(), cpu, memory }
}

/// Processors and memory of the proxies that a board is about.
fn proxies(key: &str, scope: &Scope) -> Option<(Measure, Measure)> {
    let seen = |of: Selector, container: &str| of.with("container", Op::Matches, container);
    let narrow = |metric: &str, container: &str| PODS.within(seen(Selector::of(metric), container), scope);
    let pair = |of: &dyn Fn(&str) -> Selector| (rate(of(CPU), &[]), sum(of(MEMORY), &[]));
    Some(match key {
        "istio" => pair(&|metric| narrow(metric, "istio-proxy").with("pod", Op::MatchesNot, "ztunnel-.*")),
        // Nodes' proxies carry the requests of all, and waypoints those of their namespace: told together.
        "istio-ambient" => pair(&|metric| {
            seen(Selector::of(metric), "istio-proxy").with("pod", Op::Matches, "ztunnel-.*|.*waypoint.*")
        }),
        "linkerd" => {
            let own =
                |metric: &str| PODS.within(Selector::of(metric).with("job", Op::Is, "linkerd-proxy"), scope);
            let (cpu, memory) = pair(&|metric| narrow(metric, "linkerd-proxy"));
            (
                either(rate(own("process_cpu_seconds_total"), &[]), cpu),
                either(sum(own("process_resident_memory_bytes"), &[]), memory),
            )
        }
        "consul" => pair(&|metric| narrow(metric, "consul-dataplane")),
        "kuma" => pair(&|metric| narrow(metric, "kuma-sidecar")),
        "cilium" => pair(&|metric| seen(Selector::of(metric), "cilium-agent|cilium-envoy")),
        "traefik-mesh" => pair(&|metric| {
            let all = Selector::of(metric).with("container", Op::MatchesNot, "|POD");
            all.with("pod", Op::Matches, "traefik-mesh-proxy-.*")
        }),
        "osm" | "app-mesh" => pair(&|metric| narrow(metric, "envoy")),
        "nginx-sm" => pair(&|metric| narrow(metric, "nginx-mesh-sidecar")),
        "envoy" => {
            let own = |metric: &str| PODS.within(Selector::of(metric), scope);
            let process = own("process_cpu_seconds_total").with("job", Op::Matches, ".*envoy.*");
            (
                either(rate(narrow(CPU, ".*envoy.*"), &[]), rate(process, &[])),
                sum(own("envoy_server_memory_allocated"), &[]),
            )
        }
        _ => return None,
    })
}

/// Which containers are the control plane that a board is about.
fn control_plane(key: &str) -> Option<impl Fn(Selector) -> Selector> {
    let (container, pod, namespace) = match key {
        "istio" | "istio-ambient" => ("discovery", "istiod-.*", ""),
        "linkerd" => ("", "", "linkerd"),
        "consul" => ("consul|sidecar-injector", "consul-(server|connect-injector)-.*", ""),
        "kuma" => ("control-plane", "(kuma|kong-mesh)-control-plane-.*", ""),
        "cilium" => ("cilium-operator|hubble-relay", "", ""),
        "traefik-mesh" => ("", "traefik-mesh-controller-.*", ""),
        "osm" => ("", "osm-(controller|injector|bootstrap)-.*", ""),
        "nginx-sm" => ("", "(nginx-mesh-.*|spire-.*|nats-.*)", "nginx-mesh"),
        "app-mesh" => ("controller", "appmesh-controller-.*", ""),
        _ => return None,
    };
    Some(move |of: Selector| {
        let of = match container {
            "" => of.with("container", Op::MatchesNot, "|POD|linkerd-proxy|linkerd-init"),
            container => of.with("container", Op::Matches, container),
        };
        let of = if pod.is_empty() { of } else { of.with("pod", Op::Matches, pod) };
        if namespace.is_empty() { of } else { of.with("namespace", Op::Is, namespace) }
    })
}

/// The mean over the moments, where enough of them are known.
fn known(used: Used<'_>, what: &str, remarks: &mut Vec<String>) -> Option<f64> {
    let points: Vec<Point> =
        used.series.map(|it| inside(it, used.grid).copied().collect()).unwrap_or_default();
    let Some((mean, covered)) = mean(&points, used.grid) else {
        remarks.push(format!("{what} is not known to the source."));
        return None;
    };
    let share = number::percent(covered);
    if covered < COVERED_MIN {
        remarks.push(format!("{what} is only known for {share} of the time, too little to tell."));
        return None;
    }
    if covered < COVERED_ALL {
        remarks.push(format!("{what} is known for {share} of the time; the rest is taken to be like it."));
    }
    Some(mean)
}

fn inside(series: &Series, grid: Grid) -> impl Iterator<Item = &Point> {
    series.points.iter().filter(move |it| it.at_ms >= grid.from_ms && it.at_ms <= grid.to_ms)
}

/// The mean by trapezoids between points that follow each other, and the share of the grid that these cover. None
/// without a point.
fn mean(points: &[Point], grid: Grid) -> Option<(f64, f64)> {
    let moments = grid.len();
    if moments <= 1 {
        return points.last().map(|point| (point.value, 1.0));
    }
    let (mut area, mut covered) = (0.0, 0.0);
    for pair in points.windows(2) {
        let gap = pair[1].at_ms.saturating_sub(pair[0].at_ms);
        // A longer way between two is a gap: what was in it is not known.
        if gap > 0 && gap <= grid.step_ms.saturating_add(grid.step_ms / 2) {
            area += (pair[0].value + pair[1].value) / 2.0 * gap as f64;
            covered += gap as f64;
        }
    }
    let whole = grid.step_ms as f64 * (moments - 1) as f64;
    match covered {
        0.0 => points.last().map(|point| (point.value, 0.0)),
        covered => Some((area / covered, (covered / whole).min(1.0))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRID: Grid = Grid { from_ms: 0, to_ms: 100_000, step_ms: 10_000 };
    const COUNTED: Counted = Counted { from_ms: -2000, to_ms: 100_000, requests: 1000 };

    fn series(points: &[(i64, f64)]) -> Series {
        Series {
            points: points.iter().map(|&(at, value)| Point { at_ms: at * 1000, value }).collect(),
            ..Series::default()
        }
    }

    fn told(cpu: Option<&Series>, memory: Option<&Series>) -> (Cost, Vec<String>) {
        let ask = asks(&BoardId("istio".to_owned()), &Scope::default()).swap_remove(0);
        let cpu = Used { series: cpu, grid: COUNTED.cpu_grid() };
        cost(&ask, COUNTED, cpu, Used { series: memory, grid: GRID })
    }

    #[test]
    fn processor_time_is_its_mean_over_the_whole_times_the_length() {
        assert_eq!(COUNTED.cpu_window_ms(), 102_000);
        let ramp: Vec<(i64, f64)> = (0..=10).map(|at| (at * 10, at as f64)).collect();
        let (cost, remarks) = told(Some(&series(&[(100, 0.5)])), Some(&series(&ramp)));
        assert_eq!((cost.cpu_s, cost.seconds), (Some(51.0), 102.0));
        assert_eq!((cost.memory_mean_bytes, cost.memory_max_bytes), (Some(5.0), Some(10.0)));
        assert_eq!(cost.cpu_s_per_1000(), Some(51.0));
        assert!(remarks.is_empty(), "{remarks:?}");
    }

    #[test]
    fn gaps_are_taken_to_be_like_the_rest_and_said() {
        let half = series(&[(0, 1.0), (10, 1.0), (20, 1.0), (70, 3.0), (80, 3.0), (90, 3.0), (100, 3.0)]);
        let (cost, remarks) = told(None, Some(&half));
        assert_eq!(cost.memory_mean_bytes, Some((2.0 + 9.0) / 5.0));
        assert_eq!(remarks.len(), 2, "{remarks:?}");
        assert_eq!(remarks[0], "Proxies of istio: processor time is not known to the source.");
        assert!(remarks[1].contains("known for 50.0 % of the time; the rest"), "{remarks:?}");
    }

    #[test]
    fn what_is_known_for_less_than_half_the_time_is_not_told() {
        for few in [series(&[(0, 1.0), (10, 1.0), (90, 9.0)]), series(&[(50, 1.0)])] {
            let (cost, remarks) = told(None, Some(&few));
            assert_eq!((cost.memory_mean_bytes, cost.memory_max_bytes), (None, None));
            assert!(remarks[1].contains("too little to tell"), "{remarks:?}");
        }
    }

    #[test]
    fn the_same_rule_holds_where_processors_are_asked_over_a_grid() {
        let ask = asks(&BoardId("istio".to_owned()), &Scope::default()).swap_remove(0);
        let ramp: Vec<(i64, f64)> = (0..=10).map(|at| (at * 10, at as f64 / 10.0)).collect();
        let ramp = series(&ramp);
        let used = Used { series: Some(&ramp), grid: GRID };
        let (cost, _) = cost(&ask, COUNTED, used, used);
        assert_eq!(cost.cpu_s, Some(51.0));
    }

    #[test]
    fn an_application_is_only_asked_for_where_it_is_named() {
        let board = BoardId("istio".to_owned());
        let whose = |scope: &Scope| asks(&board, scope).iter().map(|ask| ask.component).collect::<Vec<_>>();
        assert_eq!(whose(&Scope::default()), [Component::Proxies, Component::ControlPlane]);
        let shop = Scope { namespace: "shop".to_owned(), workload: "checkout".to_owned() };
        assert_eq!(whose(&shop), Component::ALL);
        assert_eq!(asks(&board, &shop)[2].of, "shop/checkout");
        let boards = ["istio", "cluster", "istio-ambient", "mine"].map(|key| BoardId(key.to_owned()));
        let applications =
            asks_of(&boards, &shop).iter().filter(|ask| ask.component == Component::Application).count();
        assert_eq!(applications, 1);
    }

    #[test]
    fn every_mesh_tells_what_its_proxies_and_its_control_plane_cost() {
        for key in super::super::catalogue::ids() {
            let asks = asks(&BoardId(key.to_owned()), &Scope::default());
            let wanted = match key {
                "cluster" | "node" => 0,
                "envoy" => 1,
                _ => 2,
            };
            assert_eq!(asks.len(), wanted, "{key}");
        }
    }
}
