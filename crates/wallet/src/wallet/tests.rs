mod flows;

use super::*;
use crate::Selector;
use crate::fixtures::server::{Issuer as Server, KNOWN, LINK, Manner, refuse};
use crate::fixtures::{IDENTIFIER, NOW, encode, hash, salt};
use crate::options::{Dpop, KeyReference};
use crate::verify::KeySource;
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, KeyUsagePurpose};
use serde_json::{Value, json};

fn wallet() -> Wallet {
    Wallet::builder().clock(|| NOW).build().unwrap()
}

async fn refused(manner: Manner, options: Options) -> WalletError {
    let server = Server::start(manner).await;
    let options = Options { resolve: server.options().resolve, ..options };
    wallet().accept(LINK, &options).await.unwrap_err()
}

fn clause(error: &WalletError) -> (&'static str, Step) {
    let WalletError::Violation(violation) = error else { panic!("not a violation: {error}") };
    (violation.clause, violation.step)
}

#[tokio::test]
async fn an_offer_becomes_a_verified_credential() {
    let server = Server::start(Manner::default()).await;
    let accepted = wallet().accept(LINK, &server.options()).await.unwrap();
    let [credential] = accepted.credentials.as_slice() else { panic!("{accepted:?}") };
    assert_eq!(credential.claims["address"]["country"], "SE");
    let key = accepted.holder_keys.first().unwrap();
    assert_eq!(credential.holder_thumbprint.as_deref(), Some(key.thumbprint()));
    let expected = "https://issuer.example/.well-known/jwt-vc-issuer/t/acme".to_owned();
    assert_eq!(credential.key_source, KeySource::IssuerMetadata { url: expected, kid: Some("k1".into()) });
    assert_eq!(accepted.notification_ids, ["n-1"]);
    assert!(accepted.dpop);
}

#[tokio::test]
async fn dpop_proofs_name_the_public_address_and_the_token() {
    let server = Server::start(Manner::default()).await;
    wallet().accept(LINK, &server.options()).await.unwrap();
    let (header, claims) = server.seen("/token")[0].dpop();
    assert_eq!((header["typ"].as_str(), header["alg"].as_str()), (Some("dpop+jwt"), Some("ES256")));
    assert_eq!(claims["htu"], format!("{IDENTIFIER}/token"));
    assert_eq!((&claims["htm"], &claims["iat"]), (&json!("POST"), &json!(NOW)));
    assert!(claims.get("ath").is_none() && claims.get("nonce").is_none());
    let seen = &server.seen("/credential")[0];
    assert_eq!(seen.headers["authorization"], "DPoP at-1");
    let (other, resource) = seen.dpop();
    assert_eq!(other["jwk"], header["jwk"]);
    assert_eq!(resource["ath"], hash("at-1"));
    assert_ne!(resource["jti"], claims["jti"]);
}

#[tokio::test]
async fn a_demanded_dpop_nonce_is_sent_once_and_then_remembered() {
    let server = Server::start(Manner { nonces: Some(("as-nonce", "rs-nonce")), ..Manner::default() }).await;
    let wallet = wallet();
    wallet.accept(LINK, &server.options()).await.unwrap();
    assert_eq!((server.seen("/token").len(), server.seen("/credential").len()), (2, 2));
    wallet.accept(LINK, &server.options()).await.unwrap();
    assert_eq!((server.seen("/token").len(), server.seen("/credential").len()), (3, 3));
}

#[tokio::test]
async fn an_insatiable_demand_for_nonces_ends_after_one_retry() {
    let manner = Manner { nonces: Some(("a", "b")), insatiable: true, ..Manner::default() };
    let server = Server::start(manner).await;
    let error = wallet().accept(LINK, &server.options()).await.unwrap_err();
    let WalletError::Refused(refusal) = error else { panic!("{error}") };
    assert_eq!((refusal.error.as_deref(), refusal.status), (Some("use_dpop_nonce"), 400));
    assert_eq!(server.seen("/token").len(), 2);
}

