//! Somebody who receives webhooks, or is asked for claims: a server in hand-written HTTP/1.1 that keeps what it is sent.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A receiver on a free port of the loopback interface. It answers 200 unless it is told otherwise.
#[derive(Debug)]
pub struct Receiver {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct State {
    received: Vec<Received>,
    answers: VecDeque<String>,
    always: Option<String>,
    said: Option<Vec<u8>>,
    is_silent: bool,
}

/// A call that came.
#[derive(Clone, Debug)]
pub struct Received {
    /// Path and query of the request.
    pub target: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body as it came.
    pub body: Vec<u8>,
}

impl Receiver {
    /// Begins to listen.
    pub async fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let state = Arc::<Mutex<State>>::default();
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { address, state, task }
    }

    /// Where events are to be sent.
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// Answers the next calls with these status lines, such as `500 Oops`, and 200 after that.
    pub fn answer(&self, answers: &[&str]) {
        self.state.lock().expect("the lock").answers.extend(answers.iter().map(|answer| (*answer).to_owned()));
    }

    /// Answers every call with this status line until it is told otherwise.
    pub fn always(&self, answer: Option<&str>) {
        self.state.lock().expect("the lock").always = answer.map(str::to_owned);
    }

    /// Says this in every answer from now on.
    pub fn say(&self, body: impl Into<Vec<u8>>) {
        self.state.lock().expect("the lock").said = Some(body.into());
    }

    /// Takes calls and answers none of them, as long as it is told to.
    pub fn fall_silent(&self, is_silent: bool) {
        self.state.lock().expect("the lock").is_silent = is_silent;
    }

    /// Everything that came since this was last asked, in order.
    pub fn take(&self) -> Vec<Received> {
        std::mem::take(&mut self.state.lock().expect("the lock").received)
    }

    /// Statuses of the events that came since this was last asked, in order.
    pub fn statuses(&self) -> Vec<String> {
        self.take().iter().map(|call| call.status()).collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Received {
    /// The first header of that name.
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map_or_else(|| panic!("no {name} in {self:?}"), |(_, value)| value)
    }

    /// The event: the JSON body, or the member `payload` of a form.
    pub fn payload(&self) -> String {
        if self.header("content-type") == "application/json" {
            return String::from_utf8(self.body.clone()).expect("text");
        }
        let mut members = url::form_urlencoded::parse(&self.body);
        members.find(|(name, _)| name == "payload").expect("a payload").1.into_owned()
    }

    /// The event as JSON.
    pub fn event(&self) -> Value {
        serde_json::from_str(&self.payload()).expect("JSON")
    }

    /// Status of the exchange that the event is about.
    pub fn status(&self) -> String {
        self.event()["data"]["credential"]["status"].as_str().expect("a status").to_owned()
    }

    /// Whether one of the signatures of Standard Webhooks was made with this secret.
    pub fn is_signed_with(&self, secret: &str) -> bool {
        let key = secret.strip_prefix("whsec_").map(|encoded| STANDARD.decode(encoded).expect("base64"));
        let key = key.unwrap_or_else(|| secret.as_bytes().to_vec());
        let signed = format!("{}.{}.{}", self.header("webhook-id"), self.header("webhook-timestamp"), self.payload());
        let expected = format!("v1,{}", STANDARD.encode(mac(&key, &signed)));
        self.header("webhook-signature").split(' ').any(|signature| signature == expected)
    }

    /// Whether `X-IGrant-Signature` was made with this secret.
    pub fn is_signed_the_old_way_with(&self, secret: &str) -> bool {
        let header = self.header("x-igrant-signature");
        let (time, signature) = header.split_once(',').expect("two members");
        let time = time.strip_prefix("t=").expect("a time");
        let signature = signature.strip_prefix("sig=").expect("a signature");
        let expected = mac(secret.as_bytes(), &format!("{time}.{}", self.payload()));
        signature == expected.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    }
}

fn mac(key: &[u8], message: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message.as_bytes()).as_ref().to_vec()
}

async fn serve(mut stream: TcpStream, state: Arc<Mutex<State>>) {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let head = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        if let Some(head) = head {
            let headers = headers(&bytes[..head]);
            let target = target(&bytes[..head]);
            let length = headers.iter().find(|(name, _)| name == "content-length");
            let length: usize = length.map_or(0, |(_, value)| value.parse().expect("a length"));
            if bytes.len() >= head + 4 + length {
                let body = bytes[head + 4..head + 4 + length].to_vec();
                let answer = answer(&state, Received { target, headers, body });
                match answer {
                    Some(answer) => drop(stream.write_all(&answer).await),
                    // Until whoever asks has had enough.
                    None => drop(stream.read(&mut buffer).await),
                }
                return;
            }
        }
        match stream.read(&mut buffer).await {
            Ok(read @ 1..) => bytes.extend(&buffer[..read]),
            Ok(_) | Err(_) => return,
        }
    }
}

/// What is answered to a call; `None` for nothing.
fn answer(state: &Mutex<State>, call: Received) -> Option<Vec<u8>> {
    let mut state = state.lock().expect("the lock");
    state.received.push(call);
    if state.is_silent {
        return None;
    }
    let status = state.answers.pop_front().or_else(|| state.always.clone()).unwrap_or_else(|| "200 OK".to_owned());
    let body = state.said.clone().unwrap_or_else(|| b"thanks".to_vec());
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    Some([head.into_bytes(), body].concat())
}

fn target(head: &[u8]) -> String {
    String::from_utf8_lossy(head).split(' ').nth(1).unwrap_or_default().to_owned()
}

fn headers(head: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(head);
    let fields = text.lines().skip(1).filter_map(|line| line.split_once(": "));
    fields.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect()
}
