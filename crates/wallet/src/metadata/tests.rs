use super::*;
use crate::offer::PRE_AUTHORIZED_CODE;
use serde_json::json;

const IDENTIFIER: &str = "https://issuer.example/t/acme";

fn issuer() -> Value {
    json!({
        "credential_issuer": IDENTIFIER,
        "credential_endpoint": "https://issuer.example/t/acme/credential",
        "nonce_endpoint": "https://issuer.example/t/acme/nonce",
        "batch_credential_issuance": {"batch_size": 2},
        "display": [{"name": "Acme", "locale": "en"}],
        "credential_configurations_supported": {"badge": {
            "format": "dc+sd-jwt",
            "vct": "urn:badge",
            "credential_signing_alg_values_supported": ["ES256"],
            "cryptographic_binding_methods_supported": ["jwk"],
            "proof_types_supported": {"jwt": {"proof_signing_alg_values_supported": ["ES256"]}},
            "credential_metadata": {
                "display": [{"name": "Badge", "locale": "en"}],
                "claims": [{"path": ["given_name"], "mandatory": true}, {"path": ["areas", null]}]
            }
        }},
        "unknown": true
    })
}

fn server() -> Value {
    json!({
        "issuer": IDENTIFIER,
        "token_endpoint": "https://issuer.example/t/acme/token",
        "grant_types_supported": [PRE_AUTHORIZED_CODE],
        "dpop_signing_alg_values_supported": ["ES256"],
        "pre-authorized_grant_anonymous_access_supported": true
    })
}

#[test]
fn good_metadata_is_read() {
    let metadata = IssuerMetadata::from_object(issuer().as_object().unwrap(), IDENTIFIER).unwrap();
    let badge = &metadata.configurations["badge"];
    assert_eq!(badge.vct.as_deref(), Some("urn:badge"));
    assert_eq!(badge.display_name.as_deref(), Some("Badge"));
    assert!(badge.claims[0].mandatory);
    assert_eq!(badge.claims[1].path[1], None);
    assert_eq!(metadata.batch_size, Some(2));
    let server = AuthorizationServer::from_object(server().as_object().unwrap(), IDENTIFIER).unwrap();
    assert!(server.anonymous_access);
}

#[test]
fn each_broken_rule_of_issuer_metadata_is_refused() {
    let badge = "/credential_configurations_supported/badge";
    for (pointer, value) in [
        // MET-3: byte for byte, no normalisation.
        ("/credential_issuer".to_owned(), json!("https://issuer.example/t/acme/")),
        ("/credential_issuer".to_owned(), json!("https://ISSUER.example/t/acme")),
        ("/credential_endpoint".to_owned(), json!("http://issuer.example/credential")),
        ("/credential_endpoint".to_owned(), json!(7)),
        ("/nonce_endpoint".to_owned(), json!("nonce")),
        ("/batch_credential_issuance".to_owned(), json!({"batch_size": 1})),
        ("/display".to_owned(), json!([])),
        ("/display".to_owned(), json!([{"locale": "en"}, {"locale": "en"}])),
        ("/credential_configurations_supported".to_owned(), json!([])),
        (format!("{badge}/format"), Value::Null),
        (format!("{badge}/vct"), json!("")),
        (format!("{badge}/credential_signing_alg_values_supported"), json!([-7])),
        // MET-10, MET-11.
        (format!("{badge}/proof_types_supported"), json!({})),
        (format!("{badge}/proof_types_supported/jwt"), json!({})),
        (format!("{badge}/proof_types_supported/jwt/proof_signing_alg_values_supported"), json!([])),
        (format!("{badge}/cryptographic_binding_methods_supported"), json!([])),
        (format!("{badge}/credential_metadata/display/0"), json!({"locale": "en"})),
        // MET-13.
        (format!("{badge}/credential_metadata/claims"), json!([])),
        (format!("{badge}/credential_metadata/claims/0/path"), json!([])),
        (format!("{badge}/credential_metadata/claims/0/path"), json!([-1])),
        (format!("{badge}/credential_metadata/claims/1/path"), json!(["given_name"])),
        (format!("{badge}/credential_metadata/claims/0/mandatory"), json!("yes")),
    ] {
        let mut changed = issuer();
        *changed.pointer_mut(&pointer).unwrap() = value.clone();
        let result = IssuerMetadata::from_object(changed.as_object().unwrap(), IDENTIFIER);
        assert!(result.is_err(), "{pointer} {value}");
    }
}

#[test]
fn missing_members_of_issuer_metadata_are_named() {
    for member in ["credential_issuer", "credential_endpoint", "credential_configurations_supported"] {
        let mut changed = issuer();
        changed.as_object_mut().unwrap().remove(member);
        let error = IssuerMetadata::from_object(changed.as_object().unwrap(), IDENTIFIER).unwrap_err();
        assert!(error.to_string().contains(member), "{error}");
    }
}

#[test]
fn binding_methods_and_proof_types_appear_together_or_not_at_all() {
    for member in ["proof_types_supported", "cryptographic_binding_methods_supported"] {
        let mut changed = issuer();
        changed["credential_configurations_supported"]["badge"].as_object_mut().unwrap().remove(member);
        let result = IssuerMetadata::from_object(changed.as_object().unwrap(), IDENTIFIER);
        assert!(result.is_err(), "{member}");
    }
}

#[test]
fn each_broken_rule_of_server_metadata_is_refused() {
    for (member, value) in [
        ("issuer", json!("https://other.example")),
        ("token_endpoint", json!("http://issuer.example/token")),
        ("grant_types_supported", json!(["authorization_code"])),
        ("grant_types_supported", json!(["authorization_code", PRE_AUTHORIZED_CODE])),
        ("dpop_signing_alg_values_supported", json!([])),
        ("pre-authorized_grant_anonymous_access_supported", json!("true")),
    ] {
        let mut changed = server();
        changed[member] = value.clone();
        let result = AuthorizationServer::from_object(changed.as_object().unwrap(), IDENTIFIER);
        assert!(result.is_err(), "{member} {value}");
    }
}
