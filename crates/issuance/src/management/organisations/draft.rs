//! Bodies that describe organisations.

use chancery_model::{Policy, Slug};
use chancery_protocol::IssuerIdentifier;
use serde_json::{Map, Value};

use super::policy::read_policy;
use crate::management::body::{Fault, Faults, Members};

/// What a new organisation is to be.
#[derive(Clone, Debug)]
pub struct NewOrganisation {
    /// Short name in default URLs.
    pub slug: Slug,
    /// Name shown to people.
    pub name: String,
    /// Issuer identifier of its own; `None` for `{public_url}/o/{slug}`.
    pub issuer: Option<IssuerIdentifier>,
    /// What it asks of wallets.
    pub policy: Policy,
}

/// What is to change in an organisation.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Another name.
    pub name: Option<String>,
    /// Another policy; switches left out of its JSON have their defaults.
    pub policy: Option<Policy>,
}

impl NewOrganisation {
    /// Reads a body with `slug`, `name`, `issuer` and `policy`.
    ///
    /// # Errors
    /// Every fault of the body.
    pub fn read(body: &Map<String, Value>) -> Result<Self, Vec<Fault>> {
        let mut faults = Faults::default();
        let members = Members::of_body(body);
        members.refuse_others(&[&["slug", "name", "issuer", "policy"]], &mut faults);
        members.require("slug", &mut faults);
        members.require("name", &mut faults);
        let slug = members.string("slug", 255, &mut faults).map(Slug::parse);
        if let Some(Err(error)) = &slug {
            faults.add(members.at("slug"), error.to_string());
        }
        let issuer = members.text("issuer", 2048, &mut faults).map(IssuerIdentifier::parse);
        if let Some(Err(error)) = &issuer {
            faults.add(members.at("issuer"), error.to_string());
        }
        let name = read_name(&members, &mut faults);
        let policy = read_policy(&members, &mut faults).unwrap_or_default();
        let read = slug.and_then(Result::ok).zip(name).map(|(slug, name)| Self {
            slug,
            name,
            issuer: issuer.and_then(Result::ok),
            policy,
        });
        faults.none_or(read)
    }
}

impl Changes {
    /// Reads a body with `name` and `policy`, either of which may be absent.
    ///
    /// # Errors
    /// Every fault of the body.
    pub fn read(body: &Map<String, Value>) -> Result<Self, Vec<Fault>> {
        const FIXED: [&str; 2] = ["slug", "issuer"];
        let mut faults = Faults::default();
        let members = Members::of_body(body);
        members.refuse(&FIXED, "wallets and credentials rely on it: it cannot be changed", &mut faults);
        members.refuse_others(&[&["name", "policy"], &FIXED], &mut faults);
        let name = read_name(&members, &mut faults);
        let policy = read_policy(&members, &mut faults);
        faults.none_or(Some(Self { name, policy }))
    }
}

pub(in crate::management) fn read_name(members: &Members<'_>, faults: &mut Faults) -> Option<String> {
    let given = members.string("name", 255, faults)?;
    let name = given.trim();
    if name.is_empty() || given.chars().any(char::is_control) {
        faults.add(members.at("name"), "a name is expected, without control characters");
        return None;
    }
    Some(name.to_owned())
}

#[cfg(test)]
mod tests {
    use chancery_model::DpopNonceRule;
    use serde_json::json;

    use super::*;

    fn pointers(body: &Value) -> Vec<String> {
        NewOrganisation::read(body.as_object().unwrap()).unwrap_err().into_iter().map(|it| it.pointer).collect()
    }

    #[test]
    fn slug_and_name_suffice() {
        let new = NewOrganisation::read(json!({ "slug": "acme", "name": "Acme" }).as_object().unwrap()).unwrap();
        assert_eq!((new.slug.as_str(), new.issuer, new.policy), ("acme", None, Policy::default()));
    }

    #[test]
    fn an_issuer_identifier_is_a_clean_https_url() {
        let body = |issuer: &str| json!({ "slug": "acme", "name": "Acme", "issuer": issuer });
        let good = "https://api.example/igrantio/issuer-backend";
        assert!(NewOrganisation::read(body(good).as_object().unwrap()).is_ok());
        for wrong in ["http://issuer.example", "https://issuer.example/?a=b", "https://issuer.example/a/", "issuer"] {
            assert_eq!(pointers(&body(wrong)), ["/issuer"], "{wrong}");
        }
    }

    #[test]
    fn a_name_has_something_to_read_and_no_control_characters() {
        for wrong in ["", " ", "Ac\nme", "Acme\t", "\u{85}"] {
            assert_eq!(pointers(&json!({ "slug": "acme", "name": wrong })), ["/name"], "{wrong:?}");
        }
    }

    #[test]
    fn every_wrong_switch_of_a_policy_is_named() {
        let body = json!({ "slug": "A", "name": "", "policy": { "dpopNonce": "perhaps", "typo": 1, "decoys": 300 } });
        assert_eq!(pointers(&body), ["/slug", "/name", "/policy/dpopNonce", "/policy/typo", "/policy/decoys"]);
        let body = json!({ "slug": "a", "name": "A", "policy": {
            "offerLifetime": 1, "bindingMethods": [], "proofTrustAnchors": ["AAAA"] } });
        assert_eq!(pointers(&body), ["/policy/bindingMethods", "/policy/offerLifetime", "/policy/proofTrustAnchors/0"]);
    }

    #[test]
    fn a_policy_in_an_update_is_read_and_slug_and_issuer_stay() {
        let body = json!({ "policy": { "dpopNonce": "require" } });
        let changes = Changes::read(body.as_object().unwrap()).unwrap();
        assert_eq!(changes.policy.unwrap().dpop_nonce, DpopNonceRule::Require);
        assert!(Changes::read(json!({ "slug": "other" }).as_object().unwrap()).is_err());
    }
}
