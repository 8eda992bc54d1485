//! Which scenario a load test means, and which users it has.

use greylag_infra::{
    DeclaredScenario, LinearRamp, LoadTest, PlannedStart, UserClass, WaitTime, users_of_worker,
};
use greylag_scenarios as scenarios;
use greylag_scenarios::Scenario;

/// The scenario of a load test: the declared one, or the compiled-in one of that name.
///
/// # Errors
/// A sentence, when the name is unknown here or the declared requests are wrong.
pub(crate) fn scenario_of(test: &LoadTest, compiled_in: &[Scenario]) -> Result<Scenario, String> {
    if let Some(declared) = &test.declared {
        return Scenario::declared(&test.scenario, convert(declared))
            .map_err(|error| error.to_string());
    }
    compiled_in
        .iter()
        .find(|scenario| scenario.name == test.scenario)
        .cloned()
        .ok_or_else(|| unknown_scenario(&test.scenario, compiled_in))
}

/// The sentence about a scenario that is not compiled in.
pub(crate) fn unknown_scenario(name: &str, compiled_in: &[Scenario]) -> String {
    let shown: String = name.chars().take(100).collect();
    format!(
        "scenario `{shown}` is unknown; compiled in are {}",
        names_of(compiled_in)
    )
}

/// The names of scenarios as a list for a sentence.
pub(crate) fn names_of(compiled_in: &[Scenario]) -> String {
    if compiled_in.is_empty() {
        return "none".to_owned();
    }
    let names: Vec<&str> = compiled_in
        .iter()
        .map(|scenario| scenario.name.as_str())
        .collect();
    names.join(", ")
}

/// The users of one worker of the run.
pub(crate) fn users_of(test: &LoadTest, scenario: &Scenario, worker: u32) -> Vec<PlannedStart> {
    let ramp = LinearRamp {
        users: test.users,
        ramp_up: test.ramp_up(),
    };
    users_of_worker(&classes_of(scenario), &ramp, test.workers, worker)
}

/// The user types of a scenario as classes to deal users from.
pub(crate) fn classes_of(scenario: &Scenario) -> Vec<UserClass> {
    scenario
        .user_types
        .iter()
        .map(|user_type| UserClass::weighted(user_type.name(), user_type.weight()))
        .collect()
}

fn convert(declared: &DeclaredScenario) -> scenarios::DeclaredScenario {
    scenarios::DeclaredScenario {
        requests: declared
            .requests
            .iter()
            .map(|request| scenarios::DeclaredRequest {
                method: request.method.clone(),
                path: request.path.clone(),
                name: request.name.clone(),
                weight: request.weight,
                headers: request.headers.clone(),
                body: request.body.clone(),
                expect_status: request.expect_status,
                expect_body: request.expect_body.clone(),
            })
            .collect(),
        wait_time: declared.wait_time.map(|wait_time| match wait_time {
            WaitTime::Constant(seconds) => scenarios::constant(seconds),
            WaitTime::Between(min, max) => scenarios::between(min, max),
        }),
    }
}
