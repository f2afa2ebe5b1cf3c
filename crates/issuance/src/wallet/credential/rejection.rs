//! What a credential request can do wrong.

mod proofs;

use chancery_protocol::Explanation;
use chancery_protocol::credential_request::CredentialRequestError;
use chancery_protocol::encryption::EncryptionError;
use chancery_protocol::key_attestation::KeyAttestationError;
use chancery_protocol::nonce::Purpose;
use chancery_protocol::proof::ProofError;
use serde_json::{Value, json};

use self::proofs::{expected, is_about_proofs, is_about_the_key};
use super::super::access::{self, Scheme};
use super::super::encryption;
use super::super::nonce::CNonceRejection;
use super::super::trail::{Account, Accountable, Setback};
use super::fetching::NotFetched;
use super::reissuance::Refused;

/// Why a credential request is refused.
#[derive(Debug)]
pub enum Rejection {
    /// The access token or its DPoP proof.
    Access(access::Rejection),
    /// The body is of another kind, or is or is not encrypted in the wrong way.
    Message(encryption::Rejection),
    /// The body is no proper credential request.
    Request(CredentialRequestError),
    /// The token response had `credential_identifiers`, and the request names a configuration.
    IdentifierRequired,
    /// The token response had no `credential_identifiers`, and the request names one.
    ConfigurationRequired,
    /// Not an identifier of the token response.
    IdentifierUnknown {
        /// What came, cut.
        got: String,
    },
    /// No such configuration.
    ConfigurationUnknown {
        /// What came, cut.
        got: String,
    },
    /// The configuration exists, and the token does not cover it.
    NotGranted {
        /// Scheme of the token.
        scheme: Scheme,
        /// What came, cut.
        got: String,
    },
    /// There is no key proof.
    ProofMissing,
    /// A proof type that is not supported.
    ProofType {
        /// What came.
        got: String,
    },
    /// More proofs than are allowed.
    TooManyProofs {
        /// How many are.
        most: usize,
        /// How many came.
        got: usize,
    },
    /// The proofs carry different nonces.
    SeveralNonces,
    /// Two proofs are of the same key.
    KeyTwice {
        /// The later one, from 0.
        position: usize,
    },
    /// A key proof is wrong.
    Proof {
        /// What is wrong.
        error: ProofError,
        /// Header members of the proof in wire order.
        header_names: Vec<String>,
    },
    /// A key proof has no nonce.
    NonceMissing,
    /// The nonce of a key proof is not ours, expired, or used.
    Nonce(CNonceRejection),
    /// A key attestation is demanded, and there is none.
    KeyAttestationMissing {
        /// The configuration.
        config_id: String,
    },
    /// A key attestation is wrong.
    KeyAttestation {
        /// The configuration.
        config_id: String,
        /// What is wrong.
        error: KeyAttestationError,
    },
    /// The organisation denied the exchange.
    Denied,
    /// The organisation has erased the claims.
    Erased,
    /// There is no further copy of what was issued, or no further credential at all.
    Again(Refused),
    /// The claims were to be fetched, and are not there.
    NotFetched(NotFetched),
}

/// Error codes of the credential endpoint (OpenID4VCI §8.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    /// One of the access token's (OpenID4VCI §8.3.1.1).
    Access(access::ErrorCode),
    /// `invalid_credential_request`.
    InvalidCredentialRequest,
    /// `unknown_credential_configuration`.
    UnknownCredentialConfiguration,
    /// `unknown_credential_identifier`.
    UnknownCredentialIdentifier,
    /// `invalid_proof`.
    InvalidProof,
    /// `invalid_nonce`.
    InvalidNonce,
    /// `invalid_encryption_parameters`.
    InvalidEncryptionParameters,
    /// `credential_request_denied`.
    CredentialRequestDenied,
    /// `temporarily_unavailable`, with status 503: the same request may succeed later.
    TemporarilyUnavailable,
}

