//! One organisation never sees or changes what belongs to another.

use std::sync::Arc;

use chancery_model::SigningKeyState;
use chancery_storage::{
    DefinitionChange, DefinitionDeletion, DefinitionFilter, ExchangeFilter, IdempotentResponse, Page, StoreError,
    Tokens,
};

use crate::database::{TestDatabase, on_every_database};
use crate::samples::{LATER, NOW, exchange_now, try_offer};

on_every_database!(
    another_organisation_finds_nothing,
    another_organisation_changes_nothing,
    nothing_can_hang_on_a_row_of_another_organisation,
);

async fn another_organisation_finds_nothing(database: Arc<TestDatabase>) {
    let (acme, other) = (database.tenant("acme").await, database.organisation("other").await.0);
    let issued = database.issue(&acme).await;
    let response = IdempotentResponse {
        id: database.env.uuid(NOW),
        key: "issue:7".to_owned(),
        request_hash: issued.exchange.code_hash,
        sealed_response: Vec::new(),
        expires_at: LATER,
    };
    let remember = database.store.write(&acme.organisation, async |tx| tx.remember_response(&response, NOW).await);
    assert!(remember.await.unwrap());
    // Into memory, which other organisations share.
    let own = database.store.read(&acme.organisation).await.unwrap();
    assert!(own.definition_at(acme.definition.id, 1).await.unwrap().is_some());
    drop(own);

    let read = database.store.read(&other).await.unwrap();
    let (exchange, code) = (&issued.exchange, issued.part.support_code.as_deref().unwrap());
    assert!(read.definition(acme.definition.id).await.unwrap().is_none());
    assert!(read.definition_at(acme.definition.id, 1).await.unwrap().is_none());
    assert!(read.all_definitions().await.unwrap().is_empty());
    assert_eq!(read.definitions(&DefinitionFilter::default(), &Page::default()).await.unwrap().total, 0);
    assert!(read.exchange(exchange.id).await.unwrap().is_none());
    assert!(read.exchange_by_code(&exchange.code_hash).await.unwrap().is_none());
    assert_eq!(read.exchanges(&ExchangeFilter::default(), &Page::default()).await.unwrap().total, 0);
    for search in [code, &exchange.id.to_string(), "acme"] {
        let filter = ExchangeFilter { search: Some(search.to_owned()), ..ExchangeFilter::default() };
        assert_eq!(read.exchanges(&filter, &Page::default()).await.unwrap().total, 0, "{search}");
    }
    assert!(read.grant_by_access_token(&issued.grant.access_token_hash).await.unwrap().is_none());
    assert!(read.credentials_of(exchange.id).await.unwrap().is_empty());
    assert!(read.transcript_of(exchange.id).await.unwrap().is_empty());
    assert!(read.api_key(acme.api_key.id).await.unwrap().is_none());
    assert!(read.api_key_by_hash(&acme.api_key.hash).await.unwrap().is_none());
    assert!(read.signing_keys().await.unwrap().is_empty());
    assert!(read.signing_key(acme.signing_key.id).await.unwrap().is_none());
    assert!(read.idempotent_response("issue:7", NOW).await.unwrap().is_none());
}

async fn another_organisation_changes_nothing(database: Arc<TestDatabase>) {
    let (acme, other) = (database.tenant("acme").await, database.organisation("other").await.0);
    let exchange = database.offer(&acme).await;
    let mut next = acme.definition.clone();
    next.revision = 2;
    let write = database.store.write(&other, async |tx| {
        assert!(tx.count_fetch(&exchange.offer_id, &database.passage(), NOW).await?.is_none());
        assert!(tx.count_failed_transaction_code(exchange.id, 5, NOW).await?.is_none());
        assert!(!tx.spend_code(&exchange, Some("thief"), 5, None, NOW).await?);
        assert!(!tx.record_issuance(exchange.id, (None, None), (&[], &database.passage()), NOW).await?);
        assert!(!tx.deny_exchange(exchange.id, "no", NOW).await?);
        assert!(!tx.delete_exchange(exchange.id).await?);
        assert_eq!(tx.revise_definition(&next).await?, DefinitionChange::NotFound);
        assert_eq!(tx.delete_definition(acme.definition.id, None, NOW).await?, DefinitionDeletion::NotFound);
        assert!(!tx.revoke_api_key(acme.api_key.id, NOW).await?);
        assert!(!tx.note_api_key_use(acme.api_key.id, NOW).await?);
        assert!(tx.set_certificate_chain(acme.signing_key.id, "stolen", None, NOW).await?.is_none());
        let (from, to) = (SigningKeyState::Active, SigningKeyState::VerifyOnly);
        assert!(tx.move_signing_key(acme.signing_key.id, from, to, None, NOW).await?.is_none());
        assert_eq!(tx.forget_expired_responses(LATER).await?, 0);
        Ok::<_, StoreError>(())
    });
    write.await.unwrap();
    let stored = exchange_now(&database.store, &acme.organisation, &exchange).await;
    assert_eq!(format!("{stored:?}"), format!("{exchange:?}"));
}

async fn nothing_can_hang_on_a_row_of_another_organisation(database: Arc<TestDatabase>) {
    let (acme, other) = (database.tenant("acme").await, database.tenant("other").await);
    let exchange = database.offer(&acme).await;
    let foreign = database.exchange(&acme.definition, NOW);
    assert!(!try_offer(&database.store, &other.organisation, &foreign).await);
    let grant = database.grant(&exchange);
    let passage = database.passage();
    let tokens = Tokens { grant: &grant, refresh_token: None, passage: &passage };
    let own = database.offer(&other).await;
    let add =
        database.store.write(&other.organisation, async |tx| tx.spend_code(&own, None, 5, Some(tokens), NOW).await);
    assert!(matches!(add.await, Err(StoreError::Internal(_))));
    let part = database.part(&exchange);
    let add = database.store.write(&other.organisation, async |tx| tx.add_transcript_part(&part).await);
    assert!(matches!(add.await, Err(StoreError::Internal(_))));
}
