//! Why a run was not started.

use greylag_infra::{DraftError, DraftErrors};

use crate::coordinator::StartRefused;

/// Why a run was not started.
#[derive(Debug, thiserror::Error)]
pub(in crate::web) enum StartError {
    /// What was sent is not a valid test.
    #[error(transparent)]
    Invalid(DraftErrors),
    /// The coordinator cannot run it.
    #[error(transparent)]
    Refused(#[from] StartRefused),
}

impl StartError {
    /// Where each error is, in the words of whoever fills in the page's form.
    pub(in crate::web) fn of_fields(&self) -> Vec<DraftError> {
        let one = |path: &str| vec![DraftError::new(path, self.to_string())];
        let builds = |what: String| {
            let message =
                format!("{what}; start all agents from one build, or allow different builds here");
            vec![DraftError::new("allow_mixed_builds", message)]
        };
        let refused = match self {
            StartError::Invalid(invalid) => {
                let more = (invalid.more() > 0)
                    .then(|| DraftError::new("", format!("and {} more errors", invalid.more())));
                return invalid.iter().cloned().chain(more).collect();
            }
            StartError::Refused(refused) => refused,
        };
        match refused {
            StartRefused::Invalid(errors) => errors
                .iter()
                .map(|error| DraftError::new(error.path(), error.to_string()))
                .collect(),
            StartRefused::Misfit(misfit) => one(&misfit.path()),
            StartRefused::UnknownInfrastructure { .. }
            | StartRefused::Infrastructure(_)
            | StartRefused::NoAgentConnected(_) => one("infrastructure"),
            StartRefused::UnknownBaseline(_) => one("baseline"),
            StartRefused::UnknownScenario { .. } | StartRefused::NotInBuild { .. } => {
                one("scenario")
            }
            StartRefused::MixedBuilds(builds_there) => {
                builds(format!("The agents run different builds: {builds_there}"))
            }
            StartRefused::MixedVersions(versions) => builds(format!(
                "The agents run different versions of Greylag: {versions}"
            )),
            StartRefused::OtherBuild { .. }
            | StartRefused::UploadsOff
            | StartRefused::UploadsRefused { .. }
            | StartRefused::DataRefused { .. }
            | StartRefused::OtherPlatform { .. }
            | StartRefused::OtherWorkerProtocol { .. }
            | StartRefused::Build(_)
            | StartRefused::TooManyRuns
            | StartRefused::Store(_)
            | StartRefused::ShuttingDown => one(""),
        }
    }
}
