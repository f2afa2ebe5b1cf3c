//! What is fuzzed, each with the properties that must hold for whatever it accepts.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chancery_formats::ClaimPath;
use chancery_keys::jwe::{self, Accepted, Compression, ContentEncryption, DecryptionKey};
use chancery_keys::{Algorithm, CertificateChain, MacKey, PublicJwk};
use chancery_protocol::authorization::{
    AuthorizationCodeRequest, CodeChallenge, Incoming, RedirectUri, RefreshRequest, RequestObjectExpected,
    pushed_reference, request_object_parameters, verify_request_object,
};
use chancery_protocol::authorization_details::AuthorizationDetail;
use chancery_protocol::client_assertion::{self, ClientAssertion};
use chancery_protocol::client_attestation::{self, Presented};
use chancery_protocol::credential_request::CredentialRequest;
use chancery_protocol::deferred::DeferredRequest;
use chancery_protocol::encryption::ResponseEncryption;
use chancery_protocol::form::Form;
use chancery_protocol::key_attestation::{self, Carrier};
use chancery_protocol::nonce::{self, Purpose};
use chancery_protocol::notification::NotificationRequest;
use chancery_protocol::proof::{self, BindingMethod, ClientIdRule, IssuerRule};
use chancery_protocol::token::TokenRequest;
use chancery_protocol::trust::{ChainRule, Echo, TrustList, TrustedKey};
use chancery_protocol::{IssuerIdentifier, did, dpop, error_description, excerpt, json_object};
use serde_json::Value;

use crate::http;
use crate::signed::{JWK, NOW, TRUSTED, jwts};

/// Takes any input; panics at a finding.
pub(crate) type Target = fn(&[u8]);

pub(crate) const TARGETS: &[(&str, Target)] = &[
    ("form", form),
    ("token_request", token_request),
    ("authorization_request", authorization_request),
    ("authorization_details", authorization_details),
    ("redirect_uri", redirect_uri),
    ("credential_request", credential_request),
    ("deferred_request", deferred_request),
    ("notification_request", notification_request),
    ("dpop_proof", dpop_proof),
    ("key_proof", key_proof),
    ("client_attestation", client_attestation_),
    ("client_assertion", client_assertion),
    ("request_object", request_object),
    ("key_attestation", key_attestation_),
    ("nonce", nonce_),
    ("jwe", open_jwe),
    ("jwk", jwk),
    ("claim_path", claim_path),
    ("did", did_),
    ("certificate_chain", certificate_chain),
    ("issuer_identifier", issuer_identifier),
    ("authorization", http::authorization),
    ("negotiation", http::negotiation),
    ("cookie", http::cookie),
    ("forwarded_for", http::forwarded_for),
    ("request_path", http::request_path),
    ("status_list_time", http::status_list_time),
];

/// What no guess finds, and guidance finds within seconds.
pub(crate) const PLANTED: (&str, Target) = ("planted", |data| {
    let mut rest = data.iter();
    for wanted in b"{\"wallet\"" {
        if rest.next() != Some(wanted) {
            return;
        }
    }
    panic!("this is the planted mistake");
});

const ISSUER: &str = "https://issuer.example/o/acme";
const ALGORITHMS: [Algorithm; 3] = [Algorithm::Es256, Algorithm::Es384, Algorithm::EdDsa];

fn form(data: &[u8]) {
    if let Ok(form) = Form::parse(data) {
        for name in form.names() {
            let _ = (form.all(name).len(), form.get(name));
        }
    }
    let text = String::from_utf8_lossy(data);
    // RFC 6749 §5.2 restricts what an error description may hold.
    let description = error_description(&text);
    assert!(description.bytes().all(|byte| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e)), "{description}");
    let _ = excerpt(&text);
}

fn token_request(data: &[u8]) {
    let Ok(form) = Form::parse(data) else { return };
    if let Err(error) = TokenRequest::parse(&form) {
        let _ = (error.code(), error.explain(), error.to_string());
    }
    if let Err(error) = AuthorizationCodeRequest::parse(&form) {
        let _ = (error.code(), error.explain(), error.to_string());
    }
    if let Err(error) = RefreshRequest::parse(&form) {
        let _ = (error.code(), error.explain(), error.to_string());
    }
}

