//! The bytes of a request: built once for a whole run, or filled anew for each where something in it differs.

use std::io::Write as _;
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use url::{Position, Url};

use super::LoadError;
use super::cookies::Jar;
use super::data::Table;
use super::redirect::Hop;
use super::template::{Draw, Place, Template, split_hole};
use crate::model::plan::Request;

/// A request as the plan has it, made ready to be filled for each one that is sent; of no protocol yet.
#[derive(Clone, Debug)]
pub(super) struct Form {
    /// Where it goes; with stand-ins where the templates are.
    pub(super) url: Url,
    pub(super) method: Box<str>,
    /// Path and query.
    pub(super) target: Template,
    /// Headers in the order in which they are sent, without those that frame the request.
    pub(super) fields: Vec<FormField>,
    /// They are sent as one header, before the field of this number.
    pub(super) cookies: Vec<(Box<str>, Template)>,
    cookies_at: usize,
    pub(super) body: Template,
}

/// One header.
#[derive(Clone, Debug)]
pub(super) struct FormField {
    pub(super) name: Box<str>,
    pub(super) value: Template,
    /// Whether it speaks of the body, and goes with it.
    of_body: bool,
}

/// Reads the texts of a plan.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading<'a> {
    /// Whether `{{name}}` stands for something.
    pub(super) templates: bool,
    pub(super) table: Option<&'a Table>,
}

/// A slot's buffers: used again and again, so that filling a request does not allocate.
#[derive(Debug, Default)]
pub(super) struct Pen {
    /// The whole request.
    pub(super) bytes: Vec<u8>,
    body: Vec<u8>,
    /// Where path and query are in it.
    target: Range<usize>,
}

/// How a request differs from what the plan says.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Turn<'a> {
    pub(super) hop: Option<&'a Hop>,
    /// Cookies that were kept, and the time.
    pub(super) kept: Option<(&'a Jar, Timestamp)>,
}

impl Reading<'_> {
    /// # Errors
    /// What is wrong with the text of `what`.
    pub(super) fn read(self, text: &str, place: Place, what: &str) -> Result<Template, LoadError> {
        if !self.templates {
            return Ok(Template::fixed(text));
        }
        Template::read(text, place, self.table)
            .map_err(|reason| LoadError::Template(format!("{what}: {reason}")))
    }

    /// Path and query of `text`, read from `base`, and the whole URL with stand-ins where the templates are.
    fn target(self, text: &str, base: &Url) -> Result<(Template, Url), LoadError> {
        let no_url = |error: url::ParseError| LoadError::Url(error.to_string());
        if !self.templates {
            let url = base.join(text).map_err(no_url)?;
            // An origin form: the fragment stays here, as does the user.
            return Ok((Template::fixed(&url[Position::BeforePath..Position::AfterQuery]), url));
        }
        let (hidden, holes) = hide(text);
        let url = base.join(&hidden).map_err(no_url)?;
        if holes.iter().any(|(stand_in, _)| url[..Position::BeforePath].contains(stand_in.as_str())) {
            return Err(LoadError::Template("URL: only path and query can hold {{names}}".to_owned()));
        }
        let mut target = url[Position::BeforePath..Position::AfterQuery].to_owned();
        for (stand_in, hole) in holes {
            target = target.replace(&stand_in, hole);
        }
        Ok((self.read(&target, Place::Url, "URL")?, url))
    }
}

/// The text with a word in the place of each `{{…}}`, which would else be encoded as a part of the URL.
fn hide(text: &str) -> (String, Vec<(String, &str)>) {
    let salt = (0u64..).map(|n| format!("hole{n}x")).find(|salt| !text.contains(salt)).unwrap_or_default();
    let (mut hidden, mut holes, mut rest) = (String::new(), Vec::new(), text);
    while let Some((before, after)) = split_hole(rest) {
        let Some(length) = after.find("}}") else { break };
        let stand_in = format!("{salt}{}x", holes.len());
        hidden.push_str(before);
        hidden.push_str(&stand_in);
        holes.push((stand_in, &rest[before.len()..before.len() + length + 4]));
        rest = &after[length + 2..];
    }
    (hidden + rest, holes)
}

