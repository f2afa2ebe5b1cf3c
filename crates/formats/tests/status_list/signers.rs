//! Keys, with and without certificates.

use chancery_keys::{Algorithm, CertificateChain, Signer, SoftwareKey};

/// A key without certificates, as the examples of the draft name theirs.
pub(crate) fn signer(algorithm: Algorithm) -> Signer {
    SoftwareKey::generate(algorithm).unwrap().into_signer("12".to_owned(), CertificateChain::default())
}

/// A key whose chain has this many certificates. Only the first is for the key; nothing here follows the chain.
pub(crate) fn certified_signer(certificates: usize) -> Signer {
    let key = SoftwareKey::generate(Algorithm::Es256).unwrap();
    let own = rcgen::KeyPair::try_from(key.to_pkcs8().as_slice()).unwrap();
    let others = std::iter::repeat_with(|| rcgen::KeyPair::generate().unwrap());
    let chain = std::iter::once(own).chain(others).take(certificates).map(|pair| {
        let certificate = rcgen::CertificateParams::new(vec!["status.example".to_owned()]).unwrap();
        certificate.self_signed(&pair).unwrap().der().to_vec()
    });
    let chain = CertificateChain::from_der(chain.collect()).unwrap();
    key.into_signer("12".to_owned(), chain)
}

pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}
