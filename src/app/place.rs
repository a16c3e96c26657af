//! Where things are kept.

use std::path::PathBuf;

/// Chooses another place than the platform's.
pub const DATA_DIR_VARIABLE: &str = "MESHBENCH_DATA_DIR";

/// The data directory when none was named: the environment's, else the platform's own.
///
/// # Errors
/// When the platform names no home, with what to do.
pub fn default_data_dir() -> Result<PathBuf, String> {
    if let Some(dir) = std::env::var_os(DATA_DIR_VARIABLE).filter(|dir| !dir.is_empty()) {
        return Ok(PathBuf::from(dir));
    }
    directories::ProjectDirs::from("", "", "meshbench").map(|dirs| dirs.data_dir().to_owned()).ok_or_else(
        || {
            format!(
                "there is no home directory to keep results in; set {DATA_DIR_VARIABLE} or use --data-dir"
            )
        },
    )
}
