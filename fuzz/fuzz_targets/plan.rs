//! Whatever a plan file holds: a plan that survives being written, or a reason.
#![no_main]

use libfuzzer_sys::fuzz_target;
use meshbench::model::Plan;

fuzz_target!(|text: &str| {
    if let Ok(plan) = Plan::from_toml(text) {
        let _ = plan.problems();
        let _ = plan.redacted().to_toml();
        let written = plan.to_toml();
        let again = Plan::from_toml(&written).expect("what was written is read");
        assert_eq!(again.to_toml(), written);
    }
});
