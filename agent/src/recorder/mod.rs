//! The recorder: what a worker's users did, counted per second of run time and endpoint.
//!
//! Users call it on the load thread, once per request; the worker's other thread takes out what was counted, several
//! times a second, so that little is lost with the process. They share one lock, which is held for a few dozen
//! nanoseconds: a second (or the part of it that has passed) is taken out by moving a pointer, encoded outside the lock,
//! and its memory is reused for a later second.

mod error_samples;
mod second;

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use greylag_infra::protocol::{
    LeftOut, MAX_ERROR_BYTES, MAX_METRIC_VALUE, MAX_NAME_BYTES, MetricKind, cut, visible_line,
};
use greylag_infra::{GeneratorNotice, GeneratorNotices, NoticeKind, SecretMask};
use greylag_scenarios::{Arrival, GeneratorLimit, MetricValue, Recorder, RequestSample};
use tokio::sync::Notify;

use crate::bounded_names::{BoundedNames, KnownNames, Overflowed, TASK_METHOD};
pub(crate) use error_samples::KeptSample;
use error_samples::{ErrorSamples, sample_of};
pub(crate) use second::{Reports, Second};

/// At most this many seconds wait to be taken out; when the agent does not take reports for longer, the two earliest
/// are merged.
const MAX_SECONDS: usize = 64;
/// Emptied seconds kept for reuse.
const MAX_SPARE: usize = 3;

/// Records what the users of one worker do.
pub(crate) struct RunRecorder {
    /// Unknown while the run is prepared; what is recorded then counts in second 0.
    run_zero: OnceLock<Instant>,
    state: Mutex<State>,
    stop_test: Asked,
    finish_test: Asked,
    /// What hides secrets in samples of errors; none are kept without it.
    mask: Option<SecretMask>,
}

/// Whether and why the scenario asked to end the whole test: the first reason stays.
#[derive(Debug, Default)]
struct Asked {
    reason: OnceLock<String>,
    news: Notify,
}

impl Asked {
    fn ask(&self, reason: &str) {
        let reason = visible_line(reason, MAX_ERROR_BYTES);
        if self.reason.set(reason).is_ok() {
            // Kept for a waiter that comes later.
            self.news.notify_one();
        }
    }

    /// Resolves once, to the first reason; one waiter.
    async fn wait(&self) -> String {
        loop {
            self.news.notified().await;
            if let Some(reason) = self.reason.get() {
                return reason.clone();
            }
        }
    }
}

#[derive(Default)]
struct State {
    names: BoundedNames,
    seconds: Seconds,
    /// Without the worker's number, which the agent adds.
    notices: GeneratorNotices,
    error_samples: ErrorSamples,
    last_user_ended: Duration,
}

#[derive(Default)]
struct Seconds {
    /// Ascending; only the last one is usually written to.
    open: VecDeque<Second>,
    spare: Vec<Second>,
}

/// Seconds that were taken out.
pub(crate) struct Taken {
    /// In ascending order.
    pub(crate) seconds: Vec<Second>,
    /// What went beyond its cap so far.
    pub(crate) overflowed: Overflowed,
    /// What the generator ran short of since this was last asked, without the number of the worker.
    pub(crate) notices: Vec<GeneratorNotice>,
    /// Failed requests that were kept.
    pub(crate) error_samples: Vec<KeptSample>,
}

impl RunRecorder {
    /// A recorder of a run that has not begun. It keeps samples of errors if it has what hides secrets in them.
    pub(crate) fn new(mask: Option<SecretMask>) -> Self {
        Self {
            mask,
            run_zero: OnceLock::new(),
            state: Mutex::default(),
            stop_test: Asked::default(),
            finish_test: Asked::default(),
        }
    }

    /// Counts seconds from this instant on; the first call counts.
    pub(crate) fn begin(&self, run_zero: Instant) {
        let _ = self.run_zero.set(run_zero);
    }

    /// Waits until the scenario asks to stop the whole test. Resolves once, to the first reason; one waiter.
    pub(crate) async fn stop_test_asked(&self) -> String {
        self.stop_test.wait().await
    }

    /// As [`RunRecorder::stop_test_asked`], for the scenario's wish to finish the test.
    pub(crate) async fn finish_test_asked(&self) -> String {
        self.finish_test.wait().await
    }

    /// The second of run time at this moment.
    pub(crate) fn second_now(&self) -> u32 {
        whole_seconds(self.run_time())
    }

    /// When the last user so far ended, in run time; zero if none has.
    pub(crate) fn last_user_ended(&self) -> Duration {
        self.lock().last_user_ended
    }

