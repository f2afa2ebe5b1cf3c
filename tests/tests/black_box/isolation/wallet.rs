//! The walk over the wallet face.

use chancery_tests::key::random;
use chancery_tests::wallet::{PRE_AUTHORIZED_CODE, offer_uri};
use chancery_tests::{Call, Opened, Token, Wallet};

use super::*;

/// The stranger: an organisation of its own with an open offer and a token, and a wallet of it.
struct Stranger {
    operator: Operator,
    wallet: Wallet,
    opened: Opened,
    token: Token,
}

impl Stranger {
    async fn new(world: &World) -> Self {
        let operator = world.organisation().await;
        let definition = operator.define(&samples::staff_badge()).await;
        let wallet = world.wallet();
        let offer = operator.offer(&definition, &samples::staff_claims()).await;
        let token = wallet.redeem(&wallet.open(&offer.link).await).await;
        let offer = operator.offer(&definition, &samples::staff_claims()).await;
        let opened = wallet.open(&offer.link).await;
        Self { operator, wallet, opened, token }
    }

    fn url(&self, endpoint: &str) -> String {
        format!("{}{endpoint}", self.operator.issuer())
    }

    async fn get(&self, endpoint: &str) -> Answer {
        self.wallet.http().get(&self.url(endpoint)).await
    }

    async fn redeem(&self, code: &str) -> Answer {
        let call = self.wallet.token_call(&self.opened).with_field("pre-authorized_code", code);
        self.wallet.send(call).await
    }

    /// A credential request here under any token, whose DPoP key this wallet has.
    async fn collect(&self, wallet: &Wallet, response: &Value, nonce: &str) -> Answer {
        let token = Token { response: response.clone(), opened: self.token.opened.clone() };
        wallet.send(wallet.credential_call(&token, nonce)).await
    }

    async fn nonce(&self) -> String {
        self.wallet.nonce(&self.opened).await
    }
}

