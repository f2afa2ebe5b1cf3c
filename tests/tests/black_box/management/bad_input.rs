//! Hostile and broken requests: each gets the exact problem, and leaves nothing behind.

use chancery_tests::on_every_backend;
use chancery_tests::platform::{API_KEYS, ISSUE, ORGANISATIONS, issue_body};
use reqwest::Method;

use super::*;

/// Sends bytes as they are.
async fn send(operator: &Operator, path: &str, content_type: Option<&str>, bytes: impl Into<Vec<u8>>) -> Answer {
    let request = operator.request(Method::POST, path).body(bytes.into());
    operator
        .send(match content_type {
            Some(content_type) => request.header("content-type", content_type),
            None => request,
        })
        .await
}

const JSON: Option<&str> = Some("application/json");
const WITH_BODY: [&str; 3] = [DEFINITION, ISSUE, API_KEYS];

on_every_backend! {
    async fn what_is_not_a_json_object_is_refused(world: &World) {
        let (operator, _) = badge(world).await;
        let before = world.database.census().await;
        let mut bodies: Vec<Vec<u8>> = [
            "",
            " ",
            "{",
            "}",
            "{]",
            "[]",
            "[{}]",
            "null",
            "7",
            "\"text\"",
            "{'issuanceMode': 'InTime'}",
            "{\"issuanceMode\": \"InTime\",}",
            "{\"issuanceMode\": \"InTime\"} {}",
            "{\"issuanceMode\": NaN}",
            "{\"issuanceMode\": 1e999}",
            "{\"issuanceMode\": \"\\ud800\"}",
            "{\"issuanceMode\": \"a\u{1}b\"}",
            "{\"issuanceMode\" \"InTime\"}",
            "// comment\n{}",
            "issuanceMode=InTime",
            "\u{feff}{}",
        ]
        .map(Vec::from)
        .to_vec();
        bodies.push(vec![0xff, 0xfe, b'{', b'}']);
        bodies.push(b"{\"issuanceMode\": \"\xc3\x28\"}".to_vec());
        bodies.push(b"{\"a\":".repeat(100_000));
        bodies.push(b"[".repeat(500_000));
        for path in WITH_BODY {
            for body in &bodies {
                let answer = send(&operator, path, JSON, body.clone()).await;
                let shown = String::from_utf8_lossy(&body[..body.len().min(60)]);
                assert_eq!(answer.status, 400, "{path} {shown}: {answer}");
                assert_problem(&answer, 400, "malformed-json");
            }
        }
        assert_eq!(world.database.census().await, before);
    }

    /// Two members of one name would mean one thing to us and another to who logged or signed the request.
    async fn a_member_that_occurs_twice_is_refused(world: &World) {
        let (operator, definition) = badge(world).await;
        let body = issue_body(&definition, &samples::staff_claims()).to_string();
        let twice = format!("{{\"userPin\":\"1234\",{}", &body[1..]);
        let nested = body.replacen("{\"given_name\"", "{\"given_name\":\"Other\",\"given_name\"", 1);
        assert_ne!(nested, body);
        for body in [twice, nested] {
            let answer = send(&operator, ISSUE, JSON, body).await;
            assert_eq!(answer.status, 400, "{answer}");
            answer.problem(400);
        }
        assert_eq!(operator.get(HISTORY).await.ok()["pagination"]["totalItems"], 0);
    }

    async fn a_body_that_is_not_declared_as_json_is_refused(world: &World) {
        let (operator, definition) = badge(world).await;
        let body = issue_body(&definition, &samples::staff_claims()).to_string();
        for content_type in [
            None,
            Some("text/plain"),
            Some("application/x-www-form-urlencoded"),
            Some("multipart/form-data; boundary=x"),
            Some("application/jsonp"),
            Some("text/json"),
            Some("application/xml"),
        ] {
            let answer = send(&operator, ISSUE, content_type, body.clone()).await;
            assert_problem(&answer, 415, "unsupported-media-type");
        }
        send(&operator, ISSUE, Some("application/json; charset=utf-8"), body.clone()).await.ok();
        send(&operator, ISSUE, Some("Application/JSON"), body).await.ok();
    }

    /// 1 MiB is the limit, whether the length is announced or not.
    async fn a_body_above_one_mebibyte_is_refused(world: &World) {
        let (operator, definition) = badge(world).await;
        let mut body = issue_body(&definition, &samples::staff_claims());
        body["credential"]["vendorExtension"] = "".into();
        body["credential"]["vendorExtension"] = "x".repeat(1024 * 1024 - body.to_string().len()).into();
        let fits = body.to_string();
        assert_eq!(fits.len(), 1024 * 1024);
        send(&operator, ISSUE, JSON, fits.clone()).await.ok();
        let before = world.database.census().await;
        for path in WITH_BODY {
            let answer = send(&operator, path, JSON, format!("{fits} ")).await;
            assert_problem(&answer, 413, "payload-too-large");
            // A client that is still sending may see the connection end before it reads the answer.
            let request = operator.request(Method::POST, path).header("content-type", "application/json");
            if let Ok(answer) = world.http().try_send(request.body(vec![b' '; 20 << 20])).await {
                assert_problem(&answer, 413, "payload-too-large");
            }
        }
        operator.get(HISTORY).await.ok();
        assert_eq!(world.database.census().await, before);
    }

    /// PostgreSQL stores no NUL character: it must be refused at the door, not in the database.
    async fn a_nul_character_is_refused_or_kept_where_it_is_sealed(world: &World) {
        let operator = world.organisation().await;
        let nul = "a\u{0}bcd";
        let mut label = samples::staff_badge();
        label["label"] = nul.into();
        operator.post(DEFINITION, label).await.problem_at(400, "/label");
        let mut vct = samples::staff_badge();
        vct["credentialDefinitions"][0]["vct"] = nul.into();
        operator.post(DEFINITION, vct).await.problem_at(400, "/credentialDefinitions/0/vct");
        let mut name = samples::staff_badge();
        name["credentialDefinitions"][0]["display"]["name"] = nul.into();
        operator.post(DEFINITION, name).await.problem_at(400, "/credentialDefinitions/0/display/name");
        operator.post(API_KEYS, json!({"name": nul, "role": "issuer"})).await.problem_at(400, "/name");
        let organisation = json!({"slug": "slug", "name": nul});
        world.platform().post(ORGANISATIONS, organisation).await.problem_at(400, "/name");
        let mut path = samples::staff_badge();
        path["credentialDefinitions"][0]["claims"]["claims"][0]["path"] = json!([nul]);
        let answer = operator.post(DEFINITION, path).await;
        assert!(matches!(answer.status, 200 | 400), "{answer}");

        // Claims are sealed as a whole, so every text can be one.
        let definition = operator.define(&samples::staff_badge()).await;
        let mut claims = samples::staff_claims();
        claims["given_name"] = nul.into();
        let answer = operator.issue(issue_body(&definition, &claims)).await;
        if answer.status != 200 {
            answer.problem_at(400, "/credential/claims/given_name");
            return;
        }
        let link = answer.ok()["credentialHistory"]["credentialOffer"].as_str().expect("a link").to_owned();
        let credential = world.wallet().accept(&link).await.credential;
        assert_eq!(chancery_tests::sd_jwt::parts(&credential).disclosed["given_name"], nul);
    }

    /// What a problem says about itself: no cache, no sniffing, its path, the caller's request id.
    async fn every_problem_has_the_same_frame(world: &World) {
        let operator = world.organisation().await;
        for (method, path, status) in [
            (Method::GET, "/v2/config/nothing", 404),
            (Method::GET, "/v3/config/digital-wallet/openid", 404),
            (Method::PATCH, DEFINITION, 405),
            (Method::GET, ISSUE, 405),
            (Method::DELETE, DEFINITIONS, 405),
            (Method::GET, "/v2/config/digital-wallet/openid/sdjwt/credential/history?limit=0", 400),
            (Method::POST, ISSUE, 400),
        ] {
            let request = operator.request(method.clone(), path).header("x-request-id", "trace-1.a").json(&json!({}));
            let answer = operator.send(request).await;
            let problem = answer.problem(status);
            assert_eq!(problem["instance"], path.split('?').next().expect("a path"), "{answer}");
            assert_eq!((&problem["errorCode"], &problem["errorDescription"]), (&json!(status), &problem["detail"]));
            assert_eq!(answer.header("cache-control"), Some("no-store"));
            assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
            assert_eq!(answer.header("x-request-id"), Some("trace-1.a"));
            assert_eq!(answer.header("allow").is_some(), status == 405, "{answer}");
            let page = format!("{}{}", world.management_url(), problem["type"].as_str().expect("a type"));
            assert_eq!(world.http().get(&page).await.status, 200, "{page}");
        }
        let hostile = operator.request(Method::GET, DEFINITIONS).header("x-request-id", "a b\"{}<script>");
        let answer = operator.send(hostile).await;
        assert!(answer.header("x-request-id").is_some_and(|id| uuid::Uuid::parse_str(id).is_ok()), "{answer}");
    }

    /// Hostile values come back in no answer and break no statement.
    async fn hostile_texts_are_stored_as_texts(world: &World) {
        let operator = world.organisation().await;
        for text in [
            "'; DROP TABLE organisation; --",
            "\"><script>alert(1)</script>",
            "${jndi:ldap://x}",
            "%s%n%x{}{{}}",
            "\u{202e}\u{feff}🏳️‍🌈 ẍ̶",
            "..\\..\\/etc/passwd",
        ] {
            let mut body = samples::staff_badge();
            body["label"] = text.into();
            body["credentialDefinitions"][0]["display"]["name"] = text.into();
            let created = operator.post(DEFINITION, body).await.ok();
            assert_eq!(created["credentialDefinition"]["label"], text.trim());
            let id = created["credentialDefinition"]["credentialDefinitionId"].as_str().expect("an id");
            let read = operator.get(&chancery_tests::platform::definition_path(id)).await.ok();
            assert_eq!(read, created);
        }
        world.organisation().await;
    }
}
