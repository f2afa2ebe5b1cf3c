//! The authorization endpoint, signing in at the organisation's provider, and the consent page, as a browser sees them.

use std::collections::HashMap;

use chancery_tests::key::{base64url, random, sha256};
use chancery_tests::{Answer, Backend, Damage, Fault, IdentityProvider, Options, on_every_backend};
use reqwest::Method;
use url::Url;

use super::*;

mod consent;
mod fetched;
mod impostor;
mod mix_up;
mod provider;
mod strangers;

const PROVIDER: &str = "/v2/config/digital-wallet/openid/identity-provider";
const REDIRECT: &str = "https://wallet.example/cb?kept=1";

/// An organisation with a provider and a badge whose names come from there.
struct Desk<'w> {
    world: &'w World,
    operator: Operator,
    provider: IdentityProvider,
    definition: Value,
}

/// A browser with its cookies.
#[derive(Clone, Default)]
struct Browser {
    cookies: HashMap<String, String>,
    language: Option<&'static str>,
}

impl Browser {
    async fn send(&mut self, world: &World, method: Method, url: &str, form: Option<&[(&str, &str)]>) -> Answer {
        let mut request = world.http().request(method, url);
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            request = request.header("cookie", cookies.join("; "));
        }
        if let Some(language) = self.language {
            request = request.header("accept-language", language);
        }
        if let Some(form) = form {
            let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
            request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
        }
        let answer = world.http().send(request).await;
        if let Some(cookie) = answer.header("set-cookie") {
            let (name, rest) = cookie.split_once('=').expect("a cookie");
            self.cookies.insert(name.to_owned(), rest.split(';').next().unwrap_or_default().to_owned());
        }
        answer
    }

    async fn get(&mut self, world: &World, url: &str) -> Answer {
        self.send(world, Method::GET, url, None).await
    }
}

impl<'w> Desk<'w> {
    /// Where the wallet is registered.
    async fn open(world: &'w World) -> Self {
        Self::under(world, json!({ "clients": clients() })).await
    }

    async fn under(world: &'w World, policy: Value) -> Self {
        let operator = world.platform().organisation(json!({ "policy": policy })).await;
        let provider = IdentityProvider::start(&world.env).await;
        let connection = json!({"issuer": provider.issuer(), "clientId": "chancery", "clientSecret": "s3cret"});
        operator.put(PROVIDER, connection).await.ok();
        provider.set_person(json!({
            "sub": "person-1", "given_name": "Oyelaran", "family_name": "Brightwater", "staff_id": "E-7",
        }));
        let mut badge = samples::staff_badge();
        badge["credentialDefinitions"][0]["identityMapping"] = json!([
            {"claim": ["given_name"], "from": ["given_name"]},
            {"claim": ["family_name"], "from": ["family_name"]},
            {"claim": ["employee_id"], "from": ["staff_id"]},
        ]);
        badge["credentialDefinitions"][0]["claims"]["claims"][0]["display"] =
            json!([{"name": "First name", "locale": "en"}, {"name": "Vorname", "locale": "de"}]);
        let definition = operator.define(&badge).await;
        Self { world, operator, provider, definition }
    }

    fn url(&self, endpoint: &str) -> String {
        format!("{}{endpoint}", self.operator.issuer())
    }

    fn configuration(&self) -> &str {
        self.definition["credentialDefinitions"][0]["credentialConfigurationId"].as_str().expect("an id")
    }

    /// An offer of the authorization code flow; its exchange and its `issuer_state`.
    async fn offer(&self, claims: Option<Value>) -> (String, String) {
        let entry = &self.definition["credentialDefinitions"][0];
        let mut body = json!({
            "issuanceMode": "InTime",
            "credentialDefinitionId": self.definition["credentialDefinitionId"],
            "credential": {"id": entry["id"], "vct": entry["vct"]},
        });
        if let Some(claims) = claims {
            body["credential"]["claims"] = claims;
        }
        let offer = self.operator.offer_of(body).await;
        let opened = self.world.wallet().open(&offer.link).await;
        let state = opened.offer["grants"]["authorization_code"]["issuer_state"].as_str().expect("a state").to_owned();
        (offer.id, state)
    }

