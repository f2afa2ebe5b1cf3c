use chancery_model::{AuthorizationRequestType, ClaimDescription, Format, RevocationMethod};
use serde_json::json;
use uuid::Uuid;

use super::*;

fn entry() -> Entry {
    let paths = json!([
        ["name"],
        ["address"],
        ["address", "locality"],
        ["nationalities"],
        ["nationalities", null],
        ["degrees", null, "type"],
        ["degrees", null, "year"],
        ["over"],
        ["over", "18"],
        ["a.b"],
        ["height"],
        ["open"]
    ]);
    let claims = paths.as_array().unwrap().iter().map(|path| ClaimDescription {
        path: serde_json::from_value(path.clone()).unwrap(),
        mandatory: false,
        limit_disclosure: false,
        display: Vec::new(),
    });
    Entry {
        id: Uuid::from_u128(1).into(),
        configuration_id: "badge".to_owned(),
        format: Format::DcSdJwt,
        vct: "badge".to_owned(),
        claims: claims.collect(),
        expiration_in_days: 30,
        support_revocation: false,
        revocation_method: RevocationMethod::StatusList,
        support_suspension: false,
        enforce_credential_uniqueness: false,
        support_credential_reissuance: false,
        binding_methods: Vec::new(),
        require_key_attestation: false,
        key_storage: Vec::new(),
        user_authentication: Vec::new(),
        proof_algorithms: Vec::new(),
        authorization_request_type: AuthorizationRequestType::AuthorizationDetails,
        scope: String::new(),
        response_interval: 5,
        display: None,
        identity_mapping: Vec::new(),
    }
}

fn row(header: &[&str], cells: &[&str]) -> Value {
    Value::Object(Columns::read(header, &entry()).map_err(|faults| format!("{faults:?}")).unwrap().row(cells).unwrap())
}

#[test]
fn names_are_dotted_or_pointers() {
    let read = row(
        &["name", "address.locality", "/address/country", "/a.b", "row:userPin", "row:reference"],
        &["Ada", "Turin", "IT", "x", "4711", "P-1"],
    );
    assert_eq!(
        read,
        json!({
            "userPin": "4711",
            "reference": "P-1",
            "claims": { "name": "Ada", "address": { "locality": "Turin", "country": "IT" }, "a.b": "x" }
        })
    );
}

#[test]
fn digits_are_positions_unless_the_definition_names_them() {
    let read = row(
        &["nationalities.0", "nationalities.1", "degrees.0.type", "degrees.0.year:number", "over.18:boolean"],
        &["", "CM", "BSc", "1999", "true"],
    );
    assert_eq!(
        read["claims"],
        json!({ "nationalities": ["CM"], "degrees": [{ "type": "BSc", "year": 1999 }], "over": { "18": true } })
    );
}

#[test]
fn types_are_what_the_header_says() {
    let read = row(&["height:number", "open:json", "name"], &["1.80", r#"{"k":[1,null]}"#, "007"]);
    assert_eq!(read["claims"], json!({ "height": 1.8, "open": { "k": [1, null] }, "name": "007" }));
    let columns = Columns::read(&["height:number", "over.18:boolean", "open:json"], &entry()).map_err(drop).unwrap();
    for (cells, pointer) in [
        (["tall", "", ""], "/claims/height"),
        (["", "yes", ""], "/claims/over/18"),
        (["", "", r#"1,"x":2"#], "/claims/open"),
        (["", "", r#"{"k":1,"k":2}"#], "/claims/open"),
    ] {
        let faults = columns.row(&cells).unwrap_err();
        assert_eq!(faults[0].pointer, pointer);
        assert!(!columns.header(pointer).is_empty());
    }
    assert_eq!(columns.row(&["1", "true"]).unwrap_err()[0].pointer, "");
}

#[test]
fn a_header_that_means_nothing_is_refused() {
    for header in [
        &["nme"] as &[&str],
        &["name", "name"],
        &["address:json", "address.locality"],
        &["address.locality", "address:json"],
        &[""],
        &["address..locality"],
        &["nationalities.256"],
        &["row:pin"],
    ] {
        assert!(Columns::read(header, &entry()).is_err(), "{header:?}");
    }
}
