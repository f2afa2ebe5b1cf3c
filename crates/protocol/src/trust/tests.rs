use chancery_keys::jws;
use proptest::prelude::*;
use serde_json::json;

use super::vectors::{NOW, Provider, signed, software_signer};
use super::*;

fn list_of<'a>(certificates: &'a [Vec<u8>], keys: &'a [TrustedKey]) -> TrustList<'a> {
    TrustList { name: "wallet providers", certificates, keys, chains: ChainRule::Any }
}

fn token(header: &Value, signer: &chancery_keys::Signer) -> Unverified {
    jws::decode(&signed(header, &json!({}), signer)).unwrap()
}

fn trusted(key_id: Option<&str>, signer: &chancery_keys::Signer) -> TrustedKey {
    TrustedKey { key_id: key_id.map(str::to_owned), key: signer.public_jwk().clone() }
}

#[test]
fn a_signer_is_trusted_through_its_chain_or_by_its_key() {
    let provider = Provider::new("Root");
    let anchors = [provider.anchor.clone()];
    let certified = token(&json!({"x5c": Provider::x5c(&[&provider.leaf])}), &provider.signer);
    let attester = list_of(&anchors, &[]).verify(&certified, NOW).unwrap();
    assert_eq!(attester, Attester::Certificate("CN=Signer".to_owned()));

    let keys = [trusted(Some("k1"), &software_signer()), trusted(Some("k2"), &provider.signer)];
    for header in [json!({"kid": "k2"}), json!({}), json!({"x5c": Provider::x5c(&[&provider.leaf])})] {
        let attester = list_of(&[], &keys).verify(&token(&header, &provider.signer), NOW);
        assert_eq!(attester, Ok(Attester::Key("k2".to_owned())), "{header}");
    }
    let nameless = [trusted(None, &provider.signer)];
    let attester = list_of(&[], &nameless).verify(&token(&json!({"kid": "any"}), &provider.signer), NOW).unwrap();
    assert_eq!(attester.to_string(), format!("key {}", provider.signer.public_jwk().thumbprint()));
}

/// KAT-5, WAT-4.
#[test]
fn a_chain_that_ends_elsewhere_is_refused_with_both_ends_named() {
    let (provider, other) = (Provider::new("Old Root"), Provider::new("New Root"));
    let anchors = [other.anchor];
    let certified = token(&json!({"x5c": Provider::x5c(&[&provider.leaf])}), &provider.signer);
    let error = list_of(&anchors, &[]).verify(&certified, NOW).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the chain ends at `CN=Old Root`, which is not in the list `wallet providers` (CN=New Root)"
    );
    assert!(error.help().contains("renewed"));
    let keys = [trusted(Some("k1"), &software_signer())];
    assert_eq!(
        list_of(&anchors, &keys).verify(&certified, NOW).unwrap_err().to_string(),
        "the chain ends at `CN=Old Root`, which is not in the list `wallet providers` (CN=New Root, k1)"
    );
}

#[test]
fn many_trusted_parties_are_counted_and_not_all_named() {
    let signer = software_signer();
    let keys: Vec<_> = (0..7).map(|number| trusted(Some(&format!("k{number}")), &signer)).collect();
    let error = list_of(&[], &keys).verify(&token(&json!({"kid": "k9"}), &signer), NOW).unwrap_err();
    assert_eq!(error.to_string(), "the key `k9` is not in the list `wallet providers` (k0, k1, k2, k3 and 3 more)");
}

#[test]
fn a_signature_by_another_key_than_the_named_one_is_refused() {
    let (provider, other) = (Provider::new("Root"), software_signer());
    let anchors = [provider.anchor.clone()];
    let unrelated_leaf = token(&json!({"x5c": Provider::x5c(&[&provider.leaf])}), &other);
    let refused = Err(TrustError::Jws(JwsError::Signature));
    assert_eq!(list_of(&anchors, &[]).verify(&unrelated_leaf, NOW), refused);
    let keys = [trusted(Some("k1"), &provider.signer)];
    assert_eq!(list_of(&[], &keys).verify(&token(&json!({"kid": "k1"}), &other), NOW), refused);
    let unnamed = list_of(&[], &keys).verify(&token(&json!({}), &other), NOW).unwrap_err();
    assert!(matches!(unnamed, TrustError::UnknownKey { key_id, .. } if key_id == "unnamed"));
}

