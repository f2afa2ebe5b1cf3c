use chancery_keys::JwkError;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::FreshnessError;
use crate::trust::vectors::{NOW, Provider, changed, signed, software_signer};
use crate::trust::{ChainRule, TrustError};

struct Attestation {
    provider: Provider,
    keys: Vec<PublicJwk>,
    header: Value,
    claims: Value,
}

impl Attestation {
    fn new() -> Self {
        let provider = Provider::new("Key Root");
        let keys: Vec<_> = (0..3).map(|_| software_signer().public_jwk().clone()).collect();
        Self {
            header: json!({"typ": TYP, "x5c": Provider::x5c(&[&provider.leaf])}),
            claims: json!({
                "iat": NOW,
                "exp": NOW + 86_400,
                "nonce": "cN-71xk",
                "key_storage": ["iso_18045_high"],
                "user_authentication": ["iso_18045_moderate"],
                "attested_keys": keys.iter().map(PublicJwk::to_json).collect::<Vec<_>>(),
            }),
            provider,
            keys,
        }
    }

    fn claim(mut self, name: &str, value: Value) -> Self {
        self.claims = changed(&self.claims, name, value);
        self
    }

    fn verify_with<'a>(
        &'a self,
        change: impl FnOnce(&mut Expected<'a>),
    ) -> Result<KeyAttestation, KeyAttestationError> {
        let mut expected = Expected {
            carrier: Carrier::JwtProof,
            trust: TrustList {
                name: "key attesters",
                certificates: std::slice::from_ref(&self.provider.anchor),
                keys: &[],
                chains: ChainRule::default(),
            },
            algorithms: &[Algorithm::Es256],
            required: None,
            nonce: Echo::Exactly("cN-71xk"),
            now: NOW,
            max_age: 86_400,
            future_leeway: 60,
        };
        change(&mut expected);
        verify(&signed(&self.header, &self.claims, &self.provider.signer), &expected)
    }

    fn verify(&self) -> Result<KeyAttestation, KeyAttestationError> {
        self.verify_with(|_| {})
    }

    fn refusal(&self) -> KeyAttestationError {
        self.verify().unwrap_err()
    }
}

#[test]
fn an_attestation_speaks_for_its_keys_by_kat_2() {
    let attestation = Attestation::new().claim("certification", json!("https://cert.example/1"));
    let found = attestation.verify().unwrap();
    assert_eq!(found.attested_keys, attestation.keys);
    assert_eq!((found.key_storage[0].as_str(), found.user_authentication.len()), ("iso_18045_high", 1));
    assert_eq!(found.attester, Attester::Certificate("CN=Signer".to_owned()));
    assert_eq!((found.nonce.as_deref(), found.issued_at, found.expires_at), (Some("cN-71xk"), NOW, Some(NOW + 86_400)));
    assert_eq!(found.certification.as_deref(), Some("https://cert.example/1"));
    assert!(!format!("{found:?}").contains("cN-71xk"));
}

#[test]
fn a_proof_with_a_key_that_is_not_attested_is_refused_by_prf_7() {
    let attestation = Attestation::new();
    let found = attestation.verify().unwrap();
    assert_eq!(found.covers(&attestation.keys), Ok(()));
    let other = software_signer().public_jwk().clone();
    let error = found.covers([&attestation.keys[0], &other]).unwrap_err();
    assert_eq!(error, KeyAttestationError::KeyNotAttested { thumbprint: other.thumbprint(), attested: 3 });
    assert_eq!(error.code(), "invalid_proof");
}

#[test]
fn another_typ_is_refused_and_draft_15_named_by_kat_1() {
    let mut attestation = Attestation::new();
    attestation.header = changed(&attestation.header, "typ", json!("keyattestation+jwt"));
    let error = attestation.refusal();
    assert_eq!(error, KeyAttestationError::Type { draft: true, got: "keyattestation+jwt".to_owned() });
    assert!(error.explain().help.contains("draft 15"));
    attestation.header = changed(&attestation.header, "typ", json!(null));
    assert_eq!(attestation.refusal(), KeyAttestationError::Type { draft: false, got: String::new() });
}

