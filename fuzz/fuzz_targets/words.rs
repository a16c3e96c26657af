//! Whatever a server or a machine says in the protocol of sync: words that are the same when they are said again, or none.
#![no_main]

use libfuzzer_sys::fuzz_target;
use meshbench::sync::words::{Capabilities, Changes, Have, Me, Missing, Refused, Taken};
use serde::Serialize;
use serde::de::DeserializeOwned;

fn check<T: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug>(bytes: &[u8]) {
    let Ok(said) = serde_json::from_slice::<T>(bytes) else { return };
    let written = serde_json::to_vec(&said).expect("words have a JSON form");
    assert_eq!(serde_json::from_slice::<T>(&written).expect("what was written is read"), said);
}

fuzz_target!(|bytes: &[u8]| {
    check::<Capabilities>(bytes);
    check::<Changes>(bytes);
    check::<Have>(bytes);
    check::<Me>(bytes);
    check::<Missing>(bytes);
    check::<Refused>(bytes);
    check::<Taken>(bytes);
});
