use chancery_keys::jwe::{DecryptionKey, JweError, RecipientKeyError};
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn jwk() -> Value {
    Value::Object(DecryptionKey::generate("w-1").unwrap().recipient().to_json())
}

fn parse(value: &Value) -> Result<ResponseEncryption, EncryptionError> {
    ResponseEncryption::parse(value)
}

fn asked(encryption: &str, zip: bool) -> ResponseEncryption {
    let mut value = json!({"jwk": jwk(), "enc": encryption});
    if zip {
        value["zip"] = json!("DEF");
    }
    parse(&value).unwrap()
}

fn policy(request: Rule, response: Rule) -> Policy {
    Policy { request, response, encryptions: vec![ContentEncryption::A256Gcm], compression: Compression::None }
}

#[test]
fn a_wish_for_an_encrypted_response_is_read_by_enc_4() {
    let jwk = jwk();
    let found = parse(&json!({"jwk": jwk, "enc": "A128GCM", "zip": "DEF", "x": 1})).unwrap();
    assert_eq!(found.recipient.key_id(), Some("w-1"));
    assert_eq!((found.encryption, found.compression), (ContentEncryption::A128Gcm, Compression::Deflate));
    assert_eq!(parse(&json!({"jwk": jwk, "enc": "A256GCM"})).unwrap().compression, Compression::None);
    let consistent = parse(&json!({"jwk": jwk, "alg": "ECDH-ES", "enc": "A256GCM"}));
    assert!(consistent.is_ok(), "an unknown member does no harm");
}

