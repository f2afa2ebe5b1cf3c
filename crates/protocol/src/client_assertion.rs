//! Client authentication by a signed assertion, `private_key_jwt` (RFC 7523 §2.2, §3; OpenID Connect Core §9).

use std::fmt;

use chancery_keys::{Algorithm, jws, jws::JwsError, jws::Unverified};
use serde_json::{Map, Value};
use thiserror::Error;

use crate::Explanation;
use crate::claims::{self, Wrong};
use crate::explanation::{excerpt, list};
use crate::form::Form;
use crate::trust::TrustedKey;

/// The value in `token_endpoint_auth_methods_supported`.
pub const AUTHENTICATION_METHOD: &str = "private_key_jwt";

/// The only `client_assertion_type`.
pub const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Farthest `exp`, in seconds from now: for so long a `jti` is remembered.
const LONGEST_LIFE: i64 = 3600;

/// Longest texts, in bytes.
const IDENTIFIER_LIMIT: usize = 512;
const JTI_LIMIT: usize = 256;

/// An assertion as it came, decoded and unverified.
pub struct ClientAssertion {
    jws: Unverified,
    client_id: String,
}

/// What an assertion is checked against.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// Issuer identifier of the authorization server: the only audience (FAPI 2.0 §5.3.2.1).
    pub authorization_server: &'a str,
    /// Keys registered for the client.
    pub keys: &'a [TrustedKey],
    /// Algorithms that are allowed.
    pub algorithms: &'a [Algorithm],
    /// The instant, seconds since the epoch.
    pub now: i64,
    /// Seconds instants may lie in the future.
    pub future_leeway: i64,
}

/// An assertion that proves its client. Whether the `jti` was seen before is for the caller to find out.
#[derive(Clone, PartialEq, Eq)]
pub struct Proven {
    /// The client.
    pub client_id: String,
    /// Unique id: 1 to 256 bytes.
    pub jti: String,
    /// `exp`, seconds since the epoch.
    pub expires_at: i64,
}

impl fmt::Debug for Proven {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Proven").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

/// Why an assertion proves nothing, always `invalid_client`.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ClientAssertionError {
    /// One of the two parameters is missing, or the type is another.
    #[error("`client_assertion_type` is `{got}`, expected `{ASSERTION_TYPE}` beside a `client_assertion`")]
    AssertionType {
        /// What came; empty when absent.
        got: String,
    },
    /// Not a JWS, an algorithm that proves nothing, or a signature that does not fit.
    #[error("the client assertion: {0}")]
    Jws(JwsError),
    /// An algorithm that is not allowed here.
    #[error("`alg` of the client assertion is `{got}`, expected one of {expected}")]
    Algorithm {
        /// Those allowed.
        expected: String,
        /// What came.
        got: Algorithm,
    },
    /// `typ` says that it is something else.
    #[error("`typ` of the client assertion is `{got}`, expected `JWT`, `client-authentication+jwt`, or none")]
    Type {
        /// What came.
        got: String,
    },
    /// A claim is absent or has the wrong value.
    #[error("`{name}` of the client assertion is {got}, expected {expected}")]
    Claim {
        /// The claim.
        name: &'static str,
        /// What it must be.
        expected: &'static str,
        /// What came.
        got: String,
    },
    /// `iss`, `sub` and the `client_id` beside the assertion are not one client.
    #[error("`{name}` is `{got}`, but `iss` of the client assertion is `{expected}`")]
    Client {
        /// `sub` or `client_id`.
        name: &'static str,
        /// `iss`.
        expected: String,
        /// What came.
        got: String,
    },
    /// It was made for somebody else.
    #[error("`aud` of the client assertion is {got}, expected `{expected}`")]
    Audience {
        /// The issuer identifier of the authorization server.
        expected: String,
        /// What came.
        got: String,
    },
    /// It has expired, or is not valid yet, or for too long.
    #[error("`{name}` of the client assertion lies {seconds} s ahead, expected {expected}")]
    Instant {
        /// The claim.
        name: &'static str,
        /// Seconds from now; negative: ago.
        seconds: i64,
        /// The range.
        expected: &'static str,
    },
    /// No registered key signed it.
    #[error("none of the {registered} keys registered for the client signed the client assertion")]
    UnknownKey {
        /// How many there are.
        registered: usize,
    },
}

