//! Which organisation a request is for.

use std::sync::Arc;

use chancery_model::{Organisation, OrganisationStatus, Slug};

use crate::{Context, Failure};

/// The active organisation that stands at `path` (empty, or with a leading and without a trailing slash) of `host` (as a
/// `Host` header has it).
///
/// Tried in this order:
///
/// 1. `/o/{slug}`;
/// 2. the issuer identifier with this path and this host: a proxy kept the path, or there is none;
/// 3. the one issuer identifier with this path, whatever the host: a proxy put its own host in;
/// 4. without a path, the one issuer identifier with this host: a proxy stripped the path.
///
/// What a request says about its host decides only whom it talks to; every URL and every comparison uses the issuer
/// identifier itself.
///
/// # Errors
/// Those of the database.
pub async fn at<R>(context: &Context, host: Option<&str>, path: &str) -> Result<Option<Arc<Organisation>>, Failure<R>> {
    let directory = context.store().directory();
    let slug = path.strip_prefix("/o/").and_then(|slug| Slug::parse(slug).ok());
    if let Some(slug) = slug
        && let Some(found) = directory.organisation_by_slug(&slug).await?
    {
        return Ok(Some(found).filter(is_active));
    }
    let host = host.map(|host| without_port(host).to_ascii_lowercase());
    let host = host.as_deref();
    let here: Vec<_> = directory.organisations_by_path(&[path]).await?.into_iter().filter(is_active).collect();
    if let Some(found) = here.iter().find(|organisation| Some(organisation.issuer.host()) == host) {
        return Ok(Some(Arc::clone(found)));
    }
    match (path, host) {
        ("", Some(host)) => {
            Ok(only(directory.organisations_by_host(host).await?.iter().filter(|found| is_active(found)).cloned()))
        }
        ("", None) => Ok(None),
        (_, _) => Ok(only(here.into_iter())),
    }
}

fn is_active(organisation: &Arc<Organisation>) -> bool {
    match organisation.status {
        OrganisationStatus::Active => true,
        OrganisationStatus::Suspended => false,
    }
}

fn only(mut found: impl Iterator<Item = Arc<Organisation>>) -> Option<Arc<Organisation>> {
    found.next().filter(|_| found.next().is_none())
}

/// `issuer.example:8443` and `[::1]:8080` without their ports.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.ends_with(':') => name,
        Some(_) | None => host,
    }
}

#[cfg(test)]
mod tests {
    use super::without_port;

    #[test]
    fn a_port_is_taken_off_a_host_and_nothing_else() {
        for (host, name) in [
            ("issuer.example", "issuer.example"),
            ("issuer.example:8443", "issuer.example"),
            ("[::1]:8080", "[::1]"),
            ("[::1]", "[::1]"),
            ("127.0.0.1:80", "127.0.0.1"),
        ] {
            assert_eq!(without_port(host), name);
        }
    }
}
