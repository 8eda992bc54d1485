//! What is kept of the scenarios an agent names: a hello may be as large as a frame, and every page shows them.

use crate::load_test::MAX_OPTIONS;
use crate::protocol::{
    MAX_NAME_BYTES as MAX_TEXT_BYTES, OptionInfo, ScenarioInfo, UserTypeInfo, cut,
};

/// Most scenarios kept of one agent.
pub(super) const MAX_SCENARIOS: usize = 1_000;
/// Most user types, tags, or choices of an option kept of one scenario.
pub(super) const MAX_SCENARIO_PARTS: usize = 1_000;

pub(super) fn kept_scenarios(named: &[ScenarioInfo]) -> Vec<ScenarioInfo> {
    let kept = named.iter().take(MAX_SCENARIOS);
    kept.map(|scenario| ScenarioInfo {
        name: kept_text(&scenario.name),
        description: kept_text(&scenario.description),
        user_types: kept_parts(&scenario.user_types, kept_user_type),
        tags: kept_parts(&scenario.tags, |tag| kept_text(tag)),
        options: scenario
            .options
            .iter()
            .take(MAX_OPTIONS)
            .map(kept_option)
            .collect(),
        has_shape: scenario.has_shape,
    })
    .collect()
}

fn kept_user_type(named: &UserTypeInfo) -> UserTypeInfo {
    UserTypeInfo {
        name: kept_text(&named.name),
        // What is no number is unequal to itself and would look like news for ever.
        weight: if named.weight.is_finite() {
            named.weight
        } else {
            0.0
        },
        fixed_count: named.fixed_count,
        host: named.host.as_deref().map(kept_text),
    }
}

fn kept_option(named: &OptionInfo) -> OptionInfo {
    OptionInfo {
        name: kept_text(&named.name),
        kind: named.kind,
        default: if named.secret {
            String::new()
        } else {
            kept_text(&named.default)
        },
        help: kept_text(&named.help),
        secret: named.secret,
        choices: kept_parts(&named.choices, |choice| kept_text(choice)),
    }
}

fn kept_parts<T, U>(named: &[T], keep: impl Fn(&T) -> U) -> Vec<U> {
    named.iter().take(MAX_SCENARIO_PARTS).map(keep).collect()
}

fn kept_text(text: &str) -> String {
    cut(text, MAX_TEXT_BYTES).into_owned()
}
