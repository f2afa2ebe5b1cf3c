use serde_json::{Map, json};

use super::*;

const NOW: i64 = 1_768_478_400;

fn terms(plain_jwt: bool) -> AccessTerms {
    AccessTerms {
        issuer: "https://login.example".to_owned(),
        audience: "https://issuer.example".to_owned(),
        plain_jwt,
        role_rules: Vec::new(),
        required_claims: Vec::new(),
    }
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn token(header: Value, more: Value) -> Opened {
    let mut claims = object(json!({
        "iss": "https://login.example", "aud": ["x", "https://issuer.example"], "sub": "u-1", "exp": NOW + 300
    }));
    claims.extend(object(more));
    claims.retain(|_, value| !value.is_null());
    Opened { header: object(header), claims, message: Vec::new(), signature: Vec::new() }
}

fn checked(token: &Opened, plain_jwt: bool) -> Result<String, TokenRejection> {
    check(token, &terms(plain_jwt), &audiences(token)).map(str::to_owned)
}

fn at_jwt(more: Value) -> Opened {
    token(json!({"typ": "at+jwt"}), more)
}

#[test]
fn issuer_audience_and_subject_are_those_of_the_terms() {
    assert_eq!(checked(&at_jwt(json!({})), false), Ok("u-1".to_owned()));
    assert_eq!(checked(&at_jwt(json!({"aud": "https://issuer.example"})), false), Ok("u-1".to_owned()));
    for (claims, rejection) in [
        (json!({"iss": "https://login.example/"}), TokenRejection::Foreign),
        (json!({"iss": null}), TokenRejection::Foreign),
        (json!({"iss": ["https://login.example"]}), TokenRejection::Foreign),
        (json!({"aud": "https://issuer.example/"}), TokenRejection::Audience),
        (json!({"aud": {"0": "https://issuer.example"}}), TokenRejection::Audience),
        (json!({"aud": null}), TokenRejection::Audience),
        (json!({"sub": null}), TokenRejection::Claims),
        (json!({"sub": ""}), TokenRejection::Claims),
        (json!({"sub": 7}), TokenRejection::Claims),
        (json!({"sub": "a\u{0}b"}), TokenRejection::Claims),
        (json!({"sub": "s".repeat(256)}), TokenRejection::Claims),
        (json!({"cnf": {"jkt": "x"}}), TokenRejection::Bound),
    ] {
        assert_eq!(checked(&at_jwt(claims.clone()), false), Err(rejection), "{claims}");
    }
}

#[test]
fn an_audience_behind_too_many_others_is_not_looked_at() {
    let mut many: Vec<String> = (0..MOST_AUDIENCES).map(|n| n.to_string()).collect();
    many.push("https://issuer.example".to_owned());
    assert_eq!(checked(&at_jwt(json!({"aud": many})), false), Err(TokenRejection::Audience));
}

#[test]
fn only_access_tokens_are_taken_and_plain_ones_only_where_the_terms_allow_it() {
    for typ in [json!("at+jwt"), json!("AT+JWT"), json!("application/at+jwt")] {
        assert!(checked(&token(json!({"typ": typ}), json!({})), false).is_ok(), "{typ}");
    }
    for header in [json!({}), json!({"typ": "JWT"}), json!({"typ": "application/jwt"})] {
        assert_eq!(checked(&token(header.clone(), json!({})), false), Err(TokenRejection::Type), "{header}");
        assert!(checked(&token(header.clone(), json!({})), true).is_ok(), "{header}");
        let id_token = token(header.clone(), json!({"nonce": "n"}));
        assert_eq!(checked(&id_token, true), Err(TokenRejection::Type), "{header}");
    }
    for typ in [json!("dpop+jwt"), json!(""), json!(["at+jwt"])] {
        assert_eq!(checked(&token(json!({"typ": typ}), json!({})), true), Err(TokenRejection::Type), "{typ}");
    }
}

#[test]
fn clocks_may_be_a_minute_apart() {
    let timed = |claims| in_time(&at_jwt(claims), Timestamp::from_seconds(NOW));
    assert_eq!(timed(json!({"exp": NOW - 59})), Ok(()));
    assert_eq!(timed(json!({"exp": NOW - 60})), Err(TokenRejection::Expired));
    assert_eq!(timed(json!({"exp": f64::from(u32::try_from(NOW).unwrap()) + 0.5})), Ok(()));
    for name in ["nbf", "iat"] {
        assert_eq!(timed(json!({name: NOW + 60})), Ok(()), "{name}");
        assert_eq!(timed(json!({name: NOW + 61})), Err(TokenRejection::NotYet), "{name}");
        assert_eq!(timed(json!({name: "soon"})), Err(TokenRejection::Claims), "{name}");
    }
    for exp in [json!(null), json!("later"), json!([])] {
        assert_eq!(timed(json!({"exp": exp})), Err(TokenRejection::Claims), "{exp}");
    }
}
