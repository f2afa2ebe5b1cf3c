//! Histories that are counted in segments answer as if they were read from one end to the other.

use std::sync::Arc;
use std::time::Duration;

use chancery_model::{Exchange, ExchangeId, ExchangeStatus, RevocationStatus, Timestamp};
use chancery_storage::{ExchangeFilter, Order, Page, Position, StatusMove, StoreError};

use crate::database::{TestDatabase, on_every_database};
use crate::samples::{NOW, Tenant};

on_every_database!(
    pages_do_not_depend_on_segments,
    what_an_organisation_decides_is_seen_at_once,
    a_walk_meets_each_exchange_once_while_others_come_and_go,
);

const LENGTH: u64 = 5;

/// A history of `length` exchanges, several at a time, of which every seventh is denied and every fifth fetched.
async fn history(database: &TestDatabase, tenant: &Tenant, length: u32) -> Vec<Exchange> {
    let mut made = Vec::new();
    for number in 0..length {
        let exchange = database.offer_at(tenant, NOW.plus_seconds(number / 3)).await;
        let write = database.store.write(&tenant.organisation, async |tx| {
            if number % 7 == 0 {
                assert!(tx.deny_exchange(exchange.id, "no", NOW).await?);
            } else if number % 5 == 0 {
                tx.count_fetch(&exchange.offer_id, &database.passage(), NOW).await?;
            }
            Ok::<_, StoreError>(())
        });
        write.await.unwrap();
        made.push(exchange);
    }
    made
}

async fn tend(database: &TestDatabase, tenant: &Tenant, now: Timestamp) {
    while database.store.tend_history_by(&tenant.organisation, now, LENGTH).await.unwrap() {}
}

async fn ids(database: &TestDatabase, tenant: &Tenant, filter: &ExchangeFilter, page: Page) -> (u64, Vec<ExchangeId>) {
    let read = database.store.read(&tenant.organisation).await.unwrap();
    let listed = read.exchanges(filter, &page).await.unwrap();
    (listed.total, listed.items.into_iter().map(|exchange| exchange.id).collect())
}

async fn pages_do_not_depend_on_segments(database: Arc<TestDatabase>) {
    let tenant = database.tenant("acme").await;
    let made = history(&database, &tenant, 43).await;
    let later = NOW.plus_seconds(3600);
    let all = ExchangeFilter::default;
    let filters = [
        all(),
        ExchangeFilter { denied: Some(true), ..all() },
        ExchangeFilter { denied: Some(false), ..all() },
        ExchangeFilter { denied: Some(true), accepted: Some(true), ..all() },
        ExchangeFilter { status: Some(ExchangeStatus::OfferReceived), ..all() },
        ExchangeFilter { in_progress: Some(true), definition_id: Some(tenant.definition.id), ..all() },
        ExchangeFilter { definition_id: Some(database.definition("None", &["none"]).id), ..all() },
        ExchangeFilter { search: Some("badge OF".to_owned()), ..all() },
        ExchangeFilter { search: Some(made[20].id.to_string()), ..all() },
        ExchangeFilter { client_id: Some("wallet".to_owned()), ..all() },
        ExchangeFilter { created_from: Some(NOW.plus_seconds(4)), ..all() },
        ExchangeFilter { created_before: Some(NOW.plus_seconds(9)), denied: Some(false), ..all() },
        ExchangeFilter { created_from: Some(NOW.plus_seconds(3)), created_before: Some(NOW.plus_seconds(11)), ..all() },
        ExchangeFilter { created_from: Some(NOW.plus_seconds(90)), ..all() },
    ];
    let mut before = Vec::new();
    for tended in [false, true] {
        if tended {
            tend(&database, &tenant, later).await;
        }
        for (number, filter) in filters.iter().enumerate() {
            for order in [Order::NewestFirst, Order::OldestFirst] {
                let (total, whole) = ids(&database, &tenant, filter, Page { offset: 0, limit: 100, order }).await;
                assert_eq!(usize::try_from(total).unwrap(), whole.len(), "{filter:?}");
                for offset in [0, 4, 5, 11, 30, 42, 43, 99] {
                    let (again, page) = ids(&database, &tenant, filter, Page { offset, limit: 7, order }).await;
                    let expected: Vec<_> =
                        whole.iter().skip(usize::try_from(offset).unwrap()).take(7).copied().collect();
                    assert_eq!((again, page), (total, expected), "{filter:?} from {offset}");
                }
                if tended {
                    let (known, then): &(usize, Vec<ExchangeId>) =
                        &before[number * 2 + usize::from(order == Order::OldestFirst)];
                    assert_eq!((*known, then), (number, &whole), "{filter:?}");
                } else {
                    before.push((number, whole));
                }
            }
        }
    }
    // Nobody else sees them.
    let stranger = database.tenant("other").await;
    assert_eq!(ids(&database, &stranger, &all(), Page::default()).await.0, 0);
}

