//! One second of run time of one worker, before it is encoded.

use std::collections::BTreeMap;
use std::time::Duration;

use greylag_infra::micros;
use greylag_infra::protocol::{
    ErrorSampleData, MetricKind, SampleData, SampleDetails, SampleKind, TagInterval, TraceId,
    UserChange,
};
use greylag_reporting::{Interval, MetricSums, SampleReservoir};
use greylag_scenarios::RequestSample;

use super::KeptSample;
use crate::bounded_names::KnownNames;
use crate::worker_protocol::{REPORT_BYTES, Report, add_change, interval_bytes, metric_bytes};

/// The trace of a request, if it was sampled: tracing systems do not know the others.
pub(super) fn sampled_trace(sample: &RequestSample<'_>) -> Option<TraceId> {
    let trace = sample.trace.filter(|trace| trace.is_sampled)?;
    TraceId::new(trace.id.get())
}

/// What ended in one second. Its memory is reused for later seconds.
#[derive(Default)]
pub(crate) struct Second {
    number: u32,
    /// Users and arrivals; its field `second` is not used.
    pub(super) users: UserChange,
    /// By number of the endpoint; none until this memory is first used for it.
    cells: Vec<Option<Box<Cell>>>,
    /// Endpoints whose cell is not empty.
    touched: Vec<u32>,
    /// Requests by the position of a tag that the run counts; none until this memory is first used for it.
    tags: Vec<Option<Box<Interval>>>,
    /// Values of custom metrics, by number.
    metrics: BTreeMap<u32, MetricSums>,
    samples: SampleReservoir,
}

#[derive(Default)]
struct Cell {
    touched: bool,
    /// Requests that did not fail.
    ok: Interval,
    /// Those that failed, and errors that are not of a request.
    failed: Interval,
}

impl Second {
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// Whether anything is counted in it, samples aside.
    pub(super) fn has_counts(&self) -> bool {
        !self.touched.is_empty() || !self.metrics.is_empty() || self.users != UserChange::default()
    }

    /// Returns everything but the samples; `fresh` becomes the memory for the rest of the second.
    pub(super) fn split(&mut self, mut fresh: Second) -> Second {
        fresh.begin(self.number);
        std::mem::swap(&mut fresh.samples, &mut self.samples);
        std::mem::replace(self, fresh)
    }

    /// Uses an empty second for this number.
    pub(super) fn begin(&mut self, number: u32) {
        self.number = number;
    }

    /// Counts a request that ended `at` this run time. The error's text is a parameter of its own, with its number, because
    /// it may have been cut or be beyond its cap.
    pub(super) fn request(
        &mut self,
        endpoint: u32,
        at: Duration,
        sample: &RequestSample<'_>,
        error: Option<(&str, u32)>,
    ) {
        let cell = self.cell(endpoint);
        let interval = match error {
            None => &mut cell.ok,
            Some(_) => &mut cell.failed,
        };
        count(interval, sample, error.is_some());
        if let Some((text, _)) = error {
            interval.record_error(text, 1);
        }
        for tag in sample.tags.positions() {
            count(self.tag(tag), sample, error.is_some());
        }
        self.samples.record(SampleData {
            endpoint,
            at_us: micros(at),
            response_us: micros(sample.response_time),
            failed: error.is_some(),
            details: SampleDetails {
                first_byte_us: sample.time_to_first_byte.and_then(short_micros),
                status: sample.status.or(Some(SampleDetails::NO_ANSWER)),
                user: sample.user.and_then(|user| u32::try_from(user).ok()),
                // Its agent knows that.
                worker: None,
                error: error.map(|(_, number)| number),
                trace_id: sampled_trace(sample),
            },
            kind: SampleKind::Drawn,
        });
    }

    /// Counts an error that is not a failed request.
    pub(super) fn task_error(&mut self, endpoint: u32, error: &str) {
        self.cell(endpoint).failed.record_error(error, 1);
    }

    /// Adds a value in millionths to a custom metric.
    pub(super) fn metric(&mut self, number: u32, kind: MetricKind, value: i64, at: Duration) {
        let is_counted = kind == MetricKind::Histogram;
        let sums = self.metrics.entry(number).or_default();
        sums.record(value, micros(at), is_counted);
    }

