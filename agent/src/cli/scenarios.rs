//! `greylag scenarios`: what is compiled in.

use greylag_scenarios::Scenario;

use super::say;

/// Lists scenarios with their user types.
pub(super) fn list(scenarios: &[Scenario]) {
    if scenarios.is_empty() {
        say("No scenarios are compiled in; a test file can declare requests (greylag run FILE).");
    }
    for scenario in scenarios {
        if scenario.description.is_empty() {
            say(&scenario.name);
        } else {
            say(format_args!("{}: {}", scenario.name, scenario.description));
        }
        for user_type in &scenario.user_types {
            say(format_args!(
                "    {} (weight {})",
                user_type.name(),
                user_type.weight()
            ));
        }
    }
}
