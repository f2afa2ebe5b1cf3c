use proptest::prelude::*;

use super::*;

fn key(byte: u8) -> SealingKey {
    SealingKey::from_bytes([byte; 32])
}

#[test]
fn what_is_sealed_for_a_place_opens_there() {
    let sealed = key(1).seal(b"organisation 1", b"secret").unwrap();
    assert_eq!(sealed.len(), OVERHEAD + 6);
    assert_eq!(key(1).open(b"organisation 1", &sealed).unwrap().as_slice(), b"secret");
    assert_eq!(key(1).open(b"", &key(1).seal(b"", b"").unwrap()).unwrap().as_slice(), b"");
}

#[test]
fn sealed_bytes_do_not_open_in_another_place() {
    let sealed = key(1).seal(b"organisation 1", b"secret").unwrap();
    for place in [&b"organisation 2"[..], b"", b"organisation 1 "] {
        assert_eq!(key(1).open(place, &sealed), Err(SealError::Altered));
    }
}

#[test]
fn truncated_sealed_bytes_do_not_open() {
    let sealed = key(1).seal(b"place", b"some secret text").unwrap();
    for length in 0..OVERHEAD {
        assert_eq!(key(1).open(b"place", &sealed[..length]), Err(SealError::TooShort { got: length }));
    }
    for length in OVERHEAD..sealed.len() {
        assert_eq!(key(1).open(b"place", &sealed[..length]), Err(SealError::Altered));
    }
    let longer = [&sealed[..], &[0]].concat();
    assert_eq!(key(1).open(b"place", &longer), Err(SealError::Altered));
}

#[test]
fn the_same_text_seals_differently_each_time() {
    assert_ne!(key(1).seal(b"", b"x").unwrap(), key(1).seal(b"", b"x").unwrap());
}

#[test]
fn an_earlier_key_still_opens_and_no_longer_seals() {
    let old = key(1).seal(b"place", b"secret").unwrap();
    let rotated = key(2).with_previous([1; 32]);
    assert_eq!(rotated.open(b"place", &old).unwrap().as_slice(), b"secret");
    let new = rotated.seal(b"place", b"secret").unwrap();
    assert_eq!(key(2).open(b"place", &new).unwrap().as_slice(), b"secret");
    assert_eq!(key(1).open(b"place", &new), Err(SealError::UnknownKey { got: new[0] }));
}

#[test]
fn keys_that_share_their_id_are_told_apart_by_the_tag() {
    let first = key(1);
    let twin = (2_u16..)
        .map(|number| {
            let mut bytes = [0; 32];
            bytes[..2].copy_from_slice(&number.to_be_bytes());
            bytes
        })
        .find(|bytes| Slot::new(*bytes).id == first.current.id)
        .unwrap();
    let sealed = first.seal(b"", b"x").unwrap();
    assert_eq!(SealingKey::from_bytes(twin).open(b"", &sealed), Err(SealError::Altered));
    assert!(SealingKey::from_bytes(twin).with_previous([1; 32]).open(b"", &sealed).is_ok());
}

#[test]
fn a_mac_verifies_for_its_message_and_key_only() {
    let mac_key = MacKey::from_bytes([7; 32]);
    let mac = mac_key.mac(b"message");
    assert_eq!(mac_key.verify(b"message", &mac), Ok(()));
    assert_eq!(mac_key.verify(b"massage", &mac), Err(MacInvalid));
    assert_eq!(mac_key.verify(b"message", &mac[..31]), Err(MacInvalid));
    assert_eq!(mac_key.verify(b"message", b""), Err(MacInvalid));
    assert_eq!(MacKey::from_bytes([8; 32]).verify(b"message", &mac), Err(MacInvalid));
}

#[test]
fn the_mac_matches_rfc_4231() {
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(b"Jefe");
    let mac = MacKey::from_bytes(bytes).mac(b"what do ya want for nothing?");
    assert_eq!(mac[..4], [0x5b, 0xdc, 0xc1, 0x46], "RFC 4231 §4.3; HMAC pads short keys with zeros");
    assert_eq!(mac[28..], [0x64, 0xec, 0x38, 0x43]);
}

#[test]
fn every_label_and_every_sealing_key_derives_a_mac_key_of_its_own() {
    let mac = |sealing: u8, label| MacKey::derive(&key(sealing), label).mac(b"m");
    assert_eq!(mac(1, "nonce"), mac(1, "nonce"));
    assert_ne!(mac(1, "nonce"), mac(1, "cookie"));
    assert_ne!(mac(1, "nonce"), mac(2, "nonce"));
}

#[test]
fn debug_output_shows_no_secret() {
    assert_eq!(format!("{:?} {:?}", key(1), MacKey::from_bytes([1; 32])), "SealingKey MacKey");
}

proptest! {
    #[test]
    fn one_changed_bit_keeps_sealed_bytes_shut(
        plain in prop::collection::vec(any::<u8>(), 0..64),
        position in any::<prop::sample::Index>(),
        bit in 0_u8..8,
    ) {
        let mut sealed = key(1).seal(b"place", &plain).unwrap();
        let position = position.index(sealed.len());
        sealed[position] ^= 1 << bit;
        prop_assert!(key(1).open(b"place", &sealed).is_err());
    }

    #[test]
    fn sealing_and_opening_gives_back_any_text(plain in prop::collection::vec(any::<u8>(), 0..300), place in ".*") {
        let sealed = key(1).seal(place.as_bytes(), &plain).unwrap();
        let opened = key(1).open(place.as_bytes(), &sealed).unwrap();
        prop_assert_eq!(opened.as_slice(), &plain[..]);
    }
}
