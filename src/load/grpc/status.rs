//! How a gRPC call ended.

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

/// The code that a target gives, as the number that it is.
pub(in crate::load) fn given(number: Option<u64>) -> u8 {
    let code = number.and_then(|number| u8::try_from(number).ok());
    code.filter(|code| usize::from(*code) < NAMES.len()).unwrap_or(UNKNOWN)
}

/// What the target, or a proxy on the way, says about it, percent-decoded.
pub(super) fn message(text: &[u8]) -> String {
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
pub(super) fn of_http(status: u16) -> u8 {
    match status {
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
        let names = |status: u16| NAMES[usize::from(of_http(status))];
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
        let numbers = [Some(0), Some(14), Some(17), None, Some(300)];
        assert_eq!(numbers.map(given), [0, 14, 2, 2, 2]);
        assert_eq!(message(b"no%20room%2"), "no room%2");
    }
}