async fn what_an_organisation_decides_is_seen_at_once(database: Arc<TestDatabase>) {
    let tenant = database.tenant("acme").await;
    let made = history(&database, &tenant, 24).await;
    let later = NOW.plus_seconds(3600);
    tend(&database, &tenant, later).await;
    let total = async |filter: ExchangeFilter| ids(&database, &tenant, &filter, Page::default()).await.0;
    let denied = || ExchangeFilter { denied: Some(true), ..ExchangeFilter::default() };
    let revoked = || ExchangeFilter { revoked: Some(true), ..ExchangeFilter::default() };
    assert_eq!((total(denied()).await, total(revoked()).await), (4, 0));
    let write = database.store.write(&tenant.organisation, async |tx| {
        assert!(tx.deny_exchange(made[1].id, "no", later).await?);
        assert!(tx.delete_exchange(made[2].id).await?);
        let (to, records) =
            (RevocationStatus::Revoked, [(RevocationStatus::Revoked, vec![made[3].id, made[22].id])].into());
        tx.move_statuses(&StatusMove { credentials: &[], to, records: &records, parts: &[], at: later }).await
    });
    write.await.unwrap();
    for _ in 0..2 {
        assert_eq!((total(denied()).await, total(revoked()).await), (5, 2));
        assert_eq!(total(ExchangeFilter::default()).await, 23);
        tend(&database, &tenant, later.plus(Duration::from_secs(1))).await;
    }
    // What a wallet does with an old offer shows when a tenth of its age has passed.
    let fetched = || ExchangeFilter { status: Some(ExchangeStatus::OfferReceived), ..ExchangeFilter::default() };
    let known = total(fetched()).await;
    let write = database
        .store
        .write(&tenant.organisation, async |tx| tx.count_fetch(&made[8].offer_id, &database.passage(), later).await);
    write.await.unwrap();
    tend(&database, &tenant, later.plus(Duration::from_secs(600))).await;
    assert_eq!(total(fetched()).await, known + 1);
}

async fn a_walk_meets_each_exchange_once_while_others_come_and_go(database: Arc<TestDatabase>) {
    let tenant = database.tenant("acme").await;
    let made = history(&database, &tenant, 31).await;
    let later = NOW.plus_seconds(3600);
    for order in [Order::NewestFirst, Order::OldestFirst] {
        let (mut seen, mut after, mut round) = (Vec::new(), None, 0_u32);
        loop {
            let read = database.store.read(&tenant.organisation).await.unwrap();
            let filter = ExchangeFilter { created_before: Some(later), ..ExchangeFilter::default() };
            let page = read.exchanges_after(&filter, after, 4, order).await.unwrap();
            drop(read);
            let Some(last) = page.last() else { break };
            after = Some(Position { created_at: last.created_at, id: last.id });
            seen.extend(page.iter().map(|exchange| exchange.id));
            database.offer_at(&tenant, later.plus_seconds(round)).await;
            tend(&database, &tenant, later.plus_seconds(round * 60)).await;
            round += 1;
        }
        let mut expected: Vec<ExchangeId> = made.iter().map(|exchange| exchange.id).collect();
        if order == Order::NewestFirst {
            expected.reverse();
        }
        assert_eq!(seen, expected);
    }
}
