//! The notification endpoint (OpenID4VCI §11).

use chancery_tests::key::random;
use chancery_tests::{Call, on_every_backend};
use tokio::task::JoinSet;

use super::*;

/// A wallet with a credential, and the id of its answer.
async fn notified(world: &World) -> (Scene, Token, String) {
    let scene = Scene::new(world).await;
    let token = scene.redeem().await;
    let received = scene.collect(&token).await;
    let id = received.response["notification_id"].as_str().unwrap().to_owned();
    (scene, token, id)
}

impl Scene {
    async fn notify(&self, token: &Token, id: &str, event: &str) -> chancery_tests::Answer {
        self.wallet.send(self.wallet.notification_call(token, id, event)).await
    }

    async fn status(&self) -> String {
        self.operator.status(&self.offer.id).await
    }

    async fn notifications(&self) -> Vec<Value> {
        let events = self.operator.events(&self.offer.id).await;
        events.into_iter().filter(|event| event["type"] == "notification_received").collect()
    }
}

on_every_backend! {
    /// NOT-1, NOT-2, NOT-3: the exchange says that a credential was issued until the wallet says that it has it.
    async fn a_notification_moves_the_exchange_on_and_may_be_repeated(world: &World) {
        for (event, status) in [
            ("credential_accepted", "credential_accepted"),
            ("credential_failure", "credential_acked"),
            ("credential_deleted", "credential_deleted"),
        ] {
            let (scene, token, id) = notified(world).await;
            assert_eq!(scene.status().await, "credential_issued");
            for _ in 0..3 {
                let answer = scene.notify(&token, &id, event).await;
                assert_eq!(answer.status, 204, "{answer}");
                assert!(answer.text().is_empty());
                assert!(answer.header("dpop-nonce").is_some());
                assert_eq!(answer.header("cache-control"), Some("no-store"));
            }
            assert_eq!(scene.status().await, status);
            let told = scene.notifications().await;
            assert_eq!(told.len(), 1, "{told:?}");
            assert_eq!(told[0]["details"]["event"], event);
            assert!(!told[0].to_string().contains(&id));
        }
    }

    /// What comes too late changes nothing, and is no error; a new copy after a deletion begins the last steps again.
    async fn later_notifications_do_not_move_the_exchange_back(world: &World) {
        let (scene, token, id) = notified(world).await;
        for (event, status) in [
            ("credential_accepted", "credential_accepted"),
            ("credential_failure", "credential_accepted"),
            ("credential_deleted", "credential_deleted"),
            ("credential_accepted", "credential_deleted"),
        ] {
            assert_eq!(scene.notify(&token, &id, event).await.status, 204);
            assert_eq!(scene.status().await, status, "{event}");
        }
        let second = scene.collect(&token).await;
        assert_eq!(scene.status().await, "credential_issued");
        let second = second.response["notification_id"].as_str().unwrap().to_owned();
        assert_eq!(scene.notify(&token, &second, "credential_accepted").await.status, 204);
        assert_eq!(scene.status().await, "credential_accepted");
    }

    /// A wallet that gives up one of two copies still has the other.
    async fn a_deletion_counts_when_nothing_is_left(world: &World) {
        let (scene, token, first) = notified(world).await;
        let second = scene.collect(&token).await.response["notification_id"].as_str().unwrap().to_owned();
        assert_ne!(first, second);
        assert_eq!(scene.notify(&token, &first, "credential_deleted").await.status, 204);
        assert_eq!(scene.status().await, "credential_acked");
        assert_eq!(scene.notify(&token, &second, "credential_deleted").await.status, 204);
        assert_eq!(scene.status().await, "credential_deleted");
    }

    /// NOT-4: what is malformed, and what names nothing here.
    async fn bad_notifications_are_refused(world: &World) {
        let (scene, token, id) = notified(world).await;
        let good = || scene.wallet.notification_call(&token, &id, "credential_accepted");
        let malformed: Vec<Call> = vec![
            good().with_member("event", "Credential_Accepted"),
            good().with_member("event", Value::Null),
            good().with_member("event", 7),
            good().with_member("notification_id", Value::Null),
            good().with_member("notification_id", ""),
            good().with_member("event_description", 7),
            good().with_bytes("[]"),
            good().with_bytes("{\"notification_id\":\"a\",\"notification_id\":\"b\",\"event\":\"credential_accepted\"}"),
            good().with_content_type("application/x-www-form-urlencoded"),
        ];
        for call in malformed {
            scene.wallet.send(call).await.refused(400, "invalid_notification_request");
            assert_eq!(scene.cause().await.message, "notification.request_invalid");
        }
        for unknown in [random(16), "x".to_owned()] {
            scene.notify(&token, &unknown, "credential_accepted").await.refused(400, "invalid_notification_id");
        }
        let (other, other_token, other_id) = notified(world).await;
        scene.notify(&token, &other_id, "credential_deleted").await.refused(400, "invalid_notification_id");
        assert_eq!(other.status().await, "credential_issued");
        assert_eq!(scene.status().await, "credential_issued");
        assert_eq!(other.notify(&other_token, &other_id, "credential_accepted").await.status, 204);
        let extra = good().with_member("x", 1).with_member("event_description", "Stored. \u{e9}");
        assert_eq!(scene.wallet.send(extra).await.status, 204);
    }

    /// DPP-9, RFC 9449 §7.2: a token that is bound to a key does not work without it, here neither.
    async fn a_notification_needs_the_key_of_the_token(world: &World) {
        let (scene, token, id) = notified(world).await;
        let good = || scene.wallet.notification_call(&token, &id, "credential_accepted");
        let bearer = format!("Bearer {}", token.value());
        let downgraded = good().without_dpop().without_header("authorization").with_header("authorization", &bearer);
        scene.wallet.send(downgraded).await.refused(401, "invalid_token");
        scene.wallet.send(good().without_dpop()).await.refused(401, "invalid_dpop_proof");
        let mut thief = scene.wallet.clone();
        thief.dpop_key = Some(chancery_tests::Key::p256());
        scene.wallet.send(thief.notification_call(&token, &id, "credential_accepted")).await.refused(401, "invalid_token");
        let used = good();
        assert_eq!(scene.wallet.send(used.clone()).await.status, 204);
        scene.wallet.send(used).await.refused(401, "invalid_dpop_proof");
        assert_eq!(scene.wallet.send(good().without_dpop().without_header("authorization")).await.status, 401);
    }

    /// NOT-3: sixteen at once leave one record.
    async fn sixteen_equal_notifications_are_one(world: &World) {
        let (scene, token, id) = notified(world).await;
        let mut crowd = JoinSet::new();
        for _ in 0..16 {
            let (wallet, call) = (scene.wallet.clone(), scene.wallet.notification_call(&token, &id, "credential_accepted"));
            crowd.spawn(async move { wallet.send(call).await.status });
        }
        assert_eq!(crowd.join_all().await, [204; 16]);
        assert_eq!(scene.notifications().await.len(), 1);
        assert_eq!(scene.status().await, "credential_accepted");
    }
}
