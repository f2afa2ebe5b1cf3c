//! `CredentialHistory`, member by member (management API contract).

use chancery_tests::jwt;
use chancery_tests::key::{base64url, sha256};
use chancery_tests::on_every_backend;
use chancery_tests::platform::{history_path, issue_body};

use super::*;

/// Table 3.4 with the JSON type of each member.
const MEMBERS: [(&str, &str); 45] = [
    ("CredentialExchangeId", "string"),
    ("credentialExchangeId", "string"),
    ("id", "string"),
    ("issuanceMode", "string"),
    ("isPreAuthorised", "boolean"),
    ("credentialOffer", "string"),
    ("credentialStatus", "string"),
    ("status", "string"),
    ("clientId", "string"),
    ("userPin", "string"),
    ("createdAt", "integer"),
    ("updatedAt", "integer"),
    ("credential", "object"),
    ("disclosureMapping", "object"),
    ("presentationDefinitionId", "string"),
    ("presentationExchangeId", "string"),
    ("holder", "object"),
    ("holder/name", "string"),
    ("holder/location", "string"),
    ("holder/logo", "string"),
    ("credentialFormat", "string"),
    ("supportRevocation", "boolean"),
    ("revocationStatus", "string"),
    ("clientAssertion", "string"),
    ("clientAssertionType", "string"),
    ("clientAssertionVerified", "boolean"),
    ("walletUnitAttestation", "string"),
    ("walletUnitAttestationPoP", "string"),
    ("walletUnitAttestationVerified", "boolean"),
    ("credentialToken", "string"),
    ("cnf", "object"),
    ("jti", "string"),
    ("proof", "string"),
    ("proofType", "string"),
    ("proofVerified", "boolean"),
    ("decodedWalletUnitAttestation", "object"),
    ("idToken", "string"),
    ("idTokenDecoded", "object"),
    ("idTokenVerified", "boolean"),
    ("issuanceDeniedReason", "string"),
    ("expiredCredentialTokens", "array"),
    ("expiredCredentials", "array"),
    ("credentialResponseEncryption", "object"),
    ("individualId", "string"),
    ("mapperId", "string"),
];

/// Flow secrets that other issuers of this API show, and we do not.
const SECRETS: [&str; 13] = [
    "preAuthorisedCode",
    "preAuthorizedCode",
    "issuerState",
    "authorisationCode",
    "authorisationCodeState",
    "authorisationRequestState",
    "idTokenRequestState",
    "idTokenRequest",
    "codeChallenge",
    "acceptanceToken",
    "redirectUri",
    "accessToken",
    "offerId",
];

#[track_caller]
fn assert_complete(record: &Value) {
    for (member, expected) in MEMBERS {
        let value = record.pointer(&format!("/{member}")).unwrap_or_else(|| panic!("no {member} in {record:#}"));
        assert_eq!(kind(value), expected, "{member}");
    }
    assert_eq!(record["CredentialExchangeId"], record["id"]);
    assert_eq!(record["credentialExchangeId"], record["id"]);
    for member in record.as_object().expect("a record").keys() {
        assert!(!SECRETS.contains(&member.as_str()), "{member}");
    }
}

