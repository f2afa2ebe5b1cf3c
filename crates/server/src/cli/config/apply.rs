//! Doing what a plan says, one thing after the other.

use chancery_issuance::management::Fault;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, IF_MATCH};
use serde_json::Value;

use super::super::management::{CallError, Management};
use super::document::{Document, fault};
use super::plan::{Action, Change, Plan, Seen, Step};
use super::remote::{WEBHOOK_MADE, member, picture_path, text, without};
use super::show::printable;
use crate::config::Environment;

/// What stops an apply when something is not as the plan saw it.
const MEANWHILE: &str = "somebody else changed it since the plan was made; look at a new plan";

/// What came of a plan.
#[derive(Default)]
pub(super) struct Outcome {
    /// Names of things that were dealt with.
    pub(super) done: Vec<String>,
    /// What went wrong.
    pub(super) failure: Option<Failed>,
}

/// The thing at which an apply stopped.
pub(super) struct Failed {
    pub(super) name: String,
    pub(super) reason: String,
    /// What the server refused, by the place in the file.
    pub(super) faults: Vec<Fault>,
}

impl Failed {
    /// For a terminal.
    pub(super) fn in_words(&self, document: &Document) -> String {
        let Self { name, reason, faults } = self;
        let places = document.in_words(faults);
        printable(name) + ": " + &printable(reason) + if faults.is_empty() { "" } else { "\n" } + &places
    }
}

/// Does everything that is pending. It stops at the first thing that fails; what was done before stays done.
pub(super) async fn apply(api: &Management, plan: &Plan, document: &Document, environment: &Environment) -> Outcome {
    let mut outcome = Outcome::default();
    for change in plan.pending() {
        let stop = match act(api, &change.step, document, environment).await {
            Ok(()) => {
                println!("{} {}", done(change.action), printable(&change.name));
                outcome.done.push(change.name.clone());
                continue;
            }
            Err(stop) => stop,
        };
        let (reason, faults) = match stop {
            Stop::Meanwhile => (MEANWHILE.to_owned(), Vec::new()),
            Stop::Secret(reason) => (reason, Vec::new()),
            Stop::Call(error) => refused(&error, change),
        };
        outcome.failure = Some(Failed { name: change.name.clone(), reason, faults });
        break;
    }
    outcome
}

fn done(action: Action) -> &'static str {
    match action {
        Action::Create => "created",
        Action::Change => "changed",
        Action::Delete => "deleted",
        Action::Keep => "kept   ",
    }
}

enum Stop {
    Meanwhile,
    Secret(String),
    Call(CallError),
}

impl From<CallError> for Stop {
    fn from(error: CallError) -> Self {
        match error.status() {
            Some(412) => Self::Meanwhile,
            Some(_) | None => Self::Call(error),
        }
    }
}

async fn act(api: &Management, step: &Step, document: &Document, environment: &Environment) -> Result<(), Stop> {
    unless_changed(api, step).await?;
    let mut definition = step.definition.clone();
    let mut revision = match step.seen {
        Seen::Revision(revision) => Some(revision),
        Seen::Nothing | Seen::Content(..) => None,
    };
    if let Some((method, path)) = &step.call {
        let mut request = api.request(method.clone(), path);
        if let Some(revision) = revision {
            request = request.header(IF_MATCH, format!("\"{revision}\""));
        }
        if let Some(body) = &step.body {
            request = request.json(&complete(body, step, document, environment)?);
        }
        let answered = member(api.answer(request).await?, "credentialDefinition");
        if definition.is_empty() {
            text(&answered, "credentialDefinitionId").clone_into(&mut definition);
        }
        revision = answered.get("revision").and_then(Value::as_u64);
    }
    for (kind, bytes) in &step.pictures {
        let mut request = api.request(Method::PUT, &picture_path(&definition, kind));
        if let Some(revision) = revision {
            request = request.header(IF_MATCH, format!("\"{revision}\""));
        }
        let request = request.header(CONTENT_TYPE, "image/png").body(bytes.clone());
        let answered = member(api.answer(request).await?, "credentialDefinition");
        revision = answered.get("revision").and_then(Value::as_u64);
    }
    Ok(())
}

/// Things without a revision are read once more right before they are changed.
async fn unless_changed(api: &Management, step: &Step) -> Result<(), Stop> {
    let Seen::Content(path, name, before) = &step.seen else { return Ok(()) };
    let now = match api.read(path).await {
        Ok(answer) => member(answer, name),
        Err(CallError::Refused { status: 404, .. }) => Value::Null,
        Err(error @ (CallError::Refused { .. } | CallError::Unreachable { .. })) => return Err(Stop::Call(error)),
    };
    let now = if *name == "webhook" { without(&now, WEBHOOK_MADE) } else { now };
    if now == *before { Ok(()) } else { Err(Stop::Meanwhile) }
}

/// The body with its secret, which is nowhere else.
fn complete(body: &Value, step: &Step, document: &Document, environment: &Environment) -> Result<Value, Stop> {
    let mut body = body.clone();
    if let Some((name, reference)) = &step.secret {
        let secret = reference.read(environment, document.directory()).map_err(Stop::Secret)?;
        if let Some(members) = body.pointer_mut(step.root).and_then(Value::as_object_mut) {
            members.insert((*name).to_owned(), secret.as_str().into());
        }
    }
    Ok(body)
}

/// A refusal, by the places in the file where the server names places.
fn refused(error: &CallError, change: &Change) -> (String, Vec<Fault>) {
    match error {
        CallError::Refused { places, status, .. } if !places.is_empty() && !change.place.is_empty() => {
            let faults = places.iter().map(|(pointer, detail)| in_file(change, pointer, detail));
            (format!("the server refused it with {status}"), faults.collect())
        }
        CallError::Refused { .. } | CallError::Unreachable { .. } => (error.to_string(), Vec::new()),
    }
}

/// A place of the body as a place of the file.
fn in_file(change: &Change, pointer: &str, detail: &str) -> Fault {
    let below = pointer.strip_prefix(change.step.root).unwrap_or(pointer);
    let below = if below == "/kid" { "/signingKey" } else { below };
    fault(format!("{}{below}", change.place), printable(detail))
}