#[tokio::test]
async fn a_demand_without_a_nonce_is_a_violation() {
    let change = |target: &str, answer: &mut crate::fixtures::server::Answer| {
        if target.ends_with("/token") {
            *answer = refuse(400, "use_dpop_nonce");
        }
    };
    let error = refused(Manner { change: Box::new(change), ..Manner::default() }, Options::default()).await;
    assert_eq!(clause(&error), ("RFC 9449 §8, §9", Step::Token));
}

#[tokio::test]
async fn without_dpop_the_token_is_a_bearer_token() {
    let server = Server::start(Manner::default()).await;
    let options = Options { dpop: Dpop::Never, ..server.options() };
    let accepted = wallet().accept(LINK, &options).await.unwrap();
    assert!(!accepted.dpop);
    let seen = &server.seen("/credential")[0];
    assert_eq!(seen.headers["authorization"], "Bearer at-1");
    assert!(!seen.headers.contains_key("dpop"));
}

#[tokio::test]
async fn every_key_reference_and_algorithm_is_bound() {
    let server = Server::start(Manner::default()).await;
    for algorithm in [Algorithm::Es256, Algorithm::Ed25519] {
        for key_reference in [KeyReference::Jwk, KeyReference::DidKey, KeyReference::DidJwk] {
            let key = Arc::new(HolderKey::generate(algorithm).unwrap());
            let x = key.public_jwk()["x"].as_str().unwrap().to_owned();
            KNOWN.lock().unwrap().insert(x, Value::Object(key.public_jwk().clone()));
            let options = Options { key_reference, holder_keys: vec![key.clone()], ..server.options() };
            let accepted = wallet().accept(LINK, &options).await.unwrap();
            let thumbprint = accepted.credentials[0].holder_thumbprint.as_deref();
            assert_eq!(thumbprint, Some(key.thumbprint()), "{algorithm:?} {key_reference:?}");
        }
    }
}

#[tokio::test]
async fn an_x5c_proof_shows_the_certificates_of_the_key() {
    let server = Server::start(Manner::default()).await;
    let (key, _) = certified();
    let options = Options { key_reference: KeyReference::X5c, holder_keys: vec![Arc::new(key)], ..server.options() };
    assert_eq!(wallet().accept(LINK, &options).await.unwrap().credentials.len(), 1);
    let options = Options { holder_keys: Vec::new(), ..options };
    assert!(matches!(wallet().accept(LINK, &options).await, Err(WalletError::Input(_))));
}

#[tokio::test]
async fn a_batch_has_one_key_for_each_credential() {
    let server = Server::start(Manner::default()).await;
    let accepted = wallet().accept(LINK, &Options { proofs: 3, ..server.options() }).await.unwrap();
    let holders: HashSet<_> = accepted.credentials.iter().map(|one| one.holder_thumbprint.clone()).collect();
    assert_eq!((accepted.credentials.len(), holders.len()), (3, 3));
    let too_many = wallet().accept(LINK, &Options { proofs: 4, ..server.options() }).await;
    assert!(matches!(too_many, Err(WalletError::Input(_))));
}

#[tokio::test]
async fn with_authorization_details_the_credential_identifier_is_used() {
    let server = Server::start(Manner::default()).await;
    let options = Options { authorization_details: true, ..server.options() };
    wallet().accept(LINK, &options).await.unwrap();
    let details: Value = serde_json::from_str(&server.seen("/token")[0].form()["authorization_details"]).unwrap();
    assert_eq!(details, json!([{"type": "openid_credential", "credential_configuration_id": "badge"}]));
    let request = server.seen("/credential")[0].json();
    assert_eq!(request["credential_identifier"], "set-1");
    assert!(request.get("credential_configuration_id").is_none());
}

#[tokio::test]
async fn a_client_id_is_sent_and_becomes_the_issuer_of_the_proof() {
    let server = Server::start(Manner::default()).await;
    let options = Options { client_id: Some("wallet-1".into()), tx_code: Some("1234".into()), ..server.options() };
    wallet().accept(LINK, &options).await.unwrap();
    let form = server.seen("/token")[0].form();
    assert_eq!((form["client_id"].as_str(), form["tx_code"].as_str()), ("wallet-1", "1234"));
    let request = server.seen("/credential")[0].json();
    let proof = crate::Jws::decode(request["proofs"]["jwt"][0].as_str().unwrap()).unwrap();
    assert_eq!(proof.payload()["iss"], "wallet-1");
}

