//! Nothing is offered that nobody could sign: under HAIP without certificates that would do, anywhere once they have ended.

use std::time::Duration;

use chancery_model::Timestamp;
use chancery_tests::certificates::Authority;
use chancery_tests::on_every_backend;
use chancery_tests::platform::{history_path, issue_body};
use chancery_tests::{Offer, Provider};

use super::*;

const POLICY: &str = "/v2/config/digital-wallet/openid/policy";
const BULK: &str = "/v2/config/digital-wallet/openid/sdjwt/credential/issue/bulk";
const DAY: u32 = 86_400;

fn haip() -> Value {
    json!({"profile": "haip", "trustAnchors": Provider::new("https://wallet.example").trust_anchors()})
}

async fn warnings(operator: &Operator) -> Vec<String> {
    let answer = operator.get(POLICY).await.ok();
    answer["warnings"]
        .as_array()
        .expect("warnings")
        .iter()
        .map(|text| text.as_str().expect("a text").to_owned())
        .collect()
}

/// Asserts that each way to an offer is refused for this reason, and that no exchange begins.
async fn assert_refused(operator: &Operator, definition: &Value, open: &Offer, reason: &str) {
    let before = operator.get(HISTORY).await.ok()["pagination"]["totalItems"].clone();
    let id = definition["credentialDefinitionId"].as_str().expect("an id");
    let table = operator.request(reqwest::Method::POST, &format!("{BULK}?credentialDefinitionId={id}"));
    let table = table.header("content-type", "text/csv").body("given_name,family_name,employee_id\nA,B,C\n");
    for (way, answer) in [
        ("issue", operator.issue(issue_body(definition, &samples::staff_claims())).await),
        ("resend", operator.post(&format!("{}/resend", history_path(&open.id)), json!({})).await),
        ("reoffer", operator.post(&format!("{}/reoffer", history_path(&open.id)), json!({})).await),
        ("bulk", operator.send(table).await),
    ] {
        assert_problem(&answer, 409, "no-signing-key");
        let detail = answer.json()["detail"].as_str().expect("a detail").to_owned();
        assert!(detail.contains(reason) && detail.contains("upload"), "{way}: {detail}");
    }
    assert_eq!(operator.get(HISTORY).await.ok()["pagination"]["totalItems"], before);
}

on_every_backend! {
    /// HAI-5: the policy is taken before there is a chain, says what is missing, and offers begin with a chain that will do.
    async fn under_haip_nothing_is_offered_without_certificates_that_will_do(world: &World) {
        let (operator, definition) = badge(world).await;
        let open = operator.offer(&definition, &samples::staff_claims()).await;
        assert_eq!(warnings(&operator).await, [""; 0]);
        let set = operator.put(POLICY, haip()).await.ok();
        assert!(set["warnings"][0].as_str().is_some_and(|text| text.contains("no certificate chain")), "{set}");
        assert_refused(&operator, &definition, &open, "no certificate chain").await;

        let authority = Authority::new(world.env.now());
        let of_the_authority = json!({"commonName": "Root"});
        let alone = authority.certify_request(&operator.signing_request(of_the_authority).await);
        operator.upload_chain(&[&alone]).await.ok();
        assert_refused(&operator, &definition, &open, "self-signed").await;

        let leaf = authority.certify_request(&operator.signing_request(json!({})).await);
        operator.upload_chain(&[&leaf, authority.certificate()]).await.ok();
        assert_refused(&operator, &definition, &open, "trust anchor").await;
        assert!(warnings(&operator).await[0].contains("trust anchor"));

        let end = world.env.now().plus_seconds(60 * DAY);
        operator.certify_until(&authority, end).await;
        assert_eq!(warnings(&operator).await, [""; 0]);
        let again = operator.post(&format!("{}/resend", history_path(&open.id)), json!({})).await.ok();
        assert_eq!(again["credentialHistory"]["credentialOffer"], open.link);
        operator.offer(&definition, &samples::staff_claims()).await;

        world.advance(Duration::from_secs(u64::from(60 * DAY)));
        assert_refused(&operator, &definition, &open, "expired on").await;
        operator.upload_chain(&[]).await.ok();
        assert_refused(&operator, &definition, &open, "no certificate chain").await;
    }

    /// A definition that is verified by certificates issues with `kid` before there are any, and nothing once they have ended.
    async fn in_any_profile_nothing_is_offered_once_the_certificates_have_ended(world: &World) {
        let operator = world.organisation().await;
        let mut by_certificate = samples::staff_badge();
        by_certificate["trustAnchor"] = "x509".into();
        let by_certificate = operator.define(&by_certificate).await;
        let by_kid = operator.define(&samples::pid()).await;
        let open = operator.offer(&by_certificate, &samples::staff_claims()).await;
        let end = world.env.now().plus_seconds(DAY);
        operator.certify_until(&Authority::new(world.env.now()), end).await;
        operator.offer(&by_certificate, &samples::staff_claims()).await;
        world.env.set_clock(end);
        assert_refused(&operator, &by_certificate, &open, "expired on").await;
        operator.offer(&by_kid, &samples::pid_claims()).await;
    }

    /// As for trust anchors: for 30 days before the end, and after it.
    async fn certificates_that_end_are_warned_of(world: &World) {
        let operator = world.organisation().await;
        let end = world.env.now().plus_seconds(31 * DAY);
        operator.certify_until(&Authority::new(world.env.now()), end).await;
        assert_eq!(warnings(&operator).await, [""; 0]);
        for (ahead, verb) in [(30 * DAY, "ends at"), (0, "ends at")] {
            world.env.set_clock(Timestamp::from_seconds(end.seconds() - i64::from(ahead)));
            let warned = warnings(&operator).await;
            let expected = format!("{verb} {} (unix seconds)", end.seconds());
            assert!(warned.len() == 1 && warned[0].ends_with(&expected), "{warned:?}");
        }
        world.env.set_clock(end.plus_seconds(1));
        assert!(warnings(&operator).await[0].contains(" ended at "));
        // The organisation is shown with them, too.
        let path = format!("/v2/platform/organisations/{}", operator.organisation_id());
        assert!(world.platform().get(&path).await.ok()["warnings"][0].as_str().is_some_and(|text| text.contains("ended")));
    }
}
