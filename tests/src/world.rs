//! A real server for one test, with a clock that the test turns and wires that the test can cut.

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chancery_model::{Env, Timestamp};
use chancery_server::{Environment, Server, Settings, cli, open_context};
use url::Url;

use crate::database::{Backend, Database, redis_url};
use crate::http::Http;
use crate::key::random;
use crate::log;
use crate::platform::{Operator, Platform};
use crate::proxy::Proxy;
use crate::wallet::Wallet;

/// A running server and everything around it. Both faces are reached through a proxy whose address stays the same when
/// the server is started again.
#[derive(Debug)]
pub struct World {
    /// Which backends it runs on.
    pub backend: Backend,
    /// Its clock and its dice.
    pub env: Env,
    /// Its database, open to inspection.
    pub database: Database,
    /// In front of the wallet face; its address is the public URL.
    pub wallet_front: Proxy,
    /// In front of the management face.
    pub management_front: Proxy,
    /// On the way to PostgreSQL.
    postgres: Option<Proxy>,
    /// On the way to Redis.
    redis: Option<Proxy>,
    platform_key: String,
    environment: Environment,
    http: Http,
    server: Mutex<Option<Server>>,
}

/// What a test may ask of its world.
#[derive(Clone, Debug)]
pub struct Options {
    /// What the clock shows at first; `None` for the clock of the machine, which outside judges read too.
    pub now: Option<Timestamp>,
    /// Settings by environment variable, over those of the world.
    pub environment: Environment,
    /// `c_nonce` values of recorded traffic that the server is to recognise.
    pub recorded_nonces: Vec<String>,
}

impl Default for Options {
    /// 2026-01-15T12:00:00Z and nothing out of the ordinary.
    fn default() -> Self {
        Self {
            now: Some(Timestamp::from_seconds(1_768_478_400)),
            environment: Environment::new(),
            recorded_nonces: Vec::new(),
        }
    }
}

impl World {
    /// Runs a behaviour in a world of its own, which ends with it.
    pub async fn run(backend: Backend, behaviour: impl AsyncFnOnce(&Self)) {
        Self::run_with(backend, Options::default(), behaviour).await;
    }

    /// Runs a behaviour in a world of its own with these options.
    pub async fn run_with(backend: Backend, options: Options, behaviour: impl AsyncFnOnce(&Self)) {
        let world = Self::start_with(backend, options).await;
        behaviour(&world).await;
        world.stop().await;
    }

    /// A new world. [`World::stop`] ends it.
    pub async fn start(backend: Backend) -> Self {
        Self::start_with(backend, Options::default()).await
    }

