//! Requests to servers that an organisation names.
//!
//! Whoever may name a URL must not reach with it what only this machine can reach. So addresses that are not public are
//! refused, after the name is resolved and at the moment of connecting, not before; redirects are not followed; time and
//! size are bounded.

use std::error::Error as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::OnceLock;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use crate::certificate_fault::certificate_fault;

/// Time for a connection.
const CONNECT_TIME: Duration = Duration::from_secs(3);

/// Time for one request, connection and body included, unless the caller says otherwise.
const TIME: Duration = Duration::from_secs(4);

/// Largest body that is read, in bytes.
const LARGEST_BODY: usize = 256 * 1024;

/// Which addresses may be asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Addresses {
    /// Public ones, over `https`.
    #[default]
    Public,
    /// Any, over `http` too: for a closed network, or for trying things out.
    Any,
}

/// Why a request got no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutboundError {
    /// The URL may not be asked.
    #[error("{0}")]
    Refused(&'static str),
    /// No answer within the time limit.
    #[error("no answer in time")]
    TimedOut,
    /// The body is larger than what is read.
    #[error("the answer has more than {0} bytes")]
    TooLarge(usize),
    /// The server cannot prove who it is.
    #[error("the certificate of the server is not accepted: {0}")]
    Certificate(&'static str),
    /// No connection, or it broke.
    #[error("the server cannot be reached")]
    Unreachable,
    /// The client cannot be made.
    #[error("no client for outgoing requests: {0}")]
    Client(String),
}

/// Sends requests.
pub(crate) struct Outbound {
    addresses: Addresses,
    client: OnceLock<Result<reqwest::Client, String>>,
}

impl Outbound {
    pub(crate) fn new(addresses: Addresses) -> Self {
        Self { addresses, client: OnceLock::new() }
    }

    /// Says why `url` may not be asked, as far as can be seen without resolving its name.
    pub(crate) fn check(&self, url: &Url) -> Result<(), OutboundError> {
        let refused = |reason| Err(OutboundError::Refused(reason));
        match (url.scheme(), self.addresses) {
            ("https", _) | ("http", Addresses::Any) => {}
            _ => return refused("the URL is not https"),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return refused("the URL has user information");
        }
        let literal = match url.host() {
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
            Some(Host::Domain(_)) => return Ok(()),
            None => return refused("the URL has no host"),
        };
        if may_be_asked(literal, self.addresses) { Ok(()) } else { refused(NOT_PUBLIC) }
    }

    /// Sends `request`; redirects come back as they are.
    pub(crate) async fn send(&self, request: http::Request<Vec<u8>>) -> Result<http::Response<Vec<u8>>, OutboundError> {
        self.ask(request, TIME, LARGEST_BODY).await
    }

    /// The same within `limit`, for an answer of at most `largest` bytes.
    pub(crate) async fn ask(
        &self,
        request: http::Request<Vec<u8>>,
        limit: Duration,
        largest: usize,
    ) -> Result<http::Response<Vec<u8>>, OutboundError> {
        let mut response = self.begin(request, limit).await?;
        let mut answer = http::Response::builder().status(response.status());
        if let Some(headers) = answer.headers_mut() {
            headers.extend(response.headers().clone());
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failure)? {
            if body.len().saturating_add(chunk.len()) > largest {
                return Err(OutboundError::TooLarge(largest));
            }
            body.extend_from_slice(&chunk);
        }
        answer.body(body).map_err(|_| OutboundError::Unreachable)
    }

    /// Sends `request` and answers its status and at most the first `most` bytes of the body: for receivers whose answers
    /// are only looked at.
    pub(crate) async fn deliver(
        &self,
        request: http::Request<Vec<u8>>,
        limit: Duration,
        most: usize,
    ) -> Result<(u16, Vec<u8>), OutboundError> {
        let mut response = self.begin(request, limit).await?;
        let mut beginning = Vec::new();
        while beginning.len() < most {
            let Some(chunk) = response.chunk().await.map_err(failure)? else { break };
            beginning.extend(chunk.iter().take(most - beginning.len()));
        }
        Ok((response.status().as_u16(), beginning))
    }

    async fn begin(
        &self,
        request: http::Request<Vec<u8>>,
        limit: Duration,
    ) -> Result<reqwest::Response, OutboundError> {
        let url = Url::parse(&request.uri().to_string()).map_err(|_| OutboundError::Refused("not a URL"))?;
        self.check(&url)?;
        let client = self.client.get_or_init(|| client(self.addresses)).as_ref();
        let client = client.map_err(|reason| OutboundError::Client(reason.clone()))?;
        let mut request = reqwest::Request::try_from(request).map_err(|_| OutboundError::Refused("not a request"))?;
        *request.timeout_mut() = Some(limit);
        client.execute(request).await.map_err(failure)
    }
}

const NOT_PUBLIC: &str = "the address is not public";

fn client(addresses: Addresses) -> Result<reqwest::Client, String> {
    builder(addresses).build().map_err(|error| error.to_string())
}

/// Proxies of the environment are not used: what they connect to cannot be judged here.
fn builder(addresses: Addresses) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIME)
        .timeout(TIME)
        .user_agent(concat!("chancery/", env!("CARGO_PKG_VERSION")))
        .dns_resolver(Resolver(addresses))
}

