//! What the documents say.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chancery_formats::type_metadata;
use chancery_keys::jwe::RecipientKey;
use chancery_model::{
    AttestationRule, ClaimDescription, Definition, Display, Entry, Format, Organisation, PushedAuthorization,
};
use chancery_protocol::authorization::{AUTHORIZATION_CODE_GRANT, REFRESH_TOKEN_GRANT};
use chancery_protocol::encryption::Rule as EncryptionRule;
use chancery_protocol::metadata::{
    self, AuthorizationServerMetadata, BatchCredentialIssuance, CredentialConfiguration, CredentialDisplay,
    CredentialMetadata, CredentialType, HolderBinding, IssuerDisplay, IssuerMetadata, JwksDocument,
    JwtVcIssuerMetadata, ProofType, PublishedKey, SigningAlgorithm,
};
use chancery_protocol::token::PRE_AUTHORIZED_CODE_GRANT;
use chancery_protocol::{authorization_details, client_assertion, client_attestation};

use super::super::credential::attestation;
use super::{Document, IssuerDocument, Published};
use crate::keyring::Keyring;
use crate::management::global_configurations;
use crate::status_lists::aggregation_uri;
use crate::{Context, Failure};

/// Language of displays that name none, where a document needs one.
const DEFAULT_LOCALE: &str = "en";

pub(super) async fn publish<R>(context: &Context, organisation: &Organisation) -> Result<Published, Failure<R>> {
    let read = context.store().read(organisation).await?;
    let mut definitions = read.all_definitions().await?;
    let signs_in = read.identity_provider().await?.is_some();
    drop(read);
    let defaults = global_configurations::recent(context, organisation).await?;
    for definition in &mut definitions {
        global_configurations::brand(definition, &defaults);
    }
    let keyring = context.keyring(organisation).await?;
    let configurations = configurations(organisation, &definitions, &keyring);
    let now = context.env().now();
    let encryption_key = match organisation.policy.encryption {
        EncryptionRule::Off => None,
        EncryptionRule::Allowed | EncryptionRule::Required => {
            Some(context.published_encryption_key(organisation, now).await?)
        }
    };
    let jwks = jwks(&keyring);
    let published = configurations.keys().cloned().collect();
    let metadata = credential_issuer(organisation, configurations, encryption_key.as_slice());
    let credential_issuer = IssuerDocument::make(organisation, &metadata, &keyring, now).await?;
    Ok(Published {
        configurations: published,
        types: types(organisation, &definitions)?,
        credential_issuer,
        authorization_server: Document::of(&authorization_server(organisation, &definitions, signs_in))?,
        jwks: Document::of(&jwks)?,
        jwt_vc_issuer: Document::of(&JwtVcIssuerMetadata { issuer: organisation.issuer.clone(), jwks })?,
        takes_attestations: takes_attestations(organisation, &definitions),
        definitions: definitions.into_iter().map(Arc::new).collect(),
    })
}

fn credential_issuer(
    organisation: &Organisation,
    configurations: BTreeMap<String, CredentialConfiguration>,
    encryption_keys: &[RecipientKey],
) -> IssuerMetadata {
    let issuer = &organisation.issuer;
    let encryption = organisation.policy.message_encryption();
    let batch_size = u32::from(organisation.policy.batch_size);
    // 2 or more, else not there (OpenID4VCI §12.2.4).
    let batches = batch_size > 1;
    IssuerMetadata {
        credential_issuer: issuer.clone(),
        authorization_servers: Vec::new(),
        credential_endpoint: issuer.endpoint("credential"),
        nonce_endpoint: Some(issuer.endpoint("nonce")),
        credential_request_encryption: encryption.request_metadata(encryption_keys),
        credential_response_encryption: encryption.response_metadata(),
        deferred_credential_endpoint: Some(issuer.endpoint("deferred-credential")),
        notification_endpoint: Some(issuer.endpoint("notification")),
        batch_credential_issuance: batches.then_some(BatchCredentialIssuance { batch_size }),
        display: vec![IssuerDisplay {
            name: Some(organisation.name.clone()),
            locale: None,
            logo: own_logo(organisation),
        }],
        credential_configurations_supported: configurations,
    }
}

fn own_logo(organisation: &Organisation) -> Option<metadata::Logo> {
    let uri = organisation.image_url(organisation.logo.as_deref()?);
    Some(metadata::Logo { uri, alt_text: None })
}

