//! Every path of the management face, and who may use it.

use axum::http::Method;
use chancery_issuance::Context;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::Permission::{Administer, Issue, Platform, Read};
use crate::{
    access_provider, api_keys, audit, bulk, decisions, definitions, global_configurations, history, identity_provider,
    images, individuals, offers, organisations, policy, quotas, refused_requests, retention, revocation, sandboxes,
    signing_keys, templates, transcript, webhooks,
};

pub(crate) const ORGANISATIONS: &str = "/v2/platform/organisations";
pub(crate) const ORGANISATION: &str = "/v2/platform/organisations/{organisationId}";
pub(crate) const SUSPEND: &str = "/v2/platform/organisations/{organisationId}/suspend";
pub(crate) const RESUME: &str = "/v2/platform/organisations/{organisationId}/resume";
pub(crate) const QUOTAS_OF_ORGANISATION: &str = "/v2/platform/organisations/{organisationId}/quotas";
pub(crate) const QUOTAS: &str = "/v2/config/quotas";
pub(crate) const OWN_ORGANISATION: &str = "/v2/config/organisation";
pub(crate) const API_KEY: &str = "/v2/config/admin/apikey";
pub(crate) const API_KEY_BY_ID: &str = "/v2/config/admin/apikey/{apiKeyId}";
pub(crate) const API_KEY_SANDBOX: &str = "/v2/config/admin/apikey/{apiKeyId}/sandbox-org";
pub(crate) const API_KEYS: &str = "/v2/config/admin/apikeys";
pub(crate) const ACCESS_PROVIDER: &str = "/v2/config/admin/access-provider";
pub(crate) const KEYS: &str = "/v2/config/digital-wallet/openid/key-management";
pub(crate) const KEYS_ROTATE: &str = "/v2/config/digital-wallet/openid/key-management/rotate";
pub(crate) const KEY: &str = "/v2/config/digital-wallet/openid/key-management/{signingKeyId}";
pub(crate) const KEY_STATE: &str = "/v2/config/digital-wallet/openid/key-management/{signingKeyId}/state";
pub(crate) const KEY_CHAIN: &str = "/v2/config/digital-wallet/openid/key-management/{signingKeyId}/certificate-chain";
pub(crate) const KEY_CSR: &str = "/v2/config/digital-wallet/openid/key-management/{signingKeyId}/csr";
pub(crate) const DEFINITION: &str = "/v2/config/digital-wallet/openid/sdjwt/credential-definition";
pub(crate) const DEFINITION_BY_ID: &str =
    "/v2/config/digital-wallet/openid/sdjwt/credential-definition/{credentialDefinitionId}";
pub(crate) const GLOBAL: &str = "/v2/config/digital-wallet/openid/global-configuration";
pub(crate) const GLOBAL_BY_ID: &str = "/v2/config/digital-wallet/openid/global-configuration/{globalConfigurationId}";
pub(crate) const GLOBALS: &str = "/v2/config/digital-wallet/openid/global-configurations";
pub(crate) const TEMPLATES: &str = "/v2/config/digital-wallet/openid/sdjwt/credential-definition/templates";
pub(crate) const PREVIEW: &str = "/v2/config/digital-wallet/openid/sdjwt/credential-definition/preview";
pub(crate) const LOGO: &str =
    "/v2/config/digital-wallet/openid/sdjwt/credential-definition/{credentialDefinitionId}/logoimage";
pub(crate) const COVER: &str =
    "/v2/config/digital-wallet/openid/sdjwt/credential-definition/{credentialDefinitionId}/coverimage";
