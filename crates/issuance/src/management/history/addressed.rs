//! Whom an exchange was made for, on its record.

use std::collections::HashMap;

use chancery_model::{ExchangeId, IndividualId, OfferDelivery, OfferPart, Organisation};
use chancery_storage::Read;

use crate::management::individuals;
use crate::sealed::Place;
use crate::{Context, Failure};

/// Whom an exchange was made for, and what came of reaching them.
#[derive(Clone, Default)]
pub struct Addressed {
    /// The individual.
    pub individual: Option<IndividualId>,
    /// The external id of the individual; empty when the person has none, or was erased.
    pub mapper_id: String,
    /// The wallet endpoint that the issue call named; empty without one.
    pub endpoint: String,
    /// Delivery of the link.
    pub link: Option<OfferDelivery>,
    /// Delivery of the transaction code.
    pub pin: Option<OfferDelivery>,
}

impl std::fmt::Debug for Addressed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Addressed(to {:?})", self.individual)
    }
}

/// Whom these exchanges were made for; most were made for nobody in particular.
pub(crate) async fn of<R>(
    ctx: &Context,
    organisation: &Organisation,
    reader: &Read,
    exchanges: &[ExchangeId],
) -> Result<HashMap<ExchangeId, Addressed>, Failure<R>> {
    let deliveries = reader.offer_deliveries_of(exchanges).await?;
    let mut individuals: Vec<IndividualId> = deliveries.iter().filter_map(|delivery| delivery.individual_id).collect();
    individuals.sort_unstable();
    individuals.dedup();
    let mut mapper_ids = HashMap::new();
    for individual in reader.individuals_of(&individuals).await? {
        mapper_ids.insert(individual.id, individuals::open(ctx, organisation, &individual)?.external_id);
    }
    let mut all: HashMap<ExchangeId, Addressed> = HashMap::new();
    for delivery in deliveries {
        let addressed = all.entry(delivery.exchange_id).or_default();
        if let Some(individual) = delivery.individual_id {
            addressed.individual = Some(individual);
            addressed.mapper_id = mapper_ids.get(&individual).cloned().unwrap_or_default();
        }
        if let Some(sealed) = &delivery.sealed_endpoint {
            let exchange = delivery.exchange_id.as_uuid();
            addressed.endpoint = ctx.open(organisation, Place::OfferEndpoint, exchange, sealed)?;
        }
        match delivery.part {
            OfferPart::Link => addressed.link = Some(delivery),
            OfferPart::Pin => addressed.pin = Some(delivery),
        }
    }
    Ok(all)
}
