//! Authorization codes (RFC 6749 §4.1.3, OpenID4VCI §6.1).

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_model::{
    Authorization, AuthorizationStatus, CredentialStatus, Definition, Exchange, ExchangeId, ExchangeSecrets,
    ExchangeStatus, Grant, GrantId, GrantKind, GrantedCredential, IssuanceMode, Organisation, RevocationStatus,
    SecretHash, SignedIn, Submission, Timestamp,
};
use chancery_protocol::authorization::{AUTHORIZATION_CODE_GRANT, AuthorizationCodeRequest, CodeChallenge};
use chancery_protocol::authorization_details::AuthorizationDetail;
use chancery_protocol::dpop::DpopProof;
use chancery_protocol::excerpt;
use chancery_protocol::form::Form;
use chancery_protocol::token::{TokenRequest, TokenResponse};
use chancery_storage::{StoreError, Tokens};

use super::super::client::{Client, Request};
use super::super::code::Code;
use super::super::remembered::{Granted, Offered, Ticket};
use super::super::trail::Trail;
use super::super::{authorization_with, definition_asked_for, dpop, redaction};
use super::refresh;
use super::repeated::{Answers, Asked};
use super::{Rejection, answer, checks, claim, datasets, details_if_needed, has_several_datasets, record};
use crate::checked::{ID_TOKEN, TOKEN_REQUEST};
use crate::management::offers::CLAIMS_DUE_IN;
use crate::quotas::Taken;
use crate::sealed::Place;
use crate::{Context, Failure};

