//! Records of exchanges, as organisations read them.

use std::sync::Arc;

use chancery_model::{
    Credential, Definition, DefinitionId, Exchange, ExchangeId, ExchangeStatus, Organisation, Submission,
};
use chancery_protocol::offer::{self, UriScheme};
use chancery_storage::{ExchangeFilter, Read};

use super::page::{Page, Window};
use crate::sealed::Place;
use crate::status_lists::uri;
use crate::{Context, Failure};

/// A record: the exchange and what belongs to it. Holds claims; never codes or transaction codes in clear.
pub struct History {
    /// The exchange.
    pub exchange: Exchange,
    /// The definition in the version it was started with.
    pub definition: Arc<Definition>,
    /// What the organisation asked for; empty while claims are pending.
    pub submissions: Vec<Submission>,
    /// The offer link for the wallet.
    pub credential_offer: String,
    /// What was issued, oldest first.
    pub credentials: Vec<Delivered>,
}

/// A credential that was issued.
pub struct Delivered {
    /// The credential as recorded.
    pub credential: Credential,
    /// As it was delivered.
    pub token: String,
    /// URL of the list with its status; empty when it has none.
    pub status_list: String,
}

impl std::fmt::Debug for History {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "History(of {})", self.exchange.id)
    }
}

impl std::fmt::Debug for Delivered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Delivered({})", self.credential.id)
    }
}

/// There is no such record.
#[derive(Debug)]
pub enum Rejection {
    /// The organisation has no such exchange.
    NotFound,
}

/// Which records a list holds; what is `None` or empty lets everything pass.
///
/// The four switches are groups: those set to `true` are shown, all of them together; those set to `false`
/// are left out.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Exactly this status.
    pub status: Option<ExchangeStatus>,
    /// Only exchanges of this definition.
    pub definition: Option<DefinitionId>,
    /// Only exchanges with this `client_id`.
    pub holder: String,
    /// The wallet took the credential: `credential_acked` or `credential_accepted`.
    pub accepted: Option<bool>,
    /// The exchange has not come to an end.
    pub in_progress: Option<bool>,
    /// What was issued is revoked or suspended.
    pub revoked: Option<bool>,
    /// The exchange was denied.
    pub denied: Option<bool>,
    /// An exchange id, the support code of a refusal, or part of the definition's label.
    pub search: String,
}

impl History {
    /// The record of an exchange that begins.
    pub(super) fn begun(
        organisation: &Organisation,
        exchange: Exchange,
        definition: Arc<Definition>,
        submissions: Vec<Submission>,
    ) -> Self {
        let credential_offer = offer_link(organisation, &exchange);
        Self { exchange, definition, submissions, credential_offer, credentials: Vec::new() }
    }
}

/// Records, newest first unless the window says otherwise.
pub async fn list<R>(
    ctx: &Context,
    organisation: &Organisation,
    filter: &Filter,
    window: Window,
) -> Result<Page<History>, Failure<R>> {
    let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let wanted = ExchangeFilter {
        status: filter.status,
        definition_id: filter.definition,
        client_id: given(&filter.holder),
        accepted: filter.accepted,
        in_progress: filter.in_progress,
        revoked: filter.revoked,
        denied: filter.denied,
        search: given(&filter.search),
    };
    let reader = ctx.store().read(organisation).await?;
    let listed = reader.exchanges(&wanted, &window.into()).await?;
    let mut items = Vec::with_capacity(listed.items.len());
    for exchange in listed.items {
        items.push(assemble(ctx, organisation, &reader, exchange).await?);
    }
    Ok(Page::new(items, listed.total, window))
}

/// One record.
pub async fn read(ctx: &Context, organisation: &Organisation, id: ExchangeId) -> Result<History, Failure<Rejection>> {
    let reader = ctx.store().read(organisation).await?;
    let Some(exchange) = reader.exchange(id).await? else { return Err(Failure::Rejected(Rejection::NotFound)) };
    assemble(ctx, organisation, &reader, exchange).await
}

/// Deletes a record with its offer, grants, credentials and transcript. Credentials in wallets are not
/// touched.
pub async fn delete(ctx: &Context, organisation: &Organisation, id: ExchangeId) -> Result<(), Failure<Rejection>> {
    let deleted = ctx.store().write(organisation, async |tx| tx.delete_exchange(id).await).await?;
    if deleted { Ok(()) } else { Err(Failure::Rejected(Rejection::NotFound)) }
}

async fn assemble<R>(
    ctx: &Context,
    organisation: &Organisation,
    reader: &Read,
    exchange: Exchange,
) -> Result<History, Failure<R>> {
    let definition = reader.definition_at(exchange.definition_id, exchange.definition_revision).await?;
    let definition = definition.ok_or_else(|| missing_version(&exchange))?;
    // An open exchange has issued nothing yet.
    let issued = if exchange.status.is_open() { Vec::new() } else { reader.credentials_of(exchange.id).await? };
    let submissions = match &exchange.sealed_submissions {
        Some(sealed) => ctx.open(organisation, Place::ExchangeSubmissions, exchange.id.as_uuid(), sealed)?,
        None => Vec::new(),
    };
    let mut credentials = Vec::with_capacity(issued.len());
    for credential in issued {
        let place = Place::CredentialToken;
        let token = ctx.open_bytes(organisation, place, credential.id.as_uuid(), &credential.sealed_token)?;
        let token = String::from_utf8(token.to_vec()).map_err(|error| Failure::Internal(error.utf8_error().into()))?;
        let status_list = credential.status_place.map(|place| uri(organisation, place.list)).unwrap_or_default();
        credentials.push(Delivered { credential, token, status_list });
    }
    Ok(History { credentials, ..History::begun(organisation, exchange, definition, submissions) })
}

fn missing_version<R>(exchange: &Exchange) -> Failure<R> {
    Failure::Internal(anyhow::anyhow!("the definition of exchange {} is not there", exchange.id))
}

/// Where the wallet fetches the offer (OpenID4VCI §4.1.3).
pub(super) fn offer_uri(organisation: &Organisation, offer_id: &str) -> String {
    organisation.issuer.endpoint(&format!("credential-offers/{offer_id}"))
}

/// The link that carries [`offer_uri`] to the wallet (OpenID4VCI §4.1.3).
fn offer_link(organisation: &Organisation, exchange: &Exchange) -> String {
    let scheme = UriScheme::parse(&exchange.url_scheme).unwrap_or_default();
    offer::link(scheme, &offer_uri(organisation, &exchange.offer_id))
}
