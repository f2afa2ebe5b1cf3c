//! The rules of RFC 9901 and of the SD-JWT VC draft, one test each.

use std::collections::HashSet;

use chancery_formats::ClaimPath;
use chancery_formats::sd_jwt::{KeyReference, NEVER_DISCLOSABLE, PrepareError, Prepared, SD_JWT_NAMES, SET_BY_ISSUER};
use chancery_keys::{Algorithm, KeyError, SoftwareKey, jws};
use serde_json::{Value, json};

use crate::holder::receive;
use crate::issuer::{SIGNER, content, disclosed, distinct_bytes, issue, issue_with, paths};

fn refusal(claims: Value, disclosable: &[&str]) -> PrepareError {
    issue_with(content(claims, disclosable), &mut distinct_bytes(0)).unwrap_err()
}

fn staff() -> Value {
    json!({
        "sub": "u-1",
        "given_name": "Zoë",
        "address": { "street": "42 Market Street", "country": "FR", "geo": { "lat": 1, "lon": 2 } },
        "nationalities": ["FR", "DE", "BE"],
        "degrees": [
            { "type": "BSc", "year": 2001 },
            { "type": "MSc", "year": 2003 }
        ]
    })
}

/// SDJ-1, SVC-6.
#[test]
fn without_disclosable_claims_there_is_no_sd_member_and_still_the_final_tilde() {
    for (disclosable, decoys) in [(&[][..], 0), (&[][..], 3), (&[r#"["birthdate"]"#, r#"["address", "zip"]"#][..], 3)] {
        let mut content = content(staff(), disclosable);
        content.decoys = decoys;
        let issued = issue(content);
        assert_eq!(issued.disclosures, 0);
        assert_eq!(issued.compact.matches('~').count(), 1);
        assert!(issued.compact.ends_with('~'));
        assert!(!issued.payload.to_string().contains("_sd"));
    }
}

/// SVC-1, SVC-9.
#[test]
fn the_header_names_type_algorithm_and_key_id_and_the_signature_verifies() {
    let issued = issue(content(staff(), &[]));
    let header = receive(&issued.compact).header;
    assert_eq!(header, json!({ "alg": "ES256", "typ": "dc+sd-jwt", "kid": "key-1" }));
    let (jwt, _) = issued.compact.split_once('~').unwrap();
    let unverified = jws::decode(jwt).unwrap();
    unverified.verify(SIGNER.public_jwk()).unwrap();
    assert_eq!(Value::from(unverified.claims().clone()), issued.payload);
}

/// SVC-7.
#[tokio::test]
async fn the_header_carries_the_certificate_chain_when_asked() {
    let signer = crate::issuer::certified_signer();
    let prepared = Prepared::new(content(staff(), &[]), &mut distinct_bytes(0)).unwrap();
    let issued = prepared.sign(&signer, KeyReference::X5c).await.unwrap();
    let header = receive(&issued.compact).header;
    assert_eq!(header["x5c"], json!(signer.certificate_chain().to_x5c()));
    assert_eq!(header["x5c"].as_array().unwrap().len(), 1);
    assert!(header.get("kid").is_none());
}

/// RFC 7515 §4.1.6: `x5c` holds at least the certificate of the key.
#[tokio::test]
async fn a_key_without_certificates_signs_nothing_that_should_carry_them() {
    let prepared = Prepared::new(content(staff(), &[]), &mut distinct_bytes(0)).unwrap();
    let refused = prepared.sign(&SIGNER, KeyReference::X5c).await;
    assert!(matches!(refused, Err(KeyError::Header(_))));
}

/// SVC-5.
#[test]
fn the_holder_key_is_bound_with_its_public_members_only() {
    let holder = SoftwareKey::generate(Algorithm::Es256).unwrap();
    let mut content = content(staff(), &[r#"["sub"]"#]);
    content.holder_key = Some(holder.public_jwk().clone());
    let payload = issue(content).payload;
    assert_eq!(payload["cnf"], json!({ "jwk": holder.public_jwk().to_json() }));
    assert!(payload["cnf"]["jwk"].get("d").is_none());
}

/// SDJ-10, SVC-3: the claim itself, and everything inside it.
#[test]
fn what_a_verifier_needs_for_validity_is_never_disclosable() {
    for name in NEVER_DISCLOSABLE {
        for path in [json!([name]), json!([name, "jwk"]), json!([name, null]), json!([name, 0, "x"])] {
            let path = ClaimPath::try_from(path).unwrap();
            let error = refusal(staff(), &[&path.to_string()]);
            assert!(matches!(error, PrepareError::NeverDisclosable { path: refused } if refused == path));
        }
    }
    assert!(Prepared::new(content(staff(), &[r#"["sub"]"#]), &mut distinct_bytes(0)).is_ok());
}

#[test]
fn claims_that_the_issuer_sets_cannot_be_given() {
    for name in SET_BY_ISSUER {
        let error = refusal(json!({ "sub": "u-1", name: "x" }), &[]);
        assert!(matches!(error, PrepareError::SetByIssuer { name: refused } if refused == name));
    }
}

#[test]
fn a_claim_named_like_a_reserved_one_inside_an_object_is_an_ordinary_claim() {
    let content = content(json!({ "membership": { "exp": "never", "status": "gold" } }), &[r#"["membership", "exp"]"#]);
    let expected = disclosed(&content);
    assert_eq!(receive(&issue(content).compact).all_claims(), expected);
}

/// SDJ-4.
#[test]
fn the_member_names_of_sd_jwt_are_refused_at_every_depth() {
    for name in SD_JWT_NAMES {
        for (claims, disclosable) in [
            (json!({ name: 1 }), &[][..]),
            (json!({ "a": { name: 1 } }), &[]),
            (json!({ "a": { name: 1 } }), &[r#"["a"]"#]),
            (json!({ "a": { name: 1, "b": 1 } }), &[r#"["a", "b"]"#]),
            (json!({ "a": [[{ "b": { name: 1 } }]] }), &[]),
            (json!({ "a": [[{ "b": { name: 1 } }]] }), &[r#"["a", 0, 0, "b"]"#]),
        ] {
            let error = refusal(claims, disclosable);
            assert!(matches!(error, PrepareError::SdJwtName { name: refused } if refused == name));
        }
        let mut content = content(staff(), &[]);
        content.status = Some(json!({ "status_list": { name: 1 } }));
        let refused = issue_with(content, &mut distinct_bytes(0));
        assert!(matches!(refused, Err(PrepareError::SdJwtName { .. })));
    }
}

#[test]
fn a_path_that_does_not_fit_the_claims_is_refused_and_not_signed_in_the_clear() {
    for path in [
        r#"["given_name", "first"]"#,
        r#"["address", null]"#,
        r#"["address", 0]"#,
        r#"["nationalities", "first"]"#,
        r#"["nationalities", null, "code"]"#,
        r#"["degrees", "type"]"#,
        r#"[null]"#,
        r#"[0]"#,
    ] {
        let error = refusal(staff(), &[r#"["sub"]"#, path]);
        assert!(matches!(&error, PrepareError::PathMismatch { path: refused } if paths(&[path])[0] == *refused));
        assert!(!error.to_string().contains("Zoë"));
    }
}

#[test]
fn a_null_where_a_path_goes_on_has_nothing_to_conceal() {
    let content = content(json!({ "address": null }), &[r#"["address", "street"]"#]);
    assert_eq!(issue(content).payload["address"], Value::Null);
}

/// SDJ-7.
#[test]
fn array_elements_are_concealed_in_place_one_by_one_or_all() {
    let one = issue(content(staff(), &[r#"["nationalities", 1]"#]));
    let elements = one.payload["nationalities"].as_array().unwrap();
    assert_eq!((&elements[0], &elements[2]), (&json!("FR"), &json!("BE")));
    assert_eq!(elements[1].as_object().unwrap().keys().collect::<Vec<_>>(), ["..."]);
    let all = issue(content(staff(), &[r#"["nationalities", null]"#, r#"["nationalities", 1]"#]));
    assert_eq!(all.disclosures, 3);
    assert!(all.payload["nationalities"].as_array().unwrap().iter().all(|element| element.get("...").is_some()));
}

/// A null step reaches into every element; an index step adds to it for its own.
#[test]
fn every_element_and_one_element_can_be_treated_together() {
    let content = content(staff(), &[r#"["degrees", null, "type"]"#, r#"["degrees", 1, "year"]"#, r#"["degrees", 0]"#]);
    let expected = disclosed(&content);
    let received = receive(&issue(content).compact);
    assert_eq!(received.all_claims(), expected);
    let names: Vec<Value> = received.disclosure_arrays().iter().map(|array| array[1].clone()).collect();
    assert_eq!(names[0], "type");
    assert!(names[1].get("_sd").is_some(), "the first element as a whole, after the type inside it");
    assert_eq!(names[2..], [json!("type"), json!("year")]);
    assert_eq!(received.claims(&[])["degrees"], json!([{}]));
}

/// SDJ-9.
#[test]
fn a_parent_can_be_disclosed_without_its_children() {
    let content = content(staff(), &[r#"["address"]"#, r#"["address", "street"]"#, r#"["address", "geo", "lat"]"#]);
    let received = receive(&issue(content).compact);
    let address: Vec<String> = received.disclosures[2..].to_vec();
    assert_eq!(received.claims(&address)["address"], json!({ "country": "FR", "geo": { "lon": 2 } }));
    assert!(received.claims(&[]).get("address").is_none());
}

#[test]
fn the_time_of_issue_may_be_disclosable() {
    let mut content = content(staff(), &[r#"["iat"]"#]);
    content.issued_at = Some(1_760_000_000);
    let expected = disclosed(&content);
    let issued = issue(content);
    assert!(issued.payload.get("iat").is_none());
    assert_eq!(receive(&issued.compact).all_claims(), expected);
}

/// SDJ-5, SDJ-11: over a batch of copies of the same content.
#[test]
fn no_salt_and_no_digest_ever_repeats() {
    let mut random = distinct_bytes(7);
    let (mut salts, mut digests) = (HashSet::new(), HashSet::new());
    for _ in 0..50 {
        let mut content = content(
            staff(),
            &[r#"["given_name"]"#, r#"["nationalities", null]"#, r#"["degrees", null, "type"]"#, r#"["sub"]"#],
        );
        content.decoys = 2;
        let received = receive(&issue_with(content, &mut random).unwrap().compact);
        for array in received.disclosure_arrays() {
            assert!(salts.insert(array[0].as_str().unwrap().to_owned()));
        }
        for digest in received.payload["_sd"].as_array().unwrap() {
            assert!(digests.insert(digest.as_str().unwrap().to_owned()));
        }
    }
    assert_eq!((salts.len(), digests.len()), (50 * 7, 50 * 4));
}

/// SDJ-8.
#[test]
fn decoys_add_digests_to_each_object_that_has_some_and_change_no_claim() {
    let disclosable = [r#"["given_name"]"#, r#"["address", "street"]"#, r#"["address", "geo"]"#];
    let plain = content(staff(), &disclosable);
    let expected = disclosed(&plain);
    let mut padded = plain.clone();
    padded.decoys = 5;
    let issued = issue(padded);
    let received = receive(&issued.compact);
    assert_eq!(received.all_claims(), expected);
    assert_eq!(issued.disclosures, issue(plain).disclosures);
    assert_eq!(issued.payload["_sd"].as_array().unwrap().len(), 1 + 5);
    assert_eq!(issued.payload["address"]["_sd"].as_array().unwrap().len(), 2 + 5);
    assert!(issued.payload["degrees"][0].get("_sd").is_none());
}

#[test]
fn the_same_path_twice_is_the_same_as_once() {
    let issued = issue(content(staff(), &[r#"["given_name"]"#, r#"["given_name"]"#]));
    assert_eq!(issued.disclosures, 1);
}

#[test]
fn no_claim_value_shows_in_debug_output() {
    let content = content(staff(), &[r#"["given_name"]"#]);
    let shown = format!("{content:?}");
    let prepared = Prepared::new(content.clone(), &mut distinct_bytes(0)).unwrap();
    let shown = format!("{shown} {prepared:?} {:?}", issue(content));
    for value in ["Zoë", "u-1", "Market", "ey"] {
        assert!(!shown.contains(value), "{shown}");
    }
}
