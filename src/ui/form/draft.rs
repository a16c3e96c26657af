//! A plan as it is being typed: texts, which may be wrong, and the plan that they stand for.

mod request;
mod target;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use crate::model::plan::{
    self, Arrivals, Curve, Data, Field, Order, PLAN_VERSION, Profile, REDIRECTS_MAX, ServiceTarget, Session,
    Stage, Variant,
};
use crate::model::{Goal, Pacing, Plan, Request, Stop, duration};

use super::labels::{LabelAt, LabelDraft};

use request::Rows;
pub use request::{BodyKind, RequestDraft, VariantDraft, Which};
pub(super) use target::Echo;
pub use target::{ClientKind, ProtocolKind, ResolveDraft, SchemaKind, TargetDraft};

/// A plan as it is being typed.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// What a person calls it.
    pub name: String,
    /// Where the load goes.
    pub url: String,
    /// The Service of a cluster that it is, if it is one.
    pub service: Option<ServiceTarget>,
    /// Protocol, TLS and ways to the target.
    pub target: TargetDraft,
    /// How requests are paced.
    pub pacing: PacingKind,
    /// Requests per second; unused when there is no rate.
    pub rate: String,
    /// Stages of a rate that changes, one a line or with semicolons between them.
    pub stages: String,
    /// Whether the requests of stages come at random moments.
    pub random_stages: bool,
    /// How long a connection waits after each answer where it goes as fast as possible.
    pub think: String,
    /// The file with the moments of a replay.
    pub replay_file: String,
    /// Connections at most.
    pub connections: String,
    /// What ends the run.
    pub stop: StopKind,
    /// Length of the run; unused when requests are counted.
    pub duration: String,
    /// Number of requests; unused when time ends the run.
    pub requests: String,
    /// Length of the warm-up.
    pub warmup: String,
    /// How long one request may take.
    pub timeout: String,
    /// What is sent, unless there are several requests.
    pub request: RequestDraft,
    /// Several requests among which each due one is chosen.
    pub variants: Vec<VariantDraft>,
    /// Whether `{{name}}` stands for something even without data.
    pub templates: bool,
    /// The file with rows for templates; empty for none.
    pub data_file: String,
    /// Which row is next.
    pub data_order: Order,
    /// Whether cookies that an answer sets are sent with later requests.
    pub keep_cookies: bool,
    /// Redirects that a request follows at most.
    pub follow_redirects: String,
    /// Labels.
    pub labels: LabelDraft,
    /// Goal rows; an empty one is not part of the plan.
    pub goals: Vec<String>,
    /// Whether the run ends once a goal cannot be reached any more.
    pub give_up: bool,
    /// Accept any certificate.
    pub insecure: bool,
    /// Empty for none.
    pub ca_file: String,
}

/// How requests are paced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PacingKind {
    /// Evenly spaced.
    Constant,
    /// Independent arrivals.
    Poisson,
    /// As fast as answers come.
    Max,
    /// A rate that changes, stage by stage.
    Stages,
    /// At the moments that a file has.
    Replay,
}

/// What ends a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopKind {
    /// A time.
    Duration,
    /// A number of requests.
    Requests,
    /// A person, or the end of a profile.
    Never,
}

/// A place in the form, so that a reason can stand beside it. Rows count from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum At {
    /// The URL.
    Url,
    /// Protocol and streams.
    Protocol,
    /// The gRPC call.
    Grpc,
    /// The message of the gRPC call: its syntax, and what its schema says of it.
    Message,
    /// The method.
    Method,
    /// The rate.
    Rate,
    /// The number of connections.
    Connections,
    /// Duration or number of requests.
    Stop,
    /// The warm-up.
    Warmup,
    /// The timeout.
    Timeout,
    /// The name.
    Name,
    /// The content type.
    ContentType,
    /// A header row.
    Header(usize),
    /// A cookie row.
    Cookie(usize),
    /// The credentials.
    BasicAuth,
    /// The body.
    Body,
    /// Several requests, all together.
    Variants,
    /// One of several requests.
    Variant(usize),
    /// Data and templates.
    Data,
    /// What is remembered from an answer.
    Session,
    /// A label.
    Label(LabelAt),
    /// A goal row.
    Goal(usize),
    /// Certificates and names.
    Tls,
    /// After how many requests a connection is closed.
    Reuse,
    /// An address given by hand.
    Resolve(usize),
    /// Other ways to the target.
    Reach,
    /// No field of the form: said beside the button that runs the plan.
    Nowhere,
}

