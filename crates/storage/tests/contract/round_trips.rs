//! What is stored comes back as it was.

use std::sync::Arc;

use chancery_model::{ExchangeStatus, RefusedRequest, SigningKeyState, Timestamp, TranscriptPartId};
use chancery_storage::{ExchangeFilter, IdempotentResponse, Page};

use crate::database::{TestDatabase, on_every_database};
use crate::samples::{LATER, NOW, exchange_now};

on_every_database!(
    everything_of_an_exchange_comes_back_as_it_was_stored,
    keys_come_back_as_they_were_stored,
    an_access_token_leads_to_grant_and_exchange,
    a_support_code_leads_to_its_exchange,
    the_newest_refused_requests_are_kept,
    a_deleted_exchange_takes_everything_with_it,
    an_answer_is_repeated_until_it_expires_and_its_key_is_free_again,
);

async fn everything_of_an_exchange_comes_back_as_it_was_stored(database: Arc<TestDatabase>) {
    let tenant = database.tenant("acme").await;
    let offered = database.offer(&tenant).await;
    let stored = exchange_now(&database.store, &tenant.organisation, &offered).await;
    assert_eq!(format!("{stored:?}"), format!("{offered:?}"));

    let issued = database.issue(&tenant).await;
    let read = database.store.read(&tenant.organisation).await.unwrap();
    let by_code = read.exchange_by_code(&issued.exchange.code_hash).await.unwrap().unwrap();
    assert_eq!((by_code.id, &by_code.offer_id), (issued.exchange.id, &issued.exchange.offer_id));

    let credentials = read.credentials_of(issued.exchange.id).await.unwrap();
    let [credential] = credentials.as_slice() else { panic!("{} credentials", credentials.len()) };
    let expected = &issued.credential;
    assert_eq!(
        (credential.id, credential.grant_id, credential.entry, credential.signing_key_id),
        (expected.id, expected.grant_id, expected.entry, expected.signing_key_id)
    );
    assert_eq!((&credential.holder_key, &credential.proof), (&expected.holder_key, &expected.proof));
    assert_eq!((&credential.sealed_token, credential.format), (&expected.sealed_token, expected.format));
    assert_eq!((credential.issued_at, credential.expires_at), (expected.issued_at, expected.expires_at));

    let transcript = read.transcript_of(issued.exchange.id).await.unwrap();
    let mut expected: Vec<_> = issued.carried.into_iter().map(|passage| passage.of(issued.exchange.id, None)).collect();
    expected.push(issued.part);
    expected.sort_by_key(|part| part.id);
    assert_eq!(format!("{transcript:?}"), format!("{expected:?}"));
}

async fn keys_come_back_as_they_were_stored(database: Arc<TestDatabase>) {
    let tenant = database.tenant("acme").await;
    let read = database.store.read(&tenant.organisation).await.unwrap();
    let by_hash = read.api_key_by_hash(&tenant.api_key.hash).await.unwrap().unwrap();
    assert_eq!(format!("{by_hash:?}"), format!("{:?}", tenant.api_key));
    assert_eq!(read.api_key(tenant.api_key.id).await.unwrap().unwrap().id, tenant.api_key.id);
    assert_eq!(read.api_keys().await.unwrap().len(), 1);

    let keys = read.signing_keys().await.unwrap();
    let [key] = keys.as_slice() else { panic!("{} keys", keys.len()) };
    assert_eq!((key.id, &key.kid, key.algorithm), (tenant.signing_key.id, &tenant.signing_key.kid, key.algorithm));
    assert_eq!((&key.public_jwk, key.state), (&tenant.signing_key.public_jwk, SigningKeyState::Active));
    assert_eq!((&key.sealed_private, key.certificate_chain.as_str()), (&vec![1, 2, 3], ""));
    drop(read);

    let write = database.store.write(&tenant.organisation, async |tx| {
        assert!(tx.set_certificate_chain(key.id, "-----BEGIN", None, LATER).await?.is_some());
        let (active, verify_only) = (SigningKeyState::Active, SigningKeyState::VerifyOnly);
        assert!(tx.move_signing_key(key.id, active, verify_only, Some(NOW), LATER).await?.is_none());
        assert!(tx.move_signing_key(key.id, active, verify_only, None, LATER).await?.is_some());
        assert!(tx.move_signing_key(key.id, active, verify_only, None, LATER).await?.is_none());
        assert!(tx.move_signing_key(key.id, verify_only, SigningKeyState::Next, None, LATER).await?.is_none());
        assert!(tx.note_api_key_use(tenant.api_key.id, Timestamp::from_millis(LATER.millis() + 999)).await?);
        assert!(!tx.note_api_key_use(tenant.api_key.id, LATER).await?);
        assert!(tx.revoke_api_key(tenant.api_key.id, LATER).await?);
        assert!(!tx.revoke_api_key(tenant.api_key.id, LATER).await?);
        tx.signing_key(key.id).await
    });
    let key = write.await.unwrap().unwrap();
    assert_eq!((key.state, key.certificate_chain.as_str()), (SigningKeyState::VerifyOnly, "-----BEGIN"));
    assert_eq!(key.updated_at.millis(), LATER.millis() + 1, "two changes of one instant are told apart");
    let read = database.store.read(&tenant.organisation).await.unwrap();
    let api_key = read.api_key(tenant.api_key.id).await.unwrap().unwrap();
    assert_eq!(api_key.revoked_at, Some(LATER));
    let minute = LATER.millis().div_euclid(60_000) * 60_000;
    assert_eq!(api_key.last_used_at, Some(Timestamp::from_millis(minute)));
}

