//! Wallet B: a `client_id`, a Bearer token, and a did:key of `jwk_jcs-pub` behind two proxies.

use chancery_tests::on_every_backend;

use super::*;

const B1_FORM: &str = include_str!("../recorded/b1.form");
const B2_BODY: &str = include_str!("../recorded/b2.json");

const B_ISSUER: &str = "https://api.playground.france-identite.gouv.fr/igrantio/issuer-backend";
const B_CONFIGURATION: &str = "eu.europa.ec.av.1";
const B_CODE: &str = "DwvuL11JOwD9mpVg2JrYo2KGTNK-v4TK__5HZCHpIrQ";
const B_TOKEN: &str = "Az_DKrCrr8ybLhgSIjX6FS2TwsBdwdi_iizRnYUWtI8";
const B_NONCE: &str = "cOK5QeNRbAMbXcfCH1biZ8q68-5zdw";
const B_IDENTIFIER: &str = "sv4TVkBG1sdXi-PDfIxwlg";
/// Instant of B1 and B2.
const B_AT: i64 = 1_781_266_058;

/// Wallet B's issuer, whose next access token and credential identifier are the recorded ones.
async fn stage_b(world: &World, policy: Value, methods: &[&str]) -> Stage {
    let organisation = json!({"issuer": B_ISSUER, "policy": policy});
    let stage = stage(world, organisation, definition(B_CONFIGURATION, methods), B_CODE, false).await;
    script(world, B_TOKEN);
    script(world, B_IDENTIFIER);
    stage
}

/// Wallet B's requests came through proxies that kept the path and put their own host in.
fn behind_proxies(path: &str) -> Call {
    let url = format!("https://issuer-backend.internal:8080/igrantio/issuer-backend{path}");
    Call::new(Method::POST, &url)
        .with_header("x-forwarded-host", "api.playground.france-identite.gouv.fr")
        .with_header("x-forwarded-proto", "https")
}

fn b1() -> Call {
    behind_proxies("/token").with_content_type("application/x-www-form-urlencoded").with_bytes(B1_FORM)
}

fn b2() -> Call {
    behind_proxies("/credential")
        .with_content_type("application/json")
        .with_bytes(B2_BODY)
        .with_header("authorization", &format!("Bearer {B_TOKEN}"))
}

/// Runs wallet B up to its token, then `then`.
async fn b_with_token(
    backend: Backend,
    policy: Value,
    methods: &[&str],
    now: i64,
    then: impl AsyncFnOnce(&World, Stage),
) {
    World::run_with(backend, options(now, &[B_NONCE]), async |world| {
        let stage = stage_b(world, policy, methods).await;
        assert_eq!(send(world, b1()).await.ok()["access_token"], B_TOKEN);
        then(world, stage).await;
    })
    .await;
}

