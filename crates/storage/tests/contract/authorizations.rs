//! Authorization requests, their codes, and refresh tokens.

use std::sync::Arc;

use chancery_model::{
    Authorization, AuthorizationStatus, Exchange, Grant, Organisation, RefreshToken, RequestedCredential, SecretHash,
    Timestamp,
};
use chancery_storage::{StoreError, Tokens, Transaction};
use futures::future::join_all;

use crate::database::{TestDatabase, on_every_database};
use crate::samples::{LATER, NOW, Tenant};

on_every_database!(
    a_request_is_bound_to_the_browser_of_its_first_sign_in,
    what_a_person_cancelled_is_not_redeemed_and_what_was_redeemed_not_cancelled,
    steps_that_stand_alone_bind_a_request_to_one_browser_too,
    exactly_one_of_forty_parallel_steps_that_stand_alone_is_taken,
    a_step_that_stands_alone_is_taken_in_its_organisation_only,
    exactly_one_of_forty_parallel_redemptions_of_an_authorization_code_wins,
    a_failed_sign_in_is_over_and_a_finished_one_does_not_fail,
    exactly_one_of_forty_parallel_redemptions_begins_an_exchange,
    a_redemption_under_a_deleted_definition_leaves_nothing,
    another_organisation_finds_no_authorization_and_no_refresh_token,
    a_replaced_refresh_token_works_for_its_grace_and_no_longer,
    revoked_tokens_are_worth_nothing,
    a_token_of_another_exchange_lets_nothing_leave,
);

const CODE: &str = "code";
const BROWSER: &str = "browser";

fn hash(text: &str) -> SecretHash {
    SecretHash::of(text)
}

fn pushed(database: &TestDatabase, tenant: &Tenant) -> Authorization {
    let entry = &tenant.definition.content.entries[0];
    Authorization {
        id: database.env.uuid(NOW).into(),
        client_id: "wallet".to_owned(),
        redirect_uri: "https://wallet.example/cb".to_owned(),
        redirect_uri_named: true,
        state: Some("x1".to_owned()),
        code_challenge: None,
        definition_id: tenant.definition.id,
        definition_revision: 1,
        requested: vec![RequestedCredential {
            entry: entry.id,
            configuration_id: entry.configuration_id.clone(),
            claims: Vec::new(),
        }],
        by_details: true,
        exchange_id: None,
        dpop_jkt: Some("jkt".to_owned()),
        instance_thumbprint: None,
        request_uri_hash: Some(hash("request_uri")),
        request_uri_expires_at: Some(LATER),
        status: AuthorizationStatus::Pushed,
        browser_hash: None,
        sealed_signed_in: None,
        locale: None,
        code_hash: None,
        expires_at: LATER,
        created_at: NOW,
        updated_at: NOW,
    }
}

/// The request after a sign-in in this browser.
fn signed_in(request: &Authorization, browser: &SecretHash, yielded: u8) -> Authorization {
    Authorization {
        browser_hash: Some(*browser),
        locale: Some("en".to_owned()),
        sealed_signed_in: Some(vec![yielded]),
        ..request.clone()
    }
}

/// A request for which the person has signed in, and an exchange.
async fn signed_in_for(database: &TestDatabase, tenant: &Tenant) -> (Authorization, Exchange) {
    let (request, exchange) = (pushed(database, tenant), database.offer(tenant).await);
    let browser = hash(BROWSER);
    let write = database.store.write(&tenant.organisation, async |tx| {
        tx.add_authorization(&request).await?;
        assert!(tx.keep_sign_in(&signed_in(&request, &browser, 2), NOW).await?);
        Ok::<_, StoreError>(())
    });
    write.await.unwrap();
    (request, exchange)
}

async fn spend(database: &TestDatabase, at: &Organisation, what: &(Authorization, Exchange)) -> bool {
    let (request, _) = what;
    let spend = async |tx: &Transaction| tx.spend_authorization_code(request.id, &hash(CODE), NOW).await;
    database.store.write(at, spend).await.unwrap()
}

