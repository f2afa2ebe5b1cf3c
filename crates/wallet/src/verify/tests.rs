use super::*;
use crate::fixtures::{NOW, Parts, object, parts};
use crate::keys::{Algorithm, HolderKey};
use jsonwebtoken::DecodingKey;
use serde_json::json;

fn setting() -> (HolderKey, Parts, Expected) {
    let holder = HolderKey::generate(Algorithm::Es256).unwrap();
    let parts = parts(&json!(holder.public_jwk()), "a");
    let expected = Expected {
        now: NOW,
        vct: Some("urn:badge".into()),
        algorithms: vec!["ES256".into()],
        holders: Some(vec![Holder { thumbprint: holder.thumbprint().into(), did_url: Some("did:x#0".into()) }]),
    };
    (holder, parts, expected)
}

#[test]
fn a_good_credential_is_verified() {
    let (holder, parts, expected) = setting();
    let verified = verify_with_key(&parts.sign(), &parts.public_key(), &expected).unwrap();
    assert_eq!(verified.vct, "urn:badge");
    assert_eq!(verified.holder_thumbprint.as_deref(), Some(holder.thumbprint()));
    assert_eq!(verified.disclosures.len(), 5);
    assert_eq!(verified.claims["given_name"], "Astrid");
}

#[test]
fn one_changed_character_anywhere_is_refused() {
    let (_, parts, expected) = setting();
    let good = parts.sign();
    let key = parts.public_key();
    for position in 0..good.len() {
        let mut bytes = good.clone().into_bytes();
        bytes[position] = if bytes[position] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        assert!(verify_with_key(&changed, &key, &expected).is_err(), "character {position}");
    }
}

#[test]
fn a_key_of_someone_else_does_not_verify() {
    let (_, parts, expected) = setting();
    let (_, others, _) = setting();
    assert!(verify_with_key(&parts.sign(), &others.public_key(), &expected).is_err());
}

#[test]
fn a_missing_or_added_part_is_refused() {
    let (_, parts, expected) = setting();
    let good = parts.sign();
    let key = parts.public_key();
    let jwt = good.split('~').next().unwrap();
    for changed in [good.trim_end_matches('~').to_owned(), format!("{good}{jwt}"), format!("{good}~"), jwt.to_owned()] {
        assert!(verify_with_key(&changed, &key, &expected).is_err());
    }
}

#[test]
fn each_broken_rule_of_a_signed_credential_is_refused() {
    for (pointer, value) in [
        ("/header/typ", json!("vc+sd-jwt")),
        ("/header/typ", json!("JWT")),
        ("/header/typ", Value::Null),
        ("/header/alg", json!("ES384")),
        ("/header/alg", json!("none")),
        ("/header/crit", json!(["exp"])),
        ("/payload/vct", json!("urn:other")),
        ("/payload/vct", Value::Null),
        ("/payload/iss", json!(1)),
        ("/payload/exp", json!(NOW)),
        ("/payload/exp", json!("tomorrow")),
        ("/payload/nbf", json!(NOW + 61)),
        ("/payload/iat", json!(NOW + 61)),
        ("/payload/cnf", Value::Null),
        ("/payload/cnf", json!({"kid": "did:y#0"})),
        ("/payload/cnf", json!({"jwk": HolderKey::generate(Algorithm::Es256).unwrap().public_jwk()})),
    ] {
        let (_, mut parts, expected) = setting();
        let (_, rest) = pointer.split_at(1);
        let (part, member) = rest.split_once('/').unwrap();
        let target = if part == "header" { &mut parts.header } else { &mut parts.payload };
        target[member] = value.clone();
        let result = verify_with_key(&parts.sign(), &parts.public_key(), &expected);
        assert!(matches!(result, Err(WalletError::Violation(_))), "{pointer} {value}");
    }
}

#[test]
fn a_private_member_in_cnf_is_refused() {
    let (_, mut parts, expected) = setting();
    parts.payload["cnf"]["jwk"]["d"] = json!("AA");
    assert!(verify_with_key(&parts.sign(), &parts.public_key(), &expected).is_err());
}

#[test]
fn cnf_may_name_the_did_url_of_the_proof() {
    let (holder, mut parts, expected) = setting();
    parts.payload["cnf"] = json!({"kid": "did:x#0"});
    let verified = verify_with_key(&parts.sign(), &parts.public_key(), &expected).unwrap();
    assert_eq!(verified.holder_thumbprint.as_deref(), Some(holder.thumbprint()));
}

#[test]
fn errors_and_debug_output_hold_no_claim_values() {
    let (_, mut parts, expected) = setting();
    let verified = verify_with_key(&parts.sign(), &parts.public_key(), &expected).unwrap();
    assert!(!format!("{verified:?}").contains("Astrid"));
    parts.payload["given_name"] = json!("Astrid");
    let error = verify_with_key(&parts.sign(), &parts.public_key(), &expected).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("Astrid"));
}

#[test]
fn the_rendered_credential_shows_claims_and_marks_disclosures() {
    let (_, parts, expected) = setting();
    let text = verify_with_key(&parts.sign(), &parts.public_key(), &expected).unwrap().to_string();
    for wanted in
        ["urn:badge", "verified", "  * given_name", "    * street", "2025-10-09T", "    level", "(sha-256, 1 decoys)"]
    {
        assert!(text.contains(wanted), "{wanted} in\n{text}");
    }
}

#[test]
fn an_inspection_shows_a_credential_with_faults_and_says_which() {
    let (_, mut parts, _) = setting();
    let inspection = crate::inspect(&parts.sign()).unwrap();
    assert!(inspection.problems.is_empty());
    assert_eq!(inspection.disclosures.len(), 5);
    parts.header["typ"] = json!("JWT");
    parts.disclosures.remove(1);
    let inspection = crate::inspect(&parts.sign()).unwrap();
    assert_eq!(inspection.problems.len(), 2);
    assert!(inspection.to_string().contains("not verified"));
}

#[test]
fn sd_jwt_rs_reads_the_same_claims() {
    let (_, parts, expected) = setting();
    let verified = verify_with_key(&parts.sign(), &parts.public_key(), &expected).unwrap();
    let (x, y) = (parts.key.public_jwk()["x"].clone(), parts.key.public_jwk()["y"].clone());
    // Its clock is the real one.
    let mut later = parts;
    later.payload["exp"] = json!(4_000_000_000_i64);
    let other = sd_jwt_rs::SDJWTVerifier::new(
        later.sign(),
        Box::new(move |_, _| DecodingKey::from_ec_components(x.as_str().unwrap(), y.as_str().unwrap()).unwrap()),
        None,
        None,
        sd_jwt_rs::SDJWTSerializationFormat::Compact,
    )
    .unwrap();
    let mut theirs = object(other.verified_claims);
    theirs.remove("_sd_alg");
    theirs["exp"] = json!(NOW + 3600);
    assert_eq!(Value::Object(theirs), Value::Object(verified.claims));
}

#[test]
fn sd_jwt_payload_reads_the_same_claims() {
    let (_, parts, expected) = setting();
    let verified = verify_with_key(&parts.sign(), &parts.public_key(), &expected).unwrap();
    let other = sd_jwt_payload::SdJwt::parse(&parts.sign()).unwrap();
    let mut theirs = other.into_disclosed_object(&sd_jwt_payload::Sha256Hasher::new()).unwrap();
    theirs.remove("_sd_alg");
    assert_eq!(Value::Object(theirs), Value::Object(verified.claims));
}
