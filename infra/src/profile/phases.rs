//! In which seconds of a run the load rises, is steady, and falls.

use std::ops::Range;

use super::LoadProfile;
use crate::base::RunTime;

/// In which whole seconds of run time the load rises, is steady, and falls. Phases that have no whole second are missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Phases {
    /// From the start of the run until the load first stops rising: until it falls, or until the first stretch in which it does not
    /// change, and that is no short step on the way up (shorter than a tenth of the steady state). What comes between that and the
    /// steady state is of no phase.
    pub ramp_up: Option<Range<u32>>,
    /// The longest stretch in which the load does not change; of several that are as long, the first with the greatest
    /// load. Missing where the load changes all the time.
    pub steady: Option<Range<u32>>,
    /// From the end of the last stretch in which the load does not change, and that is no short step on the way down, to the end of
    /// the run, requests included that ended after the load did.
    pub ramp_down: Option<Range<u32>>,
}

/// Load shapes rise in small steps: a stretch that is shorter than the steady state by more than this factor is a step of the ramp-up.
const STEP_OF_A_RAMP: usize = 10;

/// A stretch in which the load does not change.
struct Plateau {
    from_us: u64,
    until_us: u64,
    /// Users, or iterations per second where there is an arrival rate.
    load: f64,
}

impl LoadProfile {
    /// The phases of a run of this profile that has been going for `elapsed`: the whole of it, with what is left of it, if
    /// it is over. The load is the arrival rate where there is one, else the number of users.
    pub fn phases(&self, elapsed: RunTime) -> Phases {
        let elapsed_s = seconds_up(elapsed.as_micros());
        let end_us = self.ends_at.min(elapsed).as_micros();
        let plateaus = self.plateaus(end_us).into_iter();
        let plateaus: Vec<(Range<u32>, f64)> = plateaus
            .map(|plateau| {
                let seconds = seconds_up(plateau.from_us)..seconds_down(plateau.until_us);
                (seconds, plateau.load)
            })
            .filter(|(seconds, load)| *load > 0.0 && !seconds.is_empty())
            .collect();
        let mut steady: Option<&(Range<u32>, f64)> = None;
        for plateau in &plateaus {
            let (seconds, load) = plateau;
            if steady.is_none_or(|(best, most)| (seconds.len(), *load) > (best.len(), *most)) {
                steady = Some(plateau);
            }
        }
        let falls_s = self
            .first_fall()
            .map_or(elapsed_s, |at| seconds_up(at.as_micros()));
        let Some((steady, _)) = steady.cloned() else {
            return Phases {
                ramp_up: some(0..falls_s.min(elapsed_s)),
                ..Phases::default()
            };
        };
        let is_step = |seconds: &Range<u32>| seconds.len() * STEP_OF_A_RAMP < steady.len();
        let mut long = plateaus.iter().map(|(seconds, _)| seconds);
        let first_s = long
            .find(|seconds| !is_step(seconds))
            .unwrap_or(&steady)
            .start;
        let last_s = long
            .rfind(|seconds| !is_step(seconds))
            .unwrap_or(&steady)
            .end;
        Phases {
            ramp_up: some(0..first_s.min(falls_s)),
            ramp_down: some(last_s.max(steady.end)..elapsed_s),
            steady: Some(steady),
        }
    }

    /// The changes of the load: when each begins, when its ramp is over, and to what.
    fn load_steps(&self) -> Vec<(RunTime, RunTime, f64)> {
        if self.has_arrivals() {
            let rates = self.rates.iter();
            rates
                .map(|step| (step.at, step.reached_at(), step.per_second))
                .collect()
        } else {
            let steps = self.steps.iter();
            steps
                .map(|step| (step.at, step.reached_at(), step.users as f64))
                .collect()
        }
    }

    /// The load at a time.
    fn load(&self) -> impl Fn(RunTime) -> f64 + '_ {
        let users = self.user_plan();
        move |at| {
            if self.has_arrivals() {
                self.rate_at(at)
            } else {
                users.users_at(at) as f64
            }
        }
    }

    /// When the load begins to fall for the first time.
    fn first_fall(&self) -> Option<RunTime> {
        let load_at = self.load();
        let steps = self.load_steps().into_iter().skip(1);
        let mut falls = steps.filter(|(at, _, target)| *target < load_at(at.just_before()));
        falls.next().map(|(at, ..)| at)
    }

    /// Where the load does not change, up to `end_us`, ascending. Neighbours have different loads, or a ramp between them.
    fn plateaus(&self, end_us: u64) -> Vec<Plateau> {
        let (steps, load_at) = (self.load_steps(), self.load());
        let mut plateaus: Vec<Plateau> = Vec::new();
        for (number, (at, reached, target)) in steps.iter().enumerate() {
            let until = steps.get(number + 1).map_or(RunTime::MAX, |next| next.0);
            let until_us = until.as_micros().min(end_us);
            let before = number
                .checked_sub(1)
                .map_or(0.0, |_| load_at(at.just_before()));
            // A step to the same number is not a ramp.
            let from = if before == *target { at } else { reached };
            let from_us = from.as_micros();
            if from_us >= until_us {
                continue;
            }
            let load = load_at(RunTime::from_micros(until_us).just_before());
            match plateaus.last_mut() {
                Some(last) if last.until_us == from_us && last.load == load => {
                    last.until_us = until_us
                }
                _ => plateaus.push(Plateau {
                    from_us,
                    until_us,
                    load,
                }),
            }
        }
        plateaus
    }
}

