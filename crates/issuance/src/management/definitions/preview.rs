//! A look at a claims schema that somebody else hosts.

use chancery_formats::ClaimPath;
use chancery_model::ClaimDescription;
use serde_json::{Map, Value};
use url::Url;

use super::reading::schema;
use crate::management::body::{Fault, Faults, LARGEST, Members, parse};
use crate::outbound::OutboundError;
use crate::{Context, Failure};

/// Most claims that are read.
const MOST_CLAIMS: usize = 500;

/// What was found.
#[derive(Debug)]
pub struct Preview {
    /// The claims, as a definition would describe them.
    pub claims: Vec<ClaimDescription>,
    /// The document as it came.
    pub document: Map<String, Value>,
}

/// The body is wrong, or the schema cannot be read.
#[derive(Debug)]
pub enum PreviewRejection {
    /// Every fault by its place.
    Invalid(Vec<Fault>),
}

/// Fetches a claims schema: a JSON Schema, type metadata (SD-JWT VC §5), or `claims` as definitions have them. Only public
/// addresses are asked, over https, without following redirects, and within bounds of time and size.
///
/// # Errors
/// [`PreviewRejection`] says what is wrong with the address or with what is there.
pub async fn preview(ctx: &Context, body: &Map<String, Value>) -> Result<Preview, Failure<PreviewRejection>> {
    let mut faults = Faults::default();
    let members = Members::of_body(body);
    members.refuse_others(&[&["credentialDefinitionUri"]], &mut faults);
    members.require_text("credentialDefinitionUri", &mut faults);
    let url = read_url(&members, &mut faults);
    let url = faults.none_or(url).map_err(invalid)?;
    let request = http::Request::get(url.as_str()).header("accept", "application/json").body(Vec::new());
    let request = request.map_err(|_| at_uri("it is not an https URL"))?;
    let answer = ctx.outbound().send(request).await.map_err(|error| match error {
        OutboundError::Refused(reason) => at_uri(reason),
        OutboundError::TimedOut => at_uri("there was no complete answer in time"),
        OutboundError::TooLarge(_) => at_uri("the document is too large"),
        OutboundError::Certificate(fault) => at_uri(&format!("the certificate of the server is not accepted: {fault}")),
        OutboundError::Unreachable => at_uri("no connection could be made"),
        OutboundError::Client(cause) => Failure::Internal(anyhow::anyhow!("{cause}")),
    })?;
    if answer.status() != http::StatusCode::OK {
        return Err(at_uri(&format!("the answer has the status {}", answer.status().as_u16())));
    }
    let document =
        parse(answer.body()).map_err(|_| at_uri(&format!("no JSON object of at most {LARGEST} bytes is there")))?;
    let mut faults = Faults::default();
    let claims = read_claims(&Members::of_body(&document), &mut faults);
    let claims =
        faults.none_or(claims).map_err(|_| at_uri("the document describes no claims that a definition could take"))?;
    Ok(Preview { claims, document })
}

fn read_url(members: &Members<'_>, faults: &mut Faults) -> Option<Url> {
    let text = members.text("credentialDefinitionUri", 2048, faults)?;
    let url = Url::parse(text).ok();
    if url.is_none() {
        faults.add(members.at("credentialDefinitionUri"), "an absolute URL is expected");
    }
    url
}

fn read_claims(document: &Members<'_>, faults: &mut Faults) -> Option<Vec<ClaimDescription>> {
    if document.value("properties").is_some() {
        return Some(schema::convert(document, faults));
    }
    let mut claims = Vec::new();
    for (pointer, value) in document.array("claims", MOST_CLAIMS, faults)? {
        let Some(item) = Members::of(value, pointer, faults) else { continue };
        let path = item.value("path").and_then(|path| ClaimPath::try_from(path.clone()).ok());
        let Some(path) = path else {
            faults.add(item.at("path"), "a claim path is expected");
            continue;
        };
        let withheld = item.value("sd").and_then(Value::as_str).is_some_and(|sd| sd != "never");
        let limit_disclosure = withheld || item.boolean("limitDisclosure", false, faults);
        let mandatory = item.boolean("mandatory", false, faults);
        claims.push(ClaimDescription { path, mandatory, limit_disclosure, display: Vec::new() });
    }
    Some(claims)
}

fn at_uri(detail: &str) -> Failure<PreviewRejection> {
    invalid(vec![Fault { pointer: "/credentialDefinitionUri".to_owned(), detail: detail.to_owned() }])
}

fn invalid(faults: Vec<Fault>) -> Failure<PreviewRejection> {
    Failure::Rejected(PreviewRejection::Invalid(faults))
}