/// What is wrong in the form.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wrong {
    /// Where.
    pub at: At,
    /// What, and what would be right.
    pub reason: String,
}

impl Draft {
    /// The texts of a plan.
    #[must_use]
    pub fn from_plan(plan: &Plan) -> Self {
        let defaults = Plan::for_url("");
        let (pacing, rate) = match &plan.pacing {
            Pacing::Max { .. } => (PacingKind::Max, defaults.pacing.rate_per_sec()),
            Pacing::Profile(_) => (PacingKind::Stages, defaults.pacing.rate_per_sec()),
            Pacing::Replay { .. } => (PacingKind::Replay, defaults.pacing.rate_per_sec()),
            Pacing::Constant { rate_per_sec } => (PacingKind::Constant, Some(*rate_per_sec)),
            Pacing::Poisson { rate_per_sec } => (PacingKind::Poisson, Some(*rate_per_sec)),
        };
        let (stop, length, requests) = match plan.stop {
            Stop::Duration(length) => (StopKind::Duration, length, REQUESTS_DEFAULT),
            Stop::Requests(count) => (StopKind::Requests, LENGTH_DEFAULT, count),
            Stop::Never => (StopKind::Never, LENGTH_DEFAULT, REQUESTS_DEFAULT),
        };
        Self {
            name: plan.name.clone(),
            url: plan.target.url.clone(),
            service: plan.target.service.clone(),
            target: TargetDraft::from_target(&plan.target),
            pacing,
            stages: match &plan.pacing {
                Pacing::Profile(profile) => {
                    profile.stages.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
                }
                _ => STAGES_DEFAULT.to_owned(),
            },
            random_stages: plan.pacing.is_random() && matches!(plan.pacing, Pacing::Profile(_)),
            think: match plan.pacing {
                Pacing::Max { think } => duration::text(think),
                _ => "0s".to_owned(),
            },
            replay_file: match &plan.pacing {
                Pacing::Replay { file } => file.display().to_string(),
                _ => String::new(),
            },
            rate: rate.map_or_else(String::new, |rate| rate.to_string()),
            connections: plan.connections.to_string(),
            stop,
            duration: duration::text(length),
            requests: requests.to_string(),
            warmup: duration::text(plan.warmup),
            timeout: duration::text(plan.timeout),
            request: RequestDraft::from_request(&plan.request),
            variants: plan.variants.iter().map(VariantDraft::from_variant).collect(),
            templates: plan.templates,
            data_file: plan.data.as_ref().map(|data| data.file.display().to_string()).unwrap_or_default(),
            data_order: plan.data.as_ref().map(|data| data.order).unwrap_or_default(),
            keep_cookies: plan.session.keep_cookies,
            follow_redirects: plan.session.follow_redirects.to_string(),
            labels: LabelDraft::from_labels(&plan.labels),
            goals: plan.goals.iter().map(ToString::to_string).collect(),
            give_up: plan.give_up,
            insecure: plan.target.insecure,
            ca_file: plan.target.ca_file.as_ref().map(|path| path.display().to_string()).unwrap_or_default(),
        }
    }

    /// The plan that the texts stand for.
    ///
    /// # Errors
    /// Everything that is wrong, in the order of the form.
    pub fn plan(&self) -> Result<Plan, Vec<Wrong>> {
        let mut reading = Reading::default();
        let plan = reading.plan(self);
        for problem in plan.problems() {
            // Labels are checked row by row; a field whose text could not be read holds a stand-in.
            let Some(at) = reading.place(problem.field) else { continue };
            if reading.wrong.iter().all(|wrong| wrong.at != at) {
                reading.wrong.push(Wrong { at, reason: problem.reason });
            }
        }
        if reading.wrong.is_empty() {
            return Ok(plan);
        }
        reading.wrong.sort();
        Err(reading.wrong)
    }
}

