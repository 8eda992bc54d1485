//! Results that are not in a snapshot yet, and how snapshots are made of them.

use std::collections::{BTreeMap, VecDeque, btree_map};

use greylag_infra::protocol::{
    AgentEnd, CustomMetric, Endpoint, ErrorSampleData, LogLine, SampleData, Snapshot, TagInterval,
    UserChange, WorkerState,
};
use greylag_infra::{FailureReason, GeneratorNotices, LostWorker, ProcessHealth};
use greylag_reporting::{Interval, MetricSums, Outcomes, thin_samples};

use super::pending_sums::PendingSums;
use super::pending_tags::PendingTags;
use crate::bounded_names::BoundedNames;
use crate::worker_protocol::{interval_bytes, metric_bytes};

/// About what fixed-size things take in a snapshot: names and numbers of their fields.
const SMALL_BYTES: usize = 60;
/// The same of how one process fared in a second.
const HEALTH_BYTES: usize = 220;

/// The same of a failed request that is kept, its texts aside.
const ERROR_SAMPLE_BYTES: usize = 120;

/// Number of an endpoint, and how the requests ended: those that failed are counted apart from the others.
pub(super) type CountedBy = (u32, Outcomes);

/// Results that are not in a snapshot yet.
#[derive(Debug, Default)]
pub(super) struct Pending {
    pub(super) intervals: BTreeMap<u32, BTreeMap<CountedBy, Interval>>,
    pub(super) user_changes: BTreeMap<u32, UserChange>,
    /// By second and number of the custom metric.
    pub(super) metrics: PendingSums<MetricSums>,
    pub(super) tags: PendingTags,
    pub(super) samples: BTreeMap<u32, Vec<SampleData>>,
    /// Endpoints and errors by number.
    pub(super) error_samples: VecDeque<ErrorSampleData>,
    pub(super) log: VecDeque<LogLine>,
    pub(super) log_lines_dropped: u64,
    pub(super) workers: Vec<WorkerState>,
    pub(super) lost_workers: Vec<LostWorker>,
    pub(super) failing: Option<FailureReason>,
    pub(super) notices: GeneratorNotices,
    /// By second and process.
    pub(super) health: BTreeMap<u32, BTreeMap<Option<u32>, ProcessHealth>>,
    pub(super) end: Option<AgentEnd>,
}

impl Pending {
    /// Whether there is nothing of the seconds before this one, or of none without one.
    pub(super) fn is_empty(&self, before: Option<u32>) -> bool {
        self.is_counted_out(before)
            && self.log_lines_dropped == 0
            && self.workers.is_empty()
            && self.lost_workers.is_empty()
            && self.failing.is_none()
            && self.notices.is_empty()
            && self.end.is_none()
    }

    /// The first second that there are still counts of.
    pub(super) fn first_second(&self) -> Option<u32> {
        let intervals = self.intervals.first_key_value().map(|(second, _)| second);
        let changes = self
            .user_changes
            .first_key_value()
            .map(|(second, _)| second);
        let known = intervals.into_iter().chain(changes).copied();
        let others = [self.metrics.first_second(), self.tags.first_second()];
        known.chain(others.into_iter().flatten()).min()
    }

    fn is_counted_out(&self, before: Option<u32>) -> bool {
        let counted = self.first_second();
        !counted.is_some_and(|second| is_before(second, before))
            && !is_due(&self.samples, before)
            && !is_due(&self.health, before)
            && self.error_samples.is_empty()
            && self.log.is_empty()
    }

    /// Takes a snapshot of about `budget` bytes, earliest first; the end only when nothing else is left.
    pub(super) fn take(
        &mut self,
        before: Option<u32>,
        budget: usize,
        names: &BoundedNames,
    ) -> Snapshot {
        let mut snapshot = Snapshot {
            workers: std::mem::take(&mut self.workers),
            lost_workers: std::mem::take(&mut self.lost_workers),
            log_lines_dropped: std::mem::take(&mut self.log_lines_dropped),
            notices: self.notices.take(),
            ..Snapshot::default()
        };
        if let Some(reason) = self.failing.take() {
            snapshot.set_failing(reason);
        }
        // All are bounded to far below the budget.
        let mut size = (snapshot.workers.len() + snapshot.notices.len()) * SMALL_BYTES;
        let lost = snapshot.lost_workers.iter();
        size += lost.map(|lost| lost.how.len() + SMALL_BYTES).sum::<usize>();
        let mut positions = Positions::default();

        // All that is counted of a second before anything of the next: what is whole is known by second.
        while size < budget
            && let Some(second) = self.first_second()
            && is_before(second, before)
        {
            self.take_counts(
                second,
                budget,
                names,
                &mut snapshot,
                &mut positions,
                &mut size,
            );
        }
        while size < budget
            && is_due(&self.health, before)
            && let Some((second, processes)) = self.health.pop_first()
        {
            size += processes.len() * HEALTH_BYTES;
            let of_second = processes.into_values();
            let of_second = of_second.map(|health| ProcessHealth { second, ..health });
            snapshot.health.extend(of_second);
        }
        while size < budget
            && let Some(line) = self.log.pop_front()
        {
            size += line.text.len() + line.source.len() + SMALL_BYTES;
            snapshot.log.push(line);
        }
        while size < budget
            && is_due(&self.samples, before)
            && let Some((_, mut samples)) = self.samples.pop_first()
        {
            thin_samples(&mut samples);
            size += samples.len() * SMALL_BYTES;
            for sample in samples {
                let endpoint =
                    positions.of(sample.endpoint, names, &mut snapshot.endpoints, &mut size);
                let mut details = sample.details;
                details.error = details.error.and_then(|number| {
                    positions.of_error(number, names, &mut snapshot.sample_errors, &mut size)
                });
                snapshot.samples.push(SampleData {
                    endpoint,
                    details,
                    ..sample
                });
            }
        }
        while size < budget
            && let Some(sample) = self.error_samples.pop_front()
        {
            size += sample.text_bytes() + sample.headers.len() * SMALL_BYTES + ERROR_SAMPLE_BYTES;
            let endpoint = positions.of(sample.endpoint, names, &mut snapshot.endpoints, &mut size);
            let errors = &mut snapshot.sample_errors;
            // Always known: it is of these names.
            if let Some(error) = positions.of_error(sample.error, names, errors, &mut size) {
                snapshot.error_samples.push(ErrorSampleData {
                    endpoint,
                    error,
                    ..sample
                });
            }
        }
        if self.is_counted_out(None) {
            snapshot.end = self.end.take();
        }
        snapshot
    }

