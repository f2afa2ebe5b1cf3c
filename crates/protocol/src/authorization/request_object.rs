//! Request objects (RFC 9101), taken in pushed authorization requests only (RFC 9126 §3). Never fetched.

use chancery_keys::{Algorithm, PublicJwk, jws};
use serde_json::Value;

use super::{AuthorizationError, request_object_parameters};
use crate::claims;
use crate::explanation::{excerpt, list};
use crate::form::Form;

/// The `typ` of a request object (RFC 9101 §10.8); `JWT` and none are read too, as before that.
const TYP: &str = "oauth-authz-req+jwt";

/// What a request object is checked against.
#[derive(Clone, Copy, Debug)]
pub struct RequestObjectExpected<'a> {
    /// The client, which must have signed it.
    pub client_id: &'a str,
    /// Keys of the client, registered or attested.
    pub keys: &'a [&'a PublicJwk],
    /// Algorithms that are allowed.
    pub algorithms: &'a [Algorithm],
    /// Issuer identifier of the authorization server.
    pub authorization_server: &'a str,
    /// The instant, seconds since the epoch.
    pub now: i64,
}

/// Verifies a request object and answers its claims as parameters.
pub fn verify_request_object(request: &str, expected: &RequestObjectExpected<'_>) -> Result<Form, AuthorizationError> {
    let wrong = |reason: String| AuthorizationError::RequestObjectUnproven { reason };
    let object = jws::decode(request).map_err(|error| wrong(error.to_string()))?;
    if let Some(got) = object.typ().filter(|typ| *typ != TYP && !typ.eq_ignore_ascii_case("JWT")) {
        return Err(wrong(format!("`typ` is `{}`, expected `{TYP}`", excerpt(got))));
    }
    if !expected.algorithms.contains(&object.algorithm()) {
        let allowed = list(expected.algorithms);
        return Err(wrong(format!("`alg` is `{}`, expected one of {allowed}", object.algorithm())));
    }
    if !expected.keys.iter().any(|key| object.verify(key).is_ok()) {
        return Err(wrong("no registered or attested key of the client signed it".to_owned()));
    }
    let claims = object.claims();
    claims::audience(claims, expected.authorization_server)
        .map_err(|got| wrong(format!("`aud` is {got}, expected `{}`", excerpt(expected.authorization_server))))?;
    if let Some(got) = claims.get("iss").filter(|issuer| issuer.as_str() != Some(expected.client_id)) {
        let got = got.as_str().map(excerpt).unwrap_or_default();
        return Err(wrong(format!("`iss` is `{got}`, expected the client")));
    }
    let instant = |name| claims.get(name).map(|value: &Value| value.as_i64().ok_or(name)).transpose();
    let malformed = |name: &str| wrong(format!("`{name}` is not a whole number of seconds"));
    if instant("exp").map_err(malformed)?.is_some_and(|expires_at| expected.now >= expires_at) {
        return Err(wrong("it has expired".to_owned()));
    }
    if instant("nbf").map_err(malformed)?.is_some_and(|begin| begin > expected.now.saturating_add(60)) {
        return Err(wrong("it is not valid yet".to_owned()));
    }
    request_object_parameters(claims, expected.client_id)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::authorization::AuthorizationErrorCode;
    use crate::trust::vectors::{NOW, changed, signed, software_signer};

    const SERVER: &str = "https://issuer.example/t/acme";

    #[test]
    fn a_request_object_of_the_client_becomes_its_parameters() {
        let signer = software_signer();
        let good = json!({"iss": "client", "aud": SERVER, "client_id": "client", "scope": "a b", "exp": NOW + 60});
        let check = |header: &Value, claims: &Value| {
            let expected = RequestObjectExpected {
                client_id: "client",
                keys: &[signer.public_jwk()],
                algorithms: &[Algorithm::Es256],
                authorization_server: SERVER,
                now: NOW,
            };
            verify_request_object(&signed(header, claims, &signer), &expected)
        };
        let form = check(&json!({"typ": TYP}), &good).unwrap();
        assert_eq!((form.get("scope"), form.get("client_id")), (Some("a b"), Some("client")));
        for (name, value) in [
            ("aud", json!("https://other.example")),
            ("iss", json!("other")),
            ("client_id", json!("other")),
            ("exp", json!(NOW)),
            ("exp", json!("soon")),
            ("nbf", json!(NOW + 61)),
            ("request_uri", json!("https://evil.example")),
        ] {
            let error = check(&json!({"typ": TYP}), &changed(&good, name, value)).unwrap_err();
            assert_eq!(error.code(), AuthorizationErrorCode::InvalidRequestObject, "{name}");
        }
        assert!(check(&json!({"typ": "dpop+jwt"}), &good).is_err());
        let stranger = signed(&json!({}), &good, &software_signer());
        let expected = RequestObjectExpected {
            client_id: "client",
            keys: &[signer.public_jwk()],
            algorithms: &[Algorithm::Es256],
            authorization_server: SERVER,
            now: NOW,
        };
        assert!(verify_request_object(&stranger, &expected).is_err());
        let unsigned = "eyJhbGciOiJub25lIn0.eyJjbGllbnRfaWQiOiJjbGllbnQifQ.";
        assert!(verify_request_object(unsigned, &expected).is_err());
    }
}
