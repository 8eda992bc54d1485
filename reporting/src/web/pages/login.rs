//! The page that asks for the token.

use askama::Template;

/// Fills `templates/login.html`.
#[derive(Template)]
#[template(path = "login.html")]
pub(crate) struct LoginPage {
    /// The text of `<title>`.
    pub(crate) page_title: String,
    /// What was wrong with the last try.
    pub(crate) error: Option<String>,
    /// Where to go afterwards: a path on this server, sent along as the field `next`.
    pub(crate) next: String,
}
