//! Pushes the counts of active runs to a collector of OpenTelemetry. One task beside everything else. Each push has everything from the
//! beginning of its runs, so one that fails is not kept: the next has what it had.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use greylag_infra::protocol::cut;
use greylag_infra::{RunId, RunRecord};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use prost::Message as _;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Coordinator;
use crate::plain_text::plain_text;
use crate::results::metrics::otlp_of;
use crate::store::StoreError;

/// Time between two pushes.
const PUSH_EVERY: Duration = Duration::from_secs(10);
/// How often it is looked at most whether a run has ended since.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// When the counts of a run that is over are pushed again, because late results may have come.
const AGAIN_AFTER_END: Duration = Duration::from_secs(60);
/// The longest pause that a collector can ask for.
const MAX_PAUSE: Duration = Duration::from_secs(60);
/// How long the end of a coordinator waits for its last push.
const LAST_PUSH_TIMEOUT: Duration = Duration::from_secs(2);
/// Longest message of a collector that is logged, in bytes.
const MAX_MESSAGE_BYTES: usize = 400;

/// What became of a push: the encoded `ExportMetricsServiceResponse`, or why the collector does not have it.
pub type PushAnswer = Pin<Box<dyn Future<Output = Result<Vec<u8>, PushError>> + Send>>;

/// A collector does not have a push.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("{reason}")]
pub struct PushError {
    /// Why, in the middle of a text.
    pub reason: String,
    /// Whether it may take the same message later.
    pub may_pass: bool,
    /// How long it wants to be left alone; up to a minute of it is waited for.
    pub pause: Option<Duration>,
}

/// Where the counts of active runs are pushed to.
#[derive(Clone)]
pub struct Collector {
    /// Sends an encoded `ExportMetricsServiceRequest`. It ends in time by itself.
    pub send: Arc<dyn Fn(Vec<u8>) -> PushAnswer + Send + Sync>,
}

impl fmt::Debug for Collector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Its headers may hold a secret.
        formatter.write_str("Collector(…)")
    }
}

/// The task that pushes, where there is one.
#[derive(Debug, Default)]
pub(super) struct Pushing(Mutex<Option<(CancellationToken, JoinHandle<()>)>>);

impl Pushing {
    fn replace(&self, task: Option<(CancellationToken, JoinHandle<()>)>) -> Option<Ending> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *kept, task);
        before.map(|(ending, task)| Ending { ending, task })
    }

    /// Pushes once more, and ends.
    pub(super) async fn end(&self) {
        let Some(Ending { ending, mut task }) = self.replace(None) else {
            return;
        };
        ending.cancel();
        if tokio::time::timeout(LAST_PUSH_TIMEOUT, &mut task)
            .await
            .is_err()
        {
            task.abort();
            tracing::warn!(
                "the OTLP collector did not answer to the last push within {} s",
                LAST_PUSH_TIMEOUT.as_secs()
            );
        }
    }
}

/// A task that is to end.
struct Ending {
    ending: CancellationToken,
    task: JoinHandle<()>,
}

impl Coordinator {
    /// Pushes the counts of active runs to a collector every ten seconds, when a run has ended, and once more at the coordinator's
    /// own end. In place of the one that was pushed to before.
    pub fn push_to(&self, collector: Collector) {
        let shared = Arc::downgrade(&self.shared);
        let ending = CancellationToken::new();
        let is_ending = ending.clone();
        let task = tokio::spawn(async move {
            let mut pushes = Pushes::default();
            while let Some(shared) = shared.upgrade() {
                let coordinator = Self { shared };
                let is_last = is_ending.is_cancelled();
                match pushes.push_if_due(&coordinator, &collector, is_last).await {
                    Ok(()) => {}
                    Err(StoreError::Closed) => return,
                    Err(error) => {
                        // Otherwise it would be tried again every second.
                        pushes.unfinished.clear();
                        tracing::warn!(%error, "cannot read what is pushed by OTLP now");
                    }
                }
                if is_last {
                    return;
                }
                drop(coordinator);
                tokio::select! {
                    () = tokio::time::sleep(LOOK_EVERY) => {}
                    () = is_ending.cancelled() => {}
                }
            }
        });
        if let Some(before) = self.shared.pushing.replace(Some((ending, task))) {
            before.task.abort();
        }
    }
}

