use chancery_keys::{Algorithm, SoftwareKey};
use proptest::prelude::*;

use super::*;

/// Identifier of wallet B's DID.
const WALLET_B: &str = concat!(
    "z2dmzD81cgPx8Vki7JbuuMmFYrWPgYoytykUZ3eyqht1j9KbqMfTNDDuKDKgQMvEzVHbVaPYWWJkpd73t2pQqNjonHyBXb72rqE3hxGL3ZJb",
    "UsbBBYkdLoE6hR6u8F8uKqHWRbdQia14t9xRheFULDXY63XENhxcFLRM8RXQcsBboiU5br"
);

const JWK_OF_WALLET_B: &str = concat!(
    r#"{"crv":"P-256","kty":"EC","x":"VYi0QQ_uC-5DDVpwvb4z4u6lo99jhQaTlLsDViQzW7k","#,
    r#""y":"bBR77DlC0VuTByDfFEejYMrXFbi4OY8e5PZMPUYcONk"}"#
);

fn did_key(prefix: &[u8], key: &[u8]) -> String {
    let identifier = format!("z{}", bs58::encode([prefix, key].concat()).into_string());
    format!("did:key:{identifier}#{identifier}")
}

fn coordinate(key: &PublicJwk, name: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(key.to_json().get(name).unwrap().as_str().unwrap()).unwrap()
}

fn compressed(key: &PublicJwk) -> Vec<u8> {
    let sign = 2 + (coordinate(key, "y").last().unwrap() & 1);
    [vec![sign], coordinate(key, "x")].concat()
}

fn fresh(algorithm: Algorithm) -> PublicJwk {
    SoftwareKey::generate(algorithm).unwrap().public_jwk().clone()
}

#[test]
fn the_did_of_wallet_b_resolves_offline() {
    let found = dereference(&format!("did:key:{WALLET_B}#{WALLET_B}")).unwrap();
    assert_eq!((found.method, found.did), (Method::Key, format!("did:key:{WALLET_B}")));
    assert_eq!(found.key.thumbprint(), "4NJVdcqro9Bt8Gfx4xpzlbGo3GsWsyw3Lrg-EMsiaQ8");
    assert_eq!(canonical(&found.key), JWK_OF_WALLET_B);
}

#[test]
fn an_ed25519_example_of_the_did_key_method_resolves() {
    let id = "z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK";
    let key = resolve(&format!("did:key:{id}#{id}")).unwrap();
    assert_eq!(key.algorithm(), Algorithm::EdDsa);
}

#[test]
fn every_supported_key_type_is_read_from_a_did_key() {
    let key = fresh(Algorithm::Es256);
    assert_eq!(resolve(&did_key(&[0x80, 0x24], &compressed(&key))).unwrap(), key);
    let key = fresh(Algorithm::Es384);
    assert_eq!(resolve(&did_key(&[0x81, 0x24], &compressed(&key))).unwrap(), key);
    let key = fresh(Algorithm::EdDsa);
    assert_eq!(resolve(&did_key(&[0xed, 0x01], &coordinate(&key, "x"))).unwrap(), key);
    for algorithm in Algorithm::ALL {
        let key = fresh(algorithm);
        assert_eq!(resolve(&did_key(&[0xd1, 0xd6, 0x03], canonical(&key).as_bytes())).unwrap(), key);
        assert_eq!(resolve(&format!("{}#0", from_jwk(&key))).unwrap(), key);
    }
}

#[test]
fn the_fragment_must_name_the_only_key() {
    let missing = dereference(&format!("did:key:{WALLET_B}"));
    assert!(matches!(missing, Err(DidError::FragmentMissing { .. })));
    for fragment in ["", "0", &WALLET_B[1..]] {
        let altered = dereference(&format!("did:key:{WALLET_B}#{fragment}"));
        assert!(matches!(altered, Err(DidError::Fragment { .. })), "{fragment}");
    }
    let did = from_jwk(&fresh(Algorithm::Es256));
    assert!(matches!(dereference(&format!("{did}#1")), Err(DidError::Fragment { .. })));
    assert!(matches!(dereference(&did), Err(DidError::FragmentMissing { .. })));
}

