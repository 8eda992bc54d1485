//! The load profile that a scenario's own load shape makes.
//!
//! The shape is the scenario's code, so it runs on a thread of its own and has a limited time. It is asked
//! once, where worker 0 is, before the run: the others get the profile.

use std::time::Duration;

use greylag_infra::{LoadProfile, MAX_DURATION, ProfileError, ProfileStep, micros};
use greylag_scenarios::{RunSettings, Scenario, ShapeError, ShapePlan};
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::choice::{ChoiceError, shape_ceiling};

/// How long a shape may take to say everything.
const LONGEST: Duration = Duration::from_secs(30);

/// What a load shape asks for.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ShapedLoad {
    pub(crate) profile: LoadProfile,
    /// What the run's log says about it, if anything.
    pub(crate) remark: Option<String>,
}

/// Why a load shape cannot be run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadShapeError {
    #[error(transparent)]
    Settings(#[from] ChoiceError),
    #[error("scenario `{scenario}`: {source}")]
    Shape {
        scenario: String,
        source: ShapeError,
    },
    #[error("the load shape of scenario `{scenario}` panicked")]
    Panicked { scenario: String },
    #[error(
        "the load shape of scenario `{scenario}` was not computed within {} s; its tick() must not block",
        LONGEST.as_secs()
    )]
    TooSlow { scenario: String },
    #[error(
        "the load shape of scenario `{scenario}` does not end within {} days; return None from tick() at its end or give a duration",
        MAX_DURATION.as_secs() / 86_400
    )]
    Endless { scenario: String },
    #[error("the load shape of scenario `{scenario}` cannot be run: {source}")]
    Profile {
        scenario: String,
        source: ProfileError,
    },
}

/// Asks the shape.
///
/// # Errors
/// The shape cannot be run, or does not end where it must.
pub(crate) async fn evaluate_shape(
    scenario: Scenario,
    settings: RunSettings,
    test_duration: Duration,
) -> Result<ShapedLoad, LoadShapeError> {
    let name = scenario.name.clone();
    let ceiling = shape_ceiling(test_duration);
    // A thread that outlives the timeout is abandoned; it has nothing left to report.
    let asked = spawn_blocking(move || scenario.evaluate_shape(ceiling, &settings));
    match timeout(LONGEST, asked).await {
        Ok(Ok(Ok(plan))) => load_of(&plan, ceiling, name),
        Ok(Ok(Err(source))) => Err(LoadShapeError::Shape {
            scenario: name,
            source,
        }),
        Ok(Err(_)) => Err(LoadShapeError::Panicked { scenario: name }),
        Err(_) => Err(LoadShapeError::TooSlow { scenario: name }),
    }
}

fn load_of(
    plan: &ShapePlan,
    ceiling: Duration,
    scenario: String,
) -> Result<ShapedLoad, LoadShapeError> {
    let (ends_at, remark) = match plan.ended_at {
        Some(ended_at) => (ended_at, None),
        None if ceiling >= MAX_DURATION => {
            return Err(LoadShapeError::Endless { scenario });
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
                at: change.at.into(),
                users: change.users,
                over_us: micros(change.over),
            })
            .collect(),
        rates: Vec::new(),
        ends_at: ends_at.into(),
        ..LoadProfile::default()
    };
    match profile.check() {
        Ok(()) => Ok(ShapedLoad { profile, remark }),
        Err(source) => Err(LoadShapeError::Profile { scenario, source }),
    }
}

#[cfg(test)]
mod tests {
    use greylag_infra::RunTime;

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

    async fn evaluated(scenario: Scenario, duration_s: u64) -> Result<ShapedLoad, LoadShapeError> {
        evaluate_shape(
            scenario,
            RunSettings::default(),
            Duration::from_secs(duration_s),
        )
        .await
    }

    #[tokio::test]
    async fn a_shape_becomes_a_profile() {
        let ShapedLoad { profile, remark } = evaluated(stairs(Some(6)), 0).await.unwrap();
        let steps: Vec<_> = profile
            .steps
            .iter()
            .map(|step| (step.at.second(), step.users, step.over_us))
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
        assert_eq!((profile.ends_at, remark), (RunTime::of_second(6), None));
    }

    #[tokio::test]
    async fn a_shape_is_cut_at_the_duration_and_this_is_said() {
        let ShapedLoad { profile, remark } = evaluated(stairs(None), 3).await.unwrap();
        assert_eq!(
            (profile.steps.len(), profile.ends_at),
            (3, RunTime::of_second(3))
        );
        assert_eq!(
            remark.unwrap(),
            "the load shape lasts longer than the duration of 3s and is cut off there"
        );
    }

    #[tokio::test]
    async fn a_shape_that_never_ends_is_refused() {
        let error = evaluated(stairs(None), 0).await.unwrap_err();
        assert_eq!(
            error.to_string(),
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
    async fn a_panic_and_an_absence_are_errors() {
        struct Faulty;
        impl LoadShape for Faulty {
            fn tick(&mut self, _: &ShapeTime) -> Option<ShapeTick> {
                panic!("no idea")
            }
        }
        let faulty = Scenario::new("faulty").shape(|| Faulty);
        let reason = evaluated(faulty, 5).await.unwrap_err().to_string();
        assert!(
            reason.contains("`faulty`") && reason.contains("no idea"),
            "{reason}"
        );
        assert!(evaluated(Scenario::new("none"), 5).await.is_err());
    }
}
