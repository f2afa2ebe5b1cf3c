//! What can be known before a code is spent: does the issuer need something the caller has not given, or we cannot do?

use crate::client;
use crate::error::WalletError;
use crate::issuer::Issuer;
use crate::metadata::{ATTESTED, CredentialConfiguration};
use crate::offer::Offer;
use crate::options::{Encryption, KeyAttestation, KeyReference, Options};

/// Looks at the wanted configurations; `offer` is the one whose pre-authorized code will be used.
pub(crate) fn check(
    issuer: &Issuer,
    offer: Option<&Offer>,
    wanted: &[String],
    options: &Options,
) -> Result<(), WalletError> {
    if let Some(offer) = offer {
        transaction_code(offer, options)?;
        if options.client().is_none() && !issuer.authorization_server.anonymous_access {
            return Err(WalletError::Input(
                "the authorization server does not allow anonymous access (OpenID4VCI §12.3): a client_id is needed"
                    .into(),
            ));
        }
    }
    let methods = &issuer.authorization_server.authentication_methods;
    if !methods.is_empty() && methods.iter().all(|method| method == ATTESTED) && options.wallet_provider.is_none() {
        return Err(WalletError::Input(
            "the authorization server wants a wallet attestation: give a wallet provider".into(),
        ));
    }
    client::check(&issuer.authorization_server, options)?;
    let requires = issuer.metadata.request_encryption.as_ref().is_some_and(|request| request.required)
        || issuer.metadata.response_encryption.as_ref().is_some_and(|response| response.required);
    if requires && options.encryption == Encryption::Never {
        return Err(WalletError::Input("the issuer requires encryption".into()));
    }
    for id in wanted {
        if let Some(configuration) = issuer.metadata.configurations.get(id) {
            configured(issuer, id, configuration, options)?;
        }
    }
    Ok(())
}

fn transaction_code(offer: &Offer, options: &Options) -> Result<(), WalletError> {
    let tx_code = offer.pre_authorized.as_ref().and_then(|grant| grant.tx_code.as_ref());
    let Some(wanted) = tx_code.filter(|_| options.tx_code.is_none()) else { return Ok(()) };
    let length = wanted.length.map_or(String::new(), |length| format!(", {length} characters"));
    let description = wanted.description.as_deref().unwrap_or("no description");
    let description = crate::render::printable(description);
    let kind = &wanted.input_mode;
    Err(WalletError::Input(format!("a transaction code is needed ({kind}{length}): {description}")))
}

fn configured(
    issuer: &Issuer,
    id: &str,
    configuration: &CredentialConfiguration,
    options: &Options,
) -> Result<(), WalletError> {
    if configuration.format != "dc+sd-jwt" {
        return Err(WalletError::Unsupported(format!("the format {:?} of {id:?}", configuration.format)));
    }
    if configuration.proof_types.is_empty() {
        return Ok(());
    }
    let kind = match options.key_attestation {
        KeyAttestation::InProof => "jwt",
        KeyAttestation::Alone => "attestation",
    };
    let Some(listed) = configuration.proof_types.get(kind) else {
        return Err(WalletError::Unsupported(format!("{id:?} takes no proofs of type `{kind}`")));
    };
    if listed.key_attestations_required && options.key_attester.is_none() {
        return Err(WalletError::Input(format!("{id:?} takes attested keys only: give a key attester")));
    }
    let reference = match options.key_reference {
        KeyReference::Jwk => Some("jwk"),
        KeyReference::DidKey => Some("did:key"),
        KeyReference::DidJwk => Some("did:jwk"),
        // App. F.1 allows it without a name in the metadata.
        KeyReference::X5c => None,
    };
    if let Some(method) = reference
        && !configuration.binding_methods.iter().any(|named| named == method)
    {
        return Err(WalletError::Input(format!("{id:?} does not list the binding method {method:?}")));
    }
    let algorithm = options.holder_keys.first().map_or(options.algorithm, |key| key.algorithm());
    if !algorithm.names().iter().any(|name| listed.signing_algorithms.iter().any(|named| named == name)) {
        let names = listed.signing_algorithms.join(", ");
        return Err(WalletError::Input(format!("{id:?} takes proofs signed with {names} only")));
    }
    let allowed = issuer.metadata.batch_size.unwrap_or(1);
    if u64::try_from(options.proof_count()).unwrap_or(u64::MAX) > allowed {
        return Err(WalletError::Input(format!("the issuer takes at most {allowed} proofs in one request")));
    }
    Ok(())
}
