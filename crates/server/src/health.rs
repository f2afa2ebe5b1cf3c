//! What a load balancer asks, on both faces.

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chancery_issuance::Context;

/// `GET /health/live`: the process answers. `GET /health/ready`: it can also do its work now, else 503.
pub(crate) fn router(context: Context) -> Router {
    Router::new()
        .route("/health/live", get(|| async { plain(StatusCode::OK, "live") }))
        .merge(Router::new().route("/health/ready", get(ready)).with_state(context))
}

async fn ready(State(context): State<Context>) -> Response {
    if let Err(error) = context.store().ping().await {
        tracing::warn!(%error, "not ready: the database does not answer");
        return plain(StatusCode::SERVICE_UNAVAILABLE, "the database does not answer");
    }
    let now = context.env().now();
    if let Err(error) = context.replay().claim("health", now, now).await {
        tracing::warn!(%error, "not ready: the store for claims of use does not answer");
        return plain(StatusCode::SERVICE_UNAVAILABLE, "the store for claims of use does not answer");
    }
    plain(StatusCode::OK, "ready")
}

fn plain(status: StatusCode, text: &'static str) -> Response {
    (status, [(header::CACHE_CONTROL, "no-store")], text).into_response()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use chancery_model::{Env, Timestamp};

    use crate::Server;
    use crate::config::{Environment, Settings};

    async fn answer_of(server: &Server, path: &str) -> (u16, String) {
        let address = server.wallet_address().unwrap();
        assert_eq!(address.ip(), Ipv4Addr::LOCALHOST);
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let answer = client.get(format!("http://{address}{path}")).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    #[tokio::test]
    async fn a_server_that_can_work_says_so_and_one_whose_replay_store_is_full_does_not() {
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
        let variables = [
            ("CHANCERY_DATABASE_URL", "sqlite::memory:"),
            ("CHANCERY_SECRETS_SEALING_KEY", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="),
            ("CHANCERY_SERVER_WALLET_LISTEN", "127.0.0.1:0"),
            ("CHANCERY_SERVER_MANAGEMENT_LISTEN", "127.0.0.1:0"),
            ("CHANCERY_REPLAY_CAPACITY", "1000"),
        ];
        let environment: Environment = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let settings = Settings::load(None, &environment).unwrap();
        let env = Env::manual(Timestamp::from_seconds(1_800_000_000));
        let context = crate::open_context(&settings, env.clone()).await.unwrap();
        context.store().migrate().await.unwrap();
        let server = Server::start_with(settings, context.clone()).await.unwrap();
        assert_eq!(answer_of(&server, "/health/live").await, (200, "live".to_owned()));
        assert_eq!(answer_of(&server, "/health/ready").await, (200, "ready".to_owned()));

        let now = env.now().plus_seconds(60);
        env.set_clock(now);
        for use_of in 0..1001 {
            drop(context.replay().claim(&use_of.to_string(), now.plus_seconds(600), now).await);
        }
        assert_eq!(answer_of(&server, "/health/live").await.0, 200);
        assert_eq!(answer_of(&server, "/health/ready").await.0, 503);
        server.stop().await;
    }
}
