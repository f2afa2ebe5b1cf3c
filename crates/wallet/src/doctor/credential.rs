//! The whole way with an offer, and a look at what came.

use std::sync::Arc;

use serde_json::Value;

use super::certificates;
use super::finding::Kind;
use super::patient::Patient;
use crate::error::{Step, WalletError};
use crate::jose::Jws;
use crate::transport::Request;
use crate::wallet::Accepted;

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
        certificates::chain(patient, &credential.header);
    }
    status(patient, &Arc::new(accepted)).await;
}

/// Token Status List §5, §8.
async fn status(patient: &mut Patient<'_>, accepted: &Accepted) {
    for credential in &accepted.credentials {
        let list = credential.claims.get("status").and_then(|status| status.get("status_list"));
        let Some(uri) = list.and_then(|list| list.get("uri")).and_then(Value::as_str) else { continue };
        patient.look_at(format!("the status list {uri}"));
        let mut request = Request::get(Step::Verification, uri);
        request.headers = vec![("accept", "application/statuslist+jwt".to_owned())];
        let Some(reply) = patient.send(request).await else { continue };
        if reply.status != 200 || !reply.is("application/statuslist+jwt") {
            let got = reply.header("content-type").unwrap_or("no content type").to_owned();
            patient.find(Kind::STATUS_LIST, format!("it answers {} with {got}", reply.status));
            continue;
        }
        match Jws::decode(String::from_utf8_lossy(reply.body()).trim()) {
            Err(error) => patient.find(Kind::STATUS_LIST, error),
            Ok(token) => {
                if token.header_text("typ") != Some("statuslist+jwt") {
                    patient.find(Kind::STATUS_LIST, format!("typ is {:?}", token.header_text("typ")));
                }
                if token.payload().get("sub").and_then(Value::as_str) != Some(uri) {
                    patient.find(Kind::STATUS_LIST, "sub is not the URI of the credential");
                }
                let seconds = |name: &str| token.payload().get(name).and_then(Value::as_i64);
                if seconds("exp").is_some_and(|exp| exp <= patient.now()) {
                    patient.find(Kind::STATUS_LIST, "the list has expired");
                }
                if seconds("iat").is_none_or(|iat| iat > patient.now() + 60) {
                    patient.find(Kind::STATUS_LIST, "iat is missing or in the future");
                }
            }
        }
    }
}