fn some(seconds: Range<u32>) -> Option<Range<u32>> {
    (!seconds.is_empty()).then_some(seconds)
}

fn seconds_up(us: u64) -> u32 {
    u32::try_from(us.div_ceil(1_000_000)).unwrap_or(u32::MAX)
}

fn seconds_down(us: u64) -> u32 {
    u32::try_from(us / 1_000_000).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{ProfileStep, RateStep};

    fn seconds(s: u64) -> RunTime {
        RunTime::from_micros(s * 1_000_000)
    }

    fn profile(steps: &[(u64, u64, u64)], ends_s: u64) -> LoadProfile {
        LoadProfile {
            steps: steps
                .iter()
                .map(|(at_s, users, over_s)| ProfileStep {
                    at: seconds(*at_s),
                    users: *users,
                    over_us: over_s * 1_000_000,
                })
                .collect(),
            ends_at: seconds(ends_s),
            ..LoadProfile::default()
        }
    }

    fn phases(profile: &LoadProfile, elapsed: RunTime) -> [Option<Range<u32>>; 3] {
        let phases = profile.phases(elapsed);
        [phases.ramp_up, phases.steady, phases.ramp_down]
    }

    #[test]
    fn a_ramp_comes_before_the_steady_state_and_late_answers_after_it() {
        let ramp = profile(&[(0, 10, 5)], 60);
        let over = RunTime::from_micros(60_200_000);
        assert_eq!(phases(&ramp, over), [Some(0..5), Some(5..60), Some(60..61)]);
        assert_eq!(phases(&ramp, seconds(30)), [Some(0..5), Some(5..30), None]);
        assert_eq!(phases(&ramp, seconds(3)), [Some(0..3), None, None]);
        let jump = profile(&[(0, 10, 0)], 60);
        assert_eq!(phases(&jump, seconds(60)), [None, Some(0..60), None]);
        let endless = profile(&[(0, 10, 90)], 60);
        assert_eq!(phases(&endless, seconds(60)), [Some(0..60), None, None]);
    }

    #[test]
    fn seconds_are_steady_as_a_whole() {
        let mut ramp = profile(&[(0, 10, 0)], 20);
        ramp.steps[0].over_us = 5_500_000;
        ramp.steps.push(ProfileStep {
            at: RunTime::from_micros(10_700_000),
            users: 5,
            over_us: 0,
        });
        let [up, steady, down] = phases(&ramp, RunTime::from_micros(20_500_000));
        assert_eq!(up, Some(0..6), "10 users stay shorter, but stay");
        assert_eq!(steady, Some(11..20));
        assert_eq!(down, Some(20..21));
    }

    #[test]
    fn of_several_plateaus_the_longest_is_the_steady_state_and_the_first_ends_the_ramp_up() {
        let up_and_down = profile(&[(0, 10, 5), (10, 50, 5), (45, 0, 5)], 50);
        assert_eq!(
            phases(&up_and_down, seconds(50)),
            [Some(0..5), Some(15..45), Some(45..50)],
            "the ramp-up ends at the first plateau"
        );
        let spike = profile(&[(0, 20, 10), (120, 400, 5), (150, 20, 5)], 270);
        assert_eq!(
            phases(&spike, seconds(270)),
            [Some(0..10), Some(155..270), None]
        );
        // Nothing rises while there is no load.
        let later = profile(&[(0, 0, 0), (20, 10, 5)], 60);
        assert_eq!(phases(&later, seconds(60))[0], Some(0..25));
        let first = profile(
            &[(0, 20, 0), (120, 400, 5), (150, 20, 5), (200, 0, 10)],
            210,
        );
        assert_eq!(
            phases(&first, seconds(210)),
            [None, Some(0..120), Some(200..210)],
            "the load goes on after the longest plateau"
        );
        // Without a plateau at its top.
        let peak = profile(&[(0, 400, 60), (60, 20, 30)], 200);
        assert_eq!(
            phases(&peak, seconds(200)),
            [Some(0..60), Some(90..200), None]
        );
        let triangle = profile(&[(0, 100, 60), (60, 0, 60)], 120);
        assert_eq!(phases(&triangle, seconds(120)), [Some(0..60), None, None]);
        // As load shapes rise.
        let steps: Vec<_> = (0..10).map(|step| (step * 2, 10 * (step + 1), 0)).collect();
        assert_eq!(
            phases(&profile(&steps, 60), seconds(60)),
            [Some(0..18), Some(18..60), None]
        );
        let longer: Vec<_> = steps
            .iter()
            .map(|(at, users, over)| (at * 5, *users, *over))
            .collect();
        assert_eq!(
            phases(&profile(&longer, 150), seconds(150)),
            [None, Some(90..150), None]
        );
        let equal = profile(&[(0, 10, 0), (20, 50, 0), (40, 20, 0)], 60);
        assert_eq!(phases(&equal, seconds(60))[1], Some(20..40));
    }

    #[test]
    fn steps_that_change_nothing_interrupt_nothing() {
        let each_second: Vec<_> = (0..30).map(|s| (s, 10, 1)).collect();
        let [_, steady, _] = phases(&profile(&each_second, 30), seconds(30));
        assert_eq!(steady, Some(1..30));
    }

    #[test]
    fn an_arrival_rate_is_the_load_where_there_is_one() {
        let mut rates = profile(&[(0, 10, 0)], 60);
        rates.rates = vec![RateStep {
            at: RunTime::ZERO,
            per_second: 200.0,
            over_us: 5_000_000,
        }];
        assert_eq!(phases(&rates, seconds(60)), [Some(0..5), Some(5..60), None]);
    }
}