async fn a_request_is_bound_to_the_browser_of_its_first_sign_in(database: Arc<TestDatabase>) {
    let tenant = database.tenant("acme").await;
    let request = pushed(&database, &tenant);
    let (browser, thief) = (hash(BROWSER), hash("thief"));
    let write = database.store.write(&tenant.organisation, async |tx| {
        tx.add_authorization(&request).await?;
        assert!(!tx.fail_authorization(request.id, &browser, NOW).await?);
        // The first sign-in counts.
        assert!(tx.keep_sign_in(&signed_in(&request, &browser, 2), NOW).await?);
        assert!(!tx.keep_sign_in(&signed_in(&request, &thief, 3), NOW).await?);
        assert!(!tx.fail_authorization(request.id, &thief, NOW).await?);
        assert!(!tx.fail_authorization(request.id, &browser, LATER).await?);
        Ok::<_, StoreError>(())
    });
    write.await.unwrap();
    let read = database.store.read(&tenant.organisation).await.unwrap();
    let kept = read.authorization(request.id).await.unwrap().unwrap();
    assert_eq!((kept.status, kept.sealed_signed_in), (AuthorizationStatus::SignedIn, Some(vec![2])));
    assert_eq!((kept.requested, kept.dpop_jkt, kept.state), (request.requested, request.dpop_jkt, request.state));
}

async fn what_a_person_cancelled_is_not_redeemed_and_what_was_redeemed_not_cancelled(database: Arc<TestDatabase>) {
    let tenant = database.tenant("acme").await;
    let cancel = async |request: &Authorization| {
        let browser = hash(BROWSER);
        let write = async |tx: &Transaction| tx.fail_authorization(request.id, &browser, NOW).await;
        database.store.write(&tenant.organisation, write).await.unwrap()
    };
    let redeemed = signed_in_for(&database, &tenant).await;
    assert!(spend(&database, &tenant.organisation, &redeemed).await);
    assert!(!cancel(&redeemed.0).await);
    let cancelled = signed_in_for(&database, &tenant).await;
    assert!(cancel(&cancelled.0).await);
    assert!(!spend(&database, &tenant.organisation, &cancelled).await);
    let read = database.store.read(&tenant.organisation).await.unwrap();
    let kept = read.authorization(cancelled.0.id).await.unwrap().unwrap();
    assert_eq!((kept.status, kept.sealed_signed_in, kept.code_hash), (AuthorizationStatus::Failed, None, None));
}

/// The request after a sign-in in this browser, to be kept by itself.
fn signed_in_alone(request: &Authorization, browser: &SecretHash, yielded: u8) -> Authorization {
    Authorization { status: AuthorizationStatus::SignedIn, ..signed_in(request, browser, yielded) }
}

async fn steps_that_stand_alone_bind_a_request_to_one_browser_too(database: Arc<TestDatabase>) {
    let tenant = database.tenant("acme").await;
    let step =
        async |stepped: &Authorization| database.store.step_authorization(&tenant.organisation, stepped).await.unwrap();
    let request = pushed(&database, &tenant);
    let signed_in = signed_in_alone(&request, &hash(BROWSER), 2);
    let stolen = signed_in_alone(&request, &hash("thief"), 3);
    assert!(step(&request).await);
    // The first sign-in counts, and is known again when its answer was lost.
    assert!(step(&signed_in).await);
    assert!(step(&signed_in).await);
    assert!(!step(&stolen).await);
    assert!(!step(&signed_in_alone(&request, &hash(BROWSER), 4)).await);
    let read = database.store.read(&tenant.organisation).await.unwrap();
    let kept = read.authorization(request.id).await.unwrap().unwrap();
    assert_eq!((kept.status, kept.sealed_signed_in), (AuthorizationStatus::SignedIn, Some(vec![2])));
    assert_eq!((kept.requested, kept.dpop_jkt, kept.state), (request.requested, request.dpop_jkt, request.state));
    assert_eq!((kept.locale.as_deref(), kept.browser_hash), (Some("en"), Some(hash(BROWSER))));
}

