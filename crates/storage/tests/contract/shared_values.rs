//! Values that processes keep for each other.

use std::time::Duration;

use chancery_model::Env;
use chancery_storage::{Replay, SharedValues};

use crate::database::backend;

const LIFE: Duration = Duration::from_secs(10);

async fn values() -> SharedValues {
    let replay = Replay::redis(&backend("CHANCERY_TEST_REDIS_URL")).await.unwrap();
    replay.shared_values().unwrap()
}

fn unique_key() -> Vec<u8> {
    let env = Env::system();
    format!("test:{}", env.uuid(env.now())).into_bytes()
}

#[tokio::test]
async fn what_one_process_keeps_another_finds() {
    let (one, other, key) = (values().await, values().await, unique_key());
    assert_eq!(other.kept(&key).await.unwrap(), None);
    assert!(one.keep_first(&key, b"\0first\xff", LIFE).await.unwrap());
    assert!(!other.keep_first(&key, b"second", LIFE).await.unwrap());
    assert_eq!(other.kept(&key).await.unwrap().as_deref(), Some(b"\0first\xff".as_slice()));
    other.keep(&key, b"second", LIFE).await.unwrap();
    assert_eq!(one.kept(&key).await.unwrap().as_deref(), Some(b"second".as_slice()));
    assert_eq!(one.kept(&unique_key()).await.unwrap(), None);
}

#[tokio::test]
async fn a_value_is_kept_for_its_life_only_and_only_under_a_hash() {
    let (values, key) = (values().await, unique_key());
    let client = redis::Client::open(backend("CHANCERY_TEST_REDIS_URL")).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let name = [b"chancery:value:".as_slice(), &chancery_keys::sha256(&key)].concat();
    assert!(values.keep_first(&key, b"value", LIFE).await.unwrap());
    for _ in 0..2 {
        let rest: i64 = redis::cmd("PTTL").arg(&name).query_async(&mut connection).await.unwrap();
        assert!((9_000..=10_000).contains(&rest), "{rest}");
        values.keep(&key, b"value", LIFE).await.unwrap();
    }
}

#[test]
fn one_process_shares_nothing() {
    assert!(Replay::in_process(1000).shared_values().is_none());
}
