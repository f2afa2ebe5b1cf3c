//! Wiring: one context, up to two faces, each on its own listener.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use chancery_issuance::Context;
use chancery_model::Env;
use chancery_storage::{Replay, Store};

use crate::config::{ReplayStore, Settings};
use crate::listener::Listener;
use crate::{health, reference};

/// A running process: the faces of its [`Settings::api`].
#[derive(Debug)]
pub struct Server {
    wallet: Option<Listener>,
    management: Option<Listener>,
    grace: Duration,
}

impl Server {
    /// Opens the database and the replay store, and starts listening. The schema must be current: see
    /// `chancery migrate`.
    pub async fn start(settings: Settings, env: Env) -> anyhow::Result<Self> {
        let context = open_context(&settings, env).await?;
        anyhow::ensure!(
            context.store().schema_is_current().await?,
            "the database schema is not current; run `chancery migrate` first"
        );
        Self::start_with(settings, context).await
    }

    /// Starts listening on behalf of a context that is already open.
    pub async fn start_with(settings: Settings, context: Context) -> anyhow::Result<Self> {
        let mut server =
            Self { wallet: None, management: None, grace: Duration::from_secs(u64::from(settings.shutdown_grace)) };
        if settings.api.wallet() {
            let router = chancery_wallet_api::router(context.clone()).merge(health::router(context.clone()));
            server.wallet = Some(listen("server.wallet_listen", settings.wallet_listen, router).await?);
        }
        if settings.api.management() {
            let router = chancery_management_api::router(context.clone()).merge(reference::router());
            let router = router.merge(health::router(context));
            server.management = Some(listen("server.management_listen", settings.management_listen, router).await?);
        }
        Ok(server)
    }

    /// Address of the wallet face, when this process serves it.
    pub fn wallet_address(&self) -> Option<SocketAddr> {
        self.wallet.as_ref().map(Listener::address)
    }

    /// Address of the management face, when this process serves it.
    pub fn management_address(&self) -> Option<SocketAddr> {
        self.management.as_ref().map(Listener::address)
    }

    /// Stops accepting, lets running requests finish within the grace period, then closes what is left.
    pub async fn stop(self) {
        let Self { wallet, management, grace } = self;
        let drain = |listener: Option<Listener>| async move {
            if let Some(listener) = listener {
                listener.drain(grace).await;
            }
        };
        tokio::join!(drain(wallet), drain(management));
    }
}

/// Opens what the settings name, without listening: for subcommands that act on the database directly.
pub async fn open_context(settings: &Settings, env: Env) -> anyhow::Result<Context> {
    let store = Store::connect(&settings.database_url, settings.max_connections)
        .await
        .context("database.url: the database cannot be opened")?;
    let replay = match &settings.replay {
        ReplayStore::InProcess { capacity } => Replay::in_process(*capacity),
        ReplayStore::Redis { url } => Replay::redis(url).await.context("redis.url: Redis cannot be reached")?,
    };
    let deployment = chancery_issuance::Settings {
        public_url: settings.public_url.clone(),
        platform_key: settings.platform_key,
        outbound: settings.outbound,
    };
    Ok(Context::new(env, store, replay, deployment, settings.sealing_key.clone()))
}

async fn listen(key: &str, address: SocketAddr, router: axum::Router) -> anyhow::Result<Listener> {
    Listener::start(address, router).await.with_context(|| format!("{key}: cannot listen on {address}"))
}