/// What has been pushed.
#[derive(Debug, Clone, Default)]
struct Pushes {
    last: Option<Instant>,
    /// The runs that were not over then.
    unfinished: BTreeSet<RunId>,
    /// Those that were, when the collector last took their counts, and what it made of them.
    ended: BTreeMap<RunId, (Instant, Taken)>,
    /// What the collector made of the last one.
    taken: Taken,
    /// Until when it wants to be left alone.
    pause_until: Option<Instant>,
}

/// What a collector makes of a push, from good to bad.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Taken {
    #[default]
    Whole,
    /// It took the push with this to say, such as what it left out.
    Remarked(String),
    /// It does not have it, for this reason.
    Not(PushError),
}

impl Taken {
    fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }

    /// Whether the same message may be taken later.
    fn may_pass(&self) -> bool {
        matches!(self, Self::Not(error) if error.may_pass)
    }

    fn of(answer: Result<Vec<u8>, PushError>) -> Self {
        let response = match answer {
            Ok(response) => response,
            Err(error) => return Self::Not(error),
        };
        // Some answer by HTTP with a text of their own, which is success all the same.
        let response = ExportMetricsServiceResponse::decode(&*response).ok();
        let Some(partial) = response.and_then(|response| response.partial_success) else {
            return Self::Whole;
        };
        let message = plain_text(&partial.error_message);
        let message = cut(message.trim(), MAX_MESSAGE_BYTES);
        match (partial.rejected_data_points, &*message) {
            (..=0, "") => Self::Whole,
            (..=0, message) => Self::Remarked(message.to_owned()),
            (rejected, "") => Self::Remarked(format!("{rejected} data points rejected")),
            (rejected, message) => {
                Self::Remarked(format!("{rejected} data points rejected: {message}"))
            }
        }
    }
}

impl Pushes {
    async fn push_if_due(
        &mut self,
        coordinator: &Coordinator,
        collector: &Collector,
        is_last: bool,
    ) -> Result<(), StoreError> {
        if !is_last && !self.should_push(coordinator).await? {
            return Ok(());
        }
        self.begin(Instant::now());
        let is_wanted = |run: &RunRecord| self.is_wanted(&run.id);
        let counts = otlp_of(coordinator, is_wanted).await?;
        // All together, so that a collector that does not answer is waited for only once.
        let sent = counts.into_iter().map(|of_run| {
            let answer = (collector.send)(of_run.message);
            async move { (of_run.run, of_run.is_over, Taken::of(answer.await)) }
        });
        let mut all: Vec<Taken> = self
            .ended
            .values()
            .map(|(_, taken)| taken.clone())
            .collect();
        for (run, is_over, taken) in join_all(sent).await {
            all.push(taken.clone());
            self.end(run, is_over, taken, Instant::now());
        }
        self.note(all);
        Ok(())
    }

    async fn should_push(&self, coordinator: &Coordinator) -> Result<bool, StoreError> {
        let now = Instant::now();
        if self.pause_until.is_some_and(|until| now < until) {
            return Ok(false);
        }
        Ok(self.is_due(now) || self.has_one_ended(coordinator).await?)
    }

    /// Whether so much time has passed since the last push.
    fn is_due(&self, now: Instant) -> bool {
        self.last.is_none_or(|last| now - last >= PUSH_EVERY)
    }

    /// A push begins.
    fn begin(&mut self, now: Instant) {
        self.last = Some(now);
        self.pause_until = None;
        // Until something has been pushed, nothing waits for an end.
        self.unfinished.clear();
        self.ended
            .retain(|_, (last, _)| now - *last < AGAIN_AFTER_END);
    }

    /// Whether the counts of a run are to be pushed: not for a while if it is over and the collector has them.
    fn is_wanted(&self, run: &RunId) -> bool {
        !self.ended.contains_key(run)
    }

