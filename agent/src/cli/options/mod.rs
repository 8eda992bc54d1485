//! Options that several subcommands have, and what their values mean.

mod age;
mod ca;
mod coordinator_access;
mod coordinator_url;
#[cfg_attr(
    not(feature = "coordinator"),
    expect(dead_code, reason = "nothing is kept where nothing runs")
)]
mod data_dir;
mod page_options;
mod run_id;
mod size;
mod test_options;

use greylag_infra::{DurationError, parse_whole_seconds};

pub(crate) use age::age;
pub(crate) use ca::{CaOption, trusting};
pub(crate) use coordinator_access::CoordinatorAccess;
pub(crate) use coordinator_url::coordinator_url;
#[cfg(feature = "coordinator")]
pub(crate) use data_dir::DEFAULT_DATA;
pub(crate) use data_dir::DataDir;
pub(crate) use page_options::PageOptions;
pub(crate) use run_id::run_id;
pub(crate) use size::size;
pub(crate) use test_options::{AskedTest, TestOptions};

/// Reads a duration in whole seconds.
pub(crate) fn seconds(text: &str) -> Result<u64, DurationError> {
    parse_whole_seconds(text)
}
