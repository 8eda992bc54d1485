//! What stands in for `served.rs` in a program without the feature `coordinator`: it cannot run a test by itself.

use greylag_infra::TestDraft;
use greylag_reporting::TraceUrl;
use greylag_scenarios::Scenario;

use crate::cli::failure::Failure;
use crate::cli::follow::{Following, Outcome};
use crate::cli::options::{DataDir, PageOptions};
use crate::cli::signals::Signals;

/// The page of this machine, which there cannot be.
pub(crate) enum LocalPage {
    /// Not served.
    Closed,
}

impl LocalPage {
    pub(crate) async fn of(_: &PageOptions, _: bool) -> Result<Self, Failure> {
        Ok(Self::Closed)
    }
}

/// Never made.
pub(crate) enum Local {}

impl Local {
    pub(crate) async fn start(
        _: DataDir,
        _: LocalPage,
        _: TestDraft,
        _: Option<TraceUrl>,
        _: Vec<Scenario>,
    ) -> Result<Self, Failure> {
        Err(Failure::bad_input(
            "this program was built without greylag's `coordinator` feature and cannot run a test by itself; \
             use --coordinator, or build it with that feature",
        ))
    }

    pub(crate) async fn run(
        &self,
        _: &TestDraft,
        _: &mut Following,
        _: &mut Signals,
    ) -> Result<Outcome, Failure> {
        match *self {}
    }

    pub(crate) async fn end_unless(self, _: &mut Signals) -> Result<(), Failure> {
        match self {}
    }

    pub(crate) async fn abandon(self) {
        match self {}
    }
}
