//! Which seconds of a run had load that a threshold is about.

use std::ops::Range;

use greylag_infra::{RunRecord, Threshold};

/// The seconds that a threshold is about in which a run had load: what it has in common with other runs.
pub(crate) fn loaded_seconds(threshold: &Threshold, run: &RunRecord) -> Range<u32> {
    let seconds = threshold.during.seconds(&run.profile);
    seconds.start..seconds.end.min(load_ends_s(run))
}

/// The second in which the load of a run ends as far as that is known: as planned, or when it was stopped. What then comes in
/// was under way, and windows of it would say that the target has become slower or serves less.
pub(super) fn load_ends_s(run: &RunRecord) -> u32 {
    let planned = run.profile.ends_at;
    let whole_until = run.completeness.load_whole_until;
    whole_until
        .map_or(planned, |until| until.min(planned))
        .second()
}
