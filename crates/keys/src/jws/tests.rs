use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{CertificateChain, SoftwareKey};

/// RFC 7515 App. A.3.
const RFC_7515: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
/// RFC 9449 §4.1.
const RFC_9449: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg";

static ES256: LazyLock<Signer> = LazyLock::new(|| signer(Algorithm::Es256));
static ES384: LazyLock<Signer> = LazyLock::new(|| signer(Algorithm::Es384));
static ED_DSA: LazyLock<Signer> = LazyLock::new(|| signer(Algorithm::EdDsa));

fn signer(algorithm: Algorithm) -> Signer {
    SoftwareKey::generate(algorithm).unwrap().into_signer("key-1".to_owned(), CertificateChain::default())
}

fn signed(header: Value, payload: &[u8], signer: &Signer) -> String {
    let Value::Object(header) = header else { unreachable!() };
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(sign(header, payload, signer)).unwrap()
}

/// A compact JWS with a header that nobody would sign, correctly signed all the same.
fn forged(header: &str, payload: &str, signer: &Signer) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let signature = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(signer.sign(message.as_bytes()))
        .unwrap();
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

#[test]
fn the_es256_example_of_rfc_7515_verifies() {
    let key = json!({
        "kty": "EC", "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    });
    let jws = decode(RFC_7515).unwrap();
    assert_eq!(jws.claims()["iss"], "joe");
    assert_eq!(jws.algorithm(), Algorithm::Es256);
    jws.verify(&PublicJwk::from_json(key.as_object().unwrap()).unwrap()).unwrap();
}

#[test]
fn the_dpop_proof_of_rfc_9449_verifies_with_the_key_it_carries() {
    let proof = decode(RFC_9449).unwrap();
    assert_eq!(proof.typ(), Some("dpop+jwt"));
    assert_eq!(proof.header_names(), ["typ", "alg", "jwk"]);
    let key = PublicJwk::from_json(proof.header()["jwk"].as_object().unwrap()).unwrap();
    proof.verify(&key).unwrap();
}

#[test]
fn what_is_signed_verifies_with_every_algorithm() {
    for signer in [&*ES256, &*ES384, &*ED_DSA] {
        let header = json!({"typ": "dc+sd-jwt", "kid": "key-1", "alg": "none"});
        let compact = signed(header, br#"{"sub":"x"}"#, signer);
        let jws = decode(&compact).unwrap();
        assert_eq!(jws.algorithm(), signer.algorithm(), "alg is the signer's, whatever the caller said");
        assert_eq!(jws.header()["kid"], "key-1");
        assert_eq!(Value::Object(jws.claims().clone()), json!({"sub": "x"}));
        jws.verify(signer.public_jwk()).unwrap();
    }
}

#[test]
fn a_signature_by_another_key_is_refused() {
    let compact = signed(json!({}), b"{}", &ES256);
    let other = signer(Algorithm::Es256);
    assert_eq!(decode(&compact).unwrap().verify(other.public_jwk()), Err(JwsError::Signature));
}

/// PRF-1, DPP-1, SEC-13.
#[test]
fn no_algorithm_but_the_three_is_decoded() {
    for alg in ["none", "None", "HS256", "RS256", "PS256", "ES256K", "es256", ""] {
        let compact = forged(&format!(r#"{{"alg":"{alg}"}}"#), "{}", &ES256);
        assert_eq!(decode(&compact).unwrap_err(), JwsError::Algorithm { got: alg.to_owned() });
    }
    for header in ["{}", r#"{"alg":null}"#, r#"{"alg":["ES256"]}"#] {
        assert_eq!(decode(&forged(header, "{}", &ES256)).unwrap_err(), JwsError::Algorithm { got: String::new() });
    }
    let unsecured = "eyJhbGciOiJub25lIn0.eyJpc3MiOiJqb2UifQ.";
    assert_eq!(decode(unsecured).unwrap_err(), JwsError::Algorithm { got: "none".to_owned() }, "RFC 7519 §6.1");
}

/// SEC-13; RFC 8725 §2.1.
#[test]
fn an_hmac_keyed_with_the_public_key_is_refused() {
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, ES256.public_jwk().point());
    let message =
        format!("{}.{}", URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256"}"#), URL_SAFE_NO_PAD.encode(r#"{"sub":"x"}"#));
    let tag = aws_lc_rs::hmac::sign(&key, message.as_bytes());
    let compact = format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag));
    assert_eq!(decode(&compact).unwrap_err(), JwsError::Algorithm { got: "HS256".to_owned() });
}

#[test]
fn an_algorithm_of_another_curve_than_the_key_is_refused() {
    let compact = forged(r#"{"alg":"ES256"}"#, "{}", &ES384);
    let jws = decode(&compact).unwrap();
    assert_eq!(
        jws.verify(ES384.public_jwk()),
        Err(JwsError::AlgorithmMismatch { expected: Algorithm::Es384, got: Algorithm::Es256 })
    );
    assert!(jws.verify(ED_DSA.public_jwk()).is_err());
    assert_eq!(jws.verify(ES256.public_jwk()), Err(JwsError::Signature), "96 bytes are no ES256 signature");
}

#[test]
fn a_duplicate_member_is_refused_wherever_it_is() {
    let duplicate = |part, name: &str| JwsError::Duplicate { part, name: name.to_owned() };
    let compact = forged(r#"{"alg":"none","alg":"ES256"}"#, "{}", &ES256);
    assert_eq!(decode(&compact).unwrap_err(), duplicate(Part::Header, "alg"));
    let compact = forged(r#"{"alg":"ES256","jwk":{"x":"a","x":"b"}}"#, "{}", &ES256);
    assert_eq!(decode(&compact).unwrap_err(), duplicate(Part::Header, "x"));
    let compact = forged(r#"{"alg":"ES256"}"#, r#"{"aud":"a","aud":"b"}"#, &ES256);
    assert_eq!(decode(&compact).unwrap_err(), duplicate(Part::Payload, "aud"));
}

#[test]
fn crit_is_refused_in_every_form() {
    for crit in [r#"["b64"]"#, r#"["exp"]"#, "[]", "null", "\"b64\"", "{}"] {
        let compact = forged(&format!(r#"{{"alg":"ES256","b64":true,"crit":{crit}}}"#), "{}", &ES256);
        assert_eq!(decode(&compact).unwrap_err(), JwsError::Critical, "{crit}");
    }
}

#[test]
fn padding_and_other_alphabets_are_refused() {
    let compact = signed(json!({"kid": "ab"}), br#"{"a":"??>>"}"#, &ES256);
    let parts: Vec<&str> = compact.split('.').collect();
    let [header, payload, signature] = parts[..] else { unreachable!() };
    let refused = |compact: String, part| assert_eq!(decode(&compact).unwrap_err(), JwsError::NotBase64Url { part });
    refused(format!("{header}=.{payload}.{signature}"), Part::Header);
    refused(format!("{header}.{payload}==.{signature}"), Part::Payload);
    refused(format!("{header}.{payload}.{signature}=="), Part::Signature);
    refused(format!("{header}.{payload}.{signature}\n"), Part::Signature);
    refused(format!(" {header}.{payload}.{signature}"), Part::Header);
    refused(format!("{header}.{payload}.+{}", &signature[1..]), Part::Signature);
    // 64 bytes end in a character with four unused bits: another spelling of the same signature.
    refused(format!("{header}.{payload}.{}B", &signature[..85]), Part::Signature);
}

#[test]
fn a_signature_in_der_is_refused() {
    let compact = signed(json!({}), b"{}", &ES256);
    let (message, _) = compact.rsplit_once('.').unwrap();
    let private =
        aws_lc_rs::signature::EcdsaKeyPair::generate(&aws_lc_rs::signature::ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
    let point = aws_lc_rs::signature::KeyPair::public_key(&private).as_ref();
    let key = PublicJwk::from_point(Algorithm::Es256, point).unwrap();
    let der = private.sign(&aws_lc_rs::rand::SystemRandom::new(), message.as_bytes()).unwrap();
    let compact = format!("{message}.{}", URL_SAFE_NO_PAD.encode(der));
    assert_eq!(decode(&compact).unwrap().verify(&key), Err(JwsError::Signature), "RFC 7518 §3.4");
}

#[test]
fn another_number_of_parts_is_refused() {
    for (compact, got) in [("", 1), ("e30", 1), ("e30.e30", 2), ("e30.e30.AA.AA", 4), ("a.b.c.d.e", 5)] {
        assert_eq!(decode(compact).unwrap_err(), JwsError::Parts { got });
    }
}

#[test]
fn parts_that_are_no_json_objects_are_refused() {
    let header = r#"{"alg":"ES256"}"#;
    for payload in ["", "hello", "{", "{}x", "{\"a\":01}"] {
        let compact = forged(header, payload, &ES256);
        assert_eq!(decode(&compact).unwrap_err(), JwsError::NotJson { part: Part::Payload }, "{payload}");
    }
    assert_eq!(decode(&forged(header, "[1]", &ES256)).unwrap_err(), JwsError::NotAnObject { part: Part::Payload });
    assert_eq!(decode(&forged("\"ES256\"", "{}", &ES256)).unwrap_err(), JwsError::NotAnObject { part: Part::Header });
}

#[test]
fn a_registered_header_parameter_of_another_type_is_refused_by_name() {
    let compact = forged(r#"{"alg":"ES256","kid":7}"#, "{}", &ES256);
    let error = decode(&compact).unwrap().verify(ES256.public_jwk()).unwrap_err();
    assert!(matches!(&error, JwsError::Header { reason } if reason.contains("kid")), "{error}");
}

#[test]
fn an_oversized_text_is_refused_before_it_is_read() {
    let compact = "A".repeat(MAX_BYTES + 1);
    assert_eq!(decode(&compact).unwrap_err(), JwsError::TooLong { got: MAX_BYTES + 1 });
    let largest = signed(json!({}), json!({"a": "x".repeat(48_000)}).to_string().as_bytes(), &ES256);
    assert!(largest.len() <= MAX_BYTES);
    decode(&largest).unwrap().verify(ES256.public_jwk()).unwrap();
}

#[test]
fn debug_output_names_no_claim() {
    let compact = signed(json!({"kid": "holder"}), br#"{"given_name":"Erika"}"#, &ES256);
    let debug = format!("{:?}", decode(&compact).unwrap());
    assert!(!debug.contains("Erika") && !debug.contains("given_name") && !debug.contains("holder"), "{debug}");
}

#[test]
fn the_hash_names_the_compact_form() {
    let jws = decode(RFC_7515).unwrap();
    let hex = jws.sha256_hex();
    assert_eq!(hex.len(), 64);
    assert_eq!(hex[..2], format!("{:02x}", sha256(RFC_7515.as_bytes())[0]));
}

#[test]
fn a_header_that_cannot_be_sent_is_not_signed() {
    let Value::Object(header) = json!({"kid": 7}) else { unreachable!() };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let outcome = runtime.block_on(sign(header, b"{}", &ES256));
    assert!(matches!(outcome, Err(KeyError::Header(reason)) if reason.contains("kid")));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn one_changed_bit_is_refused(position in any::<prop::sample::Index>(), bit in 0_u8..7, which in 0_usize..3) {
        let signer = [&*ES256, &*ES384, &*ED_DSA][which];
        let compact = signed(json!({"typ": "x"}), br#"{"iss":"https://issuer.example","iat":1}"#, signer);
        let mut bytes = compact.into_bytes();
        let position = position.index(bytes.len());
        bytes[position] ^= 1 << bit;
        let changed = String::from_utf8(bytes).unwrap();
        prop_assert!(decode(&changed).and_then(|jws| jws.verify(signer.public_jwk())).is_err());
    }

    #[test]
    fn any_payload_comes_back_as_it_was_signed(
        claims in prop::collection::btree_map("\\PC{0,12}", prop_oneof![
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "\\PC{0,20}".prop_map(Value::from),
        ], 0..6),
    ) {
        let claims = Value::Object(claims.into_iter().collect());
        let compact = signed(json!({}), claims.to_string().as_bytes(), &ED_DSA);
        let jws = decode(&compact).unwrap();
        jws.verify(ED_DSA.public_jwk()).unwrap();
        prop_assert_eq!(Value::Object(jws.claims().clone()), claims);
    }

    #[test]
    fn any_text_is_answered(text in "[A-Za-z0-9_.=-]{0,200}|\\PC{0,100}") {
        let _ = decode(&text);
    }
}

#[test]
fn a_jws_that_somebody_else_verifies_is_taken_apart_as_strictly() {
    let of_rsa = format!("{}.{}.AAAA", URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256"}"#), URL_SAFE_NO_PAD.encode("{}"));
    let opened = open(&of_rsa).unwrap();
    assert_eq!(opened.header["alg"], "RS256");
    assert_eq!(
        (opened.message, opened.signature),
        (of_rsa.rsplit_once('.').unwrap().0.as_bytes().to_vec(), vec![0; 3])
    );
    for (header, error) in [
        (r#"{"alg":"RS256","crit":["b64"]}"#, JwsError::Critical),
        (r#"{"alg":"RS256","alg":"none"}"#, JwsError::Duplicate { part: Part::Header, name: "alg".to_owned() }),
        ("[]", JwsError::NotAnObject { part: Part::Header }),
    ] {
        assert_eq!(open(&forged(header, "{}", &ES256)).unwrap_err(), error, "{header}");
    }
    assert_eq!(open("a.b").unwrap_err(), JwsError::Parts { got: 2 });
    assert_eq!(open(&"a".repeat(MAX_BYTES + 1)).unwrap_err(), JwsError::TooLong { got: MAX_BYTES + 1 });
}
