//! A reverse proxy that changes what it hands on.

use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::{Client, Method};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::http::Answer;

/// An answer on its way to the wallet, which a test may change.
#[derive(Debug)]
pub struct Rewritten {
    /// Method and target of the request, as in `POST /o/demo/token`.
    pub request: String,
    /// Status code.
    pub status: u16,
    /// Headers in lower case, without those that belong to the connection.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
}

impl Rewritten {
    /// Sets a header, or takes it away.
    pub fn header(&mut self, name: &str, value: Option<&str>) {
        self.headers.retain(|(known, _)| known != name);
        if let Some(value) = value {
            self.headers.push((name.to_owned(), value.to_owned()));
        }
    }

    /// Changes a JSON body.
    pub fn json(&mut self, change: impl FnOnce(&mut Value)) {
        let mut value = serde_json::from_slice(&self.body).expect("a JSON body");
        change(&mut value);
        self.body = value.to_string().into_bytes();
    }

    /// Whether the request was for a target with this end.
    pub fn is_for(&self, end: &str) -> bool {
        self.request.split('?').next().is_some_and(|request| request.ends_with(end))
    }
}

/// Listens on a free loopback port, hands requests on with their `Host`, and changes the answers. Dropping it ends it.
#[derive(Debug)]
pub struct Rewriter {
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Rewriter {
    /// In front of `target`.
    pub async fn before(target: SocketAddr, change: impl Fn(&mut Rewritten) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let client = Client::builder()
            .no_proxy()
            .pool_max_idle_per_host(0)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("an HTTP client");
        let change: Arc<dyn Fn(&mut Rewritten) + Send + Sync> = Arc::new(change);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(hand_on(stream, client.clone(), target, Arc::clone(&change)));
            }
        });
        Self { address, accepting }
    }

    /// Its base URL, without a trailing slash.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Rewriter {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Serves the one request of a connection; a client that goes away early is no error.
async fn hand_on(
    mut stream: TcpStream,
    client: Client,
    target: SocketAddr,
    change: Arc<dyn Fn(&mut Rewritten) + Send + Sync>,
) -> Option<()> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).expect("a head in ASCII");
    let mut lines = head.split("\r\n");
    let request = lines.next()?.rsplit_once(' ')?.0.to_owned();
    let (method, path) = request.split_once(' ')?;
    let headers: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once(": ")).collect();
    let length = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length: usize = length.map_or(0, |(_, length)| length.parse().expect("a length"));
    while bytes.len() < end + 4 + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    let method = Method::from_bytes(method.as_bytes()).expect("a method");
    let mut onward = client.request(method, format!("http://{target}{path}")).body(bytes[end + 4..].to_vec());
    for (name, value) in headers {
        if !["content-length", "connection"].iter().any(|own| name.eq_ignore_ascii_case(own)) {
            onward = onward.header(name, value);
        }
    }
    let response = onward.send().await.ok()?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let answer = Answer { status, headers, body: response.bytes().await.ok()?.to_vec() };
    let mut rewritten = Rewritten { request, status: answer.status, headers: kept(&answer), body: answer.body };
    change(&mut rewritten);
    let mut text = format!("HTTP/1.1 {} Rewritten\r\n", rewritten.status);
    for (name, value) in &rewritten.headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str(&format!("content-length: {}\r\nconnection: close\r\n\r\n", rewritten.body.len()));
    stream.write_all(text.as_bytes()).await.ok()?;
    stream.write_all(&rewritten.body).await.ok()?;
    stream.shutdown().await.ok()
}

fn kept(answer: &Answer) -> Vec<(String, String)> {
    let own = ["content-length", "connection", "transfer-encoding"];
    let all = answer.headers.iter().filter(|(name, _)| !own.contains(&name.as_str()));
    all.map(|(name, value)| (name.to_string(), value.to_str().expect("a header in ASCII").to_owned())).collect()
}
