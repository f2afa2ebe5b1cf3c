//! Who is asking, and whether the table in `routes.rs` lets them.

use axum::extract::{FromRequestParts, MatchedPath};
use axum::http::request::Parts;
use chancery_issuance::management::access::{self, AccessRejection, Caller, Identity, TokenRejection};
use chancery_issuance::{Context, Failure};
use chancery_model::Role;

use crate::presence::{Credentials, Presence};
use crate::problem::{Challenge, Kind, Problem};
use crate::routes::{self, Permission};

/// The holder of an API key, or a person with an access token, that may use the operation at hand.
pub(crate) struct Organisational(pub(crate) Caller);

/// The holder of the platform key.
pub(crate) struct OfPlatform;

impl FromRequestParts<Context> for Organisational {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, ctx: &Context) -> Result<Self, Problem> {
        let permission = permission(parts)?;
        let presence = Presence::at(ctx, &parts.headers, &parts.extensions).await;
        let caller = presence.admitted(ctx).await.map_err(|failure| Problem::of(failure, refuse))?;
        tracing::Span::current().record("organisation", caller.organisation.slug.as_str());
        ctx.admit_program(&caller.organisation).await.map_err(|exceeded| {
            let detail = "the organisation sends more requests a minute than its quota says";
            Problem::new(Kind::TooManyRequests, detail).retry_after(exceeded.retry_after)
        })?;
        if !may(caller.role, permission) {
            let detail = format!("this operation is for {}; yours is {}", roles(permission), caller.role.name());
            return Err(match caller.identity {
                Identity::ApiKey(_) => Problem::new(Kind::Forbidden, detail),
                Identity::Person(_) => Problem::new(Kind::Forbidden, detail).challenging(Challenge::InsufficientScope),
            });
        }
        Ok(Self(caller))
    }
}

impl FromRequestParts<Context> for OfPlatform {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, ctx: &Context) -> Result<Self, Problem> {
        if permission(parts)? != Permission::Platform {
            return Err(Problem::internal());
        }
        let credentials = Credentials::of(&parts.headers).map_err(refuse)?;
        access::authenticate_platform(ctx, &credentials.presented()).map_err(refuse)?;
        Ok(Self)
    }
}

/// Who a permission lets in, in words.
pub(crate) fn roles(permission: Permission) -> &'static str {
    match permission {
        Permission::Platform => "the platform key",
        Permission::Administer => "the role admin",
        Permission::Issue => "the roles admin and issuer",
        Permission::Read => "every role",
    }
}

pub(crate) fn may(role: Role, permission: Permission) -> bool {
    match (permission, role) {
        (Permission::Platform, Role::Admin | Role::Issuer | Role::Auditor) => false,
        (Permission::Administer, Role::Admin) => true,
        (Permission::Administer, Role::Issuer | Role::Auditor) => false,
        (Permission::Issue, Role::Admin | Role::Issuer) => true,
        (Permission::Issue, Role::Auditor) => false,
        (Permission::Read, Role::Admin | Role::Issuer | Role::Auditor) => true,
    }
}

/// Whether callers of a role may see what redeems an offer: whoever can fetch it can take the credential.
pub(crate) fn may_see_offers(role: Role) -> bool {
    may(role, Permission::Issue)
}

fn permission(parts: &Parts) -> Result<Permission, Problem> {
    let path = parts.extensions.get::<MatchedPath>().map(MatchedPath::as_str).unwrap_or_default();
    routes::permission(&parts.method, path).ok_or_else(|| {
        tracing::error!(path, "the route is not in the table of permissions");
        Problem::internal()
    })
}

fn refuse(rejection: AccessRejection) -> Problem {
    let (kind, detail) = match rejection {
        AccessRejection::Missing => (Kind::Unauthorized, "send Authorization: ApiKey <key>, or Bearer <access token>"),
        AccessRejection::Malformed => {
            (Kind::Unauthorized, "the Authorization header is neither ApiKey <key> nor Bearer <access token>")
        }
        AccessRejection::Unknown => (Kind::Unauthorized, "the key is not known here"),
        AccessRejection::Expired => (Kind::Unauthorized, "the key has expired"),
        AccessRejection::Revoked => (Kind::Unauthorized, "the key was revoked"),
        AccessRejection::Suspended => (Kind::OrganisationSuspended, "the organisation is suspended"),
        AccessRejection::Unbound => (Kind::Unauthorized, "the sandbox organisation of the key is gone"),
        AccessRejection::Sandbox => {
            (Kind::UnknownSandbox, "X-SandboxOrgId names no sandbox organisation of yours that is deployed")
        }
        AccessRejection::NoRole => {
            let detail = "the access token gives no role here: no rule of the access provider fits its claims";
            return Problem::new(Kind::Forbidden, detail).challenging(Challenge::InsufficientScope);
        }
        AccessRejection::Token(rejection) => {
            return Problem::new(Kind::Unauthorized, of_token(rejection)).challenging(Challenge::InvalidToken);
        }
    };
    Problem::new(kind, detail)
}

/// What is wrong with a token, in the characters of RFC 6750 §3.
fn of_token(rejection: TokenRejection) -> &'static str {
    match rejection {
        TokenRejection::Malformed => "the access token is not a signed JWT",
        TokenRejection::NoOrganisation => {
            "aud names no organisation here by its issuer identifier, or several: send X-OrganisationId"
        }
        TokenRejection::Foreign => "the access token does not come from the access provider of an organisation here",
        TokenRejection::Audience => "aud does not hold the audience that the access provider is configured with",
        TokenRejection::Type => "typ does not say that it is an access token (at+jwt)",
        TokenRejection::Bound => "the access token is bound to a key (cnf); only bearer tokens are taken",
        TokenRejection::Algorithm => "alg is none of RS256, PS256, ES256, ES384, EdDSA",
        TokenRejection::Signature => "the signature does not verify with the keys of the access provider",
        TokenRejection::Expired => "the access token has expired",
        TokenRejection::NotYet => "nbf or iat of the access token is in the future",
        TokenRejection::Claims => "sub, exp, nbf or iat is missing or has the wrong form",
    }
}

/// Lets use cases that refuse nothing use the common conversion.
pub(crate) fn never(failure: Failure<std::convert::Infallible>) -> Problem {
    Problem::of(failure, |never| match never {})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_include_each_other_downwards() {
        let may_do = |role| {
            [Permission::Platform, Permission::Administer, Permission::Issue, Permission::Read]
                .map(|permission| may(role, permission))
        };
        assert_eq!(may_do(Role::Admin), [false, true, true, true]);
        assert_eq!(may_do(Role::Issuer), [false, false, true, true]);
        assert_eq!(may_do(Role::Auditor), [false, false, false, true]);
    }

    #[test]
    fn reading_is_for_every_role_and_changing_never_for_auditors() {
        for (method, path, permission) in routes::PERMISSIONS {
            let is_platform = *permission == Permission::Platform;
            assert_eq!(is_platform, path.starts_with("/v2/platform/"), "{method} {path}");
            if !is_platform {
                assert_eq!(may(Role::Auditor, *permission), method == axum::http::Method::GET, "{method} {path}");
            }
        }
    }

    #[test]
    fn a_route_outside_the_table_lets_nobody_in() {
        assert_eq!(routes::permission(&axum::http::Method::PATCH, routes::ISSUE), None);
        assert_eq!(routes::permission(&axum::http::Method::GET, "/v2/other"), None);
    }
}
