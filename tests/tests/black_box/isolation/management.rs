//! The walk over the management face.

use reqwest::Method;

use super::*;

/// The owner's id for a path parameter.
fn owned<'o>(owner: &'o Owner, parameter: &str) -> &'o str {
    match parameter {
        "organisationId" => owner.operator.organisation_id(),
        "sandboxOrgId" => owner.sandbox["sandboxOrgId"].as_str().expect("an id"),
        "apiKeyId" => owner.api_key["id"].as_str().expect("an id"),
        "signingKeyId" => owner.signing_key["id"].as_str().expect("an id"),
        "credentialDefinitionId" => owner.definition_id(),
        "bulkId" => owner.bulk["id"].as_str().expect("an id"),
        "webhookId" => owner.webhook["id"].as_str().expect("an id"),
        "deliveryId" => owner.delivery["id"].as_str().expect("an id"),
        "individualId" => owner.individual["id"].as_str().expect("an id"),
        "credentialExchangeId" => &owner.finished.id,
        "globalConfigurationId" => owner.global_configuration["globalConfigurationId"].as_str().expect("an id"),
        other => panic!("the walk does not know the path parameter {other}"),
    }
}

/// A body that would do something, were the id one's own.
fn body(path: &str, method: &str) -> Option<Value> {
    let resource = path.rsplit_once('}').map_or("", |(_, rest)| rest);
    let body = match (method, resource) {
        ("GET" | "DELETE", _) => return None,
        ("PUT", "/revocation-status") => json!({"revocationStatus": "Revoked"}),
        ("PUT", "/quotas") => json!({"exchangesPerDay": 0}),
        ("PUT", "/state") => json!({"state": "active"}),
        ("PUT", "/certificate-chain") => json!({"certificateChain": ""}),
        (
            "POST",
            "/csr" | "/suspend" | "/resume" | "/cancel" | "/resend" | "/unlock" | "/new-pin" | "/reoffer" | "/confirm"
            | "/pause",
        ) => {
            json!({})
        }
        ("POST", "/deny") => json!({"reason": "Not yours."}),
        ("POST", "/ping") => json!({}),
        ("POST", "/replay") if path.contains("deliveryId") => json!({}),
        ("POST", "/replay") => json!({"since": "2026-01-01T00:00:00Z"}),
        ("PUT", "") if path.contains("webhook") => json!({"webhook": {
            "payloadUrl": "http://127.0.0.1:9/taken-over",
            "contentType": "application/json",
            "subscribedEvents": {"digitalWalletWebhook": ["openid.credential.offer_sent"]},
        }}),
        ("PUT", "") if path.contains("individual") => json!({"individual": {"name": "Mine now"}}),
        ("PUT", "") if path.contains("global-configuration") => json!({"credentialBranding": {"name": "Mine now"}}),
        ("PUT", "/logoimage" | "/coverimage") => json!({}),
        ("PUT", "/sandbox-org") => json!({"sandboxOrgId": ""}),
        ("PUT", "/name") => json!({"name": "Taken over"}),
        ("PUT", "") if path.contains("sandbox-org") => json!({"name": "Taken over"}),
        ("PUT", "") if path.contains("credential-definition") => samples::pid(),
        ("PUT", "") if path.contains("credential/history") => json!({"credential": {"id": UNKNOWN, "claims": {}}}),
        ("PUT", "") if path.contains("organisations") => json!({"name": "Taken over"}),
        other => panic!("the walk does not know what to send to {other:?} of {path}"),
    };
    Some(body)
}

fn filled(path: &str, id: impl Fn(&str) -> String) -> String {
    let segment = |segment: &str| match segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        Some(parameter) => id(parameter),
        None => segment.to_owned(),
    };
    path.split('/').map(segment).collect::<Vec<_>>().join("/")
}

async fn call(operator: &Operator, method: &str, path: &str, body: Option<&Value>) -> Answer {
    let request = operator.request(method.parse::<Method>().expect("a method"), path);
    operator
        .send(match body {
            Some(body) => request.json(body),
            None => request,
        })
        .await
}

