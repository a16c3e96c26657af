//! Files that people name: plans in and out, reports out.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use crate::app::adapters::{AdapterNews, MANIFEST_BYTES_MAX};
use crate::app::event::Event;
use crate::model::Plan;
use crate::model::plan::PLAN_BYTES_MAX;

use super::Outbox;

pub(super) fn import_plan(path: &Path, outbox: &Outbox) {
    let read = read_text(path, PLAN_BYTES_MAX).and_then(|text| Plan::from_toml(&text));
    outbox.send(match read {
        Ok(plan) => Event::PlanImported(Box::new(plan)),
        Err(reason) => Event::Failed { title: format!("{} was not imported", path.display()), reason },
    });
}

/// A manifest for the editor. Whether it is one is said there.
pub(super) fn read_manifest(path: &Path, outbox: &Outbox) {
    let too_large = |text: &String| text.len() as u64 > MANIFEST_BYTES_MAX;
    outbox.send(match read_text(path, MANIFEST_BYTES_MAX) {
        Ok(text) if too_large(&text) => Event::Failed {
            title: format!("{} was not opened", path.display()),
            reason: format!("It is larger than {} MiB", MANIFEST_BYTES_MAX >> 20),
        },
        Ok(text) => Event::Adapter(AdapterNews::ManifestRead(text)),
        Err(reason) => Event::Failed { title: format!("{} was not opened", path.display()), reason },
    });
}

pub(super) fn export_plan(plan: &Plan, path: &Path, outbox: &Outbox) {
    outbox.send(written(path, plan.redacted().to_toml().as_bytes()));
}

/// Writes a whole file or none: beside its place first, then renamed.
pub(super) fn written(path: &Path, bytes: &[u8]) -> Event {
    match write_whole(path, bytes) {
        Ok(()) => Event::Exported { path: path.to_owned() },
        Err(error) => Event::Failed {
            title: format!("{} was not written", path.display()),
            reason: format!("{error}; choose another place or make room, and try again"),
        },
    }
}

pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".part");
    let result = (|| {
        let mut file = fs::File::create(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    })();
    if result.is_err() {
        // What could not be finished is of no use; that it stays behind is no second error.
        let _ = fs::remove_file(&beside);
    }
    result
}

/// One byte more than `most`, where there are more.
fn read_text(path: &Path, most: u64) -> Result<String, String> {
    let bytes = read_bytes(path, most)?;
    String::from_utf8(bytes).map_err(|_| "the file is not text in UTF-8".to_owned())
}

/// One byte more than `most`, where there are more.
pub(super) fn read_bytes(path: &Path, most: u64) -> Result<Vec<u8>, String> {
    let file = fs::File::open(path).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    Ok(bytes)
}
