//! Asking an organisation's server for claims at the moment a credential is issued.
//!
//! One signed request is about one credential. An answer is of a closed type, in time and of bounded size; everything else
//! is an outage, and a server with several outages in a row is left alone for a while.

mod breaker;
mod message;

use std::time::Duration;

use chancery_model::{ClaimsEndpoint, DefinitionId, Organisation, Timestamp};
use http::StatusCode;

use crate::management::definitions::{self, claims_endpoint as secrets};
use crate::outbound::OutboundError;
use crate::{Context, Failure};

pub(crate) use breaker::Breakers;
pub(crate) use message::{Question, Reply};

/// Largest answer, in bytes: as large as the body of an issue call.
const LARGEST_ANSWER: usize = crate::management::LARGEST_BODY;

/// Why there is no answer that can be used. Words are for the transcript: they quote nothing of the answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Outage {
    /// The newest version of the definition has no claims endpoint any more, or the definition was deleted.
    #[error("the definition has no claims endpoint any more")]
    Gone,
    /// It was not asked, after several outages in a row.
    #[error("the claims endpoint failed several times in a row and is left alone for a while")]
    LeftAlone,
    /// No answer.
    #[error("{0}")]
    Outbound(#[from] OutboundError),
    /// An answer with another status than 200.
    #[error("the claims endpoint answered {0}, expected 200")]
    Status(StatusCode),
    /// An answer that is not of the documented form.
    #[error("the answer of the claims endpoint is not of the documented form, at `{0}`")]
    Malformed(String),
}

/// What the server says, or why it says nothing that can be used.
pub(crate) type Said = Result<Reply, Outage>;

/// Asks the claims endpoint of a definition, where its newest version has it. Never inside a unit of work.
///
/// # Errors
/// Failures of ours; those of the server are an [`Outage`].
pub(crate) async fn ask<R>(
    ctx: &Context,
    organisation: &Organisation,
    question: &Question<'_>,
    now: Timestamp,
) -> Result<Said, Failure<R>> {
    let id = question.definition;
    let newest = definitions::recent(ctx, organisation, id).await?;
    let Some(endpoint) = newest.as_ref().and_then(|newest| newest.content.claims_endpoint.as_ref()) else {
        return Ok(Err(Outage::Gone));
    };
    let Some(sealed) = ctx.store().read(organisation).await?.claims_endpoint_secrets(id).await? else {
        return Ok(Err(Outage::Gone));
    };
    let secrets = secrets::open(ctx, organisation, id, &sealed)?;
    let breaker = ctx.breakers().of(organisation, id, &endpoint.url);
    if !breaker.lets_through(now) {
        return Ok(Err(Outage::LeftAlone));
    }
    let said = call(ctx, endpoint, question.request(organisation, &endpoint.url, &secrets, now)).await;
    match &said {
        Ok(_) => breaker.succeeded(),
        Err(outage) => {
            breaker.failed(now);
            warn(organisation, id, outage);
        }
    }
    Ok(said)
}

async fn call(ctx: &Context, endpoint: &ClaimsEndpoint, request: Option<http::Request<Vec<u8>>>) -> Said {
    let request = request.ok_or(OutboundError::Refused("the URL cannot be called"))?;
    let deadline = Duration::from_secs(u64::from(endpoint.deadline));
    let answer = ctx.outbound().ask(request, deadline, LARGEST_ANSWER).await?;
    match answer.status() {
        StatusCode::OK => Reply::parse(answer.body()).map_err(Outage::Malformed),
        status => Err(Outage::Status(status)),
    }
}

fn warn(organisation: &Organisation, definition: DefinitionId, outage: &Outage) {
    tracing::warn!(
        organisation = organisation.slug.as_str(),
        definition = %definition,
        %outage,
        "a claims endpoint gave no answer that can be used"
    );
}
