//! Wiring: one context, up to two faces, each on its own listener.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use chancery_issuance::Context;
use chancery_model::Env;
use chancery_storage::{Replay, SharedBudgets, Store};

use crate::config::{ReplayStore, Settings};
use crate::listener::Listener;
use crate::workers::{self, Workers};
use crate::{health, reference};

/// A running process: the faces of its [`Settings::api`].
pub struct Server {
    wallet: Option<Listener>,
    management: Option<Listener>,
    workers: Option<Workers>,
    context: Context,
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
        let mut server = Self {
            wallet: None,
            management: None,
            workers: None,
            context: context.clone(),
            grace: Duration::from_secs(u64::from(settings.shutdown_grace)),
        };
        if settings.api.wallet() {
            let router = chancery_wallet_api::router(context.clone(), settings.trusted_proxies)
                .merge(health::router(context.clone()));
            server.wallet = Some(listen("server.wallet_listen", settings.wallet_listen, router).await?);
        }
        if settings.api.management() {
            let router =
                chancery_management_api::router(context.clone(), settings.trusted_proxies).merge(reference::router());
            let router = router.merge(health::router(context.clone()));
            server.management = Some(listen("server.management_listen", settings.management_listen, router).await?);
        }
        if settings.workers {
            server.workers = Some(Workers::start(&context));
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

    /// Does all background work that is due now, and what that makes due, whether or not this process has workers.
    /// Tests turn the clock and call this instead of waiting.
    ///
    /// # Errors
    /// Those of the database; what was begun is due again when its lease ends.
    pub async fn work(&self) -> anyhow::Result<()> {
        workers::work_off(&self.context).await
    }

    /// Stops accepting, lets running requests and background work finish within the grace period, then closes what is
    /// left. Streams of events end at once.
    pub async fn stop(self) {
        let Self { wallet, management, workers, context, grace } = self;
        context.stop();
        let drain = |listener: Option<Listener>| async move {
            if let Some(listener) = listener {
                listener.drain(grace).await;
            }
        };
        let rest = async {
            if let Some(workers) = workers {
                workers.stop(grace).await;
            }
        };
        tokio::join!(drain(wallet), drain(management), rest);
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("wallet", &self.wallet).field("management", &self.management).finish()
    }
}

/// Opens what the settings name, without listening: for subcommands that act on the database directly.
pub async fn open_context(settings: &Settings, env: Env) -> anyhow::Result<Context> {
    let store = Store::connect(&settings.database_url, settings.max_connections)
        .await
        .context("database.url: the database cannot be opened")?;
    let (replay, shared_budgets) = match &settings.replay {
        ReplayStore::InProcess { capacity } => (Replay::in_process(*capacity), None),
        ReplayStore::Redis { url } => {
            let replay = Replay::redis(url).await.context("redis.url: Redis cannot be reached")?;
            let budgets = SharedBudgets::connect(url).await.context("redis.url: Redis cannot be reached")?;
            (replay, Some(budgets))
        }
    };
    let deployment = chancery_issuance::Settings {
        public_url: settings.public_url.clone(),
        platform_key: settings.platform_key,
        outbound: settings.outbound,
        smtp: settings.smtp.clone(),
        rate_limits: settings.rate_limits,
        shared_budgets,
    };
    Ok(Context::new(env, store, replay, deployment, settings.sealing_key.clone()))
}

async fn listen(key: &str, address: SocketAddr, router: axum::Router) -> anyhow::Result<Listener> {
    Listener::start(address, router).await.with_context(|| format!("{key}: cannot listen on {address}"))
}