async fn an_access_token_leads_to_grant_and_exchange(database: Arc<TestDatabase>) {
    let tenant = database.tenant("acme").await;
    let issued = database.issue(&tenant).await;
    let read = database.store.read(&tenant.organisation).await.unwrap();
    let (grant, exchange) = read.grant_by_access_token(&issued.grant.access_token_hash).await.unwrap().unwrap();
    assert_eq!(format!("{grant:?}"), format!("{:?}", issued.grant));
    assert_eq!((exchange.id, exchange.status), (issued.exchange.id, ExchangeStatus::CredentialAcked));
    assert_eq!((exchange.client_id.as_deref(), exchange.code_spent_at), (Some("wallet"), Some(NOW)));
    assert!(read.grant_by_access_token(&issued.exchange.code_hash).await.unwrap().is_none());
}

async fn a_support_code_leads_to_its_exchange(database: Arc<TestDatabase>) {
    let tenant = database.tenant("acme").await;
    let issued = database.issue(&tenant).await;
    database.issue(&tenant).await;
    let read = database.store.read(&tenant.organisation).await.unwrap();
    let code = issued.part.support_code.as_deref().unwrap();
    let found = async |search: &str| {
        let filter = ExchangeFilter { search: Some(search.to_owned()), ..ExchangeFilter::default() };
        let listed = read.exchanges(&filter, &Page::default()).await.unwrap();
        listed.items.into_iter().map(|exchange| exchange.id).collect::<Vec<_>>()
    };
    assert_eq!(found(code).await, [issued.exchange.id]);
    assert_eq!(found("unknown").await, []);
}

async fn the_newest_refused_requests_are_kept(database: Arc<TestDatabase>) {
    let (tenant, other) = (database.tenant("acme").await, database.tenant("globex").await);
    let issued = database.issue(&tenant).await;
    let refused = |number: i64| RefusedRequest {
        id: TranscriptPartId::from(uuid::Uuid::from_u128(u128::try_from(number).unwrap())),
        at: Timestamp::from_seconds(number),
        support_code: format!("K7QF-000{number}"),
        records: issued.part.records.clone(),
    };
    let all = async |organisation| {
        let read = database.store.read(organisation).await.unwrap();
        read.refused_requests(None, &Page::default()).await.unwrap()
    };
    for number in 1..=5 {
        let add = async |tx: &chancery_storage::Transaction| tx.add_refused_request(&refused(number), 3).await;
        database.store.write(&tenant.organisation, add).await.unwrap();
    }
    assert_eq!(all(&tenant.organisation).await.items, [refused(5), refused(4), refused(3)]);
    assert_eq!(all(&other.organisation).await.total, 0);

    let read = database.store.read(&tenant.organisation).await.unwrap();
    let found = read.refused_requests(Some("k7qf-0004"), &Page::default()).await.unwrap();
    assert_eq!((found.items.as_slice(), found.total), ([refused(4)].as_slice(), 1));
    drop(read);

    let forget =
        async |tx: &chancery_storage::Transaction| tx.forget_refused_requests(Timestamp::from_seconds(5)).await;
    assert_eq!(database.store.write(&other.organisation, forget).await.unwrap(), 0);
    assert_eq!(database.store.write(&tenant.organisation, forget).await.unwrap(), 2);
    assert_eq!(all(&tenant.organisation).await.items, [refused(5)]);
}

async fn a_deleted_exchange_takes_everything_with_it(database: Arc<TestDatabase>) {
    let tenant = database.tenant("acme").await;
    let (issued, other) = (database.issue(&tenant).await, database.issue(&tenant).await);
    let id = issued.exchange.id;
    let delete = database.store.write(&tenant.organisation, async |tx| {
        Ok::<_, chancery_storage::StoreError>((tx.delete_exchange(id).await?, tx.delete_exchange(id).await?))
    });
    assert_eq!(delete.await.unwrap(), (true, false));
    let read = database.store.read(&tenant.organisation).await.unwrap();
    assert!(read.exchange(id).await.unwrap().is_none());
    assert!(read.grant_by_access_token(&issued.grant.access_token_hash).await.unwrap().is_none());
    assert!(read.credentials_of(id).await.unwrap().is_empty());
    assert!(read.transcript_of(id).await.unwrap().is_empty());
    assert_eq!(read.credentials_of(other.exchange.id).await.unwrap().len(), 1);
}

async fn an_answer_is_repeated_until_it_expires_and_its_key_is_free_again(database: Arc<TestDatabase>) {
    let (organisation, _) = database.organisation("acme").await;
    let response = |text: &str, expires_at| IdempotentResponse {
        id: database.env.uuid(NOW),
        key: "issue:7".to_owned(),
        request_hash: chancery_model::SecretHash::of(text),
        sealed_response: text.as_bytes().to_vec(),
        expires_at,
    };
    let first = response("first", LATER);
    let remember = async |response: &IdempotentResponse, now| {
        database.store.write(&organisation, async |tx| tx.remember_response(response, now).await).await.unwrap()
    };
    assert!(remember(&first, NOW).await);
    assert!(!remember(&response("second", LATER), NOW).await);
    let lookup = async |now| {
        let read = database.store.read(&organisation).await.unwrap();
        read.idempotent_response("issue:7", now).await.unwrap()
    };
    let found = lookup(NOW).await.unwrap();
    assert_eq!(
        (found.id, found.request_hash, found.sealed_response),
        (first.id, first.request_hash, b"first".to_vec())
    );
    assert!(lookup(LATER).await.is_none());
    assert!(remember(&response("third", LATER.plus_seconds(60)), LATER).await);
    assert_eq!(lookup(LATER).await.unwrap().sealed_response, b"third");
    let forget = async |now| {
        database.store.write(&organisation, async |tx| tx.forget_expired_responses(now).await).await.unwrap()
    };
    assert_eq!((forget(LATER).await, forget(LATER.plus_seconds(60)).await), (0, 1));
}
