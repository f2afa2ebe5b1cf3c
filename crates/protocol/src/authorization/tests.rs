use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::form::FormError;

const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// The pushed request of a wallet, without its PKCE parameters.
const BASE: &str = concat!(
    "response_type=code&client_id=https%3A%2F%2Fwallet.example&redirect_uri=https%3A%2F%2Fwallet.example%2Fcb",
    "&scope=staff_badge+other&issuer_state=st-7f1c&state=x1",
);

fn form(body: &str) -> Form {
    Form::parse(body.as_bytes()).unwrap()
}

fn parse(body: &str) -> Result<AuthorizationRequest, AuthorizationError> {
    AuthorizationRequest::parse(&form(body))
}

/// `BASE` with more parameters.
fn with(more: &str) -> Result<AuthorizationRequest, AuthorizationError> {
    parse(&format!("{BASE}&{more}"))
}

#[test]
fn a_request_with_every_parameter_is_read_by_par_1() {
    let request = with(&format!(
        "code_challenge={CHALLENGE}&code_challenge_method=S256&dpop_jkt={CHALLENGE}&x=1\
         &resource=https%3A%2F%2Fissuer.example%2Ft%2Facme\
         &authorization_details=%5B%7B%22type%22%3A%22openid_credential%22%2C%22credential_configuration_id%22%3A%22a%22%7D%5D"
    ));
    let request = request.unwrap();
    let expected = ReturnAddress {
        client_id: "https://wallet.example".to_owned(),
        redirect_uri: Some(RedirectUri::parse("https://wallet.example/cb").unwrap()),
        state: Some("x1".to_owned()),
    };
    assert_eq!(request.return_address, expected);
    assert_eq!(request.scope, ["staff_badge", "other"]);
    assert_eq!(request.issuer_state.as_deref(), Some("st-7f1c"));
    assert_eq!(request.resource, ["https://issuer.example/t/acme"]);
    assert_eq!(request.required_code_challenge().map(ToString::to_string), Ok(CHALLENGE.to_owned()));
    assert_eq!(request.dpop_jkt.as_deref(), Some(CHALLENGE));
    assert_eq!(request.authorization_details.map(|details| details.len()), Some(1));
}

#[test]
fn where_to_answer_is_known_before_the_rest_is_judged_by_aut_14() {
    let broken = form(&format!("{BASE}&code_challenge=x").replace("response_type=code", "response_type=token"));
    let address = ReturnAddress::parse(&broken).unwrap();
    assert_eq!((address.client_id.as_str(), address.state.as_deref()), ("https://wallet.example", Some("x1")));
    for body in [
        "redirect_uri=https://wallet.example/cb",
        "client_id=w&redirect_uri=javascript:x",
        "client_id=w&redirect_uri=cb",
    ] {
        let error = ReturnAddress::parse(&form(body)).unwrap_err();
        assert_eq!(error.code(), AuthorizationErrorCode::InvalidRequest, "{error:?}");
    }
    let long = format!("client_id=w&state={}", "x".repeat(2049));
    let error = ReturnAddress::parse(&form(&long)).unwrap_err();
    assert_eq!(error, AuthorizationError::TooLong { name: "state", limit: 2048, got: 2049 });
}

#[test]
fn other_response_types_are_unsupported_by_aut_1() {
    for response_type in ["token", "id_token", "code token", "CODE"] {
        let body = BASE.replace("response_type=code", &format!("response_type={response_type}"));
        let error = parse(&body).unwrap_err();
        assert_eq!(error, AuthorizationError::ResponseType { got: response_type.to_owned() });
        assert_eq!(error.code().name(), "unsupported_response_type");
    }
    let missing = parse(&BASE.replace("response_type=code&", "")).unwrap_err();
    assert_eq!(missing, AuthorizationError::Missing { name: "response_type" });
    assert!(with("response_mode=query").is_ok());
    assert!(matches!(with("response_mode=fragment"), Err(AuthorizationError::ResponseMode { .. })));
}

#[test]
fn pkce_is_s256_or_absent_and_its_absence_can_be_refused_by_aut_12() {
    let bare = with("x=1").unwrap();
    let error = bare.required_code_challenge().unwrap_err();
    assert_eq!((error.code().name(), error.explain().spec_ref), ("invalid_request", "RFC 7636 §4.3"));
    for more in [
        format!("code_challenge={CHALLENGE}"),
        format!("code_challenge={CHALLENGE}&code_challenge_method=plain"),
        "code_challenge_method=S256".to_owned(),
        "code_challenge=short&code_challenge_method=S256".to_owned(),
    ] {
        let error = with(&more).unwrap_err();
        assert!(matches!(error, AuthorizationError::CodeChallenge(_)));
        assert_eq!(error.code().name(), "invalid_request");
    }
}

#[test]
fn scope_values_are_taken_once_and_malformed_ones_refused_by_aut_8() {
    let scope = |text: &str| {
        let body = BASE.replace("scope=staff_badge+other", &format!("scope={text}"));
        parse(&body).map(|request| request.scope)
    };
    assert_eq!(scope("a++b+a").unwrap(), ["a", "b"]);
    assert!(scope("").unwrap().is_empty());
    for text in ["a%22", "%C3%A4", "a%5Cb", "a%09b"] {
        assert_eq!(scope(text).unwrap_err().code().name(), "invalid_scope", "{text}");
    }
    let many = (0..65).map(|number| number.to_string()).collect::<Vec<_>>().join("+");
    assert!(scope(&many).is_err());
}

