use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::pem::parse_x509_pem;
use x509_parser::prelude::FromDer as _;

use super::*;

#[test]
fn a_key_survives_pkcs8_and_signs_what_its_public_half_verifies() {
    for algorithm in Algorithm::ALL {
        let key = SoftwareKey::generate(algorithm).unwrap();
        let again = SoftwareKey::from_pkcs8(algorithm, &key.to_pkcs8()).unwrap();
        assert_eq!(again.public_jwk(), key.public_jwk());
        assert_eq!(again.algorithm(), algorithm);
        let signature = again.private.sign(b"message").unwrap();
        assert_eq!(signature.len(), algorithm.signature_len());
        key.public_jwk().verify(b"message", &signature).unwrap();
    }
}

#[test]
fn a_key_of_another_algorithm_is_refused() {
    for made in Algorithm::ALL {
        let pkcs8 = SoftwareKey::generate(made).unwrap().to_pkcs8();
        for read in Algorithm::ALL.into_iter().filter(|read| *read != made) {
            assert_eq!(SoftwareKey::from_pkcs8(read, &pkcs8).unwrap_err(), KeyError::Pkcs8(read), "{made} as {read}");
        }
    }
}

#[test]
fn truncated_or_alien_bytes_are_no_key() {
    for algorithm in Algorithm::ALL {
        let pkcs8 = SoftwareKey::generate(algorithm).unwrap().to_pkcs8();
        for bytes in [&[][..], &pkcs8[..pkcs8.len() - 1], &pkcs8[1..], b"-----BEGIN PRIVATE KEY-----"] {
            assert_eq!(SoftwareKey::from_pkcs8(algorithm, bytes).unwrap_err(), KeyError::Pkcs8(algorithm));
        }
    }
}

#[test]
fn debug_output_shows_the_public_half_only() {
    let key = SoftwareKey::generate(Algorithm::EdDsa).unwrap();
    let thumbprint = key.public_jwk().thumbprint();
    assert_eq!(format!("{key:?}"), format!("SoftwareKey {{ public_jwk: PublicJwk(Ed25519 {thumbprint}), .. }}"));
    let signer = key.into_signer("key-1".to_owned(), CertificateChain::default());
    assert_eq!(format!("{signer:?}"), r#"Signer { key_id: "key-1", algorithm: EdDsa, .. }"#);
}

#[tokio::test]
async fn a_clone_of_a_signer_is_the_same_signer() {
    let signer =
        SoftwareKey::generate(Algorithm::Es384).unwrap().into_signer("key-1".to_owned(), CertificateChain::default());
    let clone = signer.clone();
    drop(signer);
    let signature = clone.sign(b"message").await.unwrap();
    clone.public_jwk().verify(b"message", &signature).unwrap();
    assert_eq!((clone.key_id(), clone.algorithm()), ("key-1", Algorithm::Es384));
    assert!(clone.certificate_chain().is_empty());
}

#[test]
fn a_certificate_request_is_signed_by_the_key_it_names() {
    for algorithm in Algorithm::ALL {
        let key = SoftwareKey::generate(algorithm).unwrap();
        let names =
            ["issuer.example".to_owned(), "https://issuer.example/o/demo".to_owned(), "*.issuer.example".to_owned()];
        let pem = key.certificate_signing_request("Erika's Töchter GmbH", &names).unwrap();
        let (_, pem) = parse_x509_pem(pem.as_bytes()).unwrap();
        assert_eq!(pem.label, "CERTIFICATE REQUEST");
        let (_, request) = X509CertificationRequest::from_der(&pem.contents).unwrap();
        request.verify_signature().unwrap();
        let info = &request.certification_request_info;
        assert_eq!(info.subject.to_string(), "CN=Erika's Töchter GmbH");
        assert_eq!(info.subject_pki.subject_public_key.as_ref(), key.public_jwk().point());
        let found: Vec<_> = request
            .requested_extensions()
            .unwrap()
            .filter_map(|extension| {
                if let ParsedExtension::SubjectAlternativeName(names) = extension {
                    Some(&names.general_names)
                } else {
                    None
                }
            })
            .flatten()
            .collect();
        assert_eq!(
            found,
            [
                &GeneralName::DNSName("issuer.example"),
                &GeneralName::URI("https://issuer.example/o/demo"),
                &GeneralName::DNSName("*.issuer.example"),
            ]
        );
    }
}

#[test]
fn certificate_requests_verify_however_long_the_numbers_in_the_signature_are() {
    let key = SoftwareKey::generate(Algorithm::Es256).unwrap();
    for _ in 0..64 {
        let pem = key.certificate_signing_request("x", &[]).unwrap();
        let (_, pem) = parse_x509_pem(pem.as_bytes()).unwrap();
        X509CertificationRequest::from_der(&pem.contents).unwrap().1.verify_signature().unwrap();
    }
}

#[test]
fn names_that_cannot_stand_in_a_certificate_are_refused() {
    let key = SoftwareKey::generate(Algorithm::Es256).unwrap();
    for common_name in ["", "a\nb", &"x".repeat(65)] {
        let outcome = key.certificate_signing_request(common_name, &[]);
        assert!(matches!(outcome, Err(KeyError::CertificateName { .. })), "{common_name:?}");
    }
    let long = format!("{}.example", "x".repeat(64));
    for name in ["", "a b", "-a.example", "a..b", "exämple.com", "https:", "1x://a", "https://a b", &long] {
        let outcome = key.certificate_signing_request("x", &[name.to_owned()]);
        assert!(matches!(outcome, Err(KeyError::CertificateName { .. })), "{name:?}");
    }
    let many = vec!["a.example".to_owned(); 33];
    assert!(matches!(key.certificate_signing_request("x", &many), Err(KeyError::CertificateName { .. })));
}