    /// A new world with these options. [`World::stop`] ends it.
    pub async fn start_with(backend: Backend, options: Options) -> Self {
        log::keep();
        let platform_key = random(32);
        let wallet_front = Proxy::listen().await;
        let mut environment = Environment::from_iter(
            [
                ("CHANCERY_SERVER_PUBLIC_URL", format!("http://{}", wallet_front.address())),
                ("CHANCERY_SERVER_WALLET_LISTEN", "127.0.0.1:0".to_owned()),
                ("CHANCERY_SERVER_MANAGEMENT_LISTEN", "127.0.0.1:0".to_owned()),
                ("CHANCERY_SERVER_SHUTDOWN_GRACE", "5".to_owned()),
                ("CHANCERY_SERVER_WORKERS", "off".to_owned()),
                ("CHANCERY_OUTBOUND_ADDRESSES", "any".to_owned()),
                ("CHANCERY_SECRETS_SEALING_KEY", STANDARD.encode(random_key())),
                ("CHANCERY_SECRETS_PLATFORM_KEY", platform_key.clone()),
                // The clock stands still, so a spent budget would never refill.
                ("CHANCERY_LIMITS_ORGANISATION", "0".to_owned()),
                ("CHANCERY_LIMITS_CLIENT", "0".to_owned()),
                ("CHANCERY_LIMITS_OFFER", "0".to_owned()),
                ("CHANCERY_LIMITS_ADDRESS", "0".to_owned()),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        let database = Database::create(backend, async |url| migrate(&environment, url).await).await;
        let (postgres, redis) = match backend {
            Backend::Embedded => (None, None),
            Backend::Networked => (Some(proxy_to(database.url()).await), Some(proxy_to(&redis_url()).await)),
        };
        environment.insert("CHANCERY_DATABASE_URL".to_owned(), through(database.url(), postgres.as_ref()));
        if redis.is_some() {
            environment.insert("CHANCERY_REDIS_URL".to_owned(), through(&redis_url(), redis.as_ref()));
        }
        environment.extend(options.environment);

        let world = Self {
            backend,
            env: options.now.map_or_else(Env::system, Env::manual).with_recorded_nonces(options.recorded_nonces),
            database,
            http: Http::new(wallet_front.address()),
            wallet_front,
            management_front: Proxy::listen().await,
            postgres,
            redis,
            platform_key,
            environment,
            server: Mutex::new(None),
        };
        world.begin().await;
        world
    }

    /// Stops the server and removes the database.
    pub async fn stop(self) {
        self.end().await;
        self.database.remove().await;
    }

    /// Stops the server and starts it again on the same data, at the same addresses.
    pub async fn restart(&self) {
        self.end().await;
        self.begin().await;
    }

    /// One more server on the same data, beside the first. `world.wallet_front.point_to(its wallet_address())` sends
    /// wallets there. The caller stops it.
    pub async fn another_server(&self) -> Server {
        Server::start(self.settings(), self.env.clone()).await.expect("another server")
    }

    /// Settings of the server of this world.
    pub fn settings(&self) -> Settings {
        Settings::load(None, &self.environment).expect("usable settings")
    }

    /// Calls the command line as `main` does, on the settings of this world: whether it succeeded.
    pub async fn command(&self, arguments: &[&str]) -> bool {
        let arguments: Vec<OsString> = ["chancery"].iter().chain(arguments).map(OsString::from).collect();
        let environment = self.environment.clone();
        // It brings a runtime of its own.
        let code = tokio::task::spawn_blocking(move || cli::run(arguments, environment)).await.expect("an exit code");
        code == ExitCode::SUCCESS
    }

    /// Base URL of the wallet face, without a trailing slash.
    pub fn public_url(&self) -> String {
        format!("http://{}", self.wallet_front.address())
    }

    /// Base URL of the management face, without a trailing slash.
    pub fn management_url(&self) -> String {
        format!("http://{}", self.management_front.address())
    }

    /// Sends HTTP requests.
    pub fn http(&self) -> &Http {
        &self.http
    }

    /// The platform key.
    pub fn platform_key(&self) -> &str {
        &self.platform_key
    }

    /// The holder of the platform key.
    pub fn platform(&self) -> Platform {
        Platform::new(self.http.clone(), self.management_url(), self.platform_key.clone())
    }

    /// An administrator of a new organisation that has a signing key and no definitions.
    pub async fn organisation(&self) -> Operator {
        self.platform().new_organisation().await
    }

    /// A wallet with fresh keys.
    pub fn wallet(&self) -> Wallet {
        Wallet::new(self.http.clone(), self.env.clone())
    }

    /// Turns the clock forward.
    pub fn advance(&self, span: Duration) {
        self.env.set_clock(self.env.now().plus(span));
    }

    /// Has the server do all background work that is due by the clock of this world, and what that makes due.
    ///
    /// # Panics
    /// When the database does not answer.
    pub async fn work(&self) {
        self.try_work().await.expect("background work");
    }

    /// The same where the database may be away.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn try_work(&self) -> Result<(), String> {
        // Not while the lock is held: the server is put back afterwards.
        let server = self.server.lock().expect("the lock").take().expect("a running server");
        let outcome = server.work().await;
        *self.server.lock().expect("the lock") = Some(server);
        outcome.map_err(|error| format!("{error:#}"))
    }

    /// The wire to PostgreSQL.
    ///
    /// # Panics
    /// On the embedded backend, which has none.
    pub fn postgres(&self) -> &Proxy {
        self.postgres.as_ref().expect("a wire to PostgreSQL: Backend::Networked")
    }

    /// The wire to Redis.
    ///
    /// # Panics
    /// On the embedded backend, which has none.
    pub fn redis(&self) -> &Proxy {
        self.redis.as_ref().expect("a wire to Redis: Backend::Networked")
    }

    /// Whether a secret shows up where it must not: stored in clear, or in a log of this process.
    pub async fn gives_away(&self, secret: &str) -> bool {
        log::mentions(secret) || self.database.holds(secret).await
    }

    async fn begin(&self) {
        let server = Server::start(self.settings(), self.env.clone()).await.expect("the server starts");
        self.wallet_front.point_to(server.wallet_address().expect("a wallet face"));
        self.management_front.point_to(server.management_address().expect("a management face"));
        *self.server.lock().expect("the lock") = Some(server);
    }

    async fn end(&self) {
        let server = self.server.lock().expect("the lock").take();
        // Idle connections through the fronts would be waited for.
        self.wallet_front.cut_once();
        self.management_front.cut_once();
        if let Some(server) = server {
            server.stop().await;
        }
    }
}

async fn migrate(environment: &Environment, database_url: &str) {
    let mut environment = environment.clone();
    environment.insert("CHANCERY_DATABASE_URL".to_owned(), database_url.to_owned());
    environment.insert("CHANCERY_REPLAY_STORE".to_owned(), "in-process".to_owned());
    let settings = Settings::load(None, &environment).expect("usable settings");
    let context = open_context(&settings, Env::system()).await.expect("an open database");
    context.store().migrate().await.expect("a current schema");
}

/// A proxy to the host and port of a URL.
async fn proxy_to(url: &str) -> Proxy {
    let url = Url::parse(url).expect("a URL");
    let addresses = url.socket_addrs(|| None).expect("an address");
    Proxy::to(addresses[0]).await
}

/// The URL with the proxy in place of its host and port.
fn through(url: &str, proxy: Option<&Proxy>) -> String {
    let Some(proxy) = proxy else { return url.to_owned() };
    let mut url = Url::parse(url).expect("a URL");
    url.set_host(Some("127.0.0.1")).expect("a URL with a host");
    url.set_port(Some(proxy.address().port())).expect("a URL with a port");
    url.into()
}

fn random_key() -> [u8; 32] {
    let mut key = [0; 32];
    aws_lc_rs::rand::fill(&mut key).expect("random bytes");
    key
}
