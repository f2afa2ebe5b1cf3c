//! Wallet A: anonymous, DPoP, an offer that demands a key attestation.

use chancery_tests::on_every_backend;

use super::*;

const A1_FORM: &str = include_str!("../recorded/a1.form");
const A1_DPOP: &str = include_str!("../recorded/a1.dpop.jwt");
const A2_BODY: &str = include_str!("../recorded/a2.json");
const A2_DPOP: &str = include_str!("../recorded/a2.dpop.jwt");

const A_ISSUER: &str = "https://issuer-playground-service.igrant.io";
const A_CONFIGURATION: &str = "eu.europa.ec.eudi.pid_jwt_vc_deferred";
const A_CODE: &str = "eThcKnxLGJIRXUS4VJ-tIxp9UiYdUOQiCvfgtTmp9Cg";
const A_TOKEN: &str = "y8ndE8e6XAlc4KzHJOn0hF095ef-ix4bPOHEJQOImjM";
const A_NONCE: &str = "mKCslKCWqecIeqJYC6kLRWOEaF_V0A";
/// Instants of A1 and A2.
const A1_AT: i64 = 1_779_204_845;
const A2_AT: i64 = 1_779_204_846;

/// Wallet A's issuer, whose next access token is the recorded one.
async fn stage_a(world: &World, key_attestation: bool) -> Stage {
    let organisation = json!({"issuer": A_ISSUER, "policy": {"accessTokenLifetime": 86_400, "offerLifetime": 86_400}});
    let stage = stage(world, organisation, definition(A_CONFIGURATION, &["jwk"]), A_CODE, key_attestation).await;
    script(world, A_TOKEN);
    stage
}

fn a1() -> Call {
    Call::new(Method::POST, &format!("{A_ISSUER}/token"))
        .with_content_type("application/x-www-form-urlencoded")
        .with_bytes(A1_FORM)
        .with_header("accept", "*/*")
        .with_header("dpop", A1_DPOP)
}

fn a2() -> Call {
    Call::new(Method::POST, &format!("{A_ISSUER}/credential"))
        .with_content_type("application/json")
        .with_bytes(A2_BODY)
        .with_header("authorization", &format!("DPoP {A_TOKEN}"))
        .with_header("dpop", A2_DPOP)
}

/// Runs wallet A up to its token, then `then`.
async fn a_with_token(backend: Backend, key_attestation: bool, nonces: &[&str], then: impl AsyncFnOnce(&World, Stage)) {
    World::run_with(backend, options(A1_AT, nonces), async |world| {
        let stage = stage_a(world, key_attestation).await;
        assert_eq!(send(world, a1()).await.ok()["access_token"], A_TOKEN);
        world.env.set_clock(Timestamp::from_seconds(A2_AT));
        then(world, stage).await;
    })
    .await;
}