#[test]
fn broken_authorization_details_have_their_own_code_by_aut_5() {
    assert_eq!(with("authorization_details=%5B%5D").unwrap_err().code().name(), "invalid_authorization_details");
}

#[test]
fn a_pushed_request_refers_to_no_other_by_par_2() {
    let body = form(&format!("{BASE}&request_uri=urn%3Aietf%3Aparams%3Aoauth%3Arequest_uri%3Ax"));
    let error = Incoming::parse_pushed(&body).unwrap_err();
    assert_eq!((&error, error.code().name()), (&AuthorizationError::RequestUriPushed, "invalid_request"));
}

#[test]
fn a_reference_stands_for_all_other_parameters_by_par_4() {
    let query = form("client_id=w&request_uri=urn%3Aietf%3Aparams%3Aoauth%3Arequest_uri%3Ax&response_type=token");
    let expected = Incoming::Reference {
        client_id: "w".to_owned(),
        request_uri: "urn:ietf:params:oauth:request_uri:x".to_owned(),
    };
    assert_eq!(Incoming::parse(&query), Ok(expected));
    let nobody = Incoming::parse(&form("request_uri=x"));
    assert_eq!(nobody, Err(AuthorizationError::Missing { name: "client_id" }));
    let both = Incoming::parse(&form("client_id=w&request_uri=x&request=y"));
    assert_eq!(both, Err(AuthorizationError::RequestAndRequestUri));
}

#[test]
fn a_request_object_is_noticed_and_plain_parameters_are_read() {
    let object = Incoming::Object { client_id: "w".to_owned(), request: "a.b.c".to_owned() };
    assert_eq!(Incoming::parse_pushed(&form("client_id=w&request=a.b.c")), Ok(object));
    assert!(matches!(Incoming::parse(&form(BASE)), Ok(Incoming::Parameters(_))));
}

#[test]
fn the_claims_of_a_request_object_are_the_parameters() {
    let claims = json!({
        "iss": "w", "aud": "https://issuer.example", "exp": 1_780_272_000,
        "client_id": "w", "response_type": "code", "redirect_uri": "https://wallet.example/cb?a=1&b=2",
        "scope": "a b", "state": null, "resource": ["https://a.example", "https://b.example"],
        "authorization_details": [{"type": "openid_credential", "credential_configuration_id": "a"}],
    });
    let form = request_object_parameters(claims.as_object().unwrap(), "w").unwrap();
    let request = AuthorizationRequest::parse(&form).unwrap();
    assert_eq!(request.return_address.redirect_uri.unwrap().as_str(), "https://wallet.example/cb?a=1&b=2");
    assert_eq!((request.scope.len(), request.resource.len(), request.return_address.state), (2, 2, None));
    assert_eq!(request.authorization_details.map(|details| details.len()), Some(1));
}

#[test]
fn a_request_object_of_another_client_or_with_another_inside_is_refused() {
    let parameters = |claims: Value| request_object_parameters(claims.as_object().unwrap(), "w");
    for claims in [json!({"client_id": "other"}), json!({}), json!({"client_id": 1})] {
        let error = parameters(claims).unwrap_err();
        assert!(matches!(error, AuthorizationError::RequestObjectClient { .. }));
        assert_eq!(error.code().name(), "invalid_request_object");
    }
    for name in ["request", "request_uri"] {
        let error = parameters(json!({"client_id": "w", name: "x"}));
        assert_eq!(error, Err(AuthorizationError::NestedRequestObject));
    }
    let nul = parameters(json!({"client_id": "w", "state": "\0"}));
    assert_eq!(nul, Err(AuthorizationError::RequestObjectForm(FormError::Encoding { number: 2 })));
}

#[test]
fn dpop_jkt_and_the_proof_agree_by_par_8() {
    let bare = with("x=1").unwrap();
    assert_eq!(bare.dpop_key(None), Ok(None));
    assert_eq!(bare.dpop_key(Some("k")), Ok(Some("k".to_owned())));
    let named = with(&format!("dpop_jkt={CHALLENGE}")).unwrap();
    assert_eq!(named.dpop_key(None), Ok(Some(CHALLENGE.to_owned())));
    assert_eq!(named.dpop_key(Some(CHALLENGE)), Ok(Some(CHALLENGE.to_owned())));
    let (expected, got) = ("k".to_owned(), CHALLENGE.to_owned());
    assert_eq!(named.dpop_key(Some("k")), Err(AuthorizationError::DpopKeyMismatch { expected, got }));
    assert!(matches!(with("dpop_jkt=short"), Err(AuthorizationError::DpopKeyMalformed { .. })));
}

#[test]
fn every_refusal_tells_what_to_change() {
    for body in ["", "client_id=w", "client_id=w&response_type=code&dpop_jkt=x", "client_id=w&redirect_uri=x"] {
        let explanation = parse(body).unwrap_err().explain();
        assert!(!explanation.help.is_empty() && explanation.spec_ref.starts_with("RFC"), "{explanation:?}");
    }
}

proptest! {
    #[test]
    fn any_form_is_answered(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(form) = Form::parse(&body) {
            let _ = (Incoming::parse(&form), Incoming::parse_pushed(&form));
        }
    }
}
