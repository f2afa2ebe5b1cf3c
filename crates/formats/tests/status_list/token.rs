//! Tokens in both encodings, read back without the code that wrote them.

use std::num::NonZeroU32;

use chancery_formats::KeyReference;
use chancery_formats::status_list::{
    Bits, CWT_MEDIA_TYPE, Claim, JWT_MEDIA_TYPE, Level, SignError, StatusList, TYP, Token,
};
use chancery_keys::{Algorithm, KeyError, PublicJwk, jws};
use ciborium::Value as Cbor;
use serde_json::json;

use crate::signers::{block_on, certified_signer, signer};

/// The token of the examples in the draft (§5.1, §5.2), whose list is the bytes `b9a3`.
pub(crate) fn example() -> Token {
    Token {
        uri: "https://example.com/statuslists/1".to_owned(),
        issued_at: 1_686_920_170,
        expires_at: Some(2_291_720_170),
        ttl: NonZeroU32::new(43_200),
        status_list: Claim::from_json(&json!({ "bits": 1, "lst": "eNrbuRgAAhcBXQ" })).unwrap(),
    }
}

/// What a CWT holds, by the rules of RFC 9052 §4.2 and nothing of ours.
pub(crate) struct ReadCwt {
    protected: Vec<(Cbor, Cbor)>,
    unprotected: Vec<(Cbor, Cbor)>,
    pub(crate) claims: Vec<(Cbor, Cbor)>,
    signed: Vec<u8>,
    signature: Vec<u8>,
}

impl ReadCwt {
    pub(crate) fn new(cwt: &[u8]) -> Self {
        let Cbor::Tag(18, message) = ciborium::from_reader(cwt).unwrap() else { panic!("not a tagged COSE_Sign1") };
        let [protected, unprotected, payload, signature]: [Cbor; 4] = message.into_array().unwrap().try_into().unwrap();
        let inner = |bytes: &Cbor| -> Vec<(Cbor, Cbor)> {
            let bytes = bytes.as_bytes().unwrap();
            ciborium::from_reader::<Cbor, _>(bytes.as_slice()).unwrap().into_map().unwrap()
        };
        let structure =
            Cbor::Array(vec!["Signature1".into(), protected.clone(), Cbor::Bytes(Vec::new()), payload.clone()]);
        let mut signed = Vec::new();
        ciborium::into_writer(&structure, &mut signed).unwrap();
        Self {
            protected: inner(&protected),
            unprotected: unprotected.into_map().unwrap(),
            claims: inner(&payload),
            signed,
            signature: signature.into_bytes().unwrap(),
        }
    }

    fn verify(&self, key: &PublicJwk) -> bool {
        key.verify(&self.signed, &self.signature).is_ok()
    }
}

