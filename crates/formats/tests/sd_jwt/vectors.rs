//! Known salts, known disclosures.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_formats::sd_jwt::{Content, Issued};
use serde_json::{Value, json};

use crate::holder::{digest, receive};
use crate::issuer::{content, issue_with};

/// Hands out these salts, then zeros.
fn issue_with_salts(content: Content, salts: &[&str]) -> Issued {
    let mut bytes = salts.iter().flat_map(|salt| URL_SAFE_NO_PAD.decode(salt).unwrap());
    issue_with(content, &mut |slice| slice.fill_with(|| bytes.next().unwrap_or_default())).unwrap()
}

#[test]
fn a_known_salt_gives_the_known_object_disclosure_and_digest() {
    let content = content(json!({ "degree": "MSc" }), &[r#"["degree"]"#]);
    let received = receive(&issue_with_salts(content, &["tF3Yc0m2o1pQ9rXw5uVb7A"]).compact);
    assert_eq!(received.disclosures, ["WyJ0RjNZYzBtMm8xcFE5clh3NXVWYjdBIiwiZGVncmVlIiwiTVNjIl0"]);
    assert_eq!(received.payload["_sd"], json!(["9ENyiyIeBS1cEzm-vX3S8s77KhbPJxeMSy3jxdh-2Ks"]));
    assert_eq!(received.payload["_sd_alg"], "sha-256");
}

#[test]
fn a_known_salt_gives_the_known_array_disclosure_and_digest() {
    let content = content(json!({ "nationalities": ["FR"] }), &[r#"["nationalities", 0]"#]);
    let received = receive(&issue_with_salts(content, &["Zx81Lq0aPr6sTnE2kJm4Wg"]).compact);
    assert_eq!(received.disclosures, ["WyJaeDgxTHEwYVByNnNUbkUya0ptNFdnIiwiRlIiXQ"]);
    assert_eq!(received.payload["nationalities"], json!([{ "...": "edbmWUJSF03u_KHFPjmNJgglkNEmAyff-JIH9NDt4T4" }]));
    assert!(received.payload.get("_sd").is_none());
}

#[test]
fn the_salts_of_rfc_9901_give_its_recursive_disclosures() {
    let content = content(
        json!({
            "sub": "6c5c0a49-b589-431d-bae7-219122a9ec2c",
            "address": {
                "street_address": "Schulstr. 12",
                "locality": "Schulpforta",
                "region": "Sachsen-Anhalt",
                "country": "DE"
            }
        }),
        &[
            r#"["address"]"#,
            r#"["address", "street_address"]"#,
            r#"["address", "locality"]"#,
            r#"["address", "region"]"#,
            r#"["address", "country"]"#,
        ],
    );
    let salts = [
        "2GLC42sKQveCfGfryNRN9w",
        "eluV5Og3gSNII8EYnsxA_A",
        "6Ij7tM-a5iVPGboS5tmvVA",
        "eI8ZWm9QnKPpNPeNenHdhQ",
        "Qg_O64zqAxe412a108iroA",
    ];
    let received = receive(&issue_with_salts(content, &salts).compact);
    let arrays = received.disclosure_arrays();
    let mut inner: Vec<String> = received.disclosures[..4].iter().map(|encoded| digest(encoded)).collect();
    inner.sort();
    // The RFC writes a space after each comma, so its digests are others for the same arrays.
    assert_eq!(
        json!(arrays),
        json!([
            ["2GLC42sKQveCfGfryNRN9w", "street_address", "Schulstr. 12"],
            ["eluV5Og3gSNII8EYnsxA_A", "locality", "Schulpforta"],
            ["6Ij7tM-a5iVPGboS5tmvVA", "region", "Sachsen-Anhalt"],
            ["eI8ZWm9QnKPpNPeNenHdhQ", "country", "DE"],
            ["Qg_O64zqAxe412a108iroA", "address", { "_sd": inner }],
        ])
    );
    assert_eq!(received.payload["_sd"], json!([digest(&received.disclosures[4])]));
    assert!(received.payload.get("address").is_none());
}

#[test]
fn the_whole_payload_of_a_credential_is_as_the_draft_shows_it() {
    let mut content = content(json!({ "degree": "MSc", "sub": "u-1" }), &[r#"["degree"]"#]);
    content.issued_at = Some(1_760_000_000);
    content.not_before = Some(1_760_000_001);
    content.status = Some(json!({ "status_list": { "idx": 48213, "uri": "https://status.example/sl/7" } }));
    let issued = issue_with_salts(content, &["tF3Yc0m2o1pQ9rXw5uVb7A"]);
    let expected: Value = json!({
        "iss": "https://issuer.example",
        "vct": "https://types.example/staff/1",
        "iat": 1_760_000_000,
        "nbf": 1_760_000_001,
        "exp": 4_102_444_800_i64,
        "status": { "status_list": { "idx": 48213, "uri": "https://status.example/sl/7" } },
        "sub": "u-1",
        "_sd": ["9ENyiyIeBS1cEzm-vX3S8s77KhbPJxeMSy3jxdh-2Ks"],
        "_sd_alg": "sha-256"
    });
    assert_eq!(issued.payload, expected);
    assert_eq!(receive(&issued.compact).payload, expected);
}
