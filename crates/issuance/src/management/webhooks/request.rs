//! The body that describes a webhook.

use chancery_model::{WebhookContentType, WebhookEvent};
use serde_json::{Map, Value};

use super::message::event_type;
use crate::management::body::{Fault, Faults, Members};
use crate::management::endpoint;
use crate::outbound::Outbound;

/// Length of a secret, in characters.
const SECRET_LENGTH: std::ops::RangeInclusive<usize> = 16..=255;

/// A webhook as it is asked for.
pub(super) struct WebhookRequest {
    pub(super) url: String,
    pub(super) content_type: WebhookContentType,
    pub(super) events: Vec<WebhookEvent>,
    pub(super) disabled: bool,
    pub(super) secret: Option<String>,
}

const CONTENT_TYPES: &[(&str, WebhookContentType)] =
    &[("application/json", WebhookContentType::Json), ("application/x-www-form-urlencoded", WebhookContentType::Form)];

/// Members that answers add; a client that sends an answer back with changes may leave them in.
const ANSWERED: &[&str] = &[
    "id",
    "orgId",
    "sandboxOrgId",
    "timestamp",
    "isLastDeliverySuccess",
    "disabledReason",
    "disabledTimestamp",
    "failingSinceTimestamp",
];

pub(super) fn read(outbound: &Outbound, body: &Map<String, Value>) -> Result<WebhookRequest, Vec<Fault>> {
    let mut faults = Faults::default();
    let whole = Members::of_body(body);
    whole.require("webhook", &mut faults);
    let webhook = whole.object("webhook", &mut faults).and_then(|members| webhook(outbound, &members, &mut faults));
    faults.none_or(webhook)
}

fn webhook(outbound: &Outbound, members: &Members<'_>, faults: &mut Faults) -> Option<WebhookRequest> {
    let known = ["payloadUrl", "contentType", "subscribedEvents", "disabled", "secretKey", "skipSslVerification"];
    members.refuse_others(&[&known, ANSWERED], faults);
    members.require_text("payloadUrl", faults);
    members.require_text("contentType", faults);
    members.require("subscribedEvents", faults);
    members.refuse(&["skipSslVerification"], "certificates are always verified", faults);
    let url = endpoint::read(outbound, members, "payloadUrl", faults);
    let content_type = members.choice("contentType", CONTENT_TYPES, faults);
    let disabled = members.boolean("disabled", false, faults);
    let secret = read_secret(members, faults);
    let events = subscribed(members, faults);
    Some(WebhookRequest { url: url?, content_type: content_type?, events: events?, disabled, secret })
}

/// `secretKey`; absent when one is to be made, or the one that is there stays.
pub(in crate::management) fn read_secret(members: &Members<'_>, faults: &mut Faults) -> Option<String> {
    let secret = members.text("secretKey", *SECRET_LENGTH.end(), faults)?;
    if secret.chars().count() < *SECRET_LENGTH.start() {
        faults.add(members.at("secretKey"), "at least 16 characters are expected");
        return None;
    }
    Some(secret.to_owned())
}

fn subscribed(members: &Members<'_>, faults: &mut Faults) -> Option<Vec<WebhookEvent>> {
    let groups = members.object("subscribedEvents", faults)?;
    groups.refuse_others(&[&["consentManagementWebhook", "digitalWalletWebhook", "dataMarketplaceWebhook"]], faults);
    let others = ["consentManagementWebhook", "dataMarketplaceWebhook"];
    groups.refuse(&others, "there are no events of this kind here", faults);
    let listed = groups.array("digitalWalletWebhook", 64, faults).unwrap_or_default();
    let mut events = Vec::new();
    for (pointer, value) in listed {
        let known = WebhookEvent::all().find(|event| value.as_str() == Some(&event_type(*event)));
        match known {
            Some(event) if events.contains(&event) => {}
            Some(event) => events.push(event),
            None => faults.add(pointer, "there is no such event type; see /v2/config/webhooks/event-types"),
        }
    }
    events.sort_unstable();
    if events.is_empty() {
        faults.add(groups.at("digitalWalletWebhook"), "at least one event type is expected");
        return None;
    }
    Some(events)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Addresses;

    fn pointers(body: &Value) -> Vec<String> {
        match read(&Outbound::new(Addresses::Public), body.as_object().unwrap()) {
            Ok(_) => Vec::new(),
            Err(faults) => faults.into_iter().map(|fault| fault.pointer).collect(),
        }
    }

    fn good() -> Value {
        json!({ "webhook": {
            "payloadUrl": "https://hooks.example/a",
            "contentType": "application/json",
            "subscribedEvents": { "digitalWalletWebhook": ["openid.credential.offer_sent"] },
            "secretKey": "0123456789abcdef",
        } })
    }

    #[test]
    fn a_complete_webhook_is_read() {
        assert!(pointers(&good()).is_empty());
    }

    #[test]
    fn each_wrong_member_is_named() {
        for (member, value) in [
            ("payloadUrl", json!("http://hooks.example/a")),
            ("payloadUrl", json!("https://10.0.0.1/a")),
            ("payloadUrl", json!("https://user:secret@hooks.example/a")),
            ("payloadUrl", json!("hooks")),
            ("payloadUrl", json!("")),
            ("contentType", json!("")),
            ("contentType", json!("text/plain")),
            ("secretKey", json!("short")),
            ("skipSslVerification", json!(true)),
            ("unknown", json!(1)),
        ] {
            let mut body = good();
            body["webhook"][member] = value;
            assert_eq!(pointers(&body), [format!("/webhook/{member}")]);
        }
        for events in [json!([]), json!(["openid.presentation.request_sent.v3"])] {
            let mut body = good();
            body["webhook"]["subscribedEvents"]["digitalWalletWebhook"] = events;
            assert!(pointers(&body)[0].starts_with("/webhook/subscribedEvents/digitalWalletWebhook"));
        }
        assert_eq!(pointers(&json!({})), ["/webhook"]);
    }
}
