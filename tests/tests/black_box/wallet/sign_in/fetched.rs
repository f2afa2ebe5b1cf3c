//! Claims that the organisation's server gives for the person who signed in.

use chancery_tests::Receiver;
use chancery_tests::sd_jwt::parts;

use super::*;

impl<'w> Desk<'w> {
    /// A badge of which only the family name comes from the provider.
    async fn with_claims_endpoint(world: &'w World, receiver: &Receiver) -> Self {
        let mut desk = Self::open(world).await;
        let mut badge = samples::staff_badge();
        badge["label"] = "Fetched badge".into();
        badge["credentialDefinitions"][0]["identityMapping"] =
            json!([{"claim": ["family_name"], "from": ["family_name"]}]);
        badge["claimsEndpoint"] = json!({"url": receiver.url()});
        desk.definition = desk.operator.define(&badge).await;
        desk
    }

    /// All the way to the answer to the credential request.
    async fn fetch(&self, extra: &[(&str, &str)]) -> Answer {
        let mut browser = Browser::default();
        let page = self.arrive(&mut browser, extra).await;
        let code = to_wallet(&self.decide(&mut browser, &page, "continue").await)["code"].clone();
        let mut wallet = self.world.wallet();
        wallet.client_id = Some("wallet-dev".to_owned());
        let issuer = self.operator.issuer();
        let metadata = |name: &str| chancery_tests::wallet::well_known(issuer, name);
        let opened = Opened {
            offer: json!({"credential_issuer": issuer, "credential_configuration_ids": [self.configuration()]}),
            issuer: wallet.http().get(&metadata("openid-credential-issuer")).await.ok(),
            authorization_server: wallet.http().get(&metadata("oauth-authorization-server")).await.ok(),
        };
        let mut call = chancery_tests::Call::new(Method::POST, &self.url("/token"));
        call.body = chancery_tests::Body::Form(Vec::new());
        let verifier = "v".repeat(43);
        for (name, value) in [
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", REDIRECT),
            ("client_id", "wallet-dev"),
            ("code_verifier", &verifier),
        ] {
            call = call.with_field(name, value);
        }
        call.dpop = wallet.dpop(&Method::POST, &self.url("/token"), None);
        let token = Token { response: wallet.send(call).await.ok(), opened };
        let nonce = wallet.nonce(&token.opened).await;
        wallet.send(wallet.credential_call(&token, &nonce)).await
    }
}

on_every_backend! {
    /// The server is told who signed in and what is known; what both say must be the same.
    async fn the_claims_of_who_signed_in_are_completed_by_the_server(backend: Backend) {
        with_private_addresses(backend, async |world| {
            let receiver = Receiver::listen().await;
            let desk = Desk::with_claims_endpoint(world, &receiver).await;
            receiver.say(json!({"claims": {"given_name": "Oyelaran", "employee_id": "E-7"}}).to_string());
            let answer = desk.fetch(&[]).await;
            let credential = parts(answer.ok()["credentials"][0]["credential"].as_str().unwrap());
            assert_eq!((&credential.disclosed["given_name"], &credential.disclosed["family_name"]), (&json!("Oyelaran"), &json!("Brightwater")));
            let asked = receiver.take()[0].event()["data"].clone();
            assert_eq!(asked["subject"], "person-1");
            assert_eq!(asked["credential"]["claims"], json!({"family_name": "Brightwater"}));

            let (exchange, state) = desk.offer(None).await;
            let mut other = samples::staff_claims();
            other["family_name"] = "Somebody-Else".into();
            receiver.say(json!({ "claims": other }).to_string());
            let answer = desk.fetch(&[("issuer_state", &state)]).await;
            assert_eq!(answer.expect(400)["error"], "credential_request_denied");
            let cause = cause(&desk.operator, &exchange).await;
            assert_eq!((cause.message.as_str(), &cause.data["claims"]), ("credential.claims_unfit", &json!(["/family_name"])));
            assert!(cause.reason.contains("contradicts"), "{}", cause.reason);
            for value in ["Somebody-Else", "Brightwater", "person-1"] {
                assert!(!world.gives_away(value).await, "{value}");
            }
        })
        .await;
    }
}
