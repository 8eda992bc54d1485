//! What is checked of a snapshot before the database is asked.

use greylag_infra::protocol::{
    AgentEnd, CustomMetric, Endpoint, ErrorCount, ErrorSampleData, LogLine, MAX_ERROR_BYTES,
    MAX_NAME_BYTES, SampleData, Snapshot, UserChange, WorkerState, cut,
};
use greylag_infra::{GeneratorNotice, LostWorker, ProcessHealth, WallTime};

use super::error::{StoreError, StoreResult};
use crate::measure::custom::{PackedMetric, check_metric};
use crate::measure::interval::{PackedInterval, check_wire_packed};

/// A snapshot whose histograms and references have been checked, which needs no database.
#[derive(Debug)]
pub(super) struct CheckedSnapshot {
    pub(super) seq: u64,
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) intervals: Vec<CheckedInterval>,
    pub(super) user_changes: Vec<UserChange>,
    pub(super) samples: Vec<SampleData>,
    pub(super) sample_errors: Vec<String>,
    pub(super) error_samples: Vec<ErrorSampleData>,
    pub(super) log: Vec<LogLine>,
    pub(super) log_lines_dropped: u64,
    pub(super) workers: Vec<WorkerState>,
    pub(super) notices: Vec<GeneratorNotice>,
    pub(super) health: Vec<ProcessHealth>,
    pub(super) metrics: Vec<CustomMetric>,
    pub(super) metric_values: Vec<CheckedMetric>,
    pub(super) tag_intervals: Vec<CheckedTag>,
    pub(super) lost_workers: Vec<LostWorker>,
    pub(super) end: Option<AgentEnd>,
    /// With it, all of the agent's results of the seconds before this one are there.
    pub(super) saved_until: u32,
}

/// One interval of a snapshot.
#[derive(Debug)]
pub(super) struct CheckedInterval {
    pub(super) second: u32,
    /// Position in the snapshot's endpoints.
    pub(super) endpoint: usize,
    pub(super) interval: PackedInterval,
    pub(super) errors: Vec<ErrorCount>,
}

/// The values of a custom metric in a second.
#[derive(Debug)]
pub(super) struct CheckedMetric {
    pub(super) second: u32,
    /// Position in the snapshot's metrics.
    pub(super) metric: usize,
    pub(super) values: PackedMetric,
}

/// The requests of a tag in a second.
#[derive(Debug)]
pub(super) struct CheckedTag {
    pub(super) second: u32,
    /// Position among the tags that the run counts.
    pub(super) tag: usize,
    pub(super) interval: PackedInterval,
}

/// Most bytes of all histograms of a snapshot when they are inflated: few bytes on the wire can be thousands.
const MAX_HISTOGRAM_BYTES: usize = 16 << 20;
/// Greatest response time of a sample and greatest time of a worker's part of a run, in µs, and most requests or log lines of one
/// (2^53: JSON has no greater whole numbers).
const MAX_NUMBER: u64 = 1 << 53;
/// Latest time of a log line (µs since 1970), in the year 2100; a clock that is ahead of it is wrong.
const MAX_LOG_TIME: WallTime = WallTime::from_micros(4_102_444_800_000_000);
/// Most users that start or stop in one second, and most iterations of an arrival rate.
const MAX_USER_CHANGES: u64 = 1 << 32;

