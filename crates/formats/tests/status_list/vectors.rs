//! Known values, known bytes. Compressed bytes differ from encoder to encoder, so lists are compared inflated.

use chancery_formats::status_list::{Bits, Claim, Level, StatusList};
use rstest::rstest;
use serde_json::{Value, json};

pub(crate) fn list(bits: u64, values: &[u8]) -> StatusList {
    let entries = u32::try_from(values.len()).unwrap();
    let mut list = StatusList::new(Bits::try_from(bits).unwrap(), entries).unwrap();
    for (index, value) in (0..).zip(values) {
        list.set(index, *value).unwrap();
    }
    list
}

/// TSL-1, TSL-2, TSL-3. The last two are the examples of the draft (§4.1).
#[rstest]
#[case(1, &[1, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0], "8102", "eNprZAIAAQYAhA")]
#[case(2, &[0, 1, 2, 3, 0, 0, 0, 1], "e440", "eNp74gAAAgoBJQ")]
#[case(4, &[0, 1, 2, 12], "10c2", "eNoTOAQAAOQA0w")]
#[case(8, &[0, 1, 2, 255], "000102ff", "eNpjYGT6DwABCgED")]
#[case(1, &[1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1], "b9a3", "eNrbuRgAAhcBXQ")]
#[case(2, &[1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3], "c944f9", "eNo76fITAAPfAgc")]
fn known_values_give_the_known_bytes(#[case] bits: u64, #[case] values: &[u8], #[case] hex: &str, #[case] lst: &str) {
    let list = list(bits, values);
    assert_eq!(list.bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>(), hex);

    let published = Claim::from_json(&json!({ "bits": bits, "lst": lst })).unwrap();
    assert_eq!(published.inflate(list.entries()).unwrap(), list);
    for level in [Level::Quick, Level::Best] {
        let own = list.compress(level).unwrap().to_json();
        assert_eq!(own["bits"], bits);
        assert_eq!(Claim::from_json(&own).unwrap().inflate(list.entries()).unwrap(), list);
    }
    let got: Vec<Option<u8>> = (0..list.entries()).map(|index| list.get(index)).collect();
    assert_eq!(got, values.iter().copied().map(Some).collect::<Vec<_>>());
}

/// TSL-2: the first byte is that of the container, the second tells the level.
#[test]
fn the_best_compression_starts_like_that_of_the_examples() {
    let best = list(1, &[1, 0, 0, 1]).compress(Level::Best).unwrap();
    assert_eq!(best.lst[..2], [0x78, 0xda]);
    let quick = list(1, &[1, 0, 0, 1]).compress(Level::Quick).unwrap();
    assert_eq!(quick.lst[0], 0x78, "ZLIB too, at another level");
}

/// Appendix C: lists of 2^20 entries, all zero but the ones that are named.
#[test]
fn the_long_lists_of_the_draft_are_read_and_written() {
    const ENTRIES: u32 = 1 << 20;
    let vectors: Vec<Value> = serde_json::from_str(include_str!("draft_appendix_c.json")).unwrap();
    assert_eq!(vectors.len(), 4);
    for vector in vectors {
        let bits = Bits::try_from(vector["bits"].as_u64().unwrap()).unwrap();
        let mut list = StatusList::new(bits, ENTRIES).unwrap();
        for entry in vector["entries"].as_array().unwrap() {
            let [index, value] = [0, 1].map(|at| entry[at].as_u64().unwrap());
            let previous = list.set(u32::try_from(index).unwrap(), u8::try_from(value).unwrap());
            assert_eq!(previous, Ok(0));
        }
        let lst: String = vector["lst"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
        let published = Claim::from_json(&json!({ "bits": vector["bits"], "lst": lst })).unwrap();
        let published = published.inflate(ENTRIES).unwrap();
        assert_eq!(published.entries(), ENTRIES);
        assert!(published == list, "{bits:?}");
    }
}