pub(crate) const SCOPES: &str = "/v2/config/digital-wallet/openid/sdjwt/scopes";
pub(crate) const DEFINITIONS: &str = "/v2/config/digital-wallet/openid/sdjwt/credential-definitions";
pub(crate) const IDENTITY_PROVIDER: &str = "/v2/config/digital-wallet/openid/identity-provider";
pub(crate) const POLICY: &str = "/v2/config/digital-wallet/openid/policy";
pub(crate) const ISSUE: &str = "/v2/config/digital-wallet/openid/sdjwt/credential/issue";
pub(crate) const AUDIT: &str = "/v2/config/audit";
pub(crate) const BULKS: &str = "/v2/config/digital-wallet/openid/sdjwt/credential/issue/bulk";
pub(crate) const BULK: &str = "/v2/config/digital-wallet/openid/sdjwt/credential/issue/bulk/{bulkId}";
pub(crate) const BULK_ROWS: &str = "/v2/config/digital-wallet/openid/sdjwt/credential/issue/bulk/{bulkId}/rows";
pub(crate) const BULK_CONFIRM: &str = "/v2/config/digital-wallet/openid/sdjwt/credential/issue/bulk/{bulkId}/confirm";
pub(crate) const BULK_PAUSE: &str = "/v2/config/digital-wallet/openid/sdjwt/credential/issue/bulk/{bulkId}/pause";
pub(crate) const BULK_RESUME: &str = "/v2/config/digital-wallet/openid/sdjwt/credential/issue/bulk/{bulkId}/resume";
pub(crate) const BULK_CANCEL: &str = "/v2/config/digital-wallet/openid/sdjwt/credential/issue/bulk/{bulkId}/cancel";
pub(crate) const BULK_RESULT: &str = "/v2/config/digital-wallet/openid/sdjwt/credential/issue/bulk/{bulkId}/result";
pub(crate) const BULK_EVENTS: &str = "/v2/config/digital-wallet/openid/sdjwt/credential/issue/bulk/{bulkId}/events";
pub(crate) const HISTORY: &str = "/v2/config/digital-wallet/openid/sdjwt/credential/history";
pub(crate) const HISTORY_EXPORT: &str = "/v2/config/digital-wallet/openid/sdjwt/credential/history/export";
pub(crate) const HISTORY_EVENTS: &str = "/v2/config/digital-wallet/openid/sdjwt/credential/history/events";
pub(crate) const RETENTION: &str = "/v2/config/digital-wallet/openid/retention";
pub(crate) const RECORD: &str = "/v2/config/digital-wallet/openid/sdjwt/credential/history/{credentialExchangeId}";
pub(crate) const DENY: &str = "/v2/config/digital-wallet/openid/sdjwt/credential/history/{credentialExchangeId}/deny";
pub(crate) const CANCEL: &str =
    "/v2/config/digital-wallet/openid/sdjwt/credential/history/{credentialExchangeId}/cancel";
pub(crate) const RESEND: &str =
    "/v2/config/digital-wallet/openid/sdjwt/credential/history/{credentialExchangeId}/resend";
pub(crate) const UNLOCK: &str =
    "/v2/config/digital-wallet/openid/sdjwt/credential/history/{credentialExchangeId}/unlock";
pub(crate) const NEW_PIN: &str =
    "/v2/config/digital-wallet/openid/sdjwt/credential/history/{credentialExchangeId}/new-pin";
pub(crate) const REOFFER: &str =
    "/v2/config/digital-wallet/openid/sdjwt/credential/history/{credentialExchangeId}/reoffer";
pub(crate) const RECORD_STATUS: &str =
    "/v2/config/digital-wallet/openid/sdjwt/credential/history/{credentialExchangeId}/revocation-status";
pub(crate) const STATUS_OF_MANY: &str = "/v2/config/digital-wallet/openid/sdjwt/credential/revocation-status";
pub(crate) const TRANSCRIPT: &str =
    "/v2/config/digital-wallet/openid/sdjwt/credential/history/{credentialExchangeId}/transcript";
pub(crate) const REFUSED_REQUESTS: &str = "/v2/config/digital-wallet/openid/refused-requests";

pub(crate) const SANDBOX: &str = "/v2/config/sandbox-org";
pub(crate) const SANDBOX_BY_ID: &str = "/v2/config/sandbox-org/{sandboxOrgId}";
pub(crate) const SANDBOX_NAME: &str = "/v2/config/sandbox-org/{sandboxOrgId}/name";
pub(crate) const SANDBOX_LOGO: &str = "/v2/config/sandbox-org/{sandboxOrgId}/logoimage";
pub(crate) const SANDBOX_COVER: &str = "/v2/config/sandbox-org/{sandboxOrgId}/coverimage";
pub(crate) const SANDBOXES: &str = "/v2/config/sandbox-orgs";

