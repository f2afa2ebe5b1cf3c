//! Refresh tokens (RFC 6749 §6): issued where the policy says so, bound to a key, replaced at every use. The one that was
//! replaced works for 30 seconds more, because an answer can be lost on its way.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_model::{
    Definition, Exchange, ExchangeStatus, Grant, GrantId, GrantedCredential, Organisation, REFRESH_GRACE_SECONDS,
    RefreshToken, RefreshTokenId, SecretHash, Timestamp,
};
use chancery_protocol::authorization::{REFRESH_TOKEN_GRANT, RefreshRequest};
use chancery_protocol::authorization_details::AuthorizationDetail;
use chancery_protocol::dpop::DpopProof;
use chancery_protocol::excerpt;
use chancery_protocol::form::Form;
use chancery_protocol::token::{TokenRequest, TokenResponse};
use chancery_storage::{StoreError, Tokens};
use serde_json::json;

use super::super::client::{Client, Request};
use super::super::trail::Trail;
use super::super::{definition_of, redaction};
use super::{Rejection, answer, checks, claim, details_if_needed};
use crate::checked::TOKEN_REQUEST;
use crate::{Context, Failure};

/// A refresh token that was just made, with its text.
pub(super) struct Fresh {
    pub(super) token: RefreshToken,
    pub(super) text: String,
}

/// A refresh token beside an access token: `None` when the policy hands none out, or when nothing proves who will come
/// back with it (TOK-13).
///
/// A client that authenticates is bound by its own key, and may change its DPoP key; any other is bound by the DPoP key.
pub(super) fn beside(
    context: &Context,
    organisation: &Organisation,
    now: Timestamp,
    client: &Client,
    grant: &Grant,
) -> Option<Fresh> {
    let is_bound = client.is_authenticated || grant.dpop_thumbprint.is_some();
    if !organisation.policy.refresh_tokens || !is_bound {
        return None;
    }
    let text = URL_SAFE_NO_PAD.encode(context.env().random::<32>());
    let token = RefreshToken {
        id: RefreshTokenId::from(context.env().uuid(now)),
        exchange_id: grant.exchange_id,
        hash: SecretHash::of(&text),
        client_id: client.id.clone(),
        dpop_thumbprint: if client.is_authenticated { None } else { grant.dpop_thumbprint.clone() },
        instance_thumbprint: client.binding_instance().cloned(),
        credentials: grant.credentials.clone(),
        by_identifier: grant.by_identifier,
        expires_at: now.plus_seconds(organisation.policy.refresh_token_lifetime),
        replaced_at: None,
        created_at: now,
    };
    Some(Fresh { token, text })
}

/// Exchanges a refresh token for an access token and another refresh token.
pub(super) async fn redeem(
    context: &Context,
    organisation: &Organisation,
    now: Timestamp,
    request: &Request<'_>,
    form: &Form,
    trail: &mut Trail,
) -> Result<TokenResponse, Failure<Rejection>> {
    let found = match form.get("refresh_token") {
        Some(text) => find(context, organisation, &SecretHash::of(text)).await?,
        None => None,
    };
    if let Some((token, ..)) = &found {
        trail.belongs_to(token.exchange_id);
        let headers = redaction::headers(&request.notes, request.authorization, request.dpop);
        trail.recording.info(TOKEN_REQUEST, json!({ "form_body": redaction::token_form(form), "headers": headers }));
    }
    if !organisation.policy.refresh_tokens {
        return Err(Failure::Rejected(Rejection::RefreshOff));
    }
    let asked = match TokenRequest::parse(form) {
        Ok(TokenRequest::Refresh(asked)) => asked,
        Ok(TokenRequest::PreAuthorizedCode { .. } | TokenRequest::AuthorizationCode(_)) => {
            return Err(Failure::Internal(anyhow::anyhow!("another grant type than {REFRESH_TOKEN_GRANT}")));
        }
        Err(error) => return Err(Failure::Rejected(Rejection::Request(error))),
    };
    let (proof, identified) = checks::asker(context, organisation, now, request, form)?;
    let Some((token, exchange, definition)) = found else {
        return Err(Failure::Rejected(Rejection::RefreshUnknown));
    };
    if !token.is_valid(now) {
        return Err(Failure::Rejected(Rejection::RefreshOver { replaced: token.replaced_at.is_some() }));
    }
    if exchange.status == ExchangeStatus::IssuanceDenied {
        return Err(Failure::Rejected(Rejection::CodeWithdrawn));
    }
    let client = checks::client(organisation, &definition, (identified, proof.as_ref()), true, trail);
    let client = client.map_err(Failure::Rejected)?;
    bound(&token, &client, proof.as_ref()).map_err(Failure::Rejected)?;
    checks::resource(organisation, &asked.resource).map_err(Failure::Rejected)?;
    let credentials = narrowed(organisation, &definition, &token, &asked).map_err(Failure::Rejected)?;
    claim(context, organisation, now, proof.as_ref(), &client, trail).await?;

    let access_token = URL_SAFE_NO_PAD.encode(context.env().random::<32>());
    let lifetime = organisation.policy.access_token_lifetime_for(proof.is_some());
    let grant = Grant {
        id: GrantId::from(context.env().uuid(now)),
        exchange_id: token.exchange_id,
        client_id: client.id.clone(),
        dpop_thumbprint: proof.map(|proof| proof.thumbprint),
        credentials,
        by_identifier: token.by_identifier || asked.authorization_details.is_some(),
        access_token_hash: SecretHash::of(&access_token),
        access_token_expires_at: now.plus_seconds(lifetime),
        refreshed: true,
        created_at: now,
    };
    // What was granted stays as it was, whatever this access token covers.
    let whole = Grant { credentials: token.credentials.clone(), by_identifier: token.by_identifier, ..grant.clone() };
    let fresh = beside(context, organisation, now, &client, &whole);
    let mut answer = answer(&grant, access_token, lifetime, details_if_needed(&grant));
    answer.refresh_token = fresh.as_ref().map(|fresh| fresh.text.clone());
    let configurations: Vec<&str> = grant.credentials.iter().map(|granted| granted.configuration_id.as_str()).collect();
    trail.recording.info(
        "token.refreshed",
        json!({
            "token_type": answer.token_type,
            "expires_in": answer.expires_in,
            "dpop_bound": grant.dpop_thumbprint.is_some(),
            "credential_configuration_ids": configurations,
        }),
    );
    let passage = trail.finish(context);
    let grace = Timestamp::from_millis(now.millis().saturating_sub(i64::from(REFRESH_GRACE_SECONDS) * 1000));
    let tokens = Tokens { grant: &grant, refresh_token: fresh.as_ref().map(|fresh| &fresh.token), passage: &passage };
    let replaced = context
        .store()
        .write_step(organisation, async |tx| -> Result<bool, StoreError> {
            tx.replace_refresh_token(&token, tokens, now, grace).await
        })
        .await?;
    if replaced { Ok(answer) } else { Err(Failure::Rejected(Rejection::RefreshOver { replaced: true })) }
}

