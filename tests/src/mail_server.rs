//! Somebody who takes mail: a server in hand-written SMTP (RFC 5321) that keeps what it is sent.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::world::Options;
use crate::{Backend, World};

/// A mail server on a free port of the loopback interface. It takes every mail unless it is told otherwise.
#[derive(Debug)]
pub struct MailServer {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct State {
    mails: Vec<MailReceived>,
    answers: VecDeque<String>,
}

/// A mail that came.
#[derive(Clone, Debug)]
pub struct MailReceived {
    /// Whom the envelope names.
    pub to: String,
    /// Headers and body, with quoted-printable parts decoded.
    pub text: String,
}

impl MailServer {
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

    /// Runs a behaviour in a world whose server sends its mail here.
    pub async fn run(backend: Backend, behaviour: impl AsyncFnOnce(&World, &Self)) {
        let server = Self::listen().await;
        World::run_with(backend, server.options(), async |world: &World| behaviour(world, &server).await).await;
    }

    /// Options of a world whose server sends its mail here.
    pub fn options(&self) -> Options {
        let environment = [
            ("CHANCERY_SMTP_HOST", "127.0.0.1".to_owned()),
            ("CHANCERY_SMTP_PORT", self.address.port().to_string()),
            ("CHANCERY_SMTP_TLS", "none".to_owned()),
            ("CHANCERY_SMTP_FROM", "Registry <registry@issuer.example>".to_owned()),
        ];
        let environment = environment.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Options { environment, ..Options::default() }
    }

    /// Answers the next mails with these lines, such as `451 4.3.0 Later`, and takes those after that.
    pub fn answer(&self, answers: &[&str]) {
        self.state.lock().expect("the lock").answers.extend(answers.iter().map(|answer| (*answer).to_owned()));
    }

    /// Every mail that came since this was last asked, refused ones too, in order.
    pub fn take(&self) -> Vec<MailReceived> {
        std::mem::take(&mut self.state.lock().expect("the lock").mails)
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl MailReceived {
    /// A header.
    pub fn header(&self, name: &str) -> &str {
        let start = format!("{name}: ");
        let found = self.text.lines().find_map(|line| line.strip_prefix(&start));
        found.unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }
}

async fn serve(stream: TcpStream, state: Arc<Mutex<State>>) {
    let mut stream = BufReader::new(stream);
    let mut to = String::new();
    let mut say = "220 mail.example\r\n".to_owned();
    loop {
        if stream.write_all(say.as_bytes()).await.is_err() {
            return;
        }
        let mut line = String::new();
        if !matches!(stream.read_line(&mut line).await, Ok(1..)) {
            return;
        }
        let command = line.trim_end();
        say = match command.split([' ', ':']).next().unwrap_or_default() {
            "EHLO" => "250-mail.example\r\n250 SMTPUTF8\r\n".to_owned(),
            "RCPT" => {
                to = command.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
                "250 OK\r\n".to_owned()
            }
            "DATA" => {
                if stream.write_all(b"354 Go on\r\n").await.is_err() {
                    return;
                }
                let Some(text) = data(&mut stream).await else { return };
                let mut state = state.lock().expect("the lock");
                state.mails.push(MailReceived { to: to.clone(), text });
                let answer = state.answers.pop_front();
                format!("{}\r\n", answer.as_deref().unwrap_or("250 Taken"))
            }
            "QUIT" => "221 Bye\r\n".to_owned(),
            _ => "250 OK\r\n".to_owned(),
        };
    }
}

async fn data(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let mut line = Vec::new();
        if !matches!(stream.read_until(b'\n', &mut line).await, Ok(1..)) {
            return None;
        }
        if line == b".\r\n" {
            return Some(decoded(&bytes));
        }
        bytes.extend(line.strip_prefix(b".").unwrap_or(&line));
    }
}

/// Quoted-printable (RFC 2045 §6.7) undone, wherever it is.
fn decoded(bytes: &[u8]) -> String {
    let mut plain = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, after @ ..] = rest {
        let hex = after.get(..2).and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        rest = match (first, hex) {
            (b'=', _) if after.starts_with(b"\r\n") => &after[2..],
            (b'=', Some(byte)) => {
                plain.push(byte);
                &after[2..]
            }
            _ => {
                plain.push(*first);
                after
            }
        };
    }
    String::from_utf8_lossy(&plain).into_owned()
}
