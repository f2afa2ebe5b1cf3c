//! The result of a bulk as a file: one line for each row.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use chancery_issuance::Context;
use chancery_issuance::management::bulk::{self, Outcome, Rejection};
use chancery_model::{BulkId, Organisation};
use futures::stream;
use serde_json::json;

use super::refused;
use super::schema::ResultQuery;
use crate::access::{Organisational, may_see_offers};
use crate::file::File;
use crate::problem::Problem;
use crate::request::{Id, Parameters};
use crate::routes;

#[derive(Clone, Copy)]
enum Format {
    Csv,
    JsonLines,
}

/// Fetch the result of a bulk that is done or cancelled: one offer link for each row that was issued.
///
/// Streamed. Transaction codes are shown to whoever fetches the result first, and erased when that was read to its end.
/// Cells of CSV that a spreadsheet would take for a formula begin with `'`. Keys with the role auditor see neither offer
/// links nor transaction codes.
#[utoipa::path(
    get, path = routes::BULK_RESULT, tag = "Bulk issuance", operation_id = "fetchBulkResult",
    params(("bulkId" = String, Path, description = "Id of the bulk", format = Uuid), ResultQuery),
    responses(
        (status = 200, description = "The result", content((File = "text/csv"), (File = "application/jsonl"))),
        (status = 409, description = "Problem `bulk-state`"),
    ),
)]
pub(crate) async fn fetch(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    Id(id): Id<BulkId>,
    mut query: Parameters,
) -> Result<Response, Problem> {
    let format = query.read("format", "csv or jsonl is expected", |text| match text {
        "csv" => Some(Format::Csv),
        "jsonl" => Some(Format::JsonLines),
        _ => None,
    });
    query.finish()?;
    let format = format.unwrap_or(Format::Csv);
    let shown = bulk::read(&ctx, &caller.organisation, id).await.map_err(refused)?;
    if !shown.bulk.state.is_final() || shown.bulk.erased_at.is_some() {
        let state = shown.bulk.state;
        return Err(match shown.bulk.erased_at {
            Some(_) => Problem::new(crate::problem::Kind::BulkState, "the result was erased"),
            None => refused(chancery_issuance::Failure::Rejected(Rejection::State(state))),
        });
    }
    let pages = Pages {
        ctx,
        organisation: caller.organisation,
        id,
        format,
        shows_offers: may_see_offers(caller.role),
        next: Some(0),
    };
    let body = Body::from_stream(stream::try_unfold(pages, Pages::turn));
    let (media_type, name) = match format {
        Format::Csv => ("text/csv; charset=utf-8; header=present", "attachment; filename=\"result.csv\""),
        Format::JsonLines => ("application/jsonl", "attachment; filename=\"result.jsonl\""),
    };
    let headers =
        [(CONTENT_TYPE, HeaderValue::from_static(media_type)), (CONTENT_DISPOSITION, HeaderValue::from_static(name))];
    Ok((headers, body).into_response())
}

struct Pages {
    ctx: Context,
    organisation: Arc<Organisation>,
    id: BulkId,
    format: Format,
    shows_offers: bool,
    /// The part that comes next.
    next: Option<u32>,
}

impl Pages {
    async fn turn(mut self) -> Result<Option<(Bytes, Self)>, std::io::Error> {
        let Some(ordinal) = self.next else { return Ok(None) };
        let part = bulk::result_part(&self.ctx, &self.organisation, self.id, ordinal).await;
        let part = part.map_err(|failure| {
            // The client notices that the body breaks off.
            let _logged = refused(failure);
            std::io::Error::other("the result broke off")
        })?;
        let Some(outcomes) = part else {
            if self.shows_offers
                && let Err(failure) = bulk::fetched(&self.ctx, &self.organisation, self.id).await
            {
                let _logged = crate::access::never(failure);
            }
            return Ok(None);
        };
        let mut text = String::new();
        if let (Format::Csv, 0) = (self.format, ordinal) {
            text.push_str("row,reference,status,CredentialExchangeId,credentialOffer,userPin,error\r\n");
        }
        for mut outcome in outcomes {
            if !self.shows_offers {
                outcome.offer.clear();
                outcome.pin.clear();
            }
            write(&outcome, self.format, &mut text);
        }
        self.next = ordinal.checked_add(1);
        Ok(Some((Bytes::from(text), self)))
    }
}

fn write(outcome: &Outcome, format: Format, text: &mut String) {
    let status = match (&outcome.exchange, outcome.invalid) {
        (Some(_), _) => "issued",
        (None, true) => "invalid",
        (None, false) => "failed",
    };
    let exchange = outcome.exchange.map(|id| id.to_string()).unwrap_or_default();
    match format {
        Format::Csv => {
            let row = outcome.row.to_string();
            let cells = [&row, &outcome.reference, status, &exchange, &outcome.offer, &outcome.pin, &outcome.error];
            text.push_str(&cells.map(cell).join(","));
            text.push_str("\r\n");
        }
        Format::JsonLines => {
            let line = json!({
                "row": outcome.row,
                "reference": outcome.reference,
                "status": status,
                "CredentialExchangeId": exchange,
                "credentialOffer": outcome.offer,
                "userPin": outcome.pin,
                "error": outcome.error,
            });
            text.push_str(&line.to_string());
            text.push('\n');
        }
    }
}

/// A cell (RFC 4180) that no spreadsheet takes for a formula.
fn cell(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    let harmless = if is_formula { format!("'{text}") } else { text.to_owned() };
    if harmless.contains([',', '"', '\r', '\n']) {
        return format!("\"{}\"", harmless.replace('"', "\"\""));
    }
    harmless
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn a_cell_is_quoted_where_needed_and_never_a_formula() {
        for (text, written) in [
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("=1+1", "'=1+1"),
            ("@SUM(A1,A2)", "\"'@SUM(A1,A2)\""),
            ("-5", "'-5"),
            ("\t=1", "'\t=1"),
            ("\r=1", "\"'\r=1\""),
        ] {
            assert_eq!(cell(text), written);
        }
    }
}