    /// Takes out the seconds before `second` (all of them for none), and adds names that are new to
    /// `names`, which must always be the same ones.
    pub(crate) fn take(&self, before: Option<u32>, names: &mut KnownNames) -> Taken {
        let mut state = self.lock();
        let finished = match before {
            Some(before) => state.seconds.position(before),
            None => state.seconds.open.len(),
        };
        let seconds = state.seconds.open.drain(..finished).collect();
        state.taken(seconds, names)
    }

    /// Takes out everything that was counted so far. Seconds before `second` are finished; of the others the samples
    /// stay, which are chosen over whole seconds.
    pub(crate) fn take_so_far(&self, second: u32, names: &mut KnownNames) -> Taken {
        let mut state = self.lock();
        let finished = state.seconds.position(second);
        let mut seconds: Vec<Second> = state.seconds.open.drain(..finished).collect();
        for at in 0..state.seconds.open.len() {
            if !state.seconds.open[at].has_counts() {
                continue;
            }
            let fresh = state.seconds.spare.pop().unwrap_or_default();
            seconds.push(state.seconds.open[at].split(fresh));
        }
        state.taken(seconds, names)
    }

    /// Adds a notice about this worker itself.
    pub(crate) fn notice(&self, notice: GeneratorNotice) {
        self.lock().notices.add(notice);
    }

    /// Gives the memory of seconds back, once they have been emptied.
    pub(crate) fn give_back(&self, seconds: Vec<Second>) {
        let mut state = self.lock();
        let spare = &mut state.seconds.spare;
        let room = MAX_SPARE.saturating_sub(spare.len());
        spare.extend(seconds.into_iter().take(room));
    }

    /// Adds a value of a custom metric at this run time.
    pub(crate) fn metric_at(&self, value: &MetricValue<'_>, at: Duration) {
        let kind = kind_of(value);
        let mut state = self.lock();
        let State {
            names,
            seconds,
            notices,
            ..
        } = &mut *state;
        let number = names.metrics.number(value.name, kind, value.unit);
        match number.and_then(|number| Ok((number, checked_value(value, kind)?))) {
            Ok((number, millionths)) => {
                let second = seconds.at(whole_seconds(at));
                second.metric(number, kind, millionths, at);
            }
            Err(left_out) => {
                notices.add(left_out.notice(value.name, whole_seconds(at), 1));
            }
        }
    }

    /// How long ago run time zero was.
    pub(crate) fn run_time(&self) -> Duration {
        self.run_time_of(Instant::now())
    }

    fn run_time_of(&self, instant: Instant) -> Duration {
        self.run_zero.get().map_or(Duration::ZERO, |run_zero| {
            instant.saturating_duration_since(*run_zero)
        })
    }

    /// A user's panic cannot leave the counts half written: no code of users is called under the lock.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// These seconds and all that belongs to them; names that are new are added to `names`.
    fn taken(&mut self, seconds: Vec<Second>, names: &mut KnownNames) -> Taken {
        self.names.add_new_to(names);
        Taken {
            seconds,
            overflowed: self.names.overflowed(),
            notices: self.notices.take(),
            error_samples: self.error_samples.take(),
        }
    }
}

impl Seconds {
    /// Where this second is counted.
    fn at(&mut self, number: u32) -> &mut Second {
        let position = match self.open.back() {
            Some(last) if last.number() == number => self.open.len() - 1,
            _ => self.make(number),
        };
        &mut self.open[position]
    }

    /// How many seconds are before this one.
    fn position(&self, number: u32) -> usize {
        self.open.partition_point(|second| second.number() < number)
    }

    #[cold]
    fn make(&mut self, number: u32) -> usize {
        let position = self.position(number);
        if self
            .open
            .get(position)
            .is_some_and(|second| second.number() == number)
        {
            return position;
        }
        let mut fresh = self.spare.pop().unwrap_or_default();
        fresh.begin(number);
        self.open.insert(position, fresh);
        if self.open.len() <= MAX_SECONDS {
            return position;
        }
        if let Some(mut earliest) = self.open.pop_front() {
            self.open[0].merge(&mut earliest);
        }
        position.saturating_sub(1)
    }
}

