//! Refusals that belong to no exchange are accounted for, too.

use chancery_tests::{Answer, Damage, on_every_backend, split_support_code};

use super::*;

const REFUSED: &str = "/v2/config/digital-wallet/openid/refused-requests";

fn support_code(refusal: &Value) -> String {
    split_support_code(refusal).1.unwrap_or_else(|| panic!("no support code: {refusal}")).to_owned()
}

async fn found(operator: &Operator, code: &str) -> Answer {
    operator.get(&format!("{REFUSED}?supportCode={code}")).await
}

/// The one request that has this code: its refusal.
async fn refusal(operator: &Operator, code: &str) -> Value {
    let listed = found(operator, code).await.ok();
    let requests = listed["refusedRequests"].as_array().expect("a list");
    let [request] = requests.as_slice() else { panic!("{code}: {listed:#}") };
    assert_eq!(request["supportCode"], code);
    let refusal = request["logs"][0].clone();
    assert_eq!((&refusal["level"], &refusal["supportCode"]), (&json!("error"), &json!(code)), "{request:#}");
    for member in ["reason", "help", "spec_ref"] {
        assert!(refusal["data"][member].as_str().is_some_and(|text| !text.is_empty()), "no {member}: {refusal:#}");
    }
    refusal
}

on_every_backend! {
    async fn a_refused_request_that_a_wallet_began_is_found_by_its_support_code(world: &World) {
        let scene = Scene::new(world).await;
        let configuration = scene.opened.offer["credential_configuration_ids"][0].as_str().unwrap().to_owned();
        let par = || scene.wallet.par_call(scene.operator.issuer(), &configuration);
        for (call, error, message) in [
            (par().with_field("response_type", "token"), "unsupported_response_type", "par.request_invalid"),
            (par().with_dpop(|proof| proof.with_damage(Damage::Signature)), "invalid_dpop_proof", "par.dpop_invalid"),
        ] {
            let refused = scene.wallet.send(call).await.refused(400, error);
            let code = support_code(&refused);
            let refusal = refusal(&scene.operator, &code).await;
            assert_eq!((&refusal["message"], &refusal["endpoint"]), (&json!(message), &json!("/par")));
        }
        let listed = scene.operator.get(&format!("{REFUSED}?limit=1")).await.ok();
        assert_eq!(listed["pagination"]["totalItems"], 2);
        assert_eq!(listed["refusedRequests"][0]["logs"][0]["message"], "par.dpop_invalid", "newest first");
    }

    async fn an_unknown_code_or_token_is_found_by_its_support_code_and_is_not_kept(world: &World) {
        let scene = Scene::new(world).await;
        let secret = "a-code-that-nobody-has-given-out";
        let call = scene.wallet.token_call(&scene.opened).with_field("pre-authorized_code", secret);
        let code = support_code(&scene.wallet.send(call).await.refused(400, "invalid_grant"));
        let refusal_of_code = refusal(&scene.operator, &code).await;
        assert_eq!(refusal_of_code["message"], "token.code_invalid");
        let token = scene.redeem().await;
        let nonce = scene.wallet.nonce(&scene.opened).await;
        let stolen = "a-token-that-nobody-has-given-out";
        let call = scene.wallet.credential_call(&token, &nonce).without_header("authorization");
        let call = call.with_header("authorization", &format!("DPoP {stolen}"));
        let code = support_code(&scene.wallet.send(call).await.refused(401, "invalid_token"));
        assert_eq!(refusal(&scene.operator, &code).await["message"], "access.token_invalid");
        for text in [secret, stolen] {
            assert!(!world.gives_away(text).await, "{text} is in the database or in the log");
        }
        assert!(!scene.operator.get(REFUSED).await.mentions(secret));
    }

    async fn a_demand_for_a_nonce_is_no_refused_request(world: &World) {
        let scene = Scene::under(world, json!({ "dpopNonce": "require" })).await;
        let configuration = scene.opened.offer["credential_configuration_ids"][0].as_str().unwrap().to_owned();
        let call = scene.wallet.par_call(scene.operator.issuer(), &configuration);
        let demand = scene.wallet.send(call).await.refused(400, "use_dpop_nonce");
        assert!(!demand.to_string().contains("support code"), "{demand}");
        assert_eq!(scene.operator.get(REFUSED).await.ok()["refusedRequests"], json!([]));
    }

    /// SEC-14.
    async fn nobody_finds_the_refused_requests_of_another_organisation(world: &World) {
        let scene = Scene::new(world).await;
        let call = scene.wallet.token_call(&scene.opened).with_field("pre-authorized_code", "unknown");
        let code = support_code(&scene.wallet.send(call).await.refused(400, "invalid_grant"));
        let auditor = scene.operator.with_role("auditor").await;
        assert_eq!(refusal(&auditor, &code).await["message"], "token.code_invalid");
        let stranger = world.organisation().await;
        assert_eq!(found(&stranger, &code).await.ok()["refusedRequests"], json!([]));
        assert_eq!(stranger.get(REFUSED).await.ok()["pagination"]["totalItems"], 0);
        // Nor does it look like a record of the history.
        let search = format!("/v2/config/digital-wallet/openid/sdjwt/credential/history?search={code}");
        assert_eq!(scene.operator.get(&search).await.ok()["pagination"]["totalItems"], 0);
        scene.operator.get(&format!("{REFUSED}?limit=0")).await.problem(400);
    }
}
