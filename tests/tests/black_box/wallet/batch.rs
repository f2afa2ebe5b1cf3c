//! Several keys in one credential request (OpenID4VCI §3.3.2, §12.2.4).

use std::collections::HashSet;

use chancery_tests::key::{base64url, sha256};
use chancery_tests::sd_jwt::parts;
use chancery_tests::{Call, Key, on_every_backend};

use super::*;

/// A request with proofs of `count` new keys over one nonce, and the keys.
async fn batch_call(scene: &Scene, token: &Token, count: usize) -> (Call, Vec<Key>) {
    let nonce = scene.wallet.nonce(&scene.opened).await;
    let keys: Vec<Key> = (0..count).map(|_| Key::p256()).collect();
    let mut call = scene.wallet.credential_call(token, &nonce);
    let proof = |key: &Key| {
        let mut wallet = scene.wallet.clone();
        wallet.holder_key = key.clone();
        wallet.proof(&scene.opened, &nonce)
    };
    call.proofs = keys.iter().map(proof).collect();
    (call, keys)
}

on_every_backend! {
    /// CRE-11, NON-7: one credential for each key, in order, under one nonce; nothing but the claims and the rounded times
    /// is the same in two of them.
    async fn a_batch_holds_a_credential_for_each_key_and_nothing_links_them(world: &World) {
        let scene = Scene::under(world, json!({"batchSize": 20, "decoys": 2})).await;
        assert_eq!(scene.opened.issuer["batch_credential_issuance"], json!({"batch_size": 20}));
        let token = scene.redeem().await;
        let (call, keys) = batch_call(&scene, &token, 20).await;
        let answer = scene.wallet.send(call.clone()).await.ok();
        let credentials = answer["credentials"].as_array().unwrap();
        assert_eq!(credentials.len(), 20);
        assert_eq!(answer["notification_id"].as_str().unwrap().len(), 22);
        let all: Vec<_> = credentials.iter().map(|it| parts(it["credential"].as_str().unwrap())).collect();
        let (mut salts, mut digests, mut times) = (HashSet::new(), HashSet::new(), HashSet::new());
        for (credential, key) in all.iter().zip(&keys) {
            assert_eq!(credential.signed["cnf"]["jwk"], key.jwk());
            for disclosure in &credential.disclosures {
                assert!(salts.insert(disclosure[0].to_string()), "a salt twice");
            }
            for digest in credential.signed["_sd"].as_array().unwrap() {
                assert!(digests.insert(digest.to_string()), "a digest twice");
            }
            times.insert(["iat", "nbf", "exp"].map(|name| credential.signed[name].as_i64().unwrap()));
            assert_eq!(credential.signed.get("jti"), None);
        }
        assert_eq!((salts.len(), digests.len()), (40, 80));
        let [[issued, not_before, expires]] = Vec::from_iter(times)[..] else { panic!("times differ") };
        assert_eq!([issued % 3600, not_before % 3600, expires % 3600], [0, 0, 0]);
        // Digests are sorted, so their order tells nothing of the claims behind them: both orders occur.
        let orders: HashSet<bool> = credentials
            .iter()
            .map(|it| {
                let compact = it["credential"].as_str().unwrap();
                let digests: Vec<String> =
                    compact.split('~').skip(1).take(2).map(|one| base64url(&sha256(one.as_bytes()))).collect();
                digests.is_sorted()
            })
            .collect();
        assert_eq!(orders.len(), 2);
        assert_eq!(world.database.number("SELECT count(*) FROM credential").await, 20);
        assert_eq!(scene.operator.status(&scene.offer.id).await, "credential_issued");
        // The one nonce is used up.
        let again = scene.wallet.send(call.with_dpop(|dpop| dpop.with_claim("jti", "another"))).await;
        again.refused(400, "invalid_nonce");
    }

    /// CRE-7: as many proofs as the metadata say, no more; none but one where they say nothing.
    async fn more_proofs_than_the_metadata_allow_are_refused(world: &World) {
        for (policy, most) in [(json!({}), 1), (json!({"batchSize": 3}), 3)] {
            let scene = Scene::under(world, policy).await;
            assert_eq!(scene.opened.issuer.get("batch_credential_issuance").is_some(), most > 1);
            let token = scene.redeem().await;
            let (call, _) = batch_call(&scene, &token, most + 1).await;
            scene.wallet.send(call).await.refused(400, "invalid_proof");
            let cause = scene.cause().await;
            assert!(cause.reason.contains(&format!("at most {most}")), "{cause:?}");
            let (call, _) = batch_call(&scene, &token, most).await;
            scene.wallet.send(call).await.ok();
        }
    }

    /// CRE-11: a key gets one credential, a request one nonce; a batch with one wrong proof is refused as a whole.
    async fn a_batch_with_a_fault_in_it_is_refused_as_a_whole(world: &World) {
        let scene = Scene::under(world, json!({"batchSize": 5})).await;
        let token = scene.redeem().await;
        let (mut call, _) = batch_call(&scene, &token, 3).await;
        call.proofs[2] = call.proofs[0].clone();
        scene.wallet.send(call).await.refused(400, "invalid_proof");
        assert!(scene.cause().await.reason.contains("same key"));

        let (mut call, _) = batch_call(&scene, &token, 3).await;
        let other = scene.wallet.nonce(&scene.opened).await;
        call.proofs[1] = call.proofs[1].clone().with_claim("nonce", other);
        scene.wallet.send(call).await.refused(400, "invalid_proof");
        assert!(scene.cause().await.reason.contains("different nonces"));

        let (mut call, _) = batch_call(&scene, &token, 3).await;
        call.proofs[2] = call.proofs[2].clone().with_claim("aud", "https://elsewhere.example");
        let good = call.clone();
        scene.wallet.send(call).await.refused(400, "invalid_proof");
        assert_eq!(world.database.number("SELECT count(*) FROM credential").await, 0);
        // A refused proof does not use the nonce up.
        let mut call = good.with_dpop(|dpop| dpop.with_claim("jti", "another"));
        call.proofs.truncate(2);
        assert_eq!(scene.wallet.send(call).await.ok()["credentials"].as_array().unwrap().len(), 2);
    }
}
