//! Packing, compressing and their limits.

use std::io::Write as _;

use chancery_formats::status_list::{
    Bits, Claim, ClaimError, INVALID, InflateError, Level, MAX_ENTRIES, SUSPENDED, StatusList, StatusListError, VALID,
};
use flate2::Compression;
use rstest::rstest;
use serde_json::{Value, json};

/// TSL-15.
#[test]
fn a_new_list_is_valid_throughout_and_fills_its_last_byte() {
    for (bits, asked, entries) in [
        (Bits::One, 9, 16),
        (Bits::Two, 9, 12),
        (Bits::Four, 9, 10),
        (Bits::Eight, 9, 9),
        (Bits::One, 16, 16),
        (Bits::One, 0, 0),
    ] {
        let list = StatusList::new(bits, asked).unwrap();
        assert_eq!(list.entries(), entries, "{bits:?}");
        assert!((0..entries).all(|index| list.get(index) == Some(VALID)));
        assert_eq!(list.get(entries), None);
    }
}

#[test]
fn a_change_gives_back_the_value_that_was_there() {
    let mut list = StatusList::new(Bits::Two, 8).unwrap();
    assert_eq!(list.set(5, SUSPENDED), Ok(VALID));
    assert_eq!(list.set(5, INVALID), Ok(SUSPENDED));
    assert_eq!(list.get(5), Some(INVALID));
    assert_eq!(list.bytes(), [0, 0b0000_0100]);
}

/// TSL-15: an index is always inside of the list.
#[test]
fn an_index_outside_of_the_list_is_refused_and_changes_nothing() {
    let mut list = StatusList::new(Bits::One, 16).unwrap();
    for index in [16, 17, 1 << 20, u32::MAX] {
        assert_eq!(list.get(index), None);
        assert_eq!(list.set(index, INVALID), Err(StatusListError::OutOfRange { index, entries: 16 }));
    }
    assert_eq!(list.bytes(), [0, 0]);
}

/// TSL-7: a suspended credential needs two bits.
#[test]
fn a_value_that_needs_more_bits_is_refused_and_changes_nothing() {
    for bits in Bits::ALL {
        let mut list = StatusList::new(bits, 8).unwrap();
        assert_eq!(list.set(3, bits.max_value()), Ok(VALID));
        let Some(value) = bits.max_value().checked_add(1) else { continue };
        assert_eq!(list.set(3, value), Err(StatusListError::ValueTooLarge { value, bits }));
        assert_eq!(list.get(3), Some(bits.max_value()));
        assert_eq!((list.get(2), list.get(4)), (Some(VALID), Some(VALID)));
    }
    assert!(StatusList::new(Bits::One, 8).unwrap().set(0, SUSPENDED).is_err());
}

#[test]
fn a_list_grows_by_whole_bytes_and_never_shrinks() {
    let mut list = StatusList::new(Bits::Four, 2).unwrap();
    list.set(1, 0xc).unwrap();
    for (asked, entries) in [(3, 4), (4, 4), (1, 4), (0, 4), (101, 102)] {
        list.grow(asked).unwrap();
        assert_eq!(list.entries(), entries);
        assert_eq!(list.get(1), Some(0xc));
    }
    assert!((2..102).all(|index| list.get(index) == Some(VALID)));
}

#[test]
fn a_list_longer_than_any_that_is_published_is_refused() {
    let too_many = |got| StatusListError::TooManyEntries { got };
    for bits in Bits::ALL {
        assert_eq!(StatusList::new(bits, MAX_ENTRIES + 1).unwrap_err(), too_many(u64::from(MAX_ENTRIES) + 1));
    }
    let mut list = StatusList::new(Bits::One, 8).unwrap();
    assert_eq!(list.grow(u32::MAX), Err(too_many(u64::from(u32::MAX))));
    assert_eq!(list.entries(), 8);
    let bytes = usize::try_from(MAX_ENTRIES / 8).unwrap() + 1;
    assert_eq!(StatusList::from_bytes(Bits::One, vec![0; bytes]).unwrap_err(), too_many(u64::from(MAX_ENTRIES) + 8));
}

#[test]
fn the_longest_list_of_one_bit_is_kept() {
    let list = StatusList::new(Bits::One, MAX_ENTRIES).unwrap();
    assert_eq!(list.entries(), MAX_ENTRIES);
    assert_eq!(StatusList::from_bytes(Bits::One, list.bytes().to_vec()).unwrap(), list);
}

