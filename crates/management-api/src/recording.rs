//! Writes the audit log, for every operation at once: changes before and after they are made, refusals afterwards. A change of
//! one status writes its entry itself, in its unit of work.
//!
//! Not written are reads that are let in, and issuances, whose records say who called for them. Nor are attempts without a
//! key that was ever given out, or a token that can be believed: they belong to no organisation, and anybody could fill a
//! log with them.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use chancery_issuance::Context;
use chancery_issuance::management::access::authenticate_platform;
use chancery_issuance::management::audit::{self, Attempt, End};
use chancery_issuance::management::organisations;
use chancery_model::{Actor, ActorKind, ApiKeyId, Organisation, OrganisationId};
use serde_json::{Map, Value, json};
use tower::ServiceExt as _;

use crate::access::{self, never};
use crate::document;
use crate::presence::{self, Credentials, Presence};
use crate::problem::Problem;
use crate::request::{Address, REQUEST_ID};
use crate::routes::{self, Permission};

/// Longest answer that is looked at for the log, in bytes.
const LARGEST_ANSWER: usize = 4 * 1024 * 1024;

/// What the layer needs.
#[derive(Clone)]
pub(crate) struct Recorder {
    context: Context,
    /// Names of operations by method and route.
    names: Arc<HashMap<(String, String), String>>,
    /// The same routes once more, to see what they show.
    shown: Router,
}

impl Recorder {
    pub(crate) fn new(context: Context) -> Self {
        let (routes, _description) = routes::table().split_for_parts();
        let shown = routes.with_state(context.clone());
        Self { context, names: Arc::new(document::operation_names()), shown }
    }
}

/// What of an operation goes into the log beside who, when and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    /// What `GET` answers before and after, so many segments above the path.
    Above(usize, Part),
    /// What the operation answers.
    Answer(Part),
    /// Nothing: it changes nothing that is shown, or is about many exchanges.
    Nothing,
}

/// How much of it. Claims, and what is known of people, have no place in a log that is never erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// All of it.
    Whole,
    /// Of the record of an exchange, where it stands.
    Standing,
    /// Of an individual, how offers and transaction codes get there.
    Channels,
}

impl Part {
    fn of(self, shown: Value) -> Option<Value> {
        const STANDING: [&str; 6] =
            ["status", "credentialStatus", "revocationStatus", "issuanceDeniedReason", "expiresAt", "claimsDueAt"];
        const CHANNELS: [&str; 4] = ["id", "deliveryChannel", "pinChannel", "revision"];
        let (resource, members): (&str, &[&str]) = match self {
            Self::Whole => return Some(shown),
            Self::Standing => ("credentialHistory", &STANDING),
            Self::Channels => ("individual", &CHANNELS),
        };
        let whole = shown.get(resource)?;
        let kept = members.iter().filter_map(|name| whole.get(*name).map(|value| ((*name).to_owned(), value.clone())));
        Some(json!({ resource: kept.collect::<Map<_, _>>() }))
    }
}

fn shown(method: &Method, route: &str) -> Shown {
    match (method.as_str(), route) {
        ("PUT" | "DELETE", routes::ORGANISATION | routes::DEFINITION_BY_ID | routes::GLOBAL_BY_ID)
        | ("PUT" | "DELETE", routes::IDENTITY_PROVIDER | routes::WEBHOOK_BY_ID | routes::RETENTION | routes::POLICY)
        | ("PUT" | "DELETE", routes::ACCESS_PROVIDER | routes::SANDBOX_BY_ID)
        | ("PUT", routes::QUOTAS_OF_ORGANISATION | routes::RECORD_STATUS) => Shown::Above(0, Part::Whole),
        (_, routes::SUSPEND | routes::RESUME | routes::KEYS_ROTATE | routes::KEY_STATE | routes::KEY_CHAIN)
        | ("PUT", routes::LOGO | routes::COVER | routes::SANDBOX_NAME | routes::SANDBOX_LOGO | routes::SANDBOX_COVER)
        | (_, routes::BULK_CONFIRM | routes::BULK_PAUSE | routes::BULK_RESUME | routes::BULK_CANCEL) => {
            Shown::Above(1, Part::Whole)
        }
        ("PUT" | "DELETE", routes::RECORD) => Shown::Above(0, Part::Standing),
        (
            "POST",
            routes::DENY | routes::CANCEL | routes::RESEND | routes::UNLOCK | routes::NEW_PIN | routes::REOFFER,
        ) => Shown::Above(1, Part::Standing),
        ("PUT" | "DELETE", routes::INDIVIDUAL_BY_ID) => Shown::Above(0, Part::Channels),
        ("POST", routes::INDIVIDUAL) => Shown::Answer(Part::Channels),
        ("POST", routes::ORGANISATIONS | routes::API_KEY | routes::KEYS | routes::DEFINITION | routes::GLOBAL)
        | ("POST", routes::WEBHOOK | routes::BULKS | routes::STATUS_OF_MANY | routes::SANDBOX)
        | ("PUT", routes::API_KEY_SANDBOX) => Shown::Answer(Part::Whole),
        _ => Shown::Nothing,
    }
}