    /// Takes what is counted of a second, as far as there is room.
    fn take_counts(
        &mut self,
        second: u32,
        budget: usize,
        names: &BoundedNames,
        snapshot: &mut Snapshot,
        positions: &mut Positions,
        size: &mut usize,
    ) {
        if let Some(intervals) = self.intervals.get_mut(&second) {
            while *size < budget
                && let Some(((number, _), interval)) = intervals.pop_first()
            {
                let position = positions.of(number, names, &mut snapshot.endpoints, size);
                let data = interval.to_wire(second, position);
                *size += interval_bytes(&data);
                snapshot.intervals.push(data);
            }
            if intervals.is_empty() {
                self.intervals.remove(&second);
            }
        }
        while *size < budget
            && let Some((tag, requests)) = self.tags.take(second)
        {
            let interval = requests.to_wire(second, 0);
            *size += interval_bytes(&interval);
            snapshot.tag_intervals.push(TagInterval { tag, interval });
        }
        if *size < budget
            && let Some(change) = self.user_changes.remove(&second)
        {
            *size += SMALL_BYTES;
            snapshot.user_changes.push(change);
        }
        while *size < budget
            && let Some((number, sums)) = self.metrics.take(second)
        {
            let position = positions.of_metric(number, names, &mut snapshot.metrics, size);
            let values = sums.to_wire(second, position);
            *size += metric_bytes(&values);
            snapshot.metric_values.push(values);
        }
    }
}

/// Whether there is anything of the seconds before this one, or at all.
fn is_due<T>(seconds: &BTreeMap<u32, T>, before: Option<u32>) -> bool {
    let first = seconds.first_key_value();
    first.is_some_and(|(second, _)| is_before(*second, before))
}

fn is_before(second: u32, before: Option<u32>) -> bool {
    before.is_none_or(|before| second < before)
}

/// Where in a snapshot's endpoints and texts those of the names are.
#[derive(Default)]
struct Positions {
    endpoints: BTreeMap<u32, u32>,
    errors: BTreeMap<u32, u32>,
    metrics: BTreeMap<u32, u32>,
}

impl Positions {
    fn of(
        &mut self,
        number: u32,
        names: &BoundedNames,
        endpoints: &mut Vec<Endpoint>,
        size: &mut usize,
    ) -> u32 {
        *self.endpoints.entry(number).or_insert_with(|| {
            let endpoint = Endpoint::clone(&names.endpoints()[number as usize]);
            *size += endpoint.method.len() + endpoint.name.len() + SMALL_BYTES;
            endpoints.push(endpoint);
            endpoints.len() as u32 - 1
        })
    }

    fn of_metric(
        &mut self,
        number: u32,
        names: &BoundedNames,
        metrics: &mut Vec<CustomMetric>,
        size: &mut usize,
    ) -> u32 {
        *self.metrics.entry(number).or_insert_with(|| {
            let metric = names.metrics.metrics()[number as usize].clone();
            *size += metric.name.len() + metric.unit.len() + SMALL_BYTES;
            metrics.push(metric);
            metrics.len() as u32 - 1
        })
    }

    fn of_error(
        &mut self,
        number: u32,
        names: &BoundedNames,
        texts: &mut Vec<String>,
        size: &mut usize,
    ) -> Option<u32> {
        let text = names.error_text(number)?;
        let position = *self.errors.entry(number).or_insert_with(|| {
            *size += text.len() + SMALL_BYTES;
            texts.push(text.to_owned());
            texts.len() as u32 - 1
        });
        Some(position)
    }
}

pub(super) fn merge_into(
    intervals: &mut BTreeMap<CountedBy, Interval>,
    counted_by: CountedBy,
    interval: Interval,
) {
    match intervals.entry(counted_by) {
        btree_map::Entry::Vacant(vacant) => {
            vacant.insert(interval);
        }
        btree_map::Entry::Occupied(mut occupied) => {
            occupied.get_mut().merge(&interval);
        }
    }
}

/// Halves a map: each second of two neighbours goes into the first.
pub(super) fn merge_neighbours<T>(seconds: &mut BTreeMap<u32, T>, merge: impl Fn(&mut T, T)) {
    let mut all = std::mem::take(seconds).into_iter();
    while let Some((second, mut kept)) = all.next() {
        if let Some((_, merged)) = all.next() {
            merge(&mut kept, merged);
        }
        seconds.insert(second, kept);
    }
}
