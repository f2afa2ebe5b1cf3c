//! DPoP proofs at the token and credential endpoints (RFC 9449).

use std::time::Duration;

use aws_lc_rs::hmac;
use chancery_tests::key::{base64url, from_base64url, random, sha256};
use chancery_tests::{Answer, Call, Damage, Jwt, Key, on_every_backend};

use super::*;

/// One change of a good proof, and the rule it breaks.
type Mutation = (&'static str, fn(Jwt) -> Jwt);

/// Everything that RFC 9449 §4.3 has a server check, broken one at a time. `htm`, `htu`, `jti`, `nonce` and `ath` have
/// tests of their own.
const MUTATIONS: &[Mutation] = &[
    ("typ is missing", |proof| proof.with_header("typ", Value::Null)),
    ("typ is JWT", |proof| proof.with_header("typ", "JWT")),
    ("typ is that of a key proof", |proof| proof.with_header("typ", "openid4vci-proof+jwt")),
    ("alg is none", |proof| proof.with_header("alg", "none").with_damage(Damage::Unsigned)),
    ("alg is none with a signature", |proof| proof.with_header("alg", "none")),
    ("alg is HS256 with the public key as the secret", |proof| keyed_hash(&proof)),
    ("alg is not one that is published", |proof| {
        let key = Key::p384();
        signed_by(proof, key)
    }),
    ("alg does not fit the key", |proof| signed_by(proof, Key::p384()).with_header("alg", "ES256")),
    ("alg is EdDSA over a P-256 key", |proof| proof.with_header("alg", "EdDSA")),
    ("jwk is missing", |proof| proof.with_header("jwk", Value::Null)),
    ("jwk is a text", |proof| proof.with_header("jwk", "key")),
    ("jwk holds a private key", |proof| with_jwk_member(proof, "d", json!("AAAA"))),
    ("jwk is symmetric", |proof| proof.with_header("jwk", json!({"kty": "oct", "k": "AAAA"}))),
    ("jwk is off the curve", |proof| with_jwk_member(proof, "x", json!(base64url(&[1; 32])))),
    ("jwk is padded", |proof| {
        let x = format!("{}=", proof.header["jwk"]["x"].as_str().unwrap());
        with_jwk_member(proof, "x", json!(x))
    }),
    ("jwk is another key", |proof| proof.with_header("jwk", Key::p256().jwk())),
    ("the signature has a flipped bit", |proof| proof.with_damage(Damage::Signature)),
    ("the signature is missing", |proof| proof.with_damage(Damage::Unsigned)),
    ("the third segment is missing", |proof| proof.with_damage(Damage::TwoSegments)),
    ("the signature is in DER", |proof| der_signed(&proof)),
    ("a segment is padded", |proof| proof.with_damage(Damage::Padding)),
    ("the payload was changed after signing", |proof| {
        let changed = proof.clone().with_claim("jti", "changed").compact();
        let original = proof.compact();
        let (payload, signature) = (changed.split('.').nth(1).unwrap(), original.split('.').nth(2).unwrap());
        let header = original.split('.').next().unwrap().to_owned();
        proof.with_damage(Damage::Replaced(format!("{header}.{payload}.{signature}")))
    }),
    ("it is no JWT", |proof| proof.with_damage(Damage::Replaced("proof".to_owned()))),
    ("it is empty", |proof| proof.with_damage(Damage::Replaced(String::new()))),
    ("crit names an extension", |proof| proof.with_header("crit", json!(["x"])).with_header("x", 1)),
    ("jti is missing", |proof| proof.with_claim("jti", Value::Null)),
    ("jti is empty", |proof| proof.with_claim("jti", "")),
    ("jti is a number", |proof| proof.with_claim("jti", 7)),
    ("htm is missing", |proof| proof.with_claim("htm", Value::Null)),
    ("htm is GET", |proof| proof.with_claim("htm", "GET")),
    ("htm is in lower case", |proof| proof.with_claim("htm", "post")),
    ("htu is missing", |proof| proof.with_claim("htu", Value::Null)),
    ("htu is no URL", |proof| proof.with_claim("htu", "token")),
    ("htu has another scheme", |proof| change_htu(proof, |htu| htu.replacen("http", "ftp", 1))),
    ("htu has another port", |proof| change_htu(proof, |htu| htu.replacen("127.0.0.1:", "127.0.0.1:1", 1))),
    ("htu has another host", |proof| change_htu(proof, |htu| htu.replacen("127.0.0.1", "127.0.0.2", 1))),
    ("htu has another path", |proof| change_htu(proof, |htu| format!("{htu}s"))),
    ("htu has another case in its path", |proof| change_htu(proof, |htu| htu.replacen("/o/", "/O/", 1))),
    ("htu has a trailing slash", |proof| change_htu(proof, |htu| format!("{htu}/"))),
    ("iat is missing", |proof| proof.with_claim("iat", Value::Null)),
    ("iat is a text", |proof| {
        let iat = proof.claims["iat"].to_string();
        proof.with_claim("iat", iat)
    }),
    ("iat is an hour old", |proof| move_iat(proof, -3600)),
    ("iat is ten minutes old", |proof| move_iat(proof, -600)),
    ("iat is an hour ahead", |proof| move_iat(proof, 3600)),
    ("iat is 61 seconds ahead", |proof| move_iat(proof, 61)),
    ("iat is in milliseconds", |proof| {
        let seconds = proof.claims["iat"].as_i64().unwrap();
        proof.with_claim("iat", seconds * 1000)
    }),
];

pub(super) fn signed_by(mut proof: Jwt, key: Key) -> Jwt {
    proof.key = key.clone();
    proof.with_header("jwk", key.jwk())
}

pub(super) fn with_jwk_member(proof: Jwt, name: &str, value: Value) -> Jwt {
    let mut jwk = proof.header["jwk"].clone();
    jwk[name] = value;
    proof.with_header("jwk", jwk)
}

pub(super) fn move_iat(proof: Jwt, seconds: i64) -> Jwt {
    let iat = proof.claims["iat"].as_i64().expect("iat") + seconds;
    proof.with_claim("iat", iat)
}

/// The JWT under `HS256`, with the JSON of the public JWK as the secret (RFC 8725 §2.1).
pub(super) fn keyed_hash(jwt: &Jwt) -> Jwt {
    let jwt = jwt.clone().with_header("alg", "HS256");
    let signed = signing_input(&jwt);
    let secret = hmac::Key::new(hmac::HMAC_SHA256, jwt.key.jwk().to_string().as_bytes());
    let tag = hmac::sign(&secret, signed.as_bytes());
    let compact = format!("{signed}.{}", base64url(tag.as_ref()));
    jwt.with_damage(Damage::Replaced(compact))
}

/// The JWT with its signature as an ASN.1 sequence of two integers instead of R and S (RFC 7518 §3.4).
pub(super) fn der_signed(jwt: &Jwt) -> Jwt {
    let compact = jwt.compact();
    let (signed, signature) = compact.rsplit_once('.').expect("three segments");
    let raw = from_base64url(signature);
    let mut body = Vec::new();
    for half in raw.chunks(raw.len() / 2) {
        let mut integer: Vec<u8> = half.iter().copied().skip_while(|byte| *byte == 0).collect();
        if integer.first().is_none_or(|first| first & 0x80 != 0) {
            integer.insert(0, 0);
        }
        body.extend([0x02, u8::try_from(integer.len()).expect("a short integer")]);
        body.extend(integer);
    }
    let mut der = vec![0x30, u8::try_from(body.len()).expect("a short sequence")];
    der.extend(body);
    let compact = format!("{signed}.{}", base64url(&der));
    jwt.clone().with_damage(Damage::Replaced(compact))
}

fn signing_input(jwt: &Jwt) -> String {
    let compact = jwt.compact();
    compact.rsplit_once('.').expect("three segments").0.to_owned()
}

fn change_htu(proof: Jwt, change: impl FnOnce(String) -> String) -> Jwt {
    let htu = proof.claims["htu"].as_str().expect("htu").to_owned();
    proof.with_claim("htu", change(htu))
}

/// The challenge of a 401 must name the scheme, the error and the algorithms (RFC 9449 §7.1).
fn assert_challenged(answer: &Answer, error: &str) {
    let challenge = answer.header("www-authenticate").unwrap_or_default();
    assert!(challenge.starts_with("DPoP "), "{answer}");
    assert!(challenge.contains(&format!("error=\"{error}\"")), "{answer}");
    assert!(challenge.contains("algs=\"") && challenge.contains("ES256"), "{answer}");
}

/// A call whose proof has a fresh `jti`.
fn again(call: &Call) -> Call {
    call.clone().with_dpop(|proof| proof.with_claim("jti", random(16)))
}

on_every_backend! {
    /// DPP-1, DPP-2, SEC-13: one negative test per rule of RFC 9449 §4.3, 400 at the token endpoint. The code survives
    /// all of them.
    async fn a_wrong_proof_is_refused_at_the_token_endpoint(world: &World) {
        let scene = Scene::new(world).await;
        for (rule, mutation) in MUTATIONS {
            let call = scene.wallet.token_call(&scene.opened).with_dpop(mutation);
            let answer = scene.wallet.send(call).await;
            assert_eq!(answer.status, 400, "{rule}: {answer}");
            answer.refused(400, "invalid_dpop_proof");
            assert_eq!(scene.cause().await.message, "token.dpop_invalid", "{rule}");
        }
        assert_eq!(scene.redeem().await.response["token_type"], "DPoP");
    }

    /// DPP-1, DPP-2: the same at the credential endpoint, as 401 with a challenge. The token survives all of them.
    async fn a_wrong_proof_is_refused_at_the_credential_endpoint(world: &World) {
        let scene = Scene::new(world).await;
        let token = scene.redeem().await;
        for (rule, mutation) in MUTATIONS {
            let nonce = scene.wallet.nonce(&scene.opened).await;
            let call = scene.wallet.credential_call(&token, &nonce).with_dpop(mutation);
            let answer = scene.wallet.send(call).await;
            let error = answer.json()["error"].clone();
            // A proof that is right in itself and by another key than the token may be called either.
            let legal = error == "invalid_dpop_proof" || (*rule == "jwk is another key" && error == "invalid_token");
            assert!(answer.status == 401 && legal, "{rule}: {answer}");
            answer.refused(401, error.as_str().unwrap());
            assert_challenged(&answer, error.as_str().unwrap());
            assert_eq!(scene.cause().await.message, "access.dpop_invalid", "{rule}");
        }
        scene.collect(&token).await;
    }

    /// DPP-1: exactly one `DPoP` header (RFC 9449 §4.3), even when both are good.
    async fn two_dpop_headers_are_refused(world: &World) {
        let scene = Scene::new(world).await;
        let call = scene.wallet.token_call(&scene.opened);
        let second = again(&call).dpop.unwrap().compact();
        scene.wallet.send(call.with_header("dpop", &second)).await.refused(400, "invalid_dpop_proof");
        let token = scene.redeem().await;
        let call = scene.wallet.credential_call(&token, &scene.wallet.nonce(&scene.opened).await);
        let second = again(&call).dpop.unwrap().compact();
        scene.wallet.send(call.with_header("dpop", &second)).await.refused(401, "invalid_dpop_proof");
        scene.collect(&token).await;
    }

    /// DPP-7: a proof works once (RFC 9449 §11.1), also with another code and when it was used on a request that failed
    /// for another reason.
    async fn a_replayed_proof_is_refused(world: &World) {
        let scene = Scene::new(world).await;
        let (_, second) = scene.another_offer().await;
        let first = scene.wallet.token_call(&scene.opened);
        scene.wallet.send(first.clone()).await.ok();
        let mut replay = scene.wallet.token_call(&second);
        replay.dpop = first.dpop;
        scene.wallet.send(replay.clone()).await.refused(400, "invalid_dpop_proof");

        let token = Token { response: scene.wallet.send(again(&replay)).await.ok(), opened: second };
        let nonce = scene.wallet.nonce(&scene.opened).await;
        let call = scene.wallet.credential_call(&token, &nonce);
        scene.wallet.send(call.clone()).await.ok();
        let answer = scene.wallet.send(call).await;
        answer.refused(401, "invalid_dpop_proof");
        assert_challenged(&answer, "invalid_dpop_proof");
    }

    /// DPP-7: the same `jti` by another wallet's key is another proof: wallets cannot use each other's up.
    async fn a_jti_is_remembered_per_key(world: &World) {
        let scene = Scene::new(world).await;
        let (_, second) = scene.another_offer().await;
        let fixed = |call: Call| call.with_dpop(|proof| proof.with_claim("jti", "1"));
        scene.wallet.send(fixed(scene.wallet.token_call(&scene.opened))).await.ok();
        let stranger = world.wallet();
        stranger.send(fixed(stranger.token_call(&second))).await.ok();
    }

    /// DPP-9: 60 seconds ahead are forgiven, and a minute of age (RFC 9449 §11.1).
    async fn small_differences_of_clocks_are_forgiven(world: &World) {
        let scene = Scene::new(world).await;
        for seconds in [60, 10, -60] {
            let (_, opened) = scene.another_offer().await;
            let call = scene.wallet.token_call(&opened).with_dpop(|proof| move_iat(proof, seconds));
            let answer = scene.wallet.send(call).await;
            assert_eq!(answer.status, 200, "{seconds}: {answer}");
        }
    }

    /// DPP-1: Ed25519 proofs are as good, and a `kid` inside or beside the JWK does no harm.
    async fn an_ed25519_proof_and_extra_members_are_accepted(world: &World) {
        let mut scene = Scene::new(world).await;
        scene.wallet.dpop_key = Some(Key::ed25519());
        let call = scene.wallet.token_call(&scene.opened).with_dpop(|proof| {
            with_jwk_member(proof, "kid", json!("a1c1abc3")).with_header("kid", "x").with_claim("x", 1)
        });
        let token = Token { response: scene.wallet.send(call).await.ok(), opened: scene.opened.clone() };
        assert_eq!(token.response["token_type"], "DPoP");
        scene.collect(&token).await;
    }

    /// DPP-1: `htu` is compared after normalisation and without query and fragment (RFC 9449 §4.3), against the
    /// configured public URL, whatever `Host` and `X-Forwarded-*` say.
    async fn htu_is_compared_after_normalisation(world: &World) {
        let scene = Scene::under_issuer(world, "https://issuer.example/t/acme").await;
        for htu in [
            "https://issuer.example/t/acme/token",
            "https://issuer.example:443/t/acme/token",
            "HTTPS://ISSUER.example/t/acme/token",
            "https://issuer.example/t/%61cme/token",
            "https://issuer.example/t/./x/../acme/token",
        ] {
            let (_, opened) = scene.another_offer().await;
            let mut call = scene.wallet.token_call(&opened).with_dpop(|proof| proof.with_claim("htu", htu));
            call.url.push_str("?x=1");
            let call =
                call.with_header("x-forwarded-host", "elsewhere.example").with_header("x-forwarded-proto", "http");
            let answer = scene.wallet.send(call).await;
            assert_eq!(answer.status, 200, "{htu}: {answer}");
        }
        let internal = format!("{}/token", world.public_url());
        for htu in [
            "http://issuer.example/t/acme/token",
            "https://issuer.example:80/t/acme/token",
            "https://issuer.example/token",
            "https://issuer.example/t/acme/credential",
            "https://issuer.example.evil.example/t/acme/token",
            internal.as_str(),
        ] {
            let call = scene.wallet.token_call(&scene.opened).with_dpop(|proof| proof.with_claim("htu", htu));
            let answer = scene.wallet.send(call).await;
            assert_eq!(answer.status, 400, "{htu}: {answer}");
            answer.refused(400, "invalid_dpop_proof");
        }
    }

    /// DPP-3, DPP-4: `ath` is that of this token, and the key that of the token request (RFC 9449 §4.3, §7.1).
    async fn a_proof_fits_its_token(world: &World) {
        let scene = Scene::new(world).await;
        let token = scene.redeem().await;
        let (_, second) = scene.another_offer().await;
        let other = scene.wallet.redeem(&second).await;
        let nonce = scene.wallet.nonce(&scene.opened).await;
        let good = || scene.wallet.credential_call(&token, &nonce);
        let ath_of = |text: &str| json!(base64url(&sha256(text.as_bytes())));
        for ath in [Value::Null, json!("x"), json!(7), ath_of(other.value()), ath_of(&format!("{} ", token.value()))] {
            let call = good().with_dpop(|proof| proof.with_claim("ath", ath.clone()));
            let answer = scene.wallet.send(call).await;
            assert_eq!(answer.status, 401, "{ath}: {answer}");
            answer.refused(401, "invalid_dpop_proof");
            assert_challenged(&answer, "invalid_dpop_proof");
        }
        let answer = scene.wallet.send(good().with_dpop(|proof| signed_by(proof, Key::p256()))).await;
        assert!(answer.status == 401, "{answer}");
        assert!(
            ["invalid_token", "invalid_dpop_proof"].iter().any(|error| answer.json()["error"] == *error),
            "{answer}"
        );
        let answer = scene.wallet.send(good().without_dpop()).await;
        answer.refused(401, "invalid_dpop_proof");
        assert_challenged(&answer, "invalid_dpop_proof");
        // The proof of the token request, sent again.
        let call = good().with_dpop(|_| scene.wallet.token_call(&scene.opened).dpop.unwrap());
        scene.wallet.send(call).await.refused(401, "invalid_dpop_proof");
        scene.wallet.send(good()).await.ok();
    }

    /// DPP-4: no downgrade of a bound token to Bearer (RFC 9449 §7.2), and no upgrade of a Bearer token.
    async fn a_token_is_used_under_its_own_scheme(world: &World) {
        let mut scene = Scene::new(world).await;
        let bound = scene.redeem().await;
        let nonce = scene.wallet.nonce(&scene.opened).await;
        let call = scene.wallet.credential_call(&bound, &nonce).without_header("authorization");
        let bearer = call.with_header("authorization", &format!("Bearer {}", bound.value()));
        for call in [bearer.clone(), bearer.without_dpop()] {
            let answer = scene.wallet.send(call).await;
            answer.refused(401, "invalid_token");
            assert!(answer.header("www-authenticate").unwrap().starts_with("DPoP "), "{answer}");
        }
        let (_, second) = scene.another_offer().await;
        let key = scene.wallet.dpop_key.take();
        let unbound = scene.wallet.redeem(&second).await;
        scene.wallet.dpop_key = key;
        let mut call = scene.wallet.credential_call(&unbound, &nonce).without_header("authorization");
        call = call.with_header("authorization", &format!("DPoP {}", unbound.value()));
        call.dpop = scene.wallet.dpop(&call.method, &call.url, Some(unbound.value()));
        scene.wallet.send(call).await.refused(401, "invalid_token");
        scene.collect(&bound).await;
    }

    /// DPP-5: a nonce is demanded with 400 at the token endpoint and 401 at the credential endpoint, and the nonce of
    /// the refusal helps.
    async fn a_required_nonce_is_demanded_and_handed_out(world: &World) {
        let scene = Scene::under(world, json!({"dpopNonce": "require"})).await;
        let call = scene.wallet.token_call(&scene.opened);
        let answer = scene.wallet.send(call.clone()).await;
        answer.refused(400, "use_dpop_nonce");
        let nonce = answer.header("dpop-nonce").expect("DPoP-Nonce").to_owned();
        // NQCHAR (RFC 6749 Appendix A), DPP-6.
        assert!(nonce.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e)), "{nonce}");
        let answer = scene.wallet.send(again(&call).with_dpop(|proof| proof.with_claim("nonce", nonce))).await;
        let token = Token { response: answer.ok(), opened: scene.opened.clone() };

        let c_nonce = scene.wallet.nonce(&scene.opened).await;
        let call = scene.wallet.credential_call(&token, &c_nonce);
        let answer = scene.wallet.send(call.clone()).await;
        answer.refused(401, "use_dpop_nonce");
        assert_challenged(&answer, "use_dpop_nonce");
        let nonce = answer.header("dpop-nonce").expect("DPoP-Nonce").to_owned();
        scene.wallet.send(again(&call).with_dpop(|proof| proof.with_claim("nonce", nonce))).await.ok();
    }

    /// DPP-5, NON-6: a nonce is of one organisation, of one purpose, and for some minutes.
    async fn a_nonce_of_another_place_or_time_is_refused(world: &World) {
        let scene = Scene::under(world, json!({"dpopNonce": "require", "nonceLifetime": 60})).await;
        let other = Scene::under(world, json!({"dpopNonce": "require"})).await;
        let demanded = async |scene: &Scene| {
            let answer = scene.wallet.send(scene.wallet.token_call(&scene.opened)).await;
            answer.header("dpop-nonce").expect("DPoP-Nonce").to_owned()
        };
        let expired = demanded(&scene).await;
        let foreign = demanded(&other).await;
        let key_proof = scene.wallet.nonce(&scene.opened).await;
        world.advance(Duration::from_secs(61));
        for nonce in [json!(expired), json!(foreign), json!(key_proof), json!(""), json!("x")] {
            let call =
                scene.wallet.token_call(&scene.opened).with_dpop(|proof| proof.with_claim("nonce", nonce.clone()));
            let answer = scene.wallet.send(call).await;
            assert_eq!(answer.status, 400, "{nonce}: {answer}");
            answer.refused(400, "use_dpop_nonce");
            assert!(answer.header("dpop-nonce").is_some());
        }
        scene.redeem().await;
    }

    /// DPP-6: every answer of the protected endpoints has a fresh nonce, and a wallet that takes it is served at once.
    async fn answers_carry_the_next_nonce(world: &World) {
        let scene = Scene::under(world, json!({"dpopNonce": "require"})).await;
        let nonce_of = |answer: &Answer| json!(answer.header("dpop-nonce").expect("DPoP-Nonce"));
        let refused = scene.wallet.send(scene.wallet.token_call(&scene.opened)).await;
        let call = scene.wallet.token_call(&scene.opened);
        let answer = scene.wallet.send(call.with_dpop(|proof| proof.with_claim("nonce", nonce_of(&refused)))).await;
        let token = Token { response: answer.ok(), opened: scene.opened.clone() };
        let c_nonce = scene.wallet.nonce(&scene.opened).await;
        let call = scene.wallet.credential_call(&token, &c_nonce);
        let answer = scene.wallet.send(call.with_dpop(|proof| proof.with_claim("nonce", nonce_of(&answer)))).await;
        answer.ok();
        assert!(answer.header("dpop-nonce").is_some());
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }

    /// DPP-6: no nonce is handed out where none is wanted.
    async fn no_nonce_is_handed_out_when_the_policy_is_off(world: &World) {
        let scene = Scene::under(world, json!({"dpopNonce": "off"})).await;
        let answer = scene.wallet.send(scene.wallet.token_call(&scene.opened)).await;
        answer.ok();
        assert_eq!(answer.header("dpop-nonce"), None);
    }
}
