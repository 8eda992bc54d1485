//! Whether a run that is over differs from its baseline by more than the noise of both, by the statistics of a comparison.

use greylag_infra::{RunRecord, Threshold, ThresholdResult, ThresholdState};

use super::baseline::KeptBaseline;
use crate::compare::{
    Difference, MIN_BLOCKS, MeasuredRun, NotTested, Statistic, change_text, compare,
};
use crate::store::Store;
use crate::store::error::{StoreError, StoreResult};
use crate::store::scope::{Scope, Window};
use crate::thresholds::{ThresholdAbort, endpoint_of, loaded_seconds, tag_of};

impl Store {
    /// Says of each threshold about a baseline how much the run differs from it and how certain that is. A limit that is exceeded
    /// by no more than the noise is not breached.
    pub(super) async fn weigh_noise(
        &self,
        record: &RunRecord,
        baseline: &KeptBaseline,
        results: &mut [ThresholdResult],
    ) -> StoreResult<()> {
        let Some(name) = &baseline.run else {
            return Ok(());
        };
        let reference = match &baseline.id {
            Some(id) => self.run(id).await?,
            None => self.run_named(name).await?,
        };
        let all = record.test.thresholds.iter().zip(results);
        for ((threshold, result), value) in all.zip(&baseline.values) {
            let statistic = statistic_of(&result.metric);
            let (Some(statistic), Some(value), None) = (statistic, value, threshold.within_s)
            else {
                continue;
            };
            if !threshold.limit.is_of_baseline() {
                continue;
            }
            let Some(reference) = &reference else {
                result.explanation.get_or_insert_with(|| {
                    format!("compared with {name} as numbers: that run was deleted meanwhile")
                });
                continue;
            };
            let run = self.measured(record, threshold).await?;
            let reference = self.measured(reference, threshold).await?;
            let (Some(run), Some(reference)) = (run, reference) else {
                result.explanation.get_or_insert_with(|| too_little(name));
                continue;
            };
            let differences = compare(&[&reference], &run, 1).aggregated;
            let mut differences = differences.into_iter();
            let found = differences.find(|difference| difference.statistic == statistic);
            if let Some(difference) = found {
                weigh(record, threshold, (name, *value), &difference, result);
            }
        }
        Ok(())
    }

    /// What is compared of a run; none where that is too little.
    async fn measured(
        &self,
        record: &RunRecord,
        threshold: &Threshold,
    ) -> StoreResult<Option<MeasuredRun>> {
        let seconds = loaded_seconds(threshold, record);
        let Ok(window) = Window::new(seconds.start, seconds.end) else {
            return Ok(None);
        };
        let scope = Scope {
            window: Some(window),
            endpoint: endpoint_of(&threshold.of),
            ..Scope::default()
        };
        let tag = tag_of(&threshold.of);
        match self.blocks(&record.id, &scope, tag).await {
            Ok((_, run)) => Ok(Some(run).filter(|run| run.blocks() >= MIN_BLOCKS)),
            Err(StoreError::UnknownEndpoint(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn too_little(name: &str) -> String {
    format!("compared with {name} as numbers: too little was measured to judge noise")
}

/// What a comparison calls a metric; none where it does not know it.
fn statistic_of(metric: &str) -> Option<Statistic> {
    Some(match metric {
        "rps" => Statistic::Rate,
        "error_rate" => Statistic::ErrorRate,
        "mean" => Statistic::Average,
        "p50" => Statistic::P50,
        "p95" => Statistic::P95,
        "p99" => Statistic::P99,
        _ => return None,
    })
}

/// Judges a result by what its difference to a baseline may be.
fn weigh(
    record: &RunRecord,
    threshold: &Threshold,
    (name, baseline): (&str, f64),
    difference: &Difference,
    result: &mut ThresholdResult,
) {
    if difference.not_tested == Some(NotTested::TooFewRequests) {
        result.explanation.get_or_insert_with(|| too_little(name));
        return;
    }
    let statistic = difference.statistic;
    let text = |change: f64| change_text(statistic, change);
    let (Some(change), Some(low), Some(high), Some(limit)) = (
        difference.change,
        difference.low,
        difference.high,
        result.limit,
    ) else {
        return;
    };
    let found = format!(
        "{} against {name}, 95 % interval {} to {}",
        text(change),
        text(low),
        text(high)
    );
    let allowed = match statistic {
        Statistic::ErrorRate => limit - baseline,
        _ if baseline > 0.0 => limit / baseline - 1.0,
        _ => return,
    };
    let has_stopped_it =
        ThresholdAbort::of(record).is_some_and(|stopped| stopped.threshold == result.condition);
    let is_certain = match threshold.comparison.is_upper() {
        true => low > allowed,
        false => high < allowed,
    };
    let is_noise = result.state == ThresholdState::Breached && !is_certain;
    if is_noise && !has_stopped_it {
        result.state = ThresholdState::Passed;
        result.breached_since_s = None;
        result.explanation = Some(format!("within the noise: {found}"));
    } else if result.state != ThresholdState::NoData {
        result.explanation = Some(found);
    }
}
