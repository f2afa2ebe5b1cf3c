use proptest::prelude::*;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, SanType, date_time_ymd,
};
use serde_json::json;

use super::*;
use crate::{Algorithm, SoftwareKey};

mod lint;

/// 2026-06-01T00:00:00Z, within the validity of every certificate that does not say otherwise.
const NOW: i64 = 1_780_272_000;
/// 2025-01-01 and 2027-01-01, between which they are valid.
const NOT_BEFORE: i64 = 1_735_689_600;
const NOT_AFTER: i64 = 1_798_761_600;

/// A root, an intermediate and a leaf, each certifying the next.
struct Authority {
    root: Vec<u8>,
    intermediate: Vec<u8>,
    leaf: Vec<u8>,
    leaf_key: PublicJwk,
    intermediate_issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let root_key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
        let root_params = authority("Root");
        let root = root_params.self_signed(&root_key).unwrap().der().to_vec();
        let root_issuer = Issuer::new(root_params, root_key);

        let intermediate_key = KeyPair::generate().unwrap();
        let intermediate_params = authority("Intermediate");
        let intermediate = intermediate_params.signed_by(&intermediate_key, &root_issuer).unwrap().der().to_vec();
        let intermediate_issuer = Issuer::new(intermediate_params, intermediate_key);

        let (leaf_key, leaf) = issued(params("Leaf"), &intermediate_issuer);
        Self { root, intermediate, leaf, leaf_key, intermediate_issuer }
    }

    fn chain(&self) -> CertificateChain {
        chain(&[&self.leaf, &self.intermediate])
    }

    fn anchors(&self) -> Vec<Vec<u8>> {
        vec![self.root.clone()]
    }
}

fn params(common_name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.not_before = date_time_ymd(2025, 1, 1);
    params.not_after = date_time_ymd(2027, 1, 1);
    params
}

fn authority(common_name: &str) -> CertificateParams {
    let mut params = params(common_name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

fn issued(params: CertificateParams, issuer: &Issuer<'_, KeyPair>) -> (PublicJwk, Vec<u8>) {
    let key = KeyPair::generate().unwrap();
    let public = PublicJwk::from_point(Algorithm::Es256, key.public_key_raw()).unwrap();
    (public, params.signed_by(&key, issuer).unwrap().der().to_vec())
}

fn chain(certificates: &[&Vec<u8>]) -> CertificateChain {
    CertificateChain::from_der(certificates.iter().map(|der| der.to_vec()).collect()).unwrap()
}

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

#[test]
fn a_chain_leads_to_its_anchor_with_or_without_it_inside() {
    let authority = Authority::new();
    assert_eq!(authority.chain().verify(&authority.anchors(), NOW), Ok(()));
    let whole = chain(&[&authority.leaf, &authority.intermediate, &authority.root]);
    assert_eq!(whole.verify(&authority.anchors(), NOW), Ok(()));
    let among_others = vec![Authority::new().root, authority.root.clone()];
    assert_eq!(authority.chain().verify(&among_others, NOW), Ok(()));
}

/// KAT-5.
#[test]
fn a_chain_that_leads_to_no_anchor_is_refused_and_the_missing_issuer_named() {
    let authority = Authority::new();
    let missing = |issuer: &str| Err(ChainError::UnknownIssuer { issuer: issuer.to_owned() });
    assert_eq!(authority.chain().verify(&[], NOW), missing("CN=Root"));
    assert_eq!(chain(&[&authority.leaf]).verify(&authority.anchors(), NOW), missing("CN=Intermediate"));
    let namesake = Authority::new();
    assert!(authority.chain().verify(&namesake.anchors(), NOW).is_err(), "a root of the same name and another key");
}

#[test]
fn a_chain_is_refused_outside_its_validity() {
    let authority = Authority::new();
    let at = |now| authority.chain().verify(&authority.anchors(), now);
    assert_eq!(at(NOT_BEFORE), Ok(()));
    assert_eq!(at(NOT_BEFORE - 1), Err(ChainError::NotYetValid { not_before: NOT_BEFORE }));
    assert_eq!(at(NOT_AFTER), Ok(()));
    assert_eq!(at(NOT_AFTER + 1), Err(ChainError::Expired { not_after: NOT_AFTER }));
    assert_eq!(at(-1), Err(ChainError::NotYetValid { not_before: NOT_BEFORE }));
    assert!(ChainError::Expired { not_after: NOT_AFTER }.to_string().contains("2027"));
}

#[test]
fn any_extended_key_usage_is_accepted() {
    let authority = Authority::new();
    let mut params = params("mdoc signer");
    // id-mdl-kp-mdlDS of ISO/IEC 18013-5 Annex B.
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::Other(vec![1, 0, 18013, 5, 1, 2])];
    let (_, leaf) = issued(params, &authority.intermediate_issuer);
    assert_eq!(chain(&[&leaf, &authority.intermediate]).verify(&authority.anchors(), NOW), Ok(()));
}

#[test]
fn an_unknown_critical_extension_is_refused() {
    let authority = Authority::new();
    let mut params = params("Leaf");
    let mut extension = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99_999, 1], vec![0x05, 0x00]);
    extension.set_criticality(true);
    params.custom_extensions = vec![extension];
    let (_, leaf) = issued(params, &authority.intermediate_issuer);
    let outcome = chain(&[&leaf, &authority.intermediate]).verify(&authority.anchors(), NOW);
    assert!(matches!(outcome, Err(ChainError::Path { .. })), "RFC 5280 §4.2: {outcome:?}");
}

