//! What this process saw a moment ago, so that the next step of the same wallet needs no lookup.
//!
//! It is never the last word: codes are spent and issuances recorded by conditional UPDATEs, which see what other
//! processes did meanwhile. A refusal that rests on memory is looked up before it is given a reason.

use std::sync::Arc;
use std::time::Duration;

use chancery_model::{
    Authorization, AuthorizationId, CredentialStatus, Definition, Exchange, ExchangeId, Grant, GrantKind, Organisation,
    OrganisationId, RequestUriSecret, SecretHash,
};
use moka::sync::Cache;

/// An exchange with the version of the definition that it started with.
#[derive(Clone)]
pub(super) struct Offered {
    pub(super) exchange: Exchange,
    pub(super) definition: Arc<Definition>,
}

/// What an access token stands for.
pub(super) struct Granted {
    pub(super) grant: Grant,
    pub(super) offered: Offered,
}

/// What the next step of an authorization request presents, hashed.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Ticket {
    RequestUri(RequestUriSecret),
    /// The `state` with which the identity provider sends the browser back, which names the request.
    SignIn(AuthorizationId),
    /// The request of a consent page, or of a code. The cookie, or the code, is checked besides.
    SignedIn(AuthorizationId),
}

/// Offers by the hash of their code, grants by the hash of their access token, authorization requests by their ticket.
pub(crate) struct Remembered {
    offers: Cache<Key, Offered>,
    grants: Cache<Key, Arc<Granted>>,
    authorizations: Cache<(OrganisationId, Ticket), Arc<Authorization>>,
}

type Key = (OrganisationId, SecretHash);

impl Default for Remembered {
    fn default() -> Self {
        Self {
            offers: Cache::builder().max_capacity(Self::CAPACITY).time_to_live(Self::LIFETIME).build(),
            grants: Cache::builder().max_capacity(Self::CAPACITY).time_to_live(Self::LIFETIME).build(),
            authorizations: Cache::builder().max_capacity(Self::CAPACITY).time_to_live(Self::LIFETIME).build(),
        }
    }
}

impl Remembered {
    const CAPACITY: u64 = 4096;
    const LIFETIME: Duration = Duration::from_secs(60);

    pub(super) fn offer(&self, organisation: &Organisation, code: SecretHash) -> Option<Offered> {
        self.offers.get(&(organisation.id, code))
    }

    /// Keeps an offer that was just fetched. Those with a transaction code are not kept: wrong guesses change them.
    pub(super) fn keep_offer(&self, organisation: &Organisation, offered: Offered) {
        let exchange = &offered.exchange;
        let is_redeemable = exchange.grant_kind == GrantKind::PreAuthorizedCode
            && exchange.transaction_code.is_none()
            && exchange.code_spent_at.is_none();
        if is_redeemable {
            self.offers.insert((organisation.id, exchange.code_hash), offered);
        }
    }

    pub(crate) fn forget_offer(&self, organisation: &Organisation, code: SecretHash) {
        self.offers.invalidate(&(organisation.id, code));
    }

    pub(super) fn grant(&self, organisation: &Organisation, token: SecretHash) -> Option<Arc<Granted>> {
        self.grants.get(&(organisation.id, token))
    }

    /// Keeps a grant that was just made, when its claims are complete; others may be completed at any moment.
    pub(super) fn keep_grant(&self, organisation: &Organisation, granted: Granted) {
        if granted.offered.exchange.credential_status == CredentialStatus::Ready {
            self.grants.insert((organisation.id, granted.grant.access_token_hash), Arc::new(granted));
        }
    }

    pub(super) fn authorization(&self, organisation: &Organisation, ticket: Ticket) -> Option<Arc<Authorization>> {
        self.authorizations.get(&(organisation.id, ticket))
    }

    /// Keeps a request as the step that was just taken left it.
    pub(super) fn keep_authorization(
        &self,
        organisation: &Organisation,
        ticket: Ticket,
        authorization: Arc<Authorization>,
    ) {
        self.authorizations.insert((organisation.id, ticket), authorization);
    }

    pub(super) fn forget_authorization(&self, organisation: &Organisation, ticket: Ticket) {
        self.authorizations.invalidate(&(organisation.id, ticket));
    }

    /// Forgets every grant of an exchange, in time linear in the number of all grants: for what happens seldom.
    pub(super) fn forget_grants_of(&self, organisation: &Organisation, exchange: ExchangeId) {
        let is_its = |granted: &Granted| granted.grant.exchange_id == exchange;
        let its = self.grants.iter().filter(|(key, granted)| key.0 == organisation.id && is_its(granted));
        let keys: Vec<_> = its.map(|(key, _)| key).collect();
        for key in keys {
            self.grants.invalidate(&*key);
        }
    }

    pub(super) fn forget_grant(&self, organisation: &Organisation, token: SecretHash) {
        self.grants.invalidate(&(organisation.id, token));
    }
}
