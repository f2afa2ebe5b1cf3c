//! Revoke by filter.

use super::*;

async fn many(operator: &Operator, body: Value) -> Answer {
    operator.post(MANY, body).await
}

on_every_backend! {
    /// A dry run first: how many, which lists, visible when. Then the same for good.
    async fn a_dry_run_tells_what_the_call_then_does(world: &World) {
        let scene = Scene::new(world).await;
        let mut other = revocable_badge(&json!({}));
        other["label"] = "Other badge".into();
        let other = scene.operator.define(&other).await;
        let (kept, _) = issue(world, &scene.operator, &other).await;
        let mut places = vec![scene.place()];
        for _ in 0..4 {
            places.push(Place::of(&issue(world, &scene.operator, &scene.definition).await.1));
        }
        let (gone, _) = issue(world, &scene.operator, &scene.definition).await;
        change(&scene.operator, &gone.id, json!({"revocationStatus": "Revoked"})).await.ok();

        let filter = json!({"credentialDefinitionId": scene.definition["credentialDefinitionId"]});
        let body = json!({"revocationStatus": "Revoked", "filter": filter});
        let before = world.database.census().await;
        let told = many(&scene.operator, body.clone()).await.ok();
        assert_eq!(world.database.census().await, before);
        assert_eq!((&told["dryRun"], &told["changed"], &told["remaining"]), (&json!(true), &json!(5), &json!(0)));
        assert_eq!(told["matched"], json!({"Operational": 5, "Suspended": 0, "Revoked": 1}));
        assert_eq!(told["statusLists"], json!([{"uri": places[0].uri, "changed": 5}]));
        let now = world.env.now().seconds();
        assert_eq!(told["visibleAt"], now + 5);
        assert_eq!(told["visibleEverywhereAt"], now + 305);

        let apply = |expected: u32| {
            let mut body = body.clone();
            (body["dryRun"], body["expected"], body["reason"]) = (false.into(), expected.into(), "recall".into());
            body
        };
        assert_problem(&many(&scene.operator, apply(4)).await, 409, "revocation-state");
        assert_eq!(world.database.census().await, before);
        let done = many(&scene.operator, apply(5)).await.ok();
        assert_eq!((&done["dryRun"], &done["changed"]), (&json!(false), &json!(5)));
        for place in &places {
            place.shows(world, 1).await;
        }
        assert_eq!(scene.operator.history(&scene.offer.id).await["revocationStatus"], "Revoked");
        assert_eq!(scene.operator.history(&kept.id).await["revocationStatus"], "Operational");
        let path = format!("{}/revocation-status", history_path(&scene.offer.id));
        let changes = scene.operator.get(&path).await.ok();
        assert_eq!(changes["revocationStatusChanges"][0]["reason"], "recall");
        let again = many(&scene.operator, apply(0)).await.ok();
        assert_eq!(again["changed"], 0);
    }

    /// Every member of the filter narrows.
    async fn every_member_of_the_filter_narrows(world: &World) {
        let scene = Scene::new(world).await;
        let start = world.env.now().seconds();
        world.advance(Duration::from_secs(100));
        let (second, _) = issue(world, &scene.operator, &scene.definition).await;
        change(&scene.operator, &second.id, json!({"revocationStatus": "Suspended"})).await.ok();
        let holder = scene.operator.history(&second.id).await["clientId"].clone();
        let unknown = "018f0000-0000-7000-8000-00000000dead";
        for (filter, expected) in [
            (json!({"issuedFrom": 0}), 2),
            (json!({"issuedFrom": start + 1}), 1),
            (json!({"issuedUntil": start + 100}), 1),
            (json!({"issuedFrom": start, "issuedUntil": start}), 0),
            (json!({"revocationStatus": "Suspended"}), 1),
            (json!({"revocationStatus": "Revoked"}), 0),
            (json!({"credentialExchangeIds": [scene.offer.id, unknown]}), 1),
            (json!({"credentialExchangeIds": []}), 0),
            (json!({"credentialDefinitionId": unknown}), 0),
            (json!({"holderDid": "nobody"}), 0),
        ] {
            let told = many(&scene.operator, json!({"revocationStatus": "Revoked", "filter": filter})).await.ok();
            assert_eq!(told["changed"], expected, "{filter}");
        }
        if holder != "" {
            let filter = json!({"holderDid": holder});
            let told = many(&scene.operator, json!({"revocationStatus": "Revoked", "filter": filter})).await.ok();
            assert!(told["changed"].as_u64() >= Some(1));
        }
        // Another organisation has nothing of it.
        let stranger = world.organisation().await;
        let filter = json!({"credentialExchangeIds": [scene.offer.id, second.id]});
        let body = json!({"revocationStatus": "Revoked", "filter": filter, "dryRun": false});
        assert_eq!(many(&stranger, body).await.ok()["changed"], 0);
        assert_eq!(scene.operator.history(&scene.offer.id).await["revocationStatus"], "Operational");
    }

    /// Reactivation by filter, and lists that have no room for suspension are left alone.
    async fn suspension_by_filter_leaves_out_what_cannot_be_suspended(world: &World) {
        let scene = Scene::new(world).await;
        let mut narrow = revocable_badge(&json!({"supportSuspension": false}));
        narrow["label"] = "Narrow badge".into();
        let narrow = scene.operator.define(&narrow).await;
        let (other, _) = issue(world, &scene.operator, &narrow).await;
        let body = |status: &str| json!({"revocationStatus": status, "filter": {"issuedFrom": 0}, "dryRun": false});
        assert_eq!(many(&scene.operator, body("Suspended")).await.ok()["changed"], 1);
        scene.place().shows(world, 2).await;
        assert_eq!(scene.operator.history(&other.id).await["revocationStatus"], "Operational");
        assert_eq!(many(&scene.operator, body("Operational")).await.ok()["changed"], 1);
        assert_eq!(many(&scene.operator, body("Revoked")).await.ok()["changed"], 2);
        assert_eq!(many(&scene.operator, body("Operational")).await.ok()["changed"], 0);
    }

    /// Refusals: nobody revokes everything by leaving something out.
    async fn wrong_calls_for_many_are_refused(world: &World) {
        let scene = Scene::new(world).await;
        for (body, pointer) in [
            (json!({"filter": {"issuedFrom": 0}}), "/revocationStatus"),
            (json!({"revocationStatus": "Revoked"}), "/filter"),
            (json!({"revocationStatus": "Revoked", "filter": {}}), "/filter"),
            (json!({"revocationStatus": "Revoked", "filter": {"vct": "x"}}), "/filter/vct"),
            (json!({"revocationStatus": "Revoked", "filter": {"issuedFrom": 0}, "dryrun": false}), "/dryrun"),
            (json!({"revocationStatus": "Revoked", "filter": {"issuedFrom": 0}, "expected": -1}), "/expected"),
        ] {
            many(&scene.operator, body).await.problem_at(400, pointer);
        }
        for role in ["issuer", "auditor"] {
            let body = json!({"revocationStatus": "Revoked", "filter": {"issuedFrom": 0}});
            assert_problem(&many(&scene.operator.with_role(role).await, body).await, 403, "forbidden");
        }
    }
}