/// Redeems an authorization code: once, by the client it was given to, with the verifier, the redirect URI and the keys of
/// the request that it answers. A second use is refused, and makes what the first one got worthless (AUT-15).
pub(super) async fn redeem(
    context: &Context,
    organisation: &Organisation,
    now: Timestamp,
    request: &Request<'_>,
    form: &Form,
    trail: &mut Trail,
) -> Result<TokenResponse, Failure<Rejection>> {
    let code = form.get("code").and_then(|text| Code::read(context, organisation, text));
    let found = match code {
        Some(code) => find(context, organisation, code).await?,
        None => None,
    };
    if let Some((authorization, _)) = &found {
        if let Some(exchange) = authorization.exchange() {
            trail.belongs_to(exchange);
        }
        let headers = redaction::headers(&request.notes, request.authorization, request.dpop);
        trail.recording.info(
            TOKEN_REQUEST,
            redaction::object([
                ("form_body", redaction::token_form(form)),
                ("headers", headers),
                ("wa_validated_at_par", authorization.instance_thumbprint.is_some().into()),
            ]),
        );
    }
    let asked = match TokenRequest::parse(form) {
        Ok(TokenRequest::AuthorizationCode(asked)) => asked,
        Ok(TokenRequest::PreAuthorizedCode { .. } | TokenRequest::Refresh(_)) => {
            return Err(Failure::Internal(anyhow::anyhow!("another grant type than {AUTHORIZATION_CODE_GRANT}")));
        }
        Err(error) => return Err(Failure::Rejected(Rejection::Request(error))),
    };
    let (proof, identified) = checks::asker(context, organisation, now, request, form)?;
    let (Some(code), Some((authorization, definition))) = (code, found) else {
        return Err(Failure::Rejected(Rejection::CodeUnknown));
    };
    let client = checks::client(organisation, &definition, (identified, proof.as_ref()), false, trail);
    let client = client.map_err(Failure::Rejected)?;
    let repeated = Asked::of(organisation, code.hash, proof.as_ref(), request.body);
    if authorization.status == AuthorizationStatus::Spent {
        claim(context, organisation, now, proof.as_ref(), &client, trail).await?;
        let presented = Presented { code, asked: &asked, client: &client, proof: proof.as_ref(), repeated };
        return used_before(context, organisation, now, &authorization, presented).await;
    }
    checks_of_code(code, &authorization, now)
        .and_then(|()| bound(&authorization, &asked, &client, proof.as_ref()))
        .and_then(|()| checks::resource(organisation, &asked.resource))
        .and_then(|()| narrowable(organisation, &authorization, asked.authorization_details.as_deref()))
        .map_err(Failure::Rejected)?;
    checks::can_sign(context, organisation, &definition, now).await?;
    claim(context, organisation, now, proof.as_ref(), &client, trail).await?;

    let (exchange, is_new) = exchange_of(context, organisation, now, &authorization, &client, trail).await?;
    if checks::ends_too_soon(organisation, &exchange, &client, proof.as_ref()) {
        return Err(Failure::Rejected(Rejection::Dpop(dpop::Rejection::Missing)));
    }
    let taken = match is_new {
        true => Some(take(context, organisation, now).await?),
        false => None,
    };
    trail.belongs_to(exchange.id);
    let access_token = URL_SAFE_NO_PAD.encode(context.env().random::<32>());
    let lifetime = organisation.policy.access_token_lifetime_for(proof.is_some());
    let credentials = granted(context, &exchange, &authorization, asked.authorization_details.as_deref());
    let grant = Grant {
        id: GrantId::from(context.env().uuid(now)),
        exchange_id: exchange.id,
        client_id: client.id.clone(),
        dpop_thumbprint: proof.as_ref().map(|proof| proof.thumbprint.clone()),
        by_identifier: authorization.by_details
            || asked.authorization_details.is_some()
            || has_several_datasets(&credentials),
        credentials,
        access_token_hash: SecretHash::of(&access_token),
        access_token_expires_at: now.plus_seconds(lifetime),
        refreshed: false,
        created_at: now,
    };
    let fresh = refresh::beside(context, organisation, now, &client, &grant);
    let details = asked.authorization_details.clone().or_else(|| details_if_needed(&grant));
    let mut answer = answer(&grant, access_token, lifetime, details);
    answer.refresh_token = fresh.as_ref().map(|fresh| fresh.text.clone());
    if !authorization.by_details {
        answer.scope = scope_of(organisation, &definition, &grant);
    }
    record(&exchange, &grant, &answer, AUTHORIZATION_CODE_GRANT, trail);
    let passage = trail.finish(context);
    let attempts = organisation.policy.transaction_code_attempts;
    let announcement = context.announce(organisation, exchange.id, &[ExchangeStatus::TokenIssued], now).await?;
    let prepared = context.prepare_answer(organisation, repeated, &answer, now)?;
    let tokens = Tokens { grant: &grant, refresh_token: fresh.as_ref().map(|fresh| &fresh.token), passage: &passage };
    let is_step = is_new && exchange.claims_due_at.is_none() && announcement.is_empty();
    let work = context.write_as(organisation, is_step, async |tx| -> Result<(), Undone> {
        if is_new {
            if !tx.begin_exchange(&code.hash, &exchange, tokens, now).await? {
                return Err(Undone::NotRedeemed);
            }
        } else {
            if !tx.spend_authorization_code(authorization.id, &code.hash, now).await? {
                return Err(Undone::NotRedeemed);
            }
            if !tx.spend_code(&exchange, client.id.as_deref(), attempts, Some(tokens), now).await? {
                return Err(Undone::OfferOver);
            }
            if let Some(sealed) = exchange.sealed_submissions.as_ref().filter(|_| has_signed_in(&authorization)) {
                tx.put_submissions(exchange.id, sealed, exchange.credential_status, now).await?;
            }
        }
        Ok(announcement.record(tx).await?)
    });
    let outcome = context.keeping_answer(prepared, work).await;
    context.remembered().forget_authorization(organisation, Ticket::SignedIn(authorization.id));
    match outcome {
        Ok(()) => {
            taken.into_iter().for_each(Taken::spend);
            context.remembered().keep_grant(organisation, Granted { grant, offered: Offered { exchange, definition } });
            Ok(answer)
        }
        Err(Undone::Store(error)) => Err(error.into()),
        Err(Undone::OfferOver) => Err(Failure::Rejected(Rejection::CodeWithdrawn)),
        Err(Undone::NotRedeemed) => {
            let found = context.store().read(organisation).await?.authorization(authorization.id).await?;
            match found {
                // Nobody spent it: the definition has been deleted.
                Some(kept) if kept.status == AuthorizationStatus::SignedIn => {
                    Err(Failure::Rejected(Rejection::CodeWithdrawn))
                }
                Some(kept) if kept.status == AuthorizationStatus::Failed => {
                    Err(Failure::Rejected(Rejection::ConsentWithdrawn))
                }
                Some(spent) if spent.updated_at < now => {
                    let proof = proof.as_ref();
                    let presented = Presented { code, asked: &asked, client: &client, proof, repeated };
                    used_before(context, organisation, now, &spent, presented).await
                }
                // Two requests at the same moment, of which one wins.
                Some(_) | None => Err(Failure::Rejected(Rejection::CodeUsed)),
            }
        }
    }
}

