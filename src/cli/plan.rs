//! From the command line to a plan. Pure, but for reading the plan's file.

use std::path::Path;
use std::time::Duration;

use crate::model::plan::{
    Arrivals, ClientCertificate, Data, Family, Field, GRPC_HEALTH, GRPC_MESSAGE_BYTES_MAX, Grpc, Order,
    PLAN_BYTES_MAX, Profile, Protocol, Request, Schema, ServiceTarget, Target, TargetKind, Variant,
};
use crate::model::{BasicAuth, Body, Cookie, Header, Pacing, Plan, Search, Stop};

use super::Failure;
use super::args::{OrderKind, PacingKind, ProtocolKind, ReachArgs, RunArgs, SentArgs};

/// The length of a trial when nobody says.
const TRIAL_DEFAULT: Duration = Duration::from_secs(10);

/// The search that the options ask for, checked against its plan.
pub(super) fn search(options: &RunArgs, plan: &Plan) -> Result<Option<Search>, Failure> {
    let asked = &options.search;
    if asked.find_max.is_empty() {
        // The parser does not ask for what another option forbids.
        let is_set = asked.up_to.is_some() || asked.resolution.is_some() || asked.repeats.is_some();
        return match is_set {
            true => Err(Failure::Input(
                "--up-to, --resolution and --repeats need --find-max 'p99<20ms'".to_owned(),
            )),
            false => Ok(None),
        };
    }
    let default = Search::default();
    let search = Search {
        highest: asked.up_to.unwrap_or(default.highest),
        resolution: asked.resolution.unwrap_or(default.resolution),
        repeats: asked.repeats.unwrap_or(default.repeats),
    };
    search.check(plan).map_err(|reason| Failure::Input(format!("--find-max: {reason}")))?;
    Ok(Some(search))
}

/// How a Service of a cluster is named: `svc/NAMESPACE/NAME:PORT`.
const SERVICE: &str = "svc/";
/// What a pod of a cluster begins with.
const POD: &str = "pod/";

/// A port of a Service or pod, as it was named.
pub(super) struct Named {
    pub(super) kind: TargetKind,
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) port: u16,
}

/// The Service that is named instead of a URL: namespace, name and port.
pub(super) fn service(options: &RunArgs) -> Result<Option<Named>, Failure> {
    let named = options.url.as_deref().and_then(|url| {
        let service = url.strip_prefix(SERVICE).map(|text| (TargetKind::Service, text));
        service.or_else(|| url.strip_prefix(POD).map(|text| (TargetKind::Pod, text)))
    });
    let Some((kind, text)) = named else { return Ok(None) };
    let wrong = || {
        Failure::Input(
            "write a Service as svc/NAMESPACE/NAME:PORT, for example svc/shop/checkout:8080, and a pod as pod/NAMESPACE/NAME:PORT".to_owned(),
        )
    };
    let (namespace, name, port) = ServiceTarget::place(text).ok_or_else(wrong)?;
    Ok(Some(Named { kind, namespace: namespace.to_owned(), name: name.to_owned(), port }))
}

/// The plan that the options ask for, checked.
pub(super) fn of(options: &RunArgs) -> Result<Plan, Failure> {
    let base = options.plan.as_deref().map(read).transpose()?;
    with(options, base)
}

/// The options over a plan, checked.
pub(super) fn with(options: &RunArgs, base: Option<Plan>) -> Result<Plan, Failure> {
    let plan = merged(options, base).map_err(Failure::Input)?;
    let problems = plan.problems();
    if problems.is_empty() {
        return Ok(plan);
    }
    let words: Vec<String> =
        problems.iter().map(|problem| format!("{}: {}", flag(&problem.field), problem.reason)).collect();
    Err(Failure::Input(words.join("\n")))
}

fn read(path: &Path) -> Result<Plan, Failure> {
    let failed = |reason: String| Failure::Input(format!("--plan {}: {reason}", path.display()));
    let length = std::fs::metadata(path).map_err(|error| failed(error.to_string()))?.len();
    if length > PLAN_BYTES_MAX {
        return Err(failed("the file is too large for a plan (limit 20 MiB)".to_owned()));
    }
    let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    Plan::from_toml(&text).map_err(failed)
}