#[test]
fn the_parameter_is_found_in_a_body_or_not_at_all() {
    let body =
        json!({"credential_identifier": "a", "credential_response_encryption": {"jwk": jwk(), "enc": "A256GCM"}});
    let found = ResponseEncryption::from_body(body.to_string().as_bytes()).unwrap();
    assert_eq!(found.map(|found| found.encryption), Some(ContentEncryption::A256Gcm));
    assert_eq!(ResponseEncryption::from_body(b"{}"), Ok(None));
    assert_eq!(ResponseEncryption::from_body(b"[]").unwrap_err().code(), "invalid_credential_request");
    let null = ResponseEncryption::from_body(br#"{"credential_response_encryption":null}"#);
    assert_eq!(null, Ok(None));
}

#[test]
fn alg_beside_jwk_is_named_as_a_draft() {
    let mut bare = jwk();
    bare.as_object_mut().unwrap().remove("alg");
    let error = parse(&json!({"jwk": bare, "alg": "ECDH-ES", "enc": "A256GCM"})).unwrap_err();
    assert_eq!(error, EncryptionError::DraftShape);
    assert!(error.explain().help.contains("move `alg` into `jwk`"));
    let missing = parse(&json!({"jwk": bare, "enc": "A256GCM"})).unwrap_err();
    assert_eq!(missing, EncryptionError::Key(RecipientKeyError::AlgorithmMissing));
}

#[test]
fn nonsense_parameters_are_refused_by_enc_8() {
    let jwk = jwk();
    for value in [
        json!("x"),
        json!([]),
        json!({}),
        json!({"jwk": "x", "enc": "A256GCM"}),
        json!({"jwk": {}, "enc": "A256GCM"}),
        json!({"jwk": jwk}),
        json!({"jwk": jwk, "enc": "A128CBC-HS256"}),
        json!({"jwk": jwk, "enc": 1}),
        json!({"jwk": jwk, "enc": "A256GCM", "zip": "GZIP"}),
        json!({"jwk": jwk, "enc": "A256GCM", "zip": null}),
        json!({"jwk": {"kty": "RSA", "n": "AQAB", "e": "AQAB", "alg": "RSA-OAEP"}, "enc": "A256GCM"}),
    ] {
        let error = parse(&value).unwrap_err();
        assert_eq!(error.code(), "invalid_encryption_parameters", "{error:?}");
        assert!(!error.explain().help.is_empty());
    }
}

#[test]
fn every_body_is_encrypted_for_the_wallets_key_by_enc_5_and_enc_6() {
    let key = DecryptionKey::generate("w-1").unwrap();
    let value = json!({"jwk": key.recipient().to_json(), "enc": "A256GCM", "zip": "DEF"});
    let body = br#"{"transaction_id":"tx-55","interval":30}"#;
    let message = parse(&value).unwrap().encrypt(body).unwrap();
    let policy = Policy { compression: Compression::Deflate, ..policy(Rule::Allowed, Rule::Allowed) };
    let decrypted = jwe::decrypt(&message, &[key], &policy.accepted()).unwrap();
    assert_eq!((decrypted.payload.as_slice(), decrypted.key_id.as_str()), (&body[..], "w-1"));
    assert_eq!(decrypted.compression, Compression::Deflate);
}

#[test]
fn a_request_comes_in_the_form_the_metadata_says_by_enc_8() {
    let admits = |rule, encrypted| policy(rule, Rule::Off).admits_request(encrypted);
    assert_eq!(admits(Rule::Off, false), Ok(()));
    assert_eq!(admits(Rule::Off, true), Err(EncryptionError::RequestNotOffered));
    assert_eq!((admits(Rule::Allowed, false), admits(Rule::Allowed, true)), (Ok(()), Ok(())));
    assert_eq!(admits(Rule::Required, false), Err(EncryptionError::RequestRequired));
    assert_eq!(admits(Rule::Required, true), Ok(()));
}

#[test]
fn a_response_key_in_a_plain_request_is_refused_by_enc_7_and_sec_10() {
    let asked = asked("A256GCM", false);
    for rule in [Rule::Allowed, Rule::Required] {
        let policy = policy(Rule::Allowed, rule);
        assert_eq!(policy.admits_response(false, Some(&asked)), Err(EncryptionError::KeyInTheClear));
        assert_eq!(policy.admits_response(true, Some(&asked)), Ok(()));
    }
}

#[test]
fn a_response_is_encrypted_as_the_metadata_says_by_enc_8() {
    let key = asked("A256GCM", false);
    let off = policy(Rule::Allowed, Rule::Off);
    assert_eq!(off.admits_response(true, Some(&key)), Err(EncryptionError::ResponseNotOffered));
    assert_eq!(off.admits_response(true, None), Ok(()));
    let required = policy(Rule::Required, Rule::Required);
    assert_eq!(required.admits_response(true, None), Err(EncryptionError::ResponseRequired));
    let unlisted = required.admits_response(true, Some(&asked("A128GCM", false))).unwrap_err();
    assert_eq!(
        unlisted,
        EncryptionError::Unsupported { member: "enc", expected: "A256GCM".to_owned(), got: "A128GCM" }
    );
    let zipped = required.admits_response(true, Some(&asked("A256GCM", true))).unwrap_err();
    assert_eq!(zipped, EncryptionError::Unsupported { member: "zip", expected: "none".to_owned(), got: "DEF" });
}

#[test]
fn a_deferred_request_without_key_gets_a_plain_answer_by_enc_9() {
    assert_eq!(policy(Rule::Allowed, Rule::Allowed).admits_response(false, None), Ok(()));
}

#[test]
fn a_policy_that_no_wallet_can_follow_is_inconsistent_by_enc_7() {
    assert!(Policy::off().is_consistent());
    for request in [Rule::Allowed, Rule::Required] {
        for response in [Rule::Off, Rule::Allowed, Rule::Required] {
            assert!(policy(request, response).is_consistent());
        }
        assert!(!Policy { encryptions: Vec::new(), ..policy(request, Rule::Off) }.is_consistent());
    }
    assert!(!policy(Rule::Off, Rule::Allowed).is_consistent());
    assert!(!policy(Rule::Off, Rule::Required).is_consistent());
}

#[test]
fn the_metadata_is_written_as_enc_2_and_enc_3_say() {
    let keys = [DecryptionKey::generate("e-1").unwrap(), DecryptionKey::generate("e-2").unwrap()];
    let keys = keys.map(|key| key.recipient().clone());
    let policy = Policy {
        request: Rule::Required,
        response: Rule::Allowed,
        encryptions: ContentEncryption::ALL.to_vec(),
        compression: Compression::Deflate,
    };
    let request = serde_json::to_value(policy.request_metadata(&keys)).unwrap();
    assert_eq!(request["enc_values_supported"], json!(["A128GCM", "A256GCM"]));
    assert_eq!(request["zip_values_supported"], json!(["DEF"]));
    assert_eq!(request["encryption_required"], json!(true));
    for (index, key_id) in ["e-1", "e-2"].into_iter().enumerate() {
        let jwk = &request["jwks"]["keys"][index];
        assert_eq!((&jwk["kid"], &jwk["alg"], &jwk["use"]), (&json!(key_id), &json!("ECDH-ES"), &json!("enc")));
        assert!(jwk.get("d").is_none());
    }
    let response = serde_json::to_value(policy.response_metadata()).unwrap();
    let expected = json!({
        "alg_values_supported": ["ECDH-ES"],
        "enc_values_supported": ["A128GCM", "A256GCM"],
        "zip_values_supported": ["DEF"],
        "encryption_required": false
    });
    assert_eq!(response, expected);
    assert_eq!((Policy::off().request_metadata(&keys), Policy::off().response_metadata()), (None, None));
    let plain = super::tests::policy(Rule::Allowed, Rule::Allowed);
    assert!(serde_json::to_value(plain.response_metadata()).unwrap().get("zip_values_supported").is_none());
}

#[test]
fn a_request_for_a_retired_key_is_told_to_fetch_the_metadata_again() {
    let error = EncryptionError::from(JweError::UnknownKey { expected: "e-2".to_owned(), got: "e-1".to_owned() });
    let explanation = error.explain();
    assert!(explanation.reason.contains("\"e-1\"") && explanation.help.contains("fetch the issuer metadata"));
    assert_eq!((error.code(), explanation.spec_ref), ("invalid_encryption_parameters", "OpenID4VCI 1.0 §10"));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = ResponseEncryption::from_body(&body);
    }
}
