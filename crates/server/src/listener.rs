//! A listening socket with a router behind it.
//!
//! `axum::serve` has no time limit for reading request headers, so a client could hold a connection for ever; this one
//! has.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tower::ServiceExt as _;

/// Time a client has for sending request headers.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// A socket that is being served.
#[derive(Debug)]
pub(crate) struct Listener {
    address: SocketAddr,
    stop: oneshot::Sender<Duration>,
    task: JoinHandle<()>,
}

impl Listener {
    /// Binds `address` (port 0 picks a free one) and serves `router` on it.
    pub(crate) async fn start(address: SocketAddr, router: Router) -> io::Result<Self> {
        let socket = TcpListener::bind(address).await?;
        let address = socket.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(accept(socket, router, stopped));
        Ok(Self { address, stop, task })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops accepting and waits until running requests are answered, at most `grace`.
    pub(crate) async fn drain(self, grace: Duration) {
        // The receiver is gone only when the task has ended already.
        let _ended = self.stop.send(grace);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "a listener did not end cleanly");
        }
    }
}

async fn accept(socket: TcpListener, router: Router, mut stopped: oneshot::Receiver<Duration>) {
    let graceful = GracefulShutdown::new();
    let grace = loop {
        tokio::select! {
            accepted = socket.accept() => match accepted {
                Ok((stream, peer)) => {
                    tokio::spawn(serve(stream, peer, router.clone(), graceful.watcher()));
                }
                Err(error) => {
                    // Out of file descriptors, most likely: give running requests a moment to return theirs.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            grace = &mut stopped => break grace.unwrap_or_default(),
        }
    };
    drop(socket);
    if tokio::time::timeout(grace, graceful.shutdown()).await.is_err() {
        tracing::warn!(?grace, "requests were still running when the grace period ended");
    }
}

async fn serve(stream: TcpStream, peer: SocketAddr, router: Router, watcher: Watcher) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).max_headers(64);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Some(Duration::from_secs(30)))
        .max_concurrent_streams(128);
    let service = router.map_request(move |mut request: Request<_>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        request
    });
    let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%peer, %error, "a connection ended early");
    }
}
