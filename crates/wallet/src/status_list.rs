//! Status list tokens as JWTs (Token Status List §5.1, §8).

use crate::error::{Step, WalletError};
use crate::jose::Jws;
use crate::options::Options;
use crate::published_token::PublishedToken;
use crate::transport::{Http, Request};

const MEDIA_TYPE: &str = "application/statuslist+jwt";
const LIST: PublishedToken = PublishedToken {
    name: "the status list",
    step: Step::Verification,
    clause: "Token Status List §5.1, §8.3",
    typ: "statuslist+jwt",
};

/// Fetches the list at `uri` and verifies it: by the `x5c` of its header, or by the published keys of the
/// issuer `identifier`.
pub(crate) async fn fetch(
    http: &Http,
    uri: &str,
    identifier: &str,
    now: i64,
    options: &Options,
) -> Result<Jws, WalletError> {
    let mut request = Request::get(LIST.step, uri);
    request.headers = vec![("accept", MEDIA_TYPE.to_owned())];
    let reply = http.send(&request, &options.resolve).await?;
    if reply.status != 200 || !reply.is(MEDIA_TYPE) {
        let got = format!("{} with {}", reply.status, reply.header("content-type").unwrap_or("no content type"));
        return Err(LIST.wrong("is not at its URI", MEDIA_TYPE, got).into());
    }
    let (token, _) = LIST.verify(http, reply.body(), identifier, now, options).await?;
    LIST.check(&token, uri, now)?;
    Ok(token)
}
