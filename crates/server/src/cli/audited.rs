//! Changes on the command line are in the audit log, like those over the API.

use chancery_issuance::management::Window;
use chancery_issuance::management::audit::{self, Attempt, End};
use chancery_issuance::management::signing_keys;
use chancery_issuance::{Context, Failure};
use chancery_model::{Actor, Organisation, SigningKey};
use serde_json::{Value, json};

/// Path of the keys in the API, by which the log names them.
const KEYS: &str = "/v2/config/digital-wallet/openid/key-management";

/// Lets `change` happen to the keys of `organisation`, written down before and after; `action` is the name of the operation
/// of the API that does the same. What cannot be written down is not done.
pub(super) async fn with_keys<T, R>(
    context: &Context,
    organisation: &Organisation,
    action: &str,
    change: impl Future<Output = Result<T, Failure<R>>>,
) -> Result<T, Failure<R>> {
    let before = keys(context, organisation).await?;
    let begun = audit::begin(context, organisation, attempt(action, KEYS, Some(before))).await;
    let begun = begun.map_err(|failure| failure.map_rejection(|never| match never {}))?;
    let outcome = change.await;
    let after = if outcome.is_ok() { keys::<R>(context, organisation).await.ok() } else { None };
    let end = End { status: status(&outcome), problem: None, after };
    if let Err(failure) = audit::finish(context, organisation, begun, end).await {
        // It was done, and the entry that says so stays open.
        tracing::warn!(?failure, "the entry of a change could not be completed");
    }
    outcome
}

/// Begins the log of an organisation that was just made with that.
pub(super) async fn creation(context: &Context, organisation: &Organisation) {
    let after = json!({ "organisation": {
        "id": organisation.id.to_string(),
        "slug": organisation.slug.to_string(),
        "name": organisation.name,
        "issuer": organisation.issuer.as_str(),
    } });
    let attempt = attempt("createOrganisation", "/v2/platform/organisations", None);
    let end = End { status: 201, problem: None, after: Some(after) };
    if let Err(failure) = audit::record(context, organisation, attempt, end).await {
        tracing::warn!(?failure, "the first entry of an audit log could not be written");
    }
}

fn attempt(action: &str, target: &str, before: Option<Value>) -> Attempt {
    Attempt {
        actor: Actor::on_command_line(),
        address: String::new(),
        action: action.to_owned(),
        target: target.to_owned(),
        request_id: String::new(),
        before,
    }
}

/// What the API would have answered.
fn status<T, R>(outcome: &Result<T, Failure<R>>) -> u16 {
    match outcome {
        Ok(_) => 200,
        Err(Failure::Rejected(_)) => 400,
        Err(Failure::Internal(_)) => 500,
        Err(Failure::Unavailable(_)) => 503,
    }
}

async fn keys<R>(context: &Context, organisation: &Organisation) -> Result<Value, Failure<R>> {
    let window = Window { limit: 100, ..Window::default() };
    let page = signing_keys::list(context, organisation, window).await?;
    let shown = |key: &SigningKey| {
        json!({
            "id": key.id.to_string(),
            "kid": key.kid,
            "algorithm": key.algorithm.name(),
            "state": key.state,
            "certificateChain": key.certificate_chain,
        })
    };
    Ok(json!({ "keys": page.items.iter().map(shown).collect::<Vec<_>>() }))
}
