use std::time::Duration;

use super::*;

const NOON: Timestamp = Timestamp::from_seconds(1_768_478_400);
const LIMITS: RateLimits = RateLimits { organisation: 600, client: 60, offer: 60, address: 120 };

fn client(name: &str) -> Asking<'_> {
    Asking { client: Some(name.as_bytes()), ..Asking::default() }
}

/// Requests that get through before one does not, and what that one is told.
fn until_refused(budgets: &Budgets, organisation: &str, asking: &Asking<'_>, now: Timestamp) -> (usize, Exceeded) {
    let mut admitted = 0;
    loop {
        match budgets.charge(organisation, asking, now) {
            Ok(()) => admitted += 1,
            Err(exceeded) => return (admitted, exceeded),
        }
    }
}

#[test]
fn ten_seconds_worth_may_come_at_once_and_then_as_much_as_refills() {
    let budgets = Budgets::new(LIMITS);
    let (admitted, exceeded) = until_refused(&budgets, "acme", &client("a"), NOON);
    assert_eq!((admitted, exceeded), (10, Exceeded { limit: Limit::Client, retry_after: 1 }));
    let later = NOON.plus(Duration::from_secs(3));
    assert_eq!(until_refused(&budgets, "acme", &client("a"), later).0, 3);
    assert_eq!(until_refused(&budgets, "acme", &client("a"), later.plus(Duration::from_secs(3600))).0, 10);
}

#[test]
fn who_waits_as_told_is_let_in() {
    let budgets = Budgets::new(RateLimits { client: 7, ..RateLimits::default() });
    let (_, exceeded) = until_refused(&budgets, "acme", &client("a"), NOON);
    let later = NOON.plus(Duration::from_secs(exceeded.retry_after.into()));
    assert_eq!(until_refused(&budgets, "acme", &client("a"), later).0, 1);
}

#[test]
fn a_wild_client_spends_neither_the_budget_of_another_nor_that_of_the_organisation() {
    let budgets = Budgets::new(LIMITS);
    for _ in 0..10_000 {
        let _ = budgets.charge("acme", &client("wild"), NOON);
    }
    assert_eq!(until_refused(&budgets, "acme", &client("calm"), NOON).0, 10);
}

#[test]
fn each_budget_is_named_when_it_is_spent() {
    let budgets = Budgets::new(LIMITS);
    let offer = Asking { offer: Some(b"o"), ..Asking::default() };
    assert_eq!(until_refused(&budgets, "a", &offer, NOON).1.limit, Limit::Offer);
    let address = Asking { address: Some("203.0.113.7".parse().unwrap()), ..Asking::default() };
    assert_eq!(until_refused(&budgets, "a", &address, NOON).1.limit, Limit::Address);
    assert_eq!(until_refused(&budgets, "a", &Asking::default(), NOON).1.limit, Limit::Organisation);
}

#[test]
fn what_one_organisation_spends_is_not_missing_elsewhere() {
    let budgets = Budgets::new(LIMITS);
    until_refused(&budgets, "noisy", &Asking::default(), NOON);
    assert_eq!(until_refused(&budgets, "quiet", &Asking::default(), NOON).0, 100);
}

#[test]
fn addresses_of_one_network_of_ipv6_are_one() {
    let budgets = Budgets::new(LIMITS);
    let from = |address: &str| Asking { address: Some(address.parse().unwrap()), ..Asking::default() };
    until_refused(&budgets, "a", &from("2001:db8:1:2::1"), NOON);
    assert!(budgets.charge("a", &from("2001:db8:1:2:ffff::9"), NOON).is_err());
    assert!(budgets.charge("a", &from("2001:db8:1:3::1"), NOON).is_ok());
    until_refused(&budgets, "a", &from("203.0.113.7"), NOON);
    assert!(budgets.charge("a", &from("::ffff:203.0.113.7"), NOON).is_err());
    assert!(budgets.charge("a", &from("203.0.113.8"), NOON).is_ok());
}

#[test]
fn zero_is_no_limit() {
    let budgets = Budgets::new(RateLimits::default());
    for _ in 0..100_000 {
        budgets.charge("a", &client("a"), NOON).unwrap();
    }
}

#[test]
fn memory_is_bounded_whatever_names_come_and_empties_again() {
    let limits = RateLimits { client: 60, ..RateLimits::default() };
    let budgets = Budgets { capacity: 64, ..Budgets::new(limits) };
    let held = || budgets.shards.iter().map(|shard| shard.lock().unwrap().full_at.len()).sum::<usize>();
    for name in 0..SHARDS * 64 * 2 {
        budgets.charge("a", &client(&name.to_string()), NOON).unwrap();
    }
    assert!(held() <= SHARDS * 64);
    let later = NOON.plus(Duration::from_secs(60));
    for name in 0..1000 {
        budgets.charge("a", &client(&format!("later {name}")), later).unwrap();
    }
    assert!(held() <= 1000, "{}", held());
}
