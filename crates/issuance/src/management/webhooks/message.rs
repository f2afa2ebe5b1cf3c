//! What a webhook is sent: a thin event, and signatures over it.
//!
//! An event has ids and a status, never claims: whoever wants to know more asks the management face. One has a secret, the
//! transaction code of an offer, for those who subscribe to it to carry it to the individual. Two signatures cover
//! the same JSON: that of Standard Webhooks 1.0 (`webhook-id`, `webhook-timestamp`, `webhook-signature`), by every live
//! secret, and `X-IGrant-Signature: t=…,sig=…`, by the newest one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chancery_keys::hmac_sha256;
use chancery_model::{
    IndividualId, Organisation, Timestamp, Webhook, WebhookContentType, WebhookDelivery, WebhookEvent, WebhookSecrets,
};
use http::Request;
use http::header::{CONTENT_TYPE, HeaderName};
use http::request::Builder;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use url::form_urlencoded;

const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
const WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const WEBHOOK_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");
const IGRANT_SIGNATURE: HeaderName = HeaderName::from_static("x-igrant-signature");

/// Begins a secret whose rest is the key in base64 (Standard Webhooks 1.0, "Secrets").
const SECRET_PREFIX: &str = "whsec_";

/// Type of an event.
pub fn event_type(event: WebhookEvent) -> String {
    match event {
        WebhookEvent::Status(status) => format!("openid.credential.{}", status.name()),
        WebhookEvent::IndividualOffer => "openid.individual.offer".to_owned(),
        WebhookEvent::IndividualPin => "openid.individual.pin".to_owned(),
    }
}

/// What an event about an individual says beside ids of the exchange.
#[derive(Default)]
pub(super) struct Addressee {
    pub(super) individual: Option<IndividualId>,
    /// Empty when the offer has none, or needs none any more.
    pub(super) pin: String,
}

/// The JSON of a delivery: the same bytes at every attempt.
pub(super) fn event(organisation: &Organisation, delivery: &WebhookDelivery, addressee: &Addressee) -> String {
    let exchange = delivery.exchange_id.to_string();
    let individual = addressee.individual.map(|id| id.to_string()).unwrap_or_default();
    let about = match delivery.event {
        WebhookEvent::Status(status) => {
            json!({ "credential": { "CredentialExchangeId": exchange, "status": status.name() } })
        }
        WebhookEvent::IndividualOffer => {
            json!({ "credential": { "CredentialExchangeId": exchange }, "individual": { "id": individual } })
        }
        WebhookEvent::IndividualPin => json!({
            "credential": { "CredentialExchangeId": exchange },
            "individual": { "id": individual, "userPin": addressee.pin },
        }),
    };
    let mut data = Map::from_iter([
        ("organisationId".to_owned(), Value::from(owner(organisation))),
        ("sandboxOrgId".to_owned(), Value::from(sandbox(organisation))),
    ]);
    data.extend(about.as_object().cloned().unwrap_or_default());
    json!({
        "deliveryID": delivery.id.to_string(),
        "webhookID": delivery.webhook_id.to_string(),
        "timestamp": instant(delivery.event_at),
        "type": event_type(delivery.event),
        "data": data,
    })
    .to_string()
}

/// The organisation that is told; of a sandbox the one that it belongs to.
fn owner(organisation: &Organisation) -> String {
    organisation.parent.unwrap_or(organisation.id).to_string()
}

/// The sandbox organisation that is told; empty when it is none.
fn sandbox(organisation: &Organisation) -> String {
    organisation.parent.map(|_| organisation.id.to_string()).unwrap_or_default()
}

/// The JSON of a test call.
pub(super) fn ping(organisation: &Organisation, webhook: &Webhook, id: &str, now: Timestamp) -> String {
    json!({
        "deliveryID": id,
        "webhookID": webhook.id.to_string(),
        "timestamp": instant(now),
        "type": "webhook.ping",
        "data": { "organisationId": owner(organisation), "sandboxOrgId": sandbox(organisation) },
    })
    .to_string()
}

/// The JSON that tells a webhook which others were disabled.
pub(super) fn disabled(
    organisation: &Organisation,
    receiver: &Webhook,
    disabled: &[&Webhook],
    id: &str,
    newest: Timestamp,
) -> String {
    let told = disabled.iter().map(|webhook| {
        json!({
            "id": webhook.id.to_string(),
            "payloadUrl": webhook.url,
            "disabledReason": webhook.disabled_reason.as_deref().unwrap_or_default(),
            "disabledAt": webhook.disabled_at.map(instant).unwrap_or_default(),
        })
    });
    json!({
        "deliveryID": id,
        "webhookID": receiver.id.to_string(),
        "timestamp": instant(newest),
        "type": "webhook.disabled",
        "data": {
            "organisationId": owner(organisation),
            "sandboxOrgId": sandbox(organisation),
            "webhooks": told.collect::<Vec<_>>(),
        },
    })
    .to_string()
}

