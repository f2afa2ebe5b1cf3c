//! Organisations.

use std::sync::Arc;

use chancery_model::{OrganisationStatus, Policy, Quotas, Slug};
use chancery_storage::{Order, OrganisationConflict, Page};

use crate::database::{TestDatabase, on_every_database};
use crate::samples::{LATER, NOW};

on_every_database!(
    an_organisation_is_created_found_changed_suspended_and_deleted,
    slug_and_issuer_are_taken_once,
    the_longest_path_of_the_host_wins,
    a_deleted_organisation_takes_everything_with_it,
    organisations_are_listed_and_searched,
);

async fn an_organisation_is_created_found_changed_suspended_and_deleted(database: Arc<TestDatabase>) {
    let directory = database.store.directory();
    let record = database.organisation_record("acme", "https://issuer.example/acme");
    assert!(directory.organisation(record.id).await.unwrap().is_none());
    directory.create(&record, &database.api_key(&record)).await.unwrap().unwrap();
    // "Nobody" was remembered a moment ago, but a change made here is seen at once.
    let found = directory.organisation(record.id).await.unwrap().unwrap();
    assert_eq!((&found.slug, &found.name, &found.issuer), (&record.slug, &record.name, &record.issuer));
    assert_eq!((found.status, &found.policy), (OrganisationStatus::Active, &record.policy));
    let by_slug = directory.organisation_by_slug(&Slug::parse("acme").unwrap()).await.unwrap().unwrap();
    assert_eq!(by_slug.id, record.id);

    let policy = Policy { offer_lifetime: 60, ..Policy::default() };
    let stale = directory.update(record.id, Some("Late"), None, Some(LATER), LATER).await.unwrap();
    assert!(stale.is_none(), "it was changed at another instant");
    let renamed = directory.update(record.id, Some("Renamed"), None, None, LATER).await.unwrap().unwrap();
    assert_eq!((renamed.name.as_str(), renamed.updated_at), ("Renamed", LATER));
    let set = directory.update(record.id, None, Some(&policy), Some(LATER), LATER).await.unwrap().unwrap();
    assert_eq!((set.name.as_str(), &set.policy), ("Renamed", &policy));
    assert!(set.updated_at > LATER, "two changes of one instant are told apart");
    assert!(directory.set_status(record.id, OrganisationStatus::Suspended, LATER).await.unwrap());
    let found = directory.organisation(record.id).await.unwrap().unwrap();
    assert_eq!((found.name.as_str(), &found.policy, found.status), ("Renamed", &policy, OrganisationStatus::Suspended));
    assert!(found.created_at == NOW && found.updated_at > set.updated_at);

    let quotas = Quotas { exchanges_per_day: Some(7), ..Quotas::default() };
    let seen = Some(found.updated_at);
    let set = directory.set_quotas(record.id, &quotas, seen, LATER).await.unwrap().unwrap();
    assert_eq!(set.quotas, quotas);
    assert!(directory.set_quotas(record.id, &Quotas::default(), seen, LATER).await.unwrap().is_none());

    assert!(!directory.delete(record.id, seen).await.unwrap(), "it was changed since");
    assert!(directory.delete(record.id, Some(set.updated_at)).await.unwrap());
    assert!(!directory.delete(record.id, None).await.unwrap());
    assert!(directory.update(record.id, Some("Ghost"), Some(&policy), None, LATER).await.unwrap().is_none());
    assert!(!directory.set_status(record.id, OrganisationStatus::Active, LATER).await.unwrap());
    assert!(directory.organisation(record.id).await.unwrap().is_none());
    assert!(directory.organisation_by_slug(&record.slug).await.unwrap().is_none());
}

async fn slug_and_issuer_are_taken_once(database: Arc<TestDatabase>) {
    let directory = database.store.directory();
    let create = async |slug: &str, issuer: &str| {
        let record = database.organisation_record(slug, issuer);
        directory.create(&record, &database.api_key(&record)).await.unwrap()
    };
    assert_eq!(create("acme", "https://issuer.example/acme").await, Ok(()));
    assert_eq!(create("acme", "https://issuer.example/other").await, Err(OrganisationConflict::Slug));
    assert_eq!(create("other", "https://issuer.example/acme").await, Err(OrganisationConflict::Issuer));
    assert_eq!(directory.organisations("", &Page::default()).await.unwrap().total, 1);
}

async fn the_longest_path_of_the_host_wins(database: Arc<TestDatabase>) {
    let directory = database.store.directory();
    for (slug, issuer) in [
        ("root", "https://a.example"),
        ("outer", "https://a.example/tenant"),
        ("inner", "https://a.example/tenant/unit"),
        ("elsewhere", "https://b.example/tenant/unit"),
    ] {
        let record = database.organisation_record(slug, issuer);
        directory.create(&record, &database.api_key(&record)).await.unwrap().unwrap();
    }
    let paths = ["/tenant/unit/token", "/tenant/unit", "/tenant", ""];
    let find = async |host: &str, paths: &[&str]| {
        let candidates = directory.organisations_by_path(paths).await.unwrap();
        let found = candidates.into_iter().find(|it| it.issuer.host() == host);
        found.map(|organisation| organisation.slug.as_str().to_owned())
    };
    for _ in ["from the database", "from memory"] {
        assert_eq!(find("a.example", &paths).await.as_deref(), Some("inner"));
        assert_eq!(find("a.example", &paths[2..]).await.as_deref(), Some("outer"));
        assert_eq!(find("a.example", &["/unknown", ""]).await.as_deref(), Some("root"));
        assert_eq!(find("b.example", &paths).await.as_deref(), Some("elsewhere"));
        assert_eq!(find("b.example", &["/other", ""]).await, None);
        assert_eq!(find("c.example", &paths).await, None);
    }
    let any_host = directory.organisations_by_path(&paths).await.unwrap();
    let slugs: Vec<_> = any_host.iter().map(|it| it.slug.as_str()).collect();
    assert_eq!(slugs[2..], ["outer", "root"]);
    assert!(slugs[..2].contains(&"inner") && slugs[..2].contains(&"elsewhere"));
}

async fn a_deleted_organisation_takes_everything_with_it(database: Arc<TestDatabase>) {
    let (acme, other) = (database.tenant("acme").await, database.tenant("other").await);
    let (issued, kept) = (database.issue(&acme).await, database.issue(&other).await);
    database.offer(&acme).await;
    assert!(database.store.directory().delete(acme.organisation.id, None).await.unwrap());
    let read = database.store.read(&acme.organisation).await.unwrap();
    assert!(read.exchange(issued.exchange.id).await.unwrap().is_none());
    assert!(read.signing_keys().await.unwrap().is_empty());
    assert!(read.api_keys().await.unwrap().is_empty());
    assert!(read.definition_at(acme.definition.id, 1).await.unwrap().is_none());
    drop(read);
    let read = database.store.read(&other.organisation).await.unwrap();
    assert_eq!(read.transcript_of(kept.exchange.id).await.unwrap().len(), 3);
}

async fn organisations_are_listed_and_searched(database: Arc<TestDatabase>) {
    for slug in ["acme", "bolt", "acme-2"] {
        database.organisation(slug).await;
    }
    let directory = database.store.directory();
    let page = Page { offset: 1, limit: 1, order: Order::OldestFirst };
    let listed = directory.organisations("ACME", &page).await.unwrap();
    assert_eq!((listed.total, listed.items.len()), (2, 1));
    assert_eq!(directory.organisations("the bolt", &Page::default()).await.unwrap().total, 1);
    assert_eq!(directory.organisations("%", &Page::default()).await.unwrap().total, 0);
}
