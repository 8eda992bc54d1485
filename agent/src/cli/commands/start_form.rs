//! What the command line of `serve` says, as a draft for the page's start form.

use std::collections::BTreeMap;

use greylag_infra::TestDraft;
use greylag_scenarios::Scenario;

use crate::cli::failure::Failure;
use crate::cli::local::LOCAL_INFRASTRUCTURE;
use crate::cli::options::{AskedTest, TestOptions};
use crate::cli::settings::Sources;
use crate::scenario::{unknown_scenario, whole_scenario_info};

/// What was given, by flags over the test file, without defaults. Secrets are in it; the page does not show them.
///
/// # Errors
/// The test is wrong.
pub(crate) fn start_form_of(
    given: &TestOptions,
    custom: BTreeMap<String, String>,
    sources: &Sources,
    scenarios: &[Scenario],
) -> Result<TestDraft, Failure> {
    let AskedTest { mut draft, .. } = given.ask(custom, sources)?;
    if let Some(other) = draft.infrastructure.take()
        && other != LOCAL_INFRASTRUCTURE
    {
        return Err(Failure::bad_input(format!(
            "`serve` runs tests on this machine; leave infrastructure `{other}` out, or use `greylag coordinator`"
        )));
    }
    if draft.declared.is_none() {
        check_scenario(&mut draft, scenarios)?;
    }
    Ok(draft)
}

/// Options belong to the first scenario unless another is named.
fn check_scenario(draft: &mut TestDraft, scenarios: &[Scenario]) -> Result<(), Failure> {
    let known = match &draft.scenario {
        None => scenarios.first(),
        Some(name) => {
            let known = scenarios.iter().find(|scenario| scenario.name == *name);
            Some(known.ok_or_else(|| Failure::bad_input(unknown_scenario(name, scenarios)))?)
        }
    };
    let Some(known) = known else {
        return Ok(());
    };
    whole_scenario_info(known)
        .check_options(&draft.options)
        .map_err(Failure::bad_input)?;
    if !draft.options.is_empty() {
        draft.scenario = Some(known.name.clone());
    }
    for name in draft.options.keys() {
        let declared = known.options.iter().find(|option| option.name == *name);
        if declared.is_some_and(|option| option.secret) {
            eprintln!(
                "warning: option `{name}` is secret and is not written into the page; enter it there"
            );
        }
    }
    Ok(())
}