pub(crate) const INDIVIDUAL: &str = "/v2/config/individual";
pub(crate) const INDIVIDUAL_BY_ID: &str = "/v2/config/individual/{individualId}";
pub(crate) const INDIVIDUALS: &str = "/v2/config/individuals";

pub(crate) const WEBHOOK: &str = "/v2/config/webhook";
pub(crate) const WEBHOOK_BY_ID: &str = "/v2/config/webhook/{webhookId}";
pub(crate) const WEBHOOK_PING: &str = "/v2/config/webhook/{webhookId}/ping";
pub(crate) const WEBHOOKS: &str = "/v2/config/webhooks";
pub(crate) const WEBHOOK_REPLAY: &str = "/v2/config/webhooks/{webhookId}/replay";
pub(crate) const DELIVERIES: &str = "/v2/config/webhooks/{webhookId}/deliveries";
pub(crate) const DELIVERY: &str = "/v2/config/webhooks/{webhookId}/delivery/{deliveryId}";
pub(crate) const DELIVERY_REPLAY: &str = "/v2/config/webhooks/{webhookId}/delivery/{deliveryId}/replay";
pub(crate) const EVENT_TYPES: &str = "/v2/config/webhooks/event-types";
pub(crate) const CONTENT_TYPES: &str = "/v2/config/webhooks/payload/content-types";

/// Who may use an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Permission {
    /// The holder of the platform key.
    Platform,
    /// The role `admin`.
    Administer,
    /// The roles `admin` and `issuer`.
    Issue,
    /// Every role.
    Read,
}

