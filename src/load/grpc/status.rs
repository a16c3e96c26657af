//! How a gRPC call ended.

use http::{HeaderMap, StatusCode};

/// The codes of gRPC by number.
pub(in crate::load) const NAMES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];
pub(in crate::load) const OK: u8 = 0;
pub(in crate::load) const UNKNOWN: u8 = 2;

/// Of a code.
pub(in crate::load) fn name(code: u8) -> &'static str {
    NAMES.get(usize::from(code)).unwrap_or(&NAMES[UNKNOWN as usize])
}

/// The code in trailers, or in a head that is also the end; none where there is none.
pub(super) fn given(headers: &HeaderMap) -> Option<u8> {
    let value = headers.get("grpc-status")?;
    let code = value.to_str().ok().and_then(|text| text.parse::<u8>().ok());
    Some(code.filter(|code| usize::from(*code) < NAMES.len()).unwrap_or(UNKNOWN))
}

/// What the target, or a proxy on the way, says about it, percent-decoded.
pub(super) fn message(headers: &HeaderMap) -> String {
    let text = headers.get("grpc-message").map_or(&b""[..], |value| value.as_bytes());
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        let code = after.get(..2).filter(|_| first == b'%').and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
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
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What a status of HTTP means where there is none of gRPC: the mapping of gRPC's own specification
/// (`http-grpc-status-mapping.md`).
pub(super) fn of_http(status: StatusCode) -> u8 {
    match status.as_u16() {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502 | 503 | 504 => 14,
        _ => UNKNOWN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_their_numbers() {
        for (number, name) in
            [(0, "OK"), (4, "DEADLINE_EXCEEDED"), (12, "UNIMPLEMENTED"), (14, "UNAVAILABLE")]
        {
            assert_eq!(NAMES[number], name);
        }
        let names =
            |status: u16| NAMES[usize::from(of_http(StatusCode::from_u16(status).expect("a status")))];
        assert_eq!(
            [400, 401, 403, 404, 429, 500, 503].map(names),
            [
                "INTERNAL",
                "UNAUTHENTICATED",
                "PERMISSION_DENIED",
                "UNIMPLEMENTED",
                "UNAVAILABLE",
                "UNKNOWN",
                "UNAVAILABLE"
            ]
        );
    }

    #[test]
    fn a_code_that_is_none_is_unknown() {
        let of = |text: &'static str| {
            given(&HeaderMap::from_iter([(
                http::HeaderName::from_static("grpc-status"),
                http::HeaderValue::from_static(text),
            )]))
        };
        assert_eq!([of("0"), of("14"), of("17"), of("x"), of("300")], [0, 14, 2, 2, 2].map(Some));
        assert_eq!(given(&HeaderMap::new()), None);
    }
}