async fn find(
    context: &Context,
    organisation: &Organisation,
    hash: &SecretHash,
) -> Result<Option<(RefreshToken, Exchange, std::sync::Arc<Definition>)>, Failure<Rejection>> {
    let read = context.store().read(organisation).await?;
    let Some((token, exchange)) = read.refresh_token(hash).await? else { return Ok(None) };
    let definition = definition_of(&read, &exchange).await?;
    Ok(Some((token, exchange, definition)))
}

/// Whoever comes back is who it was given to.
fn bound(token: &RefreshToken, client: &Client, proof: Option<&DpopProof>) -> Result<(), Rejection> {
    if token.client_id.is_some() && token.client_id != client.id {
        return Err(Rejection::BoundToOther { to: "client" });
    }
    if token.instance_thumbprint.is_some() && token.instance_thumbprint != client.instance_thumbprint {
        return Err(Rejection::BoundToOther { to: "wallet instance key" });
    }
    match &token.dpop_thumbprint {
        Some(thumbprint) if proof.is_none_or(|proof| proof.thumbprint != *thumbprint) => {
            Err(Rejection::BoundToOther { to: "DPoP key" })
        }
        // Given to a client that authenticated by a registered key, and must do so again.
        None if token.instance_thumbprint.is_none() && !client.is_authenticated => {
            Err(Rejection::BoundToOther { to: "client's key" })
        }
        Some(_) | None => Ok(()),
    }
}

/// What was granted, or the part of it that is asked for (RFC 6749 §6).
fn narrowed(
    organisation: &Organisation,
    definition: &Definition,
    token: &RefreshToken,
    asked: &RefreshRequest,
) -> Result<Vec<GrantedCredential>, Rejection> {
    checks::locations(organisation, asked.authorization_details.as_deref().unwrap_or_default())?;
    let scope_of = |granted: &GrantedCredential| {
        let entry = definition.entry(granted.entry);
        entry.and_then(|entry| organisation.policy.scope_for(entry)).unwrap_or_default()
    };
    let known = |scope: &&String| token.credentials.iter().any(|granted| scope_of(granted) == scope.as_str());
    if let Some(wider) = asked.scope.iter().find(|scope| !known(scope)) {
        return Err(Rejection::ScopeWidened { got: excerpt(wider) });
    }
    let details = asked.authorization_details.as_deref();
    let names = |detail: &AuthorizationDetail, granted: &GrantedCredential| {
        detail.credential_configuration_id == granted.configuration_id
    };
    if let Some(foreign) = details
        .unwrap_or_default()
        .iter()
        .find(|detail| !token.credentials.iter().any(|granted| names(detail, granted)))
    {
        return Err(Rejection::NotOffered { got: excerpt(&foreign.credential_configuration_id) });
    }
    let wanted = |granted: &&GrantedCredential| {
        let by_scope = asked.scope.iter().any(|scope| scope == scope_of(granted));
        let by_details = details.is_some_and(|details| details.iter().any(|detail| names(detail, granted)));
        (asked.scope.is_empty() && details.is_none()) || by_scope || by_details
    };
    Ok(token.credentials.iter().filter(wanted).cloned().collect())
}
