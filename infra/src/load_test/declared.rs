//! Declared scenarios: requests listed in a test file, so that a first test needs no Rust.

use serde::{Deserialize, Serialize};
use url::Url;

use super::LEFT_OUT;
#[cfg(feature = "schema")]
use super::draft::{HeaderValues, WaitValue};
use super::error::{LoadTestError, LoadTestErrors};

/// A scenario that is a list of requests.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct DeclaredScenario {
    /// The requests, drawn at random by weight.
    #[cfg_attr(feature = "schema", schema(required = true))]
    pub requests: Vec<DeclaredRequest>,
    /// How long a user waits between two requests; none means not at all.
    #[cfg_attr(feature = "schema", schema(value_type = Option<WaitValue>))]
    pub wait_time: Option<WaitTime>,
}

/// Longest wait between two tasks, in seconds.
const MAX_WAIT_S: f64 = 86_400.0;
/// What a wait time must be, as the end of a message.
pub(crate) const WAIT_TIME_RANGE: &str = "from 0 to 86400 seconds, the smaller bound first";
/// Most requests of a declared scenario.
pub(crate) const MAX_REQUESTS: usize = 1_000;

impl DeclaredScenario {
    /// Checks that everything declared can be sent.
    ///
    /// # Errors
    /// All that is wrong.
    pub fn check(&self) -> Result<(), LoadTestErrors> {
        LoadTestErrors::check(self.errors())
    }

    pub(super) fn errors(&self) -> Vec<LoadTestError> {
        if self.requests.is_empty() {
            return vec![LoadTestError::NothingDeclared];
        }
        let problems = self.problems().into_iter();
        problems.map(LoadTestError::Declared).collect()
    }

    /// What of it cannot be run, each as the rest of a message about the scenario.
    pub(crate) fn problems(&self) -> Vec<String> {
        if self.requests.len() > MAX_REQUESTS {
            return vec![format!(
                "has {} requests; the maximum is {MAX_REQUESTS}",
                self.requests.len()
            )];
        }
        let mut problems = Vec::new();
        if self.requests.iter().all(|request| request.weight == 0) {
            problems.push("has no request with a weight above 0".to_owned());
        }
        if self
            .wait_time
            .is_some_and(|wait_time| !wait_time.is_valid())
        {
            problems.push(format!("has a wait time that is not {WAIT_TIME_RANGE}"));
        }
        for (number, request) in (1..).zip(&self.requests) {
            let of_request = request.problems().into_iter();
            problems.extend(
                of_request
                    .map(|(_, problem)| format!("has an error in request {number}: {problem}")),
            );
        }
        problems
    }
}

impl DeclaredRequest {
    /// What of it cannot be sent: the key, and what is wrong with it.
    pub(crate) fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if self.method.is_empty() || !self.method.bytes().all(is_token) {
            problems.push((
                "method",
                format!("`{}` is not a valid HTTP method", shown(&self.method)),
            ));
        }
        if self.method.eq_ignore_ascii_case("CONNECT") {
            problems.push((
                "method",
                "`CONNECT` opens a tunnel and is not a request to measure".to_owned(),
            ));
        }
        problems.extend(header_problems(&self.headers).map(|problem| ("headers", problem)));
        problems.extend(self.problem_of_path().map(|problem| ("path", problem)));
        if let Some(status) = self.expect_status
            && !(100..600).contains(&status)
        {
            problems.push((
                "expect_status",
                format!("expect_status {status} is not a valid HTTP status; use 100 to 599"),
            ));
        }
        problems
    }

    fn problem_of_path(&self) -> Option<String> {
        let shown = shown(&self.path);
        let is_absolute = ["http://", "https://"]
            .iter()
            .any(|start| self.path.starts_with(start));
        if !is_absolute && !self.path.starts_with('/') {
            return Some(format!("the path `{shown}` does not begin with `/`"));
        }
        // Any host will do to see whether a path can be one.
        let url = if is_absolute {
            Url::parse(&self.path)
        } else {
            Url::parse(&format!("http://localhost{}", self.path))
        };
        match url {
            Ok(_) => None,
            Err(error) => Some(format!("the path `{shown}` is not valid: {error}")),
        }
    }
}

fn shown(text: &str) -> String {
    text.chars().take(60).collect()
}

/// A character of a token as in RFC 9110, section 5.6.2.
fn is_token(c: u8) -> bool {
    c.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&c)
}

/// What is wrong with headers, of a request or of a client.
pub(crate) fn header_problems(headers: &[(String, String)]) -> impl Iterator<Item = String> {
    headers.iter().filter_map(|(name, value)| {
        if name.is_empty() || !name.bytes().all(is_token) {
            return Some(format!("`{}` is not a valid header name", shown(name)));
        }
        if value == LEFT_OUT {
            let name = shown(name);
            return Some(format!(
                "the value of header `{name}` is not kept after a run; start the test again from its test file or program"
            ));
        }
        let is_bad = |c: char| c.is_ascii_control() && c != '\t';
        value.chars().any(is_bad).then(|| {
            format!(
                "the value of header `{}` has control characters",
                shown(name)
            )
        })
    })
}

/// One request of a declared scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct DeclaredRequest {
    /// HTTP method, `GET` if none is given.
    #[cfg_attr(feature = "schema", schema(required = false, default = "GET"))]
    pub method: String,
    /// Path (and query) below the host.
    pub path: String,
    /// The endpoint's name in the results; the path if none is given.
    #[serde(default)]
    pub name: Option<String>,
    /// How often this request is drawn, relative to the others.
    #[cfg_attr(feature = "schema", schema(required = false, default = 1))]
    pub weight: u32,
    /// Header names and values.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(value_type = HeaderValues))]
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
    /// Whether it is from 0 to [`MAX_WAIT_S`], the smaller bound first.
    pub(crate) fn is_valid(self) -> bool {
        let (least, most) = match self {
            WaitTime::Constant(wait) => (wait, wait),
            WaitTime::Between(least, most) => (least, most),
        };
        (0.0..=most).contains(&least) && most <= MAX_WAIT_S
    }
}
