//! The token endpoint (OpenID4VCI §6): a pre-authorized code, an authorization code or a refresh token becomes an access
//! token.

mod authorization_code;
mod checks;
mod refresh;
mod rejection;
pub(crate) mod repeated;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_model::{
    Definition, EntryId, Exchange, ExchangeStatus, Grant, GrantId, GrantKind, GrantedCredential, Organisation,
    SecretHash, Timestamp,
};
use chancery_protocol::authorization::{AUTHORIZATION_CODE_GRANT, REFRESH_TOKEN_GRANT};
use chancery_protocol::authorization_details::AuthorizationDetail;
use chancery_protocol::dpop::DpopProof;
use chancery_protocol::form::Form;
use chancery_protocol::token::{TokenRequest, TokenResponse, TokenType};
use chancery_storage::{StoreError, Tokens};
use serde_json::json;

pub use rejection::{ErrorCode, Rejection};

use self::repeated::Asked;
use super::client::{Client, Request};
use super::remembered::{Granted, Offered};
use super::trail::Trail;
use super::{Header, Refusal, definition_of, dpop, redaction};
use crate::checked::TOKEN_REQUEST;
use crate::{Context, Failure};

const ENDPOINT: &str = "/token";

/// Exchanges a code or a refresh token for an access token. A code is used up by exactly one request that succeeds; a
/// refused request leaves it as it was, except that wrong transaction codes are counted. The same request of the same DPoP
/// key is answered the same for ten seconds.
///
/// # Errors
/// [`Rejection`] lists what a wallet can do wrong.
pub async fn exchange(
    context: &Context,
    organisation: &Organisation,
    request: Request<'_>,
) -> Result<TokenResponse, Failure<Refusal<Rejection>>> {
    let now = context.env().now();
    let mut trail = Trail::at(ENDPOINT, now);
    match redeem(context, organisation, now, &request, &mut trail).await {
        Ok(answer) => Ok(answer),
        Err(failure) => Err(context.conclude(organisation, trail, failure).await),
    }
}

async fn redeem(
    context: &Context,
    organisation: &Organisation,
    now: Timestamp,
    request: &Request<'_>,
    trail: &mut Trail,
) -> Result<TokenResponse, Failure<Rejection>> {
    let form = read_form(request).map_err(Failure::Rejected)?;
    match form.get("grant_type") {
        Some(AUTHORIZATION_CODE_GRANT) => {
            authorization_code::redeem(context, organisation, now, request, &form, trail).await
        }
        Some(REFRESH_TOKEN_GRANT) => refresh::redeem(context, organisation, now, request, &form, trail).await,
        Some(_) | None => redeem_offer(context, organisation, now, request, &form, trail).await,
    }
}

