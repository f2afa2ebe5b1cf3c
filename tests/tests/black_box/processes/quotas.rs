//! Quotas that several processes count at the same time.

use chancery_tests::Operator;
use chancery_tests::platform::issue_body;

use super::*;

/// Two processes let at most one exchange more through than the quota says, however they meet; and never fewer.
#[test]
fn two_processes_go_beyond_a_quota_by_one_at_most() {
    networked(async |world| {
        let operator = world.organisation().await;
        let definition = operator.define(&samples::staff_badge()).await;
        let path = format!("/v2/platform/organisations/{}/quotas", operator.organisation_id());
        world.platform().put(&path, json!({"exchangesPerDay": 40})).await.ok();
        let servers = [world.another_server().await, world.another_server().await];
        let [here, there] = servers.each_ref().map(|server| {
            let address = server.management_address().expect("an address");
            operator.at(&format!("http://{address}"))
        });
        let body = issue_body(&definition, &samples::staff_claims());
        let until_refused = async |operator: &Operator| {
            let mut begun = 0;
            loop {
                let answer = operator.issue(body.clone()).await;
                if answer.status != 200 {
                    answer.problem(429);
                    return begun;
                }
                begun += 1;
            }
        };
        let (first, second) = tokio::join!(until_refused(&here), until_refused(&there));
        assert!((40..=41).contains(&(first + second)), "{first} and {second}");
        let shown = operator.get("/v2/config/quotas").await.ok();
        assert_eq!(shown["quotas"]["exchangesPerDay"]["used"], first + second);
        for server in servers {
            server.stop().await;
        }
    });
}
