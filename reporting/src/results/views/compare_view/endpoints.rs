//! The table of a comparison: each endpoint of each run beside the reference.

use super::{CompareAddress, Scale, ShownDifference, ShownRun, place_of};
use crate::compare::{Difference, EndpointDifferences, Verdict, is_worse};
use crate::plain_text::plain_text;
use crate::results::comparison::Comparison;
use crate::results::views::scope_view::endpoint_text;

/// Most rows of the table; the API has all.
const MAX_ROWS: usize = 200;

/// An endpoint of a run.
#[derive(Debug)]
pub(crate) struct EndpointRow {
    pub(crate) method: String,
    pub(crate) name: String,
    pub(crate) place: usize,
    pub(crate) short: String,
    /// The comparison of this endpoint alone.
    pub(crate) url: String,
    pub(crate) cells: Vec<ShownDifference>,
}

/// How much a row is worth looking at: what got worse first, then what got better, then the rest.
fn rank(endpoint: &EndpointDifferences) -> u8 {
    let verdicts = || {
        endpoint
            .differences
            .iter()
            .filter_map(|known| known.verdict)
    };
    if verdicts().any(is_worse) {
        0
    } else if verdicts().any(|verdict| verdict != Verdict::NoEvidence) {
        1
    } else {
        2
    }
}

/// The rows, those that are worth looking at first, and what their bars are drawn on.
pub(super) fn rows(
    comparison: &Comparison,
    runs: &[ShownRun],
    address: &CompareAddress,
) -> (Vec<EndpointRow>, Scale) {
    let each = comparison.runs.iter();
    let mut all: Vec<_> = each
        .flat_map(|run| run.differences.endpoints.iter().map(move |of| (run, of)))
        .collect();
    all.sort_by_key(|(_, endpoint)| (rank(endpoint), &endpoint.name, &endpoint.method));
    all.truncate(MAX_ROWS);
    let shown = all.iter();
    let differences: Vec<&Difference> = shown.flat_map(|(_, of)| &of.differences).collect();
    let scale = Scale::of(differences.into_iter());
    let rows = all.into_iter().map(|(run, endpoint)| {
        let (place, short) = place_of(run, runs);
        let [method, name] = [&endpoint.method, &endpoint.name].map(|text| plain_text(text));
        EndpointRow {
            url: address
                .with_endpoint(Some(endpoint_text(&method, &name)))
                .page(),
            method,
            name,
            place,
            short: short.to_owned(),
            cells: endpoint
                .differences
                .iter()
                .map(|known| ShownDifference::new(*known, scale, place, short, &run.run.id))
                .collect(),
        }
    });
    (rows.collect(), scale)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::{RunDifferences, RunVerdict, Statistic};
    use crate::results::comparison::{ComparedRun, RunComparison};

    /// An endpoint of which this was found.
    fn endpoint(name: &str, verdict: Verdict) -> EndpointDifferences {
        EndpointDifferences {
            method: "GET".to_owned(),
            name: name.to_owned(),
            differences: vec![Difference {
                statistic: Statistic::P95,
                reference: Some(1.0),
                value: Some(1.0),
                change: Some(0.0),
                low: Some(-0.1),
                high: Some(0.1),
                detectable: None,
                verdict: Some(verdict),
                not_tested: None,
            }],
        }
    }

    /// The rows of a comparison of two runs with these endpoints.
    fn rows_of(endpoints: Vec<EndpointDifferences>) -> Vec<EndpointRow> {
        let run = |id: &str| ComparedRun {
            id: id.into(),
            test: "shop".to_owned(),
            number: 1,
            from: 0,
            to: 60,
            requests: 1_000,
        };
        let comparison = Comparison {
            reference: run("a"),
            baseline: Vec::new(),
            runs: vec![RunComparison {
                run: run("b"),
                differences: RunDifferences {
                    verdict: RunVerdict::Mixed,
                    found: Vec::new(),
                    aggregated: Vec::new(),
                    endpoints,
                },
                remarks: Vec::new(),
                custom_metrics: Vec::new(),
            }],
        };
        let address = CompareAddress::new("", vec!["a".into(), "b".into()]);
        rows(&comparison, &[], &address).0
    }

    #[test]
    fn what_got_worse_comes_first_then_what_got_better_and_each_leads_to_itself() {
        let rows = rows_of(vec![
            endpoint("/a", Verdict::NoEvidence),
            endpoint("/b", Verdict::Faster),
            endpoint("/d", Verdict::MoreFailures),
            endpoint("/c", Verdict::Slower),
        ]);
        let names: Vec<&str> = rows.iter().map(|row| &*row.name).collect();
        assert_eq!(names, ["/c", "/d", "/b", "/a"]);
        assert_eq!(rows[0].url, "/compare?runs=a%2Cb&endpoint=GET%20/c");
    }

    #[test]
    fn of_very_many_endpoints_those_that_got_worse_are_shown() {
        let mut many: Vec<_> = (0..10 * MAX_ROWS)
            .map(|number| endpoint(&format!("/{number}"), Verdict::NoEvidence))
            .collect();
        many.push(endpoint("/zzz", Verdict::Slower));
        let rows = rows_of(many);
        assert_eq!((rows.len(), &*rows[0].name), (MAX_ROWS, "/zzz"));
    }
}
