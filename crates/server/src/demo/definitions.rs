//! What the demo organisation offers: a person identification credential in the manner of the EUDI rulebook, and a staff
//! badge. All people are invented.

use serde_json::{Value, json};

pub(super) const IDENTITY: &str = "Person identification";
pub(super) const STAFF_BADGE: &str = "Staff badge";

/// Definition of the person identification credential.
pub(super) fn identity() -> Value {
    json!({
        "label": IDENTITY,
        "version": "version_01",
        "credentialDefinitions": [{
            "credentialConfigurationId": "person_identification",
            "credentialFormat": "dc+sd-jwt",
            "vct": "urn:eudi:pid:1",
            "expirationInDays": 90,
            "display": {"name": "Person identification", "backgroundColor": "#12355b", "textColor": "#ffffff"},
            "claims": {"claims": [
                {"path": ["family_name"], "mandatory": true, "limitDisclosure": true},
                {"path": ["given_name"], "mandatory": true, "limitDisclosure": true},
                {"path": ["birthdate"], "mandatory": true, "limitDisclosure": true},
                {"path": ["place_of_birth"], "mandatory": true, "limitDisclosure": true},
                {"path": ["place_of_birth", "locality"], "mandatory": true, "limitDisclosure": false},
                {"path": ["nationalities"], "mandatory": true, "limitDisclosure": false},
                {"path": ["nationalities", null], "mandatory": true, "limitDisclosure": true},
                {"path": ["address"], "mandatory": false, "limitDisclosure": true},
                {"path": ["address", "street_address"], "mandatory": false, "limitDisclosure": true},
                {"path": ["address", "locality"], "mandatory": false, "limitDisclosure": true},
                {"path": ["address", "country"], "mandatory": false, "limitDisclosure": true},
                {"path": ["age_equal_or_over"], "mandatory": false, "limitDisclosure": false},
                {"path": ["age_equal_or_over", "18"], "mandatory": false, "limitDisclosure": true},
                {"path": ["issuing_authority"], "mandatory": true, "limitDisclosure": false},
                {"path": ["issuing_country"], "mandatory": true, "limitDisclosure": false},
            ]},
        }],
    })
}

/// Claims for [`identity`].
pub(super) fn identity_claims() -> Value {
    json!({
        "family_name": "Okonkwo-Lind",
        "given_name": "Ingrid",
        "birthdate": "1991-03-14",
        "place_of_birth": {"locality": "Turku"},
        "nationalities": ["FI", "NG"],
        "address": {"street_address": "Linnankatu 8", "locality": "Turku", "country": "FI"},
        "age_equal_or_over": {"18": true},
        "issuing_authority": "Demo registry",
        "issuing_country": "FI",
    })
}

/// Definition of the staff badge.
pub(super) fn staff_badge() -> Value {
    json!({
        "label": STAFF_BADGE,
        "version": "version_01",
        "credentialDefinitions": [{
            "credentialConfigurationId": "staff_badge",
            "credentialFormat": "dc+sd-jwt",
            "vct": "urn:example:staff-badge:1",
            "expirationInDays": 30,
            "display": {"name": "Staff badge", "backgroundColor": "#3b6b3b", "textColor": "#ffffff"},
            "claims": {"claims": [
                {"path": ["name"], "mandatory": true, "limitDisclosure": true},
                {"path": ["staff_number"], "mandatory": true, "limitDisclosure": true},
                {"path": ["department"], "mandatory": false, "limitDisclosure": true},
                {"path": ["employer"], "mandatory": true, "limitDisclosure": false},
            ]},
        }],
    })
}

/// Claims for [`staff_badge`].
pub(super) fn staff_badge_claims() -> Value {
    json!({
        "name": "Ingrid Okonkwo-Lind",
        "staff_number": "S-2041",
        "department": "Registry",
        "employer": "Demo organisation",
    })
}

/// Label of [`resident_card`].
pub(super) const RESIDENT_CARD: &str = "Resident card";

/// Definition of a card whose holder signs in: every claim comes from the identity provider.
pub(super) fn resident_card() -> Value {
    let claim = |path: Value, english: &str, german: &str| {
        let display = json!([{"name": english, "locale": "en"}, {"name": german, "locale": "de"}]);
        json!({"path": path, "mandatory": true, "limitDisclosure": true, "display": display})
    };
    let mapped = |path: Value| json!({"claim": path, "from": path});
    json!({
        "label": RESIDENT_CARD,
        "version": "version_01",
        "credentialDefinitions": [{
            "credentialConfigurationId": "resident_card",
            "credentialFormat": "dc+sd-jwt",
            "vct": "urn:example:resident-card:1",
            "expirationInDays": 365,
            "authorizationRequestType": "scope_based",
            "scope": "resident_card",
            "display": {
                "name": "Resident card", "description": "Says who you are and where you live",
                "backgroundColor": "#0f5c4d", "textColor": "#ffffff",
            },
            "claims": {"claims": [
                claim(json!(["given_name"]), "Given name", "Vorname"),
                claim(json!(["family_name"]), "Family name", "Familienname"),
                claim(json!(["birthdate"]), "Date of birth", "Geburtsdatum"),
                claim(json!(["address"]), "Address", "Anschrift"),
                claim(json!(["address", "street_address"]), "Street", "Straße"),
                claim(json!(["address", "locality"]), "Town", "Ort"),
            ]},
            "identityMapping": [
                mapped(json!(["given_name"])),
                mapped(json!(["family_name"])),
                mapped(json!(["birthdate"])),
                mapped(json!(["address", "street_address"])),
                mapped(json!(["address", "locality"])),
            ],
        }],
    })
}

/// Who can sign in at the demo's identity provider.
pub(super) fn people() -> Vec<Value> {
    let person = |sub: &str, given: &str, family: &str, born: &str, street: &str, town: &str| {
        json!({
            "sub": sub, "given_name": given, "family_name": family, "birthdate": born,
            "address": {"street_address": street, "locality": town},
        })
    };
    vec![
        person("demo-1", "Ingrid", "Okonkwo-Lind", "1991-03-14", "Linnankatu 8", "Turku"),
        person("demo-2", "Tomás", "Brandl", "1968-11-02", "Am Graben 17", "Passau"),
        person("demo-3", "Léa", "Nakamura", "2003-06-30", "Rue des Lilas 5", "Namur"),
    ]
}
