//! Every URL of the server, and what a request passes on its way to a handler.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::HttpBody;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, Uri, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{delete, get, post};
use futures_util::StreamExt;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use tokio_util::sync::CancellationToken;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};

use super::access::auth::Access;
use super::access::layers::{check_same_origin, require_access, require_agent};
use super::access::public_address::BasePath;
use super::access::same_origin::SameOrigin;
use super::access::security_headers::add_security_headers;
use super::api::PROGRAM;
use super::error::WebError;
use super::live::events;
use super::render_errors::{MAX_BODY_BYTES, render_errors};
use super::server::WebConfig;
use super::state::WebState;
use super::{api, assets, pages};
use crate::coordinator::Coordinator;

/// Most bytes of a larger body that are read only to be thrown away.
const MAX_DISCARDED_BYTES: usize = 32 * 1024 * 1024;
/// Least bytes of an answer that are worth compressing.
const MIN_COMPRESSED_BYTES: u16 = 256;
/// Time in which a request's body must have come and its answer begun.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Everything the server answers at this address, to be run in process by tests; [`super::serve`] puts it
/// on a socket. `agents` is the agents' WebSocket; the token is checked before it.
pub fn router(
    coordinator: Coordinator,
    agents: Router,
    config: WebConfig,
    listen: SocketAddr,
    shutdown: CancellationToken,
) -> Router {
    let WebConfig {
        // What carries the requests is not its business.
        tls: _,
        trusted_proxies: _,
        token,
        public,
        accept_uploads,
        start_form,
        trace_url,
    } = config;
    let same_origin = SameOrigin::new(listen, token.is_some(), public.url().cloned());
    let base = public.base_path().clone();
    let tokens = coordinator.tokens().clone();
    let access = Access::new(token, tokens, listen.port(), &base);
    let state = WebState::new(
        coordinator,
        access,
        same_origin,
        start_form,
        public,
        accept_uploads,
        shutdown,
    );
    let state = WebState {
        trace_url: trace_url.map(Arc::new),
        ..state
    };

    let api = Router::new()
        .route("/api/v1/openapi.json", get(api::openapi_document))
        .route("/api/v1/runs", get(api::list_runs).post(api::start_run))
        .route("/api/v1/runs/{id}", get(api::run).delete(api::delete_run))
        .route("/api/v1/runs/{id}/view", get(api::view))
        .route("/api/v1/runs/{id}/stop", post(api::stop_run))
        .route("/api/v1/runs/{id}/users", post(api::change_users))
        .route(
            "/api/v1/runs/{id}/notes",
            get(api::notes).patch(api::change_notes),
        )
        .route("/api/v1/runs/{id}/marks", post(api::add_mark))
        .route("/api/v1/runs/{id}/marks/{number}", delete(api::delete_mark))
        .route("/api/v1/runs/{id}/summary", get(api::summary))
        .route("/api/v1/runs/{id}/junit.xml", get(api::junit_file))
        .route("/api/v1/runs/{id}/summary.md", get(api::markdown_summary))
        .route("/api/v1/runs/{id}/samples", get(api::samples))
        .route("/api/v1/runs/{id}/errors/samples", get(api::error_samples))
        .route("/api/v1/runs/{id}/completeness", get(api::completeness))
        .route("/api/v1/runs/{id}/workers", get(api::workers))
        .route("/api/v1/runs/{id}/progress", get(api::progress))
        .route("/api/v1/runs/{id}/csv/{file}", get(api::csv_file))
        .route("/api/v1/runs/{id}/hlog", get(api::hlog))
        .route("/api/v1/runs/{id}/bundle", get(api::bundle))
        .route("/api/v1/runs/import", post(api::import_run))
        .route("/api/v1/runs/{id}/charts/{chart}", get(api::chart))
        .route("/api/v1/runs/{id}/distribution", get(api::distribution))
        .route("/api/v1/runs/{id}/tables", get(api::tables))
        .route("/api/v1/runs/{id}/report.html", get(api::report))
        .route("/api/v1/runs/{id}/log", get(api::log))
        .route("/api/v1/runs/{id}/log/lines", get(api::log_lines))
        .route("/api/v1/runs/{id}/events", get(events::run_events))
        .route(
            "/api/v1/builds",
            get(api::list_builds).post(api::announce_build),
        )
        .route(
            "/api/v1/builds/{sha256}",
            get(api::download_build)
                .put(api::upload_piece)
                .delete(api::delete_build),
        )
        .route(
            "/api/v1/tokens",
            get(api::list_tokens).post(api::create_token),
        )
        .route("/api/v1/tokens/{id}", delete(api::revoke_token))
        .route("/api/v1/compare", get(api::compare))
        .route("/metrics", get(api::metrics))
        .route("/api/v1/events", get(events::events))
        .route(
            "/api/v1/infrastructures",
            get(api::list_infrastructures).post(api::create_infrastructure),
        );
    let pages = Router::new()
        .route("/", get(pages::front_page))
        .route("/compare", get(pages::compare_page))
        // An invalid form is answered at this address, and people ask for it again.
        .route("/runs", get(to_front_page).post(pages::start_from_form))
        .route("/runs/{id}", get(pages::run_page))
        .route("/runs/{id}/stop", post(pages::stop_run_from_page))
        .route("/runs/{id}/users", post(pages::change_users_from_page))
        .route(
            "/runs/{id}/again",
            get(pages::again_page).post(pages::run_again),
        )
        .route("/runs/{id}/delete", post(pages::delete_run_from_page))
        .route("/runs/{id}/notes", post(pages::change_notes_from_page))
        .route("/runs/{id}/marks", post(pages::add_mark_from_page))
        .route(
            "/runs/{id}/marks/{number}/delete",
            post(pages::delete_mark_from_page),
        )
        .route(
            "/infrastructures",
            post(pages::create_infrastructure_from_form),
        );
    let needs_access = api
        .merge(pages)
        .route_layer(from_fn_with_state(state.clone(), require_access));
    let public = Router::new()
        .route("/healthz", get(api::alive))
        .route("/readyz", get(api::ready))
        .route("/login", get(pages::login_page).post(pages::log_in))
        .route("/logout", post(pages::log_out))
        .route("/assets/{*path}", get(assets::asset));
    let agents = agents.route_layer(from_fn_with_state(state.clone(), require_agent));

    // The last layer is the outermost.
    let everything = needs_access
        .merge(public)
        .fallback(nothing_here)
        .with_state(state.clone())
        .merge(agents)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(from_fn(refuse_large_bodies))
        .layer(from_fn(limit_time))
        // Event streams, too: what an event leaves in the encoder is flushed when there is nothing more.
        .layer(
            CompressionLayer::new().compress_when(
                SizeAbove::new(MIN_COMPRESSED_BYTES)
                    .and(NotForContentType::IMAGES)
                    // Programs, which are asked for in parts.
                    .and(NotForContentType::const_new(PROGRAM)),
            ),
        )
        .layer(from_fn_with_state(state.clone(), check_same_origin))
        .layer(from_fn_with_state(state, render_errors))
        .layer(from_fn(add_security_headers));
    if base.as_str().is_empty() {
        return everything;
    }
    below(base, everything)
}

