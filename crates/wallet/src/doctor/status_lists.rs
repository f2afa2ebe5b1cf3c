//! Status lists: those that the authorization server's metadata lead to, and those of credentials.

use serde_json::Value;

use super::certificates;
use super::discovery::Documents;
use super::finding::Kind;
use super::patient::Patient;
use crate::error::Step;
use crate::json;
use crate::status_list;

/// Most lists that are looked at without an offer.
const MOST: usize = 4;

/// The lists that `status_list_aggregation_endpoint` names (Token Status List §9.1, §9.3).
pub(super) async fn examine(patient: &mut Patient<'_>, documents: &Documents) {
    let Some(endpoint) = documents.of_server("status_list_aggregation_endpoint").map(str::to_owned) else { return };
    patient.look_at(format!("the names of the status lists at {endpoint}"));
    let Some(reply) = patient.get(Step::Verification, &endpoint).await else { return };
    let named = json::parse_object(reply.body()).ok().filter(|_| reply.status == 200);
    let named = named.as_ref().and_then(|object| object.get("status_lists")).and_then(Value::as_array).cloned();
    let Some(named) = named else {
        patient.find(Kind::STATUS_LIST, format!("it answers {} and no array status_lists", reply.status));
        return;
    };
    for uri in named.iter().filter_map(Value::as_str).take(MOST) {
        look_at(patient, uri).await;
    }
}

/// The list at `uri`, its signature, and the certificates of its signer.
pub(super) async fn look_at(patient: &mut Patient<'_>, uri: &str) {
    let subject = format!("the status list {uri}");
    if patient.report.checks.iter().any(|check| check.subject == subject) {
        return;
    }
    patient.look_at(subject);
    let (http, now) = (&patient.wallet.http, patient.now());
    match status_list::fetch(http, uri, patient.identifier, now, patient.options).await {
        Ok(token) => certificates::carried(patient, token.header(), "the list", "HAIP §6.1"),
        Err(error) => patient.find_error(Kind::STATUS_LIST, &error),
    }
}
