//! Captured proofs of a real wallet, and own proofs with one thing changed.

use chancery_keys::{CertificateChain, Signer, SoftwareKey, jws::JwsError};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::FreshnessError;

/// DPoP proof of wallet A's token request.
const DPOP_A1: &str = concat!(
    "eyJhbGciOiJFUzI1NiIsInR5cCI6ImRwb3Arand0IiwiandrIjp7Imt0eSI6IkVDIiwia2lkIjoiYTFjMWFiYzMtNTc2Yi00ZDhlLTliMGUt",
    "MGJkMzEzNzNmMDljIiwiY3J2IjoiUC0yNTYiLCJ4IjoiWHJjM1BZZEoyNUNzY3NMdGlSNThqdm5oWjFIY2NyTGhTQUdEel9PTlNDYyIsInki",
    "OiJfcHdtMUZHTEY5QzJwVkM0LWJKSW5MSXprT21XbFhzM1J6MEp1NHZjYXhNIn19.eyJpYXQiOjE3NzkyMDQ4NDUsImp0aSI6IjdmaWUtTEF",
    "Ca3F5UTBqMndPQ0R6SFdlYjF6OVhZX0plTFJUZ2lHRjlhZWsiLCJodHUiOiJodHRwczovL2lzc3Vlci1wbGF5Z3JvdW5kLXNlcnZpY2UuaWd",
    "yYW50LmlvL3Rva2VuIiwiaHRtIjoiUE9TVCJ9.AZCd2DlTqGR4LY52Ejq7XDfUHzAwf-xImJJ2CYytX6ODTRbWfNkgtbv9JLrqS0F_z7ALEy",
    "XUaK_ElstjKRyz9A",
);

/// DPoP proof of wallet A's credential request.
const DPOP_A2: &str = concat!(
    "eyJhbGciOiJFUzI1NiIsInR5cCI6ImRwb3Arand0IiwiandrIjp7Imt0eSI6IkVDIiwia2lkIjoiYTFjMWFiYzMtNTc2Yi00ZDhlLTliMGUt",
    "MGJkMzEzNzNmMDljIiwiY3J2IjoiUC0yNTYiLCJ4IjoiWHJjM1BZZEoyNUNzY3NMdGlSNThqdm5oWjFIY2NyTGhTQUdEel9PTlNDYyIsInki",
    "OiJfcHdtMUZHTEY5QzJwVkM0LWJKSW5MSXprT21XbFhzM1J6MEp1NHZjYXhNIn19.eyJpYXQiOjE3NzkyMDQ4NDYsImp0aSI6IkM4S1RhZTd",
    "3cnhuclJpdnZSTURnRnh0cW9yR1I1MzU4VklFdlNnb3ZVS28iLCJodHUiOiJodHRwczovL2lzc3Vlci1wbGF5Z3JvdW5kLXNlcnZpY2UuaWd",
    "yYW50LmlvL2NyZWRlbnRpYWwiLCJodG0iOiJQT1NUIiwiYXRoIjoiYk9tWkwtcm5zaW1yamxZM1V3dXZ6cncydEowajh2ZS1lUDlTMG0yQXh",
    "NQSJ9.Yx4Hddt7kAFS1A5PmAxSzXgBBnqbxaMasMRAx7cjX0J0-RtiYizDfpelvpFNprq09LTu1eNQ7Ze-RXDk6yf-jA",
);

const TOKEN_URL: &str = "https://issuer-playground-service.igrant.io/token";
const CREDENTIAL_URL: &str = "https://issuer-playground-service.igrant.io/credential";
const ACCESS_TOKEN: &str = "y8ndE8e6XAlc4KzHJOn0hF095ef-ix4bPOHEJQOImjM";
const THUMBPRINT: &str = "2FrQCAt6M9nrIjxVJpcS4OuMMclJDaklYAY5iJIbqJo";
const NOW: i64 = 1_779_204_845;

fn at_token() -> Expected<'static> {
    Expected {
        method: "POST",
        url: TOKEN_URL,
        access_token: None,
        now: NOW,
        future_leeway: 60,
        max_age: 60,
        algorithms: &Algorithm::ALL,
    }
}

