//! The authorization code flow, from a pushed request over a sign-in to a credential (OpenID4VCI §3.4, §5, §6).

use std::sync::Arc;
use std::time::Duration;

use chancery_tests::{
    Backend, Body, Browser, Call, IdentityProvider, Options, Place, Provider, Server, block_on, on_every_backend,
};
use reqwest::Method;
use url::Url;

use super::*;

const CONNECTION: &str = "/v2/config/digital-wallet/openid/identity-provider";

/// An organisation whose badge takes its names from an identity provider, and a wallet.
pub(super) struct Desk {
    pub(super) operator: Operator,
    pub(super) provider: Arc<IdentityProvider>,
    pub(super) configuration: String,
    pub(super) definition: Value,
    pub(super) wallet: Wallet,
}

impl Desk {
    pub(super) async fn open(world: &World, policy: Value) -> Self {
        let operator = world.platform().organisation(json!({ "policy": policy })).await;
        let provider = Arc::new(IdentityProvider::start(&world.env).await);
        let connection = json!({"issuer": provider.issuer(), "clientId": "chancery", "clientSecret": "s3cret"});
        operator.put(CONNECTION, connection).await.ok();
        provider.set_person(json!({
            "sub": "person-1", "given_name": "Oyelaran", "family_name": "Brightwater", "staff_id": "E-7",
        }));
        let definition = operator.define(&badge()).await;
        let issuer = operator.issuer();
        let metadata =
            world.http().get(&chancery_tests::wallet::well_known(issuer, "openid-credential-issuer")).await.ok();
        let configurations = metadata["credential_configurations_supported"].as_object().unwrap();
        let configuration = configurations.keys().next().unwrap().clone();
        let mut wallet = world.wallet();
        wallet.client_id = Some("wallet-dev".to_owned());
        Self { operator, provider, configuration, definition, wallet }
    }

    fn url(&self, endpoint: &str) -> String {
        format!("{}{endpoint}", self.operator.issuer())
    }

    pub(super) fn par(&self) -> Call {
        self.wallet.par_call(self.operator.issuer(), &self.configuration)
    }

    /// An offer that the wallet accepts by signing the person in; opened, and its `issuer_state`.
    pub(super) async fn offer(&self) -> (Offer, Opened, String) {
        let entry = &self.definition["credentialDefinitions"][0];
        let body = json!({
            "issuanceMode": "Deferred",
            "credentialDefinitionId": self.definition["credentialDefinitionId"],
            "credential": {"id": entry["id"], "vct": entry["vct"]},
        });
        let offer = self.operator.offer_of(body).await;
        let opened = self.wallet.open(&offer.link).await;
        let state = opened.offer["grants"]["authorization_code"]["issuer_state"].as_str().unwrap().to_owned();
        (offer, opened, state)
    }

    /// Pushes, lets the person sign in and consent, and answers the code.
    pub(super) async fn authorize(&self, world: &World, par: Call) -> String {
        let pushed = self.wallet.send(par.clone()).await;
        assert_eq!(pushed.status, 201, "{pushed}");
        let Body::Form(fields) = &par.body else { panic!("no form") };
        let client_id = &fields.iter().find(|(name, _)| name == "client_id").unwrap().1;
        let mut url = Url::parse(&self.url("/authorize")).unwrap();
        url.query_pairs_mut()
            .append_pair("client_id", client_id)
            .append_pair("request_uri", pushed.json()["request_uri"].as_str().unwrap());
        let browser = Browser::new(world.http().clone());
        let location = browser.follow(url.as_str(), &self.provider.issuer()).await;
        let back = browser.follow(&self.provider.sign_in(&location), Wallet::REDIRECT_URI).await;
        let back = Url::parse(&back).unwrap();
        let parameter = |wanted: &str| {
            back.query_pairs()
                .find(|(name, _)| name == wanted)
                .unwrap_or_else(|| panic!("no {wanted}: {back}"))
                .1
                .into_owned()
        };
        assert_eq!((parameter("iss"), parameter("state")), (self.operator.issuer().to_owned(), "x1".to_owned()));
        parameter("code")
    }

