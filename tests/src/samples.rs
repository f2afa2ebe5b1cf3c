//! Definitions and claims that tests issue. Names and values of people are invented.

use serde_json::{Value, json};

/// The beginning of a PNG, which is all that is looked at.
pub const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0";

/// A staff badge: one entry, flat claims, two of which can be withheld.
pub fn staff_badge() -> Value {
    json!({
        "label": "Staff badge",
        "version": "version_01",
        "credentialDefinitions": [{
            "credentialFormat": "dc+sd-jwt",
            "vct": "https://types.example/staff/1",
            "expirationInDays": 30,
            "credentialBindingMethods": ["jwk", "did:key"],
            "display": {"name": "Staff badge", "backgroundColor": "#003366", "textColor": "#ffffff"},
            "claims": {"claims": [
                {"path": ["given_name"], "mandatory": true, "limitDisclosure": true},
                {"path": ["family_name"], "mandatory": true, "limitDisclosure": true},
                {"path": ["employee_id"], "mandatory": true, "limitDisclosure": false},
                {"path": ["department"], "mandatory": false, "limitDisclosure": false},
            ]},
        }],
    })
}

/// Claims for [`staff_badge`].
pub fn staff_claims() -> Value {
    json!({
        "given_name": "Ilse",
        "family_name": "Vanderstraete",
        "employee_id": "E-40417",
        "department": "Registry",
    })
}

/// A PID as the EUDI rulebook lays it out: nested members and arrays that can be withheld one by one.
pub fn pid() -> Value {
    json!({
        "label": "Person identification data",
        "version": "version_01",
        "credentialDefinitions": [{
            "credentialFormat": "dc+sd-jwt",
            "vct": "urn:eudi:pid:1",
            "expirationInDays": 90,
            "credentialBindingMethods": ["jwk", "did:key"],
            "display": {"name": "PID", "backgroundColor": "#101820"},
            "claims": {"claims": [
                {"path": ["given_name"], "mandatory": true, "limitDisclosure": true},
                {"path": ["family_name"], "mandatory": true, "limitDisclosure": true},
                {"path": ["birthdate"], "mandatory": true, "limitDisclosure": true},
                {"path": ["address"], "mandatory": false, "limitDisclosure": true},
                {"path": ["address", "locality"], "mandatory": false, "limitDisclosure": true},
                {"path": ["address", "country"], "mandatory": false, "limitDisclosure": true},
                {"path": ["nationalities"], "mandatory": true, "limitDisclosure": false},
                {"path": ["nationalities", null], "mandatory": true, "limitDisclosure": true},
            ]},
        }],
    })
}

/// Claims for [`pid`].
pub fn pid_claims() -> Value {
    json!({
        "given_name": "Aurèle",
        "family_name": "Nkemelu",
        "birthdate": "1987-11-02",
        "address": {"locality": "Namur", "country": "BE"},
        "nationalities": ["BE", "CM"],
    })
}
