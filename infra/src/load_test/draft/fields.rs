//! The list of what a load test may say in one value. The draft, the reader of test files and of the API's JSON, the
//! flags of the command line, the fields of the page's form and the rows of About This Test are made from it.
//!
//! A new field is an entry here and a field of [`LoadTest`]; where its default is more than an empty value,
//! `resolve/mod.rs` says which.

use std::collections::BTreeMap;

use serde::Serialize;

use super::client::as_written;
#[cfg(feature = "schema")]
use super::written::ThresholdValue;
use crate::base::{BuildInfo, FileHash, StartTerms};
use crate::load_test::{
    self, AgentCount, AgentCountError, ClientSettings, DataFile, DeclaredScenario, LoadTest,
    LoadTestError, OnLostAgent, OnLostAgentError, Stage, TraceShare, TraceShareError, WorkerCount,
    WorkerCountError,
};

/// Longest description of a test, in bytes.
const MAX_DESCRIPTION_BYTES: usize = 1_000;

/// What a field's values are, and how they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// A text.
    Text,
    /// A whole number.
    Whole,
    /// A whole number, or a text that says how many.
    Count,
    /// One of some words.
    Choice,
    /// A number.
    Number,
    /// A duration in whole seconds.
    Seconds,
    /// Yes or no.
    Flag,
    /// Several names.
    List,
    /// Several thresholds, each as its text, or in test files and JSON as a table.
    Thresholds,
}

/// A field's value; seconds are whole numbers, counts and choices are texts.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum FieldValue {
    Text(String),
    Whole(u64),
    Number(f64),
    Flag(bool),
    List(Vec<String>),
}