/// The library's own words quote the URL, which may hold what a person typed.
fn failure(error: reqwest::Error) -> OutboundError {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if inner.is::<NotPublic>() {
            return OutboundError::Refused(NOT_PUBLIC);
        }
        cause = inner.source();
    }
    match certificate_fault(&error) {
        Some(fault) => OutboundError::Certificate(fault),
        None if error.is_timeout() => OutboundError::TimedOut,
        None => OutboundError::Unreachable,
    }
}

/// Resolves names, and drops the addresses that may not be asked.
struct Resolver(Addresses);

#[derive(Debug, thiserror::Error)]
#[error("no public address")]
struct NotPublic;

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let addresses = self.0;
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let public: Vec<_> = found.into_iter().filter(|found| may_be_asked(found.ip(), addresses)).collect();
            if public.is_empty() {
                return Err(NotPublic.into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

fn may_be_asked(address: IpAddr, addresses: Addresses) -> bool {
    match (addresses, address) {
        (Addresses::Any, _) => true,
        (Addresses::Public, IpAddr::V4(address)) => is_public_v4(address),
        (Addresses::Public, IpAddr::V6(address)) => is_public_v6(address),
    }
}

/// Outside the special-purpose registry of RFC 6890.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || a == 0
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (18..20).contains(&b))
        || a >= 224;
    !special
}

