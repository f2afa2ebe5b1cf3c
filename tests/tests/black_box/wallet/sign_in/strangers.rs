//! Wallets that nobody registered: anybody may send a browser here with a redirect URI of their own (RFC 9700 §4.11.2).

use super::*;

const UNREADABLE: &str = "Your wallet&#39;s request could not be read";
const FAILED: &str = "Signing in did not work";

on_every_backend! {
    /// PAR-6: a definition may demand what the organisation does not.
    async fn a_definition_may_demand_that_requests_are_pushed(backend: Backend) {
        with_private_addresses(backend, async |world| {
            let desk = Desk::open(world).await;
            let mut browser = Browser::default();
            desk.begin(&mut browser, &desk.plain(&[])).await;
            let mut body = desk.definition.clone();
            body["enforcePAR"] = true.into();
            let id = body["credentialDefinitionId"].as_str().expect("an id").to_owned();
            desk.operator.put(&chancery_tests::platform::definition_path(&id), body).await.ok();
            let refused = to_wallet(&browser.get(world, &desk.plain(&[])).await);
            assert_eq!(refused["error"], "invalid_request");
            assert!(refused["error_description"].starts_with("push the request first"), "{refused:?}");
            desk.begin(&mut browser, &desk.push(&[]).await).await;
        })
        .await;
    }

    /// AUT-14, AUT-16: a link alone sends nobody to an address that nobody registered, whatever is wrong with it.
    async fn a_redirect_uri_that_is_not_registered_gets_no_error_of_a_link(backend: Backend) {
        with_private_addresses(backend, async |world| {
            let desk = Desk::under(world, json!({})).await;
            let mut browser = Browser::default();
            let good = desk.plain(&[]);
            for wrong in [
                good.replace("response_type=code", "response_type=token"),
                good.replace("S256", "plain"),
                good.replace("openid_credential", "other"),
                desk.plain(&[("resource", "https://other.example")]),
                desk.plain(&[("request", "a.b.c")]),
                desk.plain(&[("issuer_state", "nothing")]),
            ] {
                assert_page(&browser.get(world, &wrong).await, UNREADABLE);
            }
            let policy = json!({"policy": {"pushedAuthorization": "require"}});
            let path = format!("/v2/platform/organisations/{}", desk.operator.organisation_id());
            world.platform().put(&path, policy).await.ok();
            assert_page(&browser.get(world, &good).await, UNREADABLE);
            // A registered client, and another redirect URI than its own.
            let policy = json!({"policy": {"clients": clients()}});
            world.platform().put(&path, policy).await.ok();
            let foreign = good.replace("wallet.example", "evil.example");
            assert_page(&browser.get(world, &foreign).await, UNREADABLE);
        })
        .await;
    }

    /// Anybody can push a request, too: until the person has signed in or said no, the browser stays here.
    async fn a_pushed_request_of_a_stranger_sends_nobody_on_before_they_answered(backend: Backend) {
        with_private_addresses(backend, async |world| {
            let desk = Desk::under(world, json!({})).await;
            let begun = async |desk: &Desk<'_>, back: &dyn Fn(&str) -> String| {
                let mut browser = Browser::default();
                let url = desk.push(&[]).await;
                let back = back(&desk.begin(&mut browser, &url).await);
                browser.get(world, &back).await
            };
            assert_page(&begun(&desk, &|away| desk.provider.refuse(away, "invalid_scope")).await, FAILED);
            assert_page(&begun(&desk, &|away| desk.provider.sign_in(away).replace("iss=", "iss=x")).await, FAILED);
            let refused = begun(&desk, &|away| desk.provider.refuse(away, "access_denied")).await;
            assert_eq!(to_wallet(&refused)["error"], "access_denied", "the person said no");

            let mut browser = Browser::default();
            let page = desk.arrive(&mut browser, &[]).await;
            assert_eq!(to_wallet(&desk.decide(&mut browser, &page, "cancel").await)["error"], "access_denied");
            let page = desk.arrive(&mut browser, &[]).await;
            assert!(to_wallet(&desk.decide(&mut browser, &page, "continue").await).contains_key("code"));
            desk.provider.set_person(json!({"sub": "person-1", "given_name": "Oyelaran"}));
            let unfit = begun(&desk, &|away| desk.provider.sign_in(away)).await;
            assert_eq!(to_wallet(&unfit)["error"], "access_denied", "the person has signed in");

            desk.operator.delete(PROVIDER).await;
            let url = desk.push(&[]).await;
            assert_page(&browser.get(world, &url).await, FAILED);
        })
        .await;
    }
}
