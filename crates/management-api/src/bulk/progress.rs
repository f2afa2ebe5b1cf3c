//! How far a bulk has come, as it goes.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use chancery_issuance::Context;
use chancery_issuance::management::bulk::{self, Shown};
use chancery_model::{BulkId, BulkProgress, BulkState, Organisation};
use futures::stream;

use super::refused;
use super::schema::BulkAnswer;
use crate::access::Organisational;
use crate::problem::Problem;
use crate::request::Id;
use crate::routes;

/// Time between two looks.
const INTERVAL: Duration = Duration::from_millis(500);

/// Watch a bulk: server-sent events.
///
/// An event `progress` with the bulk at once and after every change, until it is done or cancelled; then the stream ends.
#[utoipa::path(
    get, path = routes::BULK_EVENTS, tag = "Bulk issuance", operation_id = "watchBulk",
    params(("bulkId" = String, Path, description = "Id of the bulk", format = Uuid)),
    responses((status = 200, description = "Events", content_type = "text/event-stream", body = String)),
)]
pub(crate) async fn watch(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    Id(id): Id<BulkId>,
) -> Result<Response, Problem> {
    let first = bulk::read(&ctx, &caller.organisation, id).await.map_err(refused)?;
    let watch = Watch { ctx, organisation: caller.organisation, id, next: Some(first), told: None };
    Ok(Sse::new(stream::unfold(watch, Watch::tell)).keep_alive(KeepAlive::default()).into_response())
}

struct Watch {
    ctx: Context,
    organisation: Arc<Organisation>,
    id: BulkId,
    /// What was read and not told yet.
    next: Option<Shown>,
    told: Option<(BulkState, BulkProgress)>,
}

impl Watch {
    async fn tell(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        if self.told.is_some_and(|(state, _)| state.is_final()) {
            return None;
        }
        let shown = match self.next.take() {
            Some(first) => first,
            None => self.changed().await?,
        };
        self.told = Some((shown.bulk.state, shown.progress));
        let data = serde_json::to_string(&BulkAnswer::from(&shown)).ok()?;
        Some((Ok(Event::default().event("progress").data(data)), self))
    }

    /// Waits for a change; `None` when the server stops, or the bulk cannot be read.
    async fn changed(&self) -> Option<Shown> {
        loop {
            tokio::select! {
                () = tokio::time::sleep(INTERVAL) => {}
                () = self.ctx.stopped() => return None,
            }
            let shown = bulk::read(&self.ctx, &self.organisation, self.id).await.ok()?;
            if self.told != Some((shown.bulk.state, shown.progress)) {
                return Some(shown);
            }
        }
    }
}
