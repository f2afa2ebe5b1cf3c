//! One row: what is to be issued to one person.

use chancery_model::{Bulk, Definition, EntryId, IndividualId};
use chancery_protocol::offer::UriScheme;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::columns::Columns;
use super::reader::Record;
use crate::Context;
use crate::management::body::{Fault, Faults, Members, parse};
use crate::management::offers::check_row;
use crate::management::offers::request::{IssueRequest, Named, Pin, read_individual, read_pin};

/// A row that keeps every rule. Holds claims: it is stored sealed only.
#[derive(Serialize, Deserialize)]
pub(super) struct Row {
    /// From 1.
    pub(super) number: u32,
    /// The caller's name for it; empty when there is none.
    pub(super) reference: String,
    /// Transaction code that the caller gave.
    pub(super) pin: Option<String>,
    pub(super) claims: Map<String, Value>,
    #[serde(default)]
    pub(super) metadata: Map<String, Value>,
    /// Whom the offer is made for, once it is known that there is such a person.
    #[serde(default)]
    pub(super) individual: Option<IndividualId>,
    /// How the file names that person.
    #[serde(skip)]
    pub(super) named: Option<Named>,
}

/// Longest name that a caller gives to a row, in characters.
const LONGEST_REFERENCE: usize = 255;

impl Row {
    /// Reads a record and checks it against the definition. Pointers of faults are relative to the row as JSON.
    pub(super) fn read(
        number: u32,
        record: &Record,
        columns: Option<&Columns>,
        definition: &Definition,
        entry: EntryId,
    ) -> Result<Self, Vec<Fault>> {
        let mut texts = Vec::with_capacity(record.len());
        for cell in record {
            let text = std::str::from_utf8(cell).map_err(|_| whole("the row is not UTF-8; save the file as UTF-8"))?;
            if text.contains('\0') {
                return Err(whole("the character U+0000 is not accepted"));
            }
            texts.push(text);
        }
        let members = match (columns, texts.as_slice()) {
            (Some(columns), cells) => columns.row(cells)?,
            (None, [line]) => parse(line.as_bytes()).map_err(|error| whole(&error.to_string()))?,
            (None, _) => return Err(whole("one JSON object is expected")),
        };
        let row = Self::of(number, &members)?;
        check_row(&row.request(definition, entry, None, row.given_pin()), definition)?;
        Ok(row)
    }

    fn of(number: u32, members: &Map<String, Value>) -> Result<Self, Vec<Fault>> {
        let mut faults = Faults::default();
        let row = Members::of_body(members);
        row.refuse_others(
            &[&["claims", "userPin", "reference", "credentialMetadata", "individualId", "mapperId"]],
            &mut faults,
        );
        row.require("claims", &mut faults);
        let pin = read_pin(&row, &mut faults);
        let reference = row.text("reference", LONGEST_REFERENCE, &mut faults).unwrap_or_default().to_owned();
        let named = read_individual(&row, &mut faults);
        let claims = row.object("claims", &mut faults).map(|claims| claims.raw().clone());
        let metadata = row.object("credentialMetadata", &mut faults).map(|metadata| metadata.raw().clone());
        faults.none_or(claims.map(|claims| Self {
            number,
            reference,
            pin: match pin {
                Some(Pin::Given(pin)) => Some(pin),
                Some(Pin::Absent | Pin::Empty) | None => None,
            },
            claims,
            metadata: metadata.unwrap_or_default(),
            individual: None,
            named,
        }))
    }

    /// What the row asks for, in the words of the issue call: a pre-authorized code, with or without transaction code.
    pub(super) fn request(
        &self,
        definition: &Definition,
        entry: EntryId,
        url_scheme: Option<UriScheme>,
        pin: Pin,
    ) -> IssueRequest {
        IssueRequest::of_row(definition.id, entry, self.claims.clone(), self.metadata.clone(), pin, url_scheme)
    }

    fn given_pin(&self) -> Pin {
        self.pin.clone().map_or(Pin::Empty, Pin::Given)
    }

    /// The transaction code of this row: the caller's, or a fresh one where the bulk wants that.
    pub(super) fn pin_of(&self, bulk: &Bulk, ctx: &Context) -> Pin {
        match &self.pin {
            None if bulk.generate_pins => {
                let dice = u64::from_be_bytes(ctx.env().random::<8>());
                Pin::Given(format!("{:06}", dice % 1_000_000))
            }
            Some(_) | None => self.given_pin(),
        }
    }
}

fn whole(detail: &str) -> Vec<Fault> {
    vec![Fault { pointer: String::new(), detail: detail.to_owned() }]
}
