//! The notification endpoint (OpenID4VCI §11): a wallet says what became of a credential.

use chancery_model::{ExchangeId, Organisation, Report, SecretHash, Timestamp};
use chancery_protocol::notification::{Event, NotificationError, NotificationRequest};
use chancery_protocol::{Explanation, excerpt};
use serde_json::{Value, json};

use super::access::{self, Presented, Request};
use super::trail::{Account, Accountable, Setback, Trail};
use super::{Header, Refusal, redaction};
use crate::{Context, Failure};

const ENDPOINT: &str = "/notification";

/// Why a notification is refused.
#[derive(Debug)]
pub enum Rejection {
    /// The access token or its DPoP proof.
    Access(access::Rejection),
    /// The body is not declared as JSON.
    MediaType,
    /// The body is no proper notification, or its id names no answer of this exchange.
    Notification(NotificationError),
}

/// Error codes of the notification endpoint (OpenID4VCI §11.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    /// One of the access token's (RFC 6750 §3.1).
    Access(access::ErrorCode),
    /// `invalid_notification_id`.
    InvalidNotificationId,
    /// `invalid_notification_request`.
    InvalidNotificationRequest,
}

impl ErrorCode {
    /// The code on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Access(code) => code.name(),
            Self::InvalidNotificationId => "invalid_notification_id",
            Self::InvalidNotificationRequest => "invalid_notification_request",
        }
    }
}

/// Takes a notification. What was said before may be said again, and changes nothing; neither does what comes too late,
/// such as the acceptance of something deleted.
///
/// # Errors
/// [`Rejection`] lists what a wallet can do wrong.
pub async fn receive(
    context: &Context,
    organisation: &Organisation,
    request: Request<'_>,
) -> Result<(), Failure<Refusal<Rejection>>> {
    let now = context.env().now();
    let mut trail = Trail::at(ENDPOINT, now);
    match take(context, organisation, now, &request, &mut trail).await {
        Ok(()) => Ok(()),
        Err(failure) => Err(context.conclude(organisation, trail, failure).await),
    }
}

async fn take(
    context: &Context,
    organisation: &Organisation,
    now: Timestamp,
    request: &Request<'_>,
    trail: &mut Trail,
) -> Result<(), Failure<Rejection>> {
    let access =
        access::check(context, organisation, now, ENDPOINT, request.access, trail, |trail| arrived(request, trail))
            .await
            .map_err(|failure| failure.map_rejection(Rejection::Access))?;
    if !request.notes.has_media_type("application/json") {
        return Err(Failure::Rejected(Rejection::MediaType));
    }
    let notification = NotificationRequest::parse(request.body).map_err(Rejection::Notification);
    let notification = notification.map_err(Failure::Rejected)?;
    note(&notification, trail);
    record(context, organisation, now, access.granted.grant.exchange_id, &notification, trail).await
}

/// The first record of the trail.
fn arrived(request: &Request<'_>, trail: &mut Trail) {
    let Presented { authorization, dpop, .. } = request.access;
    trail.recording.debug(
        "notification.request_received",
        json!({
            "headers": redaction::headers(&request.notes, authorization, dpop),
            "has_dpop_header": !matches!(dpop, Header::Absent),
        }),
    );
}

fn note(notification: &NotificationRequest, trail: &mut Trail) {
    let NotificationRequest { notification_id, event, description } = notification;
    trail.recording.info(
        "notification.received",
        json!({
            "notification_id": redaction::secret(notification_id),
            "event": event.name(),
            "event_description": description.as_deref().map(excerpt),
        }),
    );
    trail.recording.event(
        "notification_received",
        json!({ "notification_id": redaction::secret(notification_id), "event": event.name() }),
    );
}

/// Of equal notifications exactly one leaves something behind: the report, the step of the exchange and the transcript,
/// in one unit of work.
async fn record(
    context: &Context,
    organisation: &Organisation,
    now: Timestamp,
    exchange: ExchangeId,
    notification: &NotificationRequest,
    trail: &mut Trail,
) -> Result<(), Failure<Rejection>> {
    let hash = SecretHash::of(&notification.notification_id);
    let report = match notification.event {
        Event::CredentialAccepted => Report::Accepted,
        Event::CredentialFailure => Report::Failed,
        Event::CredentialDeleted => Report::Deleted,
    };
    let listening = context.listening(organisation).await?;
    context
        .store()
        .write(organisation, async |tx| {
            if tx.note_report(exchange, &hash, report, now).await? {
                let reached = tx.reach_by_report(exchange, report, now).await?;
                listening.announce(context, exchange, &reached, now).record(tx).await?;
                tx.add_transcript_part(&trail.finish(context).of(exchange, None)).await?;
                return Ok(());
            }
            match tx.notified_credential(exchange, &hash).await? {
                Some(_said_before) => Ok(()),
                None => Err(Failure::Rejected(Rejection::Notification(NotificationError::UnknownId))),
            }
        })
        .await
}

impl Rejection {
    /// The error code for the wallet.
    pub fn error(&self) -> ErrorCode {
        match self {
            Self::Access(rejection) => ErrorCode::Access(rejection.error()),
            Self::MediaType => ErrorCode::InvalidNotificationRequest,
            Self::Notification(error) => match error {
                NotificationError::UnknownId => ErrorCode::InvalidNotificationId,
                NotificationError::Json(_)
                | NotificationError::Id { .. }
                | NotificationError::Event { .. }
                | NotificationError::Description { .. } => ErrorCode::InvalidNotificationRequest,
            },
        }
    }

    /// For the wallet's developer.
    pub fn description(&self) -> &'static str {
        match self {
            Self::Access(rejection) => rejection.description(),
            Self::MediaType => "send an application/json body",
            Self::Notification(error) => match error {
                NotificationError::Json(_) => "the body is not an acceptable JSON object",
                NotificationError::Id { .. } => "notification_id is not an acceptable string",
                NotificationError::Event { .. } => {
                    "event must be credential_accepted, credential_failure or credential_deleted"
                }
                NotificationError::Description { .. } => "event_description must be a string",
                NotificationError::UnknownId => "the notification_id is none of this access token",
            },
        }
    }

    /// Our name for the cause, in the transcript's event.
    fn code(&self) -> &'static str {
        match self {
            Self::Access(_) => "access_refused",
            Self::MediaType => "request_malformed",
            Self::Notification(NotificationError::UnknownId) => "notification_unknown",
            Self::Notification(
                NotificationError::Json(_)
                | NotificationError::Id { .. }
                | NotificationError::Event { .. }
                | NotificationError::Description { .. },
            ) => "request_malformed",
        }
    }
}

impl Accountable for Rejection {
    fn account(&self) -> Account {
        let (message, explanation) = match self {
            Self::Access(rejection) => (rejection.message(), rejection.explain()),
            Self::MediaType => (
                "notification.request_invalid",
                Explanation {
                    reason: "the content type is not application/json".to_owned(),
                    help: "send the notification as JSON".into(),
                    spec_ref: "OpenID4VCI 1.0 §11.1",
                },
            ),
            Self::Notification(error) => ("notification.request_invalid", error.explain()),
        };
        let error = self.error();
        let is_dialogue = error == ErrorCode::Access(access::ErrorCode::UseDpopNonce);
        let event =
            (!is_dialogue).then(|| Setback { kind: "notification_refused", error: error.name(), code: self.code() });
        Account { message, explanation, data: Value::Null, event, is_dialogue }
    }
}