/// Redeems the pre-authorized code of an offer (OpenID4VCI §4.1.1).
async fn redeem_offer(
    context: &Context,
    organisation: &Organisation,
    now: Timestamp,
    request: &Request<'_>,
    form: &Form,
    trail: &mut Trail,
) -> Result<TokenResponse, Failure<Rejection>> {
    let found = match form.get("pre-authorized_code") {
        Some(code) => {
            let code = SecretHash::of(code);
            match context.remembered().offer(organisation, code) {
                Some(offered) => Some(offered),
                None => find(context, organisation, code).await?,
            }
        }
        None => None,
    };
    if let Some(Offered { exchange, definition }) = &found {
        trail.belongs_to(exchange.id);
        trail.recording.info(
            TOKEN_REQUEST,
            redaction::object([
                ("form_body", redaction::token_form(form)),
                ("headers", redaction::headers(&request.notes, request.authorization, request.dpop)),
                ("require_wallet_attestation", definition.content.enforce_wua.into()),
            ]),
        );
    }
    let asked = TokenRequest::parse(form).map_err(|error| Failure::Rejected(Rejection::Request(error)))?;
    let TokenRequest::PreAuthorizedCode { tx_code, client_id, authorization_details, resource, .. } = asked else {
        return Err(Failure::Internal(anyhow::anyhow!("another grant type than the pre-authorized code")));
    };
    trail.recording.info(
        "token.params",
        json!({
            "grant_type": "pre-authorized_code",
            "client_id": client_id,
            "dpop_present": !matches!(request.dpop, Header::Absent),
            "tx_code_present": tx_code.is_some(),
            "authorization_details_present": authorization_details.is_some(),
        }),
    );
    let (proof, identified) = checks::asker(context, organisation, now, request, form)?;
    let Some(Offered { exchange, definition }) = found else {
        return Err(Failure::Rejected(Rejection::CodeUnknown));
    };
    let repeated = Asked::of(organisation, exchange.code_hash, proof.as_ref(), request.body);
    let state = checks::code(&exchange, organisation, now);
    let is_repeated = matches!(state, Err(Rejection::CodeUsed));
    if !is_repeated {
        state.map_err(Failure::Rejected)?;
    }
    let anonymous = organisation.policy.anonymous_access_for(&definition.content);
    let client = checks::client(organisation, &definition, (identified, proof.as_ref()), anonymous, trail);
    if is_repeated {
        // Whoever may not redeem the code learns no more than that it was used.
        let client = client.map_err(|_| Failure::Rejected(Rejection::CodeUsed))?;
        let earlier = context.earlier_token_answer(organisation, repeated, now).await?;
        let earlier = earlier.ok_or(Failure::Rejected(Rejection::CodeUsed))?;
        claim(context, organisation, now, proof.as_ref(), &client, trail).await?;
        return Ok(earlier);
    }
    let client = client.map_err(Failure::Rejected)?;
    checks::resource(organisation, &resource)
        .and_then(|()| {
            checks::details(organisation, &definition, &exchange, authorization_details.as_deref().unwrap_or_default())
        })
        .map_err(Failure::Rejected)?;
    checks::can_sign(context, organisation, &definition, now).await?;
    if checks::ends_too_soon(organisation, &exchange, &client, proof.as_ref()) {
        // What is remembered of the offer may be older than its claims.
        let found = find(context, organisation, exchange.code_hash).await?;
        if found.is_none_or(|found| checks::ends_too_soon(organisation, &found.exchange, &client, None)) {
            return Err(Failure::Rejected(Rejection::Dpop(dpop::Rejection::Missing)));
        }
    }
    // Only now: a stranger without a code must not fill the memory of used proofs.
    claim(context, organisation, now, proof.as_ref(), &client, trail).await?;
    checks::transaction_code(context, organisation, now, &exchange, tx_code.as_deref()).await?;

    let access_token = URL_SAFE_NO_PAD.encode(context.env().random::<32>());
    let lifetime = organisation.policy.access_token_lifetime_for(proof.is_some());
    let credentials = granted(context, &definition, &exchange, authorization_details.as_deref());
    let grant = Grant {
        id: GrantId::from(context.env().uuid(now)),
        exchange_id: exchange.id,
        client_id: client.id.clone(),
        dpop_thumbprint: proof.map(|proof| proof.thumbprint),
        by_identifier: authorization_details.is_some() || has_several_datasets(&credentials),
        credentials,
        access_token_hash: SecretHash::of(&access_token),
        access_token_expires_at: now.plus_seconds(lifetime),
        refreshed: false,
        created_at: now,
    };
    let fresh = refresh::beside(context, organisation, now, &client, &grant);
    let details = authorization_details.or_else(|| details_if_needed(&grant));
    let mut answer = answer(&grant, access_token, lifetime, details);
    answer.refresh_token = fresh.as_ref().map(|fresh| fresh.text.clone());
    record(&exchange, &grant, &answer, "pre-authorized_code", trail);
    let prepared = context.prepare_answer(organisation, repeated, &answer, now)?;
    let spent = spend(context, organisation, now, &exchange, &grant, fresh.as_ref(), trail);
    match context.keeping_answer(prepared, spent).await {
        Ok(()) => {}
        // It was remembered here as good, and another process redeemed it for the same request.
        Err(Failure::Rejected(Rejection::CodeUsed)) => {
            let earlier = context.earlier_token_answer(organisation, repeated, now).await?;
            return earlier.ok_or(Failure::Rejected(Rejection::CodeUsed));
        }
        Err(failure) => return Err(failure),
    }
    context.remembered().keep_grant(organisation, Granted { grant, offered: Offered { exchange, definition } });
    Ok(answer)
}

