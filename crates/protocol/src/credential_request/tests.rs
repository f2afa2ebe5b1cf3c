use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::proof::vectors::{PROOF_A2, PROOF_B2};

fn parse(body: &Value) -> Result<CredentialRequest, CredentialRequestError> {
    CredentialRequest::parse(body.to_string().as_bytes())
}

#[test]
fn the_credential_request_of_wallet_a_is_read() {
    let body = format!(
        r#"{{"credential_configuration_id":"eu.europa.ec.eudi.pid_jwt_vc_deferred","proofs":{{"jwt":["{PROOF_A2}"]}}}}"#
    );
    assert_eq!(body.len(), 625);
    let expected = CredentialRequest {
        selector: Selector::ConfigurationId("eu.europa.ec.eudi.pid_jwt_vc_deferred".to_owned()),
        proofs: Proofs::Jwt(vec![PROOF_A2.to_owned()]),
        response_encryption: false,
    };
    assert_eq!(CredentialRequest::parse(body.as_bytes()), Ok(expected));
}

#[test]
fn the_credential_request_of_wallet_b_is_read() {
    let body = format!(r#"{{"credential_identifier":"sv4TVkBG1sdXi-PDfIxwlg","proofs":{{"jwt":["{PROOF_B2}"]}}}}"#);
    assert_eq!(body.len(), 1162);
    let request = CredentialRequest::parse(body.as_bytes()).unwrap();
    assert_eq!(request.selector, Selector::Identifier("sv4TVkBG1sdXi-PDfIxwlg".to_owned()));
    assert_eq!(request.proofs.proof_type(), Some("jwt"));
}

#[test]
fn exactly_one_selector_is_wanted_by_cre_2() {
    let both = json!({"credential_configuration_id": "a", "credential_identifier": "b"});
    assert_eq!(parse(&both), Err(CredentialRequestError::BothSelectors));
    let none = json!({"proofs": {"jwt": ["x"]}});
    assert_eq!(parse(&none), Err(CredentialRequestError::NoSelector));
    assert_eq!(CredentialRequestError::NoSelector.code(), "invalid_credential_request");
    for value in [json!(""), json!(1), json!(null), json!(["a"]), json!("x".repeat(513))] {
        let error = parse(&json!({"credential_configuration_id": value})).unwrap_err();
        assert!(matches!(error, CredentialRequestError::Selector { .. }), "{error:?}");
    }
}

#[test]
fn unknown_members_are_ignored_by_cre_8() {
    let request = parse(&json!({"credential_configuration_id": "a", "x": 1, "format": "dc+sd-jwt"})).unwrap();
    assert_eq!(request.proofs, Proofs::None);
    let both = json!({"credential_configuration_id": "a", "proof": {}, "proofs": {"jwt": ["x"]}});
    assert_eq!(parse(&both).unwrap().proofs, Proofs::Jwt(vec!["x".to_owned()]));
}

#[test]
fn a_draft_request_is_named_as_such_by_cre_5() {
    let cases = [
        (json!({"credential_configuration_id": "a", "proof": {"proof_type": "jwt", "jwt": "x"}}), "proof"),
        (json!({"credential_identifier": "a", "proof": {"proof_type": "jwt", "jwt": "x"}}), "proof"),
        (json!({"format": "vc+sd-jwt", "vct": "v", "proof": {"proof_type": "jwt", "jwt": "x"}}), "format"),
        (json!({"format": "mso_mdoc", "doctype": "d"}), "format"),
        (json!({"format": "jwt_vc_json", "types": ["VerifiableCredential"]}), "types"),
        (json!({"credential_requests": []}), "credential_requests"),
    ];
    for (body, member) in cases {
        let error = parse(&body).unwrap_err();
        assert!(matches!(error, CredentialRequestError::DraftShape { member: got, .. } if got == member), "{error:?}");
        assert_eq!(error.code(), "invalid_credential_request");
        assert!(error.explain().help.contains("gone") || error.explain().help.contains("became"));
    }
}

#[test]
fn proofs_have_exactly_one_type_with_a_non_empty_list_by_cre_5() {
    for proofs in [
        json!({}),
        json!([]),
        json!("x"),
        json!({"jwt": ["x"], "attestation": ["y"]}),
        json!({"jwt": []}),
        json!({"jwt": "x"}),
        json!({"jwt": [1]}),
        json!({"jwt": ["x".repeat(65 * 1024)]}),
        json!({"jwt": vec!["x"; 101]}),
    ] {
        let error = parse(&json!({"credential_configuration_id": "a", "proofs": proofs})).unwrap_err();
        assert_eq!(error.code(), "invalid_proof", "{error:?}");
    }
}

#[test]
fn one_attestation_is_read_and_two_are_refused_by_prf_8() {
    let one = parse(&json!({"credential_configuration_id": "a", "proofs": {"attestation": ["x"]}})).unwrap();
    assert_eq!(one.proofs, Proofs::Attestation("x".to_owned()));
    let two = parse(&json!({"credential_configuration_id": "a", "proofs": {"attestation": ["x", "y"]}}));
    assert_eq!(two, Err(CredentialRequestError::TooManyProofs { proof_type: "attestation", limit: 1, got: 2 }));
}

#[test]
fn another_proof_type_is_kept_by_name() {
    let request = parse(&json!({"credential_configuration_id": "a", "proofs": {"di_vp": [{}]}})).unwrap();
    assert_eq!(request.proofs, Proofs::Other("di_vp".to_owned()));
}

#[test]
fn a_wish_for_an_encrypted_response_is_noticed_by_enc_7() {
    let body =
        json!({"credential_configuration_id": "a", "credential_response_encryption": {"jwk": {}, "enc": "A256GCM"}});
    assert!(parse(&body).unwrap().response_encryption);
}

#[test]
fn a_repeated_member_and_other_json_are_refused() {
    for body in [
        r#"{"credential_identifier":"a","credential_identifier":"b"}"#,
        r#"{"credential_identifier":"a","proofs":{"jwt":["x"],"jwt":["y"]}}"#,
        "[]",
        "",
        "null",
        "{",
    ] {
        let error = CredentialRequest::parse(body.as_bytes()).unwrap_err();
        assert!(matches!(error, CredentialRequestError::Json(_)), "{body}");
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = CredentialRequest::parse(&body);
    }
}
