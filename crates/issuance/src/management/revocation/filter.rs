//! Which credentials a call means.

use chancery_model::{DefinitionId, ExchangeId, Timestamp};
use chancery_storage::HolderFilter;
use serde_json::Value;

use super::STATUSES;
use crate::management::body::{Faults, Members, whole_number};

const MEMBERS: &[&str] =
    &["credentialDefinitionId", "credentialExchangeIds", "holderDid", "issuedFrom", "issuedUntil", "revocationStatus"];

/// Reads `filter`. It names something: nobody revokes everything by leaving a member out.
pub(super) fn read(body: &Members<'_>, most: usize, faults: &mut Faults) -> Option<HolderFilter> {
    body.require("filter", faults);
    let filter = body.object("filter", faults)?;
    filter.refuse_others(&[MEMBERS], faults);
    if MEMBERS.iter().all(|name| filter.value(name).is_none()) {
        faults.add(filter.pointer(), "at least one member is expected");
    }
    let exchanges = filter.array("credentialExchangeIds", most, faults).map(|ids| {
        let read = |(pointer, value): (String, &Value)| {
            let id = value.as_str().and_then(ExchangeId::parse);
            if id.is_none() {
                faults.add(pointer, "the id of an exchange is expected");
            }
            id
        };
        ids.into_iter().filter_map(read).collect()
    });
    let definition = filter.text("credentialDefinitionId", 64, faults).and_then(|text| {
        let id = DefinitionId::parse(text);
        if id.is_none() {
            faults.add(filter.at("credentialDefinitionId"), "the id of a definition is expected");
        }
        id
    });
    Some(HolderFilter {
        exchanges,
        definition,
        client_id: filter.text("holderDid", 2048, faults).map(str::to_owned),
        issued_from: seconds(&filter, "issuedFrom", faults),
        issued_before: seconds(&filter, "issuedUntil", faults),
        status: filter.choice("revocationStatus", STATUSES, faults),
        not_in_lists: None,
    })
}

fn seconds(members: &Members<'_>, name: &str, faults: &mut Faults) -> Option<Timestamp> {
    let value = members.value(name)?;
    let seconds = whole_number(value).and_then(|seconds| i64::try_from(seconds).ok());
    let seconds = seconds.filter(|seconds| *seconds <= 253_402_300_799);
    if seconds.is_none() {
        faults.add(members.at(name), "whole unix seconds are expected");
    }
    seconds.map(Timestamp::from_seconds)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn faults(filter: &Value) -> Vec<String> {
        let body = json!({ "filter": filter });
        let mut faults = Faults::default();
        let read = body.as_object().map(|body| read(&Members::of_body(body), 2, &mut faults));
        faults.none_or(read.flatten()).err().unwrap_or_default().into_iter().map(|fault| fault.pointer).collect()
    }

    #[test]
    fn a_filter_names_something() {
        assert_eq!(faults(&json!({})), ["/filter"]);
        assert_eq!(faults(&Value::Null), ["/filter"]);
        assert!(faults(&json!({ "issuedFrom": 0 })).is_empty());
        assert!(faults(&json!({ "issuedFrom": 733.0 })).is_empty());
    }

    #[test]
    fn what_cannot_be_meant_is_named() {
        let id = "018f0000-0000-7000-8000-00000000dead";
        assert_eq!(faults(&json!({ "credentialExchangeIds": ["x"] })), ["/filter/credentialExchangeIds/0"]);
        assert_eq!(faults(&json!({ "credentialExchangeIds": [id, id, id] })), ["/filter/credentialExchangeIds"]);
        assert_eq!(faults(&json!({ "credentialDefinitionId": "x" })), ["/filter/credentialDefinitionId"]);
        assert_eq!(
            faults(&json!({ "issuedUntil": -1, "revocationStatus": "Lost", "vct": "x" })),
            ["/filter/vct", "/filter/issuedUntil", "/filter/revocationStatus"]
        );
    }
}
