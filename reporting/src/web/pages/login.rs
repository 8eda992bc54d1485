//! The page that asks for the token, and the button that ends a session.

use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::extract::rejection::FormRejection;
use axum::http::{Extensions, HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::render::html;
use crate::web::access::auth::Peer;
use crate::web::access::identity::Visitor;
use crate::web::error::WebError;
use crate::web::query::Query;
use crate::web::state::WebState;

/// Fills `templates/login.html`.
#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    /// What was wrong with the last try.
    error: Option<String>,
    /// Where to go afterwards: a path on this server, sent along as the field `next`.
    next: String,
    /// The path below which the coordinator is; empty for the root.
    base: String,
    /// Who looks at it: not known yet.
    visitor: Visitor,
}

/// `GET /login?next=/runs/…`
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct LoginQuery {
    next: String,
}

/// Fields of the form.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct LoginForm {
    token: String,
    next: String,
}

/// `GET /login`
pub(in crate::web) async fn login_page(
    State(state): State<WebState>,
    Query(query): Query<LoginQuery>,
    headers: HeaderMap,
    extensions: Extensions,
) -> Response {
    let next = own_path(&query.next);
    let peer = Peer::of(&extensions);
    if state.access.is_open() || state.access.session(&headers, peer).is_some() {
        return Redirect::to(next).into_response();
    }
    html(
        StatusCode::OK,
        &LoginPage {
            error: None,
            next: next.to_owned(),
            base: state.base(),
            visitor: Visitor::default(),
        },
    )
}

/// `POST /login`: a session for the right token.
pub(in crate::web) async fn log_in(
    State(state): State<WebState>,
    headers: HeaderMap,
    extensions: Extensions,
    form: Result<Form<LoginForm>, FormRejection>,
) -> Result<Response, WebError> {
    let Form(form) = form?;
    let next = own_path(&form.next).to_owned();
    let token = form.token.trim().as_bytes();
    let checked = state.access.check_token(token, Peer::of(&extensions)).await;
    let https = is_over_https(&headers);
    match checked.and_then(|identity| state.access.session_cookie(&identity, https)) {
        Ok(cookie) => Ok(leading_to(&next, cookie)),
        Err(denied) => {
            let denied = WebError::from(denied);
            Ok(html(
                denied.status(),
                &LoginPage {
                    error: Some(denied.to_string()),
                    next,
                    base: state.base(),
                    visitor: Visitor::default(),
                },
            ))
        }
    }
}

/// `POST /logout`: the browser has no session any more.
pub(in crate::web) async fn log_out(State(state): State<WebState>, headers: HeaderMap) -> Response {
    leading_to("/login", state.access.no_cookie(is_over_https(&headers)))
}

fn leading_to(next: &str, cookie: Option<HeaderValue>) -> Response {
    let mut response = Redirect::to(next).into_response();
    if let Some(cookie) = cookie {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

/// The browser itself says in its Origin which scheme the page has, whatever proxies stand between.
fn is_over_https(headers: &HeaderMap) -> bool {
    headers
        .get(header::ORIGIN)
        .map(HeaderValue::as_bytes)
        .is_some_and(|origin| origin.starts_with(b"https://"))
}

/// A path on this server, else the front page: a link to the login page must not lead to another site.
fn own_path(next: &str) -> &str {
    let is_ours = next.starts_with('/')
        && !next.starts_with("//")
        && next
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if is_ours { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_does_not_lead_elsewhere() {
        assert_eq!(own_path("/runs/abc?x=1"), "/runs/abc?x=1");
        for elsewhere in [
            "",
            "runs",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/\r\nSet-Cookie: a=b",
            "/\t/evil.example",
        ] {
            assert_eq!(own_path(elsewhere), "/", "{elsewhere:?}");
        }
    }
}
