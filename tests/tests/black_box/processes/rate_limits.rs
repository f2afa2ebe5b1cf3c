//! What wallets may ask is counted by all processes together, and hardly costs a round trip.

use std::time::Duration;

use chancery_tests::{Call, Operator, Options, Place};
use reqwest::Method;

use super::*;

/// 100 requests at once: a process has a quarter of them to itself, and draws four at a time on the others.
const LIMIT: &str = "600";
const OWN: usize = 25;
const WHOLE: std::ops::RangeInclusive<usize> = 97..=100;

/// Runs a behaviour on PostgreSQL and Redis under these limits in requests per minute.
fn limited(limits: &[(&str, &str)], behaviour: impl AsyncFnOnce(&World)) {
    let mut options = Options::default();
    options
        .environment
        .extend(limits.iter().map(|(name, limit)| (format!("CHANCERY_LIMITS_{name}"), (*limit).to_owned())));
    block_on(World::run_with(Backend::Networked, options, behaviour));
}

async fn ask(world: &World, operator: &Operator) -> Answer {
    world.wallet().send(Call::new(Method::POST, &format!("{}/nonce", operator.issuer()))).await
}

/// Asks until one is told to wait, and answers how many were not.
async fn exhaust(world: &World, operator: &Operator) -> usize {
    for asked in 0..1000 {
        let answer = ask(world, operator).await;
        if answer.status != 200 {
            answer.refused(429, "temporarily_unavailable");
            assert!(answer.header("retry-after").is_some_and(|seconds| seconds != "0"), "{answer}");
            return asked;
        }
    }
    panic!("no limit")
}

/// What is spent at one process is spent at the other, and what another organisation has is not.
#[test]
fn processes_share_a_budget() {
    limited(&[("ORGANISATION", LIMIT)], async |world| {
        let second = world.another_server().await;
        let (noisy, quiet) = (world.organisation().await, world.organisation().await);
        let definition = quiet.define(&samples::staff_badge()).await;
        let offer = quiet.offer(&definition, &samples::staff_claims()).await;
        let admitted = exhaust(world, &noisy).await;
        assert!(WHOLE.contains(&admitted), "{admitted}");
        point_to(world, &second);
        assert_eq!(exhaust(world, &noisy).await, OWN);
        world.wallet().accept(&offer.link).await;
        // The budget refills for both.
        world.advance(Duration::from_secs(10));
        assert!(exhaust(world, &noisy).await > OWN);
        second.stop().await;
    });
}

/// Under the limits that are set when nothing else is, a wallet that collects costs no round trip.
#[test]
fn a_calm_wallet_costs_no_round_trip() {
    let defaults = [("ORGANISATION", "60000"), ("CLIENT", "300"), ("OFFER", "300"), ("ADDRESS", "6000")];
    limited(&defaults, async |world| {
        let operator = world.organisation().await;
        let definition = operator.define(&samples::staff_badge()).await;
        // The wire would be cut, and without it proofs are refused.
        world.redis().cut_at(b"chancery:budget:", Place::Before);
        for _ in 0..20 {
            let offer = operator.offer(&definition, &samples::staff_claims()).await;
            world.wallet().accept(&offer.link).await;
        }
    });
}

/// While Redis is away each process counts alone, and nobody is refused who would not be by one process.
#[test]
fn without_redis_each_process_counts_alone() {
    limited(&[("ORGANISATION", LIMIT)], async |world| {
        let operator = world.organisation().await;
        world.redis().cut();
        let admitted = exhaust(world, &operator).await;
        assert!((100..=100 + OWN).contains(&admitted), "{admitted}");
        assert!(chancery_tests::log::mentions("rate limits are counted in this process alone"));
        world.redis().restore();
        world.advance(Duration::from_secs(60));
        let definition = operator.define(&samples::staff_badge()).await;
        let offer = operator.offer(&definition, &samples::staff_claims()).await;
        world.wallet().accept(&offer.link).await;
    });
}
