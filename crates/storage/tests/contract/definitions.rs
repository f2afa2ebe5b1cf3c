//! Definitions: revisions, configuration ids, deletion.

use std::sync::Arc;

use chancery_model::{Definition, Organisation, Timestamp};
use chancery_storage::{DefinitionChange, DefinitionDeletion, Store, StoreError, Tokens};
use futures::future::join_all;

use crate::database::{TestDatabase, on_every_database};
use crate::samples::{LATER, NOW, try_offer};

on_every_database!(
    a_running_exchange_keeps_the_revision_it_started_with,
    the_second_of_two_revisions_made_from_one_is_stale,
    two_definitions_never_publish_one_configuration_id,
    a_revision_may_drop_a_configuration_id_and_another_definition_take_it,
    a_definition_with_an_open_exchange_is_not_deleted,
    a_definition_with_expired_offers_only_is_deleted_and_its_revisions_stay,
    a_deleted_definition_cannot_be_offered,
    an_offer_and_a_deletion_that_meet_never_both_succeed,
    a_revision_that_was_rolled_back_is_not_remembered,
);

async fn add(store: &Store, organisation: &Organisation, definition: &Definition) -> DefinitionChange {
    store.write(organisation, async |tx| tx.add_definition(definition).await).await.unwrap()
}

async fn revise(store: &Store, organisation: &Organisation, definition: &Definition) -> DefinitionChange {
    store.write(organisation, async |tx| tx.revise_definition(definition).await).await.unwrap()
}

async fn delete(
    store: &Store,
    organisation: &Organisation,
    definition: &Definition,
    now: Timestamp,
) -> DefinitionDeletion {
    store.write(organisation, async |tx| tx.delete_definition(definition.id, None, now).await).await.unwrap()
}

fn revised(definition: &Definition, label: &str) -> Definition {
    let mut next = definition.clone();
    next.revision += 1;
    next.content.label = label.to_owned();
    next.updated_at = LATER;
    next
}

async fn a_running_exchange_keeps_the_revision_it_started_with(database: Arc<TestDatabase>) {
    let tenant = database.tenant("acme").await;
    let next = revised(&tenant.definition, "Renamed");
    assert_eq!(revise(&database.store, &tenant.organisation, &next).await, DefinitionChange::Saved);
    let read = database.store.read(&tenant.organisation).await.unwrap();
    let current = read.definition(next.id).await.unwrap().unwrap();
    assert_eq!((current.revision, current.content, current.updated_at), (2, next.content.clone(), LATER));
    assert_eq!(current.created_at, NOW);
    for _ in ["from the database", "from memory"] {
        let first = read.definition_at(next.id, 1).await.unwrap().unwrap();
        assert_eq!((first.revision, &first.content, first.updated_at), (1, &tenant.definition.content, NOW));
    }
    assert!(read.definition_at(next.id, 3).await.unwrap().is_none());
    assert_eq!(read.all_definitions().await.unwrap().len(), 1);
}

async fn the_second_of_two_revisions_made_from_one_is_stale(database: Arc<TestDatabase>) {
    let tenant = database.tenant("acme").await;
    let revisions: Vec<_> = (0..6).map(|number| revised(&tenant.definition, &format!("Number {number}"))).collect();
    let saving = revisions.iter().map(|next| revise(&database.store, &tenant.organisation, next));
    let outcomes = join_all(saving).await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == DefinitionChange::Saved).count(), 1, "{outcomes:?}");
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == DefinitionChange::Stale).count(), 5, "{outcomes:?}");
    let unknown = revised(&database.definition("Unknown", &["unknown"]), "Unknown");
    assert_eq!(revise(&database.store, &tenant.organisation, &unknown).await, DefinitionChange::NotFound);
    let id = tenant.definition.id;
    let deleted = async |seen| {
        database
            .store
            .write(&tenant.organisation, async |tx| tx.delete_definition(id, Some(seen), NOW).await)
            .await
            .unwrap()
    };
    assert_eq!(deleted(1).await, DefinitionDeletion::Stale);
    assert_eq!(deleted(2).await, DefinitionDeletion::Deleted);
}

async fn two_definitions_never_publish_one_configuration_id(database: Arc<TestDatabase>) {
    let (organisation, _) = database.organisation("acme").await;
    let pid = database.definition("Person", &["pid", "pid-mdoc"]);
    assert_eq!(add(&database.store, &organisation, &pid).await, DefinitionChange::Saved);
    let taken = |id: &str| DefinitionChange::ConfigurationIdTaken(id.to_owned());
    let other = database.definition("Other", &["other", "pid-mdoc"]);
    assert_eq!(add(&database.store, &organisation, &other).await, taken("pid-mdoc"));
    let twice = database.definition("Twice", &["twice", "twice"]);
    assert_eq!(add(&database.store, &organisation, &twice).await, taken("twice"));
    let read = database.store.read(&organisation).await.unwrap();
    assert!(read.definition(other.id).await.unwrap().is_none());
    assert!(read.definition_at(other.id, 1).await.unwrap().is_none());
    drop(read);

    let contenders: Vec<_> = (0..6).map(|_| database.definition("Contender", &["contended"])).collect();
    let adding =
        contenders.iter().map(|it| database.store.write(&organisation, async |tx| tx.add_definition(it).await));
    let saved = join_all(adding).await.into_iter().filter(|it| matches!(it, Ok(DefinitionChange::Saved))).count();
    assert_eq!(saved, 1);
    // Another organisation has configuration ids of its own.
    let (elsewhere, _) = database.organisation("other").await;
    let same = database.definition("Person", &["pid"]);
    assert_eq!(add(&database.store, &elsewhere, &same).await, DefinitionChange::Saved);
}