/// One exchange out of the day's quota. A refusal belongs to no exchange, so no transcript tells of it: the log does.
async fn take(context: &Context, organisation: &Organisation, now: Timestamp) -> Result<Taken, Failure<Rejection>> {
    let taken = context.take_exchanges(organisation, 1, now).await?;
    taken.map_err(|used_up| {
        let organisation = organisation.slug.as_str();
        tracing::warn!(organisation, limit = used_up.limit, "a wallet began no exchange: the day's quota is used up");
        Failure::Rejected(Rejection::QuotaUsedUp(used_up))
    })
}

/// Why the unit of work was given up.
enum Undone {
    OfferOver,
    /// Another request redeemed the code, or the definition has been deleted.
    NotRedeemed,
    Store(StoreError),
}

impl From<StoreError> for Undone {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

async fn find(
    context: &Context,
    organisation: &Organisation,
    code: Code,
) -> Result<Option<(Arc<Authorization>, Arc<Definition>)>, Failure<Rejection>> {
    let found = authorization_with(context, organisation, Ticket::SignedIn(code.authorization)).await?;
    let Some(authorization) = found else { return Ok(None) };
    let read = context.store().read(organisation).await?;
    let definition = definition_asked_for(&read, &authorization).await?;
    Ok(Some((authorization, definition)))
}

/// A token request, as far as it says by itself who asks for what.
#[derive(Clone, Copy)]
struct Presented<'r> {
    code: Code,
    asked: &'r AuthorizationCodeRequest,
    client: &'r Client,
    proof: Option<&'r DpopProof>,
    repeated: Option<Asked>,
}

/// A code was spent: the same request gets the same answer where that is remembered, and a wallet that asks again a moment
/// later is refused and nothing else, as one is with another code of the same person. Any other request proves that somebody
/// has the code who should not.
async fn used_before(
    context: &Context,
    organisation: &Organisation,
    now: Timestamp,
    authorization: &Authorization,
    presented: Presented<'_>,
) -> Result<TokenResponse, Failure<Rejection>> {
    if let Some(answer) = context.earlier_token_answer(organisation, presented.repeated, now).await? {
        return Ok(answer);
    }
    let is_another = authorization.code_hash != Some(presented.code.hash);
    match is_another || is_retry(context, organisation, now, authorization, presented).await? {
        true => Err(Failure::Rejected(Rejection::CodeUsed)),
        false => Err(used_twice(context, organisation, now, authorization).await),
    }
}

/// Whether the wallet that spent the code asks again a moment later. Another process may have its answer, which got lost on
/// the way: that is no theft, and what it was given stays good.
async fn is_retry(
    context: &Context,
    organisation: &Organisation,
    now: Timestamp,
    authorization: &Authorization,
    Presented { asked, client, proof, .. }: Presented<'_>,
) -> Result<bool, Failure<Rejection>> {
    let is_recent = now < authorization.updated_at.plus(Answers::LIFETIME);
    let (true, Some(exchange), Some(proof)) = (is_recent, authorization.exchange(), proof) else { return Ok(false) };
    if bound(authorization, asked, client, Some(proof)).is_err() {
        return Ok(false);
    }
    let first = context.store().read(organisation).await?.first_grant(exchange).await?;
    Ok(first.is_some_and(|grant| grant.dpop_thumbprint.as_ref() == Some(&proof.thumbprint)))
}

