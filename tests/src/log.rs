//! What the servers of this process log, kept in memory so that tests can look for what must not be there.

use std::io;
use std::sync::{Mutex, Once, PoisonError};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

static LINES: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Begins to keep the log: everything of the product down to `trace`, warnings of its libraries.
pub(crate) fn keep() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        let filter = EnvFilter::new("warn,chancery=trace");
        let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(Kept).finish();
        let kept = tracing_subscriber::util::SubscriberInitExt::try_init(subscriber);
        kept.expect("the first subscriber of this process");
    });
}

/// Whether a text was logged by any server of this process since it began.
pub fn mentions(text: &str) -> bool {
    let lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    lines.windows(text.len()).any(|window| window == text.as_bytes())
}

#[derive(Clone, Copy)]
struct Kept;

impl MakeWriter<'_> for Kept {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        *self
    }
}

impl io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LINES.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
