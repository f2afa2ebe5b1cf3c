//! Signing in at an OpenID Provider that others wrote, with the built-in wallet and the person's browser.

use chancery_tests::{Browser, OutsideProvider, on_every_backend};
use chancery_wallet::{Accepted, Options, WalletError};

use super::*;

const CONNECTION: &str = "/v2/config/digital-wallet/openid/identity-provider";
/// With characters that `client_secret_basic` has to escape (RFC 6749 §2.3.1).
const SECRET: &str = "a secret: 50%+";

/// An organisation whose badge takes its number from the ID token and its names from the userinfo response.
struct Desk {
    operator: Operator,
    definition: Value,
    provider: OutsideProvider,
}

impl Desk {
    async fn open(world: &World) -> Self {
        // A registered wallet is told of everything that goes wrong.
        let client = json!({"clientId": "wallet-dev", "redirectUris": [Wallet::REDIRECT_URI]});
        let policy = json!({"clients": {"registered": [client]}});
        let operator = world.platform().organisation(json!({ "policy": policy })).await;
        let redirect_uri = format!("{}/sign-in/callback", operator.issuer());
        let people = json!({"E-7": {"given_name": "Oyelaran", "family_name": "Brightwater", "staff_id": "Registry"}});
        let provider = OutsideProvider::start(&world.env, &redirect_uri, SECRET, &people).await;
        let mut badge = samples::staff_badge();
        badge["credentialDefinitions"][0]["identityMapping"] = json!([
            {"claim": ["given_name"], "from": ["given_name"]},
            {"claim": ["family_name"], "from": ["family_name"]},
            {"claim": ["employee_id"], "from": ["sub"]},
            {"claim": ["department"], "from": ["staff_id"]},
        ]);
        let definition = operator.define(&badge).await;
        let desk = Self { operator, definition, provider };
        desk.connect(SECRET).await;
        desk
    }

    async fn connect(&self, secret: &str) {
        let connection = json!({
            "issuer": self.provider.issuer(),
            "clientId": OutsideProvider::CLIENT_ID,
            "clientSecret": secret,
            "scopes": ["openid", "profile", "staff"],
        });
        self.operator.put(CONNECTION, connection).await.ok();
    }

    async fn offer(&self) -> Offer {
        let entry = &self.definition["credentialDefinitions"][0];
        let credential = json!({"id": entry["id"], "vct": entry["vct"]});
        let definition = &self.definition["credentialDefinitionId"];
        let body = json!({"issuanceMode": "InTime", "credentialDefinitionId": definition, "credential": credential});
        self.operator.offer_of(body).await
    }

    async fn accept(&self, world: &World, offer: &Offer, browser: Browser) -> Result<Accepted, WalletError> {
        let clock = world.env.clone();
        let wallet = chancery_wallet::Wallet::builder().clock(move || clock.now().seconds()).build()?;
        let options = Options {
            client_id: Some("wallet-dev".to_owned()),
            front_channel: Some(browser.front_channel(None)),
            authorization_details: true,
            ..Options::default()
        };
        wallet.accept(&offer.link, &options).await
    }
}

/// Somebody who can sign in there, and says yes to everything.
fn person(world: &World) -> Browser {
    let browser = Browser::new(world.http().clone());
    browser.filling("login", "E-7").filling("password", "any").filling("decision", "continue")
}

fn error(outcome: Result<Accepted, WalletError>) -> String {
    match outcome {
        Err(WalletError::Refused(refusal)) => refusal.error.expect("an error code"),
        other => panic!("a refusal was expected: {other:?}"),
    }
}

on_every_backend! {
    /// Discovery, code with PKCE, nonce, ID token and userinfo (OpenID Connect Core 1.0); and again with rotated keys.
    async fn a_person_signs_in_at_a_provider_that_others_wrote_before_and_after_it_rotates_its_key(world: &World) {
        let mut desk = Desk::open(world).await;
        for _ in 0..2 {
            let offer = desk.offer().await;
            let accepted = desk.accept(world, &offer, person(world)).await.unwrap_or_else(|error| panic!("{error}"));
            let [credential] = accepted.credentials.as_slice() else { panic!("one credential: {accepted:?}") };
            for (claim, value) in
                [("given_name", "Oyelaran"), ("family_name", "Brightwater"), ("employee_id", "E-7"), ("department", "Registry")]
            {
                assert_eq!(credential.claims[claim], value, "{claim}");
            }
            assert_eq!(desk.operator.status(&offer.id).await, "credential_issued");
            desk.provider.rotate_key().await;
        }
    }

    /// AUT-14: whoever leaves the provider's page or ours gets nothing, and the wallet learns why.
    async fn a_person_who_cancels_there_or_here_gets_nothing(world: &World) {
        let desk = Desk::open(world).await;
        for browser in [
            Browser::new(world.http().clone()).leaving_by("/abort"),
            Browser::new(world.http().clone()).filling("login", "E-7").filling("password", "x").filling("decision", "cancel"),
        ] {
            let offer = desk.offer().await;
            assert_eq!(error(desk.accept(world, &offer, browser).await), "access_denied");
            assert_eq!(desk.operator.history(&offer.id).await["credentialToken"], "");
        }
    }

    /// A wrong client secret is the organisation's mistake: the wallet learns that it is not its own, the transcript names it.
    async fn a_wrong_client_secret_is_told_to_the_organisation(world: &World) {
        let desk = Desk::open(world).await;
        desk.connect("not the secret").await;
        let offer = desk.offer().await;
        assert_eq!(error(desk.accept(world, &offer, person(world)).await), "server_error");
        let cause = cause(&desk.operator, &offer.id).await;
        assert!(cause.reason.contains("invalid_client"), "{cause:?}");
        assert!(!world.gives_away("not the secret").await);
        desk.connect(SECRET).await;
        let offer = desk.offer().await;
        desk.accept(world, &offer, person(world)).await.unwrap_or_else(|error| panic!("{error}"));
    }
}
