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
