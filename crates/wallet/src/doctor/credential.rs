//! The whole way with an offer, and a look at what came.

use serde_json::Value;

use super::finding::Kind;
use super::patient::Patient;
use super::{certificates, status_lists};
use crate::error::WalletError;

const SUBJECT: &str = "a credential, from offer to verification";

pub(super) async fn examine(patient: &mut Patient<'_>, offer: Option<&str>) {
    let Some(offer) = offer else {
        patient.skip(SUBJECT, "no offer was given");
        return;
    };
    patient.look_at("the offer can be fetched twice");
    for _ in 0..2 {
        if let Err(error) = patient.wallet.fetch_offer(offer, patient.options).await {
            patient.find_error(Kind::OFFER_CONSUMED, &error);
            return;
        }
    }
    patient.look_at(SUBJECT);
    let accepted = match patient.wallet.accept(offer, patient.options).await {
        Ok(accepted) => accepted,
        Err(error @ (WalletError::Input(_) | WalletError::Unsupported(_))) => {
            if let Some(check) = patient.report.checks.last_mut() {
                check.skipped = Some(error.to_string());
            }
            return;
        }
        Err(error) => {
            patient.find_error(Kind::OFFER_FAILED, &error);
            return;
        }
    };
    for credential in &accepted.credentials {
        certificates::carried(patient, &credential.header, "the credential", "HAIP §6.1.1");
    }
    for credential in &accepted.credentials {
        let list = credential.claims.get("status").and_then(|status| status.get("status_list"));
        let Some(uri) = list.and_then(|list| list.get("uri")).and_then(Value::as_str) else { continue };
        status_lists::look_at(patient, uri).await;
    }
}
