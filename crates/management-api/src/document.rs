//! `openapi/management.json`: what the handlers say of themselves, and what the tables of permissions and
//! problems say of all of them.

mod examples;
mod shapes;

use std::collections::HashMap;

use axum::http::Method;
use chancery_issuance::management::Fault;
use serde_json::{Value, json};
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::Type;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, Http, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    Components, Content, ContentBuilder, InfoBuilder, LicenseBuilder, ObjectBuilder, OpenApi, Ref, RefOr, Required,
    ResponseBuilder, ServerBuilder,
};
use utoipa_axum::router::OpenApiRouter;

use crate::problem::{Kind, Problem, ProblemDocument, ProblemPlace};
use crate::routes::{self, Permission};
use crate::{access, repetition};

const INTRODUCTION: &str = "What organisations call: credential definitions, issuance, keys and access; and, for the holder \
of the platform key, the organisations themselves.\n\n\
Every refusal is `application/problem+json` (RFC 9457): `type` leads to a page that explains it, `errors` names every wrong \
place of a request by its JSON Pointer, and `errorCode` and `errorDescription` repeat status and detail for clients of \
older APIs. Ids of another organisation are answered like ids that do not exist.\n\n\
Lists take `offset`, `limit` (at most 100) and `sortOrder`. Members without a value have the empty value of their type. \
Requests may carry `X-Request-Id`; every answer does.";

#[derive(utoipa::OpenApi)]
#[openapi(
    components(schemas(ProblemDocument, ProblemPlace)),
    tags(
        (name = "Issuance", description = "Offers, records and transcripts"),
        (name = "Bulk issuance", description = "Offers for the rows of a file"),
        (name = "Status", description = "Revoke, suspend and reactivate what was issued"),
        (name = "Organisation", description = "Who the API key belongs to"),
        (name = "Global configuration", description = "Defaults of an organisation"),
        (name = "Credential definitions", description = "What an organisation offers"),
        (name = "Identity provider", description = "Where people sign in"),
        (name = "Policy", description = "What wallets must do"),
        (name = "Signing keys", description = "Keys that sign credentials"),
        (name = "Audit log", description = "What was changed, by whom, and who tried to"),
        (name = "Webhooks", description = "Events of exchanges for the organisation's own services"),
        (name = "Quotas", description = "How much an organisation may do"),
        (name = "API keys", description = "Access to this API for programs"),
        (name = "Access provider", description = "Access to this API for people"),
        (name = "Sandbox organisations", description = "Organisations below the organisation, for trying things out"),
        (name = "Platform", description = "Organisations, for the holder of the platform key"),
    ),
)]
struct Frame;

/// The description of every operation.
pub(crate) fn describe() -> OpenApi {
    let mut frame = <Frame as utoipa::OpenApi>::openapi();
    frame.info = InfoBuilder::new()
        .title("Chancery management API")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(INTRODUCTION))
        .license(Some(LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build()))
        .build();
    frame.servers = Some(vec![ServerBuilder::new().url("/").description(Some("The management face")).build()]);
    let mut description = OpenApiRouter::with_openapi(frame).merge(routes::table()).into_openapi();
    for (method, path, permission) in routes::PERMISSIONS {
        if let Some(operation) = operation(&mut description, method, path) {
            complete(operation, method, path, *permission);
        }
    }
    shapes::settle(&mut description);
    examples::fill(&mut description);
    let components = description.components.get_or_insert_with(Components::new);
    let scheme =
        |text: &str| SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description("Authorization", text)));
    components.add_security_scheme("ApiKey", scheme("`ApiKey <key>`: a key of an organisation, with a role"));
    components.add_security_scheme("Bearer", SecurityScheme::Http(bearer()));
    components.add_security_scheme("PlatformKey", scheme("`ApiKey <platform key>`: the key of the deployment"));
    description
}

/// Access tokens of people.
fn bearer() -> Http {
    let text = "An access token of the organisation's access provider, whose claims give a role. Unless `aud` names the issuer \
                identifier of the organisation, `X-OrganisationId` says which organisation is meant.";
    HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").description(Some(text)).build()
}

/// Names of operations by method and route.
pub(crate) fn operation_names() -> HashMap<(String, String), String> {
    let mut description = describe();
    let named = routes::PERMISSIONS.iter().filter_map(|(method, path, _)| {
        let name = operation(&mut description, method, path)?.operation_id.clone()?;
        Some(((method.as_str().to_owned(), (*path).to_owned()), name))
    });
    named.collect()
}

