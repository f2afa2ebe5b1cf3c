//! Two independent implementations decode what is issued.

use chancery_formats::sd_jwt::{Content, PrepareError};
use chancery_keys::{Algorithm, SoftwareKey};
use jsonwebtoken::DecodingKey;
use proptest::prelude::*;
use sd_jwt_payload::{SdJwt, Sha256Hasher};
use sd_jwt_rs::{SDJWTSerializationFormat, SDJWTVerifier};
use serde_json::{Value, json};

use crate::issuer::{SIGNER, content, disclosed, distinct_bytes, issue, issue_with};
use crate::properties::{Case, cases};

/// sd-jwt-payload, which does not look at the signature.
fn decoded_by_sd_jwt_payload(compact: &str) -> Value {
    let parsed = SdJwt::parse(compact).unwrap();
    Value::Object(parsed.into_disclosed_object(&Sha256Hasher::new()).unwrap())
}

/// sd-jwt-rs, which verifies the signature and `exp` too.
fn decoded_by_sd_jwt_rs(compact: &str) -> Value {
    let key = SIGNER.public_jwk().to_json();
    let resolve = move |issuer: &str, _: &_| {
        assert_eq!(issuer, "https://issuer.example");
        DecodingKey::from_ec_components(key["x"].as_str().unwrap(), key["y"].as_str().unwrap()).unwrap()
    };
    let format = SDJWTSerializationFormat::Compact;
    SDJWTVerifier::new(compact.to_owned(), Box::new(resolve), None, None, format).unwrap().verified_claims
}

fn with_case(case: Case) -> Content {
    let mut content = content(case.claims, &[]);
    content.disclosable = case.disclosable;
    content.decoys = case.decoys;
    content
}

/// The compact credential; `None` when a null step led to elements of different kinds.
fn issued(content: Content, seed: u64) -> Option<String> {
    match issue_with(content, &mut distinct_bytes(seed)) {
        Ok(issued) => Some(issued.compact),
        Err(PrepareError::PathMismatch { .. }) => None,
        Err(error) => panic!("{error}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    /// Without empty arrays and objects: sd-jwt-rs refuses the one, sd-jwt-payload drops the other from
    /// arrays.
    #[test]
    fn both_judges_decode_what_was_given(
        case in cases("[ -\u{d7ff}\u{e000}-\u{ffff}]{0,6}", 1), seed: u64
    ) {
        let content = with_case(case);
        let expected = disclosed(&content);
        let Some(compact) = issued(content, seed) else { return Ok(()) };
        prop_assert_eq!(&decoded_by_sd_jwt_payload(&compact), &expected);
        prop_assert_eq!(&decoded_by_sd_jwt_rs(&compact), &expected);
    }

    /// Names such as 𠮷野 and 𐐷, on which sd-jwt-rs panics when it issues them itself.
    #[test]
    fn characters_above_the_basic_plane_survive(case in cases("[\u{10000}-\u{1ffff}]{1,4}", 1), seed: u64) {
        let content = with_case(case);
        let expected = disclosed(&content);
        let Some(compact) = issued(content, seed) else { return Ok(()) };
        prop_assert_eq!(&decoded_by_sd_jwt_payload(&compact), &expected);
        prop_assert_eq!(&decoded_by_sd_jwt_rs(&compact), &expected);
    }
}

#[test]
fn both_judges_decode_a_person_identification_credential() {
    let mut content = content(
        json!({
            "given_name": "Zoë",
            "family_name": "O'Connor \"née\" Łąçzyńska",
            "birthdate": "1963-08-12",
            "age_equal_or_over": { "14": true, "18": true, "65": false },
            "address": { "street_address": "Heidestraße 17", "locality": "Köln", "country": "DE" },
            "nationalities": ["DE", "FR"],
            "degrees": [{ "type": "BSc", "year": 1985 }, { "type": "MSc", "year": 1987 }],
        }),
        &[
            r#"["given_name"]"#,
            r#"["family_name"]"#,
            r#"["birthdate"]"#,
            r#"["age_equal_or_over"]"#,
            r#"["age_equal_or_over", "14"]"#,
            r#"["age_equal_or_over", "18"]"#,
            r#"["address", "street_address"]"#,
            r#"["nationalities"]"#,
            r#"["nationalities", null]"#,
            r#"["degrees", null, "year"]"#,
            r#"["iat"]"#,
        ],
    );
    content.holder_key = Some(SoftwareKey::generate(Algorithm::Es256).unwrap().public_jwk().clone());
    content.issued_at = Some(1_760_000_000);
    content.status = Some(json!({ "status_list": { "idx": 7, "uri": "https://status.example/sl/7" } }));
    content.decoys = 2;
    let expected = disclosed(&content);
    let issued = issue(content);
    assert_eq!(issued.disclosures, 13);
    assert_eq!(decoded_by_sd_jwt_payload(&issued.compact), expected);
    assert_eq!(decoded_by_sd_jwt_rs(&issued.compact), expected);
}

#[test]
fn both_judges_decode_a_credential_without_disclosures() {
    let content = content(json!({ "sub": "u-1" }), &[]);
    let expected = disclosed(&content);
    let compact = issue(content).compact;
    assert_eq!(decoded_by_sd_jwt_payload(&compact), expected);
    assert_eq!(decoded_by_sd_jwt_rs(&compact), expected);
}
