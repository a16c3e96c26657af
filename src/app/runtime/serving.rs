//! A built-in adapter, served to others than our own window.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::runtime::Builder;

use super::builtin::{BuiltIn, Stops};
use crate::adapter::{ServeError, ServerTls, serve};
use crate::app::operations;
use crate::app::served::Served;
use crate::model::causes::chain;

/// How a built-in adapter is served.
#[derive(Clone)]
pub struct ServingOptions {
    /// Address and port; port 0 takes any free one.
    pub listen: SocketAddr,
    /// The mesh whose adapter it is, by its key: `istio`.
    pub mesh: String,
    /// Certificate and key, PEM; none for plaintext.
    pub tls: Option<(Vec<u8>, Vec<u8>)>,
}

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
pub enum ServingError {
    /// There is no such mesh.
    #[error("there is no built-in adapter for “{0}”; there are: {all}", all = meshes().join(", "))]
    Mesh(String),
    /// Certificate or key.
    #[error("TLS cannot be spoken: {0}")]
    Tls(String),
    /// The address cannot be listened on, or threads cannot be started.
    #[error("{0} cannot be listened on: {1}")]
    Listen(SocketAddr, #[source] std::io::Error),
}

/// A built-in adapter that is served until it is stopped.
pub struct Serving(Served<Result<Vec<String>, ServeError>>);

impl Serving {
    /// Serves from now on.
    ///
    /// # Errors
    /// [`ServingError`].
    pub fn start(options: ServingOptions) -> Result<Self, ServingError> {
        let ServingOptions { listen, mesh, tls } = options;
        let found = operations::built_in().map(|(_, known)| known).find(|known| known.key() == mesh);
        let mesh = found.ok_or(ServingError::Mesh(mesh))?;
        let tls = tls.map(|(certificate, key)| ServerTls { certificate, key });
        tls.as_ref().map(ServerTls::check).transpose().map_err(ServingError::Tls)?;
        let mut threads = Builder::new_multi_thread();
        threads.worker_threads(2).thread_name("meshbench-adapter");
        let served = Served::start(&mut threads, listen, |listener, stopped, handle| {
            let backend = Arc::new(BuiltIn::new(mesh, handle.clone(), Stops::default()));
            serve(listener, tls, backend, stopped)
        });
        served.map(Self).map_err(|error| ServingError::Listen(listen, error))
    }

    /// Where it is served.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.0.address()
    }

    /// Whether it ended though nobody stopped it.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.0.is_over()
    }

    /// Stops: event streams end, operations have a few seconds. What still went on then, and is cut.
    ///
    /// # Errors
    /// Why it had ended before.
    pub fn stop(self) -> Result<Vec<String>, String> {
        self.0.stop(super::TASKS_END_MAX)?.map_err(|error| chain(&error))
    }
}

/// The meshes that there are built-in adapters for, by their keys.
#[must_use]
pub fn meshes() -> Vec<&'static str> {
    operations::built_in().map(|(_, mesh)| mesh.key()).collect()
}
