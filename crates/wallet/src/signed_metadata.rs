//! Signed issuer metadata (OpenID4VCI §12.2.3).

use serde_json::Value;

use crate::error::{Step, Violation, WalletError};
use crate::issuer;
use crate::jose::{Jws, PublicKey};
use crate::json::Object;
use crate::options::Options;
use crate::transport::{Http, JWT, Request, well_known};
use crate::x509;

const CLAUSE: &str = "OpenID4VCI §12.2.3";
/// Seconds by which the issuer's clock may be ahead of ours.
const LEEWAY_SECONDS: i64 = 60;

/// Fetches the metadata as a JWT and verifies it: by the `x5c` of its header, or by the published keys of the issuer.
pub(crate) async fn fetch(
    http: &Http,
    url: &str,
    identifier: &str,
    now: i64,
    options: &Options,
) -> Result<Object, WalletError> {
    let mut request = Request::get(Step::IssuerMetadata, url);
    request.headers = vec![("accept", JWT.to_owned())];
    let reply = http.send(&request, &options.resolve).await?;
    if reply.status != 200 || !reply.is(JWT) {
        // Without a 200 this names the error; a 200 with another media type means that nothing is signed here.
        reply.object(&[200], "OpenID4VCI §12.2.2")?;
        return Err(wrong("the metadata are not signed", JWT, "application/json").into());
    }
    let text = String::from_utf8_lossy(reply.body()).into_owned();
    let jws = Jws::decode(text.trim()).map_err(|error| wrong("the JWT is malformed", "a compact JWS", error))?;
    let key = match jws.header().get("x5c") {
        Some(x5c) => {
            let leaf = x509::read(x5c, now, &options.trust_anchors).map_err(|error| {
                wrong("x5c is wrong", "a consistent chain of valid certificates, leaf first", error)
            })?;
            check_haip(Some(&leaf), options)?;
            leaf.key
        }
        None => {
            check_haip(None, options)?;
            published(http, &jws, identifier, options).await?
        }
    };
    jws.verify(&key).map_err(|error| wrong("the signature is wrong", "a signature of the issuer's key", error))?;
    check(&jws, identifier, now)?;
    Ok(jws.payload().clone())
}

fn check_haip(leaf: Option<&x509::Leaf>, options: &Options) -> Result<(), Violation> {
    if !options.haip {
        return Ok(());
    }
    x509::check_haip(leaf).map_err(|got| {
        let what = "the metadata do not carry the certificates of their signer";
        let expected = "x5c with a certificate that an authority issued, without the trust anchor";
        Violation::new(Step::IssuerMetadata, "HAIP §4.1", what, expected, got)
    })
}

/// What the JWT has to say besides the metadata.
pub(crate) fn check(jws: &Jws, identifier: &str, now: i64) -> Result<(), Violation> {
    let typ = jws.header_text("typ");
    if typ != Some("openidvci-issuer-metadata+jwt") {
        let got = format!("{typ:?}");
        return Err(wrong("the header typ is wrong", "\"openidvci-issuer-metadata+jwt\"", got));
    }
    let sub = jws.payload().get("sub").and_then(Value::as_str);
    if sub != Some(identifier) {
        return Err(wrong("sub is not the credential issuer identifier", identifier, format!("{sub:?}")));
    }
    let seconds = |name: &str| jws.payload().get(name).and_then(Value::as_i64);
    match seconds("iat") {
        None => return Err(wrong("iat is wrong", "unix seconds", "nothing")),
        Some(iat) if iat > now + LEEWAY_SECONDS => {
            let expected = format!("at most {now} + {LEEWAY_SECONDS}");
            return Err(wrong("iat is in the future", expected, iat.to_string()));
        }
        Some(_) => {}
    }
    if let Some(exp) = seconds("exp").filter(|exp| *exp <= now) {
        return Err(wrong("the signed metadata have expired", format!("exp after {now}"), exp.to_string()));
    }
    Ok(())
}

async fn published(http: &Http, jws: &Jws, identifier: &str, options: &Options) -> Result<PublicKey, WalletError> {
    let url = well_known(identifier, "jwt-vc-issuer");
    let keys = issuer::key_set(http, identifier, &url, options).await?;
    issuer::choose(&keys, jws.header_text("kid")).map_err(|error| {
        let what = "the header does not lead to a key";
        wrong(what, format!("x5c, or the kid of a key at {url}"), error).into()
    })
}

fn wrong(what: &str, expected: impl Into<String>, got: impl Into<String>) -> Violation {
    Violation::new(Step::IssuerMetadata, CLAUSE, what, expected, got)
}
