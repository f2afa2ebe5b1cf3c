//! The `x5c` header: a chain of certificates and the key of its leaf (RFC 7515 §4.1.6, RFC 5280).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use x509_parser::prelude::{ASN1Time, FromDer, GeneralName, X509Certificate};

use crate::error::{Step, Violation};
use crate::jose::PublicKey;

/// Longest chain that is looked at.
const LONGEST: usize = 8;

/// What a chain says when it holds together.
pub(crate) struct Leaf {
    pub(crate) key: PublicKey,
    pub(crate) subject: String,
    pub(crate) certificates: usize,
    pub(crate) anchored: bool,
    pub(crate) self_signed: bool,
    /// Whether a certificate behind the leaf is self-signed, which makes it a trust anchor.
    pub(crate) anchor_inside: bool,
    /// URIs and DNS names of the subject alternative name.
    pub(crate) names: Vec<String>,
}

/// Reads `x5c` and checks it at `now`: every certificate is valid and signed by the next; with `anchors` (DER) the last is one
/// of them or signed by one. The leaf comes first.
///
/// # Errors
/// What does not hold, in words.
pub(crate) fn read(x5c: &Value, now: i64, anchors: &[Vec<u8>]) -> Result<Leaf, String> {
    let elements = x5c.as_array().filter(|elements| !elements.is_empty()).ok_or("no non-empty array")?;
    if elements.len() > LONGEST {
        return Err(format!("{} certificates", elements.len()));
    }
    let mut encoded = Vec::with_capacity(elements.len());
    for element in elements {
        let text = element.as_str().ok_or("an element that is no string")?;
        // Standard base64 with padding, unlike everything else in JOSE (RFC 7515 §4.1.6).
        encoded.push(STANDARD.decode(text).map_err(|_| "an element that is not standard base64")?);
    }
    let chain = encoded.iter().map(|der| certificate(der)).collect::<Result<Vec<_>, _>>()?;
    let anchors = anchors.iter().map(|der| certificate(der)).collect::<Result<Vec<_>, _>>()?;
    let now = ASN1Time::from_timestamp(now).map_err(|_| "a time outside X.509")?;
    for (position, certificate) in chain.iter().enumerate() {
        if !certificate.validity().is_valid_at(now) {
            return Err(format!("certificate {} is not valid at this time", position + 1));
        }
    }
    for (position, pair) in chain.windows(2).enumerate() {
        if let [child, parent] = pair
            && !signed_by(child, parent)
        {
            return Err(format!("certificate {} is not signed by certificate {}", position + 1, position + 2));
        }
    }
    let (Some(leaf), Some(last)) = (chain.first(), chain.last()) else {
        return Err("no certificates".into());
    };
    let anchored = anchors.iter().any(|anchor| {
        anchor.as_raw() == last.as_raw() || (anchor.validity().is_valid_at(now) && signed_by(last, anchor))
    });
    if !anchors.is_empty() && !anchored {
        return Err("a chain that ends at none of the trust anchors".into());
    }
    if leaf.key_usage().is_ok_and(|usage| usage.is_some_and(|usage| !usage.value.digital_signature())) {
        return Err("a leaf that may not sign (key usage without digitalSignature)".into());
    }
    Ok(Leaf {
        key: subject_key(leaf).ok_or("a leaf key that is neither P-256, P-384 nor Ed25519")?,
        subject: leaf.subject().to_string(),
        certificates: chain.len(),
        anchored,
        self_signed: self_signed(leaf),
        anchor_inside: chain.iter().skip(1).any(self_signed),
        names: names(leaf),
    })
}

fn certificate(der: &[u8]) -> Result<X509Certificate<'_>, String> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        Ok(_) => Err("bytes behind a certificate".into()),
        Err(_) => Err("an element that is no certificate".into()),
    }
}

/// Holds a header to HAIP, which wants what it signs to carry the certificates of its signer: not self-signed, and without
/// the trust anchor. `leaf` is what [`read`] makes of its `x5c`, if there is one.
pub(crate) fn check_haip(leaf: Option<&Leaf>, step: Step, clause: &'static str) -> Result<(), Violation> {
    let got = match leaf {
        None => "no x5c",
        Some(leaf) if leaf.self_signed => "a self-signed certificate",
        Some(leaf) if leaf.anchor_inside => "the trust anchor among the certificates",
        Some(_) => return Ok(()),
    };
    let what = "what is signed does not carry the certificates of its signer";
    let expected = "x5c with a certificate that an authority issued, without the trust anchor";
    Err(Violation::new(step, clause, what, expected, got))
}

fn self_signed(certificate: &X509Certificate<'_>) -> bool {
    certificate.issuer().as_raw() == certificate.subject().as_raw() && certificate.verify_signature(None).is_ok()
}

fn signed_by(child: &X509Certificate<'_>, parent: &X509Certificate<'_>) -> bool {
    let authority = parent.basic_constraints().is_ok_and(|found| found.is_some_and(|found| found.value.ca));
    authority
        && child.issuer().as_raw() == parent.subject().as_raw()
        && child.verify_signature(Some(parent.public_key())).is_ok()
}

fn subject_key(certificate: &X509Certificate<'_>) -> Option<PublicKey> {
    let subject = certificate.public_key();
    let curve = subject.algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok());
    PublicKey::from_subject(
        &subject.algorithm.algorithm.to_id_string(),
        curve.map(|oid| oid.to_id_string()).as_deref(),
        &subject.subject_public_key.data,
    )
}

pub(crate) fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    let general = &extension.value.general_names;
    let mut names = Vec::new();
    for name in general {
        if let GeneralName::URI(name) | GeneralName::DNSName(name) = name {
            names.push((*name).to_owned());
        }
    }
    names
}