/// Exactly what the authorization and token endpoints do. The authorization endpoint needs somebody to sign people in;
/// without it, only pre-authorized codes are redeemed.
fn authorization_server(
    organisation: &Organisation,
    definitions: &[Definition],
    signs_in: bool,
) -> AuthorizationServerMetadata {
    let (issuer, policy) = (&organisation.issuer, &organisation.policy);
    let endpoint = |name| signs_in.then(|| issuer.endpoint(name));
    let algorithms = |wanted: bool| if wanted { policy.proof_algorithms.clone() } else { Vec::new() };
    let attests = takes_attestations(organisation, definitions);
    let asserts = policy.clients.have_keys();
    let mut grants = vec![PRE_AUTHORIZED_CODE_GRANT];
    let mut methods = Vec::new();
    if policy.wallet_attestation != AttestationRule::Enforce {
        methods.push("none");
    }
    if asserts {
        methods.push(client_assertion::AUTHENTICATION_METHOD);
    }
    if attests {
        methods.push(client_attestation::AUTHENTICATION_METHOD);
        methods.push(client_attestation::DPOP_AUTHENTICATION_METHOD);
    }
    if signs_in {
        grants.push(AUTHORIZATION_CODE_GRANT);
    }
    if policy.refresh_tokens {
        grants.push(REFRESH_TOKEN_GRANT);
    }
    let mut scopes: Vec<String> = definitions
        .iter()
        .flat_map(|definition| definition.content.entries.iter())
        .filter_map(|entry| policy.scope_for(entry))
        .map(str::to_owned)
        .collect();
    scopes.sort_unstable();
    scopes.dedup();
    let publishes_statuses =
        definitions.iter().flat_map(|definition| &definition.content.entries).any(|entry| entry.support_revocation);
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let when = |wanted: bool, names: &[&str]| if wanted { owned(names) } else { Vec::new() };
    AuthorizationServerMetadata {
        issuer: issuer.clone(),
        authorization_endpoint: endpoint("authorize"),
        pushed_authorization_request_endpoint: endpoint("par"),
        require_pushed_authorization_requests: signs_in
            .then_some(policy.pushed_authorization == PushedAuthorization::Require),
        token_endpoint: issuer.endpoint("token"),
        jwks_uri: Some(issuer.endpoint("jwks")),
        scopes_supported: if signs_in { scopes } else { Vec::new() },
        response_types_supported: when(signs_in, &["code"]),
        grant_types_supported: owned(&grants),
        token_endpoint_auth_methods_supported: owned(&methods),
        token_endpoint_auth_signing_alg_values_supported: algorithms(asserts),
        client_attestation_signing_alg_values_supported: algorithms(attests),
        client_attestation_pop_signing_alg_values_supported: algorithms(attests),
        client_attestation_pop_methods_supported: when(attests, &["attestation_pop_jwt", "dpop_combined"]),
        challenge_endpoint: attests.then(|| issuer.endpoint("challenge")),
        request_object_signing_alg_values_supported: algorithms(signs_in && (asserts || attests)),
        code_challenge_methods_supported: when(signs_in, &["S256"]),
        authorization_details_types_supported: vec![authorization_details::TYPE.to_owned()],
        dpop_signing_alg_values_supported: policy.proof_algorithms.clone(),
        authorization_response_iss_parameter_supported: signs_in.then_some(true),
        status_list_aggregation_endpoint: publishes_statuses.then(|| aggregation_uri(organisation)),
        anonymous_access_supported: policy.anonymous_access,
    }
}

/// Whether the organisation, or any of its definitions, looks at wallet attestations.
fn takes_attestations(organisation: &Organisation, definitions: &[Definition]) -> bool {
    let policy = &organisation.policy;
    let looks = |definition: &Definition| policy.wallet_attestation_for(&definition.content) != AttestationRule::Off;
    policy.wallet_attestation != AttestationRule::Off || definitions.iter().any(looks)
}

fn jwks(keyring: &Keyring) -> JwksDocument {
    let published = keyring.published().map(|key| PublishedKey {
        kid: key.kid.clone(),
        key: key.public_jwk.clone(),
        x5c: key.signer.certificate_chain().to_x5c(),
    });
    JwksDocument { keys: published.collect() }
}

fn configurations(
    organisation: &Organisation,
    definitions: &[Definition],
    keyring: &Keyring,
) -> BTreeMap<String, CredentialConfiguration> {
    let entries = definitions
        .iter()
        .flat_map(|definition| definition.content.entries.iter().map(move |entry| (definition, entry)));
    entries
        .map(|(definition, entry)| {
            let algorithm = keyring.signing(&definition.content.kid).map(|key| key.signer.algorithm());
            let configuration = CredentialConfiguration {
                credential_type: match entry.format {
                    Format::DcSdJwt => CredentialType::SdJwtVc { vct: entry.vct.clone() },
                },
                scope: organisation.policy.scope_for(entry).map(str::to_owned),
                credential_signing_alg_values_supported: algorithm.map(SigningAlgorithm::Jose).into_iter().collect(),
                holder_binding: Some(holder_binding(organisation, entry)),
                credential_metadata: Some(credential_metadata(definition, entry)),
            };
            (entry.configuration_id.clone(), configuration)
        })
        .collect()
}

