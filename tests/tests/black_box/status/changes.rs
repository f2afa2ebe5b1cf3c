//! Revoke, suspend and reactivate by exchange and by credential.

use super::*;

on_every_backend! {
    /// Every transition of the contract, and the published bit after each.
    async fn every_transition_is_published(world: &World) {
        let scene = Scene::new(world).await;
        let place = scene.place();
        assert_eq!(place.value(world).await, 0);
        for (status, value) in [("Suspended", 2), ("Operational", 0), ("Suspended", 2), ("Revoked", 1)] {
            let record = scene.change(status).await.ok()["credentialHistory"].clone();
            assert_eq!(record["revocationStatus"], status);
            assert_eq!(record["issuedCredentials"][0]["revocationStatus"], status);
            assert_eq!(record["issuedCredentials"][0]["statusList"], json!({"idx": place.index, "uri": place.uri}));
            assert_eq!(record, scene.operator.history(&scene.offer.id).await);
            place.shows(world, value).await;
        }
        let other = Scene::new(world).await;
        assert_eq!(other.change("Revoked").await.ok()["credentialHistory"]["revocationStatus"], "Revoked");
        other.place().shows(world, 1).await;
    }

    /// `Revoked` is final.
    async fn what_is_revoked_stays_revoked(world: &World) {
        let scene = Scene::new(world).await;
        scene.change("Revoked").await.ok();
        for status in ["Operational", "Suspended"] {
            assert_problem(&scene.change(status).await, 409, "revocation-state");
        }
        scene.change("Revoked").await.ok();
        scene.place().shows(world, 1).await;
    }

    /// A status that is there already is not changed again.
    async fn the_same_status_again_changes_nothing(world: &World) {
        let scene = Scene::new(world).await;
        scene.change("Operational").await.ok();
        assert_eq!(world.database.number("SELECT count(*) FROM status_change").await, 0);
        let first = scene.change("Suspended").await.ok();
        world.advance(Duration::from_secs(5));
        let before = world.database.census().await;
        assert_eq!(scene.change("Suspended").await.ok(), first);
        assert_eq!(world.database.census().await, before);
    }

    /// Who, why, when, from, to.
    async fn every_change_is_written_down(world: &World) {
        let scene = Scene::new(world).await;
        let issuer = scene.operator.with_role("issuer").await;
        let start = world.env.now().seconds();
        let suspend = json!({"revocationStatus": "Suspended", "reason": "phone lost"});
        change(&issuer, &scene.offer.id, suspend).await.ok();
        world.advance(Duration::from_secs(60));
        scene.change("Revoked").await.ok();
        let path = format!("{}/revocation-status", history_path(&scene.offer.id));
        let changes = scene.operator.with_role("auditor").await.get(&path).await.ok()["revocationStatusChanges"].clone();
        let changes = changes.as_array().expect("changes");
        let told: Vec<_> = changes.iter().map(|it| [&it["from"], &it["to"], &it["reason"], &it["at"]]).collect();
        assert_eq!(told, [
            [&json!("Operational"), &json!("Suspended"), &json!("phone lost"), &json!(start)],
            [&json!("Suspended"), &json!("Revoked"), &json!(""), &json!(start + 60)],
        ]);
        let actor = |position: usize| changes[position]["actor"].as_str().expect("an actor").to_owned();
        assert!(actor(0).starts_with("apikey:") && actor(0) != actor(1), "{changes:?}");
        let events = scene.operator.events(&scene.offer.id).await;
        let changed = events.iter().filter(|event| event.to_string().contains("credential_status_changed")).count();
        assert_eq!(changed, 2, "{events:?}");
    }

    /// Refusals by body and by state.
    async fn wrong_changes_are_refused(world: &World) {
        let scene = Scene::new(world).await;
        for (body, pointer) in [
            (json!({}), "/revocationStatus"),
            (json!({"revocationStatus": "revoked"}), "/revocationStatus"),
            (json!({"revocationStatus": ""}), "/revocationStatus"),
            (json!({"revocationStatus": 1}), "/revocationStatus"),
            (json!({"revocationStatus": "Revoked", "reason": "x".repeat(501)}), "/reason"),
            (json!({"revocationStatus": "Revoked", "because": "x"}), "/because"),
        ] {
            change(&scene.operator, &scene.offer.id, body).await.problem_at(400, pointer);
        }
        let open = scene.operator.offer(&scene.definition, &samples::staff_claims()).await;
        let revoked = json!({"revocationStatus": "Revoked"});
        assert_problem(&change(&scene.operator, &open.id, revoked.clone()).await, 409, "revocation-state");
        let mut plain = samples::staff_badge();
        plain["label"] = "Plain badge".into();
        let plain = scene.operator.define(&plain).await;
        let (offer, _) = issue(world, &scene.operator, &plain).await;
        assert_problem(&change(&scene.operator, &offer.id, revoked.clone()).await, 409, "revocation-state");
        let unknown = "018f0000-0000-7000-8000-00000000dead";
        assert_problem(&change(&scene.operator, unknown, revoked.clone()).await, 404, "not-found");
        let auditor = scene.operator.with_role("auditor").await;
        assert_problem(&change(&auditor, &scene.offer.id, revoked).await, 403, "forbidden");
        let unknown = json!({"revocationStatus": "Revoked", "credentialId": unknown});
        assert_problem(&change(&scene.operator, &scene.offer.id, unknown).await, 404, "not-found");
        assert_eq!(scene.place().value(world).await, 0);
    }

    /// One credential of an exchange; the record is as good as the best of them.
    async fn one_credential_of_several_can_be_revoked(world: &World) {
        let operator = world.organisation().await;
        let definition = operator.define(&revocable_badge(&json!({}))).await;
        let offer = operator.offer(&definition, &samples::staff_claims()).await;
        let wallet = world.wallet();
        let token = wallet.redeem(&wallet.open(&offer.link).await).await;
        let copies = [wallet.collect(&token).await, wallet.collect(&token).await];
        let places = copies.each_ref().map(Place::of);
        assert_ne!(places[0], places[1]);
        let record = operator.history(&offer.id).await;
        let ids: Vec<_> = (0..2).map(|at| record["issuedCredentials"][at]["id"].clone()).collect();
        let revoke = |id: &Value| json!({"revocationStatus": "Revoked", "credentialId": id});
        let record = change(&operator, &offer.id, revoke(&ids[0])).await.ok()["credentialHistory"].clone();
        assert_eq!(record["revocationStatus"], "Operational");
        places[0].shows(world, 1).await;
        assert_eq!(places[1].value(world).await, 0);
        let record = change(&operator, &offer.id, revoke(&ids[1])).await.ok()["credentialHistory"].clone();
        assert_eq!(record["revocationStatus"], "Revoked");
        places[1].shows(world, 1).await;
    }

    /// A revoked or suspended exchange issues no fresh copy, whatever its wallet still holds.
    async fn nothing_is_issued_where_something_was_withdrawn(world: &World) {
        let operator = world.organisation().await;
        let definition = operator.define(&revocable_badge(&json!({}))).await;
        for (status, again) in [("Revoked", false), ("Suspended", true)] {
            let offer = operator.offer(&definition, &samples::staff_claims()).await;
            let wallet = world.wallet();
            let token = wallet.redeem(&wallet.open(&offer.link).await).await;
            wallet.collect(&token).await;
            change(&operator, &offer.id, json!({"revocationStatus": status})).await.ok();
            let nonce = wallet.nonce(&token.opened).await;
            wallet.send(wallet.credential_call(&token, &nonce)).await.refused(400, "credential_request_denied");
            if again {
                change(&operator, &offer.id, json!({"revocationStatus": "Operational"})).await.ok();
                wallet.collect(&token).await;
            }
        }
    }

    /// A record that is deleted leaves its status behind.
    async fn a_deleted_record_stays_revoked(world: &World) {
        let scene = Scene::new(world).await;
        scene.change("Revoked").await.ok();
        scene.operator.delete(&history_path(&scene.offer.id)).await.ok();
        world.restart().await;
        assert_eq!(scene.place().value(world).await, 1);
    }

    /// Of many changes at once, none is lost and the final one wins.
    async fn no_change_is_lost_when_many_come_at_once(world: &World) {
        let scene = Scene::new(world).await;
        let mut badges = vec![(scene.offer.id.clone(), scene.place())];
        for _ in 0..15 {
            let (offer, received) = issue(world, &scene.operator, &scene.definition).await;
            badges.push((offer.id, Place::of(&received)));
        }
        let mut calls = Vec::new();
        for (id, _) in &badges {
            for status in ["Suspended", "Operational", "Revoked", "Suspended"] {
                let (operator, id) = (scene.operator.clone(), id.clone());
                let body = json!({"revocationStatus": status});
                calls.push(tokio::spawn(async move { change(&operator, &id, body).await.status }));
            }
        }
        for call in calls {
            let status = call.await.expect("no panic");
            assert!([200, 409].contains(&status), "{status}");
        }
        for (id, place) in &badges {
            place.shows(world, 1).await;
            assert_eq!(scene.operator.history(id).await["revocationStatus"], "Revoked");
        }
        let list = Published::read(&world.http().get(&badges[0].1.uri).await);
        assert_eq!(list.invalid(), badges.len());
    }

    /// What is published is rebuilt from the changes.
    async fn a_restart_forgets_nothing(world: &World) {
        let scene = Scene::new(world).await;
        scene.change("Suspended").await.ok();
        world.restart().await;
        assert_eq!(scene.place().value(world).await, 2);
        let (_, received) = issue(world, &scene.operator, &scene.definition).await;
        let other = Place::of(&received);
        assert_eq!(other.uri, scene.place().uri, "a process that starts goes on with the list");
        assert_ne!(other, scene.place());
        assert_eq!(other.value(world).await, 0);
    }
}