#[test]
fn malformed_expired_and_absent_certificates_are_told_apart() {
    let provider = Provider::new("Root");
    let anchors = [provider.anchor.clone()];
    let certified = json!({"x5c": Provider::x5c(&[&provider.leaf])});
    let list = list_of(&anchors, &[]);
    let verify = |header: &Value, now| list.verify(&token(header, &provider.signer), now);
    assert!(matches!(verify(&certified, NOW * 2), Err(TrustError::Chain(ChainError::Expired { .. }))));
    assert!(matches!(verify(&json!({"x5c": "MII"}), NOW), Err(TrustError::X5cMalformed { .. })));
    assert!(matches!(verify(&json!({"x5c": []}), NOW), Err(TrustError::Chain(ChainError::Empty))));
    assert!(matches!(verify(&json!({"x5c": ["MII"]}), NOW), Err(TrustError::Chain(_))));
    assert!(matches!(verify(&json!({"x5u": "https://a.example"}), NOW), Err(TrustError::UnknownKey { .. })));
    let nobody = list_of(&[], &[]).verify(&token(&certified, &provider.signer), NOW);
    assert_eq!(nobody, Err(TrustError::NothingTrusted { list: "wallet providers".to_owned() }));
}

/// WAT-10, KAT-5.
#[test]
fn haip_wants_a_chain_without_its_anchor_and_no_self_signed_leaf() {
    let provider = Provider::new("Root");
    let anchors = [provider.anchor.clone()];
    let keys = [trusted(Some("k1"), &provider.signer)];
    let haip = TrustList { chains: ChainRule::Haip, ..list_of(&anchors, &keys) };
    let verify = |header: &Value| haip.verify(&token(header, &provider.signer), NOW);
    assert!(verify(&json!({"x5c": Provider::x5c(&[&provider.leaf])})).is_ok());
    assert_eq!(verify(&json!({"kid": "k1"})), Err(TrustError::X5cMissing));
    let with_anchor = json!({"x5c": Provider::x5c(&[&provider.leaf, &provider.anchor])});
    assert_eq!(verify(&with_anchor), Err(TrustError::AnchorInside { subject: "CN=Root".to_owned() }));
    assert!(list_of(&anchors, &[]).verify(&token(&with_anchor, &provider.signer), NOW).is_ok());

    let alone = Provider::self_signed("Alone");
    let anchors = [alone.anchor.clone()];
    let header = json!({"x5c": Provider::x5c(&[&alone.leaf])});
    let haip = TrustList { chains: ChainRule::Haip, ..list_of(&anchors, &[]) };
    let refused = haip.verify(&token(&header, &alone.signer), NOW);
    assert_eq!(refused, Err(TrustError::SelfSigned { subject: "CN=Alone".to_owned() }));
    assert!(list_of(&anchors, &[]).verify(&token(&header, &alone.signer), NOW).is_ok());
}

#[test]
fn a_jwk_set_keeps_the_signature_keys_and_refuses_private_ones() {
    let signer = software_signer();
    let jwk = Value::Object(signer.public_jwk().to_json());
    let with = |name: &str, value: &str| super::vectors::changed(&jwk, name, json!(value));
    let parse = |keys: Value| TrustedKey::parse_set(json!({"keys": keys}).to_string().as_bytes());
    let keys =
        parse(json!([with("kid", "a"), with("use", "sig"), with("use", "enc"), {"kty": "RSA", "n": "AQ"}])).unwrap();
    assert_eq!(keys, [trusted(Some("a"), &signer), trusted(None, &signer)]);
    let private = parse(json!([jwk.clone(), with("d", "AA")]));
    assert_eq!(private, Err(KeySetError::Private { position: 2, member: "d" }));
    assert_eq!(parse(json!([with("use", "enc")])), Err(KeySetError::NoneUsable { got: 1 }));
    for keys in [json!([]), json!({}), json!(null), json!(["x"]), json!(vec![jwk.clone(); 101])] {
        assert!(matches!(parse(keys), Err(KeySetError::Keys { .. })));
    }
    assert!(matches!(TrustedKey::parse_set(b"[]"), Err(KeySetError::Json(_))));
}

proptest! {
    #[test]
    fn any_text_is_answered_as_a_jwk_set(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(TrustedKey::parse_set(&bytes).is_err());
    }
}
