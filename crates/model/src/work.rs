//! What background workers do.

/// A kind of background work. Each piece of it is about one subject of one organisation: what the subject is, the kind
/// says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WorkKind {
    /// Sends the events of an exchange to the webhooks of its organisation. Subject: the exchange.
    Webhooks,
}

impl WorkKind {
    /// Every kind.
    pub const ALL: [Self; 1] = [Self::Webhooks];

    /// Name in the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::Webhooks => "webhooks",
        }
    }
}
