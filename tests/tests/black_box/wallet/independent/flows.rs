//! The flows that take more than one step, or another party.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chancery_tests::platform::{definition_path, history_path};
use chancery_tests::{Browser, on_every_backend};
use chancery_wallet::{Authority, Encryption, Event, KeyAttester, Options, Pushing, WalletProvider};

use super::super::authorization_code::Desk;
use super::super::*;
use super::wallet;

/// A wallet whose person signs in at the desk's provider and consents.
fn signing_in(world: &World, desk: &Desk) -> Options {
    Options {
        client_id: Some("wallet-dev".to_owned()),
        front_channel: Some(Browser::new(world.http().clone()).front_channel(Some(desk.provider.clone()))),
        authorization_details: true,
        configuration_ids: vec![desk.configuration.clone()],
        ..Options::default()
    }
}

/// From here on a refreshed token leads to a fresh copy.
async fn support_reissuance(desk: &Desk) {
    let mut definition = desk.definition.clone();
    definition["credentialDefinitions"][0]["supportCredentialReissuance"] = true.into();
    let path = definition_path(definition["credentialDefinitionId"].as_str().expect("an id"));
    desk.operator.put(&path, definition).await.ok();
}

/// An offer without a pre-authorized code: whoever accepts it signs in.
async fn offered(desk: &Desk) -> Offer {
    let entry = &desk.definition["credentialDefinitions"][0];
    let body = json!({
        "issuanceMode": "InTime",
        "credentialDefinitionId": desk.definition["credentialDefinitionId"],
        "credential": {"id": entry["id"], "vct": entry["vct"]},
    });
    desk.operator.offer_of(body).await
}

async fn status(operator: &Operator, offer: &Offer) -> String {
    operator.status(&offer.id).await
}