    /// Pushes a request and answers the URL that the wallet opens in the browser.
    async fn push(&self, extra: &[(&str, &str)]) -> String {
        let mut form = self.request();
        form.extend(extra.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = self.world.http().request(Method::POST, &self.url("/par"));
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
        let pushed = self.world.http().send(request).await.created();
        let request_uri = pushed["request_uri"].as_str().expect("a request_uri");
        self.authorize("wallet-dev", request_uri)
    }

    /// The same request with its parameters in the URL.
    fn plain(&self, extra: &[(&str, &str)]) -> String {
        let mut form = self.request();
        form.extend(extra.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        format!("{}?{query}", self.url("/authorize"))
    }

    fn request(&self) -> Vec<(String, String)> {
        let details = json!([{"type": "openid_credential", "credential_configuration_id": self.configuration()}]);
        let challenge = base64url(&sha256("v".repeat(43).as_bytes()));
        let members = [
            ("client_id", "wallet-dev"),
            ("response_type", "code"),
            ("redirect_uri", REDIRECT),
            ("state", "st&1"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
            ("authorization_details", &details.to_string()),
        ];
        members.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
    }

    fn authorize(&self, client_id: &str, request_uri: &str) -> String {
        let mut url = Url::parse(&self.url("/authorize")).expect("a URL");
        url.query_pairs_mut().append_pair("client_id", client_id).append_pair("request_uri", request_uri);
        url.into()
    }

    /// Opens the authorization URL; answers where the provider is.
    async fn begin(&self, browser: &mut Browser, url: &str) -> String {
        let answer = browser.get(self.world, url).await;
        assert_eq!(answer.status, 303, "{answer}");
        answer.header("location").expect("a location").to_owned()
    }

    /// Comes back from the provider; answers the consent page.
    async fn consent(&self, browser: &mut Browser, back: &str) -> (String, Answer) {
        let answer = browser.get(self.world, back).await;
        assert_eq!(answer.status, 303, "{answer}");
        let url = answer.header("location").expect("a location").to_owned();
        let page = browser.get(self.world, &url).await;
        assert_eq!(page.status, 200, "{page}");
        (url, page)
    }

    /// All the way to the consent page.
    async fn arrive(&self, browser: &mut Browser, extra: &[(&str, &str)]) -> Answer {
        let url = self.push(extra).await;
        let away = self.begin(browser, &url).await;
        self.consent(browser, &self.provider.sign_in(&away)).await.1
    }

    async fn decide(&self, browser: &mut Browser, page: &Answer, decision: &str) -> Answer {
        let page = page.text();
        let (request, proof) = (hidden(&page, "request"), hidden(&page, "proof"));
        let form = [("request", request.as_str()), ("proof", proof.as_str()), ("decision", decision)];
        browser.send(self.world, Method::POST, &self.url("/consent"), Some(&form)).await
    }

    /// Where the browser is sent when signing in fails.
    async fn failed(&self, back: impl FnOnce(&str) -> String) -> HashMap<String, String> {
        let mut browser = Browser::default();
        let url = self.push(&[]).await;
        let away = self.begin(&mut browser, &url).await;
        let back = back(&away);
        to_wallet(&browser.get(self.world, &back).await)
    }
}

/// The wallet of these tests, registered with its redirect URI.
fn clients() -> Value {
    json!({"registered": [{"clientId": "wallet-dev", "redirectUris": [REDIRECT]}]})
}

/// The value of a hidden field.
fn hidden(page: &str, name: &str) -> String {
    let marker = format!("name=\"{name}\" value=\"");
    let (_, rest) = page.split_once(&marker).unwrap_or_else(|| panic!("no {name} in {page}"));
    rest.split('"').next().unwrap_or_default().to_owned()
}

/// The parameters of an answer to the wallet.
fn to_wallet(answer: &Answer) -> HashMap<String, String> {
    assert_eq!(answer.status, 303, "{answer}");
    let location = answer.header("location").expect("a location");
    assert!(location.starts_with(&format!("{REDIRECT}&")), "{location}");
    let parameters: HashMap<String, String> = Url::parse(location).expect("a URL").query_pairs().into_owned().collect();
    assert_eq!(parameters["state"], "st&1");
    parameters
}

fn assert_page(answer: &Answer, title: &str) {
    assert_eq!(answer.status, 400, "{answer}");
    assert!(answer.header("location").is_none());
    assert!(answer.text().contains(&format!("<h1>{title}</h1>")), "{title}: {}", answer.text());
}

const LINK: &str = "This link no longer works";
const BROWSER: &str = "Please continue in the browser you started in";
const DECIDED: &str = "You have already decided";

async fn with_private_addresses(backend: Backend, behaviour: impl AsyncFnOnce(&World)) {
    let environment = [("CHANCERY_OUTBOUND_ADDRESSES".to_owned(), "any".to_owned())].into();
    World::run_with(backend, Options { environment, ..Options::default() }, behaviour).await;
}

on_every_backend! {
    /// AUT-13, AUT-16, AUT-17: sign in, see what goes into the credential, continue, and the wallet has a code.
    async fn a_person_signs_in_and_consents(backend: Backend) {
        with_private_addresses(backend, async |world| {
            let desk = Desk::open(world).await;
            let mut browser = Browser::default();
            let page = desk.arrive(&mut browser, &[]).await;
            let text = page.text();
            for shown in ["First name", "Oyelaran", "Family name", "Brightwater", "E-7", "Staff badge", "wallet-dev", "wallet.example"] {
                assert!(text.contains(shown), "{shown} in {text}");
            }
            assert!(text.starts_with("<!doctype html>") && text.contains("<html lang=\"en\">"));
            assert!(!text.contains("<script"));
            let policy = page.header("content-security-policy").expect("a policy");
            for rule in ["default-src 'none'", "form-action 'self' https://wallet.example;", "frame-ancestors 'none'", "base-uri 'none'"] {
                assert!(policy.contains(rule), "{rule} in {policy}");
            }
            for (name, value) in [("cache-control", "no-store"), ("referrer-policy", "no-referrer"), ("x-frame-options", "DENY"), ("x-content-type-options", "nosniff")] {
                assert_eq!(page.header(name), Some(value), "{name}");
            }
            assert_eq!(page.header("access-control-allow-origin"), None);

            let answer = to_wallet(&desk.decide(&mut browser, &page, "continue").await);
            assert_eq!(answer["iss"], desk.operator.issuer());
            assert_eq!(answer["code"].len(), 75);
            assert!(!world.gives_away(&answer["code"]).await);
            assert!(!world.gives_away("Brightwater").await);
        })
        .await;
    }

    /// The page speaks the language of the person, and so do the names of the claims.
    async fn the_consent_page_is_in_the_language_of_the_person(backend: Backend) {
        with_private_addresses(backend, async |world| {
            let desk = Desk::open(world).await;
            let mut browser = Browser { language: Some("fr;q=0.3, de-AT"), ..Browser::default() };
            let text = desk.arrive(&mut browser, &[]).await.text();
            for shown in ["<html lang=\"de\">", "Vorname", "Fortfahren", "Abbrechen"] {
                assert!(text.contains(shown), "{shown} in {text}");
            }
        })
        .await;
    }

    /// AUT-14: the person says no.
    async fn cancelling_is_access_denied(backend: Backend) {
        with_private_addresses(backend, async |world| {
            let desk = Desk::open(world).await;
            let (exchange, state) = desk.offer(None).await;
            let mut browser = Browser::default();
            let page = desk.arrive(&mut browser, &[("issuer_state", &state)]).await;
            let answer = to_wallet(&desk.decide(&mut browser, &page, "cancel").await);
            assert_eq!((answer["error"].as_str(), answer["iss"].as_str()), ("access_denied", desk.operator.issuer()));
            assert!(!answer.contains_key("code"));
            assert_page(&desk.decide(&mut browser, &page, "continue").await, DECIDED);
            let events = desk.operator.events(&exchange).await;
            assert!(events.iter().any(|event| event.to_string().contains("consent_refused")), "{events:?}");
        })
        .await;
    }

    /// The page again, the answer of the provider again, the form after it was cancelled: nothing happens twice.
    async fn nothing_of_the_front_channel_works_twice(backend: Backend) {
        with_private_addresses(backend, async |world| {
            let desk = Desk::open(world).await;
            let mut browser = Browser::default();
            let url = desk.push(&[]).await;
            // A link preview, or the person going back, uses nothing up.
            desk.begin(&mut Browser::default(), &url).await;
            let away = desk.begin(&mut browser, &url).await;
            let back = desk.provider.sign_in(&away);
            let (consent, page) = desk.consent(&mut browser, &back).await;
            assert_page(&browser.get(world, &back).await, LINK);
            assert_page(&browser.get(world, &url).await, LINK);
            assert_eq!(browser.get(world, &consent).await.status, 200, "reloading the page changes nothing");
            assert_eq!(to_wallet(&desk.decide(&mut browser, &page, "cancel").await)["error"], "access_denied");
            for decision in ["continue", "cancel"] {
                assert_page(&desk.decide(&mut browser, &page, decision).await, DECIDED);
            }
            assert_page(&browser.get(world, &consent).await, DECIDED);
        })
        .await;
    }

    /// RFC 9700 §4.7: whoever gets hold of a link, or sends it to a victim, cannot go on with it.
    async fn another_browser_cannot_go_on(backend: Backend) {
        with_private_addresses(backend, async |world| {
            let desk = Desk::open(world).await;
            let mut browser = Browser::default();
            let url = desk.push(&[]).await;
            let away = desk.begin(&mut browser, &url).await;
            let back = desk.provider.sign_in(&away);
            let mut stranger = Browser::default();
            assert_page(&stranger.get(world, &back).await, BROWSER);
            let other = desk.push(&[]).await;
            desk.begin(&mut stranger, &other).await;
            assert_page(&stranger.get(world, &back).await, BROWSER);
            let (front, state) = away.split_once("state=").expect("a state");
            let forged = format!("{}state={}", front, if state.starts_with('A') { "B" } else { "A" }) + &state[1..];
            assert_page(&browser.get(world, &desk.provider.sign_in(&forged)).await, LINK);
            // It changed nothing for the one who began.
            let (consent, page) = desk.consent(&mut browser, &back).await;
            assert_page(&stranger.get(world, &consent).await, LINK);
            assert_page(&desk.decide(&mut stranger, &page, "continue").await, LINK);
            to_wallet(&desk.decide(&mut browser, &page, "continue").await);
        })
        .await;
    }

    /// A form of another site has no proof.
    async fn a_forged_form_is_refused(backend: Backend) {
        with_private_addresses(backend, async |world| {
            let desk = Desk::open(world).await;
            let mut browser = Browser::default();
            let page = desk.arrive(&mut browser, &[]).await;
            let request = hidden(&page.text(), "request");
            let consent = desk.url("/consent");
            let proof = hidden(&page.text(), "proof");
            for form in [
                vec![("request", request.as_str()), ("decision", "continue")],
                vec![("request", request.as_str()), ("decision", "continue"), ("proof", "AAAA")],
                vec![("request", request.as_str()), ("proof", proof.as_str())],
                vec![("request", request.as_str()), ("proof", proof.as_str()), ("decision", "maybe")],
            ] {
                assert_page(&browser.send(world, Method::POST, &consent, Some(&form)).await, LINK);
            }
            to_wallet(&desk.decide(&mut browser, &page, "continue").await);
        })
        .await;
    }

    /// Two tabs with two requests do not meet; two clicks both lead back to the wallet.
    async fn tabs_and_clicks_do_not_meet(backend: Backend) {
        with_private_addresses(backend, async |world| {
            let desk = Desk::open(world).await;
            let mut browser = Browser::default();
            let (one, two) = (desk.push(&[]).await, desk.push(&[]).await);
            let away_one = desk.begin(&mut browser, &one).await;
            let away_two = desk.begin(&mut browser, &two).await;
            let (_, page_two) = desk.consent(&mut browser, &desk.provider.sign_in(&away_two)).await;
            let (_, page_one) = desk.consent(&mut browser, &desk.provider.sign_in(&away_one)).await;
            to_wallet(&desk.decide(&mut browser, &page_two, "continue").await);
            let (mut left, mut right) = (browser.clone(), browser.clone());
            let (left, right) =
                tokio::join!(desk.decide(&mut left, &page_one, "continue"), desk.decide(&mut right, &page_one, "continue"));
            for answer in [left, right] {
                assert!(to_wallet(&answer).contains_key("code"), "{answer}");
            }
        })
        .await;
    }

    /// PAR-4, AUT-14: nothing is sent anywhere while client or request are in doubt.
    async fn a_request_in_doubt_is_answered_with_a_page(backend: Backend) {
        with_private_addresses(backend, async |world| {
            let desk = Desk::open(world).await;
            let mut browser = Browser::default();
            let url = desk.push(&[]).await;
            assert_page(&browser.get(world, &url.replace("wallet-dev", "wallet-two")).await, "Your wallet&#39;s request could not be read");
            for url in [
                desk.authorize("wallet-dev", &format!("urn:ietf:params:oauth:request_uri:{}", random(32))),
                desk.authorize("wallet-dev", "https://evil.example/request.jwt"),
            ] {
                assert_page(&browser.get(world, &url).await, LINK);
            }
            let stranger = world.organisation().await;
            assert_page(&browser.get(world, &url.replace(desk.operator.issuer(), stranger.issuer())).await, LINK);
            world.advance(std::time::Duration::from_secs(89));
            desk.begin(&mut Browser::default(), &url).await;
            world.advance(std::time::Duration::from_secs(1));
            assert_page(&browser.get(world, &url).await, LINK);
        })
        .await;
    }

    /// AUT-14, PAR-6: a request by its parameters works where the policy takes it; errors go to the redirect URI that is
    /// registered.
    async fn a_plain_request_is_answered_where_the_policy_takes_it(backend: Backend) {
        with_private_addresses(backend, async |world| {
            let desk = Desk::open(world).await;
            let mut browser = Browser::default();
            let away = desk.begin(&mut browser, &desk.plain(&[])).await;
            let (_, page) = desk.consent(&mut browser, &desk.provider.sign_in(&away)).await;
            assert!(to_wallet(&desk.decide(&mut browser, &page, "continue").await).contains_key("code"));

            let good = desk.plain(&[]);
            for (change, error) in [
                (good.replace("response_type=code", "response_type=token"), "unsupported_response_type"),
                (good.replace("S256", "plain"), "invalid_request"),
                (good.replace("openid_credential", "other"), "invalid_authorization_details"),
                (desk.plain(&[("resource", "https://other.example")]), "invalid_target"),
                (desk.plain(&[("request", "a.b.c")]), "request_not_supported"),
                (desk.plain(&[("issuer_state", "nothing")]), "invalid_request"),
            ] {
                let answer = to_wallet(&browser.get(world, &change).await);
                assert_eq!((answer["error"].as_str(), answer["iss"].as_str()), (error, desk.operator.issuer()), "{change}");
            }
            for change in [
                good.replace("client_id=wallet-dev&", ""),
                good.replace("https%3A%2F%2Fwallet.example", "javascript%3A%2F%2Fwallet.example"),
                good.replace("https%3A%2F%2Fwallet.example", "http%3A%2F%2Fwallet.example"),
                good.replace("state=st%261", "state=a&state=b"),
            ] {
                assert_page(&browser.get(world, &change).await, "Your wallet&#39;s request could not be read");
            }
            let policy = json!({"policy": {"pushedAuthorization": "require", "clients": clients()}});
            let path = format!("/v2/platform/organisations/{}", desk.operator.organisation_id());
            world.platform().put(&path, policy).await.ok();
            assert_eq!(to_wallet(&browser.get(world, &good).await)["error"], "invalid_request");
        })
        .await;
    }

    /// Ten minutes to sign in and decide.
    async fn time_runs_out(backend: Backend) {
        with_private_addresses(backend, async |world| {
            let desk = Desk::open(world).await;
            let mut browser = Browser::default();
            let page = desk.arrive(&mut browser, &[]).await;
            world.advance(std::time::Duration::from_secs(601));
            assert_page(&desk.decide(&mut browser, &page, "continue").await, "You ran out of time");
        })
        .await;
    }

    /// RFC 9700 §2.6: no script of another origin may ask here.
    async fn the_front_channel_is_closed_to_other_origins(world: &World) {
        let operator = world.organisation().await;
        for path in ["/authorize", "/sign-in/callback", "/consent"] {
            for method in [Method::GET, Method::OPTIONS] {
                let request = world.http().request(method, &format!("{}{path}", operator.issuer()));
                let request = request.header("origin", "https://evil.example").header("access-control-request-method", "GET");
                let answer = world.http().send(request).await;
                let open = answer.headers.keys().any(|name| name.as_str().starts_with("access-control-"));
                assert!(!open, "{path}: {:?}", answer.headers);
            }
        }
    }
}
