//! `chancery issue`.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Subcommand;
use futures::stream;
use http_body::Frame;
use http_body_util::StreamBody;
use reqwest::{Body, Method, Response};
use serde_json::{Value, json};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::management::{Management, ServerArguments};
use crate::config::Environment;

const BULKS: &str = "/v2/config/digital-wallet/openid/sdjwt/credential/issue/bulk";

/// Cells of the progress bar.
const BAR: u64 = 30;

/// Rows that break rules that are shown.
const MOST_SHOWN: usize = 20;

#[derive(Subcommand)]
pub(super) enum IssueCommand {
    /// Issues one offer for each row of a file, over the management API of a running server.
    ///
    /// The file is uploaded and checked first; with rows that break rules nothing is issued unless --skip-invalid is given.
    Bulk(BulkArguments),
}

#[derive(clap::Args)]
pub(super) struct BulkArguments {
    /// CSV (.csv) or JSON Lines (.jsonl, .ndjson), in UTF-8.
    file: PathBuf,
    #[command(flatten)]
    server: ServerArguments,
    /// Id of the credential definition.
    #[arg(long, value_name = "ID")]
    definition: String,
    /// Id of the definition's entry, when it has several.
    #[arg(long, value_name = "ID")]
    credential: Option<String>,
    /// Gives every row without a transaction code one of six digits.
    #[arg(long)]
    generate_pins: bool,
    /// Leaves out rows that break rules.
    #[arg(long)]
    skip_invalid: bool,
    /// Where the result goes, as CSV or, ending in .jsonl, as JSON Lines. It must not exist yet.
    #[arg(long, value_name = "FILE")]
    result: PathBuf,
}

pub(super) async fn execute(command: IssueCommand, environment: &Environment) -> anyhow::Result<()> {
    match command {
        IssueCommand::Bulk(arguments) => bulk(&arguments, environment).await,
    }
}

async fn bulk(arguments: &BulkArguments, environment: &Environment) -> anyhow::Result<()> {
    let api = Api(arguments.server.open(environment)?);
    // Before anything is issued: without it the offers could not be written down.
    let mut result = new_file(&arguments.result).await?;

    let bulk = api.upload(arguments).await?;
    let id = bulk.pointer("/id").and_then(Value::as_str).context("the answer has no id")?.to_owned();
    eprintln!("bulk {id}: {} rows, {} of them break rules", number(&bulk, "/rows"), number(&bulk, "/invalid"));
    api.show_faults(&id).await?;
    let confirmation = json!({ "skipInvalid": arguments.skip_invalid });
    api.call(Method::POST, &format!("{BULKS}/{id}/confirm"), Some(confirmation)).await?;
    api.watch(&id).await?;
    let format = if is_json_lines(&arguments.result) { "jsonl" } else { "csv" };
    let mut answer = api.call(Method::GET, &format!("{BULKS}/{id}/result?format={format}"), None).await?;
    while let Some(bytes) = answer.chunk().await? {
        result.write_all(&bytes).await?;
    }
    result.sync_all().await?;
    eprintln!("the result is in {}", arguments.result.display());
    Ok(())
}

struct Api(Management);

impl Api {
    async fn upload(&self, arguments: &BulkArguments) -> anyhow::Result<Value> {
        let path = &arguments.file;
        let file = File::open(path).await.with_context(|| format!("cannot read {}", path.display()))?;
        let media_type = if is_json_lines(path) { "application/jsonl" } else { "text/csv" };
        let pins = if arguments.generate_pins { "generated" } else { "given" };
        let request = self.0.request(Method::POST, BULKS).query(&[
            ("credentialDefinitionId", arguments.definition.as_str()),
            ("credentialId", arguments.credential.as_deref().unwrap_or_default()),
            ("userPin", pins),
        ]);
        let request = request.header("content-type", media_type).body(streamed(file));
        let answer = self.0.send(request).await?;
        let mut answer: Value = answer.json().await?;
        Ok(answer.get_mut("bulk").map(Value::take).unwrap_or_default())
    }