#[test]
fn a_certificate_that_may_not_issue_issues_nothing() {
    let authority = Authority::new();
    let middle_key = KeyPair::generate().unwrap();
    let middle_params = params("Not an authority");
    let middle = middle_params.signed_by(&middle_key, &authority.intermediate_issuer).unwrap().der().to_vec();
    let (_, leaf) = issued(params("Leaf"), &Issuer::new(middle_params, middle_key));
    assert!(chain(&[&leaf, &middle, &authority.intermediate]).verify(&authority.anchors(), NOW).is_err());
}

#[test]
fn an_authority_is_no_leaf() {
    let authority = Authority::new();
    let outcome = chain(&[&authority.intermediate]).verify(&authority.anchors(), NOW);
    assert_eq!(outcome, Err(ChainError::AuthorityLeaf));
}

#[test]
fn a_self_signed_leaf_is_trusted_only_when_it_is_itself_an_anchor() {
    let own = |key: &KeyPair| params("Self").self_signed(key).unwrap().der().to_vec();
    let key = KeyPair::generate().unwrap();
    let leaf = own(&key);
    assert_eq!(chain(&[&leaf]).verify(std::slice::from_ref(&leaf), NOW), Ok(()));
    assert!(chain(&[&leaf]).is_leaf_self_signed());
    let namesake = own(&KeyPair::generate().unwrap());
    assert!(chain(&[&leaf]).verify(&[namesake], NOW).is_err());
    assert!(chain(&[&leaf, &leaf]).verify(&Authority::new().anchors(), NOW).is_err());
}

#[test]
fn a_changed_certificate_breaks_the_chain() {
    let authority = Authority::new();
    let mut leaf = authority.leaf.clone();
    let last = leaf.len() - 1;
    leaf[last] ^= 1;
    assert!(chain(&[&leaf, &authority.intermediate]).verify(&authority.anchors(), NOW).is_err());
}

#[test]
fn an_unreadable_anchor_is_named() {
    let authority = Authority::new();
    let anchors = vec![authority.root.clone(), b"junk".to_vec()];
    assert_eq!(authority.chain().verify(&anchors, NOW), Err(ChainError::Anchor { position: 2 }));
    assert_eq!(CertificateChain::default().verify(&anchors, NOW), Err(ChainError::Empty));
}

#[test]
fn the_leaf_tells_its_key_names_and_validity() {
    let authority = Authority::new();
    let mut params = params("Leaf");
    params.subject_alt_names = vec![
        SanType::DnsName("issuer.example".try_into().unwrap()),
        SanType::URI("https://issuer.example/o/demo".try_into().unwrap()),
    ];
    let (key, leaf) = issued(params, &authority.intermediate_issuer);
    let chain = chain(&[&leaf, &authority.intermediate]);
    assert_eq!(chain.leaf_public_jwk(), Ok(key));
    assert_eq!(chain.leaf_not_after(), Some(NOT_AFTER));
    assert_eq!(chain.leaf_subject(), Some("CN=Leaf"));
    assert_eq!(chain.leaf_dns_names(), ["issuer.example"]);
    assert_eq!(chain.leaf_uris(), ["https://issuer.example/o/demo"]);
    assert!(!chain.is_leaf_self_signed());
    assert_eq!(authority.chain().leaf_public_jwk(), Ok(authority.leaf_key));
    assert_eq!(format!("{chain:?}"), r#"["CN=Leaf", "CN=Intermediate"]"#);
}

#[test]
fn leaf_keys_of_every_algorithm_are_read_and_others_refused() {
    for algorithm in [&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ECDSA_P384_SHA384, &rcgen::PKCS_ED25519] {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let leaf = params("Leaf").self_signed(&key).unwrap().der().to_vec();
        assert_eq!(chain(&[&leaf]).leaf_public_jwk().unwrap().point(), key.public_key_raw());
    }
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P521_SHA512).unwrap();
    let leaf = params("Leaf").self_signed(&key).unwrap().der().to_vec();
    assert_eq!(chain(&[&leaf]).leaf_public_jwk(), Err(ChainError::LeafKey));
    assert!(chain(&[&leaf]).lint(NOW).contains(&ChainFinding::LeafKey(ChainError::LeafKey)));
}

