//! How much one organisation, client, offer or network address may ask.
//!
//! A budget refills steadily (the generic cell rate algorithm); ten seconds' worth may be spent at once. A single process
//! counts by itself. Several count together, in Redis, and hardly ever ask it: each lets through a sixteenth of a budget
//! on its own account, and draws on the rest, which all share, in blocks.
//!
//! They are no security check. Where nothing can be remembered any more a request is let through, and while Redis is away
//! each process counts alone; replays, which are one, stay refused.

mod bucket;
mod leases;
#[cfg(test)]
mod tests;

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;

use bucket::{Buckets, Rate};
use chancery_model::{Organisation, OrganisationId, Timestamp};
use chancery_protocol::form::Form;
use chancery_storage::SharedBudgets;
use leases::Leases;

use crate::Context;

/// Requests per minute; 0 for no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateLimits {
    /// Of all wallets of one organisation together.
    pub organisation: u32,
    /// Of one client at one organisation.
    pub client: u32,
    /// About one offer, by its id or its secret, or with one access token.
    pub offer: u32,
    /// From one network address to one organisation: many phones share one.
    pub address: u32,
}

/// Who asks, as far as it shows before anything is verified.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asking<'r> {
    /// What only this client sends: the header of its DPoP proof, which holds its key, or its wallet attestation.
    pub client: Option<&'r [u8]>,
    /// Id of an offer, or the access token that came of it.
    pub offer: Option<&'r [u8]>,
    /// Public network address; `None` when only a proxy shows.
    pub address: Option<IpAddr>,
}

/// Whose budget is spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Limit {
    /// That of the organisation.
    Organisation,
    /// That of the client.
    Client,
    /// That of the offer.
    Offer,
    /// That of the network address.
    Address,
    /// That of the organisation's own programs.
    Programs,
}

/// A budget is spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exceeded {
    /// Whose.
    pub limit: Limit,
    /// Seconds until there is enough for one request; at least 1.
    pub retry_after: u32,
}

impl Context {
    /// Whether a request may go on. It is charged to each of its budgets until one is spent, the narrowest first: a
    /// wild client spends its own, and not that of the organisation.
    ///
    /// # Errors
    /// [`Exceeded`] names the budget that is spent.
    pub async fn admit(&self, organisation: &Organisation, asking: &Asking<'_>) -> Result<(), Exceeded> {
        self.budgets().charge(organisation.id.to_string().as_str(), asking, self.env().now()).await
    }

    /// Charges a request to the offer that its form names by its code or its `issuer_state`: guesses about one offer spend
    /// its budget, whoever makes them and from wherever. A form that cannot be read is refused by its reader.
    ///
    /// # Errors
    /// [`Exceeded`] when the budget is spent.
    pub async fn admit_form(&self, organisation: &Organisation, form: &[u8]) -> Result<(), Exceeded> {
        let Ok(form) = Form::parse(form) else { return Ok(()) };
        let Some(secret) = OFFER_SECRETS.iter().find_map(|name| form.get(name)) else { return Ok(()) };
        let organisation = organisation.id.to_string();
        self.budgets().charge_offer(&organisation, secret.as_bytes(), self.env().now()).await
    }
}

impl Context {
    /// Whether a request of the organisation's own programs may go on; always without a quota for them.
    ///
    /// # Errors
    /// [`Exceeded`] when the quota is spent.
    pub async fn admit_program(&self, organisation: &Organisation) -> Result<(), Exceeded> {
        let Some(per_minute) = organisation.quotas.requests_per_minute else { return Ok(()) };
        let id = organisation.id.to_string();
        let name = Name { limit: Limit::Programs, organisation: &id, who: b"" };
        let now = self.env().now().millis().saturating_mul(1000);
        let spent = self.budgets().spend(name, Rate::per_minute(per_minute), now).await;
        spent.map_err(|missing| Exceeded { limit: Limit::Programs, retry_after: seconds(missing) })
    }
}
/// Parameters by which a wallet proves to have an offer.
const OFFER_SECRETS: [&str; 3] = ["pre-authorized_code", "code", "issuer_state"];

/// Refused requests of no exchange that are written down for one organisation, by one process.
const REFUSALS_PER_MINUTE: u32 = 600;