fn at_credential() -> Expected<'static> {
    Expected { url: CREDENTIAL_URL, access_token: Some(ACCESS_TOKEN), now: NOW + 1, ..at_token() }
}

#[test]
fn the_token_proof_of_wallet_a_is_valid_at_its_instant() {
    let proof = verify(DPOP_A1, &at_token()).unwrap();
    assert_eq!(proof.thumbprint, THUMBPRINT);
    assert_eq!(proof.jti, "7fie-LABkqyQ0j2wOCDzHWeb1z9XY_JeLRTgiGF9aek");
    assert_eq!((proof.nonce, proof.issued_at), (None, NOW));
    assert_eq!(proof.sha256, "64305d1a1872b260692bea36d7b419f218ecc118f6b1486734d624c2471a7aa1");
}

#[test]
fn the_credential_proof_of_wallet_a_is_valid_with_its_access_token() {
    let proof = verify(DPOP_A2, &at_credential()).unwrap();
    assert_eq!((proof.thumbprint.as_str(), proof.issued_at), (THUMBPRINT, NOW + 1));
}

#[test]
fn a_flipped_bit_of_payload_or_signature_is_refused() {
    let parts: Vec<&str> = DPOP_A1.split('.').collect();
    let flip = |text: &str| {
        let mut bytes = URL_SAFE_NO_PAD.decode(text).unwrap();
        bytes[10] ^= 1;
        URL_SAFE_NO_PAD.encode(bytes)
    };
    let signature = [parts[0], parts[1], &flip(parts[2])].join(".");
    assert_eq!(verify(&signature, &at_token()).unwrap_err(), DpopError::Jws(JwsError::Signature));
    let payload = [parts[0], &flip(parts[1]), parts[2]].join(".");
    assert!(matches!(verify(&payload, &at_token()), Err(DpopError::Jws(_))));
}

#[test]
fn another_method_endpoint_or_scheme_is_refused_by_dpp_1() {
    let get = Expected { method: "GET", ..at_token() };
    let error = DpopError::Method { expected: "GET".to_owned(), got: "POST".to_owned() };
    assert_eq!(verify(DPOP_A1, &get).unwrap_err(), error);
    for url in [CREDENTIAL_URL, "http://issuer-playground-service.igrant.io/token", "https://other.example/token"] {
        let error = verify(DPOP_A1, &Expected { url, ..at_token() }).unwrap_err();
        assert_eq!(error, DpopError::Url { expected: excerpt(url), got: TOKEN_URL.to_owned() });
    }
}

#[test]
fn a_query_port_or_upper_case_host_on_the_request_line_does_not_matter_by_dpp_1() {
    for url in [
        "https://issuer-playground-service.igrant.io/token?x=1",
        "https://issuer-playground-service.igrant.io:443/token",
        "https://Issuer-Playground-Service.iGrant.io/token",
    ] {
        assert!(verify(DPOP_A1, &Expected { url, ..at_token() }).is_ok(), "{url}");
    }
}

#[test]
fn a_missing_or_foreign_ath_is_refused_by_dpp_4() {
    let with_token = Expected { access_token: Some(ACCESS_TOKEN), ..at_token() };
    let error = verify(DPOP_A1, &with_token).unwrap_err();
    assert_eq!(error, DpopError::ClaimMissing { name: "ath" });
    assert!(error.explain().help.contains("SHA-256"));
    let foreign = Expected { access_token: Some("another"), ..at_credential() };
    assert!(matches!(verify(DPOP_A2, &foreign), Err(DpopError::AccessTokenHash { .. })));
}

#[test]
fn an_hour_early_or_late_is_refused_by_dpp_7() {
    let late = Expected { now: NOW + 3600, ..at_token() };
    let error = verify(DPOP_A1, &late).unwrap_err();
    assert_eq!(error, DpopError::Freshness(FreshnessError::Stale { age: 3600, max_age: 60 }));
    let early = Expected { now: NOW - 94, ..at_token() };
    let explanation = verify(DPOP_A1, &early).unwrap_err().explain();
    assert!(explanation.reason.contains("wallet clock is 94 s ahead"), "{}", explanation.reason);
    assert_eq!(explanation.spec_ref, "RFC 9449 §4.3");
    for now in [NOW - 60, NOW + 60] {
        assert!(verify(DPOP_A1, &Expected { now, ..at_token() }).is_ok());
    }
}

