//! What the identity provider of the organisation says is judged, and mapped.

use super::*;

on_every_backend! {
    /// OpenID Connect Core 1.0 §3.1.3.7: each thing that can be wrong with an ID token.
    async fn a_bad_id_token_is_refused(backend: Backend) {
        with_private_addresses(backend, async |world| {
            let desk = Desk::open(world).await;
            for fault in [
                Fault::Claim("nonce", json!("another")),
                Fault::Claim("nonce", Value::Null),
                Fault::Claim("iss", json!("https://another.example")),
                Fault::Claim("aud", json!("another")),
                Fault::Claim("aud", json!(["chancery", "another"])),
                Fault::Claim("azp", json!("another")),
                Fault::Claim("exp", json!(1_768_478_399)),
                Fault::Claim("iat", json!(1_768_478_400 + 120)),
                Fault::Claim("iat", json!(1_768_478_400 - 3600)),
                Fault::Claim("sub", Value::Null),
                Fault::Damaged(Damage::Signature),
                Fault::Damaged(Damage::Unsigned),
                Fault::Algorithm("none"),
                Fault::Algorithm("HS256"),
                Fault::ForeignKey,
                Fault::Token(200, json!({"access_token": "a", "token_type": "Bearer"})),
                Fault::Token(400, json!({"error": "invalid_client"})),
            ] {
                desk.provider.misbehave(fault.clone());
                let answer = desk.failed(|away| desk.provider.sign_in(away)).await;
                assert_eq!(answer["error"], "server_error", "{fault:?}");
                assert_eq!(answer["iss"], desk.operator.issuer());
            }
            desk.provider.misbehave(Fault::Token(503, json!({})));
            desk.failed(|away| desk.provider.sign_in(away)).await;
        })
        .await;
    }

    /// An unknown `kid` is looked up once more, so that a provider may rotate its keys at any time.
    async fn keys_of_the_provider_may_be_rotated(backend: Backend) {
        with_private_addresses(backend, async |world| {
            let desk = Desk::open(world).await;
            desk.arrive(&mut Browser::default(), &[]).await;
            desk.provider.rotate_key();
            desk.arrive(&mut Browser::default(), &[]).await;
            let fetched = desk.provider.requests().iter().filter(|path| *path == "/jwks").count();
            assert_eq!(fetched, 2);
        })
        .await;
    }

    /// What is missing in the ID token comes from the userinfo response, when that is about the same person.
    async fn user_info_fills_what_the_id_token_leaves_out(backend: Backend) {
        with_private_addresses(backend, async |world| {
            let desk = Desk::open(world).await;
            desk.provider.set_person(json!({"sub": "person-1", "given_name": "Oyelaran"}));
            desk.provider.set_user_info(json!({
                "sub": "person-1", "given_name": "Other", "family_name": "Brightwater", "staff_id": "E-9",
            }));
            let text = desk.arrive(&mut Browser::default(), &[]).await.text();
            assert!(text.contains("Oyelaran") && text.contains("Brightwater") && text.contains("E-9"), "{text}");
            assert!(!text.contains("Other"), "the ID token wins");
            desk.provider.misbehave(Fault::OtherSubject);
            assert_eq!(desk.failed(|away| desk.provider.sign_in(away)).await["error"], "server_error");
        })
        .await;
    }

    /// RFC 9207 and the provider's own errors.
    async fn answers_of_the_provider_are_judged(backend: Backend) {
        with_private_addresses(backend, async |world| {
            let desk = Desk::open(world).await;
            for (error, told) in [("access_denied", "access_denied"), ("invalid_scope", "server_error")] {
                assert_eq!(desk.failed(|away| desk.provider.refuse(away, error)).await["error"], told);
            }
            let other = desk.failed(|away| desk.provider.sign_in(away).replace("iss=", "iss=x")).await;
            assert_eq!(other["error"], "server_error");
            let none = desk.failed(|away| desk.provider.sign_in(away).replace("&iss=", "&other=")).await;
            assert_eq!(none["error"], "server_error");
            let mut browser = Browser::default();
            for query in ["", "?code=a", "?code=a&state=b", "?state=%00"] {
                let answer = browser.get(world, &format!("{}{query}", desk.url("/sign-in/callback"))).await;
                assert_eq!(answer.status, 400, "{query}");
            }
        })
        .await;
    }

    /// Where both give a claim they must agree: an offer for one person is not filled with another.
    async fn the_provider_must_not_contradict_the_organisation(backend: Backend) {
        with_private_addresses(backend, async |world| {
            let desk = Desk::open(world).await;
            let given = json!({"employee_id": "E-7", "department": "Registry"});
            let (_, state) = desk.offer(Some(given)).await;
            let text = desk.arrive(&mut Browser::default(), &[("issuer_state", &state)]).await.text();
            assert!(text.contains("Registry") && text.contains("Oyelaran"), "{text}");

            let (exchange, state) = desk.offer(Some(json!({"employee_id": "E-8"}))).await;
            let mut browser = Browser::default();
            let url = desk.push(&[("issuer_state", &state)]).await;
            let away = desk.begin(&mut browser, &url).await;
            let answer = to_wallet(&browser.get(world, &desk.provider.sign_in(&away)).await);
            assert_eq!(answer["error"], "access_denied");
            assert!(answer["error_description"].contains("support code"), "{answer:?}");
            // A support code may look like a claim.
            let told = answer["error_description"].split("(support code").next().expect("a text");
            assert!(!told.contains("E-"), "{answer:?}");
            let records = desk.operator.records(&exchange).await;
            let said = records.iter().any(|record| record.to_string().contains("employee_id"));
            assert!(said, "{records:?}");
        })
        .await;
    }

    /// AUT-11: an offer that was made for one person gives nobody else anything, also when the provider says nothing about what
    /// the organisation gave.
    async fn an_offer_for_one_person_gives_nothing_to_another(backend: Backend) {
        with_private_addresses(backend, async |world| {
            let desk = Desk::open(world).await;
            let given = json!({"employee_id": "E-7", "given_name": "Oyelaran"});
            let (exchange, state) = desk.offer(Some(given)).await;
            let sign_in = async |state: &str, person: Value| {
                desk.provider.set_person(person);
                let mut browser = Browser::default();
                let url = desk.push(&[("issuer_state", state)]).await;
                let away = desk.begin(&mut browser, &url).await;
                browser.get(world, &desk.provider.sign_in(&away)).await
            };
            let silent = sign_in(&state, json!({"sub": "person-1", "family_name": "Other"})).await;
            assert_eq!(to_wallet(&silent)["error"], "access_denied");
            let records = desk.operator.records(&exchange).await;
            assert!(records.iter().any(|record| record["message"] == "sign_in.another_person"), "{records:?}");

            let individual = json!({"individual": {"externalId": "P-1", "iamId": "person-1"}});
            let individual = desk.operator.post("/v2/config/individual", individual).await.ok();
            let entry = &desk.definition["credentialDefinitions"][0];
            let offer = desk.operator.offer_of(json!({
                "issuanceMode": "InTime",
                "individualId": individual["individual"]["id"],
                "credentialDefinitionId": desk.definition["credentialDefinitionId"],
                "credential": {"id": entry["id"], "vct": entry["vct"], "claims": {"department": "Registry"}},
            })).await;
            let opened = world.wallet().open(&offer.link).await;
            let state = opened.offer["grants"]["authorization_code"]["issuer_state"].as_str().expect("a state");
            let names = json!({"given_name": "Oyelaran", "family_name": "Brightwater", "staff_id": "E-7"});
            let person = |sub: &str| {
                let mut person = names.clone();
                person["sub"] = sub.into();
                person
            };
            let answer = to_wallet(&sign_in(state, person("person-2")).await);
            assert_eq!((answer["error"].as_str(), answer.contains_key("code")), ("access_denied", false), "{answer:?}");
            let answer = sign_in(state, person("person-1")).await;
            let consent = answer.header("location").expect("a location").to_owned();
            assert!(consent.contains("/consent?"), "{consent}");
        })
        .await;
    }

    /// A person of whom the provider says too little gets no credential.
    async fn a_mandatory_claim_that_nobody_gives_is_access_denied(backend: Backend) {
        with_private_addresses(backend, async |world| {
            let desk = Desk::open(world).await;
            desk.provider.set_person(json!({"sub": "person-1", "given_name": "Oyelaran"}));
            assert_eq!(desk.failed(|away| desk.provider.sign_in(away)).await["error"], "access_denied");
        })
        .await;
    }

    /// A provider that is away, slow, too talkative, or elsewhere.
    async fn a_provider_that_cannot_be_used_is_told_to_the_wallet(backend: Backend) {
        with_private_addresses(backend, async |world| {
            for (fault, error) in [
                (Fault::Huge(300 * 1024), "server_error"),
                (Fault::Redirect("https://evil.example/".to_owned()), "server_error"),
                (Fault::OtherIssuer, "server_error"),
                (Fault::Silent, "temporarily_unavailable"),
            ] {
                let desk = Desk::open(world).await;
                desk.provider.misbehave(fault.clone());
                let url = desk.push(&[]).await;
                let answer = to_wallet(&Browser::default().get(world, &url).await);
                assert_eq!(answer["error"], error, "{fault:?}");
            }
            let desk = Desk::open(world).await;
            desk.operator.delete(PROVIDER).await;
            let url = desk.push(&[]).await;
            assert_eq!(to_wallet(&Browser::default().get(world, &url).await)["error"], "server_error");
        })
        .await;
    }
}