impl ErrorCode {
    /// The code on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Access(code) => code.name(),
            Self::InvalidCredentialRequest => "invalid_credential_request",
            Self::UnknownCredentialConfiguration => "unknown_credential_configuration",
            Self::UnknownCredentialIdentifier => "unknown_credential_identifier",
            Self::InvalidProof => "invalid_proof",
            Self::InvalidNonce => "invalid_nonce",
            Self::InvalidEncryptionParameters => "invalid_encryption_parameters",
            Self::CredentialRequestDenied => "credential_request_denied",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
        }
    }
}

impl Rejection {
    /// The error code for the wallet.
    pub fn error(&self) -> ErrorCode {
        match self {
            Self::Access(rejection) => ErrorCode::Access(rejection.error()),
            Self::NotGranted { scheme, .. } => ErrorCode::Access(access::ErrorCode::InsufficientScope(*scheme)),
            Self::Message(
                encryption::Rejection::Parameters(EncryptionError::Json(_)) | encryption::Rejection::MediaType,
            ) => ErrorCode::InvalidCredentialRequest,
            Self::Message(encryption::Rejection::Parameters(_)) => ErrorCode::InvalidEncryptionParameters,
            Self::IdentifierRequired | Self::ConfigurationRequired => ErrorCode::InvalidCredentialRequest,
            Self::Request(error) if is_about_proofs(error) => ErrorCode::InvalidProof,
            Self::Request(_) => ErrorCode::InvalidCredentialRequest,
            Self::IdentifierUnknown { .. } => ErrorCode::UnknownCredentialIdentifier,
            Self::ConfigurationUnknown { .. } => ErrorCode::UnknownCredentialConfiguration,
            Self::ProofMissing
            | Self::ProofType { .. }
            | Self::TooManyProofs { .. }
            | Self::SeveralNonces
            | Self::KeyTwice { .. }
            | Self::Proof { .. }
            | Self::NonceMissing
            | Self::KeyAttestationMissing { .. } => ErrorCode::InvalidProof,
            Self::KeyAttestation { error: KeyAttestationError::NonceMismatch { .. }, .. } | Self::Nonce(_) => {
                ErrorCode::InvalidNonce
            }
            Self::KeyAttestation { .. } => ErrorCode::InvalidProof,
            Self::Again(refused) if refused.is_passing() => ErrorCode::TemporarilyUnavailable,
            Self::NotFetched(why) if why.is_passing() => ErrorCode::TemporarilyUnavailable,
            Self::Denied | Self::Erased | Self::Again(_) | Self::NotFetched(_) => ErrorCode::CredentialRequestDenied,
        }
    }

