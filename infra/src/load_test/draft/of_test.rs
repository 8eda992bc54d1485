//! What to ask for so that a load test is asked for again.

use super::TestDraft;
use crate::load_test::{LoadTest, WorkerCount, threshold_texts};

impl From<&LoadTest> for TestDraft {
    /// What stages or a spawn rate say already is left out, because a draft may not say it twice.
    fn from(test: &LoadTest) -> Self {
        let is_staged = !test.stages.is_empty();
        Self {
            users: (!is_staged || test.has_rate_stages()).then_some(test.users),
            ramp_up: (!is_staged && test.spawn_rate.is_none()).then_some(test.ramp_up_s),
            duration: (!is_staged).then_some(test.duration_s),
            workers: Some(match test.auto_workers {
                true => WorkerCount::Auto,
                false => WorkerCount::Exactly(test.workers),
            }),
            stop_timeout: Some(test.stop_timeout_s),
            agents_timeout: Some(test.fleet.agents_timeout_s),
            thresholds: threshold_texts(test),
            spawn_rate: test.spawn_rate,
            arrival_rate: test.arrival_rate,
            stages: test.stages.clone(),
            options: test.options.clone(),
            declared: test.declared.clone(),
            client: test.client.clone(),
            build: test.build.as_ref().map(|build| build.sha256.clone()),
            data: test
                .build
                .as_ref()
                .map(|build| build.data.clone())
                .unwrap_or_default(),
            ..Self::of_places(test)
        }
    }
}
