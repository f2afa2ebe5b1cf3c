//! What is wrong with the certificate of a server that we called.

use std::error::Error;
use std::io;

use rustls::{CertificateError, Error as TlsError};

/// Why the certificate was refused, when that is what `error` comes from.
pub(crate) fn certificate_fault(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(TlsError::InvalidCertificate(fault)) = error.downcast_ref() {
            return Some(words(fault));
        }
        // An I/O error hides what is directly inside of it from `source`.
        cause = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inside) => Some(inside),
            None => error.source(),
        };
    }
    None
}

fn words(fault: &CertificateError) -> &'static str {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the library may add causes")]
    match fault {
        CertificateError::UnknownIssuer => "it is signed by nobody whom this server trusts",
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "it is not valid yet",
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => "it is for another host",
        CertificateError::Revoked => "it is revoked",
        _ => "it is not valid for a server",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(fault: CertificateError) -> io::Error {
        io::Error::other(io::Error::other(TlsError::InvalidCertificate(fault)))
    }

    #[test]
    fn a_fault_is_found_however_deep_it_is_hidden() {
        assert_eq!(certificate_fault(&hidden(CertificateError::Expired)), Some("it has expired"));
        assert_eq!(certificate_fault(&hidden(CertificateError::NotValidForName)), Some("it is for another host"));
        assert_eq!(certificate_fault(&hidden(CertificateError::BadEncoding)), Some("it is not valid for a server"));
    }

    #[test]
    fn other_errors_are_no_fault_of_a_certificate() {
        for error in [io::Error::other(TlsError::DecryptError), io::Error::from(io::ErrorKind::ConnectionReset)] {
            assert_eq!(certificate_fault(&error), None);
        }
    }
}