/// Uses up what the request proved itself with.
async fn claim(
    context: &Context,
    organisation: &Organisation,
    now: Timestamp,
    proof: Option<&DpopProof>,
    client: &Client,
    trail: &mut Trail,
) -> Result<(), Failure<Rejection>> {
    let (of_proof, of_client) = client.claim_with(context, organisation, now, proof, &mut trail.recording).await;
    of_proof.map_err(|failure| failure.map_rejection(Rejection::Dpop))?;
    if let Some(proof) = proof {
        trail.recording.debug("token.dpop_validated", json!({ "dpop_jkt": proof.thumbprint }));
    }
    of_client.map_err(|failure| failure.map_rejection(Rejection::Client))
}

fn read_form(request: &Request<'_>) -> Result<Form, Rejection> {
    if !matches!(request.authorization, Header::Absent) {
        return Err(Rejection::Authorization);
    }
    if !request.notes.has_media_type("application/x-www-form-urlencoded") {
        return Err(Rejection::MediaType);
    }
    Form::parse(request.body).map_err(Rejection::Form)
}

/// The exchange whose offer has this code. `issuer_state` values are kept in the same column and are no codes.
async fn find(
    context: &Context,
    organisation: &Organisation,
    code: SecretHash,
) -> Result<Option<Offered>, Failure<Rejection>> {
    let read = context.store().read(organisation).await?;
    let found = read.exchange_by_code(&code).await?;
    match found.filter(|exchange| exchange.grant_kind == GrantKind::PreAuthorizedCode) {
        Some(exchange) => {
            let definition = definition_of(&read, &exchange).await?;
            Ok(Some(Offered { exchange, definition }))
        }
        None => Ok(None),
    }
}

/// What the token covers: the configurations on offer, or those of them that were asked for (TOK-6, TOK-8), with all of
/// their datasets.
fn granted(
    context: &Context,
    definition: &Definition,
    exchange: &Exchange,
    details: Option<&[AuthorizationDetail]>,
) -> Vec<GrantedCredential> {
    let wanted = |configuration: &str| {
        details.is_none_or(|details| details.iter().any(|detail| detail.credential_configuration_id == configuration))
    };
    let offered = exchange.configurations().filter_map(|id| definition.entry(id));
    let wanted = offered.filter(|entry| wanted(&entry.configuration_id));
    wanted.flat_map(|entry| datasets(context, exchange, entry.id, &entry.configuration_id)).collect()
}

/// One credential for each dataset of an entry, under an identifier of its own.
fn datasets(
    context: &Context,
    exchange: &Exchange,
    entry: EntryId,
    configuration_id: &str,
) -> impl Iterator<Item = GrantedCredential> {
    let datasets = u16::try_from(exchange.datasets_of(entry)).unwrap_or(u16::MAX);
    (0..datasets).map(move |dataset| GrantedCredential {
        entry,
        dataset,
        configuration_id: configuration_id.to_owned(),
        identifier: URL_SAFE_NO_PAD.encode(context.env().random::<16>()),
    })
}

/// Whether the name of a configuration does not tell which credential is meant.
fn has_several_datasets(credentials: &[GrantedCredential]) -> bool {
    credentials.iter().any(|granted| granted.dataset > 0)
}

/// What the wallet did not ask for and has to know: the identifiers, when requests must name them.
fn details_if_needed(grant: &Grant) -> Option<Vec<AuthorizationDetail>> {
    grant.by_identifier.then(|| details_of(&grant.credentials))
}