on_every_backend! {
    /// A1: accepted as recorded. `resource` is the issuer, the JWK has a private-use `kid`, there is no `client_id`.
    async fn the_token_request_of_wallet_a_is_accepted(backend: Backend) {
        World::run_with(backend, options(A1_AT, &[]), async |world| {
            let stage = stage_a(world, true).await;
            let body = send(world, a1()).await.ok();
            assert_eq!(body["access_token"], A_TOKEN);
            assert_eq!(body["token_type"], "DPoP");
            assert_eq!(body["expires_in"], 86_400);
            assert_eq!(body.get("authorization_details"), None);
            let records = stage.operator.records(&stage.exchange).await;
            let proof = record(&records, "token.dpop_validated");
            assert_eq!(proof["data"]["dpop_jkt"], "2FrQCAt6M9nrIjxVJpcS4OuMMclJDaklYAY5iJIbqJo");
            assert_eq!(record(&records, "token.issued")["data"]["token_type"], "DPoP");
            assert_silence(world, &stage, &[A_CODE, A_TOKEN]).await;
        })
        .await;
    }

    /// A1 again: the same code, and the same proof with another code.
    async fn a_replay_of_wallet_a_s_token_request_is_refused(backend: Backend) {
        World::run_with(backend, options(A1_AT, &[]), async |world| {
            let stage = stage_a(world, true).await;
            send(world, a1()).await.ok();
            send(world, a1()).await.refused(400, "invalid_dpop_proof");
            let wallet = world.wallet();
            let fresh = stage.operator.define(&samples::staff_badge()).await;
            let offer = stage.operator.offer(&fresh, &samples::staff_claims()).await;
            let opened = wallet.open(&offer.link).await;
            let call = wallet.token_call(&opened).without_dpop().with_header("dpop", A1_DPOP);
            send(world, call).await.refused(400, "invalid_dpop_proof");
            wallet.redeem(&opened).await;
        })
        .await;
    }

    /// A1 an hour late or early, and with a bit of the proof flipped.
    async fn wallet_a_s_token_request_is_refused_at_another_time_or_with_a_flipped_bit(backend: Backend) {
        for shift in [-HOUR, HOUR] {
            World::run_with(backend, options(A1_AT + shift, &[]), async |world| {
                let stage = stage_a(world, true).await;
                send(world, a1()).await.refused(400, "invalid_dpop_proof");
                let cause = cause(&stage.operator, &stage.exchange).await;
                assert_eq!(cause.message, "token.dpop_invalid");
                assert!(cause.reason.contains("3600"), "{cause:?}");
                world.env.set_clock(Timestamp::from_seconds(A1_AT));
                for segment in [1, 2] {
                    let call = a1().without_header("dpop").with_header("dpop", &damaged(A1_DPOP, segment));
                    send(world, call).await.refused(400, "invalid_dpop_proof");
                }
                let mut elsewhere = a1();
                elsewhere = elsewhere.without_header("dpop").with_header("dpop", A2_DPOP);
                send(world, elsewhere).await.refused(400, "invalid_dpop_proof");
                send(world, a1()).await.ok();
            })
            .await;
        }
    }

    /// A2 as recorded: the proof is valid, and the offer demands a key attestation that it does not have. The
    /// transcript says so, nothing is issued, and a replay is refused.
    async fn the_credential_request_of_wallet_a_is_refused_for_want_of_a_key_attestation(backend: Backend) {
        a_with_token(backend, true, &[A_NONCE], async |world, stage| {
            send(world, a2()).await.refused(400, "invalid_proof");
            let cause = cause(&stage.operator, &stage.exchange).await;
            assert_eq!(cause.message, "credential.key_attestation_missing");
            assert_eq!(cause.data["config_id"], A_CONFIGURATION);
            assert!(cause.data["spec_ref"].as_str().unwrap().contains("Appendix D"));
            let records = stage.operator.records(&stage.exchange).await;
            let keys = &record(&records, "credential.proof_validated")["data"]["holder_binding_keys"];
            assert_eq!(keys[0]["x"], "c1oN0ZapSUjzDA5ve68FeLaPsfjShecmb07ZifkCvJY");
            let events = stage.operator.events(&stage.exchange).await;
            assert!(events.iter().any(|event| event["type"] == "credential_failed"), "{events:#?}");
            assert_nothing_issued(world, &stage).await;
            send(world, a2()).await.refused(401, "invalid_dpop_proof");
            assert_nothing_issued(world, &stage).await;
            assert_silence(world, &stage, &[A_CODE, A_TOKEN]).await;
        })
        .await;
    }

    /// A2 where no attestation is demanded: a credential for the wallet's key.
    async fn the_credential_request_of_wallet_a_is_accepted_without_that_demand(backend: Backend) {
        a_with_token(backend, false, &[A_NONCE], async |world, stage| {
            let body = send(world, a2()).await.ok();
            let credential = body["credentials"][0]["credential"].as_str().unwrap();
            let parts = chancery_tests::sd_jwt::parts(credential);
            let jwk = &parts.signed["cnf"]["jwk"];
            assert_eq!(jwk["x"], "c1oN0ZapSUjzDA5ve68FeLaPsfjShecmb07ZifkCvJY");
            assert_eq!(jwk["y"], "5nHt5cLZHVNZ1enbcyEhvgZMbR0mdAq9-iJZYru_6_U");
            assert_eq!(parts.signed["iss"], A_ISSUER);
            send(world, a2()).await.refused(401, "invalid_dpop_proof");
            assert_silence(world, &stage, &[A_CODE, A_TOKEN]).await;
        })
        .await;
    }

    /// A2 an hour late or early: the DPoP proof is judged first.
    async fn wallet_a_s_credential_request_is_refused_at_another_time(backend: Backend) {
        a_with_token(backend, false, &[A_NONCE], async |world, stage| {
            for shift in [-HOUR, HOUR] {
                world.env.set_clock(Timestamp::from_seconds(A2_AT + shift));
                send(world, a2()).await.refused(401, "invalid_dpop_proof");
            }
            assert_nothing_issued(world, &stage).await;
            world.env.set_clock(Timestamp::from_seconds(A2_AT));
            send(world, a2()).await.ok();
        })
        .await;
    }

    /// A2 with its access changed: no proof, the proof of A1, a flipped bit, the Bearer scheme. The unspent original
    /// works afterwards.
    async fn wallet_a_s_credential_request_needs_its_own_dpop_proof(backend: Backend) {
        a_with_token(backend, false, &[A_NONCE], async |world, stage| {
            let proof = |jwt: &str| a2().without_header("dpop").with_header("dpop", jwt);
            send(world, a2().without_header("dpop")).await.refused(401, "invalid_dpop_proof");
            send(world, proof(A1_DPOP)).await.refused(401, "invalid_dpop_proof");
            for segment in [1, 2] {
                send(world, proof(&damaged(A2_DPOP, segment))).await.refused(401, "invalid_dpop_proof");
            }
            let bearer =
                a2().without_header("authorization").with_header("authorization", &format!("Bearer {A_TOKEN}"));
            let answer = send(world, bearer).await;
            answer.refused(401, "invalid_token");
            assert!(answer.header("www-authenticate").unwrap().starts_with("DPoP "), "{answer}");
            assert_nothing_issued(world, &stage).await;
            send(world, a2()).await.ok();
        })
        .await;
    }

    /// A2 under another token: `ath` does not fit.
    async fn wallet_a_s_credential_request_is_refused_under_another_token(backend: Backend) {
        World::run_with(backend, options(A1_AT, &[A_NONCE]), async |world| {
            let stage =
                stage(world, json!({"issuer": A_ISSUER}), definition(A_CONFIGURATION, &["jwk"]), A_CODE, false).await;
            let token = send(world, a1()).await.ok()["access_token"].as_str().unwrap().to_owned();
            world.env.set_clock(Timestamp::from_seconds(A2_AT));
            let call = a2().without_header("authorization").with_header("authorization", &format!("DPoP {token}"));
            send(world, call).await.refused(401, "invalid_dpop_proof");
            send(world, a2()).await.refused(401, "invalid_token");
            assert_nothing_issued(world, &stage).await;
        })
        .await;
    }

    /// A2 when the nonce is not ours.
    async fn wallet_a_s_credential_request_is_refused_when_the_nonce_is_unknown(backend: Backend) {
        a_with_token(backend, false, &[], async |world, stage| {
            send(world, a2()).await.refused(400, "invalid_nonce");
            assert_eq!(cause(&stage.operator, &stage.exchange).await.message, "credential.nonce_invalid");
            assert_nothing_issued(world, &stage).await;
        })
        .await;
    }

    /// A2 with its body changed: both selectors, none, an unknown one, `proof` for `proofs`, a flipped bit in the
    /// proof.
    async fn wallet_a_s_credential_request_is_refused_with_another_body(backend: Backend) {
        let proof: Value = serde_json::from_str(A2_BODY).unwrap();
        let proof = &proof["proofs"]["jwt"][0];
        let single = json!({"proofs": null, "proof": {"proof_type": "jwt", "jwt": proof}});
        for (body, error) in [
            (
                changed(A2_BODY, json!({"credential_identifier": "sv4TVkBG1sdXi-PDfIxwlg"})),
                "invalid_credential_request",
            ),
            (changed(A2_BODY, json!({"credential_configuration_id": null})), "invalid_credential_request"),
            (changed(A2_BODY, json!({"credential_configuration_id": "x"})), "unknown_credential_configuration"),
            (changed(A2_BODY, single), "invalid_credential_request"),
            (with_damaged_proof(A2_BODY, 1), "invalid_proof"),
            (with_damaged_proof(A2_BODY, 2), "invalid_proof"),
        ] {
            a_with_token(backend, false, &[A_NONCE], async |world, stage| {
                send(world, a2().with_bytes(body)).await.refused(400, error);
                assert_nothing_issued(world, &stage).await;
            })
            .await;
        }
    }

    /// A2 at another organisation: its token is unknown there.
    async fn wallet_a_s_credential_request_is_refused_at_another_organisation(backend: Backend) {
        a_with_token(backend, false, &[A_NONCE], async |world, stage| {
            let other = world.organisation().await;
            let mut call = a2();
            call.url = format!("{}/credential", other.issuer());
            send(world, call).await.refused(401, "invalid_token");
            assert_nothing_issued(world, &stage).await;
            send(world, a2()).await.ok();
        })
        .await;
    }
}
