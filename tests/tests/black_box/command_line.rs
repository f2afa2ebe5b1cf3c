//! The command line, called as `main` calls it. Only exit codes and files: what is printed is for people.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use chancery_server::cli;
use chancery_tests::Environment;
use chancery_tests::key::random;

mod configuration;
mod demo;
mod wallet;

/// A directory that goes with its test.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("chancery-cli-{}", random(9)));
        std::fs::create_dir(&path).expect("a new directory");
        Self(path)
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, text).expect("a file");
        path.display().to_string()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn run(arguments: &[&str], environment: &[(&str, &str)]) -> ExitCode {
    let arguments = ["chancery"].iter().chain(arguments).map(OsString::from);
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    cli::run(arguments, Environment::from_iter(environment))
}

const SEALING_KEY: (&str, &str) = ("CHANCERY_SECRETS_SEALING_KEY", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");

#[test]
fn a_configuration_is_checked_without_starting_anything() {
    assert_eq!(run(&["config", "check"], &[SEALING_KEY]), ExitCode::SUCCESS);
    assert_eq!(run(&["config", "check"], &[]), ExitCode::FAILURE);
    assert_eq!(run(&["config", "check"], &[SEALING_KEY, ("CHANCERY_SERVER_API", "both")]), ExitCode::FAILURE);
    assert_eq!(run(&["config", "check"], &[SEALING_KEY, ("CHANCERY_TYPO", "x")]), ExitCode::FAILURE);
    assert_eq!(run(&["config", "check"], &[SEALING_KEY, ("HOME", "/nonexistent")]), ExitCode::SUCCESS);
}

#[test]
fn a_file_overrides_the_defaults_and_the_environment_overrides_the_file() {
    let directory = Directory::new();
    let key = directory.write("sealing-key", &format!("{}\n", SEALING_KEY.1));
    let good =
        directory.write("good.toml", &format!("[secrets]\nsealing_key_file = {key:?}\n[log]\nformat = \"json\"\n"));
    let wrong = directory.write("wrong.toml", "[log]\nformat = \"xml\"\n");
    let unknown = directory.write("unknown.toml", "[log]\ncolour = \"red\"\n");
    assert_eq!(run(&["--config", &good, "config", "check"], &[]), ExitCode::SUCCESS);
    assert_eq!(run(&["--config", &wrong, "config", "check"], &[SEALING_KEY]), ExitCode::FAILURE);
    let overridden = [SEALING_KEY, ("CHANCERY_LOG_FORMAT", "text")];
    assert_eq!(run(&["--config", &wrong, "config", "check"], &overridden), ExitCode::SUCCESS);
    assert_eq!(run(&["--config", &unknown, "config", "check"], &[SEALING_KEY]), ExitCode::FAILURE);
    assert_eq!(run(&["--config", "/nonexistent.toml", "config", "check"], &[SEALING_KEY]), ExitCode::FAILURE);
    let missing = [("CHANCERY_SECRETS_SEALING_KEY_FILE", "/nonexistent")];
    assert_eq!(run(&["config", "check"], &missing), ExitCode::FAILURE);
}

#[test]
fn the_descriptions_are_written_to_files() {
    let directory = Directory::new();
    let target = directory.0.join("new").join("openapi");
    assert_eq!(run(&["openapi", &target.display().to_string()], &[]), ExitCode::SUCCESS);
    for name in ["management.json", "wallet.json"] {
        let written = std::fs::read(target.join(name)).expect("the file");
        let committed = std::fs::read(format!("{}/../openapi/{name}", env!("CARGO_MANIFEST_DIR"))).expect("the file");
        assert_eq!(String::from_utf8(written), String::from_utf8(committed), "{name}");
    }
}

#[test]
fn wrong_usage_is_told_apart_from_failure() {
    for arguments in [&["serv"][..], &["serve", "--api", "both"], &["config"], &[]] {
        assert_eq!(run(arguments, &[]), ExitCode::from(2), "{arguments:?}");
    }
    assert_eq!(run(&["--help"], &[]), ExitCode::SUCCESS);
    assert_eq!(run(&["--version"], &[]), ExitCode::SUCCESS);
    assert_eq!(run(&["config", "show"], &[]), ExitCode::SUCCESS);
}