impl CheckedSnapshot {
    /// Checks a snapshot.
    pub(super) fn new(snapshot: Snapshot) -> StoreResult<Self> {
        let endpoints: Vec<Endpoint> = snapshot
            .endpoints
            .iter()
            .map(|endpoint| Endpoint {
                method: cut(&endpoint.method, MAX_NAME_BYTES).into_owned(),
                name: cut(&endpoint.name, MAX_NAME_BYTES).into_owned(),
            })
            .collect();
        let known = |position: u32| {
            let at = position as usize;
            (at < endpoints.len()).then_some(at).ok_or_else(|| {
                StoreError::InvalidSnapshot(format!(
                    "it refers to endpoint {position} but lists {}",
                    endpoints.len()
                ))
            })
        };
        let errors = snapshot.sample_errors.len();
        let known_error = |error: u32| match (error as usize) < errors {
            true => Ok(()),
            false => Err(StoreError::InvalidSnapshot(format!(
                "a sample refers to error {error} but there are {errors}"
            ))),
        };
        let metric_values = check_metrics(&snapshot)?;
        let mut bytes = 0;
        let mut count_bytes = |more: usize| {
            bytes += more;
            match bytes <= MAX_HISTOGRAM_BYTES {
                true => Ok(()),
                false => Err(StoreError::InvalidSnapshot(format!(
                    "its histograms have more than {MAX_HISTOGRAM_BYTES} bytes"
                ))),
            }
        };
        for metric in &metric_values {
            count_bytes(metric.values.count_bytes())?;
        }
        let intervals = snapshot
            .intervals
            .into_iter()
            .map(|mut data| {
                let (second, endpoint) = (data.second, known(data.endpoint)?);
                let errors = std::mem::take(&mut data.errors);
                let occurrences = errors
                    .iter()
                    .fold(0_u64, |sum, error| sum.saturating_add(error.occurrences));
                let interval = check_wire_packed(&data)
                    .map_err(|error| StoreError::InvalidSnapshot(error.to_string()))?;
                count_bytes(interval.histogram_bytes())?;
                if occurrences > crate::measure::interval::MAX_COUNT {
                    return Err(StoreError::InvalidSnapshot(
                        "an interval has more errors than a second can have".to_owned(),
                    ));
                }
                Ok(CheckedInterval {
                    second,
                    endpoint,
                    interval,
                    errors,
                })
            })
            .collect::<StoreResult<Vec<_>>>()?;
        let tag_intervals = snapshot.tag_intervals.iter().map(|of| {
            let interval = check_wire_packed(&of.interval)
                .map_err(|error| StoreError::InvalidSnapshot(error.to_string()))?;
            count_bytes(interval.histogram_bytes())?;
            Ok(CheckedTag {
                second: of.interval.second,
                tag: of.tag as usize,
                interval,
            })
        });
        let tag_intervals = tag_intervals.collect::<StoreResult<Vec<_>>>()?;
        for sample in &snapshot.samples {
            known(sample.endpoint)?;
            check_number("a response time of a sample", sample.response_us)?;
            if let Some(error) = sample.details.error {
                known_error(error)?;
            }
        }
        for sample in &snapshot.error_samples {
            known(sample.endpoint)?;
            known_error(sample.error)?;
            check_number("the length of a response", sample.body_bytes)?;
        }
        for change in &snapshot.user_changes {
            check_change(change)?;
        }
        for notice in &snapshot.notices {
            check_notice(notice)?;
        }
        for health in &snapshot.health {
            if let Some(what) = health.impossible() {
                return Err(StoreError::InvalidSnapshot(format!(
                    "a process has more {what} in second {} than there can be",
                    health.second
                )));
            }
        }
        for worker in &snapshot.workers {
            if worker.users > MAX_USER_CHANGES {
                return Err(StoreError::InvalidSnapshot(format!(
                    "worker {} has more users than there can be",
                    worker.index
                )));
            }
        }
        check_number(
            "the number of dropped log lines",
            snapshot.log_lines_dropped,
        )?;
        if let Some(end) = &snapshot.end {
            check_end(end)?;
        }
        let mut log = snapshot.log;
        for line in &mut log {
            line.at = line.at.min(MAX_LOG_TIME);
        }
        Ok(Self {
            seq: snapshot.seq,
            endpoints,
            intervals,
            user_changes: snapshot.user_changes,
            samples: snapshot.samples,
            sample_errors: snapshot
                .sample_errors
                .iter()
                .map(|text| cut(text, MAX_ERROR_BYTES).into_owned())
                .collect(),
            error_samples: snapshot
                .error_samples
                .into_iter()
                .map(ErrorSampleData::bounded)
                .collect(),
            log,
            log_lines_dropped: snapshot.log_lines_dropped,
            workers: snapshot.workers,
            notices: snapshot.notices,
            health: snapshot.health,
            metrics: snapshot.metrics.iter().map(CustomMetric::bounded).collect(),
            metric_values,
            tag_intervals,
            lost_workers: snapshot.lost_workers,
            end: snapshot.end,
            saved_until: snapshot.complete_until,
        })
    }

    /// Bytes that it takes in memory: the bounds of what waits are in these, so that each list is counted.
    pub(super) fn memory(&self) -> usize {
        size_of::<Self>()
            + of_list(&self.endpoints, |endpoint| {
                of_text(&endpoint.method) + of_text(&endpoint.name)
            })
            + of_list(&self.intervals, |interval| {
                interval.interval.histogram_bytes()
                    + 2 * ALLOCATION_BYTES
                    + of_list(&interval.errors, |error| of_text(&error.error))
            })
            + of_list(&self.user_changes, |_| 0)
            + of_list(&self.samples, |_| 0)
            + of_list(&self.sample_errors, of_text)
            + of_list(&self.error_samples, |sample| {
                let of_header = |(name, value): &(String, String)| of_text(name) + of_text(value);
                let texts = [&sample.url, &sample.body].into_iter().flatten();
                of_list(&sample.headers, of_header) + texts.map(of_text).sum::<usize>()
            })
            + of_list(&self.log, |line| {
                of_text(&line.source) + of_text(&line.text)
            })
            + of_list(&self.workers, |_| 0)
            + of_list(&self.health, |_| 0)
            + of_list(&self.notices, |notice| of_text(&notice.subject))
            + of_list(&self.metrics, |metric| {
                of_text(&metric.name) + of_text(&metric.unit)
            })
            + of_list(&self.metric_values, |metric| {
                metric.values.count_bytes() + ALLOCATION_BYTES
            })
            + of_list(&self.tag_intervals, |of| {
                of.interval.histogram_bytes() + ALLOCATION_BYTES
            })
            + of_list(&self.lost_workers, |worker| of_text(&worker.how))
            + self.end.as_ref().map_or(0, of_end)
    }