    /// The push of a run's counts has ended so.
    fn end(&mut self, run: RunId, is_over: bool, taken: Taken, now: Instant) {
        if let Taken::Not(PushError {
            pause: Some(pause), ..
        }) = &taken
        {
            let until = now + (*pause).min(MAX_PAUSE);
            self.pause_until = self.pause_until.max(Some(until));
        }
        if !is_over {
            self.unfinished.insert(run);
        } else if !taken.may_pass() {
            self.ended.insert(run, (now, taken));
        }
    }

    /// Whether a run is over that was not at the last push.
    async fn has_one_ended(&self, coordinator: &Coordinator) -> Result<bool, StoreError> {
        if self.unfinished.is_empty() {
            return Ok(false);
        }
        let unfinished = coordinator.store().unfinished_runs().await?;
        let is_unfinished = |id: &RunId| unfinished.iter().any(|run| run.id == *id);
        Ok(!self.unfinished.iter().all(is_unfinished))
    }

    /// Logs when the collector begins to refuse the counts of runs or parts of them, and when it takes them again.
    fn note(&mut self, all: Vec<Taken>) {
        let runs = all.len();
        let Some(worst) = all.iter().max().cloned() else {
            return;
        };
        let alike = all.iter().filter(|taken| taken.is_like(&worst)).count();
        let is_news = !worst.is_like(&self.taken);
        match &worst {
            _ if !is_news => {}
            Taken::Whole => tracing::info!("the OTLP collector takes the metrics again"),
            Taken::Remarked(message) => {
                tracing::warn!(
                    "the OTLP collector has taken the metrics of {alike} of {runs} runs with a remark: {message}"
                );
            }
            Taken::Not(error) => tracing::warn!(
                "the OTLP collector did not accept the metrics of {alike} of {runs} runs; pushes go on every {} s: {error}",
                PUSH_EVERY.as_secs()
            ),
        }
        self.taken = worst;
    }
}

#[cfg(test)]
mod tests {
    use greylag_infra::{Completeness, LoadProfile, LoadTest, RunPhase, WallTime};
    use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsPartialSuccess;

    use super::*;
    use crate::coordinator::{CoordinatorConfig, Provisioning};

    fn refused(reason: &str, may_pass: bool) -> PushError {
        PushError {
            reason: reason.to_owned(),
            may_pass,
            pause: None,
        }
    }

    #[test]
    fn a_push_is_due_ten_seconds_after_the_last_one_began() {
        let start = Instant::now();
        let mut pushes = Pushes::default();
        assert!(pushes.is_due(start), "there was none");
        pushes.begin(start);
        assert!(!pushes.is_due(start + PUSH_EVERY - Duration::from_millis(1)));
        assert!(pushes.is_due(start + PUSH_EVERY));
        pushes.begin(start + 3 * PUSH_EVERY);
        assert!(!pushes.is_due(start + 3 * PUSH_EVERY));
    }

    #[test]
    fn a_run_that_is_over_is_pushed_until_it_is_taken_and_once_a_minute_then() {
        let start = Instant::now();
        let [goes_on, over, away, wrong] = ["goes on", "over", "away", "wrong"].map(RunId::from);
        let mut pushes = Pushes::default();
        pushes.begin(start);
        pushes.end(goes_on.clone(), false, Taken::Whole, start);
        pushes.end(over.clone(), true, Taken::Remarked("late".into()), start);
        let not = |may_pass| Taken::Not(refused("a reason", may_pass));
        pushes.end(away.clone(), true, not(true), start);
        pushes.end(wrong.clone(), true, not(false), start);
        assert_eq!(pushes.unfinished, BTreeSet::from([goes_on.clone()]));
        let runs = [&goes_on, &over, &away, &wrong];
        let wanted = |pushes: &Pushes| runs.map(|run| pushes.is_wanted(run));
        assert_eq!(wanted(&pushes), [true, false, true, false]);
        pushes.begin(start + AGAIN_AFTER_END - Duration::from_millis(1));
        assert_eq!(wanted(&pushes), [true, false, true, false]);
        assert!(pushes.unfinished.is_empty(), "nothing waits for an end");
        pushes.begin(start + AGAIN_AFTER_END);
        assert_eq!(wanted(&pushes), [true; 4]);
    }