    /// Adds another second's counts to this one and empties the other.
    pub(super) fn merge(&mut self, other: &mut Second) {
        add_change(&mut self.users, std::mem::take(&mut other.users));
        for endpoint in std::mem::take(&mut other.touched) {
            let cell = self.cell(endpoint);
            let added = other.cell(endpoint);
            cell.ok.merge(&added.ok);
            cell.failed.merge(&added.failed);
            added.clear();
        }
        other.touched.clear();
        for (tag, added) in (0..).zip(&mut other.tags) {
            if let Some(added) = added.as_deref_mut().filter(|added| !added.is_empty()) {
                self.tag(tag).merge(added);
                added.reset();
            }
        }
        for (number, sums) in std::mem::take(&mut other.metrics) {
            self.metrics.entry(number).or_default().merge(&sums);
        }
        for sample in other.samples.drain() {
            self.samples.record(sample);
        }
    }

    fn cell(&mut self, endpoint: u32) -> &mut Cell {
        let index = endpoint as usize;
        if index >= self.cells.len() {
            self.cells.resize_with(index + 1, || None);
        }
        let cell = self.cells[index].get_or_insert_default();
        if !cell.touched {
            cell.touched = true;
            self.touched.push(endpoint);
        }
        cell
    }

    /// What is counted of a tag, by its position.
    fn tag(&mut self, tag: u32) -> &mut Interval {
        let index = tag as usize;
        if index >= self.tags.len() {
            self.tags.resize_with(index + 1, || None);
        }
        self.tags[index].get_or_insert_default()
    }

    /// Moves everything into reports (the last of `reports` is filled first) and leaves the second empty.
    /// `names` holds all names by number.
    pub(crate) fn empty_into(&mut self, reports: &mut Reports, names: &KnownNames) {
        let users = std::mem::take(&mut self.users);
        if users != UserChange::default() {
            reports.open().user_changes.push(UserChange {
                second: self.number,
                ..users
            });
        }
        for number in std::mem::take(&mut self.touched) {
            let Some(cell) = self.cells[number as usize].as_deref_mut() else {
                continue;
            };
            let position = reports.position_of(number, names);
            for interval in [&cell.ok, &cell.failed] {
                if !interval.is_empty() {
                    let data = interval.to_plain_wire(self.number, position);
                    reports.size += interval_bytes(&data);
                    reports.open().intervals.push(data);
                }
            }
            cell.clear();
            reports.close_if_full();
        }
        for (tag, interval) in (0..).zip(&mut self.tags) {
            let Some(interval) = interval.as_deref_mut().filter(|of| !of.is_empty()) else {
                continue;
            };
            let interval_data = interval.to_plain_wire(self.number, 0);
            interval.reset();
            reports.size += interval_bytes(&interval_data);
            reports.open().tag_intervals.push(TagInterval {
                tag,
                interval: interval_data,
            });
            reports.close_if_full();
        }
        for (number, sums) in std::mem::take(&mut self.metrics) {
            let position = reports.position_of_metric(number, names);
            let values = sums.to_wire(self.number, position);
            reports.size += metric_bytes(&values);
            reports.open().metric_values.push(values);
            reports.close_if_full();
        }
        for sample in self.samples.drain() {
            let endpoint = reports.position_of(sample.endpoint, names);
            let mut details = sample.details;
            details.error = details
                .error
                .map(|number| reports.position_of_error(number, names));
            reports.open().samples.push(SampleData {
                endpoint,
                details,
                ..sample
            });
        }
    }
}

impl Cell {
    fn clear(&mut self) {
        self.touched = false;
        self.ok.reset();
        self.failed.reset();
    }
}

/// Counts a request without the text of its error.
fn count(interval: &mut Interval, sample: &RequestSample<'_>, is_failed: bool) {
    interval.record(
        sample.response_time,
        sample.time_to_first_byte,
        sample.response_length,
        None,
    );
    if is_failed {
        interval.count_failure();
    }
    if let Some(from_intended_start) = sample.from_intended_start {
        interval.record_intended(from_intended_start);
    }
    interval.count_status(sample.status);
    if sample.first_byte_only {
        interval.count_first_byte_only();
    }
}

