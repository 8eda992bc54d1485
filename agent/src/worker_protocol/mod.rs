//! The protocol between an agent and its workers: MessagePack frames with a length, over the socket that is a worker's
//! standard input. A worker may be of a build that was
//! shipped to its agent, so both have the same version of it ([`WORKER_PROTOCOL`]) before the agent starts one. Frames are lists
//! without names: whatever changes one, also in a type of `infra`, is a new version.

mod socket;

use bytes::Bytes;
use greylag_infra::protocol::{
    CustomMetric, Endpoint, ErrorSampleData, IntervalData, MetricData, SampleData, TagInterval,
    UserChange,
};
use greylag_infra::{
    GeneratorNotice, LoadProfile, LoadTest, OnLostAgent, ProcessHealth, RunTime, SetUpData,
    WallTime, WorkerFailure,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio_util::codec::LengthDelimitedCodec;

use crate::scenario::ShapedLoad;
pub(crate) use socket::take_agent_socket;

/// Version of this protocol.
pub(crate) const WORKER_PROTOCOL: u32 = 3;
/// Largest frame between an agent and its worker, in bytes.
const MAX_WORKER_FRAME_BYTES: usize = 64 * 1024 * 1024;
/// A report is closed when it has this many bytes, and the rest goes into the next.
pub(crate) const REPORT_BYTES: usize = 4 * 1024 * 1024;

/// A message from an agent to a worker.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ToWorker {
    /// First frame: what to do.
    Prepare {
        /// The definition of the run.
        test: Box<LoadTest>,
        /// Global index of this worker.
        worker: u32,
        /// Whether to say what the scenario's load shape asks for, because the agent does not have the scenario.
        evaluates_shape: bool,
        /// The tags that the run counts, which thresholds are about.
        counted_tags: Vec<String>,
    },
    /// Begin.
    Start {
        /// Run time zero on this machine's wall clock.
        #[serde(rename = "run_zero_us")]
        run_zero_at: WallTime,
        /// How many users the whole run has at which time.
        profile: LoadProfile,
        /// What the scenario's set-up made on worker 0.
        set_up_data: Option<SetUpData>,
    },
    /// The load profile has changed.
    Profile {
        /// The whole profile, as it is now.
        profile: LoadProfile,
    },
    /// End the load now.
    Stop,
    /// The agent is alive. A worker that receives nothing for this long ends: its agent may be frozen.
    Alive {
        /// How long, in ms.
        lease_ms: u64,
    },
}

/// A message from a worker to its agent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum FromWorker {
    /// The scenario is built; waiting for the start.
    Ready {
        /// What its set-up made, on worker 0.
        set_up_data: Option<SetUpData>,
    },
    /// What the scenario's load shape asks for, or why it cannot be run; before `Ready`.
    Shape(Result<ShapedLoad, String>),
    /// Results since the last report.
    Report(Report),
    /// The scenario asks to stop the whole test, for this reason.
    StopTest {
        /// In the scenario's words.
        reason: String,
    },
    /// The scenario asks to finish the whole test before its time, for this reason.
    FinishTest {
        /// In the scenario's words.
        reason: String,
    },
    /// It stops its users early.
    Failing(WorkerFailure),
    /// Last frame: all results have been sent.
    End {
        /// Why it did not end as planned.
        failure: Option<WorkerFailure>,
        /// When its last user ended, µs of run time; 0 if none did.
        #[serde(rename = "last_user_ended_us")]
        last_user_ended: RunTime,
    },
}

