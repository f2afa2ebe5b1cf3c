//! The pushed authorization request endpoint (RFC 9126, OpenID4VCI §5.1.4).

use std::sync::Arc;

use chancery_model::{AuthorizationStatus, Organisation, RequestUriSecret, SecretHash, Timestamp};
use chancery_protocol::Explanation;
use chancery_protocol::authorization::{
    AuthorizationErrorCode, AuthorizationRequest, Incoming, PushedAuthorizationResponse, RequestObjectExpected,
    request_uri_of, verify_request_object,
};
use chancery_protocol::form::{Form, FormError};
use chancery_storage::Transaction;
use serde_json::{Value, json};

use super::client::{self, Identified, Request};
use super::remembered::Ticket;
use super::trail::{Account, Accountable, Trail};
use super::{Header, Refusal, authorization_request, dpop, redaction};
use crate::{Context, Failure};

const ENDPOINT: &str = "/par";

/// Seconds for which a `request_uri` begins an authorization (PAR-3).
pub(super) const LIFETIME: u32 = 90;

/// Milliseconds for which a request is kept, from its arrival: long after the last moment at which its code works.
const KEPT_MILLIS: i64 = 2 * 3_600_000;

/// Why a pushed authorization request is refused.
#[derive(Debug)]
pub enum Rejection {
    /// The body is not declared as a form.
    MediaType,
    /// The body is no proper form.
    Form(FormError),
    /// The client sent an `Authorization` header.
    Authorization,
    /// The client itself.
    Client(client::Rejection),
    /// What it asks for.
    Request(authorization_request::Rejection),
    /// The DPoP proof.
    Dpop(dpop::Rejection),
}

/// Keeps an authorization request and answers a reference to it, which works once, for this client, for 90 seconds.
///
/// # Errors
/// [`Rejection`] lists what a wallet can do wrong.
pub async fn push(
    context: &Context,
    organisation: &Organisation,
    request: Request<'_>,
) -> Result<PushedAuthorizationResponse, Failure<Refusal<Rejection>>> {
    let now = context.env().now();
    let mut trail = Trail::at(ENDPOINT, now);
    match keep(context, organisation, now, &request, &mut trail).await {
        Ok(answer) => Ok(answer),
        Err(failure) => Err(context.conclude(organisation, trail, failure).await),
    }
}

