//! Answers of a provider that belong to somebody else (RFC 9700 §4.4, §4.5).

use super::*;

/// The value of a query parameter.
fn parameter(url: &str, wanted: &str) -> String {
    let url = Url::parse(url).expect("a URL");
    url.query_pairs().find(|(name, _)| name == wanted).unwrap_or_else(|| panic!("no {wanted} in {url}")).1.into_owned()
}

on_every_backend! {
    /// A code that the provider gave to an attacker is not taken in the browser of a victim: the credential would be the
    /// attacker's, in the wallet of the victim, or the other way round.
    async fn an_injected_code_of_the_provider_is_refused(backend: Backend) {
        with_private_addresses(backend, async |world| {
            let desk = Desk::open(world).await;
            let (mut victim, mut attacker) = (Browser::default(), Browser::default());
            let (one, two) = (desk.push(&[]).await, desk.push(&[]).await);
            let back = desk.provider.sign_in(&desk.begin(&mut victim, &one).await);
            let stolen = desk.provider.sign_in(&desk.begin(&mut attacker, &two).await);
            let injected = back.replace(&parameter(&back, "code"), &parameter(&stolen, "code"));
            assert_ne!(injected, back);
            let answer = to_wallet(&victim.get(world, &injected).await);
            assert_eq!((answer["error"].as_str(), answer.contains_key("code")), ("server_error", false), "{answer:?}");
        })
        .await;
    }

    /// Two organisations, two providers: what comes back from one is not taken at the other, and stays good at home.
    async fn an_answer_for_another_organisation_is_refused(backend: Backend) {
        with_private_addresses(backend, async |world| {
            let (ours, theirs) = (Desk::open(world).await, Desk::open(world).await);
            let mut browser = Browser::default();
            let (here, there) = (ours.push(&[]).await, theirs.push(&[]).await);
            let back = ours.provider.sign_in(&ours.begin(&mut browser, &here).await);
            theirs.begin(&mut browser, &there).await;
            let astray = back.replace(ours.operator.issuer(), theirs.operator.issuer());
            assert_ne!(astray, back);
            let answer = browser.get(world, &astray).await;
            assert_eq!((answer.status, answer.header("location")), (400, None), "{answer}");
            assert_eq!(theirs.provider.requests().iter().filter(|it| it.contains("token")).count(), 0);
            let (_, page) = ours.consent(&mut browser, &back).await;
            let answer = to_wallet(&ours.decide(&mut browser, &page, "continue").await);
            assert_eq!(answer["iss"], ours.operator.issuer());
        })
        .await;
    }
}
