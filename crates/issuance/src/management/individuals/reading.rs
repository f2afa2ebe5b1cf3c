//! The body that describes an individual.

use chancery_model::{Contact, OfferChannel, PinChannel};
use serde_json::{Map, Value};

use crate::Context;
use crate::mail;
use crate::management::body::{Fault, Faults, Members};
use crate::management::endpoint;
use crate::outbound::Outbound;

const MEMBERS: &[&str] = &[
    "name",
    "email",
    "phone",
    "externalId",
    "externalIdType",
    "identityProviderId",
    "iamId",
    "mapperId",
    "deviceType",
    "deliveryChannel",
    "walletEndpoint",
    "pinChannel",
];
/// Members that only answers have; a client that sends back what it read is not refused.
const ANSWERED: &[&str] = &["id", "revision", "createdAt", "updatedAt"];

const OFFER_CHANNELS: &[(&str, OfferChannel)] = &[
    ("none", OfferChannel::None),
    ("walletEndpoint", OfferChannel::WalletEndpoint),
    ("email", OfferChannel::Email),
    ("webhook", OfferChannel::Webhook),
];
const PIN_CHANNELS: &[(&str, PinChannel)] =
    &[("none", PinChannel::None), ("email", PinChannel::Email), ("webhook", PinChannel::Webhook)];

/// Longest text of an individual, in characters.
const LONGEST: usize = 255;

pub(super) fn read(ctx: &Context, body: &Map<String, Value>) -> Result<Contact, Vec<Fault>> {
    read_body(ctx.outbound(), ctx.mailer().is_some(), body)
}

fn read_body(outbound: &Outbound, sends_mail: bool, body: &Map<String, Value>) -> Result<Contact, Vec<Fault>> {
    let mut faults = Faults::default();
    let whole = Members::of_body(body);
    whole.refuse_others(&[&["individual"]], &mut faults);
    whole.require("individual", &mut faults);
    let members = whole.object("individual", &mut faults);
    let contact = members.map(|members| {
        let contact = contact(outbound, &members, &mut faults);
        check_channels(&contact, sends_mail, &members, &mut faults);
        contact
    });
    faults.none_or(contact)
}

fn contact(outbound: &Outbound, members: &Members<'_>, faults: &mut Faults) -> Contact {
    members.refuse_others(&[MEMBERS, ANSWERED], faults);
    let mut text = |name: &str| {
        let text = members.text(name, LONGEST, faults).unwrap_or_default().to_owned();
        if text.chars().any(char::is_control) {
            faults.add(members.at(name), "control characters are not accepted");
        }
        text
    };
    let contact = Contact {
        name: text("name"),
        email: text("email"),
        phone: text("phone"),
        external_id: text("externalId"),
        external_id_type: text("externalIdType"),
        identity_provider_id: text("identityProviderId"),
        iam_id: text("iamId"),
        device_type: text("deviceType"),
        ..Contact::default()
    };
    let mapper_id = text("mapperId");
    if !mapper_id.is_empty() && mapper_id != contact.external_id {
        faults.add(members.at("mapperId"), "this is the externalId; leave it out");
    }
    if !contact.email.is_empty() && !mail::is_address(&contact.email) {
        faults.add(members.at("email"), "an e-mail address in ASCII is expected");
    }
    if !contact.phone.is_empty() && !is_phone(&contact.phone) {
        faults.add(members.at("phone"), "a telephone number such as +32 2 123 45 67 is expected");
    }
    Contact {
        wallet_endpoint: endpoint::read(outbound, members, "walletEndpoint", faults).unwrap_or_default(),
        offer_channel: members.choice("deliveryChannel", OFFER_CHANNELS, faults).unwrap_or_default(),
        pin_channel: members.choice("pinChannel", PIN_CHANNELS, faults).unwrap_or_default(),
        ..contact
    }
}

