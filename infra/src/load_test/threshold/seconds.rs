//! Which seconds of a run a threshold is about, and whether there are any.

use std::ops::Range;

use super::{Threshold, ThresholdPhase, seconds_text};
use crate::profile::LoadProfile;

/// Why a threshold has no data in any run of a load profile. Each is the end of a message for the user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NeverJudged {
    /// The load never has its phase.
    #[error("the load has no {0} phase; name another phase or leave `during` out")]
    NoPhase(&'static str),
    /// The ramp-up is all there is.
    #[error(
        "the load rises until its end, and the ramp-up is left out; write `during whole` or `during ramp-up`, or make the run longer"
    )]
    OnlyRampUp,
    /// Its windows are longer than its phase.
    #[error("{phase} takes {}; make `within` at most that, or the run longer", seconds_text(*.takes_s))]
    LongWindow {
        /// Its phase, in words.
        phase: String,
        /// How long that is.
        takes_s: u32,
    },
}

impl ThresholdPhase {
    /// The seconds of a phase; `u32::MAX` is the end of the run. There are none of a phase that never comes.
    ///
    /// It is what is planned, with the changes that were made: a run that is stopped early, perhaps by a threshold, or that its scenario
    /// finishes must not have other phases afterwards, only less of them. Of a run that ends as planned these are the phases that its page
    /// offers as windows.
    pub fn seconds(self, profile: &LoadProfile) -> Range<u32> {
        const NONE: Range<u32> = 0..0;
        let planned = profile.as_planned();
        let phases = planned.phases(planned.ends_at);
        let load_ends_s = planned.ends_at.second();
        match self {
            Self::Whole => 0..u32::MAX,
            Self::AfterRampUp => match phases.ramp_up.map_or(0, |ramp_up| ramp_up.end) {
                ramp_up_s if ramp_up_s < load_ends_s => ramp_up_s..u32::MAX,
                _ => NONE,
            },
            Self::RampUp => match phases.ramp_up {
                // Requests included that end after the load.
                Some(ramp_up) if ramp_up.end >= load_ends_s => 0..u32::MAX,
                ramp_up => ramp_up.unwrap_or(NONE),
            },
            Self::Steady => phases.steady.unwrap_or(NONE),
            Self::RampDown => phases
                .ramp_down
                .filter(|ramp_down| ramp_down.start < load_ends_s)
                .map_or(NONE, |ramp_down| ramp_down.start..u32::MAX),
        }
    }

    /// How it is written; none for the default.
    pub(super) fn word(self) -> Option<&'static str> {
        let mut words = Self::WORDS.iter();
        words
            .find(|(_, phase)| *phase == self)
            .map(|(word, _)| *word)
    }
}

