//! A TCP proxy between the server and what it depends on, which fails when told to.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

/// A proxy on a free loopback port. Dropping it closes every connection.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
    accepting: JoinHandle<()>,
}

#[derive(Debug)]
struct State {
    target: Mutex<Option<SocketAddr>>,
    /// Connections die when the number in here changes.
    generation: watch::Sender<u64>,
    mode: Mutex<Mode>,
    sprung: Notify,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Mode {
    /// Everything passes.
    Open,
    /// Connections are closed as soon as they come.
    Cut,
    /// Passes until the bytes are seen on their way to the target for the last of `times`; then it is `after`.
    Trap { pattern: Vec<u8>, times: usize, place: Place, after: Box<Mode> },
}

/// Where a connection breaks when the awaited bytes come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Before them: the target never sees them.
    Before,
    /// After them: the target acts on them, and its answer is lost.
    After,
}

impl Proxy {
    /// Listens on a free port of the loopback interface; [`Proxy::point_to`] says where connections go.
    pub async fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let state = Arc::new(State {
            target: Mutex::new(None),
            generation: watch::Sender::new(0),
            mode: Mutex::new(Mode::Open),
            sprung: Notify::new(),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&state)));
        Self { address, state, accepting }
    }

    /// A proxy to `target`.
    pub async fn to(target: SocketAddr) -> Self {
        let proxy = Self::listen().await;
        proxy.point_to(target);
        proxy
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends new connections there.
    pub fn point_to(&self, target: SocketAddr) {
        *self.state.target.lock().expect("the lock") = Some(target);
    }

    /// Closes every connection, and new ones as they come, until [`Proxy::restore`].
    pub fn cut(&self) {
        self.set(Mode::Cut);
        self.state.close_all();
    }

    /// Closes every connection once; new ones pass.
    pub fn cut_once(&self) {
        self.set(Mode::Open);
        self.state.close_all();
    }

    /// Cuts as soon as `pattern` is on its way to the target in one piece of a stream, and stays cut.
    /// `COMMIT` in a connection to PostgreSQL is the moment between all and nothing.
    pub fn cut_at(&self, pattern: &[u8], place: Place) {
        self.cut_at_nth(pattern, 1, place);
    }

    /// Like [`Proxy::cut_at`], when a piece with `pattern` comes by for the `nth` time, counted from 1.
    pub fn cut_at_nth(&self, pattern: &[u8], nth: usize, place: Place) {
        self.trap(pattern, nth, place, Mode::Cut);
    }

    /// Like [`Proxy::cut_at`], but new connections pass.
    pub fn cut_once_at(&self, pattern: &[u8], place: Place) {
        self.trap(pattern, 1, place, Mode::Open);
    }

    fn trap(&self, pattern: &[u8], times: usize, place: Place, after: Mode) {
        self.set(Mode::Trap { pattern: pattern.to_vec(), times, place, after: Box::new(after) });
    }

    /// Whether connections are closed as soon as they come.
    pub fn is_cut(&self) -> bool {
        self.state.mode() == Mode::Cut
    }

    /// Waits until the bytes of [`Proxy::cut_at`] came by.
    pub async fn sprung(&self) {
        self.state.sprung.notified().await;
    }

    /// Lets everything pass again.
    pub fn restore(&self) {
        self.set(Mode::Open);
    }

    fn set(&self, mode: Mode) {
        *self.state.mode.lock().expect("the lock") = mode;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.state.close_all();
    }
}

impl State {
    fn close_all(&self) {
        self.generation.send_modify(|generation| *generation += 1);
    }

    fn mode(&self) -> Mode {
        self.mode.lock().expect("the lock").clone()
    }

