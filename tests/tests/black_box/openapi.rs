//! The served descriptions: OpenAPI 3.1, complete, and true.

use std::collections::BTreeSet;

use chancery_tests::wallet::offer_uri;
use chancery_tests::{Answer, Call, World, on_every_backend, samples, sd_jwt};
use reqwest::Method;
use serde_json::Value;

const DOCUMENTS: [&str; 2] = ["management.json", "wallet.json"];
const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];

struct Operation {
    path: String,
    method: String,
    item: Value,
}

impl std::fmt::Display for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

async fn document(world: &World, name: &str) -> Value {
    world.http().get(&format!("{}/openapi/{name}", world.management_url())).await.ok()
}

fn operations(document: &Value) -> Vec<Operation> {
    let mut operations = Vec::new();
    for (path, items) in document["paths"].as_object().expect("paths") {
        for (method, item) in items.as_object().expect("operations") {
            if METHODS.contains(&method.as_str()) {
                operations.push(Operation { path: path.clone(), method: method.clone(), item: item.clone() });
            }
        }
    }
    operations
}

fn described_methods(document: &Value, path: &str) -> BTreeSet<String> {
    let all = operations(document).into_iter();
    all.filter(|operation| operation.path == path).map(|operation| operation.method.to_uppercase()).collect()
}

fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|value| references(value, found));
        }
        Value::Array(elements) => elements.iter().for_each(|value| references(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Whether a media type shows an example, itself or by its schema.
fn has_example(content: &Value) -> bool {
    content.get("example").is_some() || content.get("examples").is_some()
}

/// Endpoints of the wallet face that take an access token.
const ENDPOINTS_WITH_TOKEN: [&str; 3] = ["/credential", "/deferred-credential", "/notification"];

on_every_backend! {
    async fn both_descriptions_are_well_formed(world: &World) {
        for name in DOCUMENTS {
            let document = document(world, name).await;
            assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1.")), "{name}");
            for member in ["title", "version"] {
                assert!(document["info"][member].as_str().is_some_and(|text| !text.is_empty()), "{name} {member}");
            }
            let mut found = BTreeSet::new();
            references(&document, &mut found);
            for reference in found {
                let pointer = reference.strip_prefix('#').unwrap_or_else(|| panic!("{reference} leads elsewhere"));
                assert!(document.pointer(pointer).is_some(), "{name}: {reference} leads nowhere");
            }
            let mut ids = BTreeSet::new();
            for operation in operations(&document) {
                let id = operation.item["operationId"].as_str().unwrap_or_else(|| panic!("{operation}: no operationId"));
                assert!(ids.insert(id.to_owned()), "{operation}: {id} is there twice");
                assert!(operation.item["tags"].as_array().is_some_and(|tags| !tags.is_empty()), "{operation}: no tag");
                let declared: BTreeSet<String> = [&operation.item, &document["paths"][&operation.path]]
                    .iter()
                    .filter_map(|place| place["parameters"].as_array())
                    .flatten()
                    .filter(|parameter| parameter["in"] == "path")
                    .map(|parameter| parameter["name"].as_str().expect("a name").to_owned())
                    .collect();
                let in_path: BTreeSet<String> = operation
                    .path
                    .split('/')
                    .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
                    .map(str::to_owned)
                    .collect();
                assert_eq!(declared, in_path, "{operation}");
            }
        }
    }

    /// Every operation says what it costs to call it and what can go wrong, with an example of each error and a `curl`
    /// call to begin with.
    async fn every_operation_is_described_with_its_errors(world: &World) {
        for name in DOCUMENTS {
            let document = document(world, name).await;
            let schemes = &document["components"]["securitySchemes"];
            for operation in operations(&document) {
                let item = &operation.item;
                let security = item["security"].as_array().cloned().unwrap_or_default();
                let needs_key = name == "management.json" || ENDPOINTS_WITH_TOKEN.iter().any(|name| operation.path.ends_with(name));
                assert_eq!(!security.is_empty(), needs_key, "{operation}: security");
                for scheme in security.iter().flat_map(|one| one.as_object().expect("a requirement").keys()) {
                    assert!(schemes.get(scheme).is_some(), "{operation}: {scheme}");
                }
                assert!(item.to_string().contains("curl "), "{operation}: no curl example");
                let body = item["requestBody"]["content"].as_object();
                for (media_type, content) in body.into_iter().flatten() {
                    let shown = has_example(content) || item["description"].as_str().is_some_and(|text| text.contains("curl "));
                    assert!(shown, "{operation}: no example of a request in {media_type}");
                }
                let responses = item["responses"].as_object().expect("responses");
                let is_success = |status: &String| status.starts_with('2') || status == "303";
                assert!(responses.keys().any(is_success), "{operation}: no success");
                let mut errors = 0;
                for (status, response) in responses.iter().filter(|(status, _)| *status >= &"400".to_owned()) {
                    let content = response["content"].as_object().unwrap_or_else(|| panic!("{operation}: {status} is bare"));
                    for (media_type, content) in content {
                        let expected = if name == "management.json" { "application/problem+json" } else { "application/json" };
                        // What a browser opens answers pages.
                        let is_page = item["tags"][0] == "Signing in" && media_type == "text/html";
                        assert!(is_page || media_type == expected, "{operation}: {status}");
                        assert!(has_example(content), "{operation}: no example of {status}");
                    }
                    errors += usize::from(status.starts_with('4'));
                }
                assert!(errors > 0, "{operation}: no 4xx");
                let expected: &[&str] = if name == "management.json" { &["401", "500", "503"] } else { &["404", "500", "503"] };
                for status in expected {
                    assert!(responses.contains_key(*status), "{operation}: no {status}");
                }
            }
        }
    }

    /// The files in the repository are those that this server serves (`make openapi` writes them).
    async fn the_committed_descriptions_are_current(world: &World) {
        for name in DOCUMENTS {
            let path = format!("{}/../openapi/{name}", env!("CARGO_MANIFEST_DIR"));
            let committed: Value = serde_json::from_slice(&std::fs::read(&path).expect("the file")).expect("JSON");
            assert_eq!(committed, document(world, name).await, "{name}");
        }
    }

    /// Every described operation of the management face answers its method, and no other method is answered there.
    async fn every_management_operation_answers_and_nothing_else(world: &World) {
        let document = document(world, "management.json").await;
        let paths: BTreeSet<String> = operations(&document).into_iter().map(|operation| operation.path).collect();
        for path in paths {
            let segments = path.split('/').map(|segment| if segment.starts_with('{') { "x" } else { segment });
            let url = format!("{}{}", world.management_url(), segments.collect::<Vec<_>>().join("/"));
            let described = described_methods(&document, &path);
            for method in METHODS.map(str::to_uppercase) {
                let request = world.http().request(method.parse::<Method>().expect("a method"), &url);
                let answer = world.http().send(request).await;
                if described.contains(&method) {
                    // Without a key: the route is there, and closed.
                    assert_eq!(answer.status, 401, "{method} {path}: {answer}");
                    continue;
                }
                assert_eq!(answer.status, 405, "{method} {path}: {answer}");
                let allowed: BTreeSet<String> =
                    answer.header("allow").unwrap_or_default().split(',').map(|name| name.trim().to_owned()).collect();
                assert!(described.is_subset(&allowed), "{path}: {allowed:?}");
            }
        }
    }

    /// The same for the wallet face, where the routes are open.
    async fn every_wallet_operation_answers_and_nothing_else(world: &World) {
        let operator = world.organisation().await;
        let mut badge = samples::staff_badge();
        badge["credentialDefinitions"][0]["vct"] = format!("{}/types/badge", operator.issuer()).into();
        badge["credentialDefinitions"][0]["supportRevocation"] = true.into();
        let definition = operator.define(&badge).await;
        let definition = operator.show_logo(&definition).await;
        let logo = definition["credentialDefinitions"][0]["display"]["logo"]["uri"].clone();
        let issued = operator.offer(&definition, &samples::staff_claims()).await;
        let issued = world.wallet().accept(&issued.link).await;
        let status = sd_jwt::parts(&issued.credential).signed["status"]["status_list"]["uri"].clone();
        let offer = offer_uri(&operator.offer(&definition, &samples::staff_claims()).await.link);
        let document = document(world, "wallet.json").await;
        let paths: BTreeSet<String> = operations(&document).into_iter().map(|operation| operation.path).collect();
        for path in paths {
            let endpoint = path.strip_prefix("/o/{organisation}").unwrap_or_else(|| panic!("{path}"));
            let url = match endpoint {
                "/credential-offers/{offer_id}" => offer.clone(),
                "/status-lists/{id}" => status.as_str().expect("a status list").to_owned(),
                "/types/{name}" => format!("{}/types/badge", operator.issuer()),
                "/images/{name}" => logo.as_str().expect("a logo").to_owned(),
                fixed => format!("{}{fixed}", operator.issuer()),
            };
            assert!(!url.contains('{'), "the walk does not know {path}");
            let described = described_methods(&document, &path);
            for method in METHODS.map(str::to_uppercase) {
                let answer = call(world, &method, &url).await;
                let (expected, error) = match (described.contains(&method), endpoint, method.as_str()) {
                    (false, ..) => (405, Some("invalid_request")),
                    (true, "/token" | "/par", _) => (400, Some("invalid_request")),
                    (true, "/credential" | "/deferred-credential" | "/notification", _) => (401, None),
                    // Pages, for a browser that brings nothing.
                    (true, "/authorize" | "/sign-in/callback" | "/consent", _) => (400, None),
                    (true, ..) => (200, None),
                };
                if matches!(endpoint, "/types/{name}" | "/images/{name}") && expected == 405 && answer.status == 404 {
                    // Only a read looks whether the path is a credential type or a picture.
                    continue;
                }
                assert_eq!(answer.status, expected, "{method} {path}: {answer}");
                if let Some(error) = error {
                    answer.refused(expected, error);
                }
            }
        }
    }

    /// The reference is served by the product itself: no script, style or font from elsewhere.
    async fn the_reference_is_served_without_help_from_elsewhere(world: &World) {
        let page = world.http().get(&format!("{}/docs/", world.management_url())).await;
        assert_eq!(page.status, 200, "{page}");
        page.assert_media_type("text/html");
        let text = page.text();
        for elsewhere in ["src=\"http", "src=\"//", "href=\"http", "href=\"//"] {
            assert!(!text.contains(elsewhere), "{elsewhere} in {text}");
        }
        for source in text.split("src=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            let url = format!("{}/docs/{}", world.management_url(), source.trim_start_matches("./"));
            assert_eq!(world.http().get(&url).await.status, 200, "{source}");
        }
        let root = world.http().get(&world.management_url()).await;
        assert!((300..400).contains(&root.status), "{root}");
    }

    /// Each problem type has a page, and an unknown one has none.
    async fn every_problem_type_in_the_description_has_a_page(world: &World) {
        let text = document(world, "management.json").await.to_string();
        let pages: BTreeSet<&str> = text
            .split("/docs/problems/")
            .skip(1)
            .filter_map(|rest| rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').next())
            .filter(|slug| !slug.is_empty())
            .collect();
        assert!(pages.len() >= 10, "{pages:?}");
        for slug in pages {
            let page = world.http().get(&format!("{}/docs/problems/{slug}", world.management_url())).await;
            assert_eq!(page.status, 200, "{slug}");
            page.assert_media_type("text/html");
        }
        for wrong in ["nothing", "..%2F..%2FCargo", "%00"] {
            let page = world.http().get(&format!("{}/docs/problems/{wrong}", world.management_url())).await;
            assert_eq!(page.status, 404, "{wrong}");
        }
    }
}

async fn call(world: &World, method: &str, url: &str) -> Answer {
    let call = Call::new(method.parse().expect("a method"), url);
    world.wallet().send(call).await
}
