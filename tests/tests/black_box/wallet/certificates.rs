//! Certificates in what is signed: HAIP wants them everywhere, and what happens to wallets when they will not do.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chancery_tests::certificates::Authority;
use chancery_tests::jwt::decode;
use chancery_tests::wallet::well_known;
use chancery_tests::{Provider, on_every_backend, sd_jwt};
use reqwest::Method;

use super::*;

/// HAIP, but for any wallet.
fn haip() -> Value {
    let trust_anchors = Provider::new("https://wallet.example").trust_anchors();
    json!({"profile": "haip", "walletAttestation": "observe", "anonymousAccess": true,
        "pushedAuthorization": "accept", "trustAnchors": trust_anchors})
}

/// A staff badge that can be revoked, and whose verifiers trust in this.
fn badge(trust_anchor: &str) -> Value {
    let mut definition = samples::staff_badge();
    definition["trustAnchor"] = trust_anchor.into();
    definition["credentialDefinitions"][0]["supportRevocation"] = true.into();
    definition
}

async fn signed_metadata(world: &World, operator: &Operator) -> (Value, Value) {
    let url = well_known(operator.issuer(), "openid-credential-issuer");
    let request = world.http().request(Method::GET, &url).header("accept", "application/jwt");
    decode(&world.http().send(request).await.text())
}

fn list_of(received: &Received) -> String {
    let status = &sd_jwt::parts(&received.credential).signed["status"]["status_list"];
    status["uri"].as_str().expect("a URI").to_owned()
}

async fn list_header(world: &World, uri: &str) -> Value {
    decode(&world.http().get(uri).await.text()).0
}

/// `x5chain` (RFC 9360 §2) of the list as a CWT.
async fn x5chain(world: &World, uri: &str) -> Option<ciborium::Value> {
    let request = world.http().request(Method::GET, uri).header("accept", "application/statuslist+cwt");
    let answer = world.http().send(request).await;
    let message: ciborium::Value = ciborium::from_reader(answer.body.as_slice()).expect("CBOR");
    let parts = message.as_tag().and_then(|(_, value)| value.as_array()).expect("a COSE_Sign1");
    let protected = parts[0].as_bytes().expect("bytes");
    let header: ciborium::Value = ciborium::from_reader(protected.as_slice()).expect("a header");
    let found = header.as_map().expect("a map").iter().find(|(label, _)| *label == 33.into());
    found.map(|(_, value)| value.clone())
}

/// The wallet that was written against the specifications, which insists on HAIP and trusts `authority`.
async fn strictly(world: &World, authority: &Authority, link: &str) -> Result<chancery_wallet::Accepted, String> {
    let clock = world.env.clone();
    let wallet = chancery_wallet::Wallet::builder().clock(move || clock.now().seconds()).build().expect("a wallet");
    let options = chancery_wallet::Options {
        haip: true,
        signed_metadata: true,
        trust_anchors: vec![authority.certificate().to_vec()],
        ..Default::default()
    };
    wallet.accept(link, &options).await.map_err(|error| error.to_string())
}

