//! JWTs written by hand, so that a test can break any part of one.

use serde_json::{Map, Value};

use crate::key::{Key, base64url, from_base64url};

/// A JWT before it is signed. Change any member, then send it or ask for [`Jwt::compact`].
#[derive(Clone, Debug)]
pub struct Jwt {
    /// JOSE header. `alg` is put in front when it is missing.
    pub header: Map<String, Value>,
    /// Claims.
    pub claims: Map<String, Value>,
    /// Signs it.
    pub key: Key,
    /// What happens to the finished JWT.
    pub damage: Damage,
}

/// What happens to a finished JWT before it is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Damage {
    /// Nothing.
    #[default]
    None,
    /// One bit of the signature is flipped.
    Signature,
    /// The signature is left out: an empty third segment, as `alg: none` has.
    Unsigned,
    /// The third segment and its dot are left out.
    TwoSegments,
    /// The payload segment is padded with `=`.
    Padding,
    /// This stands in its place.
    Replaced(String),
}

impl Jwt {
    /// A JWT with the given members. `header` and `claims` are JSON objects.
    pub fn new(key: &Key, header: Value, claims: Value) -> Self {
        Self { header: object(header), claims: object(claims), key: key.clone(), damage: Damage::None }
    }

    /// With a header member set; `null` takes it out.
    pub fn with_header(mut self, name: &str, value: impl Into<Value>) -> Self {
        put(&mut self.header, name, value.into());
        self
    }

    /// With a claim set; `null` takes it out.
    pub fn with_claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        put(&mut self.claims, name, value.into());
        self
    }

    /// Damaged in this way.
    pub fn with_damage(mut self, damage: Damage) -> Self {
        self.damage = damage;
        self
    }

    /// The compact form, signed and damaged.
    pub fn compact(&self) -> String {
        let mut header = Map::new();
        if !self.header.contains_key("alg") {
            header.insert("alg".to_owned(), self.key.algorithm().into());
        }
        header.extend(self.header.clone());
        let header = base64url(Value::Object(header).to_string().as_bytes());
        let mut payload = base64url(Value::Object(self.claims.clone()).to_string().as_bytes());
        if self.damage == Damage::Padding {
            payload.push('=');
        }
        let signed = format!("{header}.{payload}");
        let mut signature = self.key.sign(signed.as_bytes());
        match &self.damage {
            Damage::None | Damage::Padding => format!("{signed}.{}", base64url(&signature)),
            Damage::Signature => {
                signature[7] ^= 1;
                format!("{signed}.{}", base64url(&signature))
            }
            Damage::Unsigned => format!("{signed}."),
            Damage::TwoSegments => signed,
            Damage::Replaced(other) => other.clone(),
        }
    }
}

/// Header and claims of a compact JWT, not verified.
pub fn decode(compact: &str) -> (Value, Value) {
    let segments: Vec<&str> = compact.split('.').collect();
    assert_eq!(segments.len(), 3, "a compact JWT has three segments: {compact}");
    let read = |segment| serde_json::from_slice(&from_base64url(segment)).expect("a JSON segment");
    (read(segments[0]), read(segments[1]))
}

/// The object in a JSON value.
pub(crate) fn object(value: Value) -> Map<String, Value> {
    let Value::Object(members) = value else { panic!("not a JSON object: {value}") };
    members
}

/// Sets a member; `null` takes it out.
pub(crate) fn put(members: &mut Map<String, Value>, name: &str, value: Value) {
    if value.is_null() {
        members.shift_remove(name);
    } else {
        members.insert(name.to_owned(), value);
    }
}
