//! `greylag token`: tokens with a role, for people and agents of a coordinator.

use std::process::ExitCode;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use greylag_reporting::{ListedToken, NewToken, Role, Token, plain_text, rfc3339};

use crate::cli::api_client::ApiClient;
use crate::cli::failure::Failure;
use crate::cli::options::{CoordinatorAccess, age};
use crate::cli::print::print_line;

/// Options of `greylag token`.
#[derive(Debug, Args)]
pub(crate) struct TokenOptions {
    /// `create` prints a new token, `list` lists those that were created, `revoke` ends some: sessions end, and agents that
    /// are connected with them are disconnected.
    #[arg(value_name = "ACTION", value_enum, hide_possible_values = true)]
    action: Action,
    /// The tokens to revoke, by the id that `list` shows.
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    #[command(flatten)]
    access: CoordinatorAccess,
    #[command(flatten)]
    new: NewOptions,
}

/// What is done with tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Action {
    Create,
    List,
    Revoke,
}

/// What a new token is for.
#[derive(Debug, Args)]
#[command(next_help_heading = "What a new token is for")]
struct NewOptions {
    /// What its holder may do: `admin` everything, `viewer` look at runs and results, `agent` generate load.
    #[arg(
        long,
        value_name = "ROLE",
        hide_possible_values = true,
        value_parser = PossibleValuesParser::new(["admin", "viewer", "agent"]).try_map(|role| role.parse::<Role>())
    )]
    role: Option<Role>,
    /// The only infrastructure that agents with it may join [default: any].
    #[arg(long, value_name = "NAME")]
    infrastructure: Option<String>,
    /// How long it is valid, such as 30d or 12h [default: until it is revoked].
    #[arg(long, value_name = "DURATION", value_parser = age)]
    expires: Option<Duration>,
    /// What it is for, such as the name of a person; shown in lists and on pages.
    #[arg(long, value_name = "TEXT")]
    label: Option<String>,
}

impl NewOptions {
    fn is_given(&self) -> bool {
        self.role.is_some()
            || self.infrastructure.is_some()
            || self.expires.is_some()
            || self.label.is_some()
    }
}

/// The text is not the id of a token. It is not repeated, because it may be the token itself.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("not a valid id of a token; `greylag token list` shows them")]
struct TokenIdError;

/// The id of a token that is named by it, or by the whole token, which is what whoever wants to revoke one may have.
fn token_id(text: &str) -> Result<String, TokenIdError> {
    let whole = Token::new(text).ok();
    let id = whole.as_ref().and_then(Token::id).unwrap_or(text);
    let is_id = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_id.then(|| id.to_owned()).ok_or(TokenIdError)
}

/// Creates, lists or revokes tokens.
pub(crate) async fn token(options: TokenOptions) -> Result<ExitCode, Failure> {
    let TokenOptions {
        action,
        ids,
        access,
        new,
    } = options;
    if action != Action::Create && new.is_given() {
        return Err(Failure::bad_input(
            "--role, --infrastructure, --expires and --label are for `token create`",
        ));
    }
    if action != Action::Revoke && !ids.is_empty() {
        return Err(Failure::bad_input("only `token revoke` takes ids"));
    }
    if action == Action::Revoke && ids.is_empty() {
        return Err(Failure::bad_input(
            "`token revoke` needs the ids of tokens; `token list` shows them",
        ));
    }
    let ids: Result<Vec<String>, TokenIdError> = ids.iter().map(|id| token_id(id)).collect();
    let ids = ids.map_err(Failure::bad_input)?;
    let api = access.client()?;
    match action {
        Action::Create => create(&api, new).await,
        Action::List => list(&api).await,
        Action::Revoke => revoke(&api, &ids).await,
    }
}

async fn create(api: &ApiClient, new: NewOptions) -> Result<ExitCode, Failure> {
    let role = new
        .role
        .ok_or_else(|| Failure::bad_input("--role is missing"))?;
    let asked = NewToken {
        role,
        label: new.label.unwrap_or_default(),
        infrastructure: new.infrastructure,
        expires_in_s: new.expires.map(|expires| expires.as_secs()),
    };
    let created = api.create_token(&asked).await.map_err(Failure::bad_input)?;
    // Alone on standard output, so that scripts can take it.
    print_line(&created.token);
    eprintln!(
        "This is token {} with the role {role}. It cannot be shown again; `greylag token revoke {}` ends it.",
        created.id, created.id
    );
    Ok(ExitCode::SUCCESS)
}

async fn list(api: &ApiClient) -> Result<ExitCode, Failure> {
    let tokens = api.tokens().await.map_err(Failure::bad_input)?.tokens;
    if tokens.is_empty() {
        print_line("No tokens.");
    }
    for token in tokens {
        print_line(plain_text(&line_of(&token)));
    }
    Ok(ExitCode::SUCCESS)
}

fn line_of(token: &ListedToken) -> String {
    let expires = token.expires_at.map_or_else(
        || "does not expire".to_owned(),
        |at| format!("expires {}", rfc3339(at)),
    );
    let mut line = format!(
        "{}  {:<6}  created {}  {expires}",
        token.id,
        token.role.as_str(),
        rfc3339(token.created_at)
    );
    if let Some(infrastructure) = &token.infrastructure {
        line += &format!("  infrastructure {infrastructure}");
    }
    if let Some(run) = &token.run {
        line += &format!("  run {run}");
    }
    if !token.label.is_empty() {
        line += &format!("  {}", token.label);
    }
    line
}

async fn revoke(api: &ApiClient, ids: &[String]) -> Result<ExitCode, Failure> {
    for id in ids {
        api.revoke_token(id).await.map_err(Failure::bad_input)?;
        print_line(format_args!("Revoked token {id}."));
    }
    Ok(ExitCode::SUCCESS)
}
