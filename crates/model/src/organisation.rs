//! Tenants.

use std::fmt;

use chancery_protocol::IssuerIdentifier;
use serde::{Deserialize, Serialize};

use crate::{OrganisationId, Policy, Quotas, Timestamp};

/// A tenant. Owns everything else.
///
/// A value of this type is the key to that tenant's data: only the directory and a verified API key hand one out.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Organisation {
    /// Admin-side id.
    pub id: OrganisationId,
    /// The organisation that this one is a sandbox of.
    pub parent: Option<OrganisationId>,
    /// Short name in default URLs.
    pub slug: Slug,
    /// Name shown to people.
    pub name: String,
    /// The Credential Issuer Identifier, which is also the authorization server's issuer (OpenID4VCI §12.2.1).
    pub issuer: IssuerIdentifier,
    /// Name of its own logo (see [`crate::StoredImage::name`]).
    pub logo: Option<String>,
    /// Name of its own cover.
    pub cover: Option<String>,
    /// Suspended organisations answer 404 to wallets and 403 to their own keys. A sandbox is suspended with its parent.
    pub status: OrganisationStatus,
    /// What the organisation asks of wallets.
    pub policy: Policy,
    /// How much it may do.
    pub quotas: Quotas,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl Organisation {
    /// Public URL of the picture with this name.
    pub fn image_url(&self, name: &str) -> String {
        self.issuer.endpoint(&format!("images/{name}"))
    }
}

/// The stored fields of an organisation, for the directory.
#[derive(Clone, Debug)]
pub struct OrganisationRecord {
    /// See [`Organisation::id`].
    pub id: OrganisationId,
    /// See [`Organisation::parent`].
    pub parent: Option<OrganisationId>,
    /// See [`Organisation::slug`].
    pub slug: Slug,
    /// See [`Organisation::name`].
    pub name: String,
    /// See [`Organisation::issuer`].
    pub issuer: IssuerIdentifier,
    /// See [`Organisation::logo`].
    pub logo: Option<String>,
    /// See [`Organisation::cover`].
    pub cover: Option<String>,
    /// See [`Organisation::status`].
    pub status: OrganisationStatus,
    /// See [`Organisation::policy`].
    pub policy: Policy,
    /// See [`Organisation::quotas`].
    pub quotas: Quotas,
    /// See [`Organisation::created_at`].
    pub created_at: Timestamp,
    /// See [`Organisation::updated_at`].
    pub updated_at: Timestamp,
}

impl From<OrganisationRecord> for Organisation {
    fn from(record: OrganisationRecord) -> Self {
        let OrganisationRecord {
            id,
            parent,
            slug,
            name,
            issuer,
            logo,
            cover,
            status,
            policy,
            quotas,
            created_at,
            updated_at,
        } = record;
        Self { id, parent, slug, name, issuer, logo, cover, status, policy, quotas, created_at, updated_at }
    }
}

/// Whether an organisation may act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OrganisationStatus {
    /// Issues.
    Active,
    /// Known, but answers nobody except the platform.
    Suspended,
}

/// 1 to 63 characters of `a-z`, `0-9` and `-`, beginning and ending with a letter or digit.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Slug(String);

/// The text is not a slug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a slug has 1 to 63 characters of a-z, 0-9 and -, and begins and ends with a letter or digit")]
pub struct SlugError;

impl Slug {
    /// Reads a slug.
    pub fn parse(text: &str) -> Result<Self, SlugError> {
        let inner = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        let legal =
            (1..=63).contains(&text.len()) && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-');
        if legal { Ok(Self(text.to_owned())) } else { Err(SlugError) }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Slug {
    type Error = SlugError;
    fn try_from(text: String) -> Result<Self, SlugError> {
        Self::parse(&text)
    }
}

impl From<Slug> for String {
    fn from(slug: Slug) -> Self {
        slug.0
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Slug;

    #[test]
    fn a_slug_is_lower_case_and_cannot_leave_its_path_segment() {
        for good in ["a", "acme", "acme-2"] {
            assert!(Slug::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "Acme", "a/b", "..", "a.b", &"a".repeat(64)] {
            assert!(Slug::parse(bad).is_err(), "{bad}");
        }
    }
}