#[tokio::test]
async fn the_nonce_request_has_neither_body_nor_token() {
    let server = Server::start(Manner::default()).await;
    wallet().accept(LINK, &server.options()).await.unwrap();
    let seen = &server.seen("/nonce")[0];
    assert_eq!(seen.body, "");
    assert!(!seen.headers.contains_key("authorization") && !seen.headers.contains_key("dpop"));
}

#[tokio::test]
async fn a_known_issuer_is_not_asked_again() {
    let server = Server::start(Manner::default()).await;
    let wallet = wallet();
    let accepted = wallet.accept(LINK, &server.options()).await.unwrap();
    let before = server.seen_count();
    let options = Options { issuer: Some(accepted.issuer), ..server.options() };
    wallet
        .with_dpop_key(Arc::new(HolderKey::generate(Algorithm::Ed25519).unwrap()))
        .accept(LINK, &options)
        .await
        .unwrap();
    // Offer, token, nonce, credential; no metadata and no keys.
    assert_eq!(server.seen_count() - before, 4);
}

#[tokio::test]
async fn the_steps_work_one_by_one() {
    let server = Server::start(Manner::default()).await;
    let (wallet, options) = (wallet(), server.options());
    let offer = wallet.fetch_offer(LINK, &options).await.unwrap();
    let issuer = wallet.issuer(&offer, &options).await.unwrap();
    let token = wallet.token(&issuer, &offer, &options).await.unwrap();
    let nonce = wallet.nonce(&issuer, &options).await.unwrap();
    let keys = vec![Arc::new(HolderKey::generate(Algorithm::Es256).unwrap())];
    let badge = &issuer.metadata.configurations["badge"];
    let proofs = wallet.proofs(&issuer, badge, &keys, nonce.as_deref(), &options).unwrap();
    let selector = Selector::ConfigurationId("badge".into());
    let answer = wallet.credential(&issuer, &token, &selector, &proofs, &options).await.unwrap();
    let Answer::Issued { credentials, .. } = answer else { panic!("{answer:?}") };
    wallet.verify(&issuer, badge, &credentials[0], &keys, &options).await.unwrap();
}

#[tokio::test]
async fn an_x5c_credential_is_verified_against_the_trust_anchor() {
    let (key, anchor) = certified();
    let server = Server::start(Manner { certified: Some(Arc::new(key)), ..Manner::default() }).await;
    let trusting = Options { trust_anchors: vec![anchor.clone()], ..server.options() };
    let accepted = wallet().accept(LINK, &trusting).await.unwrap();
    let source = &accepted.credentials[0].key_source;
    assert!(matches!(source, KeySource::X5c { certificates: 1, anchored: true, .. }), "{source:?}");
    assert!(server.seen("/.well-known/jwt-vc-issuer/t/acme").is_empty());
    let (_, stranger) = certified();
    let strict = Options { trust_anchors: vec![stranger], ..server.options() };
    let error = wallet().accept(LINK, &strict).await.unwrap_err();
    assert!(error.to_string().contains("trust anchors"), "{error}");
}

#[tokio::test]
async fn a_chain_that_does_not_hold_together_is_refused() {
    let (key, _) = certified();
    let (_, stranger) = certified();
    let leaf = key.certificates().to_vec();
    for chain in [vec![leaf[0].clone(), stranger.clone()], vec![stranger], vec![b"no certificate".to_vec()]] {
        let key = certified().0.with_certificates(chain);
        let error = refused(Manner { certified: Some(Arc::new(key)), ..Manner::default() }, Options::default()).await;
        assert_eq!(clause(&error).1, Step::Verification);
    }
}

