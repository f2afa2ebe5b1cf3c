//! People whom an organisation knows, and how to reach them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{IndividualId, Timestamp};

/// A person whom an organisation knows: a registered subject.
#[derive(Clone, Debug)]
pub struct Individual {
    /// Admin-side id.
    pub id: IndividualId,
    /// 1 at first, counting up.
    pub revision: u32,
    /// Keyed hash of the external id, unique in the organisation; `None` without one.
    pub external_id_hash: Option<[u8; 32]>,
    /// Sealed [`Contact`].
    pub sealed_contact: Vec<u8>,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// Who a person is, and where offers for that person go. Empty texts are absent.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Contact {
    /// Name, for people.
    pub name: String,
    /// E-mail address.
    pub email: String,
    /// Telephone number.
    pub phone: String,
    /// What the organisation's own systems call the person.
    pub external_id: String,
    /// What kind of id that is.
    pub external_id_type: String,
    /// Provider at which the person signs in.
    pub identity_provider_id: String,
    /// Id of the person there.
    pub iam_id: String,
    /// Kind of the person's device.
    pub device_type: String,
    /// How offers reach the person.
    pub offer_channel: OfferChannel,
    /// Endpoint of the person's wallet that takes offers.
    pub wallet_endpoint: String,
    /// How transaction codes reach the person.
    pub pin_channel: PinChannel,
}

impl fmt::Debug for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Contact(sealed)")
    }
}

/// How an offer reaches the person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OfferChannel {
    /// The organisation hands it over itself.
    #[default]
    None,
    /// The wallet's endpoint is called.
    WalletEndpoint,
    /// By mail.
    Email,
    /// By the organisation's own messenger, which hears of it through a webhook.
    Webhook,
}

/// How a transaction code reaches the person: never by the channel of the offer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PinChannel {
    /// The organisation tells it itself.
    #[default]
    None,
    /// By mail.
    Email,
    /// By the organisation's own messenger, which hears of it through a webhook.
    Webhook,
}

impl PinChannel {
    /// The channel, as that of an offer.
    pub fn as_offer_channel(self) -> OfferChannel {
        match self {
            Self::None => OfferChannel::None,
            Self::Email => OfferChannel::Email,
            Self::Webhook => OfferChannel::Webhook,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Contact;

    #[test]
    fn a_contact_shows_nothing_of_the_person() {
        let contact = Contact { email: "ada@example.org".to_owned(), ..Contact::default() };
        assert_eq!(format!("{contact:?}"), "Contact(sealed)");
    }
}