async fn keep(
    context: &Context,
    organisation: &Organisation,
    now: Timestamp,
    request: &Request<'_>,
    trail: &mut Trail,
) -> Result<PushedAuthorizationResponse, Failure<Rejection>> {
    let form = read_form(request).map_err(Failure::Rejected)?;
    belongs_to_offer(context, organisation, &form, trail).await?;
    trail.recording.info_of("par.request_received", || {
        json!({
            "form_body": redaction::authorization_form(&form),
            "headers": redaction::headers(&request.notes, request.authorization, request.dpop),
            "wa_provided": !matches!(request.attestation.attestation, Header::Absent),
        })
    });
    let proof = dpop::verify(context, organisation, now, ENDPOINT, None, request.dpop)
        .map_err(|rejection| Failure::Rejected(Rejection::Dpop(rejection)))?;
    let identified = client::identify(context, organisation, now, &form, request.attestation, proof.as_ref())
        .map_err(|rejection| Failure::Rejected(Rejection::Client(rejection)))?;
    let asked = read_request(organisation, now, &form, &identified)
        .map_err(|rejection| Failure::Rejected(Rejection::Request(rejection)))?;
    let thumbprint = proof.as_ref().map(|proof| proof.thumbprint.as_str());
    let dpop_jkt = asked.dpop_key(thumbprint).map_err(|error| Failure::Rejected(Rejection::Request(error.into())))?;
    let resolved = authorization_request::resolve(context, organisation, now, &asked).await;
    let (mut authorization, definition) = resolved.map_err(|failure| failure.map_rejection(Rejection::Request))?;
    let rule = organisation.policy.wallet_attestation_for(&definition.content);
    let client = identified
        .settle(rule, &mut trail.recording)
        .and_then(|client| client.admitted(organisation, false).map(|()| client))
        .map_err(|rejection| Failure::Rejected(Rejection::Client(rejection)))?;
    let (reference, text) = RequestUriSecret::generate(authorization.id, context.env());
    authorization.status = AuthorizationStatus::Pushed;
    authorization.request_uri_hash = Some(reference.hash);
    authorization.request_uri_expires_at = Some(now.plus_seconds(LIFETIME));
    authorization.expires_at = now.plus_seconds(LIFETIME);
    authorization.dpop_jkt = dpop_jkt;
    authorization.instance_thumbprint = client.binding_instance().cloned();
    let to_wait = context.to_wait(organisation, &authorization)?;
    let claim = client.claim_with(context, organisation, now, proof.as_ref(), &mut trail.recording);
    let wait = async {
        match to_wait {
            Some(waiting) => waiting.keep().await,
            None => false,
        }
    };
    // Nobody is told of a request that waits although its proofs were used before.
    let ((of_proof, of_client), waits) = tokio::join!(claim, wait);
    of_proof.map_err(|failure| failure.map_rejection(Rejection::Dpop))?;
    of_client.map_err(|failure| failure.map_rejection(Rejection::Client))?;
    trail.recording.info_of("par.accepted", || {
        json!({
            "client_id": authorization.client_id,
            "credential_configuration_ids":
                authorization.requested.iter().map(|asked| asked.configuration_id.as_str()).collect::<Vec<_>>(),
            "dpop_jkt": authorization.dpop_jkt,
            "issuer_state_matched": authorization.exchange_id.is_some(),
        })
    });
    if !waits {
        authorization_request::add(context, organisation, &authorization, trail).await?;
    }
    context.remembered().keep_authorization(organisation, Ticket::RequestUri(reference), Arc::new(authorization));
    context.sweep_authorizations(organisation, now).await;
    Ok(PushedAuthorizationResponse { request_uri: request_uri_of(&text), expires_in: LIFETIME })
}

fn read_form(request: &Request<'_>) -> Result<Form, Rejection> {
    if !matches!(request.authorization, Header::Absent) {
        return Err(Rejection::Authorization);
    }
    if !request.notes.has_media_type("application/x-www-form-urlencoded") {
        return Err(Rejection::MediaType);
    }
    Form::parse(request.body).map_err(Rejection::Form)
}

/// Finds whose transcript the request goes to, when it names an offer in the clear.
async fn belongs_to_offer(
    context: &Context,
    organisation: &Organisation,
    form: &Form,
    trail: &mut Trail,
) -> Result<(), Failure<Rejection>> {
    let Some(state) = form.get("issuer_state") else {
        // A request object may name one.
        if form.get("request").is_none() {
            trail.belongs_to_none();
        }
        return Ok(());
    };
    let found = context.store().read(organisation).await?.exchange_by_code(&SecretHash::of(state)).await?;
    if let Some(exchange) = found {
        trail.belongs_to(exchange.id);
    }
    Ok(())
}

/// The parameters, in the form or in a request object that the client signed with a registered or attested key.
fn read_request(
    organisation: &Organisation,
    now: Timestamp,
    form: &Form,
    identified: &Identified,
) -> Result<AuthorizationRequest, authorization_request::Rejection> {
    let policy = &organisation.policy;
    // A client that authenticates need not name itself twice.
    match Incoming::parse_pushed(form)? {
        Incoming::Parameters(request) => Ok(*request),
        // `parse_pushed` answers no references.
        Incoming::Reference { .. } => {
            Err(chancery_protocol::authorization::AuthorizationError::RequestUriPushed.into())
        }
        Incoming::Object { client_id, request } => {
            let registered = policy.clients.registered(&client_id).map(|client| client.keys()).unwrap_or_default();
            let keys: Vec<_> = registered.iter().map(|trusted| &trusted.key).chain(identified.instance_key()).collect();
            let form = verify_request_object(
                &request,
                &RequestObjectExpected {
                    client_id: &client_id,
                    keys: &keys,
                    algorithms: &policy.proof_algorithms,
                    authorization_server: organisation.issuer.as_str(),
                    now: now.seconds(),
                },
            )?;
            Ok(AuthorizationRequest::parse(&form)?)
        }
    }
}

