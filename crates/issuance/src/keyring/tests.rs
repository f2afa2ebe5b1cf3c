use chancery_keys::Algorithm;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, PKCS_ECDSA_P256_SHA256,
    date_time_ymd,
};
use uuid::Uuid;

use super::*;

/// 2026-06-01T00:00:00Z, within the validity of every certificate here.
const NOW: Timestamp = Timestamp::from_seconds(1_780_272_000);
/// 2027-01-01T00:00:00Z, when it is over.
const END: Timestamp = Timestamp::from_seconds(1_798_761_600);

#[derive(Clone, Copy)]
enum Chain {
    None,
    Good,
    SelfSigned,
    WithAnchor,
}

fn params(common_name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.not_before = date_time_ymd(2025, 1, 1);
    params.not_after = date_time_ymd(2027, 1, 1);
    params
}

fn key(number: u128, state: SigningKeyState, chain: Chain) -> ReadyKey {
    let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let authority = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let mut root = params("Root");
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let anchor = root.self_signed(&authority).unwrap().der().to_vec();
    let leaf = params("Leaf").signed_by(&pair, &Issuer::new(root, authority)).unwrap().der().to_vec();
    let der = match chain {
        Chain::None => Vec::new(),
        Chain::Good => vec![leaf],
        Chain::SelfSigned => vec![params("Self").self_signed(&pair).unwrap().der().to_vec()],
        Chain::WithAnchor => vec![leaf, anchor],
    };
    let chain = CertificateChain::from_der(der).unwrap();
    let kid = format!("key-{number}");
    let flaw = flaw(&chain, NOW);
    let signer =
        SoftwareKey::from_pkcs8(Algorithm::Es256, &pair.serialize_der()).unwrap().into_signer(kid.clone(), chain);
    let public_jwk = signer.public_jwk().clone();
    ReadyKey { id: Uuid::from_u128(number).into(), kid, state, public_jwk, signer, flaw }
}

fn under(profile: Profile) -> Policy {
    Policy { profile, ..Policy::default() }
}

fn told(chain: Chain, rule: CertificateRule, now: Timestamp) -> Result<KeyReference, String> {
    key(1, SigningKeyState::Active, chain).reference(rule, now).map_err(|obstacle| obstacle.to_string())
}

/// HAI-5; HAIP 1.0 §6.1.1.
#[test]
fn what_haip_does_not_want_is_an_obstacle_that_says_what_to_do() {
    assert_eq!(told(Chain::Good, CertificateRule::Demanded, NOW), Ok(KeyReference::X5c));
    for (chain, wrong, remedy) in [
        (Chain::None, "no certificate chain", "upload the chain"),
        (Chain::SelfSigned, "self-signed", "have an authority certify"),
        (Chain::WithAnchor, "trust anchor", "upload the chain without it"),
    ] {
        let obstacle = told(chain, CertificateRule::Demanded, NOW).unwrap_err();
        assert!(obstacle.contains("key-1") && obstacle.contains(wrong) && obstacle.contains(remedy), "{obstacle}");
    }
}

#[test]
fn elsewhere_only_the_clock_is_an_obstacle() {
    for chain in [Chain::Good, Chain::SelfSigned, Chain::WithAnchor] {
        assert_eq!(told(chain, CertificateRule::WhereKept, NOW), Ok(KeyReference::X5c));
        assert_eq!(told(chain, CertificateRule::Never, END), Ok(KeyReference::Kid));
    }
    assert_eq!(told(Chain::None, CertificateRule::WhereKept, NOW), Ok(KeyReference::Kid));
    for rule in [CertificateRule::WhereKept, CertificateRule::Demanded] {
        assert!(told(Chain::Good, rule, END).unwrap_err().contains("upload a renewed chain"));
        let early = Timestamp::from_seconds(1_735_689_000);
        assert!(told(Chain::Good, rule, early).unwrap_err().contains("not valid before"));
    }
}

#[test]
fn documents_are_signed_with_or_without_certificates() {
    let signs = |keys: Vec<ReadyKey>, profile, now| {
        let keyring = Keyring { keys };
        let (key, reference) = keyring.for_documents(&under(profile), now).unwrap();
        (key.kid.clone(), reference)
    };
    let active = |number, chain| key(number, SigningKeyState::Active, chain);
    for profile in [Profile::Open, Profile::Haip] {
        let (kid, reference) = signs(vec![active(1, Chain::Good)], profile, NOW);
        assert_eq!((kid.as_str(), reference), ("key-1", KeyReference::X5c));
        let (kid, reference) = signs(vec![active(1, Chain::Good)], profile, END);
        assert_eq!((kid.as_str(), reference), ("key-1", KeyReference::Kid));
    }
    let newer_without = || vec![active(1, Chain::Good), active(2, Chain::None)];
    assert_eq!(signs(newer_without(), Profile::Open, NOW), ("key-2".to_owned(), KeyReference::Kid));
    assert_eq!(signs(newer_without(), Profile::Haip, NOW), ("key-1".to_owned(), KeyReference::X5c));
    assert_eq!(signs(newer_without(), Profile::Haip, END), ("key-2".to_owned(), KeyReference::Kid));
    let none_active = Keyring { keys: vec![key(1, SigningKeyState::VerifyOnly, Chain::Good)] };
    assert!(none_active.for_documents(&under(Profile::Haip), NOW).is_none());
}

#[test]
fn certificates_are_warned_of_before_their_end_and_by_haip_when_they_will_not_do() {
    let warned = |keys: Vec<ReadyKey>, profile, now| Keyring { keys }.warnings(&under(profile), now);
    let active = |chain| vec![key(1, SigningKeyState::Active, chain)];
    let ahead = |days: i64| Timestamp::from_seconds(END.seconds() - days * 86_400);
    assert_eq!(warned(active(Chain::Good), Profile::Haip, ahead(31)), [""; 0]);
    assert_eq!(warned(active(Chain::None), Profile::Open, NOW), [""; 0]);
    let soon = warned(active(Chain::Good), Profile::Open, ahead(30));
    assert!(soon.len() == 1 && soon[0].contains("ends at 1798761600"), "{soon:?}");
    let next = vec![key(1, SigningKeyState::Next, Chain::Good)];
    assert_eq!(warned(next, Profile::Open, ahead(1)).len(), 1);
    let former = vec![key(1, SigningKeyState::VerifyOnly, Chain::Good)];
    assert_eq!(warned(former, Profile::Open, ahead(1)), [""; 0]);
    for chain in [Chain::None, Chain::SelfSigned, Chain::WithAnchor] {
        let unfit = warned(active(chain), Profile::Haip, NOW);
        assert!(unfit.len() == 1 && unfit[0].starts_with("nothing is issued under the profile haip"), "{unfit:?}");
    }
    assert_eq!(warned(active(Chain::Good), Profile::Haip, END.plus_seconds(1)).len(), 2);
}