impl Threshold {
    /// Whether a run that goes as this profile plans can have data for it, as far as that depends on time.
    ///
    /// # Errors
    /// It cannot.
    pub fn check_against(&self, profile: &LoadProfile) -> Result<(), NeverJudged> {
        let seconds = self.during.seconds(profile);
        let word = self.during.word();
        if seconds.is_empty() {
            return Err(word.map_or(NeverJudged::OnlyRampUp, NeverJudged::NoPhase));
        }
        let ends_s = profile.as_planned().ends_at.second();
        let takes_s = seconds.end.min(ends_s).saturating_sub(seconds.start);
        if self.within_s.is_some_and(|width| width > takes_s) {
            let phase = match (self.during, word) {
                (ThresholdPhase::Whole, _) => "the run".to_owned(),
                (ThresholdPhase::Steady, _) => "the steady state".to_owned(),
                (_, Some(word)) => format!("the {word}"),
                (_, None) => "the run without its ramp-up".to_owned(),
            };
            return Err(NeverJudged::LongWindow { phase, takes_s });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::RunTime;
    use crate::profile::ProfileStep;

    fn profile(steps: &[(u32, u64, u64)], ends_s: u32) -> LoadProfile {
        let steps = steps.iter().map(|(at_s, users, over_s)| ProfileStep {
            at: RunTime::of_second(*at_s),
            users: *users,
            over_us: over_s * 1_000_000,
        });
        LoadProfile {
            steps: steps.collect(),
            ends_at: RunTime::of_second(ends_s),
            ..LoadProfile::default()
        }
    }

    fn all(profile: &LoadProfile) -> [Range<u32>; 4] {
        [
            ThresholdPhase::AfterRampUp,
            ThresholdPhase::RampUp,
            ThresholdPhase::Steady,
            ThresholdPhase::RampDown,
        ]
        .map(|phase| phase.seconds(profile))
    }

    #[test]
    fn the_ramp_up_is_left_out_unless_asked_for() {
        let ramp = profile(&[(0, 10, 5)], 60);
        assert_eq!(all(&ramp), [5..u32::MAX, 0..5, 5..60, 0..0]);
        assert_eq!(ThresholdPhase::Whole.seconds(&ramp), 0..u32::MAX);
        let jump = profile(&[(0, 10, 0)], 60);
        assert_eq!(all(&jump), [0..u32::MAX, 0..0, 0..60, 0..0]);
        let down = profile(&[(0, 10, 5), (50, 0, 10)], 60);
        assert_eq!(all(&down), [5..u32::MAX, 0..5, 5..50, 50..u32::MAX]);
        let spike = profile(&[(0, 20, 10), (120, 400, 5), (150, 20, 5)], 270);
        assert_eq!(all(&spike), [10..u32::MAX, 0..10, 155..270, 0..0]);
        let endless = profile(&[(0, 10, 60)], 60);
        assert_eq!(all(&endless), [0..0, 0..u32::MAX, 0..0, 0..0]);
        let triangle = profile(&[(0, 10, 30), (30, 0, 30)], 60);
        assert_eq!(all(&triangle), [30..u32::MAX, 0..30, 0..0, 0..0]);
    }

    #[test]
    fn a_run_that_its_scenario_finishes_has_less_of_the_same_phases() {
        let planned = profile(&[(0, 10, 0), (60, 100, 0)], 660);
        let finished = planned.finished_at(RunTime::of_second(90), "sold out".to_owned());
        assert_eq!(all(&finished), all(&planned));
        let in_ramp =
            profile(&[(0, 10, 30)], 60).finished_at(RunTime::of_second(20), "sold out".to_owned());
        assert_eq!(all(&in_ramp)[0], 30..u32::MAX);
    }

    #[test]
    fn a_change_of_users_changes_the_phases() {
        let planned = profile(&[(0, 10, 5)], 60);
        let changed = planned.with_change(RunTime::of_second(10), 50, 5_000_000);
        assert_eq!(all(&changed.unwrap()), [5..u32::MAX, 0..5, 15..60, 0..0]);
    }

    #[test]
    fn what_a_load_cannot_answer_is_known_before_it_begins() {
        let never = |text: &str, profile: &LoadProfile| {
            let threshold: Threshold = text.parse().expect("the text is a threshold");
            threshold
                .check_against(profile)
                .err()
                .map(|why| why.to_string())
        };
        let plain = profile(&[(0, 10, 5)], 60);
        for text in [
            "p95 < 1s",
            "p95 < 1s during ramp-up",
            "p95 < 1s during ramp-up within 5s",
            "p95 < 1s within 55s",
            "p95 < 1s during whole within 1m",
        ] {
            assert_eq!(never(text, &plain), None, "{text}");
        }
        let long =
            "the run without its ramp-up takes 55s; make `within` at most that, or the run longer";
        assert_eq!(never("p95 < 1s within 56s", &plain).as_deref(), Some(long));
        let long = "the ramp-up takes 5s; make `within` at most that, or the run longer";
        let found = never("p95 < 1s during ramp-up within 6s", &plain);
        assert_eq!(found.as_deref(), Some(long));
        let missing = "the load has no ramp-down phase; name another phase or leave `during` out";
        let found = never("p95 < 1s during ramp-down", &plain);
        assert_eq!(found.as_deref(), Some(missing));
        let jump = profile(&[(0, 10, 0)], 60);
        assert!(never("p95 < 1s during ramp-up", &jump).is_some());
        // It rises to the end.
        let endless = profile(&[(0, 10, 60)], 60);
        assert!(never("p95 < 1s", &endless).is_some_and(|why| why.contains("`during whole`")));
        assert!(never("p95 < 1s during steady", &endless).is_some());
        assert_eq!(never("p95 < 1s during ramp-up", &endless), None);
        assert_eq!(never("p95 < 1s during whole", &endless), None);
        let down = profile(&[(0, 10, 5), (50, 0, 10)], 60);
        assert_eq!(never("p95 < 1s during ramp-down within 10s", &down), None);
        assert!(never("p95 < 1s during ramp-down within 11s", &down).is_some());
    }
}
