//! A login to a cluster, on its way to an adapter.

use std::fmt;

/// A kubeconfig with one context and a login in it. Shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The context's name.
    pub context: String,
    kubeconfig: String,
}

impl Login {
    /// Of a whole kubeconfig, with everything in it that it needs.
    #[must_use]
    pub fn new(context: String, kubeconfig: String) -> Self {
        Self { context, kubeconfig }
    }

    /// The kubeconfig.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.kubeconfig
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Login({}, hidden)", self.context)
    }
}
