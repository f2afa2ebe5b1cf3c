//! What the issue call refuses, by place, before anything is written.

use chancery_tests::on_every_backend;
use chancery_tests::platform::{ISSUE, issue_body};

use super::*;

on_every_backend! {
    async fn a_wrong_issue_request_is_refused_by_its_place(world: &World) {
        let (operator, definition) = badge(world).await;
        let before = world.database.census().await;
        for (pointer, changes) in [
            ("/issuanceMode", json!({"issuanceMode": null})),
            ("/issuanceMode", json!({"issuanceMode": "intime"})),
            ("/issuanceMode", json!({"issuanceMode": 1})),
            ("/credential", json!({"credential": null})),
            ("/credential", json!({"credential": "claims"})),
            ("/credential", json!({"credential": []})),
            ("/credentialDefinitionId", json!({"credentialDefinitionId": UNKNOWN})),
            ("/credentialDefinitionId", json!({"credentialDefinitionId": "badge"})),
            ("/credentialDefinitionId", json!({"credentialDefinitionId": 7})),
            ("/urlScheme", json!({"urlScheme": "https://wallet.example/"})),
            ("/urlScheme", json!({"urlScheme": "haip"})),
            ("/urlScheme", json!({"urlScheme": "openid-credential-offer://?x="})),
            ("/urlScheme", json!({"urlScheme": "javascript:alert(1)//"})),
            ("/requireKeyAttestation", json!({"requireKeyAttestation": "yes"})),
            // Misspelt, it would change the grant without a word.
            ("/userpin", json!({"userpin": "1234"})),
            ("/txCode", json!({"txCode": "1234"})),
        ] {
            let mut body = issue_body(&definition, &samples::staff_claims());
            for (name, value) in changes.as_object().expect("members") {
                body[name] = value.clone();
            }
            operator.issue(body).await.problem_at(400, pointer);
        }
        operator.issue(json!({})).await.problem_at(400, "/issuanceMode");
        assert_eq!(world.database.census().await, before);
    }

    /// Combinations that the contract excludes (management API contract).
    async fn excluded_combinations_are_refused(world: &World) {
        let (operator, definition) = badge(world).await;
        for (pointer, changes) in [
            ("/userPin", json!({"presentationDefinitionId": "018f0000-0000-7000-8000-000000000001"})),
            ("/userPin", json!({"presentationDefinitionId": "018f0000-0000-7000-8000-000000000001", "userPin": "1234"})),
            ("/mapperId", json!({"individualId": "i", "mapperId": "m"})),
            (
                "/transactionData",
                json!({"transactionData": {"payment_data": {"payee": "p"}}, "credentialDefinitionId": null}),
            ),
            ("/credentials", json!({"credentials": [{"claims": {}}]})),
        ] {
            let mut body = issue_body(&definition, &samples::staff_claims());
            for (name, value) in changes.as_object().expect("members") {
                body[name] = value.clone();
            }
            operator.issue(body).await.problem_at(400, pointer);
        }
    }

    /// Members of the contract whose function is not there must not be ignored: something else would be issued than was
    /// asked for. Their empty values ask for nothing.
    async fn members_without_a_function_are_refused_unless_empty(world: &World) {
        let (operator, definition) = badge(world).await;
        for (member, value) in [
            ("credentialDefinitionUri", json!("https://schemas.example/1")),
            ("transactionData", json!({"payload": {"a": 1}})),
            ("signatureStamp", json!({"page": 1})),
            ("signatureCoordinate", json!({"x": 1})),
        ] {
            let mut body = issue_body(&definition, &samples::staff_claims());
            body[member] = value.clone();
            operator.issue(body.clone()).await.problem_at(400, &format!("/{member}"));
            body[member] = if value.is_string() { json!("") } else { json!({}) };
            operator.issue(body).await.ok();
        }
    }

    /// Claims are checked against the description before an offer exists.
    async fn claims_that_do_not_fit_the_definition_are_refused_by_their_place(world: &World) {
        let operator = world.organisation().await;
        let definition = operator.define(&samples::pid()).await;
        let before = world.database.census().await;
        let mut deep = json!("x");
        for _ in 0..40 {
            deep = json!({"a": deep});
        }
        for (pointer, changes) in [
            ("/credential/claims/family_name", json!({"family_name": null})),
            ("/credential/claims/birthdate", json!({"birthdate": null})),
            ("/credential/claims/nationalities", json!({"nationalities": null})),
            ("/credential/claims/shoe_size", json!({"shoe_size": 44})),
            ("/credential/claims/address/street", json!({"address": {"street": "Rue"}})),
            ("/credential/claims/_sd", json!({"_sd": ["x"]})),
            ("/credential/claims/_sd_alg", json!({"_sd_alg": "sha-256"})),
            ("/credential/claims/given_name/...", json!({"given_name": {"...": "x"}})),
            ("/credential/claims/iss", json!({"iss": "https://elsewhere.example"})),
            ("/credential/claims/exp", json!({"exp": 4_102_444_800_u64})),
            ("/credential/claims/cnf", json!({"cnf": {"jwk": {}}})),
            ("/credential/claims/vct", json!({"vct": "urn:other"})),
            ("/credential/claims/status", json!({"status": {}})),
            ("/credential/claims/a~1b~0c", json!({"a/b~c": 1})),
        ] {
            let mut claims = samples::pid_claims();
            for (name, value) in changes.as_object().expect("members") {
                claims[name] = value.clone();
            }
            let answer = operator.issue(issue_body(&definition, &claims)).await;
            answer.problem_at(400, pointer);
            for value in ["Nkemelu", "1987-11-02", "elsewhere.example"] {
                assert!(!answer.mentions(value), "a claim value in {answer}");
            }
        }
        let mut claims = samples::pid_claims();
        claims["given_name"] = deep;
        operator.issue(issue_body(&definition, &claims)).await.problem(400);
        claims["given_name"] = json!(vec![0; 5000]);
        operator.issue(issue_body(&definition, &claims)).await.problem_at(400, "/credential/claims");
        operator.issue(issue_body(&definition, &json!([]))).await.problem_at(400, "/credential/claims");
        operator.issue(issue_body(&definition, &Value::Null)).await.problem_at(400, "/credential/claims");
        assert_eq!(world.database.census().await, before);
    }

    /// The carriers of other formats are refused by name.
    async fn members_of_other_formats_are_refused(world: &World) {
        let (operator, definition) = badge(world).await;
        for (member, value) in [
            ("type", json!(["VerifiableCredential"])),
            ("credentialSubject", json!({"given_name": "Ilse"})),
            ("doctype", json!("org.iso.18013.5.1.mDL")),
            ("vct", json!("https://types.example/other")),
            ("id", json!(UNKNOWN)),
            ("id", json!(7)),
            ("claims", json!("claims")),
            ("credentialMetadata", json!("A-17")),
        ] {
            let mut body = issue_body(&definition, &samples::staff_claims());
            body["credential"][member] = value;
            operator.issue(body).await.problem_at(400, &format!("/credential/{member}"));
        }
        let before = world.database.census().await;
        // A definition or entry of somebody else is nobody's.
        let (_, foreign) = badge(world).await;
        let census = world.database.census().await;
        assert_ne!(before, census);
        let request = operator.request(reqwest::Method::POST, ISSUE).json(&issue_body(&foreign, &samples::staff_claims()));
        operator.send(request).await.problem_at(400, "/credentialDefinitionId");
        let mut body = issue_body(&definition, &samples::staff_claims());
        body["credential"]["id"] = foreign["credentialDefinitions"][0]["id"].clone();
        operator.issue(body).await.problem_at(400, "/credential/id");
        assert_eq!(world.database.census().await, census);
    }
}
