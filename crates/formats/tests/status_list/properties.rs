//! What holds for every list, every token and every input.

use std::num::NonZeroU32;

use chancery_formats::KeyReference;
use chancery_formats::status_list::{Bits, Claim, Level, Reference, StatusList, Token};
use chancery_keys::{Algorithm, jws};
use ciborium::Value as Cbor;
use proptest::prelude::*;
use serde_json::Value;

use crate::signers::{block_on, signer};
use crate::token::{ReadCwt, sign_cwt};

fn bits() -> impl Strategy<Value = Bits> {
    prop::sample::select(&Bits::ALL[..])
}

fn lists() -> impl Strategy<Value = StatusList> {
    (bits(), prop::collection::vec(any::<u8>(), 0..300))
        .prop_map(|(bits, bytes)| StatusList::from_bytes(bits, bytes).unwrap())
}

fn levels() -> impl Strategy<Value = Level> {
    prop::sample::select(&[Level::Quick, Level::Best][..])
}

prop_compose! {
    fn tokens()(
        uri in "https://[a-z]{1,9}\\.example/[a-z0-9/]{0,20}",
        issued_at: i64,
        expires_at: Option<i64>,
        ttl: Option<u32>,
        list in lists(),
        level in levels(),
        aggregation_uri in prop::option::of("https://[a-z]{1,9}\\.example/.{0,9}"),
    ) -> Token {
        let status_list = Claim { aggregation_uri, ..list.compress(level).unwrap() };
        Token { uri, issued_at, expires_at, ttl: ttl.and_then(NonZeroU32::new), status_list }
    }
}

proptest! {
    #[test]
    fn a_list_keeps_the_last_value_set_at_each_index(
        bits in bits(),
        changes in prop::collection::vec((0..64_u32, any::<u8>()), 0..100),
    ) {
        let mut list = StatusList::new(bits, 64).unwrap();
        let mut model = [0; 64];
        for (index, value) in changes {
            let value = value & bits.max_value();
            let place = &mut model[usize::try_from(index).unwrap()];
            prop_assert_eq!(list.set(index, value), Ok(*place));
            *place = value;
        }
        for (index, value) in (0..).zip(model) {
            prop_assert_eq!(list.get(index), Some(value));
        }
    }

    #[test]
    fn a_compressed_list_is_read_back(list in lists(), level in levels()) {
        let claim = list.compress(level).unwrap();
        let read = Claim::from_json(&claim.to_json()).unwrap();
        prop_assert_eq!(&read, &claim);
        prop_assert_eq!(read.inflate(list.entries()).unwrap(), list);
    }

    #[test]
    fn a_jwt_says_what_the_token_says(token in tokens()) {
        let signer = signer(Algorithm::EdDsa);
        let jwt = block_on(token.sign_jwt(&signer, KeyReference::Kid)).unwrap();
        let read = jws::decode(&jwt).unwrap();
        prop_assert!(read.verify(signer.public_jwk()).is_ok());
        let claim = |name: &str| read.claims().get(name);
        let read = Token {
            uri: claim("sub").and_then(Value::as_str).unwrap().to_owned(),
            issued_at: claim("iat").and_then(Value::as_i64).unwrap(),
            expires_at: claim("exp").and_then(Value::as_i64),
            ttl: claim("ttl").map(|ttl| serde_json::from_value(ttl.clone()).unwrap()),
            status_list: Claim::from_json(claim("status_list").unwrap()).unwrap(),
        };
        prop_assert_eq!(read, token);
    }

    #[test]
    fn a_cwt_says_what_the_token_says(token in tokens()) {
        let claims = ReadCwt::new(&sign_cwt(&token)).claims;
        let member = |entries: &[(Cbor, Cbor)], label: Cbor| {
            entries.iter().find(|(found, _)| *found == label).map(|(_, value)| value.clone())
        };
        let number = |label: u32| member(&claims, label.into()).map(|value| value.as_integer().unwrap());
        let list = member(&claims, 65_533.into()).unwrap().into_map().unwrap();
        let bits = member(&list, "bits".into()).unwrap().into_integer().unwrap();
        let read = Token {
            uri: member(&claims, 2.into()).unwrap().into_text().unwrap(),
            issued_at: number(6).unwrap().try_into().unwrap(),
            expires_at: number(4).map(|at| at.try_into().unwrap()),
            ttl: number(65_534).map(|ttl| NonZeroU32::new(ttl.try_into().unwrap()).unwrap()),
            status_list: Claim {
                bits: Bits::try_from(u64::try_from(bits).unwrap()).unwrap(),
                lst: member(&list, "lst".into()).unwrap().into_bytes().unwrap(),
                aggregation_uri: member(&list, "aggregation_uri".into()).map(|uri| uri.into_text().unwrap()),
            },
        };
        prop_assert_eq!(read, token);
    }

    #[test]
    fn a_reference_is_read_back(idx: u32, uri in ".{0,40}") {
        let reference = Reference { idx, uri };
        prop_assert_eq!(Reference::from_status(&reference.to_status()), Ok(reference));
    }

    #[test]
    fn any_bytes_for_a_list_are_answered_within_the_limit(
        bits in bits(),
        lst in prop::collection::vec(any::<u8>(), 0..300),
        max_entries in 0..10_000_u32,
    ) {
        let claim = Claim { bits, lst, aggregation_uri: None };
        if let Ok(list) = claim.inflate(max_entries) {
            prop_assert!(list.entries() <= max_entries + 7);
        }
    }

    #[test]
    fn a_damaged_stream_stays_within_the_limit(list in lists(), at: prop::sample::Index, flip in 1..=u8::MAX) {
        let mut claim = list.compress(Level::Best).unwrap();
        let at = at.index(claim.lst.len());
        claim.lst[at] ^= flip;
        if let Ok(read) = claim.inflate(list.entries()) {
            prop_assert!(read.entries() <= list.entries());
        }
    }
}