on_every_backend! {
    /// HAI-4, HAI-5, SVC-7; HAIP 1.0 §4.1, §6.1, §6.1.1: whatever `trustAnchor` says, credentials, status lists in both
    /// encodings, and signed metadata carry the certificates of their signer, without the anchor.
    async fn under_haip_everything_signed_carries_the_certificates_of_its_signer(world: &World) {
        for trust_anchor in ["did:key", "x509"] {
            let operator = world.platform().organisation(json!({"policy": haip()})).await;
            let authority = Authority::new(world.env.now());
            let leaf = operator.certify(&authority).await;
            let definition = operator.define(&badge(trust_anchor)).await;
            let offer = operator.offer(&definition, &samples::staff_claims()).await;
            let received = world.wallet().accept(&offer.link).await;
            let expected = json!([STANDARD.encode(&leaf)]);
            let header = sd_jwt::parts(&received.credential).header;
            assert_eq!((&header["x5c"], header.get("kid")), (&expected, None), "{trust_anchor}");
            let list = list_of(&received);
            assert_eq!(list_header(world, &list).await["x5c"], expected);
            assert_eq!(x5chain(world, &list).await, Some(ciborium::Value::Bytes(leaf)));
            assert_eq!(signed_metadata(world, &operator).await.0["x5c"], expected);

            let offer = operator.offer(&definition, &samples::staff_claims()).await;
            let accepted = strictly(world, &authority, &offer.link).await.unwrap_or_else(|error| panic!("{error}"));
            let source = &accepted.credentials[0].key_source;
            assert!(matches!(source, chancery_wallet::KeySource::X5c { anchored: true, certificates: 1, .. }), "{source:?}");
            let offer = operator.offer(&definition, &samples::staff_claims()).await;
            let refused = strictly(world, &Authority::new(world.env.now()), &offer.link).await.expect_err("another anchor");
            assert!(refused.contains("none of the trust anchors"), "{refused}");
        }
    }

    /// The same wallet takes nothing from an issuer that signs with `kid`.
    async fn a_wallet_that_insists_on_haip_refuses_credentials_without_certificates(world: &World) {
        let scene = Scene::under(world, json!({"signedMetadata": true})).await;
        let authority = Authority::new(world.env.now());
        let refused = strictly(world, &authority, &scene.offer.link).await.expect_err("no x5c");
        assert!(refused.contains("HAIP §4.1") && refused.contains("no x5c"), "{refused}");
    }

    /// OpenID4VCI §8.3.1: between offer and collection the certificates end. The wallet is told to come again, not that the
    /// server failed; the transcript names the cause, and with a renewed chain the same token works.
    async fn when_the_certificates_have_ended_the_wallet_is_asked_to_come_again(world: &World) {
        let operator = world.organisation().await;
        let authority = Authority::new(world.env.now());
        operator.certify_until(&authority, world.env.now().plus_seconds(60)).await;
        let scene = Scene::of(world, operator.clone(), operator.define(&badge("x509")).await).await;
        let token = scene.redeem().await;
        let nonce = scene.wallet.nonce(&scene.opened).await;
        world.advance(Duration::from_secs(61));
        let answer = scene.wallet.send(scene.wallet.credential_call(&token, &nonce)).await;
        answer.refused(503, "temporarily_unavailable");
        assert!(answer.header("retry-after").is_some(), "{answer}");
        let cause = scene.cause().await;
        assert!(cause.reason.contains("expired on") && cause.reason.contains("renewed"), "{cause:?}");
        operator.certify(&Authority::new(world.env.now())).await;
        // The nonce was not used up.
        scene.wallet.send(scene.wallet.credential_call(&token, &nonce)).await.ok();
    }

    /// OpenID4VCI §4.1.1: a code works once, so it is not used up for what nobody could sign.
    async fn no_code_is_used_up_once_the_certificates_have_ended(world: &World) {
        let operator = world.organisation().await;
        operator.certify_until(&Authority::new(world.env.now()), world.env.now().plus_seconds(60)).await;
        let scene = Scene::of(world, operator.clone(), operator.define(&badge("x509")).await).await;
        world.advance(Duration::from_secs(61));
        scene.wallet.send(scene.wallet.token_call(&scene.opened)).await.refused(503, "temporarily_unavailable");
        let cause = scene.cause().await;
        assert!(cause.message == "token.cannot_sign" && cause.reason.contains("expired on"), "{cause:?}");
        operator.certify(&Authority::new(world.env.now())).await;
        scene.collect(&scene.redeem().await).await;
    }

    /// The same of what was deferred, once the claims are there.
    async fn a_deferred_credential_waits_for_certificates(world: &World) {
        let operator = world.organisation().await;
        operator.certify_until(&Authority::new(world.env.now()), world.env.now().plus_seconds(60)).await;
        let definition = operator.define(&badge("x509")).await;
        let id = &definition["credentialDefinitionId"];
        let body = json!({"issuanceMode": "Deferred", "userPin": "", "credentialDefinitionId": id});
        let offer = operator.offer_of(body).await;
        let wallet = world.wallet();
        let opened = wallet.open(&offer.link).await;
        let token = wallet.redeem(&opened).await;
        let nonce = wallet.nonce(&opened).await;
        let begun = wallet.send(wallet.credential_call(&token, &nonce)).await.expect(202);
        let transaction = begun["transaction_id"].as_str().expect("an id");
        let entry = &definition["credentialDefinitions"][0]["id"];
        let claims = json!({"credential": {"id": entry, "claims": samples::staff_claims()}});
        operator.put(&chancery_tests::platform::history_path(&offer.id), claims).await.ok();
        world.advance(Duration::from_secs(61));
        wallet.send(wallet.deferred_call(&token, transaction)).await.refused(503, "temporarily_unavailable");
        assert!(cause(&operator, &offer.id).await.reason.contains("expired on"));
        operator.certify(&Authority::new(world.env.now())).await;
        wallet.send(wallet.deferred_call(&token, transaction)).await.ok();
    }

    /// A status list never vanishes, and neither do metadata: without valid certificates they name the key by `kid`.
    async fn lists_and_metadata_outlive_the_certificates_of_their_signer(world: &World) {
        let operator = world.platform().organisation(json!({"policy": haip()})).await;
        let end = world.env.now().plus_seconds(6 * 3600);
        operator.certify_until(&Authority::new(world.env.now()), end).await;
        let definition = operator.define(&badge("did:key")).await;
        let offer = operator.offer(&definition, &samples::staff_claims()).await;
        let list = list_of(&world.wallet().accept(&offer.link).await);
        let (before, claims) = signed_metadata(world, &operator).await;
        assert_eq!((before.get("kid"), claims["exp"].as_i64()), (None, Some(end.seconds())));
        let (header, claims) = decode(&world.http().get(&list).await.text());
        assert_eq!((header.get("kid"), claims["exp"].as_i64()), (None, Some(end.seconds())));
        world.env.set_clock(end);
        let kid = world.http().get(&format!("{}/jwks", operator.issuer())).await.ok()["keys"][0]["kid"].clone();
        // Documents are kept for a moment of real time.
        world.restart().await;
        for header in [list_header(world, &list).await, signed_metadata(world, &operator).await.0] {
            assert_eq!((&header["kid"], header.get("x5c")), (&kid, None));
        }
        assert_eq!(x5chain(world, &list).await, None);
    }

    /// HAI-5; RFC 6749 §4.1.2.1: what comes from a wallet is refused before it is kept, with the cause in the transcript of
    /// the offer, if there is one.
    async fn wallets_begin_nothing_that_nobody_could_sign(world: &World) {
        let operator = world.platform().organisation(json!({"policy": haip()})).await;
        operator.certify(&Authority::new(world.env.now())).await;
        let definition = operator.define(&badge("did:key")).await;
        let configuration = definition["credentialDefinitions"][0]["credentialConfigurationId"].as_str().expect("an id");
        let body = json!({"issuanceMode": "Deferred", "credentialDefinitionId": definition["credentialDefinitionId"]});
        let (pushed, plain) = (operator.offer_of(body.clone()).await, operator.offer_of(body).await);
        let wallet = world.wallet();
        let state = async |offer: &Offer| {
            let opened = wallet.open(&offer.link).await;
            opened.offer["grants"]["authorization_code"]["issuer_state"].as_str().expect("a state").to_owned()
        };
        let push = || wallet.par_call(operator.issuer(), configuration);
        wallet.send_with_nonce(push()).await.expect(201);
        operator.upload_chain(&[]).await.ok();
        wallet.send_with_nonce(push()).await.refused(503, "temporarily_unavailable");
        let with_state = push().with_field("issuer_state", &state(&pushed).await);
        wallet.send_with_nonce(with_state).await.refused(503, "temporarily_unavailable");
        let issuer_state = state(&plain).await;
        let query = "response_type=code&client_id=wallet-dev&scope=staff-badge&state=x1&code_challenge_method=S256\
                     &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM\
                     &redirect_uri=https%3A%2F%2Fwallet.example%2Fcb";
        let page = world.http().get(&format!("{}/authorize?{query}&issuer_state={issuer_state}", operator.issuer())).await;
        assert_eq!(page.status, 503, "{page}");
        for offer in [pushed, plain] {
            let cause = cause(&operator, &offer.id).await;
            assert!(cause.reason.contains("no certificate chain"), "{cause:?}");
        }
    }
}
