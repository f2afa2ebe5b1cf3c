//! What the record of an exchange says of what was checked (management API contract, 3.4).

use std::time::Duration;

use chancery_tests::jwe::{Jwe, ResponseKey};
use chancery_tests::key::{base64url, random};
use chancery_tests::platform::history_path;
use chancery_tests::{Jwt, Key, Provider, jwt, on_every_backend};

use super::authorization_code::{Desk, with_private_addresses};
use super::encryption::{encrypted, payload, published};
use super::*;

const HISTORY: &str = "/v2/config/digital-wallet/openid/sdjwt/credential/history";
const BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const RETENTION: &str = "/v2/config/digital-wallet/openid/retention";

/// Every member that says what was checked, of an exchange in which none of it was.
fn unchecked() -> Value {
    json!({
        "clientAssertion": "", "clientAssertionType": "", "clientAssertionVerified": false,
        "walletUnitAttestation": "", "walletUnitAttestationPoP": "", "walletUnitAttestationVerified": false,
        "decodedWalletUnitAttestation": {}, "idToken": "", "idTokenDecoded": {}, "idTokenVerified": false,
        "credentialResponseEncryption": {},
    })
}

/// Those members of a record.
fn checked(record: &Value) -> Value {
    let named = unchecked();
    named.as_object().unwrap().keys().map(|name| (name.clone(), record[name].clone())).collect()
}

