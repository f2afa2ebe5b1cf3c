//! Signed issuer metadata (OpenID4VCI §12.2.3).

use crate::error::{Step, WalletError};
use crate::json::Object;
use crate::options::Options;
use crate::published_token::PublishedToken;
use crate::transport::{Http, JWT, Request};
use crate::x509;

const METADATA: PublishedToken = PublishedToken {
    name: "the JWT of the metadata",
    step: Step::IssuerMetadata,
    clause: "OpenID4VCI §12.2.3",
    typ: "openidvci-issuer-metadata+jwt",
};

/// Fetches the metadata as a JWT and verifies it: by the `x5c` of its header, or by the published keys of the issuer.
pub(crate) async fn fetch(
    http: &Http,
    url: &str,
    identifier: &str,
    now: i64,
    options: &Options,
) -> Result<Object, WalletError> {
    let mut request = Request::get(METADATA.step, url);
    request.headers = vec![("accept", JWT.to_owned())];
    let reply = http.send(&request, &options.resolve).await?;
    if reply.status != 200 || !reply.is(JWT) {
        // Without a 200 this names the error; a 200 with another media type means that nothing is signed here.
        reply.object(&[200], "OpenID4VCI §12.2.2")?;
        return Err(METADATA.wrong("is not there", JWT, "application/json").into());
    }
    let (jws, leaf) = METADATA.verify(http, reply.body(), identifier, now, options).await?;
    if options.haip {
        x509::check_haip(leaf.as_ref(), METADATA.step, "HAIP §4.1")?;
    }
    METADATA.check(&jws, identifier, now)?;
    Ok(jws.payload().clone())
}
