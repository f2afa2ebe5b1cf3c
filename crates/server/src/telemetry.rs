//! The log.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{LogFormat, Settings};

/// Begins logging to standard error. A second call in one process changes nothing.
pub(crate) fn start(settings: &Settings) {
    let registry = tracing_subscriber::registry().with(EnvFilter::new(&settings.log_filter));
    let started = match settings.log_format {
        LogFormat::Text => {
            registry.with(tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false)).try_init()
        }
        LogFormat::Json => {
            registry.with(tracing_subscriber::fmt::layer().json().with_writer(std::io::stderr)).try_init()
        }
    };
    if started.is_err() {
        tracing::debug!("logging had begun already");
    }
}
