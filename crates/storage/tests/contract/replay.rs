//! Claims of use.

use std::sync::Arc;
use std::time::Duration;

use chancery_model::{Env, Timestamp};
use chancery_storage::{Claim, Replay, ReplayUnavailable};
use futures::future::join_all;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

use crate::database::backend;
use crate::samples::{LATER, NOW};

/// Runs one behaviour on each store.
macro_rules! on_every_replay_store {
    ($($behaviour:ident),* $(,)?) => {
        mod in_process { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $behaviour() {
                super::$behaviour(chancery_storage::Replay::in_process(10_000)).await;
            }
        )* }
        mod redis { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $behaviour() {
                super::$behaviour(super::redis_store().await).await;
            }
        )* }
    };
}

on_every_replay_store!(exactly_one_of_sixty_four_parallel_claims_is_fresh, a_claim_is_replayed_until_it_expires);

async fn redis_store() -> Replay {
    Replay::redis(&backend("CHANCERY_TEST_REDIS_URL")).await.unwrap()
}

fn unique_key() -> String {
    let env = Env::system();
    format!("test:{}", env.uuid(env.now()))
}

async fn exactly_one_of_sixty_four_parallel_claims_is_fresh(replay: Replay) {
    let key: Arc<str> = unique_key().into();
    let claims = (0..64).map(|_| {
        let (replay, key) = (replay.clone(), Arc::clone(&key));
        tokio::spawn(async move { replay.claim(&key, LATER, NOW).await.unwrap() })
    });
    let outcomes = join_all(claims).await;
    let fresh = outcomes.into_iter().filter(|outcome| *outcome.as_ref().unwrap() == Claim::Fresh).count();
    assert_eq!(fresh, 1);
}

async fn a_claim_is_replayed_until_it_expires(replay: Replay) {
    let (one, other) = (unique_key(), unique_key());
    assert_eq!(replay.claim(&one, LATER, NOW).await.unwrap(), Claim::Fresh);
    assert_eq!(replay.claim(&other, LATER, NOW).await.unwrap(), Claim::Fresh);
    let just_before = Timestamp::from_millis(LATER.millis() - 1);
    assert_eq!(replay.claim(&one, LATER, just_before).await.unwrap(), Claim::Replayed);
    // One that is claimed in its last instant is held all the same.
    let last = unique_key();
    assert_eq!(replay.claim(&last, NOW, NOW).await.unwrap(), Claim::Fresh);
    assert_eq!(replay.claim(&last, NOW, NOW).await.unwrap(), Claim::Replayed);
}

#[tokio::test]
async fn an_expired_claim_in_process_makes_room() {
    let replay = Replay::in_process(2);
    for key in ["one", "two"] {
        assert_eq!(replay.claim(key, LATER, NOW).await.unwrap(), Claim::Fresh);
    }
    assert!(matches!(replay.claim("three", LATER, NOW).await, Err(ReplayUnavailable::Full)));
    assert_eq!(replay.claim("one", LATER, NOW).await.unwrap(), Claim::Replayed);
    assert_eq!(replay.claim("three", LATER.plus_seconds(60), LATER).await.unwrap(), Claim::Fresh);
    assert_eq!(replay.claim("one", LATER.plus_seconds(60), LATER).await.unwrap(), Claim::Fresh);
}

#[tokio::test]
async fn a_claim_in_redis_is_kept_for_the_rest_of_its_time_and_only_as_a_hash() {
    let key = unique_key();
    assert_eq!(redis_store().await.claim(&key, LATER, NOW).await.unwrap(), Claim::Fresh);
    let client = ::redis::Client::open(backend("CHANCERY_TEST_REDIS_URL")).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let mut name = b"chancery:claim:".to_vec();
    name.extend(chancery_keys::sha256(key.as_bytes()));
    let rest: i64 = ::redis::cmd("PTTL").arg(name).query_async(&mut connection).await.unwrap();
    assert!((50_000..=60_000).contains(&rest), "{rest} ms");
}

#[tokio::test]
async fn a_redis_that_is_not_there_is_unavailable() {
    // Port 9 (discard) is not listened on.
    let refusal = Replay::redis("redis://:secret@127.0.0.1:9").await.unwrap_err();
    assert!(matches!(refusal, ReplayUnavailable::Redis(_)));
    assert!(!format!("{refusal:?}").contains("secret"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_redis_goes_away_claims_are_refused_until_it_is_back() {
    let relay = Relay::start().await;
    let replay = Replay::redis(&relay.url).await.unwrap();
    let key = unique_key();
    assert_eq!(replay.claim(&key, LATER, NOW).await.unwrap(), Claim::Fresh);
    let listener = relay.cut().await;
    for _ in 0..3 {
        let claim = tokio::time::timeout(Duration::from_secs(10), replay.claim(&unique_key(), LATER, NOW)).await;
        assert!(matches!(claim.unwrap(), Err(ReplayUnavailable::Redis(_))));
    }
    let _relay = Relay::resume(listener).await;
    let back = async {
        loop {
            if let Ok(claim) = replay.claim(&key, LATER, NOW).await {
                return claim;
            }
        }
    };
    let claim = tokio::time::timeout(Duration::from_secs(10), back).await.unwrap();
    assert_eq!(claim, Claim::Replayed);
}

/// A way to Redis that can be cut.
struct Relay {
    url: String,
    address: std::net::SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

impl Relay {
    async fn start() -> Self {
        Self::resume("127.0.0.1:0".parse().unwrap()).await
    }

    async fn resume(address: std::net::SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = backend("CHANCERY_TEST_REDIS_URL");
        let (before, after) = server.split_once("127.0.0.1:").unwrap();
        let (port, path) = after.split_once('/').unwrap_or((after, ""));
        let url = format!("{before}{address}/{path}");
        let target = format!("127.0.0.1:{port}");
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((mut client, _)) = listener.accept().await {
                let target = target.clone();
                connections.spawn(async move {
                    let mut server = TcpStream::connect(target).await.unwrap();
                    let _closed = copy_bidirectional(&mut client, &mut server).await;
                });
            }
        });
        Self { url, address, task }
    }

    /// Closes every connection and the listener; where it listened.
    async fn cut(self) -> std::net::SocketAddr {
        self.task.abort();
        let _cancelled = self.task.await;
        self.address
    }
}
