use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{Algorithm, SoftwareKey};

const ACCEPTED: Accepted<'static> =
    Accepted { encryptions: &ContentEncryption::ALL, compression: Compression::Deflate };
const PLAIN_ONLY: Accepted<'static> =
    Accepted { encryptions: &[ContentEncryption::A256Gcm], compression: Compression::None };

fn key() -> DecryptionKey {
    DecryptionKey::generate("enc-1").unwrap()
}

fn encrypted(key: &DecryptionKey) -> String {
    encrypt(b"{\"a\":1}", key.recipient(), ContentEncryption::A256Gcm, Compression::None).unwrap()
}

fn refusal(compact: &str, key: &DecryptionKey) -> JweError {
    decrypt(compact, std::slice::from_ref(key), &ACCEPTED).unwrap_err()
}

fn header(compact: &str) -> Map<String, Value> {
    let text = compact.split('.').next().unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
}

fn with_part(compact: &str, position: usize, text: &str) -> String {
    let mut parts: Vec<_> = compact.split('.').collect();
    parts[position] = text;
    parts.join(".")
}

/// A JWE of our own whose header `change` has changed before encryption, so that only the guard can refuse it.
fn forged(key: &DecryptionKey, payload: &[u8], change: impl FnOnce(&mut Map<String, Value>)) -> String {
    let (ephemeral, secret) = agreement::ephemeral(key.recipient()).unwrap();
    let epk = Value::Object(ephemeral.to_json());
    let mut header = json!({"alg": ALGORITHM, "enc": "A256GCM", "kid": key.key_id(), "epk": epk});
    change(header.as_object_mut().unwrap());
    let content_key = agreement::content_key(&secret, ContentEncryption::A256Gcm, &[], &[]);
    framing::frame(header.as_object().unwrap().clone(), payload, &content_key).unwrap()
}

#[test]
fn what_was_encrypted_for_a_key_is_decrypted_with_it() {
    let keys = [DecryptionKey::generate("enc-0").unwrap(), key()];
    for encryption in ContentEncryption::ALL {
        for compression in [Compression::None, Compression::Deflate] {
            let compact = encrypt(b"claims", keys[1].recipient(), encryption, compression).unwrap();
            let decrypted = decrypt(&compact, &keys, &ACCEPTED).unwrap();
            assert_eq!((decrypted.payload.as_slice(), decrypted.key_id.as_str()), (&b"claims"[..], "enc-1"));
            assert_eq!((decrypted.encryption, decrypted.compression), (encryption, compression));
            assert!(!format!("{decrypted:?}").contains("99"), "no payload bytes in {decrypted:?}");
        }
    }
}

/// ENC-5.
#[test]
fn the_header_names_algorithms_and_key_and_compression_only_if_wanted() {
    let key = key();
    let names = |compact: &str| header(compact).keys().cloned().collect::<Vec<_>>();
    let compact = encrypted(&key);
    assert_eq!(names(&compact), ["alg", "enc", "kid", "epk"]);
    let members = header(&compact);
    assert_eq!([&members["alg"], &members["enc"], &members["kid"]], ["ECDH-ES", "A256GCM", "enc-1"]);
    let zipped = encrypt(b"{}", key.recipient(), ContentEncryption::A128Gcm, Compression::Deflate).unwrap();
    assert_eq!(header(&zipped)["zip"], "DEF");

    let mut jwk = key.recipient().to_json();
    jwk.remove("kid");
    let nameless = RecipientKey::from_json(&jwk).unwrap();
    let compact = encrypt(b"{}", &nameless, ContentEncryption::A128Gcm, Compression::None).unwrap();
    assert_eq!(names(&compact), ["alg", "enc", "epk"]);
    assert_eq!(refusal(&compact, &key), JweError::KeyIdMissing { expected: "enc-1".to_owned() });
}

#[test]
fn another_implementation_reads_what_is_written_and_the_other_way_round() {
    use josekit::jwe::{ECDH_ES, JweHeader, deserialize_compact, serialize_compact};

    let key = key();
    let mut jwk = key.recipient().to_json();
    jwk.insert("d".to_owned(), URL_SAFE_NO_PAD.encode(key.to_bytes().unwrap()).into());
    let jwk = josekit::jwk::Jwk::from_map(jwk).unwrap();

    let compact = encrypt(b"ours", key.recipient(), ContentEncryption::A256Gcm, Compression::Deflate).unwrap();
    let decrypter = ECDH_ES.decrypter_from_jwk(&jwk).unwrap();
    assert_eq!(deserialize_compact(&compact, &decrypter).unwrap().0, b"ours");

    let mut header = JweHeader::new();
    header.set_content_encryption("A128GCM");
    header.set_compression("DEF");
    header.set_agreement_partyuinfo(b"Alice");
    header.set_agreement_partyvinfo(b"Bob");
    let encrypter = ECDH_ES.encrypter_from_jwk(&jwk).unwrap();
    let compact = serialize_compact(b"theirs", &header, &encrypter).unwrap();
    assert_eq!(decrypt(&compact, &[key], &ACCEPTED).unwrap().payload.as_slice(), b"theirs");
}

