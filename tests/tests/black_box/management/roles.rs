//! Which role may do what. The table here is written by hand: it is what the contract says, not what the code does.

use std::collections::BTreeSet;

use chancery_tests::on_every_backend;
use chancery_tests::platform::{API_KEYS, history_path, issue_body};
use chancery_tests::wallet::offer_uri;
use reqwest::Method;

use super::*;

const OPENID: &str = "/v2/config/digital-wallet/openid";

/// Method, path below `/v2/config`, and the roles that are let in.
const TABLE: &[(&str, &str, &[&str])] = &[
    ("get", "/v2/config/organisation", &["admin", "issuer", "auditor"]),
    ("post", "/v2/config/admin/apikey", &["admin"]),
    ("get", "/v2/config/admin/apikey/{apiKeyId}", &["admin", "issuer", "auditor"]),
    ("delete", "/v2/config/admin/apikey/{apiKeyId}", &["admin"]),
    ("get", "/v2/config/admin/apikeys", &["admin", "issuer", "auditor"]),
    ("put", "/v2/config/admin/apikey/{apiKeyId}/sandbox-org", &["admin"]),
    ("post", "/v2/config/sandbox-org", &["admin"]),
    ("get", "/v2/config/sandbox-org/{sandboxOrgId}", &["admin", "issuer", "auditor"]),
    ("put", "/v2/config/sandbox-org/{sandboxOrgId}", &["admin"]),
    ("delete", "/v2/config/sandbox-org/{sandboxOrgId}", &["admin"]),
    ("put", "/v2/config/sandbox-org/{sandboxOrgId}/name", &["admin"]),
    ("put", "/v2/config/sandbox-org/{sandboxOrgId}/logoimage", &["admin"]),
    ("put", "/v2/config/sandbox-org/{sandboxOrgId}/coverimage", &["admin"]),
    ("get", "/v2/config/sandbox-orgs", &["admin", "issuer", "auditor"]),
    ("put", "/v2/config/admin/access-provider", &["admin"]),
    ("get", "/v2/config/admin/access-provider", &["admin", "issuer", "auditor"]),
    ("delete", "/v2/config/admin/access-provider", &["admin"]),
    ("post", "{openid}/key-management", &["admin"]),
    ("get", "{openid}/key-management", &["admin", "issuer", "auditor"]),
    ("post", "{openid}/key-management/rotate", &["admin"]),
    ("get", "{openid}/key-management/{signingKeyId}", &["admin", "issuer", "auditor"]),
    ("put", "{openid}/key-management/{signingKeyId}/state", &["admin"]),
    ("put", "{openid}/key-management/{signingKeyId}/certificate-chain", &["admin"]),
    ("post", "{openid}/key-management/{signingKeyId}/csr", &["admin"]),
    ("post", "{openid}/sdjwt/credential-definition", &["admin"]),
    ("get", "{openid}/sdjwt/credential-definition/{credentialDefinitionId}", &["admin", "issuer", "auditor"]),
    ("put", "{openid}/sdjwt/credential-definition/{credentialDefinitionId}", &["admin"]),
    ("delete", "{openid}/sdjwt/credential-definition/{credentialDefinitionId}", &["admin"]),
    ("get", "{openid}/sdjwt/credential-definitions", &["admin", "issuer", "auditor"]),
    ("put", "{openid}/identity-provider", &["admin"]),
    ("get", "{openid}/identity-provider", &["admin", "issuer", "auditor"]),
    ("delete", "{openid}/identity-provider", &["admin"]),
    ("put", "{openid}/policy", &["admin"]),
    ("get", "{openid}/policy", &["admin", "issuer", "auditor"]),
    ("post", "{openid}/global-configuration", &["admin"]),
    ("get", "{openid}/global-configuration/{globalConfigurationId}", &["admin", "issuer", "auditor"]),
    ("put", "{openid}/global-configuration/{globalConfigurationId}", &["admin"]),
    ("delete", "{openid}/global-configuration/{globalConfigurationId}", &["admin"]),
    ("get", "{openid}/global-configurations", &["admin", "issuer", "auditor"]),
    ("get", "{openid}/sdjwt/credential-definition/templates", &["admin", "issuer", "auditor"]),
    ("post", "{openid}/sdjwt/credential-definition/preview", &["admin"]),
    ("get", "{openid}/sdjwt/scopes", &["admin", "issuer", "auditor"]),
    ("get", "{openid}/sdjwt/credential-definition/{credentialDefinitionId}/logoimage", &["admin", "issuer", "auditor"]),
    ("put", "{openid}/sdjwt/credential-definition/{credentialDefinitionId}/logoimage", &["admin"]),
    (
        "get",
        "{openid}/sdjwt/credential-definition/{credentialDefinitionId}/coverimage",
        &["admin", "issuer", "auditor"],
    ),
    ("put", "{openid}/sdjwt/credential-definition/{credentialDefinitionId}/coverimage", &["admin"]),
    ("post", "/v2/config/individual", &["admin", "issuer"]),
    ("get", "/v2/config/individual/{individualId}", &["admin", "issuer", "auditor"]),
    ("put", "/v2/config/individual/{individualId}", &["admin", "issuer"]),
    ("delete", "/v2/config/individual/{individualId}", &["admin"]),
    ("get", "/v2/config/individuals", &["admin", "issuer", "auditor"]),
    ("post", "{openid}/sdjwt/credential/issue", &["admin", "issuer"]),
    ("post", "{openid}/sdjwt/credential/issue/bulk", &["admin", "issuer"]),
    ("get", "{openid}/sdjwt/credential/issue/bulk", &["admin", "issuer", "auditor"]),
    ("get", "{openid}/sdjwt/credential/issue/bulk/{bulkId}", &["admin", "issuer", "auditor"]),
    ("get", "{openid}/sdjwt/credential/issue/bulk/{bulkId}/rows", &["admin", "issuer", "auditor"]),
    ("get", "{openid}/sdjwt/credential/issue/bulk/{bulkId}/result", &["admin", "issuer", "auditor"]),
    ("get", "{openid}/sdjwt/credential/issue/bulk/{bulkId}/events", &["admin", "issuer", "auditor"]),
    ("post", "{openid}/sdjwt/credential/issue/bulk/{bulkId}/confirm", &["admin", "issuer"]),
    ("post", "{openid}/sdjwt/credential/issue/bulk/{bulkId}/pause", &["admin", "issuer"]),
    ("post", "{openid}/sdjwt/credential/issue/bulk/{bulkId}/resume", &["admin", "issuer"]),
    ("post", "{openid}/sdjwt/credential/issue/bulk/{bulkId}/cancel", &["admin", "issuer"]),
    ("get", "/v2/config/quotas", &["admin", "issuer", "auditor"]),
    ("get", "/v2/config/audit", &["admin", "issuer", "auditor"]),
    ("get", "{openid}/refused-requests", &["admin", "issuer", "auditor"]),
    ("get", "{openid}/sdjwt/credential/history", &["admin", "issuer", "auditor"]),
    ("delete", "{openid}/sdjwt/credential/history", &["admin"]),
    ("get", "{openid}/sdjwt/credential/history/export", &["admin", "issuer", "auditor"]),
    ("get", "{openid}/sdjwt/credential/history/events", &["admin", "issuer", "auditor"]),
    ("put", "{openid}/retention", &["admin"]),
    ("get", "{openid}/retention", &["admin", "issuer", "auditor"]),
    ("get", "{openid}/sdjwt/credential/history/{credentialExchangeId}", &["admin", "issuer", "auditor"]),
    ("put", "{openid}/sdjwt/credential/history/{credentialExchangeId}", &["admin", "issuer"]),
    ("post", "{openid}/sdjwt/credential/history/{credentialExchangeId}/deny", &["admin", "issuer"]),
    ("post", "{openid}/sdjwt/credential/history/{credentialExchangeId}/cancel", &["admin", "issuer"]),
    ("post", "{openid}/sdjwt/credential/history/{credentialExchangeId}/resend", &["admin", "issuer"]),
    ("post", "{openid}/sdjwt/credential/history/{credentialExchangeId}/unlock", &["admin", "issuer"]),
    ("post", "{openid}/sdjwt/credential/history/{credentialExchangeId}/new-pin", &["admin", "issuer"]),
    ("post", "{openid}/sdjwt/credential/history/{credentialExchangeId}/reoffer", &["admin", "issuer"]),
    ("delete", "{openid}/sdjwt/credential/history/{credentialExchangeId}", &["admin"]),
    ("put", "{openid}/sdjwt/credential/history/{credentialExchangeId}/revocation-status", &["admin", "issuer"]),
    (
        "get",
        "{openid}/sdjwt/credential/history/{credentialExchangeId}/revocation-status",
        &["admin", "issuer", "auditor"],
    ),
    ("post", "{openid}/sdjwt/credential/revocation-status", &["admin"]),
    ("get", "{openid}/sdjwt/credential/history/{credentialExchangeId}/transcript", &["admin", "issuer", "auditor"]),
    ("post", "/v2/config/webhook", &["admin"]),
    ("get", "/v2/config/webhook/{webhookId}", &["admin", "issuer", "auditor"]),
    ("put", "/v2/config/webhook/{webhookId}", &["admin"]),
    ("delete", "/v2/config/webhook/{webhookId}", &["admin"]),
    ("post", "/v2/config/webhook/{webhookId}/ping", &["admin"]),
    ("get", "/v2/config/webhooks", &["admin", "issuer", "auditor"]),
    ("post", "/v2/config/webhooks/{webhookId}/replay", &["admin"]),
    ("get", "/v2/config/webhooks/{webhookId}/deliveries", &["admin", "issuer", "auditor"]),
    ("get", "/v2/config/webhooks/{webhookId}/delivery/{deliveryId}", &["admin", "issuer", "auditor"]),
    ("post", "/v2/config/webhooks/{webhookId}/delivery/{deliveryId}/replay", &["admin"]),
    ("get", "/v2/config/webhooks/event-types", &["admin", "issuer", "auditor"]),
    ("get", "/v2/config/webhooks/payload/content-types", &["admin", "issuer", "auditor"]),
];

