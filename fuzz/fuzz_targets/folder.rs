//! Whatever lies in a folder that history is mirrored to: runs that are the same when they are written again, or a reason.
#![no_main]

use libfuzzer_sys::fuzz_target;
use meshbench::report::json::{read, write};

fuzz_target!(|bytes: &[u8]| {
    for run in read(bytes).unwrap_or_default() {
        let written = write(&run);
        let again = read(&written).expect("what was written is read");
        assert_eq!(again.len(), 1);
        assert_eq!(write(&again[0]), written);
    }
});
