//! What a load test may say: one description, read by one reader from a test file (TOML) and from the JSON of the
//! API. Everything is optional; defaults and flags come later. Everything that is wrong is told at once, each with
//! its place, and of an unknown key the nearest known one.

mod client;
mod errors;
mod load;
mod of_test;
mod requests;
mod section;
mod tree;

use std::collections::BTreeMap;

use crate::base::{BuildInfo, StartTerms};
use crate::load_test::{
    ClientSettings, DeclaredScenario, LoadTest, LoadTestError, Selection, Stage,
};
use errors::Problems;
use section::Section;
use tree::Table;

pub use errors::{DraftError, DraftErrors};

/// Largest test file read, in bytes.
pub const MAX_TEST_FILE_BYTES: usize = 1024 * 1024;

const KEYS: [&str; 21] = [
    "name",
    "host",
    "users",
    "ramp_up",
    "duration",
    "workers",
    "infrastructure",
    "scenario",
    "stop_timeout",
    "spawn_rate",
    "arrival_rate",
    "stage",
    "user_types",
    "tags",
    "exclude_tags",
    "equal_weights",
    "options",
    "client",
    "wait_time",
    "request",
    "declared",
];
/// Keys of the API only: a test file says nothing of who starts it, and on which agents.
const API_KEYS: [&str; 2] = ["allow_mixed_builds", "client_build"];
const DECLARED_KEYS: [&str; 2] = ["request", "wait_time"];

/// What a test file or a request to the API says; everything is optional here.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TestDraft {
    /// Name of the test.
    pub name: Option<String>,
    /// Base URL of the target.
    pub host: Option<String>,
    /// Peak concurrent users.
    pub users: Option<u64>,
    /// Ramp-up in seconds.
    pub ramp_up_s: Option<u64>,
    /// Duration in seconds.
    pub duration_s: Option<u64>,
    /// Worker processes.
    pub workers: Option<u32>,
    /// Infrastructure that runs the test.
    pub infrastructure: Option<String>,
    /// A compiled-in scenario.
    pub scenario: Option<String>,
    /// Stop timeout in seconds.
    pub stop_timeout_s: Option<u64>,
    /// Users started per second.
    pub spawn_rate: Option<f64>,
    /// New iterations per second, whatever the target does.
    pub arrival_rate: Option<f64>,
    /// The stages, if there are any.
    pub stages: Vec<Stage>,
    /// User types that take part.
    pub user_types: Option<Vec<String>>,
    /// Only tasks with at least one of these tags.
    pub tags: Option<Vec<String>>,
    /// No tasks with any of these tags.
    pub exclude_tags: Option<Vec<String>>,
    /// Whether every user type and every task has the same weight.
    pub equal_weights: Option<bool>,
    /// The scenario's own options, as texts, by name.
    pub options: BTreeMap<String, String>,
    /// The declared requests, if there are any.
    pub declared: Option<DeclaredScenario>,
    /// Settings of the HTTP client.
    pub client: ClientSettings,
    /// On which terms the run may start, which is for the API to say.
    pub terms: StartTerms,
}

impl TestDraft {
    /// Reads a test file's text.
    ///
    /// # Errors
    /// Everything that is wrong: broken TOML, or unknown keys and values that cannot be.
    pub fn from_toml(text: &str) -> Result<Self, DraftErrors> {
        let problems = Problems::of_toml(text);
        let draft = if text.len() > MAX_TEST_FILE_BYTES {
            let message = format!("the file is larger than {MAX_TEST_FILE_BYTES} bytes");
            problems.add_syntax(0, message);
            TestDraft::default()
        } else {
            match tree::of_toml(text) {
                Ok(table) => read(&table, "this file", &[], &problems),
                Err(errors) => {
                    for (at, message) in errors {
                        problems.add_syntax(at, format!("this is not valid TOML: {message}"));
                    }
                    TestDraft::default()
                }
            }
        };
        match problems.into_errors() {
            None => Ok(draft),
            Some(errors) => Err(errors),
        }
    }

    /// Reads the JSON of a load test, as the API takes it. The draft holds what could be read, also when there are
    /// errors, so that what is wrong elsewhere can be told with them.
    pub fn from_json(text: &[u8]) -> (Self, Option<DraftErrors>) {
        let problems = Problems::of_json();
        let draft = match tree::of_json(text) {
            Ok(table) => read(&table, "a load test", &API_KEYS, &problems),
            Err(message) => {
                let message = format!("the body is not a valid load test: {message}");
                problems.add_syntax(0, message);
                TestDraft::default()
            }
        };
        (draft, problems.into_errors())
    }

    /// Which of the scenario's user types and tasks take part.
    pub fn selection(&self) -> Selection {
        Selection {
            user_types: self.user_types.clone().unwrap_or_default(),
            tags: self.tags.clone().unwrap_or_default(),
            exclude_tags: self.exclude_tags.clone().unwrap_or_default(),
            equal_weights: self.equal_weights.unwrap_or_default(),
        }
    }
}