/// Why a field cannot have a value; follows the field's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum FieldValueError {
    #[error("is too large")]
    TooLarge,
    #[error("is of another kind")]
    OtherKind,
    #[error(transparent)]
    Workers(#[from] WorkerCountError),
    #[error(transparent)]
    Agents(#[from] AgentCountError),
    #[error(transparent)]
    OnLostAgent(#[from] OnLostAgentError),
    #[error(transparent)]
    TraceShare(#[from] TraceShareError),
}

/// Something that a load test may say.
#[derive(Debug)]
pub struct Field {
    /// Its name in test files, in JSON and in the form; with dashes that of its flag.
    pub key: &'static str,
    /// What its values are.
    pub kind: FieldKind,
    /// What it means, for the command line's help.
    pub help: &'static str,
    /// Its flag on the command line; none where only the API and the form have it, and not a test file.
    pub flag: Option<Flag>,
    /// What the page's form calls it.
    pub label: &'static str,
    /// What About This Test calls it; empty where the panel shows it otherwise or not at all.
    pub about: &'static str,
    /// What About This Test says of a flag that is set.
    pub about_set: &'static str,
    /// Whether the form folds it away until it is used.
    pub is_advanced: bool,
    /// Whether it takes the form's whole width.
    pub is_wide: bool,
    /// Longest text in bytes; 0 where something else limits it.
    pub max_bytes: usize,
    /// Whether the text may have several lines.
    pub has_lines: bool,
    /// Whether stages say it in its place.
    pub is_of_stages: bool,
    /// Whether a scenario's load shape says it in its place.
    pub is_of_shape: bool,
    /// Whether it takes the place of a scenario's load shape, as stages do: see [`LoadTest::follows_shape`].
    pub replaces_shape: bool,
    get: fn(&TestDraft) -> Option<FieldValue>,
    set: fn(&mut TestDraft, FieldValue) -> Result<(), FieldValueError>,
    of_test: fn(&LoadTest) -> Option<FieldValue>,
    /// The words of a choice, the first of which is the default.
    pub choices: &'static [&'static str],
    /// What is wrong with it, where that is more than its length.
    check: Option<fn(&LoadTest) -> Vec<LoadTestError>>,
}

/// A flag of the command line, beside the field's key as its long name.
#[derive(Debug, Clone, Copy)]
pub struct Flag {
    /// Its short name.
    pub short: Option<char>,
    /// Another long name; empty for none.
    pub alias: &'static str,
    /// What stands for its value in the help.
    pub value_name: &'static str,
}

const FLAG: Flag = Flag {
    short: None,
    alias: "",
    value_name: "NAME",
};

/// What fields have in common.
const FIELD: Field = Field {
    key: "",
    kind: FieldKind::Text,
    help: "",
    flag: Some(FLAG),
    label: "",
    about: "",
    about_set: "",
    is_advanced: false,
    is_wide: false,
    max_bytes: 0,
    has_lines: false,
    is_of_stages: false,
    is_of_shape: false,
    replaces_shape: false,
    get: |_| None,
    set: |_, _| Err(FieldValueError::OtherKind),
    of_test: |_| None,
    choices: &[],
    check: None,
};

/// The help of a flag: its own, or else the doc comment.
macro_rules! help {
    ([$own:literal] [$($doc:literal),+]) => {
        $own
    };
    ([] [$($doc:literal),+]) => {
        concat!($($doc),+).trim_ascii_start()
    };
}

/// `key: type as kind, in place of the load test, { what differs from FIELD };` in the order of the form. What has no
/// place in the load test is put there by `resolve/mod.rs`; what has one stands there as it is, or is empty.
///
/// The doc comment is what the API's description says of the field. It is the flag's help, too, unless `help "…"` before
/// the braces says something that is true only of the command line. `listed` names the type that describes the elements of a
/// list, where they are more than texts.
macro_rules! fields {
    ($(
        $(#[doc = $help:literal])+
        $key:ident: $type:ty as $kind:ident $(, listed $element:ident)? $(, in $($place:ident).+)? $(, help $flag_help:literal)?, { $($shown:tt)* };
    )+) => {
        /// What a test file, a request to the API, the page's form or the command line says of a load test. Everything
        /// is optional. As JSON it is what the API takes, which also takes the stages as `stage`, and as in a test file
        /// `request` and `wait_time` beside the fields instead of `declared`.
        #[derive(Debug, Clone, Default, PartialEq, Serialize)]
        #[serde(deny_unknown_fields)]
        #[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
        pub struct TestDraft {
            $(
                $(#[doc = $help])+
                #[serde(skip_serializing_if = "Option::is_none")]
                $(#[cfg_attr(feature = "schema", schema(value_type = Option<Vec<$element>>))])?
                pub $key: Option<$type>,
            )+
            /// The stages, if there are any.
            #[serde(skip_serializing_if = "Vec::is_empty")]
            #[cfg_attr(feature = "schema", schema(required = false))]
            pub stages: Vec<Stage>,
            /// The scenario's own options, as texts, by name.
            #[serde(skip_serializing_if = "BTreeMap::is_empty")]
            #[cfg_attr(feature = "schema", schema(required = false))]
            pub options: BTreeMap<String, String>,
            /// The declared requests, if there are any.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub declared: Option<DeclaredScenario>,
            /// Settings of the HTTP client.
            #[serde(serialize_with = "as_written", skip_serializing_if = "is_default")]
            #[cfg_attr(feature = "schema", schema(required = false))]
            pub client: ClientSettings,
            /// The build of the program that asks, where it has the scenario compiled in; agents must run the same one unless
            /// `allow_mixed_builds` is set.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub client_build: Option<BuildInfo>,
            /// SHA-256 of a build that was uploaded: agents fetch it and run its version of the scenario.
            #[serde(skip_serializing_if = "Option::is_none")]
            #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
            pub build: Option<FileHash>,
            /// The data files of that build's scenario; they were uploaded with it.
            #[serde(skip_serializing_if = "Vec::is_empty")]
            #[cfg_attr(feature = "schema", schema(required = false))]
            pub data: Vec<DataFile>,
        }

        /// All fields, in the order in which the page's form and the help show them.
        pub static FIELDS: &[Field] = &[$(Field {
            key: stringify!($key),
            kind: FieldKind::$kind,
            help: help!([$($flag_help)?] [$($help),+]),
            get: |draft| draft.$key.clone().map(FieldType::into_value),
            set: |draft, value| {
                draft.$key = Some(FieldType::from_value(value)?);
                Ok(())
            },
            $(of_test: |test| given(&test.$($place).+).map(FieldType::into_value),)?
            $($shown)*
            ..FIELD
        }),+];

        impl TestDraft {
            /// The draft with what `below` says where this one says nothing.
            pub(super) fn or_fields(self, below: Self) -> Self {
                Self {
                    $($key: self.$key.or(below.$key),)+
                    ..self
                }
            }

            /// The load test of what stands in it as it was asked for.
            pub(super) fn placed(&self) -> LoadTest {
                let mut test = LoadTest::default();
                $($(test.$($place).+ = self.$key.clone().unwrap_or_default();)?)+
                test
            }

            /// What of a load test stands in it as it was asked for.
            pub(super) fn of_places(test: &LoadTest) -> Self {
                let mut draft = Self::default();
                $($(draft.$key = given(&test.$($place).+);)?)+
                draft
            }
        }
    };
}

fields! {
    /// Name of the test; runs are numbered per name [default: the scenario's].
    name: String as Text, in name, help "Name of the test; runs are numbered per name [default: the test file's name, or else the scenario's].", {
        flag: Some(Flag { alias: "profile", ..FLAG }),
        label: "Test name",
        is_wide: true,
        max_bytes: load_test::MAX_TEST_NAME_BYTES,
        check: Some(load_test::check_name),
    };
    /// What the test is for; shown in About This Test.
    description: String as Text, in description, {
        flag: Some(Flag { value_name: "TEXT", ..FLAG }),
        label: "Description",
        about: "Description",
        is_advanced: true,
        is_wide: true,
        max_bytes: MAX_DESCRIPTION_BYTES,
        has_lines: true,
    };
    /// Labels of the run, such as the version under test: `commit=abc`, or one word; up to 20.
    labels: Vec<String> as List, in labels, help "Label the run, such as with the version under test: --label commit=abc, or one word; repeat it, or separate labels with commas.", {
        flag: Some(Flag { alias: "label", value_name: "LABEL", ..FLAG }),
        label: "Labels",
        is_advanced: true,
        check: Some(load_test::check_labels_of),
    };
    /// Base URL of the target, such as http://127.0.0.1:8080. Overrides the hosts of user types.
    host: String as Text, in host, {
        flag: Some(Flag { short: Some('H'), value_name: "URL", ..FLAG }),
        label: "Host",
        is_wide: true,
        max_bytes: load_test::MAX_HOST_BYTES,
        check: Some(load_test::check_host),
    };
    /// Peak concurrent users [default: 10; Locust: 1].
    users: u64 as Whole, {
        flag: Some(Flag { short: Some('u'), value_name: "N", ..FLAG }),
        label: "Users",
        is_of_stages: true,
        is_of_shape: true,
    };
    /// Total number of worker processes, at most one per user, or `auto`: one per core of the agents [default: auto].
    workers: WorkerCount as Count, help "Total number of worker processes; auto (Locust's -1) means one per core of the agents, or of this machine without a \
        coordinator [default: auto with a coordinator, else 1].", {
        flag: Some(Flag { short: Some('w'), alias: "processes", value_name: "N" }),
        label: "Workers",
    };
    /// Total duration, including ramp-up; for a scenario with a load shape, an upper limit [default: 60s].
    duration: u64 as Seconds, {
        flag: Some(Flag { short: Some('t'), alias: "run-time", value_name: "DURATION" }),
        label: "Duration",
        is_of_stages: true,
    };
    /// Time to ramp up linearly to all users, such as 90, 90s or 1h20m; 0s starts all users immediately
    /// [default: 10s, but at most a sixth of the duration].
    ramp_up: u64 as Seconds, {
        flag: Some(Flag { value_name: "DURATION", ..FLAG }),
        label: "Ramp-up",
        is_of_stages: true,
        is_of_shape: true,
    };
    /// Users to start per second, instead of `ramp_up`; as in Locust.
    spawn_rate: f64 as Number, help "Users to start per second, instead of --ramp-up; as in Locust.", {
        flag: Some(Flag { short: Some('r'), value_name: "RATE", ..FLAG }),
        label: "Spawn rate (users/s)",
        is_of_stages: true,
        is_of_shape: true,
        is_advanced: true,
    };
    /// New iterations per second over the whole run, regardless of how fast the target responds; `users` caps the
    /// iterations in progress.
    arrival_rate: f64 as Number, help "New iterations per second over the whole run, regardless of how fast the target responds; --users caps the \
        iterations in progress.", {
        flag: Some(Flag { value_name: "RATE", ..FLAG }),
        label: "Arrival rate (iterations/s)",
        is_of_stages: true,
        replaces_shape: true,
        is_advanced: true,
    };
    /// Infrastructure that generates the load [default: local].
    infrastructure: String as Text, in infrastructure, help "Infrastructure that generates the load, with --coordinator [default: local].", { label: "Infrastructure", };
    /// Agents to wait for before the run starts: a number, or a range such as `2..5` for at least two and at most five
    /// [default: those that are connected].
    agents: AgentCount as Count, in fleet.agents, help "Agents to wait for before the run starts: a number, or a range such as 2..5 for at least two and at most five \
        [default: those that are connected].", {
        flag: Some(Flag { value_name: "N", ..FLAG }),
        label: "Agents",
        about: "Agents",
        is_advanced: true,
    };
    /// How long to wait for the agents when it is the run's turn; then the run fails [default: 5m].
    agents_timeout: u64 as Seconds, {
        flag: Some(Flag { value_name: "DURATION", ..FLAG }),
        label: "Time to wait for agents",
        is_advanced: true,
        check: Some(load_test::check_agents_timeout),
    };
    /// Run beside other runs that share the infrastructure, instead of waiting until the run has it alone.
    share: bool as Flag, in fleet.share, {
        label: "Share the infrastructure with other runs that share it",
        about: "Infrastructure Use",
        about_set: "shared with other runs",
        is_advanced: true,
    };
    /// What becomes of the run if an agent or a worker is lost while the load is on: `fail`, or `continue` with the others;
    /// the users of what was lost are not moved [default: fail].
    on_lost_agent: OnLostAgent as Choice, in fleet.on_lost_agent, help "What becomes of the run if an agent or a worker is lost while the load is on: fail, or continue with the others; \
        the users of what was lost are not moved [default: fail].", {
        flag: Some(Flag { value_name: "WHAT", ..FLAG }),
        label: "When an agent is lost",
        about: "When an Agent Is Lost",
        choices: OnLostAgent::WORDS,
        is_advanced: true,
    };
    /// Name of a scenario; may be left out where the agents have no more than one.
    scenario: String as Text, in scenario, help "Name of a compiled-in scenario [default: the first; `greylag scenarios` lists them, as Locust's --list does].", {
        label: "Scenario",
        max_bytes: load_test::MAX_TEST_NAME_BYTES,
    };
    /// Run only these user types.
    user_types: Vec<String> as List, in selection.user_types, help "Run only these user types; the option's name may be omitted.", {
        label: "User types",
        about: "User Types",
        is_advanced: true,
        check: Some(load_test::check_user_types),
    };
    /// Run only tasks with at least one of these tags.
    tags: Vec<String> as List, in selection.tags, {
        flag: Some(Flag { short: Some('T'), value_name: "TAG", ..FLAG }),
        label: "Tags",
        about: "Tags",
        is_advanced: true,
        check: Some(load_test::check_tags),
    };
    /// Skip tasks with any of these tags; takes precedence over `tags`.
    exclude_tags: Vec<String> as List, in selection.exclude_tags, help "Skip tasks with any of these tags; takes precedence over --tags.", {
        flag: Some(Flag { short: Some('E'), value_name: "TAG", ..FLAG }),
        label: "Excluded tags",
        about: "Excluded Tags",
        is_advanced: true,
        check: Some(load_test::check_excluded_tags),
    };
    /// Grace period for tasks and requests still running at the end [default: 10s; Locust: 0].
    stop_timeout: u64 as Seconds, {
        flag: Some(Flag { short: Some('s'), value_name: "DURATION", ..FLAG }),
        label: "Stop timeout",
        is_advanced: true,
        check: Some(load_test::check_stop_timeout),
    };
    /// Give every user type and every task weight 1.
    equal_weights: bool as Flag, in selection.equal_weights, {
        label: "Give all user types and tasks equal weight",
        about: "Weights",
        about_set: "all equal",
        is_advanced: true,
    };
    /// Conditions on what the run measures, such as `p95 < 500ms for GET /checkout` or `p95 < 300ms for tag api`; a breach
    /// makes the verdict that the test failed. Each is a text or, in test files and JSON, an object with `condition` and the keys `for`, `during`, `within`
    /// and `abort_after` instead of these words in the text.
    thresholds: Vec<String> as Thresholds, listed ThresholdValue, help "Condition on what the run measures, such as 'p95 < 500ms for GET /checkout', 'p95 < 300ms for tag api' or 'error_rate < 1%'; repeat it for more. \
        A breach makes the verdict that the test failed, and the exit code 1; replaces the test file's thresholds.", {
        flag: Some(Flag { alias: "threshold", value_name: "CONDITION", ..FLAG }),
        label: "Thresholds (one per line)",
        about: "Thresholds",
        is_advanced: true,
        is_wide: true,
        has_lines: true,
        of_test: |test| load_test::threshold_texts(test).map(FieldValue::List),
    };
    /// The run that thresholds with `baseline` compare with: its id, `TEST#NUMBER`, `TEST#pinned`, `TEST` for its newest run,
    /// `pinned`, or with `greylag run` a file that ends in .bundle [default: the test's newest pinned run].
    baseline: String as Text, in baseline, {
        flag: Some(Flag { value_name: "RUN", ..FLAG }),
        label: "Baseline of thresholds",
        about: "Baseline",
        is_advanced: true,
        max_bytes: load_test::MAX_BASELINE_BYTES,
    };
    /// Keep no samples of errors: of some failed requests the address, the response's status, headers and first 2 kB of the body, in
    /// which secrets are hidden.
    no_error_samples: bool as Flag, in no_error_samples, help "Keep no samples of errors: of some failed requests the address, the response's status, headers and first 2 kB of the body, in \
        which secrets are hidden.", {
        label: "Keep no samples of errors (status, headers and start of a failed response)",
        about: "Error Samples",
        about_set: "not kept",
        is_advanced: true,
    };
    /// Send a `traceparent` header (W3C Trace Context) with each request, and mark this share of them as sampled, such as 1%; the trace
    /// ids of these are kept with the run's samples [default: off].
    trace_share: TraceShare as Text, in trace_share, help "Send a traceparent header (W3C Trace Context) with each request, and mark this share of them as sampled, such as 1%; \
        the trace ids of these are kept with the run's samples [default: off].", {
        flag: Some(Flag { value_name: "SHARE", ..FLAG }),
        label: "Traced share of requests",
        about: "Traced Share of Requests",
        is_advanced: true,
    };
    /// Allow agents of builds that differ from each other and from `client_build`.
    allow_mixed_builds: bool as Flag, {
        flag: None,
        label: "Allow agents of different builds",
        is_advanced: true,
    };
}

impl Field {
    /// What a draft says of it.
    pub fn get(&self, draft: &TestDraft) -> Option<FieldValue> {
        (self.get)(draft)
    }

    /// Puts a value of the field's kind into a draft.
    ///
    /// # Errors
    /// The number is larger than the field can hold, or the value is of another kind.
    pub fn set(&self, draft: &mut TestDraft, value: FieldValue) -> Result<(), FieldValueError> {
        (self.set)(draft, value)
    }

    /// What About This Test says of it, if anything.
    pub fn about_text(&self, test: &LoadTest) -> Option<String> {
        if self.about.is_empty() {
            return None;
        }
        Some(match (self.of_test)(test)? {
            FieldValue::Text(text) => text,
            FieldValue::Whole(number) => number.to_string(),
            FieldValue::Number(number) => number.to_string(),
            FieldValue::Flag(_) => self.about_set.to_owned(),
            FieldValue::List(names) => names.join(", "),
        })
    }

    /// What is wrong with it, whatever the other fields say.
    pub(crate) fn check(&self, test: &LoadTest) -> Vec<LoadTestError> {
        match self.check {
            Some(check) => check(test),
            None => self.too_long(test).into_iter().collect(),
        }
    }

    fn too_long(&self, test: &LoadTest) -> Option<LoadTestError> {
        let Some(FieldValue::Text(text)) = (self.of_test)(test) else {
            return None;
        };
        let is_limited = self.max_bytes > 0;
        let is_control = if self.has_lines {
            load_test::is_control_in_lines
        } else {
            char::is_control
        };
        let is_wrong = text.len() > self.max_bytes || text.chars().any(is_control);
        (is_limited && is_wrong).then_some(LoadTestError::LongText {
            key: self.key,
            max: self.max_bytes,
        })
    }

    /// Whether a test file may have it: who starts it, and on which agents, is not the file's to say.
    pub(super) fn is_of_files(&self) -> bool {
        self.flag.is_some()
    }
}

impl TestDraft {
    /// On which terms the run may start.
    pub fn terms(&self) -> StartTerms {
        StartTerms {
            allow_mixed_builds: self.allow_mixed_builds.unwrap_or_default(),
            client_build: self.client_build.clone(),
        }
    }
}

/// The value, unless it is the empty one, which says nothing.
fn given<T: Default + PartialEq + Clone>(value: &T) -> Option<T> {
    (*value != T::default()).then(|| value.clone())
}

fn is_default(client: &ClientSettings) -> bool {
    *client == ClientSettings::default()
}

/// A type that a field's value may have.
trait FieldType: Sized {
    fn into_value(self) -> FieldValue;
    fn from_value(value: FieldValue) -> Result<Self, FieldValueError>;
}

macro_rules! field_types {
    ($($type:ty as $kind:ident;)+) => {$(
        impl FieldType for $type {
            fn into_value(self) -> FieldValue {
                FieldValue::$kind(self.into())
            }

            fn from_value(value: FieldValue) -> Result<Self, FieldValueError> {
                match value {
                    FieldValue::$kind(value) => value.try_into().map_err(|_| FieldValueError::TooLarge),
                    _ => Err(FieldValueError::OtherKind),
                }
            }
        }
    )+};
}

/// Types that are written as a text, or as a number in its place.
macro_rules! count_types {
    ($($type:ty;)+) => {$(
        impl FieldType for $type {
            fn into_value(self) -> FieldValue {
                FieldValue::Text(self.to_string())
            }

            fn from_value(value: FieldValue) -> Result<Self, FieldValueError> {
                match value {
                    FieldValue::Text(text) => Ok(text.parse::<Self>()?),
                    _ => Err(FieldValueError::OtherKind),
                }
            }
        }
    )+};
}

count_types! {
    WorkerCount;
    AgentCount;
    OnLostAgent;
    TraceShare;
}

field_types! {
    String as Text;
    u64 as Whole;
    f64 as Number;
    bool as Flag;
    Vec<String> as List;
}
