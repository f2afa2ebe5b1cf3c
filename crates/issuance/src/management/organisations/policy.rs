//! The `policy` object of a body: a preset and the switches that differ from it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chancery_keys::CertificateChain;
use chancery_model::{AttestationRule, Policy, Profile, TrustedParties, TrustedPartiesError};
use serde_json::{Map, Value};

use crate::management::body::{Fault, Faults, Members, below};
use crate::management::levels::read_levels;

const PROFILES: &[(&str, Profile)] = &[("open", Profile::Open), ("mixed", Profile::Mixed), ("haip", Profile::Haip)];

/// Members that have readers of their own, for pointers into them.
const READ_APART: [&str; 4] = ["profile", "trustAnchors", "keyStorage", "userAuthentication"];

/// Reads the preset, then each switch on its own, so that every wrong one is named. `None` when there is no policy.
pub(super) fn read_policy(members: &Members<'_>, faults: &mut Faults) -> Option<Policy> {
    let given = members.object("policy", faults)?;
    Some(read_switches(&given, faults))
}

/// The same of a body that is a policy.
pub(super) fn read_body(body: &Map<String, Value>) -> Result<Policy, Vec<Fault>> {
    let mut faults = Faults::default();
    let policy = read_switches(&Members::of_body(body), &mut faults);
    faults.none_or(Some(policy))
}

fn read_switches(given: &Members<'_>, faults: &mut Faults) -> Policy {
    let profile = given.choice("profile", PROFILES, faults).unwrap_or(Profile::Open);
    let mut policy = profile.policy();
    let has_no_reader = |(name, value): &(&String, &Value)| !value.is_null() && !READ_APART.contains(&name.as_str());
    for (name, value) in given.raw().iter().filter(has_no_reader) {
        match with_switch(&policy, name, value) {
            Ok(changed) => policy = changed,
            Err(error) => faults.add(given.at(name), error.to_string()),
        }
    }
    for (name, levels) in
        [("keyStorage", &mut policy.key_storage), ("userAuthentication", &mut policy.user_authentication)]
    {
        if given.value(name).is_some() {
            *levels = read_levels(given, name, faults);
        }
    }
    if let Some(anchors) = given.object("trustAnchors", faults) {
        anchors.refuse_others(&[&["walletProviders", "keyAttesters"]], faults);
        policy.trust_anchors.wallet_providers = read_parties(&anchors, "walletProviders", faults);
        policy.trust_anchors.key_attesters = read_parties(&anchors, "keyAttesters", faults);
    }
    check(&policy, given.pointer(), faults);
    policy
}

/// `policy` with one switch set as the JSON of a policy says.
fn with_switch(policy: &Policy, name: &str, value: &Value) -> Result<Policy, serde_json::Error> {
    let mut written = serde_json::to_value(policy)?;
    if let Some(members) = written.as_object_mut() {
        members.insert(name.to_owned(), value.clone());
    }
    // The policy itself is readable, so what is refused is this switch.
    serde_json::from_value(written)
}

fn read_parties(anchors: &Members<'_>, name: &str, faults: &mut Faults) -> TrustedParties {
    let Some(parties) = anchors.object(name, faults) else { return TrustedParties::default() };
    parties.refuse_others(&[&["certificates", "jwks"]], faults);
    let mut certificates = Vec::new();
    for (pointer, value) in parties.array("certificates", 100, faults).unwrap_or_default() {
        match value.as_str() {
            Some(text) => certificates.push(text.to_owned()),
            None => faults.add(pointer, "base64 of a DER certificate is expected"),
        }
    }
    let jwks = parties.value("jwks");
    TrustedParties::parse(&certificates, jwks).unwrap_or_else(|error| {
        let pointer = match &error {
            TrustedPartiesError::TooMany => parties.at("certificates"),
            TrustedPartiesError::Certificate { position } => format!("{}/{position}", parties.at("certificates")),
            TrustedPartiesError::Keys(_) => parties.at("jwks"),
        };
        faults.add(pointer, error.to_string());
        TrustedParties::default()
    })
}

