//! What is served from a thread of its own until it is stopped.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Something that is served; `T` is what it says at its end.
pub(super) struct Served<T> {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<T>,
    runtime: Runtime,
}

/// Is there as soon as it is to end.
pub(super) type Stopped = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

impl<T: Send + 'static> Served<T> {
    /// Listens, and serves from now on, on these threads.
    ///
    /// # Errors
    /// When the address cannot be listened on, or threads cannot be started.
    pub(super) fn start<F: Future<Output = T> + Send + 'static>(
        threads: &mut Builder,
        listen: SocketAddr,
        serve: impl FnOnce(TcpListener, Stopped, &Handle) -> F,
    ) -> io::Result<Self> {
        Self::start_on(threads.enable_all().build()?, listen, serve)
    }

    /// The same, on threads that were used already.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub(super) fn start_on<F: Future<Output = T> + Send + 'static>(
        runtime: Runtime,
        listen: SocketAddr,
        serve: impl FnOnce(TcpListener, Stopped, &Handle) -> F,
    ) -> io::Result<Self> {
        let listener = runtime.block_on(TcpListener::bind(listen))?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel::<()>();
        // Stopped, or dropped: the same.
        let stopped: Stopped = Box::pin(async { drop(stopped.await) });
        let task = runtime.spawn(serve(listener, stopped, runtime.handle()));
        Ok(Self { address, stop, task, runtime })
    }

    /// Where it is served.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether it ended though nobody stopped it.
    pub(super) fn is_over(&self) -> bool {
        self.task.is_finished()
    }

    /// Stops it; what it says at its end. What goes on then all the same has a moment.
    ///
    /// # Errors
    /// When it had broken down.
    pub(super) fn stop(self, moment: Duration) -> Result<T, String> {
        // Fails where it has ended.
        let _ = self.stop.send(());
        let ended = self.runtime.block_on(self.task);
        self.runtime.shutdown_timeout(moment);
        ended.map_err(|error| error.to_string())
    }
}