impl Form {
    /// `text` is a URL, or a path on the `base`.
    pub(super) fn new(
        request: &Request,
        text: &str,
        base: &Url,
        body: &[u8],
        reading: Reading<'_>,
    ) -> Result<Self, LoadError> {
        let (target, url) = reading.target(text, base)?;
        let mut form = Self {
            url: url.clone(),
            method: request.method.as_str().into(),
            target,
            fields: Vec::new(),
            cookies: Vec::new(),
            cookies_at: 0,
            body: body_template(body, reading)?,
        };
        let given = |name: &str| request.headers.iter().any(|header| header.name.eq_ignore_ascii_case(name));
        if !given("host") {
            form.add("Host", Template::fixed(&url[Position::BeforeHost..Position::AfterPort]));
        }
        if !given("user-agent") {
            form.add("User-Agent", Template::fixed(concat!("meshbench/", env!("CARGO_PKG_VERSION"))));
        }
        if !given("accept") {
            form.add("Accept", Template::fixed("*/*"));
        }
        for header in &request.headers {
            let value = reading.read(&header.value, Place::Header, &header.name)?;
            form.add(&header.name, value);
        }
        form.cookies_at = form.fields.len();
        for cookie in &request.cookies {
            let value = reading.read(&cookie.value, Place::Cookie, &cookie.name)?;
            form.cookies.push((cookie.name.as_str().into(), value));
        }
        if let Some(credentials) = basic(request, &url)
            && !given("authorization")
        {
            form.add("Authorization", Template::fixed(credentials));
        }
        if let Some(content_type) = &request.content_type
            && !given("content-type")
        {
            form.add("Content-Type", reading.read(content_type, Place::Header, "Content-Type")?);
        }
        Ok(form)
    }

    fn add(&mut self, name: &str, value: Template) {
        let of_body = name.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("content-"));
        self.fields.push(FormField { name: name.into(), value, of_body });
    }

    /// Whether it is the same for every request.
    pub(super) fn is_fixed(&self) -> bool {
        self.target.is_fixed()
            && self.body.is_fixed()
            && self.fields.iter().all(|field| field.value.is_fixed())
            && self.cookies.iter().all(|(_, value)| value.is_fixed())
    }

    /// Writes head and body as HTTP/1.1 has them.
    pub(super) fn write(&self, draw: &mut Draw<'_>, turn: Turn<'_>, pen: &mut Pen) {
        let as_get = turn.hop.is_some_and(|hop| hop.as_get);
        let method = if as_get { "GET" } else { &self.method };
        let Pen { bytes: out, body, target } = pen;
        out.clear();
        body.clear();
        out.extend_from_slice(method.as_bytes());
        out.push(b' ');
        let target_from = out.len();
        match turn.hop {
            Some(hop) => out.extend_from_slice(hop.target.as_bytes()),
            None => self.target.fill(draw, out),
        }
        *target = target_from..out.len();
        out.extend_from_slice(b" HTTP/1.1\r\n");
        for (at, field) in self.fields.iter().enumerate() {
            if at == self.cookies_at {
                self.write_cookies(draw, turn, target, out);
            }
            if !(as_get && field.of_body) {
                line(&field.name, out, |out| field.value.fill(draw, out));
            }
        }
        if self.cookies_at == self.fields.len() {
            self.write_cookies(draw, turn, target, out);
        }
        if !as_get {
            self.body.fill(draw, body);
        }
        if !body.is_empty() || matches!(method, "POST" | "PUT" | "PATCH") {
            let length = body.len();
            line("Content-Length", out, |out| {
                // Writing into memory cannot fail.
                let _ = write!(out, "{length}");
            });
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(body);
    }

    /// The plan's cookies as one header has them, but for those that `is_left_out` by their names and what was written.
    pub(super) fn fill_cookies(
        &self,
        draw: &mut Draw<'_>,
        out: &mut Vec<u8>,
        is_left_out: impl Fn(&str, &[u8]) -> bool,
    ) {
        let from = out.len();
        for (name, value) in &self.cookies {
            if is_left_out(name, out) {
                continue;
            }
            if out.len() > from {
                out.extend_from_slice(b"; ");
            }
            out.extend_from_slice(name.as_bytes());
            out.push(b'=');
            value.fill(draw, out);
        }
    }

    /// One that was kept goes before the plan's of the same name.
    fn write_cookies(&self, draw: &mut Draw<'_>, turn: Turn<'_>, target: &Range<usize>, out: &mut Vec<u8>) {
        if self.cookies.is_empty() && turn.kept.is_none() {
            return;
        }
        let line_from = out.len();
        out.extend_from_slice(b"Cookie: ");
        let values_from = out.len();
        self.fill_cookies(draw, out, |name, out| {
            turn.kept.is_some_and(|(jar, now)| jar.sends(name, &out[target.clone()], now))
        });
        if let Some((jar, now)) = turn.kept {
            let is_first = out.len() == values_from;
            jar.write(target.clone(), now, is_first, out);
        }
        if out.len() == values_from {
            out.truncate(line_from);
        } else {
            out.extend_from_slice(b"\r\n");
        }
    }
}

impl Pen {
    /// Path and query of what was written last.
    pub(super) fn target(&self) -> &[u8] {
        &self.bytes[self.target.clone()]
    }
}