fn operation<'d>(description: &'d mut OpenApi, method: &Method, path: &str) -> Option<&'d mut Operation> {
    let item = description.paths.paths.get_mut(path)?;
    match method.as_str() {
        "GET" => item.get.as_mut(),
        "POST" => item.post.as_mut(),
        "PUT" => item.put.as_mut(),
        "DELETE" => item.delete.as_mut(),
        _ => None,
    }
}

fn complete(operation: &mut Operation, method: &Method, path: &str, permission: Permission) {
    let is_platform = permission == Permission::Platform;
    let schemes: &[&str] = if is_platform { &["PlatformKey"] } else { &["ApiKey", "Bearer"] };
    let requirement = |scheme: &&str| SecurityRequirement::new(*scheme, Vec::<String>::new());
    operation.security = Some(schemes.iter().map(requirement).collect());
    let note = format!("For {}.", access::roles(permission));
    let text = operation.description.take().filter(|text| !text.is_empty());
    operation.description = Some(text.map_or(note.clone(), |text| format!("{text}\n\n{note}")));

    let has_body = operation.request_body.is_some();
    let has_query = operation.parameters.iter().flatten().any(|parameter| match parameter {
        RefOr::T(parameter) => parameter.parameter_in == ParameterIn::Query,
        RefOr::Ref(_) => false,
    });
    let mut problems = vec![(Kind::Unauthorized, "the key is not known here")];
    if has_body {
        problems.push((Kind::InvalidRequest, "/name: this member is mandatory"));
        problems.push((Kind::PayloadTooLarge, "at most 1048576 bytes are read"));
        problems.push((Kind::UnsupportedMediaType, "send Content-Type: application/json"));
    } else if has_query {
        problems.push((Kind::InvalidQuery, "/sortOrder: asc or desc is expected"));
    }
    if !is_platform {
        problems.push((Kind::TooManyRequests, "the organisation's programs send more requests a minute than they may"));
        problems.push((Kind::Forbidden, "this operation is for the role admin; yours is auditor"));
    }
    if path.contains('{') {
        problems.push((Kind::NotFound, "there is no such record"));
    }
    if knows_sandboxes(path) {
        operation.parameters.get_or_insert_default().push(sandbox());
        // Bodies and queries that are wrong have their own example of a 400.
        problems.push((Kind::UnknownSandbox, "X-SandboxOrgId names no sandbox organisation of yours that is deployed"));
    }
    if method == Method::POST && repetition::is_covered(path) {
        operation.parameters.get_or_insert_default().push(idempotency_key());
        problems.push((Kind::InvalidIdempotencyKey, "send one key of 1 to 255 printable ASCII characters"));
        problems.push((Kind::RequestUnfinished, "the same request is being answered, or broke off"));
        problems.push((Kind::IdempotencyKeyReused, "choose a new key for each new request"));
    }
    problems.push((Kind::Internal, "the failure is logged under the request id of this answer"));
    problems.push((Kind::Unavailable, "something we depend on does not answer; try again in a moment"));
    for (kind, detail) in problems {
        let response = ResponseBuilder::new()
            .description(kind.title())
            .content("application/problem+json", problem(kind, detail, path))
            .build();
        operation.responses.responses.entry(kind.status().as_str().to_owned()).or_insert(RefOr::T(response));
    }
    complete_conflicts(operation, path);
    let sample = json!([{ "lang": "Shell", "label": "curl", "source": curl(operation, method, path) }]);
    let extensions = utoipa::openapi::extensions::ExtensionsBuilder::new().add("x-codeSamples", sample).build();
    operation.extensions.get_or_insert_default().merge(extensions);
}

/// Whether an operation is about what sandbox organisations have, too.
fn knows_sandboxes(path: &str) -> bool {
    let parts = ["digital-wallet/", "webhook", "individual", "audit", "quotas", "organisation"];
    path.strip_prefix("/v2/config/").is_some_and(|rest| parts.iter().any(|part| rest.starts_with(part)))
}

/// The header by which people choose a sandbox organisation.
fn sandbox() -> RefOr<Parameter> {
    let text = "Id of the sandbox organisation that is meant, for callers with an access token. API keys are bound to theirs, and the \
                header is ignored. `X-SubwalletId` is its older name.";
    let schema = ObjectBuilder::new().schema_type(Type::String).build();
    RefOr::T(
        ParameterBuilder::new()
            .name("X-SandboxOrgId")
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some(text))
            .schema(Some(schema))
            .build(),
    )
}

/// The header that every `POST` of an organisation takes.
fn idempotency_key() -> RefOr<Parameter> {
    let text = "Name of this request, chosen by the client, 1 to 255 printable ASCII characters. The same request under the same \
                key is answered again for 24 hours, and done once.";
    // No space at either end: HTTP takes it away.
    let printable = Some("^[!-~]([ -~]{0,253}[!-~])?$");
    let schema = ObjectBuilder::new().schema_type(Type::String).pattern(printable).build();
    RefOr::T(
        ParameterBuilder::new()
            .name("Idempotency-Key")
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some(text))
            .schema(Some(schema))
            .build(),
    )
}