    /// For the wallet's developer.
    pub fn description(&self) -> &'static str {
        match self {
            Self::Access(rejection) => rejection.description(),
            Self::Message(encryption::Rejection::MediaType) => "send an application/json body",
            Self::Message(encryption::Rejection::Parameters(error)) => encryption::description(error),
            Self::Request(error) => match error {
                CredentialRequestError::Json(_) => "the body is not an acceptable JSON object",
                CredentialRequestError::NoSelector | CredentialRequestError::BothSelectors => {
                    "name exactly one of credential_identifier and credential_configuration_id"
                }
                CredentialRequestError::Selector { .. } => "the credential selector is not an acceptable string",
                CredentialRequestError::DraftShape { member: "proof", .. } => {
                    "this is the shape of a draft: proof became proofs in OpenID4VCI 1.0"
                }
                CredentialRequestError::DraftShape { .. } => {
                    "this is the shape of a draft: OpenID4VCI 1.0 selects by credential_configuration_id"
                }
                CredentialRequestError::ProofTypes { .. } => {
                    "proofs must have exactly one member, named after the proof type"
                }
                CredentialRequestError::ProofList { .. } => "the proof type must hold a non-empty array of strings",
                CredentialRequestError::TooManyProofs { .. } => "there are too many proofs",
                CredentialRequestError::ProofTooLong { .. } => "a proof is too long",
            },
            Self::IdentifierRequired => "name the credential by credential_identifier, as the token response does",
            Self::ConfigurationRequired => "name the credential by credential_configuration_id",
            Self::IdentifierUnknown { .. } => "the credential_identifier is none of the token response",
            Self::ConfigurationUnknown { .. } => "there is no such credential configuration",
            Self::NotGranted { .. } => "the access token does not cover this credential configuration",
            Self::ProofMissing => "a key proof is required",
            Self::ProofType { .. } => "this proof type is not supported",
            Self::TooManyProofs { .. } => "there are more key proofs than batch_size in the metadata allows",
            Self::SeveralNonces => "all key proofs of a request carry the same nonce",
            Self::KeyTwice { .. } => "each key proof is of another key",
            Self::Proof { .. } => "the key proof is not valid",
            Self::NonceMissing => "the key proof needs a nonce of the nonce endpoint",
            Self::Nonce(_) => "fetch a fresh nonce and repeat the request",
            Self::KeyAttestationMissing { .. } => "the key proof needs a key attestation",
            Self::KeyAttestation { error: KeyAttestationError::Trust(_), .. } => "the key attestation is not trusted",
            Self::KeyAttestation { .. } => "the key attestation is not valid",
            Self::Denied => "the organisation denied the credential",
            Self::Erased => "the credential is not issued any more",
            Self::Again(refused) => refused.description(),
            Self::NotFetched(why) => why.description(),
        }
    }

    /// Our name for the cause, in the transcript's event.
    fn code(&self) -> &'static str {
        match self {
            Self::Access(_) => "access_refused",
            Self::Message(encryption::Rejection::MediaType) | Self::Request(_) => "request_malformed",
            Self::Message(encryption::Rejection::Parameters(error)) => encryption::code(error),
            Self::IdentifierRequired | Self::ConfigurationRequired => "selector_wrong",
            Self::IdentifierUnknown { .. } => "identifier_unknown",
            Self::ConfigurationUnknown { .. } => "configuration_unknown",
            Self::NotGranted { .. } => "not_granted",
            Self::ProofMissing => "proof_missing",
            Self::ProofType { .. } => "proof_type_unsupported",
            Self::TooManyProofs { .. } => "too_many_proofs",
            Self::SeveralNonces => "several_nonces",
            Self::KeyTwice { .. } => "key_twice",
            Self::Proof { error, .. } if is_about_the_key(error) => "proof_key_unresolvable",
            Self::Proof { .. } => "proof_invalid",
            Self::NonceMissing => "nonce_missing",
            Self::Nonce(CNonceRejection::Invalid(_)) => "nonce_invalid",
            Self::Nonce(CNonceRejection::Used) => "nonce_used",
            Self::KeyAttestationMissing { .. } => "key_attestation_missing",
            Self::KeyAttestation { error: KeyAttestationError::Trust(_), .. } => "key_attestation_untrusted",
            Self::KeyAttestation { .. } => "key_attestation_invalid",
            Self::Denied => "issuance_denied",
            Self::Erased => "claims_erased",
            Self::Again(refused) => refused.code(),
            Self::NotFetched(why) => why.code(),
        }
    }

    fn message(&self) -> &'static str {
        match self {
            Self::Access(rejection) => rejection.message(),
            Self::Message(encryption::Rejection::MediaType) => "credential.request_invalid",
            Self::Request(CredentialRequestError::NoSelector) => "credential.selector_missing",
            Self::Request(error) if is_about_proofs(error) => "credential.proof_invalid",
            Self::Request(_) => "credential.request_invalid",
            Self::Message(encryption::Rejection::Parameters(_)) => "credential.encryption_invalid",
            Self::IdentifierRequired
            | Self::ConfigurationRequired
            | Self::IdentifierUnknown { .. }
            | Self::ConfigurationUnknown { .. } => "credential.selector_invalid",
            Self::NotGranted { .. } => "credential.not_granted",
            Self::ProofMissing
            | Self::ProofType { .. }
            | Self::TooManyProofs { .. }
            | Self::SeveralNonces
            | Self::KeyTwice { .. }
            | Self::Proof { .. } => "credential.proof_invalid",
            Self::NonceMissing | Self::Nonce(_) => "credential.nonce_invalid",
            Self::KeyAttestationMissing { .. } => "credential.key_attestation_missing",
            Self::KeyAttestation { .. } => "credential.key_attestation_invalid",
            Self::NotFetched(NotFetched::Unavailable { .. }) => "credential.claims_unavailable",
            Self::NotFetched(NotFetched::Unfit { .. }) => "credential.claims_unfit",
            Self::Denied | Self::Erased | Self::Again(_) | Self::NotFetched(NotFetched::Denied) => "credential.denied",
        }
    }

    fn data(&self) -> Value {
        match self {
            Self::Proof { error, header_names } => {
                json!({ "proof_type": "jwt", "header_params": header_names, "expected": expected(error) })
            }
            Self::ProofType { got } => json!({ "proof_type": got }),
            Self::KeyAttestationMissing { config_id } | Self::KeyAttestation { config_id, .. } => {
                json!({ "config_id": config_id })
            }
            Self::NotFetched(why) => why.data(),
            Self::Access(_)
            | Self::Message(_)
            | Self::Request(_)
            | Self::IdentifierRequired
            | Self::ConfigurationRequired
            | Self::IdentifierUnknown { .. }
            | Self::ConfigurationUnknown { .. }
            | Self::NotGranted { .. }
            | Self::ProofMissing
            | Self::TooManyProofs { .. }
            | Self::SeveralNonces
            | Self::KeyTwice { .. }
            | Self::NonceMissing
            | Self::Nonce(_)
            | Self::Denied
            | Self::Erased
            | Self::Again(_) => Value::Null,
        }
    }

    fn explain(&self) -> Explanation {
        let (reason, help, spec_ref) = match self {
            Self::Access(rejection) => return rejection.explain(),
            Self::Again(refused) => return refused.explain(),
            Self::NotFetched(why) => return why.explain(),
            Self::Request(error) => return error.explain(),
            Self::Proof { error, .. } => return error.explain(),
            Self::KeyAttestation { error, .. } => return error.explain(),
            Self::Nonce(CNonceRejection::Invalid(error)) => return error.explain(Purpose::CNonce),
            Self::Message(encryption::Rejection::Parameters(error)) => return error.explain(),
            Self::Message(encryption::Rejection::MediaType) => (
                "the content type is neither application/json nor application/jwt".to_owned(),
                "send the request as JSON, or encrypted as application/jwt",
                "OpenID4VCI 1.0 §8.2",
            ),
            Self::IdentifierRequired => (
                "the token response had credential_identifiers, and the request has credential_configuration_id"
                    .to_owned(),
                "send one of the credential_identifiers as credential_identifier",
                "OpenID4VCI 1.0 §8.2",
            ),
            Self::ConfigurationRequired => (
                "the token response had no credential_identifiers, and the request has credential_identifier"
                    .to_owned(),
                "send credential_configuration_id",
                "OpenID4VCI 1.0 §8.2",
            ),
            Self::IdentifierUnknown { got } => (
                format!("`{got}` is none of the credential_identifiers of the token response"),
                "send a value of credential_identifiers unchanged",
                "OpenID4VCI 1.0 §8.3.1.2",
            ),
            Self::ConfigurationUnknown { got } => (
                format!("there is no credential configuration `{got}`"),
                "use a key of credential_configurations_supported",
                "OpenID4VCI 1.0 §8.3.1.2",
            ),
            Self::NotGranted { got, .. } => (
                format!("the access token does not cover the configuration `{got}`"),
                "ask for a configuration of the offer",
                "OpenID4VCI 1.0 §8.3.1.1",
            ),
            Self::ProofMissing => (
                "the request has no proofs, and the configuration needs key binding".to_owned(),
                "send proofs with a jwt",
                "OpenID4VCI 1.0 §8.2",
            ),
            Self::ProofType { got } => (
                format!("the proof type is `{got}`, expected `jwt`"),
                "use a proof type of proof_types_supported",
                "OpenID4VCI 1.0 Appendix F",
            ),
            Self::TooManyProofs { most, got } => (
                format!("there are {got} proofs, expected at most {most}, the batch_size of the metadata (1 without)"),
                "send fewer proofs; for more credentials send more requests",
                "OpenID4VCI 1.0 §12.2.4",
            ),
            Self::SeveralNonces => (
                "the proofs carry different nonces".to_owned(),
                "fetch one c_nonce and put it into every proof of the request",
                "OpenID4VCI 1.0 §8.2",
            ),
            Self::KeyTwice { position } => (
                format!("proof {} is of the same key as one before it", position.saturating_add(1)),
                "make a key of its own for every proof",
                "OpenID4VCI 1.0 §8.3",
            ),
            Self::NonceMissing => (
                "the key proof has no nonce".to_owned(),
                "fetch a c_nonce from the nonce endpoint and put it into the proof",
                "OpenID4VCI 1.0 Appendix F.1",
            ),
            Self::Nonce(CNonceRejection::Used) => (
                "the nonce was used by an earlier request".to_owned(),
                "fetch a fresh c_nonce for every credential request",
                "OpenID4VCI 1.0 §8.3.1.2",
            ),
            Self::KeyAttestationMissing { config_id } => (
                format!("`{config_id}` demands a key attestation, and the key proof has none"),
                "put the key_attestation of the wallet's secure area into the header of the jwt proof",
                "HAIP 1.0 Section 4.5.1 / OID4VCI Appendix D",
            ),
            Self::Erased => (
                "the organisation has erased the claims of this exchange".to_owned(),
                "ask the organisation for a new offer",
                "OpenID4VCI 1.0 §8.3.1.2",
            ),
            Self::Denied => (
                "the organisation denied or deleted the exchange".to_owned(),
                "ask the organisation for a new offer",
                "OpenID4VCI 1.0 §8.3.1.2",
            ),
        };
        Explanation { reason, help: help.into(), spec_ref }
    }
}