/// A request, as far as the log is concerned.
struct Asked {
    method: Method,
    route: String,
    path: String,
    permission: Permission,
    /// The headers that say who asks.
    credentials: HeaderMap,
    presence: Presence,
    address: String,
    request_id: String,
}

impl Asked {
    /// `None` for paths that lead nowhere.
    fn of(request: &Request, presence: Presence) -> Option<Self> {
        let route = request.extensions().get::<MatchedPath>()?.as_str().to_owned();
        let permission = routes::permission(request.method(), &route)?;
        let headers = request.headers();
        let request_id = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok()).unwrap_or_default();
        Some(Self {
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            permission,
            credentials: presence::repeated(headers),
            presence,
            address: request.extensions().get().map(|Address(text)| text.clone()).unwrap_or_default(),
            request_id: request_id.to_owned(),
            route,
        })
    }

    fn is_read(&self) -> bool {
        matches!(self.method, Method::GET | Method::HEAD)
    }

    /// Whether what is done is told elsewhere: by the record of the exchange.
    fn is_issuance(&self) -> bool {
        self.method == Method::POST && self.route == routes::ISSUE
    }

    /// Whether the operation writes down what it does.
    fn is_entrusted(&self) -> bool {
        self.method == Method::PUT && self.route == routes::RECORD_STATUS
    }

    /// The path when it holds nothing but ids; else the route, because people type anything.
    fn target(&self) -> String {
        // Whatever id it is: all have one form.
        let is_id = |(route, text): (&str, &str)| !route.starts_with('{') || ApiKeyId::parse(text).is_some();
        let is_harmless = self.route.split('/').zip(self.path.split('/')).all(is_id);
        if is_harmless { self.path.clone() } else { self.route.clone() }
    }

    fn attempt(&self, recorder: &Recorder, actor: Actor, before: Option<Value>) -> Attempt {
        let name = recorder.names.get(&(self.method.as_str().to_owned(), self.route.clone()));
        Attempt {
            actor,
            address: self.address.clone(),
            action: name.cloned().unwrap_or_else(|| format!("{} {}", self.method, self.route)),
            target: self.target(),
            request_id: self.request_id.clone(),
            before,
        }
    }
}

/// The entry of an operation that writes it together with what it does.
#[derive(Clone)]
pub(crate) struct Entrusted(pub(crate) Attempt);

impl<S: Send + Sync> FromRequestParts<S> for Entrusted {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        // What cannot be written down is not done.
        parts.extensions.get::<Self>().cloned().ok_or_else(Problem::internal)
    }
}

/// Who asks, in whose log it belongs, and whether it is let in.
struct Party {
    actor: Actor,
    /// `None` for an organisation that is to be made.
    organisation: Option<Organisation>,
    is_let_in: bool,
}

pub(crate) async fn record(State(recorder): State<Recorder>, request: Request, next: Next) -> Response {
    let presence = Presence::at(&recorder.context, request.headers(), request.extensions()).await;
    let Some(asked) = Asked::of(&request, presence) else { return next.run(request).await };
    if asked.is_read() || asked.is_issuance() {
        let response = next.run(request).await;
        if is_worth_an_entry(&asked, response.status()) {
            let end = end(&response, None);
            recorder.note(&asked, end).await;
        }
        return response;
    }
    match recorder.party(&asked).await {
        Some(Party { actor, organisation: Some(organisation), is_let_in: true }) if asked.is_entrusted() => {
            recorder.entrust(&asked, actor, &organisation, request, next).await
        }
        Some(Party { actor, organisation: Some(organisation), is_let_in: true }) => {
            recorder.accompany(&asked, actor, &organisation, request, next).await
        }
        Some(Party { actor, organisation: None, is_let_in: true }) => {
            recorder.witness_creation(&asked, actor, request, next).await
        }
        Some(_) | None => {
            let response = next.run(request).await;
            let end = end(&response, None);
            recorder.note(&asked, end).await;
            response
        }
    }
}