#[cfg(test)]
impl Draft {
    /// What the texts stand for, whether or not it can be run: not everything goes together.
    fn plan_as_read(&self) -> Plan {
        let mut reading = Reading::default();
        let plan = reading.plan(self);
        assert_eq!(reading.wrong, []);
        plan
    }
}

impl Default for Draft {
    fn default() -> Self {
        Self::from_plan(&Plan::for_url(""))
    }
}

/// Offered to whoever wants a rate that changes.
const STAGES_DEFAULT: &str = "ramp 100..1000 1m\nhold 1000 1m";
/// Offered when a person changes from a time to a number of requests.
const REQUESTS_DEFAULT: u64 = 10_000;
/// Offered when a person changes from a number of requests to a time.
const LENGTH_DEFAULT: Duration = Duration::from_secs(30);

/// Reads texts one by one and remembers what was wrong with them.
#[derive(Default)]
struct Reading {
    wrong: Vec<Wrong>,
    rows: Rows,
}

impl Reading {
    fn take<T>(&mut self, at: At, read: Result<T, String>, stand_in: T) -> T {
        read.unwrap_or_else(|reason| {
            self.wrong.push(Wrong { at, reason });
            stand_in
        })
    }

    fn plan(&mut self, draft: &Draft) -> Plan {
        Plan {
            version: PLAN_VERSION,
            name: draft.name.trim().to_owned(),
            connections: self.connections(&draft.connections),
            warmup: self.take(At::Warmup, duration::parse(&draft.warmup), Duration::ZERO),
            timeout: self.take(At::Timeout, duration::parse(&draft.timeout), Duration::from_secs(1)),
            goals: self.goals(&draft.goals),
            give_up: draft.give_up,
            target: self.target(draft),
            request: self.request(draft),
            variants: self.variants(draft),
            templates: draft.templates,
            data: filled(&draft.data_file)
                .map(|file| Data { file: PathBuf::from(file), order: draft.data_order }),
            session: self.session(draft),
            pacing: self.pacing(draft),
            stop: self.stop(draft),
            labels: draft.labels.labels().unwrap_or_else(|wrong| {
                let labels = wrong.into_iter().map(|(at, reason)| Wrong { at: At::Label(at), reason });
                self.wrong.extend(labels);
                Default::default()
            }),
        }
    }

    fn request(&mut self, draft: &Draft) -> Request {
        let (request, rows) = draft.request.request();
        self.rows = rows;
        if draft.is_grpc() && draft.variants.is_empty() {
            self.take(At::Message, draft.request.check_message(draft.has_templates()), ());
        }
        request
    }

    fn variants(&mut self, draft: &Draft) -> Vec<Variant> {
        let mut variants = Vec::new();
        for (number, variant) in draft.variants.iter().enumerate() {
            let at = At::Variant(number);
            let read = digits(&variant.weight).parse::<f64>().ok().filter(|weight| *weight >= 0.0);
            let read = read.filter(|weight| weight.is_finite());
            let weight =
                self.take(at, read.ok_or_else(|| "write a weight, for example 1 or 2.5".to_owned()), 1.0);
            if draft.is_grpc() {
                self.take(at, variant.request.check_message(draft.has_templates()), ());
            }
            variants.push(variant.variant(weight).0);
        }
        variants
    }

    fn session(&mut self, draft: &Draft) -> Session {
        let read = digits(&draft.follow_redirects)
            .parse::<u8>()
            .ok()
            .filter(|count| *count <= REDIRECTS_MAX)
            .ok_or_else(|| format!("write a whole number from 0 to {REDIRECTS_MAX}"));
        Session { keep_cookies: draft.keep_cookies, follow_redirects: self.take(At::Session, read, 0) }
    }

