//! Where the administrators of an organisation sign in, and what their access tokens allow.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Role, Timestamp};

/// The OpenID Provider whose access tokens open the management API for one organisation. An organisation has at most one.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessProvider {
    /// Counts the changes, from 1.
    pub revision: u32,
    /// What its tokens must be, and what they allow.
    pub terms: AccessTerms,
    /// When it was configured.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl fmt::Debug for AccessProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccessProvider({})", self.terms.issuer)
    }
}

/// What access tokens must be, and what they allow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessTerms {
    /// Issuer identifier of the provider, an `https` URL (OpenID Connect Discovery 1.0 §3): `iss` of its tokens.
    pub issuer: String,
    /// What `aud` of its tokens names, possibly among others (RFC 9068 §4).
    pub audience: String,
    /// Whether tokens are taken whose `typ` is `JWT` or absent, beside `at+jwt`.
    pub plain_jwt: bool,
    /// What gives which role.
    pub role_rules: Vec<RoleRule>,
    /// What every token must hold, whatever its role.
    pub required_claims: Vec<ClaimRule>,
}

/// A claim and the values that are wanted: one of them suffices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimRule {
    /// Names of the members that lead to it, from the outermost on.
    pub claim: Vec<String>,
    /// The values.
    pub values: Vec<String>,
}

/// Who has a role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleRule {
    /// What the token must hold.
    #[serde(flatten)]
    pub rule: ClaimRule,
    /// The role.
    pub role: Role,
}

/// Roles from the one that may most to the one that may least.
const ROLES: [Role; 3] = [Role::Admin, Role::Issuer, Role::Auditor];

/// Claims whose text is a list of words between spaces (RFC 8693 §4.2; some providers call it `scp`).
const SPACED: [&str; 2] = ["scope", "scp"];

impl AccessTerms {
    /// The role that these claims give; of several, the one that may most. `None` when a required claim is missing, or
    /// no rule gives a role.
    pub fn role(&self, claims: &Map<String, Value>) -> Option<Role> {
        if !self.required_claims.iter().all(|rule| rule.is_met(claims)) {
            return None;
        }
        let has = |role: &Role| self.role_rules.iter().any(|it| it.role == *role && it.rule.is_met(claims));
        ROLES.into_iter().find(has)
    }
}

impl ClaimRule {
    /// Whether the claim has one of the values, or is an array that holds one. Texts are compared as they are; numbers and
    /// truth values as JSON writes them.
    pub fn is_met(&self, claims: &Map<String, Value>) -> bool {
        let mut path = self.claim.iter();
        let Some(mut found) = path.next().and_then(|name| claims.get(name)) else { return false };
        for name in path {
            let Some(inner) = found.get(name) else { return false };
            found = inner;
        }
        match found {
            Value::Array(elements) => elements.iter().any(|element| self.wants(element)),
            Value::String(text) if self.is_spaced() => text.split(' ').any(|word| self.wants_text(word)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => self.wants(found),
        }
    }

    fn is_spaced(&self) -> bool {
        matches!(self.claim.as_slice(), [only] if SPACED.contains(&only.as_str()))
    }

    fn wants(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => self.wants_text(text),
            Value::Bool(_) | Value::Number(_) => self.wants_text(&value.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => false,
        }
    }

    fn wants_text(&self, text: &str) -> bool {
        self.values.iter().any(|wanted| wanted == text)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rule(claim: &[&str], values: &[&str]) -> ClaimRule {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        ClaimRule { claim: owned(claim), values: owned(values) }
    }

    fn met(rule: &ClaimRule, claims: Value) -> bool {
        rule.is_met(claims.as_object().unwrap())
    }

    fn terms() -> AccessTerms {
        let role = |value: &str, role| RoleRule { rule: rule(&["groups"], &[value]), role };
        AccessTerms {
            issuer: "https://login.example".to_owned(),
            audience: "https://issuer.example".to_owned(),
            plain_jwt: false,
            role_rules: vec![role("readers", Role::Auditor), role("owners", Role::Admin), role("desk", Role::Issuer)],
            required_claims: vec![rule(&["tenant"], &["acme"])],
        }
    }

    #[test]
    fn of_several_roles_the_one_that_may_most_counts() {
        let role = |groups: Value| terms().role(json!({"tenant": "acme", "groups": groups}).as_object().unwrap());
        assert_eq!(role(json!(["readers", "owners", "desk"])), Some(Role::Admin));
        assert_eq!(role(json!(["readers", "desk"])), Some(Role::Issuer));
        assert_eq!(role(json!("readers")), Some(Role::Auditor));
        assert_eq!(role(json!([])), None);
    }

    #[test]
    fn without_a_required_claim_there_is_no_role() {
        for claims in [json!({"groups": ["owners"]}), json!({"groups": ["owners"], "tenant": "other"})] {
            assert_eq!(terms().role(claims.as_object().unwrap()), None, "{claims}");
        }
    }

    #[test]
    fn values_are_compared_whole_and_in_their_case() {
        let rule = rule(&["roles"], &["admin"]);
        assert!(met(&rule, json!({"roles": "admin"})));
        assert!(met(&rule, json!({"roles": ["x", "admin"]})));
        for other in [json!("Admin"), json!("administrator"), json!("x admin"), json!(["admins"]), json!([["admin"]])] {
            assert!(!met(&rule, json!({"roles": other})), "{other}");
        }
        for other in [json!(null), json!({"admin": true}), json!(true)] {
            assert!(!met(&rule, json!({"roles": other})), "{other}");
        }
    }

    #[test]
    fn a_path_leads_into_objects_and_nowhere_else() {
        let rule = rule(&["realm_access", "roles"], &["admin"]);
        assert!(met(&rule, json!({"realm_access": {"roles": ["admin"]}})));
        assert!(!met(&rule, json!({"realm_access": ["admin"], "roles": ["admin"]})));
        assert!(!met(&rule, json!({"realm_access.roles": ["admin"]})));
    }

    #[test]
    fn scopes_are_words_and_other_texts_are_not() {
        for name in SPACED {
            assert!(met(&rule(&[name], &["chancery"]), json!({name: "openid chancery"})));
            assert!(!met(&rule(&[name], &["chancery"]), json!({name: "openid chancery2"})));
        }
        assert!(!met(&rule(&["nested", "scope"], &["chancery"]), json!({"nested": {"scope": "openid chancery"}})));
    }

    #[test]
    fn truth_values_and_numbers_are_compared_as_json() {
        assert!(met(&rule(&["email_verified"], &["true"]), json!({"email_verified": true})));
        assert!(met(&rule(&["level"], &["3"]), json!({"level": 3})));
        assert!(!met(&rule(&["level"], &["3"]), json!({"level": 3.5})));
    }
}
