//! What has to be done so that a server has what a file says.

mod definitions;
mod webhooks;

use std::collections::BTreeMap;

use anyhow::Context as _;
use chancery_issuance::management::Fault;
use reqwest::Method;
use serde_json::{Value, json};

use super::super::management::Management;
use super::difference::{Difference, differences, overlay};
use super::document::{Document, ISSUER, Section, fault, replace_prefix};
use super::remote::{
    ACCESS, ACCESS_MADE, GLOBAL, GLOBAL_MADE, POLICY, PROVIDER, PROVIDER_MADE, RETENTION, Remote, text, without,
};
use super::secret::{self, Reference};
use crate::config::Environment;

/// What the person said on the command line.
#[derive(Clone, Debug, Default)]
pub(super) struct Wishes {
    /// Whether what is not in the file is to go.
    pub(super) delete: bool,
    /// Whether secrets are sent that the server has already.
    pub(super) send_secrets: bool,
    /// The `kid` that stands behind the name of a key, over what the file says.
    pub(super) keys: BTreeMap<String, String>,
}

/// What happens to one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// It is made.
    Create,
    /// It is changed.
    Change,
    /// It goes.
    Delete,
    /// It is not in the file and stays, because nobody asked to delete.
    Keep,
}

/// One thing that changes.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) action: Action,
    /// What it is, in words: `webhook https://hooks.example/a`.
    pub(super) name: String,
    /// Its JSON Pointer in the file; empty when it is not there.
    pub(super) place: String,
    pub(super) differences: Vec<Difference>,
    /// What to tell the person besides.
    pub(super) notes: Vec<String>,
    pub(super) step: Step,
}

/// The requests that make a change.
#[derive(Debug, Default)]
pub(super) struct Step {
    pub(super) call: Option<(Method, String)>,
    pub(super) body: Option<Value>,
    /// Where in `body` the thing is that the file describes.
    pub(super) root: &'static str,
    /// What the plan rests on.
    pub(super) seen: Seen,
    /// A secret that is put into the body when it is sent: member and where it is.
    pub(super) secret: Option<(&'static str, Reference)>,
    /// Pictures that are uploaded afterwards, under the id of the definition.
    pub(super) pictures: Vec<(&'static str, Vec<u8>)>,
    /// Id of the definition whose pictures these are; a new one's is in the answer.
    pub(super) definition: String,
}

/// What the plan saw of a thing, so that somebody else's change is noticed.
#[derive(Clone, Debug, Default)]
pub(super) enum Seen {
    /// Nothing was there: the server refuses a second one.
    #[default]
    Nothing,
    /// This revision, which `If-Match` names.
    Revision(u64),
    /// This content of a path, under this member; `null` when the path answered 404.
    Content(String, &'static str, Value),
}

/// Everything that is to be done.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) changes: Vec<Change>,
    /// What cannot be done, by its place in the file.
    pub(super) obstacles: Vec<Fault>,
}

impl Plan {
    /// Compares a file with a server.
    pub(super) async fn make(
        api: &Management,
        remote: &Remote,
        document: &Document,
        wishes: &Wishes,
        environment: &Environment,
    ) -> anyhow::Result<Self> {
        let mut planner = Planner { remote, document, wishes, environment, plan: Self::default() };
        planner.policy();
        planner.retention();
        planner.global_configuration();
        planner.identity_provider();
        planner.access_provider();
        definitions::plan(&mut planner, api).await.context("pictures")?;
        webhooks::plan(&mut planner);
        let mut plan = planner.plan;
        // What others lean on goes last, in the opposite order.
        let gone: Vec<Change> = plan.changes.extract_if(.., |change| change.action == Action::Delete).collect();
        plan.changes.extend(gone.into_iter().rev());
        Ok(plan)
    }

    /// Changes that are made, not only told.
    pub(super) fn pending(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(|change| change.action != Action::Keep)
    }

    /// How many changes there are of a kind.
    pub(super) fn count(&self, action: Action) -> usize {
        self.changes.iter().filter(|change| change.action == action).count()
    }
}

struct Planner<'p> {
    remote: &'p Remote,
    document: &'p Document,
    wishes: &'p Wishes,
    environment: &'p Environment,
    plan: Plan,
}

impl Planner<'_> {
    fn policy(&mut self) {
        let Section::Wanted(wanted) = &self.document.policy else { return };
        let (wanted, known) = (self.resolved(wanted), &self.remote.policy);
        let other_profile = wanted.get("profile").is_some_and(|profile| Some(profile) != known.get("profile"));
        // A profile sets every switch that is not said, so what is known must not be said then.
        let body = if other_profile { wanted.clone() } else { overlay("", known, &wanted) };
        let mut found = differences(known, &overlay("", known, &wanted));
        found.sort_by_key(|difference| difference.path != "profile");
        let notes = match other_profile {
            true => vec!["the profile also sets the switches that the file leaves out".to_owned()],
            false => Vec::new(),
        };
        self.replace("policy", "/policy", POLICY, "policy", (known, body), (found, notes));
    }

