//! Deferred credentials (OpenID4VCI §9) and notifications (§11).

use std::sync::Arc;

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::error::{Step, Violation, WalletError};
use crate::issuer::Issuer;
use crate::keys::{HolderKey, object};
use crate::options::Options;
use crate::token::Token;
use crate::transport::{JSON, Request};
use crate::wallet::{Accepted, Wallet};

/// A credential that the issuer will deliver later.
#[derive(Debug, Clone)]
pub struct Pending {
    /// The issuer's name for it; a secret only together with the token.
    pub transaction_id: String,
    /// Seconds to wait before asking.
    pub interval_seconds: u64,
    /// Which configuration was asked for.
    pub configuration_id: String,
    pub(crate) keys: Vec<Arc<HolderKey>>,
}

/// What became of a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Stored.
    Accepted,
    /// Not usable.
    Failure,
    /// Deleted by the person.
    Deleted,
}

impl Event {
    /// The name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Accepted => "credential_accepted",
            Self::Failure => "credential_failure",
            Self::Deleted => "credential_deleted",
        }
    }
}

impl Wallet {
    /// Asks once for a deferred credential.
    ///
    /// # Errors
    /// [`WalletError::Refused`] when it will not come; [`WalletError::Violation`] for a wrong answer.
    pub async fn deferred(
        &self,
        issuer: &Issuer,
        token: &Token,
        pending: &Pending,
        options: &Options,
    ) -> Result<Answer, WalletError> {
        let Some(url) = &issuer.metadata.deferred_credential_endpoint else {
            let what = "an answer was deferred without an endpoint to fetch it from";
            return Violation::err(
                Step::Deferred,
                "OpenID4VCI §8.3, §12.2.4",
                what,
                "deferred_credential_endpoint",
                "none",
            );
        };
        let body = object([("transaction_id", json!(pending.transaction_id))]);
        let (status, answer) = self.ask(Step::Deferred, url, issuer, token, body, options).await?;
        if status == 202 && answer.get("transaction_id").and_then(Value::as_str) != Some(&pending.transaction_id) {
            let what = "the transaction_id changed";
            return Violation::err(Step::Deferred, "OpenID4VCI §9.2", what, "the one of the request", "another one");
        }
        Answer::read(&answer, status == 202, pending.keys.len())
    }

    /// Asks once for each pending credential of `accepted`. What came is verified and moves to the credentials; what is not
    /// ready stays pending.
    ///
    /// # Errors
    /// See [`Wallet::deferred`] and [`Wallet::verify`].
    pub async fn poll(&self, accepted: &mut Accepted, options: &Options) -> Result<(), WalletError> {
        for mut pending in std::mem::take(&mut accepted.pending) {
            let issuer = accepted.issuer.clone();
            match self.deferred(&issuer, &accepted.token, &pending, options).await? {
                Answer::Deferred { interval_seconds, .. } => {
                    pending.interval_seconds = interval_seconds;
                    accepted.pending.push(pending);
                }
                Answer::Issued { credentials, notification_id } => {
                    let Pending { configuration_id, keys, .. } = pending;
                    self.store(accepted, &configuration_id, (credentials, notification_id), keys, options).await?;
                }
            }
        }
        Ok(())
    }

    /// Tells the issuer what became of credentials (§11). Does nothing when it has no notification endpoint.
    ///
    /// # Errors
    /// [`WalletError::Refused`] or [`WalletError::Violation`].
    pub async fn notify(
        &self,
        issuer: &Issuer,
        token: &Token,
        notification_id: &str,
        event: Event,
        options: &Options,
    ) -> Result<(), WalletError> {
        let Some(url) = &issuer.metadata.notification_endpoint else { return Ok(()) };
        let body = json!({"notification_id": notification_id, "event": event.name()}).to_string();
        let request = Request::post(Step::Notification, url, Some(JSON), body.into_bytes());
        let reply = self.send_authorized(request, issuer, token, options).await?;
        if (200..300).contains(&reply.status) {
            return Ok(());
        }
        // An error answer becomes a refusal, anything else a violation.
        reply.object(&[204], "OpenID4VCI §11.2").map(drop)
    }
}
