//! Watching at several processes.

use std::collections::BTreeSet;
use std::time::Duration;

use chancery_tests::{Block, Operator, Stream};
use reqwest::Method;

use super::*;

const EVENTS: &str = "/v2/config/digital-wallet/openid/sdjwt/credential/history/events";

async fn open(operator: &Operator, last: Option<&str>) -> Stream {
    let mut request = operator.request(Method::GET, EVENTS);
    if let Some(last) = last {
        request = request.header("last-event-id", last);
    }
    Stream::open(request).await.expect("a stream")
}

/// The next so many steps: number, and exchange with status.
async fn steps(stream: &mut Stream, count: usize) -> Vec<(String, String)> {
    let mut steps = Vec::new();
    while steps.len() < count {
        let block: Block = stream.block().await.expect("a stream that goes on");
        if block.name.as_deref() == Some("exchange") {
            let step = format!("{} {}", block.text("credentialExchangeId"), block.text("status"));
            steps.push((block.id().split('-').next().unwrap_or_default().to_owned(), step));
        }
    }
    steps
}

fn address(server: &Server) -> String {
    format!("http://{}", server.management_address().expect("an address"))
}

/// Issuances at both processes at the same time, and a stream at each: both hear everything, once and in the same order,
/// and a third one hears it again from the middle when it moves from one process to the other.
#[test]
fn streams_at_two_processes_hear_the_same_and_hand_over() {
    networked(async |world| {
        let operator = world.organisation().await;
        let definition = operator.define(&samples::staff_badge()).await;
        let servers = [world.another_server().await, world.another_server().await];
        let [here, there] = servers.each_ref().map(|server| operator.at(&address(server)));
        let mut at_first = open(&here, None).await;
        world.advance(Duration::from_secs(30));
        let ready = at_first.event("ready").await.id().to_owned();
        let mut at_second = open(&there, Some(&ready)).await;

        let offer = async |operator: &Operator| {
            let mut offers = Vec::new();
            for _ in 0..3 {
                offers.push(operator.offer(&definition, &samples::staff_claims()).await);
            }
            offers
        };
        let (of_first, of_second) = tokio::join!(offer(&here), offer(&there));
        for (server, offers) in servers.iter().rev().zip([of_first, of_second]) {
            world.wallet_front.point_to(server.wallet_address().expect("an address"));
            for offer in offers {
                world.wallet().accept(&offer.link).await;
            }
        }
        let (heard_here, heard_there) = (steps(&mut at_first, 24).await, steps(&mut at_second, 24).await);
        assert_eq!(heard_here, heard_there);
        let once: BTreeSet<&String> = heard_here.iter().map(|(_, step)| step).collect();
        assert_eq!(once.len(), 24);

        let told_at = world.env.now().seconds();
        let behind = |number: &str| format!("{number}-{told_at}");
        let mut moved = open(&there, Some(&behind(&heard_here[9].0))).await;
        assert_eq!(steps(&mut moved, 14).await, heard_here[10..]);

        // A process that stops says so, and its streams go on at the other one.
        let [first, second] = servers;
        tokio::join!(second.stop(), async {
            assert_eq!(at_second.event("end").await.text("reason"), "stopping");
            assert_eq!(at_second.block().await, None);
        });
        let mut at_second = open(&here, Some(&behind(&heard_here[22].0))).await;
        assert_eq!(steps(&mut at_second, 1).await, heard_here[23..]);
        first.stop().await;
    });
}

/// While the database is away nothing is told; what happened around that is told afterwards.
#[test]
fn a_stream_outlives_a_database_that_is_away() {
    networked(async |world| {
        let operator = world.organisation().await;
        let definition = operator.define(&samples::staff_badge()).await;
        let mut stream = open(&operator, None).await;
        world.advance(Duration::from_secs(30));
        stream.event("ready").await;
        let before = operator.offer(&definition, &samples::staff_claims()).await;
        world.postgres().cut();
        operator.issue(chancery_tests::platform::issue_body(&definition, &samples::staff_claims())).await.problem(503);
        world.postgres().restore();
        let after = loop {
            let body = chancery_tests::platform::issue_body(&definition, &samples::staff_claims());
            let answer = operator.issue(body).await;
            if answer.status == 200 {
                break answer.json()["credentialHistory"]["id"].as_str().expect("an id").to_owned();
            }
        };
        let told: Vec<String> = steps(&mut stream, 2).await.into_iter().map(|(_, step)| step).collect();
        assert_eq!(told, [format!("{} offer_sent", before.id), format!("{after} offer_sent")]);
    });
}