    fn retention(&mut self) {
        let Section::Wanted(wanted) = &self.document.retention else { return };
        let known = &self.remote.retention;
        let body = overlay("", known, wanted);
        let found = differences(known, &body);
        self.replace("retention", "/retention", RETENTION, "retention", (known, body), (found, Vec::new()));
    }

    /// A thing that there is exactly once, and that a `PUT` replaces as a whole.
    fn replace(
        &mut self,
        name: &str,
        place: &str,
        path: &str,
        member: &'static str,
        (known, body): (&Value, Value),
        (differences, notes): (Vec<Difference>, Vec<String>),
    ) {
        if differences.is_empty() {
            return;
        }
        let step = Step {
            call: Some((Method::PUT, path.to_owned())),
            body: Some(body),
            seen: Seen::Content(path.to_owned(), member, known.clone()),
            ..Step::default()
        };
        let (name, place) = (name.to_owned(), place.to_owned());
        self.plan.changes.push(Change { action: Action::Change, name, place, differences, notes, step });
    }

    fn global_configuration(&mut self) {
        let place = "/globalConfiguration".to_owned();
        let name = "global configuration".to_owned();
        let known = self.remote.global_configuration.as_ref();
        let path = known.map(|known| format!("{GLOBAL}/{}", text(known, "globalConfigurationId")));
        let seen = known.map_or(Seen::Nothing, |known| Seen::Revision(revision(known)));
        match (&self.document.global_configuration, known) {
            (Section::Unmanaged, _) | (Section::Nothing, None) => {}
            (Section::Nothing, Some(_)) => {
                let step = Step { call: path.map(|path| (Method::DELETE, path)), seen, ..Step::default() };
                self.surplus(name, step);
            }
            (Section::Wanted(wanted), known) => {
                let wanted = without(&self.resolved(wanted), GLOBAL_MADE);
                let before = known.map(|known| without(known, GLOBAL_MADE));
                let body = before.as_ref().map_or_else(|| wanted.clone(), |known| overlay("", known, &wanted));
                let (action, call) = match path {
                    Some(path) => (Action::Change, (Method::PUT, path)),
                    None => (Action::Create, (Method::POST, GLOBAL.to_owned())),
                };
                let found = differences(before.as_ref().unwrap_or(&json!({})), &body);
                let step = Step { call: Some(call), body: Some(body), seen, ..Step::default() };
                self.add(Change { action, name, place, differences: found, notes: Vec::new(), step });
            }
        }
    }

    fn identity_provider(&mut self) {
        let name = "identity provider".to_owned();
        let known = self.remote.identity_provider.as_ref();
        let seen = Seen::Content(PROVIDER.to_owned(), "identityProvider", known.cloned().unwrap_or_default());
        match (&self.document.identity_provider, known) {
            (Section::Unmanaged, _) | (Section::Nothing, None) => {}
            (Section::Nothing, Some(_)) => {
                let call = Some((Method::DELETE, PROVIDER.to_owned()));
                self.surplus(name, Step { call, seen, ..Step::default() });
            }
            (Section::Wanted(wanted), known) => self.connect(name, wanted, known, seen),
        }
    }

