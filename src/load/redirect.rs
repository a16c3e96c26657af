//! Where a redirect leads, and with which method: pure.

use url::{Position, Url};

/// The longest `Location` that is followed, in bytes.
pub(super) const LOCATION_BYTES_MAX: usize = 8192;

/// A request that follows from an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hop {
    /// Path and query.
    pub(super) target: String,
    /// Whether it is a GET without a body, whatever the plan's method is.
    pub(super) as_get: bool,
}

/// What an answer was to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    /// Where it was sent: only its scheme, host and port matter.
    pub(super) origin: &'a Url,
    pub(super) method: &'a str,
    /// Path and query.
    pub(super) target: &'a [u8],
    pub(super) as_get: bool,
}

/// The request that follows from an answer; none when it is no redirect, or one that leads elsewhere than to the
/// origin: load goes only where the plan says, and its credentials with it.
pub(super) fn follow(asked: Asked<'_>, status: u16, location: &[u8]) -> Option<Hop> {
    // RFC 9110, 15.4: what browsers make of 301 and 302 after a POST became the rule.
    let becomes_get = match status {
        301 | 302 => asked.method == "POST",
        303 => !matches!(asked.method, "GET" | "HEAD"),
        307 | 308 => false,
        _ => return None,
    };
    let location = std::str::from_utf8(location).ok().filter(|text| !text.is_empty())?;
    let base = asked.origin.join(std::str::from_utf8(asked.target).ok()?).ok()?;
    let to = base.join(location).ok()?;
    if to.origin() != asked.origin.origin() {
        return None;
    }
    let target = to[Position::BeforePath..Position::AfterQuery].to_owned();
    Some(Hop { target, as_get: asked.as_get || becomes_get })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(method: &str, status: u16, location: &str) -> Option<(String, bool)> {
        let origin = Url::parse("http://a.test:8080/start").expect("a URL");
        let asked = Asked { origin: &origin, method, target: b"/shop/cart?x=1", as_get: false };
        follow(asked, status, location.as_bytes()).map(|hop| (hop.target, hop.as_get))
    }

    #[test]
    fn a_location_is_read_from_where_the_answer_came() {
        for (location, target) in [
            ("/b?c=d#e", "/b?c=d"),
            ("pay", "/shop/pay"),
            ("../b", "/b"),
            ("?y=2", "/shop/cart?y=2"),
            ("http://a.test:8080/b c", "/b%20c"),
            ("http://A.TEST:8080", "/"),
            ("//a.test:8080/b", "/b"),
        ] {
            assert_eq!(to("GET", 302, location), Some((target.to_owned(), false)), "{location}");
        }
    }

    #[test]
    fn a_redirect_that_leads_elsewhere_is_not_followed() {
        for location in [
            "https://a.test:8080/b",
            "http://a.test/b",
            "http://b.test:8080/",
            "//b.test/",
            "mailto:me@a.test",
            "http://",
            "",
        ] {
            assert_eq!(to("GET", 302, location), None, "{location}");
        }
        for status in [200, 300, 304, 305, 306, 309, 404] {
            assert_eq!(to("GET", status, "/b"), None, "{status}");
        }
        let origin = Url::parse("http://a.test/").expect("a URL");
        let asked = Asked { origin: &origin, method: "GET", target: b"/", as_get: false };
        assert_eq!(follow(asked, 302, b"/\xff"), None);
    }

    #[test]
    fn the_method_follows_the_status() {
        for (method, status, as_get) in [
            ("POST", 301, true),
            ("POST", 302, true),
            ("POST", 303, true),
            ("POST", 307, false),
            ("POST", 308, false),
            ("PUT", 302, false),
            ("PUT", 303, true),
            ("HEAD", 303, false),
            ("GET", 303, false),
        ] {
            assert_eq!(to(method, status, "/"), Some(("/".to_owned(), as_get)), "{method} {status}");
        }
    }
}
