use chancery_keys::{Signer, jws::JwsError};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::FreshnessError;
use crate::trust::vectors::{NOW, Provider, changed, signed, software_signer};
use crate::trust::{ChainRule, TrustError};

const SERVER: &str = "https://issuer.example/t/acme";
const CLIENT: &str = "https://wallet.example";

/// A wallet instance with its provider, and what both say.
struct Wallet {
    provider: Provider,
    instance: Signer,
    header: Value,
    claims: Value,
    proof_header: Value,
    proof_claims: Value,
}

impl Wallet {
    fn new() -> Self {
        let (provider, instance) = (Provider::new("Wallet Root"), software_signer());
        Self {
            header: json!({"typ": ATTESTATION_TYP, "x5c": Provider::x5c(&[&provider.leaf])}),
            claims: json!({
                "iss": "https://provider.example",
                "sub": CLIENT,
                "exp": NOW + 3600,
                "cnf": {"jwk": instance.public_jwk().to_json()},
            }),
            proof_header: json!({"typ": PROOF_TYP}),
            proof_claims: json!({"iss": CLIENT, "aud": SERVER, "jti": "p-1", "iat": NOW, "challenge": "ch-9"}),
            provider,
            instance,
        }
    }

    fn claim(mut self, name: &str, value: Value) -> Self {
        self.claims = changed(&self.claims, name, value);
        self
    }

    fn proof_claim(mut self, name: &str, value: Value) -> Self {
        self.proof_claims = changed(&self.proof_claims, name, value);
        self
    }

    fn attestation(&self) -> String {
        signed(&self.header, &self.claims, &self.provider.signer)
    }

    fn proof(&self) -> String {
        signed(&self.proof_header, &self.proof_claims, &self.instance)
    }