    fn pacing(&mut self, draft: &Draft) -> Pacing {
        match draft.pacing {
            PacingKind::Replay => return self.replay(draft),
            PacingKind::Max => {
                let think = self.take(At::Rate, duration::parse(&draft.think), Duration::ZERO);
                return Pacing::Max { think };
            }
            PacingKind::Stages => return self.stages(draft),
            PacingKind::Constant | PacingKind::Poisson => {}
        }
        let read = digits(draft.rate.trim().trim_end_matches("/s")).parse::<f64>();
        let read = read.map_err(|_| "write a number of requests per second, for example 100".to_owned());
        let rate_per_sec = self.take(At::Rate, read, 1.0);
        match draft.pacing {
            PacingKind::Poisson => Pacing::Poisson { rate_per_sec },
            _ => Pacing::Constant { rate_per_sec },
        }
    }

    fn replay(&mut self, draft: &Draft) -> Pacing {
        let file = filled(&draft.replay_file).map(PathBuf::from);
        let file = file.ok_or_else(|| "choose the file with the recorded moments".to_owned());
        Pacing::Replay { file: self.take(At::Rate, file, PathBuf::from("-")) }
    }

    fn connections(&mut self, text: &str) -> u32 {
        let read = digits(text)
            .parse::<u32>()
            .map_err(|_| format!("write a whole number from 1 to {}", plan::CONNECTIONS_MAX));
        self.take(At::Connections, read, 1)
    }

    fn stages(&mut self, draft: &Draft) -> Pacing {
        let texts = draft.stages.split([';', '\n']).filter(|text| !text.trim().is_empty());
        let read = texts.map(|text| text.trim().parse::<Stage>()).collect::<Result<Vec<_>, _>>();
        let stages = self.take(At::Rate, read, Vec::new());
        let arrivals = if draft.random_stages { Arrivals::Poisson } else { Arrivals::Even };
        Pacing::Profile(Profile { arrivals, stages })
    }

    fn stop(&mut self, draft: &Draft) -> Stop {
        match draft.stop {
            StopKind::Never => Stop::Never,
            StopKind::Duration => {
                Stop::Duration(self.take(At::Stop, duration::parse(&draft.duration), LENGTH_DEFAULT))
            }
            StopKind::Requests => {
                let read = digits(&draft.requests)
                    .parse::<u64>()
                    .map_err(|_| "write a whole number of requests, for example 10000".to_owned());
                Stop::Requests(self.take(At::Stop, read, REQUESTS_DEFAULT))
            }
        }
    }

    fn goals(&mut self, rows: &[String]) -> Vec<Goal> {
        let mut goals = Vec::new();
        for (row, text) in rows.iter().enumerate().filter(|(_, text)| !text.trim().is_empty()) {
            match text.trim().parse() {
                Ok(goal) => goals.push(goal),
                Err(reason) => self.wrong.push(Wrong { at: At::Goal(row), reason }),
            }
        }
        goals
    }

    /// Where the form shows a field; none for what it checks itself.
    fn place(&self, field: Field) -> Option<At> {
        Some(match field {
            Field::Url => At::Url,
            Field::Protocol => At::Protocol,
            Field::Tls => At::Tls,
            Field::Reach => At::Reach,
            Field::Reuse => At::Reuse,
            // What is no JSON is said at the message already.
            Field::Grpc if self.wrong.iter().any(|wrong| wrong.at == At::Message) => return None,
            Field::Grpc => At::Grpc,
            Field::Method => At::Method,
            Field::Header(at) => self.rows.headers.get(at).map_or(At::Nowhere, |row| At::Header(*row)),
            Field::Cookie(at) => self.rows.cookies.get(at).map_or(At::Nowhere, |row| At::Cookie(*row)),
            Field::BasicAuth => At::BasicAuth,
            Field::ContentType => At::ContentType,
            Field::Body => At::Body,
            Field::Variant(None) => At::Variants,
            Field::Variant(Some(number)) => At::Variant(number),
            Field::Data => At::Data,
            Field::Session => At::Session,
            Field::Rate => At::Rate,
            Field::Connections => At::Connections,
            Field::Stop => At::Stop,
            Field::Warmup => At::Warmup,
            Field::Timeout => At::Timeout,
            Field::Name => At::Name,
            Field::Labels => return None,
        })
    }
}