    fn access_provider(&mut self) {
        let name = "access provider".to_owned();
        let known = self.remote.access_provider.as_ref();
        let seen = match known {
            Some(known) => Seen::Revision(revision(known)),
            None => Seen::Content(ACCESS.to_owned(), "accessProvider", Value::Null),
        };
        match (&self.document.access_provider, known) {
            (Section::Unmanaged, _) | (Section::Nothing, None) => {}
            (Section::Nothing, Some(_)) => {
                let call = Some((Method::DELETE, ACCESS.to_owned()));
                self.surplus(name, Step { call, seen, ..Step::default() });
            }
            (Section::Wanted(wanted), known) => {
                let wanted = without(&self.resolved(wanted), ACCESS_MADE);
                let before = known.map(|known| without(known, ACCESS_MADE)).unwrap_or_else(|| json!({}));
                let body = overlay("", &before, &wanted);
                let differences = differences(&before, &body);
                let action = if known.is_some() { Action::Change } else { Action::Create };
                let call = Some((Method::PUT, ACCESS.to_owned()));
                let place = "/accessProvider".to_owned();
                let step = Step { call, body: Some(body), seen, ..Step::default() };
                self.add(Change { action, name, place, differences, notes: Vec::new(), step });
            }
        }
    }

    fn connect(&mut self, name: String, wanted: &Value, known: Option<&Value>, seen: Seen) {
        let place = "/identityProvider".to_owned();
        let mut wanted = without(&self.resolved(wanted), PROVIDER_MADE);
        let reference = secret::take(&mut wanted, "clientSecret");
        // The server asks for it in every case.
        let scopes = wanted.get_mut("scopes").and_then(Value::as_array_mut);
        if let Some(scopes) = scopes.filter(|scopes| !scopes.iter().any(|scope| scope == "openid")) {
            scopes.insert(0, "openid".into());
        }
        let before = known.map(|known| without(known, PROVIDER_MADE)).unwrap_or_else(|| json!({}));
        let body = overlay("", &before, &wanted);
        let found = differences(&before, &body);
        let has_secret = known.and_then(|known| known.get("clientSecretSet")).and_then(Value::as_bool) == Some(true);
        // A secret stays only with the same issuer and client.
        let same = |member: &str| before.get(member) == body.get(member);
        let kept = has_secret && same("issuer") && same("clientId");
        let send = reference.filter(|_| !kept || self.wishes.send_secrets);
        let secret = send.and_then(|reference| self.secret("clientSecret", reference, &place));
        let action = if known.is_some() { Action::Change } else { Action::Create };
        let call = Some((Method::PUT, PROVIDER.to_owned()));
        let notes = secret.iter().map(sent_in_words).collect();
        let step = Step { call, body: Some(body), seen, secret, ..Step::default() };
        self.add(Change { action, name, place, differences: found, notes, step });
    }

    /// The secret to send, once it is known to be there.
    fn secret(&mut self, member: &'static str, reference: Reference, place: &str) -> Option<(&'static str, Reference)> {
        match reference.read(self.environment, self.document.directory()) {
            Ok(_) => Some((member, reference)),
            Err(reason) => {
                self.plan.obstacles.push(fault(format!("{place}/{member}"), reason));
                None
            }
        }
    }

    /// Adds a change, unless it changes nothing.
    fn add(&mut self, change: Change) {
        let sends = change.step.secret.is_some() || !change.step.pictures.is_empty();
        if change.action != Action::Change || sends || !change.differences.is_empty() {
            self.plan.changes.push(change);
        }
    }

    /// Something that the file does not have.
    fn surplus(&mut self, name: String, step: Step) {
        let action = if self.wishes.delete { Action::Delete } else { Action::Keep };
        let place = String::new();
        self.plan.changes.push(Change { action, name, place, differences: Vec::new(), notes: Vec::new(), step });
    }

    /// With the organisation's issuer identifier in place of what stands for it.
    fn resolved(&self, value: &Value) -> Value {
        let mut value = value.clone();
        replace_prefix(&mut value, ISSUER, &self.remote.issuer);
        value
    }
}

fn sent_in_words((member, reference): &(&'static str, Reference)) -> String {
    format!("{member} is sent from {reference}")
}

fn revision(known: &Value) -> u64 {
    known.get("revision").and_then(Value::as_u64).unwrap_or_default()
}
