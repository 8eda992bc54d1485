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
