//! Whatever a server or a folder hands over as a record: a record that is the same when it is sealed and read again, or a reason.
#![no_main]

use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use meshbench::model::envelope::{Codec, Kind, seal};
use meshbench::model::record::{Record, RecordKind};

/// Later than any that is written.
const NOW: i64 = 4_000_000_000;

fuzz_target!(|bytes: &[u8]| {
    let now = Timestamp::from_second(NOW).expect("a time");
    check(bytes, now);
    // What is behind the envelope's proof too: the first byte chooses as what it is sealed.
    let Some((first, rest)) = bytes.split_first() else { return };
    let Ok(value) = serde_json::from_slice::<serde_json::Value>(rest) else { return };
    let kinds = [Kind::Run, Kind::Annotation, Kind::Tombstone, Kind::PlanRevision, Kind::Metrics];
    let codec = if first & 0x80 == 0 { Codec::Plain } else { Codec::Deflate };
    if let Ok(sealed) = seal(kinds[usize::from(*first) % kinds.len()], 1, codec, &value) {
        check(&sealed, now);
    }
});

fn check(bytes: &[u8], now: Timestamp) {
    let Ok(record) = Record::read(bytes, now) else { return };
    assert!(RecordKind::ALL.contains(&record.kind()));
    let _ = record.subject();
    let sealed = record.seal().expect("what was read can be kept");
    let again = Record::read(&sealed, now).expect("what was sealed is read");
    assert_eq!(again, record);
}
