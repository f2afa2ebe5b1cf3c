//! Deliveries on a record.

use chancery_model::{OfferChannel, OfferDelivery, OfferDeliveryState};
use serde::Serialize;
use utoipa::ToSchema;

/// How one part of an offer gets to whom it was made for. `channel` is `none` and `state` is empty when it was made for
/// nobody in particular.
#[derive(Serialize, ToSchema)]
#[schema(as = OfferDelivery)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeliverySchema {
    /// `none`, `walletEndpoint`, `email` or `webhook`.
    #[schema(value_type = String, example = "email")]
    channel: OfferChannel,
    /// `unsent`: the organisation hands it over; `pending`, `delivered`, `failed` (given up), `cancelled`. What came of a
    /// `webhook` that was `delivered` to is in its deliveries.
    #[schema(example = "delivered")]
    state: &'static str,
    /// Attempts since it was last asked for.
    attempts: u32,
    /// When the last attempt began, in Unix seconds; 0 before the first.
    attempted_at: i64,
    /// While `pending`: not attempted before this instant, in Unix seconds; else 0.
    next_attempt_at: i64,
    /// Why the last attempt failed, or why there will be none.
    failure: String,
}

impl From<Option<&OfferDelivery>> for DeliverySchema {
    fn from(delivery: Option<&OfferDelivery>) -> Self {
        let Some(delivery) = delivery else {
            return Self {
                channel: OfferChannel::None,
                state: "",
                attempts: 0,
                attempted_at: 0,
                next_attempt_at: 0,
                failure: String::new(),
            };
        };
        let is_pending = delivery.state == OfferDeliveryState::Pending;
        Self {
            channel: delivery.channel,
            state: match delivery.state {
                OfferDeliveryState::Unsent => "unsent",
                OfferDeliveryState::Pending => "pending",
                OfferDeliveryState::Delivered => "delivered",
                OfferDeliveryState::Failed => "failed",
                OfferDeliveryState::Cancelled => "cancelled",
            },
            attempts: delivery.attempts,
            attempted_at: delivery.attempted_at.map(|at| at.seconds()).unwrap_or_default(),
            next_attempt_at: if is_pending { delivery.next_attempt_at.seconds() } else { 0 },
            failure: delivery.failure.clone().unwrap_or_default(),
        }
    }
}