impl Accountable for Rejection {
    fn account(&self) -> Account {
        let error = self.error();
        let is_dialogue = error == ErrorCode::Access(access::ErrorCode::UseDpopNonce);
        let event =
            (!is_dialogue).then(|| Setback { kind: "credential_failed", error: error.name(), code: self.code() });
        Account { message: self.message(), explanation: self.explain(), data: self.data(), event, is_dialogue }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_key_attestation_is_named_in_record_and_event() {
        let rejection = Rejection::KeyAttestationMissing { config_id: "pid".to_owned() };
        let account = rejection.account();
        assert_eq!(account.message, "credential.key_attestation_missing");
        assert_eq!(account.data, json!({ "config_id": "pid" }));
        assert_eq!(account.explanation.spec_ref, "HAIP 1.0 Section 4.5.1 / OID4VCI Appendix D");
        let event = account.event.map(|event| (event.kind, event.error, event.code));
        assert_eq!(event, Some(("credential_failed", "invalid_proof", "key_attestation_missing")));
    }

    #[test]
    fn a_nonce_that_is_wrong_is_told_from_one_that_is_missing_by_prf_6() {
        assert_eq!(Rejection::NonceMissing.error().name(), "invalid_proof");
        assert_eq!(Rejection::Nonce(CNonceRejection::Used).error().name(), "invalid_nonce");
    }

    #[test]
    fn the_shapes_of_drafts_are_explained_to_the_wallet() {
        let draft = |member| Rejection::Request(CredentialRequestError::DraftShape { member, draft: "draft 13" });
        assert!(draft("proof").description().contains("proofs"));
        assert!(draft("format").description().contains("credential_configuration_id"));
        assert_eq!(draft("proof").error().name(), "invalid_credential_request");
    }
}