impl ClientAssertionError {
    /// The same for the wallet's developer.
    pub fn explain(&self) -> Explanation {
        let (help, spec_ref) = match self {
            Self::AssertionType { .. } => {
                ("send `client_assertion_type` and `client_assertion`, or neither", "RFC 7523 §2.2")
            }
            Self::Jws(_) | Self::Algorithm { .. } | Self::Type { .. } => (
                "sign the assertion with an algorithm listed in `token_endpoint_auth_signing_alg_values_supported`",
                "RFC 7523 §3",
            ),
            Self::Claim { .. } => ("set `iss` and `sub` to the `client_id`, `aud`, `jti` and `exp`", "RFC 7523 §3"),
            Self::Client { .. } => ("name one client everywhere", "RFC 7523 §3"),
            Self::Audience { .. } => (
                "set `aud` to `issuer` of the authorization server metadata, byte for byte: not the URL of an endpoint",
                "FAPI 2.0 Security Profile §5.3.2.1",
            ),
            Self::Instant { .. } => {
                ("make a new assertion for every request; if this one was new, set the client's clock", "RFC 7523 §3")
            }
            Self::UnknownKey { .. } => {
                ("sign with a registered key, or have the new key registered with the organisation", "RFC 7523 §3")
            }
        };
        Explanation::new(self, help, spec_ref)
    }
}

impl ClientAssertion {
    /// The assertion of a request; `None` when it has none.
    pub fn parse(form: &Form) -> Result<Option<Self>, ClientAssertionError> {
        let compact = match (form.get("client_assertion_type"), form.get("client_assertion")) {
            (None, None) => return Ok(None),
            (Some(ASSERTION_TYPE), Some(compact)) => compact,
            (kind, _) => {
                return Err(ClientAssertionError::AssertionType { got: excerpt(kind.unwrap_or_default()) });
            }
        };
        let jws = jws::decode(compact).map_err(ClientAssertionError::Jws)?;
        let text = |name| claims::text(jws.claims(), name, IDENTIFIER_LIMIT).map_err(wrong);
        let (issuer, subject) = (text("iss")?, text("sub")?);
        let same = |name, got: &str| {
            if got == issuer {
                return Ok(());
            }
            Err(ClientAssertionError::Client { name, expected: excerpt(issuer), got: excerpt(got) })
        };
        same("sub", subject)?;
        form.get("client_id").map_or(Ok(()), |client_id| same("client_id", client_id))?;
        let client_id = issuer.to_owned();
        Ok(Some(Self { jws, client_id }))
    }

    /// The client that it names; nothing is proven yet.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Checks everything that needs no memory.
    pub fn verify(&self, expected: &Expected<'_>) -> Result<Proven, ClientAssertionError> {
        use ClientAssertionError as Error;

        // Not every client sets a type; those that do must not have signed another kind of token.
        if let Some(got) = self
            .jws
            .typ()
            .filter(|typ| !typ.eq_ignore_ascii_case("JWT") && !typ.eq_ignore_ascii_case("client-authentication+jwt"))
        {
            return Err(Error::Type { got: excerpt(got) });
        }
        if !expected.algorithms.contains(&self.jws.algorithm()) {
            return Err(Error::Algorithm { expected: list(expected.algorithms), got: self.jws.algorithm() });
        }
        let claims = self.jws.claims();
        claims::audience(claims, expected.authorization_server)
            .map_err(|got| Error::Audience { expected: excerpt(expected.authorization_server), got })?;
        let expires_at = lifetime(claims, expected)?;
        let jti = claims::text(claims, "jti", JTI_LIMIT).map_err(wrong)?;
        signed_by(&self.jws, expected.keys)?;
        Ok(Proven { client_id: self.client_id.clone(), jti: jti.to_owned(), expires_at })
    }
}

/// Whether one of the keys that may have signed did. A `kid` picks one; without it each of the algorithm is tried.
fn signed_by(jws: &Unverified, keys: &[TrustedKey]) -> Result<(), ClientAssertionError> {
    let key_id = jws.header().get("kid").and_then(Value::as_str);
    let fits =
        |trusted: &&TrustedKey| key_id.is_none() || trusted.key_id.is_none() || trusted.key_id.as_deref() == key_id;
    match keys.iter().filter(fits).any(|trusted| jws.verify(&trusted.key).is_ok()) {
        true => Ok(()),
        false => Err(ClientAssertionError::UnknownKey { registered: keys.len() }),
    }
}