/// Somebody has the code who should not: nobody can tell which of the two it is.
async fn used_twice(
    context: &Context,
    organisation: &Organisation,
    now: Timestamp,
    authorization: &Authorization,
) -> Failure<Rejection> {
    if let Some(exchange) = authorization.exchange() {
        let revoked = context.store().write(organisation, async |tx| tx.revoke_tokens(exchange, now).await).await;
        context.remembered().forget_grants_of(organisation, exchange);
        if let Err(error) = revoked {
            return error.into();
        }
    }
    Failure::Rejected(Rejection::CodeUsed)
}

fn checks_of_code(code: Code, authorization: &Authorization, now: Timestamp) -> Result<(), Rejection> {
    match authorization.status {
        AuthorizationStatus::SignedIn if now < code.expires_at => Ok(()),
        AuthorizationStatus::SignedIn => Err(Rejection::CodeExpired),
        AuthorizationStatus::Spent => Err(Rejection::CodeUsed),
        AuthorizationStatus::Failed => Err(Rejection::ConsentWithdrawn),
        // A code is made for who has signed in: this row is older.
        AuthorizationStatus::Pushed | AuthorizationStatus::Requested => Err(Rejection::CodeUnknown),
    }
}

/// The request comes from who made the authorization request, with everything that it bound the code to.
fn bound(
    authorization: &Authorization,
    asked: &AuthorizationCodeRequest,
    client: &Client,
    proof: Option<&DpopProof>,
) -> Result<(), Rejection> {
    if client.id.as_deref() != Some(authorization.client_id.as_str()) {
        return Err(Rejection::BoundToOther { to: "client" });
    }
    match asked.redirect_uri.as_deref() {
        Some(uri) if uri != authorization.redirect_uri => return Err(Rejection::RedirectUri { got: excerpt(uri) }),
        None if authorization.redirect_uri_named => return Err(Rejection::RedirectUri { got: String::new() }),
        Some(_) | None => {}
    }
    if let Some(challenge) = &authorization.code_challenge {
        let challenge = CodeChallenge::from_stored(challenge).map_err(Rejection::Verifier)?;
        challenge.verify(asked.code_verifier.as_deref()).map_err(Rejection::Verifier)?;
    }
    if let Some(jkt) = &authorization.dpop_jkt
        && proof.is_none_or(|proof| proof.thumbprint != *jkt)
    {
        return Err(Rejection::BoundToOther { to: "DPoP key" });
    }
    match &authorization.instance_thumbprint {
        Some(thumbprint) if client.instance_thumbprint.as_ref() != Some(thumbprint) => {
            Err(Rejection::BoundToOther { to: "wallet instance key" })
        }
        Some(_) | None => Ok(()),
    }
}

/// The token request asks for nothing that was not authorized (TOK-6).
fn narrowable(
    organisation: &Organisation,
    authorization: &Authorization,
    details: Option<&[AuthorizationDetail]>,
) -> Result<(), Rejection> {
    let details = details.unwrap_or_default();
    let known = |detail: &&AuthorizationDetail| {
        authorization.requested.iter().any(|asked| asked.configuration_id == detail.credential_configuration_id)
    };
    if let Some(foreign) = details.iter().find(|detail| !known(detail)) {
        return Err(Rejection::NotOffered { got: excerpt(&foreign.credential_configuration_id) });
    }
    checks::locations(organisation, details)
}

fn granted(
    context: &Context,
    exchange: &Exchange,
    authorization: &Authorization,
    details: Option<&[AuthorizationDetail]>,
) -> Vec<GrantedCredential> {
    let wanted = |configuration: &str| {
        details.is_none_or(|details| details.iter().any(|detail| detail.credential_configuration_id == configuration))
    };
    let requested = authorization.requested.iter().filter(|asked| wanted(&asked.configuration_id));
    requested.flat_map(|asked| datasets(context, exchange, asked.entry, &asked.configuration_id)).collect()
}

