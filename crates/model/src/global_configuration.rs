//! Defaults of an organisation for its definitions and offers.

use chancery_protocol::proof::BindingMethod;
use serde::{Deserialize, Serialize};

use crate::{Display, GlobalConfigurationId, Timestamp};

/// The defaults of an organisation; it has one set of them or none.
#[derive(Clone, Debug)]
pub struct GlobalConfiguration {
    /// Admin-side id.
    pub id: GlobalConfigurationId,
    /// 1 at first, counting up with each update.
    pub revision: u32,
    /// The defaults.
    pub content: GlobalDefaults,
    /// When they were first set.
    pub created_at: Timestamp,
    /// When they were last set.
    pub updated_at: Timestamp,
}

/// What an organisation sets for everything that does not say otherwise. `None` and empty: the built-in default, or what
/// the organisation's policy says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GlobalDefaults {
    /// Validity of credentials, in days.
    pub expiration_in_days: Option<u32>,
    /// Display of entries and definitions that have none.
    pub branding: Option<Display>,
    /// Lifetime of offers, in seconds.
    pub offer_lifetime: Option<u32>,
    /// How holder keys may be named.
    pub binding_methods: Vec<BindingMethod>,
    /// Least distance of polls, in seconds.
    pub response_interval: Option<u32>,
}