    pub(super) fn redeem(&self, code: &str) -> Call {
        let endpoint = self.url("/token");
        let mut call = Call::new(Method::POST, &endpoint);
        call.body = Body::Form(Vec::new());
        call = call
            .with_field("grant_type", "authorization_code")
            .with_field("code", code)
            .with_field("client_id", self.wallet.client_id.as_deref().unwrap())
            .with_field("redirect_uri", Wallet::REDIRECT_URI)
            .with_field("code_verifier", Wallet::CODE_VERIFIER);
        call.dpop = self.wallet.dpop(&call.method, &endpoint, None);
        self.wallet.attested(call, self.operator.issuer())
    }

    /// What a wallet knows after it has read the metadata.
    async fn opened(&self, world: &World) -> Opened {
        let issuer = self.operator.issuer();
        let get = async |name: &str| world.http().get(&chancery_tests::wallet::well_known(issuer, name)).await.ok();
        let offer = json!({"credential_issuer": issuer, "credential_configuration_ids": [self.configuration]});
        Opened {
            offer,
            issuer: get("openid-credential-issuer").await,
            authorization_server: get("oauth-authorization-server").await,
        }
    }
}

/// A staff badge whose claims come from the identity provider.
fn badge() -> Value {
    let mut badge = samples::staff_badge();
    badge["credentialDefinitions"][0]["identityMapping"] = json!([
        {"claim": ["given_name"], "from": ["given_name"]},
        {"claim": ["family_name"], "from": ["family_name"]},
        {"claim": ["employee_id"], "from": ["staff_id"]},
    ]);
    badge
}

/// The provider of these tests listens on this machine.
pub(super) async fn with_private_addresses(backend: Backend, behaviour: impl AsyncFnOnce(&World)) {
    let environment = [("CHANCERY_OUTBOUND_ADDRESSES".to_owned(), "any".to_owned())].into();
    World::run_with(backend, Options { environment, ..Options::default() }, behaviour).await;
}

