//! Sealing of stored values: the associated data names organisation, table and row, so that a sealed value moved to
//! another row does not open.

use chancery_model::Organisation;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{Context, Failure};

/// Tables and columns with sealed values.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    ExchangeSecrets,
    ExchangeSubmissions,
    CredentialToken,
    SigningKey,
    EncryptionKey,
    IdempotentResponse,
    AuthorizationPushed,
    AuthorizationSignedIn,
    RepeatedAnswer,
    IdentityProviderSecret,
    StatusListSeed,
    WebhookSecrets,
    TransactionAnswer,
    BulkRows,
    BulkResult,
    BulkPins,
    IndividualContact,
    OfferEndpoint,
    ClaimsEndpointSecrets,
}

impl Place {
    fn name(self) -> &'static str {
        match self {
            Self::ExchangeSecrets => "exchange.secrets",
            Self::ExchangeSubmissions => "exchange.submissions",
            Self::CredentialToken => "credential.token",
            Self::SigningKey => "signing_key.private",
            Self::EncryptionKey => "encryption_key.private",
            Self::IdempotentResponse => "idempotency.response",
            // In Redis; the row is the one that the request may become.
            Self::AuthorizationPushed => "authorization_request.pushed",
            Self::AuthorizationSignedIn => "authorization_request.signed_in",
            // In memory and in Redis; the row is that of the request.
            Self::RepeatedAnswer => "token.answer",
            Self::IdentityProviderSecret => "identity_provider.secret",
            Self::StatusListSeed => "status_list.seed",
            Self::WebhookSecrets => "webhook.secrets",
            Self::TransactionAnswer => "exchange_transaction.answer",
            Self::BulkRows => "bulk_part.rows",
            Self::BulkResult => "bulk_part.result",
            Self::BulkPins => "bulk_part.pins",
            Self::IndividualContact => "individual.contact",
            Self::OfferEndpoint => "offer_delivery.endpoint",
            Self::ClaimsEndpointSecrets => "claims_endpoint.secrets",
        }
    }
}

impl Context {
    /// Seals `value` for one row of one organisation.
    pub(crate) fn seal<R>(
        &self,
        organisation: &Organisation,
        place: Place,
        row: Uuid,
        value: &impl Serialize,
    ) -> Result<Vec<u8>, Failure<R>> {
        let plain = serde_json::to_vec(value).map_err(|error| Failure::Internal(error.into()))?;
        self.seal_bytes(organisation, place, row, &plain)
    }

    /// Opens what [`Context::seal`] sealed for the same row.
    pub(crate) fn open<R, T: DeserializeOwned>(
        &self,
        organisation: &Organisation,
        place: Place,
        row: Uuid,
        sealed: &[u8],
    ) -> Result<T, Failure<R>> {
        let plain = self.open_bytes(organisation, place, row, sealed)?;
        // The parser's message could quote a secret.
        serde_json::from_slice(&plain)
            .map_err(|_| Failure::Internal(anyhow::anyhow!("{} of row {row} does not parse", place.name())))
    }

    /// Seals bytes as they are.
    pub(crate) fn seal_bytes<R>(
        &self,
        organisation: &Organisation,
        place: Place,
        row: Uuid,
        plain: &[u8],
    ) -> Result<Vec<u8>, Failure<R>> {
        Ok(self.sealing_key().seal(&associated(organisation, place, row), plain)?)
    }

    /// Opens what [`Context::seal_bytes`] sealed for the same row; the bytes are wiped when dropped.
    pub(crate) fn open_bytes<R>(
        &self,
        organisation: &Organisation,
        place: Place,
        row: Uuid,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Failure<R>> {
        Ok(self.sealing_key().open(&associated(organisation, place, row), sealed)?)
    }
}

fn associated(organisation: &Organisation, place: Place, row: Uuid) -> Vec<u8> {
    let mut data = organisation.id.as_uuid().as_bytes().to_vec();
    data.extend_from_slice(place.name().as_bytes());
    data.push(0);
    data.extend_from_slice(row.as_bytes());
    data
}
