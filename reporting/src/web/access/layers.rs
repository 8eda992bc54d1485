//! What stands before the handlers: the check of Host and Origin before all of them, the token before most.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::auth::{AccessDenied, Peer, bearer};
use super::places::Conduct;
use crate::coordinator::ConnectionFault;
use crate::web::error::WebError;
use crate::web::state::WebState;

/// Before every handler: the request does not come from another site.
pub(in crate::web) async fn check_same_origin(
    State(state): State<WebState>,
    request: Request,
    next: Next,
) -> Response {
    match state
        .same_origin
        .check(request.method(), request.uri(), request.headers())
    {
        Ok(()) => next.run(request).await,
        Err(error) => WebError::from(error).into_response(),
    }
}

/// Before pages and API: a Bearer token or a session. People without either are asked for the token.
pub(in crate::web) async fn require_access(
    State(state): State<WebState>,
    request: Request,
    next: Next,
) -> Response {
    let access = &state.access;
    if bearer(request.headers()).is_some() {
        return match access
            .check_bearer(request.headers(), Peer::of(request.extensions()))
            .await
        {
            Ok(()) => run_proved(request, next).await,
            Err(denied) => WebError::from(denied).into_response(),
        };
    }
    if access.is_open() || access.has_session(request.headers(), Peer::of(request.extensions())) {
        return run_proved(request, next).await;
    }
    let uri = request.uri();
    if uri.path().starts_with("/api/") {
        return WebError::from(AccessDenied::Missing).into_response();
    }
    // What a form has posted is lost by the detour, so that one leads to the front page.
    let next_page = match *request.method() {
        Method::GET => uri.path_and_query().map_or("/", |path| path.as_str()),
        _ => "/",
    };
    Redirect::to(&login_url(next_page)).into_response()
}

/// Whoever sent the request may be here, so the connection is not closed for others while it is answered.
async fn run_proved(request: Request, next: Next) -> Response {
    if let Some(conduct) = request.extensions().get::<Arc<Conduct>>() {
        conduct.prove();
    }
    next.run(request).await
}

/// Before the agents' socket: the Bearer token; a browser's session will not do.
pub(in crate::web) async fn require_bearer(
    State(state): State<WebState>,
    request: Request,
    next: Next,
) -> Response {
    match state
        .access
        .check_bearer(request.headers(), Peer::of(request.extensions()))
        .await
    {
        Ok(()) => run_proved(request, next).await,
        Err(denied) => {
            state.coordinator.connection_faults().count(
                ConnectionFault::Unauthenticated,
                "a new agent",
                denied,
            );
            WebError::from(denied).into_response()
        }
    }
}

/// Address of the page that asks for the token and then leads to `next`.
fn login_url(next: &str) -> String {
    format!(
        "/login?next={}",
        utf8_percent_encode(next, NON_ALPHANUMERIC)
    )
}