/// Reports under construction, each of a size that fits a frame.
#[derive(Default)]
pub(crate) struct Reports {
    done: Vec<Report>,
    open: Report,
    /// Position in the open report of each endpoint, by its number.
    positions: Vec<Option<u32>>,
    /// Likewise of each error that samples refer to.
    error_positions: BTreeMap<u32, u32>,
    /// Likewise of each custom metric.
    metric_positions: BTreeMap<u32, u32>,
    size: usize,
}

/// In µs; none for more than an hour, which the field does not hold.
fn short_micros(time: Duration) -> Option<u32> {
    u32::try_from(micros(time)).ok()
}

impl Reports {
    fn open(&mut self) -> &mut Report {
        &mut self.open
    }

    fn position_of(&mut self, number: u32, names: &KnownNames) -> u32 {
        let index = number as usize;
        let endpoint = &names.endpoints[index];
        if index >= self.positions.len() {
            self.positions.resize(index + 1, None);
        }
        *self.positions[index].get_or_insert_with(|| {
            self.size += endpoint.method.len() + endpoint.name.len();
            self.open.endpoints.push(endpoint.as_ref().clone());
            self.open.endpoints.len() as u32 - 1
        })
    }

    fn position_of_error(&mut self, number: u32, names: &KnownNames) -> u32 {
        *self.error_positions.entry(number).or_insert_with(|| {
            let text = &names.errors[number as usize];
            self.size += text.len();
            self.open.sample_errors.push(text.as_ref().to_owned());
            self.open.sample_errors.len() as u32 - 1
        })
    }

    fn position_of_metric(&mut self, number: u32, names: &KnownNames) -> u32 {
        *self.metric_positions.entry(number).or_insert_with(|| {
            let metric = names.metrics[number as usize].clone();
            self.size += metric.name.len() + metric.unit.len();
            self.open.metrics.push(metric);
            self.open.metrics.len() as u32 - 1
        })
    }

    /// Adds a failed request that was kept.
    pub(crate) fn add_error_sample(&mut self, sample: KeptSample, names: &KnownNames) {
        let endpoint = self.position_of(sample.endpoint, names);
        let error = self.position_of_error(sample.error, names);
        self.size += sample.data.text_bytes();
        self.open().error_samples.push(ErrorSampleData {
            endpoint,
            error,
            ..sample.data
        });
        self.close_if_full();
    }

    fn close_if_full(&mut self) {
        if self.size >= REPORT_BYTES {
            self.close();
        }
    }

    fn close(&mut self) {
        self.done.push(std::mem::take(&mut self.open));
        self.positions.clear();
        self.error_positions.clear();
        self.metric_positions.clear();
        self.size = 0;
    }

    /// The reports, none of them empty.
    pub(crate) fn finish(mut self) -> Vec<Report> {
        self.close();
        self.done.retain(|report| !report.is_empty());
        self.done
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use greylag_scenarios::{FailedRequest, RequestTrace};

    use super::super::error_samples::sample_of;
    use super::*;

    #[test]
    fn the_traces_of_sampled_requests_are_kept() {
        let failed = FailedRequest {
            url: None,
            response: None,
        };
        let kept = |id: u128, is_sampled: bool| {
            let id = greylag_scenarios::TraceId::new(id);
            let sample = RequestSample {
                trace: id.map(|id| RequestTrace { id, is_sampled }),
                ..RequestSample::new("GET", "/", Instant::now(), Duration::ZERO)
            };
            let mut second = Second::default();
            second.request(0, Duration::ZERO, &sample, None);
            let of_dot = second.samples.drain()[0].details.trace_id;
            let mask = greylag_infra::SecretMask::new(&greylag_infra::LoadTest::default(), []);
            let of_error = sample_of(&sample, &failed, Duration::ZERO, &mask).trace_id;
            assert_eq!(of_dot, of_error);
            of_dot.map(|id| id.to_string())
        };
        let id = 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c;
        let text = Some("0af7651916cd43dd8448eb211c80319c".to_owned());
        assert_eq!(
            [kept(id, true), kept(id, false), kept(0, true)],
            [text, None, None]
        );
    }
}