/// Results of one worker. Everything is added to earlier reports.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Report {
    /// What `intervals`, `samples` and `error_samples` refer to by position.
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) intervals: Vec<IntervalData>,
    pub(crate) user_changes: Vec<UserChange>,
    pub(crate) samples: Vec<SampleData>,
    /// Texts of errors that `samples` and `error_samples` refer to by position.
    pub(crate) sample_errors: Vec<String>,
    pub(crate) error_samples: Vec<ErrorSampleData>,
    /// Custom metrics that `metric_values` refer to by position.
    pub(crate) metrics: Vec<CustomMetric>,
    pub(crate) metric_values: Vec<MetricData>,
    /// Requests of tasks with one of the tags that the run counts, which are among `intervals`, too.
    pub(crate) tag_intervals: Vec<TagInterval>,
    /// What the worker ran short of.
    pub(crate) notices: Vec<GeneratorNotice>,
    /// How the worker fared, without its number, which the agent adds.
    pub(crate) health: Vec<ProcessHealth>,
    /// The seconds before this one are complete; 0 where that is not known.
    pub(crate) until: u32,
}

impl Report {
    /// Up to which second of run time the worker has reported everything. Reports are in the order of their seconds.
    pub(crate) fn complete_until(&self) -> u32 {
        let intervals = self.intervals.iter().map(|interval| interval.second);
        let users = self.user_changes.iter().map(|change| change.second);
        let metrics = self.metric_values.iter().map(|values| values.second);
        let tags = self.tag_intervals.iter().map(|tag| tag.interval.second);
        let all = intervals.chain(users).chain(metrics).chain(tags);
        all.max().unwrap_or(0).max(self.until)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.intervals.is_empty()
            && self.user_changes.is_empty()
            && self.samples.is_empty()
            && self.error_samples.is_empty()
            && self.metric_values.is_empty()
            && self.tag_intervals.is_empty()
            && self.notices.is_empty()
            && self.health.is_empty()
    }
}

/// The test as workers get it: without what is the agent's or the coordinator's part, so that every build of a worker
/// understands it. Frames have no names of fields, and a field that is left out of them would take the next one's place.
pub(crate) fn for_workers(test: &LoadTest) -> LoadTest {
    let mut test = test.clone();
    test.fleet.on_lost_agent = OnLostAgent::default();
    test.thresholds.clear();
    test.baseline.clear();
    test
}

/// Splits the stream of bytes into frames.
pub(crate) fn codec() -> LengthDelimitedCodec {
    LengthDelimitedCodec::builder()
        .max_frame_length(MAX_WORKER_FRAME_BYTES)
        .new_codec()
}

/// Encodes a message as a frame.
pub(crate) fn encode<T: Serialize>(message: &T) -> Bytes {
    rmp_serde::to_vec(message)
        .expect("messages hold only sequences, maps and scalars, which always encode")
        .into()
}

/// Decodes a frame.
///
/// # Errors
/// The frame is not such a message.
pub(crate) fn decode<T: DeserializeOwned>(frame: &[u8]) -> Result<T, rmp_serde::decode::Error> {
    rmp_serde::from_slice(frame)
}

/// Adds what happened in one second to what happened in another, whose number stays.
pub(crate) fn add_change(kept: &mut UserChange, added: UserChange) {
    // Every count is named, so that one that is new cannot be forgotten.
    let UserChange {
        second: _,
        started,
        stopped,
        arrivals,
        late_arrivals,
        skipped_arrivals,
    } = added;
    for (kept, added) in [
        (&mut kept.started, started),
        (&mut kept.stopped, stopped),
        (&mut kept.arrivals, arrivals),
        (&mut kept.late_arrivals, late_arrivals),
        (&mut kept.skipped_arrivals, skipped_arrivals),
    ] {
        *kept = kept.saturating_add(added);
    }
}

/// About how many bytes an interval takes in a frame.
pub(crate) fn interval_bytes(interval: &IntervalData) -> usize {
    /// Names and numbers of the fields.
    const FIELDS: usize = 450;
    /// Names and numbers of an error's fields.
    const ERROR_FIELDS: usize = 40;
    let errors: usize = interval
        .errors
        .iter()
        .map(|error| error.error.len() + ERROR_FIELDS)
        .sum();
    let counts = [
        &interval.histogram,
        &interval.intended_histogram,
        &interval.ttfb_histogram,
        &interval.statuses,
    ];
    FIELDS + counts.map(|bytes| bytes.len()).iter().sum::<usize>() + errors
}

