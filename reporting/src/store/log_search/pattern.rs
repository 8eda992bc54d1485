//! What a line is searched for.

use regex::{Regex, RegexBuilder};

/// Longest text or regular expression, in bytes.
pub(crate) const MAX_PATTERN_BYTES: usize = 1_000;
/// Largest compiled regular expression, in bytes: `\w{1000}` would need megabytes.
const MAX_COMPILED_BYTES: usize = 256 * 1024;
/// Most memory for what is remembered while searching, in bytes.
const MAX_CACHE_BYTES: usize = 2 * 1024 * 1024;
/// How deep a regular expression may be nested.
const MAX_NESTING: u32 = 50;
/// Most places in one line that are reported.
const MAX_PLACES: usize = 50;

/// A text, or a regular expression.
#[derive(Debug, Clone)]
pub struct LogPattern(Regex);

/// Why a pattern cannot be searched for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It is not a regular expression.
    #[error("`{pattern}` is not a valid regular expression: {problem}, at character {at}")]
    Syntax {
        /// As it was written.
        pattern: String,
        /// What is wrong.
        problem: String,
        /// Where, counted from 1.
        at: usize,
    },
    /// It needs too much memory.
    #[error("the regular expression is too large; use fewer or smaller repetitions")]
    TooLarge,
    /// It is longer than anybody writes.
    #[error("a search may have at most {MAX_PATTERN_BYTES} bytes")]
    TooLong,
}

impl LogPattern {
    /// Finds a text, in upper or lower case.
    ///
    /// # Errors
    /// It is too long.
    pub fn text(text: &str) -> Result<Self, PatternError> {
        Self::compile(text, &format!("(?i){}", regex::escape(text)))
    }

    /// Finds what a regular expression of the `regex` crate describes.
    ///
    /// # Errors
    /// It is not valid, too long, or too large.
    pub fn regex(pattern: &str) -> Result<Self, PatternError> {
        Self::compile(pattern, pattern)
    }

    fn compile(written: &str, pattern: &str) -> Result<Self, PatternError> {
        if written.len() > MAX_PATTERN_BYTES {
            return Err(PatternError::TooLong);
        }
        let compiled = RegexBuilder::new(pattern)
            .size_limit(MAX_COMPILED_BYTES)
            .dfa_size_limit(MAX_CACHE_BYTES)
            .nest_limit(MAX_NESTING)
            .build();
        compiled.map(Self).map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => PatternError::TooLarge,
            error => syntax_error(written, &error),
        })
    }

    pub(super) fn is_in(&self, text: &str) -> bool {
        self.0.is_match(text)
    }

    /// Where it stands in a text: begin and end in UTF-16 code units. Of many places the first ones.
    pub(super) fn places_in(&self, text: &str) -> Vec<(u32, u32)> {
        let found = self.0.find_iter(text).filter(|found| !found.is_empty());
        let (mut bytes, mut units) = (0, 0);
        let mut units_at = |at: usize| {
            let more: usize = text[bytes..at].chars().map(char::len_utf16).sum();
            (bytes, units) = (at, units + more);
            u32::try_from(units).unwrap_or(u32::MAX)
        };
        let found = found.take(MAX_PLACES);
        found
            .map(|found| (units_at(found.start()), units_at(found.end())))
            .collect()
    }
}

/// With the place, which the error itself only has in several lines of text.
fn syntax_error(pattern: &str, error: &regex::Error) -> PatternError {
    let mut parser = regex_syntax::ParserBuilder::new();
    let parsed = parser.nest_limit(MAX_NESTING).build().parse(pattern);
    let (problem, start) = match parsed {
        Err(regex_syntax::Error::Parse(error)) => (error.kind().to_string(), error.span().start),
        Err(regex_syntax::Error::Translate(error)) => {
            (error.kind().to_string(), error.span().start)
        }
        _ => {
            return PatternError::Syntax {
                pattern: pattern.to_owned(),
                problem: error.to_string(),
                at: 1,
            };
        }
    };
    PatternError::Syntax {
        pattern: pattern.to_owned(),
        problem,
        at: pattern[..start.offset].chars().count() + 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_regular_expression_is_said_with_its_place() {
        let error = |pattern: &str| LogPattern::regex(pattern).unwrap_err().to_string();
        assert_eq!(
            error("ä(b"),
            "`ä(b` is not a valid regular expression: unclosed group, at character 2"
        );
        assert!(
            error("a{2,1}").ends_with(", at character 2"),
            "{}",
            error("a{2,1}")
        );
        assert!(error(r"\p{Nothing}").ends_with(", at character 1"));
        let nested = format!("{}{}", "(".repeat(200), ")".repeat(200));
        assert!(error(&nested).contains("nested"), "{}", error(&nested));
        assert_eq!(
            error(r"\w{900}"),
            "the regular expression is too large; use fewer or smaller repetitions"
        );
        let long = "a".repeat(MAX_PATTERN_BYTES + 1);
        assert_eq!(LogPattern::text(&long).unwrap_err(), PatternError::TooLong);
        assert_eq!(LogPattern::regex(&long).unwrap_err(), PatternError::TooLong);
    }

    #[test]
    fn places_are_counted_as_browsers_do() {
        let text = "🦀 Straße STRASSE (x)";
        let places = |pattern: &str| LogPattern::text(pattern).unwrap().places_in(text);
        assert_eq!(places("str"), [(3, 6), (10, 13)]);
        assert_eq!(places("(X)"), [(18, 21)]);
        assert_eq!(places("nowhere"), []);
        let empty = LogPattern::regex("x*").unwrap();
        assert_eq!(empty.places_in(text), [(19, 20)]);
        let all = LogPattern::regex(".").unwrap();
        assert_eq!(all.places_in(&"a".repeat(1_000)).len(), MAX_PLACES);
    }
}