/// Of reads, those that were not let in; of issuances, those that were refused.
fn is_worth_an_entry(asked: &Asked, status: StatusCode) -> bool {
    match asked.is_read() {
        true => matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN),
        false => status.is_client_error(),
    }
}

impl Recorder {
    /// Who this is; `None` for strangers, and when it cannot be found out.
    async fn party(&self, asked: &Asked) -> Option<Party> {
        let holds_platform_key = || {
            let credentials = Credentials::of(&asked.credentials);
            credentials.is_ok_and(|it| authenticate_platform(&self.context, &it.presented()).is_ok())
        };
        if asked.permission == Permission::Platform && holds_platform_key() {
            let actor =
                Actor { kind: ActorKind::PlatformKey, id: None, name: String::new(), role: "platform".to_owned() };
            let organisation = match asked.route.as_str() {
                routes::ORGANISATIONS => None,
                _ => Some(self.organisation_in(&asked.path).await?),
            };
            return Some(Party { actor, organisation, is_let_in: true });
        }
        let identified = asked.presence.known()?;
        let is_let_in = identified.standing.as_ref().is_ok_and(|caller| access::may(caller.role, asked.permission));
        let organisation = Organisation::clone(&identified.organisation);
        Some(Party { actor: identified.actor.clone(), organisation: Some(organisation), is_let_in })
    }

    async fn organisation_in(&self, path: &str) -> Option<Organisation> {
        let id = path.split('/').find_map(OrganisationId::parse)?;
        organisations::read(&self.context, id).await.ok()
    }

    /// Writes the entry first, then lets the change be made, then completes the entry.
    async fn accompany(
        &self,
        asked: &Asked,
        actor: Actor,
        organisation: &Organisation,
        request: Request,
        next: Next,
    ) -> Response {
        let shown = shown(&asked.method, &asked.route);
        let before = self.look(asked, shown).await;
        let begun = match audit::begin(&self.context, organisation, asked.attempt(self, actor, before)).await {
            Ok(begun) => begun,
            // What cannot be written down is not done.
            Err(failure) => return never(failure).into_response(),
        };
        let mut response = next.run(request).await;
        if asked.method == Method::DELETE && asked.route == routes::ORGANISATION && response.status().is_success() {
            // Its log has gone with it.
            return response;
        }
        let mut after = None;
        if response.status().is_success() {
            after = self.look(asked, shown).await;
            if let Shown::Answer(part) = shown {
                (response, after) = read(response).await;
                after = after.and_then(|answer| part.of(answer));
            }
        }
        let end = end(&response, after);
        if let Err(failure) = audit::finish(&self.context, organisation, begun, end).await {
            // It was done, and the entry that says so stays open.
            drop(never(failure));
        }
        response
    }

    /// Hands the entry to the operation, and writes down what it refused.
    async fn entrust(
        &self,
        asked: &Asked,
        actor: Actor,
        organisation: &Organisation,
        mut request: Request,
        next: Next,
    ) -> Response {
        let attempt = asked.attempt(self, actor, None);
        request.extensions_mut().insert(Entrusted(attempt.clone()));
        let response = next.run(request).await;
        if !response.status().is_success() {
            // What was refused has changed nothing; of what broke off nobody knows.
            let before = match response.status().is_client_error() {
                true => self.look(asked, shown(&asked.method, &asked.route)).await,
                false => None,
            };
            self.write(organisation, Attempt { before, ..attempt }, end(&response, None)).await;
        }
        response
    }

