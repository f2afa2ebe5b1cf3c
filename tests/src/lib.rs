//! Testkit for the black-box tests: a real server per test, and people who use it.
//!
//! The tests live in `tests/tests/*.rs` of this package. They see the product as wallets and organisations do: over
//! HTTP, in hand-written JSON and JWTs. They never use the crates that hold the product's rules.
//!
//! # Running
//!
//! `make test` runs everything. `tests/scripts/with-backends cargo test -p chancery-tests some_name` runs some, against a
//! PostgreSQL and a Redis of its own. Without them a test that needs one fails and says so; it is never skipped.
//!
//! # A test
//!
//! ```no_run
//! # fn main() {}
//! use chancery_tests::{World, on_every_backend, samples};
//!
//! on_every_backend! {
//!     /// OFR-6: a pre-authorized code is single-use (OpenID4VCI §4.1.1).
//!     async fn a_code_is_redeemed_once(world: &World) {
//!         let operator = world.organisation().await;
//!         let definition = operator.define(&samples::staff_badge()).await;
//!         let offer = operator.offer(&definition, &samples::staff_claims()).await;
//!
//!         let wallet = world.wallet();
//!         let opened = wallet.open(&offer.link).await;
//!         wallet.redeem(&opened).await;
//!         let other = world.wallet();
//!         other.send(other.token_call(&opened)).await.refused(400, "invalid_grant");
//!         assert_eq!(operator.status(&offer.id).await, "token_issued");
//!     }
//! }
//! ```
//!
//! [`on_every_backend!`] makes a module of that name with one test per [`Backend`]. Each test has a [`World`]: a server
//! on free ports, an empty database, a clock at 2026-01-15T12:00:00Z that only [`World::advance`] moves. Organisations
//! are made as needed, so tests share nothing and run side by side.
//!
//! # People
//!
//! - [`Platform`] (`world.platform()`) creates organisations.
//! - [`Operator`] (`world.organisation().await`) is an administrator of a new organisation: `define`, `offer`,
//!   `history`, `transcript`, and `get`/`post`/`put`/`delete` for anything else. `with_role("auditor")` is a colleague.
//! - [`Wallet`] (`world.wallet()`) is a wallet: `accept(&offer.link)` goes all the way; `open`, `redeem`, `nonce`,
//!   `collect` are the steps. Its fields say which keys it uses, whether it uses DPoP, and its `client_id`.
//!
//! - [`Browser`] goes where a page sends the person, fills forms and keeps cookies, up to the wallet's redirect URI.
//! - [`IdentityProvider`] is where they sign in, and misbehaves when told to; [`OutsideProvider`] is one that others wrote.
//!
//! # Breaking things
//!
//! A wallet's step is a [`Call`] before it is sent: `token_call`, `credential_call`. Everything in a call can be changed,
//! and everything in the JWTs inside it, which are [`Jwt`]s until they are sent:
//!
//! ```no_run
//! # async fn example(wallet: chancery_tests::Wallet, token: chancery_tests::Token) {
//! use chancery_tests::Damage;
//!
//! let nonce = wallet.nonce(&token.opened).await;
//! let call = wallet
//!     .credential_call(&token, &nonce)
//!     .with_proof(|proof| proof.with_claim("aud", "https://elsewhere.example"))
//!     .with_dpop(|dpop| dpop.with_damage(Damage::Signature));
//! wallet.send(call).await.refused(401, "invalid_dpop_proof");
//! # }
//! ```
//!
//! [`Answer::refused`] and [`Answer::problem`] assert the error envelopes of the two faces, [`Answer::ok`] a 200.
//!
//! The wires can be cut: `world.postgres()` and `world.redis()` are [`Proxy`]s (on [`Backend::Networked`] only) with
//! `cut`, `cut_at(b"COMMIT", Place::Before)` and `restore`. `world.database.census()` counts all rows, to show that
//! nothing half-written stayed; `world.gives_away(secret)` looks for a text in the database and in the logs.
//! `world.restart()` starts the server again on its data, `world.another_server()` one more beside it.
//!
//! A [`Rewriter`] stands in front of a face like a bad reverse proxy and changes answers on their way to a wallet.
//!
//! An [`Impostor`] has taken the place of a server that ours calls over TLS.
//!
//! A [`Stream`] reads server-sent events as a browser does.
//!
//! # Background work
//!
//! Servers of a world have no workers of their own: `world.work()` does everything that is due by the world's clock, such
//! as sending webhooks, and returns when it is done. `world.advance(…)` and `world.work()` again for what comes later.
//! [`Receiver`] is somebody who receives webhooks, or a wallet that takes offers; [`MailServer`] takes mail.
//!
//! # Public URLs
//!
//! The default issuer identifiers begin with `world.public_url()`, an address on the loopback interface that keeps
//! through restarts. An organisation may have any other identifier: requests to a URL that is not on the loopback
//! interface reach the wallet face with the `Host` and path of that URL, as behind a proxy that terminates TLS.

