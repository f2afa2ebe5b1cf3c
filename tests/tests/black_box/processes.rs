//! Several processes on the same data, restarts, and what happens to requests that run when one stops.

use chancery_tests::{Answer, Backend, Server, World, block_on, on_every_backend, samples};
use serde_json::{Value, json};

mod data;
mod faults;
mod quotas;
mod rate_limits;
mod repeated;
mod sealing_key;
mod several;
mod shutdown;
mod start;
mod watch;

/// Runs a behaviour on PostgreSQL and Redis, which several processes can share.
fn networked(behaviour: impl AsyncFnOnce(&World)) {
    block_on(World::run(Backend::Networked, behaviour));
}

/// Sends everybody to this server from now on.
fn point_to(world: &World, server: &Server) {
    if let Some(address) = server.wallet_address() {
        world.wallet_front.point_to(address);
        world.wallet_front.cut_once();
    }
    if let Some(address) = server.management_address() {
        world.management_front.point_to(address);
        world.management_front.cut_once();
    }
}
