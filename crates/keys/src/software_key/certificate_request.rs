use rcgen::{CertificateParams, DistinguishedName, DnType, PublicKeyData, SanType, SignatureAlgorithm, SigningKey};

use super::SoftwareKey;
use crate::public_jwk::excerpt;
use crate::{Algorithm, KeyError};

/// Alternative names one request may have.
const MAX_NAMES: usize = 32;
/// Characters of a common name (RFC 5280 App. A, ub-common-name).
const MAX_COMMON_NAME: usize = 64;
/// Characters of a DNS name (RFC 1035 §2.3.4).
const MAX_DNS_NAME: usize = 253;
/// Bytes of a URI.
const MAX_URI: usize = 2048;

pub(super) fn write(key: &SoftwareKey, common_name: &str, names: &[String]) -> Result<String, KeyError> {
    let refused = |name: &str, reason| KeyError::CertificateName { name: excerpt(name), reason };
    if common_name.is_empty() || common_name.chars().count() > MAX_COMMON_NAME {
        return Err(refused(common_name, "a common name has 1 to 64 characters"));
    }
    if common_name.chars().any(char::is_control) {
        return Err(refused(common_name, "a common name has no control characters"));
    }
    if names.len() > MAX_NAMES {
        return Err(refused("", "at most 32 alternative names"));
    }
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    for name in names {
        params.subject_alt_names.push(alternative_name(name).map_err(|reason| refused(name, reason))?);
    }
    let failed = |error: rcgen::Error| KeyError::CertificateRequest(error.to_string());
    params.serialize_request(&Subject(key)).and_then(|request| request.pem()).map_err(failed)
}

fn alternative_name(name: &str) -> Result<SanType, &'static str> {
    if let Some((scheme, rest)) = name.split_once(':') {
        let scheme_fits = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.chars().all(|other| other.is_ascii_alphanumeric() || "+-.".contains(other));
        let rest_fits = !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_graphic());
        if !scheme_fits || !rest_fits || name.len() > MAX_URI {
            return Err("not a URI in ASCII of at most 2048 bytes");
        }
        return name.try_into().map(SanType::URI).map_err(|_| "not a URI in ASCII");
    }
    let label_fits = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let labels = name.strip_prefix("*.").unwrap_or(name);
    if name.len() > MAX_DNS_NAME || !labels.split('.').all(label_fits) {
        return Err("neither a DNS name (in its ASCII form) nor a URI");
    }
    name.try_into().map(SanType::DnsName).map_err(|_| "not a DNS name")
}

/// The key as rcgen wants to see it: without its bytes.
struct Subject<'a>(&'a SoftwareKey);

impl PublicKeyData for Subject<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.0.public_jwk.point()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        match self.0.algorithm() {
            Algorithm::Es256 => &rcgen::PKCS_ECDSA_P256_SHA256,
            Algorithm::Es384 => &rcgen::PKCS_ECDSA_P384_SHA384,
            Algorithm::EdDsa => &rcgen::PKCS_ED25519,
        }
    }
}

impl SigningKey for Subject<'_> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let raw = self.0.private.sign(message).map_err(|_| rcgen::Error::RemoteKeyError)?;
        Ok(match self.0.algorithm() {
            Algorithm::Es256 | Algorithm::Es384 => ecdsa_der(&raw),
            Algorithm::EdDsa => raw,
        })
    }
}

/// `r || s` as the DER sequence of two integers that X.509 wants (RFC 3279 §2.2.3).
fn ecdsa_der(raw: &[u8]) -> Vec<u8> {
    let (r, s) = raw.split_at(raw.len() / 2);
    let body = [der_integer(r), der_integer(s)].concat();
    tagged(0x30, &body)
}

fn der_integer(big_endian: &[u8]) -> Vec<u8> {
    let leading_zeros = big_endian.iter().take_while(|byte| **byte == 0).count();
    let mut digits = big_endian.get(leading_zeros..).unwrap_or_default().to_vec();
    if digits.first().is_none_or(|first| *first >= 0x80) {
        digits.insert(0, 0);
    }
    tagged(0x02, &digits)
}

/// A DER element of at most 127 bytes, which is what two numbers of 48 bytes come to.
fn tagged(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u8::try_from(body.len()).unwrap_or(u8::MAX);
    let mut element = vec![tag, length];
    element.extend_from_slice(body);
    element
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_the_shortest_positive_integers() {
        assert_eq!(ecdsa_der(&[0x00, 0x01, 0x80, 0x00]), [0x30, 8, 0x02, 1, 0x01, 0x02, 3, 0x00, 0x80, 0x00]);
        assert_eq!(ecdsa_der(&[0x00, 0x00, 0x7f, 0xff]), [0x30, 7, 0x02, 1, 0x00, 0x02, 2, 0x7f, 0xff]);
    }
}
