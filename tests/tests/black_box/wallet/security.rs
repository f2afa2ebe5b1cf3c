//! Mistakes that other issuers made (docs/security-regressions.md), where no other test looks for them.

use std::io::ErrorKind;
use std::net::TcpListener;

use chancery_tests::{Call, Jwt, on_every_backend, sd_jwt};
use reqwest::Method;
use tokio::task::JoinSet;

use super::*;

/// Exchanges that run at the same time, each with claims of its own.
const SIDE_BY_SIDE: usize = 12;

on_every_backend! {
    /// Nothing that a wallet names by URL is ever fetched: keys, certificates, documents of clients and requests, DIDs.
    async fn nothing_that_a_wallet_names_is_fetched(world: &World) {
        let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
        elsewhere.set_nonblocking(true).unwrap();
        let host = elsewhere.local_addr().unwrap();
        let url = format!("http://{host}/x");
        let scene = Scene::new(world).await;
        let pointing = |jwt: Jwt, keep_key: bool| {
            let jwt = if keep_key { jwt } else { jwt.with_header("jwk", Value::Null).with_header("kid", "1") };
            jwt.with_header("jku", url.as_str()).with_header("x5u", url.as_str())
        };
        let token_calls = [
            scene.wallet.token_call(&scene.opened).with_dpop(|it| pointing(it, false)),
            scene.wallet.token_call(&scene.opened).with_field("client_id", &url).with_field("tx_code", "1"),
            scene
                .wallet
                .token_call(&scene.opened)
                .with_header("oauth-client-attestation", &format!("e30.e30.{}", "A".repeat(86)))
                .with_field("tx_code", "1"),
        ];
        for call in token_calls {
            let answer = scene.wallet.send(call).await;
            assert!((400..402).contains(&answer.status), "{answer}");
        }
        let authorize = [
            format!("request_uri={url}&client_id=w"),
            format!("response_type=code&client_id={url}&redirect_uri={url}&scope=x"),
        ];
        for query in authorize {
            let address = format!("{}/authorize?{query}", scene.operator.issuer());
            let answer = scene.wallet.send(Call::new(Method::GET, &address)).await;
            assert!((300..404).contains(&answer.status), "{answer}");
        }
        let token = scene.redeem().await;
        let did = format!("did:web:{}#1", host.to_string().replace(':', "%3A"));
        let proofs: [&dyn Fn(Jwt) -> Jwt; 3] = [
            &|it| pointing(it, false),
            &|it| it.with_header("jwk", Value::Null).with_header("kid", did.as_str()),
            &|it| it.with_header("jwk", Value::Null).with_header("x5c", json!([url])),
        ];
        for change in proofs {
            let nonce = scene.wallet.nonce(&scene.opened).await;
            let call = scene.wallet.credential_call(&token, &nonce).with_proof(change);
            scene.wallet.send(call).await.refused(400, "invalid_proof");
        }
        // Beside a good key they are only ignored.
        let nonce = scene.wallet.nonce(&scene.opened).await;
        let call = scene.wallet.credential_call(&token, &nonce).with_proof(|it| pointing(it, true));
        scene.wallet.send(call).await.ok();
        match elsewhere.accept() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            other => panic!("the server called: {other:?}"),
        }
    }

    /// Exchanges of the same moment do not see each other: each credential holds the claims and the key of its own.
    async fn exchanges_at_the_same_time_do_not_mix(world: &World) {
        let scene = Scene::new(world).await;
        let mut wallets = JoinSet::new();
        for number in 0..SIDE_BY_SIDE {
            let mut claims = samples::staff_claims();
            claims["employee_id"] = format!("E-{number}").into();
            let offer = scene.operator.offer(&scene.definition, &claims).await;
            let wallet = world.wallet();
            wallets.spawn(async move {
                let received = wallet.accept(&offer.link).await;
                (number, wallet.holder_key.jwk(), received.credential)
            });
        }
        for (number, key, credential) in wallets.join_all().await {
            let signed = sd_jwt::parts(&credential).signed;
            assert_eq!(signed["employee_id"], format!("E-{number}"));
            assert_eq!(signed["cnf"]["jwk"]["x"], key["x"]);
        }
    }
}
