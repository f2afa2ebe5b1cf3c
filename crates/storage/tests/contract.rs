//! What the storage crate promises, on every backend. `make test` starts the backends.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed unwrap, panic or index fails the test"
)]

#[path = "contract/authorizations.rs"]
mod authorizations;
#[path = "contract/changes_once.rs"]
mod changes_once;
#[path = "contract/database.rs"]
mod database;
#[path = "contract/definitions.rs"]
mod definitions;
#[path = "contract/directory.rs"]
mod directory;
#[path = "contract/event_watches.rs"]
mod event_watches;
#[path = "contract/fetched_claims.rs"]
mod fetched_claims;
#[path = "contract/individuals.rs"]
mod individuals;
#[path = "contract/isolation.rs"]
mod isolation;
#[path = "contract/lists.rs"]
mod lists;
#[path = "contract/opening.rs"]
mod opening;
#[path = "contract/replay.rs"]
mod replay;
#[path = "contract/round_trips.rs"]
mod round_trips;
#[path = "contract/row_security.rs"]
mod row_security;
#[path = "contract/samples.rs"]
mod samples;
#[path = "contract/segments.rs"]
mod segments;
#[path = "contract/shared_budgets.rs"]
mod shared_budgets;
#[path = "contract/shared_values.rs"]
mod shared_values;
#[path = "contract/units_of_work.rs"]
mod units_of_work;
#[path = "contract/usage.rs"]
mod usage;
#[path = "contract/work.rs"]
mod work;