impl Recorder for RunRecorder {
    fn request(&self, sample: &RequestSample<'_>) {
        // The second in which the request ended counts, however late it is recorded.
        let ended = sample
            .started_at
            .checked_add(sample.response_time)
            .unwrap_or(sample.started_at);
        let at = self.run_time_of(ended);
        let mut state = self.lock();
        let State {
            names,
            seconds,
            error_samples,
            ..
        } = &mut *state;
        let endpoint = names.endpoint(sample.method, sample.name);
        let second = seconds.at(whole_seconds(at));
        let Some(error) = sample.error else {
            return second.request(endpoint, at, sample, None);
        };
        let error = names.error(endpoint, error, |error, number| {
            second.request(endpoint, at, sample, Some((error, number)));
            number
        });
        let (Some(mask), Some(failed)) = (&self.mask, &sample.failed) else {
            return;
        };
        if error_samples.chooses(error) {
            // Reading and hiding takes longer than the lock may be held.
            drop(state);
            let data = sample_of(sample, failed, at, mask);
            self.lock().error_samples.keep(KeptSample {
                endpoint,
                error,
                data,
            });
        }
    }

    fn user_started(&self) {
        let number = self.second_now();
        self.lock().seconds.at(number).users.started += 1;
    }

    fn user_stopped(&self) {
        let now = self.run_time();
        let mut state = self.lock();
        state.last_user_ended = now;
        state.seconds.at(whole_seconds(now)).users.stopped += 1;
    }

    fn task_error(&self, task: &str, error: &str) {
        let number = self.second_now();
        let mut state = self.lock();
        let State { names, seconds, .. } = &mut *state;
        let endpoint = names.endpoint(TASK_METHOD, task);
        names.error(endpoint, error, |error, _| {
            seconds.at(number).task_error(endpoint, error);
        });
    }

    fn arrival(&self, arrival: Arrival) {
        let number = self.second_now();
        let mut state = self.lock();
        let users = &mut state.seconds.at(number).users;
        match arrival {
            Arrival::InTime => users.arrivals += 1,
            Arrival::Late => {
                users.arrivals += 1;
                users.late_arrivals += 1;
            }
            Arrival::Skipped => users.skipped_arrivals += 1,
        }
    }

    fn generator_limit(&self, limit: GeneratorLimit<'_>) {
        let second = self.second_now();
        let mut count = 1;
        let (kind, subject, worst) = match limit {
            GeneratorLimit::FileDescriptors => (NoticeKind::FileDescriptors, "", 0),
            GeneratorLimit::Ports => (NoticeKind::Ports, "", 0),
            GeneratorLimit::NameResolution { host } => (NoticeKind::NameResolution, host, 0),
            GeneratorLimit::BlockedLoop {
                task,
                held_up,
                again,
            } => {
                count = u64::from(!again);
                let ms = u64::try_from(held_up.as_millis()).unwrap_or(u64::MAX);
                (NoticeKind::BlockedLoop, task, ms)
            }
        };
        self.notice(GeneratorNotice {
            kind,
            worker: None,
            subject: cut(subject, MAX_NAME_BYTES).into_owned(),
            first_second: second,
            last_second: second,
            count,
            worst,
        });
    }

    fn metric(&self, value: &MetricValue<'_>) {
        self.metric_at(value, self.run_time());
    }

    fn fail_test(&self, reason: &str) {
        let second = self.second_now();
        self.notice(GeneratorNotice {
            kind: NoticeKind::TestFailed,
            worker: None,
            subject: visible_line(reason, MAX_NAME_BYTES),
            first_second: second,
            last_second: second,
            count: 1,
            worst: 0,
        });
    }

    fn stop_test(&self, reason: &str) {
        self.stop_test.ask(reason);
    }

    fn finish_test(&self, reason: &str) {
        self.finish_test.ask(reason);
    }
}

fn kind_of(value: &MetricValue<'_>) -> MetricKind {
    use greylag_scenarios::MetricKind as Declared;
    match value.kind {
        Declared::Counter => MetricKind::Counter,
        Declared::Gauge => MetricKind::Gauge,
        Declared::Rate => MetricKind::Rate,
        Declared::Histogram => MetricKind::Histogram,
    }
}

/// A value in millionths, if it is one that adds up.
fn checked_value(value: &MetricValue<'_>, kind: MetricKind) -> Result<i64, LeftOut> {
    let millionths = value.millionths.ok_or(LeftOut::NotFinite)?;
    if !(-MAX_METRIC_VALUE..=MAX_METRIC_VALUE).contains(&millionths) {
        return Err(LeftOut::TooLarge);
    }
    if kind == MetricKind::Counter && millionths < 0 {
        return Err(LeftOut::Negative);
    }
    Ok(millionths)
}

fn whole_seconds(run_time: Duration) -> u32 {
    u32::try_from(run_time.as_secs()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod metric_tests;
#[cfg(test)]
mod tests;
