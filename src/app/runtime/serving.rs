//! A built-in adapter, served to others than our own window.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::builtin::{BuiltIn, Stops};
use crate::adapter::{ServeError, ServerTls, serve};
use crate::app::operations;
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
pub struct Serving {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<Vec<String>, ServeError>>,
    runtime: tokio::runtime::Runtime,
}

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
        let failed = |error| ServingError::Listen(listen, error);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("meshbench-adapter")
            .enable_all()
            .build()
            .map_err(failed)?;
        let listener = runtime.block_on(TcpListener::bind(listen)).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let (stop, stopped) = oneshot::channel::<()>();
        let backend = Arc::new(BuiltIn::new(mesh, runtime.handle().clone(), Stops::default()));
        let task = runtime.spawn(serve(listener, tls, backend, async {
            // Stopped, or dropped: the same.
            let _ = stopped.await;
        }));
        Ok(Self { address, stop, task, runtime })
    }

    /// Where it is served.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether it ended though nobody stopped it.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.task.is_finished()
    }

    /// Stops: event streams end, operations have a few seconds. What still went on then, and is cut.
    ///
    /// # Errors
    /// Why it had ended before.
    pub fn stop(self) -> Result<Vec<String>, String> {
        let Self { stop, task, runtime, .. } = self;
        // Fails where it has ended.
        let _ = stop.send(());
        let ended = runtime.block_on(task);
        runtime.shutdown_timeout(super::TASKS_END_MAX);
        let ended = ended.map_err(|error| error.to_string())?;
        ended.map_err(|error| chain(&error))
    }
}

/// The meshes that there are built-in adapters for, by their keys.
#[must_use]
pub fn meshes() -> Vec<&'static str> {
    operations::built_in().map(|(_, mesh)| mesh.key()).collect()
}
