//! `chancery wallet accept`, against a server. What it prints is for people; the record says what it did.

use std::sync::Arc;

use chancery_tests::platform::history_path;
use chancery_tests::{
    Backend, Browser, IdentityProvider, Operator, Options, Rewriter, World, on_every_backend, samples,
};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::*;

/// The wallet of the command line has the clock of the machine.
async fn with_real_clock(backend: Backend, behaviour: impl AsyncFnOnce(&World)) {
    World::run_with(backend, Options { now: None, ..Options::default() }, behaviour).await;
}

/// The program in a thread of its own, as it brings its own runtime.
async fn accept(link: &str, flags: &[&str]) -> ExitCode {
    let words: Vec<String> = ["wallet", "accept", link].iter().chain(flags).map(|word| (*word).to_owned()).collect();
    let run = move || run(&words.iter().map(String::as_str).collect::<Vec<_>>(), &[]);
    tokio::task::spawn_blocking(run).await.expect("an exit code")
}

fn deferred(definition: &Value) -> Value {
    json!({"issuanceMode": "Deferred", "userPin": "", "credentialDefinitionId": definition["credentialDefinitionId"]})
}

async fn badge(operator: &Operator, change: impl FnOnce(&mut Value)) -> Value {
    let mut badge = samples::staff_badge();
    change(&mut badge["credentialDefinitions"][0]);
    operator.define(&badge).await
}

on_every_backend! {
    /// A pre-authorized code with a transaction code: the wrong one fails, the right one does not.
    async fn the_wallet_accepts_a_pre_authorized_offer(backend: Backend) {
        with_real_clock(backend, async |world| {
            let operator = world.organisation().await;
            let definition = badge(&operator, |_| {}).await;
            let offer = operator.offer_with_pin(&definition, &samples::staff_claims(), "493027").await;
            assert_eq!(accept(&offer.link, &[]).await, ExitCode::FAILURE);
            assert_eq!(accept(&offer.link, &["--tx-code", "493028"]).await, ExitCode::FAILURE);
            assert_eq!(accept(&offer.link, &["--tx-code", "493027", "--compact"]).await, ExitCode::SUCCESS);
            assert_eq!(operator.status(&offer.id).await, "credential_accepted");
            assert_eq!(accept(&offer.link, &["--tx-code", "493027"]).await, ExitCode::FAILURE);
        })
        .await;
    }

    /// It waits as long as the issuer says and its patience lasts, then fetches what was supplied meanwhile.
    async fn the_wallet_waits_for_a_deferred_credential(backend: Backend) {
        with_real_clock(backend, async |world| {
            let operator = world.organisation().await;
            let definition = badge(&operator, |entry| entry["credentialResponseInterval"] = json!(1)).await;
            let offer = operator.offer_of(deferred(&definition)).await;
            assert_eq!(accept(&offer.link, &["--patience", "0"]).await, ExitCode::FAILURE);

            let offer = operator.offer_of(deferred(&definition)).await;
            let (was_deferred, mut wait) = mpsc::unbounded_channel();
            let rewriter = Rewriter::before(world.wallet_front.address(), move |answer| {
                if answer.is_for("/credential") {
                    was_deferred.send(answer.status).expect("somebody who waits");
                }
            })
            .await;
            let resolve = format!("{}={}", world.public_url(), rewriter.url());
            let supply = async {
                assert_eq!(wait.recv().await, Some(202));
                let entry = &definition["credentialDefinitions"][0]["id"];
                let claims = json!({"credential": {"id": entry, "claims": samples::staff_claims()}});
                operator.put(&history_path(&offer.id), claims).await.ok();
            };
            let flags = ["--patience", "60", "--resolve", &resolve];
            let (code, ()) = tokio::join!(accept(&offer.link, &flags), supply);
            assert_eq!(code, ExitCode::SUCCESS);
            assert_eq!(operator.status(&offer.id).await, "credential_accepted");
        })
        .await;
    }

    /// It shows the address to a browser of the person's choice, and the browser comes back to a port that it listens on.
    async fn the_wallet_lets_the_person_sign_in(backend: Backend) {
        with_real_clock(backend, async |world| {
            // An address of its own, so that it is not mistaken for the wallet's.
            let issuer = "https://issuer.example/acme";
            let described = json!({"issuer": issuer, "policy": {"refreshTokens": true}});
            let operator = world.platform().organisation(described).await;
            let resolve = format!("https://issuer.example={}", world.public_url());
            let provider = Arc::new(IdentityProvider::start(&world.env).await);
            let connection = json!({"issuer": provider.issuer(), "clientId": "chancery", "clientSecret": "s3cret"});
            operator.put("/v2/config/digital-wallet/openid/identity-provider", connection).await.ok();
            let definition = badge(&operator, |entry| {
                entry["supportCredentialReissuance"] = true.into();
                entry["identityMapping"] = json!([
                    {"claim": ["given_name"], "from": ["given_name"]},
                    {"claim": ["family_name"], "from": ["family_name"]},
                ]);
            })
            .await;
            let entry = &definition["credentialDefinitions"][0];
            let claims = json!({"given_name": "Oyelaran", "employee_id": "E-7"});
            let offer = operator
                .offer_of(json!({
                    "issuanceMode": "InTime",
                    "credentialDefinitionId": definition["credentialDefinitionId"],
                    "credential": {"id": entry["id"], "vct": entry["vct"], "claims": claims},
                }))
                .await;

            // Instead of opening a browser, the command hands the address to this test.
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            let directory = Directory::new();
            let port = listener.local_addr().expect("its address").port();
            let script = format!("exec 3<>/dev/tcp/127.0.0.1/{port}\nprintf '%s\\n' \"$1\" >&3\n");
            let command = format!("bash {}", directory.write("open", &script));
            let person = async {
                let (stream, _) = listener.accept().await.expect("the command");
                let mut url = String::new();
                BufReader::new(stream).read_line(&mut url).await.expect("a line");
                let browser = Browser::new(world.http().clone());
                let away = browser.follow(url.trim(), &provider.issuer()).await;
                let back = browser.follow(&provider.sign_in(&away), "http://127.0.0.1:").await;
                world.http().send(world.http().request(Method::GET, &back)).await.status
            };
            let flags =
                ["--client-id", "wallet-dev", "--authorization-details", "--open-with", &command, "--refresh", "--resolve", &resolve];
            let (code, page) = tokio::join!(accept(&offer.link, &flags), person);
            assert_eq!((code, page), (ExitCode::SUCCESS, 200));
            assert_eq!(operator.status(&offer.id).await, "credential_accepted");
        })
        .await;
    }
}
