//! How serious a line is: agents send what programs print, so it is read off the text.

use std::sync::LazyLock;

use regex::Regex;

use crate::api_types::LogLevel;

static ERROR: LazyLock<Regex> = LazyLock::new(|| words("ERROR|PANIC|panicked"));
static WARNING: LazyLock<Regex> = LazyLock::new(|| words("WARN|WARNING"));

fn words(words: &str) -> Regex {
    let pattern = format!(r"(?-u:\b)(?:{words})(?-u:\b)");
    Regex::new(&pattern).expect("it is made of words")
}

/// What the line says of itself; none of most lines.
pub(super) fn level_of(text: &str) -> Option<LogLevel> {
    if ERROR.is_match(text) {
        return Some(LogLevel::Error);
    }
    WARNING.is_match(text).then_some(LogLevel::Warning)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_a_word_of_the_line() {
        let error = Some(LogLevel::Error);
        for (text, level) in [
            ("2026-11-26T19:00:00Z ERROR greylag: no", error),
            ("thread 'main' panicked at src/main.rs:3", error),
            ("WARNING: WARN", Some(LogLevel::Warning)),
            ("a WARN, then an ERROR", error),
            ("ERRORS, ERROR_COUNT and WARNINGS", None),
            ("an error in lower case", None),
        ] {
            assert_eq!(level_of(text), level, "{text}");
        }
    }
}