/// The request that carries `json` to a webhook at `now`; `None` when the URL cannot be called. `id` is the same at every
/// attempt.
pub(super) fn sealed(
    webhook: &Webhook,
    json: String,
    id: &str,
    secrets: &WebhookSecrets,
    now: Timestamp,
) -> Option<Request<Vec<u8>>> {
    let seconds = now.seconds().to_string();
    let own = hmac_sha256(secrets.current.as_bytes(), format!("{seconds}.{json}").as_bytes());
    let own: String = own.iter().map(|byte| format!("{byte:02x}")).collect();
    let request = sign(Request::post(webhook.url.as_str()), &json, id, secrets, now);
    let body = match webhook.content_type {
        WebhookContentType::Json => json,
        WebhookContentType::Form => {
            form_urlencoded::Serializer::new(String::new()).append_pair("payload", &json).finish()
        }
    };
    let request = request
        .header(CONTENT_TYPE, webhook.content_type.name())
        .header(IGRANT_SIGNATURE, format!("t={seconds},sig={own}"));
    request.body(body.into_bytes()).ok()
}

/// The headers of Standard Webhooks 1.0 over `json`, by every live secret.
pub(crate) fn sign(request: Builder, json: &str, id: &str, secrets: &WebhookSecrets, now: Timestamp) -> Builder {
    let seconds = now.seconds().to_string();
    let signed = format!("{id}.{seconds}.{json}");
    let signature = |secret| format!("v1,{}", STANDARD.encode(hmac_sha256(&key(secret), signed.as_bytes())));
    let signatures: Vec<String> = secrets.live(now).map(signature).collect();
    request
        .header(WEBHOOK_ID, id)
        .header(WEBHOOK_TIMESTAMP, seconds.as_str())
        .header(WEBHOOK_SIGNATURE, signatures.join(" "))
}

/// The key that Standard Webhooks sign with: a secret with the prefix is base64, any other is taken as it is.
fn key(secret: &str) -> Vec<u8> {
    let encoded = secret.strip_prefix(SECRET_PREFIX);
    encoded.and_then(|encoded| STANDARD.decode(encoded).ok()).unwrap_or_else(|| secret.as_bytes().to_vec())
}

/// RFC 3339 in UTC.
pub(crate) fn instant(at: Timestamp) -> String {
    let instant = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.millis()) * 1_000_000).ok();
    instant.and_then(|instant| instant.format(&Rfc3339).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use chancery_model::{ExchangeStatus, WebhookId};
    use uuid::Uuid;

    use super::*;

    fn webhook(content_type: WebhookContentType) -> Webhook {
        Webhook {
            id: WebhookId::from(Uuid::nil()),
            url: "https://hooks.example/a".to_owned(),
            content_type,
            events: vec![WebhookEvent::Status(ExchangeStatus::OfferSent)],
            disabled: false,
            disabled_reason: None,
            disabled_at: None,
            failing_since: None,
            sealed_secrets: Vec::new(),
            created_at: Timestamp::from_seconds(0),
            updated_at: Timestamp::from_seconds(0),
        }
    }

    /// The example of the Standard Webhooks libraries.
    #[test]
    fn the_signature_is_that_of_the_published_example() {
        let secrets = WebhookSecrets {
            current: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned(),
            previous: Some("a secret of another kind".to_owned()),
            previous_until: Some(Timestamp::from_seconds(1_614_265_331)),
        };
        let json = r#"{"test": 2432232314}"#;
        let now = Timestamp::from_seconds(1_614_265_330);
        let signatures = |now| {
            let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
            let request = sealed(&webhook(WebhookContentType::Json), json.to_owned(), id, &secrets, now).unwrap();
            assert_eq!(request.body(), json.as_bytes());
            request.headers()[&WEBHOOK_SIGNATURE].to_str().unwrap().to_owned()
        };
        let both = signatures(now);
        let (first, second) = both.split_once(' ').unwrap();
        assert_eq!(first, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert!(second.starts_with("v1,"));
        assert!(!signatures(now.plus_seconds(1)).contains(' '));
    }

    #[test]
    fn a_form_carries_the_json_that_was_signed() {
        let secrets = WebhookSecrets { current: "0123456789abcdef".to_owned(), previous: None, previous_until: None };
        let now = Timestamp::from_seconds(1);
        let send =
            |content_type| sealed(&webhook(content_type), r#"{"a":"b c"}"#.to_owned(), "id", &secrets, now).unwrap();
        let (as_json, as_form) = (send(WebhookContentType::Json), send(WebhookContentType::Form));
        assert_eq!(as_form.body(), b"payload=%7B%22a%22%3A%22b+c%22%7D");
        for name in [WEBHOOK_SIGNATURE, IGRANT_SIGNATURE] {
            assert_eq!(as_json.headers()[&name], as_form.headers()[&name]);
        }
    }
}
