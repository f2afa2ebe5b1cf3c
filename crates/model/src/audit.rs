//! The audit log: who changed what, and who tried to.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{AuditEntryId, Timestamp};

/// One change, or one refused attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// Id; ids are in the order in which requests came in.
    pub id: AuditEntryId,
    /// When the request came in.
    pub at: Timestamp,
    /// Who asked.
    pub actor: Actor,
    /// Network address of whoever asked; empty when it is not known.
    pub address: String,
    /// What was asked for: the name of the operation in the API.
    pub action: String,
    /// Path of what was to be changed.
    pub target: String,
    /// Id of the request.
    pub request_id: String,
    /// How it ended.
    pub outcome: AuditOutcome,
    /// HTTP status of the answer; 0 as long as there is none.
    pub status: u16,
    /// Name of the problem that was answered, if one was.
    pub problem: Option<String>,
    /// What the API showed of it before, as JSON without secrets.
    pub before: Option<String>,
    /// What the API showed of it afterwards, as JSON without secrets.
    pub after: Option<String>,
    /// Its place in the chain; `None` as long as the request is being answered.
    pub link: Option<AuditLink>,
}

/// Who asked for something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// What was shown.
    pub kind: ActorKind,
    /// The API key; `None` for others.
    pub id: Option<Uuid>,
    /// Name of the API key, or of the person; empty for the platform key.
    pub name: String,
    /// The role it has; empty when it has none.
    pub role: String,
}

impl Actor {
    /// Name of a person: issuer identifier of the provider, `#` and `sub` there. An issuer identifier has no fragment, so
    /// no two people have one name.
    pub fn person(issuer: &str, subject: &str) -> String {
        format!("{issuer}#{subject}")
    }

    /// Whoever has the configuration of the server, and with it the database and the sealing key.
    pub fn on_command_line() -> Self {
        Self { kind: ActorKind::CommandLine, id: None, name: String::new(), role: "platform".to_owned() }
    }
}

/// What somebody showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ActorKind {
    /// An API key of the organisation.
    ApiKey,
    /// The platform key of the deployment.
    PlatformKey,
    /// Nobody did: it was done on the command line, by somebody who has the configuration of the server.
    CommandLine,
    /// An access token of the organisation's access provider.
    Person,
}

impl ActorKind {
    /// Name in the API and in the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::ApiKey => "apiKey",
            Self::PlatformKey => "platformKey",
            Self::CommandLine => "commandLine",
            Self::Person => "person",
        }
    }
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AuditOutcome {
    /// It is being answered, or the process stopped in the middle.
    Unfinished,
    /// It was done.
    Done,
    /// It was refused and nothing was changed.
    Refused,
    /// It failed; whether something was changed is not known.
    Failed,
}

impl AuditOutcome {
    /// Every outcome.
    pub const ALL: [Self; 4] = [Self::Unfinished, Self::Done, Self::Refused, Self::Failed];

    /// Name in the API and in the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unfinished => "unfinished",
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }

    /// The outcome of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.name() == name)
    }

    /// What an answer with this HTTP status means.
    pub fn of_status(status: u16) -> Self {
        match status {
            0..=399 => Self::Done,
            400..=499 => Self::Refused,
            _ => Self::Failed,
        }
    }
}

/// A place in the chain of an organisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditLink {
    /// Place, from 1; 0 is before the first entry.
    pub sequence: u64,
    /// MAC over the entry, its place and the MAC before it.
    pub mac: [u8; 32],
}

impl AuditLink {
    /// Before the first entry.
    pub const START: Self = Self { sequence: 0, mac: [0; 32] };
}

impl AuditEntry {
    /// What the MAC of this entry is made of when it follows `previous`. Everything is in it but the MAC itself, as a JSON
    /// array: no two entries have the same text.
    pub fn text_after(&self, previous: &AuditLink) -> Vec<u8> {
        let Actor { kind, id, name, role } = &self.actor;
        let fields = (
            previous.sequence.saturating_add(1),
            previous.mac,
            (self.id.as_uuid(), self.at.millis(), kind.name(), id, name, role),
            (&self.address, &self.action, &self.target, &self.request_id),
            (self.outcome.name(), self.status, &self.problem, &self.before, &self.after),
        );
        // Strings and numbers are written without fail.
        serde_json::to_vec(&fields).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Env;

    fn entry() -> AuditEntry {
        let now = Timestamp::from_seconds(1_000);
        AuditEntry {
            id: AuditEntryId::from(Env::system().uuid(now)),
            at: now,
            actor: Actor { kind: ActorKind::ApiKey, id: None, name: "ci".to_owned(), role: "admin".to_owned() },
            address: "203.0.113.7".to_owned(),
            action: "createApiKey".to_owned(),
            target: "/v2/config/admin/apikey".to_owned(),
            request_id: "r".to_owned(),
            outcome: AuditOutcome::Done,
            status: 200,
            problem: None,
            before: None,
            after: Some("{}".to_owned()),
            link: None,
        }
    }

    #[test]
    fn every_change_of_an_entry_changes_its_text() {
        let entry = entry();
        let text = entry.text_after(&AuditLink::START);
        let changes: [fn(&mut AuditEntry); 12] = [
            |it| it.at = Timestamp::from_seconds(1_001),
            |it| it.actor.kind = ActorKind::PlatformKey,
            |it| it.actor.name.push('x'),
            |it| it.actor.role.push('x'),
            |it| it.address.push('x'),
            |it| it.action.push('x'),
            |it| it.target.push('x'),
            |it| it.request_id.push('x'),
            |it| it.outcome = AuditOutcome::Refused,
            |it| it.status = 201,
            |it| it.before = Some("{}".to_owned()),
            |it| it.after = None,
        ];
        for change in changes {
            let mut other = entry.clone();
            change(&mut other);
            assert_ne!(other.text_after(&AuditLink::START), text, "{other:?}");
        }
    }

    #[test]
    fn an_entry_has_another_text_in_another_place() {
        let entry = entry();
        let start = AuditLink::START;
        let text = entry.text_after(&start);
        assert_ne!(entry.text_after(&AuditLink { sequence: 1, ..start }), text);
        assert_ne!(entry.text_after(&AuditLink { mac: [1; 32], ..start }), text);
    }
}