/// Global unicast that is neither special-purpose nor a way to a special IPv4 address.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, third, fourth, fifth, sixth, high, low] = address.segments();
    let [a, b] = high.to_be_bytes();
    let [c, d] = low.to_be_bytes();
    let embedded = Ipv4Addr::new(a, b, c, d);
    match (first, second) {
        // NAT64 (RFC 6052).
        (0x64, 0xff9b) => [third, fourth, fifth, sixth] == [0; 4] && is_public_v4(embedded),
        // Teredo and protocol assignments, documentation, 6to4.
        (0x2001, 0..=0x1ff | 0xdb8) | (0x2002, _) | (0x3fff, 0..=0xfff) => false,
        _ => (0x2000..=0x3fff).contains(&first),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

    use super::*;
    use crate::tls_server::{Authorities, Certificate, FAULTS, HOST, listen};

    /// The client of [`Outbound::new`], which trusts one authority more.
    fn trusting(authorities: &Authorities) -> Outbound {
        let root = reqwest::Certificate::from_der(authorities.root()).unwrap();
        let client = builder(Addresses::Any).tls_certs_merge([root]).build().unwrap();
        Outbound { addresses: Addresses::Any, client: OnceLock::from(Ok(client)) }
    }

    /// Calls a server that shows `certificate`: the answer, and the first lines of the requests that it read.
    async fn call(
        authorities: &Authorities,
        outbound: &Outbound,
        certificate: Certificate,
    ) -> (Result<http::Response<Vec<u8>>, OutboundError>, Vec<String>) {
        let acceptor = authorities.acceptor(certificate);
        let (port, heard) = listen(move |stream, heard| {
            let acceptor = acceptor.clone();
            async move {
                let mut stream = BufReader::new(acceptor.accept(stream).await?);
                let mut line = String::new();
                stream.read_line(&mut line).await?;
                heard.lock().unwrap().push(line);
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi").await?;
                stream.shutdown().await
            }
        })
        .await;
        let request = http::Request::post(format!("https://{HOST}:{port}/hook")).body(b"secret".to_vec()).unwrap();
        let answer = outbound.send(request).await;
        let heard = heard.lock().unwrap().clone();
        (answer, heard)
    }

    #[tokio::test]
    async fn a_server_that_cannot_prove_its_name_is_told_nothing_by_sec_11() {
        let authorities = Authorities::new();
        let outbound = trusting(&authorities);
        let (answer, heard) = call(&authorities, &outbound, Certificate::Good).await;
        assert_eq!((answer.unwrap().body().as_slice(), heard.len()), (b"hi".as_slice(), 1));
        for (certificate, fault) in FAULTS {
            let (answer, heard) = call(&authorities, &outbound, certificate).await;
            assert!(
                matches!(answer, Err(OutboundError::Certificate(said)) if said == fault),
                "{certificate:?}: {answer:?}"
            );
            assert!(heard.is_empty(), "{certificate:?}: {heard:?}");
        }
    }

    #[tokio::test]
    async fn only_authorities_of_the_system_are_trusted_by_sec_11() {
        let outbound = Outbound::new(Addresses::Any);
        let (answer, heard) = call(&Authorities::new(), &outbound, Certificate::Good).await;
        assert!(matches!(answer, Err(OutboundError::Certificate(_))), "{answer:?}");
        assert!(heard.is_empty(), "{heard:?}");
    }

    #[test]
    fn only_public_addresses_are_asked() {
        for address in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "192.0.0.8",
            "192.0.2.1",
            "198.18.0.1",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "fd12:3456::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
            "2001::1",
            "2001:db8::1",
            "2002:a00:1::",
            "fec0::1",
        ] {
            assert!(!may_be_asked(address.parse().unwrap(), Addresses::Public), "{address}");
            assert!(may_be_asked(address.parse().unwrap(), Addresses::Any), "{address}");
        }
        for address in ["93.184.216.34", "172.32.0.1", "100.128.0.1", "2606:2800:220:1::1", "64:ff9b::5db8:d822"] {
            assert!(may_be_asked(address.parse().unwrap(), Addresses::Public), "{address}");
        }
    }

    #[test]
    fn a_url_is_refused_before_anything_is_resolved() {
        let outbound = Outbound::new(Addresses::Public);
        let check = |url: &str| outbound.check(&Url::parse(url).unwrap()).is_ok();
        assert!(check("https://login.example/realms/a"));
        for url in [
            "http://login.example",
            "https://127.0.0.1",
            "https://[::1]/",
            "https://2130706433",
            "https://0x7f.1",
            "https://a@login.example",
            "ftp://login.example",
            "file:///etc/passwd",
        ] {
            assert!(!check(url), "{url}");
        }
        assert!(Outbound::new(Addresses::Any).check(&Url::parse("http://127.0.0.1:1/").unwrap()).is_ok());
    }

    #[tokio::test]
    async fn a_name_that_leads_to_a_private_address_is_refused() {
        let outbound = Outbound::new(Addresses::Public);
        let request = http::Request::builder().uri("https://localhost:1/").body(Vec::new()).unwrap();
        assert!(matches!(outbound.send(request).await, Err(OutboundError::Refused(NOT_PUBLIC))));
    }
}
