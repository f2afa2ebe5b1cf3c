//! Who is asking, and whether the table in `routes.rs` lets them.

use axum::extract::{FromRequestParts, MatchedPath};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use chancery_issuance::management::access::{self, AccessRejection, Caller};
use chancery_issuance::{Context, Failure};
use chancery_model::Role;

use crate::problem::{Kind, Problem};
use crate::routes::{self, Permission};

/// The holder of an API key that may use the operation at hand.
pub(crate) struct Organisational(pub(crate) Caller);

/// The holder of the platform key.
pub(crate) struct OfPlatform;

impl FromRequestParts<Context> for Organisational {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, ctx: &Context) -> Result<Self, Problem> {
        let permission = permission(parts)?;
        let authorization = authorization(parts)?;
        let caller = access::authenticate(ctx, authorization.as_deref())
            .await
            .map_err(|failure| Problem::of(failure, refuse))?;
        tracing::Span::current().record("organisation", caller.organisation.slug.as_str());
        ctx.admit_program(&caller.organisation).await.map_err(|exceeded| {
            let detail = "the organisation's programs send more requests a minute than its quota says";
            Problem::new(Kind::TooManyRequests, detail).retry_after(exceeded.retry_after)
        })?;
        if !may(caller.role, permission) {
            let detail =
                format!("this operation is for {}; the key has the role {}", roles(permission), name(caller.role));
            return Err(Problem::new(Kind::Forbidden, detail));
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
        let authorization = authorization(parts)?;
        access::authenticate_platform(ctx, authorization.as_deref()).map_err(refuse)?;
        Ok(Self)
    }
}

/// Who a permission lets in, in words.
pub(crate) fn roles(permission: Permission) -> &'static str {
    match permission {
        Permission::Platform => "the platform key",
        Permission::Administer => "keys with the role admin",
        Permission::Issue => "keys with the role admin or issuer",
        Permission::Read => "keys of every role",
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

/// Whether keys of a role may see what redeems an offer: whoever can fetch it can take the credential.
pub(crate) fn may_see_offers(role: Role) -> bool {
    may(role, Permission::Issue)
}

/// Name of a role in the API.
pub(crate) fn name(role: Role) -> &'static str {
    match role {
        Role::Admin => "admin",
        Role::Issuer => "issuer",
        Role::Auditor => "auditor",
    }
}

fn permission(parts: &Parts) -> Result<Permission, Problem> {
    let path = parts.extensions.get::<MatchedPath>().map(MatchedPath::as_str).unwrap_or_default();
    routes::permission(&parts.method, path).ok_or_else(|| {
        tracing::error!(path, "the route is not in the table of permissions");
        Problem::internal()
    })
}

/// The header, once. Two of them could mean two callers.
fn authorization(parts: &Parts) -> Result<Option<String>, Problem> {
    let mut values = parts.headers.get_all(AUTHORIZATION).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(refuse(AccessRejection::Malformed));
    }
    let text = first.map(|value| value.to_str().map(str::to_owned));
    text.transpose().map_err(|_| refuse(AccessRejection::Malformed))
}

fn refuse(rejection: AccessRejection) -> Problem {
    let (kind, detail) = match rejection {
        AccessRejection::Missing => (Kind::Unauthorized, "send Authorization: ApiKey <key>"),
        AccessRejection::Malformed => (Kind::Unauthorized, "the Authorization header is not ApiKey <key>"),
        AccessRejection::Unknown => (Kind::Unauthorized, "the key is not known here"),
        AccessRejection::Expired => (Kind::Unauthorized, "the key has expired"),
        AccessRejection::Revoked => (Kind::Unauthorized, "the key was revoked"),
        AccessRejection::Suspended => (Kind::OrganisationSuspended, "the organisation is suspended"),
    };
    Problem::new(kind, detail)
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
