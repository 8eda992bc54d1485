//! What the form is filled in from, and what it carries that has no field: declared requests and settings of the
//! client. These stay on the server; the form only says where they are.

use greylag_infra::protocol::OptionInfo;
use greylag_infra::{ClientSettings, RunRecord, TestDefaults, TestDraft};

use super::StartForm;

/// Names the command line of `serve` as the source. No run has a hyphen in its id.
pub(in crate::web) const COMMAND_LINE: &str = "command-line";

/// A draft to fill the form in from.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::web) struct Source {
    /// How the form names it.
    key: String,
    /// For people.
    title: String,
    pub(in crate::web) draft: TestDraft,
    /// Options of an uploaded build's scenario that had secrets, which were not kept.
    pub(super) secret_options: Vec<String>,
}

impl Source {
    /// What `serve` was started with; none if that says nothing about a test.
    pub(in crate::web) fn of_command_line(draft: &TestDraft) -> Option<Self> {
        (*draft != TestDraft::default()).then(|| Self {
            key: COMMAND_LINE.to_owned(),
            title: "the command line".to_owned(),
            draft: draft.clone(),
            secret_options: Vec::new(),
        })
    }

    /// A run that is to be run again.
    pub(in crate::web) fn of_run(run: &RunRecord, allow_mixed_builds: bool) -> Self {
        let mut draft = TestDraft::from(&run.test);
        draft.allow_mixed_builds = Some(true).filter(|_| allow_mixed_builds);
        // It stands among what is folded away, which is not opened for the default.
        draft.stop_timeout = draft
            .stop_timeout
            .filter(|seconds| *seconds != TestDefaults::USUAL.stop_timeout_s);
        draft.agents_timeout = draft
            .agents_timeout
            .filter(|seconds| *seconds != TestDefaults::USUAL.agents_timeout_s);
        let build = run.test.build.as_ref();
        let declared = build.map_or(&[][..], |build| &build.scenario.info.options);
        let secret = declared.iter().filter(|option| option.secret);
        let had_secret = |option: &&OptionInfo| draft.options.remove(&option.name).is_some();
        let secret_options = secret.filter(had_secret).map(|option| option.name.clone());
        Self {
            key: run.id.to_string(),
            title: format!("“{} #{}”", run.test.name, run.number),
            secret_options: secret_options.collect(),
            draft,
        }
    }
}

/// What the page says about the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) key: String,
    pub(crate) title: String,
    /// The requests that the test lists itself, in a few words.
    pub(crate) declared: Option<String>,
    /// Whether there are settings of the client.
    pub(crate) has_client: bool,
}

impl From<&Source> for Origin {
    fn from(source: &Source) -> Self {
        let draft = &source.draft;
        Self {
            key: source.key.clone(),
            title: source.title.clone(),
            declared: draft.declared.as_ref().map(|declared| {
                let name = draft.scenario.as_deref().or(draft.name.as_deref());
                let name = name.map_or_else(String::new, |name| format!("{name}: "));
                match declared.requests.len() {
                    1 => format!("{name}1 request"),
                    count => format!("{name}{count} requests"),
                }
            }),
            has_client: draft.client != ClientSettings::default(),
        }
    }
}

impl StartForm {
    /// Says what the form carries, when it was sent back.
    pub(in crate::web) fn with_origin(mut self, source: Option<&Source>) -> Self {
        self.origin = source.map(Origin::from);
        self
    }
}