on_every_backend! {
    /// A wallet that begins by itself uses up the quota of the day, too. Its code stays good.
    async fn a_wallet_begins_nothing_beyond_the_quota_of_the_day(backend: Backend) {
        with_private_addresses(backend, async |world| {
            let desk = Desk::open(world, json!({})).await;
            let quotas = format!("/v2/platform/organisations/{}/quotas", desk.operator.organisation_id());
            world.platform().put(&quotas, json!({"exchangesPerDay": 0})).await.ok();
            let code = desk.authorize(world, desk.par()).await;
            let refused = desk.wallet.send_with_nonce(desk.redeem(&code)).await;
            refused.refused(503, "temporarily_unavailable");
            assert_eq!(refused.header("retry-after"), Some("43200"));
            assert!(!refused.mentions("quota"), "{refused}");
            world.platform().put(&quotas, json!({"exchangesPerDay": 1})).await.ok();
            desk.wallet.send_with_nonce(desk.redeem(&code)).await.ok();
            assert_eq!(desk.operator.get("/v2/config/quotas").await.ok()["quotas"]["exchangesPerDay"]["used"], 1);
        })
        .await;
    }

    /// Flow 1: a wallet begins by itself, the person signs in, and the names of the provider are in the credential. The
    /// metadata say so (ASM-2).
    async fn a_wallet_that_begins_by_itself_gets_a_credential(backend: Backend) {
        with_private_addresses(backend, async |world| {
            let desk = Desk::open(world, json!({"refreshTokens": true})).await;
            let opened = desk.opened(world).await;
            let server = &opened.authorization_server;
            assert_eq!(server["grant_types_supported"], json!([
                "urn:ietf:params:oauth:grant-type:pre-authorized_code", "authorization_code", "refresh_token"
            ]));
            assert_eq!(server["pushed_authorization_request_endpoint"], desk.url("/par"));
            assert_eq!((&server["response_types_supported"], &server["code_challenge_methods_supported"]), (&json!(["code"]), &json!(["S256"])));
            assert_eq!(server["authorization_response_iss_parameter_supported"], true);
            let code = desk.authorize(world, desk.par()).await;
            let response = desk.wallet.send(desk.redeem(&code)).await.ok();
            assert_eq!((&response["token_type"], response["refresh_token"].is_string()), (&json!("DPoP"), true));
            let identifiers = &response["authorization_details"][0]["credential_identifiers"];
            assert_eq!(identifiers.as_array().unwrap().len(), 1);
            let received = desk.wallet.collect(&Token { response, opened }).await;
            let disclosed = chancery_tests::sd_jwt::parts(&received.credential).disclosed;
            assert_eq!((&disclosed["given_name"], &disclosed["employee_id"]), (&json!("Oyelaran"), &json!("E-7")));
            assert!(!world.gives_away(&code).await);
        })
        .await;
    }

    /// AUT-11: an offer names its context by `issuer_state`; the exchange of the offer goes on.
    async fn an_offer_is_accepted_with_its_issuer_state(backend: Backend) {
        with_private_addresses(backend, async |world| {
            let desk = Desk::open(world, json!({})).await;
            let (offer, opened, state) = desk.offer().await;
            let code = desk.authorize(world, desk.par().with_field("issuer_state", &state)).await;
            let response = desk.wallet.send(desk.redeem(&code)).await.ok();
            assert_eq!(desk.operator.status(&offer.id).await, "token_issued");
            desk.wallet.collect(&Token { response, opened: opened.clone() }).await;
            desk.wallet.send(desk.par().with_field("issuer_state", &state)).await.refused(400, "invalid_request");
        })
        .await;
    }

    /// TOK-6, TOK-8: two were authorized, the token request names one, and the token is good for that one only. A request
    /// for what was not authorized leaves the code as it was.
    async fn a_token_request_narrows_what_was_authorized(backend: Backend) {
        with_private_addresses(backend, async |world| {
            let desk = Desk::open(world, json!({})).await;
            let mut two = badge();
            two["label"] = "Staff and visitors".into();
            two["credentialDefinitions"][0]["vct"] = "https://types.example/staff/2".into();
            let mut visitor = two["credentialDefinitions"][0].clone();
            visitor["vct"] = "https://types.example/visitor/1".into();
            two["credentialDefinitions"].as_array_mut().unwrap().push(visitor);
            let defined = desk.operator.define(&two).await;
            let id = |entry: usize| defined["credentialDefinitions"][entry]["credentialConfigurationId"].as_str().unwrap();
            let details = |ids: &[&str]| {
                let detail = |id: &&str| json!({"type": "openid_credential", "credential_configuration_id": id});
                Value::from_iter(ids.iter().map(detail)).to_string()
            };
            let both = details(&[id(0), id(1)]);
            let code = desk.authorize(world, desk.par().with_field("authorization_details", &both)).await;
            let redeem = |ids: &[&str]| desk.redeem(&code).with_field("authorization_details", &details(ids));
            for beyond in [&[desk.configuration.as_str()] as &[&str], &[id(1), "unknown"]] {
                desk.wallet.send(redeem(beyond)).await.refused(400, "invalid_authorization_details");
            }
            let response = desk.wallet.send(redeem(&[id(1)])).await.ok();
            let granted = response["authorization_details"].as_array().unwrap();
            assert_eq!((granted.len(), &granted[0]["credential_configuration_id"]), (1, &json!(id(1))));
            let token = Token { response, opened: desk.opened(world).await };
            let received = desk.wallet.collect(&token).await;
            assert_eq!(chancery_tests::sd_jwt::parts(&received.credential).signed["vct"], "https://types.example/visitor/1");
            let nonce = desk.wallet.nonce(&token.opened).await;
            let Body::Json(mut members) = desk.wallet.credential_call(&token, &nonce).body else { panic!("no JSON") };
            members.shift_remove("credential_identifier");
            members.insert("credential_configuration_id".to_owned(), id(0).into());
            let mut call = desk.wallet.credential_call(&token, &nonce);
            call.body = Body::Json(members);
            assert_eq!(desk.wallet.send(call).await.status, 400);
        })
        .await;
    }

    /// PAR-8: `dpop_jkt` alone binds the code to a key, and so does it beside a proof of that key.
    async fn a_code_is_bound_to_the_key_that_dpop_jkt_names(backend: Backend) {
        with_private_addresses(backend, async |world| {
            let desk = Desk::open(world, json!({})).await;
            let thumbprint = desk.wallet.dpop_key.as_ref().unwrap().thumbprint();
            let named = || desk.par().with_field("dpop_jkt", &thumbprint);
            for par in [named().without_dpop(), named()] {
                let code = desk.authorize(world, par).await;
                let thief = desk.wallet.with_fresh_dpop_key();
                let mut stolen = desk.redeem(&code);
                stolen.dpop = thief.dpop(&stolen.method, &stolen.url, None);
                thief.send(stolen).await.refused(400, "invalid_grant");
                desk.wallet.send(desk.redeem(&code).without_dpop()).await.refused(400, "invalid_grant");
                assert_eq!(desk.wallet.send(desk.redeem(&code)).await.ok()["token_type"], "DPoP");
            }
            let malformed = desk.par().without_dpop().with_field("dpop_jkt", "short");
            desk.wallet.send(malformed).await.refused(400, "invalid_request");
        })
        .await;
    }

    /// AUT-12, AUT-15, PAR-8, SEC-8: a code is bound to its client, redirect URI, verifier and DPoP key, and for 60 seconds.
    /// None of the refusals uses it up.
    async fn a_code_is_refused_to_whoever_did_not_ask_for_it(backend: Backend) {
        with_private_addresses(backend, async |world| {
            let desk = Desk::open(world, json!({})).await;
            let code = desk.authorize(world, desk.par()).await;
            let thief = desk.wallet.with_fresh_dpop_key();
            let mut other_key = desk.redeem(&code);
            other_key.dpop = thief.dpop(&other_key.method, &other_key.url, None);
            for (what, call, error) in [
                ("another verifier", desk.redeem(&code).with_field("code_verifier", &"v".repeat(43)), "invalid_grant"),
                ("no verifier", desk.redeem(&code).without_field("code_verifier"), "invalid_request"),
                ("another redirect URI", desk.redeem(&code).with_field("redirect_uri", "https://wallet.example/cb?x=1"), "invalid_grant"),
                ("no redirect URI", desk.redeem(&code).without_field("redirect_uri"), "invalid_grant"),
                ("another client", desk.redeem(&code).with_field("client_id", "another"), "invalid_grant"),
                ("no client", desk.redeem(&code).without_field("client_id"), "invalid_client"),
                ("another DPoP key", other_key, "invalid_grant"),
                ("no DPoP proof", desk.redeem(&code).without_dpop(), "invalid_grant"),
                ("another code", desk.redeem("made-up"), "invalid_grant"),
                ("another issuer", desk.redeem(&code).with_field("resource", "https://other.example"), "invalid_target"),
            ] {
                let answer = desk.wallet.send(call).await;
                assert_eq!((answer.status, answer.json()["error"].as_str()), (400, Some(error)), "{what}: {answer}");
            }
            world.advance(Duration::from_secs(59));
            desk.wallet.send(desk.redeem(&code)).await.ok();
            let late = desk.authorize(world, desk.par()).await;
            world.advance(Duration::from_secs(60));
            desk.wallet.send(desk.redeem(&late)).await.refused(400, "invalid_grant");
        })
        .await;
    }

    /// AUT-15: the second use of a code is refused, and what the first one got is worth nothing any more.
    async fn the_second_use_of_a_code_revokes_what_the_first_one_got(backend: Backend) {
        with_private_addresses(backend, async |world| {
            let desk = Desk::open(world, json!({"refreshTokens": true})).await;
            let code = desk.authorize(world, desk.par()).await;
            let first = desk.wallet.send(desk.redeem(&code)).await.ok();
            let again = desk.wallet.send(desk.redeem(&code)).await.ok();
            assert_eq!(again, first, "the same request of the same key is a retry");
            world.advance(Duration::from_secs(10));
            desk.wallet.send(desk.redeem(&code)).await.refused(400, "invalid_grant");
            let opened = desk.opened(world).await;
            let nonce = desk.wallet.nonce(&opened).await;
            let call = desk.wallet.credential_call(&Token { response: first.clone(), opened }, &nonce);
            desk.wallet.send(call).await.refused(401, "invalid_token");
            let refresh = desk.wallet.refresh_call(desk.operator.issuer(), first["refresh_token"].as_str().unwrap());
            desk.wallet.send(refresh).await.refused(400, "invalid_grant");
        })
        .await;
    }

    /// HAI-2, WAT-4: an attested request is redeemed with the same wallet instance key, and with no other.
    async fn a_code_of_an_attested_request_needs_the_same_instance(backend: Backend) {
        with_private_addresses(backend, async |world| {
            let provider = Provider::new("https://wallet.example");
            let policy = json!({"walletAttestation": "enforce", "trustAnchors": provider.trust_anchors()});
            let mut desk = Desk::open(world, policy).await;
            desk.wallet.client_id = Some(provider.client_id.clone());
            desk.wallet.provider = Some(provider.clone());
            let unattested = desk.par().without_header("oauth-client-attestation").without_header("oauth-client-attestation-pop");
            desk.wallet.send(unattested).await.refused(400, "invalid_client");
            let code = desk.authorize(world, desk.par()).await;
            let mut thief = desk.wallet.clone();
            thief.provider = Some(Provider { instance_key: chancery_tests::Key::p256(), ..provider });
            let call = desk.redeem(&code).without_header("oauth-client-attestation").without_header("oauth-client-attestation-pop");
            desk.wallet.send(thief.attested(call, desk.operator.issuer())).await.refused(400, "invalid_grant");
            desk.wallet.send(desk.redeem(&code)).await.ok();
        })
        .await;
    }
}

