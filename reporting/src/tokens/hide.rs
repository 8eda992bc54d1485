//! Texts that may repeat a token, such as what a command says.

use std::borrow::Cow;

use super::token::{ID_LENGTH, PREFIX};

/// The text without the secrets of tokens that this version makes; their ids stay.
pub fn hide_tokens(text: &str) -> Cow<'_, str> {
    if !text.contains(PREFIX) {
        return Cow::Borrowed(text);
    }
    let mut hidden = String::with_capacity(text.len());
    let mut parts = text.split(PREFIX);
    hidden.push_str(parts.next().unwrap_or_default());
    for part in parts {
        hidden.push_str(PREFIX);
        let is_of_id = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let id_length = part.find(|c| !is_of_id(c)).unwrap_or(part.len());
        let (id, rest) = part.split_at(id_length);
        hidden.push_str(id);
        match rest.strip_prefix('_') {
            Some(secret) if id_length == ID_LENGTH => {
                hidden.push_str("_…");
                let is_of_secret = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
                hidden.push_str(secret.trim_start_matches(is_of_secret));
            }
            _ => hidden.push_str(rest),
        }
    }
    Cow::Owned(hidden)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_left_out_and_the_rest_stays() {
        let token = "greylag_abc0123def_Zm9v-YmFyX2Jh";
        for (text, hidden) in [
            ("no token", "no token"),
            (token, "greylag_abc0123def_…"),
            (
                &format!("TOKEN={token}; again \"{token}\""),
                "TOKEN=greylag_abc0123def_…; again \"greylag_abc0123def_…\"",
            ),
            ("greylag_run and greylag_", "greylag_run and greylag_"),
            ("cd greylag_tests_for_us", "cd greylag_tests_for_us"),
        ] {
            assert_eq!(hide_tokens(text), hidden);
        }
    }
}
