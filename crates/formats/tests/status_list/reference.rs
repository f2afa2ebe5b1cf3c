//! What a credential says about its place in a list.

use chancery_formats::sd_jwt::{Content, KeyReference, Prepared};
use chancery_formats::status_list::{Aggregation, Reference, ReferenceError};
use chancery_keys::{Algorithm, jws};
use rstest::rstest;
use serde_json::{Map, Value, json};

use crate::signers::{block_on, signer};

fn reference() -> Reference {
    Reference { idx: 48_213, uri: "https://status.example/sl/7".to_owned() }
}

/// TSL-6, SVC-11.
#[test]
fn an_sd_jwt_credential_carries_the_reference_in_the_clear() {
    let content = Content {
        vct: "https://types.example/staff/1".to_owned(),
        issuer: Some("https://issuer.example/t/acme".to_owned()),
        claims: Map::from_iter([("sub".to_owned(), "u-1".into())]),
        disclosable: vec![r#"["sub"]"#.parse().unwrap()],
        holder_key: None,
        issued_at: None,
        not_before: None,
        expires_at: Some(1_790_000_000),
        status: Some(reference().to_status()),
        decoys: 0,
    };
    let prepared = Prepared::new(content, &mut |bytes| bytes.fill(7)).unwrap();
    let issued = block_on(prepared.sign(&signer(Algorithm::Es256), KeyReference::Kid)).unwrap();
    let (jwt, _) = issued.compact.split_once('~').unwrap();
    let status = jws::decode(jwt).unwrap().claims()["status"].clone();
    assert_eq!(status, json!({ "status_list": { "idx": 48_213, "uri": "https://status.example/sl/7" } }));
    assert_eq!(Reference::from_status(&status), Ok(reference()));
}

#[test]
fn another_mechanism_and_other_members_beside_the_reference_are_ignored() {
    let status = json!({
        "status_list": { "idx": 48_213, "uri": "https://status.example/sl/7", "certificate": "x" },
        "identifier_list": { "id": "x" }
    });
    assert_eq!(Reference::from_status(&status), Ok(reference()));
}

#[rstest]
#[case(json!(null), ReferenceError::Absent)]
#[case(json!([]), ReferenceError::Absent)]
#[case(json!({ "identifier_list": {} }), ReferenceError::Absent)]
#[case(json!({ "status_list": null }), ReferenceError::Malformed)]
#[case(json!({ "status_list": { "uri": "https://a.example" } }), ReferenceError::Malformed)]
#[case(json!({ "status_list": { "idx": 1 } }), ReferenceError::Malformed)]
#[case(json!({ "status_list": { "idx": -1, "uri": "https://a.example" } }), ReferenceError::Malformed)]
#[case(json!({ "status_list": { "idx": 1.5, "uri": "https://a.example" } }), ReferenceError::Malformed)]
#[case(json!({ "status_list": { "idx": "1", "uri": "https://a.example" } }), ReferenceError::Malformed)]
#[case(json!({ "status_list": { "idx": 4_294_967_296_u64, "uri": "https://a.example" } }), ReferenceError::Malformed)]
#[case(json!({ "status_list": { "idx": 1, "uri": 1 } }), ReferenceError::Malformed)]
fn a_status_that_leads_to_no_list_is_refused(#[case] status: Value, #[case] refusal: ReferenceError) {
    assert_eq!(Reference::from_status(&status), Err(refusal));
}

/// TSL-13.
#[test]
fn the_aggregation_document_names_the_lists() {
    let aggregation = Aggregation {
        status_lists: vec!["https://status.example/sl/7".to_owned(), "https://status.example/sl/8".to_owned()],
    };
    let document = json!({ "status_lists": ["https://status.example/sl/7", "https://status.example/sl/8"] });
    assert_eq!(json!(aggregation), document);
    assert_eq!(serde_json::from_value::<Aggregation>(document).unwrap(), aggregation);
    assert_eq!(json!(Aggregation::default()), json!({ "status_lists": [] }));
}
