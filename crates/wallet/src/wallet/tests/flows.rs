//! The flows beyond the pre-authorized code, against an issuer that offers everything.

use super::*;
use crate::authority::{Authority, KeyAttester};
use crate::client::WalletProvider;
use crate::fixtures::flows::{REDIRECT, browser, certified, consent};
use crate::fixtures::server::Answer;
use crate::front_channel::FrontChannel;
use crate::jose::Jws;
use crate::jwe::Encoding;
use crate::options::{Encryption, KeyAttestation, Pushing};

const BY_CODE: &str =
    "openid-credential-offer://?credential_offer_uri=https%3A%2F%2Fissuer.example%2Ft%2Facme%2Foffers%2F2";

fn everything() -> Manner {
    Manner { everything: true, ..Manner::default() }
}

fn provider() -> Arc<WalletProvider> {
    Arc::new(WalletProvider::new(Authority::generate("Provider", NOW).unwrap(), "wallet-1").unwrap())
}

fn attested(server: &Server) -> Options {
    Options { wallet_provider: Some(provider()), front_channel: Some(browser(consent)), ..server.options() }
}

fn public(server: &Server) -> Options {
    Options { client_id: Some("public".into()), front_channel: Some(browser(consent)), ..server.options() }
}

/// An issuer whose answer at one place is changed.
fn changed(place: &'static str, change: fn(&mut Answer)) -> Manner {
    let change = move |target: &str, answer: &mut Answer| {
        if target.ends_with(place) {
            change(answer);
        }
    };
    Manner { change: Box::new(change), ..everything() }
}

/// What an attacker makes of the address that the wallet returns to.
type Rewrite = fn(&str) -> String;
/// What is wrong with an answer.
type Change = fn(&mut Answer);

#[tokio::test]
async fn a_pushed_request_with_dpop_and_wallet_attestation_becomes_a_credential() {
    let server = Server::start(Manner { nonces: Some(("as-nonce", "cn-rs")), ..everything() }).await;
    let accepted = wallet().accept(BY_CODE, &attested(&server)).await.unwrap();
    assert_eq!(accepted.credentials.len(), 1);
    let pushed = &server.seen("/par")[0];
    let form = pushed.form();
    assert_eq!(form["issuer_state"], "st-1");
    assert_eq!((form["scope"].as_str(), form["redirect_uri"].as_str()), ("badge", REDIRECT));
    assert_eq!((form["response_type"].as_str(), form["code_challenge_method"].as_str()), ("code", "S256"));
    assert!(pushed.headers.contains_key("dpop") && form.contains_key("dpop_jkt"));
    let attempts = server.seen("/token");
    assert_eq!(attempts.len(), 2, "once for the nonce");
    let jti = |header: &str| Jws::decode(header).unwrap().payload()["jti"].clone();
    let proofs: HashSet<String> =
        attempts.iter().map(|seen| jti(&seen.headers["oauth-client-attestation-pop"]).to_string()).collect();
    assert_eq!(proofs.len(), 2, "a fresh proof of possession in each attempt");
}

#[tokio::test]
async fn a_plain_request_and_authorization_details_work_too() {
    let server = Server::start(everything()).await;
    let options = Options { pushing: Pushing::Never, ..public(&server) };
    assert_eq!(wallet().accept(BY_CODE, &options).await.unwrap().credentials.len(), 1);
    assert!(server.seen("/par").is_empty());
    let server = Server::start(changed("/token", |answer| {
        answer.body["authorization_details"] = json!([{
            "type": "openid_credential", "credential_configuration_id": "badge", "credential_identifiers": ["set-7"],
        }]);
    }))
    .await;
    let options = Options { authorization_details: true, ..public(&server) };
    wallet().accept(BY_CODE, &options).await.unwrap();
    let form = server.seen("/par")[0].form();
    assert!(form["authorization_details"].contains("badge") && !form.contains_key("scope"));
    assert_eq!(server.seen("/credential")[0].json()["credential_identifier"], "set-7");
}

