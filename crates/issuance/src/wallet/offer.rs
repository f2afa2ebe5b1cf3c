//! The credential offer by reference (OpenID4VCI §4.1.3).

use chancery_model::{Definition, Exchange, ExchangeSecrets, ExchangeStatus, GrantKind, Organisation, Timestamp};
use chancery_protocol::Explanation;
use chancery_protocol::offer::{
    AuthorizationCodeGrant, CredentialOffer, Grants, InputMode, PreAuthorizedCodeGrant, TxCode,
};
use serde_json::{Value, json};

use super::remembered::Offered;
use super::trail::{Account, Accountable, Trail};
use super::{Header, Notes, Refusal, definition_of, redaction};
use crate::sealed::Place;
use crate::{Context, Failure};

/// Fetches of one offer that its transcript tells one by one: enough to see a link preview or a wallet in a loop. Further
/// ones are only counted, so that nobody fills the database by fetching.
const MOST_RECORDED_FETCHES: u32 = 20;

/// Why an offer is not handed out.
#[derive(Debug)]
pub enum Rejection {
    /// No exchange has this offer.
    Unknown,
    /// The offer has expired.
    Expired,
    /// The organisation withdrew the offer.
    Withdrawn,
}

/// The offer with this id. Fetching it uses nothing up, however often it is done, and never moves the exchange back: link
/// previews and retries do no harm.
///
/// # Errors
/// [`Rejection`] lists why there is none.
pub async fn retrieve(
    context: &Context,
    organisation: &Organisation,
    offer_id: &str,
    notes: &Notes<'_>,
) -> Result<CredentialOffer, Failure<Refusal<Rejection>>> {
    let now = context.env().now();
    let mut trail = Trail::at("/credential_offers", now);
    match read(context, organisation, now, offer_id, notes, &mut trail).await {
        Ok(offer) => Ok(offer),
        Err(failure) => Err(context.conclude(organisation, trail, failure).await),
    }
}

/// One unit of work: the first fetch moves the exchange on and answers it in the same statement. It need not be on disk
/// before the answer, because an offer that is fetched again does the same again.
async fn read(
    context: &Context,
    organisation: &Organisation,
    now: Timestamp,
    offer_id: &str,
    notes: &Notes<'_>,
    trail: &mut Trail,
) -> Result<CredentialOffer, Failure<Rejection>> {
    if !is_possible(offer_id) {
        return Err(Failure::Rejected(Rejection::Unknown));
    }
    record(offer_id, notes, trail);
    let passage = trail.finish(context);
    let listening = context.listening(organisation).await?;
    let (offer, offered) = context
        .store()
        .write_relaxed(organisation, async |tx| -> Result<_, Failure<Rejection>> {
            let fetched = tx.count_fetch(offer_id, &passage, now).await?;
            let exchange = fetched.ok_or(Failure::Rejected(Rejection::Unknown))?;
            // The first fetch is the step; a later one is none.
            if exchange.fetches == 1 && exchange.status == ExchangeStatus::OfferReceived {
                let reached = [ExchangeStatus::OfferReceived];
                listening.announce(context, exchange.id, &reached, now).record(tx).await?;
            }
            trail.belongs_to(exchange.id);
            check(&exchange, now).map_err(Failure::Rejected)?;
            let definition = definition_of(tx, &exchange).await?;
            let place = Place::ExchangeSecrets;
            let secrets = context.open(organisation, place, exchange.id.as_uuid(), &exchange.sealed_secrets)?;
            let offer = offer(organisation, &exchange, &definition, secrets)?;
            if (2..=MOST_RECORDED_FETCHES).contains(&exchange.fetches) {
                tx.add_transcript_part(&passage.of(exchange.id, None)).await?;
            }
            Ok((offer, Offered { exchange, definition }))
        })
        .await?;
    context.remembered().keep_offer(organisation, offered);
    Ok(offer)
}

/// Whether it has the shape of the ids that are handed out: nothing else needs to reach the database.
fn is_possible(offer_id: &str) -> bool {
    offer_id.len() == 22 && offer_id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

fn check(exchange: &Exchange, now: Timestamp) -> Result<(), Rejection> {
    if exchange.status == ExchangeStatus::IssuanceDenied {
        Err(Rejection::Withdrawn)
    } else if now >= exchange.expires_at {
        Err(Rejection::Expired)
    } else {
        Ok(())
    }
}

fn record(offer_id: &str, notes: &Notes<'_>, trail: &mut Trail) {
    let headers = redaction::headers(notes, Header::Absent, Header::Absent);
    trail.recording.info("offer.retrieved", json!({ "offer_id": offer_id, "headers": headers }));
    trail.recording.event("offer_retrieved", Value::Null);
}

fn offer(
    organisation: &Organisation,
    exchange: &Exchange,
    definition: &Definition,
    secrets: ExchangeSecrets,
) -> Result<CredentialOffer, Failure<Rejection>> {
    let offered = exchange.configurations().filter_map(|id| definition.entry(id));
    let configurations = offered.map(|entry| entry.configuration_id.clone()).collect();
    let grants = match exchange.grant_kind {
        GrantKind::PreAuthorizedCode => Grants {
            pre_authorized_code: Some(PreAuthorizedCodeGrant {
                pre_authorized_code: secrets.code,
                tx_code: exchange.transaction_code.map(|shape| TxCode {
                    input_mode: if shape.numeric { InputMode::Numeric } else { InputMode::Text },
                    length: Some(u32::from(shape.length)),
                    description: None,
                }),
                authorization_server: None,
            }),
            authorization_code: None,
        },
        GrantKind::AuthorizationCode => Grants {
            authorization_code: Some(AuthorizationCodeGrant {
                issuer_state: Some(secrets.code),
                authorization_server: None,
            }),
            pre_authorized_code: None,
        },
    };
    CredentialOffer::new(organisation.issuer.clone(), configurations, grants)
        .map_err(|error| Failure::Internal(error.into()))
}

impl Accountable for Rejection {
    fn account(&self) -> Account {
        let (message, reason) = match self {
            Self::Unknown => ("offer.unknown", "no exchange has this offer"),
            Self::Expired => ("offer.expired", "the offer has expired"),
            Self::Withdrawn => ("offer.withdrawn", "the organisation withdrew the offer"),
        };
        let explanation = Explanation {
            reason: reason.to_owned(),
            help: "ask the organisation for a new offer".into(),
            spec_ref: "OpenID4VCI 1.0 §4.1.3",
        };
        Account { message, explanation, data: Value::Null, event: None, is_dialogue: false }
    }
}

#[cfg(test)]
mod tests {
    use super::is_possible;

    #[test]
    fn only_the_shape_of_an_offer_id_is_looked_up() {
        assert!(is_possible("17Z9-DMR3M51EXX5lBUT3w"));
        for other in ["", "17Z9-DMR3M51EXX5lBUT3w=", "17Z9-DMR3M51EXX5lBUT3\0", "17Z9-DMR3M51EXX5lBUT3é"] {
            assert!(!is_possible(other), "{other}");
        }
    }
}
