//! The load profile that a scenario's own load shape makes.
//!
//! The shape is the scenario's code, so it runs on a thread of its own and has a limited time. It is asked
//! once, on the agent that has worker 0, before the run: everybody else is told what it said.

use std::time::Duration;

use greylag_infra::{LoadProfile, MAX_DURATION, ProfileStep};
use greylag_scenarios::{RunSettings, Scenario, ShapePlan};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::scenario_choice::shape_ceiling;
use crate::wall_clock::micros;

/// How long a shape may take to say everything.
const LONGEST: Duration = Duration::from_secs(30);

/// Asks the shape. With the profile comes a remark for the run's log, if there is one to make.
///
/// # Errors
/// A sentence: the shape cannot be run, or does not end where it must.
pub(super) async fn evaluate(
    scenario: Scenario,
    settings: RunSettings,
    test_duration: Duration,
) -> Result<(LoadProfile, Option<String>), String> {
    let name = scenario.name.clone();
    let ceiling = shape_ceiling(test_duration);
    // A thread that outlives the timeout is left behind; it has nothing to tell any more.
    let asked = spawn_blocking(move || scenario.evaluate_shape(ceiling, &settings));
    match timeout(LONGEST, asked).await {
        Ok(Ok(Ok(plan))) => profile_of(&plan, ceiling, &name),
        Ok(Ok(Err(error))) => Err(format!("scenario `{name}`: {error}")),
        Ok(Err(_)) => Err(format!("the load shape of scenario `{name}` panicked")),
        Err(_) => Err(format!(
            "the load shape of scenario `{name}` was not computed within {} s; its tick() must not block",
            LONGEST.as_secs()
        )),
    }
}

fn profile_of(
    plan: &ShapePlan,
    ceiling: Duration,
    name: &str,
) -> Result<(LoadProfile, Option<String>), String> {
    let (ends_at, remark) = match plan.ended_at {
        Some(ended_at) => (ended_at, None),
        None if ceiling >= MAX_DURATION => {
            return Err(format!(
                "the load shape of scenario `{name}` does not end within {} days; return None from tick() at its end or give a duration",
                MAX_DURATION.as_secs() / 86_400
            ));
        }
        None => {
            let remark = format!(
                "the load shape lasts longer than the duration of {}s and is cut off there",
                ceiling.as_secs()
            );
            (ceiling, Some(remark))
        }
    };
    let profile = LoadProfile {
        steps: plan
            .changes
            .iter()
            .map(|change| ProfileStep {
                at_us: micros(change.at),
                users: change.users,
                over_us: micros(change.over),
            })
            .collect(),
        rates: Vec::new(),
        ends_at_us: micros(ends_at),
    };
    profile
        .check()
        .map_err(|error| format!("the load shape of scenario `{name}` cannot be run: {error}"))?;
    Ok((profile, remark))
}

#[cfg(test)]
mod tests {
    use greylag_scenarios::{LoadShape, ShapeTick, ShapeTime};

    use super::*;

    /// So many users as there are seconds, until it ends after so many seconds.
    struct Stairs {
        seconds: Option<u64>,
    }

    impl LoadShape for Stairs {
        fn tick(&mut self, now: &ShapeTime) -> Option<ShapeTick> {
            let second = now.run_time.as_secs();
            if self.seconds.is_some_and(|seconds| second >= seconds) {
                return None;
            }
            Some(ShapeTick::users((second + 1).min(4)).spawn_rate(2.0))
        }
    }

    fn stairs(seconds: Option<u64>) -> Scenario {
        Scenario::new("stairs").shape(move || Stairs { seconds })
    }

    async fn evaluated(
        scenario: Scenario,
        duration_s: u64,
    ) -> Result<(LoadProfile, Option<String>), String> {
        evaluate(
            scenario,
            RunSettings::default(),
            Duration::from_secs(duration_s),
        )
        .await
    }

    #[tokio::test]
    async fn a_shape_becomes_a_profile() {
        let (profile, remark) = evaluated(stairs(Some(6)), 0).await.unwrap();
        let steps: Vec<_> = profile
            .steps
            .iter()
            .map(|step| (step.at_us / 1_000_000, step.users, step.over_us))
            .collect();
        assert_eq!(
            steps,
            [
                (0, 1, 500_000),
                (1, 2, 500_000),
                (2, 3, 500_000),
                (3, 4, 500_000)
            ]
        );
        assert_eq!((profile.ends_at_us, remark), (6_000_000, None));
    }

    #[tokio::test]
    async fn a_shape_is_cut_at_the_duration_and_this_is_said() {
        let (profile, remark) = evaluated(stairs(None), 3).await.unwrap();
        assert_eq!((profile.steps.len(), profile.ends_at_us), (3, 3_000_000));
        assert_eq!(
            remark.unwrap(),
            "the load shape lasts longer than the duration of 3s and is cut off there"
        );
    }

    #[tokio::test]
    async fn a_shape_that_never_ends_is_refused() {
        let reason = evaluated(stairs(None), 0).await.unwrap_err();
        assert_eq!(
            reason,
            "the load shape of scenario `stairs` does not end within 30 days; return None from tick() at its end or give a duration"
        );
        assert!(
            evaluated(stairs(None), MAX_DURATION.as_secs())
                .await
                .is_err(),
            "the greatest ceiling is none"
        );
    }

    #[tokio::test]
    async fn a_panic_and_an_absence_are_sentences() {
        struct Faulty;
        impl LoadShape for Faulty {
            fn tick(&mut self, _: &ShapeTime) -> Option<ShapeTick> {
                panic!("no idea")
            }
        }
        let faulty = Scenario::new("faulty").shape(|| Faulty);
        let reason = evaluated(faulty, 5).await.unwrap_err();
        assert!(
            reason.contains("`faulty`") && reason.contains("no idea"),
            "{reason}"
        );
        assert!(evaluated(Scenario::new("none"), 5).await.is_err());
    }
}