/// About how many bytes the values of a custom metric take in a frame.
pub(crate) fn metric_bytes(values: &MetricData) -> usize {
    /// Names and numbers of the fields.
    const FIELDS: usize = 160;
    FIELDS + values.counts.len()
}

#[cfg(test)]
mod tests {
    use greylag_infra::protocol::{ErrorCount, SampleDetails, SampleKind, TraceId};
    use greylag_infra::{
        DeclaredRequest, DeclaredScenario, MachineHealth, ProfileStep, RateStep, RunTime,
        ShippedBuild, ShippedScenario, Stage, TimerLateness, WaitTime,
    };
    use sha2::{Digest, Sha256};

    use super::*;

    fn build() -> Box<ShippedBuild> {
        Box::new(ShippedBuild {
            sha256: "a".repeat(64).parse().unwrap(),
            size: 1,
            version: "v".into(),
            platform: "p".into(),
            worker_protocol: 1,
            uploaded_by: "u".into(),
            uploaded_at: WallTime::default(),
            commit: None,
            scenario: ShippedScenario::default(),
            data: Vec::new(),
        })
    }

    #[test]
    fn a_report_is_complete_until_the_last_second_of_anything_that_it_counts() {
        const SECOND: u32 = 7;
        let interval = IntervalData {
            second: SECOND,
            ..IntervalData::default()
        };
        let reports = [
            Report {
                intervals: vec![interval.clone()],
                ..Report::default()
            },
            Report {
                tag_intervals: vec![TagInterval { tag: 0, interval }],
                ..Report::default()
            },
            Report {
                user_changes: vec![UserChange {
                    second: SECOND,
                    ..UserChange::default()
                }],
                ..Report::default()
            },
            Report {
                metric_values: vec![MetricData {
                    second: SECOND,
                    ..MetricData::default()
                }],
                ..Report::default()
            },
        ];
        for report in reports {
            assert!(!report.is_empty(), "{report:?}");
            assert_eq!(report.complete_until(), SECOND, "{report:?}");
            let until = SECOND + 1;
            assert_eq!(Report { until, ..report }.complete_until(), until);
        }
        assert!(Report::default().is_empty());
        assert_eq!(Report::default().complete_until(), 0);
    }

    #[test]
    fn a_worker_reads_the_test_that_it_was_sent() {
        let plain = LoadTest {
            name: "t".into(),
            labels: vec!["l".into()],
            trace_share: "1%".parse().unwrap(),
            ..LoadTest::default()
        };
        let judged = LoadTest {
            thresholds: vec!["p95 < 1s for tag api".parse().unwrap()],
            baseline: "pinned".into(),
            ..plain.clone()
        };
        let shipped = |test: &LoadTest| LoadTest {
            build: Some(build()),
            ..test.clone()
        };
        for (test, expected) in [
            (plain.clone(), plain.clone()),
            (shipped(&plain), shipped(&plain)),
            (judged.clone(), plain.clone()),
            (shipped(&judged), shipped(&plain)),
        ] {
            let message = ToWorker::Prepare {
                test: Box::new(for_workers(&test)),
                worker: 1,
                evaluates_shape: true,
                counted_tags: test.counted_tags(),
            };
            let ToWorker::Prepare {
                test: read,
                worker,
                counted_tags,
                ..
            } = decode(&encode(&message)).unwrap()
            else {
                panic!("another message");
            };
            assert_eq!((*read, worker), (expected, 1));
            assert_eq!(counted_tags, test.counted_tags());
        }
    }

