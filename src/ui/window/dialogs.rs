//! Native file dialogs for the core.

use std::path::PathBuf;
use std::sync::Arc;

use rfd::AsyncFileDialog;

use crate::app::{DialogKind, DialogRequest, Dialogs};

use super::renderer;

/// The system's own dialogs. Where none can be shown, a file to be saved goes to the home directory, under
/// a name that is free, and the core says where.
pub(super) fn native() -> Dialogs {
    Arc::new(|request| Box::pin(ask(request)))
}

async fn ask(request: DialogRequest) -> Option<PathBuf> {
    let mut dialog = AsyncFileDialog::new().set_title(&request.title);
    if !request.extensions.is_empty() {
        dialog = dialog.add_filter(&request.filter, &request.extensions);
    }
    renderer::dialog_failed();
    let picked = match &request.kind {
        DialogKind::Open => dialog.pick_file().await,
        DialogKind::Save { file_name } => dialog.set_file_name(file_name).save_file().await,
    };
    match (picked, request.kind) {
        (Some(file), _) => Some(file.path().to_path_buf()),
        (None, DialogKind::Save { file_name }) if renderer::dialog_failed() => free_name(&file_name),
        (None, _) => None,
    }
}

fn free_name(file_name: &str) -> Option<PathBuf> {
    /// More files of one name than anybody makes without a dialog.
    const TRIES_MAX: u32 = 1000;
    let home = directories::UserDirs::new()?.home_dir().to_path_buf();
    let (stem, ending) = file_name.rsplit_once('.').unwrap_or((file_name, ""));
    (1..=TRIES_MAX)
        .map(|number| {
            let number = if number == 1 { String::new() } else { format!("-{number}") };
            home.join(format!("{stem}{number}.{ending}"))
        })
        .find(|path| !path.exists())
}