fn authorization_request(data: &[u8]) {
    if let Ok(claims) = json_object(data, 64 * 1024) {
        let _ = request_object_parameters(&claims, "wallet");
    }
    let Ok(form) = Form::parse(data) else { return };
    for parsed in [Incoming::parse(&form), Incoming::parse_pushed(&form)] {
        if let Err(error) = parsed {
            let _ = (error.code(), error.explain(), error.to_string());
        }
    }
    let _ = CodeChallenge::parse(form.get("code_challenge"), form.get("code_challenge_method"));
    let _ = form.get("request_uri").and_then(pushed_reference);
}

fn authorization_details(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match AuthorizationDetail::parse_list(text) {
        Ok(details) => {
            let written = serde_json::to_string(&details).expect("it is JSON");
            let _ = AuthorizationDetail::parse_list(&written);
        }
        Err(error) => {
            let _ = (error.explain(), error.to_string());
        }
    }
}

fn redirect_uri(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(uri) = RedirectUri::parse(text) {
        assert_eq!(uri.as_str(), text);
        uri.check_registered([text]).expect("it is itself");
        assert!(!text.contains(['\r', '\n', '#', ' ']), "{text:?}");
    }
}

fn credential_request(data: &[u8]) {
    if let Err(error) = CredentialRequest::parse(data) {
        let _ = (error.code(), error.explain(), error.to_string());
    }
    if let Err(error) = ResponseEncryption::from_body(data) {
        let _ = (error.code(), error.explain(), error.to_string());
    }
}

fn deferred_request(data: &[u8]) {
    if let Err(error) = DeferredRequest::parse(data) {
        let _ = (error.code(), error.explain(), error.to_string());
    }
}

fn notification_request(data: &[u8]) {
    if let Err(error) = NotificationRequest::parse(data) {
        let _ = (error.code(), error.explain(), error.to_string());
    }
}

fn dpop_proof(data: &[u8]) {
    for proof in jwts(data) {
        let expected = dpop::Expected {
            method: "POST",
            url: "https://issuer.example/o/acme/token",
            access_token: None,
            now: NOW,
            future_leeway: 60,
            max_age: 120,
            algorithms: &ALGORITHMS,
        };
        match dpop::verify(&proof, &expected) {
            Ok(proof) => assert!(!proof.jti.is_empty() && proof.jti.len() <= 256),
            Err(error) => {
                let _ = (error.explain(), error.to_string());
            }
        }
        let _ = dpop::single([proof.as_str()]);
    }
}

fn key_proof(data: &[u8]) {
    for proof in jwts(data) {
        let expected = proof::Expected {
            audience: ISSUER,
            client_id: ClientIdRule::Client("wallet"),
            issuer_rule: IssuerRule::HolderDidAllowed,
            algorithms: &ALGORITHMS,
            binding_methods: &[BindingMethod::Jwk, BindingMethod::DidKey, BindingMethod::DidJwk],
            trust_anchors: &[],
            now: NOW,
            max_age: 300,
            future_leeway: 60,
        };
        match proof::verify_jwt(&proof, &expected) {
            Ok(proof) => assert!((NOW - 300..=NOW + 60).contains(&proof.issued_at)),
            Err(error) => {
                let _ = (error.explain(), error.to_string());
            }
        }
    }
}

fn trusted() -> TrustList<'static> {
    TrustList { name: "wallet providers", certificates: &[], keys: TRUSTED.as_slice(), chains: ChainRule::Any }
}

