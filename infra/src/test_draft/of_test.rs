//! What to ask for so that a load test is asked for again.

use super::TestDraft;
use crate::base::StartTerms;
use crate::load_test::LoadTest;

impl From<&LoadTest> for TestDraft {
    /// What stages or a spawn rate say already is left out, because a draft may not say it twice.
    fn from(test: &LoadTest) -> Self {
        // Whole, so that a new field is not forgotten here.
        let LoadTest {
            name,
            host,
            users,
            ramp_up_s,
            duration_s,
            workers,
            infrastructure,
            scenario,
            stop_timeout_s,
            declared,
            spawn_rate,
            stages,
            arrival_rate,
            selection,
            options,
            client,
        } = test.clone();
        let is_staged = !stages.is_empty();
        let has_rates = stages.iter().any(|stage| stage.arrival_rate.is_some());
        let text = |text: String| Some(text).filter(|text| !text.is_empty());
        let list = |list: Vec<String>| Some(list).filter(|list| !list.is_empty());
        Self {
            name: text(name),
            host: text(host),
            users: (!is_staged || has_rates).then_some(users),
            ramp_up_s: (!is_staged && spawn_rate.is_none()).then_some(ramp_up_s),
            duration_s: (!is_staged).then_some(duration_s),
            workers: Some(workers),
            infrastructure: text(infrastructure),
            scenario: text(scenario),
            stop_timeout_s: Some(stop_timeout_s),
            spawn_rate,
            arrival_rate,
            stages,
            user_types: list(selection.user_types),
            tags: list(selection.tags),
            exclude_tags: list(selection.exclude_tags),
            equal_weights: Some(selection.equal_weights),
            options,
            declared,
            client,
            terms: StartTerms::default(),
        }
    }
}
