//! Who gets which index (TSL-14): none twice, and none that tells when it was given.

use std::collections::{BTreeSet, HashMap};

use chancery_tests::{Key, Wallet};

use super::*;

/// Issues `count` badges by `wallets` wallets at a time; places in the order of issuance.
async fn issue_many(
    world: &World,
    operator: &Operator,
    definition: &Value,
    wallets: usize,
    count: usize,
) -> Vec<Place> {
    let mut running = tokio::task::JoinSet::new();
    let mut places = Vec::with_capacity(count);
    for _ in 0..count {
        if running.len() == wallets {
            places.push(running.join_next().await.expect("a task").expect("no panic"));
        }
        let offer = operator.offer(definition, &samples::staff_claims()).await;
        let wallet = world.wallet();
        running.spawn(async move { Place::of(&wallet.accept(&offer.link).await) });
    }
    while let Some(place) = running.join_next().await {
        places.push(place.expect("no panic"));
    }
    places
}

/// Spearman's correlation of order and index, in standard deviations of what chance gives.
fn order_in_deviations(indexes: &[u64]) -> f64 {
    let count = indexes.len() as f64;
    let mut sorted = indexes.to_vec();
    sorted.sort_unstable();
    let rank = |index: &u64| sorted.binary_search(index).expect("its own index") as f64;
    let squares: f64 = indexes.iter().enumerate().map(|(at, index)| (at as f64 - rank(index)).powi(2)).sum();
    (1.0 - 6.0 * squares / (count * (count * count - 1.0))) * (count - 1.0).sqrt()
}

/// Asserts that no place is given twice, and that within each list neither order nor neighbourhood tells anything.
fn assert_unlinkable(places: &[Place]) {
    assert_eq!(places.iter().collect::<BTreeSet<_>>().len(), places.len(), "a place is given twice");
    let mut by_list: HashMap<&str, Vec<u64>> = HashMap::new();
    for place in places {
        by_list.entry(&place.uri).or_default().push(place.index);
    }
    for (uri, indexes) in by_list.iter().filter(|(_, indexes)| indexes.len() >= 30) {
        let deviations = order_in_deviations(indexes);
        assert!(deviations.abs() < 5.0, "{uri}: order and index are correlated, {deviations} deviations");
        let close = indexes.windows(2).filter(|pair| pair[0].abs_diff(pair[1]) < 1000).count();
        assert!(close < 10 + indexes.len() / 50, "{uri}: {close} of {} follow each other closely", indexes.len());
    }
}

on_every_backend! {
    /// A list that is full is followed by another one.
    async fn a_full_list_is_followed_by_another(world: &World) {
        let scene = Scene::new(world).await;
        world.database.texts("UPDATE status_list SET leased = capacity - 300 RETURNING 'x'").await;
        world.restart().await;
        let second = Place::of(&issue(world, &scene.operator, &scene.definition).await.1);
        assert_eq!(second.uri, scene.place().uri);
        world.restart().await;
        let third = Place::of(&issue(world, &scene.operator, &scene.definition).await.1);
        assert_ne!(third.uri, second.uri);
        let aggregation = world.http().get(&format!("{}/status-lists", scene.operator.issuer())).await.ok();
        assert_eq!(aggregation["status_lists"].as_array().map(Vec::len), Some(2));
        assert_eq!((second.value(world).await, third.value(world).await), (0, 0));
    }

    /// The database refuses a place that is given twice: the last guard.
    async fn a_place_that_is_given_twice_is_refused_by_the_database(world: &World) {
        let scene = Scene::new(world).await;
        // The lease is forgotten, as it would be without a durable commit.
        world.database.texts("UPDATE status_list SET leased = 0 RETURNING 'x'").await;
        world.restart().await;
        let offer = scene.operator.offer(&scene.definition, &samples::staff_claims()).await;
        let wallet = world.wallet();
        let token = wallet.redeem(&wallet.open(&offer.link).await).await;
        let nonce = wallet.nonce(&token.opened).await;
        wallet.send(wallet.credential_call(&token, &nonce)).await.refused(500, "server_error");
        assert_eq!(world.database.number("SELECT count(*) FROM credential").await, 1);
        // The next index is free.
        assert_ne!(Place::of(&wallet.collect(&token).await), scene.place());
    }

    /// TSL-14: copies of one request, and one that is issued again, have places that say nothing of each other.
    async fn copies_of_one_request_are_no_neighbours(world: &World) {
        let operator = world.platform().organisation(json!({ "policy": {"batchSize": COPIES} })).await;
        let definition = operator.define(&revocable_badge(&json!({}))).await;
        let offer = operator.offer(&definition, &samples::staff_claims()).await;
        let address = world.wallet_front.address();
        let mut places = batch(world.wallet(), offer, address).await;
        let again = operator.offer(&definition, &samples::staff_claims()).await;
        places.extend(batch(world.wallet(), again, address).await);
        assert_eq!(places.iter().collect::<BTreeSet<_>>().len(), 2 * COPIES);
        let neighbours = |one: &Place, other: &Place| one.uri == other.uri && one.index.abs_diff(other.index) < 8;
        let pairs = places.iter().enumerate().flat_map(|(at, one)| places[..at].iter().map(move |other| (one, other)));
        let close: Vec<_> = pairs.filter(|(one, other)| neighbours(one, other)).collect();
        // By chance a pair of one list is that close once in 65,000 times.
        assert!(close.len() < 2, "{close:?}");
    }

    /// TSL-16: credentials of many holders and definitions share few lists, whose URLs are of nobody.
    async fn a_list_is_shared_by_many_credentials(world: &World) {
        let operator = world.organisation().await;
        let definition = operator.define(&revocable_badge(&json!({}))).await;
        let mut other = revocable_badge(&json!({"vct": "https://types.example/visitor/1"}));
        other["label"] = "Visitor".into();
        let other = operator.define(&other).await;
        let mut places = issue_many(world, &operator, &definition, 4, 12).await;
        places.extend(issue_many(world, &operator, &other, 4, 12).await);
        let uris: BTreeSet<&str> = places.iter().map(|place| place.uri.as_str()).collect();
        assert!(uris.len() <= LISTS, "{uris:?}");
        let aggregation = world.http().get(&format!("{}/status-lists", operator.issuer())).await.ok();
        let published: BTreeSet<&str> =
            aggregation["status_lists"].as_array().expect("lists").iter().filter_map(Value::as_str).collect();
        assert!(uris.is_subset(&published), "{uris:?}, not in {published:?}");
        for uri in uris {
            let id = uri.strip_prefix(&format!("{}/status-lists/", operator.issuer())).expect("below the issuer");
            assert!(id.len() == 36 && !id.contains(['?', '/', '#']), "{uri}");
            assert!(places.iter().filter(|place| place.uri == uri).count() > 1, "a list of one: {uri}");
        }
    }

    /// Several hundred badges, several wallets at a time.
    async fn indexes_are_unique_and_tell_no_order(world: &World) {
        let operator = world.organisation().await;
        let definition = operator.define(&revocable_badge(&json!({}))).await;
        assert_unlinkable(&issue_many(world, &operator, &definition, 8, 120).await);
    }
}