/// Reads a table that may have `more_keys` beside the usual ones.
fn read(
    table: &Table,
    what: &'static str,
    more_keys: &[&str],
    problems: &Problems<'_>,
) -> TestDraft {
    let section = Section::outermost(table, what, problems);
    section.refuse_other_keys(&[&KEYS[..], more_keys].concat());
    let mut draft = TestDraft {
        name: section.text("name"),
        host: section.text("host"),
        users: section.whole("users"),
        ramp_up_s: section.seconds("ramp_up"),
        duration_s: section.seconds("duration"),
        workers: section.small("workers"),
        infrastructure: section.text("infrastructure"),
        scenario: section.text("scenario"),
        stop_timeout_s: section.seconds("stop_timeout"),
        spawn_rate: section.number("spawn_rate"),
        arrival_rate: section.number("arrival_rate"),
        stages: load::stages(&section),
        user_types: section.texts("user_types"),
        tags: section.texts("tags"),
        exclude_tags: section.texts("exclude_tags"),
        equal_weights: section.flag("equal_weights"),
        options: section.scalars("options").into_iter().collect(),
        declared: None,
        client: client::client(&section),
        terms: StartTerms {
            allow_mixed_builds: section.flag("allow_mixed_builds").unwrap_or_default(),
            client_build: client_build(&section),
        },
    };
    draft.declared = declared(&section);
    load::refuse_contradictions(&section, &draft);
    for error in errors_in(&draft) {
        let key = error.key();
        if section.has(key) && !section.is_wrong(key) {
            section.wrong(key, error.to_string());
        }
    }
    draft
}

/// The build of whoever asks for the run.
fn client_build(section: &Section<'_>) -> Option<BuildInfo> {
    let build = section.section("client_build", "a build")?;
    build.refuse_other_keys(&["sha256", "version", "platform"]);
    let text = |key| build.text(key).unwrap_or_default();
    let build = BuildInfo {
        sha256: text("sha256"),
        version: text("version"),
        platform: text("platform"),
    };
    Some(build.checked())
}

/// The requests, which stand either in the outermost table or in one of their own.
fn declared(section: &Section<'_>) -> Option<DeclaredScenario> {
    let inner = section.section("declared", "a declared scenario");
    if let Some(inner) = &inner {
        inner.refuse_other_keys(&DECLARED_KEYS);
        for key in DECLARED_KEYS {
            if section.has(key) {
                let message = format!("`{key}` and `declared` are both given; keep one of the two");
                section.wrong(key, message);
            }
        }
    }
    if inner.is_none() && section.has("request") && section.has("scenario") {
        section.wrong("scenario", "the test names a compiled-in `scenario` and lists [[request]] tables; keep one of the two");
    }
    let place = inner.as_ref().unwrap_or(section);
    let wait_time = requests::wait_time(place);
    let requests = requests::requests(place);
    if inner.is_none() && requests.is_empty() {
        if section.has("wait_time") && !section.has("request") {
            section.wrong("wait_time", "`wait_time` applies only to [[request]] tables, and there are none; a compiled-in scenario has its own wait time");
        }
        return None;
    }
    if requests.is_empty() {
        place.wrong("request", LoadTestError::NothingDeclared.to_string());
    } else if requests.iter().all(|request| request.weight == 0) {
        place.wrong("request", "no request has a weight above 0");
    }
    Some(DeclaredScenario {
        requests,
        wait_time,
    })
}

/// What is wrong with the values for themselves, whatever flags and defaults say beside them.
fn errors_in(draft: &TestDraft) -> Vec<LoadTestError> {
    let or = |text: &Option<String>, other: &str| text.clone().unwrap_or_else(|| other.to_owned());
    let test = LoadTest {
        name: or(&draft.name, "name"),
        host: or(&draft.host, "http://host"),
        scenario: or(&draft.scenario, ""),
        // That there are none may be for flags or a load shape in code to change.
        users: draft.users.unwrap_or(1).max(1),
        ramp_up_s: if draft.spawn_rate.is_some() {
            0
        } else {
            draft.ramp_up_s.unwrap_or(0)
        },
        duration_s: draft.duration_s.unwrap_or(1).max(1),
        workers: draft.workers.unwrap_or(1),
        stop_timeout_s: draft.stop_timeout_s.unwrap_or(0),
        spawn_rate: draft.spawn_rate.filter(|_| draft.stages.is_empty()),
        arrival_rate: draft.arrival_rate.filter(|_| draft.stages.is_empty()),
        stages: draft.stages.clone(),
        selection: draft.selection(),
        options: draft.options.clone(),
        declared: draft.declared.clone(),
        client: ClientSettings {
            // They may be files that are still to be read.
            root_certificate: None,
            client_certificate: None,
            ..draft.client.clone()
        },
        infrastructure: String::new(),
    };
    let Err(errors) = test.check() else {
        return Vec::new();
    };
    errors
        .iter()
        .filter(|error| {
            // Told with their own place, or for others to say.
            !matches!(
                error,
                LoadTestError::Stage { .. }
                    | LoadTestError::Declared(_)
                    | LoadTestError::MoreWorkersThanUsers { .. }
            )
        })
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests;