async fn exactly_one_of_forty_parallel_steps_that_stand_alone_is_taken(database: Arc<TestDatabase>) {
    let tenant = Arc::new(database.tenant("acme").await);
    let request = pushed(&database, &tenant);
    assert!(database.store.step_authorization(&tenant.organisation, &request).await.unwrap());
    let sign_ins = (0..40).map(|yielded| {
        let (database, tenant) = (Arc::clone(&database), Arc::clone(&tenant));
        let signed_in = signed_in_alone(&request, &hash(BROWSER), yielded);
        tokio::spawn(async move { database.store.step_authorization(&tenant.organisation, &signed_in).await.unwrap() })
    });
    let taken = join_all(sign_ins).await.into_iter().filter(|outcome| *outcome.as_ref().unwrap()).count();
    assert_eq!(taken, 1);
}

async fn a_step_that_stands_alone_is_taken_in_its_organisation_only(database: Arc<TestDatabase>) {
    let (acme, other) = (database.tenant("acme").await, database.tenant("other").await);
    let request = pushed(&database, &acme);
    assert!(database.store.step_authorization(&acme.organisation, &request).await.unwrap());
    // The same id elsewhere is another request.
    let signed_in = signed_in_alone(&request, &hash(BROWSER), 2);
    assert!(database.store.step_authorization(&other.organisation, &signed_in).await.unwrap());
    let read = database.store.read(&acme.organisation).await.unwrap();
    let untouched = read.authorization(request.id).await.unwrap().unwrap();
    assert_eq!((untouched.status, untouched.browser_hash), (AuthorizationStatus::Pushed, None));
}

async fn exactly_one_of_forty_parallel_redemptions_of_an_authorization_code_wins(database: Arc<TestDatabase>) {
    let tenant = Arc::new(database.tenant("acme").await);
    let what = Arc::new(signed_in_for(&database, &tenant).await);
    let redemptions = (0..40).map(|_| {
        let (database, tenant, what) = (Arc::clone(&database), Arc::clone(&tenant), Arc::clone(&what));
        tokio::spawn(async move { spend(&database, &tenant.organisation, &what).await })
    });
    let won = join_all(redemptions).await.into_iter().filter(|outcome| *outcome.as_ref().unwrap()).count();
    assert_eq!(won, 1);
    let read = database.store.read(&tenant.organisation).await.unwrap();
    let kept = read.authorization(what.0.id).await.unwrap().unwrap();
    assert_eq!((kept.status, kept.exchange()), (AuthorizationStatus::Spent, Some(what.0.begins())));
    assert_eq!((kept.sealed_signed_in, kept.code_hash), (None, Some(hash(CODE))));
}

async fn a_failed_sign_in_is_over_and_a_finished_one_does_not_fail(database: Arc<TestDatabase>) {
    let tenant = database.tenant("acme").await;
    let step =
        async |stepped: &Authorization| database.store.step_authorization(&tenant.organisation, stepped).await.unwrap();
    let failed = |request: &Authorization| Authorization { status: AuthorizationStatus::Failed, ..request.clone() };
    // The second one was never added.
    let (added, waiting) = (pushed(&database, &tenant), pushed(&database, &tenant));
    assert!(step(&added).await);
    for request in [&added, &waiting] {
        assert!(step(&failed(request)).await);
        assert!(!step(&signed_in_alone(request, &hash(BROWSER), 2)).await);
    }
    let finished = pushed(&database, &tenant);
    assert!(step(&signed_in_alone(&finished, &hash(BROWSER), 2)).await);
    assert!(!step(&failed(&finished)).await);
    let read = database.store.read(&tenant.organisation).await.unwrap();
    let kept = read.authorization(finished.id).await.unwrap().unwrap();
    assert_eq!((kept.status, kept.browser_hash), (AuthorizationStatus::SignedIn, Some(hash(BROWSER))));
    drop(read);
    let forget = database.store.write(&tenant.organisation, async |tx| tx.forget_authorizations(LATER).await);
    assert_eq!(forget.await.unwrap(), 3);
}

/// A request and the exchange that the redemption of its code begins, which is nowhere yet.
async fn about_to_begin(database: &TestDatabase, tenant: &Tenant) -> (Authorization, Exchange) {
    let (request, _) = signed_in_for(database, tenant).await;
    let exchange = Exchange { id: request.begins(), ..database.exchange(&tenant.definition, NOW) };
    (request, exchange)
}