async fn a_revision_may_drop_a_configuration_id_and_another_definition_take_it(database: Arc<TestDatabase>) {
    let (organisation, _) = database.organisation("acme").await;
    let first = database.definition("First", &["kept", "dropped"]);
    assert_eq!(add(&database.store, &organisation, &first).await, DefinitionChange::Saved);
    let mut next = revised(&first, "First");
    next.content.entries.truncate(1);
    assert_eq!(revise(&database.store, &organisation, &next).await, DefinitionChange::Saved);
    let second = database.definition("Second", &["dropped"]);
    assert_eq!(add(&database.store, &organisation, &second).await, DefinitionChange::Saved);
    let mut greedy = revised(&second, "Second");
    greedy.content.entries.clone_from(&first.content.entries);
    let taken = DefinitionChange::ConfigurationIdTaken("kept".to_owned());
    assert_eq!(revise(&database.store, &organisation, &greedy).await, taken);
}

async fn a_definition_with_an_open_exchange_is_not_deleted(database: Arc<TestDatabase>) {
    let tenant = database.tenant("acme").await;
    let (store, organisation, definition) = (&database.store, &tenant.organisation, &tenant.definition);
    let exchange = database.offer(&tenant).await;
    assert_eq!(delete(store, organisation, definition, NOW).await, DefinitionDeletion::InUse);

    // The code is spent and past its end, but the token lives on.
    let grant = database.grant(&exchange);
    let redeem = store.write(organisation, async |tx| {
        let tokens = Tokens { grant: &grant, refresh_token: None, passage: &database.passage() };
        assert!(tx.spend_code(&exchange, None, 5, Some(tokens), NOW).await?);
        Ok::<_, StoreError>(())
    });
    redeem.await.unwrap();
    assert_eq!(delete(store, organisation, definition, exchange.expires_at).await, DefinitionDeletion::InUse);

    assert!(database.record_issuance(&tenant, &exchange, None).await);
    assert_eq!(delete(store, organisation, definition, NOW).await, DefinitionDeletion::Deleted);
    assert_eq!(delete(store, organisation, definition, NOW).await, DefinitionDeletion::NotFound);
}

async fn a_definition_with_expired_offers_only_is_deleted_and_its_revisions_stay(database: Arc<TestDatabase>) {
    let tenant = database.tenant("acme").await;
    let exchange = database.offer(&tenant).await;
    let deletion = delete(&database.store, &tenant.organisation, &tenant.definition, exchange.expires_at).await;
    assert_eq!(deletion, DefinitionDeletion::Deleted);
    let read = database.store.read(&tenant.organisation).await.unwrap();
    assert!(read.definition(tenant.definition.id).await.unwrap().is_none());
    assert!(read.all_definitions().await.unwrap().is_empty());
    let kept = read.definition_at(exchange.definition_id, exchange.definition_revision).await.unwrap().unwrap();
    assert_eq!(kept.content, tenant.definition.content);
    drop(read);
    // Its configuration ids are free again.
    let again = database.definition("Again", &["acme-badge"]);
    assert_eq!(add(&database.store, &tenant.organisation, &again).await, DefinitionChange::Saved);
}

async fn a_deleted_definition_cannot_be_offered(database: Arc<TestDatabase>) {
    let tenant = database.tenant("acme").await;
    let deletion = delete(&database.store, &tenant.organisation, &tenant.definition, NOW).await;
    assert_eq!(deletion, DefinitionDeletion::Deleted);
    let exchange = database.exchange(&tenant.definition, NOW);
    assert!(!try_offer(&database.store, &tenant.organisation, &exchange).await);
}

async fn an_offer_and_a_deletion_that_meet_never_both_succeed(database: Arc<TestDatabase>) {
    let (organisation, _) = database.organisation("acme").await;
    for round in 0..10 {
        let definition = database.definition("Fleeting", &[&format!("fleeting-{round}")]);
        assert_eq!(add(&database.store, &organisation, &definition).await, DefinitionChange::Saved);
        let exchange = database.exchange(&definition, NOW);
        let (offered, deletion) = tokio::join!(
            try_offer(&database.store, &organisation, &exchange),
            delete(&database.store, &organisation, &definition, NOW),
        );
        let is_deleted = deletion == DefinitionDeletion::Deleted;
        assert_ne!(offered, is_deleted, "round {round}: {deletion:?}");
    }
}

async fn a_revision_that_was_rolled_back_is_not_remembered(database: Arc<TestDatabase>) {
    let tenant = database.tenant("acme").await;
    let next = revised(&tenant.definition, "Never was");
    let write = database.store.write(&tenant.organisation, async |tx| {
        assert_eq!(tx.revise_definition(&next).await?, DefinitionChange::Saved);
        assert!(tx.definition_at(next.id, 2).await?.is_some());
        Err::<(), _>(StoreError::Internal(anyhow::anyhow!("changed its mind")))
    });
    write.await.unwrap_err();
    let read = database.store.read(&tenant.organisation).await.unwrap();
    assert!(read.definition_at(next.id, 2).await.unwrap().is_none());
}