/// The one table that lets callers in, and that fills the security notes of the OpenAPI document. What is not
/// in it is refused.
pub(crate) const PERMISSIONS: &[(Method, &str, Permission)] = &[
    (Method::POST, ORGANISATIONS, Platform),
    (Method::GET, ORGANISATIONS, Platform),
    (Method::GET, ORGANISATION, Platform),
    (Method::PUT, ORGANISATION, Platform),
    (Method::DELETE, ORGANISATION, Platform),
    (Method::POST, SUSPEND, Platform),
    (Method::POST, RESUME, Platform),
    (Method::PUT, QUOTAS_OF_ORGANISATION, Platform),
    (Method::GET, QUOTAS_OF_ORGANISATION, Platform),
    (Method::GET, QUOTAS, Read),
    (Method::GET, OWN_ORGANISATION, Read),
    (Method::POST, API_KEY, Administer),
    (Method::GET, API_KEY_BY_ID, Read),
    (Method::DELETE, API_KEY_BY_ID, Administer),
    (Method::PUT, API_KEY_SANDBOX, Administer),
    (Method::GET, API_KEYS, Read),
    (Method::POST, SANDBOX, Administer),
    (Method::GET, SANDBOX_BY_ID, Read),
    (Method::PUT, SANDBOX_BY_ID, Administer),
    (Method::DELETE, SANDBOX_BY_ID, Administer),
    (Method::PUT, SANDBOX_NAME, Administer),
    (Method::PUT, SANDBOX_LOGO, Administer),
    (Method::PUT, SANDBOX_COVER, Administer),
    (Method::GET, SANDBOXES, Read),
    (Method::PUT, ACCESS_PROVIDER, Administer),
    (Method::GET, ACCESS_PROVIDER, Read),
    (Method::DELETE, ACCESS_PROVIDER, Administer),
    (Method::POST, KEYS, Administer),
    (Method::GET, KEYS, Read),
    (Method::POST, KEYS_ROTATE, Administer),
    (Method::GET, KEY, Read),
    (Method::PUT, KEY_STATE, Administer),
    (Method::PUT, KEY_CHAIN, Administer),
    (Method::POST, KEY_CSR, Administer),
    (Method::POST, DEFINITION, Administer),
    (Method::GET, DEFINITION_BY_ID, Read),
    (Method::PUT, DEFINITION_BY_ID, Administer),
    (Method::DELETE, DEFINITION_BY_ID, Administer),
    (Method::GET, DEFINITIONS, Read),
    (Method::POST, GLOBAL, Administer),
    (Method::GET, GLOBAL_BY_ID, Read),
    (Method::PUT, GLOBAL_BY_ID, Administer),
    (Method::DELETE, GLOBAL_BY_ID, Administer),
    (Method::GET, GLOBALS, Read),
    (Method::GET, TEMPLATES, Read),
    (Method::POST, PREVIEW, Administer),
    (Method::GET, LOGO, Read),
    (Method::PUT, LOGO, Administer),
    (Method::GET, COVER, Read),
    (Method::PUT, COVER, Administer),
    (Method::GET, SCOPES, Read),
    (Method::PUT, IDENTITY_PROVIDER, Administer),
    (Method::GET, IDENTITY_PROVIDER, Read),
    (Method::DELETE, IDENTITY_PROVIDER, Administer),
    (Method::PUT, POLICY, Administer),
    (Method::GET, POLICY, Read),
    (Method::POST, ISSUE, Issue),
    (Method::POST, BULKS, Issue),
    (Method::GET, BULKS, Read),
    (Method::GET, BULK, Read),
    (Method::GET, BULK_ROWS, Read),
    (Method::POST, BULK_CONFIRM, Issue),
    (Method::POST, BULK_PAUSE, Issue),
    (Method::POST, BULK_RESUME, Issue),
    (Method::POST, BULK_CANCEL, Issue),
    (Method::GET, BULK_RESULT, Read),
    (Method::GET, BULK_EVENTS, Read),
    (Method::GET, HISTORY, Read),
    (Method::DELETE, HISTORY, Administer),
    (Method::GET, HISTORY_EXPORT, Read),
    (Method::GET, HISTORY_EVENTS, Read),
    (Method::GET, RECORD, Read),
    (Method::PUT, RECORD, Issue),
    (Method::DELETE, RECORD, Administer),
    (Method::POST, DENY, Issue),
    (Method::POST, CANCEL, Issue),
    (Method::POST, RESEND, Issue),
    (Method::POST, UNLOCK, Issue),
    (Method::POST, NEW_PIN, Issue),
    (Method::POST, REOFFER, Issue),
    (Method::PUT, RECORD_STATUS, Issue),
    (Method::GET, RECORD_STATUS, Read),
    (Method::POST, STATUS_OF_MANY, Administer),
    (Method::GET, TRANSCRIPT, Read),
    (Method::GET, REFUSED_REQUESTS, Read),
    (Method::PUT, RETENTION, Administer),
    (Method::GET, RETENTION, Read),
    (Method::POST, INDIVIDUAL, Issue),
    (Method::GET, INDIVIDUAL_BY_ID, Read),
    (Method::PUT, INDIVIDUAL_BY_ID, Issue),
    (Method::DELETE, INDIVIDUAL_BY_ID, Administer),
    (Method::GET, INDIVIDUALS, Read),
    (Method::POST, WEBHOOK, Administer),
    (Method::GET, WEBHOOK_BY_ID, Read),
    (Method::PUT, WEBHOOK_BY_ID, Administer),
    (Method::DELETE, WEBHOOK_BY_ID, Administer),
    (Method::POST, WEBHOOK_PING, Administer),
    (Method::GET, WEBHOOKS, Read),
    (Method::POST, WEBHOOK_REPLAY, Administer),
    (Method::GET, DELIVERIES, Read),
    (Method::GET, DELIVERY, Read),
    (Method::POST, DELIVERY_REPLAY, Administer),
    (Method::GET, EVENT_TYPES, Read),
    (Method::GET, CONTENT_TYPES, Read),
    (Method::GET, AUDIT, Read),
];

