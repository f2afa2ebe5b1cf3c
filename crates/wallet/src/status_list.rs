//! Status list tokens as JWTs (Token Status List §5.1, §8).

use serde_json::Value;

use crate::error::{Step, Violation, WalletError};
use crate::issuer;
use crate::jose::Jws;
use crate::options::Options;
use crate::transport::{Http, Request, well_known};
use crate::x509;

const MEDIA_TYPE: &str = "application/statuslist+jwt";
/// Seconds by which the clock of the list's server may be ahead of ours.
const LEEWAY_SECONDS: i64 = 60;

/// Fetches the list at `uri` and verifies it: by the `x5c` of its header, or by the published keys of the
/// issuer `identifier`.
pub(crate) async fn fetch(
    http: &Http,
    uri: &str,
    identifier: &str,
    now: i64,
    options: &Options,
) -> Result<Jws, WalletError> {
    let mut request = Request::get(Step::Verification, uri);
    request.headers = vec![("accept", MEDIA_TYPE.to_owned())];
    let reply = http.send(&request, &options.resolve).await?;
    if reply.status != 200 || !reply.is(MEDIA_TYPE) {
        let got = format!("{} with {}", reply.status, reply.header("content-type").unwrap_or("no content type"));
        return Err(wrong("there is no list at its URI", MEDIA_TYPE, got).into());
    }
    let text = String::from_utf8_lossy(reply.body()).into_owned();
    let token = Jws::decode(text.trim()).map_err(|error| wrong("the list is malformed", "a compact JWS", error))?;
    let key = match token.header().get("x5c") {
        Some(x5c) => {
            let leaf = x509::read(x5c, now, &options.trust_anchors).map_err(|error| {
                wrong("x5c is wrong", "a consistent chain of valid certificates, leaf first", error)
            })?;
            leaf.key
        }
        None => {
            let url = well_known(identifier, "jwt-vc-issuer");
            let keys = issuer::key_set(http, identifier, &url, options).await?;
            issuer::choose(&keys, token.header_text("kid")).map_err(|error| {
                wrong("the header does not lead to a key", format!("x5c, or the kid of a key at {url}"), error)
            })?
        }
    };
    token.verify(&key).map_err(|error| wrong("the signature is wrong", "a signature of the issuer's key", error))?;
    check(&token, uri, now)?;
    Ok(token)
}

/// What the token has to say besides the list (§5.1, §8.3).
fn check(token: &Jws, uri: &str, now: i64) -> Result<(), Violation> {
    let typ = token.header_text("typ");
    if typ != Some("statuslist+jwt") {
        return Err(wrong("the header typ is wrong", "\"statuslist+jwt\"", format!("{typ:?}")));
    }
    let sub = token.payload().get("sub").and_then(Value::as_str);
    if sub != Some(uri) {
        return Err(wrong("sub is not the URI of the list", uri, format!("{sub:?}")));
    }
    let seconds = |name: &str| token.payload().get(name).and_then(Value::as_i64);
    if let Some(exp) = seconds("exp").filter(|exp| *exp <= now) {
        return Err(wrong("the list has expired", format!("exp after {now}"), exp.to_string()));
    }
    match seconds("iat").filter(|iat| *iat <= now + LEEWAY_SECONDS) {
        Some(_) => Ok(()),
        None => Err(wrong("iat is missing or in the future", format!("at most {now} + {LEEWAY_SECONDS}"), "another")),
    }
}

fn wrong(what: &str, expected: impl Into<String>, got: impl Into<String>) -> Violation {
    Violation::new(Step::Verification, "Token Status List §5.1, §8.3", what, expected, got)
}