#[tokio::test]
async fn a_credential_that_breaks_a_rule_is_refused() {
    type Spoil = fn(&mut crate::fixtures::Parts);
    let cases: [(&str, Spoil); 6] = [
        ("another type", |parts| parts.payload["vct"] = json!("urn:other")),
        ("a published algorithm is missing", |parts| parts.header["alg"] = json!("ES384")),
        ("an unknown kid", |parts| parts.header["kid"] = json!("k2")),
        ("no way to the key", |parts| parts.payload["iss"] = json!("urn:acme")),
        ("an absent mandatory claim", |parts| {
            let digest = json!(hash(&parts.disclosures.remove(0)));
            parts.payload["_sd"].as_array_mut().unwrap().retain(|one| *one != digest);
        }),
        ("another holder", |parts| {
            parts.payload["cnf"] = json!({"jwk": HolderKey::generate(Algorithm::Es256).unwrap().public_jwk()});
        }),
    ];
    for (name, spoil) in cases {
        let error = refused(Manner { spoil: Box::new(spoil), ..Manner::default() }, Options::default()).await;
        assert_eq!(clause(&error).1, Step::Verification, "{name}");
    }
}

#[tokio::test]
async fn copies_that_share_a_salt_are_refused() {
    let spoil = |parts: &mut crate::fixtures::Parts| {
        let shared = encode(&json!([salt("shared", 1), "shared", 1]));
        parts.payload["_sd"].as_array_mut().unwrap().push(json!(hash(&shared)));
        parts.disclosures.push(shared);
    };
    let options = Options { proofs: 2, ..Options::default() };
    let error = refused(Manner { spoil: Box::new(spoil), ..Manner::default() }, options).await;
    assert_eq!(clause(&error).0, "RFC 9901 §10.1");
}