/// 64 wallets, 640 issuances, two processes that share the wallets: no index twice, no order.
#[test]
fn two_processes_never_give_the_same_index() {
    block_on(World::run(Backend::Networked, async |world: &World| {
        let second = world.another_server().await;
        let second_address = second.wallet_address().expect("a wallet face");
        let operator = world.organisation().await;
        let definition = operator.define(&revocable_badge(&json!({}))).await;
        let mut places = issue_many(world, &operator, &definition, 64, 320).await;
        // New connections lead to the second process; what runs at the first goes on.
        world.wallet_front.point_to(second_address);
        world.wallet_front.cut_once();
        places.extend(issue_many(world, &operator, &definition, 64, 320).await);
        assert_eq!(places.len(), 640);
        assert_unlinkable(&places);
        second.stop().await;
    }));
}

/// Copies of one request.
const COPIES: usize = 10;

/// Lists that the copies of one request are spread over.
const LISTS: usize = 4;

/// Has a wallet ask for ten copies with one request, of the process at `address`.
async fn batch(wallet: Wallet, offer: Offer, address: std::net::SocketAddr) -> Vec<Place> {
    let token = wallet.redeem(&wallet.open(&offer.link).await).await;
    let nonce = wallet.nonce(&token.opened).await;
    let mut call = wallet.credential_call(&token, &nonce);
    let proof = || {
        let mut other = wallet.clone();
        other.holder_key = Key::p256();
        other.proof(&token.opened, &nonce)
    };
    call.proofs = (0..COPIES).map(|_| proof()).collect();
    // What was signed names the public URL; who answers is another matter.
    let path = call.url.splitn(4, '/').nth(3).expect("a path").to_owned();
    call.url = format!("http://{address}/{path}");
    let answer = wallet.send(call).await.ok();
    let credentials = answer["credentials"].as_array().expect("credentials");
    credentials.iter().map(|it| Place::in_credential(it["credential"].as_str().expect("a credential"))).collect()
}

/// 64 wallets at once with ten copies each, at two processes: no index twice, no order, and copies of one request in
/// several lists, evenly.
#[test]
fn batches_of_parallel_wallets_at_two_processes_share_no_index_and_no_list() {
    block_on(World::run(Backend::Networked, async |world: &World| {
        let (first, second) = (world.another_server().await, world.another_server().await);
        let faces = [&first, &second].map(|server| server.wallet_address().expect("a wallet face"));
        let operator = world.platform().organisation(json!({ "policy": {"batchSize": COPIES} })).await;
        let definition = operator.define(&revocable_badge(&json!({}))).await;
        let mut running = tokio::task::JoinSet::new();
        for number in 0..64 {
            let offer = operator.offer(&definition, &samples::staff_claims()).await;
            running.spawn(batch(world.wallet(), offer, faces[number % 2]));
        }
        let mut places = Vec::new();
        while let Some(of_one) = running.join_next().await {
            let of_one = of_one.expect("no panic");
            assert_eq!(of_one.len(), COPIES);
            let mut by_list: HashMap<&str, usize> = HashMap::new();
            for place in &of_one {
                *by_list.entry(&place.uri).or_default() += 1;
            }
            assert!(by_list.len() >= LISTS, "all in {by_list:?}");
            assert!(by_list.values().all(|copies| *copies <= COPIES.div_ceil(LISTS)), "{by_list:?}");
            places.extend(of_one);
        }
        assert_eq!(places.len(), 640);
        assert_unlinkable(&places);
        first.stop().await;
        second.stop().await;
    }));
}
