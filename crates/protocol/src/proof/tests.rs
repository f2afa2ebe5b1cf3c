//! Captured key proofs of real wallets, and own proofs with one thing changed.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chancery_keys::{CertificateChain, JwkError, Signer, SoftwareKey, jws::JwsError};
use proptest::prelude::*;
use serde_json::json;

use super::vectors::{PROOF_A2, PROOF_B2};
use super::*;
use crate::FreshnessError;
use crate::did::{self, DidError};

const ISSUER_A: &str = "https://issuer-playground-service.igrant.io";
const ISSUER_B: &str = "https://api.playground.france-identite.gouv.fr/igrantio/issuer-backend";
const NOW_A: i64 = 1_779_204_846;
const NOW_B: i64 = 1_781_266_058;

fn for_a() -> Expected<'static> {
    Expected {
        audience: ISSUER_A,
        client_id: ClientIdRule::Anonymous,
        issuer_rule: IssuerRule::Strict,
        algorithms: &Algorithm::ALL,
        binding_methods: &BindingMethod::ALL,
        trust_anchors: &[],
        now: NOW_A,
        max_age: 300,
        future_leeway: 60,
    }
}

/// Wallet B under the relaxed rule, the only one that lets it in.
fn for_b() -> Expected<'static> {
    Expected {
        audience: ISSUER_B,
        client_id: ClientIdRule::Client("wallet-dev"),
        issuer_rule: IssuerRule::HolderDidAllowed,
        now: NOW_B,
        ..for_a()
    }
}

#[test]
fn the_proof_of_wallet_a_is_valid_at_its_instant() {
    let proof = verify_jwt(PROOF_A2, &for_a()).unwrap();
    assert_eq!(proof.key.thumbprint(), "n1wG3np5S-sNvkTVf1pKoGwRug8ZBBblm-WTPHh-vRY");
    assert_eq!(proof.nonce.as_deref(), Some("mKCslKCWqecIeqJYC6kLRWOEaF_V0A"));
    assert_eq!((proof.issued_at, &proof.key_reference), (NOW_A, &KeyReference::Jwk));
    assert_eq!(proof.header_names, ["alg", "typ", "jwk"]);
    assert_eq!((&proof.key_attestation, proof.trust_chain_present), (&None, false));
    assert_eq!(proof.sha256, "b04d78c144ac8c6f191582c0552716528da3dcf46470edc3b61a9d2603573a31");
    assert!(!format!("{proof:?}").contains("mKCslKCWqecI"));
}

#[test]
fn the_proof_of_wallet_b_is_valid_where_iss_may_be_the_holders_did() {
    let proof = verify_jwt(PROOF_B2, &for_b()).unwrap();
    assert_eq!(proof.key.thumbprint(), "4NJVdcqro9Bt8Gfx4xpzlbGo3GsWsyw3Lrg-EMsiaQ8");
    assert_eq!(proof.nonce.as_deref(), Some("cOK5QeNRbAMbXcfCH1biZ8q68-5zdw"));
    assert_eq!(proof.header_names, ["kid", "typ", "alg"]);
    assert!(
        matches!(&proof.key_reference, KeyReference::Did(did) if did.starts_with("did:key:z2dmz") && did.len() == 186)
    );
}

#[test]
fn the_proof_of_wallet_b_is_refused_for_its_iss_under_the_strict_rule_by_prf_2() {
    let strict = Expected { issuer_rule: IssuerRule::Strict, ..for_b() };
    let error = verify_jwt(PROOF_B2, &strict).unwrap_err();
    assert!(matches!(&error, ProofError::IssuerMismatch { expected, .. } if expected == "wallet-dev"));
    let explanation = error.explain();
    assert!(explanation.reason.contains("did:key:z2dmz") && explanation.reason.contains("...`"));
    assert_eq!(explanation.spec_ref, "OpenID4VCI 1.0 Appendix F.1");
    let anonymous = Expected { client_id: ClientIdRule::Anonymous, ..strict };
    assert!(matches!(verify_jwt(PROOF_B2, &anonymous), Err(ProofError::IssuerNotAllowed { .. })));
}

#[test]
fn the_proof_of_wallet_b_is_refused_where_did_key_is_not_advertised() {
    let bare = Expected { binding_methods: &[BindingMethod::Jwk], ..for_b() };
    let error = verify_jwt(PROOF_B2, &bare).unwrap_err();
    assert!(
        matches!(&error, ProofError::BindingMethod { expected, method: BindingMethod::DidKey, .. } if expected == "jwk")
    );
    let dids = Expected { binding_methods: &[BindingMethod::DidKey], ..for_a() };
    assert!(matches!(verify_jwt(PROOF_A2, &dids), Err(ProofError::BindingMethod { method: BindingMethod::Jwk, .. })));
}

