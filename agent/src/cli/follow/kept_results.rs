//! Where the results of a run are when the command that followed it has ended.

use std::path::PathBuf;

use greylag_reporting::RunStarted;

use crate::cli::api_client::ApiClient;

/// Where they are kept.
#[derive(Debug, Clone, Default)]
pub(crate) enum KeptResults {
    /// On the coordinator that was asked to run the test.
    #[default]
    OnCoordinator,
    /// In this directory; its coordinator ends with the command.
    #[cfg_attr(
        not(feature = "coordinator"),
        expect(dead_code, reason = "what has no coordinator runs no test by itself")
    )]
    In(PathBuf),
}

impl KeptResults {
    /// The address of the run's page, if it can be looked at later.
    pub(super) fn page(&self, api: &ApiClient, run: &RunStarted) -> Option<String> {
        match self {
            Self::OnCoordinator => Some(api.page_of(run)),
            Self::In(_) => None,
        }
    }

    /// Where, with how to see them: `the results are kept …`.
    pub(super) fn place(&self, api: &ApiClient, run: &RunStarted) -> String {
        match self {
            Self::OnCoordinator => format!("the results are kept at {}", api.page_of(run)),
            Self::In(directory) => {
                let directory = directory.display();
                format!(
                    "the results are kept in {directory}; `greylag serve --data {directory}` shows them"
                )
            }
        }
    }

    /// How files of the run can still be had.
    pub(super) fn export(&self, run: &RunStarted) -> String {
        let export = format!("`greylag export {}`", run.id);
        match self {
            Self::OnCoordinator => format!("The results are kept; {export} writes them to files"),
            Self::In(directory) => {
                let directory = directory.display();
                format!(
                    "The results are kept in {directory}: start `greylag coordinator --data {directory}`, then {export} writes them to files"
                )
            }
        }
    }
}
