//! From the command line to a plan. Pure, but for reading the plan's file.

use std::path::Path;
use std::time::Duration;

use crate::model::plan::{Field, PLAN_BYTES_MAX};
use crate::model::{BasicAuth, Body, Cookie, Header, Pacing, Plan, Search, Stop};

use super::Failure;
use super::args::{PacingKind, RunArgs};

/// The length of a trial when nobody says.
const TRIAL_DEFAULT: Duration = Duration::from_secs(10);

/// The search that the options ask for, checked against its plan.
pub(super) fn search(options: &RunArgs, plan: &Plan) -> Result<Option<Search>, Failure> {
    let asked = &options.search;
    if asked.find_max.is_empty() {
        return Ok(None);
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

/// The plan that the options ask for, checked.
pub(super) fn of(options: &RunArgs) -> Result<Plan, Failure> {
    let base = options.plan.as_deref().map(read).transpose()?;
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
    let mut plan = match (base, &options.url) {
        (Some(plan), _) => plan,
        (None, Some(url)) => Plan::for_url(url),
        (None, None) => {
            return Err("a URL is missing, for example: meshbench run http://localhost:8080/".to_owned());
        }
    };
    if let Some(url) = &options.url {
        plan.target.url.clone_from(url);
    }
    if let Some(name) = &options.name {
        plan.name.clone_from(name);
    }
    plan.target.insecure |= options.insecure;
    if let Some(path) = &options.ca_file {
        plan.target.ca_file = Some(path.clone());
    }
    plan.pacing = pacing(options.pacing, options.rate, plan.pacing)?;
    plan.connections = options.connections.unwrap_or(plan.connections);
    plan.warmup = options.warmup.unwrap_or(plan.warmup);
    plan.timeout = options.timeout.unwrap_or(plan.timeout);
    match (options.duration, options.requests) {
        (Some(length), _) => plan.stop = Stop::Duration(length),
        (None, Some(count)) => plan.stop = Stop::Requests(count),
        (None, None) => {}
    }
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
    request(options, &mut plan)?;
    Ok(plan)
}

fn pacing(kind: Option<PacingKind>, rate: Option<f64>, base: Pacing) -> Result<Pacing, String> {
    let rate_per_sec = rate.or(base.rate_per_sec()).unwrap_or(100.0);
    match (kind, rate, base) {
        (Some(PacingKind::Max), Some(_), _) => {
            Err("--pacing max has no --rate: it goes as fast as answers come".to_owned())
        }
        (Some(PacingKind::Max), None, _) => Ok(Pacing::Max),
        (Some(PacingKind::Poisson), ..) | (None, Some(_), Pacing::Poisson { .. }) => {
            Ok(Pacing::Poisson { rate_per_sec })
        }
        (Some(PacingKind::Constant), ..) | (None, Some(_), _) => Ok(Pacing::Constant { rate_per_sec }),
        (None, None, base) => Ok(base),
    }
}

/// Method, headers, credentials and body. No message here repeats a value: it may be a secret.
fn request(options: &RunArgs, plan: &mut Plan) -> Result<(), String> {
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
    plan.request.headers.retain(|header| !is_given(&header.name));
    plan.request.headers.append(&mut headers);
    for text in &options.cookie {
        let (name, value) =
            text.split_once('=').ok_or_else(|| "--cookie: write a name, = and a value".to_owned())?;
        plan.request.cookies.retain(|cookie| cookie.name != name.trim());
        plan.request.cookies.push(Cookie { name: name.trim().to_owned(), value: value.trim().to_owned() });
    }
    if let Some(text) = &options.basic_auth {
        let (user, password) = text
            .split_once(':')
            .ok_or_else(|| "--basic-auth: write a user, a colon and a password".to_owned())?;
        plan.request.basic_auth = Some(BasicAuth { user: user.to_owned(), password: password.to_owned() });
    }
    if let Some(content_type) = &options.content_type {
        plan.request.content_type = Some(content_type.clone());
    }
    if let Some(body) = &options.body {
        plan.request.body = match body.strip_prefix('@') {
            Some(path) => Body::File(path.into()),
            None => Body::Text(body.clone()),
        };
        if options.method.is_none() && plan.request.method == "GET" {
            "POST".clone_into(&mut plan.request.method);
        }
    }
    if let Some(method) = &options.method {
        plan.request.method.clone_from(method);
    }
    Ok(())
}

/// How the command line calls a field.
fn flag(field: &Field) -> &'static str {
    match field {
        Field::Url => "URL",
        Field::Protocol => "--protocol or --streams",
        Field::Tls => "TLS",
        Field::Reach => "way to the target",
        Field::Reuse => "reuse of connections",
        Field::Grpc => "--grpc-method or --grpc-message",
        Field::Method => "--method",
        Field::Header(_) => "--header",
        Field::Cookie(_) => "--cookie",
        Field::BasicAuth => "--basic-auth",
        Field::ContentType => "--content-type",
        Field::Body => "--body",
        Field::Variant(_) => "--request",
        Field::Data => "--data",
        Field::Session => "--follow-redirects, --keep-cookies",
        Field::Rate => "--rate",
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
            ("http://x/ --pacing max", Pacing::Max),
        ] {
            assert_eq!(plan(line).expect(line).pacing, expected, "{line}");
        }
        plan("http://x/ --pacing max --rate 7").expect_err("a closed loop has no rate");
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
            ("--plan /nowhere/at/all.toml", "--plan /nowhere/at/all.toml"),
        ] {
            let told = failure(line);
            assert!(told.contains(words), "{line}: {told}");
            assert!(!told.contains("CANARY"), "{line}: {told}");
        }
    }
}
