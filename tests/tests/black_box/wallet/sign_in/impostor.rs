//! A provider whose place somebody else has taken.

use chancery_tests::Impostor;

use super::*;

on_every_backend! {
    /// SEC-11: nobody is sent to sign in there, and the transcript says why.
    async fn a_provider_whose_certificate_nobody_vouches_for_signs_nobody_in(backend: Backend) {
        with_private_addresses(backend, async |world| {
            let impostor = Impostor::listen().await;
            let desk = Desk::open(world).await;
            let connection = json!({"issuer": impostor.url(), "clientId": "chancery", "clientSecret": "s3cret"});
            desk.operator.put(PROVIDER, connection).await.ok();
            let (exchange, state) = desk.offer(None).await;
            let url = desk.push(&[("issuer_state", &state)]).await;
            let answer = to_wallet(&Browser::default().get(world, &url).await);
            assert_eq!(answer["error"], "temporarily_unavailable");
            let told = cause(&desk.operator, &exchange).await;
            assert_eq!(told.message, "sign_in.provider_failed");
            assert!(told.reason.contains("certificate of the server is not accepted"), "{}", told.reason);
            assert!(impostor.was_seen_through());
        })
        .await;
    }
}
