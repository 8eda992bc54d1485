//! The secret of a coordinator, as programs and people give it.

use std::fmt;

/// Longest token, in bytes.
pub const MAX_TOKEN_BYTES: usize = 500;
/// What tokens with a role begin with, so that one that stands where it should not is recognised.
pub(super) const PREFIX: &str = "greylag_";
/// Letters and digits of the id of one.
pub(super) const ID_LENGTH: usize = 10;

/// A coordinator's secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

/// Why a text cannot be a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a token has 1 to {MAX_TOKEN_BYTES} letters, digits and symbols, without spaces (it is sent in an HTTP header)"
)]
pub struct TokenError;

impl Token {
    /// Takes a text as the token.
    ///
    /// # Errors
    /// It is empty, longer than [`MAX_TOKEN_BYTES`], or holds anything but visible ASCII characters.
    pub fn new(text: impl Into<String>) -> Result<Self, TokenError> {
        let text = text.into();
        if text.is_empty()
            || text.len() > MAX_TOKEN_BYTES
            || !text.bytes().all(|b| b.is_ascii_graphic())
        {
            return Err(TokenError);
        }
        Ok(Self(text))
    }

    /// Which token it is, if it was created with a role; not secret.
    pub fn id(&self) -> Option<&str> {
        id_in(&self.0)
    }

    /// The text, to be sent as a Bearer token.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// The id in the text of a token that was created with a role.
pub(super) fn id_in(token: &str) -> Option<&str> {
    let (id, _) = token.strip_prefix(PREFIX)?.split_once('_')?;
    Some(id)
}

impl std::str::FromStr for Token {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        Self::new(text)
    }
}

/// Never shows the secret, so that it cannot get into a log.
impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_fit_into_a_header() {
        for bad in [
            "",
            "two words",
            "line\nbreak",
            "ümlaut",
            &"x".repeat(MAX_TOKEN_BYTES + 1),
        ] {
            assert_eq!(Token::new(bad), Err(TokenError), "{bad:?}");
        }
        assert!(!format!("{:?}", Token::new("secret").unwrap()).contains("secret"));
    }
}
