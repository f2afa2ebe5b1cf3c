//! `chancery doctor`: finds nothing at a healthy organisation, and what a bad proxy or setting breaks by its name.

use std::collections::HashSet;
use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chancery_server::cli;
use chancery_tests::certificates::Authority;
use chancery_tests::{
    Backend, Env, Environment, Operator, Options, Rewriter, Rewritten, World, on_every_backend, samples,
};
use chancery_wallet::Report;
use serde_json::json;

/// The identifier of an organisation behind a proxy that terminates TLS.
const ISSUER: &str = "https://issuer.example/t/acme";

/// The doctor compares clocks, so the server has the one of the machine.
async fn with_real_clock(backend: Backend, behaviour: impl AsyncFnOnce(&World)) {
    World::run_with(backend, Options { now: None, ..Options::default() }, behaviour).await;
}

/// An organisation at [`ISSUER`] with something to offer.
async fn organisation(world: &World, policy: serde_json::Value) -> Operator {
    let operator = world.platform().organisation(json!({"issuer": ISSUER, "policy": policy})).await;
    operator.define(&samples::staff_badge()).await;
    operator
}

async fn examine(resolve: String, offer: Option<&str>) -> Report {
    let wallet = chancery_wallet::Wallet::new().expect("a wallet");
    let resolve = vec![("https://issuer.example".to_owned(), resolve)];
    let options = chancery_wallet::Options { resolve, ..Default::default() };
    wallet.examine(ISSUER, offer, &options).await.unwrap_or_else(|error| panic!("{error}"))
}

fn codes(report: &Report) -> HashSet<&'static str> {
    report.findings().map(|finding| finding.kind.code).collect()
}

