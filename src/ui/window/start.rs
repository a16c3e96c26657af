//! What must be there before a window can open, and the words for what is missing.

use std::env;
use std::path::{Path, PathBuf};

/// A library that is loaded at run time, and the Debian package that has it.
type Library = (&'static str, &'static str);

const X11: [Library; 6] = [
    ("libX11.so.6", "libx11-6"),
    ("libX11-xcb.so.1", "libx11-xcb1"),
    ("libXcursor.so.1", "libxcursor1"),
    ("libXi.so.6", "libxi6"),
    ("libxkbcommon-x11.so.0", "libxkbcommon-x11-0"),
    ("libGL.so.1", "libgl1"),
];
const WAYLAND: [Library; 4] = [
    ("libwayland-client.so.0", "libwayland-client0"),
    ("libwayland-egl.so.1", "libwayland-egl1"),
    ("libwayland-cursor.so.0", "libwayland-cursor0"),
    ("libEGL.so.1", "libegl1"),
];
/// Where libraries are looked for beside the folders of the linker's own configuration.
const FOLDERS: [&str; 6] =
    ["/lib", "/usr/lib", "/lib64", "/usr/lib64", "/usr/local/lib", "/run/opengl-driver/lib"];
const LINKER_CONFIGURATION: &str = "/etc/ld.so.conf.d";

/// How the desktop is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Session {
    /// Over `DISPLAY`.
    X11,
    /// Over `WAYLAND_DISPLAY`.
    Wayland,
    /// Windows and macOS: always there.
    Native,
}

/// How the desktop is reached; none without one.
pub(super) fn session() -> Option<Session> {
    if !cfg!(target_os = "linux") {
        return Some(Session::Native);
    }
    session_of(|name| env::var_os(name).is_some_and(|value| !value.is_empty()))
}

fn session_of(is_set: impl Fn(&str) -> bool) -> Option<Session> {
    if is_set("WAYLAND_DISPLAY") || is_set("WAYLAND_SOCKET") {
        Some(Session::Wayland)
    } else if is_set("DISPLAY") {
        Some(Session::X11)
    } else {
        None
    }
}

/// What is said where there is no desktop.
pub(super) const NO_DISPLAY: &str = "meshbench: there is no display here: neither DISPLAY nor WAYLAND_DISPLAY is set.\n\
    The same in a terminal: meshbench try, or meshbench run URL. See meshbench --help.";

/// What is said when the window could not be opened, with the packages of libraries that were not found.
pub(super) fn failure(session: Session, reason: &str) -> String {
    let needed: &[Library] = match session {
        Session::X11 => &X11,
        Session::Wayland => &WAYLAND,
        Session::Native => &[],
    };
    explain(reason, &missing(needed, &folders()))
}

fn explain(reason: &str, missing: &[Library]) -> String {
    let mut words = format!("meshbench: the window could not be opened: {reason}");
    if missing.is_empty() {
        words.push_str("\nWithout a window: meshbench try, or meshbench run URL.");
        return words;
    }
    words.push_str("\nThese libraries of the desktop were not found:");
    for (file, package) in missing {
        words.push_str(&format!("\n  {file} (Debian package {package})"));
    }
    let packages: Vec<&str> = missing.iter().map(|(_, package)| *package).collect();
    words.push_str(&format!("\nOn Debian and Ubuntu: apt-get install {}", packages.join(" ")));
    words
}

fn missing(needed: &[Library], folders: &[PathBuf]) -> Vec<Library> {
    needed
        .iter()
        .filter(|(file, _)| !folders.iter().any(|folder| folder.join(file).exists()))
        .copied()
        .collect()
}

/// The folders of `LD_LIBRARY_PATH`, of the linker's configuration, and the usual ones, each also with the
/// folder of this machine's kind beneath it, as Debian has it.
fn folders() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> =
        env::var_os("LD_LIBRARY_PATH").map(|paths| env::split_paths(&paths).collect()).unwrap_or_default();
    folders.extend(configured(Path::new(LINKER_CONFIGURATION)));
    let kind = format!("{}-linux-gnu", env::consts::ARCH);
    for folder in FOLDERS {
        folders.push(PathBuf::from(folder));
        folders.push(Path::new(folder).join(&kind));
    }
    folders
}

fn configured(configuration: &Path) -> Vec<PathBuf> {
    let Ok(files) = std::fs::read_dir(configuration) else { return Vec::new() };
    files
        .flatten()
        .filter_map(|file| std::fs::read_to_string(file.path()).ok())
        .flat_map(|text| {
            text.lines().filter(|line| line.starts_with('/')).map(PathBuf::from).collect::<Vec<_>>()
        })
        .collect()
}

/// Whether there is a graphics card that programs may use. For when the driver's name is not known.
pub(super) fn has_graphics_card() -> bool {
    if !cfg!(target_os = "linux") {
        return true;
    }
    std::fs::read_dir("/dev/dri").is_ok_and(|mut files| {
        files.any(|file| file.is_ok_and(|file| file.file_name().to_string_lossy().starts_with("renderD")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wayland_comes_before_x11_and_nothing_is_no_session() {
        assert_eq!(session_of(|name| name == "DISPLAY"), Some(Session::X11));
        assert_eq!(session_of(|_| true), Some(Session::Wayland));
        assert_eq!(session_of(|_| false), None);
    }

    #[test]
    fn a_missing_library_is_named_with_its_package() {
        let folder = tempfile::tempdir().unwrap();
        for (file, _) in &X11[1..] {
            std::fs::write(folder.path().join(file), "").unwrap();
        }
        let missing = missing(&X11, &[folder.path().to_path_buf()]);
        assert_eq!(missing, [X11[0]]);
        let words = explain("no connection", &missing);
        assert!(words.contains("libX11.so.6") && words.contains("apt-get install libx11-6"), "{words}");
        assert!(!words.contains("libxi6"), "{words}");
    }
}
