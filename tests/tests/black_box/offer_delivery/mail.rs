//! Offers and transaction codes by mail: never both.

use chancery_tests::{Impostor, Options};

use super::*;

fn by_mail() -> Value {
    json!({"name": "Ada <b>Lovelace</b>", "email": "ada@example.org", "deliveryChannel": "email"})
}

/// The link in the plain text of a mail.
fn link_in(mail: &chancery_tests::MailReceived) -> String {
    let line = mail.text.lines().find(|line| line.starts_with("openid-credential-offer://"));
    line.unwrap_or_else(|| panic!("no link in {}", mail.text)).trim().to_owned()
}

on_every_backend! {
    async fn an_offer_by_mail_has_a_link_and_a_picture_and_no_transaction_code(backend: Backend) {
        MailServer::run(backend, async |world, mails| {
            let (operator, definition, id) = person(world, by_mail()).await;
            let offer = offer_to(&operator, &definition, &id, PIN).await;
            world.work().await;
            world.work().await;
            let sent = mails.take();
            assert_eq!(sent.len(), 1, "once");
            let mail = &sent[0];
            assert_eq!((mail.to.as_str(), mail.header("From")), ("ada@example.org", "Registry <registry@issuer.example>"));
            assert_eq!(mail.header("Subject"), "Test organisation: Staff badge");
            assert_eq!(link_in(mail), offer.link);
            for part in ["multipart/alternative", "text/plain", "text/html", "image/png", "Content-ID: <offer>", "cid:offer"] {
                assert!(mail.text.contains(part), "{part} in {}", mail.text);
            }
            assert!(mail.text.contains("another way"), "it says that a code comes");
            assert!(!mail.text.contains(PIN), "{}", mail.text);
            assert!(!mail.text.contains("<p>Dear Ada <b>"), "names are text");
            let record = operator.history(&offer.id).await;
            assert_eq!((&record["offerDelivery"]["channel"], &record["offerDelivery"]["state"]), (&json!("email"), &json!("delivered")));
            assert_eq!((&record["pinDelivery"]["channel"], &record["pinDelivery"]["state"]), (&json!("none"), &json!("unsent")));
            let transcript = operator.transcript(&offer.id).await.to_string();
            assert!(transcript.contains("offer_delivered") && !transcript.contains("ada@example.org"), "{transcript}");
            for secret in [PIN, "ada@example.org"] {
                assert!(!world.gives_away(secret).await, "{secret}");
            }
            let mut wallet = world.wallet();
            wallet.transaction_code = Some(PIN.to_owned());
            wallet.accept(&link_in(mail)).await;
        })
        .await;
    }

    /// A transaction code by mail when the offer goes another way; a new one is sent again.
    async fn a_transaction_code_goes_by_mail_when_the_offer_goes_another_way(backend: Backend) {
        MailServer::run(backend, async |world, mails| {
            let receiver = Receiver::listen().await;
            let known = json!({
                "email": "ada@example.org", "pinChannel": "email",
                "deliveryChannel": "walletEndpoint", "walletEndpoint": receiver.url(),
            });
            let (operator, definition, id) = person(world, known).await;
            let offer = offer_to(&operator, &definition, &id, PIN).await;
            world.work().await;
            assert_eq!(receiver.take().len(), 1);
            let sent = mails.take();
            assert_eq!(sent.len(), 1);
            assert!(sent[0].text.contains(&format!("enter: {PIN}")), "{}", sent[0].text);
            assert!(!sent[0].text.contains("credential-offer") && !sent[0].text.contains("image/png"));
            assert_eq!(operator.history(&offer.id).await["pinDelivery"]["state"], "delivered");

            let drawn = ask(&operator, &offer, "new-pin").await["userPin"].as_str().expect("a PIN").to_owned();
            world.work().await;
            let sent = mails.take();
            assert!(sent.len() == 1 && sent[0].text.contains(&drawn), "{sent:?}");
            assert!(receiver.take().is_empty());
            // Making the offer again sends the link again, not the code.
            ask(&operator, &offer, "resend").await;
            world.work().await;
            assert_eq!((receiver.take().len(), mails.take().len()), (1, 0));
            // Without a transaction code there is nothing to tell.
            let plain = offer_to(&operator, &definition, &id, "").await;
            world.work().await;
            assert_eq!((receiver.take().len(), mails.take().len()), (1, 0));
            assert_eq!(plain.history["pinDelivery"]["state"], "");
            let mut wallet = world.wallet();
            wallet.transaction_code = Some(drawn);
            wallet.accept(&offer.link).await;
        })
        .await;
    }

    /// RFC 5321 §4.2.1: 4yz is tried again, under the same Message-ID; 5yz is not.
    async fn a_mail_that_is_refused_for_now_comes_again_and_one_refused_for_good_does_not(backend: Backend) {
        MailServer::run(backend, async |world, mails| {
            let (operator, definition, id) = person(world, by_mail()).await;
            mails.answer(&["451 4.3.0 Later"]);
            let offer = offer_to(&operator, &definition, &id, "").await;
            world.work().await;
            let delivery = operator.history(&offer.id).await["offerDelivery"].clone();
            assert_eq!((&delivery["state"], &delivery["failure"]), (&json!("pending"), &json!("the mail server answered 451")));
            world.advance(Duration::from_secs(10));
            world.work().await;
            let sent = mails.take();
            assert_eq!(sent.len(), 2);
            assert_eq!(sent[0].header("Message-ID"), sent[1].header("Message-ID"));
            assert_eq!(state(&operator, &offer).await, "delivered");

            ask(&operator, &offer, "resend").await;
            mails.answer(&["550 5.1.1 No such user ada@example.org"]);
            world.work().await;
            let again = mails.take();
            assert_ne!(again[0].header("Message-ID"), sent[0].header("Message-ID"), "it was wanted once more");
            let delivery = operator.history(&offer.id).await["offerDelivery"].clone();
            assert_eq!((&delivery["state"], &delivery["failure"]), (&json!("failed"), &json!("the mail server answered 550")));
            assert!(!world.gives_away("ada@example.org").await);
        })
        .await;
    }

    async fn a_mail_waits_while_the_mail_server_is_away(backend: Backend) {
        let mails = MailServer::listen().await;
        let options = mails.options();
        drop(mails);
        World::run_with(backend, options, async |world: &World| {
            let (operator, definition, id) = person(world, by_mail()).await;
            let offer = offer_to(&operator, &definition, &id, "").await;
            world.work().await;
            let delivery = operator.history(&offer.id).await["offerDelivery"].clone();
            assert_eq!(delivery["state"], "pending");
            assert_eq!(delivery["failure"], "the mail server cannot be reached as configured");
        })
        .await;
    }

    /// SEC-11: who has taken the mail server's place gets neither password nor mail, and the record says why.
    async fn a_mail_server_whose_certificate_nobody_vouches_for_gets_no_mail(backend: Backend) {
        let impostor = Impostor::listen().await;
        let environment = [
            ("CHANCERY_SMTP_HOST", "127.0.0.1".to_owned()),
            ("CHANCERY_SMTP_PORT", impostor.port().to_string()),
            ("CHANCERY_SMTP_TLS", "implicit".to_owned()),
            ("CHANCERY_SMTP_USERNAME", "registry".to_owned()),
            ("CHANCERY_SMTP_PASSWORD", "Pa55-Quillwort-3e".to_owned()),
            ("CHANCERY_SMTP_FROM", "registry@issuer.example".to_owned()),
        ];
        let environment = environment.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        World::run_with(backend, Options { environment, ..Options::default() }, async |world: &World| {
            let (operator, definition, id) = person(world, by_mail()).await;
            let offer = offer_to(&operator, &definition, &id, "").await;
            world.work().await;
            let delivery = operator.history(&offer.id).await["offerDelivery"].clone();
            assert_eq!(delivery["state"], "pending");
            let refused = "the certificate of the mail server is not accepted: it is signed by nobody whom this server trusts";
            assert_eq!(delivery["failure"], refused);
            assert!(impostor.was_seen_through());
            assert!(!world.gives_away("Pa55-Quillwort-3e").await);
        })
        .await;
    }
}
