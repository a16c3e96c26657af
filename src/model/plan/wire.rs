//! What a plan's protocol needs of the rest of the plan.

use super::{Field, Grpc, Plan, Problem, Protocol, REDACTED, Request, STREAMS_MAX};

/// The most requests in flight at once: connections times streams.
pub const IN_FLIGHT_MAX: u64 = 100_000;
/// The call that every gRPC service with the standard health service answers.
pub const GRPC_HEALTH: &str = "grpc.health.v1.Health/Check";
/// The largest gRPC request message, as JSON, in bytes.
pub const GRPC_MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What keeps the plan's protocol from being spoken.
pub(super) fn problems(plan: &Plan) -> Vec<Problem> {
    let mut found = Vec::new();
    let mut check = |field, result: Result<(), String>| {
        if let Err(reason) = result {
            found.push(Problem { field, reason });
        }
    };
    if !plan.target.protocol.is_on_http2() {
        return found;
    }
    check(Field::Protocol, check_streams(plan.target.protocol.streams(), plan.connections));
    check(Field::Protocol, check_scheme(&plan.target.url));
    if matches!(plan.target.protocol, Protocol::Grpc { .. }) {
        if !plan.session.is_default() {
            check(Field::Session, Err("a gRPC call has no cookies to keep and no redirects".to_owned()));
        }
        let is_template = plan.has_templates();
        if plan.variants.is_empty() {
            check(Field::Grpc, check_call(&plan.request, is_template));
        }
        for (at, variant) in plan.variants.iter().enumerate() {
            let checked = check_call(&variant.request, is_template);
            check(
                Field::Variant(Some(at)),
                checked.map_err(|reason| format!("“{}”: {reason}", variant.name)),
            );
        }
        for (at, header) in plan.request.headers.iter().enumerate() {
            check(Field::Header(at), check_metadata(&header.name, &header.value));
        }
    }
    found
}

/// # Errors
/// Why this number of streams cannot be used on so many connections.
pub fn check_streams(streams: u32, connections: u32) -> Result<(), String> {
    if !(1..=STREAMS_MAX).contains(&streams) {
        return Err(format!("streams of one connection must be 1 to {STREAMS_MAX}"));
    }
    if u64::from(streams) * u64::from(connections) > IN_FLIGHT_MAX {
        return Err(format!("connections times streams must be at most {IN_FLIGHT_MAX}"));
    }
    Ok(())
}

/// # Errors
/// Why this is not the name of a gRPC method.
pub fn check_grpc_method(method: &str) -> Result<(), String> {
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    match method.split_once('/') {
        Some((service, method)) if service.split('.').all(is_name) && is_name(method) => Ok(()),
        _ => Err(format!(
            "write the method as package.Service/Method, for example {GRPC_HEALTH} (not “{method}”)"
        )),
    }
}

/// # Errors
/// Why this gRPC metadata cannot be sent.
pub fn check_metadata(name: &str, value: &str) -> Result<(), String> {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
    let name = name.to_ascii_lowercase();
    if name.starts_with("grpc-") || ["te", "content-type", "host"].contains(&name.as_str()) {
        return Err(format!("{name} is set by Meshbench itself in a gRPC call"));
    }
    let is_base64 = || STANDARD.decode(value).is_ok() || STANDARD_NO_PAD.decode(value).is_ok();
    if name.ends_with("-bin") && value != REDACTED && !is_base64() {
        return Err(format!("the value of {name} must be base64: names that end in -bin hold bytes"));
    }
    Ok(())
}

fn check_scheme(url: &str) -> Result<(), String> {
    match url.split_once("://") {
        Some((scheme, _)) if !["http", "https"].contains(&scheme.to_ascii_lowercase().as_str()) => {
            Err(format!("HTTP/2 and gRPC need a URL with http or https, not {scheme}"))
        }
        // Another check says what is wrong with it.
        _ => Ok(()),
    }
}

fn check_call(request: &Request, is_template: bool) -> Result<(), String> {
    let Some(Grpc { method, message }) = &request.grpc else {
        return Err(format!("gRPC needs a method to call, for example {GRPC_HEALTH}"));
    };
    check_grpc_method(method)?;
    if message.len() > GRPC_MESSAGE_BYTES_MAX {
        return Err("the message is larger than 16 MiB".to_owned());
    }
    if is_template && message.contains("{{") {
        return Ok(());
    }
    match serde_json::from_str::<serde_json::Value>(message) {
        // Not always an object: some messages have a JSON form of their own, such as a string for a time.
        Ok(_) => Ok(()),
        Err(error) => Err(format!("the message is not JSON: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::plan::Schema;

    fn grpc(method: &str, message: &str) -> Plan {
        let mut plan = Plan::for_url("http://localhost:8079/");
        plan.target.protocol = Protocol::Grpc { streams: 1, schema: Schema::Reflection };
        plan.request.grpc = Some(Grpc { method: method.to_owned(), message: message.to_owned() });
        plan
    }

    fn reasons(plan: &Plan) -> String {
        plan.problems().into_iter().map(|problem| problem.reason).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn a_call_needs_a_method_and_json() {
        assert_eq!(reasons(&grpc(GRPC_HEALTH, "{}")), "");
        for (method, message, reason) in [
            ("Check", "{}", "package.Service/Method"),
            ("grpc.health.v1.Health.Check", "{}", "package.Service/Method"),
            ("a..b/C", "{}", "package.Service/Method"),
            ("a.B/C", "{\n \"x\": }", "not JSON: expected value at line 2"),
        ] {
            let told = reasons(&grpc(method, message));
            assert!(told.contains(reason), "{method} {message}: {told}");
        }
        let mut none = grpc(GRPC_HEALTH, "{}");
        none.request.grpc = None;
        assert!(reasons(&none).contains("needs a method"));
        let mut template = grpc(GRPC_HEALTH, "{\"service\": {{name}} }");
        assert!(reasons(&template).contains("not JSON"));
        template.templates = true;
        assert!(!reasons(&template).contains("not JSON"));
    }

    #[test]
    fn streams_have_a_limit_alone_and_with_connections() {
        check_streams(1, 1).expect("one");
        check_streams(STREAMS_MAX, 100).expect("as many as may be");
        for (streams, connections) in [(0, 1), (STREAMS_MAX + 1, 1), (STREAMS_MAX, 101)] {
            check_streams(streams, connections).expect_err("too many or none");
        }
        let mut plan = Plan::for_url("http://localhost/");
        plan.target.protocol = Protocol::Http2 { streams: 0 };
        assert_eq!(plan.problems()[0].field, Field::Protocol);
    }

    #[test]
    fn metadata_that_is_ours_or_not_base64_is_refused() {
        check_metadata("x-tenant", "a").expect("any text");
        check_metadata("trace-bin", "AAE=").expect("base64");
        check_metadata("trace-bin", "AAE").expect("base64 without padding");
        for (name, value) in [("grpc-timeout", "1S"), ("TE", "trailers"), ("trace-bin", "not base64!")] {
            check_metadata(name, value).expect_err(name);
        }
    }
}
