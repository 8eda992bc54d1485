//! What a comparison found, in words.

use greylag_infra::RunId;

use super::{ShownRun, place_of, shown_change};
use crate::compare::{Difference, RunVerdict, Statistic, Verdict};
use crate::plain_text::plain_text;
use crate::results::comparison::{RunComparison, statistic_name, verdict_name};
use crate::results::page_text::capitalised;

/// Most findings that are listed; the tables have all.
const MAX_LISTED: usize = 6;

/// What is to be said of a run beside the reference.
#[derive(Debug)]
pub(crate) struct RunResult {
    pub(crate) place: usize,
    pub(crate) short: String,
    pub(crate) id: RunId,
    /// As in the API.
    pub(crate) verdict: RunVerdict,
    /// The verdict in a few words.
    pub(crate) headline: String,
    /// What was found, the most important first.
    pub(crate) found: Vec<Finding>,
    /// How many further findings the tables have.
    pub(crate) more: usize,
    /// Where no response time differs: what would have been found.
    pub(crate) would_have: Option<String>,
    pub(crate) remarks: Vec<String>,
}

/// Something that was found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Which endpoint; empty for all together.
    pub(crate) endpoint: String,
    /// `95th percentile 20.4% slower`.
    pub(crate) text: String,
    /// `+18.2% to +22.9%`.
    pub(crate) interval: String,
    /// How it is coloured.
    pub(crate) tone: &'static str,
}

impl RunResult {
    pub(super) fn of(run: &RunComparison, runs: &[ShownRun]) -> Self {
        let (place, short) = place_of(run, runs);
        let differences = &run.differences;
        let mut aggregated: Vec<&Difference> = differences.aggregated.iter().collect();
        aggregated.sort_by_key(|difference| place_of_statistic(difference.statistic));
        let mut found: Vec<Finding> = aggregated
            .into_iter()
            .filter_map(|difference| Finding::of("", difference))
            .collect();
        // With one endpoint, all together are that one.
        if differences.endpoints.len() > 1 {
            let endpoints = differences.endpoints.iter().flat_map(|endpoint| {
                let name = plain_text(&format!("{} {}", endpoint.method, endpoint.name));
                let each = endpoint.differences.iter();
                each.filter_map(move |difference| Finding::of(name.trim_start(), difference))
            });
            found.extend(endpoints);
        }
        let more = found.len().saturating_sub(MAX_LISTED);
        found.truncate(MAX_LISTED);
        Self {
            place,
            short: short.to_owned(),
            id: run.run.id.clone(),
            verdict: differences.verdict,
            headline: headline(differences.verdict, &differences.found),
            found,
            more,
            would_have: would_have(differences.verdict, &differences.aggregated),
            remarks: run.remarks.clone(),
        }
    }

    /// The word of the API.
    pub(crate) fn verdict_key(&self) -> &'static str {
        match self.verdict {
            RunVerdict::Slower => "slower",
            RunVerdict::Faster => "faster",
            RunVerdict::Mixed => "mixed",
            RunVerdict::NoEvidence => "no_evidence",
        }
    }

    /// A sign for it, which is not colour.
    pub(crate) fn sign(&self) -> &'static str {
        match self.verdict {
            RunVerdict::Slower => "▲",
            RunVerdict::Faster => "▼",
            RunVerdict::Mixed => "◆",
            RunVerdict::NoEvidence => "≈",
        }
    }
}

/// Which statistics are named first.
fn place_of_statistic(statistic: Statistic) -> usize {
    const ORDER: [Statistic; 4] = [
        Statistic::P95,
        Statistic::P50,
        Statistic::Average,
        Statistic::P99,
    ];
    let place = ORDER.iter().position(|known| *known == statistic);
    place.unwrap_or(ORDER.len())
}

/// The verdict on response times, and what else was found.
fn headline(verdict: RunVerdict, found: &[Verdict]) -> String {
    let others = found
        .iter()
        .filter(|found| !matches!(found, Verdict::Slower | Verdict::Faster));
    let others: Vec<&str> = others.map(|found| verdict_name(*found)).collect();
    let times = match verdict {
        RunVerdict::Slower => "Slower",
        RunVerdict::Faster => "Faster",
        RunVerdict::Mixed => "Slower and faster",
        RunVerdict::NoEvidence if others.is_empty() => "No evidence of a difference",
        RunVerdict::NoEvidence => "No evidence of other response times",
    };
    let all: Vec<&str> = std::iter::once(times).chain(others).collect();
    all.join("; ")
}

/// What would have been found of response times, where nothing was.
fn would_have(verdict: RunVerdict, aggregated: &[Difference]) -> Option<String> {
    if verdict != RunVerdict::NoEvidence {
        return None;
    }
    let shown = [Statistic::P95, Statistic::P50]
        .into_iter()
        .filter_map(|of| {
            let difference = aggregated
                .iter()
                .find(|difference| difference.statistic == of)?;
            let least = shown_change(of, difference.detectable?);
            let name = statistic_name(of);
            Some(format!(
                "of the {name} by {}",
                least.trim_start_matches('+')
            ))
        });
    let shown: Vec<String> = shown.collect();
    (!shown.is_empty()).then(|| shown.join(" or "))
}