#[test]
fn exactly_one_proof_is_taken_from_the_headers_by_dpp_1() {
    assert_eq!(single([]), Ok(None));
    assert_eq!(single([DPOP_A1]), Ok(Some(DPOP_A1)));
    assert_eq!(single([DPOP_A1, DPOP_A2]), Err(DpopError::SeveralProofs { got: 2 }));
    let joined = format!("{DPOP_A1}, {DPOP_A2}");
    assert_eq!(single([joined.as_str()]), Err(DpopError::SeveralProofs { got: 2 }));
}

#[test]
fn debug_output_shows_neither_jti_nor_claims() {
    let proof = verify(DPOP_A1, &at_token()).unwrap();
    assert!(!format!("{proof:?}").contains("7fie-LABkqyQ0j2w"));
}

/// A key of our own, and what wallet A's credential proof says.
struct Wallet {
    signer: Signer,
    header: Map<String, Value>,
    claims: Map<String, Value>,
}

impl Wallet {
    fn new(algorithm: Algorithm) -> Self {
        let signer = SoftwareKey::generate(algorithm).unwrap().into_signer("k".to_owned(), CertificateChain::default());
        let header = json!({"typ": TYP, "jwk": signer.public_jwk().to_json()});
        let claims = json!({
            "iat": NOW + 1,
            "jti": "j-1",
            "htu": CREDENTIAL_URL,
            "htm": "POST",
            "ath": "bOmZL-rnsimrjlY3Uwuvzrw2tJ0j8ve-eP9S0m2AxMA",
            "nonce": "n-1",
        });
        let object = |value: Value| value.as_object().unwrap().clone();
        Self { header: object(header), claims: object(claims), signer }
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

    fn verify(&self) -> Result<DpopProof, DpopError> {
        verify(&self.sign(), &at_credential())
    }
}

#[test]
fn own_proofs_of_every_algorithm_are_valid() {
    for algorithm in Algorithm::ALL {
        let wallet = Wallet::new(algorithm);
        let proof = wallet.verify().unwrap();
        assert_eq!(proof.thumbprint, wallet.signer.public_jwk().thumbprint());
        assert_eq!(proof.nonce.as_deref(), Some("n-1"));
    }
}

#[test]
fn an_algorithm_that_is_not_listed_is_refused() {
    let proof = Wallet::new(Algorithm::EdDsa).sign();
    let error = verify(&proof, &Expected { algorithms: &[Algorithm::Es256], ..at_credential() }).unwrap_err();
    assert_eq!(error, DpopError::Algorithm { expected: "ES256".to_owned(), got: Algorithm::EdDsa });
}

#[test]
fn each_claim_is_required_and_typed_by_dpp_1() {
    for name in ["jti", "htm", "htu", "ath"] {
        let mut wallet = Wallet::new(Algorithm::Es256);
        wallet.claims.remove(name);
        assert_eq!(wallet.verify().unwrap_err(), DpopError::ClaimMissing { name });
        wallet.claims.insert(name.to_owned(), json!(1));
        assert_eq!(wallet.verify().unwrap_err(), DpopError::NotAString { name, got: "1".to_owned() });
    }
    let mut wallet = Wallet::new(Algorithm::Es256);
    wallet.claims.remove("iat");
    assert_eq!(wallet.verify().unwrap_err(), DpopError::Freshness(FreshnessError::Missing));
    for iat in [json!("1779204846"), json!(1_779_204_846.5)] {
        wallet.claims.insert("iat".to_owned(), iat);
        let error = wallet.verify().unwrap_err();
        assert!(matches!(error, DpopError::Freshness(FreshnessError::NotAnInteger { .. })));
    }
}

#[test]
fn an_empty_or_overlong_jti_or_nonce_is_refused_by_dpp_7() {
    for (name, limit) in [("jti", 256), ("nonce", 1024)] {
        for got in [0, limit + 1] {
            let mut wallet = Wallet::new(Algorithm::Es256);
            wallet.claims.insert(name.to_owned(), json!("x".repeat(got)));
            assert_eq!(wallet.verify().unwrap_err(), DpopError::ClaimLength { name, limit, got });
        }
    }
}

#[test]
fn another_typ_is_refused() {
    let mut wallet = Wallet::new(Algorithm::Es256);
    for (typ, got) in [(json!("openid4vci-proof+jwt"), "openid4vci-proof+jwt"), (json!("JWT"), "JWT")] {
        wallet.header.insert("typ".to_owned(), typ);
        assert_eq!(wallet.verify().unwrap_err(), DpopError::Type { got: got.to_owned() });
    }
    wallet.header.remove("typ");
    assert_eq!(wallet.verify().unwrap_err(), DpopError::Type { got: String::new() });
}

#[test]
fn a_missing_foreign_or_private_key_is_refused() {
    let mut wallet = Wallet::new(Algorithm::Es256);
    let mut private = wallet.signer.public_jwk().to_json();
    private.insert("d".to_owned(), json!("AAAA"));
    wallet.header.insert("jwk".to_owned(), Value::Object(private));
    let error = wallet.verify().unwrap_err();
    assert_eq!(error, DpopError::Key(chancery_keys::JwkError::Private { member: "d" }));
    assert!(error.explain().help.contains("no longer secret"));
    let other = Wallet::new(Algorithm::Es256);
    wallet.header.insert("jwk".to_owned(), other.header["jwk"].clone());
    assert_eq!(wallet.verify().unwrap_err(), DpopError::Jws(JwsError::Signature));
    let longer = Wallet::new(Algorithm::Es384);
    wallet.header.insert("jwk".to_owned(), longer.header["jwk"].clone());
    assert!(matches!(wallet.verify(), Err(DpopError::Jws(JwsError::AlgorithmMismatch { .. }))));
    wallet.header.remove("jwk");
    assert_eq!(wallet.verify().unwrap_err(), DpopError::KeyMissing);
}

#[test]
fn none_and_symmetric_algorithms_are_refused() {
    for alg in ["none", "HS256", "RS256", "es256"] {
        let mut header = Wallet::new(Algorithm::Es256).header;
        header.insert("alg".to_owned(), json!(alg));
        let parts = [Value::Object(header).to_string(), json!({"iat": NOW}).to_string(), "sig".to_owned()];
        let proof = parts.map(|part| URL_SAFE_NO_PAD.encode(part)).join(".");
        assert!(matches!(verify(&proof, &at_token()), Err(DpopError::Jws(JwsError::Algorithm { .. }))), "{alg}");
    }
}

#[test]
fn an_overlong_proof_is_refused_before_it_is_read() {
    let error = verify(&"a".repeat(9000), &at_token()).unwrap_err();
    assert_eq!(error, DpopError::TooLong { limit: 8192, got: 9000 });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// `jti` and `nonce` are values of their own, so any string is valid there; every other claim has one right value.
    #[test]
    fn any_other_value_of_a_claim_is_refused(
        name in prop::sample::select(vec!["iat", "htu", "htm", "ath"]),
        value in "[ -~]{0,30}",
    ) {
        let mut wallet = Wallet::new(Algorithm::Es256);
        prop_assume!(wallet.claims[name] != json!(value));
        wallet.claims.insert(name.to_owned(), json!(value));
        prop_assert!(wallet.verify().is_err());
    }

    #[test]
    fn any_changed_character_of_a_proof_is_refused(position in 0usize..632, replacement in "[A-Za-z0-9_.=-]") {
        let mut proof = DPOP_A2.to_owned();
        proof.replace_range(position..=position, &replacement);
        prop_assume!(proof != DPOP_A2);
        prop_assert!(verify(&proof, &at_credential()).is_err());
    }
}