#[test]
fn none_and_unlisted_algorithms_are_refused_by_kat_1() {
    let mut attestation = Attestation::new();
    let unlisted = attestation.verify_with(|expected| expected.algorithms = &[Algorithm::EdDsa]);
    assert!(matches!(unlisted, Err(KeyAttestationError::Algorithm { .. })));
    attestation.header = changed(&attestation.header, "alg", json!("none"));
    assert!(matches!(attestation.refusal(), KeyAttestationError::Jws(_)));
}

#[test]
fn an_untrusted_or_self_signed_attester_is_refused_by_kat_5() {
    let mut attestation = Attestation::new();
    attestation.provider.anchor = Provider::new("Other Root").anchor;
    let reason = attestation.refusal().explain().reason;
    assert!(reason.contains("chain ends at `CN=Key Root`, which is not in the list `key attesters`"), "{reason}");

    let mut alone = Attestation::new();
    alone.provider = Provider::self_signed("Alone");
    alone.header = json!({"typ": TYP, "x5c": Provider::x5c(&[&alone.provider.leaf])});
    let refused = alone.verify_with(|expected| expected.trust.chains = ChainRule::Haip).unwrap_err();
    assert!(matches!(refused, KeyAttestationError::Trust(TrustError::SelfSigned { .. })));
}

#[test]
fn an_unrelated_leaf_in_x5c_is_refused_by_kat_5() {
    let mut attestation = Attestation::new();
    attestation.provider.signer = software_signer();
    assert!(matches!(attestation.refusal(), KeyAttestationError::Trust(TrustError::Jws(_))));
}

#[test]
fn attested_keys_are_distinct_public_keys_by_kat_2() {
    let jwk = Attestation::new().claims["attested_keys"][0].clone();
    let private = changed(&jwk, "d", json!("AA"));
    for keys in [json!(null), json!([]), json!({}), json!(["x"]), json!(vec![jwk.clone(); 101])] {
        let error = Attestation::new().claim("attested_keys", keys).refusal();
        assert!(matches!(error, KeyAttestationError::Claim { name: "attested_keys", .. }), "{error:?}");
    }
    let error = Attestation::new().claim("attested_keys", json!([jwk, private])).refusal();
    assert_eq!(error, KeyAttestationError::Key { position: 2, error: JwkError::Private { member: "d" } });
    let error = Attestation::new().claim("attested_keys", json!([jwk, jwk])).refusal();
    assert_eq!(error, KeyAttestationError::RepeatedKey { position: 2 });
}

#[test]
fn a_level_must_be_accepted_or_stronger_by_kat_3_and_kat_4() {
    let required = |storage: &[&str], authentication: &[&str]| KeyAttestationsRequired {
        key_storage: storage.iter().map(|level| (*level).to_owned()).collect(),
        user_authentication: authentication.iter().map(|level| (*level).to_owned()).collect(),
    };
    fn check<'a>(
        required: &'a KeyAttestationsRequired,
        attestation: &'a Attestation,
    ) -> Result<(), KeyAttestationError> {
        attestation.verify_with(|expected| expected.required = Some(required)).map(|_| ())
    }
    let attestation = Attestation::new();
    for (storage, authentication) in [
        (&[][..], &[][..]),
        (&["iso_18045_high"], &["iso_18045_moderate"]),
        (&["iso_18045_basic"], &["https://other.example", "iso_18045_enhanced-basic"]),
    ] {
        assert_eq!(check(&required(storage, authentication), &attestation), Ok(()));
    }
    let high = required(&[], &["iso_18045_high"]);
    let error = check(&high, &attestation).unwrap_err();
    let (expected, got) = ("iso_18045_high".to_owned(), "iso_18045_moderate".to_owned());
    assert_eq!(error, KeyAttestationError::Level { name: "user_authentication", expected, got });
    let silent = Attestation::new().claim("user_authentication", json!(null));
    assert!(check(&required(&["iso_18045_high"], &[]), &silent).is_ok());
    assert!(matches!(check(&high, &silent), Err(KeyAttestationError::Level { got, .. }) if got == "none"));
    let own = Attestation::new().claim("key_storage", json!(["https://levels.example/3"]));
    assert!(check(&required(&["https://levels.example/3"], &[]), &own).is_ok());
    assert!(check(&required(&["iso_18045_basic"], &[]), &own).is_err());
}