/// A body that is not text has no templates.
fn body_template(body: &[u8], reading: Reading<'_>) -> Result<Template, LoadError> {
    match std::str::from_utf8(body) {
        Ok(text) => reading.read(text, Place::Body, "body"),
        Err(_) => Ok(Template::fixed(body)),
    }
}

fn line(name: &str, out: &mut Vec<u8>, value: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    value(out);
    out.extend_from_slice(b"\r\n");
}

/// The value of `Authorization`, where the plan or the URL has credentials.
pub(super) fn basic(request: &Request, url: &Url) -> Option<String> {
    credentials(request, url).map(|credentials| format!("Basic {}", STANDARD.encode(credentials)))
}

/// `user:password`, of the plan or else of the URL.
fn credentials(request: &Request, url: &Url) -> Option<Vec<u8>> {
    if let Some(auth) = &request.basic_auth {
        return Some(format!("{}:{}", auth.user, auth.password).into_bytes());
    }
    let password = url.password().unwrap_or("");
    if url.username().is_empty() && password.is_empty() {
        return None;
    }
    let mut bytes = percent_decoded(url.username());
    bytes.push(b':');
    bytes.extend(percent_decoded(password));
    Some(bytes)
}

pub(super) fn percent_decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|code| std::str::from_utf8(code).ok());
        match code.filter(|_| first == b'%').and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::cookies::Site;
    use crate::load::data::Row;
    use crate::load::random::Random;
    use crate::model::plan::{BasicAuth, Cookie, Header};

    const FIXED: Reading<'_> = Reading { templates: false, table: None };

    fn draw(row: Option<Row<'_>>) -> Draw<'_> {
        Draw { row, number: 3, random: Random::seeded(1) }
    }

    fn form(request: &Request, url: &str, body: &str, reading: Reading<'_>) -> Result<Form, LoadError> {
        let base = Url::parse("http://base.test:1/").expect("a URL");
        Form::new(request, url, &base, body.as_bytes(), reading)
    }

    fn written(form: &Form, draw: &Draw<'_>, turn: Turn<'_>) -> String {
        let mut pen = Pen::default();
        form.write(&mut draw.clone(), turn, &mut pen);
        String::from_utf8(pen.bytes).expect("all of it is text")
    }

    fn text(request: &Request, url: &str, body: &str) -> String {
        let form = form(request, url, body, FIXED).expect(url);
        assert!(form.is_fixed());
        written(&form, &draw(None), Turn::default())
    }

    const AGENT: &str = concat!("meshbench/", env!("CARGO_PKG_VERSION"));

    #[test]
    fn a_plain_request_has_what_http_asks_for() {
        assert_eq!(
            text(&Request::default(), "http://a.test:8080/b%20c?d=e#f", ""),
            format!(
                "GET /b%20c?d=e HTTP/1.1\r\nHost: a.test:8080\r\nUser-Agent: {AGENT}\r\nAccept: */*\r\n\r\n"
            )
        );
        assert!(text(&Request::default(), "http://[::1]:80", "").contains("\r\nHost: [::1]\r\n"));
        assert!(text(&Request::default(), "https://a.test", "").starts_with("GET / HTTP/1.1\r\n"));
    }

    #[test]
    fn everything_a_plan_can_say_is_sent() {
        let header = |name: &str, value: &str| Header {
            name: name.to_owned(),
            value: value.to_owned(),
            secret: false,
        };
        let cookie = |name: &str, value: &str| Cookie { name: name.to_owned(), value: value.to_owned() };
        let request = Request {
            method: "POST".to_owned(),
            headers: vec![header("host", "b.test"), header("X-Trace", "1")],
            cookies: vec![cookie("a", "1"), cookie("b", "2")],
            basic_auth: Some(BasicAuth { user: "me".to_owned(), password: "pass".to_owned() }),
            content_type: Some("application/json".to_owned()),
            ..Request::default()
        };
        assert_eq!(
            text(&request, "http://a.test/", "{}"),
            format!(
                "POST / HTTP/1.1\r\nUser-Agent: {AGENT}\r\nAccept: */*\r\nhost: b.test\r\nX-Trace: 1\r\n\
                 Cookie: a=1; b=2\r\nAuthorization: Basic bWU6cGFzcw==\r\nContent-Type: application/json\r\n\
                 Content-Length: 2\r\n\r\n{{}}"
            )
        );
    }

    #[test]
    fn a_user_in_the_url_becomes_basic_authentication() {
        let sent = text(&Request::default(), "http://me:p%40ss@a.test/", "");
        assert!(sent.contains("\r\nHost: a.test\r\n"), "{sent}");
        assert!(
            sent.contains(&format!("\r\nAuthorization: Basic {}\r\n", STANDARD.encode("me:p@ss"))),
            "{sent}"
        );
    }

    #[test]
    fn a_body_may_be_empty_where_one_is_usual() {
        let request = Request { method: "PUT".to_owned(), ..Request::default() };
        assert!(text(&request, "http://a.test/", "").contains("\r\nContent-Length: 0\r\n"));
    }

    #[test]
    fn templates_are_filled_wherever_they_stand() {
        let table = Table::from_csv("id,name\n1,A b/c\n22,\"{\"\n".as_bytes()).expect("a table");
        let reading = Reading { templates: true, table: Some(&table) };
        let request = Request {
            method: "POST".to_owned(),
            headers: vec![Header { name: "X-Id".to_owned(), value: "n{{id}}".to_owned(), secret: false }],
            cookies: vec![Cookie { name: "c".to_owned(), value: "{{id}}".to_owned() }],
            ..Request::default()
        };
        let form =
            form(&request, "http://a.test/%7B/{{name}}/../x?q={{name}}&hole0x#{{id}}", "{{{id}}}", reading)
                .expect("templates");
        assert!(!form.is_fixed());
        for (row, target, id, body) in
            [(0, "/%7B/x?q=A%20b%2Fc&hole0x", "1", "{1}"), (1, "/%7B/x?q=%7B&hole0x", "22", "{22}")]
        {
            assert_eq!(
                written(&form, &draw(Some(table.row(row))), Turn::default()),
                format!(
                    "POST {target} HTTP/1.1\r\nHost: a.test\r\nUser-Agent: {AGENT}\r\nAccept: */*\r\nX-Id: n{id}\r\n\
                     Cookie: c={id}\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                )
            );
        }
        let wrong =
            super::tests::form(&request, "http://{{id}}.test/", "", reading).expect_err("in the host");
        assert!(wrong.to_string().contains("only path and query"), "{wrong}");
        let wrong = super::tests::form(&request, "/{{nobody}}", "", reading).expect_err("no column");
        assert!(
            wrong.to_string().contains("URL: {{nobody}} is no column of the data file; it has id, name"),
            "{wrong}"
        );
    }

    #[test]
    fn without_templates_braces_are_braces() {
        let sent = text(&Request::default(), "http://a.test/{{id}}?{{x}}", "{{y}}");
        assert!(
            sent.starts_with("GET /%7B%7Bid%7D%7D?{{x}} HTTP/1.1\r\n") && sent.ends_with("\r\n\r\n{{y}}"),
            "{sent}"
        );
    }

    #[test]
    fn a_kept_cookie_goes_before_the_plans() {
        let cookie = |name: &str| Cookie { name: name.to_owned(), value: "plan".to_owned() };
        let request = Request { cookies: vec![cookie("a"), cookie("b")], ..Request::default() };
        let (mut jar, now) = (Jar::default(), Timestamp::UNIX_EPOCH);
        let site = Site { host: "a.test", is_https: false };
        let form = form(&request, "http://a.test/x", "", FIXED).expect("a form");
        let sent = |jar: &Jar| written(&form, &draw(None), Turn { hop: None, kept: Some((jar, now)) });
        assert!(sent(&jar).contains("\r\nCookie: a=plan; b=plan\r\n"));
        jar.take(b"a=kept", b"/x", site, now);
        jar.take(b"c=kept; Path=/y", b"/x", site, now);
        assert!(sent(&jar).contains("\r\nCookie: b=plan; a=kept\r\n"), "{}", sent(&jar));
        let bare = super::tests::form(&Request::default(), "http://a.test/", "", FIXED).expect("a form");
        let sent = |jar: &Jar| written(&bare, &draw(None), Turn { hop: None, kept: Some((jar, now)) });
        assert!(!sent(&Jar::default()).contains("Cookie"));
        assert!(sent(&jar).contains("\r\nCookie: a=kept\r\n"));
    }

    #[test]
    fn what_follows_a_redirect_drops_the_body_with_its_headers() {
        let request = Request {
            method: "POST".to_owned(),
            content_type: Some("text/plain".to_owned()),
            ..Request::default()
        };
        let form = form(&request, "http://a.test/x", "body", FIXED).expect("a form");
        let followed = |as_get| {
            let hop = Hop { target: "/y".to_owned(), as_get };
            written(&form, &draw(None), Turn { hop: Some(&hop), kept: None })
        };
        let start = format!("/y HTTP/1.1\r\nHost: a.test\r\nUser-Agent: {AGENT}\r\nAccept: */*\r\n");
        assert_eq!(followed(true), format!("GET {start}\r\n"));
        assert_eq!(
            followed(false),
            format!("POST {start}Content-Type: text/plain\r\nContent-Length: 4\r\n\r\nbody")
        );
    }
}
