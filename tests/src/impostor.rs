//! Somebody who has taken a server's place and cannot prove its name.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::CertifiedKey;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// A TLS server on a free port of the loopback interface, with a certificate that nobody vouches for.
#[derive(Debug)]
pub struct Impostor {
    address: SocketAddr,
    visits: Arc<AtomicUsize>,
    told: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Impostor {
    /// Begins to listen.
    pub async fn listen() -> Self {
        let acceptor = acceptor();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let (visits, told) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let (visited, heard) = (Arc::clone(&visits), Arc::clone(&told));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                visited.fetch_add(1, Ordering::SeqCst);
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                if matches!(stream.read(&mut [0; 64]).await, Ok(1..)) {
                    heard.fetch_add(1, Ordering::SeqCst);
                }
            }
        });
        Self { address, visits, told, task }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Whether somebody came, and told it nothing.
    pub fn was_seen_through(&self) -> bool {
        self.visits.load(Ordering::SeqCst) > 0 && self.told.load(Ordering::SeqCst) == 0
    }
}

impl Drop for Impostor {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn acceptor() -> TlsAcceptor {
    let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
    let CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(names).expect("a certificate");
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()));
    let config = config.with_safe_default_protocol_versions().expect("versions").with_no_client_auth();
    let config = config.with_single_cert(vec![cert.der().clone()], key).expect("a configuration");
    TlsAcceptor::from(Arc::new(config))
}