#[test]
fn lists_of_levels_are_not_empty_by_kat_2() {
    for value in [json!([]), json!("iso_18045_high"), json!([1]), json!([""]), json!(vec!["x"; 17])] {
        let error = Attestation::new().claim("key_storage", value).refusal();
        assert!(matches!(error, KeyAttestationError::Claim { name: "key_storage", .. }), "{error:?}");
    }
}

#[test]
fn exp_is_wanted_in_a_proof_and_always_respected_by_kat_2_and_kat_5() {
    let endless = Attestation::new().claim("exp", json!(null));
    assert_eq!(endless.refusal(), KeyAttestationError::ExpiryMissing);
    let alone = endless.verify_with(|expected| expected.carrier = Carrier::Attestation);
    assert_eq!(alone.unwrap().expires_at, None);
    let expired = Attestation::new().claim("exp", json!(NOW));
    for carrier in [Carrier::JwtProof, Carrier::Attestation] {
        let error = expired.verify_with(|expected| expected.carrier = carrier).unwrap_err();
        assert_eq!(error, KeyAttestationError::Expired { seconds_ago: 0 });
    }
}

#[test]
fn iat_is_wanted_and_not_from_the_future_by_kat_2() {
    let missing = Attestation::new().claim("iat", json!(null)).refusal();
    assert_eq!(missing, KeyAttestationError::Freshness(FreshnessError::Missing));
    let ahead = Attestation::new().claim("iat", json!(NOW + 61)).refusal();
    assert!(matches!(ahead, KeyAttestationError::Freshness(FreshnessError::Future { .. })));
}

#[test]
fn the_nonce_is_that_of_the_proof_by_prf_7_and_prf_8() {
    let other = Attestation::new().claim("nonce", json!("old"));
    let (expected, got) = ("cN-71xk".to_owned(), "old".to_owned());
    assert_eq!(other.refusal(), KeyAttestationError::NonceMismatch { expected, got });
    assert_eq!(other.refusal().code(), "invalid_nonce");
    assert_eq!(other.verify_with(|expected| expected.nonce = Echo::Required).unwrap().nonce.as_deref(), Some("old"));
    let without = Attestation::new().claim("nonce", json!(null));
    assert_eq!((without.refusal(), without.refusal().code()), (KeyAttestationError::NonceMissing, "invalid_proof"));
    assert!(without.verify_with(|expected| expected.nonce = Echo::Required).is_err());
    assert_eq!(without.verify_with(|expected| expected.nonce = Echo::Optional).unwrap().nonce, None);
    let malformed = Attestation::new().claim("nonce", json!(1)).refusal();
    assert!(matches!(malformed, KeyAttestationError::Claim { name: "nonce", .. }));
}

proptest! {
    #[test]
    fn any_text_is_answered(text in "[A-Za-z0-9_.-]{0,120}") {
        let expected = Expected {
            carrier: Carrier::Attestation,
            trust: TrustList { name: "none", certificates: &[], keys: &[], chains: ChainRule::Any },
            algorithms: &Algorithm::ALL,
            required: None,
            nonce: Echo::Optional,
            now: NOW,
            max_age: 300,
            future_leeway: 60,
        };
        prop_assert!(verify(&text, &expected).is_err());
    }
}
