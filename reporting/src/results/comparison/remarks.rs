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
        format!("{} s", reference.duration_s()),
        format!("{} s", run.duration_s()),
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
                "only {seconds} s of {} are compared, so only large differences can be found",
                name_of(of)
            ));
        }
        match of.phase.status() {
            RunStatus::Running => {
                remarks.push(format!("the run {} is still in progress", name_of(of)))
            }
            RunStatus::Failed => remarks.push(format!("the run {} failed", name_of(of))),
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

#[cfg(test)]
mod tests {
    use greylag_infra::{
        Completeness, FailureReason, Gap, GapCause, LoadProfile, LoadTest, RunPhase, WallTime,
    };

    use super::*;

    fn run(number: u64) -> RunRecord {
        let test = LoadTest {
            name: "shop".to_owned(),
            host: "http://shop.example".to_owned(),
            ..LoadTest::default()
        };
        RunRecord {
            id: "r".into(),
            number,
            profile: test.profile(),
            test,
            phase: RunPhase::Finished,
            created_at: WallTime::from_micros(1),
            started_at: Some(WallTime::from_micros(2)),
            ended_at: None,
            agents: Vec::new(),
            completeness: Completeness::default(),
        }
    }

    /// What is said of the second of two runs that differ in this.
    fn of(change: impl FnOnce(&mut RunRecord)) -> Vec<String> {
        let mut other = run(2);
        change(&mut other);
        remarks(&run(1), &other, [60, 60])
    }

    #[test]
    fn runs_that_are_alike_have_no_remarks_and_each_difference_has_one() {
        assert_eq!(of(|_| ()), [""; 0]);
        type Change = fn(&mut RunRecord);
        let cases: [(Change, &str); 13] = [
            (
                |run| run.test.name = "cart".into(),
                "test: `cart` instead of `shop`",
            ),
            (
                |run| run.test.host = "http://ada:geheim@new.example".into(),
                "host: `http://new.example` instead of `http://shop.example`",
            ),
            (|run| run.test.users += 1, "users: "),
            (
                |run| run.test.arrival_rate = Some(2.5),
                "arrival rate: 2.5 instead of none",
            ),
            (|run| run.test.duration_s = 7, "duration: 7 s instead of"),
            (|run| run.test.workers += 1, "workers: "),
            (
                |run| run.test.declared = Some(Default::default()),
                "the requests are declared differently",
            ),
            (
                |run| drop(run.test.options.insert("pages".into(), "2".into())),
                "options, selected tasks or settings of the client differ",
            ),
            (
                |run| run.test.selection.tags = vec!["buy".into()],
                "options, selected tasks or settings of the client differ",
            ),
            (
                |run| run.profile = LoadProfile::default(),
                "the load profiles differ",
            ),
            (
                |run| run.phase = RunPhase::Running,
                "the run shop #2 is still in progress",
            ),
            (
                |run| run.phase = RunPhase::Failed(FailureReason::StoppedByUser),
                "the run shop #2 failed",
            ),
            (
                |run| {
                    run.completeness.add(Gap {
                        agent: None,
                        worker: None,
                        since_second: 5,
                        cause: GapCause::AgentLost,
                    });
                },
                "results of shop #2 are missing",
            ),
        ];
        for (change, expected) in cases {
            let said = of(change);
            let [only] = said.as_slice() else {
                panic!("{expected}: {said:?}");
            };
            assert!(only.starts_with(expected), "{expected}: {only}");
        }
    }

    #[test]
    fn a_run_of_which_little_is_compared_is_named() {
        let said = remarks(&run(1), &run(2), [SHORT_S - 1, SHORT_S]);
        let expected = "only 29 s of shop #1 are compared, so only large differences can be found";
        assert_eq!(said, [expected]);
    }
}
