//! What verifiers fetch (TSL-1 to TSL-19).

use super::*;

async fn get_as(world: &World, uri: &str, headers: &[(&str, &str)]) -> Answer {
    let request = headers
        .iter()
        .fold(world.http().request(Method::GET, uri), |request, (name, value)| request.header(*name, *value));
    world.http().send(request).await
}

/// The text keys and number keys of a CBOR map.
fn member<'m>(map: &'m ciborium::Value, key: &ciborium::Value) -> &'m ciborium::Value {
    let entries = map.as_map().expect("a map");
    entries.iter().find(|(name, _)| name == key).map(|(_, value)| value).unwrap_or_else(|| panic!("{key:?} in {map:?}"))
}

fn number(value: &ciborium::Value) -> i128 {
    value.as_integer().expect("a number").into()
}

on_every_backend! {
    /// TSL-3, TSL-4, TSL-6, TSL-15: the claim leads to a signed list in which everything is valid.
    async fn a_credential_leads_to_a_signed_list_in_which_it_is_valid(world: &World) {
        let scene = Scene::new(world).await;
        let place = scene.place();
        assert!(place.uri.starts_with(&format!("{}/status-lists/", scene.operator.issuer())));
        let answer = world.http().get(&place.uri).await;
        let list = Published::read(&answer);
        assert_eq!((list.bits, list.invalid()), (2, 0));
        assert!(list.bytes.len() as u64 * 4 > place.index);
        assert_eq!(list.claims["sub"], place.uri.as_str());
        let (iat, exp) = (list.claims["iat"].as_i64().expect("iat"), list.claims["exp"].as_i64().expect("exp"));
        let now = world.env.now().seconds();
        assert!(iat <= now && now < exp, "{iat} {now} {exp}");
        assert_eq!(list.claims["ttl"], 300);
        let text = answer.text();
        let (message, signature) = text.rsplit_once('.').expect("a compact JWS");
        let kid = jwt::decode(&text).0["kid"].as_str().expect("kid").to_owned();
        assert_signed(world, &scene.operator, &kid, message.as_bytes(), &from_base64url(signature)).await;
    }

    /// TSL-18: the key of the credential signs its list, too, in both forms.
    async fn a_list_is_signed_with_the_key_of_its_credentials(world: &World) {
        let scene = Scene::new(world).await;
        let place = scene.place();
        let key = |header: &Value| (header["kid"].clone(), header.get("x5c").cloned());
        let of_credential = key(&sd_jwt::parts(&scene.received.credential).header);
        let answer = world.http().get(&place.uri).await;
        assert_eq!(key(&jwt::decode(&answer.text()).0), of_credential);
        let answer = get_as(world, &place.uri, &[("accept", "application/statuslist+cwt")]).await;
        let message: ciborium::Value = ciborium::from_reader(answer.body.as_slice()).expect("CBOR");
        let parts = message.as_tag().and_then(|(_, value)| value.as_array()).expect("a COSE_Sign1");
        let kid = member(&parts[1], &4.into()).as_bytes().expect("kid").clone();
        assert_eq!(String::from_utf8(kid).ok().map(Value::from), Some(of_credential.0));
    }

    /// TSL-5, TSL-8: the same state as a CWT for those who ask, with the signature and the claims of one.
    async fn the_same_list_is_a_cwt_for_those_who_ask(world: &World) {
        let scene = Scene::new(world).await;
        scene.change("Suspended").await.ok();
        let place = scene.place();
        place.shows(world, 2).await;
        let answer = get_as(world, &place.uri, &[("accept", "application/statuslist+cwt")]).await;
        answer.assert_media_type("application/statuslist+cwt");
        let message: ciborium::Value = ciborium::from_reader(answer.body.as_slice()).expect("CBOR");
        let (18, parts) = message.as_tag().map(|(tag, value)| (tag, value.as_array().expect("parts"))).expect("a tag") else {
            panic!("not a tagged COSE_Sign1: {message:?}")
        };
        let (protected, payload) = (parts[0].as_bytes().expect("bytes"), parts[2].as_bytes().expect("bytes"));
        let header: ciborium::Value = ciborium::from_reader(protected.as_slice()).expect("a header");
        assert_eq!(member(&header, &16.into()).as_text(), Some("application/statuslist+cwt"));
        let kid = String::from_utf8(member(&parts[1], &4.into()).as_bytes().expect("kid").clone()).expect("a text");
        let mut signed = Vec::new();
        let structure = ciborium::Value::Array(vec![
            "Signature1".into(),
            ciborium::Value::Bytes(protected.clone()),
            ciborium::Value::Bytes(Vec::new()),
            ciborium::Value::Bytes(payload.clone()),
        ]);
        ciborium::into_writer(&structure, &mut signed).expect("CBOR");
        assert_signed(world, &scene.operator, &kid, &signed, parts[3].as_bytes().expect("a signature")).await;

        let claims: ciborium::Value = ciborium::from_reader(payload.as_slice()).expect("claims");
        let jwt = Published::read(&world.http().get(&place.uri).await);
        assert_eq!(member(&claims, &2.into()).as_text(), Some(place.uri.as_str()));
        for (key, name) in [(6, "iat"), (4, "exp"), (65_534, "ttl")] {
            assert_eq!(Some(number(member(&claims, &key.into()))), jwt.claims[name].as_i64().map(i128::from), "{name}");
        }
        let list = member(&claims, &65_533.into());
        let bytes = inflate(member(list, &"lst".into()).as_bytes().expect("lst"));
        let cwt = Published { claims: Value::Null, bits: 2, bytes };
        assert_eq!(number(member(list, &"bits".into())), 2);
        assert_eq!((cwt.value(place.index), cwt.invalid()), (2, 1));
        assert_eq!(cwt.bytes, jwt.bytes);
    }

    /// TSL-9, TSL-10, TSL-11: browsers, compression and caches.
    async fn lists_are_for_browsers_and_caches(world: &World) {
        let scene = Scene::new(world).await;
        let place = scene.place();
        let plain = get_as(world, &place.uri, &[("origin", "https://verifier.example")]).await;
        assert_eq!(plain.header("access-control-allow-origin"), Some("*"));
        let max_age = plain.header("cache-control").and_then(|value| value.strip_prefix("public, max-age="));
        assert!(max_age.and_then(|seconds| seconds.parse::<u64>().ok()).is_some_and(|seconds| seconds <= 4), "{plain}");
        assert!(plain.header("vary").is_some_and(|vary| vary.contains("accept") && vary.contains("accept-encoding")));
        assert_eq!(plain.header("content-encoding"), None);

        let gzipped = get_as(world, &place.uri, &[("accept-encoding", "gzip")]).await;
        assert_eq!(gzipped.header("content-encoding"), Some("gzip"));
        let mut text = String::new();
        flate2::read::GzDecoder::new(gzipped.body.as_slice()).read_to_string(&mut text).expect("gzip");
        assert_eq!(text, plain.text());

        let etag = plain.header("etag").expect("an ETag").to_owned();
        let known = get_as(world, &place.uri, &[("if-none-match", &etag)]).await;
        assert_eq!((known.status, known.body.len(), known.header("etag")), (304, 0, Some(etag.as_str())));
        let as_cwt = [("if-none-match", etag.as_str()), ("accept", "application/statuslist+cwt")];
        assert_eq!(get_as(world, &place.uri, &as_cwt).await.status, 200);
        scene.change("Revoked").await.ok();
        place.shows(world, 1).await;
        assert_eq!(get_as(world, &place.uri, &[("if-none-match", &etag)]).await.status, 200);
    }

    /// TSL-8: what cannot be answered.
    async fn wrong_requests_for_lists_are_refused(world: &World) {
        let scene = Scene::new(world).await;
        let uri = scene.place().uri;
        get_as(world, &uri, &[("accept", "text/html")]).await.refused(406, "invalid_request");
        for time in ["", "x", "-1", "1e3", "99999999999999", "1&time=1"] {
            world.http().get(&format!("{uri}?time={time}")).await.refused(400, "invalid_request");
        }
        for id in ["x", "018f0000-0000-7000-8000-00000000dead"] {
            let unknown = format!("{}/status-lists/{id}", scene.operator.issuer());
            world.http().get(&unknown).await.refused(404, "not_found");
            world.http().get(&format!("{unknown}?time=1768478400")).await.refused(404, "not_found");
        }
        world.http().send(world.http().request(Method::POST, &uri)).await.refused(405, "invalid_request");
        world.platform().suspend(&scene.operator).await;
        world.http().get(&uri).await.refused(404, "not_found");
        world.platform().resume(&scene.operator).await;
        world.http().get(&uri).await.assert_media_type("application/statuslist+jwt");
    }

    /// TSL-13: where the lists are named.
    async fn the_aggregation_names_every_list(world: &World) {
        let scene = Scene::new(world).await;
        let metadata = format!("{}/.well-known/oauth-authorization-server", scene.operator.issuer());
        let metadata = world.http().get(&metadata).await.ok();
        let endpoint = metadata["status_list_aggregation_endpoint"].as_str().expect("an endpoint");
        let uri = scene.place().uri;
        assert_eq!(world.http().get(endpoint).await.ok(), json!({"status_lists": [uri]}));
        assert_eq!(Published::read(&world.http().get(&uri).await).claims["status_list"]["aggregation_uri"], endpoint);

        let other = world.organisation().await;
        other.define(&samples::staff_badge()).await;
        let metadata = format!("{}/.well-known/oauth-authorization-server", other.issuer());
        assert!(world.http().get(&metadata).await.ok().get("status_list_aggregation_endpoint").is_none());
    }

    /// A list without suspension has one bit an entry.
    async fn revocation_alone_needs_one_bit(world: &World) {
        let scene = Scene::of(world, &json!({"supportSuspension": false})).await;
        let place = scene.place();
        assert_eq!(Published::read(&world.http().get(&place.uri).await).bits, 1);
        assert_problem(&scene.change("Suspended").await, 409, "revocation-state");
        scene.change("Revoked").await.ok();
        place.shows(world, 1).await;
    }

    /// Nothing changes for those who do not ask for statuses.
    async fn a_badge_that_cannot_be_revoked_carries_no_status(world: &World) {
        let operator = world.organisation().await;
        let definition = operator.define(&samples::staff_badge()).await;
        let (offer, received) = issue(world, &operator, &definition).await;
        assert!(sd_jwt::parts(&received.credential).signed.get("status").is_none());
        let record = operator.history(&offer.id).await;
        assert_eq!(record["issuedCredentials"][0]["statusList"], json!({}));
        assert_eq!(world.database.number("SELECT count(*) FROM status_list").await, 0);
    }

    /// TSL-12: a list as it was, in a token that covers that time.
    async fn a_list_is_shown_as_it_was(world: &World) {
        let scene = Scene::new(world).await;
        let place = scene.place();
        let start = world.env.now().seconds();
        for (seconds, status) in [(100, "Suspended"), (200, "Operational"), (300, "Revoked")] {
            world.env.set_clock(chancery_tests::Timestamp::from_seconds(start + seconds));
            scene.change(status).await.ok();
        }
        world.advance(Duration::from_secs(100));
        for (seconds, value) in [(0, 0), (99, 0), (100, 2), (199, 2), (200, 0), (299, 0), (300, 1), (399, 1)] {
            let time = start + seconds;
            let list = Published::read(&world.http().get(&format!("{}?time={time}", place.uri)).await);
            assert_eq!(list.value(place.index), value, "{seconds} s after the start");
            let (iat, exp) = (list.claims["iat"].as_i64().expect("iat"), list.claims["exp"].as_i64().expect("exp"));
            assert!(iat <= time && time < exp, "{iat} {time} {exp}");
            assert_eq!(list.claims["sub"], place.uri.as_str());
        }
        for time in [start - 1, start + 401] {
            world.http().get(&format!("{}?time={time}", place.uri)).await.refused(404, "not_found");
        }
    }

    /// TSL-19: a list is signed again before its token expires, and with the new key after a rotation.
    async fn a_list_is_signed_again_before_it_expires(world: &World) {
        let scene = Scene::new(world).await;
        let uri = scene.place().uri;
        let first = Published::read(&world.http().get(&uri).await);
        world.advance(Duration::from_secs(13 * 3600));
        let second = Published::read(&world.http().get(&uri).await);
        assert!(second.claims["iat"].as_i64() > first.claims["iat"].as_i64());
        assert!(second.claims["exp"].as_i64() > Some(world.env.now().seconds() + 11 * 3600));

        let rotated = "/v2/config/digital-wallet/openid/key-management/rotate";
        let key = scene.operator.post(rotated, json!({})).await;
        let kid = key.json()["key"]["kid"].clone();
        let begun = Instant::now();
        while jwt::decode(&world.http().get(&uri).await.text()).0["kid"] != kid {
            assert!(begun.elapsed() < VISIBLE_WITHIN, "the list is still signed by the old key");
        }
    }
}