/// What the doctor finds when answers are changed on their way.
async fn with(world: &World, change: impl Fn(&mut Rewritten) + Send + Sync + 'static) -> HashSet<&'static str> {
    let rewriter = Rewriter::before(world.wallet_front.address(), change).await;
    codes(&examine(rewriter.url(), None).await)
}

on_every_backend! {
    /// Nothing is wrong, with an offer on the way, either.
    async fn a_healthy_organisation_passes(backend: Backend) {
        with_real_clock(backend, async |world| {
            let operator = organisation(world, json!({})).await;
            let definition = operator.define(&samples::pid()).await;
            let offer = operator.offer(&definition, &samples::pid_claims()).await;
            let report = examine(world.public_url(), Some(&offer.link)).await;
            assert!(report.healthy(), "{}", report.render(chancery_wallet::Style::Plain));
            assert!(report.checks.iter().any(|check| check.subject.contains("from offer to verification")
                && check.skipped.is_none()));
        })
        .await;
    }

    /// Each thing that a proxy or a setting breaks has a finding of its own.
    async fn each_broken_thing_is_found_under_its_name(backend: Backend) {
        with_real_clock(backend, async |world| {
            organisation(world, json!({})).await;
            type Change = fn(&mut Rewritten);
            let cases: [(&str, Change); 19] = [
                ("issuer-differs", |a| {
                    if a.is_for("/.well-known/openid-credential-issuer/t/acme") {
                        a.json(|body| body["credential_issuer"] = json!("https://internal.example/t/acme"));
                    }
                }),
                ("issuer-trailing-slash", |a| {
                    if a.is_for("/.well-known/openid-credential-issuer/t/acme") {
                        a.json(|body| body["credential_issuer"] = json!(format!("{ISSUER}/")));
                    }
                }),
                ("issuer-metadata-missing", |a| {
                    if a.is_for("/.well-known/openid-credential-issuer/t/acme") {
                        a.status = 404;
                    }
                }),
                ("server-metadata-missing", |a| {
                    if a.is_for("/.well-known/oauth-authorization-server/t/acme") {
                        a.status = 404;
                    }
                }),
                ("appended-form-missing", |a| {
                    if a.is_for("/t/acme/.well-known/openid-credential-issuer") {
                        a.status = 404;
                    }
                }),
                ("redirected", |a| {
                    if a.is_for("/.well-known/openid-credential-issuer/t/acme") {
                        a.status = 301;
                    }
                }),
                ("content-type", |a| {
                    if a.is_for("/.well-known/openid-credential-issuer/t/acme") {
                        a.header("content-type", Some("text/plain"));
                    }
                }),
                ("http-endpoint", |a| {
                    if a.is_for("/.well-known/openid-credential-issuer/t/acme") {
                        a.json(|body| body["credential_endpoint"] = json!("http://issuer.example/t/acme/credential"));
                    }
                }),
                ("foreign-endpoint", |a| {
                    if a.is_for("/.well-known/openid-credential-issuer/t/acme") {
                        a.json(|body| body["credential_endpoint"] = json!("https://10.example/t/acme/credential"));
                    }
                }),
                ("issuer-metadata-invalid", |a| {
                    if a.is_for("/.well-known/openid-credential-issuer/t/acme") {
                        a.json(|body| body["display"] = json!([{"locale": "en"}, {"locale": "en"}]));
                    }
                }),
                ("server-issuer-differs", |a| {
                    if a.is_for("/.well-known/oauth-authorization-server/t/acme") {
                        a.json(|body| body["issuer"] = json!("https://internal.example"));
                    }
                }),
                ("cacheable", |a| {
                    if a.is_for("/t/acme/nonce") {
                        a.header("cache-control", Some("public, max-age=60"));
                    }
                }),
                ("nonce-repeated", |a| {
                    if a.is_for("/t/acme/nonce") && a.status == 200 {
                        a.json(|body| body["c_nonce"] = json!("kept-by-a-cache"));
                    }
                }),
                ("clock-off", |a| a.header("date", Some("Mon, 01 Jan 2024 00:00:00 GMT"))),
                ("cors-missing", |a| a.header("access-control-allow-origin", None)),
                ("cors-hidden-headers", |a| a.header("access-control-expose-headers", None)),
                ("no-authenticate-challenge", |a| a.header("www-authenticate", None)),
                ("error-shape", |a| {
                    if a.is_for("/t/acme/token") && a.status == 400 {
                        a.header("content-type", Some("text/html"));
                        a.body = b"<h1>Bad request</h1>".to_vec();
                    }
                }),
                ("endpoint-missing", |a| {
                    if a.is_for("/t/acme/credential") {
                        a.status = 404;
                    }
                }),
            ];
            for (code, change) in cases {
                let found = with(world, change).await;
                assert!(found.contains(code), "{code}: {found:?}");
            }
        })
        .await;
    }

    /// The presets, as far as one gets without a person.
    async fn each_policy_preset_passes(backend: Backend) {
        with_real_clock(backend, async |world| {
            let authority = chancery_wallet::Authority::generate("Provider", world.env.now().seconds()).expect("an authority");
            let anchor = STANDARD.encode(authority.anchor());
            for profile in ["open", "mixed", "haip"] {
                let policy = json!({
                    "profile": profile,
                    "trustAnchors": {"walletProviders": {"certificates": [anchor]}, "keyAttesters": {"certificates": [anchor]}},
                });
                let operator = world.platform().organisation(json!({"policy": policy})).await;
                operator.certify(&Authority::new(world.env.now())).await;
                operator.define(&samples::staff_badge()).await;
                let wallet = chancery_wallet::Wallet::new().expect("a wallet");
                let report = wallet.examine(operator.issuer(), None, &chancery_wallet::Options::default()).await;
                let report = report.unwrap_or_else(|error| panic!("{error}"));
                assert!(report.healthy(), "{profile}: {}", report.render(chancery_wallet::Style::Plain));
            }
        })
        .await;
    }

    /// Certificates that HAIP does not like: the anchor inside `x5c`, a leaf for another host.
    async fn certificates_are_looked_at(backend: Backend) {
        with_real_clock(backend, async |world| {
            let operator = organisation(world, json!({"signedMetadata": true})).await;
            let root = Authority::new(world.env.now());
            let names = json!({"commonName": "Signer", "names": ["other.example"]});
            let leaf = root.certify_request(&operator.signing_request(names).await);
            operator.upload_chain(&[&leaf, root.certificate()]).await.ok();
            let found = codes(&examine(world.public_url(), None).await);
            for code in ["certificate-anchor", "certificate-name"] {
                assert!(found.contains(code), "{code}: {found:?}");
            }
        })
        .await;
    }

    /// HAI-4, HAI-5: under HAIP, with an offer and without, when the key is certified.
    async fn a_certified_organisation_under_haip_passes(backend: Backend) {
        with_real_clock(backend, async |world| {
            let (options, policy) = haip(world);
            let operator = world.platform().organisation(json!({"policy": policy})).await;
            let authority = Authority::new(world.env.now());
            operator.certify(&authority).await;
            let definition = operator.define(&revocable()).await;
            let offer = operator.offer(&definition, &samples::staff_claims()).await;
            let options = chancery_wallet::Options { trust_anchors: vec![authority.certificate().to_vec()], ..options };
            let report = examine_ahead(operator.issuer(), 0, Some(&offer.link), &options).await;
            assert!(report.healthy(), "{}", report.render(chancery_wallet::Style::Plain));
            for subject in ["the status list", "signed metadata", "from offer to verification"] {
                let looked_at = |check: &&chancery_wallet::Check| check.subject.contains(subject) && check.skipped.is_none();
                assert!(report.checks.iter().any(|check| looked_at(&check)), "{subject}");
            }
            let stranger = chancery_wallet::Options {
                trust_anchors: vec![Authority::new(world.env.now()).certificate().to_vec()], ..options
            };
            let found = codes(&examine_ahead(operator.issuer(), 0, None, &stranger).await);
            assert!(found.contains("status-list") && found.contains("signed-metadata"), "{found:?}");
        })
        .await;
    }

    /// HAI-4, HAI-5: each thing that is wrong with the certificates of an organisation under HAIP has a finding of its own.
    async fn under_haip_certificates_that_will_not_do_are_found(backend: Backend) {
        with_real_clock(backend, async |world| {
            let (options, policy) = haip(world);
            let operator = world.platform().organisation(json!({"policy": {}})).await;
            let definition = operator.define(&revocable()).await;
            let offer = operator.offer(&definition, &samples::staff_claims()).await;
            world.wallet().accept(&offer.link).await;
            operator.put("/v2/config/digital-wallet/openid/policy", policy).await.ok();
            let root = Authority::new(world.env.now());
            let of_the_root = json!({"commonName": "Root"});
            let alone = root.certify_request(&operator.signing_request(of_the_root).await);
            let leaf = root.certify_request(&operator.signing_request(json!({})).await);
            let with_anchor = [leaf.as_slice(), root.certificate()];
            for (code, chain, days) in [
                ("certificate-missing", [].as_slice(), 0),
                ("certificate-self-signed", &[alone.as_slice()], 0),
                ("certificate-anchor", &with_anchor, 0),
                ("certificate-ending", &with_anchor[..1], 340),
                ("certificate-expired", &with_anchor[..1], 400),
            ] {
                operator.upload_chain(chain).await.ok();
                let report = examine_ahead(operator.issuer(), days, None, &options).await;
                assert!(codes(&report).contains(code) && !report.healthy(), "{code}: {:?}", codes(&report));
            }
        })
        .await;
    }

    /// HAI-5: what else is signed without certificates is found when wallets of HAIP are meant.
    async fn everything_that_haip_wants_certificates_in_is_looked_at(backend: Backend) {
        with_real_clock(backend, async |world| {
            let operator = world.platform().organisation(json!({"policy": {"signedMetadata": true}})).await;
            let definition = operator.define(&revocable()).await;
            let offer = operator.offer(&definition, &samples::staff_claims()).await;
            let options = chancery_wallet::Options { haip: true, ..Default::default() };
            let report = examine_ahead(operator.issuer(), 0, Some(&offer.link), &options).await;
            let clauses = report.findings().filter(|finding| finding.kind.code == "certificate-missing");
            let clauses: HashSet<&str> = clauses.map(|finding| finding.clause()).collect();
            assert_eq!(clauses, HashSet::from(["HAIP §4.1", "HAIP §6.1", "HAIP §6.1.1"]));
            assert!(examine_ahead(operator.issuer(), 0, None, &chancery_wallet::Options::default()).await.healthy());
        })
        .await;
    }

    /// For continuous integration: 0, 1 and 2.
    async fn the_exit_code_says_what_was_found(backend: Backend) {
        with_real_clock(backend, async |world| {
            let operator = world.organisation().await;
            operator.define(&samples::staff_badge()).await;
            let healthy = run(&["--organisation", operator.issuer()]).await;
            assert_eq!(healthy, ExitCode::SUCCESS);
            assert_eq!(run(&["--organisation", operator.issuer(), "--json"]).await, ExitCode::SUCCESS);
            let slug = operator.issuer().rsplit_once('/').expect("a path").1;
            assert_eq!(run(&["--organisation", slug, "--url", &world.public_url()]).await, ExitCode::SUCCESS);
            let missing = format!("{}/o/nobody", world.public_url());
            assert_eq!(run(&["--organisation", &missing]).await, ExitCode::from(1));
            assert_eq!(run(&["--organisation", "http://issuer.example/t/acme"]).await, ExitCode::from(2));
        })
        .await;
    }
}

/// Wallets of HAIP, and those who vouch for them.
fn haip(world: &World) -> (chancery_wallet::Options, serde_json::Value) {
    let authority = chancery_wallet::Authority::generate("Provider", world.env.now().seconds()).expect("an authority");
    let anchor = STANDARD.encode(authority.anchor());
    let provider = chancery_wallet::WalletProvider::new(authority, "https://wallet.example").expect("a provider");
    let options = chancery_wallet::Options { wallet_provider: Some(Arc::new(provider)), ..Default::default() };
    (options, json!({"profile": "haip", "trustAnchors": {"walletProviders": {"certificates": [anchor]}}}))
}

fn revocable() -> serde_json::Value {
    let mut badge = samples::staff_badge();
    badge["credentialDefinitions"][0]["supportRevocation"] = true.into();
    badge
}

/// What the doctor finds when its clock is ahead.
async fn examine_ahead(issuer: &str, days: i64, offer: Option<&str>, options: &chancery_wallet::Options) -> Report {
    let clock = Env::system();
    let wallet = chancery_wallet::Wallet::builder().clock(move || clock.now().seconds() + days * 86_400);
    let wallet = wallet.build().expect("a wallet");
    wallet.examine(issuer, offer, options).await.unwrap_or_else(|error| panic!("{error}"))
}

/// The command makes a runtime of its own.
async fn run(arguments: &[&str]) -> ExitCode {
    let arguments: Vec<OsString> = ["chancery", "doctor"].iter().chain(arguments).map(OsString::from).collect();
    tokio::task::spawn_blocking(move || cli::run(arguments, Environment::new())).await.expect("an exit code")
}
