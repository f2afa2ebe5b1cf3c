//! JWTs that an issuer publishes and signs: its metadata (OpenID4VCI §12.2.3) and status lists (Token Status List §5.1).

use serde_json::Value;

use crate::error::{Step, Violation, WalletError};
use crate::issuer;
use crate::jose::Jws;
use crate::options::Options;
use crate::transport::{Http, well_known};
use crate::x509::{self, Leaf};

/// Seconds by which the issuer's clock may be ahead of ours.
const LEEWAY_SECONDS: i64 = 60;

/// What such a JWT is.
pub(crate) struct PublishedToken {
    /// What it is called, in words.
    pub(crate) name: &'static str,
    /// Where it is fetched.
    pub(crate) step: Step,
    /// Who says what it looks like.
    pub(crate) clause: &'static str,
    /// Its `typ`.
    pub(crate) typ: &'static str,
}

impl PublishedToken {
    /// Decodes and verifies it: by the `x5c` of its header, or by the published keys of the issuer `identifier`. The answer
    /// has the certificate when it is there.
    pub(crate) async fn verify(
        &self,
        http: &Http,
        text: &[u8],
        identifier: &str,
        now: i64,
        options: &Options,
    ) -> Result<(Jws, Option<Leaf>), WalletError> {
        let text = String::from_utf8_lossy(text);
        let jws = Jws::decode(text.trim()).map_err(|error| self.wrong("is malformed", "a compact JWS", error))?;
        let (key, leaf) = match jws.header().get("x5c") {
            Some(x5c) => {
                let leaf = x509::read(x5c, now, &options.trust_anchors).map_err(|error| {
                    self.wrong("has a wrong x5c", "a consistent chain of valid certificates, leaf first", error)
                })?;
                (leaf.key.clone(), Some(leaf))
            }
            None => {
                let url = well_known(identifier, "jwt-vc-issuer");
                let keys = issuer::key_set(http, identifier, &url, options).await?;
                let key = issuer::choose(&keys, jws.header_text("kid")).map_err(|error| {
                    let expected = format!("x5c, or the kid of a key at {url}");
                    self.wrong("has a header that does not lead to a key", expected, error)
                })?;
                (key, None)
            }
        };
        jws.verify(&key)
            .map_err(|error| self.wrong("has a wrong signature", "a signature of the issuer's key", error))?;
        Ok((jws, leaf))
    }

    /// What the JWT has to say besides its content.
    pub(crate) fn check(&self, jws: &Jws, subject: &str, now: i64) -> Result<(), Violation> {
        let typ = jws.header_text("typ");
        if typ != Some(self.typ) {
            return Err(self.wrong("has a wrong typ", format!("{:?}", self.typ), format!("{typ:?}")));
        }
        let sub = jws.payload().get("sub").and_then(Value::as_str);
        if sub != Some(subject) {
            return Err(self.wrong("has another sub", subject, format!("{sub:?}")));
        }
        let seconds = |name: &str| jws.payload().get(name).and_then(Value::as_i64);
        match seconds("iat") {
            None => return Err(self.wrong("has no iat", "unix seconds", "nothing")),
            Some(iat) if iat > now + LEEWAY_SECONDS => {
                let expected = format!("at most {now} + {LEEWAY_SECONDS}");
                return Err(self.wrong("has an iat in the future", expected, iat.to_string()));
            }
            Some(_) => {}
        }
        match seconds("exp").filter(|exp| *exp <= now) {
            Some(exp) => Err(self.wrong("has expired", format!("exp after {now}"), exp.to_string())),
            None => Ok(()),
        }
    }

    /// It breaks the rule.
    pub(crate) fn wrong(&self, what: &str, expected: impl Into<String>, got: impl Into<String>) -> Violation {
        Violation::new(self.step, self.clause, format!("{} {what}", self.name), expected, got)
    }
}