/// From now on wallets reach this process.
pub(super) fn point_to(world: &World, server: &Server) {
    world.wallet_front.point_to(server.wallet_address().expect("a wallet face"));
    world.wallet_front.cut_once();
}

/// AUT-15 with several processes: the second use of a code at one of them ends the token that another one remembers, and an
/// authorization may change processes at each step.
#[test]
fn a_token_that_another_process_made_worthless_is_worthless() {
    block_on(with_private_addresses(Backend::Networked, async |world| {
        let (first, second) = (world.another_server().await, world.another_server().await);
        point_to(world, &first);
        let desk = Desk::open(world, json!({})).await;
        let code = desk.authorize(world, desk.par()).await;
        let response = desk.wallet.send(desk.redeem(&code)).await.ok();
        let opened = desk.opened(world).await;
        let nonce = desk.wallet.nonce(&opened).await;
        point_to(world, &second);
        world.advance(Duration::from_secs(11));
        desk.wallet.send(desk.redeem(&code)).await.refused(400, "invalid_grant");
        point_to(world, &first);
        let call = desk.wallet.credential_call(&Token { response, opened }, &nonce);
        desk.wallet.send(call).await.refused(401, "invalid_token");
        first.stop().await;
        second.stop().await;
    }));
}

/// AUT-15 with several processes: the wallet that asks again within ten seconds, because its answer was lost, is answered the
/// same at any of them, and loses nothing at one that did not hear of the answer; whoever has the code and another key ends
/// what it gave.
#[test]
fn a_retry_that_reaches_another_process_ends_nothing() {
    block_on(with_private_addresses(Backend::Networked, async |world| {
        let (first, second) = (world.another_server().await, world.another_server().await);
        point_to(world, &first);
        let desk = Desk::open(world, json!({})).await;
        // Without a DPoP proof of the pushed request, the code itself is bound to no key.
        for (binds, heard) in [(true, true), (false, true), (true, false), (false, false)] {
            point_to(world, &first);
            let par = if binds { desk.par() } else { desk.par().without_dpop() };
            let code = desk.authorize(world, par).await;
            if !heard {
                world.redis().cut_at(b"chancery:value:", Place::Before);
            }
            let response = desk.wallet.send(desk.redeem(&code)).await.ok();
            if !heard {
                world.redis().sprung().await;
                world.redis().restore();
            }
            let opened = desk.opened(world).await;
            point_to(world, &second);
            let again = desk.wallet.send(desk.redeem(&code)).await;
            if heard {
                assert_eq!(again.ok(), response);
            } else {
                again.refused(400, "invalid_grant");
            }
            let token = Token { response, opened };
            desk.wallet.collect(&token).await;
            point_to(world, &first);
            desk.wallet.collect(&token).await;

            point_to(world, &second);
            let thief = desk.wallet.with_fresh_dpop_key();
            let mut stolen = desk.redeem(&code);
            stolen.dpop = thief.dpop(&stolen.method, &stolen.url, None);
            thief.send(stolen).await.refused(400, "invalid_grant");
            let nonce = desk.wallet.nonce(&token.opened).await;
            desk.wallet.send(desk.wallet.credential_call(&token, &nonce)).await.refused(401, "invalid_token");
            desk.wallet.send(desk.redeem(&code)).await.refused(400, "invalid_grant");
        }
        first.stop().await;
        second.stop().await;
    }));
}