fn lifetime(claims: &Map<String, Value>, expected: &Expected<'_>) -> Result<i64, ClientAssertionError> {
    let seconds = |name| claims::optional_seconds(claims, name).map_err(wrong);
    let expires_at = seconds("exp")?.ok_or_else(|| wrong(claims::wrong(None, "exp", "seconds since 1970")))?;
    let left = expires_at.saturating_sub(expected.now);
    if !(1..=LONGEST_LIFE).contains(&left) {
        return Err(ClientAssertionError::Instant { name: "exp", seconds: left, expected: "1 to 3600" });
    }
    for name in ["nbf", "iat"] {
        let ahead = seconds(name)?.map_or(0, |instant| instant.saturating_sub(expected.now));
        if ahead > expected.future_leeway {
            return Err(ClientAssertionError::Instant { name, seconds: ahead, expected: "at most 60" });
        }
    }
    Ok(expires_at)
}

fn wrong(wrong: Wrong) -> ClientAssertionError {
    ClientAssertionError::Claim { name: wrong.name, expected: wrong.expected, got: wrong.got }
}

#[cfg(test)]
mod tests {
    use chancery_keys::Signer;
    use serde_json::json;

    use super::*;
    use crate::trust::vectors::{NOW, changed, signed, software_signer};

    const SERVER: &str = "https://issuer.example/t/acme";

    fn good() -> Value {
        json!({"iss": "client", "sub": "client", "aud": SERVER, "jti": "j-1", "iat": NOW, "exp": NOW + 60})
    }

    fn check(
        header: &Value,
        claims: &Value,
        signer: &Signer,
        registered: &Signer,
    ) -> Result<Proven, ClientAssertionError> {
        let compact = signed(header, claims, signer);
        let body = format!("client_assertion_type={ASSERTION_TYPE}&client_assertion={compact}&client_id=client");
        let assertion = ClientAssertion::parse(&Form::parse(body.as_bytes()).unwrap())?.unwrap();
        assertion.verify(&Expected {
            authorization_server: SERVER,
            keys: &[TrustedKey { key_id: Some("k1".to_owned()), key: registered.public_jwk().clone() }],
            algorithms: &[Algorithm::Es256],
            now: NOW,
            future_leeway: 60,
        })
    }

    #[test]
    fn an_assertion_of_a_registered_key_proves_its_client() {
        let signer = software_signer();
        for header in [json!({}), json!({"typ": "JWT", "kid": "k1"}), json!({"typ": "client-authentication+jwt"})] {
            let proven = check(&header, &good(), &signer, &signer).unwrap();
            assert_eq!((proven.client_id.as_str(), proven.jti.as_str()), ("client", "j-1"));
            assert_eq!(proven.expires_at, NOW + 60);
        }
    }

    #[test]
    fn another_key_another_client_another_audience_and_another_time_are_refused() {
        let signer = software_signer();
        let unknown = ClientAssertionError::UnknownKey { registered: 1 };
        assert_eq!(check(&json!({}), &good(), &software_signer(), &signer), Err(unknown.clone()));
        assert_eq!(check(&json!({"kid": "k2"}), &good(), &signer, &signer), Err(unknown));
        for (name, value) in [
            ("iss", json!("other")),
            ("sub", json!("other")),
            ("sub", json!(null)),
            ("aud", json!("https://issuer.example/t/acme/token")),
            ("aud", json!([SERVER, "https://other.example"])),
            ("jti", json!(null)),
            ("exp", json!(null)),
            ("exp", json!(NOW)),
            ("exp", json!(NOW + 3601)),
            ("nbf", json!(NOW + 61)),
            ("iat", json!(NOW + 61)),
        ] {
            assert!(
                check(&json!({}), &changed(&good(), name, value.clone()), &signer, &signer).is_err(),
                "{name} {value}"
            );
        }
        let proof_of_dpop = check(&json!({"typ": "dpop+jwt"}), &good(), &signer, &signer);
        assert_eq!(proof_of_dpop, Err(ClientAssertionError::Type { got: "dpop+jwt".to_owned() }));
    }

    #[test]
    fn half_an_assertion_is_refused_and_none_is_none() {
        let parse = |body: &str| ClientAssertion::parse(&Form::parse(body.as_bytes()).unwrap());
        assert!(parse("client_id=client").unwrap().is_none());
        for body in ["client_assertion=a.b.c", "client_assertion_type=x&client_assertion=a.b.c"] {
            assert!(matches!(parse(body), Err(ClientAssertionError::AssertionType { .. })), "{body}");
        }
        let body = format!("client_assertion_type={ASSERTION_TYPE}&client_assertion=a.b.c");
        assert!(matches!(parse(&body), Err(ClientAssertionError::Jws(_))));
    }
}