impl Draft {
    /// The rate of the stages over time; none while they cannot be read.
    pub(super) fn curve(&self) -> Option<Curve> {
        let pacing = Reading::default().stages(self);
        let is_sound = matches!(&pacing, Pacing::Profile(profile) if !profile.stages.is_empty());
        (is_sound && pacing.check().is_ok()).then(|| Curve::of(&pacing))?
    }

    /// Whether `{{name}}` stands for something.
    pub(super) fn has_templates(&self) -> bool {
        self.templates || !self.data_file.trim().is_empty()
    }
}

/// What is written, without spaces around it.
fn filled(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// People write `10 000` and `10_000`.
pub(super) fn digits(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace() && *c != '_').collect()
}

/// The places that a person has left: a reason is shown there, and not before.
#[derive(Clone, Debug, Default)]
pub(super) struct Touched {
    all: bool,
    places: BTreeSet<At>,
}

impl Touched {
    pub(super) fn everywhere() -> Self {
        Self { all: true, places: BTreeSet::new() }
    }

    pub(super) fn touch(&mut self, at: At) {
        self.places.insert(at);
    }

    pub(super) fn is(&self, at: At) -> bool {
        self.all || self.places.contains(&at)
    }
}

#[cfg(test)]
mod tests {
    use crate::model::plan::{ClientCertificate, Family, Grpc, Protocol, Reach, Resolve, Reuse, Schema, Tls};
    use crate::model::{BasicAuth, Body, Cookie, Header};

    use super::*;

    fn full() -> Plan {
        let mut plan = Plan::for_url("https://localhost:8443/a?b=c");
        plan.name = "Checkout".to_owned();
        plan.connections = 50;
        plan.warmup = Duration::from_secs(5);
        plan.timeout = Duration::from_millis(1500);
        plan.goals = vec!["p99<20ms".parse().expect("a goal"), "errors<0.1%".parse().expect("a goal")];
        plan.target.insecure = true;
        plan.target.ca_file = Some(PathBuf::from("/etc/ca.pem"));
        plan.request.method = "POST".to_owned();
        let header = |name: &str, value: &str, secret| Header {
            name: name.to_owned(),
            value: value.to_owned(),
            secret,
        };
        plan.request.headers = vec![header("Accept", "*/*", false), header("X-Key", "k", true)];
        plan.request.cookies = vec![Cookie { name: "session".to_owned(), value: "abc".to_owned() }];
        plan.request.basic_auth = Some(BasicAuth { user: "ada".to_owned(), password: "pw".to_owned() });
        plan.request.content_type = Some("application/json".to_owned());
        plan.request.body = Body::Text("{\"a\": 1}\n".to_owned());
        plan.pacing = Pacing::Poisson { rate_per_sec: 12.5 };
        for (key, value) in [("mesh", "istio"), ("mesh_version", "1.30"), ("region", "eu"), ("empty", "")] {
            plan.labels.insert(key.to_owned(), value.to_owned());
        }
        plan
    }

