//! Secrets that the demo makes for itself, kept in files that only the owner can read.

use std::io::Write;
use std::path::Path;

use anyhow::Context as _;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use crate::config::Environment;

/// Puts database and secrets of `data` into `environment` where nothing else was said, and answers the platform key.
pub(super) fn complete(environment: &mut Environment, data: &Path) -> anyhow::Result<String> {
    std::fs::create_dir_all(data).with_context(|| format!("cannot create {}", data.display()))?;
    add(environment, "DATABASE_URL", || Ok(format!("sqlite://{}/chancery.db", data.display())))?;
    add(environment, "SECRETS_SEALING_KEY", || {
        kept(&data.join("sealing.key"), || STANDARD.encode(chancery_keys::random_bytes::<32>()))
    })?;
    // The identity provider of the demo is on this machine.
    add(environment, "OUTBOUND_ADDRESSES", || Ok("any".to_owned()))?;
    add(environment, "SECRETS_PLATFORM_KEY", || kept(&data.join("platform.key"), random_text))?;
    match environment.get("CHANCERY_SECRETS_PLATFORM_KEY") {
        Some(key) => Ok(key.clone()),
        None => {
            let file = environment.get("CHANCERY_SECRETS_PLATFORM_KEY_FILE").context("no platform key")?;
            Ok(std::fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?.trim().to_owned())
        }
    }
}

/// The content of `path`, which is made with `make` when it is not there.
pub(super) fn kept(path: &Path, make: impl FnOnce() -> String) -> anyhow::Result<String> {
    if path.exists() {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        return Ok(text.trim().to_owned());
    }
    let text = make();
    write_private(path, &text)?;
    Ok(text)
}

/// Writes a file that only its owner can read.
pub(super) fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(path);
    let mut file = file.with_context(|| format!("cannot write {}", path.display()))?;
    writeln!(file, "{text}").with_context(|| format!("cannot write {}", path.display()))
}

fn random_text() -> String {
    URL_SAFE_NO_PAD.encode(chancery_keys::random_bytes::<32>())
}

fn add(
    environment: &mut Environment,
    name: &str,
    value: impl FnOnce() -> anyhow::Result<String>,
) -> anyhow::Result<()> {
    let (plain, file) = (format!("CHANCERY_{name}"), format!("CHANCERY_{name}_FILE"));
    if !environment.contains_key(&plain) && !environment.contains_key(&file) {
        environment.insert(plain, value()?);
    }
    Ok(())
}