/// Exactly what the credential endpoint enforces.
fn holder_binding(organisation: &Organisation, entry: &Entry) -> HolderBinding {
    let policy = &organisation.policy;
    let demand = policy.key_attestation_for(entry);
    let levels = attestation::required_levels(demand);
    let proof_type = |key_attestations_required| ProofType {
        algorithms: policy.proof_algorithms_for(entry).to_vec(),
        key_attestations_required,
    };
    let enforced = (demand.rule == AttestationRule::Enforce).then(|| levels.clone());
    let mut proof_types = BTreeMap::from([("jwt".to_owned(), proof_type(enforced))]);
    if attestation::is_accepted(policy, entry) {
        proof_types.insert("attestation".to_owned(), proof_type(Some(levels)));
    }
    HolderBinding { methods: policy.binding_methods_for(entry).to_vec(), proof_types }
}

fn display<'d>(definition: &'d Definition, entry: &'d Entry) -> Option<&'d Display> {
    entry.display.as_ref().or(definition.content.display.as_ref())
}

fn credential_metadata(definition: &Definition, entry: &Entry) -> CredentialMetadata {
    let shown = display(definition, entry).map(|display| CredentialDisplay {
        name: display.name.clone(),
        locale: display.locale.clone(),
        logo: display
            .logo
            .as_ref()
            .map(|logo| metadata::Logo { uri: logo.uri.clone(), alt_text: logo.alt_text.clone() }),
        description: display.description.clone(),
        background_color: display.background_color.clone(),
        background_image: display.background_image.as_ref().map(|image| metadata::Image { uri: image.uri.clone() }),
        text_color: display.text_color.clone(),
    });
    let claims = entry.claims.iter().map(|claim| metadata::ClaimDescription {
        path: claim.path.clone(),
        mandatory: claim.mandatory,
        display: claim
            .display
            .iter()
            .map(|named| metadata::ClaimDisplay { name: Some(named.name.clone()), locale: named.locale.clone() })
            .collect(),
    });
    CredentialMetadata { display: shown.into_iter().collect(), claims: claims.collect() }
}

/// Type metadata of the types whose `vct` is an URL below the issuer identifier. When definitions share a type, the first
/// of them describes it.
fn types<R>(organisation: &Organisation, definitions: &[Definition]) -> Result<HashMap<String, Document>, Failure<R>> {
    let prefix = format!("{}/", organisation.issuer);
    let mut types = HashMap::new();
    for definition in definitions {
        for entry in definition.content.entries.iter().filter(|entry| entry.vct.starts_with(&prefix)) {
            if !types.contains_key(&entry.vct) {
                types.insert(entry.vct.clone(), Document::of(&type_metadata(definition, entry))?);
            }
        }
    }
    Ok(types)
}

fn type_metadata(definition: &Definition, entry: &Entry) -> type_metadata::Document {
    let shown = display(definition, entry).map(|display| {
        let image = |image: &chancery_model::Image| type_metadata::Image {
            uri: image.uri.clone(),
            integrity: None,
            alt_text: image.alt_text.clone(),
        };
        type_metadata::Display {
            locale: locale(display.locale.as_deref()),
            name: display.name.clone(),
            description: display.description.clone(),
            rendering: Some(type_metadata::Rendering {
                simple: type_metadata::SimpleRendering {
                    logo: display.logo.as_ref().map(image),
                    background_image: display.background_image.as_ref().map(image),
                    background_color: display.background_color.clone(),
                    text_color: display.text_color.clone(),
                },
            }),
        }
    });
    type_metadata::Document {
        vct: entry.vct.clone(),
        name: Some(definition.content.label.clone()),
        description: None,
        display: shown.into_iter().collect(),
        claims: entry.claims.iter().map(type_claim).collect(),
    }
}

fn type_claim(claim: &ClaimDescription) -> type_metadata::Claim {
    let display = claim.display.iter().map(|named| type_metadata::ClaimDisplay {
        locale: locale(named.locale.as_deref()),
        label: named.name.clone(),
        description: None,
    });
    type_metadata::Claim {
        path: claim.path.clone(),
        display: display.collect(),
        mandatory: claim.mandatory,
        sd: if claim.limit_disclosure {
            type_metadata::SelectiveDisclosure::Always
        } else {
            type_metadata::SelectiveDisclosure::Never
        },
        svg_id: None,
    }
}

fn locale(tag: Option<&str>) -> type_metadata::Locale {
    type_metadata::Locale(tag.unwrap_or(DEFAULT_LOCALE).to_owned())
}
