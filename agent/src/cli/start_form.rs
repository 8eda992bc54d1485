//! What the command line of `serve` says, as texts for the page's start form.

use std::collections::BTreeMap;

use greylag_infra::{ClientSettings, TestDraft};
use greylag_reporting::web::option_field;
use greylag_scenarios::Scenario;

use super::LOCAL_INFRASTRUCTURE;
use super::failure::Failure;
use super::settings::Sources;
use super::test_options::TestOptions;
use crate::scenario_choice::unknown_scenario;

/// The texts of the form's fields, by their names; only of what was given.
///
/// # Errors
/// The test is wrong, or says what the form has no field for.
pub(super) fn start_form_of(
    given: &TestOptions,
    custom: BTreeMap<String, String>,
    sources: &Sources,
    scenarios: &[Scenario],
) -> Result<BTreeMap<String, String>, Failure> {
    let (file, asked) = given.ask_with_file(custom, sources)?;
    refuse_what_has_no_field(given, &file)?;
    let test = &asked.test;
    let known = scenarios
        .iter()
        .find(|scenario| scenario.name == test.scenario)
        .or(scenarios.first().filter(|_| test.scenario.is_empty()));
    if known.is_none() && !test.scenario.is_empty() {
        return Err(Failure::bad_input(unknown_scenario(
            &test.scenario,
            scenarios,
        )));
    }
    if test.infrastructure != LOCAL_INFRASTRUCTURE {
        return Err(Failure::bad_input(format!(
            "`serve` runs tests on this machine; leave infrastructure `{}` out, or use `greylag coordinator`",
            test.infrastructure
        )));
    }
    let durations = [
        ("ramp_up", given.ramp_up.or(file.ramp_up_s)),
        ("duration", given.duration.or(file.duration_s)),
        ("stop_timeout", given.stop_timeout.or(file.stop_timeout_s)),
    ];
    let numbers = [
        ("users", given.users.or(file.users).map(|n| n.to_string())),
        (
            "workers",
            (given.workers.is_some() || file.workers.is_some()).then(|| test.workers.to_string()),
        ),
        ("spawn_rate", test.spawn_rate.map(|n| n.to_string())),
        ("arrival_rate", test.arrival_rate.map(|n| n.to_string())),
    ];
    let selection = &test.selection;
    let lists = [
        ("user_types", &selection.user_types),
        ("tags", &selection.tags),
        ("exclude_tags", &selection.exclude_tags),
    ];
    let texts = [
        ("host", test.host.clone()),
        ("name", test.name.clone()),
        ("scenario", test.scenario.clone()),
    ];
    let mut form: BTreeMap<String, String> = durations
        .into_iter()
        .filter_map(|(name, seconds)| Some((name, format!("{}s", seconds?))))
        .chain(
            numbers
                .into_iter()
                .filter_map(|(name, text)| Some((name, text?))),
        )
        .chain(
            lists
                .into_iter()
                .map(|(name, list)| (name, list.join(", "))),
        )
        .chain(texts)
        .filter(|(_, text)| !text.is_empty())
        .map(|(name, text)| (name.to_owned(), text))
        .collect();
    if selection.equal_weights {
        form.insert("equal_weights".to_owned(), "on".to_owned());
    }
    if let Some(scenario) = known {
        add_options(&mut form, scenario, &test.options)?;
    }
    Ok(form)
}

/// Names everything in a test file that the form cannot show, and the two ways to run such a test.
fn refuse_what_has_no_field(given: &TestOptions, file: &TestDraft) -> Result<(), Failure> {
    let parts = [
        ("[[request]]", file.declared.is_some()),
        ("[[stage]]", !file.stages.is_empty()),
        ("[client]", file.client != ClientSettings::default()),
    ];
    let tables: Vec<_> = parts
        .into_iter()
        .filter_map(|(table, is_there)| is_there.then_some(table))
        .collect();
    if tables.is_empty() {
        return Ok(());
    }
    let path = given.file_shown();
    Err(Failure::bad_input(format!(
        "{path} has {} tables, which the page's start form has no fields for. Either `run {path}` starts the test immediately and serves its page; or leave the file out here, and start the test from another terminal with `run {path} --infrastructure {LOCAL_INFRASTRUCTURE} --coordinator URL`, where URL is the address that `serve` prints",
        tables.join(" and ")
    )))
}

fn add_options(
    form: &mut BTreeMap<String, String>,
    scenario: &Scenario,
    options: &BTreeMap<String, String>,
) -> Result<(), Failure> {
    scenario
        .check_options(options)
        .map_err(Failure::bad_input)?;
    for (name, value) in options {
        let declared = scenario.options.iter().find(|option| option.name == *name);
        if declared.is_some_and(|option| option.secret) {
            eprintln!(
                "warning: option `{name}` is secret and is not written into the page; enter it there"
            );
        } else {
            form.insert(option_field(&scenario.name, name), value.clone());
        }
    }
    Ok(())
}
