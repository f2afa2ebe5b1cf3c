//! Budgets that processes share.

use chancery_model::Env;
use chancery_storage::{Draw, Drawn, SharedBudgets};
use futures::future::join_all;

use crate::database::backend;

/// 2026-01-15T12:00:00Z in microseconds: more than fits into the short form of a number in Redis.
const NOW: i64 = 1_768_478_400_000_001;
/// One a second, ten at once.
const ONE: Draw = Draw { cost: 1_000_000, depth: 10_000_000, now: NOW };

async fn budgets() -> SharedBudgets {
    SharedBudgets::connect(&backend("CHANCERY_TEST_REDIS_URL")).await.unwrap()
}

fn unique_key() -> Vec<u8> {
    let env = Env::system();
    format!("test:{}", env.uuid(env.now())).into_bytes()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_many_draw_at_once_is_never_more_than_there_is() {
    let (one, other, key) = (budgets().await, budgets().await, unique_key());
    let draws = (0..64).map(|number| {
        let (budgets, key) = (if number % 2 == 0 { one.clone() } else { other.clone() }, key.clone());
        tokio::spawn(async move { budgets.draw(&key, ONE).await.unwrap() })
    });
    let granted = join_all(draws).await.into_iter().filter(|drawn| *drawn.as_ref().unwrap() == Drawn::Granted).count();
    assert_eq!(granted, 10);
}

#[tokio::test]
async fn a_budget_refills_to_the_microsecond_and_no_further_than_its_depth() {
    let (budgets, key) = (budgets().await, unique_key());
    let draw = async |draw| budgets.draw(&key, draw).await.unwrap();
    assert_eq!(draw(Draw { cost: 9_000_000, ..ONE }).await, Drawn::Granted);
    assert_eq!(draw(Draw { cost: 3_000_000, ..ONE }).await, Drawn::Missing(2_000_000));
    let refilled = Draw { cost: 3_000_000, now: NOW + 2_000_000, ..ONE };
    assert_eq!(draw(Draw { now: refilled.now - 1, ..refilled }).await, Drawn::Missing(1));
    assert_eq!(draw(refilled).await, Drawn::Granted);
    let much_later = Draw { cost: 10_000_000, now: NOW + 3_600_000_000, ..ONE };
    assert_eq!(draw(much_later).await, Drawn::Granted);
    assert_eq!(draw(Draw { cost: 1, ..much_later }).await, Drawn::Missing(1));
    // A clock that is behind another finds nothing where there is nothing.
    assert_eq!(draw(Draw { cost: 1, ..ONE }).await, Drawn::Missing(3_600_000_001));
    assert_eq!(budgets.draw(&unique_key(), Draw { cost: 10_000_000, ..ONE }).await.unwrap(), Drawn::Granted);
}

#[tokio::test]
async fn a_budget_in_redis_is_kept_only_while_it_refills_and_only_under_a_hash() {
    let key = unique_key();
    assert_eq!(budgets().await.draw(&key, ONE).await.unwrap(), Drawn::Granted);
    let client = redis::Client::open(backend("CHANCERY_TEST_REDIS_URL")).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let mut name = b"chancery:budget:".to_vec();
    name.extend(chancery_keys::sha256(&key));
    let full_at: i64 = redis::cmd("GET").arg(&name).query_async(&mut connection).await.unwrap();
    assert_eq!(full_at, NOW + 1_000_000);
    let rest: i64 = redis::cmd("PTTL").arg(&name).query_async(&mut connection).await.unwrap();
    assert!((50_000..=61_000).contains(&rest), "{rest} ms");
}

#[tokio::test]
async fn a_redis_that_is_not_there_has_no_budgets() {
    // Port 9 (discard) is not listened on.
    let refusal = SharedBudgets::connect("redis://:secret@127.0.0.1:9").await.unwrap_err();
    assert!(!format!("{refusal:?}").contains("secret"));
}