#[test]
fn an_empty_chain_has_no_leaf() {
    let chain = CertificateChain::from_pem(" \n").unwrap();
    assert_eq!(chain, CertificateChain::default());
    assert!(chain.is_empty());
    assert_eq!((chain.len(), chain.leaf_not_after(), chain.is_leaf_self_signed()), (0, None, false));
    assert_eq!(chain.leaf_public_jwk(), Err(ChainError::Empty));
    assert!(chain.lint(NOW).is_empty());
    assert!(chain.to_x5c().is_empty());
}

#[test]
fn pem_der_and_x5c_give_the_same_chain() {
    let authority = Authority::new();
    let chain = authority.chain();
    let text =
        format!("# the leaf\n{}\n{}", pem("CERTIFICATE", &authority.leaf), pem("CERTIFICATE", &authority.intermediate));
    assert_eq!(CertificateChain::from_pem(&text).unwrap(), chain);
    let x5c: Vec<Value> = chain.to_x5c().into_iter().map(Value::from).collect();
    assert_eq!(CertificateChain::from_x5c(&x5c).unwrap(), chain);
    assert_eq!(chain.der().collect::<Vec<_>>(), [&authority.leaf[..], &authority.intermediate[..]]);
}

#[test]
fn pem_text_with_anything_but_certificates_is_refused() {
    let authority = Authority::new();
    let certificate = pem("CERTIFICATE", &authority.leaf);
    let key = SoftwareKey::generate(Algorithm::Es256).unwrap();
    for label in ["PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY"] {
        let text = certificate.clone() + &pem(label, &key.to_pkcs8());
        assert_eq!(CertificateChain::from_pem(&text), Err(ChainError::PrivateKey));
    }
    let text = certificate.clone() + &pem("PUBLIC KEY", b"x");
    assert_eq!(CertificateChain::from_pem(&text), Err(ChainError::NotACertificateSection { position: 2 }));
    assert_eq!(CertificateChain::from_pem("hello"), Err(ChainError::NotPem));
    assert_eq!(CertificateChain::from_pem(&STANDARD.encode(&authority.leaf)), Err(ChainError::NotPem));
    assert_eq!(CertificateChain::from_pem(&certificate[..certificate.len() / 2]), Err(ChainError::NotPem));
}

#[test]
fn x5c_members_of_another_kind_are_refused_by_position() {
    let authority = Authority::new();
    let leaf = STANDARD.encode(&authority.leaf);
    let refused = |member: Value| CertificateChain::from_x5c(&[json!(leaf), member]).unwrap_err();
    let not_base64 = ChainError::NotBase64 { position: 2 };
    assert_eq!(refused(json!(7)), not_base64);
    assert_eq!(refused(json!(pem("CERTIFICATE", &authority.leaf))), not_base64);
    assert_eq!(refused(json!("_-8=")), not_base64, "base64url, RFC 7515 §4.1.6");
    assert_eq!(refused(json!(STANDARD.encode(b"junk"))), ChainError::NotDer { position: 2 });
    let trailing = [&authority.leaf[..], &[0]].concat();
    assert_eq!(refused(json!(STANDARD.encode(trailing))), ChainError::NotDer { position: 2 });
    assert_eq!(refused(json!("A".repeat(1 << 20))), ChainError::TooLong { position: 2 });
    assert_eq!(CertificateChain::from_x5c(&[]), Err(ChainError::Empty));
    let many = vec![json!(leaf); 11];
    assert_eq!(CertificateChain::from_x5c(&many), Err(ChainError::TooMany { got: 11 }));
    assert_eq!(CertificateChain::from_der(vec![vec![]; 11]), Err(ChainError::TooMany { got: 11 }));
    assert_eq!(CertificateChain::from_der(vec![vec![0; 20_000]]), Err(ChainError::TooLong { position: 1 }));
}

#[test]
fn hostile_names_are_cut() {
    let key = KeyPair::generate().unwrap();
    let certificate = params(&"x".repeat(5_000)).self_signed(&key).unwrap().der().to_vec();
    assert_eq!(chain(&[&certificate]).leaf_subject().unwrap().len(), 128);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_changed_byte_of_a_leaf_is_answered_and_never_trusted(position in any::<prop::sample::Index>(), change in 1_u8..) {
        static AUTHORITY: std::sync::LazyLock<Authority> = std::sync::LazyLock::new(Authority::new);
        let mut leaf = AUTHORITY.leaf.clone();
        let position = position.index(leaf.len());
        leaf[position] ^= change;
        if let Ok(chain) = CertificateChain::from_der(vec![leaf, AUTHORITY.intermediate.clone()]) {
            let _ = (chain.lint(NOW), chain.leaf_public_jwk(), chain.leaf_dns_names());
            prop_assert!(chain.verify(&AUTHORITY.anchors(), NOW).is_err());
        }
    }

    #[test]
    fn any_pem_text_is_answered(text in "(-----BEGIN [A-Z ]{0,12}-----\n)?\\PC{0,80}(\n-----END CERTIFICATE-----)?") {
        let _ = CertificateChain::from_pem(&text);
    }
}