mod browser;
mod call;
pub mod certificates;
pub mod database;
pub mod http;
pub mod identity_provider;
mod impostor;
pub mod jwe;
pub mod jwt;
pub mod key;
pub mod log;
mod mail_server;
mod outside_provider;
pub mod platform;
mod proxy;
pub mod receiver;
mod rewriter;
pub mod samples;
pub mod sd_jwt;
mod stream;
pub mod wallet;
mod world;

pub use browser::Browser;
pub use call::{Body, Call, form};
pub use chancery_model::{Env, Timestamp};
pub use chancery_server::{Environment, Server, Settings};
pub use database::{Backend, Database};
pub use http::{Answer, Http, split_support_code};
pub use identity_provider::{Fault, IdentityProvider};
pub use impostor::Impostor;
pub use jwt::{Damage, Jwt};
pub use key::Key;
pub use mail_server::{MailReceived, MailServer};
pub use outside_provider::OutsideProvider;
pub use platform::{Offer, Operator, Platform};
pub use proxy::{Place, Proxy};
pub use receiver::Receiver;
pub use rewriter::{Rewriter, Rewritten};
pub use stream::{Block, Stream};
pub use wallet::{Opened, Provider, Received, Token, Wallet};
pub use world::{Options, World};

/// Makes each behaviour two tests, one per [`Backend`], in a module of its name.
///
/// A behaviour that takes `world: &World` is handed a new world; one that takes `backend: Backend` makes its own, for
/// example with [`World::run_with`].
#[macro_export]
macro_rules! on_every_backend {
    ($($(#[$doc:meta])* async fn $name:ident($argument:ident: $($kind:tt)+) $body:block)+) => {$(
        $crate::on_every_backend!(@one [$(#[$doc])*] $name, $argument, ($($kind)+), $body);
    )+};
    (@one [$($doc:tt)*] $name:ident, $world:ident, (&World), $body:block) => {
        $($doc)*
        mod $name {
            use super::*;

            async fn behaviour($world: &$crate::World) $body

            $crate::on_every_backend!(@tests backend, $crate::World::run(backend, behaviour));
        }
    };
    (@one [$($doc:tt)*] $name:ident, $backend:ident, (Backend), $body:block) => {
        $($doc)*
        mod $name {
            use super::*;

            async fn behaviour($backend: $crate::Backend) $body

            $crate::on_every_backend!(@tests backend, behaviour(backend));
        }
    };
    (@tests $backend:ident, $run:expr) => {
        #[test]
        fn on_sqlite() {
            let $backend = $crate::Backend::Embedded;
            $crate::block_on($run);
        }

        #[test]
        fn on_postgresql_and_redis() {
            let $backend = $crate::Backend::Networked;
            $crate::block_on($run);
        }
    };
}

/// Runs a test to its end, with two worker threads so that races are races.
///
/// # Panics
/// When the runtime does not start.
pub fn block_on(test: impl Future<Output = ()>) {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().expect("a runtime").block_on(test);
}