    /// Every second that it has results of. How processes fared goes on when nothing else happens any more.
    pub(super) fn seconds(&self) -> impl Iterator<Item = u32> + '_ {
        self.intervals
            .iter()
            .map(|interval| interval.second)
            .chain(self.user_changes.iter().map(|change| change.second))
            .chain(self.metric_values.iter().map(|metric| metric.second))
            .chain(self.tag_intervals.iter().map(|of| of.second))
            .chain(
                self.samples
                    .iter()
                    .map(|sample| sample.at_us)
                    .chain(self.error_samples.iter().map(|sample| sample.at_us))
                    .map(|at_us| u32::try_from(at_us / 1_000_000).unwrap_or(u32::MAX)),
            )
    }
}

/// What an allocator takes for an allocation in addition, about.
const ALLOCATION_BYTES: usize = 16;

fn of_list<T>(list: &Vec<T>, inside: impl Fn(&T) -> usize) -> usize {
    let inside: usize = list.iter().map(inside).sum();
    list.capacity() * size_of::<T>() + inside + ALLOCATION_BYTES
}

fn of_text(text: &String) -> usize {
    text.capacity() + ALLOCATION_BYTES
}

fn of_end(end: &AgentEnd) -> usize {
    // There is one at most, and this form has all of its texts.
    let reason = end.reason.as_ref().map(|reason| format!("{reason:?}"));
    let texts = [&reason, &end.failure].into_iter().flatten();
    texts.map(of_text).sum::<usize>() + of_list(&end.lost_workers, |worker| of_text(&worker.how))
}

/// Checks the values of a snapshot's custom metrics, before their names are bounded.
fn check_metrics(snapshot: &Snapshot) -> StoreResult<Vec<CheckedMetric>> {
    let invalid = |reason: String| StoreError::InvalidSnapshot(reason);
    let checked = snapshot.metric_values.iter().map(|data| {
        let metric = data.metric as usize;
        let known = snapshot.metrics.get(metric).ok_or_else(|| {
            let listed = snapshot.metrics.len();
            invalid(format!(
                "it refers to custom metric {metric} but lists {listed}"
            ))
        })?;
        check_number("the time of a custom metric's value", data.last_at_us)?;
        let values = check_metric(known.kind, data).map_err(|error| invalid(error.to_string()))?;
        Ok(CheckedMetric {
            second: data.second,
            metric,
            values,
        })
    });
    checked.collect()
}

fn check_number(what: &str, number: u64) -> StoreResult<()> {
    if number <= MAX_NUMBER {
        return Ok(());
    }
    Err(StoreError::InvalidSnapshot(format!(
        "{what} is {number}, more than there can be"
    )))
}

fn check_end(end: &AgentEnd) -> StoreResult<()> {
    check_number("the agent's count of requests", end.requests)?;
    check_number("the time of the agent's end", end.ended_at.as_micros())?;
    if end.failures > end.requests {
        return Err(StoreError::InvalidSnapshot(format!(
            "the agent counted {} failures in {} requests",
            end.failures, end.requests
        )));
    }
    Ok(())
}

/// Greatest number in a notice: an agent adds them up as long as no coordinator takes them.
const MAX_NOTICE_NUMBER: u64 = 1 << 53;

fn check_notice(notice: &GeneratorNotice) -> StoreResult<()> {
    if notice.first_second > notice.last_second {
        return Err(StoreError::InvalidSnapshot(
            "a notice ends before it begins".to_owned(),
        ));
    }
    if notice.count.max(notice.worst) > MAX_NOTICE_NUMBER {
        return Err(StoreError::InvalidSnapshot(
            "a notice counts more than there can be".to_owned(),
        ));
    }
    Ok(())
}

fn check_change(change: &UserChange) -> StoreResult<()> {
    let refuse = |what: &str| {
        Err(StoreError::InvalidSnapshot(format!(
            "{what} in second {} than there can be",
            change.second
        )))
    };
    if change.started.max(change.stopped) > MAX_USER_CHANGES {
        return refuse("more users start or stop");
    }
    if change.arrivals.max(change.skipped_arrivals) > MAX_USER_CHANGES {
        return refuse("more iterations begin or are skipped");
    }
    if change.late_arrivals > change.arrivals {
        return refuse("more iterations begin late");
    }
    Ok(())
}

#[cfg(test)]
mod tests;