#[tokio::test]
async fn each_wrong_answer_of_the_issuer_is_named_with_its_clause() {
    type Change = fn(&mut crate::fixtures::server::Answer);
    let html: Change = |answer| answer.headers[0].1 = "text/html".into();
    let cached: Change = |answer| drop(answer.headers.remove(1));
    let moved: Change = |answer| answer.status = 302;
    let cases: [(&'static str, Change, &str, Step); 15] = [
        ("/offers/1", html, "OpenID4VCI §4.1.3", Step::Offer),
        ("/offers/1", moved, "OpenID4VCI §4.1.3", Step::Offer),
        ("/offers/1", |a| a.body["credential_configuration_ids"] = json!(["x"]), "OpenID4VCI §4.1.1", Step::Offer),
        ("credential-issuer/t/acme", moved, "OpenID4VCI §12.2.2", Step::IssuerMetadata),
        (
            "credential-issuer/t/acme",
            |a| a.body["credential_issuer"] = json!("https://issuer.example/t/acme/"),
            "OpenID4VCI §12.2.4",
            Step::IssuerMetadata,
        ),
        (
            "authorization-server/t/acme",
            |a| a.body["issuer"] = json!("https://issuer.example"),
            "RFC 8414 §2, §3.3",
            Step::AuthorizationServerMetadata,
        ),
        ("/token", cached, "RFC 6749 §5.1", Step::Token),
        ("/token", |a| a.body["token_type"] = json!("Bearer"), "RFC 6749 §5.1, RFC 9449 §5", Step::Token),
        ("/token", |a| a.body["access_token"] = json!(""), "RFC 6749 §5.1", Step::Token),
        (
            "/token",
            |a| a.body["authorization_details"] = json!([{"type": "openid_credential"}]),
            "OpenID4VCI §6.2",
            Step::Token,
        ),
        ("/nonce", cached, "OpenID4VCI §7.2", Step::Nonce),
        ("/nonce", |a| a.body = json!({}), "OpenID4VCI §7.2", Step::Nonce),
        ("/credential", |a| a.status = 202, "OpenID4VCI §8.3", Step::Credential),
        ("/credential", |a| a.body["credentials"] = json!([]), "OpenID4VCI §8.3", Step::Credential),
        (
            "jwt-vc-issuer/t/acme",
            |a| a.body["issuer"] = json!("https://x.example"),
            "SD-JWT VC §4.2, §4.3",
            Step::Verification,
        ),
    ];
    for (place, change, wanted, step) in cases {
        let change = move |target: &str, answer: &mut crate::fixtures::server::Answer| {
            if target.ends_with(place) {
                change(answer);
            }
        };
        let error = refused(Manner { change: Box::new(change), ..Manner::default() }, Options::default()).await;
        assert_eq!(clause(&error), (wanted, step), "{place}: {error}");
    }
}

#[tokio::test]
async fn a_long_lived_bearer_token_is_refused() {
    let change = |target: &str, answer: &mut crate::fixtures::server::Answer| {
        if target.ends_with("/token") {
            answer.body["expires_in"] = json!(301);
        }
    };
    let options = Options { dpop: Dpop::Never, ..Options::default() };
    let error = refused(Manner { change: Box::new(change), ..Manner::default() }, options).await;
    assert_eq!(clause(&error).0, "OpenID4VCI §13.10");
}

#[tokio::test]
async fn an_error_of_the_issuer_comes_through_with_its_code() {
    for (place, status, code, step) in [
        ("/token", 400, "invalid_grant", Step::Token),
        ("/credential", 400, "invalid_nonce", Step::Credential),
        ("/offers/1", 404, "not_found", Step::Offer),
    ] {
        let change = move |target: &str, answer: &mut crate::fixtures::server::Answer| {
            if target.ends_with(place) {
                *answer = refuse(status, code);
            }
        };
        let error = refused(Manner { change: Box::new(change), ..Manner::default() }, Options::default()).await;
        let WalletError::Refused(refusal) = error else { panic!("{error}") };
        assert_eq!((refusal.step, refusal.status, refusal.error.as_deref()), (step, status, Some(code)));
    }
}

#[tokio::test]
async fn what_the_caller_has_to_give_is_asked_for_before_the_code_is_spent() {
    let change = |target: &str, answer: &mut crate::fixtures::server::Answer| {
        if target.ends_with("/offers/1") {
            answer.body["grants"][crate::offer::PRE_AUTHORIZED_CODE]["tx_code"] =
                json!({"length": 4, "description": "from the letter"});
        }
    };
    let server = Server::start(Manner { change: Box::new(change), ..Manner::default() }).await;
    let error = wallet().accept(LINK, &server.options()).await.unwrap_err();
    assert!(error.to_string().contains("numeric, 4 characters"), "{error}");
    assert!(error.to_string().contains("from the letter"), "{error}");
    assert!(server.seen("/token").is_empty());
}

#[tokio::test]
async fn a_deferred_credential_says_when_to_ask_again() {
    let change = |target: &str, answer: &mut crate::fixtures::server::Answer| {
        if target.ends_with("/credential") {
            answer.status = 202;
            answer.body = json!({"transaction_id": "t-1", "interval": 30});
        }
    };
    let server = Server::start(Manner { change: Box::new(change), ..Manner::default() }).await;
    let accepted = wallet().accept(LINK, &server.options()).await.unwrap();
    assert!(accepted.credentials.is_empty());
    assert_eq!(accepted.pending[0].interval_seconds, 30);
}

#[tokio::test]
async fn hostile_text_in_an_answer_is_shortened_and_cannot_steer_the_terminal() {
    let change = |target: &str, answer: &mut crate::fixtures::server::Answer| {
        if target.ends_with("credential-issuer/t/acme") {
            answer.body["credential_issuer"] = json!(format!("\u{1b}[2J{}", "x".repeat(100_000)));
        }
    };
    let error = refused(Manner { change: Box::new(change), ..Manner::default() }, Options::default()).await;
    let text = error.to_string();
    assert!(text.len() < 1000 && !text.contains('\u{1b}'), "{}", text.len());
}

#[tokio::test]
async fn plain_http_to_another_machine_is_not_spoken() {
    let error = wallet().accept("http://issuer.example/offer", &Options::default()).await.unwrap_err();
    assert_eq!(clause(&error).1, Step::Offer);
}

/// A key with one certificate, and the certificate of its authority.
fn certified() -> (HolderKey, Vec<u8>) {
    let authority_key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let anchor = authority.self_signed(&authority_key).unwrap().der().to_vec();
    let issuer = rcgen::Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let mut leaf = CertificateParams::new(vec!["issuer.example".into()]).unwrap();
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    let certificate = leaf.signed_by(&key, &issuer).unwrap().der().to_vec();
    let key = HolderKey::from_pkcs8(Algorithm::Es256, &key.serialize_der()).unwrap();
    (key.with_certificates(vec![certificate]), anchor)
}
