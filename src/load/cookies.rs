//! What an answer asks to be sent again: cookies, as RFC 6265 has them for one origin. Pure.

use std::io::Write as _;
use std::ops::Range;

use jiff::Timestamp;

/// The most cookies of one slot; the oldest makes room.
pub(super) const COOKIES_MAX: usize = 50;
/// The largest cookie, name, value and path, in bytes; a larger one is not kept.
pub(super) const COOKIE_BYTES_MAX: usize = 4096;

/// The cookies of one slot: all from one origin, and sent to no other.
#[derive(Clone, Debug, Default)]
pub(super) struct Jar {
    /// Those with longer paths first, as they are sent.
    cookies: Vec<Cookie>,
    /// How many were taken so far.
    taken: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Cookie {
    /// Which it was of those taken.
    number: u64,
    name: String,
    value: Vec<u8>,
    path: String,
    /// None for as long as the run.
    expires: Option<Timestamp>,
}

/// Whom cookies are for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Site<'a> {
    pub(super) host: &'a str,
    pub(super) is_https: bool,
}

impl Jar {
    pub(super) fn is_empty(&self) -> bool {
        self.cookies.is_empty()
    }

    /// Takes the value of a `Set-Cookie` header of an answer to a request for `target` (path and query).
    pub(super) fn take(&mut self, header: &[u8], target: &[u8], site: Site<'_>, now: Timestamp) {
        let Some(cookie) = read(header, target, site, now) else { return };
        self.cookies.retain(|kept| (&kept.name, &kept.path) != (&cookie.name, &cookie.path));
        if cookie.expires.is_some_and(|at| at <= now) {
            return;
        }
        if self.cookies.len() == COOKIES_MAX {
            let oldest = (0..COOKIES_MAX).min_by_key(|at| self.cookies[*at].number);
            self.cookies.remove(oldest.expect("there are some"));
        }
        self.taken += 1;
        let at = self.cookies.partition_point(|kept| kept.path.len() >= cookie.path.len());
        self.cookies.insert(at, Cookie { number: self.taken, ..cookie });
    }

    /// Whether a cookie of this name is sent with a request for `target`.
    pub(super) fn sends(&self, name: &str, target: &[u8], now: Timestamp) -> bool {
        self.cookies.iter().any(|cookie| cookie.name == name && cookie.is_sent(target, now))
    }

    /// Adds `name=value` of each cookie that is sent with a request for the path and query that stand at `target` in
    /// `out`; `is_first`: nothing is in the header yet.
    pub(super) fn write(&self, target: Range<usize>, now: Timestamp, mut is_first: bool, out: &mut Vec<u8>) {
        for cookie in &self.cookies {
            if cookie.is_sent(&out[target.clone()], now) {
                // Writing into memory cannot fail.
                let _ = write!(out, "{}{}=", if is_first { "" } else { "; " }, cookie.name);
                out.extend_from_slice(&cookie.value);
                is_first = false;
            }
        }
    }
}

impl Cookie {
    fn is_sent(&self, target: &[u8], now: Timestamp) -> bool {
        let Some(rest) = path_of(target).strip_prefix(self.path.as_bytes()) else { return false };
        let is_below = rest.is_empty() || self.path.ends_with('/') || rest[0] == b'/';
        is_below && self.expires.is_none_or(|at| at > now)
    }
}

/// A cookie; none when it is not for us. One that is over already says which to delete.
fn read(header: &[u8], target: &[u8], site: Site<'_>, now: Timestamp) -> Option<Cookie> {
    let mut parts = header.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    let pair = parts.next()?;
    let equals = pair.iter().position(|byte| *byte == b'=')?;
    let (name, value) = (pair[..equals].trim_ascii(), pair[equals + 1..].trim_ascii());
    let is_plain = |bytes: &[u8]| bytes.iter().all(|byte| *byte >= b' ' && *byte != 0x7f);
    if name.is_empty() || !is_plain(name) || !is_plain(value) {
        return None;
    }
    let name = std::str::from_utf8(name).ok()?.to_owned();
    let mut cookie =
        Cookie { number: 0, name, value: value.to_vec(), path: default_path(target), expires: None };
    let mut max_age = None;
    for part in parts {
        let part = std::str::from_utf8(part).unwrap_or_default();
        let (key, value) = part.split_once('=').map_or((part, ""), |(key, value)| (key.trim(), value.trim()));
        match key.to_ascii_lowercase().as_str() {
            "secure" if !site.is_https => return None,
            "domain" if !is_host(value, site.host) => return None,
            "path" if value.starts_with('/') => value.clone_into(&mut cookie.path),
            "path" => cookie.path = default_path(target),
            "max-age" => max_age = value.parse::<i64>().ok().or(max_age),
            "expires" => cookie.expires = date(value).or(cookie.expires),
            _ => {}
        }
    }
    if let Some(seconds) = max_age {
        // Beyond what a moment can be: it stays for the run.
        cookie.expires = now.checked_add(jiff::SignedDuration::from_secs(seconds.max(0))).ok();
    }
    let bytes = cookie.name.len() + cookie.value.len() + cookie.path.len();
    (bytes <= COOKIE_BYTES_MAX).then_some(cookie)
}