async fn exactly_one_of_forty_parallel_redemptions_begins_an_exchange(database: Arc<TestDatabase>) {
    let tenant = database.tenant("acme").await;
    let (request, _) = about_to_begin(&database, &tenant).await;
    // As one statement of many, and alone.
    let redemptions = (0..40).map(|number| {
        let (database, organisation) = (Arc::clone(&database), Arc::clone(&tenant.organisation));
        let exchange = Exchange { id: request.begins(), ..database.exchange(&tenant.definition, NOW) };
        let (grant, token, passage) =
            (database.grant(&exchange), refresh_token(&database, &exchange), database.passage());
        tokio::spawn(async move {
            let tokens = Tokens { grant: &grant, refresh_token: Some(&token), passage: &passage };
            let begin = async |tx: &Transaction| tx.begin_exchange(&hash(CODE), &exchange, tokens, NOW).await;
            let is_begun = match number % 2 {
                0 => database.store.write(&organisation, begin).await,
                _ => database.store.write_step(&organisation, begin).await,
            };
            (is_begun.unwrap(), exchange, grant)
        })
    });
    let outcomes: Vec<_> = join_all(redemptions).await.into_iter().map(Result::unwrap).collect();
    let read = database.store.read(&tenant.organisation).await.unwrap();
    for (won, exchange, grant) in &outcomes {
        let kept = read.exchange(request.begins()).await.unwrap().unwrap();
        assert_eq!(kept.offer_id == exchange.offer_id, *won);
        assert_eq!(read.grant_by_access_token(&grant.access_token_hash).await.unwrap().is_some(), *won);
    }
    assert_eq!(outcomes.iter().filter(|(won, ..)| *won).count(), 1);
    let spent = read.authorization(request.id).await.unwrap().unwrap();
    assert_eq!((spent.status, spent.exchange()), (AuthorizationStatus::Spent, Some(request.begins())));
    let (token, _) = read.refresh_token(&hash("refresh")).await.unwrap().unwrap();
    assert_eq!(token.exchange_id, request.begins());
}

async fn a_redemption_under_a_deleted_definition_leaves_nothing(database: Arc<TestDatabase>) {
    let tenant = database.tenant("acme").await;
    let (request, mut exchange) = about_to_begin(&database, &tenant).await;
    exchange.definition_id = database.definition("Gone", &["gone"]).id;
    let (grant, passage) = (database.grant(&exchange), database.passage());
    let tokens = Tokens { grant: &grant, refresh_token: None, passage: &passage };
    let begin = async |tx: &Transaction| tx.begin_exchange(&hash(CODE), &exchange, tokens, NOW).await;
    assert!(!database.store.write(&tenant.organisation, begin).await.unwrap());
    assert!(!database.store.write_step(&tenant.organisation, begin).await.unwrap());
    let read = database.store.read(&tenant.organisation).await.unwrap();
    assert!(read.exchange(exchange.id).await.unwrap().is_none());
    let kept = read.authorization(request.id).await.unwrap().unwrap();
    assert_eq!((kept.status, kept.exchange()), (AuthorizationStatus::SignedIn, None));
}

async fn another_organisation_finds_no_authorization_and_no_refresh_token(database: Arc<TestDatabase>) {
    let (acme, other) = (database.tenant("acme").await, database.tenant("other").await);
    let what = signed_in_for(&database, &acme).await;
    redeem(&database, &acme, &what.1).await;
    let read = database.store.read(&other.organisation).await.unwrap();
    assert!(read.authorization(what.0.id).await.unwrap().is_none());
    assert!(read.refresh_token(&hash("refresh")).await.unwrap().is_none());
    drop(read);
    assert!(!spend(&database, &other.organisation, &what).await);
    let exchange = Exchange { id: what.0.begins(), ..database.exchange(&other.definition, NOW) };
    let (grant, passage) = (database.grant(&exchange), database.passage());
    let tokens = Tokens { grant: &grant, refresh_token: None, passage: &passage };
    let begin = async |tx: &Transaction| tx.begin_exchange(&hash(CODE), &exchange, tokens, NOW).await;
    assert!(!database.store.write_step(&other.organisation, begin).await.unwrap());
    let write = database.store.write(&other.organisation, async |tx| tx.forget_authorizations(LATER).await);
    assert_eq!(write.await.unwrap(), 0);
}