fn route(path: &str) -> String {
    path.replace("{openid}", OPENID)
}

/// A concrete path: every parameter is the id of nothing.
fn concrete(path: &str) -> String {
    let segments = path.split('/').map(|segment| if segment.starts_with('{') { UNKNOWN } else { segment });
    segments.collect::<Vec<_>>().join("/")
}

on_every_backend! {
    /// A role is refused with 403 before anything else is looked at, or let in to be told what is wrong.
    async fn a_role_may_do_what_the_table_says_and_nothing_else(world: &World) {
        let administrator = world.organisation().await;
        let roles = [
            ("admin", administrator.clone()),
            ("issuer", administrator.with_role("issuer").await),
            ("auditor", administrator.with_role("auditor").await),
        ];
        let before = world.database.census().await;
        for (role, operator) in &roles {
            for &(method, path, allowed) in TABLE {
                let refused = !allowed.contains(role);
                // Only what is refused changes nothing: an empty description of a key is a good one.
                if !refused && path.contains("key-management") && !path.contains("signingKeyId") && method == "post" {
                    continue;
                }
                // Nothing set is a rule like others.
                if !refused && path.ends_with("/retention") && method == "put" {
                    continue;
                }
                let method: Method = method.to_uppercase().parse().expect("a method");
                // A stream that was let in would have no end.
                let query = if path.ends_with("/history/events") { "?lastEventId=none" } else { "" };
                let path = format!("{}{query}", concrete(&route(path)));
                let request = operator.request(method.clone(), &path).json(&json!({}));
                let answer = operator.send(request).await;
                let what = format!("{role} {method} {path}: {answer}");
                if refused {
                    assert_problem(&answer, 403, "forbidden");
                } else {
                    assert!(matches!(answer.status, 200 | 400 | 404 | 415), "{what}");
                }
            }
        }
        assert_eq!(world.database.census().await, before);
    }

    /// The table is complete: whatever the served description adds must be added here.
    async fn the_table_holds_every_operation_of_the_description(world: &World) {
        let url = format!("{}/openapi/management.json", world.management_url());
        let document = world.http().get(&url).await.ok();
        let mut described = BTreeSet::new();
        for (path, operations) in document["paths"].as_object().expect("paths") {
            for method in operations.as_object().expect("operations").keys() {
                if ["get", "put", "post", "delete", "patch"].contains(&method.as_str()) {
                    described.insert(format!("{method} {path}"));
                }
            }
        }
        let ours: BTreeSet<String> = TABLE.iter().map(|(method, path, _)| format!("{method} {}", route(path))).collect();
        let of_organisations: BTreeSet<String> =
            described.into_iter().filter(|operation| !operation.contains(" /v2/platform/")).collect();
        assert_eq!(of_organisations, ours);
    }

    /// A key is of its role until it ends: the issuer that issues cannot make itself an administrator.
    async fn an_issuer_issues_and_an_auditor_only_reads(world: &World) {
        let (administrator, definition) = badge(world).await;
        let issuer = administrator.with_role("issuer").await;
        let auditor = administrator.with_role("auditor").await;
        let offer = issuer.offer(&definition, &samples::staff_claims()).await;
        assert_eq!(auditor.history(&offer.id).await["status"], "offer_sent");
        assert!(auditor.transcript(&offer.id).await["events"].is_array());
        assert_eq!(auditor.history(&offer.id).await["credentialOffer"], "", "who can fetch the offer can redeem it");
        let list = auditor.get(HISTORY).await.ok();
        assert_eq!(list["credentialHistory"][0]["credentialOffer"], "");
        let offer_id = offer_uri(&offer.link).rsplit_once('/').expect("an offer id").1.to_owned();
        for (role, shown) in [(&auditor, false), (&issuer, true)] {
            let path = format!("{}/transcript", history_path(&offer.id));
            assert_eq!(role.get(&path).await.mentions(&offer_id), shown);
        }
        let more = json!({"name": "more", "role": "admin"});
        assert_problem(&issuer.post(API_KEYS, more).await, 403, "forbidden");
        let body = issue_body(&definition, &samples::staff_claims());
        assert_problem(&auditor.issue(body).await, 403, "forbidden");
    }
}