fn client_attestation_(data: &[u8]) {
    let jwts = jwts(data);
    let Some(attestation) = jwts.first() else { return };
    let proof = jwts.get(1).map(String::as_str);
    let expected = client_attestation::Expected {
        authorization_server: ISSUER,
        client_id: None,
        trust: trusted(),
        known_attester: None,
        algorithms: &ALGORITHMS,
        challenge: Echo::Optional,
        dpop_thumbprint: None,
        now: NOW,
        max_age: 300,
        future_leeway: 60,
    };
    match client_attestation::verify(Presented { attestation, proof }, &expected) {
        Ok(attested) => {
            let possession = attested.possession.expect("no DPoP proof takes its place");
            assert!(attested.expires_at > NOW && !possession.jti.is_empty());
        }
        Err(error) => {
            let _ = (error.explain(), error.to_string());
        }
    }
    let _ = client_attestation::presented([attestation.as_str()], proof);
}

fn client_assertion(data: &[u8]) {
    for assertion in jwts(data) {
        let form = form_urlencoded([
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", &assertion),
        ]);
        let Ok(form) = Form::parse(form.as_bytes()) else { continue };
        let expected = client_assertion::Expected {
            authorization_server: ISSUER,
            keys: TRUSTED.as_slice(),
            algorithms: &ALGORITHMS,
            now: NOW,
            future_leeway: 60,
        };
        let proven = ClientAssertion::parse(&form).transpose().map(|it| it.and_then(|it| it.verify(&expected)));
        match proven {
            Some(Ok(proven)) => assert!(proven.expires_at > NOW && !proven.jti.is_empty()),
            Some(Err(error)) => {
                let _ = (error.explain(), error.to_string());
            }
            None => {}
        }
    }
}

fn request_object(data: &[u8]) {
    for object in jwts(data) {
        let expected = RequestObjectExpected {
            client_id: "wallet",
            keys: &[&*JWK],
            algorithms: &ALGORITHMS,
            authorization_server: ISSUER,
            now: NOW,
        };
        match verify_request_object(&object, &expected) {
            Ok(form) => {
                if let Err(error) = Incoming::parse_pushed(&form) {
                    let _ = (error.code(), error.explain(), error.to_string());
                }
            }
            Err(error) => {
                let _ = (error.code(), error.explain(), error.to_string());
            }
        }
    }
}

/// Pairs as a form, every byte escaped.
fn form_urlencoded<const N: usize>(pairs: [(&str, &str); N]) -> String {
    let escaped = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    pairs.map(|(name, value)| format!("{}={}", escaped(name), escaped(value))).join("&")
}

static MAC: LazyLock<MacKey> = LazyLock::new(|| MacKey::from_bytes([5; 32]));

/// None that is made up is accepted, whatever it looks like.
fn nonce_(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let purposes =
        [Purpose::CNonce, Purpose::DpopAuthorizationServer, Purpose::DpopResourceServer, Purpose::AttestationChallenge];
    for purpose in purposes {
        match nonce::check(&MAC, b"acme", purpose, NOW, text) {
            Ok(_) => panic!("a nonce was made up"),
            Err(error) => {
                let _ = (error.explain(purpose), error.to_string());
            }
        }
    }
}

fn key_attestation_(data: &[u8]) {
    for attestation in jwts(data) {
        for carrier in [Carrier::JwtProof, Carrier::Attestation] {
            let expected = key_attestation::Expected {
                carrier,
                trust: trusted(),
                algorithms: &ALGORITHMS,
                required: None,
                nonce: Echo::Optional,
                now: NOW,
                max_age: 300,
                future_leeway: 60,
            };
            match key_attestation::verify(&attestation, &expected) {
                Ok(attested) => attested.covers(&attested.attested_keys).expect("they are its own"),
                Err(error) => {
                    let _ = (error.explain(), error.to_string());
                }
            }
        }
    }
}

static DECRYPTION: LazyLock<[DecryptionKey; 1]> =
    LazyLock::new(|| [DecryptionKey::from_bytes("e", &[9; 32]).expect("a number below the order")]);