#[tokio::test]
async fn a_wallet_asks_by_itself() {
    let server = Server::start(everything()).await;
    let options = Options { configuration_ids: vec!["badge".into()], ..attested(&server) };
    let accepted = wallet().request(IDENTIFIER, &options).await.unwrap();
    assert!(accepted.offer.is_none() && accepted.credentials.len() == 1);
    assert!(!server.seen("/par")[0].form().contains_key("issuer_state"));
    let options = Options { configuration_ids: vec!["other".into()], ..options };
    let error = wallet().request(IDENTIFIER, &options).await.unwrap_err();
    assert!(error.to_string().contains("badge"), "{error}");
}

#[tokio::test]
async fn an_answer_that_is_not_the_servers_to_this_request_is_refused() {
    let cases: [(&str, Rewrite); 7] = [
        ("RFC 9207 §2.4", |url| consent(url).replace("issuer.example", "attacker.example")),
        ("RFC 9207 §2.4", |url| consent(url).split("&iss=").next().unwrap().to_owned()),
        ("RFC 6749 §4.1.2, §10.12", |url| consent(url).replace("state=", "state=x")),
        ("RFC 6749 §4.1.2, §10.12", |url| consent(url).replace("state=", "other=")),
        ("RFC 6749 §3.1", |url| consent(url) + "&code=code-3"),
        ("RFC 6749 §3.1.2", |url| consent(url).replace("wallet.example", "wallet.example.attacker.example")),
        ("RFC 6749 §4.1.2", |url| consent(url).replace("code=", "kode=")),
    ];
    for (wanted, answer) in cases {
        let server = Server::start(everything()).await;
        let options = Options { front_channel: Some(browser(answer)), ..public(&server) };
        let error = wallet().accept(BY_CODE, &options).await.unwrap_err();
        assert_eq!(clause(&error), (wanted, Step::Authorization), "{error}");
        assert!(server.seen("/token").is_empty(), "the code was not given away");
    }
}

#[tokio::test]
async fn a_refusal_of_the_person_comes_through_with_its_code() {
    let server = Server::start(everything()).await;
    let no: fn(&str) -> String = |url| consent(url).replace("code=code-2", "error=access_denied");
    let options = Options { front_channel: Some(browser(no)), ..public(&server) };
    let error = wallet().accept(BY_CODE, &options).await.unwrap_err();
    let WalletError::Refused(refusal) = error else { panic!("{error}") };
    assert_eq!((refusal.step, refusal.error.as_deref()), (Step::Authorization, Some("access_denied")));
}

#[tokio::test]
async fn the_loopback_listener_hears_the_browser_and_not_its_favicon() {
    let channel = FrontChannel::loopback(std::time::Duration::from_secs(30), |_| {}).await.unwrap();
    let redirect = channel.redirect_uri.clone();
    let visited = tokio::spawn(async move { channel.visit("https://issuer.example/authorize".into()).await });
    let client = reqwest::Client::builder().build().unwrap();
    let icon = client.get(redirect.replace("/callback", "/favicon.ico")).send().await.unwrap();
    assert_eq!(icon.status(), 404);
    assert_eq!(client.get(format!("{redirect}?code=1&state=2")).send().await.unwrap().status(), 200);
    assert_eq!(visited.await.unwrap().unwrap(), format!("{redirect}?code=1&state=2"));
}

#[tokio::test]
async fn a_demanded_challenge_is_taken_from_the_answer() {
    let server = Server::start(changed("/challenge", |answer| {
        answer.body["attestation_challenge"] = json!("stale");
    }))
    .await;
    // This server refuses the stale challenge without offering another: one attempt, and its error comes through.
    let error = wallet().accept(BY_CODE, &attested(&server)).await.unwrap_err();
    assert!(matches!(&error, WalletError::Refused(refusal) if refusal.status == 401), "{error}");
    let server = Server::start(changed("/par", |answer| {
        *answer = refuse(400, "use_attestation_challenge");
        answer.headers.push(("oauth-client-attestation-challenge".into(), "challenge-1".into()));
    }))
    .await;
    let error = wallet().accept(BY_CODE, &attested(&server)).await.unwrap_err();
    assert!(matches!(&error, WalletError::Refused(refusal) if refusal.status == 400), "{error}");
    assert_eq!(server.seen("/par").len(), 2, "one retry, not more");
    let error = refused_by(changed("/par", |answer| *answer = refuse(400, "use_attestation_challenge"))).await;
    assert_eq!(clause(&error), ("ABCA draft-07 §6.2", Step::PushedAuthorization));
}