on_every_backend! {
    /// By id: every path parameter holds an id of the owner.
    async fn no_operation_reaches_an_id_of_another_organisation(world: &World) {
        let owner = Owner::new(world).await;
        let stranger = Owner::new(world).await.operator;
        let before = world.database.census().await;
        let mut walked = 0;
        for (path, method) in operations(world, "management.json").await {
            if !path.contains('{') {
                continue;
            }
            let body = body(&path, &method);
            let foreign = filled(&path, |parameter| owned(&owner, parameter).to_owned());
            let unknown = filled(&path, |_| UNKNOWN.to_owned());
            let foreign = call(&stranger, &method, &foreign, body.as_ref()).await;
            let unknown = call(&stranger, &method, &unknown, body.as_ref()).await;
            owner.assert_unmentioned(&foreign);
            assert_alike(&foreign, &unknown);
            let expected = if path.starts_with("/v2/platform/") { 401 } else { 404 };
            foreign.problem(expected);
            walked += 1;
        }
        assert!(walked >= 16, "{walked}");
        assert_eq!(world.database.census().await, before);
        owner.assert_unharmed(world).await;
    }

    /// By everything else that names something: bodies, filters, searches.
    async fn no_body_or_filter_reaches_another_organisation(world: &World) {
        let owner = Owner::new(world).await;
        let operator = world.organisation().await;
        let own = operator.define(&samples::staff_badge()).await;
        let before = world.database.census().await;

        let issue = async |definition: &str, entry: &Value, vct: &str| {
            let body = json!({
                "issuanceMode": "InTime",
                "userPin": "",
                "credentialDefinitionId": definition,
                "credential": {"id": entry, "vct": vct, "claims": samples::staff_claims()},
            });
            operator.issue(body).await
        };
        let (entry, vct) = (&owner.definition["credentialDefinitions"][0]["id"], &owner.definition["credentialDefinitions"][0]["vct"]);
        let vct = vct.as_str().expect("a type");
        let own_id = own["credentialDefinitionId"].as_str().expect("an id");
        for (foreign, unknown) in [
            (issue(owner.definition_id(), entry, vct).await, issue(UNKNOWN, entry, vct).await),
            (issue(own_id, entry, "x").await, issue(own_id, &json!(UNKNOWN), "x").await),
            (issue("", &Value::Null, vct).await, issue("", &Value::Null, "urn:nothing").await),
        ] {
            owner.assert_unmentioned(&foreign);
            assert_alike(&foreign, &unknown);
        }
        let issue_to = async |member: &str, value: &Value| {
            let mut body = chancery_tests::platform::issue_body(&own, &samples::staff_claims());
            body[member] = value.clone();
            operator.issue(body).await
        };
        for (member, foreign, unknown) in
            [("individualId", &owner.individual["id"], UNKNOWN), ("mapperId", &owner.individual["externalId"], "nobody")]
        {
            let foreign = issue_to(member, foreign).await;
            owner.assert_unmentioned(&foreign);
            assert_alike(&foreign, &issue_to(member, &json!(unknown)).await);
        }
        let define = async |kid: &Value| {
            let mut body = samples::staff_badge();
            body["kid"] = kid.clone();
            operator.post("/v2/config/digital-wallet/openid/sdjwt/credential-definition", body).await
        };
        assert_alike(&define(&owner.signing_key["kid"]).await, &define(&json!("nobody")).await);
        assert_eq!(world.database.census().await, before);

        for (path, method) in operations(world, "management.json").await {
            if method != "GET" || path.contains('{') || path.starts_with("/v2/platform/") {
                continue;
            }
            // A stream has no end; what it tells is tested with streams.
            if path.ends_with("/history/events") {
                continue;
            }
            for query in [
                String::new(),
                "sortOrder=asc&limit=100".to_owned(),
                format!("search={}", owner.finished.id),
                "search=Zymurgy".to_owned(),
                format!("vct={vct}"),
                format!("credentialDefinitionId={}", owner.definition_id()),
                format!("individualId={}", owner.individual["id"].as_str().expect("an id")),
                "mapperId=Z-99417&externalIndividualId=Z-99417".to_owned(),
            ] {
                let list = operator.get(&format!("{path}?{query}")).await;
                // Not a list: what is not connected is not there. An export is a file.
                if path.ends_with("/export") {
                    assert_eq!(list.status, 200, "{list}");
                } else {
                    let is_absent = ["/identity-provider", "/access-provider"].iter().any(|end| path.ends_with(end));
                    list.expect(if is_absent { 404 } else { 200 });
                }
                owner.assert_unmentioned(&list);
            }
        }
        // What another organisation tried under one idempotency key is not an answer for this one.
        let keyed = async |operator: &Operator, body: &Value| {
            let request = operator.request(Method::POST, chancery_tests::platform::ISSUE);
            operator.send(request.header("idempotency-key", "shared").json(body)).await
        };
        let claims = json!({"given_name": "Xanthippe", "family_name": "Quirinius", "employee_id": "Z-99417"});
        let body = chancery_tests::platform::issue_body(&owner.definition, &claims);
        keyed(&owner.operator, &body).await.ok();
        let replayed = keyed(&operator, &body).await;
        owner.assert_unmentioned(&replayed);
        replayed.problem_at(400, "/credentialDefinitionId");
        owner.assert_unharmed(world).await;
    }
}
