//! Declared scenarios: requests listed in a test file, so that a first test needs no Rust.

use serde::{Deserialize, Serialize};

/// A scenario that is a list of requests.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeclaredScenario {
    /// The requests, drawn at random by weight.
    pub requests: Vec<DeclaredRequest>,
    /// How long a user waits between two requests; none means not at all.
    pub wait_time: Option<WaitTime>,
}

/// Longest wait between two tasks, in seconds.
pub(crate) const MAX_WAIT_S: f64 = 86_400.0;
/// Most requests of a declared scenario.
pub(crate) const MAX_REQUESTS: usize = 1_000;

impl DeclaredScenario {
    /// What of it cannot be run, if anything, as the rest of a sentence about the scenario.
    pub(crate) fn mistake(&self) -> Option<String> {
        if self.requests.len() > MAX_REQUESTS {
            return Some(format!(
                "has {} requests; the most is {MAX_REQUESTS}",
                self.requests.len()
            ));
        }
        if self.requests.iter().all(|request| request.weight == 0) {
            return Some("has no request with a weight above 0".to_owned());
        }
        if self
            .wait_time
            .is_some_and(|wait_time| !wait_time.is_valid())
        {
            return Some(format!(
                "has a wait time that is not from 0 to {MAX_WAIT_S} seconds, the lesser bound first"
            ));
        }
        (1..).zip(&self.requests).find_map(|(number, request)| {
            let mistake = request.mistake()?;
            Some(format!("has a mistake in request {number}: {mistake}"))
        })
    }
}

impl DeclaredRequest {
    fn mistake(&self) -> Option<String> {
        let shown = |text: &str| text.chars().take(60).collect::<String>();
        // A token as in RFC 9110, section 5.6.2.
        let is_token = |c: u8| c.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&c);
        if self.method.is_empty() || !self.method.bytes().all(is_token) {
            return Some(format!("`{}` is no HTTP method", shown(&self.method)));
        }
        if self.method.eq_ignore_ascii_case("CONNECT") {
            return Some("`CONNECT` opens a tunnel and is no request to measure".to_owned());
        }
        for (name, value) in &self.headers {
            if name.is_empty() || !name.bytes().all(is_token) {
                return Some(format!("`{}` is no name of a header", shown(name)));
            }
            if value.chars().any(|c| c.is_ascii_control() && c != '\t') {
                return Some(format!(
                    "the value of header `{}` has control characters",
                    shown(name)
                ));
            }
        }
        let starts = ["/", "http://", "https://"];
        if !starts.iter().any(|start| self.path.starts_with(start)) {
            return Some(format!(
                "the path `{}` does not begin with `/`",
                shown(&self.path)
            ));
        }
        match self.expect_status {
            Some(status) if !(100..600).contains(&status) => Some(format!(
                "expect_status {status} is no HTTP status; use 100 to 599"
            )),
            _ => None,
        }
    }
}

/// One request of a declared scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeclaredRequest {
    /// HTTP method, `GET` if none is given.
    pub method: String,
    /// Path (and query) below the host.
    pub path: String,
    /// The endpoint's name in the results; the path if none is given.
    #[serde(default)]
    pub name: Option<String>,
    /// How often this request is drawn, relative to the others.
    pub weight: u32,
    /// Header names and values.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// Request body.
    #[serde(default)]
    pub body: Option<String>,
    /// The one status that counts as a success.
    #[serde(default)]
    pub expect_status: Option<u16>,
    /// A text the response's body must contain.
    #[serde(default)]
    pub expect_body: Option<String>,
}

/// A wait between tasks, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum WaitTime {
    /// Always the same.
    Constant(f64),
    /// Uniform between the two.
    Between(f64, f64),
}

impl WaitTime {
    /// Whether it is from 0 to [`MAX_WAIT_S`], the lesser bound first.
    pub(crate) fn is_valid(self) -> bool {
        let (least, most) = match self {
            WaitTime::Constant(wait) => (wait, wait),
            WaitTime::Between(least, most) => (least, most),
        };
        (0.0..=most).contains(&least) && most <= MAX_WAIT_S
    }
}