#[test]
fn a_captured_proof_is_refused_elsewhere_and_at_other_times() {
    for audience in
        [ISSUER_B, "https://issuer-playground-service.igrant.io/", "https://issuer-playground-service.igrant.io/token"]
    {
        let error = verify_jwt(PROOF_A2, &Expected { audience, ..for_a() }).unwrap_err();
        assert_eq!(error, ProofError::AudienceMismatch { expected: excerpt(audience), got: ISSUER_A.to_owned() });
    }
    let late = verify_jwt(PROOF_A2, &Expected { now: NOW_A + 3600, ..for_a() }).unwrap_err();
    assert_eq!(late, ProofError::Freshness(FreshnessError::Stale { age: 3600, max_age: 300 }));
    let early = verify_jwt(PROOF_A2, &Expected { now: NOW_A - 94, ..for_a() }).unwrap_err();
    assert!(early.explain().reason.contains("wallet clock is 94 s ahead"));
}

#[test]
fn a_flipped_bit_of_payload_or_signature_is_refused_by_prf_4() {
    for (proof, expected) in [(PROOF_A2, for_a()), (PROOF_B2, for_b())] {
        for part in [1, 2] {
            let mut parts: Vec<String> = proof.split('.').map(str::to_owned).collect();
            let mut bytes = URL_SAFE_NO_PAD.decode(&parts[part]).unwrap();
            bytes[10] ^= 1;
            parts[part] = URL_SAFE_NO_PAD.encode(bytes);
            assert!(matches!(verify_jwt(&parts.join("."), &expected), Err(ProofError::Jws(_))));
        }
    }
}

/// A key of our own, and what wallet A's proof says.
struct Wallet {
    signer: Signer,
    header: Map<String, Value>,
    claims: Map<String, Value>,
}

impl Wallet {
    fn new() -> Self {
        Self::with(Algorithm::Es256)
    }

    fn with(algorithm: Algorithm) -> Self {
        let signer = SoftwareKey::generate(algorithm).unwrap().into_signer("k".to_owned(), CertificateChain::default());
        let object = |value: Value| value.as_object().unwrap().clone();
        Self {
            header: object(json!({"typ": TYP, "jwk": signer.public_jwk().to_json()})),
            claims: object(json!({"aud": ISSUER_A, "iat": NOW_A, "nonce": "n-1"})),
            signer,
        }
    }

    /// Names the key by this DID URL instead.
    fn kid(mut self, did_url: &str) -> Self {
        self.header.remove("jwk");
        self.header.insert("kid".to_owned(), json!(did_url));
        self
    }

    fn header(mut self, name: &str, value: Value) -> Self {
        self.header.insert(name.to_owned(), value);
        self
    }

    fn claim(mut self, name: &str, value: Value) -> Self {
        self.claims.insert(name.to_owned(), value);
        self
    }

