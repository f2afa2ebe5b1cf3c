//! What counts against quotas.

use std::sync::Arc;

use chancery_model::Timestamp;

use crate::database::{TestDatabase, on_every_database};
use crate::samples::{LATER, NOW};

on_every_database!(what_counts_is_what_is_there_and_lives);

async fn what_counts_is_what_is_there_and_lives(database: Arc<TestDatabase>) {
    let (acme, other) = (database.tenant("acme").await, database.tenant("other").await);
    let issued = database.issue(&acme).await;
    database.offer_at(&acme, LATER).await;
    let read = database.store.read(&acme.organisation).await.unwrap();
    let since = async |instant: Timestamp| read.exchanges_since(instant).await.unwrap();
    assert_eq!((since(NOW).await, since(LATER).await, since(LATER.plus_seconds(1)).await), (2, 1, 0));
    let expires_at = issued.credential.expires_at;
    let live = async |instant: Timestamp| read.live_credentials(instant).await.unwrap();
    assert_eq!((live(NOW).await, live(Timestamp::from_millis(expires_at.millis() - 1)).await), (1, 1));
    assert_eq!(live(expires_at).await, 0);
    let read = database.store.read(&other.organisation).await.unwrap();
    assert_eq!(read.exchanges_since(NOW).await.unwrap(), 0);
    assert_eq!(read.live_credentials(NOW).await.unwrap(), 0);
}
