//! The doctor: does to a running issuer what wallets will do to it, before they do.
//!
//! It needs nothing but the Credential Issuer Identifier, changes nothing and leaves no trace but log lines: requests that
//! cannot be completed without a person are sent only far enough to be refused, and the refusals are looked at. With an
//! offer it goes the whole way and looks at the credential, too.

mod browser;
mod certificates;
mod clock;
mod credential;
mod discovery;
mod documents;
mod encryption;
mod endpoints;
mod finding;
mod patient;
mod report;
mod status_lists;
mod tls;
mod urls;

use crate::error::WalletError;
use crate::metadata::check_identifier;
use crate::options::Options;
use crate::wallet::Wallet;

pub use finding::{Kind, Severity};
use patient::Patient;
pub use report::{Check, Finding, Report};

impl Wallet {
    /// Examines the issuer `identifier`. [`Options::resolve`], [`Options::trust_anchors`] and [`Options::haip`] are used, the
    /// rest only for `offer`, an offer link that is accepted and so used up. Whether the issuer is one for wallets of HAIP
    /// shows in its metadata, too.
    ///
    /// # Errors
    /// [`WalletError::Violation`] for something that is no identifier. What is wrong with the issuer is in the report, even
    /// when it cannot be reached.
    pub async fn examine(
        &self,
        identifier: &str,
        offer: Option<&str>,
        options: &Options,
    ) -> Result<Report, WalletError> {
        check_identifier(crate::Step::IssuerMetadata, identifier)?;
        // What HAIP wants of certificates has findings of its own, and stops nothing on the way to them.
        let lenient = Options { haip: false, ..options.clone() };
        let mut patient = Patient::new(self, identifier, &lenient);
        patient.haip = options.haip;
        tls::examine(&mut patient).await;
        let Some(documents) = discovery::examine(&mut patient).await else {
            return Ok(patient.report);
        };
        patient.haip |= documents::are_of_haip(&documents);
        documents::examine(&mut patient, &documents);
        urls::examine(&mut patient, &documents);
        clock::examine(&mut patient, &documents);
        endpoints::examine(&mut patient, &documents).await;
        browser::examine(&mut patient, &documents).await;
        encryption::examine(&mut patient, &documents);
        certificates::examine(&mut patient).await;
        status_lists::examine(&mut patient, &documents).await;
        credential::examine(&mut patient, offer).await;
        Ok(patient.report)
    }
}

#[cfg(test)]
mod tests;