fn refresh_token(database: &TestDatabase, exchange: &Exchange) -> RefreshToken {
    RefreshToken {
        id: database.env.uuid(NOW).into(),
        exchange_id: exchange.id,
        hash: hash("refresh"),
        client_id: Some("wallet".to_owned()),
        dpop_thumbprint: Some("jkt".to_owned()),
        instance_thumbprint: None,
        credentials: database.grant(exchange).credentials,
        by_identifier: true,
        expires_at: NOW.plus_seconds(3600),
        replaced_at: None,
        created_at: NOW,
    }
}

/// Redeems the code of an offer.
async fn redeem(database: &TestDatabase, tenant: &Tenant, exchange: &Exchange) -> (Grant, RefreshToken) {
    let (grant, token, passage) = (database.grant(exchange), refresh_token(database, exchange), database.passage());
    let tokens = Tokens { grant: &grant, refresh_token: Some(&token), passage: &passage };
    let spend = async |tx: &Transaction| tx.spend_code(exchange, None, 5, Some(tokens), NOW).await;
    assert!(database.store.write(&tenant.organisation, spend).await.unwrap());
    (grant, token)
}

async fn a_replaced_refresh_token_works_for_its_grace_and_no_longer(database: Arc<TestDatabase>) {
    let tenant = database.tenant("acme").await;
    let exchange = database.offer(&tenant).await;
    let (_, token) = redeem(&database, &tenant, &exchange).await;
    for (after, expected) in [(0, true), (29, true), (30, false), (3600, false)] {
        let now = NOW.plus_seconds(after);
        let grace = Timestamp::from_millis(now.millis() - 30_000);
        let (grant, passage) = (database.grant(&exchange), database.passage());
        let others = Tokens { grant: &grant, refresh_token: None, passage: &passage };
        let replace = database
            .store
            .write_step(&tenant.organisation, async |tx| tx.replace_refresh_token(&token, others, now, grace).await);
        assert_eq!(replace.await.unwrap(), expected, "{after} s later");
        let read = database.store.read(&tenant.organisation).await.unwrap();
        assert_eq!(read.grant_by_access_token(&grant.access_token_hash).await.unwrap().is_some(), expected);
        let (stored, its_exchange) = read.refresh_token(&token.hash).await.unwrap().unwrap();
        assert_eq!((stored.replaced_at, its_exchange.id), (Some(NOW), exchange.id));
        assert_eq!((stored.is_valid(now), &stored.credentials), (expected, &token.credentials));
    }
}

async fn revoked_tokens_are_worth_nothing(database: Arc<TestDatabase>) {
    let tenant = database.tenant("acme").await;
    let exchange = database.offer(&tenant).await;
    let (grant, token) = redeem(&database, &tenant, &exchange).await;
    let issue = async || database.record_issuance(&tenant, &exchange, Some(grant.id)).await;
    assert!(issue().await);
    let revoke = database.store.write(&tenant.organisation, async |tx| tx.revoke_tokens(exchange.id, NOW).await);
    revoke.await.unwrap();
    assert!(!issue().await);
    let read = database.store.read(&tenant.organisation).await.unwrap();
    let (grant, _) = read.grant_by_access_token(&grant.access_token_hash).await.unwrap().unwrap();
    assert_eq!(grant.access_token_expires_at, NOW);
    assert!(read.refresh_token(&token.hash).await.unwrap().is_none());
}

async fn a_token_of_another_exchange_lets_nothing_leave(database: Arc<TestDatabase>) {
    let tenant = database.tenant("acme").await;
    let (issued, other) = (database.issue(&tenant).await, database.offer(&tenant).await);
    let grant = Some(issued.grant.id);
    assert!(!database.record_issuance(&tenant, &other, grant).await);
    assert!(database.record_issuance(&tenant, &issued.exchange, grant).await);
}
