//! Offers on their way to people.

use serde::{Deserialize, Serialize};

use crate::{ExchangeId, ExchangeStatus, IndividualId, OfferChannel, Timestamp};

/// Where one part of an offer goes, and how far it has come. An exchange has each part once at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferDelivery {
    /// The exchange.
    pub exchange_id: ExchangeId,
    /// What is delivered.
    pub part: OfferPart,
    /// To whom; `None` when only an endpoint was named.
    pub individual_id: Option<IndividualId>,
    /// How.
    pub channel: OfferChannel,
    /// Sealed URL of the wallet endpoint that the issue call named, which goes before what is known of the individual.
    pub sealed_endpoint: Option<Vec<u8>>,
    /// Where it stands.
    pub state: OfferDeliveryState,
    /// Counts how often delivery was asked for, from 1: what comes of an earlier round changes nothing any more.
    pub round: u32,
    /// Attempts of this round.
    pub attempts: u32,
    /// While pending: not attempted before this instant.
    pub next_attempt_at: Timestamp,
    /// When the last attempt began.
    pub attempted_at: Option<Timestamp>,
    /// Why the last attempt failed, or why there will be none. Names nobody.
    pub failure: Option<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
}

/// What of an offer is delivered. The two parts never take the same channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OfferPart {
    /// The link.
    Link,
    /// The transaction code.
    Pin,
}

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OfferDeliveryState {
    /// Nothing is sent: the organisation hands it over.
    Unsent,
    /// Waits for its first or next attempt.
    Pending,
    /// The other side took it.
    Delivered,
    /// Given up: the dead letter, until somebody asks for it again.
    Failed,
    /// Not wanted any more.
    Cancelled,
}

/// Why an offer that stands like this needs no delivery any more; `None` while somebody may still redeem it.
pub fn why_undeliverable(
    status: ExchangeStatus,
    is_spent: bool,
    expires_at: Timestamp,
    now: Timestamp,
) -> Option<&'static str> {
    match status {
        ExchangeStatus::IssuanceDenied => Some("the offer was withdrawn"),
        ExchangeStatus::OfferSent | ExchangeStatus::OfferReceived if !is_spent => {
            (expires_at <= now).then_some("the offer expired")
        }
        ExchangeStatus::OfferSent
        | ExchangeStatus::OfferReceived
        | ExchangeStatus::TokenIssued
        | ExchangeStatus::CredentialIssued
        | ExchangeStatus::CredentialAcked
        | ExchangeStatus::CredentialAccepted
        | ExchangeStatus::CredentialDeleted => Some("the offer was redeemed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offer_is_delivered_while_it_can_be_redeemed() {
        let (now, later) = (Timestamp::from_seconds(10), Timestamp::from_seconds(11));
        for status in ExchangeStatus::ALL {
            let is_unredeemed = status < ExchangeStatus::TokenIssued;
            assert_eq!(why_undeliverable(status, false, later, now).is_none(), is_unredeemed, "{status:?}");
            assert!(why_undeliverable(status, true, later, now).is_some());
            assert!(why_undeliverable(status, false, now, now).is_some());
        }
    }
}
