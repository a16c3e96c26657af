//! Whatever a file or a Grafana hands over as a board: a board that is the same when it is written and read again, or a
//! reason.
#![no_main]

use libfuzzer_sys::fuzz_target;
use meshbench::report::grafana::{read_any, write_board};
use uuid::Uuid;

fuzz_target!(|bytes: &[u8]| {
    let id = Uuid::from_u128(7);
    let Ok(board) = read_any(bytes, id) else { return };
    let written = write_board(&board);
    let again = read_any(written.as_bytes(), id).expect("what was written is read");
    assert_eq!(write_board(&again), written);
});