#[test]
fn a_tag_that_is_cut_short_is_refused() {
    let key = key();
    let compact = encrypted(&key);
    let tag = URL_SAFE_NO_PAD.decode(compact.rsplit('.').next().unwrap()).unwrap();
    for len in [0, 1, 4, 8, 12, 15] {
        let cut = with_part(&compact, 4, &URL_SAFE_NO_PAD.encode(&tag[..len]));
        assert_eq!(refusal(&cut, &key), JweError::Length { part: Part::Tag, expected: 16, got: len });
    }
    let long = with_part(&compact, 4, &URL_SAFE_NO_PAD.encode([&tag[..], &[0]].concat()));
    assert_eq!(refusal(&long, &key), JweError::Length { part: Part::Tag, expected: 16, got: 17 });
}

#[test]
fn a_nonce_of_another_length_and_an_encrypted_key_are_refused() {
    let key = key();
    let compact = encrypted(&key);
    for len in [0, 8, 11, 13, 16] {
        let other = with_part(&compact, 2, &URL_SAFE_NO_PAD.encode(vec![0; len]));
        let part = Part::InitialisationVector;
        assert_eq!(refusal(&other, &key), JweError::Length { part, expected: 12, got: len });
    }
    let wrapped = with_part(&compact, 1, "AAAA");
    assert_eq!(refusal(&wrapped, &key), JweError::Length { part: Part::EncryptedKey, expected: 0, got: 3 });
}

#[test]
fn anything_but_five_parts_of_base64url_is_refused() {
    let key = key();
    let compact = encrypted(&key);
    assert_eq!(refusal("", &key), JweError::Parts { got: 1 });
    assert_eq!(refusal("a.b.c", &key), JweError::Parts { got: 3 });
    assert_eq!(refusal(&format!("{compact}."), &key), JweError::Parts { got: 6 });
    let parts = [Part::Header, Part::EncryptedKey, Part::InitialisationVector, Part::Ciphertext, Part::Tag];
    for (position, part) in parts.into_iter().enumerate() {
        for text in ["A+==", "a b", "ä"] {
            assert_eq!(refusal(&with_part(&compact, position, text), &key), JweError::NotBase64Url { part });
        }
    }
    let stray_bits = with_part(&compact, 4, "AAAAAAAAAAAAAAAAAAAAAB");
    assert_eq!(refusal(&stray_bits, &key), JweError::NotBase64Url { part: Part::Tag });
    let long = format!("{compact}{}", "A".repeat(MAX_BYTES));
    assert_eq!(refusal(&long, &key), JweError::TooLong { got: long.len() });
}