    /// Framed by hand, because a hostile wallet is not held back by a library's checks either.
    fn sign(&self) -> String {
        let mut header = self.header.clone();
        header.insert("alg".to_owned(), json!(self.signer.algorithm().name()));
        let message = [header, self.claims.clone()].map(|part| URL_SAFE_NO_PAD.encode(Value::Object(part).to_string()));
        let message = message.join(".");
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let signature = runtime.block_on(self.signer.sign(message.as_bytes())).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn verify(&self) -> Result<KeyProof, ProofError> {
        verify_jwt(&self.sign(), &for_a())
    }

    fn refusal(&self) -> ProofError {
        self.verify().unwrap_err()
    }
}

#[test]
fn own_proofs_of_every_algorithm_and_reference_are_valid() {
    for algorithm in Algorithm::ALL {
        let wallet = Wallet::with(algorithm);
        assert_eq!(wallet.verify().unwrap().key, *wallet.signer.public_jwk());
        let did = did::from_jwk(wallet.signer.public_jwk());
        let proof = wallet.kid(&format!("{did}#0")).verify().unwrap();
        assert_eq!(proof.key_reference, KeyReference::Did(did));
    }
}

#[test]
fn another_typ_is_refused_by_prf_1() {
    for typ in [json!("dpop+jwt"), json!("JWT"), json!("OPENID4VCI-PROOF+JWT")] {
        let got = typ.as_str().unwrap().to_owned();
        assert_eq!(Wallet::new().header("typ", typ).refusal(), ProofError::Type { got });
    }
    let mut untyped = Wallet::new();
    untyped.header.remove("typ");
    assert_eq!(untyped.refusal(), ProofError::Type { got: String::new() });
}

#[test]
fn an_algorithm_that_is_not_listed_is_refused_by_prf_3() {
    let proof = Wallet::with(Algorithm::EdDsa).sign();
    let error = verify_jwt(&proof, &Expected { algorithms: &[Algorithm::Es256], ..for_a() }).unwrap_err();
    assert_eq!(error, ProofError::Algorithm { expected: "ES256".to_owned(), got: Algorithm::EdDsa });
}

#[test]
fn none_and_symmetric_algorithms_are_refused_by_prf_1() {
    for alg in ["none", "HS256"] {
        let wallet = Wallet::new().header("alg", json!(alg));
        let parts =
            [Value::Object(wallet.header).to_string(), Value::Object(wallet.claims).to_string(), "s".repeat(64)];
        let proof = parts.map(|part| URL_SAFE_NO_PAD.encode(part)).join(".");
        let error = verify_jwt(&proof, &for_a()).unwrap_err();
        assert_eq!(error, ProofError::Jws(JwsError::Algorithm { got: alg.to_owned() }));
    }
}

#[test]
fn es256_over_a_p384_key_is_refused_by_prf_4() {
    let longer = Wallet::with(Algorithm::Es384).signer.public_jwk().to_json();
    let error = Wallet::new().header("jwk", Value::Object(longer)).refusal();
    assert!(matches!(error, ProofError::Jws(JwsError::AlgorithmMismatch { .. })));
}

#[test]
fn exactly_one_of_kid_jwk_and_x5c_is_wanted_by_prf_1() {
    for (name, value) in [("kid", json!("did:jwk:e30#0")), ("x5c", json!(["MII"])), ("kid", json!(""))] {
        let error = Wallet::new().header(name, value).refusal();
        let ProofError::SeveralKeys { header_names } = &error else { panic!("{error:?}") };
        assert!(header_names.starts_with("typ, jwk") && header_names.contains(name), "{header_names}");
    }
    let mut bare = Wallet::new();
    bare.header.remove("jwk");
    assert!(matches!(bare.refusal(), ProofError::KeyMissing { header_names } if header_names.contains("typ, alg")));
}

#[test]
fn a_private_malformed_or_foreign_jwk_is_refused_by_prf_4() {
    let mut private = Wallet::new().signer.public_jwk().to_json();
    private.insert("d".to_owned(), json!("AAAA"));
    let error = Wallet::new().header("jwk", Value::Object(private)).refusal();
    assert_eq!(error, ProofError::Key(JwkError::Private { member: "d" }));
    for jwk in [json!("key"), json!(null), json!([])] {
        assert!(matches!(
            Wallet::new().header("jwk", jwk).refusal(),
            ProofError::KeyMalformed { parameter: "jwk", .. }
        ));
    }
    let other = Wallet::new().signer.public_jwk().to_json();
    let error = Wallet::new().header("jwk", Value::Object(other)).refusal();
    assert_eq!(error, ProofError::Jws(JwsError::Signature));
}

#[test]
fn a_kid_must_be_a_did_url_that_resolves_offline_by_prf_4() {
    let did = did::from_jwk(Wallet::new().signer.public_jwk());
    assert!(matches!(Wallet::new().kid("key-1").refusal(), ProofError::Did(DidError::NotADid { .. })));
    assert!(matches!(Wallet::new().kid("did:web:a.example#0").refusal(), ProofError::Did(DidError::Method { .. })));
    assert!(matches!(Wallet::new().kid(&did).refusal(), ProofError::Did(DidError::FragmentMissing { .. })));
    assert!(matches!(Wallet::new().kid(&format!("{did}#1")).refusal(), ProofError::Did(DidError::Fragment { .. })));
    let foreign = Wallet::new().kid(&format!("{did}#0")).refusal();
    assert_eq!(foreign, ProofError::Jws(JwsError::Signature));
    let number = Wallet::new().kid("").header("kid", json!(7)).refusal();
    assert!(matches!(number, ProofError::KeyMalformed { parameter: "kid", .. }));
}

#[test]
fn a_proof_with_x5c_is_refused_where_nothing_is_trusted() {
    let mut wallet = Wallet::new().header("x5c", json!(["MIIB"]));
    wallet.header.remove("jwk");
    assert_eq!(wallet.refusal(), ProofError::NoTrustAnchors);
    let anchors = [b"anchor".to_vec()];
    let trusting = Expected { trust_anchors: &anchors, ..for_a() };
    assert!(matches!(verify_jwt(&wallet.sign(), &trusting), Err(ProofError::Chain(_))));
    let dids = Expected { binding_methods: &[BindingMethod::DidKey], ..trusting };
    assert!(matches!(verify_jwt(&wallet.sign(), &dids), Err(ProofError::BindingMethod { .. })));
    wallet.header.insert("x5c".to_owned(), json!([]));
    assert!(matches!(verify_jwt(&wallet.sign(), &trusting), Err(ProofError::KeyMalformed { parameter: "x5c", .. })));
}

#[test]
fn a_proof_with_x5c_is_bound_to_the_first_certificate_by_prf_4() {
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let anchors = [authority.self_signed(&authority_key).unwrap().der().to_vec()];
    let issuer = rcgen::Issuer::new(authority, authority_key);

    let leaf_key = rcgen::KeyPair::generate().unwrap();
    let leaf = rcgen::CertificateParams::new(vec!["wallet.example".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&leaf_key, &issuer).unwrap();
    let mut wallet = Wallet::new().header("x5c", json!([STANDARD.encode(leaf.der())]));
    wallet.header.remove("jwk");
    let foreign = wallet.sign();
    let key = SoftwareKey::from_pkcs8(Algorithm::Es256, &leaf_key.serialize_der()).unwrap();
    wallet.signer = key.into_signer("k".to_owned(), CertificateChain::default());

    let trusting = Expected { trust_anchors: &anchors, ..for_a() };
    let proof = verify_jwt(&wallet.sign(), &trusting).unwrap();
    assert_eq!((&proof.key, &proof.key_reference), (wallet.signer.public_jwk(), &KeyReference::X5c));
    assert_eq!(verify_jwt(&foreign, &trusting).unwrap_err(), ProofError::Jws(JwsError::Signature));
    let other = [rcgen::generate_simple_self_signed(Vec::new()).unwrap().cert.der().to_vec()];
    let elsewhere = Expected { trust_anchors: &other, ..for_a() };
    assert!(matches!(verify_jwt(&wallet.sign(), &elsewhere), Err(ProofError::Chain(_))));
}

#[test]
fn a_der_signature_and_padding_are_refused() {
    let proof = Wallet::new().sign();
    let (message, signature) = proof.rsplit_once('.').unwrap();
    let raw = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let mut der = Vec::new();
    for half in raw.chunks(32) {
        der.extend([2, 33, 0]);
        der.extend(half);
    }
    let der = [vec![0x30, 70], der].concat();
    let error = verify_jwt(&format!("{message}.{}", URL_SAFE_NO_PAD.encode(der)), &for_a()).unwrap_err();
    assert_eq!(error, ProofError::Jws(JwsError::Signature));
    assert!(error.explain().help.contains("not DER"));
    assert!(matches!(verify_jwt(&format!("{proof}=="), &for_a()), Err(ProofError::Jws(JwsError::NotBase64Url { .. }))));
}

#[test]
fn aud_is_the_identifier_itself_or_an_array_of_it_by_prf_2() {
    assert!(Wallet::new().claim("aud", json!([ISSUER_A])).verify().is_ok());
    for aud in [
        json!(format!("{ISSUER_A}/")),
        json!(format!("{ISSUER_A}/token")),
        json!(ISSUER_A.to_uppercase()),
        json!([ISSUER_A, ISSUER_B]),
        json!([]),
        json!([[ISSUER_A]]),
        json!({ "url": ISSUER_A }),
        json!(null),
    ] {
        let error = Wallet::new().claim("aud", aud).refusal();
        assert!(matches!(error, ProofError::AudienceMismatch { .. }), "{error:?}");
    }
    let mut missing = Wallet::new();
    missing.claims.remove("aud");
    assert_eq!(missing.refusal(), ProofError::ClaimMissing { name: "aud" });
}

#[test]
fn iat_must_be_a_recent_integer_by_prf_5() {
    for iat in [json!(NOW_A - 3600), json!(NOW_A + 3600), json!(NOW_A.to_string()), json!(1.5), json!(null)] {
        assert!(matches!(Wallet::new().claim("iat", iat).refusal(), ProofError::Freshness(_)));
    }
    let mut missing = Wallet::new();
    missing.claims.remove("iat");
    assert_eq!(missing.refusal(), ProofError::Freshness(FreshnessError::Missing));
}

#[test]
fn iss_is_the_client_or_absent_by_prf_2() {
    let wallet = Wallet::new().claim("iss", json!("wallet-dev"));
    assert_eq!(wallet.refusal(), ProofError::IssuerNotAllowed { got: "wallet-dev".to_owned() });
    let client = Expected { client_id: ClientIdRule::Client("wallet-dev"), ..for_a() };
    assert!(verify_jwt(&wallet.sign(), &client).is_ok());
    assert!(verify_jwt(&Wallet::new().sign(), &client).is_ok());
    for iss in [json!("other"), json!(""), json!(null), json!(["wallet-dev"])] {
        let error = verify_jwt(&Wallet::new().claim("iss", iss).sign(), &client).unwrap_err();
        assert!(matches!(error, ProofError::IssuerMismatch { .. }));
    }
}

#[test]
fn the_relaxed_rule_admits_the_proofs_own_did_and_no_other() {
    let relaxed = Expected { issuer_rule: IssuerRule::HolderDidAllowed, ..for_a() };
    let wallet = Wallet::new();
    let did = did::from_jwk(wallet.signer.public_jwk());
    let wallet = wallet.kid(&format!("{did}#0")).claim("iss", json!(did));
    assert!(verify_jwt(&wallet.sign(), &relaxed).is_ok());
    let other = did::from_jwk(Wallet::new().signer.public_jwk());
    let wallet = wallet.claim("iss", json!(other));
    assert!(matches!(verify_jwt(&wallet.sign(), &relaxed), Err(ProofError::IssuerNotAllowed { .. })));
    let bare = Wallet::new();
    let own = did::from_jwk(bare.signer.public_jwk());
    let bare = bare.claim("iss", json!(own));
    assert!(matches!(verify_jwt(&bare.sign(), &relaxed), Err(ProofError::IssuerNotAllowed { .. })));
}

#[test]
fn a_nonce_is_handed_on_and_its_absence_noted_by_prf_6() {
    assert_eq!(Wallet::new().verify().unwrap().nonce.as_deref(), Some("n-1"));
    let mut without = Wallet::new();
    without.claims.remove("nonce");
    assert_eq!(without.verify().unwrap().nonce, None);
    for nonce in [json!(""), json!(1), json!(null), json!("x".repeat(1025))] {
        assert!(matches!(Wallet::new().claim("nonce", nonce).refusal(), ProofError::NonceMalformed { .. }));
    }
}

#[test]
fn key_attestation_and_trust_chain_are_noted_by_prf_7() {
    let proof = Wallet::new().header("key_attestation", json!("eyJ")).header("trust_chain", json!(["eyJ"]));
    let proof = proof.verify().unwrap();
    assert_eq!((proof.key_attestation.as_deref(), proof.trust_chain_present), (Some("eyJ"), true));
    let malformed = Wallet::new().header("key_attestation", json!({}));
    assert_eq!(malformed.refusal(), ProofError::KeyAttestationNotAString);
}

#[test]
fn binding_methods_are_named_as_the_metadata_names_them() {
    for method in BindingMethod::ALL {
        assert_eq!(BindingMethod::parse(method.name()), Some(method));
        assert_eq!(serde_json::to_value(method).unwrap(), method.name());
    }
    assert_eq!(BindingMethod::parse("cose_key"), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_other_text_in_a_member_with_one_right_value_is_refused(
        name in prop::sample::select(vec!["aud", "iat", "iss", "typ", "jwk", "kid", "x5c"]),
        text in "[ -~]{0,40}",
    ) {
        let wallet = match name {
            "aud" | "iat" | "iss" => Wallet::new().claim(name, json!(text)),
            _ => Wallet::new().header(name, json!(text)),
        };
        prop_assert!(wallet.verify().is_err());
    }

    #[test]
    fn any_iat_outside_the_window_is_refused(iat in any::<i64>()) {
        prop_assume!(!(NOW_A - 300..=NOW_A + 60).contains(&iat));
        prop_assert!(matches!(Wallet::new().claim("iat", json!(iat)).refusal(), ProofError::Freshness(_)));
    }

    #[test]
    fn any_changed_character_of_a_proof_is_refused(position in 0usize..532, replacement in "[A-Za-z0-9_.=-]") {
        let mut proof = PROOF_A2.to_owned();
        proof.replace_range(position..=position, &replacement);
        prop_assume!(proof != PROOF_A2);
        prop_assert!(verify_jwt(&proof, &for_a()).is_err());
    }
}