    /// Everything beyond HTTP/1.1 that a plan can say.
    fn fuller() -> Plan {
        let mut plan = full();
        plan.give_up = true;
        plan.target.protocol = Protocol::Grpc {
            streams: 20,
            schema: Schema::Proto {
                file: "/api/shop.proto".into(),
                include: vec!["/api".into(), "/lib".into()],
            },
        };
        plan.target.tls = Tls {
            client: Some(ClientCertificate::Pem { certificate: "/me.pem".into(), key: "/me.key".into() }),
            server_name: Some("shop.example".to_owned()),
            resumption: false,
        };
        let resolve = |host: &str, port, addresses: &[&str]| Resolve {
            host: host.to_owned(),
            port,
            addresses: addresses.iter().map(|text| text.parse().expect("an address")).collect(),
        };
        plan.target.reach = Reach {
            resolve: vec![
                resolve("shop.example", Some(443), &["127.0.0.1", "::1"]),
                resolve("*", None, &["::1"]),
            ],
            family: Family::V6,
            all_addresses: true,
            resolve_each: false,
            unix_socket: Some("/run/app.sock".into()),
            proxy: Some("socks5h://127.0.0.1:1080".to_owned()),
        };
        plan.target.reuse = Some(Reuse { min: 100, max: 200 });
        plan.request.grpc =
            Some(Grpc { method: "shop.Cart/Add".to_owned(), message: "{\"item\": 42}".to_owned() });
        let variant = |name: &str, weight, url: Option<&str>, request| Variant {
            name: name.to_owned(),
            weight,
            url: url.map(str::to_owned),
            request,
        };
        plan.variants = vec![
            variant("browse", 2.5, Some("/items"), Request::default()),
            variant("buy", 1.0, None, plan.request.clone()),
        ];
        plan.data = Some(Data { file: "/users.csv".into(), order: Order::Random });
        plan.session = Session { keep_cookies: true, follow_redirects: 5 };
        plan
    }

    #[test]
    fn a_rate_that_changes_survives_the_form() {
        let mut draft = Draft::from_plan(&Plan::for_url("http://localhost/"));
        draft.pacing = PacingKind::Stages;
        draft.stages = "ramp 100..1000 1m; hold 1000 5m".to_owned();
        draft.stop = StopKind::Never;
        let plan = draft.plan().expect("a plan");
        assert!(matches!(&plan.pacing, Pacing::Profile(profile) if profile.stages.len() == 2));
        assert_eq!(Draft::from_plan(&plan).plan(), Ok(plan));
        draft.stages = "climb 1 2".to_owned();
        let wrong = draft.plan().expect_err("no stage");
        assert!(wrong.iter().any(|wrong| wrong.at == At::Rate && wrong.reason.contains("ramp")), "{wrong:?}");
        draft.pacing = PacingKind::Max;
        draft.think = "20ms".to_owned();
        assert_eq!(
            draft.plan().map(|plan| plan.pacing),
            Ok(Pacing::Max { think: Duration::from_millis(20) })
        );
    }

    #[test]
    fn everything_that_a_plan_can_say_survives_the_form() {
        let descriptors = Schema::Descriptors("/api.binpb".into());
        let pkcs12 =
            ClientCertificate::Pkcs12 { file: "/me.p12".into(), password: " a password ".to_owned() };
        let mut others = vec![fuller(); 5];
        others[1].target.protocol = Protocol::Http2 { streams: 100 };
        others[2].target.protocol = Protocol::Grpc { streams: 1, schema: descriptors };
        others[3].target.tls.client = Some(pkcs12);
        (others[4].data, others[4].templates) = (None, true);
        for plan in others {
            let draft = Draft::from_plan(&plan);
            assert_eq!(draft.plan_as_read(), plan);
            assert_eq!(Draft::from_plan(&draft.plan_as_read()), draft);
        }
    }

    #[test]
    fn an_echo_is_told_by_its_url_alone() {
        let mut draft = Draft::from_plan(&fuller());
        draft.url = "UDP://localhost:7".to_owned();
        assert_eq!(draft.echo(), Some(Echo::Udp));
        assert_eq!(draft.plan_as_read().target.protocol, Protocol::Http1);
    }

