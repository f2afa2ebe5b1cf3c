//! The management face, as organisations and the holder of the platform key see it.

use chancery_tests::{Answer, Operator, World, samples};
use serde_json::{Value, json};

mod access_provider;
mod api_keys;
mod audit;
mod bad_input;
mod bearer;
mod certificates;
mod deferred;
mod definition_lists;
mod definition_refusals;
mod definition_versions;
mod definitions;
mod export;
mod global_configuration;
mod history;
mod idempotency;
mod identity_provider;
mod images;
mod individuals;
mod issue;
mod issue_refusals;
mod organisations;
mod policy;
mod preconditions;
mod quotas;
mod records;
mod remedies;
mod repetition;
mod retention;
mod roles;
mod sandboxes;
mod signing_keys;
mod signing_obstacles;
mod transaction_codes;
mod transcript;
mod watch;

/// Path of the list of API keys.
const API_KEY_LIST: &str = "/v2/config/admin/apikeys";
/// Path of the signing keys.
const KEYS: &str = "/v2/config/digital-wallet/openid/key-management";
/// Path under which definitions are created.
const DEFINITION: &str = "/v2/config/digital-wallet/openid/sdjwt/credential-definition";
/// Path of the list of definitions.
const DEFINITIONS: &str = "/v2/config/digital-wallet/openid/sdjwt/credential-definitions";
/// Path of the list of records.
const HISTORY: &str = "/v2/config/digital-wallet/openid/sdjwt/credential/history";

/// A well-formed id of nothing.
const UNKNOWN: &str = "018f0000-0000-7000-8000-00000000dead";

/// What the clock of a new world shows, in Unix seconds.
const START: i64 = 1_768_478_400;

/// Asserts the problem type of an error, and its status.
#[track_caller]
fn assert_problem(answer: &Answer, status: u16, slug: &str) {
    let problem = answer.problem(status);
    assert_eq!(problem["type"], format!("/docs/problems/{slug}"), "{answer}");
}

/// An organisation with a staff badge.
async fn badge(world: &World) -> (Operator, Value) {
    let operator = world.organisation().await;
    let definition = operator.define(&samples::staff_badge()).await;
    (operator, definition)
}

/// The JSON type of a value; whole numbers are their own.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_i64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Walks a list that holds `total` items from both ends in pages of `limit`, and checks the arithmetic of every page
/// (management API contract). `list` fetches a page by its query; items are told apart by `id`.
async fn check_pages(list: impl AsyncFn(&str) -> Answer, items: &str, id: &str, total: usize, limit: usize) {
    let pages = total.div_ceil(limit);
    let mut walks = Vec::new();
    for order in ["desc", "asc"] {
        let mut seen = Vec::new();
        for page in 0..=pages {
            let offset = page * limit;
            let answer = list(&format!("offset={offset}&limit={limit}&sortOrder={order}")).await;
            let body = answer.ok();
            let expected = json!({
                "currentPage": page + 1,
                "totalItems": total,
                "totalPages": pages,
                "limit": limit,
                "hasPrevious": page > 0 && total > 0,
                "hasNext": offset + limit < total,
            });
            assert_eq!(body["pagination"], expected, "{order} page {page} of {total}: {answer}");
            let found = body[items].as_array().unwrap_or_else(|| panic!("no {items}: {answer}"));
            assert_eq!(found.len(), limit.min(total.saturating_sub(offset)), "{answer}");
            seen.extend(found.iter().map(|item| item[id].as_str().expect("an id").to_owned()));
        }
        assert_eq!(seen.len(), total);
        walks.push(seen);
    }
    walks[1].reverse();
    assert_eq!(walks[0], walks[1], "ascending is descending the other way round");
    let newest_first = list("").await.ok()[items].clone();
    let first = newest_first.as_array().and_then(|all| all.first()).map(|item| item[id].clone());
    assert_eq!(first, walks[0].first().map(|id| json!(id)), "desc is the default");
}