on_every_backend! {
    /// B1: accepted as recorded, and answered with `credential_identifiers`, because the request had
    /// `authorization_details`.
    async fn the_token_request_of_wallet_b_is_accepted(backend: Backend) {
        World::run_with(backend, options(B_AT, &[]), async |world| {
            let stage = stage_b(world, json!({"clients": {"registered": ["wallet-dev"]}}), &["jwk"]).await;
            let body = send(world, b1()).await.ok();
            assert_eq!(body["access_token"], B_TOKEN);
            assert_eq!(body["token_type"], "Bearer");
            assert_eq!(body["expires_in"], 300, "TOK-12");
            assert_eq!(
                body["authorization_details"],
                json!([{
                    "type": "openid_credential",
                    "credential_configuration_id": B_CONFIGURATION,
                    "credential_identifiers": [B_IDENTIFIER],
                }])
            );
            assert_eq!(stage.operator.history(&stage.exchange).await["clientId"], "wallet-dev");
            send(world, b1()).await.refused(400, "invalid_grant");
            assert_silence(world, &stage, &[B_CODE, B_TOKEN]).await;
        })
        .await;
    }

    /// B1 where the organisation does not know `wallet-dev`.
    async fn the_token_request_of_wallet_b_is_refused_by_an_organisation_that_does_not_admit_it(backend: Backend) {
        World::run_with(backend, options(B_AT, &[]), async |world| {
            let stage = stage_b(world, json!({"clients": {"registered": ["wallet-prod"]}}), &["jwk"]).await;
            send(world, b1()).await.refused(400, "invalid_client");
            let cause = cause(&stage.operator, &stage.exchange).await;
            assert_eq!(cause.message, "token.client_auth_failed");
            assert!(cause.reason.contains("wallet-dev"), "{cause:?}");
        })
        .await;
    }

    /// B2 where the configuration does not publish `did:key`: refused whatever the rule for `iss`, and the transcript
    /// names the header's members in wire order.
    async fn wallet_b_s_proof_is_refused_where_did_key_is_not_published(backend: Backend) {
        for rule in ["strict", "holderDidAllowed"] {
            b_with_token(backend, json!({"proofIssuer": rule}), &["jwk"], B_AT, async |world, stage| {
                send(world, b2()).await.refused(400, "invalid_proof");
                let cause = cause(&stage.operator, &stage.exchange).await;
                assert_eq!(cause.message, "credential.proof_invalid");
                assert_eq!(cause.data["proof_type"], "jwt");
                assert_eq!(cause.data["header_params"], json!(["kid", "typ", "alg"]));
                assert!(cause.reason.contains("did:key") && cause.reason.contains("jwk"), "{cause:?}");
                // The kid has 372 characters; of such values a reason quotes 80.
                assert!(cause.reason.contains("...") && cause.reason.len() < 400, "{cause:?}");
                assert_nothing_issued(world, &stage).await;
            })
            .await;
        }
    }

    /// B2 under the strict rule: the did:key resolves, and `iss` is not the `client_id`.
    async fn wallet_b_s_proof_is_refused_under_the_strict_rule_for_iss(backend: Backend) {
        b_with_token(backend, json!({}), &["jwk", "did:key"], B_AT, async |world, stage| {
            send(world, b2()).await.refused(400, "invalid_proof");
            let cause = cause(&stage.operator, &stage.exchange).await;
            assert_eq!(cause.message, "credential.proof_invalid");
            assert!(cause.reason.contains("iss") && cause.reason.contains("wallet-dev"), "{cause:?}");
            assert_nothing_issued(world, &stage).await;
            assert_silence(world, &stage, &[B_CODE, B_TOKEN]).await;
        })
        .await;
    }

    /// B2 under the relaxed rule: a credential for the key inside the did:key; a replay is refused by its nonce.
    async fn wallet_b_s_proof_is_accepted_where_iss_may_be_the_holder_s_did(backend: Backend) {
        b_with_token(backend, json!({"proofIssuer": "holderDidAllowed"}), &["did:key"], B_AT, async |world, stage| {
            let body = send(world, b2()).await.ok();
            let parts = chancery_tests::sd_jwt::parts(body["credentials"][0]["credential"].as_str().unwrap());
            let jwk = &parts.signed["cnf"]["jwk"];
            assert_eq!(jwk["x"], "VYi0QQ_uC-5DDVpwvb4z4u6lo99jhQaTlLsDViQzW7k");
            assert_eq!(jwk["y"], "bBR77DlC0VuTByDfFEejYMrXFbi4OY8e5PZMPUYcONk");
            send(world, b2()).await.refused(400, "invalid_nonce");
            assert_silence(world, &stage, &[B_CODE, B_TOKEN]).await;
        })
        .await;
    }

    /// B2 with one thing changed: each is refused for that thing, nothing is spent, and the original is accepted at the
    /// end.
    async fn wallet_b_s_credential_request_is_refused_with_one_thing_changed(backend: Backend) {
        b_with_token(backend, json!({"proofIssuer": "holderDidAllowed"}), &["did:key"], B_AT, async |world, stage| {
            let by_configuration =
                json!({"credential_identifier": null, "credential_configuration_id": B_CONFIGURATION});
            for (body, error) in [
                (
                    changed(B2_BODY, json!({"credential_configuration_id": B_CONFIGURATION})),
                    "invalid_credential_request",
                ),
                (changed(B2_BODY, json!({"credential_identifier": null})), "invalid_credential_request"),
                (changed(B2_BODY, by_configuration), "invalid_credential_request"),
                (
                    changed(B2_BODY, json!({"credential_identifier": "RbWhSmcBM9D4ahsAmlvEOg"})),
                    "unknown_credential_identifier",
                ),
                (changed(B2_BODY, json!({"proofs": null})), "invalid_proof"),
                (with_damaged_proof(B2_BODY, 0), "invalid_proof"),
                (with_damaged_proof(B2_BODY, 1), "invalid_proof"),
                (with_damaged_proof(B2_BODY, 2), "invalid_proof"),
            ] {
                send(world, b2().with_bytes(body)).await.refused(400, error);
            }
            let dpop = b2().without_header("authorization").with_header("authorization", &format!("DPoP {B_TOKEN}"));
            send(world, dpop).await.refused(401, "invalid_token");
            assert_nothing_issued(world, &stage).await;
            send(world, b2()).await.ok();
        })
        .await;
    }

    /// B2 an hour late or early.
    async fn wallet_b_s_proof_is_refused_at_another_time(backend: Backend) {
        for shift in [-HOUR, HOUR] {
            let policy = json!({"proofIssuer": "holderDidAllowed"});
            b_with_token(backend, policy, &["did:key"], B_AT + shift, async |world, stage| {
                send(world, b2()).await.refused(400, "invalid_proof");
                let cause = cause(&stage.operator, &stage.exchange).await;
                assert!(cause.reason.contains("3600"), "{cause:?}");
                assert_nothing_issued(world, &stage).await;
            })
            .await;
        }
    }
}
