use super::*;
use crate::fixtures::{disclosed_view, encode, hash, parts, salt};
use serde_json::json;

fn open(compact: &str) -> Result<Disclosed, Violation> {
    SdJwt::parse(compact)?.disclose()
}

#[test]
fn the_known_digests_are_reproduced() {
    // SDJ-6: the digest is taken over the encoded text.
    for (disclosure, digest) in [
        ("WyJ0RjNZYzBtMm8xcFE5clh3NXVWYjdBIiwiZGVncmVlIiwiTVNjIl0", "9ENyiyIeBS1cEzm-vX3S8s77KhbPJxeMSy3jxdh-2Ks"),
        ("WyJaeDgxTHEwYVByNnNUbkUya0ptNFdnIiwiRlIiXQ", "edbmWUJSF03u_KHFPjmNJgglkNEmAyff-JIH9NDt4T4"),
    ] {
        assert_eq!(hash(disclosure), digest);
    }
}

#[test]
fn flat_recursive_and_array_disclosures_find_their_places() {
    let disclosed = open(&parts(&json!({}), "a").sign()).unwrap();
    let mut claims = Value::Object(disclosed.claims);
    for name in ["iss", "vct", "iat", "exp", "cnf"] {
        claims.as_object_mut().unwrap().remove(name);
    }
    assert_eq!(claims, disclosed_view());
    assert_eq!(disclosed.decoys, 1);
    let places: Vec<String> = disclosed.disclosures.iter().map(|one| place(&one.path)).collect();
    assert_eq!(places, ["given_name", "address", "address.street", "nationalities.0", "nationalities.2"]);
}

#[test]
fn a_holder_may_leave_an_array_element_out_and_the_rest_moves_up() {
    let mut parts = parts(&json!({}), "a");
    parts.disclosures.remove(3);
    let disclosed = open(&parts.sign()).unwrap();
    assert_eq!(disclosed.claims["nationalities"], json!(["DK", {"code": "NO"}]));
    assert_eq!(disclosed.disclosures.last().unwrap().path[1], PathElement::Index(1));
    assert_eq!(disclosed.decoys, 2);
}

#[test]
fn other_hash_functions_are_taken_from_sd_alg() {
    let disclosure = encode(&json!([salt("x", 1), "a", 1]));
    let digest = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA512, disclosure.as_bytes()));
    let mut parts = parts(&json!({}), "a");
    parts.payload = json!({"_sd_alg": "sha-512", "_sd": [digest]});
    parts.disclosures = vec![disclosure];
    assert_eq!(open(&parts.sign()).unwrap().claims, *json!({"a": 1}).as_object().unwrap());
}

#[test]
fn each_broken_rule_of_the_token_is_refused() {
    type Spoil = fn(&mut crate::fixtures::Parts);
    let cases: [(&str, &str, Spoil); 17] = [
        ("a disclosure that stands for no digest", "stand for no digest", |parts| {
            parts.disclosures.push(encode(&json!([salt("x", 9), "extra", 1])));
        }),
        ("a child without its parent", "stand for no digest", |parts| drop(parts.disclosures.remove(1))),
        ("a disclosure twice", "a disclosure comes twice", |parts| {
            parts.disclosures.push(parts.disclosures[0].clone())
        }),
        ("a digest twice", "a digest comes twice", |parts| {
            parts.payload["level"] = json!({"_sd": [parts.payload["_sd"][0]]})
        }),
        ("an unknown hash", "_sd_alg is unknown", |parts| parts.payload["_sd_alg"] = json!("sha-1")),
        ("_sd_alg that is no string", "_sd_alg is wrong", |parts| parts.payload["_sd_alg"] = json!(1)),
        ("_sd_alg below the top", "must not", |parts| parts.payload["level"] = json!({"_sd_alg": "sha-256"})),
        ("_sd that is no array", "_sd is wrong", |parts| parts.payload["_sd"] = json!("x")),
        ("a digest that is no string", "a digest is wrong", |parts| parts.payload["_sd"][1] = json!(1)),
        ("three dots in an object", "must not", |parts| parts.payload["level"] = json!({"...": "x"})),
        ("three dots with company", "other members", |parts| parts.payload["nationalities"][0]["x"] = json!(1)),
        ("a claim disclosure in an array", "belongs to a claim disclosure", |parts| {
            parts.payload["nationalities"][1] = json!({"...": hash(&parts.disclosures[0])});
            parts.payload["_sd"].as_array_mut().unwrap().pop();
        }),
        ("an element disclosure in an object", "belongs to an array element", |parts| {
            parts.payload["_sd"][1] = json!(hash(&parts.disclosures[3]));
            parts.payload["nationalities"].as_array_mut().unwrap().remove(0);
        }),
        ("a disclosed name that exists in clear", "exists already", |parts| parts.payload["given_name"] = json!("x")),
        ("a disclosure of four elements", "malformed", |parts| parts.disclosures[0] = encode(&json!([1, 2, 3, 4]))),
        ("a disclosure with a numeric salt", "malformed", |parts| parts.disclosures[0] = encode(&json!([1, "a", 3]))),
        ("padding", "malformed", |parts| parts.disclosures[0].push('=')),
    ];
    for (name, reason, spoil) in cases {
        let mut parts = parts(&json!({}), "a");
        spoil(&mut parts);
        let what = open(&parts.sign()).map(|_| ()).unwrap_err().what;
        assert!(what.contains(reason), "{name}: {what}");
    }
}

#[test]
fn reserved_names_and_protected_claims_cannot_be_disclosed() {
    for name in ["_sd", "...", "_sd_alg", "iss", "nbf", "exp", "cnf", "vct", "vct#integrity", "aka_vcts", "status"] {
        let disclosure = encode(&json!([salt("x", 1), name, "x"]));
        let mut parts = parts(&json!({}), "a");
        parts.payload = json!({"_sd": [hash(&disclosure)]});
        parts.disclosures = vec![disclosure];
        assert!(open(&parts.sign()).is_err(), "{name}");
    }
}

#[test]
fn two_claims_with_one_salt_are_refused() {
    let disclosures = vec![encode(&json!([salt("x", 1), "a", 1])), encode(&json!([salt("x", 1), "b", 1]))];
    let mut parts = parts(&json!({}), "a");
    parts.payload = json!({"_sd": [hash(&disclosures[0]), hash(&disclosures[1])]});
    parts.disclosures = disclosures;
    assert!(open(&parts.sign()).is_err());
}

#[test]
fn digests_without_any_disclosure_are_refused_and_short_salts_noted() {
    let mut parts = parts(&json!({}), "a");
    parts.disclosures.clear();
    assert!(open(&parts.sign()).is_err());
    let disclosure = encode(&json!(["short", "a", 1]));
    parts.payload = json!({"_sd": [hash(&disclosure)]});
    parts.disclosures = vec![disclosure];
    assert_eq!(open(&parts.sign()).unwrap().notes.len(), 1);
}

#[test]
fn text_that_is_no_sd_jwt_is_refused() {
    let good = parts(&json!({}), "a").sign();
    for bad in ["", "~", "a.b.c~", good.trim_end_matches('~').split('~').next().unwrap(), &good.replacen('~', "~~", 1)]
    {
        assert!(open(bad).is_err(), "{bad}");
    }
}

#[test]
fn nesting_has_a_limit() {
    let mut value = json!(1);
    for _ in 0..100 {
        value = json!({ "a": value });
    }
    let mut parts = parts(&json!({}), "a");
    parts.payload["level"] = value;
    assert!(open(&parts.sign()).is_err());
}
