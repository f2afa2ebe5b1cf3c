//! Compact JWS and public JWKs, read strictly and verified with aws-lc-rs.

use aws_lc_rs::digest;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::json::{self, Object};

/// Longest compact JWS that is looked at, in bytes.
const LONGEST: usize = 512 * 1024;
/// Members that hold private or secret key material in a JWK (RFC 7518 §6).
const PRIVATE_MEMBERS: [&str; 8] = ["d", "k", "p", "q", "dp", "dq", "qi", "oth"];

/// A decoded compact JWS whose signature has not been checked yet.
pub struct Jws {
    header: Object,
    payload: Object,
    signing_input: String,
    signature: Vec<u8>,
}

impl Jws {
    /// Decodes `header.payload.signature` (RFC 7515 §3.1): base64url without padding, JSON objects without repeated
    /// members, no `crit` (no extension is understood here).
    ///
    /// # Errors
    /// What is malformed, in words.
    pub fn decode(compact: &str) -> Result<Self, String> {
        if compact.len() > LONGEST {
            return Err(format!("a JWS of {} bytes", compact.len()));
        }
        let segments: Vec<&str> = compact.split('.').collect();
        let [header, payload, signature] = segments.as_slice() else {
            return Err(format!("{} dot-separated segments instead of 3", segments.len()));
        };
        let object = |name: &str, segment: &str| {
            let bytes = decode_base64url(segment).map_err(|error| format!("{name}: {error}"))?;
            json::parse_object(&bytes).map_err(|error| format!("{name}: {error}"))
        };
        let header_object = object("header", header)?;
        if header_object.contains_key("crit") {
            return Err("header: `crit` with extensions this wallet does not understand".into());
        }
        Ok(Self {
            payload: object("payload", payload)?,
            header: header_object,
            signing_input: format!("{header}.{payload}"),
            signature: decode_base64url(signature).map_err(|error| format!("signature: {error}"))?,
        })
    }

    /// The protected header.
    #[must_use]
    pub fn header(&self) -> &Object {
        &self.header
    }

    /// The payload, which is not to be believed before [`Jws::verify`].
    #[must_use]
    pub fn payload(&self) -> &Object {
        &self.payload
    }

    /// A string member of the header.
    #[must_use]
    pub fn header_text(&self, name: &str) -> Option<&str> {
        self.header.get(name).and_then(Value::as_str)
    }

    /// Checks the signature. The algorithm comes from the key, and the header must name that algorithm.
    ///
    /// # Errors
    /// What does not fit, in words.
    pub fn verify(&self, key: &PublicKey) -> Result<(), String> {
        let alg = self.header_text("alg").unwrap_or("");
        if !key.algorithm_names().contains(&alg) {
            return Err(format!("header alg {alg:?} does not fit a key for {}", key.algorithm_names().join("/")));
        }
        if key.verify(self.signing_input.as_bytes(), &self.signature) {
            Ok(())
        } else {
            Err("the signature does not verify".into())
        }
    }

    pub(crate) fn into_parts(self) -> (Object, Object) {
        (self.header, self.payload)
    }
}

/// A public key that verifies signatures: EC P-256, EC P-384 or Ed25519.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    curve: Curve,
    bytes: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Curve {
    P256,
    P384,
    Ed25519,
}

impl PublicKey {
    /// Reads a public JWK (RFC 7517, RFC 8037). Private members are refused.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn from_jwk(jwk: &Object) -> Result<Self, String> {
        if let Some(member) = PRIVATE_MEMBERS.iter().find(|name| jwk.contains_key(**name)) {
            return Err(format!("the JWK has the private member `{member}`"));
        }
        let text = |name: &str| jwk.get(name).and_then(Value::as_str).unwrap_or("");
        let (curve, length) = match (text("kty"), text("crv")) {
            ("EC", "P-256") => (Curve::P256, 32),
            ("EC", "P-384") => (Curve::P384, 48),
            ("OKP", "Ed25519") => (Curve::Ed25519, 32),
            (kty, crv) => return Err(format!("unsupported JWK kty {kty:?}, crv {crv:?}")),
        };
        let coordinate = |name: &str| {
            let bytes = decode_base64url(text(name)).map_err(|error| format!("JWK {name}: {error}"))?;
            if bytes.len() == length {
                Ok(bytes)
            } else {
                Err(format!("JWK {name} has {} bytes instead of {length}", bytes.len()))
            }
        };
        let mut bytes = Vec::with_capacity(1 + 2 * length);
        match curve {
            Curve::P256 | Curve::P384 => {
                bytes.push(4);
                bytes.extend(coordinate("x")?);
                bytes.extend(coordinate("y")?);
            }
            Curve::Ed25519 => bytes.extend(coordinate("x")?),
        }
        Ok(Self { curve, bytes })
    }

    /// From a raw subject public key of a certificate: a point for EC curves, 32 bytes for Ed25519.
    pub(crate) fn from_subject(algorithm_oid: &str, curve_oid: Option<&str>, bytes: &[u8]) -> Option<Self> {
        let (curve, length) = match (algorithm_oid, curve_oid) {
            ("1.2.840.10045.2.1", Some("1.2.840.10045.3.1.7")) => (Curve::P256, 65),
            ("1.2.840.10045.2.1", Some("1.3.132.0.34")) => (Curve::P384, 97),
            ("1.3.101.112", None) => (Curve::Ed25519, 32),
            _ => return None,
        };
        (bytes.len() == length).then(|| Self { curve, bytes: bytes.to_vec() })
    }

    /// The JOSE names of the only algorithm this key verifies.
    #[must_use]
    pub fn algorithm_names(&self) -> &'static [&'static str] {
        match self.curve {
            Curve::P256 => &["ES256"],
            Curve::P384 => &["ES384"],
            Curve::Ed25519 => &["EdDSA", "Ed25519"],
        }
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        let verified = match self.curve {
            Curve::P256 => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &self.bytes).verify(message, signature),
            Curve::P384 => UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, &self.bytes).verify(message, signature),
            Curve::Ed25519 => UnparsedPublicKey::new(&ED25519, &self.bytes).verify(message, signature),
        };
        verified.is_ok()
    }
}