pub(crate) fn table() -> OpenApiRouter<Context> {
    OpenApiRouter::new()
        .routes(routes!(organisations::create, organisations::list))
        .routes(routes!(organisations::read, organisations::update, organisations::delete))
        .routes(routes!(organisations::suspend))
        .routes(routes!(organisations::resume))
        .routes(routes!(quotas::set, quotas::read))
        .routes(routes!(quotas::usage))
        .routes(routes!(organisations::own))
        .routes(routes!(api_keys::create))
        .routes(routes!(api_keys::read, api_keys::revoke))
        .routes(routes!(api_keys::bind))
        .routes(routes!(api_keys::list))
        .routes(routes!(sandboxes::create))
        .routes(routes!(sandboxes::read, sandboxes::update, sandboxes::delete))
        .routes(routes!(sandboxes::rename))
        .routes(routes!(sandboxes::put_logo))
        .routes(routes!(sandboxes::put_cover))
        .routes(routes!(sandboxes::list))
        .routes(routes!(access_provider::configure, access_provider::read, access_provider::remove))
        .routes(routes!(signing_keys::create, signing_keys::list))
        .routes(routes!(signing_keys::rotate))
        .routes(routes!(signing_keys::read))
        .routes(routes!(signing_keys::set_state))
        .routes(routes!(signing_keys::certify))
        .routes(routes!(signing_keys::request_certificate))
        .routes(routes!(definitions::create))
        .routes(routes!(definitions::read, definitions::update, definitions::delete))
        .routes(routes!(definitions::list))
        .routes(routes!(global_configurations::create))
        .routes(routes!(global_configurations::read, global_configurations::update, global_configurations::delete))
        .routes(routes!(global_configurations::list))
        .routes(routes!(templates::list))
        .routes(routes!(templates::preview))
        .routes(routes!(templates::scopes))
        .routes(routes!(images::read_logo, images::put_logo))
        .routes(routes!(images::read_cover, images::put_cover))
        .routes(routes!(identity_provider::connect, identity_provider::read, identity_provider::disconnect))
        .routes(routes!(policy::set, policy::read))
        .routes(routes!(offers::issue))
        .routes(routes!(history::list, history::erase_records))
        .routes(routes!(history::export::export))
        .routes(routes!(history::events::watch))
        .routes(routes!(bulk::upload, bulk::list))
        .routes(routes!(bulk::read))
        .routes(routes!(bulk::rows))
        .routes(routes!(bulk::confirm))
        .routes(routes!(bulk::pause))
        .routes(routes!(bulk::resume))
        .routes(routes!(bulk::cancel))
        .routes(routes!(bulk::result::fetch))
        .routes(routes!(bulk::progress::watch))
        .routes(routes!(history::read, decisions::supply, history::delete))
        .routes(routes!(decisions::deny))
        .routes(routes!(decisions::cancel))
        .routes(routes!(decisions::resend))
        .routes(routes!(decisions::unlock))
        .routes(routes!(decisions::new_pin))
        .routes(routes!(decisions::reoffer))
        .routes(routes!(revocation::change, revocation::changes))
        .routes(routes!(revocation::change_many))
        .routes(routes!(transcript::read))
        .routes(routes!(refused_requests::list))
        .routes(routes!(retention::set, retention::read))
        .routes(routes!(individuals::create))
        .routes(routes!(individuals::read, individuals::update, individuals::erase))
        .routes(routes!(individuals::list))
        .routes(routes!(webhooks::create))
        .routes(routes!(webhooks::read, webhooks::update, webhooks::delete))
        .routes(routes!(webhooks::ping))
        .routes(routes!(webhooks::list))
        .routes(routes!(webhooks::replay_since))
        .routes(routes!(webhooks::deliveries))
        .routes(routes!(webhooks::delivery))
        .routes(routes!(webhooks::replay))
        .routes(routes!(webhooks::event_types))
        .routes(routes!(webhooks::content_types))
        .routes(routes!(audit::list))
}

/// Who may use `path` (as routed) with `method`. `HEAD` is answered as `GET`.
pub(crate) fn permission(method: &Method, path: &str) -> Option<Permission> {
    let method = if *method == Method::HEAD { &Method::GET } else { method };
    let found = PERMISSIONS.iter().find(|(known, place, _)| known == method && *place == path);
    found.map(|(_, _, permission)| *permission)
}
