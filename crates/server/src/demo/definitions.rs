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
