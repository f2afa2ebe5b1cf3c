//! What Chancery remembers and which transitions are legal.
//!
//! Nothing here knows SQL or HTTP. The words are the ones of `docs/architecture.md`: an [`Organisation`] owns
//! [`Definition`]s, an [`Exchange`] is one issuance from offer to credential, a [`Grant`] is what an authorisation
//! allows, a [`Credential`] is one signed credential that left the building, and the transcript is what happened.

mod access;
mod access_provider;
mod audit;
mod authorization;
mod bulk;
mod claims_endpoint;
mod credential;
mod definition;
mod encryption_key;
mod env;
mod event_watch;
mod exchange;
mod global_configuration;
mod grant;
mod id;
mod identity_provider;
mod image;
mod individual;
mod offer_delivery;
mod organisation;
mod policy;
mod quotas;
mod refresh_token;
mod retention;
mod signing_key;
mod status_list;
mod time;
mod transaction;
mod transcript;
mod webhook;
mod work;

pub use access::{ApiKey, ApiKeySecret, Binding, Role, SecretHash};
pub use access_provider::{AccessProvider, AccessTerms, ClaimRule, RoleRule};
pub use audit::{Actor, ActorKind, AuditEntry, AuditLink, AuditOutcome};
pub use authorization::{
    Authorization, AuthorizationStatus, RequestUriSecret, RequestedClaim, RequestedCredential, SignedIn,
};
pub use bulk::{Bulk, BulkPart, BulkProgress, BulkState, RowFault, RowFaults};
pub use chancery_protocol::encryption::Rule as EncryptionRule;
pub use claims_endpoint::{ClaimsEndpoint, WhenUnavailable};
pub use credential::{Credential, Report, Reported};
pub use definition::{
    AuthorizationRequestType, ClaimDescription, ClaimDisplay, Definition, DefinitionContent, Demands, Display, Entry,
    Format, IdentityMapping, Image, RevocationMethod, TrustAnchor, WireVersion,
};
pub use encryption_key::EncryptionKey;
pub use env::{Entropy, Env};
pub use event_watch::{EventWatch, NumberedEvent};
pub use exchange::{
    CredentialStatus, Exchange, ExchangeSecrets, ExchangeStatus, Fetch, GrantKind, IssuanceMode, IssuedBy,
    IssuingActor, Submission, TransactionCode,
};
pub use global_configuration::{GlobalConfiguration, GlobalDefaults};
pub use grant::{Grant, GrantedCredential};
pub use id::{
    ApiKeyId, AuditEntryId, AuthorizationId, BulkId, BulkPartId, CredentialId, DefinitionId, EncryptionKeyId, EntryId,
    ExchangeEventId, ExchangeId, GlobalConfigurationId, GrantId, IndividualId, OrganisationId, RefreshTokenId,
    SigningKeyId, StatusListId, TransactionId, TranscriptPartId, WebhookDeliveryId, WebhookId,
};
pub use identity_provider::{IdentityProvider, ProviderAuthentication};
pub use image::{ImagePurpose, ImageType, StoredImage};
pub use individual::{Contact, Individual, OfferChannel, PinChannel};
pub use offer_delivery::{OfferDelivery, OfferDeliveryState, OfferPart, why_undeliverable};
pub use organisation::{Organisation, OrganisationRecord, OrganisationStatus, Slug, SlugError};
pub use policy::{
    AccessTokenBinding, AttestationRule, CertificateRule, Clients, DpopNonceRule, ExpiringAnchor, KeyAttestationDemand,
    Policy, Profile, PushedAuthorization, RegisteredClient, TrustAnchors, TrustedParties, TrustedPartiesError,
};
pub use quotas::{MOST_QUOTA, Quotas};
pub use refresh_token::{REFRESH_GRACE_SECONDS, RefreshToken};
pub use retention::{MOST_RETENTION_DAYS, Retained, Retention};
pub use signing_key::{SigningKey, SigningKeyState};
pub use status_list::{RevocationStatus, StatusChange, StatusHolder, StatusList, StatusPlace};
pub use time::Timestamp;
pub use transaction::{DeferredAnswer, DeferredTransaction, ProvenKey};
pub use transcript::{Event, Level, Passage, Record, RefusedRequest, TranscriptPart};
pub use webhook::{
    DeliveryAttempt, DeliveryState, ExchangeEvent, Webhook, WebhookContentType, WebhookDelivery, WebhookEvent,
    WebhookSecrets,
};
pub use work::WorkKind;
