//! What stands before the handlers: the check of Host and Origin before all of them, the token and its role before most.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::auth::{AccessDenied, Peer, bearer};
use super::identity::{Identity, may};
use super::places::Conduct;
use crate::coordinator::ConnectionFault;
use crate::tokens::Role;
use crate::web::error::WebError;
use crate::web::render_errors::is_for_programs;
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

/// Before pages and API: a Bearer token or a session, of someone who may do this. People without either are asked for the
/// token.
pub(in crate::web) async fn require_access(
    State(state): State<WebState>,
    request: Request,
    next: Next,
) -> Response {
    let access = &state.access;
    let peer = Peer::of(request.extensions());
    let session = match bearer(request.headers()) {
        Some(_) => None,
        None => access.session(request.headers(), peer),
    };
    let identity = match session {
        Some(identity) => identity,
        None => match access.check_bearer(request.headers(), peer).await {
            Ok(identity) => identity,
            Err(AccessDenied::Missing) => return ask_for_token(&request),
            Err(denied) => return WebError::from(denied).into_response(),
        },
    };
    prove(&request);
    let visitor = identity.visitor();
    let mut response = match check_role(&state, &identity, &request) {
        Ok(()) => run_as(identity, request, next).await,
        Err(denied) => WebError::from(denied).into_response(),
    };
    // For the page of an error.
    response.extensions_mut().insert(visitor);
    response
}

/// Programs are refused; people can sign in.
fn ask_for_token(request: &Request) -> Response {
    let uri = request.uri();
    if is_for_programs(uri.path()) {
        return WebError::from(AccessDenied::Missing).into_response();
    }
    // What a form has posted is lost by the detour, so that one leads to the front page.
    let next_page = match *request.method() {
        Method::GET => uri.path_and_query().map_or("/", |path| path.as_str()),
        _ => "/",
    };
    Redirect::to(&login_url(next_page)).into_response()
}

/// Refuses, counts and logs what a role may not do.
fn check_role(
    state: &WebState,
    identity: &Identity,
    request: &Request,
) -> Result<(), AccessDenied> {
    let (role, method) = (identity.role(), request.method());
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or("", MatchedPath::as_str);
    if may(role, method, route) {
        return Ok(());
    }
    if let Some(token) = identity.token() {
        let path = request.uri().path();
        state.access.forbidden.count(&token.record, method, path);
    }
    Err(match role {
        Role::Agent => AccessDenied::NotForAgents,
        Role::Viewer | Role::Admin => AccessDenied::NotForViewers,
    })
}

/// Whoever sent the request may be here, so the connection is not closed for others while it is answered.
fn prove(request: &Request) {
    if let Some(conduct) = request.extensions().get::<Arc<Conduct>>() {
        conduct.prove();
    }
}

async fn run_as(identity: Identity, mut request: Request, next: Next) -> Response {
    request.extensions_mut().insert(identity);
    next.run(request).await
}

/// Before the agents' socket: the Bearer token of an agent or admin; a browser's session will not do. What the token is
/// for becomes an extension of the request.
pub(in crate::web) async fn require_agent(
    State(state): State<WebState>,
    mut request: Request,
    next: Next,
) -> Response {
    let peer = Peer::of(request.extensions());
    let faults = state.coordinator.connection_faults();
    let identity = match state.access.check_bearer(request.headers(), peer).await {
        Ok(identity) => identity,
        Err(denied) => {
            faults.count(ConnectionFault::Unauthenticated, "a new agent", denied);
            return WebError::from(denied).into_response();
        }
    };
    if identity.role() == Role::Viewer {
        let denied = AccessDenied::OnlyForAgents;
        faults.count(ConnectionFault::Forbidden, "a new agent", denied);
        return WebError::from(denied).into_response();
    }
    prove(&request);
    if let Some(token) = identity.token() {
        request.extensions_mut().insert(token.clone());
    }
    next.run(request).await
}

/// Address of the page that asks for the token and then leads to `next`.
fn login_url(next: &str) -> String {
    format!(
        "/login?next={}",
        utf8_percent_encode(next, NON_ALPHANUMERIC)
    )
}
