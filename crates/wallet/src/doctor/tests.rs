use super::{Kind, Severity};
use crate::fixtures::server::{Answer, Issuer as Server, Manner};
use crate::fixtures::{IDENTIFIER, NOW};
use crate::{Report, Wallet};
use serde_json::{Value, json};
use std::collections::HashSet;

async fn report(manner: Manner) -> Report {
    let server = Server::start(manner).await;
    let wallet = Wallet::builder().clock(|| NOW).build().unwrap();
    wallet.examine(IDENTIFIER, None, &server.options()).await.unwrap()
}

/// The codes that a change at one place brings in addition.
async fn changed(place: &'static str, change: fn(&mut Answer)) -> Vec<&'static str> {
    let usual: HashSet<&str> = codes(&report(Manner { everything: true, ..Manner::default() }).await);
    let change = move |target: &str, answer: &mut Answer| {
        if target.ends_with(place) {
            change(answer);
        }
    };
    let manner = Manner { everything: true, change: Box::new(change), ..Manner::default() };
    let mut new: Vec<&str> = codes(&report(manner).await).difference(&usual).copied().collect();
    new.sort_unstable();
    new
}

fn codes(report: &Report) -> HashSet<&'static str> {
    report.findings().map(|finding| finding.kind.code).collect()
}

/// What is wrong with an answer.
type Change = fn(&mut Answer);

const ISSUER: &str = "/.well-known/openid-credential-issuer/t/acme";
const SERVER: &str = "/.well-known/oauth-authorization-server/t/acme";

#[tokio::test]
async fn each_broken_document_is_found_under_its_name() {
    let cases: [(&'static str, Change, &str); 10] = [
        (ISSUER, |a| a.status = 404, "issuer-metadata-missing"),
        (ISSUER, |a| a.status = 301, "redirected"),
        (ISSUER, |a| a.body["credential_issuer"] = json!("https://other.example"), "issuer-differs"),
        (ISSUER, |a| a.body["credential_issuer"] = json!(format!("{IDENTIFIER}/")), "issuer-trailing-slash"),
        (ISSUER, |a| a.headers[0].1 = "text/html".into(), "content-type"),
        (ISSUER, |a| a.body["nonce_endpoint"] = json!("http://issuer.example/t/acme/nonce"), "http-endpoint"),
        (ISSUER, |a| a.body["credential_endpoint"] = json!("https://elsewhere.example/c"), "foreign-endpoint"),
        (ISSUER, |a| a.body["display"] = json!([{"locale": "en"}, {"locale": "en"}]), "issuer-metadata-invalid"),
        (SERVER, |a| a.status = 404, "server-metadata-missing"),
        (SERVER, |a| a.body["issuer"] = json!("https://other.example"), "server-issuer-differs"),
    ];
    for (place, change, code) in cases {
        let found = changed(place, change).await;
        assert!(found.contains(&code), "{place} {code}: {found:?}");
    }
}

#[tokio::test]
async fn each_broken_endpoint_is_found_under_its_name() {
    let cases: [(&'static str, Change, &str); 3] = [
        ("/challenge", |a| drop(a.headers.remove(1)), "cacheable"),
        ("/nonce", |a| a.body = Value::Null, "nonce-endpoint-wrong"),
        ("/notification", |a| a.status = 200, "endpoint-open"),
    ];
    for (place, change, code) in cases {
        let found = changed(place, change).await;
        assert!(found.contains(&code), "{place} {code}: {found:?}");
    }
}

#[tokio::test]
async fn a_report_can_be_read_by_people_and_programs() {
    let report = report(Manner::default()).await;
    assert!(!report.healthy(), "this fixture has no CORS headers");
    let text = report.render(crate::Style::Plain);
    assert!(text.contains("✓") && text.contains("cors-missing") && text.contains("refused by"), "{text}");
    let value = report.to_json();
    assert_eq!(value["healthy"], false);
    assert!(value["checks"].as_array().unwrap().len() > 8);
    assert!(!text.contains('\u{1b}'));
}

#[test]
fn every_kind_has_a_code_of_its_own_and_says_what_to_change() {
    let codes: HashSet<&str> = Kind::ALL.iter().map(|kind| kind.code).collect();
    assert_eq!(codes.len(), Kind::ALL.len());
    assert!(
        Kind::ALL.iter().all(|kind| !kind.fix.is_empty() && !kind.clause.is_empty() && !kind.refused_by.is_empty())
    );
    assert!(Severity::Note < Severity::Warning && Severity::Warning < Severity::Error);
}
