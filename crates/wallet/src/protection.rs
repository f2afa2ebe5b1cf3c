//! What goes to the credential issuer under an access token: headers, DPoP, and encryption both ways (OpenID4VCI §10).

use serde_json::{Value, json};

use crate::dpop::Space;
use crate::error::{Step, Violation, WalletError};
use crate::issuer::Issuer;
use crate::json::{self, Object};
use crate::jwe::{self, AGREEMENT, DEFLATE, DecryptionKey, Encoding};
use crate::metadata::IssuerMetadata;
use crate::options::{Encryption, Options};
use crate::token::Token;
use crate::transport::{JSON, JWT, Reply, Request};
use crate::wallet::Wallet;

/// How one request and its answer are encrypted.
struct Envelope<'a> {
    recipient: &'a Object,
    encoding: Encoding,
    compress: bool,
    /// Present when the answer is to be encrypted.
    answer: Option<(DecryptionKey, bool)>,
}

impl Wallet {
    /// Sends a (deferred) credential request; the status and the object of the answer, decrypted.
    pub(crate) async fn ask(
        &self,
        step: Step,
        url: &str,
        issuer: &Issuer,
        token: &Token,
        mut body: Object,
        options: &Options,
    ) -> Result<(u16, Object), WalletError> {
        let clause = if step == Step::Deferred { "OpenID4VCI §9.2" } else { "OpenID4VCI §8.3" };
        let Some(envelope) = Envelope::choose(&issuer.metadata, options)? else {
            let request = Request::post(step, url, Some(JSON), Value::Object(body).to_string().into_bytes());
            let reply = self.send_authorized(request, issuer, token, options).await?;
            return Ok((reply.status, reply.object(&[200, 202], clause)?));
        };
        if let Some((key, zip)) = &envelope.answer {
            let mut wanted = json!({"jwk": key.public_jwk(), "enc": envelope.encoding.name()});
            if *zip && let Value::Object(wanted) = &mut wanted {
                wanted.insert("zip".into(), json!(DEFLATE));
            }
            body.insert("credential_response_encryption".into(), wanted);
        }
        let plain = Value::Object(body).to_string();
        let sealed = jwe::encrypt(plain.as_bytes(), envelope.recipient, envelope.encoding, envelope.compress)?;
        let mut request = Request::post(step, url, Some(JWT), sealed.into_bytes());
        if envelope.answer.is_some() {
            request.headers.retain(|(name, _)| *name != "accept");
            request.headers.push(("accept", format!("{JWT}, {JSON}")));
        }
        let reply = self.send_authorized(request, issuer, token, options).await?;
        let Some((key, zip)) = &envelope.answer else {
            return Ok((reply.status, reply.object(&[200, 202], clause)?));
        };
        Ok((reply.status, decrypted(&reply, key, envelope.encoding, *zip, clause)?))
    }

    /// Sends a request with the access token, and with a DPoP proof when the token is bound.
    pub(crate) async fn send_authorized(
        &self,
        mut request: Request,
        issuer: &Issuer,
        token: &Token,
        options: &Options,
    ) -> Result<Reply, WalletError> {
        let scheme = if token.dpop { "DPoP" } else { "Bearer" };
        request.headers.push(("authorization", format!("{scheme} {}", token.access_token)));
        if token.dpop {
            let server = &issuer.metadata.credential_issuer;
            let access_token = Some(token.access_token.as_str());
            self.send_with_proof(request, access_token, Space::ResourceServer, server, options).await
        } else {
            self.http.send(&request, &options.resolve).await
        }
    }
}

/// ENC-6: what was asked for encrypted comes encrypted; errors never do (§8.3.1.2).
fn decrypted(
    reply: &Reply,
    key: &DecryptionKey,
    encoding: Encoding,
    zip: bool,
    clause: &'static str,
) -> Result<Object, WalletError> {
    if reply.status >= 400 {
        return reply.object(&[200, 202], clause);
    }
    let wrong = |what: &str, expected: &str, got: String| Violation::err(reply.step, clause, what, expected, got);
    if !matches!(reply.status, 200 | 202) {
        return wrong("the HTTP status is wrong", "200 or 202", reply.status.to_string());
    }
    if !reply.is(JWT) {
        let got = format!("{:?}", reply.header("content-type").unwrap_or(""));
        return wrong("the answer is not encrypted, as the request wanted it", JWT, got);
    }
    let plain = match key.decrypt(reply.body(), encoding, zip) {
        Ok(plain) => plain,
        Err(error) => {
            return Violation::err(
                reply.step,
                "OpenID4VCI §10",
                "the JWE is wrong",
                "one for the key of the request",
                error,
            );
        }
    };
    json::parse_object(&plain).or_else(|error| wrong("the decrypted answer is wrong", "a JSON object", error))
}

impl<'a> Envelope<'a> {
    fn choose(metadata: &'a IssuerMetadata, options: &Options) -> Result<Option<Self>, WalletError> {
        let request = metadata.request_encryption.as_ref();
        let response = metadata.response_encryption.as_ref();
        let required = |answer_too: bool| {
            response.is_some_and(|response| response.required)
                || (!answer_too && request.is_some_and(|request| request.required))
        };
        let (seal, open) = match options.encryption {
            Encryption::Never => (false, false),
            Encryption::Always => (true, response.is_some()),
            Encryption::WhereRequired => (required(false), required(true)),
        };
        if !seal {
            return Ok(None);
        }
        let Some(request) = request else {
            return Err(WalletError::Unsupported("an issuer that takes no encrypted credential requests".into()));
        };
        let Some(recipient) = request.keys.iter().find(|key| usable(key)) else {
            return Err(WalletError::Unsupported("request encryption with other keys than P-256 for ECDH-ES".into()));
        };
        let taken = |listed: &[String], encoding: Encoding| listed.iter().any(|name| name == encoding.name());
        let both = |encoding: Encoding| {
            taken(&request.encodings, encoding)
                && (!open || response.is_some_and(|response| taken(&response.encodings, encoding)))
        };
        let Some(encoding) = std::iter::once(options.encoding).chain(Encoding::ALL).find(|one| both(*one)) else {
            return Err(WalletError::Unsupported("content encryption other than A128GCM and A256GCM".into()));
        };
        let deflates = |listed: &[String]| options.compression && listed.iter().any(|name| name == DEFLATE);
        let answer = match response.filter(|_| open) {
            None => None,
            Some(response) if !response.algorithms.iter().any(|name| name == AGREEMENT) => {
                return Err(WalletError::Unsupported("response encryption without ECDH-ES".into()));
            }
            Some(response) => Some((DecryptionKey::generate()?, deflates(&response.compressions))),
        };
        Ok(Some(Self { recipient, encoding, compress: deflates(&request.compressions), answer }))
    }
}

fn usable(key: &Object) -> bool {
    let text = |name: &str| key.get(name).and_then(Value::as_str).unwrap_or("");
    text("kty") == "EC" && text("crv") == "P-256" && text("alg") == AGREEMENT && matches!(text("use"), "" | "enc")
}