/// What is given as an option goes before what the plan's file says.
fn merged(options: &RunArgs, base: Option<Plan>) -> Result<Plan, String> {
    // A Service has a plan of its own, with the URL that leads there.
    let url = options.url.as_ref().filter(|url| !url.starts_with(SERVICE) && !url.starts_with(POD));
    let mut plan = match (base, url) {
        (Some(plan), _) => plan,
        (None, Some(url)) => Plan::for_url(url),
        (None, None) => {
            return Err("a URL is missing, for example: meshbench run http://localhost:8080/".to_owned());
        }
    };
    if let Some(url) = url {
        plan.target.url.clone_from(url);
    }
    if let Some(name) = &options.name {
        plan.name.clone_from(name);
    }
    plan.target.insecure |= options.insecure;
    if let Some(path) = &options.ca_file {
        plan.target.ca_file = Some(path.clone());
    }
    reach(&options.reach, &mut plan.target)?;
    let paced_before = plan.pacing.clone();
    plan.pacing = pacing(options, plan.pacing)?;
    plan.stop = stop(options, plan.stop, &paced_before, &plan.pacing)?;
    plan.connections = options.connections.unwrap_or(plan.connections);
    plan.warmup = options.warmup.unwrap_or(plan.warmup);
    plan.timeout = options.timeout.unwrap_or(plan.timeout);
    plan.goals.extend(options.goal.iter().chain(&options.search.find_max).cloned());
    plan.give_up |= options.give_up;
    if !options.search.find_max.is_empty() && options.duration.is_none() && options.plan.is_none() {
        plan.stop = Stop::Duration(TRIAL_DEFAULT);
    }
    for text in &options.label {
        let (key, value) = text
            .split_once('=')
            .ok_or_else(|| format!("--label {text}: write key=value, for example mesh=istio"))?;
        plan.labels.insert(key.trim().to_owned(), value.trim().to_owned());
    }
    let variants = plan.variants.iter_mut().map(|variant| &mut variant.request);
    for asked in std::iter::once(&mut plan.request).chain(variants) {
        request(options, asked)?;
    }
    protocol(options, &mut plan)?;
    sent(&options.sent, &mut plan)?;
    without_meaning(options, &plan)?;
    Ok(plan)
}

/// When the run ends: what is asked for, else where the shape of the load that is asked for does, else as before.
fn stop(options: &RunArgs, base: Stop, before: &Pacing, pacing: &Pacing) -> Result<Stop, String> {
    if options.until_stopped && pacing.ends_by_itself() {
        return Err("--until-stopped: stages and recordings end by themselves".to_owned());
    }
    let is_shaped = !options.stage.is_empty() || options.replay.is_some();
    match (options.duration, options.requests) {
        (Some(length), _) => Ok(Stop::Duration(length)),
        (None, Some(count)) => {
            let has_own_count =
                pacing.own_length().is_some() && !pacing.is_random() && !pacing.has_closed_loop();
            if has_own_count && pacing.due(count.saturating_sub(1)).is_none() {
                return Err(format!("--requests {count}: the stages end before; make them longer"));
            }
            Ok(Stop::Requests(count))
        }
        (None, None) if options.until_stopped || is_shaped => Ok(Stop::Never),
        // What ended where its stages did goes on for as long as they would have.
        (None, None) if base == Stop::Never && before.ends_by_itself() && !pacing.ends_by_itself() => {
            before.own_length().map(Stop::Duration).ok_or_else(|| {
                "the plan ends with its recording: say with --duration or --requests how long to go on"
                    .to_owned()
            })
        }
        (None, None) => Ok(base),
    }
}