on_every_backend! {
    /// A wallet that shows nothing of the kind is shown with nothing of the kind.
    async fn the_record_of_a_plain_exchange_claims_no_check(world: &World) {
        let scene = Scene::new(world).await;
        assert_eq!(checked(&scene.operator.history(&scene.offer.id).await), unchecked());
        scene.collect(&scene.redeem().await).await;
        assert_eq!(checked(&scene.operator.history(&scene.offer.id).await), unchecked());
    }

    /// Header and claims of the attestation and of its proof, without signatures; in every answer that has the record.
    async fn the_record_shows_the_attestation_of_the_wallet(world: &World) {
        let provider = Provider::new("https://wallet.example");
        let policy = json!({"walletAttestation": "enforce", "trustAnchors": provider.trust_anchors()});
        let mut scene = Scene::under(world, policy).await;
        scene.wallet.provider = Some(provider.clone());
        scene.wallet.client_id = Some(provider.client_id.clone());
        let call = scene.wallet.token_call(&scene.opened);
        let sent: Vec<String> = call.headers.iter().map(|(_, value)| value.clone()).collect();
        scene.wallet.send(call).await.ok();
        let record = scene.operator.history(&scene.offer.id).await;
        assert_eq!(record["walletUnitAttestationVerified"], true);
        let (header, claims) = jwt::decode(record["walletUnitAttestation"].as_str().unwrap());
        assert_eq!(header["typ"], "oauth-client-attestation+jwt");
        assert_eq!(claims["sub"], "https://wallet.example");
        assert_eq!(record["decodedWalletUnitAttestation"], json!({"header": header, "claims": claims}));
        let (header, claims) = jwt::decode(record["walletUnitAttestationPoP"].as_str().unwrap());
        assert_eq!(header["typ"], "oauth-client-attestation-pop+jwt");
        assert_eq!(claims["aud"], scene.operator.issuer());
        for member in ["walletUnitAttestation", "walletUnitAttestationPoP"] {
            assert!(record[member].as_str().unwrap().ends_with('.'), "{member} has its signature");
        }
        let text = record.to_string();
        for signature in sent.iter().filter_map(|value| value.rsplit_once('.')).map(|(_, signature)| signature) {
            assert!(!signature.is_empty() && !text.contains(signature), "a signature in {text}");
        }
        let listed = scene.operator.get(HISTORY).await.ok();
        assert_eq!(checked(&listed["credentialHistory"][0]), checked(&record));
        let lines = scene.operator.get(&format!("{HISTORY}/export?format=jsonl")).await.text();
        assert_eq!(checked(&serde_json::from_str(lines.trim()).unwrap()), checked(&record));
    }

    /// Where attestations are only observed, one that is wrong counts for nothing.
    async fn an_attestation_that_is_wrong_is_not_shown_as_verified(world: &World) {
        let provider = Provider::new("https://wallet.example");
        let policy = json!({"walletAttestation": "observe", "trustAnchors": provider.trust_anchors()});
        let mut scene = Scene::under(world, policy).await;
        scene.wallet.client_id = Some(provider.client_id.clone());
        scene.wallet.provider = Some(Provider { key: Key::p256(), ..provider });
        scene.redeem().await;
        assert_eq!(checked(&scene.operator.history(&scene.offer.id).await), unchecked());
    }

    /// The assertion of a registered client; once the transcript is erased, nothing of it is left.
    async fn the_record_shows_the_assertion_of_the_client_for_as_long_as_the_transcript_is_kept(world: &World) {
        let key = Key::p256();
        let client = json!({"clientId": "wallet-dev", "jwks": {"keys": [key.jwk()]}});
        let mut scene = Scene::under(world, json!({"clients": {"registered": [client]}})).await;
        scene.wallet.client_id = Some("wallet-dev".to_owned());
        let now = scene.wallet.env().now().seconds();
        let claims = json!({"iss": "wallet-dev", "sub": "wallet-dev", "aud": scene.operator.issuer(), "jti": random(16), "exp": now + 60});
        let assertion = Jwt::new(&key, json!({}), claims.clone()).compact();
        let call = scene.wallet.token_call(&scene.opened);
        let call = call.with_field("client_assertion_type", BEARER).with_field("client_assertion", &assertion);
        scene.wallet.send(call).await.ok();
        let record = scene.operator.history(&scene.offer.id).await;
        assert_eq!((&record["clientAssertionVerified"], &record["clientAssertionType"]), (&json!(true), &json!(BEARER)));
        let shown = record["clientAssertion"].as_str().unwrap();
        assert_eq!(jwt::decode(shown).1, claims);
        assert!(shown.ends_with('.') && !record.to_string().contains(&assertion), "{record}");
        assert_eq!(record["walletUnitAttestationVerified"], false);

        scene.operator.put(RETENTION, json!({"transcriptsDays": 1})).await.ok();
        world.advance(Duration::from_secs(60 * 86_400));
        world.work().await;
        let record = scene.operator.history(&scene.offer.id).await;
        assert_eq!(checked(&record), unchecked());
        assert!(!world.database.holds(claims["jti"].as_str().unwrap()).await, "it is still in the database");
    }

    /// The parameters under which the answer was encrypted, with the public key that the wallet named.
    async fn the_record_shows_how_the_answer_was_encrypted(world: &World) {
        let scene = Scene::under(world, json!({"encryption": "allowed"})).await;
        let token = scene.redeem().await;
        let recipient = ResponseKey::new();
        let mut wanted = json!({"jwk": recipient.jwk(), "enc": "A256GCM", "zip": "DEF"});
        let nonce = scene.wallet.nonce(&scene.opened).await;
        let call = scene.wallet.credential_call(&token, &nonce);
        let plain = payload(&call, &json!({"credential_response_encryption": wanted}));
        let answer = scene.wallet.send(encrypted(call, &Jwe::new(&published(&scene.opened), &plain))).await;
        assert_eq!(answer.status, 200, "{answer}");
        let shown = scene.operator.history(&scene.offer.id).await["credentialResponseEncryption"].clone();
        wanted["jwk"] = shown["jwk"].clone();
        assert_eq!(shown, wanted);
        for member in ["kty", "crv", "x", "y", "alg", "kid"] {
            assert_eq!(shown["jwk"][member], recipient.jwk()[member], "{member}");
        }
    }

    /// The ID token of the provider: how and when the person signed in. Who it was, says nothing but the claims of the
    /// credential.
    async fn the_record_shows_how_the_person_signed_in(backend: Backend) {
        with_private_addresses(backend, async |world| {
            let desk = Desk::open(world, json!({})).await;
            desk.provider.set_person(json!({
                "sub": "person-1", "given_name": "Oyelaran", "family_name": "Brightwater", "staff_id": "E-7",
                "acr": "high", "amr": ["otp"], "email": "oyelaran@people.example",
            }));
            let (offer, _, state) = desk.offer().await;
            let before = desk.operator.history(&offer.id).await;
            assert_eq!(checked(&before), unchecked());
            let code = desk.authorize(world, desk.par().with_field("issuer_state", &state)).await;
            desk.wallet.send(desk.redeem(&code)).await.ok();
            let record = desk.operator.history(&offer.id).await;
            assert_eq!(record["idTokenVerified"], true);
            let shown = &record["idTokenDecoded"];
            assert_eq!(shown["header"]["alg"], "ES256");
            assert_eq!(shown["claims"]["iss"], desk.provider.issuer());
            assert_eq!((&shown["claims"]["acr"], &shown["claims"]["amr"]), (&json!("high"), &json!(["otp"])));
            let (header, claims) = jwt::decode(record["idToken"].as_str().unwrap());
            assert_eq!(*shown, json!({"header": header, "claims": claims}));
            for personal in ["person-1", "oyelaran@people.example"] {
                assert!(!record.to_string().contains(personal), "{personal} in {record}");
                let told = desk.operator.get(&format!("{}/transcript", history_path(&offer.id))).await.text();
                assert!(!told.contains(personal) && !told.contains(&base64url(personal.as_bytes())), "{personal} in {told}");
            }
            assert!(!world.gives_away("oyelaran@people.example").await);

            // A flow that the wallet began by itself has its exchange only once the code is redeemed.
            let code = desk.authorize(world, desk.par()).await;
            desk.wallet.send(desk.redeem(&code)).await.ok();
            let listed = desk.operator.get(HISTORY).await.ok();
            let newest = &listed["credentialHistory"][0];
            assert_ne!(newest["id"], json!(offer.id));
            assert_eq!((&newest["idTokenVerified"], &newest["idTokenDecoded"]["claims"]["acr"]), (&json!(true), &json!("high")));
        })
        .await;
    }
}
