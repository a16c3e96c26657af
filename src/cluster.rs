//! Kubernetes: kubeconfigs, contexts, connections, and what a cluster holds.
//!
//! ```text
//!  Files ─ contexts, resolve ─▶ Target ─ connect (consent, login) ─▶ Link ─ check ─▶ ClusterFacts
//!   read with limits,            own rules: proxy, tokens,            │
//!   never written                commands run once                   ├─ watch ─▶ Inventory, twice a second
//!                                                                    └─ carry_out ─ steps ─▶ Progress
//! ```
//!
//! Where the client library departs from kubectl, what it would do is done here: merging files, logging in, choosing a
//! proxy, trying again. It is given a server, certificates and nothing else.

mod apply;
mod asking;
mod carry;
mod connect;
mod credentials;
mod facts;
mod fetch;
#[cfg(unix)]
mod forward;
mod helm;
mod identity;
mod kubeconfig;
mod look;
mod minified;
mod objects;
mod oidc;
mod private;
mod program;
mod proxy;
mod rollout;
mod watch;
mod words;

use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::model::cluster::{Ask, ClusterContext, ClusterFile, ContextKey, Trouble};

pub use carry::{carry_out, carry_out_with};
pub use connect::Link;
pub use fetch::Fetched;
#[cfg(unix)]
pub use forward::{Forward, Spoken};
pub use helm::{ChartVersion, Means, chart_versions};
pub use minified::MinifiedKubeconfig;
pub use oidc::{TokenStore, Tokens};

/// No question to a cluster takes longer.
pub const ANSWER_MAX: Duration = Duration::from_secs(10);

/// Kubeconfigs as they were read.
#[derive(Clone, Debug, Default)]
pub struct Kubeconfigs {
    files: kubeconfig::Files,
}

/// Why a cluster is not connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// A person must agree to something first.
    NeedsConsent(Box<Ask>),
    /// It cannot be reached.
    Trouble(Box<Trouble>),
}

/// How files looked when they were read last: of two that differ, something changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traces(Vec<(PathBuf, Option<[u8; 32]>)>);

impl Kubeconfigs {
    /// Reads `own` files and folders, and, where they are used, those that kubectl would use. Blocks.
    #[must_use]
    pub fn read(own: &[PathBuf], uses_kubectls: bool) -> Self {
        let kubectls = if uses_kubectls { kubeconfig::kubectls() } else { Vec::new() };
        Self { files: kubeconfig::Files::read(own, &kubectls) }
    }

    /// A kubeconfig that was handed over as text: it is in no file, and nothing in it is found beside one.
    ///
    /// # Errors
    /// Why it is none, in words without anything that it holds.
    pub fn handed_over(text: &str) -> Result<Self, String> {
        kubeconfig::Files::handed_over(text).map(|files| Self { files })
    }

    /// What became of each file.
    #[must_use]
    pub fn files(&self) -> &[ClusterFile] {
        self.files.told()
    }

    /// Every context, in the order of their files.
    #[must_use]
    pub fn contexts(&self) -> Vec<ClusterContext> {
        self.files.contexts()
    }

    /// The context that kubectl would use.
    #[must_use]
    pub fn current(&self) -> Option<ContextKey> {
        self.files.current()
    }
}

impl Traces {
    /// Files that are other in `later`, or gone, or new.
    #[must_use]
    pub fn changed(&self, later: &Self) -> Vec<PathBuf> {
        let (old, new) = (&self.0, &later.0);
        let differs = |one: &[_], entry: &(PathBuf, Option<[u8; 32]>)| !one.contains(entry);
        let mut changed: Vec<PathBuf> =
            old.iter().filter(|entry| differs(new, entry)).map(|(path, _)| path.clone()).collect();
        changed.extend(new.iter().filter(|entry| differs(old, entry)).map(|(path, _)| path.clone()));
        changed.sort();
        changed.dedup();
        changed
    }
}

/// The files that kubectl would use and that are there.
#[must_use]
pub fn kubectls_files() -> Vec<PathBuf> {
    kubeconfig::kubectls().into_iter().filter(|path| path.is_file()).collect()
}

/// How these files look now. Blocks.
#[must_use]
pub fn traces(own: &[PathBuf], uses_kubectls: bool) -> Traces {
    let kubectls = if uses_kubectls { kubeconfig::kubectls() } else { Vec::new() };
    let mut seen = Vec::new();
    for path in own.iter().chain(&kubectls) {
        if path.is_dir() {
            seen.extend(kubeconfig::files_in(path).into_iter().map(|path| (hash(&path), path)));
        } else {
            seen.push((hash(path), path.clone()));
        }
    }
    Traces(seen.into_iter().map(|(hash, path)| (path, hash)).collect())
}

fn hash(path: &Path) -> Option<[u8; 32]> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).ok()?;
    file.take(kubeconfig::FILE_BYTES_MAX + 1).read_to_end(&mut bytes).ok()?;
    Some(Sha256::digest(&bytes).into())
}
