//! The use cases of Chancery: one public function per thing a wallet or an organisation can ask.
//!
//! [`wallet`] holds what wallets ask, [`management`] what organisations and the platform ask. Each function takes a
//! [`Context`] and the [`Organisation`](chancery_model::Organisation) it acts for, reads the clock once, and answers a
//! value or a [`Failure`].

mod announcement;
mod certificate_fault;
mod checked;
mod claims_endpoint;
mod context;
mod encryption_keyring;
mod failure;
mod keyring;
mod mail;
pub mod management;
mod outbound;
mod provider;
mod quotas;
pub mod rate_limits;
mod recording;
mod sealed;
mod status_lists;
#[cfg(test)]
mod tls_server;
pub mod wallet;
pub mod work;

pub use checked::{Checked, Verified};
pub use context::{Context, Settings};
pub use failure::Failure;
pub use keyring::SigningObstacle;
pub use mail::{MailTls, Smtp};
pub use outbound::Addresses;
