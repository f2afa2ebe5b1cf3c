//! Things that happen once, and steps that are legal.

use std::sync::Arc;

use chancery_model::{ExchangeStatus, Report, Timestamp};
use chancery_storage::{StoreError, Tokens, Transaction};
use futures::future::join_all;

use crate::database::{TestDatabase, on_every_database};
use crate::samples::{NOW, add_exchange, exchange_now};

on_every_database!(
    exactly_one_of_forty_parallel_redemptions_wins,
    an_expired_code_is_not_redeemed,
    a_locked_code_is_not_redeemed,
    parallel_guesses_of_a_transaction_code_are_all_counted,
    the_first_fetch_of_an_offer_is_noted_once,
    a_denied_exchange_issues_nothing,
    a_second_copy_leaves_the_status_where_it_is,
    two_exchanges_never_share_a_code_or_an_offer,
    one_of_two_parallel_answers_is_remembered,
);

async fn exactly_one_of_forty_parallel_redemptions_wins(database: Arc<TestDatabase>) {
    let tenant = database.tenant("acme").await;
    let exchange = database.offer(&tenant).await;
    // As one statement of many, and alone.
    let redemptions = (0..40).map(|number| {
        let (database, organisation) = (Arc::clone(&database), Arc::clone(&tenant.organisation));
        let (mut grant, passage) = (database.grant(&exchange), database.passage());
        let exchange = exchange.clone();
        grant.client_id = Some(format!("wallet {number}"));
        tokio::spawn(async move {
            let spend = async |tx: &Transaction| {
                let client_id = grant.client_id.as_deref();
                let tokens = Tokens { grant: &grant, refresh_token: None, passage: &passage };
                tx.spend_code(&exchange, client_id, 5, Some(tokens), NOW).await
            };
            let is_spent = match number % 2 {
                0 => database.store.write(&organisation, spend).await,
                _ => database.store.write_step(&organisation, spend).await,
            };
            (is_spent.unwrap(), grant)
        })
    });
    let outcomes: Vec<_> = join_all(redemptions).await.into_iter().map(Result::unwrap).collect();
    let winners: Vec<_> = outcomes.iter().filter(|(won, _)| *won).collect();
    let [(_, winner)] = winners.as_slice() else { panic!("{} winners", winners.len()) };
    let read = database.store.read(&tenant.organisation).await.unwrap();
    let (_, stored) = read.grant_by_access_token(&winner.access_token_hash).await.unwrap().unwrap();
    assert_eq!((stored.client_id.as_ref(), stored.code_spent_at), (winner.client_id.as_ref(), Some(NOW)));
    assert_eq!(stored.status, ExchangeStatus::TokenIssued);
}

async fn an_expired_code_is_not_redeemed(database: Arc<TestDatabase>) {
    let tenant = database.tenant("acme").await;
    let exchange = database.offer(&tenant).await;
    let just_before = Timestamp::from_millis(exchange.expires_at.millis() - 1);
    for (now, expected) in [(exchange.expires_at, false), (just_before, true)] {
        let spend =
            database.store.write(&tenant.organisation, async |tx| tx.spend_code(&exchange, None, 5, None, now).await);
        assert_eq!(spend.await.unwrap(), expected);
    }
}

async fn a_locked_code_is_not_redeemed(database: Arc<TestDatabase>) {
    let tenant = database.tenant("acme").await;
    let exchange = database.offer(&tenant).await;
    let write = database.store.write(&tenant.organisation, async |tx| {
        let mut counts = Vec::new();
        for _ in 0..3 {
            counts.push(tx.count_failed_transaction_code(exchange.id, 2, NOW).await?);
        }
        let is_spent = tx.spend_code(&exchange, None, 2, None, NOW).await?;
        Ok::<_, StoreError>((counts, is_spent))
    });
    assert_eq!(write.await.unwrap(), (vec![Some(1), Some(2), None], false));
    let stored = exchange_now(&database.store, &tenant.organisation, &exchange).await;
    assert_eq!((stored.status, stored.failed_attempts), (ExchangeStatus::OfferSent, 2));
}

async fn parallel_guesses_of_a_transaction_code_are_all_counted(database: Arc<TestDatabase>) {
    let tenant = database.tenant("acme").await;
    let exchange = database.offer(&tenant).await;
    let guesses = (0..20).map(|_| async {
        let count = async |tx: &Transaction| tx.count_failed_transaction_code(exchange.id, 5, NOW).await;
        database.store.write(&tenant.organisation, count).await.unwrap()
    });
    let mut counted: Vec<u8> = join_all(guesses).await.into_iter().flatten().collect();
    counted.sort_unstable();
    assert_eq!(counted, [1, 2, 3, 4, 5]);
}

