//! Policies that ask more of a wallet: encryption, key attestations, signed metadata.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chancery_tests::on_every_backend;
use chancery_wallet::{Authority, Encoding, Encryption, KeyAttestation, KeyAttester, Options};

use super::super::*;
use super::accept;

async fn offered(world: &World, policy: Value) -> (Operator, Offer) {
    let operator = world.platform().organisation(json!({ "policy": policy })).await;
    let definition = operator.define(&samples::pid()).await;
    let offer = operator.offer(&definition, &samples::pid_claims()).await;
    (operator, offer)
}

on_every_backend! {
    /// ENC-1 to ENC-8 with an encryption that shares no code with the issuer's.
    async fn an_independent_wallet_encrypts_where_it_must_and_where_it_wants(world: &World) {
        for (rule, encryption) in [("required", Encryption::WhereRequired), ("allowed", Encryption::Always)] {
            for encoding in [Encoding::A128Gcm, Encoding::A256Gcm] {
                for compression in [false, true] {
                    let (_, offer) = offered(world, json!({"encryption": rule})).await;
                    let options = Options { encryption, encoding, compression, ..Options::default() };
                    let accepted = accept(world, &offer.link, options).await;
                    assert_eq!(accepted.credentials.len(), 1, "{rule} {encoding:?} {compression}");
                }
            }
        }
    }

    /// KAT-1 to KAT-4, PRF-7, PRF-8: attested keys, in a proof and alone.
    async fn an_independent_wallet_has_its_keys_attested(world: &World) {
        let authority = Authority::generate("Key storage", world.env.now().seconds()).expect("an authority");
        let anchor = STANDARD.encode(authority.anchor());
        let policy = json!({
            "keyAttestation": "enforce",
            "keyStorage": ["iso_18045_high"],
            "trustAnchors": {"keyAttesters": {"certificates": [anchor]}},
        });
        let attester = Arc::new(KeyAttester::new(authority));
        for key_attestation in [KeyAttestation::InProof, KeyAttestation::Alone] {
            let (_, offer) = offered(world, policy.clone()).await;
            let key_attester = Some(attester.clone());
            let options = Options { key_attester, key_attestation, ..Options::default() };
            let accepted = accept(world, &offer.link, options).await;
            assert!(accepted.credentials[0].holder_expected, "bound to the attested key");
        }
    }

    /// MET-6: signed metadata are right to a wallet that verifies them.
    async fn an_independent_wallet_verifies_signed_metadata(world: &World) {
        let (_, offer) = offered(world, json!({"signedMetadata": true})).await;
        let options = Options { signed_metadata: true, ..Options::default() };
        assert_eq!(accept(world, &offer.link, options).await.credentials.len(), 1);
    }
}