on_every_backend! {
    /// OpenID4VCI §3.4, §5: begun by the issuer and by the wallet, pushed and plain.
    async fn an_independent_wallet_lets_the_person_sign_in(world: &World) {
        let desk = Desk::open(world, json!({})).await;
        for pushing in [Pushing::Always, Pushing::Never] {
            let options = Options { pushing, ..signing_in(world, &desk) };
            let offer = offered(&desk).await;
            let begun_by_issuer = wallet(world).accept(&offer.link, &options).await;
            let begun_by_wallet = wallet(world).request(desk.operator.issuer(), &options).await;
            for accepted in [begun_by_issuer, begun_by_wallet] {
                let accepted = accepted.unwrap_or_else(|error| panic!("{pushing:?}: {error}"));
                assert_eq!(accepted.credentials[0].claims["given_name"], "Oyelaran");
                assert!(accepted.dpop && accepted.credentials[0].holder_expected);
            }
            assert_eq!(status(&desk.operator, &offer).await, "credential_issued");
        }
    }

    /// TOK-13, OpenID4VCI §14.3: a refreshed token, and a fresh copy under another key.
    async fn an_independent_wallet_refreshes_and_fetches_again(world: &World) {
        let desk = Desk::open(world, json!({"refreshTokens": true})).await;
        support_reissuance(&desk).await;
        let (wallet, options) = (wallet(world), signing_in(world, &desk));
        let first = wallet.request(desk.operator.issuer(), &options).await.unwrap_or_else(|error| panic!("{error}"));
        world.advance(std::time::Duration::from_secs(3600));
        let second = wallet.reissue(&first, &options).await.unwrap_or_else(|error| panic!("{error}"));
        for claim in ["given_name", "family_name", "employee_id"] {
            assert_eq!(second.credentials[0].claims[claim], first.credentials[0].claims[claim]);
        }
        assert_ne!(second.credentials[0].holder_thumbprint, first.credentials[0].holder_thumbprint);
    }

    /// OpenID4VCI §9, §10: nothing at first, encrypted as everything is; what comes in the end is bound to the first keys.
    async fn an_independent_wallet_waits_for_what_is_deferred(world: &World) {
        let policy = json!({"encryption": "required", "batchSize": 3});
        let operator = world.platform().organisation(json!({ "policy": policy })).await;
        let definition = operator.define(&samples::staff_badge()).await;
        let id = &definition["credentialDefinitionId"];
        let offer = operator.offer_of(json!({"issuanceMode": "Deferred", "userPin": "", "credentialDefinitionId": id})).await;
        let (wallet, options) = (wallet(world), Options { proofs: 3, notify: true, ..Options::default() });
        let mut accepted = wallet.accept(&offer.link, &options).await.unwrap_or_else(|error| panic!("{error}"));
        for _ in 0..2 {
            assert_eq!((accepted.pending.len(), accepted.credentials.len()), (1, 0));
            world.advance(std::time::Duration::from_secs(accepted.pending[0].interval_seconds));
            wallet.poll(&mut accepted, &options).await.unwrap_or_else(|error| panic!("{error}"));
        }
        let entry = &definition["credentialDefinitions"][0]["id"];
        let claims = json!({"credential": {"id": entry, "claims": samples::staff_claims()}});
        operator.put(&history_path(&offer.id), claims).await.ok();
        wallet.poll(&mut accepted, &options).await.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((accepted.pending.len(), accepted.credentials.len()), (0, 3));
        assert!(accepted.credentials.iter().all(|credential| credential.holder_expected));
        assert_eq!(status(&operator, &offer).await, "credential_accepted");
    }

    /// OpenID4VCI §3.3.2, §11: a batch that nothing links, which is the wallet's own check; each event moves the exchange on.
    async fn an_independent_wallet_takes_a_batch_and_says_what_became_of_it(world: &World) {
        let operator = world.platform().organisation(json!({"policy": {"batchSize": 5}})).await;
        let definition = operator.define(&samples::pid()).await;
        for (event, expected) in [
            (Event::Accepted, "credential_accepted"),
            (Event::Failure, "credential_acked"),
            (Event::Deleted, "credential_deleted"),
        ] {
            let offer = operator.offer(&definition, &samples::pid_claims()).await;
            let (wallet, options) = (wallet(world), Options { proofs: 5, ..Options::default() });
            let accepted = wallet.accept(&offer.link, &options).await.unwrap_or_else(|error| panic!("{error}"));
            assert_eq!((accepted.credentials.len(), accepted.notification_ids.len()), (5, 1));
            assert_eq!(status(&operator, &offer).await, "credential_issued");
            let told = wallet.notify(&accepted.issuer, &accepted.token, &accepted.notification_ids[0], event, &options);
            told.await.unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(status(&operator, &offer).await, expected);
        }
    }

    /// HAIP 1.0 §4 with everything demanded: pushed and attested request, sign-in, attested keys, encryption, batch, refresh.
    async fn an_independent_wallet_meets_haip(world: &World) {
        let now = world.env.now().seconds();
        let authority = |name| Authority::generate(name, now).expect("an authority");
        let (vouching, storage) = (authority("Wallet provider"), authority("Key storage"));
        let list = |authority: &Authority| json!({"certificates": [STANDARD.encode(authority.anchor())]});
        let policy = json!({
            "profile": "haip",
            "encryption": "required",
            "keyAttestation": "enforce",
            "keyStorage": ["iso_18045_high"],
            "trustAnchors": {"walletProviders": list(&vouching), "keyAttesters": list(&storage)},
        });
        let desk = Desk::open(world, policy).await;
        let signers = chancery_tests::certificates::Authority::new(world.env.now());
        desk.operator.certify(&signers).await;
        support_reissuance(&desk).await;
        let provider = WalletProvider::new(vouching, "https://wallet.example").expect("a wallet provider");
        let options = Options {
            client_id: None,
            authorization_details: false,
            wallet_provider: Some(Arc::new(provider)),
            key_attester: Some(Arc::new(KeyAttester::new(storage))),
            encryption: Encryption::Always,
            signed_metadata: true,
            haip: true,
            trust_anchors: vec![signers.certificate().to_vec()],
            proofs: 3,
            notify: true,
            ..signing_in(world, &desk)
        };
        let offer = offered(&desk).await;
        assert!(offer.link.starts_with("haip-vci://"), "{}", offer.link);
        let wallet = wallet(world);
        let accepted = wallet.accept(&offer.link, &options).await.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(accepted.credentials.len(), 3);
        assert_eq!(accepted.credentials[0].claims["family_name"], "Brightwater");
        assert_eq!(status(&desk.operator, &offer).await, "credential_accepted");
        let again = wallet.reissue(&accepted, &options).await.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(again.credentials.len(), 3);
        let nobody = Options { wallet_provider: None, client_id: Some("https://wallet.example".to_owned()), ..options };
        let refused = super::wallet(world).request(desk.operator.issuer(), &nobody).await.expect_err("nobody vouches");
        assert!(refused.to_string().contains("invalid_client"), "{refused}");
    }
}