/// Whether `domain` is the host, or one that the host belongs to. Never an address's or a top level's.
fn is_host(domain: &str, host: &str) -> bool {
    let domain = domain.strip_prefix('.').unwrap_or(domain);
    if domain.is_empty() || domain.eq_ignore_ascii_case(host) {
        return true;
    }
    let is_address = host.parse::<std::net::IpAddr>().is_ok();
    let ending = host.len().checked_sub(domain.len()).and_then(|at| host.get(at..).map(|end| (at, end)));
    !is_address
        && domain.contains('.')
        && ending.is_some_and(|(at, end)| end.eq_ignore_ascii_case(domain) && host[..at].ends_with('.'))
}

fn path_of(target: &[u8]) -> &[u8] {
    target.split(|byte| *byte == b'?').next().unwrap_or(target)
}

/// The folder of the path, without its last slash.
fn default_path(target: &[u8]) -> String {
    let path = path_of(target);
    match path.iter().rposition(|byte| *byte == b'/') {
        None | Some(0) => "/".to_owned(),
        Some(at) => String::from_utf8_lossy(&path[..at]).into_owned(),
    }
}

/// `Wed, 21 Oct 2015 07:28:00 GMT`, and with dashes in the day as it once was.
fn date(text: &str) -> Option<Timestamp> {
    let text = text.replace('-', " ");
    let zoned = jiff::fmt::rfc2822::DateTimeParser::new().parse_zoned(text.trim()).ok()?;
    Some(zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SITE: Site<'_> = Site { host: "shop.mesh.test", is_https: false };

    fn now() -> Timestamp {
        "2026-01-01T00:00:00Z".parse().expect("a moment")
    }

    fn sent(headers: &[&str], taken_at: &str, target: &str, site: Site<'_>) -> String {
        let mut jar = Jar::default();
        for header in headers {
            jar.take(header.as_bytes(), taken_at.as_bytes(), site, now());
        }
        let mut out = target.as_bytes().to_vec();
        jar.write(0..target.len(), now(), true, &mut out);
        String::from_utf8(out.split_off(target.len())).expect("text")
    }

    #[test]
    fn what_is_set_is_sent_where_it_belongs() {
        for (headers, at, target, expected) in [
            (&["a=1", "b=2; HttpOnly; SameSite=Lax"][..], "/", "/x?y", "a=1; b=2"),
            (&["a=1", "a=2"], "/", "/", "a=2"),
            (&["a=1; Path=/shop", "b=2; path=/"], "/", "/shop/cart", "a=1; b=2"),
            (&["a=1; Path=/shop"], "/", "/shopping", ""),
            (&["a=1; Path=/shop/"], "/", "/shop/x", "a=1"),
            (&["a=1"], "/shop/login?x=/y/z", "/shop/cart", "a=1"),
            (&["a=1"], "/shop/login", "/", ""),
            (&["a=1; Path=elsewhere"], "/shop/login", "/shop", "a=1"),
            (&["a=b=c"], "/", "/", "a=b=c"),
            (&["a="], "/", "/", "a="),
            (&["a=1; Domain=.mesh.test"], "/", "/", "a=1"),
            (&["a=1; Domain=SHOP.mesh.test"], "/", "/", "a=1"),
            (&["a=1; Domain=test"], "/", "/", ""),
            (&["a=1; Domain=other.test", "b=1; Domain=p.mesh.test"], "/", "/", ""),
            (&["a=1; Domain=op.mesh.test"], "/", "/", ""),
            (&["a=1; Secure"], "/", "/", ""),
            (&["none", "=1", "a\u{1}=2", ""], "/", "/", ""),
        ] {
            assert_eq!(sent(headers, at, target, SITE), expected, "{headers:?} {at} {target}");
        }
        let https = Site { is_https: true, ..SITE };
        assert_eq!(sent(&["a=1; Secure"], "/", "/", https), "a=1");
        let address = Site { host: "10.0.0.1", is_https: false };
        assert_eq!(sent(&["a=1; Domain=0.0.1"], "/", "/", address), "");
    }

    #[test]
    fn what_is_over_is_not_sent() {
        for (headers, expected) in [
            (&["a=1", "a=; Max-Age=0"][..], ""),
            (&["a=1", "a=; Max-Age=-5; Expires=Wed, 21 Oct 2099 07:28:00 GMT"], ""),
            (&["a=1", "a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT"], ""),
            (&["a=1", "a=; Expires=Thu, 01-Jan-1970 00:00:00 GMT"], ""),
            (&["a=1; Expires=Wed, 21 Oct 2099 07:28:00 GMT"], "a=1"),
            (&["a=1; Expires=some day; Max-Age=soon"], "a=1"),
            (&["a=1; Max-Age=9223372036854775807"], "a=1"),
        ] {
            assert_eq!(sent(headers, "/", "/", SITE), expected, "{headers:?}");
        }
        let mut jar = Jar::default();
        jar.take(b"a=1; Max-Age=60", b"/", SITE, now());
        assert!(jar.sends("a", b"/", now() + jiff::SignedDuration::from_secs(59)));
        assert!(!jar.sends("a", b"/", now() + jiff::SignedDuration::from_secs(60)));
    }

    #[test]
    fn number_and_size_have_limits() {
        let mut jar = Jar::default();
        for n in 0..COOKIES_MAX + 7 {
            jar.take(format!("c{n}=1").as_bytes(), b"/", SITE, now());
        }
        assert_eq!(jar.cookies.len(), COOKIES_MAX);
        assert!(!jar.sends("c6", b"/", now()) && jar.sends("c7", b"/", now()));
        jar.take(format!("big={}", "x".repeat(COOKIE_BYTES_MAX)).as_bytes(), b"/", SITE, now());
        assert!(!jar.sends("big", b"/", now()));
    }
}
