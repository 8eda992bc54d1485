//! What a load test may say: one description, read by one reader from a test file (TOML) and from the JSON of the
//! API. Everything is optional; `resolve` puts defaults in. Everything that is wrong is reported at once, each with
//! its place, and of an unknown key the nearest known one.

mod client;
mod data;
mod errors;
mod fields;
mod load;
mod of_test;
mod over;
mod requests;
mod resolve;
mod section;
mod thresholds;
mod tree;
#[cfg(feature = "schema")]
mod written;

use crate::base::{BuildInfo, FileHash};
use crate::load_test::{DeclaredScenario, LoadTestError};
use errors::Problems;
use section::Section;
use tree::Table;

pub use errors::{DraftError, DraftErrors};
pub use fields::{FIELDS, Field, FieldKind, FieldValue, FieldValueError, Flag, TestDraft};
pub use over::Overlaid;
#[cfg(feature = "schema")]
pub use written::DurationValue;
#[cfg(feature = "schema")]
pub(super) use written::{HeaderValues, WaitValue};

/// Largest test file read, in bytes.
pub const MAX_TEST_FILE_BYTES: usize = 1024 * 1024;

/// Keys beside the fields, and how they are written in a test file; none for what is usual in the API's JSON only.
const TABLES: [(&str, Option<&str>); 6] = [
    ("wait_time", Some("wait_time")),
    ("options", Some("[options]")),
    ("client", Some("[client]")),
    ("stage", Some("[[stage]]")),
    ("request", Some("[[request]]")),
    ("declared", None),
];
/// The build that asks: of the API only, because a test file says nothing of who starts it.
const CLIENT_BUILD: &str = "client_build";
/// The build that is to run: of the API only, because only who starts a test knows which one was uploaded.
const BUILD: &str = "build";
/// Its data files: of the API only, too.
const DATA: &str = "data";
const DECLARED_KEYS: [&str; 2] = ["request", "wait_time"];

/// Who says it: what may be said differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    File,
    Api,
}

impl Source {
    fn keys(self) -> Vec<&'static str> {
        let fields = FIELDS
            .iter()
            .filter(|field| self == Source::Api || field.is_of_files());
        let tables = TABLES.map(|(key, _)| key);
        let keys = fields.map(|field| field.key).chain(tables);
        let of_api = [CLIENT_BUILD, BUILD, DATA];
        keys.chain(of_api.into_iter().filter(|_| self == Source::Api))
            .collect()
    }
}

/// The field of this key.
pub fn field(key: &str) -> Option<&'static Field> {
    FIELDS.iter().find(|field| field.key == key)
}

/// What a test file may have, as it is written there: fields, then tables.
pub fn keys_of_files() -> impl Iterator<Item = &'static str> {
    let fields = FIELDS.iter().filter(|field| field.is_of_files());
    let tables = TABLES.iter().filter_map(|(_, written)| *written);
    fields.map(|field| field.key).chain(tables)
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
                Ok(table) => read(&table, "this file", Source::File, &problems),
                Err(errors) => {
                    for (at, message) in errors {
                        problems.add_syntax(at, format!("this is not valid TOML: {message}"));
                    }
                    TestDraft::default()
                }
            }
        };
        problems.into_errors().or(draft)
    }

    /// Reads the JSON of a load test, as the API takes it. The draft holds what could be read, also when there are
    /// errors, so that what is wrong elsewhere can be reported with them.
    pub fn from_json(text: &[u8]) -> (Self, DraftErrors) {
        let problems = Problems::of_json();
        let draft = match tree::of_json(text) {
            Ok(table) => read(&table, "a load test", Source::Api, &problems),
            Err(message) => {
                let message = format!("the body is not a valid load test: {message}");
                problems.add_syntax(0, message);
                TestDraft::default()
            }
        };
        (draft, problems.into_errors())
    }
}

/// What keeps a text from being read as TOML: places in bytes, each with what is wrong there. Tables that are nested too
/// deeply are among it, so that a text without errors can be read and dropped by any reader.
pub fn toml_errors(text: &str) -> Vec<(usize, String)> {
    tree::of_toml(text).err().unwrap_or_default()
}

fn read(table: &Table, what: &'static str, source: Source, problems: &Problems<'_>) -> TestDraft {
    let section = Section::outermost(table, what, problems);
    section.refuse_other_keys(&source.keys());
    let mut draft = TestDraft {
        stages: load::stages(&section),
        options: section.scalars("options").into_iter().collect(),
        declared: declared(&section),
        client: client::client(&section),
        client_build: client_build(&section),
        build: build(&section),
        data: data::files(&section),
        ..TestDraft::default()
    };
    for field in FIELDS {
        let value = section.value(field.key, field.kind);
        if let Some(Err(error)) = value.map(|value| field.set(&mut draft, value)) {
            section.wrong(field.key, format!("`{}` {error}", field.key));
        }
    }
    for problem in draft.problems_of_values() {
        if section.has(problem.key) && !section.is_wrong(problem.key) {
            section.wrong(problem.key, problem.message);
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

/// The uploaded build that is to run.
fn build(section: &Section<'_>) -> Option<FileHash> {
    let parsed: Result<FileHash, _> = section.text(BUILD)?.parse();
    parsed
        .map_err(|error| section.wrong(BUILD, error.to_string()))
        .ok()
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

#[cfg(test)]
mod tests;
