//! What else differs between two runs, or is missing of either: it may be the reason for a difference.

use greylag_infra::{RunRecord, RunStatus};

use super::read::name_of;
use crate::plain_text::plain_text;

/// Fewest seconds of a run with which an interval is narrow enough to be of use.
const SHORT_S: u32 = 30;

/// What to bear in mind of a run beside a reference; of each of them so many seconds are compared.
pub(super) fn remarks(reference: &RunRecord, run: &RunRecord, seconds: [u32; 2]) -> Vec<String> {
    let (before, after) = (&reference.test, &run.test);
    let mut remarks = Vec::new();
    let mut differ = |what: &str, before: String, after: String| {
        if before != after {
            remarks.push(format!("{what}: {after} instead of {before}"));
        }
    };
    let shown = |text: &str| format!("`{}`", plain_text(text));
    differ("test", shown(&before.name), shown(&after.name));
    differ(
        "host",
        shown(&without_user(&before.host)),
        shown(&without_user(&after.host)),
    );
    differ("scenario", shown(&before.scenario), shown(&after.scenario));
    differ("users", before.users.to_string(), after.users.to_string());
    let rate = |rate: Option<f64>| rate.map_or("none".to_owned(), |rate| rate.to_string());
    differ(
        "arrival rate",
        rate(before.arrival_rate),
        rate(after.arrival_rate),
    );
    differ(
        "duration",
        format!("{} s", before.duration_s),
        format!("{} s", after.duration_s),
    );
    differ(
        "workers",
        before.workers.to_string(),
        after.workers.to_string(),
    );
    differ(
        "infrastructure",
        shown(&before.infrastructure),
        shown(&after.infrastructure),
    );
    if before.declared != after.declared {
        remarks.push("the requests are declared differently".to_owned());
    }
    if before.options != after.options
        || before.selection != after.selection
        || before.client != after.client
    {
        remarks.push("options, selected tasks or settings of the client differ".to_owned());
    }
    if reference.profile.steps != run.profile.steps || reference.profile.rates != run.profile.rates
    {
        remarks.push("the load profiles differ".to_owned());
    }
    for (of, seconds) in [reference, run].into_iter().zip(seconds) {
        if seconds < SHORT_S {
            remarks.push(format!(
                "{}: only {seconds} s are compared, so only large differences can be found",
                name_of(of)
            ));
        }
        match of.phase.status() {
            RunStatus::Running => remarks.push(format!("{} is still running", name_of(of))),
            RunStatus::Failed => remarks.push(format!("{} failed", name_of(of))),
            RunStatus::Finished => {}
        }
        if !of.completeness.is_complete() {
            remarks.push(format!("results of {} are missing", name_of(of)));
        }
    }
    remarks
}

/// A host without the name and password in it.
fn without_user(host: &str) -> String {
    match (host.split_once("://"), host.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://{rest}"),
        _ => host.to_owned(),
    }
}