/// Handlers name their own problems by slug in the description of the response; the body is the same
/// everywhere.
fn complete_conflicts(operation: &mut Operation, path: &str) {
    for response in operation.responses.responses.values_mut() {
        let RefOr::T(response) = response else { continue };
        let named = Kind::ALL.iter().find(|kind| response.description.contains(&format!("`{}`", kind.slug())));
        if let Some(kind) = named.filter(|_| response.content.is_empty()) {
            let content = problem(*kind, kind.title(), path);
            response.content.insert("application/problem+json".to_owned(), RefOr::T(content));
        }
    }
}

fn problem(kind: Kind, detail: &str, path: &str) -> Content {
    let place = detail.split_once(": ").filter(|(pointer, _)| pointer.starts_with('/'));
    let problem = match place {
        Some((pointer, detail)) => {
            Problem::faulty(kind, vec![Fault { pointer: pointer.to_owned(), detail: detail.to_owned() }])
        }
        None => Problem::new(kind, detail),
    };
    let example = serde_json::to_value(problem.document(path)).unwrap_or_default();
    ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).example(Some(example)).build()
}

/// A command that can be pasted into a shell where `$CHANCERY` and `$KEY` are set.
fn curl(operation: &Operation, method: &Method, path: &str) -> String {
    // `{organisationId}` becomes `$organisationId`, a shell variable.
    let place = path.replace('{', "$").replace('}', "");
    let mut command = format!("curl -sS -X {method} \"$CHANCERY{place}\" \\\n  -H \"Authorization: ApiKey $KEY\"");
    if let Some(example) = example(operation) {
        let body = example.to_string().replace('\'', "'\\''");
        command.push_str(&format!(" \\\n  -H 'Content-Type: application/json' \\\n  -d '{body}'"));
    }
    command
}

fn example(operation: &Operation) -> Option<&Value> {
    let Some(RefOr::T(body)) = &operation.request_body else { return None };
    match body.content.get("application/json") {
        Some(RefOr::T(content)) => content.example.as_ref(),
        Some(RefOr::Ref(_)) | None => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn document() -> Value {
        serde_json::to_value(describe()).unwrap()
    }

    fn operations(document: &Value) -> Vec<(String, String, Value)> {
        let mut operations = Vec::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for method in ["get", "post", "put", "delete", "patch"] {
                if let Some(operation) = item.get(method) {
                    operations.push((method.to_uppercase(), path.clone(), operation.clone()));
                }
            }
        }
        operations
    }

    #[test]
    fn every_operation_has_a_permission_and_every_permission_an_operation() {
        let described: BTreeSet<(String, String)> =
            operations(&document()).into_iter().map(|(method, path, _)| (method, path)).collect();
        let permitted: BTreeSet<(String, String)> =
            routes::PERMISSIONS.iter().map(|(method, path, _)| (method.to_string(), (*path).to_owned())).collect();
        assert_eq!(described, permitted);
    }

    #[test]
    fn every_operation_tells_its_errors_its_key_and_an_example() {
        let document = document();
        assert_eq!(document["openapi"], "3.1.0");
        for (method, path, operation) in operations(&document) {
            let place = format!("{method} {path}");
            assert!(operation["security"][0].is_object(), "{place}");
            assert!(operation["x-codeSamples"][0]["source"].as_str().unwrap().starts_with("curl"), "{place}");
            for (status, response) in operation["responses"].as_object().unwrap() {
                if status.starts_with(['4', '5']) {
                    let example = &response["content"]["application/problem+json"]["example"];
                    assert_eq!(example["status"].to_string(), *status, "{place} {status}");
                } else if let Some(content) = response["content"].get("application/json") {
                    assert!(content["example"].is_object(), "{place} {status}");
                }
            }
            if operation.get("requestBody").is_some() {
                let content = operation["requestBody"]["content"].as_object().unwrap();
                for (media_type, content) in content {
                    let example = &content["example"];
                    let is_shown =
                        if media_type == "application/json" { example.is_object() } else { example.is_string() };
                    assert!(is_shown, "{place} has no example of {media_type}");
                }
            }
        }
    }

    #[test]
    fn every_referenced_schema_is_there() {
        let document = document();
        let schemas = document["components"]["schemas"].as_object().unwrap();
        let text = document.to_string();
        for reference in text.split("#/components/schemas/").skip(1) {
            let name = reference.split('"').next().unwrap();
            assert!(schemas.contains_key(name), "{name}");
        }
    }
}