#[test]
fn four_megabytes_in_a_few_kilobytes_are_not_unpacked_for_a_short_list() {
    let bomb = StatusList::new(Bits::One, 1 << 25).unwrap().compress(Level::Best).unwrap();
    assert!(bomb.lst.len() < 8 * 1024);
    assert_eq!(bomb.inflate(1_000_000), Err(InflateError::TooLarge { limit: 125_000 }));
    assert_eq!(bomb.inflate(0), Err(InflateError::TooLarge { limit: 0 }));
    assert_eq!(bomb.inflate(1 << 25).unwrap().entries(), 1 << 25);
}

#[test]
fn the_bound_lets_through_exactly_the_length_it_names() {
    for bits in Bits::ALL {
        let list = StatusList::new(bits, 1_000).unwrap();
        let claim = list.compress(Level::Quick).unwrap();
        assert_eq!(claim.inflate(1_000).unwrap(), list);
        assert_eq!(claim.inflate(u32::MAX).unwrap(), list);
        assert!(matches!(claim.inflate(992), Err(InflateError::TooLarge { .. })));
    }
}

/// TSL-2, and the container of the Bitstring Status List, which is another.
#[test]
fn other_containers_and_damaged_streams_are_refused() {
    let bytes = [0b1000_0001, 0b10];
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(&bytes).unwrap();
    let mut raw = flate2::write::DeflateEncoder::new(Vec::new(), Compression::best());
    raw.write_all(&bytes).unwrap();
    let whole = StatusList::from_bytes(Bits::One, bytes.to_vec()).unwrap().compress(Level::Best).unwrap().lst;
    let cut = whole[..whole.len() - 1].to_vec();
    let followed = [whole.as_slice(), &[0]].concat();
    let mut altered = whole.clone();
    *altered.last_mut().unwrap() ^= 1;
    for lst in [gzip.finish().unwrap(), raw.finish().unwrap(), bytes.to_vec(), Vec::new(), cut, followed, altered] {
        let claim = Claim { bits: Bits::One, lst, aggregation_uri: None };
        assert_eq!(claim.inflate(16), Err(InflateError::NotZlib), "{:?}", claim.lst);
    }
    let claim = Claim { bits: Bits::One, lst: whole, aggregation_uri: None };
    assert_eq!(claim.inflate(16).unwrap().bytes(), bytes);
}

#[rstest]
#[case(json!([]), ClaimError::NotAnObject)]
#[case(json!("eNprZAIAAQYAhA"), ClaimError::NotAnObject)]
#[case(json!({ "lst": "eNprZAIAAQYAhA" }), ClaimError::Bits)]
#[case(json!({ "bits": 3, "lst": "eNprZAIAAQYAhA" }), ClaimError::Bits)]
#[case(json!({ "bits": 0, "lst": "eNprZAIAAQYAhA" }), ClaimError::Bits)]
#[case(json!({ "bits": 257, "lst": "eNprZAIAAQYAhA" }), ClaimError::Bits)]
#[case(json!({ "bits": -1, "lst": "eNprZAIAAQYAhA" }), ClaimError::Bits)]
#[case(json!({ "bits": "1", "lst": "eNprZAIAAQYAhA" }), ClaimError::Bits)]
#[case(json!({ "bits": 1 }), ClaimError::Lst)]
#[case(json!({ "bits": 1, "lst": ["eNprZAIAAQYAhA"] }), ClaimError::Lst)]
#[case(json!({ "bits": 1, "lst": "eNprZAIAAQYAhA==" }), ClaimError::Lst)]
#[case(json!({ "bits": 1, "lst": "eNprZAIAAQYAhB" }), ClaimError::Lst)]
#[case(json!({ "bits": 1, "lst": "eNp+ZAIAAQYAhA" }), ClaimError::Lst)]
#[case(json!({ "bits": 1, "lst": "eNprZAIAAQYAhA", "aggregation_uri": 1 }), ClaimError::AggregationUri)]
#[case(json!({ "bits": 1, "lst": "eNprZAIAAQYAhA", "aggregation_uri": null }), ClaimError::AggregationUri)]
fn json_that_is_no_status_list_is_refused(#[case] claim: Value, #[case] refusal: ClaimError) {
    assert_eq!(Claim::from_json(&claim), Err(refusal));
}

/// TSL-3.
#[test]
fn the_claim_has_its_members_and_no_others() {
    let mut claim = StatusList::new(Bits::Two, 8).unwrap().compress(Level::Best).unwrap();
    assert_eq!(claim.to_json().as_object().unwrap().keys().collect::<Vec<_>>(), ["bits", "lst"]);
    claim.aggregation_uri = Some("https://status.example/lists".to_owned());
    assert_eq!(claim.to_json()["aggregation_uri"], "https://status.example/lists");
    assert_eq!(Claim::from_json(&claim.to_json()).unwrap(), claim);
}
