//! Coverage-guided fuzzing of every parser that sees what a wallet sends. `make fuzz` runs it.
//!
//! One executable holds all targets; `CHANCERY_FUZZ_TARGET` names the one that runs, `list` prints their names, and
//! `planted` is a mistake of our own, which shows whether the fuzzer finds any. A finding is a panic, an overflow, a
//! broken property, an input that takes seconds, or one that takes the memory.

#![no_main]

mod http;
mod signed;
mod targets;

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;

use crate::targets::{PLANTED, TARGETS, Target};

static TARGET: OnceLock<Target> = OnceLock::new();

fuzz_target!(init: choose(), |data: &[u8]| {
    if let Some(target) = TARGET.get() {
        target(data);
    }
});

fn choose() {
    let name = std::env::var("CHANCERY_FUZZ_TARGET").unwrap_or_default();
    match TARGETS.iter().chain([&PLANTED]).find(|(known, _)| *known == name) {
        Some((_, target)) => {
            TARGET.get_or_init(|| *target);
        }
        None => {
            for (known, _) in TARGETS {
                println!("{known}");
            }
            std::process::exit(if name == "list" { 0 } else { 64 });
        }
    }
}
