//! What a definition may not say; every refusal names its place (RFC 6901).

use chancery_tests::on_every_backend;

use super::*;

/// The badge with one member set at a JSON Pointer; `null` takes it out.
fn badge_with(pointer: &str, value: Value) -> Value {
    let mut body = samples::staff_badge();
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
    let parent = body.pointer_mut(parent).unwrap_or_else(|| panic!("nothing at {pointer}"));
    match (parent, value) {
        (Value::Object(members), Value::Null) => drop(members.shift_remove(name)),
        (Value::Object(members), value) => drop(members.insert(name.to_owned(), value)),
        (Value::Array(elements), value) => elements[name.parse::<usize>().expect("an index")] = value,
        (other, _) => panic!("nothing to set in {other}"),
    }
    body
}

const ENTRY: &str = "/credentialDefinitions/0";
const CLAIM: &str = "/credentialDefinitions/0/claims/claims/0";

on_every_backend! {
    /// Attestations that nobody may make can be demanded neither by a definition nor by an offer.
    async fn an_attestation_that_nobody_can_have_is_not_demanded(world: &World) {
        let operator = world.organisation().await;
        let enforcing = |wallet: bool, key: bool| {
            let mut body = samples::staff_badge();
            body["enforceWUA"] = wallet.into();
            body["credentialDefinitions"][0]["requireKeyAttestation"] = key.into();
            body
        };
        operator.post(DEFINITION, enforcing(true, false)).await.problem_at(400, "/enforceWUA");
        let pointer = "/credentialDefinitions/0/requireKeyAttestation";
        operator.post(DEFINITION, enforcing(false, true)).await.problem_at(400, pointer);
        let definition = operator.define(&enforcing(false, false)).await;
        let path = format!("{DEFINITION}/{}", definition["credentialDefinitionId"].as_str().expect("an id"));
        operator.put(&path, enforcing(true, false)).await.problem_at(400, "/enforceWUA");
        let mut offer = chancery_tests::platform::issue_body(&definition, &samples::staff_claims());
        offer["requireKeyAttestation"] = true.into();
        operator.issue(offer.clone()).await.problem_at(400, "/requireKeyAttestation");

        let trusted = json!({"jwks": {"keys": [chancery_tests::Key::p256().jwk()]}});
        let policy = json!({"trustAnchors": {"walletProviders": trusted, "keyAttesters": trusted}});
        operator.put("/v2/config/digital-wallet/openid/policy", policy).await.ok();
        operator.put(&path, enforcing(true, true)).await.ok();
        operator.issue(offer).await.ok();
    }

    /// The rules of the definition itself (management API contract).
    async fn a_wrong_definition_is_refused_by_its_place(world: &World) {
        let operator = world.organisation().await;
        let before = world.database.census().await;
        for (pointer, value) in [
            ("/label", Value::Null),
            ("/label", json!("ab")),
            ("/label", json!("  a  ")),
            ("/label", json!(7)),
            ("/label", json!("l".repeat(256))),
            ("/version", json!("draft_13")),
            ("/version", json!("draft_11")),
            ("/version", json!("version_02")),
            ("/trustAnchor", json!("did:ebsi")),
            ("/trustAnchor", json!("did:web")),
            ("/trustAnchor", json!("jwk")),
            ("/trustAnchor", json!("none")),
            ("/kid", json!("no-such-key")),
            ("/enforceWUA", json!("false")),
            ("/supportInteractiveAuthorisationEndpoint", json!(true)),
            ("/credentialDefinitions", json!([])),
            ("/credentialDefinitions", json!({})),
            ("/credentialDefinitions", Value::Null),
            ("/display", json!("blue")),
            ("/colour", json!("red")),
            // Members of an entry do not belong to the definition.
            ("/vct", json!("https://types.example/staff/1")),
            ("/claims", json!({"claims": []})),
            ("/expirationInDays", json!(3)),
        ] {
            operator.post(DEFINITION, badge_with(pointer, value)).await.problem_at(400, pointer);
        }
        assert_eq!(world.database.census().await, before);
    }

    /// The rules of an entry and of its claims.
    async fn a_wrong_entry_is_refused_by_its_place(world: &World) {
        let operator = world.organisation().await;
        let before = world.database.census().await;
        for (member, value) in [
            ("credentialFormat", Value::Null),
            ("credentialFormat", json!("vc+sd-jwt")),
            ("credentialFormat", json!("ldp_vc")),
            ("vct", Value::Null),
            ("vct", json!("")),
            ("vct", json!(["a"])),
            ("vct", json!("a b")),
            ("type", json!(["VerifiableCredential"])),
            ("doctype", json!("org.iso.18013.5.1.mDL")),
            ("validationPath", json!("$.vc")),
            ("credentialDefinition", json!({"claims": []})),
            ("credentialDefinitionUri", json!("https://schemas.example/1")),
            ("claims", Value::Null),
            ("claims", json!([])),
            ("claims", json!("all")),
            ("expirationInDays", json!(0)),
            ("expirationInDays", json!(-1)),
            ("expirationInDays", json!(1.5)),
            ("expirationInDays", json!("30")),
            ("expirationInDays", json!(1_000_000)),
            ("credentialBindingMethods", json!("jwk")),
            ("scope", json!("staff")),
            ("authorizationRequestType", json!("scope")),
            ("credentialResponseInterval", json!(0)),
            ("credentialConfigurationId", json!("with space")),
            ("requireKeyAttestation", json!("no")),
            ("display", json!(7)),
            // Members of the definition do not belong to an entry.
            ("label", json!("Staff badge")),
            ("kid", json!("k")),
            ("trustAnchor", json!("x509")),
            ("version", json!("version_01")),
            ("enforceWUA", json!(false)),
            ("colour", json!("red")),
        ] {
            let pointer = format!("{ENTRY}/{member}");
            operator.post(DEFINITION, badge_with(&pointer, value)).await.problem_at(400, &pointer);
        }
        for (member, value) in [
            ("path", Value::Null),
            ("path", json!([])),
            ("path", json!("given_name")),
            ("path", json!([1])),
            ("path", json!([null])),
            ("path", json!(["a", -1])),
            ("path", json!(["a", 1.5])),
            ("path", json!(["a", true])),
            ("path", json!(["iss"])),
            ("path", json!(["vct"])),
            ("path", json!(["cnf"])),
            ("path", json!(["_sd"])),
            ("path", json!(["a", "..."])),
            ("path", json!(["family_name"])),
            ("mandatory", json!("yes")),
            ("limitDisclosure", json!(1)),
            ("limitedDisclosure", json!(true)),
            ("display", json!({})),
        ] {
            let pointer = format!("{CLAIM}/{member}");
            let answer = operator.post(DEFINITION, badge_with(&pointer, value.clone())).await;
            assert_eq!(answer.status, 400, "{member} {value}: {answer}");
            // A path that occurs twice is wrong at its second place.
            let twice = value == json!(["family_name"]);
            let place = if twice { "/credentialDefinitions/0/claims/claims/1/path" } else { &pointer };
            answer.problem_at(400, place);
        }
        let method = format!("{ENTRY}/credentialBindingMethods/0");
        for value in [json!("cose_key"), json!("did:web"), json!(1)] {
            operator.post(DEFINITION, badge_with(&method, value)).await.problem_at(400, &method);
        }
        assert_eq!(world.database.census().await, before);
    }

    /// MET-12: a display has a name, and a claim one name per language (OpenID4VCI §12.2.4).
    async fn a_display_that_metadata_must_not_hold_is_refused(world: &World) {
        let operator = world.organisation().await;
        let unnamed = badge_with(&format!("{ENTRY}/display"), json!({"backgroundColor": "#003366"}));
        operator.post(DEFINITION, unnamed).await.problem_at(400, &format!("{ENTRY}/display/name"));
        for second in [json!({"name": "Vorname", "locale": "de"}), json!({"name": "Vorname"})] {
            let first = json!({"name": "Given name", "locale": second["locale"]});
            let names = badge_with(&format!("{CLAIM}/display"), json!([first, second]));
            operator.post(DEFINITION, names).await.problem_at(400, &format!("{CLAIM}/display/1/locale"));
        }
    }

    /// The labels that the vendor of the original contract keeps for itself.
    async fn reserved_labels_are_refused(world: &World) {
        let operator = world.organisation().await;
        for label in [
            "Payment User Credential",
            "Payment Card Credential",
            "Payment Account Credential",
            "PID Issuance",
            "Photo ID Issuance",
        ] {
            operator.post(DEFINITION, badge_with("/label", json!(label))).await.problem_at(400, "/label");
            let padded = json!(format!(" {} ", label.to_lowercase()));
            operator.post(DEFINITION, badge_with("/label", padded)).await.problem_at(400, "/label");
        }
        operator.define(&badge_with("/label", json!("PID Issuance office"))).await;
    }

    /// Formats that are known and not issued are refused by name, with what is issued instead.
    async fn formats_of_later_releases_are_refused_by_name(world: &World) {
        let operator = world.organisation().await;
        let mdoc = json!({
            "credentialFormat": "mso_mdoc",
            "doctype": "org.iso.18013.5.1.mDL",
            "claims": {"claims": [{"path": ["org.iso.18013.5.1", "family_name"]}]},
        });
        let jwt = json!({
            "credentialFormat": "jwt_vc_json",
            "type": ["VerifiableCredential", "StaffBadge"],
            "credentialDefinition": {"claims": [{"path": ["credentialSubject", "name"]}]},
        });
        for entry in [mdoc, jwt] {
            let pointer = format!("{ENTRY}/credentialFormat");
            let answer = operator.post(DEFINITION, badge_with(ENTRY, entry)).await;
            answer.problem_at(400, &pointer);
            assert!(answer.mentions("dc+sd-jwt"), "{answer}");
        }
    }

    /// Entries of one definition agree on how they are authorised, and have types of their own names.
    async fn entries_of_a_definition_agree(world: &World) {
        let operator = world.organisation().await;
        let two = |second: Value| {
            let mut body = samples::staff_badge();
            let first = &mut body["credentialDefinitions"][0];
            first["authorizationRequestType"] = "scope_based".into();
            first["scope"] = "staff".into();
            let mut other = first.clone();
            for (name, value) in second.as_object().expect("members") {
                other[name] = value.clone();
            }
            body["credentialDefinitions"].as_array_mut().expect("entries").push(other);
            body
        };
        for (member, second) in [
            ("scope", json!({"scope": "other"})),
            ("scope", json!({"scope": ""})),
            ("authorizationRequestType", json!({"authorizationRequestType": "authorization_details", "scope": null})),
        ] {
            let pointer = format!("/credentialDefinitions/1/{member}");
            operator.post(DEFINITION, two(second)).await.problem_at(400, &pointer);
        }
        let definition = operator.define(&two(json!({"vct": "https://types.example/staff/b"}))).await;
        assert_eq!(definition["credentialDefinitions"].as_array().map(Vec::len), Some(2));
    }

    /// The flat shape is judged like the other, at its own places.
    async fn a_wrong_flat_definition_is_refused_by_its_place(world: &World) {
        let operator = world.organisation().await;
        let flat = |claims: Value| {
            json!({"label": "Flat", "credentialFormat": "dc+sd-jwt", "vct": "https://types.example/flat", "claims": claims})
        };
        for (pointer, claims) in [
            ("/claims/properties", json!({"type": "object"})),
            ("/claims/properties/iss", json!({"properties": {"iss": {}}})),
            ("/claims/properties/a/limitDisclosure", json!({"properties": {"a": {"limitDisclosure": "yes"}}})),
            ("/claims/properties/a~1b", json!({"properties": {"a/b": 7}})),
        ] {
            operator.post(DEFINITION, flat(claims)).await.problem_at(400, pointer);
        }
        let mut deep = json!({});
        for _ in 0..60 {
            deep = json!({"properties": {"a": deep}});
        }
        operator.post(DEFINITION, flat(deep)).await.problem(400);
    }

    /// One refusal tells everything that is wrong, so that nobody has to try ten times.
    async fn every_fault_is_named_at_once(world: &World) {
        let operator = world.organisation().await;
        let mut body = badge_with("/label", json!("x"));
        body["version"] = json!("draft_13");
        body["credentialDefinitions"][0]["vct"] = json!("");
        body["credentialDefinitions"][0]["claims"]["claims"][1]["path"] = json!([]);
        let answer = operator.post(DEFINITION, body).await;
        assert_problem(&answer, 400, "invalid-request");
        for pointer in
            ["/label", "/version", "/credentialDefinitions/0/vct", "/credentialDefinitions/0/claims/claims/1/path"]
        {
            answer.problem_at(400, pointer);
        }
    }
}
