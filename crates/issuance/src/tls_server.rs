//! Servers with certificates of every kind, for the tests of what we send over TLS.

use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// The name that clients call these servers by.
pub(crate) const HOST: &str = "localhost";

/// What is wrong with a certificate, and what we call it.
pub(crate) const FAULTS: [(Certificate, &str); 3] = [
    (Certificate::OfAStranger, "it is signed by nobody whom this server trusts"),
    (Certificate::ForAnotherHost, "it is for another host"),
    (Certificate::Expired, "it has expired"),
];

/// The certificate that a server shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Certificate {
    Good,
    OfAStranger,
    ForAnotherHost,
    Expired,
}

/// An authority that the client trusts, beside one that it does not.
pub(crate) struct Authorities {
    trusted: (CertificateDer<'static>, Issuer<'static, KeyPair>),
    stranger: (CertificateDer<'static>, Issuer<'static, KeyPair>),
}

impl Authorities {
    pub(crate) fn new() -> Self {
        Self { trusted: authority("Trusted"), stranger: authority("Stranger") }
    }

    /// The root that the client is to trust, in DER.
    pub(crate) fn root(&self) -> &[u8] {
        &self.trusted.0
    }

    /// The end of a server that shows `certificate`.
    pub(crate) fn acceptor(&self, certificate: Certificate) -> TlsAcceptor {
        let (_, issuer) = if certificate == Certificate::OfAStranger { &self.stranger } else { &self.trusted };
        let host = if certificate == Certificate::ForAnotherHost { "elsewhere.example" } else { HOST };
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(if certificate == Certificate::Expired { 2021 } else { 2120 }, 1, 1);
        let key = KeyPair::generate().unwrap();
        let signed = params.signed_by(&key, issuer).unwrap();
        let private = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_no_client_auth().with_single_cert(vec![signed.der().clone()], private).unwrap();
        TlsAcceptor::from(Arc::new(config))
    }
}

fn authority(name: &str) -> (CertificateDer<'static>, Issuer<'static, KeyPair>) {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let root = params.self_signed(&key).unwrap().der().clone();
    (root, Issuer::new(params, key))
}

/// What a server was told.
pub(crate) type Heard = Arc<Mutex<Vec<String>>>;

/// Listens on a port of the loopback interface and has `serve` talk to whoever comes.
pub(crate) async fn listen<F>(serve: impl Fn(TcpStream, Heard) -> F + Send + 'static) -> (u16, Heard)
where
    F: Future<Output = std::io::Result<()>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = Heard::default();
    let kept = Arc::clone(&heard);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, Arc::clone(&kept)));
        }
    });
    (port, heard)
}
