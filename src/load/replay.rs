//! The moments of a replay, from its file.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use super::LoadError;
use crate::model::plan::{REPLAY_BYTES_MAX, parse_replay};
use crate::model::{Pacing, Plan};

/// None for a plan that replays nothing.
pub(super) fn read(plan: &Plan) -> Result<Option<Arc<[u64]>>, LoadError> {
    let Pacing::Replay { file } = &plan.pacing else { return Ok(None) };
    let failed = |reason: String| LoadError::Recording { path: file.clone(), reason };
    let text = read_limited(file).map_err(failed)?;
    Ok(Some(parse_replay(&text).map_err(failed)?.into()))
}

fn read_limited(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    // One byte more than is allowed: enough to know.
    let read =
        file.take(REPLAY_BYTES_MAX + 1).read_to_string(&mut text).map_err(|error| error.to_string())?;
    if read as u64 > REPLAY_BYTES_MAX {
        return Err("it is larger than 128 MiB".to_owned());
    }
    Ok(text)
}