/// The same below a path. Requests without the path are answered, too: a proxy may take it away.
fn below(base: BasePath, everything: Router) -> Router {
    let everything = TowerToHyperService::new(everything);
    Router::new().fallback(move |mut request: Request| {
        let (base, everything) = (base.clone(), everything.clone());
        async move {
            if let Some(uri) = without_base(&base, request.uri()) {
                *request.uri_mut() = uri;
            }
            // A router's error type has no values.
            let Ok(mut response) = everything.call(request).await;
            if let Some(location) = response.headers_mut().get_mut(header::LOCATION)
                && location.as_bytes().starts_with(b"/")
            {
                let path = [base.as_str().as_bytes(), location.as_bytes()].concat();
                *location = HeaderValue::from_bytes(&path)
                    .expect("a base path has only characters that a header may have");
            }
            response
        }
    })
}

fn without_base(base: &BasePath, uri: &Uri) -> Option<Uri> {
    let path = base.strip(uri.path())?;
    let target = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(target.parse().ok()?);
    Uri::from_parts(parts).ok()
}

async fn to_front_page() -> Redirect {
    Redirect::to("/")
}

async fn nothing_here(State(state): State<WebState>) -> WebError {
    WebError::NoSuchPage { base: state.base() }
}

/// A body that is announced as too large is read and thrown away before it is refused: a client that still
/// sends when the connection closes would not see the answer.
async fn refuse_large_bodies(request: Request, next: Next) -> Response {
    let announced = request.body().size_hint().lower();
    if announced <= MAX_BODY_BYTES as u64 || is_bundle(&request) {
        return next.run(request).await;
    }
    let mut left = MAX_DISCARDED_BYTES;
    let mut pieces = request.into_body().into_data_stream();
    while let Some(Ok(piece)) = pieces.next().await {
        left = left.saturating_sub(piece.len());
        if left == 0 {
            break;
        }
    }
    WebError::BodyTooLarge {
        maximum_bytes: MAX_BODY_BYTES,
    }
    .into_response()
}

/// A bundle has a limit of its own, of its size and of how long nothing may come.
fn is_bundle(request: &Request) -> bool {
    request.uri().path() == api::IMPORT_PATH
}

/// Live events begin their answer immediately and are not limited in length. How many files are made, or wait for that, has a limit of its own.
async fn limit_time(request: Request, next: Next) -> Response {
    if is_bundle(&request) || api::is_report(request.uri().path()) {
        return next.run(request).await;
    }
    match tokio::time::timeout(REQUEST_TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => WebError::Timeout {
            limit: REQUEST_TIMEOUT,
        }
        .into_response(),
    }
}
