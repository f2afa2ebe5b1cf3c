//! The front channel: the person's browser goes to the authorization endpoint and comes back with an answer.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::WalletError;
use crate::error::Step;

type Visit = dyn Fn(String) -> Pin<Box<dyn Future<Output = Result<String, WalletError>> + Send>> + Send + Sync;

/// How the wallet sends the person to a URL and learns where the browser ended.
#[derive(Clone)]
pub struct FrontChannel {
    pub(crate) redirect_uri: String,
    visit: Arc<Visit>,
}

impl FrontChannel {
    /// `visit` opens the URL it is given and answers the whole URL that the browser was sent to at last, which begins with
    /// `redirect_uri`.
    pub fn new<F, V>(redirect_uri: impl Into<String>, visit: V) -> Self
    where
        V: Fn(String) -> F + Send + Sync + 'static,
        F: Future<Output = Result<String, WalletError>> + Send + 'static,
    {
        Self { redirect_uri: redirect_uri.into(), visit: Arc::new(move |url| Box::pin(visit(url))) }
    }

    /// Listens on a free port of this machine (RFC 8252 §7.3); `open` shows the URL to the person.
    ///
    /// # Errors
    /// [`WalletError::Input`] when there is no port to listen on.
    pub async fn loopback(
        patience: Duration,
        open: impl Fn(&str) + Send + Sync + 'static,
    ) -> Result<Self, WalletError> {
        let failed = |error: std::io::Error| WalletError::Input(format!("no port to listen on: {error}"));
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
        let origin = format!("http://{}", listener.local_addr().map_err(failed)?);
        let (listener, open) = (Arc::new(listener), Arc::new(open));
        Ok(Self::new(format!("{origin}{CALLBACK}"), move |url| {
            let (listener, open, origin) = (listener.clone(), open.clone(), origin.clone());
            async move {
                open(&url);
                match tokio::time::timeout(patience, answered(&listener)).await {
                    Ok(target) => Ok(format!("{origin}{target}")),
                    Err(_) => Err(WalletError::Transport {
                        step: Step::Authorization,
                        url: url.split('?').next().unwrap_or("").to_owned(),
                        cause: format!("the browser did not come back within {} seconds", patience.as_secs()),
                    }),
                }
            }
        }))
    }

    pub(crate) async fn visit(&self, url: String) -> Result<String, WalletError> {
        (self.visit)(url).await
    }
}

impl fmt::Debug for FrontChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrontChannel").field("redirect_uri", &self.redirect_uri).finish_non_exhaustive()
    }
}

const CALLBACK: &str = "/callback";
const LONGEST_REQUEST: u64 = 64 * 1024;
const PAGE: &str = "<!doctype html><meta charset=utf-8><title>Wallet</title><p>You can close this page and go back to \
                    the wallet.";

/// The target of the first request for the callback; browsers ask for icons, too.
async fn answered(listener: &TcpListener) -> String {
    loop {
        if let Ok((stream, _)) = listener.accept().await
            && let Ok(Some(target)) = serve(stream).await
        {
            return target;
        }
    }
}

async fn serve(mut stream: TcpStream) -> std::io::Result<Option<String>> {
    let mut head = Vec::new();
    let mut limited = (&mut stream).take(LONGEST_REQUEST);
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        if limited.read_buf(&mut head).await? == 0 {
            return Ok(None);
        }
    }
    let head = String::from_utf8_lossy(&head);
    let target = head.split(' ').nth(1).unwrap_or("").to_owned();
    let wanted = head.starts_with("GET ") && target.split('?').next() == Some(CALLBACK);
    let (status, page) = if wanted { ("200 OK", PAGE) } else { ("404 Not Found", "") };
    let length = page.len();
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/html\r\ncontent-length: {length}\r\ncache-control: no-store\r\n\
         referrer-policy: no-referrer\r\nconnection: close\r\n\r\n{page}"
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await?;
    Ok(wanted.then_some(target))
}
