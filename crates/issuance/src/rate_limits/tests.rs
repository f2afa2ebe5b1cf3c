use std::time::Duration;

use futures::FutureExt as _;

use super::bucket::SHARDS;
use super::*;

const NOON: Timestamp = Timestamp::from_seconds(1_768_478_400);
const LIMITS: RateLimits = RateLimits { organisation: 600, client: 60, offer: 60, address: 120 };

fn client(name: &str) -> Asking<'_> {
    Asking { client: Some(name.as_bytes()), ..Asking::default() }
}

fn alone(limits: RateLimits) -> Budgets {
    Budgets::new(limits, None)
}

/// One process alone never waits.
fn charge(budgets: &Budgets, organisation: &str, asking: &Asking<'_>, now: Timestamp) -> Result<(), Exceeded> {
    budgets.charge(organisation, asking, now).now_or_never().expect("an answer at once")
}

/// Requests that get through before one does not, and what that one is told.
fn until_refused(budgets: &Budgets, organisation: &str, asking: &Asking<'_>, now: Timestamp) -> (usize, Exceeded) {
    let mut admitted = 0;
    loop {
        match charge(budgets, organisation, asking, now) {
            Ok(()) => admitted += 1,
            Err(exceeded) => return (admitted, exceeded),
        }
    }
}

#[test]
fn ten_seconds_worth_may_come_at_once_and_then_as_much_as_refills() {
    let budgets = alone(LIMITS);
    let (admitted, exceeded) = until_refused(&budgets, "acme", &client("a"), NOON);
    assert_eq!((admitted, exceeded), (10, Exceeded { limit: Limit::Client, retry_after: 1 }));
    let later = NOON.plus(Duration::from_secs(3));
    assert_eq!(until_refused(&budgets, "acme", &client("a"), later).0, 3);
    assert_eq!(until_refused(&budgets, "acme", &client("a"), later.plus(Duration::from_secs(3600))).0, 10);
}

#[test]
fn who_waits_as_told_is_let_in() {
    let budgets = alone(RateLimits { client: 7, ..RateLimits::default() });
    let (_, exceeded) = until_refused(&budgets, "acme", &client("a"), NOON);
    let later = NOON.plus(Duration::from_secs(exceeded.retry_after.into()));
    assert_eq!(until_refused(&budgets, "acme", &client("a"), later).0, 1);
}

#[test]
fn a_wild_client_spends_neither_the_budget_of_another_nor_that_of_the_organisation() {
    let budgets = alone(LIMITS);
    for _ in 0..10_000 {
        let _ = charge(&budgets, "acme", &client("wild"), NOON);
    }
    assert_eq!(until_refused(&budgets, "acme", &client("calm"), NOON).0, 10);
}

#[test]
fn each_budget_is_named_when_it_is_spent() {
    let budgets = alone(LIMITS);
    let offer = Asking { offer: Some(b"o"), ..Asking::default() };
    assert_eq!(until_refused(&budgets, "a", &offer, NOON).1.limit, Limit::Offer);
    let address = Asking { address: Some("203.0.113.7".parse().unwrap()), ..Asking::default() };
    assert_eq!(until_refused(&budgets, "a", &address, NOON).1.limit, Limit::Address);
    assert_eq!(until_refused(&budgets, "a", &Asking::default(), NOON).1.limit, Limit::Organisation);
}

#[test]
fn what_one_organisation_spends_is_not_missing_elsewhere() {
    let budgets = alone(LIMITS);
    until_refused(&budgets, "noisy", &Asking::default(), NOON);
    assert_eq!(until_refused(&budgets, "quiet", &Asking::default(), NOON).0, 100);
}

#[test]
fn addresses_of_one_network_of_ipv6_are_one() {
    let budgets = alone(LIMITS);
    let from = |address: &str| Asking { address: Some(address.parse().unwrap()), ..Asking::default() };
    until_refused(&budgets, "a", &from("2001:db8:1:2::1"), NOON);
    assert!(charge(&budgets, "a", &from("2001:db8:1:2:ffff::9"), NOON).is_err());
    assert!(charge(&budgets, "a", &from("2001:db8:1:3::1"), NOON).is_ok());
    until_refused(&budgets, "a", &from("203.0.113.7"), NOON);
    assert!(charge(&budgets, "a", &from("::ffff:203.0.113.7"), NOON).is_err());
    assert!(charge(&budgets, "a", &from("203.0.113.8"), NOON).is_ok());
}

#[test]
fn zero_is_no_limit() {
    let budgets = alone(RateLimits::default());
    for _ in 0..100_000 {
        charge(&budgets, "a", &client("a"), NOON).unwrap();
    }
}

#[test]
fn memory_is_bounded_whatever_names_come_and_empties_again() {
    let buckets = Buckets::with_capacity(64);
    let rate = Rate::per_minute(60);
    let now = NOON.millis() * 1000;
    let spend = |key: u64, now| buckets.spend(key, rate, now).unwrap();
    (0..20_000).for_each(|key| spend(key, now));
    assert_eq!(buckets.held(), SHARDS * 64);
    (20_000..21_000).for_each(|key| spend(key, now + 60_000_000));
    assert!(buckets.held() <= 1000, "{}", buckets.held());
}

#[test]
fn what_a_process_has_to_itself_and_what_it_shares_are_the_whole() {
    for requests in [1, 7, 60, 300, 6000, 60_000] {
        let rate = Rate::per_minute(requests);
        let (own, shared) = (rate.own_part(), rate.shared_part());
        assert_eq!(own.at_once + shared.at_once, rate.at_once);
        let refill = 1.0 / own.interval as f64 + 1.0 / shared.interval as f64;
        assert!((refill * rate.interval as f64 - 1.0).abs() < 0.01, "{requests}: {refill}");
    }
}

#[test]
fn strangers_write_down_a_hundred_refusals_at_once_and_no_more() {
    let budgets = alone(RateLimits::default());
    let organisation = |number| OrganisationId::from(uuid::Uuid::from_u128(number));
    let admitted = (0..1000).filter(|_| budgets.admits_refusal(organisation(1), NOON)).count();
    assert_eq!(admitted, 100);
    assert!(budgets.admits_refusal(organisation(2), NOON));
    assert!(budgets.admits_refusal(organisation(1), NOON.plus(Duration::from_secs(1))));
}
