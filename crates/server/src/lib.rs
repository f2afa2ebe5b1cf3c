//! The process: configuration, wiring, listeners, and the subcommands of the one executable `chancery`.

pub mod cli;
pub mod config;
mod demo;
mod health;
mod listener;
mod openapi;
mod reference;
mod server;
mod telemetry;
mod workers;

pub use config::{Api, ConfigError, Environment, ReplayStore, Settings};
pub use server::{Server, open_context};
