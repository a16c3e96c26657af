//! Starts the workers, merges what they measured, and tells how the run is doing.

use super::{LoadError, Measured, Options, StopSwitch};
use crate::model::Plan;

pub(super) fn run(
    _plan: &Plan,
    _options: Options,
    _stop: &StopSwitch,
    _watch: &mut dyn FnMut(&Measured),
) -> Result<Measured, LoadError> {
    Err(LoadError::Plan("the engine is being built".to_owned()))
}
