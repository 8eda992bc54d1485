//! Tokens with roles: who may what.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::json_body;
use crate::api_types::{ErrorBody, ListedToken, NewToken, TokenCreated, TokenList};
use crate::tokens::{Grant, TokenId, TokenRecord};
use crate::web::error::WebError;
use crate::web::state::WebState;

impl From<&TokenRecord> for ListedToken {
    fn from(token: &TokenRecord) -> Self {
        let grant = &token.grant;
        Self {
            id: token.id.to_string(),
            role: grant.role,
            label: grant.label.clone(),
            infrastructure: grant.infrastructure.clone(),
            run: grant.run.clone(),
            created_at: token.created_at,
            expires_at: grant.expires_at,
        }
    }
}

/// Lists the tokens that were created and let in, oldest first. For admins only.
#[utoipa::path(
    get,
    path = "/api/v1/tokens",
    tag = "tokens",
    responses((status = 200, description = "All tokens, without their secrets", body = TokenList)),
)]
pub(in crate::web) async fn list_tokens(State(state): State<WebState>) -> Json<TokenList> {
    let tokens = state.coordinator.tokens().list();
    Json(TokenList {
        tokens: tokens
            .iter()
            .map(|token| ListedToken::from(&**token))
            .collect(),
    })
}

/// Creates a token, which is shown in this answer and nowhere else. For admins only.
#[utoipa::path(
    post,
    path = "/api/v1/tokens",
    tag = "tokens",
    request_body = NewToken,
    responses(
        (status = 201, description = "The token", body = TokenCreated),
        (status = 409, description = "There are too many tokens", body = ErrorBody),
        (status = 413, description = "The body is too large", body = ErrorBody),
        (status = 422, description = "There cannot be a token for this", body = ErrorBody),
    ),
)]
pub(in crate::web) async fn create_token(
    State(state): State<WebState>,
    body: Bytes,
) -> Result<(StatusCode, Json<TokenCreated>), WebError> {
    let asked: NewToken = json_body(&body, "a token, such as {\"role\": \"viewer\"}")?;
    let lifetime = asked.expires_in_s.map(Duration::from_secs);
    let now = state.coordinator.now();
    let grant = Grant {
        role: asked.role,
        label: asked.label.trim().to_owned(),
        infrastructure: asked.infrastructure,
        run: None,
        expires_at: lifetime.map(|lifetime| now + lifetime),
    };
    let (id, token) = state.coordinator.tokens().create(grant).await?;
    let created = TokenCreated {
        id: id.to_string(),
        token: token.expose().to_owned(),
    };
    Ok((StatusCode::CREATED, Json(created)))
}

/// Revokes a token: it lets nothing in any more, and agents that are connected with it are disconnected. For admins only.
#[utoipa::path(
    delete,
    path = "/api/v1/tokens/{id}",
    tag = "tokens",
    params(("id" = String, Path, description = "Identifier of the token, as the list has it")),
    responses(
        (status = 204, description = "It is revoked"),
        (status = 404, description = "The token was not found", body = ErrorBody),
    ),
)]
pub(in crate::web) async fn revoke_token(
    State(state): State<WebState>,
    Path(id): Path<String>,
) -> Result<StatusCode, WebError> {
    let id = TokenId::from(id.as_str());
    state.coordinator.tokens().revoke(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}