    #[test]
    fn each_wrong_text_beyond_http_is_named_with_its_reason() {
        let at = |edit: fn(&mut Draft), at: At, reason: &str| {
            let mut draft = Draft::from_plan(&Plan::for_url("http://localhost/"));
            draft.target.protocol = ProtocolKind::Grpc;
            "grpc.health.v1.Health/Check".clone_into(&mut draft.request.call);
            edit(&mut draft);
            let wrong = draft.plan().expect_err(reason);
            assert_eq!(wrong.iter().map(|wrong| wrong.at).collect::<Vec<_>>(), [at], "{wrong:?}");
            assert!(wrong[0].reason.contains(reason), "{}", wrong[0].reason);
        };
        let given = |host: &str, port: &str, addresses: &str| ResolveDraft {
            host: host.to_owned(),
            port: port.to_owned(),
            addresses: addresses.to_owned(),
        };
        at(|d| d.target.streams = "0".to_owned(), At::Protocol, "1 to 1000");
        at(|d| d.target.streams = "many".to_owned(), At::Protocol, "whole number");
        at(
            |d| d.request.message = "{\n \"a\": }".to_owned(),
            At::Message,
            "not JSON: expected value at line 2",
        );
        at(|d| d.follow_redirects = "21".to_owned(), At::Session, "0 to 20");
        at(|d| d.target.reuse_min = "often".to_owned(), At::Reuse, "whole number");
        let resolve = |host: &str, port: &str, addresses: &str, reason: &str| {
            let mut draft = Draft::from_plan(&Plan::for_url("http://localhost/"));
            draft.target.resolve = vec![ResolveDraft::default(), given(host, port, addresses)];
            let wrong = draft.plan().expect_err(reason);
            assert_eq!(wrong[0].at, At::Resolve(1));
            assert!(wrong[0].reason.contains(reason), "{}", wrong[0].reason);
        };
        resolve("", "", "127.0.0.1", "write the name");
        resolve("a", "70000", "127.0.0.1", "not a port");
        resolve("a", "", "127.0.0", "not an IP address");
        resolve("a", "", "", "write an address for a");
    }

    #[test]
    fn a_wrong_weight_or_message_is_named_at_its_request() {
        let mut draft = Draft::from_plan(&fuller());
        draft.variants[1].weight = "-1".to_owned();
        let wrong = draft.plan().expect_err("a weight");
        assert!(wrong.iter().any(|wrong| wrong.at == At::Variant(1) && wrong.reason.contains("weight")));
        let mut draft = Draft::from_plan(&fuller());
        draft.variants[0].request.message = "{".to_owned();
        let wrong = draft.plan().expect_err("a message");
        assert!(wrong.iter().any(|wrong| wrong.at == At::Variant(0) && wrong.reason.contains("not JSON")));
        // What stands for something is no JSON yet.
        draft.variants[0].request.message = "{\"id\": {{id}}}".to_owned();
        let wrong = draft.plan().err().unwrap_or_default();
        assert!(wrong.iter().all(|wrong| !wrong.reason.contains("not JSON")), "{wrong:?}");
    }

    #[test]
    fn a_plan_survives_the_form() {
        let plans = [
            Plan::for_url("http://localhost/"),
            full(),
            Plan { pacing: Pacing::MAX, stop: Stop::Requests(12), ..full() },
            Plan { pacing: Pacing::Max { think: Duration::from_secs(1) }, stop: Stop::Never, ..full() },
            Plan { pacing: Pacing::Replay { file: "times.csv".into() }, ..full() },
            Plan { pacing: Pacing::Constant { rate_per_sec: 0.5 }, ..full() },
            Plan { stop: Stop::Duration(Duration::from_secs(5400)), ..full() },
        ];
        for plan in plans {
            assert_eq!(Draft::from_plan(&plan).plan(), Ok(plan));
        }
        let mut plan = full();
        plan.request.body = Body::File(PathBuf::from("/tmp/body.json"));
        assert_eq!(Draft::from_plan(&plan).plan(), Ok(plan));
    }

    #[test]
    fn a_draft_survives_its_plan() {
        let draft = Draft::from_plan(&full());
        assert_eq!(Draft::from_plan(&draft.plan().expect("a plan")), draft);
    }

    #[test]
    fn a_fresh_form_lacks_only_its_url() {
        let wrong = Draft::default().plan().expect_err("no URL");
        assert_eq!(wrong.len(), 1);
        assert_eq!(wrong[0].at, At::Url);
        assert!(wrong[0].reason.contains("http://localhost:8080/"), "{}", wrong[0].reason);
    }