fn check(policy: &Policy, pointer: &str, faults: &mut Faults) {
    let mut check = |name: &str, good: bool, detail: &str| {
        if !good {
            faults.add(below(pointer, name), detail);
        }
    };
    check("bindingMethods", !policy.binding_methods.is_empty(), "at least one method is expected");
    check("proofAlgorithms", !policy.proof_algorithms.is_empty(), "at least one algorithm is expected");
    check("transactionCodeAttempts", (1..=20).contains(&policy.transaction_code_attempts), "1 to 20 are accepted");
    check("offerLifetime", (60..=31_536_000).contains(&policy.offer_lifetime), "60 s to one year are accepted");
    check("accessTokenLifetime", (30..=86_400).contains(&policy.access_token_lifetime), "30 s to one day are accepted");
    let refresh = (600..=31_536_000).contains(&policy.refresh_token_lifetime);
    check("refreshTokenLifetime", refresh, "ten minutes (600) to one year are accepted");
    check("nonceLifetime", (10..=3_600).contains(&policy.nonce_lifetime), "10 s to one hour are accepted");
    check("timeRounding", (1..=86_400).contains(&policy.time_rounding), "1 s to one day are accepted");
    check("decoys", policy.decoys <= 16, "at most 16 are accepted");
    let possible = policy.message_encryption().is_consistent();
    check("responseEncryption", possible, "a response is encrypted only where requests are: see encryption");
    check("batchSize", (1..=100).contains(&policy.batch_size), "1 (no batches) to 100 are accepted");
    // What nobody can fulfil is a mistake of whoever sets it.
    let nobody = "to enforce attestations, name those who may make them in trustAnchors";
    let anchors = &policy.trust_anchors;
    let possible = |rule, parties: &TrustedParties| rule != AttestationRule::Enforce || !parties.is_empty();
    check("walletAttestation", possible(policy.wallet_attestation, &anchors.wallet_providers), nobody);
    check("keyAttestation", possible(policy.key_attestation, &anchors.key_attesters), nobody);
    for (position, anchor) in policy.proof_trust_anchors.iter().enumerate() {
        let der = STANDARD.decode(anchor).ok();
        if der.and_then(|der| CertificateChain::from_der(vec![der]).ok()).is_none() {
            faults.add(format!("{pointer}/proofTrustAnchors/{position}"), "base64 of a DER certificate is expected");
        }
    }
}

#[cfg(test)]
mod tests {
    use chancery_model::{AccessTokenBinding, PushedAuthorization};
    use chancery_protocol::encryption::Rule as EncryptionRule;
    use serde_json::json;

    use super::*;

    fn read(policy: &Value) -> Result<Policy, Vec<String>> {
        let body: Map<String, Value> = [("policy".to_owned(), policy.clone())].into_iter().collect();
        let mut faults = Faults::default();
        let policy = read_policy(&Members::of_body(&body), &mut faults);
        faults.none_or(policy).map_err(|faults| faults.into_iter().map(|fault| fault.pointer).collect())
    }

    fn key_set() -> Value {
        json!({ "keys": [{
            "kty": "EC", "crv": "P-256", "kid": "provider-1",
            "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
        }] })
    }

    #[test]
    fn a_preset_sets_every_switch_and_a_switch_beside_it_wins() {
        let policy = read(&json!({
            "profile": "haip", "pushedAuthorization": "accept", "encryption": "required",
            "trustAnchors": { "walletProviders": { "jwks": key_set() } },
        }))
        .unwrap();
        assert_eq!(policy.access_token_binding, AccessTokenBinding::DpopRequired);
        assert_eq!(policy.pushed_authorization, PushedAuthorization::Accept);
        assert_eq!(policy.encryption, EncryptionRule::Required);
    }

    #[test]
    fn the_effective_policy_can_be_sent_back() {
        let anchors = json!({ "walletProviders": { "jwks": key_set() } });
        for profile in ["open", "mixed", "haip"] {
            let policy = read(&json!({ "profile": profile, "trustAnchors": anchors })).unwrap();
            assert_eq!(read(&serde_json::to_value(&policy).unwrap()).unwrap(), policy);
        }
    }

    #[test]
    fn a_switch_that_is_null_counts_as_left_out() {
        let nulls =
            json!({ "anonymousAccess": null, "clients": null, "profile": null, "trustAnchors": null, "decoys": 3 });
        assert_eq!(read(&nulls).unwrap(), read(&json!({ "decoys": 3 })).unwrap());
    }

    #[test]
    fn an_attestation_that_nobody_may_make_cannot_be_enforced() {
        assert_eq!(read(&json!({ "profile": "haip" })), Err(vec!["/policy/walletAttestation".to_owned()]));
        assert_eq!(read(&json!({ "keyAttestation": "enforce" })), Err(vec!["/policy/keyAttestation".to_owned()]));
    }

    #[test]
    fn faults_inside_the_trust_anchors_are_pointed_at() {
        let refused = read(&json!({ "keyStorage": ["", "iso_18045_high"], "profile": "closed", "trustAnchors": {
            "keyAttesters": { "certificates": ["AAAA"] },
            "walletProviders": { "jwks": { "keys": [] }, "jku": "https://provider.example" },
            "others": {},
        } }));
        let pointers = [
            "/policy/profile",
            "/policy/keyStorage/0",
            "/policy/trustAnchors/others",
            "/policy/trustAnchors/walletProviders/jku",
            "/policy/trustAnchors/walletProviders/jwks",
            "/policy/trustAnchors/keyAttesters/certificates/0",
        ];
        assert_eq!(refused, Err(pointers.map(str::to_owned).to_vec()));
    }
}
