//! DPoP (RFC 9449): proofs, server nonces, and one retry when a server asks for a nonce.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use crate::error::{Violation, WalletError};
use crate::json::Object;
use crate::keys::{HolderKey, object, random_text};
use crate::options::Options;
use crate::transport::{Reply, Request, parameter};
use crate::wallet::Wallet;

/// Servers whose last nonce is remembered.
const MOST_NONCES: usize = 256;

/// Which kind of server is asked. Their nonces are separate (RFC 9449 §9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Space {
    AuthorizationServer,
    ResourceServer,
}

/// The last nonce of each server, by kind and identifier.
#[derive(Default)]
pub(crate) struct Nonces(Mutex<HashMap<(Space, String), String>>);

impl Nonces {
    fn last(&self, space: Space, server: &str) -> Option<String> {
        let nonces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        nonces.get(&(space, server.to_owned())).cloned()
    }

    /// RFC 9449 §8.2: any answer may bring the nonce for the next request.
    pub(crate) fn remember(&self, space: Space, server: &str, reply: &Reply) {
        if let Some(nonce) = reply.header("dpop-nonce") {
            let mut nonces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if nonces.len() >= MOST_NONCES {
                nonces.clear();
            }
            nonces.insert((space, server.to_owned()), nonce.to_owned());
        }
    }
}

/// A DPoP proof for `method` and the public `url`, signed by `key` at `issued_at` (unix seconds).
pub(crate) fn proof(
    key: &HolderKey,
    method: &str,
    url: &str,
    access_token: Option<&str>,
    nonce: Option<&str>,
    issued_at: i64,
) -> Result<String, WalletError> {
    let alg = key.algorithm().name_from(&[]);
    let header = object([("typ", json!("dpop+jwt")), ("alg", json!(alg)), ("jwk", json!(key.public_jwk()))]);
    // §4.2: htu has neither query nor fragment.
    let htu = url.split(['?', '#']).next().unwrap_or(url);
    let mut claims: Object = object([
        ("jti", json!(random_text::<16>()?)),
        ("htm", json!(method)),
        ("htu", json!(htu)),
        ("iat", json!(issued_at)),
    ]);
    if let Some(token) = access_token {
        let hash = digest::digest(&digest::SHA256, token.as_bytes());
        claims.insert("ath".into(), json!(URL_SAFE_NO_PAD.encode(hash)));
    }
    if let Some(nonce) = nonce {
        claims.insert("nonce".into(), json!(nonce));
    }
    key.sign_jwt(&header, &claims)
}

impl Wallet {
    /// Sends `request` with a DPoP proof. When the server answers that it wants a nonce or a challenge, sends it once more
    /// with that; every copy has fresh proofs.
    pub(crate) async fn send_with_proof(
        &self,
        request: Request,
        access_token: Option<&str>,
        space: Space,
        server: &str,
        options: &Options,
    ) -> Result<Reply, WalletError> {
        let (mut nonce_told, mut challenge_told) = (false, false);
        loop {
            let nonce = self.nonces.last(space, server);
            let reply = self.send_once(&request, access_token, nonce.as_deref(), (space, server), options).await?;
            self.nonces.remember(space, server, &reply);
            if self.wants_challenge(&reply, server)? && !std::mem::replace(&mut challenge_told, true) {
                continue;
            }
            if !wants_nonce(&reply, space) || std::mem::replace(&mut nonce_told, true) {
                return Ok(reply);
            }
            if reply.header("dpop-nonce").is_none() {
                return Violation::err(
                    request.step,
                    "RFC 9449 §8, §9",
                    "use_dpop_nonce came without a nonce",
                    "a DPoP-Nonce header",
                    "none",
                );
            }
        }
    }

    /// Sends `request` to the authorization server `server`, with a wallet attestation when there is a wallet provider.
    pub(crate) async fn send_attested(
        &self,
        request: Request,
        server: &str,
        options: &Options,
    ) -> Result<Reply, WalletError> {
        let mut told = false;
        loop {
            let mut attested = request.clone();
            self.attest(&mut attested, server, options)?;
            let reply = self.http.send(&attested, &options.resolve).await?;
            if !self.wants_challenge(&reply, server)? || std::mem::replace(&mut told, true) {
                return Ok(reply);
            }
        }
    }

    async fn send_once(
        &self,
        request: &Request,
        access_token: Option<&str>,
        nonce: Option<&str>,
        (space, server): (Space, &str),
        options: &Options,
    ) -> Result<Reply, WalletError> {
        let method = request.method.as_str();
        let proof = self.dpop_proof(method, &request.url, access_token, nonce)?;
        let mut request = request.clone();
        request.headers.push(("dpop", proof));
        if space == Space::AuthorizationServer {
            self.attest(&mut request, server, options)?;
        }
        self.http.send(&request, &options.resolve).await
    }
}

/// RFC 9449 §8: 400 with the error in the body; §9: 401 with the error in a `DPoP` challenge.
fn wants_nonce(reply: &Reply, space: Space) -> bool {
    const ERROR: Option<&str> = Some("use_dpop_nonce");
    match space {
        Space::AuthorizationServer => reply.status == 400 && reply.refusal().error.as_deref() == ERROR,
        Space::ResourceServer => {
            let challenge = reply.header("www-authenticate").unwrap_or("");
            let dpop = challenge.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("dpop "));
            reply.status == 401 && dpop && parameter(challenge, "error").as_deref() == ERROR
        }
    }
}
