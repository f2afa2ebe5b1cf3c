//! The generated descriptions of both faces, as files.

use std::path::Path;

use anyhow::Context as _;
use utoipa::openapi::OpenApi;

/// File names and descriptions.
pub(crate) fn documents() -> [(&'static str, OpenApi); 2] {
    [("management.json", chancery_management_api::openapi()), ("wallet.json", chancery_wallet_api::openapi())]
}

/// Writes both descriptions into `directory`.
pub(crate) fn write(directory: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(directory).with_context(|| format!("cannot create {}", directory.display()))?;
    for (name, document) in documents() {
        let path = directory.join(name);
        let text = format!("{}\n", document.to_pretty_json()?);
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