    #[test]
    fn each_wrong_text_is_named_with_its_reason() {
        let at = |edit: fn(&mut Draft), at: At, reason: &str| {
            let mut draft = Draft::from_plan(&full());
            edit(&mut draft);
            let wrong = draft.plan().expect_err(reason);
            assert_eq!(wrong.iter().map(|wrong| wrong.at).collect::<Vec<_>>(), [at], "{wrong:?}");
            assert!(wrong[0].reason.contains(reason), "{}", wrong[0].reason);
        };
        at(|d| d.url = "localhost:80".to_owned(), At::Url, "http://localhost:80");
        at(|d| d.url = "ftp://localhost".to_owned(), At::Url, "not supported");
        at(|d| d.url = "example".to_owned(), At::Url, "http://example");
        at(|d| d.request.method = "G T".to_owned(), At::Method, "not an HTTP method");
        at(|d| d.rate = "fast".to_owned(), At::Rate, "requests per second");
        at(|d| d.rate = "0".to_owned(), At::Rate, "");
        at(|d| d.connections = "-1".to_owned(), At::Connections, "whole number");
        at(|d| d.connections = "0".to_owned(), At::Connections, "1 to 10000");
        at(|d| d.duration = "30".to_owned(), At::Stop, "no unit");
        at(|d| d.duration = "1ms".to_owned(), At::Stop, "100 ms");
        at(|d| (d.stop, d.requests) = (StopKind::Requests, "many".to_owned()), At::Stop, "whole number");
        at(|d| (d.stop, d.requests) = (StopKind::Requests, "0".to_owned()), At::Stop, "at least 1");
        at(|d| d.warmup = String::new(), At::Warmup, "missing");
        at(|d| d.timeout = "1h".to_owned(), At::Timeout, "10 minutes");
        at(|d| d.name = "x".repeat(121), At::Name, "120");
        at(|d| d.request.headers[1].name = "a b".to_owned(), At::Header(1), "not a header name");
        at(|d| d.request.cookies[0].value = "a;b".to_owned(), At::Cookie(0), "cookies cannot carry");
        at(|d| d.request.auth.user = "a:b".to_owned(), At::BasicAuth, "colon");
        at(|d| d.request.content_type = "a\nb".to_owned(), At::ContentType, "line break");
        at(|d| d.request.body = BodyKind::File, At::Body, "file for the body");
        at(|d| d.goals[1] = "p42<1ms".to_owned(), At::Goal(1), "not measured");
        at(|d| d.labels.free[0].0 = "a b".to_owned(), At::Label(LabelAt::Free(0)), "not a label key");
    }

    #[test]
    fn a_reason_stands_at_its_row_though_empty_rows_come_before() {
        let mut draft = Draft::from_plan(&Plan::for_url("http://localhost/"));
        let header = |name: &str| Header { name: name.to_owned(), value: String::new(), secret: false };
        draft.request.headers = vec![header(""), header("Fine"), header("not fine")];
        draft.goals = vec![String::new(), "p99".to_owned()];
        let wrong = draft.plan().expect_err("two are wrong");
        let places: Vec<At> = wrong.iter().map(|wrong| wrong.at).collect();
        assert_eq!(places, [At::Header(2), At::Goal(1)]);
    }

    #[test]
    fn people_s_ways_of_writing_numbers_are_read() {
        let mut draft = Draft::from_plan(&Plan::for_url(" http://localhost/ "));
        draft.rate = "1 000 /s".to_owned();
        draft.connections = "1_000".to_owned();
        draft.stop = StopKind::Requests;
        draft.requests = "1 000 000".to_owned();
        let plan = draft.plan().expect("a plan");
        assert_eq!(plan.pacing.rate_per_sec(), Some(1000.0));
        assert_eq!((plan.connections, plan.stop), (1000, Stop::Requests(1_000_000)));
        assert_eq!(plan.target.url, "http://localhost/");
    }

    #[test]
    fn a_plan_whose_secrets_were_not_kept_asks_for_them() {
        let wrong = Draft::from_plan(&full().redacted()).plan().expect_err("secrets are gone");
        let places: Vec<At> = wrong.iter().map(|wrong| wrong.at).collect();
        assert_eq!(places, [At::Header(1), At::Cookie(0), At::BasicAuth]);
    }
}
