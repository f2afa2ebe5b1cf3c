use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::SoftwareKey;

/// RFC 7515 App. A.3.
const P256_X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
const P256_Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
/// RFC 8037 App. A.1.
const ED25519_X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

fn read(jwk: Value) -> Result<PublicJwk, JwkError> {
    PublicJwk::from_json(jwk.as_object().unwrap())
}

fn p256() -> Value {
    json!({"kty": "EC", "crv": "P-256", "x": P256_X, "y": P256_Y})
}

fn ed25519() -> Value {
    json!({"kty": "OKP", "crv": "Ed25519", "x": ED25519_X})
}

fn with(mut jwk: Value, member: &str, value: impl Into<Value>) -> Value {
    jwk[member] = value.into();
    jwk
}

#[test]
fn the_dpop_key_of_rfc_9449_has_the_thumbprint_printed_there() {
    let key = read(json!({
        "kty": "EC",
        "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
        "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA",
        "crv": "P-256",
    }))
    .unwrap();
    assert_eq!(key.thumbprint(), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I", "RFC 9449 §6.1");
}

#[test]
fn the_ed25519_key_of_rfc_8037_has_the_thumbprint_printed_there() {
    let key = read(ed25519()).unwrap();
    assert_eq!(key.thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", "RFC 8037 App. A.3");
}

#[test]
fn the_signature_of_rfc_8037_verifies() {
    let message = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    let signature = URL_SAFE_NO_PAD
        .decode("hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg")
        .unwrap();
    let key = read(ed25519()).unwrap();
    key.verify(message, &signature).unwrap();
    assert_eq!(key.verify(&message[1..], &signature), Err(SignatureInvalid));
}

#[test]
fn members_that_do_not_change_the_point_are_ignored() {
    let bare = read(p256()).unwrap();
    let dressed = json!({
        "kid": "1", "use": "sig", "key_ops": ["verify"], "alg": "ES256", "ext": true, "x5t": null,
        "y": P256_Y, "x": P256_X, "crv": "P-256", "kty": "EC",
    });
    let dressed = read(dressed).unwrap();
    assert_eq!(bare, dressed);
    assert_eq!(bare.thumbprint(), dressed.thumbprint());
    assert_eq!(Value::Object(dressed.to_json()), p256());
    assert!(read(with(ed25519(), "alg", "EdDSA")).is_ok());
    assert!(read(with(ed25519(), "alg", "Ed25519")).is_ok(), "RFC 9864");
}

/// DPP-1, WAT-4.
#[test]
fn a_private_or_symmetric_member_is_refused_and_its_value_is_not_repeated() {
    for member in PRIVATE_MEMBERS {
        let error = read(with(p256(), member, "c2VjcmV0")).unwrap_err();
        assert_eq!(error, JwkError::Private { member });
        assert!(!format!("{error} {error:?}").contains("c2VjcmV0"));
    }
    assert_eq!(read(json!({"kty": "oct", "k": "AAAA"})), Err(JwkError::Private { member: "k" }));
}

#[test]
fn other_key_types_and_curves_are_refused_by_name() {
    assert_eq!(read(json!({"kty": "RSA", "n": "AQAB", "e": "AQAB"})), Err(JwkError::KeyType { got: "RSA".into() }));
    for curve in ["P-521", "secp256k1", "Ed25519", "p-256"] {
        assert_eq!(read(with(p256(), "crv", curve)), Err(JwkError::Curve { got: curve.into() }));
    }
    for curve in ["X25519", "Ed448", "P-256"] {
        assert_eq!(read(with(ed25519(), "crv", curve)), Err(JwkError::Curve { got: curve.into() }));
    }
    let long = "x".repeat(10_000);
    assert_eq!(read(with(p256(), "kty", long)), Err(JwkError::KeyType { got: "x".repeat(64) }));
}

#[test]
fn an_absent_or_mistyped_member_is_named() {
    for member in ["kty", "crv", "x", "y"] {
        let mut jwk = p256();
        jwk.as_object_mut().unwrap().shift_remove(member);
        assert_eq!(read(jwk), Err(JwkError::Missing { member }));
        assert_eq!(read(with(p256(), member, 1)), Err(JwkError::NotAString { member }));
    }
    assert_eq!(read(with(p256(), "alg", json!(["ES256"]))), Err(JwkError::NotAString { member: "alg" }));
}

#[test]
fn an_alg_of_another_curve_is_refused() {
    for name in ["ES384", "ES256K", "ECDH-ES", "none", ""] {
        let expected = Algorithm::Es256;
        assert_eq!(read(with(p256(), "alg", name)), Err(JwkError::AlgorithmMismatch { expected, got: name.into() }));
    }
}

#[test]
fn coordinates_in_another_encoding_or_length_are_refused() {
    for x in [format!("{P256_X}="), P256_X.replace('-', "+"), format!("{P256_X} "), "f83O\nJ3D2".into(), "é".into()] {
        if x != P256_X {
            assert_eq!(read(with(p256(), "x", x)), Err(JwkError::NotBase64Url { member: "x" }));
        }
    }
    // The last character of 32 bytes carries two bits that must be zero: V instead of U sets one.
    let stray_bits = P256_X.strip_suffix('U').unwrap().to_owned() + "V";
    assert_eq!(read(with(p256(), "x", stray_bits)), Err(JwkError::NotBase64Url { member: "x" }));
    let length = |got| Err(JwkError::Length { member: "x", expected: 32, got });
    assert_eq!(read(with(p256(), "x", "")), length(0));
    assert_eq!(read(with(p256(), "x", URL_SAFE_NO_PAD.encode([1; 31]))), length(31));
    assert_eq!(read(with(p256(), "x", URL_SAFE_NO_PAD.encode([0; 33]))), length(33));
    assert_eq!(read(with(ed25519(), "x", URL_SAFE_NO_PAD.encode([1; 64]))), length(64));
    assert_eq!(read(with(p256(), "x", "A".repeat(1 << 20))), length((1 << 20) / 4 * 3));
}

#[test]
fn a_point_off_the_curve_is_refused() {
    let off = Err(JwkError::NotOnCurve(Algorithm::Es256));
    assert_eq!(read(with(p256(), "y", P256_X)), off);
    let zero = URL_SAFE_NO_PAD.encode([0; 32]);
    assert_eq!(read(with(with(p256(), "x", zero.clone()), "y", zero)), off, "the point at infinity has no coordinates");
    let too_large = URL_SAFE_NO_PAD.encode([0xff; 32]);
    assert_eq!(read(with(p256(), "x", too_large)), off, "coordinates are below the prime");
    let p384 = json!({
        "kty": "EC", "crv": "P-384", "x": URL_SAFE_NO_PAD.encode([1; 48]), "y": URL_SAFE_NO_PAD.encode([1; 48]),
    });
    assert_eq!(read(p384), Err(JwkError::NotOnCurve(Algorithm::Es384)));
}

#[test]
fn an_ed25519_key_of_small_order_is_refused() {
    let mut minus_one = [0xff; 32];
    minus_one[0] = 0xec;
    let order_eight =
        URL_SAFE_NO_PAD.decode("xxdqcD1N2E-6PAt2DRBnDyogU_osOczGTsf9d5KsA3o").unwrap().try_into().unwrap();
    let mut one = [0; 32];
    one[0] = 1;
    let mut negative_zero = [0; 32];
    negative_zero[31] = 0x80;
    for key in [[0; 32], one, minus_one, negative_zero, order_eight] {
        assert_eq!(PublicJwk::from_ed25519(&key), Err(JwkError::NotOnCurve(Algorithm::EdDsa)), "{key:02x?}");
    }
}

#[test]
fn a_signature_of_another_form_than_raw_is_refused() {
    let key = SoftwareKey::generate(Algorithm::Es256).unwrap();
    let public = key.public_jwk().clone();
    assert_eq!(public.verify(b"m", &[]), Err(SignatureInvalid));
    assert_eq!(public.verify(b"m", &[0; 64]), Err(SignatureInvalid), "r and s are not zero");
    assert_eq!(public.verify(b"m", &[0x30; 71]), Err(SignatureInvalid), "DER, RFC 7518 §3.4");
}

#[test]
fn compressed_points_give_the_same_key() {
    for algorithm in [Algorithm::Es256, Algorithm::Es384] {
        for _ in 0..8 {
            let key = SoftwareKey::generate(algorithm).unwrap().public_jwk().clone();
            let (x, y) = key.coordinates();
            let sign = 2 + (y.unwrap().last().unwrap() & 1);
            let compressed = [&[sign], x].concat();
            let read = match algorithm {
                Algorithm::Es384 => PublicJwk::from_p384_compressed(&compressed),
                Algorithm::Es256 | Algorithm::EdDsa => PublicJwk::from_p256_compressed(&compressed),
            };
            assert_eq!(read.unwrap(), key);
        }
    }
}

#[test]
fn what_is_not_a_compressed_point_is_refused() {
    let off = Err(JwkError::NotOnCurve(Algorithm::Es256));
    assert_eq!(
        PublicJwk::from_p256_compressed(&[0x02; 34]).unwrap_err().to_string(),
        "the compressed point has 34 bytes, expected 33"
    );
    assert!(matches!(PublicJwk::from_p256_compressed(&[]), Err(JwkError::Length { got: 0, .. })));
    assert_eq!(PublicJwk::from_p256_compressed(&[0x05; 33]), off);
    let mut too_large = [0xff; 33];
    too_large[0] = 0x02;
    assert_eq!(PublicJwk::from_p256_compressed(&too_large), off);
}

#[test]
fn a_key_survives_json_and_duplicate_members_do_not() {
    let text = serde_json::to_vec(&read(p256()).unwrap()).unwrap();
    assert_eq!(serde_json::from_slice::<PublicJwk>(&text).unwrap(), read(p256()).unwrap());
    assert_eq!(PublicJwk::from_json_bytes(&text).unwrap(), read(p256()).unwrap());
    let twice = format!(r#"{{"kty":"EC","crv":"P-256","x":"{P256_X}","y":"{P256_X}","y":"{P256_Y}"}}"#);
    assert_eq!(PublicJwk::from_json_bytes(twice.as_bytes()), Err(JwkError::Json));
    assert_eq!(PublicJwk::from_json_bytes(b"[]"), Err(JwkError::Json));
}

proptest! {
    #[test]
    fn a_changed_point_is_never_the_same_key(byte in 0_usize..64, bit in 0_u8..8) {
        let key = read(p256()).unwrap();
        let mut point = key.point().to_vec();
        point[1 + byte] ^= 1 << bit;
        // Changing only x or only y leaves the curve, but for rare accidents that are other keys.
        prop_assert!(PublicJwk::from_point(Algorithm::Es256, &point).is_ok_and(|other| other == key).eq(&false));
    }

    #[test]
    fn only_the_uncompressed_form_counts_as_a_point(bytes in proptest::collection::vec(any::<u8>(), 0..130)) {
        for algorithm in Algorithm::ALL {
            if let Ok(key) = PublicJwk::from_point(algorithm, &bytes) {
                prop_assert_eq!(key.point(), &bytes[..]);
                prop_assert_eq!(algorithm, Algorithm::EdDsa, "random bytes are no EC point");
            }
        }
    }
}
