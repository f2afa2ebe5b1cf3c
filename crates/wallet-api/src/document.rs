//! `openapi/wallet.json`.

use utoipa::openapi::path::{ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{Components, Info, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Required, ServerBuilder};
use utoipa::openapi::tag::TagBuilder;
use utoipa_axum::router::OpenApiRouter;

use crate::routes;

const INTRODUCTION: &str = "What wallets call: OpenID for Verifiable Credential Issuance 1.0 with the pre-authorized code, DPoP \
(RFC 9449) and `dc+sd-jwt` credentials.\n\n\
An organisation stands at `/o/{organisation}` and at its issuer identifier; `$ISSUER` in the examples is either. The \
well-known documents are also served in the inserted form, `/.well-known/{name}/o/{organisation}`, which is the one the \
specifications define.\n\n\
Unknown members and parameters are ignored. Every refusal is JSON with `error` and `error_description`; when the exchange \
is known, the description ends in a support code with which the organisation finds the exact reason. Answers of the token, \
nonce and credential endpoints carry a `DPoP-Nonce` unless the organisation switched nonces off.";

/// The description of every route, as it is found under the default path of an organisation.
pub(crate) fn describe() -> OpenApi {
    let frame = OpenApiBuilder::new()
        .info(info())
        .servers(Some([ServerBuilder::new().url("/").description(Some("The wallet face")).build()]))
        .tags(Some([
            TagBuilder::new().name("Discovery").description(Some("Public documents, cacheable for a moment")).build(),
            TagBuilder::new().name("Issuance").description(Some("The way of a credential, in order")).build(),
        ]))
        .build();
    let mut description = OpenApiRouter::with_openapi(frame).nest("/o/{organisation}", routes::table()).into_openapi();
    for item in description.paths.paths.values_mut() {
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
    components.add_security_scheme("dpop", SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(
        "Authorization",
        "`DPoP <access token>`, together with a proof in the `DPoP` header (RFC 9449 §7.1)",
    ))));
    components.add_security_scheme("bearer", SecurityScheme::Http({
        let mut scheme = Http::new(HttpAuthScheme::Bearer);
        scheme.description = Some("Only for tokens that were handed out without a DPoP proof".to_owned());
        scheme
    }));
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