#[test]
fn a_jwk_inside_a_did_key_must_be_canonical_and_minimal() {
    let key = fresh(Algorithm::Es256);
    let canonical = canonical(&key);
    for other in [
        canonical.replace(',', ", "),
        canonical.replacen(r#""crv":"P-256","kty":"EC""#, r#""kty":"EC","crv":"P-256""#, 1),
        canonical.replacen('{', r#"{"alg":"ES256","#, 1),
        canonical.replacen("EC", "\\u0045C", 1),
    ] {
        assert_ne!(other, canonical);
        let found = resolve(&did_key(&[0xd1, 0xd6, 0x03], other.as_bytes()));
        assert!(matches!(found, Err(DidError::NotCanonical { .. })), "{other}: {found:?}");
    }
}

#[test]
fn a_private_member_is_refused_in_both_methods() {
    let key = fresh(Algorithm::Es256);
    let private = canonical(&key).replacen(r#""kty""#, r#""d":"AAAA","kty""#, 1);
    for did in
        [did_key(&[0xd1, 0xd6, 0x03], private.as_bytes()), format!("did:jwk:{}#0", URL_SAFE_NO_PAD.encode(&private))]
    {
        assert!(matches!(resolve(&did), Err(DidError::Key(_))), "{did}");
    }
}

#[test]
fn other_bases_types_lengths_and_methods_are_refused() {
    let key = compressed(&fresh(Algorithm::Es256));
    let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(matches!(resolve(&format!("did:key:f{hex}#f{hex}")), Err(DidError::Encoding { .. })));
    assert!(matches!(resolve("did:key:z0OIl#z0OIl"), Err(DidError::Encoding { .. })));
    assert!(matches!(resolve("did:key:z#z"), Err(DidError::KeyType { .. })));
    assert!(matches!(resolve(&did_key(&[0xe7, 0x01], &key)), Err(DidError::KeyType { got: 0xe7 })));
    assert!(matches!(resolve(&did_key(&[0xed, 0x81, 0x00], &key)), Err(DidError::KeyType { .. })));
    assert!(matches!(resolve(&did_key(&[0x80, 0x24], &key[1..])), Err(DidError::KeyLength { expected: 33, got: 32 })));
    assert!(matches!(resolve(&did_key(&[0xed, 0x01], &key)), Err(DidError::KeyLength { expected: 32, got: 33 })));
    let mut off_curve = key.clone();
    off_curve.splice(1.., [0xff; 32]);
    assert!(matches!(resolve(&did_key(&[0x80, 0x24], &off_curve)), Err(DidError::Key(_))));
    assert!(matches!(resolve("did:web:wallet.example#0"), Err(DidError::Method { .. })));
    assert!(matches!(resolve("key-1"), Err(DidError::NotADid { .. })));
    assert!(matches!(resolve("did:jwk:e30=#0"), Err(DidError::Encoding { .. })));
    let long = "1".repeat(500);
    assert!(matches!(resolve(&format!("did:key:z{long}#z{long}")), Err(DidError::TooLong { limit: 400, .. })));
    assert!(matches!(resolve(&format!("did:jwk:{}", "A".repeat(3000))), Err(DidError::TooLong { .. })));
}

proptest! {
    #[test]
    fn a_did_with_one_character_changed_never_yields_the_same_key(
        position in 0usize..178,
        replacement in "[1-9A-HJ-NP-Za-km-z]",
    ) {
        let mut identifier = WALLET_B.to_owned();
        prop_assume!(position < identifier.len());
        identifier.replace_range(position..=position, &replacement);
        prop_assume!(identifier != WALLET_B);
        let original = resolve(&format!("did:key:{WALLET_B}#{WALLET_B}")).unwrap();
        if let Ok(key) = resolve(&format!("did:key:{identifier}#{identifier}")) {
            prop_assert_ne!(key, original);
        }
    }

    #[test]
    fn arbitrary_text_never_panics(text in "did:(key|jwk):\\PC{0,60}(#\\PC{0,20})?") {
        let _ = resolve(&text);
    }
}
