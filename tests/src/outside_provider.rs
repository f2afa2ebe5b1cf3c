//! An OpenID Provider that nobody here wrote: `oidc-provider` of npm, in a process of its own.

use std::path::Path;
use std::process::Stdio;

use chancery_model::Env;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// A provider on a free loopback port, with pages of its own for signing in and for consent. Dropping it stops it.
#[derive(Debug)]
pub struct OutsideProvider {
    issuer: String,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    _process: Child,
}

impl OutsideProvider {
    /// How it knows its one client.
    pub const CLIENT_ID: &'static str = "chancery";

    /// Starts it with the clock of the world standing still, for one client, and for people by their login, which is their
    /// `sub`. Their claims are in the userinfo response: `given_name`, `family_name` and `birthdate` under the scope `profile`,
    /// `staff_id` under `staff`.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(env: &Env, redirect_uri: &str, client_secret: &str, people: &Value) -> Self {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("provider");
        let installed = directory.join("node_modules").is_dir();
        assert!(installed, "`make test` installs it: tests/scripts/install-node-packages tests/provider");
        let mut process = Command::new("node")
            .arg(directory.join("provider.mjs"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("node");
        let input = process.stdin.take().expect("its input");
        let output = BufReader::new(process.stdout.take().expect("its output")).lines();
        let mut provider = Self { issuer: String::new(), input, output, _process: process };
        let client =
            json!({"client_id": Self::CLIENT_ID, "client_secret": client_secret, "redirect_uris": [redirect_uri]});
        let described = json!({"client": client, "people": people, "now": env.now().seconds()});
        provider.issuer = provider.ask(&described.to_string()).await["issuer"].as_str().expect("an issuer").to_owned();
        provider
    }

    /// Its issuer identifier.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Signs with a new key from now on, and publishes only that.
    pub async fn rotate_key(&mut self) {
        self.ask("rotate").await;
    }

    async fn ask(&mut self, line: &str) -> Value {
        self.input.write_all(format!("{line}\n").as_bytes()).await.expect("an open input");
        let answer = self.output.next_line().await.expect("an open output").expect("an answer");
        serde_json::from_str(&answer).expect("JSON")
    }
}
