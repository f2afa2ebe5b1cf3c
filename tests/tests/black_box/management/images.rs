//! Logo and cover of a definition.

use chancery_tests::on_every_backend;
use chancery_tests::platform::definition_path;
use chancery_tests::wallet::well_known;
use reqwest::Method;

use super::samples::PNG;
use super::*;

async fn put(operator: &Operator, path: &str, media_type: &str, bytes: &[u8]) -> Answer {
    let request = operator.request(Method::PUT, path).header("content-type", media_type);
    operator.send(request.body(bytes.to_vec())).await
}

on_every_backend! {
    async fn a_logo_is_stored_shown_in_the_metadata_and_served_to_everybody(world: &World) {
        let (operator, definition) = badge(world).await;
        let definition = definition_path(definition["credentialDefinitionId"].as_str().expect("an id"));
        let path = format!("{definition}/logoimage");
        assert_problem(&operator.get(&path).await, 404, "not-found");
        let answer = put(&operator, &path, "image/png", PNG).await.ok();
        let entry = &answer["credentialDefinition"]["credentialDefinitions"][0];
        let url = entry["display"]["logo"]["uri"].as_str().expect("a URL").to_owned();
        assert!(url.starts_with(&format!("{}/images/", operator.issuer())), "{url}");
        assert_eq!(operator.get(&definition).await.ok()["credentialDefinition"], answer["credentialDefinition"]);
        let read = operator.get(&path).await;
        assert_eq!((read.status, read.header("content-type")), (200, Some("image/png")));
        let metadata = world.http().get(&well_known(operator.issuer(), "openid-credential-issuer")).await;
        assert!(metadata.mentions(&url));
        let served = world.http().get(&url).await;
        assert_eq!((served.status, served.header("content-type")), (200, Some("image/png")));
        assert_eq!(served.header("x-content-type-options"), Some("nosniff"));
        let tag = served.header("etag").expect("a tag");
        let again = world.http().request(Method::GET, &url).header("if-none-match", tag);
        assert_eq!(world.http().send(again).await.status, 304);
        let elsewhere = world.organisation().await;
        let stolen = url.replace(operator.issuer(), elsewhere.issuer());
        assert_eq!(world.http().get(&stolen).await.status, 404);
    }

    /// Also where the issuer identifier is an http URL of this machine; other pictures need https.
    async fn a_definition_with_a_logo_can_be_sent_back(world: &World) {
        let (operator, definition) = badge(world).await;
        let mut shown = operator.show_logo(&definition).await;
        let path = definition_path(definition["credentialDefinitionId"].as_str().expect("an id"));
        let again = operator.put(&path, shown.clone()).await.ok()["credentialDefinition"].clone();
        assert_eq!(again["credentialDefinitions"], shown["credentialDefinitions"]);
        for elsewhere in ["http://pictures.example/images/logo", "http://127.0.0.1/logo.png"] {
            shown["credentialDefinitions"][0]["display"]["logo"]["uri"] = json!(elsewhere);
            operator.put(&path, shown.clone()).await.problem_at(400, "/credentialDefinitions/0/display/logo/uri");
        }
    }

    async fn a_cover_is_stored_beside_the_logo(world: &World) {
        let (operator, definition) = badge(world).await;
        let path = definition_path(definition["credentialDefinitionId"].as_str().expect("an id"));
        let cover = put(&operator, &format!("{path}/coverimage"), "image/jpeg", b"\xff\xd8\xff\xe0cover").await;
        let answer = cover.ok();
        let display = &answer["credentialDefinition"]["credentialDefinitions"][0]["display"];
        assert!(display["backgroundImage"]["uri"].as_str().is_some_and(|uri| uri.starts_with("http")));
        assert_eq!(operator.get(&format!("{path}/coverimage")).await.header("content-type"), Some("image/jpeg"));
    }

    async fn what_is_no_picture_is_refused(world: &World) {
        let (operator, definition) = badge(world).await;
        let path = definition_path(definition["credentialDefinitionId"].as_str().expect("an id"));
        let logo = format!("{path}/logoimage");
        let svg = b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>";
        assert_problem(&put(&operator, &logo, "image/png", svg).await, 415, "unsupported-picture");
        assert_problem(&put(&operator, &logo, "image/png", b"{}").await, 415, "unsupported-picture");
        let mut large = PNG.to_vec();
        large.resize(512 * 1024 + 1, 0);
        assert_problem(&put(&operator, &logo, "image/png", &large).await, 413, "payload-too-large");
        let stale = operator.request(Method::PUT, &logo).header("if-match", "\"9\"").header("content-type", "image/png");
        assert_problem(&operator.send(stale.body(PNG)).await, 412, "precondition-failed");
        let unknown = definition_path(UNKNOWN);
        assert_problem(&put(&operator, &format!("{unknown}/logoimage"), "image/png", PNG).await, 404, "not-found");
    }
}