/// The scope that was granted: unknown values of the request were ignored, so it may be another (RFC 6749 §5.1).
fn scope_of(organisation: &Organisation, definition: &Definition, grant: &Grant) -> Option<String> {
    let mut scopes: Vec<&str> = Vec::new();
    for entry in grant.credentials.iter().filter_map(|granted| definition.entry(granted.entry)) {
        match organisation.policy.scope_for(entry) {
            Some(scope) if !scopes.contains(&scope) => scopes.push(scope),
            Some(_) | None => {}
        }
    }
    (!scopes.is_empty()).then(|| scopes.join(" "))
}

fn has_signed_in(authorization: &Authorization) -> bool {
    authorization.sealed_signed_in.is_some()
}

/// The exchange of the offer that the request named, or a new one for a request that the wallet began by itself. Claims of
/// the sign-in, among which are those that the organisation supplied, take the place of what was there.
async fn exchange_of(
    context: &Context,
    organisation: &Organisation,
    now: Timestamp,
    authorization: &Authorization,
    client: &Client,
    trail: &mut Trail,
) -> Result<(Exchange, bool), Failure<Rejection>> {
    let submissions: Vec<Submission> = match &authorization.sealed_signed_in {
        Some(sealed) => {
            let place = Place::AuthorizationSignedIn;
            let signed_in: SignedIn = context.open(organisation, place, authorization.id.as_uuid(), sealed)?;
            trail.recording.info(ID_TOKEN, signed_in.id_token);
            signed_in.submissions
        }
        None => Vec::new(),
    };
    let seal = |exchange: ExchangeId| -> Result<Option<Vec<u8>>, Failure<Rejection>> {
        match submissions.is_empty() {
            true => Ok(None),
            false => context.seal(organisation, Place::ExchangeSubmissions, exchange.as_uuid(), &submissions).map(Some),
        }
    };
    let status = match submissions.is_empty() || submissions.iter().any(Submission::is_awaited) {
        true => CredentialStatus::Pending,
        false => CredentialStatus::Ready,
    };
    if let Some(id) = authorization.exchange_id {
        let found = context.store().read(organisation).await?.exchange(id).await?;
        let mut exchange = found.ok_or(Failure::Rejected(Rejection::CodeWithdrawn))?;
        if let Some(sealed) = seal(id)? {
            exchange.sealed_submissions = Some(sealed);
            exchange.credential_status = status;
        }
        return Ok((exchange, false));
    }
    let id = authorization.begins();
    let sealed_submissions = seal(id)?;
    // Nobody is ever handed this offer: the row only needs values that nobody can guess.
    let code = URL_SAFE_NO_PAD.encode(context.env().random::<32>());
    let secrets = ExchangeSecrets { code: code.clone(), transaction_code: None };
    let comes_later = sealed_submissions.is_none();
    let exchange = Exchange {
        id,
        definition_id: authorization.definition_id,
        definition_revision: authorization.definition_revision,
        entries: authorization.requested.iter().map(|asked| asked.entry).collect(),
        issuance_mode: if comes_later { IssuanceMode::Deferred } else { IssuanceMode::InTime },
        grant_kind: GrantKind::AuthorizationCode,
        status: ExchangeStatus::TokenIssued,
        credential_status: status,
        revocation_status: RevocationStatus::Operational,
        offer_id: URL_SAFE_NO_PAD.encode(context.env().random::<16>()),
        url_scheme: organisation.policy.offer_scheme().prefix().to_owned(),
        code_hash: SecretHash::of(&code),
        code_spent_at: Some(now),
        transaction_code: None,
        failed_attempts: 0,
        require_key_attestation: false,
        client_id: client.id.clone(),
        denied_reason: None,
        issued_by: None,
        sealed_secrets: context.seal(organisation, Place::ExchangeSecrets, id.as_uuid(), &secrets)?,
        sealed_submissions,
        claims_due_at: comes_later.then(|| now.plus_seconds(CLAIMS_DUE_IN)),
        claims_at_start: false,
        fetches: 0,
        expires_at: now,
        created_at: now,
        updated_at: now,
    };
    Ok((exchange, true))
}
