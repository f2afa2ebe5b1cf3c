//! Access tokens of an organisation's access provider (RFC 6750, RFC 9068).
//!
//! A token does not name an organisation of ours by itself. Its audience does, when that is the organisation's issuer
//! identifier; otherwise the caller says which organisation is meant. Either way the token is judged by the terms of that
//! organisation alone: what another one has configured lets nobody in there, and keeps nobody out.

use std::sync::Arc;

use chancery_keys::jws::{self, Opened};
use chancery_model::{
    AccessTerms, Actor, ActorKind, Organisation, OrganisationId, OrganisationStatus, Role, Timestamp,
};
use serde_json::Value;

use super::{AccessRejection, Caller, Evidence, Identified, Identity, Presented, TokenRejection};
use crate::management::{access_provider, sandboxes};
use crate::provider::access_token::{self, SignatureRejection};
use crate::{Context, Failure};

/// Longest token, in bytes: some providers list two hundred groups.
pub(super) const LONGEST: usize = 16 * 1024;

/// Most audiences of a token that are looked at.
const MOST_AUDIENCES: usize = 8;

/// Longest `sub`, in characters (OpenID Connect Core 1.0 §2).
const LONGEST_SUBJECT: usize = 255;

/// How far clocks may be apart, in seconds.
const LEEWAY: f64 = 60.0;

/// Claims that only ID tokens have: one that was meant for somebody else's screen opens nothing here.
const OF_ID_TOKENS: [&str; 3] = ["nonce", "at_hash", "c_hash"];

/// Says whose token this is, also when it is over or gives no role.
pub(super) async fn identify(
    ctx: &Context,
    token: &str,
    presented: &Presented<'_>,
) -> Result<Identified, Failure<AccessRejection>> {
    let token = jws::open(token).map_err(|_| refused(TokenRejection::Malformed))?;
    let audiences = audiences(&token);
    let home = organisation(ctx, presented, &audiences).await?;
    let provider = access_provider::recent(ctx, &home).await?;
    let terms = &provider.as_ref().as_ref().ok_or_else(|| refused(TokenRejection::Foreign))?.terms;
    let subject = check(&token, terms, &audiences).map_err(refused)?;
    access_token::verify(ctx, &terms.issuer, &token).await.map_err(|rejection| match rejection {
        SignatureRejection::Algorithm => refused(TokenRejection::Algorithm),
        SignatureRejection::Signature => refused(TokenRejection::Signature),
        SignatureRejection::Provider(error) => {
            Failure::Unavailable(anyhow::Error::new(error).context("an access provider"))
        }
    })?;

    let role = terms.role(&token.claims);
    let actor = Actor {
        kind: ActorKind::Person,
        id: None,
        name: Actor::person(&terms.issuer, subject),
        role: role.map(|role| role.name().to_owned()).unwrap_or_default(),
    };
    let organisation = acted_for(ctx, &home, presented.sandbox).await?;
    let standing = standing(&token, terms, &home, ctx.env().now()).and_then(|role| {
        Ok(Caller {
            organisation: organisation.clone().ok_or(AccessRejection::Sandbox)?,
            role,
            identity: Identity::Person(actor.name.clone()),
            home: home.id,
            evidence: Evidence::Token(Arc::new(token)),
        })
    });
    let organisation = organisation.unwrap_or_else(|| Arc::clone(&home));
    Ok(Identified { organisation, home, actor, standing })
}

/// Whether a token that was believed would open the same as it did. Its signature need not be verified again: when the
/// provider gives up a key, what it signed ends with `exp`.
pub(super) async fn recheck<R>(
    ctx: &Context,
    home: &Organisation,
    caller: &Caller,
    token: &Opened,
) -> Result<Result<(), AccessRejection>, Failure<R>> {
    let sandbox = caller.organisation.id;
    if sandbox != home.id && deployed(ctx, home, sandbox).await?.is_none() {
        return Ok(Err(AccessRejection::Sandbox));
    }
    let provider = access_provider::recent(ctx, home).await?;
    let standing = match provider.as_ref() {
        None => Err(AccessRejection::Token(TokenRejection::Foreign)),
        Some(provider) => {
            let checked = check(token, &provider.terms, &audiences(token)).map_err(AccessRejection::Token);
            checked.and_then(|_| standing(token, &provider.terms, home, ctx.env().now()))
        }
    };
    // Under another role the caller would be another one.
    Ok(standing.and_then(|role| if role == caller.role { Ok(()) } else { Err(AccessRejection::NoRole) }))
}

/// The role that a token gives now; everything but time, organisation and role has been checked.
fn standing(token: &Opened, terms: &AccessTerms, home: &Organisation, now: Timestamp) -> Result<Role, AccessRejection> {
    in_time(token, now).map_err(AccessRejection::Token)?;
    match home.status {
        OrganisationStatus::Suspended => Err(AccessRejection::Suspended),
        OrganisationStatus::Active => terms.role(&token.claims).ok_or(AccessRejection::NoRole),
    }
}