impl Finding {
    /// None if nothing was found.
    fn of(endpoint: &str, difference: &Difference) -> Option<Self> {
        let verdict = difference.verdict?;
        let change = difference.change?;
        let name = capitalised(statistic_name(difference.statistic));
        let change_of = |change| shown_change(difference.statistic, change);
        let (low, high) = difference.low.zip(difference.high)?;
        let text = match verdict {
            Verdict::NoEvidence => return None,
            Verdict::Slower | Verdict::Faster => {
                let size = change_of(change);
                let size = size.trim_start_matches(['+', '−']);
                format!("{name} {size} {}", verdict_name(verdict))
            }
            _ => format!("{name} {}", change_of(change)),
        };
        Some(Self {
            endpoint: endpoint.to_owned(),
            text,
            interval: format!("{} to {}", change_of(low), change_of(high)),
            tone: super::tone(Some(verdict)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::{EndpointDifferences, RunDifferences};
    use crate::results::comparison::ComparedRun;

    fn difference(statistic: Statistic, change: f64, verdict: Verdict) -> Difference {
        Difference {
            statistic,
            reference: Some(10.0),
            value: Some(10.0 * (1.0 + change)),
            change: Some(change),
            low: Some(change - 0.02),
            high: Some(change + 0.02),
            detectable: Some(0.034),
            verdict: Some(verdict),
            not_tested: None,
        }
    }

    #[test]
    fn a_verdict_is_said_in_words() {
        let found = [Verdict::Slower, Verdict::MoreFailures];
        assert_eq!(
            headline(RunVerdict::Slower, &found),
            "Slower; more failures"
        );
        assert_eq!(
            headline(RunVerdict::NoEvidence, &[]),
            "No evidence of a difference"
        );
        assert_eq!(
            headline(RunVerdict::NoEvidence, &[Verdict::FewerRequests]),
            "No evidence of other response times; fewer requests per second"
        );
        let nothing = [
            difference(Statistic::P50, 0.0, Verdict::NoEvidence),
            difference(Statistic::P95, 0.0, Verdict::NoEvidence),
        ];
        assert_eq!(
            would_have(RunVerdict::NoEvidence, &nothing).as_deref(),
            Some("of the 95th percentile by 3.4% or of the median by 3.4%")
        );
        assert_eq!(would_have(RunVerdict::Slower, &nothing), None);
    }

    #[test]
    fn a_finding_has_its_size_and_its_interval() {
        let faster = difference(Statistic::P95, -0.204, Verdict::Faster);
        let finding = Finding::of("GET /cart", &faster).unwrap();
        assert_eq!(finding.text, "95th percentile 20.4% faster");
        assert_eq!(
            (&*finding.interval, finding.tone),
            ("−22.4% to −18.4%", "better")
        );
        let failures = difference(Statistic::ErrorRate, 0.01, Verdict::MoreFailures);
        let finding = Finding::of("", &failures).unwrap();
        assert_eq!(
            (&*finding.text, finding.tone),
            ("Error rate +1.00 pp", "worse")
        );
        let nothing = difference(Statistic::P50, 0.01, Verdict::NoEvidence);
        assert_eq!(Finding::of("", &nothing), None);
    }

    /// A run with these statistics slower, of all together and of so many endpoints.
    fn slower(statistics: &[Statistic], endpoints: usize) -> RunComparison {
        let differences = || {
            let each = statistics.iter();
            each.map(|statistic| difference(*statistic, 0.2, Verdict::Slower))
        };
        let endpoints = (0..endpoints).map(|number| EndpointDifferences {
            method: "GET".to_owned(),
            name: format!("/{number}"),
            differences: differences().collect(),
        });
        RunComparison {
            run: ComparedRun {
                id: "b".into(),
                test: "shop".to_owned(),
                number: 2,
                from: 0,
                to: 60,
                requests: 1_000,
            },
            differences: RunDifferences {
                verdict: RunVerdict::Slower,
                found: vec![Verdict::Slower],
                aggregated: differences().collect(),
                endpoints: endpoints.collect(),
            },
            remarks: vec!["users: 2 instead of 1".to_owned()],
            custom_metrics: Vec::new(),
        }
    }

    #[test]
    fn the_most_important_findings_are_listed_and_the_others_counted() {
        let run = slower(&[Statistic::Average, Statistic::P50, Statistic::P95], 1);
        let result = RunResult::of(&run, &[]);
        let texts: Vec<&str> = result.found.iter().map(|found| &*found.text).collect();
        assert_eq!(
            texts,
            [
                "95th percentile 20.0% slower",
                "Median 20.0% slower",
                "Average 20.0% slower"
            ],
            "the only endpoint is all together"
        );
        assert_eq!(result.more, 0);
        assert_eq!((result.sign(), result.verdict_key()), ("▲", "slower"));
        assert_eq!(result.remarks, ["users: 2 instead of 1"]);

        let result = RunResult::of(&slower(&[Statistic::P50, Statistic::P95], 4), &[]);
        let endpoints: Vec<&str> = result.found.iter().map(|found| &*found.endpoint).collect();
        assert_eq!(endpoints, ["", "", "GET /0", "GET /0", "GET /1", "GET /1"]);
        assert_eq!(result.more, 4);
    }
}