/// Spent budgets.
pub(crate) struct Budgets {
    limits: RateLimits,
    /// Keyed by chance: nobody can choose keys that meet.
    hasher: RandomState,
    own: Buckets,
    shared: Option<Leases>,
}

/// What tells a budget from all others, in every process.
#[derive(Clone, Copy, Debug, Hash)]
struct Name<'n> {
    limit: Limit,
    organisation: &'n str,
    who: &'n [u8],
}

impl Budgets {
    /// `shared` where several processes count together.
    pub(crate) fn new(limits: RateLimits, shared: Option<SharedBudgets>) -> Self {
        Self { limits, hasher: RandomState::new(), own: Buckets::default(), shared: shared.map(Leases::new) }
    }

    /// Whether another refused request of no exchange may be written down: strangers must not keep the database busy. Each
    /// process counts alone.
    pub(crate) fn admits_refusal(&self, organisation: OrganisationId, now: Timestamp) -> bool {
        let key = self.hasher.hash_one(("refusals", organisation));
        let rate = Rate::per_minute(REFUSALS_PER_MINUTE);
        self.own.spend(key, rate, now.millis().saturating_mul(1000)).is_ok()
    }

    async fn charge(&self, organisation: &str, asking: &Asking<'_>, now: Timestamp) -> Result<(), Exceeded> {
        let RateLimits { organisation: whole, client, offer, address } = self.limits;
        let network = asking.address.map(network);
        let budgets = [
            (Limit::Client, client, asking.client),
            (Limit::Offer, offer, asking.offer),
            (Limit::Address, address, network.as_ref().map(<[u8; 8]>::as_slice)),
            (Limit::Organisation, whole, Some(b"".as_slice())),
        ];
        for (limit, per_minute, who) in budgets {
            if let Some(who) = who {
                self.charge_to(Name { limit, organisation, who }, per_minute, now).await?;
            }
        }
        Ok(())
    }

    async fn charge_offer(&self, organisation: &str, secret: &[u8], now: Timestamp) -> Result<(), Exceeded> {
        self.charge_to(Name { limit: Limit::Offer, organisation, who: secret }, self.limits.offer, now).await
    }

    async fn charge_to(&self, name: Name<'_>, per_minute: u32, now: Timestamp) -> Result<(), Exceeded> {
        if per_minute == 0 {
            return Ok(());
        }
        let spent = self.spend(name, Rate::per_minute(per_minute), now.millis().saturating_mul(1000)).await;
        spent.map_err(|missing| Exceeded { limit: name.limit, retry_after: seconds(missing) })
    }

    /// Takes one request out of a budget, or says how many microseconds are missing until there is enough for it.
    async fn spend(&self, name: Name<'_>, rate: Rate, now: i64) -> Result<(), i64> {
        let key = self.hasher.hash_one(name);
        let Some(shared) = &self.shared else { return self.own.spend(key, rate, now) };
        if self.own.spend(key, rate.own_part(), now).is_ok() {
            return Ok(());
        }
        match shared.spend(key, name, rate.shared_part(), now).await {
            Some(spent) => spent,
            None => self.own.spend(self.hasher.hash_one((name, "alone")), rate, now),
        }
    }
}

impl Name<'_> {
    /// The same in every process.
    fn text(self) -> Vec<u8> {
        let limit: &[u8] = match self.limit {
            Limit::Organisation => b"organisation",
            Limit::Client => b"client",
            Limit::Offer => b"offer",
            Limit::Address => b"address",
            Limit::Programs => b"programs",
        };
        [self.organisation.as_bytes(), limit, self.who].join(&b'/')
    }
}

impl fmt::Debug for Budgets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budgets").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// Rounded up, so that who waits as told is let in.
fn seconds(micros: i64) -> u32 {
    u32::try_from(micros.saturating_add(999_999) / 1_000_000).unwrap_or(60).max(1)
}

/// What counts as one address: a customer of a provider has a whole /64 of IPv6.
fn network(address: IpAddr) -> [u8; 8] {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            [0, 0, 0, 0, a, b, c, d]
        }
        IpAddr::V6(address) => {
            let [a, b, c, d, e, f, g, h, ..] = address.octets();
            [a, b, c, d, e, f, g, h]
        }
    }
}
