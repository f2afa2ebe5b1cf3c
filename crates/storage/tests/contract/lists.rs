//! Pages and filters.

use std::sync::Arc;

use chancery_model::{ExchangeId, ExchangeStatus};
use chancery_storage::{DefinitionChange, DefinitionFilter, ExchangeFilter, Order, Page, StoreError};

use crate::database::{TestDatabase, on_every_database};
use crate::samples::{NOW, Tenant};

on_every_database!(pages_add_up_at_every_length_and_in_both_orders, exchanges_are_filtered, definitions_are_filtered,);

async fn pages_add_up_at_every_length_and_in_both_orders(database: Arc<TestDatabase>) {
    let tenant = database.tenant("acme").await;
    let mut made: Vec<ExchangeId> = Vec::new();
    for length in [0, 1, 2, 3_u32] {
        while made.len() < length as usize {
            let at = NOW.plus_seconds(u32::try_from(made.len() / 2).unwrap());
            made.push(database.offer_at(&tenant, at).await.id);
        }
        for (order, limit) in [(Order::OldestFirst, 2), (Order::NewestFirst, 2), (Order::NewestFirst, 10)] {
            let mut seen = Vec::new();
            let mut offset = 0;
            loop {
                let read = database.store.read(&tenant.organisation).await.unwrap();
                let page = Page { offset, limit, order };
                let listed = read.exchanges(&ExchangeFilter::default(), &page).await.unwrap();
                assert_eq!(listed.total, u64::from(length));
                if listed.items.is_empty() {
                    break;
                }
                seen.extend(listed.items.into_iter().map(|exchange| (exchange.created_at, exchange.id)));
                offset += limit;
            }
            let mut expected = seen.clone();
            expected.sort();
            if order == Order::NewestFirst {
                expected.reverse();
            }
            assert_eq!(seen, expected);
            assert_eq!(seen.len(), made.len());
        }
    }
}

async fn exchanges_are_filtered(database: Arc<TestDatabase>) {
    let tenant = database.tenant("acme").await;
    let mut other = database.definition("Größere 100%_Karte", &["card"]);
    let add = database.store.write(&tenant.organisation, async |tx| tx.add_definition(&other).await);
    assert_eq!(add.await.unwrap(), DefinitionChange::Saved);
    let open = database.offer(&tenant).await.id;
    let issued = database.issue(&tenant).await;
    let denied = database.exchange(&other, NOW);
    let write = database.store.write(&tenant.organisation, async |tx| {
        assert!(tx.add_exchange(&denied).await?);
        assert!(tx.deny_exchange(denied.id, "no", NOW).await?);
        Ok::<_, StoreError>(())
    });
    write.await.unwrap();
    // Labels are searched as they were when the exchange started.
    other.revision = 2;
    other.content.label = "Renamed".to_owned();
    let revise = database.store.write(&tenant.organisation, async |tx| tx.revise_definition(&other).await);
    assert_eq!(revise.await.unwrap(), DefinitionChange::Saved);

    let all = ExchangeFilter::default;
    let search = |text: &str| ExchangeFilter { search: Some(text.to_owned()), ..all() };
    let (issued_id, denied_id) = (issued.exchange.id, denied.id);
    let code = issued.part.support_code.as_deref().unwrap().to_lowercase();
    let cases = [
        (all(), vec![open, issued_id, denied_id]),
        (ExchangeFilter { status: Some(ExchangeStatus::OfferSent), ..all() }, vec![open]),
        (ExchangeFilter { definition_id: Some(other.id), ..all() }, vec![denied_id]),
        (ExchangeFilter { client_id: Some("wallet".to_owned()), ..all() }, vec![issued_id]),
        (ExchangeFilter { accepted: Some(true), ..all() }, vec![issued_id]),
        (ExchangeFilter { accepted: Some(false), ..all() }, vec![open, denied_id]),
        (ExchangeFilter { in_progress: Some(true), ..all() }, vec![open]),
        (ExchangeFilter { denied: Some(true), ..all() }, vec![denied_id]),
        (ExchangeFilter { denied: Some(true), in_progress: Some(true), ..all() }, vec![open, denied_id]),
        (ExchangeFilter { denied: Some(false), in_progress: Some(false), ..all() }, vec![issued_id]),
        (ExchangeFilter { revoked: Some(true), ..all() }, vec![]),
        (ExchangeFilter { revoked: Some(false), ..all() }, vec![open, issued_id, denied_id]),
        (search(&issued_id.to_string()), vec![issued_id]),
        (search(&code), vec![issued_id]),
        (search("BADGE"), vec![open, issued_id]),
        (search("GRÖSSERE"), vec![]),
        (search("größere 100%_"), vec![denied_id]),
        (search("GRÖ"), vec![denied_id]),
        (search("renamed"), vec![]),
        (search("1__%"), vec![]),
        (search("' OR 1=1 --"), vec![]),
    ];
    for (filter, mut expected) in cases {
        let mut found = listed(&database, &tenant, &filter).await;
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{filter:?}");
    }
}

async fn listed(database: &TestDatabase, tenant: &Tenant, filter: &ExchangeFilter) -> Vec<ExchangeId> {
    let read = database.store.read(&tenant.organisation).await.unwrap();
    let listed = read.exchanges(filter, &Page::default()).await.unwrap();
    assert_eq!(usize::try_from(listed.total).unwrap(), listed.items.len());
    listed.items.into_iter().map(|exchange| exchange.id).collect()
}

async fn definitions_are_filtered(database: Arc<TestDatabase>) {
    let (organisation, _) = database.organisation("acme").await;
    for (label, ids) in [("Staff badge", ["badge", "badge-2"]), ("Person", ["Pid", "pid-2"])] {
        let definition = database.definition(label, &ids);
        let add = database.store.write(&organisation, async |tx| tx.add_definition(&definition).await);
        assert_eq!(add.await.unwrap(), DefinitionChange::Saved);
    }
    let read = database.store.read(&organisation).await.unwrap();
    let labels = async |filter: DefinitionFilter, page: Page| {
        let listed = read.definitions(&filter, &page).await.unwrap();
        let labels: Vec<_> = listed.items.into_iter().map(|definition| definition.content.label).collect();
        (listed.total, labels)
    };
    let oldest_first = Page { order: Order::OldestFirst, limit: 1, ..Page::default() };
    assert_eq!(labels(DefinitionFilter::default(), oldest_first).await.0, 2);
    for (filter, expected) in [
        (DefinitionFilter { vct: Some("urn:vct:badge-2".to_owned()), ..DefinitionFilter::default() }, "Staff badge"),
        (DefinitionFilter { search: Some("STAFF".to_owned()), ..DefinitionFilter::default() }, "Staff badge"),
        (DefinitionFilter { search: Some("pid".to_owned()), ..DefinitionFilter::default() }, "Person"),
    ] {
        let expected = (1, vec![expected.to_owned()]);
        assert_eq!(labels(filter.clone(), Page::default()).await, expected, "{filter:?}");
    }
    let nothing = DefinitionFilter { vct: Some("urn:vct".to_owned()), ..DefinitionFilter::default() };
    assert_eq!(labels(nothing, Page::default()).await, (0, Vec::new()));
}
