//! What a load test may be but is seldom meant to be.

use std::time::Duration;

use super::LoadTest;
use crate::base::{RunTime, format_duration};
use crate::profile::{LoadProfile, UserPlan};

impl LoadTest {
    /// What is allowed and worth knowing before the run: ramps that do not end in time. Messages for people, for a
    /// test that [`LoadTest::check`] finds valid and whose load does not come from a load shape in code.
    pub fn warnings(&self) -> Vec<String> {
        let profile = self.profile();
        let plan = profile.user_plan();
        if self.stages.is_empty() {
            let ramp = Ramp {
                of: String::new(),
                takes: self.ramp_up(),
                from_s: 0,
                for_s: self.duration_s,
                until: "the run ends",
                users: Some(self.users),
                rate: self.arrival_rate,
            };
            return ramp.warning(&profile, &plan).into_iter().collect();
        }
        let (mut at_s, mut before) = (0_u64, 0);
        let mut warnings = Vec::new();
        for (number, stage) in (1_usize..).zip(&self.stages) {
            let ramp = Ramp {
                of: format!(" of stage {number}"),
                takes: stage.ramp(before),
                from_s: at_s,
                for_s: stage.duration_s,
                until: "the stage ends",
                users: stage.users,
                rate: stage.arrival_rate,
            };
            warnings.extend(ramp.warning(&profile, &plan));
            at_s = at_s.saturating_add(stage.duration_s);
            before = plan.users_at(RunTime::from(Duration::from_secs(at_s)).just_before());
        }
        warnings
    }
}

/// A ramp of the run or of a stage.
struct Ramp {
    of: String,
    takes: Duration,
    from_s: u64,
    /// How long the run or the stage lasts.
    for_s: u64,
    until: &'static str,
    users: Option<u64>,
    rate: Option<f64>,
}

impl Ramp {
    /// About a ramp that does not end in time.
    fn warning(&self, profile: &LoadProfile, plan: &UserPlan) -> Option<String> {
        if self.takes <= Duration::from_secs(self.for_s) {
            return None;
        }
        let end_s = self.from_s.saturating_add(self.for_s);
        let last = RunTime::from(Duration::from_secs(end_s)).just_before();
        let reached = match (self.rate, self.users) {
            (Some(rate), _) => format!(
                "it reaches {:.1} iterations per second instead of {rate}",
                profile.rate_at(last)
            ),
            (None, Some(users)) => {
                let reached = plan.users_at(last);
                // The last user of a ramp starts before its end, so that all may be there.
                if reached == users {
                    return None;
                }
                format!("it reaches {reached} users instead of {users}")
            }
            (None, None) => return None,
        };
        // In whole seconds, and never shorter than it is.
        let in_part = u64::from(self.takes.subsec_nanos() > 0);
        let takes = Duration::from_secs(self.takes.as_secs().saturating_add(in_part));
        Some(format!(
            "The ramp{} takes {} but {} after {}: {reached}.",
            self.of,
            format_duration(takes),
            self.until,
            format_duration(Duration::from_secs(self.for_s))
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load_test::Stage;

    fn test(users: u64, spawn_rate: Option<f64>, ramp_up_s: u64, duration_s: u64) -> LoadTest {
        LoadTest {
            name: "t".into(),
            host: "http://a".into(),
            users,
            spawn_rate,
            ramp_up_s,
            duration_s,
            workers: 1,
            ..LoadTest::default()
        }
    }

    #[test]
    fn a_ramp_in_which_all_users_start_is_in_order() {
        for test in [
            test(1, Some(0.1), 0, 3),
            test(10, Some(1.0), 0, 10),
            // The last of 4 starts at 3 s.
            test(4, Some(1.0), 0, 4),
            test(10, None, 10, 10),
            test(2, None, 15, 10),
            test(10, None, 0, 10),
        ] {
            assert_eq!(test.check(), Ok(()));
            assert_eq!(test.warnings(), Vec::<String>::new(), "{test:?}");
            let last = RunTime::from(test.duration()).just_before();
            assert_eq!(test.profile().users_at(last), test.users);
        }
    }

    #[test]
    fn a_ramp_that_does_not_end_is_allowed_with_a_warning() {
        let slow = test(10, Some(0.5), 0, 10);
        assert_eq!(slow.check(), Ok(()));
        assert_eq!(
            slow.warnings(),
            ["The ramp takes 20s but the run ends after 10s: it reaches 5 users instead of 10."]
        );
        let slow = test(10, None, 60, 30);
        assert_eq!(slow.check(), Ok(()));
        assert!(slow.warnings()[0].contains("takes 1m but the run ends after 30s: it reaches 5"));
        let arrivals = LoadTest {
            arrival_rate: Some(40.0),
            ..test(10, None, 20, 10)
        };
        assert_eq!(arrivals.check(), Ok(()));
        assert!(
            arrivals.warnings()[0].contains("it reaches 20.0 iterations per second instead of 40")
        );
    }

    #[test]
    fn the_stage_after_a_ramp_that_did_not_end_begins_where_it_is() {
        let stage = |users, spawn_rate, duration_s| Stage {
            users: Some(users),
            spawn_rate: Some(spawn_rate),
            duration_s,
            ..Stage::default()
        };
        let test = LoadTest {
            stages: vec![stage(100, 1.0, 10), stage(0, 1.0, 20)],
            ..test(0, None, 0, 0)
        };
        assert_eq!(test.check(), Ok(()));
        assert_eq!(
            test.warnings(),
            [
                "The ramp of stage 1 takes 1m 40s but the stage ends after 10s: it reaches 10 users instead of 100."
            ]
        );
        let profile = test.profile();
        let at = |s: u64| profile.users_at(Duration::from_secs(s).into());
        // One user a second goes as one a second came.
        assert_eq!((at(5), at(9), at(10), at(15), at(19)), (6, 10, 9, 4, 0));
    }
}
