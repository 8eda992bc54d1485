//! What stands in for `local.rs` in a program without the feature `coordinator`: it cannot run a test by itself.

use greylag_infra::{LoadTest, TestDraft};
use greylag_scenarios::Scenario;

use super::data_dir::DataDir;
use super::failure::Failure;
use super::follow::{Following, Outcome};
use super::page_options::PageOptions;
use super::signals::Signals;

/// The page of this machine, which there cannot be.
pub(super) enum LocalPage {
    /// Not served.
    Closed,
}

impl LocalPage {
    pub(super) async fn of(_: &PageOptions, _: bool) -> Result<Self, Failure> {
        Ok(Self::Closed)
    }
}

/// Never made.
pub(super) enum Local {}

impl Local {
    pub(super) async fn start(
        _: DataDir,
        _: LocalPage,
        _: TestDraft,
        _: Vec<Scenario>,
    ) -> Result<Self, Failure> {
        Err(Failure::bad_input(
            "this program was built without the feature `coordinator` of greylag and cannot run a test by itself; \
             name a coordinator with --coordinator, or build it with that feature",
        ))
    }

    pub(super) async fn run(
        &self,
        _: &LoadTest,
        _: &mut Following,
        _: &mut Signals,
    ) -> Result<Outcome, Failure> {
        match *self {}
    }

    pub(super) async fn end_unless(self, _: &mut Signals) -> Result<(), Failure> {
        match self {}
    }

    pub(super) async fn abandon(self) {
        match self {}
    }
}