/// A channel has the address that it needs, and the transaction code takes another one than the offer.
fn check_channels(contact: &Contact, sends_mail: bool, members: &Members<'_>, faults: &mut Faults) {
    let channels = [("deliveryChannel", contact.offer_channel), ("pinChannel", contact.pin_channel.as_offer_channel())];
    for (name, channel) in channels {
        match channel {
            OfferChannel::None | OfferChannel::Webhook => {}
            OfferChannel::WalletEndpoint if members.filled("walletEndpoint").is_none() => {
                faults.add(members.at("walletEndpoint"), format!("{name} walletEndpoint needs it"));
            }
            OfferChannel::Email if members.filled("email").is_none() => {
                faults.add(members.at("email"), format!("{name} email needs it"));
            }
            OfferChannel::Email if !sends_mail => {
                faults.add(members.at(name), "this server sends no mail: smtp.host is not set");
            }
            OfferChannel::WalletEndpoint | OfferChannel::Email => {}
        }
    }
    let pin = contact.pin_channel;
    if pin != PinChannel::None && pin.as_offer_channel() == contact.offer_channel {
        faults.add(members.at("pinChannel"), "the transaction code takes another channel than the offer");
    }
}

fn is_phone(text: &str) -> bool {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let is_written_so =
        |(position, c): (usize, char)| c.is_ascii_digit() || " -./()".contains(c) || (c == '+' && position == 0);
    (3..=15).contains(&digits) && text.chars().count() <= 32 && text.chars().enumerate().all(is_written_so)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Addresses;

    fn read(individual: &Value) -> Result<Contact, Vec<String>> {
        let body = json!({ "individual": individual });
        let outbound = Outbound::new(Addresses::Public);
        let read = read_body(&outbound, true, body.as_object().unwrap());
        read.map_err(|faults| faults.into_iter().map(|fault| fault.pointer).collect())
    }

    #[test]
    fn a_complete_individual_is_read_and_everything_may_be_left_out() {
        let contact = read(&json!({
            "name": "Ada Lovelace", "email": "ada@example.org", "phone": "+32 2 123 45 67", "externalId": "P-1",
            "externalIdType": "payroll", "identityProviderId": "idp", "iamId": "ada", "deviceType": "phone",
            "mapperId": "P-1", "deliveryChannel": "email", "pinChannel": "webhook", "revision": 7
        }))
        .unwrap();
        assert_eq!((contact.offer_channel, contact.pin_channel), (OfferChannel::Email, PinChannel::Webhook));
        assert_eq!(contact.external_id, "P-1");
        assert_eq!(read(&json!({})).unwrap(), Contact::default());
    }

    #[test]
    fn each_wrong_member_is_named() {
        for (member, value) in [
            ("email", json!("ada")),
            ("email", json!("ada@example.org\r\nBcc: eve@example.org")),
            ("email", json!("Ada <ada@example.org>")),
            ("email", json!("âda@example.org")),
            ("phone", json!("call me")),
            ("phone", json!("12+34")),
            ("name", json!("A\nB")),
            ("externalId", json!(7)),
            ("mapperId", json!("P-2")),
            ("walletEndpoint", json!("http://wallet.example/offer")),
            ("walletEndpoint", json!("https://10.0.0.1/offer")),
            ("deliveryChannel", json!("pigeon")),
            ("typo", json!(1)),
        ] {
            let mut individual = json!({});
            individual[member] = value;
            let found = read(&individual).unwrap_err();
            assert_eq!(found.first(), Some(&format!("/individual/{member}")), "{individual}");
        }
    }

    #[test]
    fn a_channel_needs_its_address() {
        assert_eq!(read(&json!({ "deliveryChannel": "email" })).unwrap_err(), ["/individual/email"]);
        assert_eq!(read(&json!({ "pinChannel": "email" })).unwrap_err(), ["/individual/email"]);
        assert_eq!(read(&json!({ "deliveryChannel": "walletEndpoint" })).unwrap_err(), ["/individual/walletEndpoint"]);
        assert!(read(&json!({ "deliveryChannel": "webhook" })).is_ok());
    }

    #[test]
    fn the_transaction_code_takes_another_channel_than_the_offer() {
        for channel in ["email", "webhook"] {
            let both = json!({ "email": "ada@example.org", "deliveryChannel": channel, "pinChannel": channel });
            assert_eq!(read(&both).unwrap_err(), ["/individual/pinChannel"]);
        }
        assert!(read(&json!({ "email": "ada@example.org", "pinChannel": "email" })).is_ok());
    }

    #[test]
    fn without_a_mail_server_nobody_is_reached_by_mail() {
        let body = json!({ "individual": { "email": "ada@example.org", "deliveryChannel": "email" } });
        let faults = read_body(&Outbound::new(Addresses::Public), false, body.as_object().unwrap()).unwrap_err();
        assert_eq!(faults[0].pointer, "/individual/deliveryChannel");
    }
}