pub(crate) fn sign_cwt(token: &Token) -> Vec<u8> {
    block_on(token.sign_cwt(&signer(Algorithm::Es256), KeyReference::Kid)).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_media_types_are_those_of_the_draft() {
    assert_eq!(JWT_MEDIA_TYPE, "application/statuslist+jwt");
    assert_eq!(CWT_MEDIA_TYPE, "application/statuslist+cwt");
    assert_eq!(JWT_MEDIA_TYPE, format!("application/{TYP}"));
}

/// TSL-4.
#[test]
fn a_jwt_has_the_claims_of_the_example_and_verifies() {
    for algorithm in Algorithm::ALL {
        let signer = signer(algorithm);
        let jwt = block_on(example().sign_jwt(&signer, KeyReference::Kid)).unwrap();
        let read = jws::decode(&jwt).unwrap();
        read.verify(signer.public_jwk()).unwrap();
        assert_eq!(json!(read.header()), json!({ "typ": "statuslist+jwt", "alg": algorithm.name(), "kid": "12" }));
        assert_eq!(
            json!(read.claims()),
            json!({
                "sub": "https://example.com/statuslists/1",
                "iat": 1_686_920_170,
                "exp": 2_291_720_170_i64,
                "ttl": 43_200,
                "status_list": { "bits": 1, "lst": "eNrbuRgAAhcBXQ" }
            })
        );
    }
}

/// TSL-5: all bytes but the signature.
#[test]
fn a_cwt_has_the_bytes_of_the_example() {
    let cwt = hex(&sign_cwt(&example()));
    let example = concat!(
        "d2845820a2012610781a6170706c69636174696f6e2f7374617475736c6973742b637774a1044231325850a5027821687474",
        "70733a2f2f6578616d706c652e636f6d2f7374617475736c697374732f31061a648c5bea041a8898dfea19fffe19a8c019ff",
        "fda2646269747301636c73744a78dadbb918000217015d5840"
    );
    assert_eq!(cwt[..example.len()], *example);
    assert_eq!(cwt.len(), example.len() + 2 * 64, "raw r || s follows");
}

#[test]
fn a_cwt_verifies_over_the_structure_of_rfc_9052() {
    for (algorithm, number) in [(Algorithm::Es256, -7), (Algorithm::Es384, -35), (Algorithm::EdDsa, -8)] {
        let signer = signer(algorithm);
        let cwt = block_on(example().sign_cwt(&signer, KeyReference::Kid)).unwrap();
        let read = ReadCwt::new(&cwt);
        assert!(read.verify(signer.public_jwk()));
        assert_eq!(read.protected, [(1.into(), number.into()), (16.into(), "application/statuslist+cwt".into())]);
        assert_eq!(read.unprotected, [(4.into(), Cbor::Bytes(b"12".to_vec()))]);

        let mut altered = read;
        *altered.signed.last_mut().unwrap() ^= 1;
        assert!(!altered.verify(signer.public_jwk()));
    }
}

/// RFC 9360 §2; MDO-13: protected.
#[test]
fn a_cwt_carries_one_certificate_by_itself_and_several_in_an_array() {
    for certificates in [1, 2, 3] {
        let signer = certified_signer(certificates);
        let cwt = block_on(example().sign_cwt(&signer, KeyReference::X5c)).unwrap();
        let read = ReadCwt::new(&cwt);
        assert!(read.verify(signer.public_jwk()));
        assert!(read.unprotected.is_empty());
        let mut der: Vec<Cbor> = signer.certificate_chain().der().map(Cbor::from).collect();
        let expected = if certificates == 1 { der.remove(0) } else { Cbor::Array(der) };
        let x5chain = read.protected.iter().find(|(label, _)| *label == 33.into());
        assert_eq!(x5chain, Some(&(33.into(), expected)));
    }
}

/// TSL-18.
#[test]
fn a_jwt_carries_the_certificate_chain_when_asked() {
    let signer = certified_signer(2);
    let jwt = block_on(example().sign_jwt(&signer, KeyReference::X5c)).unwrap();
    let read = jws::decode(&jwt).unwrap();
    read.verify(signer.public_jwk()).unwrap();
    assert_eq!(read.header()["x5c"], json!(signer.certificate_chain().to_x5c()));
    assert!(!read.header().contains_key("kid"));
}

#[test]
fn a_key_without_certificates_signs_no_token_that_should_carry_them() {
    let signer = signer(Algorithm::Es256);
    let jwt = block_on(example().sign_jwt(&signer, KeyReference::X5c));
    let cwt = block_on(example().sign_cwt(&signer, KeyReference::X5c));
    assert!(matches!(jwt, Err(SignError::Key(KeyError::Header(_)))));
    assert!(matches!(cwt, Err(SignError::Key(KeyError::Header(_)))));
}

#[test]
fn what_is_not_said_has_no_claim() {
    let token = Token { expires_at: None, ttl: None, ..example() };
    let jwt = block_on(token.sign_jwt(&signer(Algorithm::Es256), KeyReference::Kid)).unwrap();
    let claims = jws::decode(&jwt).unwrap().claims().clone();
    assert_eq!(claims.keys().collect::<Vec<_>>(), ["sub", "iat", "status_list"]);
    let labels: Vec<Cbor> = ReadCwt::new(&sign_cwt(&token)).claims.into_iter().map(|(label, _)| label).collect();
    assert_eq!(labels, [2, 6, 65_533].map(Cbor::from));
}

/// One state, two encodings.
#[test]
fn both_encodings_hold_the_same_list_and_name_the_aggregation() {
    let mut list = StatusList::new(Bits::Two, 1_000).unwrap();
    list.set(999, 2).unwrap();
    let mut token = Token { status_list: list.compress(Level::Best).unwrap(), ..example() };
    token.status_list.aggregation_uri = Some("https://status.example/lists".to_owned());

    let jwt = block_on(token.sign_jwt(&signer(Algorithm::Es256), KeyReference::Kid)).unwrap();
    let claim = Claim::from_json(&jws::decode(&jwt).unwrap().claims()["status_list"]).unwrap();
    assert_eq!(claim, token.status_list);
    assert_eq!(claim.inflate(1_000).unwrap(), list);

    let claims = ReadCwt::new(&sign_cwt(&token)).claims;
    let (_, claim) = claims.iter().find(|(label, _)| *label == 65_533.into()).unwrap();
    assert_eq!(
        *claim,
        Cbor::Map(vec![
            ("bits".into(), 2.into()),
            ("lst".into(), Cbor::Bytes(token.status_list.lst)),
            ("aggregation_uri".into(), "https://status.example/lists".into()),
        ])
    );
}