on_every_backend! {
    /// Every member from the first answer on, of its type and empty while there is nothing to say.
    async fn a_record_has_every_member_from_the_beginning(world: &World) {
        let (operator, definition) = badge(world).await;
        let answer = operator.issue(issue_body(&definition, &samples::staff_claims())).await;
        let record = answer.ok()["credentialHistory"].clone();
        assert_complete(&record);
        for (member, expected) in [
            ("issuanceMode", json!("InTime")),
            ("isPreAuthorised", json!(true)),
            ("credentialStatus", json!("ready")),
            ("status", json!("offer_sent")),
            ("clientId", json!("")),
            ("userPin", json!("")),
            ("createdAt", json!(START)),
            ("updatedAt", json!(START)),
            ("presentationDefinitionId", json!("")),
            ("presentationExchangeId", json!("")),
            ("holder", json!({"name": "", "location": "", "logo": ""})),
            ("credentialFormat", json!("dc+sd-jwt")),
            ("supportRevocation", json!(false)),
            ("revocationStatus", json!("Operational")),
            ("credentialToken", json!("")),
            ("cnf", json!({})),
            ("jti", json!("")),
            ("proof", json!("")),
            ("proofType", json!("")),
            ("proofVerified", json!(false)),
            ("issuanceDeniedReason", json!("")),
            ("expiredCredentialTokens", json!([])),
            ("credentialResponseEncryption", json!({})),
        ] {
            assert_eq!(record[member], expected, "{member}");
        }
        assert_eq!(record["credential"]["claims"], samples::staff_claims());
        assert_eq!(record["credential"]["id"], definition["credentialDefinitions"][0]["id"]);
        assert_eq!(record["credential"]["vct"], "https://types.example/staff/1");
        let mapping = json!({
            "given_name": {"limitDisclosure": true},
            "family_name": {"limitDisclosure": true},
            "employee_id": {"limitDisclosure": false},
            "department": {"limitDisclosure": false},
        });
        assert_eq!(record["disclosureMapping"], mapping);
        // All three ways to read it tell the same.
        let id = record["id"].as_str().expect("an id");
        assert_eq!(operator.history(id).await, record);
        assert_eq!(operator.get(HISTORY).await.ok()["credentialHistory"], json!([record]));
    }

    /// After the wallet took the credential the record shows it, the holder's key and the proof, without a signature
    /// that somebody could use again.
    async fn a_record_shows_what_was_delivered(world: &World) {
        let (operator, definition) = badge(world).await;
        let offer = operator.offer(&definition, &samples::staff_claims()).await;
        let mut wallet = world.wallet();
        wallet.client_id = Some("https://wallet.example".to_owned());
        world.advance(std::time::Duration::from_secs(30));
        let received = wallet.accept(&offer.link).await;
        let record = operator.history(&offer.id).await;
        assert_complete(&record);
        assert_eq!(record["status"], "credential_issued");
        assert_eq!(record["clientId"], "https://wallet.example");
        assert_eq!(record["holder"]["name"], "https://wallet.example");
        assert_eq!(record["credentialToken"], received.credential);
        let bound = &record["cnf"]["jwk"];
        for member in ["kty", "crv", "x", "y"] {
            assert_eq!(bound[member], wallet.holder_key.jwk()[member], "{member}");
        }
        assert_eq!((&record["proofType"], &record["proofVerified"]), (&json!("jwt"), &json!(true)));
        let (header, claims) = jwt::decode(record["proof"].as_str().expect("a proof"));
        assert_eq!(header["typ"], "openid4vci-proof+jwt");
        assert_eq!(claims["aud"], operator.issuer());
        assert!(record["proof"].as_str().is_some_and(|proof| proof.ends_with('.')), "the signature is cut");
        assert_eq!((&record["createdAt"], &record["updatedAt"]), (&json!(START), &json!(START + 30)));

        let text = operator.get(&history_path(&offer.id)).await.text();
        let code = &received.token.opened.offer["grants"][chancery_tests::wallet::PRE_AUTHORIZED_CODE];
        let code = code["pre-authorized_code"].as_str().expect("a code");
        for secret in [code, received.token.value()] {
            assert!(!text.contains(secret), "a secret in {text}");
            assert!(!text.contains(&base64url(&sha256(secret.as_bytes()))), "its hash in {text}");
        }
    }

    /// Nested claims and array elements appear where they are.
    async fn the_disclosure_mapping_is_parallel_to_the_claims(world: &World) {
        let operator = world.organisation().await;
        let definition = operator.define(&samples::pid()).await;
        let offer = operator.offer(&definition, &samples::pid_claims()).await;
        let mapping = &offer.history["disclosureMapping"];
        assert_eq!(mapping["address"]["limitDisclosure"], true);
        assert_eq!(mapping["address"]["locality"], json!({"limitDisclosure": true}));
        assert_eq!(mapping["nationalities"]["limitDisclosure"], false);
        assert_eq!(mapping["nationalities"]["*"], json!({"limitDisclosure": true}));
    }

    /// Personal data is sealed: neither claims nor credentials are readable in the database, or in a log.
    async fn claims_are_readable_only_through_the_interface(world: &World) {
        let (operator, definition) = badge(world).await;
        let claims = json!({"given_name": "Xanthippe", "family_name": "Quirinius", "employee_id": "Z-99417"});
        let offer = operator.offer(&definition, &claims).await;
        let received = world.wallet().accept(&offer.link).await;
        assert_eq!(operator.history(&offer.id).await["credential"]["claims"], claims);
        let disclosure = received.credential.split('~').nth(1).expect("a disclosure");
        for value in ["Xanthippe", "Quirinius", "Z-99417", disclosure, received.token.value()] {
            assert!(!world.gives_away(value).await, "{value}");
        }
        world.restart().await;
        assert_eq!(operator.history(&offer.id).await["credentialToken"], received.credential);
    }
}