/// Refuses options that say nothing of what the plan sends.
///
/// # Errors
/// Which option would do nothing.
fn without_meaning(options: &RunArgs, plan: &Plan) -> Result<(), String> {
    let of_request =
        [("--method", options.method.is_some()), ("--content-type", options.content_type.is_some())];
    let of_head = [
        ("--header", !options.header.is_empty()),
        ("--secret-header", !options.secret_header.is_empty()),
        ("--cookie", !options.cookie.is_empty()),
        ("--basic-auth", options.basic_auth.is_some()),
    ];
    let given = |names: &[(&'static str, bool)]| names.iter().find(|given| given.1).map(|given| given.0);
    if plan.is_echo()
        && let Some(name) = given(&of_request).or(given(&of_head))
    {
        return Err(format!("{name} has no meaning for an echo over tcp:// or udp://"));
    }
    let is_grpc = matches!(plan.target.protocol, Protocol::Grpc { .. });
    let of_body = options.body.as_ref().map(|_| "--body");
    if is_grpc && let Some(name) = given(&of_request).or(of_body) {
        return Err(format!("{name} has no meaning for gRPC: write --grpc-method and --grpc-message"));
    }
    Ok(())
}

/// What of a plan's templates does nothing, in words for a person.
pub(super) fn templates_in_vain(plan: &Plan) -> Option<&'static str> {
    let variants = plan.variants.iter().map(|variant| &variant.request);
    let requests = || std::iter::once(&plan.request).chain(variants.clone());
    if requests().any(|request| matches!(request.body, Body::File(_))) {
        // Nobody has looked into it yet.
        return None;
    }
    let urls = plan.variants.iter().filter_map(|variant| variant.url.as_deref());
    let is_hole = |text: &str| text.contains("{{");
    let has_hole = is_hole(&plan.target.url)
        || urls.into_iter().any(is_hole)
        || requests().any(|request| {
            let body = match &request.body {
                Body::Text(text) => is_hole(text),
                _ => false,
            };
            body || request.content_type.as_deref().is_some_and(is_hole)
                || request.headers.iter().any(|header| is_hole(&header.value))
                || request.cookies.iter().any(|cookie| is_hole(&cookie.value))
                || request.grpc.as_ref().is_some_and(|call| is_hole(&call.message))
        });
    match (has_hole, plan.data.is_some(), plan.has_templates()) {
        (true, _, false) => Some("{{…}} is sent as it is: --data FILE or --templates fills it in."),
        (false, true, _) => {
            Some("nothing is filled in from the data file: no {{column}} is in the requests.")
        }
        _ => None,
    }
}

fn pacing(options: &RunArgs, base: Pacing) -> Result<Pacing, String> {
    let shaped = if let Some(file) = &options.replay {
        Pacing::Replay { file: file.clone() }
    } else if !options.stage.is_empty() {
        let arrivals = match options.pacing {
            Some(PacingKind::Max) => {
                return Err("--pacing max has no --stage; write --stage 'max 30s'".to_owned());
            }
            Some(PacingKind::Poisson) => Arrivals::Poisson,
            Some(PacingKind::Constant) | None => Arrivals::Even,
        };
        Pacing::Profile(Profile { arrivals, stages: options.stage.clone() })
    } else {
        steady(options.pacing, options.rate, base)?
    };
    match (shaped, options.think) {
        (Pacing::Max { .. }, Some(think)) => Ok(Pacing::Max { think }),
        (_, Some(_)) => Err("--think needs --pacing max; in a stage write max/10ms 30s".to_owned()),
        (shaped, None) => Ok(shaped),
    }
}

fn steady(kind: Option<PacingKind>, rate: Option<f64>, base: Pacing) -> Result<Pacing, String> {
    let rate_per_sec = rate.or(base.rate_per_sec()).unwrap_or(100.0);
    match (kind, rate, base) {
        (Some(PacingKind::Max), Some(_), _) => {
            Err("--pacing max has no --rate: it goes as fast as answers come".to_owned())
        }
        (Some(PacingKind::Max), None, base) => Ok(match base {
            Pacing::Max { .. } => base,
            _ => Pacing::MAX,
        }),
        (Some(kind), None, Pacing::Profile(profile)) => {
            let arrivals = match kind {
                PacingKind::Poisson => Arrivals::Poisson,
                PacingKind::Constant | PacingKind::Max => Arrivals::Even,
            };
            Ok(Pacing::Profile(Profile { arrivals, ..profile }))
        }
        (Some(PacingKind::Poisson), ..) | (None, Some(_), Pacing::Poisson { .. }) => {
            Ok(Pacing::Poisson { rate_per_sec })
        }
        (Some(PacingKind::Constant), ..) | (None, Some(_), _) => Ok(Pacing::Constant { rate_per_sec }),
        (None, None, base) => Ok(base),
    }
}

/// Method, headers, credentials and body. No message here repeats a value: it may be a secret.
fn request(options: &RunArgs, request: &mut Request) -> Result<(), String> {
    let given = options.header.iter().map(|text| (text, false));
    let secret = options.secret_header.iter().map(|text| (text, true));
    let mut headers = Vec::new();
    for (text, secret) in given.chain(secret) {
        let (name, value) = text.split_once(':').ok_or_else(|| {
            "--header: write a name, a colon and a value, for example Accept: */*".to_owned()
        })?;
        headers.push(Header { name: name.trim().to_owned(), value: value.trim().to_owned(), secret });
    }
    let is_given = |name: &str| headers.iter().any(|given| given.name.eq_ignore_ascii_case(name));
    request.headers.retain(|header| !is_given(&header.name));
    request.headers.append(&mut headers);
    for text in &options.cookie {
        let (name, value) =
            text.split_once('=').ok_or_else(|| "--cookie: write a name, = and a value".to_owned())?;
        request.cookies.retain(|cookie| cookie.name != name.trim());
        request.cookies.push(Cookie { name: name.trim().to_owned(), value: value.trim().to_owned() });
    }
    if let Some(text) = &options.basic_auth {
        let (user, password) = text
            .split_once(':')
            .ok_or_else(|| "--basic-auth: write a user, a colon and a password".to_owned())?;
        request.basic_auth = Some(BasicAuth { user: user.to_owned(), password: password.to_owned() });
    }
    if let Some(content_type) = &options.content_type {
        request.content_type = Some(content_type.clone());
    }
    if let Some(body) = &options.body {
        request.body = match body.strip_prefix('@') {
            Some(path) => Body::File(path.into()),
            None => Body::Text(body.clone()),
        };
        if options.method.is_none() && request.method == "GET" {
            "POST".clone_into(&mut request.method);
        }
    }
    if let Some(method) = &options.method {
        request.method.clone_from(method);
    }
    Ok(())
}

/// Client certificates, names, addresses, proxies and reuse. No message here repeats a value: it may be a secret.
fn reach(options: &ReachArgs, target: &mut Target) -> Result<(), String> {
    let tls = &mut target.tls;
    if let Some(certificate) = &options.client_cert {
        let key = options.client_key.as_ref().unwrap_or(certificate).clone();
        tls.client = Some(ClientCertificate::Pem { certificate: certificate.clone(), key });
    }
    if let Some(file) = &options.p12 {
        let password = match &options.p12_password_env {
            None => String::new(),
            Some(name) => std::env::var(name)
                .map_err(|_| format!("--p12-password-env: there is no text in the variable {name}"))?,
        };
        tls.client = Some(ClientCertificate::Pkcs12 { file: file.clone(), password });
    }
    if let Some(name) = &options.server_name {
        tls.server_name = Some(name.clone());
    }
    tls.resumption &= !options.no_resumption;
    let reach = &mut target.reach;
    // The first that fits is used.
    reach.resolve.splice(0..0, options.resolve.iter().cloned());
    if options.ipv4 || options.ipv6 {
        reach.family = if options.ipv4 { Family::V4 } else { Family::V6 };
    }
    reach.all_addresses |= options.all_addresses;
    reach.resolve_each |= options.resolve_each;
    // One takes the place of the other.
    if let Some(path) = &options.unix_socket {
        (reach.unix_socket, reach.proxy) = (Some(path.clone()), None);
    }
    if let Some(proxy) = &options.proxy {
        (reach.unix_socket, reach.proxy) = (None, Some(proxy.clone()));
    }
    target.reuse = options.reuse.or(target.reuse);
    Ok(())
}

/// Variants, data and session.
fn sent(options: &SentArgs, plan: &mut Plan) -> Result<(), String> {
    if !options.request.is_empty() {
        plan.variants =
            options.request.iter().map(|text| variant(text, &plan.request)).collect::<Result<_, _>>()?;
    }
    if let Some(file) = &options.data {
        let order = plan.data.take().map(|data| data.order).unwrap_or_default();
        plan.data = Some(Data { file: file.clone(), order });
    }
    match (options.data_order, &mut plan.data) {
        (Some(OrderKind::InTurn), Some(data)) => data.order = Order::InTurn,
        (Some(OrderKind::Random), Some(data)) => data.order = Order::Random,
        (Some(_), None) => return Err("--data-order needs --data".to_owned()),
        (None, _) => {}
    }
    plan.templates |= options.templates;
    plan.session.keep_cookies |= options.keep_cookies;
    plan.session.follow_redirects = options.follow_redirects.unwrap_or(plan.session.follow_redirects);
    Ok(())
}

/// `3 GET /cart`, `GET /cart` or `/cart`: what is not said is 1 and the method of the other options. The path may hold
/// spaces within `{{…}}`, so it is all of the rest.
fn variant(text: &str, request: &Request) -> Result<Variant, String> {
    let (mut rest, mut weight) = (text.trim(), 1.0);
    let mut request = request.clone();
    if let Some((first, after)) = rest.split_once(char::is_whitespace)
        && let Ok(number) = first.parse()
    {
        (weight, rest) = (number, after.trim_start());
    }
    let is_url = |text: &str| text.starts_with('/') || text.contains("://");
    if let Some((first, after)) = rest.split_once(char::is_whitespace)
        && !is_url(first)
    {
        first.clone_into(&mut request.method);
        rest = after.trim_start();
    }
    if !is_url(rest) {
        return Err("--request: write weight, method and path, for example '3 GET /cart'".to_owned());
    }
    // A whole URL may hold credentials, and names are shown everywhere.
    let place = rest.split_once("://").map_or(rest, |(_, place)| {
        let authority = &place[..place.find('/').unwrap_or(place.len())];
        authority.rfind('@').map_or(place, |at| &place[at + 1..])
    });
    let name = format!("{} {place}", request.method).chars().take(120).collect();
    Ok(Variant { name, weight, url: Some(rest.to_owned()), request })
}

/// What is spoken, and the gRPC call.
fn protocol(options: &RunArgs, plan: &mut Plan) -> Result<(), String> {
    let base = plan.target.protocol.clone();
    let asks_for_grpc =
        options.grpc_method.is_some() || options.proto.is_some() || options.descriptors.is_some();
    let kind = options.protocol.unwrap_or(match base {
        _ if asks_for_grpc => ProtocolKind::Grpc,
        Protocol::Http1 => ProtocolKind::Http1,
        Protocol::Http2 { .. } => ProtocolKind::Http2,
        Protocol::Grpc { .. } => ProtocolKind::Grpc,
    });
    let streams = options.streams.unwrap_or(base.streams());
    if kind != ProtocolKind::Grpc && (asks_for_grpc || options.grpc_message.is_some()) {
        return Err(
            "--grpc-method, --grpc-message, --proto and --descriptors need --protocol grpc".to_owned()
        );
    }
    plan.target.protocol = match (kind, base) {
        (ProtocolKind::Http1, _) if options.streams.is_some() => {
            return Err("--streams needs --protocol http2 or grpc".to_owned());
        }
        (ProtocolKind::Http1, _) => Protocol::Http1,
        (ProtocolKind::Http2, _) => Protocol::Http2 { streams },
        (ProtocolKind::Grpc, base) => {
            grpc_call(options, &mut plan.request)?;
            for variant in &mut plan.variants {
                grpc_call(options, &mut variant.request)?;
            }
            let schema = match (&options.proto, &options.descriptors, base) {
                (Some(file), ..) => {
                    Schema::Proto { file: file.clone(), include: options.proto_include.clone() }
                }
                (None, Some(file), _) => Schema::Descriptors(file.clone()),
                (None, None, Protocol::Grpc { schema, .. }) => schema,
                (None, None, _) => Schema::Reflection,
            };
            Protocol::Grpc { streams, schema }
        }
    };
    Ok(())
}

fn grpc_call(options: &RunArgs, request: &mut Request) -> Result<(), String> {
    let call =
        request.grpc.get_or_insert_with(|| Grpc { method: GRPC_HEALTH.to_owned(), message: "{}".to_owned() });
    if let Some(method) = &options.grpc_method {
        call.method.clone_from(method);
    }
    match options.grpc_message.as_deref().map(|text| (text, text.strip_prefix('@'))) {
        None => {}
        Some((text, None)) => text.clone_into(&mut call.message),
        Some((_, Some(path))) => {
            let failed = |reason: &str| format!("--grpc-message {path}: {reason}");
            let length = std::fs::metadata(path).map_err(|error| failed(&error.to_string()))?.len();
            if length > GRPC_MESSAGE_BYTES_MAX as u64 {
                return Err(failed("the file is larger than 16 MiB"));
            }
            call.message = std::fs::read_to_string(path).map_err(|error| failed(&error.to_string()))?;
        }
    }
    Ok(())
}

/// How the command line calls a field.
fn flag(field: &Field) -> &'static str {
    match field {
        Field::Url => "URL",
        Field::Protocol => "--protocol or --streams",
        Field::Grpc => "--grpc-method or --grpc-message",
        Field::Tls => "--client-cert, --p12 or --server-name",
        Field::Reach => "--resolve, --unix-socket or --proxy",
        Field::Reuse => "--reuse",
        Field::Method => "--method",
        Field::Header(_) => "--header",
        Field::Cookie(_) => "--cookie",
        Field::BasicAuth => "--basic-auth",
        Field::ContentType => "--content-type",
        Field::Body => "--body",
        Field::Variant(_) => "--request",
        Field::Data => "--data",
        Field::Session => "--follow-redirects, --keep-cookies",
        Field::Rate => "--rate or --stage",
        Field::Connections => "--connections",
        Field::Stop => "--duration or --requests",
        Field::Warmup => "--warmup",
        Field::Timeout => "--timeout",
        Field::Labels => "--label",
        Field::Name => "--name",
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use crate::model::plan::{Reach, Resolve, Reuse};

    use super::super::args::{Arguments, What};
    use super::*;

    fn options(line: &str) -> RunArgs {
        let words = ["meshbench", "run"].into_iter().chain(line.split_whitespace());
        match Arguments::try_parse_from(words).expect(line).what {
            Some(What::Run(options)) => *options,
            other => panic!("{other:?}"),
        }
    }

    fn plan(line: &str) -> Result<Plan, String> {
        merged(&options(line), None)
    }

    #[test]
    fn the_shortest_line_has_every_default() {
        assert_eq!(plan("http://x/"), Ok(Plan::for_url("http://x/")));
    }

    #[test]
    fn pacing_follows_rate_and_kind() {
        let constant = |rate_per_sec| Pacing::Constant { rate_per_sec };
        for (line, expected) in [
            ("http://x/", constant(100.0)),
            ("http://x/ --rate 7", constant(7.0)),
            ("http://x/ --pacing poisson", Pacing::Poisson { rate_per_sec: 100.0 }),
            ("http://x/ --pacing poisson --rate 7", Pacing::Poisson { rate_per_sec: 7.0 }),
            ("http://x/ --pacing max", Pacing::MAX),
        ] {
            assert_eq!(plan(line).expect(line).pacing, expected, "{line}");
        }
        plan("http://x/ --pacing max --rate 7").expect_err("a closed loop has no rate");
        plan("http://x/ --think 1s").expect_err("an open loop does not think");
        let think = plan("http://x/ --pacing max --think 20ms").expect("a closed loop").pacing;
        assert_eq!(think, Pacing::Max { think: Duration::from_millis(20) });
        let mut words = vec!["meshbench", "run", "http://x/"];
        words.extend(["--stage", "ramp 1..9 2s", "--stage", "end: hold 9 1s", "--stage", "max/5ms 2s"]);
        let Some(What::Run(options)) = Arguments::try_parse_from(words).expect("stages").what else {
            panic!("a run");
        };
        let shaped = merged(&options, None).expect("a plan");
        assert!(matches!(&shaped.pacing, Pacing::Profile(profile) if profile.stages.len() == 3));
        assert!(shaped.pacing.has_closed_loop() && shaped.pacing.is_open_loop());
        assert_eq!(shaped.stop, Stop::Never, "it ends where its stages end");
    }

    #[test]
    fn a_run_ends_where_what_is_asked_for_does() {
        let staged = |stop| {
            let base = plan("http://x/").expect("a plan");
            let hold = |rate: &str| format!("hold {rate} 1s").parse().expect("a stage");
            let stages = vec![hold("20"), hold("50")];
            Plan { pacing: Pacing::Profile(Profile { arrivals: Arrivals::Even, stages }), stop, ..base }
        };
        let with = |line: &str, base: Plan| merged(&options(line), Some(base));
        let two = Stop::Duration(Duration::from_secs(2));
        // What ended with its stages ends no later without them.
        let steady = with("--rate 20", staged(Stop::Never)).expect("a plan");
        assert_eq!((steady.pacing, steady.stop), (Pacing::Constant { rate_per_sec: 20.0 }, two));
        assert_eq!(with("--pacing max", staged(Stop::Never)).expect("a plan").stop, two);
        let random = with("--pacing poisson", staged(Stop::Never)).expect("a plan");
        assert!(matches!(&random.pacing, Pacing::Profile(profile) if profile.arrivals == Arrivals::Poisson));
        assert_eq!((random.stop, random.pacing.own_length()), (Stop::Never, Some(Duration::from_secs(2))));
        // Of a plan that ends after so many, the shape that is asked for is carried out to its end.
        let ten = Plan { stop: Stop::Requests(10), ..Plan::for_url("http://x/") };
        assert_eq!(with("--replay r", ten.clone()).expect("a plan").stop, Stop::Never);
        let words = ["meshbench", "run", "--stage", "hold 50 2s"];
        let Some(What::Run(stage)) = Arguments::try_parse_from(words).expect("options").what else {
            panic!("another command");
        };
        assert_eq!(merged(&stage, Some(ten)).expect("a plan").stop, Stop::Never);
        assert_eq!(with("--requests 70", staged(Stop::Never)).expect("a plan").stop, Stop::Requests(70));
        for (line, words) in
            [("--requests 71", "the stages end before"), ("--until-stopped", "end by themselves")]
        {
            let told = with(line, staged(Stop::Never)).expect_err(line);
            assert!(told.contains(words), "{line}: {told}");
        }
        let replay = Plan { pacing: Pacing::Replay { file: "r".into() }, ..staged(Stop::Never) };
        assert!(with("--rate 5", replay).expect_err("no length is known").contains("how long"));
    }

    #[test]
    fn options_for_requests_go_for_every_request_of_the_plan() {
        let mut base = plan("http://x/").expect("a plan");
        base.variants = vec![variant("GET /a", &Request::default()).expect("a request")];
        let line = "--header X-A:1 --cookie a=b --basic-auth a:b --method PUT";
        let changed = merged(&options(line), Some(base)).expect("a plan");
        let (all, one) = (&changed.request, &changed.variants[0].request);
        assert_eq!(
            (&all.headers, &all.cookies, &all.basic_auth),
            (&one.headers, &one.cookies, &one.basic_auth)
        );
        assert_eq!((one.headers.len(), one.method.as_str()), (1, "PUT"));
    }

    #[test]
    fn what_would_do_nothing_is_told() {
        for line in [
            "tcp://x:7 --header A:b",
            "udp://x:7 --method PUT",
            "http://x/ --protocol grpc --body x",
            "http://x/ --protocol grpc --method GET",
        ] {
            assert!(plan(line).expect_err(line).contains("has no meaning"), "{line}");
        }
        let search =
            search(&options("http://x/ --up-to 5 --requests 1"), &plan("http://x/").expect("a plan"));
        assert!(matches!(search, Err(Failure::Input(words)) if words.contains("--find-max")));
        let vain = |line: &str| templates_in_vain(&plan(line).expect(line)).is_some();
        for (line, expected) in [
            ("http://x/{{id}}", true),
            ("http://x/ --data a.csv", true),
            ("http://x/{{id}} --data a.csv", false),
            ("http://x/{{$n}} --templates", false),
            ("http://x/ --data a.csv --body @file", false),
            ("http://x/", false),
        ] {
            assert_eq!(vain(line), expected, "{line}");
        }
    }

    #[test]
    fn options_go_before_the_file() {
        let mut base = Plan::for_url("http://base/");
        base.pacing = Pacing::Poisson { rate_per_sec: 5.0 };
        base.stop = Stop::Requests(10);
        let header =
            |name: &str, value: &str| Header { name: name.into(), value: value.into(), secret: false };
        base.request.headers = vec![header("Accept", "a"), header("X-Other", "b")];
        base.labels.insert("mesh".to_owned(), "none".to_owned());
        let line =
            "http://new/ --rate 9 --duration 2s --header accept:c --label mesh=istio --warmup 1s --body {}";
        let plan = merged(&options(line), Some(base.clone())).expect(line);
        assert_eq!(plan.target.url, "http://new/");
        assert_eq!(plan.pacing, Pacing::Poisson { rate_per_sec: 9.0 });
        assert_eq!(plan.stop, Stop::Duration(Duration::from_secs(2)));
        assert_eq!(plan.request.headers, [header("X-Other", "b"), header("accept", "c")]);
        assert_eq!(plan.labels["mesh"], "istio");
        assert_eq!(plan.request.method, "POST");
        assert_eq!(merged(&options(""), Some(base.clone())), Ok(base));
    }

    #[test]
    fn several_requests_share_what_the_other_options_say() {
        let words = [
            "meshbench",
            "run",
            "http://x/",
            "--header",
            "a:b",
            "--request",
            "2.5 POST /cart?{{$random 1 2}}",
        ];
        let words = words.into_iter().chain([
            "--request",
            "/home",
            "--request",
            "DELETE http://ada:CANARY@x/a@b",
            "--request",
            "https://y:8443",
        ]);
        let Some(What::Run(options)) = Arguments::try_parse_from(words).expect("options").what else {
            panic!("another command");
        };
        let plan = merged(&options, None).expect("a plan");
        let seen: Vec<_> = plan
            .variants
            .iter()
            .map(|variant| (variant.weight, &*variant.request.method, variant.url.as_deref(), &*variant.name))
            .collect();
        assert_eq!(
            seen,
            [
                (2.5, "POST", Some("/cart?{{$random 1 2}}"), "POST /cart?{{$random 1 2}}"),
                (1.0, "GET", Some("/home"), "GET /home"),
                (1.0, "DELETE", Some("http://ada:CANARY@x/a@b"), "DELETE x/a@b"),
                (1.0, "GET", Some("https://y:8443"), "GET y:8443"),
            ]
        );
        assert!(plan.variants.iter().all(|variant| variant.request.headers == plan.request.headers));
        assert!(!plan.redacted().to_toml().contains("CANARY"));
        for text in ["3", "GET", "3 GET", "cart", "x GET /"] {
            variant(text, &Request::default()).expect_err(text);
        }
    }

    #[test]
    fn data_and_session_are_taken_from_their_flags() {
        let plan = plan(
            "http://x/ --data a.csv --data-order random --templates --keep-cookies --follow-redirects 3",
        )
        .expect("a plan");
        assert_eq!(plan.data, Some(Data { file: "a.csv".into(), order: Order::Random }));
        assert!(plan.templates && plan.session.keep_cookies && plan.session.follow_redirects == 3);
        assert_eq!(
            merged(&options("--data b.csv"), Some(plan)).expect("a plan").data.expect("data").order,
            Order::Random
        );
        super::tests::plan("http://x/ --data-order random").expect_err("no data");
    }

    #[test]
    fn the_way_to_the_target_is_taken_from_its_flags() {
        let target = |line: &str| plan(&format!("https://x/ {line}")).expect(line).target;
        let pem = |certificate: &str, key: &str| {
            Some(ClientCertificate::Pem { certificate: certificate.into(), key: key.into() })
        };
        assert_eq!(target("--client-cert a.pem --client-key b.pem").tls.client, pem("a.pem", "b.pem"));
        assert_eq!(target("--client-cert a.pem").tls.client, pem("a.pem", "a.pem"));
        let p12 =
            |password: &str| ClientCertificate::Pkcs12 { file: "a.p12".into(), password: password.into() };
        assert_eq!(target("--p12 a.p12").tls.client, Some(p12("")));
        let path = std::env::var("PATH").expect("every system has one");
        assert_eq!(target("--p12 a.p12 --p12-password-env PATH").tls.client, Some(p12(&path)));
        let all = target(
            "--server-name shop.test --no-resumption --reuse 5:9 -6 --all-addresses --resolve-each \
             --resolve x:10.0.0.1 --resolve y:443:[::1],10.0.0.2 --proxy socks5h://ada:CANARY@p:1",
        );
        assert_eq!((all.tls.server_name.as_deref(), all.tls.resumption), (Some("shop.test"), false));
        assert_eq!(all.reuse, Some(Reuse { min: 5, max: 9 }));
        let given = |host: &str, port, addresses: &[&str]| Resolve {
            host: host.to_owned(),
            port,
            addresses: addresses.iter().map(|text| text.parse().expect("an address")).collect(),
        };
        assert_eq!(
            all.reach,
            Reach {
                resolve: vec![given("x", None, &["10.0.0.1"]), given("y", Some(443), &["::1", "10.0.0.2"])],
                family: Family::V6,
                all_addresses: true,
                resolve_each: true,
                unix_socket: None,
                proxy: Some("socks5h://ada:CANARY@p:1".to_owned()),
            }
        );
        assert!(!Plan { target: all.clone(), ..Plan::for_url("") }.redacted().to_toml().contains("CANARY"));
        let base = Plan { target: all, ..Plan::for_url("https://x/") };
        let merged = merged(&options("-4 --unix-socket s --reuse 3"), Some(base)).expect("a plan").target;
        assert_eq!((merged.reach.family, merged.reuse), (Family::V4, Some(Reuse { min: 3, max: 3 })));
        assert_eq!((merged.reach.proxy, merged.reach.unix_socket), (None, Some("s".into())));
    }

    #[test]
    fn a_way_that_is_written_wrongly_is_refused() {
        for line in [
            "-4 -6",
            "--client-key a",
            "--p12 a --client-cert b",
            "--p12-password-env A",
            "--unix-socket s --proxy http://p",
            "--resolve x",
            "--resolve x:",
            "--resolve :10.0.0.1",
            "--resolve x:80:",
            "--resolve x:::1",
            "--resolve x:[10.0.0.1]",
            "--reuse a",
            "--reuse 1:",
        ] {
            let words = ["meshbench", "run", "http://x/"].into_iter().chain(line.split_whitespace());
            Arguments::try_parse_from(words).expect_err(line);
        }
        for (line, words) in [
            ("--p12 a --p12-password-env NOT_THERE_AT_ALL", "--p12-password-env"),
            ("--reuse 0", "--reuse: "),
            ("--reuse 9:5", "--reuse: "),
            ("--proxy ftp://ada:CANARY@p", "a proxy is http://"),
            ("--proxy http://p --all-addresses", "--proxy: this proxy chooses the address"),
            ("--proxy socks5://p --resolve-each", "--proxy: "),
            ("--server-name a/b", "--server-name"),
        ] {
            match of(&options(&format!("https://x/ {line}"))) {
                Err(Failure::Input(told)) => {
                    assert!(told.contains(words) && !told.contains("CANARY"), "{line}: {told}");
                }
                other => panic!("{line}: {other:?}"),
            }
        }
        for line in ["udp://x:7 --unix-socket s", "udp://x:7 --proxy http://p"] {
            of(&options(line)).expect_err(line);
        }
    }

    #[test]
    fn what_is_wrong_names_its_flag_and_no_secret() {
        let failure = |line: &str| match of(&options(line)) {
            Err(Failure::Input(words)) => words,
            other => panic!("{line}: {other:?}"),
        };
        for (line, words) in [
            ("", "a URL is missing"),
            ("localhost", "URL: write the scheme too"),
            ("http://x/ --label mesh", "--label"),
            ("http://x/ --connections 0", "--connections: "),
            ("http://x/ --timeout 0s", "--timeout: "),
            ("http://x/ --header CANARY", "--header"),
            ("http://x/ --header Host:a\u{7f}CANARY", "--header: the value of Host"),
            ("http://x/ --basic-auth CANARY", "--basic-auth"),
            ("http://x/ --cookie CANARY", "--cookie"),
            ("http://x/ --request CANARY", "--request"),
            ("http://x/ --request tcp://y:7", "--request: “GET y:7”: beside HTTP"),
            ("http://x/ --follow-redirects 21", "--follow-redirects"),
            ("--plan /nowhere/at/all.toml", "--plan /nowhere/at/all.toml"),
        ] {
            let told = failure(line);
            assert!(told.contains(words), "{line}: {told}");
            assert!(!told.contains("CANARY"), "{line}: {told}");
        }
    }
}