    fn verify_with(&self, change: impl FnOnce(&mut Expected<'_>)) -> Result<ClientAttestation, ClientAttestationError> {
        let anchors = [self.provider.anchor.clone()];
        let mut expected = Expected {
            authorization_server: SERVER,
            client_id: Some(CLIENT),
            trust: TrustList {
                name: "wallet providers",
                certificates: &anchors,
                keys: &[],
                chains: ChainRule::default(),
            },
            algorithms: &[Algorithm::Es256],
            known_attester: None,
            challenge: Echo::Exactly("ch-9"),
            dpop_thumbprint: None,
            now: NOW,
            max_age: 300,
            future_leeway: 60,
        };
        change(&mut expected);
        verify(Presented { attestation: &self.attestation(), proof: Some(&self.proof()) }, &expected)
    }

    fn refusal(&self) -> ClientAttestationError {
        self.verify_with(|_| {}).unwrap_err()
    }
}

#[test]
fn an_attested_wallet_is_known_by_its_client_and_its_key() {
    let wallet = Wallet::new().claim("wallet_name", json!("Example Wallet")).claim("x", json!({"unknown": 1}));
    let found = wallet.verify_with(|_| {}).unwrap();
    assert_eq!((found.client_id.as_str(), found.issuer.as_deref()), (CLIENT, Some("https://provider.example")));
    assert_eq!(found.instance_key, *wallet.instance.public_jwk());
    assert_eq!(found.attester, Attester::Certificate("CN=Signer".to_owned()));
    let possession = found.possession.unwrap();
    assert_eq!((possession.jti.as_str(), possession.challenge.as_deref()), ("p-1", Some("ch-9")));
    assert_eq!((found.expires_at, possession.issued_at), (NOW + 3600, NOW));
    assert_eq!((found.wallet_name.as_deref(), found.wallet_link, found.status), (Some("Example Wallet"), None, None));
    assert!(!format!("{:?}", wallet.verify_with(|_| {}).unwrap()).contains("ch-9"));
}

#[test]
fn iss_may_be_absent_from_both_tokens_by_wat_2() {
    let wallet = Wallet::new().claim("iss", json!(null)).proof_claim("iss", json!(null));
    assert_eq!(wallet.verify_with(|_| {}).unwrap().issuer, None);
}

#[test]
fn both_headers_come_once_or_not_at_all_by_wat_1() {
    let found = presented(["a"], ["p"]).unwrap().unwrap();
    assert_eq!((found.attestation, found.proof), ("a", Some("p")));
    assert!(presented([], []).unwrap().is_none());
    let refusal = |attestations: &[&'static str], proofs: &[&'static str]| {
        presented(attestations.iter().copied(), proofs.iter().copied()).err()
    };
    let missing = |missing| Some(ClientAttestationError::HeaderMissing { missing });
    assert_eq!(presented(["a"], []).unwrap().unwrap().proof, None);
    assert_eq!(refusal(&[], &["p"]), missing(ATTESTATION_HEADER));
    let several = |header| Some(ClientAttestationError::Several { header, got: 2 });
    assert_eq!(refusal(&["a", "b"], &["p"]), several(ATTESTATION_HEADER));
    assert_eq!(refusal(&["a"], &["p, q"]), several(PROOF_HEADER));
}

#[test]
fn another_typ_is_refused_by_wat_2_and_wat_3() {
    let mut wallet = Wallet::new();
    wallet.header = changed(&wallet.header, "typ", json!("JWT"));
    assert!(matches!(wallet.refusal(), ClientAttestationError::Type { token: Token::Attestation, .. }));
    let mut wallet = Wallet::new();
    wallet.proof_header = json!({"typ": ATTESTATION_TYP});
    assert!(matches!(wallet.refusal(), ClientAttestationError::Type { token: Token::Proof, .. }));
}

#[test]
fn none_and_unlisted_algorithms_are_refused_by_wat_3() {
    let mut wallet = Wallet::new();
    wallet.proof_header = json!({"typ": PROOF_TYP, "alg": "none"});
    let error = JwsError::Algorithm { got: "none".to_owned() };
    assert_eq!(wallet.refusal(), ClientAttestationError::Jws { token: Token::Proof, error });
    let unlisted = Wallet::new().verify_with(|expected| expected.algorithms = &[Algorithm::EdDsa]).unwrap_err();
    assert!(matches!(unlisted, ClientAttestationError::Algorithm { token: Token::Attestation, .. }));
}

#[test]
fn an_untrusted_provider_is_named_by_wat_4() {
    let mut wallet = Wallet::new();
    wallet.provider.anchor = Provider::new("Other Root").anchor;
    let error = wallet.refusal();
    assert_eq!(error.code(), "invalid_client_attestation");
    assert_eq!(
        error.explain().reason,
        "the client attestation: the chain ends at `CN=Wallet Root`, which is not in the list `wallet providers` \
         (CN=Other Root)"
    );
}

#[test]
fn an_attestation_that_somebody_else_signed_is_refused_by_wat_4() {
    let mut wallet = Wallet::new();
    wallet.provider.signer = software_signer();
    assert_eq!(wallet.refusal(), ClientAttestationError::Trust(TrustError::Jws(JwsError::Signature)));
}

#[test]
fn an_expired_attestation_asks_for_a_fresh_one_by_wat_5() {
    let error = Wallet::new().claim("exp", json!(NOW)).refusal();
    assert_eq!(error, ClientAttestationError::Expired { seconds_ago: 0 });
    assert_eq!(error.code(), "use_fresh_attestation");
    assert!(Wallet::new().claim("exp", json!(NOW + 1)).verify_with(|_| {}).is_ok());
}

#[test]
fn an_attestation_from_the_future_is_refused_by_wat_4() {
    for name in ["nbf", "iat"] {
        assert!(Wallet::new().claim(name, json!(NOW + 60)).verify_with(|_| {}).is_ok());
        let error = Wallet::new().claim(name, json!(NOW + 61)).refusal();
        assert_eq!(error, ClientAttestationError::NotYetValid { name, ahead: 61, leeway: 60 });
    }
    assert!(Wallet::new().claim("iat", json!(NOW - 1_000_000)).verify_with(|_| {}).is_ok(), "reuse is fine by WAT-8");
}

#[test]
fn sub_exp_and_cnf_are_wanted_by_wat_2() {
    for (name, value) in [
        ("sub", json!(null)),
        ("sub", json!("")),
        ("sub", json!(["a"])),
        ("exp", json!(null)),
        ("exp", json!("1")),
        ("iss", json!(1)),
        ("nbf", json!("x")),
        ("cnf", json!(null)),
        ("cnf", json!({"jkt": "x"})),
        ("cnf", json!("x")),
    ] {
        let error = Wallet::new().claim(name, value).refusal();
        assert!(
            matches!(&error, ClientAttestationError::Claim { token: Token::Attestation, name: got, .. } if *got == name),
            "{error:?}"
        );
    }
}

#[test]
fn a_private_key_in_cnf_is_refused_by_wat_4() {
    let mut jwk = Wallet::new().instance.public_jwk().to_json();
    jwk.insert("d".to_owned(), json!("AA"));
    let error = Wallet::new().claim("cnf", json!({"jwk": jwk})).refusal();
    assert!(matches!(error, ClientAttestationError::InstanceKey(_)));
    assert!(error.explain().help.contains("no longer secret"));
}

#[test]
fn a_proof_with_another_key_is_refused_by_wat_3() {
    let mut wallet = Wallet::new();
    wallet.instance = software_signer();
    let expected = ClientAttestationError::Jws { token: Token::Proof, error: JwsError::Signature };
    assert_eq!(wallet.refusal(), expected);
    assert!(expected.explain().help.contains("cnf.jwk"));
}

#[test]
fn the_client_is_the_same_everywhere_by_wat_4_and_par_7() {
    let other = Wallet::new().verify_with(|expected| expected.client_id = Some("other")).unwrap_err();
    let mismatch = ClientAttestationError::ClientMismatch { expected: "other".to_owned(), got: CLIENT.to_owned() };
    assert_eq!(other, mismatch);
    assert!(Wallet::new().verify_with(|expected| expected.client_id = None).is_ok());
    let proof = Wallet::new().proof_claim("iss", json!("other")).refusal();
    let mismatch = ClientAttestationError::ProofIssuerMismatch { expected: CLIENT.to_owned(), got: "other".to_owned() };
    assert_eq!(proof, mismatch);
}

#[test]
fn aud_is_the_issuer_identifier_and_no_endpoint_by_wat_3() {
    for aud in [json!(format!("{SERVER}/token")), json!(format!("{SERVER}/")), json!([SERVER, "x"]), json!(null)] {
        let error = Wallet::new().proof_claim("aud", aud).refusal();
        assert!(matches!(error, ClientAttestationError::AudienceMismatch { .. }), "{error:?}");
    }
}

#[test]
fn a_proof_is_recent_and_has_an_id_by_wat_7() {
    let stale = Wallet::new().proof_claim("iat", json!(NOW - 301)).refusal();
    let error = FreshnessError::Stale { age: 301, max_age: 300 };
    assert_eq!(stale, ClientAttestationError::Freshness { token: Token::Proof, error });
    let ahead = Wallet::new().proof_claim("iat", json!(NOW + 94)).refusal();
    assert!(ahead.explain().reason.contains("wallet clock is 94 s ahead"));
    for jti in [json!(null), json!(""), json!(1), json!("x".repeat(257))] {
        let error = Wallet::new().proof_claim("jti", jti).refusal();
        assert!(matches!(error, ClientAttestationError::Claim { name: "jti", .. }));
    }
}

#[test]
fn a_challenge_is_demanded_where_one_is_offered_by_wat_5_and_wat_6() {
    let without = Wallet::new().proof_claim("challenge", json!(null));
    assert_eq!(without.refusal(), ClientAttestationError::ChallengeMissing { old_name: false });
    assert_eq!(without.refusal().code(), "use_attestation_challenge");
    assert!(without.verify_with(|expected| expected.challenge = Echo::Optional).is_ok());
    let required = |expected: &mut Expected<'_>| expected.challenge = Echo::Required;
    assert!(without.verify_with(required).is_err());
    let other = Wallet::new().proof_claim("challenge", json!("ch-8"));
    assert_eq!(other.refusal(), ClientAttestationError::ChallengeMismatch { got: "ch-8".to_owned() });
    assert_eq!(other.verify_with(required).unwrap().possession.unwrap().challenge.as_deref(), Some("ch-8"));
}

#[test]
fn a_nonce_is_named_as_the_old_name_of_the_challenge_by_wat_3() {
    let old = Wallet::new().proof_claim("challenge", json!(null)).proof_claim("nonce", json!("ch-9"));
    assert_eq!(old.refusal(), ClientAttestationError::ChallengeMissing { old_name: true });
    assert!(old.refusal().explain().reason.ends_with("has no `challenge`, but a `nonce`"));
}

#[test]
fn a_large_attestation_is_read_by_wat_8() {
    let wallet = Wallet::new().claim("x", json!("x".repeat(8 * 1024)));
    assert!(wallet.attestation().len() > 8 * 1024);
    assert!(wallet.verify_with(|_| {}).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_other_text_in_a_checked_claim_is_refused(
        name in prop::sample::select(vec!["aud", "iat", "iss", "challenge"]),
        text in "[ -~]{0,40}",
    ) {
        let outcome = Wallet::new().proof_claim(name, json!(text)).verify_with(|_| {});
        prop_assert!(outcome.is_err());
    }

    #[test]
    fn any_texts_are_answered(attestation in "[A-Za-z0-9_.-]{0,80}", proof in "[A-Za-z0-9_.-]{0,80}") {
        let expected = Expected {
            authorization_server: SERVER,
            client_id: None,
            trust: TrustList { name: "none", certificates: &[], keys: &[], chains: ChainRule::Haip },
            algorithms: &Algorithm::ALL,
            known_attester: None,
            challenge: Echo::Optional,
            dpop_thumbprint: None,
            now: NOW,
            max_age: 300,
            future_leeway: 60,
        };
        let outcome = verify(Presented { attestation: &attestation, proof: Some(&proof) }, &expected);
        prop_assert!(outcome.is_err());
    }
}

#[test]
fn a_dpop_proof_of_the_instance_key_takes_the_place_of_the_proof_by_wat_9() {
    let wallet = Wallet::new();
    let anchors = [wallet.provider.anchor.clone()];
    let verified = |dpop_thumbprint: Option<&str>| {
        let expected = Expected {
            authorization_server: SERVER,
            client_id: None,
            trust: TrustList {
                name: "wallet providers",
                certificates: &anchors,
                keys: &[],
                chains: ChainRule::default(),
            },
            algorithms: &[Algorithm::Es256],
            known_attester: None,
            challenge: Echo::Required,
            dpop_thumbprint,
            now: NOW,
            max_age: 300,
            future_leeway: 60,
        };
        verify(Presented { attestation: &wallet.attestation(), proof: None }, &expected)
    };
    assert!(verified(Some(&wallet.instance.public_jwk().thumbprint())).unwrap().possession.is_none());
    assert!(matches!(verified(Some("other")), Err(ClientAttestationError::DpopKeyMismatch { .. })));
    assert!(matches!(verified(None), Err(ClientAttestationError::HeaderMissing { missing: PROOF_HEADER })));
}
