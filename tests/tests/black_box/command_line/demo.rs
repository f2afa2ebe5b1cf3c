//! `chancery demo`, which is what `make run` starts, in a process of its own.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, ChildStdout, Command, Stdio};

use chancery_tests::block_on;
use serde_json::json;

use super::*;

/// Set in the process that is to be the demo: its directory and the ports of its two faces.
const DEMO: &str = "CHANCERY_TEST_DEMO";
const SERVING: &str = "Chancery is serving.";

/// A demo that serves.
struct Demo {
    child: Child,
    output: BufReader<ChildStdout>,
    /// What it showed until it was serving.
    introduction: String,
    api_key: String,
}

impl Demo {
    /// Starts this very test once more, which is the demo then.
    fn start(directory: &Directory, wallet: u16, management: u16) -> Self {
        let (_, module) = module_path!().split_once("::").expect("a module of a crate");
        let this_test = format!("{module}::the_demo_shows_a_credential_and_passes_under_every_policy");
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", &this_test])
            .args(["--nocapture", "--test-threads", "1"])
            .env(DEMO, format!("{}|{wallet}|{management}", directory.0.join("data").display()))
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process");
        let mut output = BufReader::new(child.stdout.take().expect("its output"));
        let introduction = read_until(&mut output, SERVING);
        let key_line = read_until(&mut output, "API key");
        let api_key = key_line.split_whitespace().last().expect("a key").to_owned();
        Self { child, output, introduction, api_key }
    }

    /// Stops it as an operator does.
    fn stop(mut self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().expect("kill").success());
        read_until(&mut self.output, "Stopping.");
        // The rest, or the process could not write it.
        std::io::copy(&mut self.output, &mut std::io::sink()).expect("its last words");
        assert!(self.child.wait().expect("its end").success());
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        drop(self.child.kill());
    }
}

/// What comes up to and with the line that has `words` in it.
fn read_until(output: &mut impl BufRead, words: &str) -> String {
    let mut read = String::new();
    loop {
        let begin = read.len();
        assert!(output.read_line(&mut read).expect("a line") > 0, "it ended without {words:?}:\n{read}");
        if read.get(begin..).is_some_and(|line| line.contains(words)) {
            return read;
        }
    }
}

fn be_the_demo(instruction: &str) {
    let [data, wallet, management] = instruction.split('|').collect::<Vec<_>>().try_into().expect("three parts");
    let (wallet, management) = (format!("127.0.0.1:{wallet}"), format!("127.0.0.1:{management}"));
    let environment = [
        ("CHANCERY_SERVER_PUBLIC_URL", format!("http://{wallet}")),
        ("CHANCERY_SERVER_WALLET_LISTEN", wallet),
        ("CHANCERY_SERVER_MANAGEMENT_LISTEN", management),
    ];
    let environment = environment.each_ref().map(|(name, value)| (*name, value.as_str()));
    assert_eq!(run(&["demo", "--data", data], &environment), ExitCode::SUCCESS);
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port()
}

/// The demo passes the doctor as it comes and under HAIP, and once wallets must be attested it starts again and says why
/// the built-in one gets nothing.
#[test]
fn the_demo_shows_a_credential_and_passes_under_every_policy() {
    if let Ok(instruction) = std::env::var(DEMO) {
        return be_the_demo(&instruction);
    }
    let directory = Directory::new();
    let (wallet, management) = (free_port(), free_port());
    let examined = || {
        let issuer = format!("http://127.0.0.1:{wallet}/o/demo");
        let anchor = directory.0.join("data/demo-authority.pem").display().to_string();
        run(&["doctor", "--organisation", &issuer, "--trust", &anchor], &[])
    };

    let demo = Demo::start(&directory, wallet, management);
    for words in ["Credential urn:eudi:pid:1", "verified ES256", "Okonkwo-Lind"] {
        assert!(demo.introduction.contains(words), "{words}: {}", demo.introduction);
    }
    assert_eq!(examined(), ExitCode::SUCCESS);

    let now = chancery_tests::Env::system().now().seconds();
    let provider = chancery_wallet::Authority::generate("Provider", now).expect("an authority");
    let anchor: String = provider.anchor_pem().lines().filter(|line| !line.starts_with('-')).collect();
    let policy = json!({"profile": "haip", "trustAnchors": {"walletProviders": {"certificates": [anchor]}}});
    block_on(async {
        let url = format!("http://127.0.0.1:{management}/v2/config/digital-wallet/openid/policy");
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let request = client.put(url).header("authorization", format!("ApiKey {}", demo.api_key));
        let answer = request.json(&policy).send().await.expect("an answer");
        assert_eq!(answer.status(), 200, "{:?}", answer.text().await);
    });
    assert_eq!(examined(), ExitCode::SUCCESS);
    demo.stop();

    let demo = Demo::start(&directory, wallet, management);
    assert!(demo.introduction.contains("It does not get it"), "{}", demo.introduction);
    assert_eq!(examined(), ExitCode::SUCCESS);
    demo.stop();
}