/// Any compact JWE; and any payload, encrypted and opened again.
fn open_jwe(data: &[u8]) {
    let accepted = Accepted { encryptions: &ContentEncryption::ALL, compression: Compression::Deflate };
    if let Ok(text) = std::str::from_utf8(data) {
        // `$EPK` spares the fuzzer from finding a point on the curve.
        let text = match text.split_once('\n') {
            None => text.to_owned(),
            Some((header, rest)) => {
                let epk = Value::Object(DECRYPTION[0].recipient().public_jwk().to_json()).to_string();
                let header = header.replace("\"$EPK\"", &epk);
                format!("{}.{rest}", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(header))
            }
        };
        if let Err(error) = jwe::decrypt(&text, DECRYPTION.as_slice(), &accepted) {
            let _ = error.to_string();
        }
    }
    for compression in [Compression::None, Compression::Deflate] {
        let recipient = DECRYPTION[0].recipient();
        let sealed = jwe::encrypt(data, recipient, ContentEncryption::A128Gcm, compression).expect("it encrypts");
        let opened = jwe::decrypt(&sealed, DECRYPTION.as_slice(), &accepted).expect("it opens");
        assert_eq!(opened.payload.as_slice(), data);
    }
}

fn jwk(data: &[u8]) {
    match PublicJwk::from_json_bytes(data) {
        Ok(key) => {
            let again = PublicJwk::from_json(&key.to_json()).expect("it was read once");
            assert_eq!(again.thumbprint(), key.thumbprint());
            assert!(again == key);
        }
        Err(error) => {
            let _ = error.to_string();
        }
    }
    let _ = TrustedKey::parse_set(data);
    if let Ok(object) = json_object(data, 64 * 1024) {
        let _ = jwe::RecipientKey::from_json(&object);
    }
}

/// Two lines: a path, and a credential to select from.
fn claim_path(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (path, credential) = text.split_once('\n').unwrap_or((text, "{}"));
    for path in [path.parse::<ClaimPath>().ok(), read_path(path)].into_iter().flatten() {
        assert!(!path.segments().is_empty());
        let _ = (path.pointer(), path.to_string(), path.top_level_name().map(str::len));
        if let Ok(credential) = serde_json::from_str::<Value>(credential) {
            let _ = path.select(&credential).len();
        }
    }
}

fn read_path(text: &str) -> Option<ClaimPath> {
    ClaimPath::try_from(serde_json::from_str::<Value>(text).ok()?).ok()
}

fn did_(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match did::resolve(text) {
        Ok(key) => {
            let again = did::resolve(&format!("{}#0", did::from_jwk(&key))).expect("it was a key");
            assert!(again == key);
        }
        Err(error) => {
            let _ = (error.explain(), error.to_string());
        }
    }
    let _ = did::dereference(text);
}

/// Certificates one after another: DER as it is, and PEM, and base64 lines as `x5c` has them.
fn certificate_chain(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let x5c: Vec<Value> = text.lines().map(|line| Value::from(line.trim())).collect();
    let alone = vec![Value::from(STANDARD.encode(data))];
    let chains = [
        CertificateChain::from_x5c(&x5c),
        CertificateChain::from_x5c(&alone),
        CertificateChain::from_der(vec![data.to_vec()]),
        CertificateChain::from_pem(&text),
    ];
    for chain in chains.into_iter().flatten() {
        let _ = (chain.leaf_public_jwk().is_ok(), chain.leaf_not_after(), chain.leaf_subject().map(str::len));
        let _ = (chain.leaf_dns_names(), chain.leaf_uris(), chain.is_leaf_self_signed(), chain.lint(NOW));
        let _ = chain.verify(&[], NOW);
        let anchors: Vec<Vec<u8>> = chain.der().map(<[u8]>::to_vec).collect();
        let _ = chain.verify(&anchors, NOW);
        assert_eq!(chain.to_x5c().len(), chain.len());
    }
}

fn issuer_identifier(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(issuer) = IssuerIdentifier::parse(text) {
        assert_eq!(issuer.as_str(), text);
        let again = IssuerIdentifier::parse(issuer.as_str()).expect("it was read once");
        assert_eq!(again.path(), issuer.path());
        assert!(text.starts_with(issuer.origin()) && issuer.origin().ends_with(issuer.authority()), "{text}");
        assert!(issuer.authority().starts_with(issuer.host()), "{text}");
        let _ =
            (issuer.well_known("openid-credential-issuer"), issuer.well_known_appended("x"), issuer.endpoint("/token"));
    }
}
