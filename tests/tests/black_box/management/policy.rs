//! What an organisation asks of wallets, set by its own administrator.

use chancery_tests::{Provider, on_every_backend};

use super::*;

const POLICY: &str = "/v2/config/digital-wallet/openid/policy";

on_every_backend! {
    /// Presets and single switches; the answer has all of them, and can be sent back.
    async fn a_policy_is_a_preset_and_the_switches_that_differ_from_it(world: &World) {
        let operator = world.organisation().await;
        let first = operator.get(POLICY).await.ok();
        assert_eq!((&first["policy"]["profile"], &first["warnings"]), (&json!("open"), &json!([])));
        let mixed = operator.put(POLICY, json!({"profile": "mixed", "batchSize": 3})).await.ok();
        assert_eq!((&mixed["policy"]["batchSize"], &mixed["policy"]["walletAttestation"]), (&json!(3), &json!("observe")));
        assert_eq!(operator.get(POLICY).await.ok(), mixed);
        assert_eq!(operator.put(POLICY, mixed["policy"].clone()).await.ok(), mixed);
        let haip = json!({"profile": "haip", "trustAnchors": Provider::new("https://wallet.example").trust_anchors()});
        let haip = operator.put(POLICY, haip).await.ok();
        assert_eq!(haip["policy"]["pushedAuthorization"], "require");
        let path = format!("/v2/platform/organisations/{}", operator.organisation_id());
        assert_eq!(world.platform().get(&path).await.ok()["organisation"]["policy"], haip["policy"]);
        assert_eq!(operator.put(POLICY, json!({})).await.ok(), first);
    }

    /// Flow 11: the metadata say at once what is enforced, and it is.
    async fn a_new_policy_is_published_and_enforced_at_once(world: &World) {
        let (operator, definition) = badge(world).await;
        let offer = operator.offer(&definition, &samples::staff_claims()).await;
        let wallet = world.wallet();
        let before = wallet.open(&offer.link).await;
        assert!(before.issuer.get("batch_credential_issuance").is_none());
        operator.put(POLICY, json!({"accessTokenBinding": "dpopRequired", "batchSize": 7, "encryption": "required"})).await.ok();
        let after = wallet.open(&offer.link).await;
        assert_eq!(after.issuer["batch_credential_issuance"]["batch_size"], 7);
        assert_eq!(after.issuer["credential_request_encryption"]["encryption_required"], true);
        let mut bearer = wallet.clone();
        bearer.dpop_key = None;
        bearer.send(bearer.token_call(&before)).await.refused(400, "invalid_dpop_proof");
        let token = wallet.redeem(&after).await;
        let nonce = wallet.nonce(&after).await;
        wallet.send(wallet.credential_call(&token, &nonce)).await.refused(400, "invalid_encryption_parameters");
    }

    async fn a_wrong_policy_changes_nothing(world: &World) {
        let operator = world.organisation().await;
        let before = operator.get(POLICY).await.ok();
        for (wrong, pointer) in [
            (json!({"profile": "closed"}), "/profile"),
            (json!({"profile": "haip"}), "/walletAttestation"),
            (json!({"keyAttestation": "enforce"}), "/keyAttestation"),
            (json!({"batchSize": 0}), "/batchSize"),
            (json!({"dpopNonce": 1}), "/dpopNonce"),
            (json!({"typo": true}), "/typo"),
            (json!({"policy": {"profile": "open"}}), "/policy"),
            (json!({"trustAnchors": {"keyAttesters": {"certificates": ["AAAA"]}}}), "/trustAnchors/keyAttesters/certificates/0"),
        ] {
            operator.put(POLICY, wrong).await.problem_at(400, pointer);
        }
        assert_eq!(operator.get(POLICY).await.ok(), before);
    }

    async fn only_administrators_of_the_organisation_change_its_policy(world: &World) {
        let (operator, other) = (world.organisation().await, world.organisation().await);
        let before = other.get(POLICY).await.ok();
        for role in ["issuer", "auditor"] {
            let colleague = operator.with_role(role).await;
            assert_problem(&colleague.put(POLICY, json!({"batchSize": 2})).await, 403, "forbidden");
            assert_eq!(colleague.get(POLICY).await.ok()["policy"]["batchSize"], 1);
        }
        operator.put(POLICY, json!({"batchSize": 2})).await.ok();
        assert_eq!(other.get(POLICY).await.ok(), before);
    }
}
