//! The whole way with `chancery_wallet`, which was written against the specifications alone and verifies what it gets.

use chancery_tests::on_every_backend;
use chancery_wallet::{Accepted, Algorithm, Dpop, KeyReference, KeySource, Options, PathElement};

use super::*;

mod flows;
mod profiles;

/// A wallet with the clock of the world.
fn wallet(world: &World) -> chancery_wallet::Wallet {
    let clock = world.env.clone();
    let builder = chancery_wallet::Wallet::builder().clock(move || clock.now().seconds());
    builder.build().expect("a wallet")
}

async fn accept(world: &World, link: &str, options: Options) -> Accepted {
    wallet(world).accept(link, &options).await.unwrap_or_else(|error| panic!("{error}"))
}

/// An organisation that offers a PID and takes every binding method.
async fn pid(world: &World) -> (Operator, Value) {
    let operator = world.organisation().await;
    let mut definition = samples::pid();
    definition["credentialDefinitions"][0]["credentialBindingMethods"] = json!(["jwk", "did:key", "did:jwk"]);
    let definition = operator.define(&definition).await;
    (operator, definition)
}

on_every_backend! {
    /// Every way to name a key, both algorithms, with and without DPoP and `authorization_details`.
    async fn an_independent_wallet_accepts_and_verifies_in_every_combination(world: &World) {
        let (operator, definition) = pid(world).await;
        for key_reference in [KeyReference::Jwk, KeyReference::DidKey, KeyReference::DidJwk] {
            for algorithm in [Algorithm::Es256, Algorithm::Ed25519] {
                for (dpop, authorization_details) in [(Dpop::Always, true), (Dpop::Never, false)] {
                    let offer = operator.offer(&definition, &samples::pid_claims()).await;
                    let options =
                        Options { dpop, authorization_details, key_reference, algorithm, ..Options::default() };
                    let accepted = accept(world, &offer.link, options).await;
                    assert_eq!(accepted.dpop, dpop == Dpop::Always);
                    let [credential] = accepted.credentials.as_slice() else { panic!("one credential: {accepted:?}") };
                    assert_eq!(credential.issuer.as_deref(), Some(operator.issuer()));
                    assert!(credential.holder_expected, "bound to the key of the proof");
                    for (name, value) in samples::pid_claims().as_object().unwrap() {
                        assert_eq!(credential.claims[name], *value);
                    }
                }
            }
        }
    }

    /// Disclosures of nested members and of array elements are where they belong.
    async fn an_independent_wallet_finds_every_disclosure_in_its_place(world: &World) {
        let (operator, definition) = pid(world).await;
        let offer = operator.offer(&definition, &samples::pid_claims()).await;
        let accepted = accept(world, &offer.link, Options::default()).await;
        let mut places: Vec<String> = accepted.credentials[0]
            .disclosures
            .iter()
            .map(|disclosure| disclosure.path.iter().map(PathElement::to_string).collect::<Vec<_>>().join("/"))
            .collect();
        places.sort();
        assert_eq!(
            places,
            [
                "address",
                "address/country",
                "address/locality",
                "birthdate",
                "family_name",
                "given_name",
                "nationalities/0",
                "nationalities/1",
            ]
        );
    }

    /// A transaction code, a `client_id`, decoys and demanded DPoP nonces together.
    async fn an_independent_wallet_copes_with_a_strict_policy(world: &World) {
        let policy = json!({
            "accessTokenBinding": "dpopRequired",
            "dpopNonce": "require",
            "anonymousAccess": false,
            "clients": {"registered": ["wallet-dev"]},
            "decoys": 2,
        });
        let operator = world.platform().organisation(json!({"policy": policy})).await;
        let definition = operator.define(&samples::staff_badge()).await;
        let offer = operator.offer_with_pin(&definition, &samples::staff_claims(), "493027").await;
        let options = Options {
            tx_code: Some("493027".to_owned()),
            client_id: Some("wallet-dev".to_owned()),
            dpop: Dpop::Always,
            ..Options::default()
        };
        let accepted = accept(world, &offer.link, options).await;
        assert_eq!(accepted.credentials[0].decoys, 2);
    }

    /// An issuer identifier with a path, reached through a proxy.
    async fn an_independent_wallet_reaches_an_issuer_with_a_path(world: &World) {
        let issuer = "https://api.example/igrantio/issuer-backend";
        let scene = Scene::under_issuer(world, issuer).await;
        let resolve = vec![("https://api.example".to_owned(), world.public_url())];
        let accepted = accept(world, &scene.offer.link, Options { resolve, ..Options::default() }).await;
        let credential = &accepted.credentials[0];
        assert_eq!(credential.issuer.as_deref(), Some(issuer));
        assert!(!matches!(credential.key_source, KeySource::Given), "{:?}", credential.key_source);
    }
}