/// SHA-256 JWK thumbprint (RFC 7638 §3): the required members in lexical order, no white space.
pub(crate) fn thumbprint(jwk: &Object) -> Option<String> {
    let text = |name: &str| jwk.get(name).and_then(Value::as_str);
    let names: &[&str] = match text("kty")? {
        "EC" => &["crv", "kty", "x", "y"],
        "OKP" => &["crv", "kty", "x"],
        _ => return None,
    };
    let mut members = Vec::with_capacity(names.len());
    for name in names {
        members.push(format!("\"{name}\":{}", Value::from(text(name)?)));
    }
    let canonical = format!("{{{}}}", members.join(","));
    Some(URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, canonical.as_bytes())))
}

/// base64url without padding; anything else is refused, non-zero trailing bits too (RFC 7515 §2).
pub(crate) fn decode_base64url(text: &str) -> Result<Vec<u8>, String> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| "not base64url without padding".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{Algorithm, HolderKey};
    use serde_json::json;

    fn object(value: Value) -> Object {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn the_thumbprint_of_rfc_8037_appendix_a3_is_reproduced() {
        let jwk = object(json!({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}));
        assert_eq!(thumbprint(&jwk).unwrap(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn the_signed_example_of_rfc_8037_appendix_a4_verifies() {
        let jwk = object(json!({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}));
        let key = PublicKey::from_jwk(&jwk).unwrap();
        let signature =
            decode_base64url("hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg")
                .unwrap();
        assert!(key.verify(b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc", &signature));
    }

    #[test]
    fn a_jwt_signed_by_each_kind_of_key_verifies_and_a_changed_one_does_not() {
        for algorithm in [Algorithm::Es256, Algorithm::Ed25519] {
            let key = HolderKey::generate(algorithm).unwrap();
            let header = object(json!({"alg": algorithm.names().first().unwrap()}));
            let jwt = key.sign_jwt(&header, &object(json!({"a": 1}))).unwrap();
            let public = PublicKey::from_jwk(key.public_jwk()).unwrap();
            Jws::decode(&jwt).unwrap().verify(&public).unwrap();
            let other = key.sign_jwt(&header, &object(json!({"a": 2}))).unwrap();
            let (head, _) = jwt.rsplit_once('.').unwrap();
            let (_, foreign) = other.rsplit_once('.').unwrap();
            let mixed = Jws::decode(&format!("{head}.{foreign}")).unwrap();
            assert!(mixed.verify(&public).is_err());
        }
    }

    #[test]
    fn the_header_cannot_choose_another_algorithm_than_the_key() {
        let key = HolderKey::generate(Algorithm::Es256).unwrap();
        let public = PublicKey::from_jwk(key.public_jwk()).unwrap();
        for alg in ["none", "HS256", "ES384", "EdDSA"] {
            let jwt = key.sign_jwt(&object(json!({"alg": alg})), &Object::new()).unwrap();
            assert!(Jws::decode(&jwt).unwrap().verify(&public).is_err(), "{alg}");
        }
    }

    #[test]
    fn malformed_jws_and_private_jwks_are_refused() {
        for bad in ["", "a.b", "e30.e30.AA.AA", "e30=.e30.AA", "W10.e30.AA", "eyJjcml0IjpbXX0.e30.AA"] {
            assert!(Jws::decode(bad).is_err(), "{bad}");
        }
        let private =
            object(json!({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","d":"AA"}));
        assert!(PublicKey::from_jwk(&private).is_err());
    }
}