/// One detail for each configuration that was granted.
fn details_of(credentials: &[GrantedCredential]) -> Vec<AuthorizationDetail> {
    let mut details: Vec<AuthorizationDetail> = Vec::new();
    for granted in credentials {
        if !details.iter().any(|detail| detail.credential_configuration_id == granted.configuration_id) {
            details.push(AuthorizationDetail::granted(granted.configuration_id.clone(), Vec::new()));
        }
    }
    details
}

fn answer(
    grant: &Grant,
    access_token: String,
    lifetime: u32,
    details: Option<Vec<AuthorizationDetail>>,
) -> TokenResponse {
    // Each detail comes back with the identifiers of its datasets (TOK-7).
    let authorization_details = details.map(|mut details| {
        for detail in &mut details {
            let same = |granted: &&GrantedCredential| granted.configuration_id == detail.credential_configuration_id;
            let identifiers = grant.credentials.iter().filter(same).map(|granted| granted.identifier.clone());
            detail.credential_identifiers = identifiers.collect();
        }
        details
    });
    TokenResponse {
        access_token,
        token_type: if grant.dpop_thumbprint.is_some() { TokenType::Dpop } else { TokenType::Bearer },
        expires_in: u64::from(lifetime),
        refresh_token: None,
        scope: None,
        authorization_details,
    }
}

fn record(exchange: &Exchange, grant: &Grant, answer: &TokenResponse, grant_type: &str, trail: &mut Trail) {
    let configurations: Vec<&str> = grant.credentials.iter().map(|granted| granted.configuration_id.as_str()).collect();
    trail.recording.debug(
        "token.context",
        json!({
            "auth_details": answer.authorization_details,
            "claims_data_present": exchange.sealed_submissions.is_some(),
            "credential_configuration_ids": configurations,
        }),
    );
    trail.recording.info(
        "token.issued",
        json!({
            "token_type": answer.token_type,
            "expires_in": answer.expires_in,
            "dpop_bound": grant.dpop_thumbprint.is_some(),
            "credential_configuration_ids": configurations,
        }),
    );
    trail.recording.event("token_exchanged", json!({ "grant_type": grant_type }));
}

/// Uses the code up and keeps the grant, in one unit of work. Of parallel requests with one code, one gets here first.
async fn spend(
    context: &Context,
    organisation: &Organisation,
    now: Timestamp,
    exchange: &Exchange,
    grant: &Grant,
    fresh: Option<&refresh::Fresh>,
    trail: &mut Trail,
) -> Result<(), Failure<Rejection>> {
    let passage = trail.finish(context);
    let attempts = organisation.policy.transaction_code_attempts;
    let announcement = context.announce(organisation, exchange.id, &[ExchangeStatus::TokenIssued], now).await?;
    let tokens = Tokens { grant, refresh_token: fresh.map(|fresh| &fresh.token), passage: &passage };
    let spent = context
        .write_as(organisation, announcement.is_empty(), async |tx| -> Result<bool, StoreError> {
            let spent = tx.spend_code(exchange, grant.client_id.as_deref(), attempts, Some(tokens), now).await?;
            if spent {
                announcement.record(tx).await?;
            }
            Ok(spent)
        })
        .await?;
    context.remembered().forget_offer(organisation, exchange.code_hash);
    if spent { Ok(()) } else { Err(why_not_spent(context, organisation, now, exchange.code_hash).await) }
}

/// The code was good a moment ago, or is only remembered as good: what is true now.
async fn why_not_spent(
    context: &Context,
    organisation: &Organisation,
    now: Timestamp,
    code: SecretHash,
) -> Failure<Rejection> {
    match find(context, organisation, code).await {
        Ok(Some(Offered { exchange, .. })) => {
            Failure::Rejected(checks::code(&exchange, organisation, now).err().unwrap_or(Rejection::CodeUsed))
        }
        Ok(None) => Failure::Rejected(Rejection::CodeUnknown),
        Err(failure) => failure,
    }
}
