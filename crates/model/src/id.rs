//! Typed identifiers. All are UUIDv7 on the admin side; none of them is a secret.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// The bare UUID, for storage columns and path segments.
            pub fn as_uuid(self) -> Uuid {
                self.0
            }

            /// Reads the hyphenated form; anything else is `None`.
            pub fn parse(text: &str) -> Option<Self> {
                (text.len() == 36).then(|| Uuid::try_parse(text).ok()).flatten().map(Self)
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    )* };
}

ids! {
    /// A tenant.
    OrganisationId,
    /// A key for the management API.
    ApiKeyId,
    /// A key that signs credentials.
    SigningKeyId,
    /// A key that wallets encrypt requests for.
    EncryptionKeyId,
    /// A credential definition.
    DefinitionId,
    /// One published configuration inside a definition.
    EntryId,
    /// A person whom an organisation knows.
    IndividualId,
    /// The defaults of an organisation.
    GlobalConfigurationId,
    /// One issuance from offer to credential.
    ExchangeId,
    /// An authorization request on its way to a code.
    AuthorizationId,
    /// A refresh token.
    RefreshTokenId,
    /// What an authorisation allows.
    GrantId,
    /// One issued credential.
    CredentialId,
    /// A status list.
    StatusListId,
    /// A deferred issuance.
    TransactionId,
    /// A file of rows to be issued.
    BulkId,
    /// Neighbouring rows of a bulk.
    BulkPartId,
    /// The part of a transcript that one request wrote.
    TranscriptPartId,
    /// A step of an exchange that somebody wants to hear of.
    ExchangeEventId,
    /// Where an organisation wants events to be sent.
    WebhookId,
    /// One event on its way to one webhook.
    WebhookDeliveryId,
    /// An entry of the audit log.
    AuditEntryId,
}