async fn refused_by(manner: Manner) -> WalletError {
    let server = Server::start(manner).await;
    wallet().accept(BY_CODE, &attested(&server)).await.unwrap_err()
}

#[tokio::test]
async fn each_wrong_answer_of_the_new_endpoints_is_named_with_its_clause() {
    let cached: Change = |answer| drop(answer.headers.remove(1));
    let cases: [(&'static str, Change, &str, Step); 6] = [
        ("/par", |answer| answer.status = 200, "RFC 9126 §2.2", Step::PushedAuthorization),
        ("/par", cached, "RFC 9126 §2.2", Step::PushedAuthorization),
        (
            "/par",
            |answer| answer.body["expires_in"] = json!(600),
            "RFC 9126 §2.2, FAPI 2.0 §5.3.2.2",
            Step::PushedAuthorization,
        ),
        ("/par", |answer| answer.body["request_uri"] = json!(1), "RFC 9126 §2.2", Step::PushedAuthorization),
        ("/challenge", cached, "ABCA draft-07 §8", Step::Challenge),
        ("/challenge", |answer| answer.body = json!({}), "ABCA draft-07 §8", Step::Challenge),
    ];
    for (place, change, wanted, step) in cases {
        let error = refused_by(changed(place, change)).await;
        assert_eq!(clause(&error), (wanted, step), "{place}: {error}");
    }
}

#[tokio::test]
async fn requests_and_answers_are_encrypted_in_every_combination() {
    for encoding in Encoding::ALL {
        for compression in [false, true] {
            let server = Server::start(Manner { secret: true, ..everything() }).await;
            let options = Options { encoding, compression, ..public(&server) };
            assert_eq!(wallet().accept(BY_CODE, &options).await.unwrap().credentials.len(), 1);
            let seen = &server.seen("/credential")[0];
            assert_eq!(seen.headers["content-type"], "application/jwt");
        }
    }
}

#[tokio::test]
async fn a_plain_answer_to_a_request_for_an_encrypted_one_is_refused_and_a_plain_error_is_not() {
    let plain: fn(&mut Answer) = |answer| {
        answer.jwt = None;
        answer.headers[0].1 = "application/json".into();
        answer.body = json!({"credentials": [{"credential": "c"}]});
    };
    let server = Server::start(changed("/credential", plain)).await;
    let options = Options { encryption: Encryption::Always, ..public(&server) };
    let error = wallet().accept(BY_CODE, &options).await.unwrap_err();
    assert!(error.to_string().contains("not encrypted"), "{error}");
    let server = Server::start(changed("/credential", |answer| *answer = refuse(400, "invalid_proof"))).await;
    let options = Options { encryption: Encryption::Always, ..public(&server) };
    let error = wallet().accept(BY_CODE, &options).await.unwrap_err();
    assert!(matches!(&error, WalletError::Refused(refusal) if refusal.error.as_deref() == Some("invalid_proof")));
}

#[tokio::test]
async fn a_deferred_credential_comes_when_it_is_asked_for_and_the_issuer_is_told() {
    for secret in [false, true] {
        let server = Server::start(Manner { late: 2, secret, ..everything() }).await;
        let options = Options { notify: true, ..public(&server) };
        let wallet = wallet();
        let mut accepted = wallet.accept(BY_CODE, &options).await.unwrap();
        assert_eq!(accepted.pending[0].interval_seconds, 5);
        wallet.poll(&mut accepted, &options).await.unwrap();
        assert_eq!(accepted.pending[0].interval_seconds, 7);
        assert!(server.seen("/notification").is_empty());
        wallet.poll(&mut accepted, &options).await.unwrap();
        assert!(accepted.pending.is_empty());
        assert!(accepted.credentials[0].holder_expected);
        assert_eq!(server.seen("/notification")[0].json()["event"], "credential_accepted");
    }
}

#[tokio::test]
async fn a_transaction_that_changes_its_name_is_refused() {
    let change: fn(&mut Answer) = |answer| answer.body["transaction_id"] = json!("t-2");
    let server = Server::start(Manner { late: 2, ..changed("/deferred", change) }).await;
    let (wallet, options) = (wallet(), public(&server));
    let mut accepted = wallet.accept(BY_CODE, &options).await.unwrap();
    let error = wallet.poll(&mut accepted, &options).await.unwrap_err();
    assert_eq!(clause(&error), ("OpenID4VCI §9.2", Step::Deferred));
}

#[tokio::test]
async fn a_bad_credential_is_reported_as_a_failure() {
    let spoil = |parts: &mut crate::fixtures::Parts| parts.payload["vct"] = json!("urn:other");
    let server = Server::start(Manner { spoil: Box::new(spoil), ..everything() }).await;
    let options = Options { notify: true, ..public(&server) };
    let error = wallet().accept(BY_CODE, &options).await.unwrap_err();
    assert_eq!(clause(&error).1, Step::Verification);
    assert_eq!(server.seen("/notification")[0].json()["event"], "credential_failure");
}

#[tokio::test]
async fn a_refreshed_token_brings_fresh_copies() {
    let server = Server::start(everything()).await;
    let (wallet, options) = (wallet(), attested(&server));
    let accepted = wallet.accept(BY_CODE, &options).await.unwrap();
    let again = wallet.reissue(&accepted, &options).await.unwrap();
    assert_eq!(server.seen("/token")[1].form()["refresh_token"], "rt-1");
    assert_eq!(server.seen("/credential")[1].headers["authorization"], "DPoP at-3");
    assert_ne!(again.credentials[0].holder_thumbprint, accepted.credentials[0].holder_thumbprint);
}

#[tokio::test]
async fn keys_are_attested_in_each_proof_or_alone() {
    let attester = Arc::new(KeyAttester::new(Authority::generate("Storage", NOW).unwrap()));
    for key_attestation in [KeyAttestation::InProof, KeyAttestation::Alone] {
        let server = Server::start(everything()).await;
        let key_attester = Some(attester.clone());
        let options = Options { key_attester, key_attestation, proofs: 2, ..public(&server) };
        let accepted = wallet().accept(BY_CODE, &options).await.unwrap();
        assert_eq!(accepted.credentials.len(), 2);
        let proofs = server.seen("/credential")[0].json()["proofs"].clone();
        match key_attestation {
            KeyAttestation::Alone => assert_eq!(proofs["attestation"].as_array().unwrap().len(), 1),
            KeyAttestation::InProof => {
                let proof = Jws::decode(proofs["jwt"][0].as_str().unwrap()).unwrap();
                let attestation = certified(proof.header_text("key_attestation").unwrap(), "key-attestation+jwt");
                assert_eq!(attestation.payload()["attested_keys"][0], proof.header()["jwk"]);
            }
        }
    }
}

#[tokio::test]
async fn signed_metadata_are_verified() {
    let server = Server::start(everything()).await;
    let options = Options { signed_metadata: true, ..public(&server) };
    wallet().accept(BY_CODE, &options).await.unwrap();
    let place = "credential-issuer/t/acme";
    let forged: fn(&mut Answer) = |answer| {
        let compact = answer.jwt.take().unwrap();
        let (head, _) = compact.rsplit_once('.').unwrap();
        answer.jwt = Some(format!("{head}.{}", "A".repeat(86)));
    };
    let unsigned: fn(&mut Answer) = |answer| {
        answer.jwt = None;
        answer.headers[0].1 = "application/json".into();
        answer.body = json!({});
    };
    for change in [forged, unsigned] {
        let server = Server::start(changed(place, change)).await;
        let options = Options { signed_metadata: true, ..public(&server) };
        let error = wallet().accept(BY_CODE, &options).await.unwrap_err();
        assert_eq!(clause(&error), ("OpenID4VCI §12.2.3", Step::IssuerMetadata), "{error}");
    }
}

#[tokio::test]
async fn what_the_authorization_code_flow_needs_is_asked_for_before_anything_is_sent() {
    let server = Server::start(everything()).await;
    for options in [Options { front_channel: None, ..public(&server) }, Options { client_id: None, ..public(&server) }]
    {
        let error = wallet().accept(BY_CODE, &options).await.unwrap_err();
        assert!(matches!(error, WalletError::Input(_)), "{error}");
        assert!(server.seen("/par").is_empty());
    }
}
