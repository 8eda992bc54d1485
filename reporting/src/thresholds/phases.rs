//! Which seconds a threshold is about.

use std::ops::Range;

use greylag_infra::{LoadProfile, RunRecord, Threshold, ThresholdPhase};

use super::ThresholdAbort;

/// The seconds of a phase; `u32::MAX` is the end of the run. There are none of a phase that never comes.
///
/// It is what is planned, with the changes that were made: a run that is stopped early, perhaps by a threshold, or that its scenario
/// finishes must not have other phases afterwards, only less of them. Of a run that ends as planned these are the phases that its page
/// offers as windows.
pub(super) fn seconds_of(phase: ThresholdPhase, profile: &LoadProfile) -> Range<u32> {
    const NONE: Range<u32> = 0..0;
    let planned = profile.as_planned();
    let phases = planned.phases(planned.ends_at);
    let load_ends_s = planned.ends_at.second();
    match phase {
        ThresholdPhase::Whole => 0..u32::MAX,
        // Where the load is never steady, it never stops rising.
        ThresholdPhase::AfterRampUp if phases.steady.is_none() => NONE,
        ThresholdPhase::AfterRampUp => phases.ramp_up.map_or(0, |ramp_up| ramp_up.end)..u32::MAX,
        ThresholdPhase::RampUp => match (phases.ramp_up, phases.steady) {
            (Some(_), None) => 0..u32::MAX,
            (ramp_up, _) => ramp_up.unwrap_or(NONE),
        },
        ThresholdPhase::Steady => phases.steady.unwrap_or(NONE),
        ThresholdPhase::RampDown => phases
            .steady
            .filter(|steady| steady.end < load_ends_s)
            .map_or(NONE, |steady| steady.end..u32::MAX),
    }
}

/// The seconds that a threshold is about in which a run had load: what it has in common with other runs.
pub(crate) fn loaded_seconds(threshold: &Threshold, run: &RunRecord) -> Range<u32> {
    let seconds = seconds_of(threshold.during, &run.profile);
    seconds.start..seconds.end.min(load_ends_s(run))
}

/// The second in which the load of a run ends as far as that is known: as planned, or when a threshold stops it. What then
/// comes in was under way, and windows of it would say that the target has become slower or serves less.
pub(super) fn load_ends_s(run: &RunRecord) -> u32 {
    let planned = run.profile.ends_at.second();
    let Some(ThresholdAbort { threshold, since_s }) = ThresholdAbort::of(run) else {
        return planned;
    };
    let after_s = threshold.parse::<Threshold>().ok();
    let after_s = after_s.and_then(|threshold| threshold.abort_after_s);
    planned.min(since_s.saturating_add(after_s.unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use greylag_infra::{ProfileStep, RunTime};

    use super::*;

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
        .map(|phase| seconds_of(phase, profile))
    }

    #[test]
    fn the_ramp_up_is_left_out_unless_asked_for() {
        let ramp = profile(&[(0, 10, 5)], 60);
        assert_eq!(all(&ramp), [5..u32::MAX, 0..5, 5..60, 0..0]);
        assert_eq!(seconds_of(ThresholdPhase::Whole, &ramp), 0..u32::MAX);
        let jump = profile(&[(0, 10, 0)], 60);
        assert_eq!(all(&jump), [0..u32::MAX, 0..0, 0..60, 0..0]);
        let down = profile(&[(0, 10, 5), (50, 0, 10)], 60);
        assert_eq!(all(&down), [5..u32::MAX, 0..5, 5..50, 50..u32::MAX]);
        let spike = profile(
            &[(0, 20, 10), (120, 400, 5), (150, 20, 5)],
            270,
        );
        assert_eq!(all(&spike), [10..u32::MAX, 0..10, 155..270, 0..0]);
        let endless = profile(&[(0, 10, 60)], 60);
        assert_eq!(all(&endless), [0..0, 0..u32::MAX, 0..0, 0..0]);
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
}
