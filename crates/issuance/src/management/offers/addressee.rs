//! Whom an offer is made for.

use chancery_model::{
    Contact, Exchange, Individual, IndividualId, OfferChannel, OfferDelivery, OfferDeliveryState, OfferPart,
    Organisation,
};

use super::request::{Addressee, Named};
use super::{IssueRejection, invalid};
use crate::management::body::Fault;
use crate::management::history::Addressed;
use crate::management::individuals;
use crate::sealed::Place;
use crate::{Context, Failure};

/// The person whom an issue call names, if it names one.
pub(super) async fn find(
    ctx: &Context,
    organisation: &Organisation,
    addressee: &Addressee,
) -> Result<Option<(Individual, Contact)>, Failure<IssueRejection>> {
    let (found, pointer) = match &addressee.named {
        None => return Ok(None),
        Some(Named::Individual(text)) => {
            let found = match IndividualId::parse(text) {
                Some(id) => ctx.store().read(organisation).await?.individual(id).await?,
                None => None,
            };
            (found, "/individualId")
        }
        Some(Named::Mapper(text)) => (individuals::by_external_id(ctx, organisation, text).await?, "/mapperId"),
    };
    let Some(individual) = found else {
        let detail = "there is no such individual".to_owned();
        return Err(invalid(vec![Fault { pointer: pointer.to_owned(), detail }]));
    };
    let contact = individuals::open(ctx, organisation, &individual)?;
    Ok(Some((individual, contact)))
}

/// Deliveries of an exchange that a row of a bulk begins for a person.
pub(super) fn deliveries(
    ctx: &Context,
    organisation: &Organisation,
    exchange: &Exchange,
    person: &(Individual, Contact),
) -> Result<Vec<OfferDelivery>, Failure<IssueRejection>> {
    let addressed = address(ctx, organisation, exchange, &Addressee::default(), Some(person))?;
    Ok(addressed.into_iter().flat_map(|addressed| addressed.link.into_iter().chain(addressed.pin)).collect())
}

/// What is to be delivered of a new exchange, and to whom; `None` when it is made for nobody in particular.
pub(super) fn address(
    ctx: &Context,
    organisation: &Organisation,
    exchange: &Exchange,
    addressee: &Addressee,
    person: Option<&(Individual, Contact)>,
) -> Result<Option<Addressed>, Failure<IssueRejection>> {
    if person.is_none() && addressee.endpoint.is_none() {
        return Ok(None);
    }
    let contact = person.map(|(_, contact)| contact);
    let sealed_endpoint = match &addressee.endpoint {
        Some(endpoint) => Some(ctx.seal(organisation, Place::OfferEndpoint, exchange.id.as_uuid(), endpoint)?),
        None => None,
    };
    let known = contact.map(|contact| contact.offer_channel).unwrap_or_default();
    let link_channel = if sealed_endpoint.is_some() { OfferChannel::WalletEndpoint } else { known };
    let pin_channel = contact.map(|contact| contact.pin_channel.as_offer_channel()).unwrap_or_default();
    let individual_id = person.map(|(individual, _)| individual.id);
    let delivery = |part, channel, sealed_endpoint| OfferDelivery {
        exchange_id: exchange.id,
        part,
        individual_id,
        channel,
        sealed_endpoint,
        state: match channel {
            OfferChannel::None => OfferDeliveryState::Unsent,
            OfferChannel::WalletEndpoint | OfferChannel::Email | OfferChannel::Webhook => OfferDeliveryState::Pending,
        },
        round: 1,
        attempts: 0,
        next_attempt_at: exchange.created_at,
        attempted_at: None,
        failure: None,
        created_at: exchange.created_at,
    };
    Ok(Some(Addressed {
        individual: individual_id,
        mapper_id: contact.map(|contact| contact.external_id.clone()).unwrap_or_default(),
        endpoint: addressee.endpoint.clone().unwrap_or_default(),
        link: Some(delivery(OfferPart::Link, link_channel, sealed_endpoint)),
        pin: exchange.transaction_code.map(|_| delivery(OfferPart::Pin, pin_channel, None)),
    }))
}