/// The organisation that a person acts for; `None` when the sandbox that they name is not there for them.
async fn acted_for<R>(
    ctx: &Context,
    home: &Arc<Organisation>,
    sandbox: Option<&str>,
) -> Result<Option<Arc<Organisation>>, Failure<R>> {
    let Some(text) = sandbox else { return Ok(Some(Arc::clone(home))) };
    let Some(id) = OrganisationId::parse(text) else { return Ok(None) };
    deployed(ctx, home, id).await
}

/// The sandbox organisation of `home` with this id, if it is deployed.
async fn deployed<R>(
    ctx: &Context,
    home: &Organisation,
    id: OrganisationId,
) -> Result<Option<Arc<Organisation>>, Failure<R>> {
    let found = sandboxes::find(ctx, home, id).await?;
    Ok(found.filter(|found| found.status == OrganisationStatus::Active))
}

/// The organisation that the caller names, or else the only one that the audiences name by its issuer identifier.
async fn organisation(
    ctx: &Context,
    presented: &Presented<'_>,
    audiences: &[&str],
) -> Result<Arc<Organisation>, Failure<AccessRejection>> {
    let directory = ctx.store().directory();
    if let Some(text) = presented.organisation {
        let id = OrganisationId::parse(text).ok_or_else(|| refused(TokenRejection::Foreign))?;
        return directory.organisation(id).await?.ok_or_else(|| refused(TokenRejection::Foreign));
    }
    let mut named: Option<Arc<Organisation>> = None;
    for audience in audiences.iter().filter(|audience| audience.starts_with("http")) {
        let Some(found) = directory.organisation_by_issuer(audience).await? else { continue };
        if named.as_ref().is_some_and(|named| named.id != found.id) {
            return Err(refused(TokenRejection::NoOrganisation));
        }
        named = Some(found);
    }
    named.ok_or_else(|| refused(TokenRejection::NoOrganisation))
}

/// Everything but signature and time; answers `sub`.
fn check<'t>(token: &'t Opened, terms: &AccessTerms, audiences: &[&str]) -> Result<&'t str, TokenRejection> {
    let text = |name: &str| token.claims.get(name).and_then(Value::as_str);
    if text("iss") != Some(terms.issuer.as_str()) {
        return Err(TokenRejection::Foreign);
    }
    if !audiences.contains(&terms.audience.as_str()) {
        return Err(TokenRejection::Audience);
    }
    check_type(token, terms.plain_jwt)?;
    // RFC 9449 §7.2, RFC 8705 §3: a token that is bound to a key is worth nothing without a proof of it.
    if token.claims.contains_key("cnf") {
        return Err(TokenRejection::Bound);
    }
    let is_subject = |subject: &&str| {
        (1..=LONGEST_SUBJECT).contains(&subject.chars().count()) && !subject.chars().any(char::is_control)
    };
    text("sub").filter(is_subject).ok_or(TokenRejection::Claims)
}

/// RFC 9068 §2.1, §4. Media types are compared without case (RFC 2045 §5.1).
fn check_type(token: &Opened, plain_jwt: bool) -> Result<(), TokenRejection> {
    let typ = match token.header.get("typ") {
        None => None,
        Some(Value::String(typ)) => Some(typ.to_ascii_lowercase()),
        Some(_) => return Err(TokenRejection::Type),
    };
    match typ.as_deref() {
        Some("at+jwt" | "application/at+jwt") => Ok(()),
        None | Some("jwt" | "application/jwt") if plain_jwt => {
            let is_id_token = OF_ID_TOKENS.iter().any(|name| token.claims.contains_key(*name));
            if is_id_token { Err(TokenRejection::Type) } else { Ok(()) }
        }
        None | Some(_) => Err(TokenRejection::Type),
    }
}

/// `exp` must be there; `nbf` and `iat` need not (RFC 7519 §4.1).
fn in_time(token: &Opened, now: Timestamp) -> Result<(), TokenRejection> {
    let seconds = |name: &str| match token.claims.get(name) {
        None => Ok(None),
        // Fractions are allowed, and do not matter.
        Some(value) => value.as_f64().map(Some).ok_or(TokenRejection::Claims),
    };
    let now = f64::from(u32::try_from(now.seconds()).unwrap_or(u32::MAX));
    let exp = seconds("exp")?.ok_or(TokenRejection::Claims)?;
    if exp + LEEWAY <= now {
        return Err(TokenRejection::Expired);
    }
    let is_ahead = |instant: Option<f64>| instant.is_some_and(|instant| instant > now + LEEWAY);
    if is_ahead(seconds("nbf")?) || is_ahead(seconds("iat")?) {
        return Err(TokenRejection::NotYet);
    }
    Ok(())
}

/// `aud`: one text, or an array of them (RFC 7519 §4.1.3).
fn audiences(token: &Opened) -> Vec<&str> {
    match token.claims.get("aud") {
        Some(Value::String(only)) => vec![only.as_str()],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).take(MOST_AUDIENCES).collect(),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => Vec::new(),
    }
}

fn refused(rejection: TokenRejection) -> Failure<AccessRejection> {
    Failure::Rejected(AccessRejection::Token(rejection))
}

#[cfg(test)]
mod tests;
