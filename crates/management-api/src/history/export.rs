//! The history as a file, written while it is read: a page at a time, for as long as the caller listens.

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use chancery_issuance::management::Order;
use chancery_issuance::management::access::Caller;
use chancery_issuance::management::history::{self, Cursor, Filter, History};
use chancery_issuance::{Context, Failure};
use futures::stream;
use utoipa::IntoParams;

use super::{Asked, HistoryQuery, shown};
use crate::access::Organisational;
use crate::file::{File, FileFormat};
use crate::list::SortOrder;
use crate::problem::Problem;
use crate::request::Parameters;
use crate::routes;

/// Records that are read at once.
const PER_PAGE: u32 = 100;

/// Export records.
///
/// The filters are those of the list. `csv` (RFC 4180, with a header) holds no claims and no credentials; texts that a
/// spreadsheet would take for a formula begin with an apostrophe. `jsonl` has one whole record per line. The file is
/// written while it is read, and one that breaks off is incomplete: the connection then ends without the end of the file.
#[utoipa::path(
    get, path = routes::HISTORY_EXPORT, tag = "Issuance", operation_id = "exportCredentialHistory",
    params(ExportQuery, HistoryQuery),
    responses((
        status = 200, description = "The records",
        content((File = "text/csv"), (File = "application/jsonl"))
    )),
)]
pub(crate) async fn export(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    mut query: Parameters,
) -> Result<Response, Problem> {
    let format = query.read("format", "csv or jsonl is expected", |text| match text {
        "csv" => Some(Format::Csv),
        "jsonl" => Some(Format::JsonLines),
        _ => None,
    });
    let format = format.unwrap_or(Format::Csv);
    let Asked { filter, is_empty } = Asked::read(&mut query);
    let order = query.window().order;
    query.finish()?;
    let next = if is_empty { Next::Nothing } else { Next::From(None) };
    let walk = Walk { ctx, caller, filter, order, format, next, is_first: true };
    let body = Body::from_stream(stream::try_unfold(walk, Walk::step));
    let (media_type, name) = match format {
        Format::Csv => ("text/csv; charset=utf-8; header=present", "attachment; filename=\"history.csv\""),
        Format::JsonLines => ("application/jsonl", "attachment; filename=\"history.jsonl\""),
    };
    let headers =
        [(CONTENT_TYPE, HeaderValue::from_static(media_type)), (CONTENT_DISPOSITION, HeaderValue::from_static(name))];
    Ok((headers, body).into_response())
}

#[derive(Clone, Copy)]
enum Format {
    Csv,
    JsonLines,
}

enum Next {
    From(Option<Cursor>),
    Nothing,
}

/// An export on its way. Nothing is read before it is asked for.
struct Walk {
    ctx: Context,
    caller: Caller,
    filter: Filter,
    order: Order,
    format: Format,
    next: Next,
    is_first: bool,
}

impl Walk {
    async fn step(mut self) -> Result<Option<(Bytes, Self)>, Broken> {
        let mut text = String::new();
        if self.is_first {
            self.is_first = false;
            if let Format::Csv = self.format {
                text.push_str(&COLUMNS.join(","));
                text.push_str("\r\n");
            }
        }
        if let Next::From(cursor) = self.next {
            let page =
                history::walk(&self.ctx, &self.caller.organisation, &self.filter, cursor, PER_PAGE, self.order).await;
            let page = page.map_err(Broken::because)?;
            for record in &page {
                self.write(record, &mut text)?;
            }
            self.next = page.last().map_or(Next::Nothing, |last| Next::From(Some(Cursor::behind(last))));
        }
        Ok(if text.is_empty() { None } else { Some((Bytes::from(text), self)) })
    }

    fn write(&self, record: &History, text: &mut String) -> Result<(), Broken> {
        match self.format {
            Format::Csv => write_row(record, text),
            Format::JsonLines => {
                let line = serde_json::to_string(&shown(record, self.caller.role)).map_err(|_| Broken)?;
                text.push_str(&line);
                text.push('\n');
            }
        }
        Ok(())
    }
}

/// Why an export broke off is in the log.
#[derive(Debug)]
struct Broken;

impl Broken {
    fn because(failure: Failure<std::convert::Infallible>) -> Self {
        match failure {
            Failure::Rejected(never) => match never {},
            Failure::Unavailable(cause) | Failure::Internal(cause) => {
                tracing::error!(cause = format!("{cause:#}"), "an export broke off");
            }
        }
        Self
    }
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the export broke off")
    }
}

impl std::error::Error for Broken {}

const COLUMNS: [&str; 14] = [
    "CredentialExchangeId",
    "status",
    "issuanceMode",
    "credentialStatus",
    "revocationStatus",
    "credentialDefinitionId",
    "credentialDefinitionRevision",
    "credentialLabel",
    "clientId",
    "createdAt",
    "updatedAt",
    "expiresAt",
    "issuedCredentials",
    "issuanceDeniedReason",
];

fn write_row(record: &History, text: &mut String) {
    let exchange = &record.exchange;
    let name = |value: serde_json::Result<serde_json::Value>| {
        value.ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
    };
    let fields: [String; COLUMNS.len()] = [
        exchange.id.to_string(),
        exchange.status.name().to_owned(),
        name(serde_json::to_value(exchange.issuance_mode)),
        name(serde_json::to_value(exchange.credential_status)),
        exchange.revocation_status.name().to_owned(),
        exchange.definition_id.to_string(),
        exchange.definition_revision.to_string(),
        record.definition.content.label.clone(),
        exchange.client_id.clone().unwrap_or_default(),
        exchange.created_at.seconds().to_string(),
        exchange.updated_at.seconds().to_string(),
        exchange.expires_at.seconds().to_string(),
        record.credentials.len().to_string(),
        exchange.denied_reason.clone().unwrap_or_default(),
    ];
    let row: Vec<String> = fields.iter().map(|field| quoted(field)).collect();
    text.push_str(&row.join(","));
    text.push_str("\r\n");
}

/// A field of RFC 4180 that no spreadsheet takes for a formula.
fn quoted(field: &str) -> String {
    let is_formula =
        field.trim_start().starts_with(['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'])
            || field.starts_with(['\t', '\r', '\n']);
    let guard = if is_formula { "'" } else { "" };
    let needs_quotes = is_formula || field.contains(['"', ',', '\r', '\n']);
    if needs_quotes { format!("\"{guard}{}\"", field.replace('"', "\"\"")) } else { field.to_owned() }
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the query, which `request.rs` reads")]
struct ExportQuery {
    /// Form of the file.
    #[param(inline, default = "csv")]
    format: Option<FileFormat>,
    /// Newest (`desc`) or oldest (`asc`) first.
    #[param(inline, default = "desc")]
    sort_order: Option<SortOrder>,
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn no_field_is_a_formula() {
        for (field, expected) in [
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("=1+1", "\"'=1+1\""),
            ("  @SUM(A1)", "\"'  @SUM(A1)\""),
            ("-2", "\"'-2\""),
            ("\t=1", "\"'\t=1\""),
            ("two\nlines", "\"two\nlines\""),
            ("", ""),
        ] {
            assert_eq!(quoted(field), expected);
        }
    }
}
