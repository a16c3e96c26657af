//! Whatever a server sends in HTTP/2, and however it is split: the same answers, and no panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use meshbench::load::http2_statuses;

const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];

fuzz_target!(|bytes: &[u8]| {
    let bytes = [&SETTINGS, bytes].concat();
    let whole = http2_statuses(&bytes, bytes.len(), 3);
    for piece_bytes in [1, 7] {
        assert_eq!(http2_statuses(&bytes, piece_bytes, 3), whole);
    }
});
