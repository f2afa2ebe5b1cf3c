//! What background workers do.

/// A kind of background work. Each piece of it is about one subject of one organisation: what the subject is, the kind
/// says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WorkKind {
    /// Sends the events of an exchange to the webhooks of its organisation. Subject: the exchange.
    Webhooks,
    /// Tells a webhook that others of its organisation were disabled by the server. Subject: the webhook that is told.
    WebhookNotice,
    /// Keeps the counts of a long history. Subject: the organisation.
    History,
    /// Erases what is kept no longer. Subject: the organisation.
    Retention,
    /// Delivers an offer to whom it was made. Subject: the exchange.
    OfferDelivery,
    /// Denies an exchange whose claims did not come in time. Subject: the exchange.
    Claims,
    /// Issues rows of a bulk. Subject: a part of it.
    BulkIssuance,
    /// Erases what was kept of a bulk. Subject: the bulk.
    BulkErasure,
}

impl WorkKind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Webhooks,
        Self::WebhookNotice,
        Self::OfferDelivery,
        Self::History,
        Self::Retention,
        Self::Claims,
        Self::BulkIssuance,
        Self::BulkErasure,
    ];

    /// Name in the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::Webhooks => "webhooks",
            Self::WebhookNotice => "webhook_notice",
            Self::OfferDelivery => "offer_delivery",
            Self::History => "history",
            Self::Retention => "retention",
            Self::Claims => "claims",
            Self::BulkIssuance => "bulk_issuance",
            Self::BulkErasure => "bulk_erasure",
        }
    }
}
