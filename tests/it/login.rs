//! Logins, with a real OpenID provider and a browser without a person; and everything that others may try.

pub(crate) mod attacks;
pub(crate) mod flows;
mod github;
mod guarded;
mod keycloak;
mod whole;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use meshbench::model::account::{Provider, ProviderKind};
use uuid::Uuid;

use crate::kube::{Process, free_port, until};

/// Where `./test` puts it; tests/openid/package.json says the same.
const OPENID: &str = "openid-9.13.3";
/// What access tokens are for.
pub(crate) const AUDIENCE: &str = "https://bench.test/records";

/// A provider of logins.
pub(crate) struct OpenId {
    pub(crate) issuer: String,
    _folder: tempfile::TempDir,
    _process: Process,
}

impl OpenId {
    pub(crate) fn start(access_seconds: u32) -> Self {
        let modules = openid_modules();
        let (folder, port) = (tempfile::tempdir().expect("a folder"), free_port());
        let log = folder.path().join("log");
        let arguments = [
            part("login.mjs").display().to_string(),
            port.to_string(),
            modules.display().to_string(),
            access_seconds.to_string(),
        ];
        let mut process =
            Process::start("node", &log, &arguments).unwrap_or_else(|reason| panic!("{reason}"));
        let ready = until("the provider", Duration::from_secs(60), || {
            process.assert_alive()?;
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            Ok(said.lines().any(|line| line == "ready").then_some(()))
        });
        ready.unwrap_or_else(|reason| panic!("{reason}"));
        Self { issuer: format!("http://127.0.0.1:{port}"), _folder: folder, _process: process }
    }

    pub(crate) fn provider(&self) -> Provider {
        Provider {
            id: Uuid::from_u128(1 << 100),
            name: "Tests".to_owned(),
            kind: ProviderKind::OpenId {
                issuer: self.issuer.clone(),
                client_id: "desktop".to_owned(),
                client_secret: None,
                audience: Some(AUDIENCE.to_owned()),
                scopes: Vec::new(),
                callback: Some("/callback".to_owned()),
            },
            server: None,
        }
    }
}

/// Where the provider's modules are.
pub(crate) fn openid_modules() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_else(|| "/tmp".into())).join(".cache");
    let modules = cache.unwrap_or_else(home).join("meshbench/tools").join(OPENID);
    let is_there = modules.join("node_modules").is_dir();
    assert!(is_there, "the OpenID provider is missing; get it with: ./test parts");
    modules
}

fn part(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/openid").join(name)
}

/// Goes to an address as a person's browser does, in the background.
fn browse(url: &str) {
    browse_as(url, ("nobody", ""));
}

/// As this person, by name and password, where the provider asks.
fn browse_as(url: &str, (user, password): (&str, &str)) {
    let mut browser = Command::new("python3");
    browser.arg(part("browser.py")).arg(url).env("BROWSER_USER", user).env("BROWSER_PASSWORD", password);
    std::thread::spawn(move || {
        let done = browser.output().expect("python3; ./test parts installs it");
        let errors = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.success(), "{errors}");
    });
}