on_every_backend! {
    /// Codes, tokens, nonces, offers and types of one organisation mean nothing at the issuer of another.
    async fn nothing_of_one_issuer_works_at_another(world: &World) {
        let owner = Owner::new(world).await;
        let stranger = Stranger::new(world).await;
        let holder = world.wallet();
        let offer = owner.operator.offer(&owner.definition, &samples::staff_claims()).await;
        let at_home = holder.open(&offer.link).await;
        let token = holder.redeem(&at_home).await;

        for (path, method) in operations(world, "wallet.json").await {
            let endpoint = path.strip_prefix("/o/{organisation}").unwrap_or_else(|| panic!("{path} is of no organisation"));
            match (method.as_str(), endpoint) {
                (
                    "GET",
                    "/.well-known/jwt-vc-issuer"
                    | "/.well-known/oauth-authorization-server"
                    | "/.well-known/openid-configuration"
                    | "/.well-known/openid-credential-issuer"
                    | "/jwks",
                ) => {
                    let answer = stranger.get(endpoint).await;
                    answer.ok();
                    owner.assert_unmentioned(&answer);
                }
                ("GET", "/credential-offers/{offer_id}") => {
                    let uri = offer_uri(&owner.open.link);
                    let id = uri.rsplit_once('/').expect("an offer id").1;
                    let foreign = stranger.get(&format!("/credential-offers/{id}")).await;
                    let unknown = stranger.get(&format!("/credential-offers/{}", random(16))).await;
                    owner.assert_unmentioned(&foreign);
                    assert_alike(&foreign, &unknown);
                }
                ("GET", "/types/{name}") => {
                    world.http().get(&format!("{}/types/zymurgy", owner.operator.issuer())).await.ok();
                    let foreign = stranger.get("/types/zymurgy").await;
                    owner.assert_unmentioned(&foreign);
                    assert_alike(&foreign, &stranger.get("/types/nothing").await);
                }
                ("GET", "/status-lists") => {
                    let answer = stranger.get(endpoint).await;
                    assert_eq!(answer.ok()["status_lists"], json!([]));
                    owner.assert_unmentioned(&answer);
                }
                ("GET", "/status-lists/{id}") => {
                    let uri = owner.status_list();
                    assert_eq!(world.http().get(&uri).await.status, 200);
                    let id = uri.rsplit_once('/').expect("an id").1;
                    let foreign = stranger.get(&format!("/status-lists/{id}")).await;
                    owner.assert_unmentioned(&foreign);
                    assert_alike(&foreign, &stranger.get(&format!("/status-lists/{UNKNOWN}")).await);
                }
                ("GET", "/images/{name}") => {
                    let uri = owner.definition["credentialDefinitions"][0]["display"]["logo"]["uri"].as_str().expect("a logo");
                    assert_eq!(world.http().get(uri).await.status, 200);
                    let name = uri.rsplit_once('/').expect("a name").1;
                    let foreign = stranger.get(&format!("/images/{name}")).await;
                    owner.assert_unmentioned(&foreign);
                    assert_alike(&foreign, &stranger.get("/images/nothing").await);
                }
                ("POST", "/token") => {
                    let opened = holder.open(&owner.open.link).await;
                    let code = &opened.offer["grants"][PRE_AUTHORIZED_CODE]["pre-authorized_code"];
                    let foreign = stranger.redeem(code.as_str().expect("a code")).await;
                    owner.assert_unmentioned(&foreign);
                    assert_alike(&foreign, &stranger.redeem(&random(32)).await);
                }
                // What a browser does: requests, answers and pages of another issuer lead nowhere; the tests of signing in
                // show the same with ones that work at home.
                ("GET" | "POST", "/authorize" | "/consent") | ("GET", "/sign-in/callback") => {
                    let foreign = stranger.get(endpoint).await;
                    owner.assert_unmentioned(&foreign);
                    assert_eq!(foreign.status, 400);
                }
                ("POST", "/par") => {
                    // Another's configuration, and another's issuer_state, are unknown here.
                    let configuration = at_home.offer["credential_configuration_ids"][0].as_str().expect("an id");
                    let push = async |configuration: &str| {
                        let call = stranger.wallet.par_call(stranger.operator.issuer(), configuration);
                        stranger.wallet.send(call).await
                    };
                    let foreign = push(configuration).await;
                    owner.assert_unmentioned(&foreign);
                    assert_alike(&foreign, &push("nothing").await);
                }
                ("POST", "/challenge") => {
                    let url = stranger.url("/challenge");
                    stranger.wallet.send(Call::new(reqwest::Method::POST, &url)).await.ok();
                }
                ("POST", "/nonce") => assert_ne!(stranger.nonce().await, holder.nonce(&at_home).await),
                ("POST", "/credential") => {
                    // Another's token, with a nonce of this issuer and everything else right.
                    let foreign = stranger.collect(&holder, &token.response, &stranger.nonce().await).await;
                    let mut made_up = token.response.clone();
                    made_up["access_token"] = random(32).into();
                    owner.assert_unmentioned(&foreign);
                    assert_alike(&foreign, &stranger.collect(&holder, &made_up, &stranger.nonce().await).await);

                    // A token of this issuer, with another's nonce.
                    let nonce = holder.nonce(&at_home).await;
                    let foreign = stranger.collect(&stranger.wallet, &stranger.token.response, &nonce).await;
                    foreign.refused(400, "invalid_nonce");
                    owner.assert_unmentioned(&foreign);

                    // A token of this issuer, for another's configuration.
                    let with_configuration = async |id: &Value| {
                        let call = stranger.wallet.credential_call(&stranger.token, &stranger.nonce().await);
                        stranger.wallet.send(call.with_member("credential_configuration_id", id.clone())).await
                    };
                    let foreign = with_configuration(&at_home.offer["credential_configuration_ids"][0]).await;
                    foreign.refused(400, "unknown_credential_configuration");
                    with_configuration(&json!("nothing")).await.refused(400, "unknown_credential_configuration");
                }
                ("POST", "/deferred-credential" | "/notification") => {
                    // Another's token, then a token of this issuer with ids that another issuer gave out.
                    let name = if endpoint == "/notification" { "notification_id" } else { "transaction_id" };
                    let call = |wallet: &Wallet, response: &Value, id: &str| {
                        let token = Token { response: response.clone(), opened: stranger.token.opened.clone() };
                        match endpoint {
                            "/notification" => wallet.notification_call(&token, id, "credential_deleted"),
                            _ => wallet.deferred_call(&token, id),
                        }
                    };
                    let id = owner.received.response["notification_id"].as_str().expect("an id");
                    let mut made_up = token.response.clone();
                    made_up["access_token"] = random(32).into();
                    let foreign = stranger.wallet.send(call(&holder, &token.response, id)).await;
                    assert_alike(&foreign, &stranger.wallet.send(call(&holder, &made_up, id)).await);
                    let foreign = stranger.wallet.send(call(&stranger.wallet, &stranger.token.response, id)).await;
                    foreign.refused(400, &format!("invalid_{name}"));
                    owner.assert_unmentioned(&foreign);
                }
                other => panic!("the walk does not know {other:?}"),
            }
        }
        // None of it used anything up.
        holder.collect(&token).await;
        stranger.wallet.collect(&stranger.token).await;
        stranger.wallet.redeem(&stranger.opened).await;
        let record = owner.operator.history(&owner.open.id).await;
        assert_eq!(record["status"], "offer_received");
        world.wallet().accept(&owner.open.link).await;
    }

    /// A token of one organisation presented at another leaves nothing in the transcript of its owner.
    async fn a_stranger_leaves_no_trace_in_the_transcript_of_the_owner(world: &World) {
        let owner = Owner::new(world).await;
        let stranger = Stranger::new(world).await;
        let opened = world.wallet().open(&owner.open.link).await;
        let before = owner.operator.transcript(&owner.open.id).await;
        let code = &opened.offer["grants"][PRE_AUTHORIZED_CODE]["pre-authorized_code"];
        stranger.redeem(code.as_str().expect("a code")).await.refused(400, "invalid_grant");
        assert_eq!(owner.operator.transcript(&owner.open.id).await, before);
    }
}