    /// An organisation is made: its log begins with that.
    async fn witness_creation(&self, asked: &Asked, actor: Actor, request: Request, next: Next) -> Response {
        let response = next.run(request).await;
        if !response.status().is_success() {
            return response;
        }
        let (response, made) = read(response).await;
        let id = made.as_ref().and_then(|made| made.pointer("/organisation/id")?.as_str());
        let organisation = match id.and_then(OrganisationId::parse) {
            Some(id) => organisations::read(&self.context, id).await.ok(),
            None => None,
        };
        if let Some(organisation) = organisation {
            self.write(&organisation, asked.attempt(self, actor, None), end(&response, made)).await;
        }
        response
    }

    /// Writes down what was refused, for those who are known.
    async fn note(&self, asked: &Asked, end: End) {
        let Some(Party { actor, organisation: Some(organisation), .. }) = self.party(asked).await else { return };
        self.write(&organisation, asked.attempt(self, actor, None), end).await;
    }

    /// Writes down what is over already: when that fails, the log of the server says so.
    async fn write(&self, organisation: &Organisation, attempt: Attempt, end: End) {
        if let Err(failure) = audit::record(&self.context, organisation, attempt, end).await {
            drop(never(failure));
        }
    }

    /// What `GET` answers there to the same caller.
    async fn look(&self, asked: &Asked, shown: Shown) -> Option<Value> {
        let Shown::Above(segments, part) = shown else { return None };
        let mut request = Request::get(above(&asked.path, segments)).body(Body::empty()).ok()?;
        request.headers_mut().extend(asked.credentials.clone());
        let response = match self.shown.clone().oneshot(request).await {
            Ok(response) => response,
            Err(infallible) => match infallible {},
        };
        part.of(read(response).await.1?)
    }
}

fn end(response: &Response, after: Option<Value>) -> End {
    let problem = response.extensions().get::<Problem>().map(Problem::slug);
    End { status: response.status().as_u16(), problem, after }
}

/// The same answer, and its body as JSON when it is a success and JSON.
async fn read(response: Response) -> (Response, Option<Value>) {
    if !response.status().is_success() {
        return (response, None);
    }
    let (parts, body) = response.into_parts();
    match to_bytes(body, LARGEST_ANSWER).await {
        Ok(bytes) => {
            let value = serde_json::from_slice(&bytes).ok();
            (Response::from_parts(parts, Body::from(bytes)), value)
        }
        // Bodies of this face are made in memory and do not break off; none is so large.
        Err(_) => (Problem::internal().into_response(), None),
    }
}

/// The path without its last `segments`.
fn above(path: &str, segments: usize) -> String {
    (0..segments).fold(path, |path, _| path.rsplit_once('/').map_or(path, |(above, _)| above)).to_owned()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn asked(route: &str, path: &str) -> Asked {
        Asked {
            method: Method::PUT,
            route: route.to_owned(),
            path: path.to_owned(),
            permission: Permission::Administer,
            credentials: HeaderMap::new(),
            presence: Presence::stranger(),
            address: String::new(),
            request_id: String::new(),
        }
    }

    #[test]
    fn what_is_shown_can_be_asked_for() {
        for (method, route, _) in routes::PERMISSIONS {
            if let Shown::Above(segments, _) = shown(method, route) {
                let place = above(route, segments);
                assert!(routes::permission(&Method::GET, &place).is_some(), "{method} {route} shows {place}");
            }
        }
    }

    #[test]
    fn of_an_exchange_and_of_a_person_only_what_is_no_secret_is_kept() {
        let record = json!({ "credentialHistory": { "status": "issuance_denied", "credential": { "claims": {} } } });
        assert_eq!(Part::Standing.of(record), Some(json!({ "credentialHistory": { "status": "issuance_denied" } })));
        let person = json!({ "individual": { "id": "7", "email": "a@b.example", "deliveryChannel": "email" } });
        let kept = json!({ "individual": { "id": "7", "deliveryChannel": "email" } });
        assert_eq!(Part::Channels.of(person), Some(kept));
        assert_eq!(Part::Channels.of(json!({})), None);
    }

    #[test]
    fn what_people_type_into_paths_is_not_written_down() {
        let id = Uuid::from_u128(7);
        let path = format!("/v2/config/admin/apikey/{id}");
        assert_eq!(asked(routes::API_KEY_BY_ID, &path).target(), path);
        let typed = "/v2/config/admin/apikey/chy_a-secret-by-mistake";
        assert_eq!(asked(routes::API_KEY_BY_ID, typed).target(), routes::API_KEY_BY_ID);
    }
}
