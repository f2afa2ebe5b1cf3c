//! Certificates of signing keys: requests, chains, and the `x5c` of credentials.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chancery_tests::certificates::{Authority, pem};
use chancery_tests::on_every_backend;
use chancery_tests::sd_jwt::parts;

use super::*;

async fn csr(operator: &Operator) -> String {
    operator.signing_request(json!({})).await
}

async fn upload(operator: &Operator, chain: &str) -> Answer {
    let path = format!("{}/certificate-chain", operator.signing_key().await);
    operator.put(&path, json!({"certificateChain": chain})).await
}

on_every_backend! {
    /// From the request to the credential: the chain that an authority made of our request is in the header, leaf first
    /// and without the anchor (HAIP 1.0 §4.5.1, RFC 7515 §4.1.6).
    async fn a_certified_key_puts_its_chain_into_credentials(world: &World) {
        let operator = world.organisation().await;
        let root = Authority::new(world.env.now());
        let (authority, intermediate) = root.delegate("Intermediate");
        let leaf = authority.certify_request(&csr(&operator).await);
        let chain = pem(&[&leaf, &intermediate]);
        let answer = upload(&operator, &chain).await.ok();
        assert_eq!(answer["warnings"], json!([]));
        assert_eq!(answer["key"]["certificateChain"], chain);

        let mut definition = samples::staff_badge();
        definition["trustAnchor"] = "x509".into();
        let definition = operator.define(&definition).await;
        let offer = operator.offer(&definition, &samples::staff_claims()).await;
        let credential = world.wallet().accept(&offer.link).await.credential;
        let header = parts(&credential).header;
        assert_eq!(header["x5c"], json!([STANDARD.encode(&leaf), STANDARD.encode(&intermediate)]));
    }

    /// The request names the organisation and its issuer identifier, or what the caller says.
    async fn a_certificate_request_names_the_organisation(world: &World) {
        let issuer = "https://issuer.example/tenant";
        let operator = world.platform().organisation(json!({"name": "Registry", "issuer": issuer})).await;
        let der = der_of(&csr(&operator).await);
        for expected in ["Registry", "issuer.example", issuer] {
            assert!(contains(&der, expected), "{expected}");
        }
        let body = json!({"commonName": "Badge signer", "names": ["badges.example", "https://badges.example/i"]});
        let path = format!("{}/csr", operator.signing_key().await);
        let named = operator.post(&path, body).await.ok();
        let der = der_of(named["csr"].as_str().expect("a request"));
        for expected in ["Badge signer", "badges.example", "https://badges.example/i"] {
            assert!(contains(&der, expected), "{expected}");
        }
        assert!(!contains(&der, "Registry"));
        for (pointer, body) in [
            ("/commonName", json!({"commonName": "c".repeat(65)})),
            ("/names", json!({"names": "badges.example"})),
            ("/names/0", json!({"names": [7]})),
            ("/names", json!({"names": ["not a name"]})),
            ("/subject", json!({"subject": "CN=x"})),
        ] {
            operator.post(&path, body).await.problem_at(400, pointer);
        }
    }

    /// A chain that no verifier would take is refused before it is in a credential.
    async fn a_chain_that_does_not_fit_is_refused(world: &World) {
        let operator = world.organisation().await;
        let now = world.env.now();
        let root = Authority::new(now);
        let (authority, intermediate) = root.delegate("Intermediate");
        let leaf = authority.certify_request(&csr(&operator).await);
        let (_, of_another_key) = authority.issue("Another key");
        let namesake = Authority::new(now).delegate("Intermediate").1;
        let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned();
        for (what, chain) in [
            ("another key", pem(&[&of_another_key, &intermediate])),
            ("the wrong order", pem(&[&intermediate, &leaf])),
            ("a gap", pem(&[&leaf, root.certificate()])),
            ("an authority that did not sign", pem(&[&leaf, &namesake])),
            ("no certificate", garbage),
            ("no PEM", "certificate".to_owned()),
            ("a private key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n".to_owned()),
        ] {
            let answer = upload(&operator, &chain).await;
            assert_eq!(answer.status, 400, "{what}: {answer}");
            answer.problem_at(400, "/certificateChain");
        }
        let path = format!("{}/certificate-chain", operator.signing_key().await);
        operator.put(&path, json!({})).await.problem_at(400, "/certificateChain");
        operator.put(&path, json!({"certificateChain": [pem(&[&leaf])]})).await.problem_at(400, "/certificateChain");
        let key = operator.get(&operator.signing_key().await).await.ok();
        assert_eq!(key["key"]["certificateChain"], "");

        world.advance(std::time::Duration::from_secs(366 * 86_400));
        let administrator = world.platform().organisation(json!({})).await;
        let expired = authority.certify_request(&csr(&administrator).await);
        upload(&administrator, &pem(&[&expired, &intermediate])).await.problem_at(400, "/certificateChain");
    }

    /// What only some verifiers mind is told, not refused; a chain can be taken away again.
    async fn a_trust_anchor_in_the_chain_is_warned_about(world: &World) {
        let operator = world.organisation().await;
        let root = Authority::new(world.env.now());
        let leaf = root.certify_request(&csr(&operator).await);
        let answer = upload(&operator, &pem(&[&leaf, root.certificate()])).await.ok();
        let warnings = answer["warnings"].as_array().expect("warnings");
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].as_str().is_some_and(|text| text.contains("trust anchor")), "{warnings:?}");
        assert_eq!(upload(&operator, "").await.ok()["key"]["certificateChain"], "");
    }
}

fn der_of(pem: &str) -> Vec<u8> {
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    assert!(pem.starts_with("-----BEGIN CERTIFICATE REQUEST-----"), "{pem}");
    STANDARD.decode(body).expect("base64")
}

fn contains(der: &[u8], text: &str) -> bool {
    der.windows(text.len()).any(|window| window == text.as_bytes())
}
