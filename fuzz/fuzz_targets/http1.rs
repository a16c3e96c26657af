//! Whatever a server sends, and however it is split: the same answers, and no panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use meshbench::load::http1_statuses;

fuzz_target!(|bytes: &[u8]| {
    let whole = http1_statuses(bytes, bytes.len().max(1));
    for piece_bytes in [1, 7] {
        assert_eq!(http1_statuses(bytes, piece_bytes), whole);
    }
});