    async fn show_faults(&self, id: &str) -> anyhow::Result<()> {
        let path = format!("{BULKS}/{id}/rows?sortOrder=asc&limit={MOST_SHOWN}");
        let report: Value = self.call(Method::GET, &path, None).await?.json().await?;
        for row in report.pointer("/rows").and_then(Value::as_array).into_iter().flatten() {
            for error in row.pointer("/errors").and_then(Value::as_array).into_iter().flatten() {
                let text = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
                eprintln!("  row {}: {} {}", number(row, "/row"), text("pointer"), text("detail"));
            }
        }
        Ok(())
    }

    /// Draws the events of the server until the bulk has ended.
    async fn watch(&self, id: &str) -> anyhow::Result<()> {
        loop {
            let mut events = self.call(Method::GET, &format!("{BULKS}/{id}/events"), None).await?;
            let mut text = Vec::new();
            // The stream ends when the server stops, too: then it is asked again.
            while let Ok(Some(bytes)) = events.chunk().await {
                text.extend_from_slice(&bytes);
                while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
                    let line: Vec<u8> = text.drain(..=end).collect();
                    let data = line.strip_prefix(b"data:").and_then(|data| serde_json::from_slice::<Value>(data).ok());
                    let Some(bulk) = data.as_ref().and_then(|data| data.get("bulk")) else { continue };
                    draw(bulk);
                    match bulk.get("state").and_then(Value::as_str) {
                        Some("done") => {
                            eprintln!();
                            return Ok(());
                        }
                        Some("cancelled") => anyhow::bail!("the bulk was cancelled"),
                        Some(_) | None => {}
                    }
                }
            }
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> anyhow::Result<Response> {
        let request = self.0.request(method, path);
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        Ok(self.0.send(request).await?)
    }
}

/// The file as a request body, read as it is sent.
fn streamed(file: File) -> Body {
    let pieces = stream::try_unfold(file, async |mut file: File| {
        let mut piece = vec![0; 64 * 1024];
        let length = file.read(&mut piece).await?;
        piece.truncate(length);
        Ok::<_, std::io::Error>((length > 0).then(|| (Frame::data(bytes(piece)), file)))
    });
    Body::wrap(StreamBody::new(Box::pin(pieces)))
}

fn bytes(piece: Vec<u8>) -> axum::body::Bytes {
    piece.into()
}

async fn new_file(path: &Path) -> anyhow::Result<File> {
    let mut options = File::options();
    // Offer links are secrets.
    options.write(true).create_new(true).mode(0o600);
    options.open(path).await.with_context(|| format!("cannot make {}", path.display()))
}

fn is_json_lines(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "jsonl" || extension == "ndjson")
}

/// One line on standard error, drawn over the last one.
fn draw(bulk: &Value) {
    let (done, failed) = (number(bulk, "/done"), number(bulk, "/failed"));
    let all = number(bulk, "/rows").saturating_sub(number(bulk, "/invalid")).max(1);
    let filled = usize::try_from((done + failed) * BAR / all).unwrap_or_default();
    let empty = usize::try_from(BAR).unwrap_or_default().saturating_sub(filled);
    let rate = bulk.get("rowsPerSecond").and_then(Value::as_f64).unwrap_or_default();
    let left = bulk.get("secondsLeft").and_then(Value::as_f64).unwrap_or_default();
    let bar = format!("{}{}", "#".repeat(filled), "-".repeat(empty));
    eprint!("\r[{bar}] {done} of {all}, {failed} failed, {rate:.0} a second, {left:.0} s left   ");
    // Only looks are lost when this fails.
    drop(std::io::stderr().flush());
}

fn number(value: &Value, pointer: &str) -> u64 {
    value.pointer(pointer).and_then(Value::as_u64).unwrap_or_default()
}
