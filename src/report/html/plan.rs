//! What was run, and where. Secrets are left out, and of paths all but the file's name.

use std::path::Path;

use crate::model::plan::Arrivals;
use crate::model::{Body, Pacing, Plan, Run, Stop, duration, number};

use super::super::markup::Markup;
use super::{pair, pairs};

/// The largest body that the plan's TOML shows, in bytes.
const BODY_SHOWN_BYTES_MAX: usize = 4096;

/// The plan as names and values.
pub(super) fn table(out: &mut Markup, run: &Run) {
    pairs(out, &rows(&run.plan.redacted()));
}

/// Names and values of a plan, in the order of the form.
pub(super) fn rows(plan: &Plan) -> Vec<(String, String)> {
    let mut rows = vec![pair("URL", plan.target.url.as_str()), pair("Method", plan.request.method.as_str())];
    if plan.target.insecure {
        rows.push(pair("Certificates", "not checked (insecure)"));
    }
    if let Some(path) = &plan.target.ca_file {
        rows.push(pair("Further authorities", file_name(path)));
    }
    for header in &plan.request.headers {
        rows.push((format!("Header {}", header.name), header.value.clone()));
    }
    for cookie in &plan.request.cookies {
        rows.push((format!("Cookie {}", cookie.name), cookie.value.clone()));
    }
    if let Some(auth) = &plan.request.basic_auth {
        rows.push(pair("Basic auth", format!("{} : {}", auth.user, auth.password)));
    }
    if let Some(content_type) = &plan.request.content_type {
        rows.push(pair("Content type", content_type.as_str()));
    }
    match &plan.request.body {
        Body::Empty => {}
        Body::Text(text) => rows.push(pair("Body", format!("text, {}", number::bytes(text.len() as u64)))),
        Body::File(path) => rows.push(pair("Body", format!("file {}", file_name(path)))),
    }
    rows.push(pair("Pacing", pacing_words(&plan.pacing)));
    rows.push(pair("Connections", number::count(u64::from(plan.connections))));
    rows.push(pair("Stop", stop_words(plan.stop)));
    rows.push(pair("Warm-up", duration::text(plan.warmup)));
    rows.push(pair("Timeout", duration::text(plan.timeout)));
    rows
}

/// Where it was run.
pub(super) fn environment(out: &mut Markup, run: &Run) {
    let environment = &run.environment;
    let cpu = environment.load_cpu_share.map_or(number::UNKNOWN.to_owned(), number::percent);
    pairs(
        out,
        &[
            pair("Meshbench", environment.meshbench.as_str()),
            pair("System", environment.system.as_str()),
            pair("Logical processors", number::count(u64::from(environment.cpus))),
            pair("Threads that sent load", number::count(u64::from(environment.load_threads))),
            pair("Processor time of these threads", cpu),
            pair("Address of the target", environment.address.as_str()),
        ],
    );
}

/// The plan as a file that can be run again.
pub(super) fn toml(out: &mut Markup, run: &Run) {
    let mut plan = run.plan.redacted();
    if let Body::Text(text) = &plan.request.body
        && text.len() > BODY_SHOWN_BYTES_MAX
    {
        plan.request.body = Body::Text(format!("(left out of the report: {} bytes)", text.len()));
    }
    if let Body::File(path) = &plan.request.body {
        plan.request.body = Body::File(file_name(path).into());
    }
    plan.target.ca_file = plan.target.ca_file.as_deref().map(|path| file_name(path).into());
    out.leaf("pre", &[], plan.to_toml().trim_end());
    let words = "Save it as a file and run it again with: meshbench run --plan FILE.toml";
    out.leaf("p", &[("class", "caption")], words);
}

fn pacing_words(pacing: &Pacing) -> String {
    match pacing {
        Pacing::Max { think } if think.is_zero() => "as fast as answers come (closed loop)".to_owned(),
        Pacing::Max { think } => {
            format!("{} after each answer of a connection (closed loop)", duration::text(*think))
        }
        Pacing::Constant { rate_per_sec } => format!("constant, {}", number::rate(*rate_per_sec)),
        Pacing::Poisson { rate_per_sec } => {
            format!("Poisson arrivals, {} on average", number::rate(*rate_per_sec))
        }
        Pacing::Profile(profile) => {
            let arrivals = match profile.arrivals {
                Arrivals::Even => "evenly spaced",
                Arrivals::Poisson => "Poisson arrivals",
            };
            format!("{arrivals}, {}", profile.words())
        }
        Pacing::Replay { file } => format!("at the moments recorded in {}", file_name(file)),
    }
}

fn stop_words(stop: Stop) -> String {
    match stop {
        Stop::Duration(length) => format!("after {}", duration::text(length)),
        Stop::Requests(count) => format!("after {} requests", number::count(count)),
        Stop::Never => "by itself, or when it is stopped".to_owned(),
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
