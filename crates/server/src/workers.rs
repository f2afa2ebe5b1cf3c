//! Background work: one loop for each kind, in every process that has workers.
//!
//! What is due is decided by the clock of the context. A loop looks when this process has added work, and about once a
//! second for what others have added; the moments are jittered, so that processes that started together do not look
//! together. Leases in the database see to it that each piece of work is done by one process at a time.

use std::time::Duration;

use chancery_issuance::{Context, work};
use chancery_model::WorkKind;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Mean time between two looks.
const INTERVAL: Duration = Duration::from_secs(1);

/// Mean time until the next look when the database does not answer.
const INTERVAL_WITHOUT_DATABASE: Duration = Duration::from_secs(5);

/// The loops of this process.
pub(crate) struct Workers {
    stop: watch::Sender<bool>,
    loops: JoinSet<()>,
}

impl Workers {
    /// Starts a loop for each kind of work.
    pub(crate) fn start(context: &Context) -> Self {
        let stop = watch::Sender::new(false);
        let mut loops = JoinSet::new();
        for kind in WorkKind::ALL {
            loops.spawn(attend(context.clone(), kind, stop.subscribe()));
        }
        Self { stop, loops }
    }

    /// Takes no more work and waits until what was begun is done, at most `grace`. What is left then is given up: it is
    /// due again, here or elsewhere, when its lease ends.
    pub(crate) async fn stop(mut self, grace: Duration) {
        self.stop.send_replace(true);
        let ended = async { while self.loops.join_next().await.is_some() {} };
        if tokio::time::timeout(grace, ended).await.is_err() {
            tracing::warn!(?grace, "background work was still running when the grace period ended");
        }
    }
}

async fn attend(context: Context, kind: WorkKind, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        let pause = match work::run_due(&context, kind).await {
            // There may be more.
            Ok(done) if done > 0 => continue,
            Ok(_) => INTERVAL,
            Err(error) => {
                tracing::warn!(%error, kind = kind.name(), "background work has to wait");
                INTERVAL_WITHOUT_DATABASE
            }
        };
        let queue = context.store().work();
        tokio::select! {
            () = tokio::time::sleep(jittered(&context, pause)) => {}
            () = queue.added(kind) => {}
            _ = stop.changed() => {}
        }
    }
}

/// From three quarters to five quarters of `span`.
fn jittered(context: &Context, span: Duration) -> Duration {
    let [dice] = context.env().random::<1>();
    span * 3 / 4 + span * u32::from(dice) / 510
}

/// Does everything that is due, of every kind, until nothing is.
pub(crate) async fn work_off(context: &Context) -> anyhow::Result<()> {
    loop {
        let mut done = 0;
        for kind in WorkKind::ALL {
            done += work::run_due(context, kind).await?;
        }
        if done == 0 {
            return Ok(());
        }
    }
}