#[test]
fn a_header_with_a_parameter_twice_or_crit_or_no_object_is_refused() {
    let key = key();
    let compact = encrypted(&key);
    let header = |text: &str| refusal(&with_part(&compact, 0, &URL_SAFE_NO_PAD.encode(text)), &key);
    let twice = JweError::Duplicate { name: "alg".to_owned() };
    assert_eq!(header(r#"{"alg":"ECDH-ES","alg":"dir","enc":"A256GCM"}"#), twice);
    for text in ["[]", "\"x\"", "{", ""] {
        assert_eq!(header(text), JweError::NotAnObject, "{text}");
    }
    for value in [json!([]), json!(["exp"]), json!(null)] {
        let crit = format!(r#"{{"alg":"ECDH-ES","enc":"A256GCM","crit":{value}}}"#);
        assert_eq!(header(&crit), JweError::Critical);
    }
}

/// SEC-13.
#[test]
fn other_algorithms_are_refused() {
    let key = key();
    let compact = encrypted(&key);
    let with = |alg: &str, enc: &str| {
        let header = json!({"alg": alg, "enc": enc, "kid": "enc-1"}).to_string();
        refusal(&with_part(&compact, 0, &URL_SAFE_NO_PAD.encode(header)), &key)
    };
    for alg in ["dir", "none", "RSA-OAEP", "RSA1_5", "ECDH-ES+A128KW", "A128KW", "PBES2-HS256+A128KW", "ecdh-es", ""] {
        assert_eq!(with(alg, "A256GCM"), JweError::Algorithm { got: alg.to_owned() });
    }
    for enc in ["A128CBC-HS256", "A192GCM", "a256gcm", ""] {
        let expected = "A128GCM, A256GCM".to_owned();
        assert_eq!(with("ECDH-ES", enc), JweError::Encryption { expected, got: enc.to_owned() });
    }
    let other = encrypt(b"{}", key.recipient(), ContentEncryption::A128Gcm, Compression::None).unwrap();
    let expected = JweError::Encryption { expected: "A256GCM".to_owned(), got: "A128GCM".to_owned() };
    assert_eq!(decrypt(&other, &[key], &PLAIN_ONLY).unwrap_err(), expected);
}

#[test]
fn a_compressed_jwe_is_refused_where_compression_is_not_accepted() {
    let key = key();
    let zipped = encrypt(b"{}", key.recipient(), ContentEncryption::A256Gcm, Compression::Deflate).unwrap();
    let expected = JweError::Compression { expected: "no compression", got: "DEF".to_owned() };
    assert_eq!(decrypt(&zipped, std::slice::from_ref(&key), &PLAIN_ONLY).unwrap_err(), expected);
    for (zip, got) in [(json!("GZIP"), "GZIP"), (json!("def"), "def"), (json!(true), ""), (json!(null), "")] {
        let header = json!({"alg": "ECDH-ES", "enc": "A256GCM", "kid": "enc-1", "zip": zip}).to_string();
        let other = with_part(&zipped, 0, &URL_SAFE_NO_PAD.encode(header));
        assert_eq!(refusal(&other, &key), JweError::Compression { expected: "DEF", got: got.to_owned() });
    }
}

#[test]
fn a_jwe_that_would_inflate_without_end_is_stopped() {
    let key = key();
    let bomb = vec![b' '; 200 * MAX_INFLATED_BYTES];
    let compact = encrypt(&bomb, key.recipient(), ContentEncryption::A256Gcm, Compression::Deflate).unwrap();
    assert!(compact.len() < MAX_BYTES);
    assert_eq!(refusal(&compact, &key), JweError::TooLarge);
    let largest = vec![b' '; MAX_INFLATED_BYTES];
    let compact = encrypt(&largest, key.recipient(), ContentEncryption::A256Gcm, Compression::Deflate).unwrap();
    assert_eq!(decrypt(&compact, &[key], &ACCEPTED).unwrap().payload.len(), MAX_INFLATED_BYTES);
}

#[test]
fn a_payload_that_only_claims_to_be_compressed_is_refused() {
    let key = key();
    let compact = forged(&key, b"{\"a\":1}", |header| {
        header.insert("zip".to_owned(), json!("DEF"));
    });
    assert_eq!(refusal(&compact, &key), JweError::Inflate);
}

#[test]
fn an_epk_off_the_curve_is_refused() {
    let key = key();
    let other = SoftwareKey::generate(Algorithm::Es256).unwrap().public_jwk().to_json();
    let compact = forged(&key, b"{}", |header| {
        header["epk"]["y"] = other["y"].clone();
    });
    assert_eq!(refusal(&compact, &key), JweError::EphemeralKey(JwkError::NotOnCurve(Algorithm::Es256)));
}

#[test]
fn an_epk_that_is_missing_private_or_on_another_curve_is_refused() {
    let key = key();
    let with = |epk: Value| {
        refusal(
            &forged(&key, b"{}", |header| {
                header.insert("epk".to_owned(), epk);
            }),
            &key,
        )
    };
    let p384 = SoftwareKey::generate(Algorithm::Es384).unwrap().public_jwk().to_json();
    assert_eq!(with(Value::Object(p384)), JweError::EphemeralKeyCurve { got: "P-384" });
    let mut private = key.recipient().public_jwk().to_json();
    private.insert("d".to_owned(), json!("AA"));
    assert_eq!(with(Value::Object(private)), JweError::EphemeralKey(JwkError::Private { member: "d" }));
    assert!(matches!(with(json!({"kty": "oct"})), JweError::EphemeralKey(JwkError::KeyType { .. })));
    let compact = encrypted(&key);
    let header = json!({"alg": "ECDH-ES", "enc": "A256GCM", "kid": "enc-1"}).to_string();
    let without = with_part(&compact, 0, &URL_SAFE_NO_PAD.encode(header));
    assert_eq!(refusal(&without, &key), JweError::EphemeralKeyMissing);
}

#[test]
fn a_jwe_for_another_key_is_refused() {
    let (ours, other) = (key(), DecryptionKey::generate("enc-2").unwrap());
    let unknown = JweError::UnknownKey { expected: "enc-1".to_owned(), got: "enc-2".to_owned() };
    assert_eq!(refusal(&encrypted(&other), &ours), unknown);
    let namesake = key();
    let undecryptable = JweError::Undecryptable { key_id: "enc-1".to_owned() };
    assert_eq!(refusal(&encrypted(&namesake), &ours), undecryptable);
    assert!(matches!(decrypt(&encrypted(&ours), &[], &ACCEPTED), Err(JweError::UnknownKey { .. })));
}

#[test]
fn party_info_that_is_malformed_is_refused() {
    let key = key();
    for value in [json!("a b"), json!(1), json!(URL_SAFE_NO_PAD.encode([0; 513]))] {
        let header = json!({"alg": "ECDH-ES", "enc": "A256GCM", "kid": "enc-1", "apu": value}).to_string();
        let compact = with_part(&encrypted(&key), 0, &URL_SAFE_NO_PAD.encode(header));
        assert_eq!(refusal(&compact, &key), JweError::PartyInfo { name: "apu" });
    }
}

/// ENC-4.
#[test]
fn a_recipients_jwk_needs_its_algorithm_and_the_right_curve_and_use() {
    let jwk = key().recipient().to_json();
    assert_eq!(RecipientKey::from_json(&jwk).unwrap().to_json(), jwk);
    let with = |name: &str, value: Value| {
        let mut jwk = jwk.clone();
        jwk.insert(name.to_owned(), value);
        RecipientKey::from_json(&jwk).unwrap_err()
    };
    let mut without = jwk.clone();
    without.remove("alg");
    assert_eq!(RecipientKey::from_json(&without), Err(RecipientKeyError::AlgorithmMissing));
    assert_eq!(with("alg", json!("ES256")), RecipientKeyError::Algorithm { got: "ES256".to_owned() });
    assert_eq!(with("alg", json!(null)), RecipientKeyError::Algorithm { got: String::new() });
    assert_eq!(with("use", json!("sig")), RecipientKeyError::Use { got: "sig".to_owned() });
    assert_eq!(with("kid", json!("")), RecipientKeyError::KeyId);
    assert_eq!(with("kid", json!(7)), RecipientKeyError::KeyId);
    assert_eq!(with("d", json!("AA")), RecipientKeyError::Jwk(JwkError::Private { member: "d" }));
    assert!(matches!(with("y", jwk["x"].clone()), RecipientKeyError::Jwk(JwkError::NotOnCurve(_))));
    let mut p384 = SoftwareKey::generate(Algorithm::Es384).unwrap().public_jwk().to_json();
    p384.insert("alg".to_owned(), json!(ALGORITHM));
    assert_eq!(RecipientKey::from_json(&p384), Err(RecipientKeyError::Curve { got: "P-384" }));
}

#[test]
fn a_decryption_key_survives_being_sealed_and_never_shows() {
    let key = key();
    let bytes = key.to_bytes().unwrap();
    assert_eq!(bytes.len(), 32);
    let again = DecryptionKey::from_bytes("enc-1", &bytes).unwrap();
    assert_eq!(again.recipient(), key.recipient());
    assert_eq!(decrypt(&encrypted(&key), &[again], &ACCEPTED).unwrap().payload.as_slice(), b"{\"a\":1}");
    assert_eq!(format!("{key:?}").matches("private").count(), 0);
    for bytes in [&[0; 32][..], &[0xff; 32], &[1; 31], &[]] {
        assert!(DecryptionKey::from_bytes("k", bytes).is_err());
    }
}

#[test]
fn a_name_parses_to_the_encryption_it_names() {
    for encryption in ContentEncryption::ALL {
        assert_eq!(ContentEncryption::parse(encryption.name()), Some(encryption));
        assert_eq!(serde_json::to_value(encryption).unwrap(), encryption.name());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_payload_comes_back(payload in proptest::collection::vec(any::<u8>(), 0..2000), zip in any::<bool>()) {
        let key = key();
        let compression = if zip { Compression::Deflate } else { Compression::None };
        let compact = encrypt(&payload, key.recipient(), ContentEncryption::A128Gcm, compression).unwrap();
        prop_assert_eq!(&*decrypt(&compact, &[key], &ACCEPTED).unwrap().payload, &payload);
    }

    #[test]
    fn any_changed_character_is_refused(position in any::<prop::sample::Index>(), replacement in "[A-Za-z0-9_.=-]") {
        let key = key();
        let compact = encrypted(&key);
        let mut changed = compact.clone();
        let position = position.index(compact.len());
        changed.replace_range(position..=position, &replacement);
        prop_assume!(changed != compact);
        prop_assert!(decrypt(&changed, &[key], &ACCEPTED).is_err());
    }

    #[test]
    fn any_text_is_answered(text in "[A-Za-z0-9_.=\\PC-]{0,200}") {
        prop_assert!(decrypt(&text, &[key()], &ACCEPTED).is_err());
    }
}
