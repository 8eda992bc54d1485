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

    /// Where to look for a run of which it is not known whether it was started.
    pub(crate) fn look(&self, api: &ApiClient) -> String {
        match self {
            Self::OnCoordinator => {
                let coordinator = api.page("");
                format!("`greylag runs --coordinator {coordinator}` lists it then")
            }
            Self::In(directory) => {
                let directory = directory.display();
                format!("`greylag serve --data {directory}` lists it then, with what was measured")
            }
        }
    }

    /// How files of the run can still be had.
    pub(super) fn export(&self, api: &ApiClient, run: &RunStarted) -> String {
        let export = format!("greylag export {}", run.id);
        match self {
            Self::OnCoordinator => {
                let coordinator = api.page("");
                format!(
                    "The results are kept; `{export} --coordinator {coordinator}` writes them to files"
                )
            }
            Self::In(directory) => {
                let directory = directory.display();
                format!(
                    "The results are kept in {directory}: start `greylag coordinator --data {directory}`, then `{export}` writes them to files"
                )
            }
        }
    }
}

#[cfg(all(test, feature = "coordinator"))]
mod tests {
    use super::*;

    #[test]
    fn what_ends_with_the_command_is_no_longer_named() {
        let api = ApiClient::new("http://127.0.0.1:9".parse().unwrap(), None, None).unwrap();
        let run = RunStarted {
            id: "abc123".into(),
            number: 1,
            url: "/runs/abc123".to_owned(),
            page: None,
            warnings: Vec::new(),
        };
        let kept = KeptResults::OnCoordinator;
        let page = "http://127.0.0.1:9/runs/abc123";
        assert_eq!(kept.page(&api, &run).as_deref(), Some(page));
        assert!(kept.place(&api, &run).contains(page));
        let coordinator = "--coordinator http://127.0.0.1:9`";
        let export = kept.export(&api, &run);
        let command = format!("`greylag export abc123 {coordinator}");
        assert!(export.contains(&command), "{export}");
        let look = kept.look(&api);
        assert!(look.contains(&format!("`greylag runs {coordinator}")));
        let local = KeptResults::In("here".into());
        assert_eq!(local.page(&api, &run), None);
        let place = local.place(&api, &run);
        assert!(!place.contains("http") && place.contains("`greylag serve --data here`"));
        let look = local.look(&api);
        assert!(look.contains("`greylag serve --data here`"), "{look}");
        let export = local.export(&api, &run);
        let start = "start `greylag coordinator --data here`, then `greylag export abc123`";
        assert!(export.contains(start), "{export}");
    }
}
