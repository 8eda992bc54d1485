//! Where traces are shown, for links from a request to its trace.

use std::fmt;
use std::str::FromStr;

use url::{Position, Url};

/// What stands for the trace id.
const PLACEHOLDER: &str = "{trace_id}";
/// Longest address, in bytes.
const MAX_BYTES: usize = 2_000;

/// Address of a trace on the page of a tracing system, with `{trace_id}` in place of the id (32 hexadecimal digits).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceUrl(String);

/// Why a text is not the address of a trace.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TraceUrlError {
    /// It is not one of the web.
    #[error(
        "`{0}` is not a valid address; write it as https://tracing.example/trace/{{trace_id}}, without user or password"
    )]
    NotOfTheWeb(String),
    /// It would lead to the same page for all traces.
    #[error(
        "the address has no {{trace_id}}, which stands for the id of the trace; write it as https://tracing.example/trace/{{trace_id}}"
    )]
    NoTraceId,
    /// The id says which host is asked.
    #[error("{{trace_id}} stands in the host; put it in the path, the query or the fragment")]
    TraceIdInHost,
    /// It is longer than 2,000 bytes.
    #[error("the address is longer than {MAX_BYTES} bytes")]
    TooLong,
}

impl TraceUrl {
    /// The address with its placeholder.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TraceUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for TraceUrl {
    type Err = TraceUrlError;

    fn from_str(text: &str) -> Result<Self, TraceUrlError> {
        if text.len() > MAX_BYTES {
            return Err(TraceUrlError::TooLong);
        }
        if !text.contains(PLACEHOLDER) {
            return Err(TraceUrlError::NoTraceId);
        }
        // Browsers take `https:tempo.example` for a path of the page's own site, and leave out line breaks.
        let lower = text.to_ascii_lowercase();
        let is_absolute = ["http://", "https://"]
            .iter()
            .any(|start| lower.starts_with(start));
        let is_one_line = |c: char| !c.is_control() && !c.is_whitespace();
        let of = |digit: &str| Url::parse(&text.replace(PLACEHOLDER, &digit.repeat(32)));
        let not_of_the_web = || {
            // There may be a user and a password before it.
            let shown = match text.contains('@') {
                true => "…".to_owned(),
                false => text.chars().filter(|c| !c.is_control()).take(60).collect(),
            };
            TraceUrlError::NotOfTheWeb(shown)
        };
        let (Ok(one), Ok(other)) = (of("a"), of("b")) else {
            return Err(not_of_the_web());
        };
        let has_user = !one.username().is_empty() || one.password().is_some();
        if !is_absolute || !text.chars().all(is_one_line) || !one.has_host() || has_user {
            return Err(not_of_the_web());
        }
        if one[..Position::BeforePath] != other[..Position::BeforePath] {
            return Err(TraceUrlError::TraceIdInHost);
        }
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_of_the_web_and_says_where_the_id_stands() {
        for text in [
            "https://tempo.example/trace/{trace_id}",
            "http://127.0.0.1:16686/trace/{trace_id}?uiEmbed=v0",
            "https://g.example/explore?left={\"query\":\"{trace_id}\"}#{trace_id}",
        ] {
            let url: TraceUrl = text.parse().unwrap();
            assert_eq!(url.as_str(), text);
        }
        let error = |text: &str| text.parse::<TraceUrl>().unwrap_err();
        for text in [
            "tempo.example/{trace_id}",
            "javascript:alert('{trace_id}')",
            "data:text/html,{trace_id}",
            "ftp://tempo.example/{trace_id}",
            "https:///{trace_id} x",
            "/trace/{trace_id}",
            "https:tempo.example/{trace_id}",
            "https:/tempo.example/{trace_id}",
            " https://tempo.example/{trace_id}",
            "https://tempo.example/a\tb/{trace_id}",
        ] {
            assert!(
                matches!(
                    error(text),
                    TraceUrlError::NotOfTheWeb(_) | TraceUrlError::TraceIdInHost
                ),
                "{text}"
            );
        }
        for text in [
            "https://ada:geheim@tempo.example/{trace_id}",
            "https://ada:geheim@tempo.example:99999/{trace_id}",
        ] {
            let said = error(text).to_string();
            assert!(!said.contains("geheim"), "{said}");
        }
        for text in [
            "",
            "https://tempo.example/trace/",
            "https://t.example/{traceid}",
        ] {
            assert_eq!(error(text), TraceUrlError::NoTraceId, "{text}");
        }
        for text in [
            "https://{trace_id}.example/",
            "https://{trace_id}/trace/{trace_id}",
        ] {
            assert_eq!(error(text), TraceUrlError::TraceIdInHost, "{text}");
        }
        let long = format!("https://t.example/{{trace_id}}{}", "x".repeat(MAX_BYTES));
        assert_eq!(error(&long), TraceUrlError::TooLong);
    }
}
