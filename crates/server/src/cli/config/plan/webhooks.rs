//! Webhooks, told apart by their URL.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Action, Change, Planner, Seen, Step, sent_in_words};
use crate::cli::config::difference::{differences, overlay};
use crate::cli::config::document::fault;
use crate::cli::config::remote::{WEBHOOK, WEBHOOK_MADE, text, without};
use crate::cli::config::secret;

pub(super) fn plan(planner: &mut Planner<'_>) {
    let Some(wanted) = &planner.document.webhooks else { return };
    let remote = planner.remote;
    for (position, webhook) in wanted.iter().enumerate() {
        let url = text(webhook, "payloadUrl");
        let known = remote.webhooks.iter().find(|known| text(known, "payloadUrl") == url);
        plan_one(planner, format!("/webhooks/{position}"), webhook, known);
    }
    let is_wanted = |known: &&Value| wanted.iter().any(|it| text(it, "payloadUrl") == text(known, "payloadUrl"));
    for known in remote.webhooks.iter().filter(|known| !is_wanted(known)) {
        let path = format!("{WEBHOOK}/{}", text(known, "id"));
        let call = Some((Method::DELETE, path));
        planner.surplus(name(known), Step { call, seen: seen(known), ..Step::default() });
    }
}

fn plan_one(planner: &mut Planner<'_>, place: String, wanted: &Value, known: Option<&Value>) {
    let mut wanted = wanted.clone();
    let reference = secret::take(&mut wanted, "secretKey");
    let wanted = without(&wanted, WEBHOOK_MADE);
    let before = known.map(|known| without(known, WEBHOOK_MADE)).unwrap_or_else(|| json!({}));
    let body = overlay("", &before, &wanted);
    let found = differences(&before, &body);
    // One that the server makes would be shown once, to nobody.
    if known.is_none() && reference.is_none() {
        let detail = "a new webhook needs a secret: {\"environment\": \"NAME\"} or {\"file\": \"path\"}";
        planner.plan.obstacles.push(fault(format!("{place}/secretKey"), detail));
    }
    let send = reference.filter(|_| known.is_none() || planner.wishes.send_secrets);
    let secret = send.and_then(|reference| planner.secret("secretKey", reference, &place));
    let mut notes: Vec<String> = secret.iter().map(sent_in_words).collect();
    let reason = known.map(|known| text(known, "disabledReason")).filter(|reason| !reason.is_empty());
    notes.extend(reason.map(|reason| format!("the server disabled it: {reason}")));
    let (action, call) = match known {
        Some(known) => (Action::Change, (Method::PUT, format!("{WEBHOOK}/{}", text(known, "id")))),
        None => (Action::Create, (Method::POST, WEBHOOK.to_owned())),
    };
    let step = Step {
        call: Some(call),
        body: Some(json!({ "webhook": body })),
        root: "/webhook",
        seen: known.map_or(Seen::Nothing, seen),
        secret,
        ..Step::default()
    };
    planner.add(Change { action, name: name(&wanted), place, differences: found, notes, step });
}

fn name(webhook: &Value) -> String {
    format!("webhook {}", text(webhook, "payloadUrl"))
}

/// Deliveries go on meanwhile; only what is configured counts.
fn seen(known: &Value) -> Seen {
    Seen::Content(format!("{WEBHOOK}/{}", text(known, "id")), "webhook", without(known, WEBHOOK_MADE))
}