    /// A worker of another build must understand every frame. When this fails, a frame has changed: raise [`WORKER_PROTOCOL`], and
    /// write the new digits here.
    #[test]
    fn a_frame_that_changes_is_a_new_version() {
        let profile = LoadProfile {
            steps: vec![ProfileStep {
                at: RunTime::ZERO,
                users: 1,
                over_us: 2,
            }],
            rates: vec![RateStep {
                at: RunTime::ZERO,
                per_second: 1.5,
                over_us: 2,
            }],
            ..LoadProfile::default()
        };
        let test = LoadTest {
            declared: Some(DeclaredScenario {
                requests: vec![DeclaredRequest {
                    method: "GET".into(),
                    path: "/".into(),
                    name: None,
                    weight: 1,
                    headers: vec![("a".into(), "b".into())],
                    body: None,
                    expect_status: Some(200),
                    expect_body: None,
                }],
                wait_time: Some(WaitTime::Between(0.5, 1.0)),
            }),
            stages: vec![Stage::default()],
            options: [("o".into(), "v".into())].into(),
            build: Some(build()),
            trace_share: "1%".parse().unwrap(),
            ..LoadTest::default()
        };
        let sample = SampleData {
            endpoint: 0,
            at_us: 1,
            response_us: 2,
            failed: true,
            kind: SampleKind::Slow,
            details: SampleDetails {
                trace_id: TraceId::new(1),
                ..SampleDetails::default()
            },
        };
        let interval = IntervalData {
            errors: vec![ErrorCount {
                error: "e".into(),
                occurrences: 1,
            }],
            ..IntervalData::default()
        };
        let report = Report {
            endpoints: vec![Endpoint {
                method: "GET".into(),
                name: "/".into(),
            }],
            intervals: vec![interval],
            user_changes: vec![UserChange::default()],
            samples: vec![sample],
            sample_errors: vec!["e".into()],
            error_samples: vec![ErrorSampleData {
                headers: vec![("h".into(), "v".into())],
                body: Some("b".into()),
                trace_id: TraceId::new(1),
                ..ErrorSampleData::default()
            }],
            metrics: vec![CustomMetric::default()],
            metric_values: vec![MetricData::default()],
            tag_intervals: vec![TagInterval::default()],
            notices: vec![GeneratorNotice::default()],
            health: vec![ProcessHealth {
                late: Some(TimerLateness::default()),
                machine: Some(MachineHealth::default()),
                ..ProcessHealth::default()
            }],
            until: 1,
        };
        let to_worker = [
            ToWorker::Prepare {
                test: Box::default(),
                worker: 1,
                evaluates_shape: true,
                counted_tags: vec!["t".into()],
            },
            ToWorker::Prepare {
                test: Box::new(test),
                worker: 1,
                evaluates_shape: false,
                counted_tags: Vec::new(),
            },
            ToWorker::Start {
                run_zero_at: WallTime::default(),
                profile: profile.clone(),
                set_up_data: Some(SetUpData::from(vec![1])),
            },
            ToWorker::Profile {
                profile: profile.clone(),
            },
            ToWorker::Stop,
            ToWorker::Alive { lease_ms: 1 },
        ];
        let shaped = ShapedLoad {
            profile,
            remark: None,
        };
        let from_worker = [
            FromWorker::Ready { set_up_data: None },
            FromWorker::Shape(Ok(shaped)),
            FromWorker::Report(report),
            FromWorker::StopTest { reason: "r".into() },
            FromWorker::FinishTest { reason: "r".into() },
            FromWorker::Failing(WorkerFailure::Exited { how: "h".into() }),
            FromWorker::End {
                failure: Some(WorkerFailure::Exited { how: "h".into() }),
                last_user_ended: RunTime::ZERO,
            },
        ];
        let mut hasher = Sha256::new();
        let frames = to_worker.iter().map(encode);
        for frame in frames.chain(from_worker.iter().map(encode)) {
            hasher.update(frame);
        }
        let digits: String = hasher.finalize()[..4]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!((WORKER_PROTOCOL, digits.as_str()), (3, "9f069100"));
    }
}
