//! Statuses of credentials (Token Status List), from the definition to what a verifier reads.

use std::io::Read as _;
use std::time::{Duration, Instant};

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use chancery_tests::jwt;
use chancery_tests::key::from_base64url;
use chancery_tests::platform::history_path;
use chancery_tests::{Answer, Backend, Offer, Operator, Received, World, block_on, on_every_backend, samples, sd_jwt};
use reqwest::Method;
use serde_json::{Value, json};

mod allocation;
mod changes;
mod faults;
mod lists;
mod many;
mod rotation;

const MANY: &str = "/v2/config/digital-wallet/openid/sdjwt/credential/revocation-status";

/// Every process publishes a change within this time.
const VISIBLE_WITHIN: Duration = Duration::from_secs(5);

/// A staff badge that can be revoked, with these members of its entry.
fn revocable_badge(more: &Value) -> Value {
    let mut body = samples::staff_badge();
    let entry = &mut body["credentialDefinitions"][0];
    entry["supportRevocation"] = true.into();
    for (name, value) in more.as_object().expect("members") {
        entry[name] = value.clone();
    }
    body
}

/// An organisation with one badge issued.
struct Scene {
    operator: Operator,
    definition: Value,
    offer: Offer,
    received: Received,
}

impl Scene {
    async fn new(world: &World) -> Self {
        Self::of(world, &json!({})).await
    }

    async fn of(world: &World, more: &Value) -> Self {
        let operator = world.organisation().await;
        let definition = operator.define(&revocable_badge(more)).await;
        let (offer, received) = issue(world, &operator, &definition).await;
        Self { operator, definition, offer, received }
    }

    fn place(&self) -> Place {
        Place::of(&self.received)
    }

    async fn change(&self, status: &str) -> Answer {
        change(&self.operator, &self.offer.id, json!({"revocationStatus": status})).await
    }
}

async fn issue(world: &World, operator: &Operator, definition: &Value) -> (Offer, Received) {
    let offer = operator.offer(definition, &samples::staff_claims()).await;
    let received = world.wallet().accept(&offer.link).await;
    (offer, received)
}

async fn change(operator: &Operator, exchange: &str, body: Value) -> Answer {
    operator.put(&format!("{}/revocation-status", history_path(exchange)), body).await
}

#[track_caller]
fn assert_problem(answer: &Answer, status: u16, slug: &str) {
    assert_eq!(answer.problem(status)["type"], format!("/docs/problems/{slug}"), "{answer}");
}

/// What a credential says about its status.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Place {
    uri: String,
    index: u64,
}

impl Place {
    fn of(received: &Received) -> Self {
        Self::in_credential(&received.credential)
    }

    fn in_credential(credential: &str) -> Self {
        let status = &sd_jwt::parts(credential).signed["status"]["status_list"];
        let index = status["idx"].as_u64().expect("idx");
        Self { uri: status["uri"].as_str().expect("uri").to_owned(), index }
    }

    /// The value that is published now.
    async fn value(&self, world: &World) -> u8 {
        Published::read(&world.http().get(&self.uri).await).value(self.index)
    }

    /// Waits until this value is published, as long as a change may take.
    async fn shows(&self, world: &World, value: u8) {
        let begun = Instant::now();
        let mut got = self.value(world).await;
        while got != value {
            assert!(begun.elapsed() < VISIBLE_WITHIN, "{self:?} shows {got}, not {value}");
            got = self.value(world).await;
        }
    }
}

/// A token, taken apart by nobody's library but zlib and CBOR.
struct Published {
    claims: Value,
    bits: u64,
    bytes: Vec<u8>,
}

impl Published {
    /// A JWT (§5.1).
    #[track_caller]
    fn read(answer: &Answer) -> Self {
        assert_eq!(answer.status, 200, "{answer}");
        answer.assert_media_type("application/statuslist+jwt");
        let (header, claims) = jwt::decode(&answer.text());
        assert_eq!(header["typ"], "statuslist+jwt");
        let list = &claims["status_list"];
        let lst = from_base64url(list["lst"].as_str().expect("lst"));
        Self { bits: list["bits"].as_u64().expect("bits"), bytes: inflate(&lst), claims }
    }

    /// The value at an index, least significant bits first (§4.1).
    fn value(&self, index: u64) -> u8 {
        let bit = index * self.bits;
        let byte = self.bytes[usize::try_from(bit / 8).expect("an index")];
        (byte >> (bit % 8)) & ((1 << self.bits) - 1)
    }

    /// How many entries are not valid.
    fn invalid(&self) -> usize {
        let entries = self.bytes.len() as u64 * 8 / self.bits;
        (0..entries).filter(|index| self.value(*index) != 0).count()
    }
}

fn inflate(lst: &[u8]) -> Vec<u8> {
    assert_eq!(lst[0], 0x78, "a ZLIB stream (RFC 1950)");
    let mut bytes = Vec::new();
    flate2::read::ZlibDecoder::new(lst).read_to_end(&mut bytes).expect("one whole stream");
    bytes
}

/// Asserts an ES256 signature by the organisation's key `kid`.
async fn assert_signed(world: &World, operator: &Operator, kid: &str, message: &[u8], signature: &[u8]) {
    let keys = world.http().get(&format!("{}/jwks", operator.issuer())).await.ok();
    let keys = keys["keys"].as_array().expect("keys").clone();
    let key = keys.iter().find(|key| key["kid"] == kid).unwrap_or_else(|| panic!("{kid} is not published"));
    let coordinate = |name: &str| from_base64url(key[name].as_str().expect("a coordinate"));
    let point = [vec![4], coordinate("x"), coordinate("y")].concat();
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature).expect("a good signature");
}
