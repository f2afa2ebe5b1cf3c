//! The browsable API reference at `/docs`, and one page per problem type, all from embedded assets.

use axum::Router;
use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use rust_embed::RustEmbed;
use utoipa_swagger_ui::{Config, SwaggerUi, Url};

use crate::openapi;

#[derive(RustEmbed)]
#[folder = "../../docs/problems"]
struct ProblemPages;

/// Routes of the reference.
pub(crate) fn router() -> Router {
    let [management, wallet] = openapi::documents();
    let config = Config::default().display_request_duration(true).doc_expansion("list").try_it_out_enabled(false);
    let reference = SwaggerUi::new("/docs")
        .config(config)
        .url(Url::with_primary("Management API", "/openapi/management.json", true), management.1)
        .url(Url::new("Wallet API", "/openapi/wallet.json"), wallet.1);
    Router::new()
        .merge(reference)
        .route("/", get(|| async { Redirect::temporary("/docs/") }))
        .route("/docs/problems/{slug}", get(problem_page))
}

async fn problem_page(Path(slug): Path<String>) -> Response {
    let Some(page) = ProblemPages::get(&format!("{slug}.md")) else {
        return (StatusCode::NOT_FOUND, Html(document("No such problem", "<h1>No such problem</h1>"))).into_response();
    };
    let markdown = String::from_utf8_lossy(&page.data);
    let mut body = String::with_capacity(markdown.len() * 2);
    pulldown_cmark::html::push_html(&mut body, pulldown_cmark::Parser::new(&markdown));
    ([(header::CACHE_CONTROL, "public, max-age=3600")], Html(document(&slug, &body))).into_response()
}

fn document(title: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title} – Chancery</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <style>body{{font:1rem/1.6 system-ui,sans-serif;max-width:44rem;margin:3rem auto;padding:0 1rem;color:#1b1f24}}\
         code,pre{{background:#f3f4f6;border-radius:4px;padding:.1em .3em}}pre{{padding:1em;overflow:auto}}\
         h1{{font-size:1.6rem}}a{{color:#0b57d0}}</style></head><body>{body}<p><a href=\"/docs/\">API reference</a></p>\
         </body></html>"
    )
}
