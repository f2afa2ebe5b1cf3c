//! The transcript of one request while it is being handled.

use chancery_model::{Env, Event, Level, Passage, Record, Timestamp, TranscriptPartId};
use chancery_protocol::Explanation;
use serde_json::{Map, Value};

/// Records and events of one request, oldest first. Callers hand in redacted values only.
#[derive(Debug)]
pub(crate) struct Recording {
    endpoint: &'static str,
    records: Vec<Record>,
    events: Vec<Event>,
    /// Whether it can get into any transcript.
    is_kept: bool,
}

impl Recording {
    /// Begins the part that the request to `endpoint` writes.
    pub(crate) fn at(endpoint: &'static str) -> Self {
        Self { endpoint, records: Vec::with_capacity(8), events: Vec::with_capacity(2), is_kept: true }
    }

    /// Keeps nothing from here on but a refusal: there is no transcript for it.
    pub(crate) fn stop(&mut self) {
        *self = Self { endpoint: self.endpoint, records: Vec::new(), events: Vec::new(), is_kept: false };
    }

    pub(crate) fn debug(&mut self, message: &'static str, data: Value) {
        self.record(Level::Debug, message, data);
    }

    pub(crate) fn info(&mut self, message: &'static str, data: Value) {
        self.record(Level::Info, message, data);
    }

    /// The same, for data that takes work to put together.
    pub(crate) fn info_of(&mut self, message: &'static str, data: impl FnOnce() -> Value) {
        if self.is_kept {
            self.record(Level::Info, message, data());
        }
    }

    /// Something that would have been a refusal under a stricter policy.
    pub(crate) fn warning(&mut self, message: &'static str, explanation: &Explanation) {
        let data = explained(explanation, Map::new());
        self.record(Level::Warning, message, Value::Object(data));
    }

    /// A refusal: `reason`, `help` and `spec_ref` of the explanation are added to `data`.
    pub(crate) fn error(&mut self, message: &'static str, explanation: &Explanation, data: Value) {
        let data = explained(explanation, members(data));
        self.push(Level::Error, message, Value::Object(data));
    }

    pub(crate) fn event(&mut self, kind: &'static str, details: Value) {
        if self.is_kept {
            self.events.push(Event { kind: kind.to_owned(), details: members(details) });
        }
    }

    /// What was written.
    pub(crate) fn finish(self, env: &Env, now: Timestamp) -> Passage {
        let id = TranscriptPartId::from(env.uuid(now));
        Passage { id, at: now, records: self.records, events: self.events }
    }

    /// What was written, by a request that has no passage of its own in the database.
    pub(crate) fn finish_as(self, id: TranscriptPartId, at: Timestamp) -> Passage {
        Passage { id, at, records: self.records, events: self.events }
    }

    fn record(&mut self, level: Level, message: &'static str, data: Value) {
        if self.is_kept {
            self.push(level, message, data);
        }
    }

    fn push(&mut self, level: Level, message: &'static str, data: Value) {
        let endpoint = self.endpoint.to_owned();
        self.records.push(Record { level, endpoint, message: message.to_owned(), data: members(data) });
    }
}

/// A code that a person can read over the telephone: 8 characters of Crockford's base 32 in two groups.
pub(crate) fn support_code(env: &Env) -> String {
    const ALPHABET: [char; 32] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'J', 'K', 'M', 'N',
        'P', 'Q', 'R', 'S', 'T', 'V', 'W', 'X', 'Y', 'Z',
    ];
    let mut code = String::with_capacity(9);
    for (position, byte) in env.random::<8>().into_iter().enumerate() {
        if position == 4 {
            code.push('-');
        }
        code.extend(ALPHABET.get(usize::from(byte % 32)));
    }
    code
}

fn explained(explanation: &Explanation, mut data: Map<String, Value>) -> Map<String, Value> {
    data.insert("reason".to_owned(), Value::from(explanation.reason.as_str()));
    data.insert("help".to_owned(), Value::from(AsRef::<str>::as_ref(&explanation.help)));
    data.insert("spec_ref".to_owned(), Value::from(explanation.spec_ref));
    data
}

fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    }
}
