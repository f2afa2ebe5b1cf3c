//! Whether wallets can encrypt to the issuer.

use super::discovery::Documents;
use super::finding::Kind;
use super::patient::Patient;
use crate::jwe::{self, Encoding};
use crate::metadata::IssuerMetadata;

pub(super) fn examine(patient: &mut Patient<'_>, documents: &Documents) {
    let identifier = documents.of_issuer("credential_issuer").unwrap_or("");
    let metadata = IssuerMetadata::from_object(&documents.issuer, identifier).ok();
    let Some(metadata) = metadata else { return };
    let Some(request) = &metadata.request_encryption else {
        patient.skip("encryption", "not offered");
        return;
    };
    patient.look_at("encryption keys and algorithms");
    let mut usable = false;
    for key in &request.keys {
        let kid = key.get("kid").and_then(serde_json::Value::as_str).unwrap_or("");
        match jwe::encrypt(b"{}", key, Encoding::A128Gcm, false) {
            Ok(_) => usable = true,
            Err(error) => patient.find_error(Kind::ENCRYPTION_KEY, &error),
        }
        let purpose = key.get("use").and_then(serde_json::Value::as_str);
        if purpose.is_some_and(|purpose| purpose != "enc") {
            patient.find(Kind::ENCRYPTION_KEY, format!("the key {kid:?} is for {purpose:?}"));
        }
    }
    if !usable {
        patient.find(Kind::ENCRYPTION_KEY, "there is no P-256 key");
    }
    let response = metadata.response_encryption.as_ref().map(|response| &response.encodings);
    for encodings in [Some(&request.encodings), response].into_iter().flatten() {
        let missing: Vec<&str> = Encoding::ALL
            .iter()
            .map(|encoding| encoding.name())
            .filter(|name| !encodings.iter().any(|listed| listed == name))
            .collect();
        if !missing.is_empty() {
            patient.find(Kind::ENCRYPTION_GCM, format!("enc_values_supported lacks {}", missing.join(", ")));
        }
    }
}
