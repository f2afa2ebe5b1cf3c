//! `openapi/wallet.json`.

use utoipa::openapi::path::{ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    Components, Info, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Required, ServerBuilder,
};
use utoipa_axum::router::OpenApiRouter;

use crate::{rate_limit, routes};

const INTRODUCTION: &str = "What wallets call: OpenID for Verifiable Credential Issuance 1.0 with the pre-authorized code, DPoP \
(RFC 9449) and `dc+sd-jwt` credentials.\n\n\
An organisation stands at `/o/{organisation}` and at its issuer identifier; `$ISSUER` in the examples is either. The \
well-known documents are also served in the inserted form, `/.well-known/{name}/o/{organisation}`, which is the one the \
specifications define.\n\n\
Unknown members and parameters are ignored. Every refusal is JSON with `error` and `error_description`; the \
description ends in a support code with which the organisation finds the exact reason, unless there are too many of them. Answers of the token, \
nonce, credential, deferred credential and notification endpoints carry a `DPoP-Nonce` unless the organisation switched nonces off.";

/// The description of every route, as it is found under the default path of an organisation.
pub(crate) fn describe() -> OpenApi {
    let frame = OpenApiBuilder::new()
        .info(info())
        .servers(Some([ServerBuilder::new().url("/").description(Some("The wallet face")).build()]))
        .tags(Some([
            TagBuilder::new().name("Discovery").description(Some("Public documents, cacheable for a moment")).build(),
            TagBuilder::new()
                .name("Status")
                .description(Some("What verifiers fetch: whether credentials are still good"))
                .build(),
            TagBuilder::new().name("Signing in").description(Some("What a browser opens; answers pages")).build(),
            TagBuilder::new().name("Issuance").description(Some("The way of a credential, in order")).build(),
        ]))
        .build();
    let mut description = OpenApiRouter::with_openapi(frame).nest("/o/{organisation}", routes::table()).into_openapi();
    for item in description.paths.paths.values_mut() {
        rate_limit::describe(item);
        item.parameters.get_or_insert_default().push(
            ParameterBuilder::new()
                .name("organisation")
                .parameter_in(ParameterIn::Path)
                .required(Required::True)
                .description(Some("Slug of the organisation"))
                .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
                .build()
                .into(),
        );
    }
    let components = description.components.get_or_insert_with(Components::new);
    components.add_security_scheme(
        "dpop",
        SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(
            "Authorization",
            "`DPoP <access token>`, together with a proof in the `DPoP` header (RFC 9449 §7.1)",
        ))),
    );
    components.add_security_scheme(
        "bearer",
        SecurityScheme::Http({
            let mut scheme = Http::new(HttpAuthScheme::Bearer);
            scheme.description = Some("Only for tokens that were handed out without a DPoP proof".to_owned());
            scheme
        }),
    );
    description
}

fn info() -> Info {
    InfoBuilder::new()
        .title("Chancery wallet API")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(INTRODUCTION))
        .license(Some(LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build()))
        .build()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn operations() -> Vec<(String, Value)> {
        let description = serde_json::to_value(describe()).unwrap();
        let paths = description["paths"].as_object().unwrap().clone();
        let methods = |(path, item): (String, Value)| {
            let operations: Vec<_> = ["get", "post"]
                .into_iter()
                .filter_map(|method| item.get(method).map(|it| (format!("{method} {path}"), it.clone())))
                .collect();
            assert!(item["parameters"].as_array().unwrap().iter().any(|it| it["name"] == "organisation"), "{path}");
            operations
        };
        paths.into_iter().flat_map(methods).collect()
    }

    #[test]
    fn every_route_is_described_below_an_organisation() {
        let names: Vec<_> = operations().into_iter().map(|(name, _)| name).collect();
        for name in [
            "get /o/{organisation}/.well-known/openid-credential-issuer",
            "get /o/{organisation}/.well-known/oauth-authorization-server",
            "get /o/{organisation}/.well-known/openid-configuration",
            "get /o/{organisation}/.well-known/jwt-vc-issuer",
            "get /o/{organisation}/jwks",
            "get /o/{organisation}/types/{name}",
            "get /o/{organisation}/credential-offers/{offer_id}",
            "get /o/{organisation}/status-lists",
            "get /o/{organisation}/status-lists/{id}",
            "post /o/{organisation}/token",
            "post /o/{organisation}/nonce",
            "post /o/{organisation}/credential",
            "post /o/{organisation}/deferred-credential",
            "post /o/{organisation}/notification",
            "get /o/{organisation}/images/{name}",
            "get /o/{organisation}/authorize",
            "post /o/{organisation}/authorize",
            "get /o/{organisation}/sign-in/callback",
            "get /o/{organisation}/consent",
            "post /o/{organisation}/consent",
        ] {
            assert!(names.iter().any(|known| known == name), "{name} in {names:?}");
        }
        assert_eq!(names.len(), 22, "{names:?}");
    }

    #[test]
    fn every_operation_has_a_curl_example_and_an_example_for_every_answer_with_a_body() {
        for (name, operation) in operations() {
            assert!(operation["description"].as_str().unwrap().contains("curl "), "{name}");
            for (status, response) in operation["responses"].as_object().unwrap() {
                let content = response.get("content");
                let kinds = ["application/json", "text/html", "application/statuslist+jwt", "image/png"];
                let Some(content) = kinds.iter().find_map(|kind| content.and_then(|content| content.get(kind))) else {
                    assert!(matches!(status.as_str(), "204" | "303" | "304"), "{name}");
                    continue;
                };
                let has = |member: &str| content.get(member).is_some_and(|it| !it.is_null());
                assert!(has("example") || has("examples"), "{name} {status}");
            }
        }
    }

    #[test]
    fn the_credential_endpoint_names_both_ways_to_present_a_token() {
        let (_, credential) = operations().into_iter().find(|(name, _)| name.ends_with("/credential")).unwrap();
        assert_eq!(credential["security"], serde_json::json!([{ "dpop": [] }, { "bearer": [] }]));
    }
}
