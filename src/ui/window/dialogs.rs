//! Native file dialogs for the core.

use std::path::PathBuf;
use std::sync::Arc;

use rfd::AsyncFileDialog;

use crate::app::{DialogAnswer, DialogKind, DialogRequest, Dialogs};

use super::renderer;

/// The system's own dialogs. Where none can be shown, a file to be saved goes to the home directory, under
/// a name that is free, and the core says where.
pub(super) fn native() -> Dialogs {
    Arc::new(|request| Box::pin(ask(request)))
}

/// Why a file cannot be chosen, and the ways without a dialog.
const NO_DIALOG: &str = "Neither the desktop’s file portal nor zenity answered. Install zenity, drop a plan on \
                         the window, or write the path in the form.";

async fn ask(request: DialogRequest) -> DialogAnswer {
    let mut dialog = AsyncFileDialog::new().set_title(&request.title);
    if !request.extensions.is_empty() {
        dialog = dialog.add_filter(&request.filter, &request.extensions);
    }
    renderer::dialog_failed();
    let picked = match &request.kind {
        DialogKind::Open => dialog.pick_file().await.map(|file| vec![file]),
        DialogKind::OpenMany => dialog.pick_files().await,
        DialogKind::Folder => dialog.pick_folder().await.map(|file| vec![file]),
        DialogKind::Save { file_name } => {
            dialog.set_file_name(file_name).save_file().await.map(|file| vec![file])
        }
    };
    match (picked, request.kind) {
        (Some(files), _) => Ok(files.iter().map(|file| file.path().to_path_buf()).collect()),
        (None, _) if !renderer::dialog_failed() => Ok(Vec::new()),
        (None, DialogKind::Save { file_name }) => {
            free_name(&file_name).map(|path| vec![path]).ok_or_else(|| NO_DIALOG.to_owned())
        }
        (None, DialogKind::Open | DialogKind::OpenMany | DialogKind::Folder) => Err(NO_DIALOG.to_owned()),
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
