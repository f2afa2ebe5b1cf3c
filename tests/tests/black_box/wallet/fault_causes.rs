//! What the transcript says about each mistake that a wallet can make: the true cause, and not merely that something was
//! wrong.

use std::time::Duration;

use chancery_tests::key::did_url;
use chancery_tests::platform::history_path;
use chancery_tests::{Call, Damage, Jwt, Key, on_every_backend};

use super::dpop::{der_signed, keyed_hash, move_iat, signed_by, with_jwk_member};
use super::*;

mod elsewhere;

/// A mistake, the change of a good request that makes it, and what the reason must say.
type Fault = (&'static str, fn(Call) -> Call, &'static [&'static str]);

const AT_THE_TOKEN_ENDPOINT: &[Fault] = &[
    ("another grant", |it| it.with_field("grant_type", "password"), &["`grant_type` is `password`", "expected `urn:"]),
    ("a PIN nobody asked for", |it| it.with_field("tx_code", "1234"), &["has no tx_code, and the request has one"]),
    (
        "another resource",
        |it| it.with_field("resource", "https://elsewhere.example"),
        &["resource is `https://elsewhere.example`", "expected `http"],
    ),
    (
        "a draft's authorization_details",
        |it| it.with_field("authorization_details", r#"[{"type":"openid_credential","format":"vc+sd-jwt"}]"#),
        &["selects by `format`", "draft"],
    ),
    (
        "authorization_details of another type",
        |it| it.with_field("authorization_details", r#"[{"type":"payment"}]"#),
        &["has type `payment`", "expected `openid_credential`"],
    ),
    (
        "authorization_details that are no JSON",
        |it| it.with_field("authorization_details", "openid_credential"),
        &["`authorization_details`: not acceptable JSON at line 1"],
    ),
    (
        "a configuration that is not on offer",
        |it| {
            let details = r#"[{"type":"openid_credential","credential_configuration_id":"Passport"}]"#;
            it.with_field("authorization_details", details)
        },
        &["`Passport`", "not on offer"],
    ),
    ("DPoP for another endpoint", |it| dpop(it, |it| suffixed(it, "htu", "s")), &["`htu` is `http", "expected `http"]),
    ("DPoP for another method", |it| dpop(it, |it| it.with_claim("htm", "GET")), &["`htm` is `GET`, expected `POST`"]),
    (
        "DPoP by a clock that is ahead",
        |it| dpop(it, |it| move_iat(it, 94)),
        &["wallet clock is 94 s ahead, at most 60 s are allowed"],
    ),
    (
        "DPoP by a clock that is behind",
        |it| dpop(it, |it| move_iat(it, -500)),
        &["`iat` is 500 s old, at most 120 s are allowed"],
    ),
    (
        "DPoP of another type",
        |it| dpop(it, |it| it.with_header("typ", "JWT")),
        &["`typ`", "JWT", "expected `dpop+jwt`"],
    ),
    ("DPoP without a key", |it| dpop(it, |it| it.with_header("jwk", Value::Null)), &["has no `jwk`"]),
    (
        "DPoP with a private key",
        |it| dpop(it, |it| with_jwk_member(it, "d", json!("AAAA"))),
        &["holds the private member d"],
    ),
    ("DPoP without jti", |it| dpop(it, |it| it.with_claim("jti", Value::Null)), &["has no `jti`"]),
    (
        "DPoP with a keyed hash",
        |it| dpop(it, |it| keyed_hash(&it)),
        &["alg is \"HS256\", expected ES256, ES384 or EdDSA"],
    ),
    (
        "DPoP without a signature algorithm",
        |it| dpop(it, |it| it.with_header("alg", "none").with_damage(Damage::Unsigned)),
        &["alg is \"none\""],
    ),
    (
        "DPoP with a broken signature",
        |it| dpop(it, |it| it.with_damage(Damage::Signature)),
        &["the DPoP proof: the signature does not verify"],
    ),
    (
        "DPoP that is no JWT",
        |it| dpop(it, |it| it.with_damage(Damage::Replaced("proof".to_owned()))),
        &["1 parts, expected 3"],
    ),
    ("DPoP with padding", |it| dpop(it, |it| it.with_damage(Damage::Padding)), &["not base64url without padding"]),
    ("DPoP with crit", |it| dpop(it, |it| it.with_header("crit", json!(["x"]))), &["crit"]),
    (
        "DPoP with an unpublished algorithm",
        |it| dpop(it, |it| signed_by(it, Key::p384())),
        &["`alg` of the DPoP proof is `ES384`", "expected one of"],
    ),
];

const AT_THE_CREDENTIAL_ENDPOINT: &[Fault] = &[
    ("no DPoP proof", Call::without_dpop, &["no DPoP header"]),
    ("DPoP for another token", |it| dpop(it, |it| it.with_claim("ath", "AAAA")), &["`ath` is `AAAA`, expected `"]),
    ("DPoP without ath", |it| dpop(it, |it| it.with_claim("ath", Value::Null)), &["has no `ath`"]),
    (
        "DPoP by another key",
        |it| dpop(it, |it| signed_by(it, Key::p256())),
        &["the proof is by the key", "the access token is bound to"],
    ),
    (
        "a bound token as Bearer",
        |mut it| {
            for (_, value) in &mut it.headers {
                *value = value.replace("DPoP ", "Bearer ");
            }
            it
        },
        &["bound to a DPoP key, but came with the Bearer scheme"],
    ),
    ("a form", |it| it.with_content_type("application/x-www-form-urlencoded"), &["content type is neither"]),
    ("broken JSON", |it| it.with_bytes("{\"credential"), &["not acceptable JSON at line 1"]),
    ("a list", |it| it.with_bytes("[]"), &["expected an object"]),
    (
        "no selector",
        |it| it.with_member("credential_configuration_id", Value::Null),
        &["neither `credential_configuration_id` nor `credential_identifier`"],
    ),
    ("both selectors", |it| it.with_member("credential_identifier", "x"), &["has both"]),
    (
        "an identifier where there is none",
        |it| it.with_member("credential_configuration_id", Value::Null).with_member("credential_identifier", "x"),
        &["had no credential_identifiers, and the request has credential_identifier"],
    ),
    (
        "an unknown configuration",
        |it| it.with_member("credential_configuration_id", "Passport"),
        &["no credential configuration `Passport`"],
    ),
    (
        "a draft 13 proof",
        |mut it| {
            let proof = it.proofs.remove(0).compact();
            it.with_member("proof", json!({"proof_type": "jwt", "jwt": proof}))
        },
        &["the member `proof`", "draft 13"],
    ),
    (
        "a draft 13 format",
        |it| it.with_member("credential_configuration_id", Value::Null).with_member("format", "vc+sd-jwt"),
        &["the member `format`", "draft 13"],
    ),
    (
        "the batch endpoint of a draft",
        |it| it.with_member("credential_configuration_id", Value::Null).with_member("credential_requests", json!([{}])),
        &["batch endpoint of drafts 11 to 13"],
    ),
    ("no proof", |it| it.with_member("proofs", json!({})), &["`proofs` has"]),
    ("proofs as a list", |it| it.with_member("proofs", json!(["x"])), &["`proofs` has", "expected an object"]),
    ("a proof that is no list", |it| it.with_member("proofs", json!({"jwt": "x"})), &["`proofs.jwt` is", "array"]),
    ("a proof type from a draft", |it| it.with_member("proofs", json!({"cwt": ["x"]})), &["`cwt`"]),
    (
        "a key proof for another issuer",
        |it| it.with_proof(|it| it.with_claim("aud", "https://elsewhere.example")),
        &["`aud` is `https://elsewhere.example`", "expected `http"],
    ),
    (
        "a key proof by a clock that is ahead",
        |it| it.with_proof(|it| move_iat(it, 94)),
        &["wallet clock is 94 s ahead, at most 60 s are allowed"],
    ),
    ("an old key proof", |it| it.with_proof(|it| move_iat(it, -400)), &["`iat` is 400 s old"]),
    (
        "a key proof whose time is a text",
        |it| it.with_proof(|it| it.with_claim("iat", "now")),
        &["expected a whole number of seconds"],
    ),
    (
        "a key proof in the type of a draft",
        |it| it.with_proof(|it| it.with_header("typ", "JWT")),
        &["expected `openid4vci-proof+jwt`"],
    ),
    (
        "a key proof without a nonce",
        |it| it.with_proof(|it| it.with_claim("nonce", Value::Null)),
        &["the key proof has no nonce"],
    ),
    (
        "a key proof with a made-up nonce",
        |it| it.with_proof(|it| it.with_claim("nonce", "made-up")),
        &["not issued by this issuer"],
    ),
    (
        "a key proof with iss and no client",
        |it| it.with_proof(|it| it.with_claim("iss", "wallet")),
        &["`iss` is `wallet`, expected none"],
    ),
    (
        "a key proof without a key",
        |it| it.with_proof(|it| it.with_header("jwk", Value::Null)),
        &["expected exactly one of `kid`, `jwk` and `x5c`"],
    ),
    (
        "a key proof with two keys",
        |it| {
            it.with_proof(|it| {
                let kid = did_url(&it.key.did_key());
                it.with_header("kid", kid)
            })
        },
        &["`kid`", "`jwk`"],
    ),
    (
        "a key proof by a DID that needs a network",
        |it| it.with_proof(|it| it.with_header("jwk", Value::Null).with_header("kid", "did:web:wallet.example#1")),
        &["DID method that is not resolved here"],
    ),
    (
        "a key proof with an untrusted certificate",
        |it| it.with_proof(|it| it.with_header("jwk", Value::Null).with_header("x5c", json!(["MIIB"]))),
        &["has `x5c`", "no trust anchors"],
    ),
    (
        "a key proof signed in ASN.1",
        |it| it.with_proof(|it| der_signed(&it)),
        &["the key proof: the signature does not verify"],
    ),
    (
        "a key proof by another key",
        |it| it.with_proof(|it| it.with_header("jwk", Key::p256().jwk())),
        &["the signature does not verify"],
    ),
    (
        "a key proof with a key that is off the curve",
        |it| it.with_proof(|it| with_jwk_member(it, "y", json!("AAAA"))),
        &["`jwk` of the key proof is not usable", "3 bytes, expected 32"],
    ),
];

fn dpop(call: Call, change: fn(Jwt) -> Jwt) -> Call {
    call.with_dpop(change)
}

fn suffixed(jwt: Jwt, claim: &str, suffix: &str) -> Jwt {
    let value = format!("{}{suffix}", jwt.claims[claim].as_str().expect("a text"));
    jwt.with_claim(claim, value)
}

/// Sends a faulty request and looks the cause up as a help desk would: by the support code of the answer.
async fn assert_explained(scene: &Scene, call: Call, fault: &str, needles: &[&str]) {
    let answer = scene.wallet.send(call).await;
    assert!((400..404).contains(&answer.status), "{fault}: {answer}");
    let body = answer.json();
    let (_, code) = chancery_tests::split_support_code(&body);
    let code = code.unwrap_or_else(|| panic!("{fault}: no support code in {answer}"));

    let search = format!("{}?search={code}", history_path("").trim_end_matches('/'));
    let found = scene.operator.get(&search).await.ok();
    assert!(found.to_string().contains(&scene.offer.id), "{fault}: {code} does not find the exchange in {found}");
    let records = scene.operator.records(&scene.offer.id).await;
    let of_this: Vec<&Value> =
        records.iter().filter(|record| record["level"] == "error" && record["supportCode"] == code).collect();
    let [record] = of_this[..] else { panic!("{fault}: {code} finds {of_this:#?} in {records:#?}") };
    let text = |member: &str| record["data"][member].as_str().unwrap_or_default();
    for needle in needles {
        assert!(text("reason").contains(needle), "{fault}: {needle:?} is not in the reason {:?}", text("reason"));
    }
    assert!(!text("help").is_empty(), "{fault}: {record:#}");
    assert!(
        ["OpenID4VCI", "RFC ", "HAIP"].iter().any(|document| text("spec_ref").contains(document)),
        "{fault}: {record:#}"
    );
}

on_every_backend! {
    /// Fifty-odd mistakes, one after another in one exchange: the transcript names the true cause of each, and none of
    /// them burns the offer or the token.
    async fn the_transcript_names_the_true_cause_of_each_fault(world: &World) {
        let scene = Scene::new(world).await;
        for (fault, change, needles) in AT_THE_TOKEN_ENDPOINT {
            let call = change(scene.wallet.token_call(&scene.opened));
            assert_explained(&scene, call, fault, needles).await;
        }
        let token = scene.redeem().await;
        let nonce = scene.wallet.nonce(&scene.opened).await;
        for (fault, change, needles) in AT_THE_CREDENTIAL_ENDPOINT {
            let call = change(scene.wallet.credential_call(&token, &nonce));
            assert_explained(&scene, call, fault, needles).await;
        }
        assert!(AT_THE_TOKEN_ENDPOINT.len() + AT_THE_CREDENTIAL_ENDPOINT.len() >= 40);
        scene.collect(&token).await;
    }

    /// Mistakes that need time or a history of their own.
    async fn the_transcript_tells_used_and_expired_things_apart(world: &World) {
        let scene = Scene::new(world).await;
        let token = scene.redeem().await;
        // Within seconds it would be a retry.
        world.advance(Duration::from_secs(10));
        let again = scene.wallet.token_call(&scene.opened);
        assert_explained(&scene, again, "a used code", &["the code was redeemed before"]).await;

        let nonce = scene.wallet.nonce(&scene.opened).await;
        let call = scene.wallet.credential_call(&token, &nonce);
        scene.wallet.send(call.clone()).await.ok();
        assert_explained(&scene, call, "a replayed DPoP proof", &["a proof with this jti was used before"]).await;
        let call = scene.wallet.credential_call(&token, &nonce);
        assert_explained(&scene, call, "a used nonce", &["the nonce was used by an earlier request"]).await;

        let other = Scene::new(world).await;
        let foreign = other.wallet.nonce(&other.opened).await;
        let call = scene.wallet.credential_call(&token, &foreign);
        assert_explained(&scene, call, "a nonce of another organisation", &["not issued by this issuer"]).await;

        let old = scene.wallet.nonce(&scene.opened).await;
        world.advance(Duration::from_secs(301));
        let call = scene.wallet.credential_call(&token, &old);
        assert_explained(&scene, call, "an expired nonce", &["the nonce expired 1 s ago"]).await;
        world.advance(Duration::from_secs(400));
        let fresh = scene.wallet.nonce(&scene.opened).await;
        let call = scene.wallet.credential_call(&token, &fresh);
        assert_explained(&scene, call, "an expired token", &["the access token has expired"]).await;

        let (offer, opened) = scene.another_offer().await;
        world.advance(Duration::from_secs(3601));
        let late = Scene { offer, opened, ..scene };
        let call = late.wallet.token_call(&late.opened);
        assert_explained(&late, call, "an expired code", &["the code has expired"]).await;
    }
}