async fn the_first_fetch_of_an_offer_is_noted_once(database: Arc<TestDatabase>) {
    let tenant = database.tenant("acme").await;
    let exchange = database.offer(&tenant).await;
    let passages = [database.passage(), database.passage()];
    let fetch = async |offer_id: &str, passage, seconds| {
        let write = database.store.write_relaxed(&tenant.organisation, async |tx| {
            tx.count_fetch(offer_id, passage, NOW.plus_seconds(seconds)).await
        });
        write.await.unwrap()
    };
    let first = fetch(&exchange.offer_id, &passages[0], 1).await.unwrap();
    assert_eq!((first.id, first.status, first.fetches), (exchange.id, ExchangeStatus::OfferReceived, 1));
    assert_eq!((first.updated_at, &first.entries), (NOW.plus_seconds(1), &exchange.entries));
    let second = fetch(&exchange.offer_id, &passages[1], 2).await.unwrap();
    assert_eq!((second.status, second.fetches), (ExchangeStatus::OfferReceived, 2));
    assert_eq!(second.updated_at, NOW.plus_seconds(1));
    assert!(fetch("unknown", &passages[0], 3).await.is_none());
    let read = database.store.read(&tenant.organisation).await.unwrap();
    let transcript = read.transcript_of(exchange.id).await.unwrap();
    assert_eq!(transcript.iter().map(|part| part.id).collect::<Vec<_>>(), [passages[0].id]);
}

async fn a_denied_exchange_issues_nothing(database: Arc<TestDatabase>) {
    let tenant = database.tenant("acme").await;
    let exchange = database.offer(&tenant).await;
    let write = database.store.write(&tenant.organisation, async |tx| {
        assert!(tx.deny_exchange(exchange.id, "not eligible", NOW).await?);
        assert!(!tx.deny_exchange(exchange.id, "again", NOW).await?);
        assert!(!tx.spend_code(&exchange, None, 5, None, NOW).await?);
        tx.record_issuance(exchange.id, (None, None), (&[], &database.passage()), NOW).await
    });
    assert!(!write.await.unwrap());
    let stored = exchange_now(&database.store, &tenant.organisation, &exchange).await;
    assert_eq!(stored.denied_reason.as_deref(), Some("not eligible"));
}

async fn a_second_copy_leaves_the_status_where_it_is(database: Arc<TestDatabase>) {
    let tenant = database.tenant("acme").await;
    let exchange = database.offer(&tenant).await;
    let status = async || exchange_now(&database.store, &tenant.organisation, &exchange).await.status;
    let record = async || assert!(database.record_issuance(&tenant, &exchange, None).await);
    let report = async |report: Report| {
        let work = async |tx: &Transaction| tx.reach_by_report(exchange.id, report, NOW).await;
        database.store.write(&tenant.organisation, work).await.unwrap()
    };
    record().await;
    assert_eq!(status().await, ExchangeStatus::CredentialIssued);
    assert_eq!(report(Report::Failed).await, [ExchangeStatus::CredentialAcked]);
    assert_eq!(status().await, ExchangeStatus::CredentialAcked);
    assert_eq!(report(Report::Accepted).await, [ExchangeStatus::CredentialAccepted]);
    record().await;
    assert!(report(Report::Failed).await.is_empty());
    assert_eq!(status().await, ExchangeStatus::CredentialAccepted);
    // The wallet has nothing any more: a new copy begins the last steps again.
    assert_eq!(report(Report::Deleted).await, [ExchangeStatus::CredentialDeleted]);
    assert!(report(Report::Accepted).await.is_empty());
    assert_eq!(status().await, ExchangeStatus::CredentialDeleted);
    record().await;
    assert_eq!(status().await, ExchangeStatus::CredentialIssued);
}

async fn two_exchanges_never_share_a_code_or_an_offer(database: Arc<TestDatabase>) {
    let (acme, other) = (database.tenant("acme").await, database.tenant("other").await);
    let first = database.offer(&acme).await;
    let add = async |exchange: &chancery_model::Exchange| {
        database.store.write(&acme.organisation, async |tx| tx.add_exchange(exchange).await).await
    };
    let mut same_code = database.exchange(&acme.definition, NOW);
    same_code.code_hash = first.code_hash;
    assert!(matches!(add(&same_code).await, Err(StoreError::Internal(_))));
    let mut same_offer = database.exchange(&acme.definition, NOW);
    same_offer.offer_id.clone_from(&first.offer_id);
    let refusal = add(&same_offer).await.unwrap_err();
    assert!(!format!("{refusal:?}").contains(&first.offer_id), "{refusal:?}");

    let mut elsewhere = database.exchange(&other.definition, NOW);
    elsewhere.code_hash = first.code_hash;
    add_exchange(&database.store, &other.organisation, &elsewhere).await;
}

async fn one_of_two_parallel_answers_is_remembered(database: Arc<TestDatabase>) {
    let (organisation, _) = database.organisation("acme").await;
    let remembering = (0..8).map(|number: u8| {
        let response = chancery_storage::IdempotentResponse {
            id: database.env.uuid(NOW),
            key: "issue:7".to_owned(),
            request_hash: chancery_model::SecretHash::of("request"),
            sealed_response: vec![number],
            expires_at: NOW.plus_seconds(60),
        };
        let (database, organisation) = (&database, &organisation);
        async move {
            let write = database.store.write(organisation, async |tx| tx.remember_response(&response, NOW).await);
            write.await.unwrap()
        }
    });
    let remembered = join_all(remembering).await.into_iter().filter(|is_remembered| *is_remembered).count();
    assert_eq!(remembered, 1);
}
