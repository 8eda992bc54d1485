//! In which seconds of a run the load rises, is steady, and falls.

use std::ops::Range;

use super::LoadProfile;
use crate::base::RunTime;

/// In which whole seconds of run time the load rises, is steady, and falls. Phases that have no whole second are missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Phases {
    /// From the start of the run until the load first stops rising: until it falls, or until the first stretch in which it does not
    /// change. Short steps on the way up belong to it: those of at most 10 s, and less than a tenth of the steady state, before a
    /// higher one. What comes between that and the steady state is of no phase.
    pub ramp_up: Option<Range<u32>>,
    /// The longest stretch in which the load does not change; of several that are as long, the first with the greatest
    /// load. Missing where the load changes all the time.
    pub steady: Option<Range<u32>>,
    /// What comes after the steady state from where the load only falls, to the end of the run, requests included that ended after the
    /// load did.
    pub ramp_down: Option<Range<u32>>,
}

/// Load shapes rise in small steps, each of which is a plateau. Such a step takes at most so many seconds.
const MAX_STEP_S: usize = 10;
/// And the steady state takes more than so many times as long.
const STEPS_IN_STEADY: usize = 10;

/// Which way the load begins to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Up,
    Down,
}

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
    ///
    /// Where the ramp-up ends is as planned, so that it does not move while the run goes on or where it ends early.
    pub fn phases(&self, elapsed: RunTime) -> Phases {
        let elapsed_s = seconds_up(elapsed.as_micros());
        let ramp_up_s = self.as_planned().ramp_up_s().min(elapsed_s);
        let ramp_up = some(0..ramp_up_s);
        let mut plateaus = self.whole_seconds(self.ends_at.min(elapsed).as_micros());
        plateaus.retain(|(seconds, _)| seconds.start >= ramp_up_s);
        let Some(steady) = longest(&plateaus) else {
            return Phases {
                ramp_up,
                ..Phases::default()
            };
        };
        let falls_s = seconds_down(self.falls_from().as_micros());
        Phases {
            ramp_up,
            ramp_down: some(falls_s.max(steady.end)..elapsed_s),
            steady: Some(steady),
        }
    }

    /// The second in which the load stops rising; that of the end where it never does.
    fn ramp_up_s(&self) -> u32 {
        let ends_us = self.ends_at.as_micros();
        let falls_us = self.first_fall().map_or(ends_us, RunTime::as_micros);
        let plateaus = self.whole_seconds(ends_us);
        let Some(steady) = longest(&plateaus) else {
            return seconds_up(falls_us);
        };
        let first = (0..plateaus.len()).find(|at| !is_step(&plateaus[*at..], &steady));
        let first_s = first.map_or(steady.start, |at| plateaus[at].0.start);
        first_s.min(seconds_up(falls_us))
    }

    /// Where the load does not change, up to `end_us`, in whole seconds, and where there is any.
    fn whole_seconds(&self, end_us: u64) -> Vec<(Range<u32>, f64)> {
        let plateaus = self.plateaus(end_us).into_iter();
        plateaus
            .map(|plateau| {
                let seconds = seconds_up(plateau.from_us)..seconds_down(plateau.until_us);
                (seconds, plateau.load)
            })
            .filter(|(seconds, load)| *load > 0.0 && !seconds.is_empty())
            .collect()
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

    /// When the load begins to rise or to fall, and which of the two.
    fn turns(&self) -> Vec<(RunTime, Turn)> {
        let load_at = self.load();
        let steps = self.load_steps().into_iter().enumerate();
        let turn = |(number, (at, _, target)): (usize, (RunTime, RunTime, f64))| {
            let before = match number {
                0 => 0.0,
                _ => load_at(at.just_before()),
            };
            match target - before {
                change if change > 0.0 => Some((at, Turn::Up)),
                change if change < 0.0 => Some((at, Turn::Down)),
                _ => None,
            }
        };
        steps.filter_map(turn).collect()
    }

    /// When the load begins to fall for the first time.
    fn first_fall(&self) -> Option<RunTime> {
        let mut turns = self.turns().into_iter();
        turns.find_map(|(at, turn)| (turn == Turn::Down).then_some(at))
    }

    /// From when on the load only falls; its end where it does not.
    fn falls_from(&self) -> RunTime {
        let turns = self.turns().into_iter().rev();
        let falls = turns.take_while(|(_, turn)| *turn == Turn::Down);
        falls.last().map_or(self.ends_at, |(at, _)| at)
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

/// The longest, and of those the first with the greatest load.
fn longest(plateaus: &[(Range<u32>, f64)]) -> Option<Range<u32>> {
    let mut longest: Option<&(Range<u32>, f64)> = None;
    for plateau in plateaus {
        let (seconds, load) = plateau;
        if longest.is_none_or(|(best, most)| (seconds.len(), *load) > (best.len(), *most)) {
            longest = Some(plateau);
        }
    }
    longest.map(|(seconds, _)| seconds.clone())
}

/// Whether the first of these plateaus is a step of a ramp to the next one: short, and lower than that.
fn is_step(plateaus: &[(Range<u32>, f64)], steady: &Range<u32>) -> bool {
    let [(seconds, load), (_, next), ..] = plateaus else {
        return false;
    };
    let is_short = seconds.len() <= MAX_STEP_S && seconds.len() * STEPS_IN_STEADY < steady.len();
    is_short && next > load
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
        // The load begins to rise later than the run.
        let later = profile(&[(0, 0, 0), (20, 10, 5)], 60);
        assert_eq!(phases(&later, seconds(60))[0], Some(0..25));
        let first = profile(
            &[(0, 20, 0), (120, 400, 5), (150, 20, 5), (200, 0, 10)],
            210,
        );
        assert_eq!(
            phases(&first, seconds(210)),
            [None, Some(0..120), Some(150..210)],
            "the spike after the longest plateau is not in it"
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
        for elapsed in [10, 30] {
            let [up, steady, _] = phases(&profile(&steps, 60), seconds(elapsed));
            let ends = elapsed.min(18) as u32;
            assert_eq!(up, Some(0..ends), "as planned, {elapsed} s after the start");
            assert_eq!(steady.is_some(), elapsed > 18);
        }
        // However long what comes after it takes.
        let short_spike = profile(&[(0, 20, 0), (30, 400, 5), (60, 20, 5)], 660);
        assert_eq!(
            phases(&short_spike, seconds(660)),
            [None, Some(65..660), None]
        );
        let long_second = profile(&[(0, 10, 0), (60, 100, 0)], 1_260);
        assert_eq!(
            phases(&long_second, seconds(1_260)),
            [None, Some(60..1_260), None]
        );
        let high_first = profile(&[(0, 400, 10), (15, 20, 0)], 330);
        assert_eq!(
            phases(&high_first, seconds(330)),
            [Some(0..10), Some(15..330), None]
        );
        let last_spike = profile(&[(0, 20, 0), (400, 400, 2), (422, 0, 10)], 432);
        assert_eq!(
            phases(&last_spike, seconds(432)),
            [None, Some(0..400), Some(422..432)]
        );
        let last_rise = profile(&[(0, 10, 0), (400, 50, 0)], 430);
        assert_eq!(phases(&last_rise, seconds(430)), [None, Some(0..400), None]);
        let down: Vec<_> = (0..5)
            .map(|step| (300 + step * 2, 40 - step * 8, 0))
            .collect();
        let down = [&[(0, 50, 0)][..], &down].concat();
        assert_eq!(
            phases(&profile(&down, 310), seconds(310)),
            [None, Some(0..300), Some(300..310)]
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