    /// Where to break, when these bytes are what is waited for.
    fn spring(&self, bytes: &[u8]) -> Option<Place> {
        let mut mode = self.mode.lock().expect("the lock");
        let Mode::Trap { pattern, times, place, after } = &mut *mode else { return None };
        if !bytes.windows(pattern.len()).any(|window| window == pattern) {
            return None;
        }
        *times -= 1;
        let (place, after) = (*place, (**after).clone());
        let is_last = *times == 0;
        is_last.then(|| {
            *mode = after;
            place
        })
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    while let Ok((client, _)) = listener.accept().await {
        let target = *state.target.lock().expect("the lock");
        let Some(target) = target.filter(|_| state.mode() != Mode::Cut) else {
            continue;
        };
        // Taken before the connection is made: a cut in between closes it too.
        let generation = state.generation.subscribe();
        tokio::spawn(pass(client, target, Arc::clone(&state), generation));
    }
}

async fn pass(client: TcpStream, target: SocketAddr, state: Arc<State>, mut generation: watch::Receiver<u64>) {
    let Ok(server) = TcpStream::connect(target).await else {
        return;
    };
    let quick = client.set_nodelay(true).and_then(|()| server.set_nodelay(true));
    if quick.is_err() {
        return;
    }
    let (client_read, client_write) = client.into_split();
    let (server_read, server_write) = server.into_split();
    // Whichever side ends first ends the connection: the protocols here know no half-open state.
    tokio::select! {
        () = forward_watched(client_read, server_write, &state) => {}
        () = forward(server_read, client_write) => {}
        _ = generation.changed() => {}
    }
}

async fn forward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    drop(tokio::io::copy(&mut from, &mut to).await);
}

async fn forward_watched(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, state: &State) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let bytes = &buffer[..length];
        let Some(place) = state.spring(bytes) else {
            if to.write_all(bytes).await.is_err() {
                // The target does not listen any more. Perhaps it has answered, as to a body that is too large: the
                // other direction ends when that is through.
                std::future::pending::<()>().await;
            }
            continue;
        };
        if place == Place::After {
            // The whole piece, because a message of PostgreSQL ends some bytes after its text. What the target answers
            // is not read any more.
            drop(to.write_all(bytes).await);
        }
        state.close_all();
        state.sprung.notify_one();
        return;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends back what it receives, and keeps it.
    async fn echo() -> (SocketAddr, Arc<Mutex<Vec<u8>>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::<Mutex<Vec<u8>>>::default();
        let kept = Arc::clone(&received);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let kept = Arc::clone(&kept);
                tokio::spawn(async move {
                    let mut buffer = [0; 1024];
                    while let Ok(length @ 1..) = stream.read(&mut buffer).await {
                        kept.lock().unwrap().extend(&buffer[..length]);
                        if stream.write_all(&buffer[..length]).await.is_err() {
                            break;
                        }
                    }
                });
            }
        });
        (address, received)
    }

    /// What comes back for a message on a new connection; `None` when the connection ends.
    async fn said(proxy: &Proxy, message: &[u8]) -> Option<Vec<u8>> {
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        stream.write_all(message).await.ok()?;
        let mut answer = vec![0; message.len()];
        stream.read_exact(&mut answer).await.ok().map(|_| answer)
    }

    #[tokio::test]
    async fn a_cut_wire_carries_nothing_until_it_is_restored() {
        let proxy = Proxy::to(echo().await.0).await;
        assert_eq!(said(&proxy, b"one").await.as_deref(), Some(&b"one"[..]));
        proxy.cut();
        assert_eq!(said(&proxy, b"two").await, None);
        proxy.restore();
        assert_eq!(said(&proxy, b"three").await.as_deref(), Some(&b"three"[..]));
    }

    #[tokio::test]
    async fn a_cut_ends_connections_that_are_open() {
        let proxy = Proxy::to(echo().await.0).await;
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        stream.write_all(b"x").await.unwrap();
        stream.read_exact(&mut [0]).await.unwrap();
        proxy.cut_once();
        assert_eq!(stream.read(&mut [0]).await.unwrap_or(0), 0);
        assert!(said(&proxy, b"again").await.is_some());
    }

    #[tokio::test]
    async fn a_trap_springs_before_or_after_the_bytes_that_it_waits_for() {
        for (place, expected) in [(Place::Before, &b"BEGIN"[..]), (Place::After, &b"BEGINCOMMIT"[..])] {
            let (target, received) = echo().await;
            let proxy = Proxy::to(target).await;
            proxy.cut_at(b"COMMIT", place);
            assert!(said(&proxy, b"BEGIN").await.is_some());
            assert_eq!(said(&proxy, b"COMMIT").await, None);
            proxy.sprung().await;
            while received.lock().unwrap().len() < expected.len() {
                tokio::task::yield_now().await;
            }
            assert_eq!(*received.lock().unwrap(), expected);
        }
    }
}
