//! The TLS certificate of the public host. It is looked at even when no client would accept it, to say why.

use std::net::{TcpStream, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme};
use url::{Host, Url};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::finding::Kind;
use super::patient::Patient;

const PATIENCE: Duration = Duration::from_secs(10);
/// Days before the end of a certificate that are worth a warning.
const ENDING_DAYS: i64 = 14;

pub(super) async fn examine(patient: &mut Patient<'_>) {
    let Ok(url) = Url::parse(patient.identifier) else { return };
    let Some(host) = url.host_str().map(str::to_owned) else { return };
    if url.scheme() != "https" {
        patient.look_at("TLS");
        patient.find(Kind::NO_TLS, format!("{} is spoken to without TLS", patient.identifier));
        return;
    }
    if !patient.options.resolve.is_empty() {
        patient.skip("TLS", "another address stands for the public one");
        return;
    }
    patient.look_at(format!("TLS of {host}"));
    let address = format!("{}:{}", host, url.port_or_known_default().unwrap_or(443));
    let name = host.clone();
    match tokio::task::spawn_blocking(move || chain(&address, &name)).await {
        Ok(Ok(chain)) => look(patient, &host, &chain),
        Ok(Err(error)) => patient.find(Kind::TLS_FAILED, error),
        Err(_) => patient.find(Kind::TLS_FAILED, "the handshake was cut short"),
    }
}

fn look(patient: &mut Patient<'_>, host: &str, chain: &[Vec<u8>]) {
    let parsed = chain.first().and_then(|leaf| X509Certificate::from_der(leaf).ok());
    let Some((_, leaf)) = parsed else {
        patient.find(Kind::TLS_FAILED, "the server showed no certificate");
        return;
    };
    let now = patient.now();
    let validity = leaf.validity();
    let left = (validity.not_after.timestamp() - now) / 86_400;
    if validity.not_after.timestamp() <= now || validity.not_before.timestamp() > now {
        let what = format!("the certificate is valid from {} to {}", validity.not_before, validity.not_after);
        patient.find(Kind::TLS_EXPIRED, what);
    } else if left < ENDING_DAYS {
        patient.find(Kind::TLS_ENDING, format!("the certificate ends in {left} days"));
    }
    if !named(&leaf, host) {
        patient.find(Kind::TLS_NAME, format!("the certificate of {} is not for {host}", leaf.subject()));
    }
}

fn named(leaf: &X509Certificate<'_>, host: &str) -> bool {
    let Ok(Some(extension)) = leaf.subject_alternative_name() else { return false };
    extension.value.general_names.iter().any(|name| match name {
        GeneralName::DNSName(name) => {
            let wildcard = name
                .strip_prefix("*.")
                .is_some_and(|parent| host.split_once('.').is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(parent)));
            wildcard || name.eq_ignore_ascii_case(host)
        }
        GeneralName::IPAddress(bytes) => match Host::parse(host) {
            Ok(Host::Ipv4(address)) => address.octets() == **bytes,
            Ok(Host::Ipv6(address)) => address.octets() == **bytes,
            Ok(Host::Domain(_)) | Err(_) => false,
        },
        GeneralName::OtherName(..)
        | GeneralName::RFC822Name(_)
        | GeneralName::X400Address(_)
        | GeneralName::DirectoryName(_)
        | GeneralName::EDIPartyName(_)
        | GeneralName::URI(_)
        | GeneralName::RegisteredID(_)
        | GeneralName::Invalid(..) => false,
    })
}

/// Shakes hands and gives the certificates, whatever they are.
fn chain(address: &str, host: &str) -> Result<Vec<Vec<u8>>, String> {
    let target = address.to_socket_addrs().map_err(|error| format!("{address}: {error}"))?.next();
    let target = target.ok_or_else(|| format!("{address} has no address"))?;
    let mut stream = TcpStream::connect_timeout(&target, PATIENCE).map_err(|error| format!("{address}: {error}"))?;
    for limit in [stream.set_read_timeout(Some(PATIENCE)), stream.set_write_timeout(Some(PATIENCE))] {
        limit.map_err(|error| format!("{address}: {error}"))?;
    }
    let witness = Arc::new(Witness { provider: aws_lc_rs::default_provider(), seen: Mutex::default() });
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(witness.clone())
        .with_no_client_auth();
    let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let name = ServerName::try_from(bare).map_err(|error| error.to_string())?;
    let mut connection = ClientConnection::new(Arc::new(config), name).map_err(|error| error.to_string())?;
    connection.complete_io(&mut stream).map_err(|error| format!("the handshake failed: {error}"))?;
    let seen = witness.seen.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(seen.clone())
}

/// Remembers the certificates and takes every one: nothing is sent over this connection but the handshake.
#[derive(Debug)]
struct Witness {
    provider: CryptoProvider,
    seen: Mutex<Vec<Vec<u8>>>,
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let all = std::iter::once(leaf).chain(intermediates).map(|der| der.to_vec()).collect();
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = all;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Wallet;
    use crate::fixtures::NOW;
    use crate::options::Options;
    use rcgen::{CertificateParams, KeyPair};
    use rustls::pki_types::PrivatePkcs8KeyDer;
    use rustls::{ServerConfig, ServerConnection};
    use time::{Duration, OffsetDateTime};

    /// What is found at a server whose certificate is for `name` and ends after so many days.
    async fn found(name: &str, days: i64) -> Vec<&'static str> {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let now = OffsetDateTime::from_unix_timestamp(NOW).unwrap();
        (params.not_before, params.not_after) = (now - Duration::days(100), now + Duration::days(days));
        let certificate = params.self_signed(&key).unwrap().der().clone();
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key.into())
            .unwrap();
        let config = Arc::new(config);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                let mut connection = ServerConnection::new(config.clone()).unwrap();
                // A client that does not like the certificate hangs up.
                drop(connection.complete_io(&mut stream));
            }
        });
        let wallet = Wallet::builder().clock(|| NOW).build().unwrap();
        let report = wallet.examine(&format!("https://localhost:{port}"), None, &Options::default()).await.unwrap();
        report.findings().map(|finding| finding.kind.code).filter(|code| code.starts_with("tls")).collect()
    }

    #[tokio::test]
    async fn what_is_wrong_with_a_certificate_is_said_though_no_client_takes_it() {
        assert_eq!(found("localhost", 100).await, [""; 0]);
        assert_eq!(found("localhost", -1).await, ["tls-expired"]);
        assert_eq!(found("localhost", 5).await, ["tls-ending"]);
        assert_eq!(found("elsewhere.example", 100).await, ["tls-name"]);
    }

    #[tokio::test]
    async fn a_server_that_does_not_speak_tls_is_found() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        assert!(chain(&address.to_string(), "localhost").is_err());
    }
}