impl Rejection {
    /// The error code for the wallet.
    pub fn error(&self) -> &'static str {
        match self {
            Self::MediaType | Self::Form(_) => AuthorizationErrorCode::InvalidRequest.name(),
            Self::Authorization => client::ErrorCode::InvalidClient.name(),
            Self::Client(rejection) => rejection.error().name(),
            // At this endpoint the client itself is refused (RFC 9126 §2.3).
            Self::Request(authorization_request::Rejection::ClientUnknown { .. }) => {
                client::ErrorCode::InvalidClient.name()
            }
            Self::Request(rejection) => rejection.error().name(),
            Self::Dpop(rejection) if rejection.wants_nonce() => "use_dpop_nonce",
            Self::Dpop(_) => "invalid_dpop_proof",
        }
    }

    /// Whether the same request may succeed later.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Request(rejection) if rejection.is_passing())
    }

    /// Whether the client authenticated by the `Authorization` header, and is to be told a scheme (RFC 6749 §5.2).
    pub fn is_authorization(&self) -> bool {
        matches!(self, Self::Authorization)
    }

    /// For the wallet's developer.
    pub fn description(&self) -> &'static str {
        match self {
            Self::MediaType => "send an application/x-www-form-urlencoded body",
            Self::Form(_) => "the form is malformed, too long, or repeats a parameter",
            Self::Authorization => "authenticate with an attestation or an assertion, not in the Authorization header",
            Self::Client(rejection) => rejection.description(),
            Self::Request(rejection) => rejection.description(),
            Self::Dpop(rejection) => rejection.description(),
        }
    }
}

impl Accountable for Rejection {
    fn account(&self) -> Account {
        let (message, explanation) = match self {
            Self::MediaType => (
                "par.request_invalid",
                Explanation {
                    reason: "the content type is not application/x-www-form-urlencoded".to_owned(),
                    help: "send the parameters as a form".into(),
                    spec_ref: "RFC 9126 §2.1",
                },
            ),
            Self::Form(error) => ("par.request_invalid", error.explain()),
            Self::Authorization => (
                "par.client_auth_failed",
                Explanation {
                    reason: "the request has an Authorization header".to_owned(),
                    help: "use a method of token_endpoint_auth_methods_supported".into(),
                    spec_ref: "RFC 6749 §5.2",
                },
            ),
            Self::Client(rejection) => ("par.client_auth_failed", rejection.explain()),
            Self::Request(rejection) => ("par.request_invalid", rejection.explain()),
            Self::Dpop(rejection) => ("par.dpop_invalid", rejection.explain()),
        };
        let is_dialogue = match self {
            Self::Dpop(rejection) => rejection.wants_nonce(),
            Self::Client(rejection) => rejection.wants_challenge(),
            Self::MediaType | Self::Form(_) | Self::Authorization | Self::Request(_) => false,
        };
        Account { message, explanation, data: Value::Null, event: None, is_dialogue }
    }
}

impl Context {
    /// Deletes authorization requests that came to nothing, now and then, in the background. A code that was redeemed
    /// stays known for a while, so that its second use is noticed.
    pub(crate) async fn sweep_authorizations(&self, organisation: &Organisation, now: Timestamp) {
        if !self.sweeps().is_due(organisation).await {
            return;
        }
        let then = Timestamp::from_millis(now.millis().saturating_sub(KEPT_MILLIS));
        let (context, organisation) = (self.clone(), organisation.clone());
        tokio::spawn(async move {
            let work = async |tx: &Transaction| tx.forget_authorizations(then).await;
            if let Err(error) = context.store().write_relaxed(&organisation, work).await {
                tracing::debug!(%error, "old authorization requests were not deleted");
            }
        });
    }
}
