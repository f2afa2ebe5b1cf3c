//! Every path below an organisation, which stands at `/o/{slug}` and at its issuer identifier. `entry.rs` takes the
//! organisation off the path before these routes are asked; well-known documents arrive here from both their forms.

use axum::Extension;
use chancery_issuance::Context;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::request::BodyLimit;
use crate::{
    challenge, credential, deferred_credential, front_channel, image, metadata, nonce, notification, offer,
    pushed_authorization, status_list, token,
};

/// Largest body of a credential request, in bytes. Its proofs may carry certificate chains.
const CREDENTIAL_BODY: usize = 1024 * 1024;

/// Largest body of any other request, in bytes.
const BODY: usize = 64 * 1024;

pub(crate) fn table() -> OpenApiRouter<Context> {
    let small = OpenApiRouter::new()
        .routes(routes!(metadata::credential_issuer))
        .routes(routes!(metadata::authorization_server))
        .routes(routes!(metadata::openid_configuration))
        .routes(routes!(metadata::jwt_vc_issuer))
        .routes(routes!(metadata::jwks))
        .routes(routes!(metadata::type_metadata))
        .routes(routes!(offer::get))
        .routes(routes!(status_list::aggregation))
        .routes(routes!(status_list::get))
        .routes(routes!(pushed_authorization::post))
        .routes(routes!(challenge::post))
        .routes(routes!(image::get))
        .routes(routes!(token::post))
        .routes(routes!(nonce::post))
        .routes(routes!(front_channel::authorize, front_channel::authorize_by_form))
        .routes(routes!(front_channel::callback))
        .routes(routes!(front_channel::show_consent, front_channel::decide))
        .routes(routes!(deferred_credential::post))
        .routes(routes!(notification::post))
        .layer(Extension(BodyLimit(BODY)));
    let large = OpenApiRouter::new().routes(routes!(credential::post)).layer(Extension(BodyLimit(CREDENTIAL_BODY)));
    small.merge(large)
}