    #[tokio::test]
    async fn a_run_that_has_ended_is_pushed_before_the_next_push_is_due() {
        let directory = tempfile::tempdir().unwrap();
        let coordinator = Coordinator::start(CoordinatorConfig {
            data_dir: directory.path().to_owned(),
            lease: Duration::from_secs(30),
            provisioning: Provisioning::default(),
        });
        let coordinator = coordinator.await.unwrap();
        let run = RunRecord {
            id: "abc".into(),
            number: 0,
            test: LoadTest::default(),
            phase: RunPhase::Running,
            created_at: WallTime::from_micros(1),
            started_at: Some(WallTime::from_micros(2)),
            ended_at: None,
            agents: Vec::new(),
            profile: LoadProfile::default(),
            completeness: Completeness::default(),
        };
        let run = coordinator.store().create_run(run).await.unwrap();
        let mut pushes = Pushes::default();
        let mut pushed = |is_over| {
            // So that none is due before the test is over.
            pushes.begin(Instant::now() + Duration::from_secs(3_600));
            pushes.end(run.id.clone(), is_over, Taken::Whole, Instant::now());
            pushes.clone()
        };
        let (while_running, at_its_end) = (pushed(false), pushed(true));
        assert!(!while_running.should_push(&coordinator).await.unwrap());
        let over = RunRecord {
            phase: RunPhase::Finished,
            ended_at: Some(WallTime::from_micros(3)),
            ..run.clone()
        };
        coordinator.store().update_run(&over).await.unwrap();
        assert!(while_running.should_push(&coordinator).await.unwrap());
        assert!(!at_its_end.should_push(&coordinator).await.unwrap());
    }

    #[test]
    fn a_collector_is_left_alone_as_long_as_it_asks_for_but_not_for_long() {
        let start = Instant::now();
        let mut pushes = Pushes::default();
        pushes.begin(start);
        for seconds in [30, 7, 100_000] {
            let busy = PushError {
                pause: Some(Duration::from_secs(seconds)),
                ..refused("busy", true)
            };
            pushes.end("run".into(), false, Taken::Not(busy), start);
            let longest = Duration::from_secs(seconds.max(30)).min(MAX_PAUSE);
            assert_eq!(pushes.pause_until, Some(start + longest));
        }
        pushes.begin(start + MAX_PAUSE);
        assert_eq!(pushes.pause_until, None);
    }

    #[test]
    fn the_worst_answer_to_a_push_counts() {
        let mut pushes = Pushes::default();
        let not = || Taken::Not(refused("too large", false));
        pushes.note(vec![
            Taken::Whole,
            not(),
            Taken::Remarked("late".to_owned()),
        ]);
        assert_eq!(pushes.taken, not());
        pushes.note(Vec::new());
        assert_eq!(pushes.taken, not(), "nothing was pushed");
        pushes.note(vec![Taken::Whole]);
        assert_eq!(pushes.taken, Taken::Whole);
    }

    #[test]
    fn what_a_collector_leaves_out_is_noticed() {
        let taken = |rejected_data_points, error_message: &str| {
            let partial_success = Some(ExportMetricsPartialSuccess {
                rejected_data_points,
                error_message: error_message.to_owned(),
            });
            let response = ExportMetricsServiceResponse { partial_success };
            Taken::of(Ok(response.encode_to_vec()))
        };
        let remarked = |message: &str| Taken::Remarked(message.to_owned());
        assert_eq!(taken(0, ""), Taken::Whole);
        assert_eq!(taken(0, "old\u{1b}[2J names"), remarked("old names"));
        assert_eq!(taken(3, ""), remarked("3 data points rejected"));
        assert_eq!(taken(3, "late"), remarked("3 data points rejected: late"));
        let Taken::Remarked(long) = taken(0, &"x".repeat(1_000)) else {
            panic!("it has a message");
        };
        assert_eq!(long.len(), MAX_MESSAGE_BYTES);
        assert_eq!(Taken::of(Ok(Vec::new())), Taken::Whole);
        assert_eq!(Taken::of(Ok(b"OK, thank you".to_vec())), Taken::Whole);
        let away = refused("connection refused", true);
        assert_eq!(Taken::of(Err(away.clone())), Taken::Not(away));
    }
}
