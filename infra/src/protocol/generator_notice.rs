//! What the load generator itself ran short of: a record that accompanies the results, so that nothing the
//! generator caused is mistaken for the target's doing.
//!
//! Notices travel from the worker to every place that shows numbers, and are merged by kind, worker and subject on
//! the way: a run has a bounded number of them however long it takes.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::base::{MAX_NAME_BYTES, OTHER, cut};

/// Most notices kept of one run apart from each other; further workers share one notice of each kind.
pub const MAX_GENERATOR_NOTICES: usize = 200;
/// Most subjects (hosts, tasks) kept apart for one kind and worker; further ones are together under [`OTHER`].
pub const MAX_NOTICE_SUBJECTS: usize = 10;
/// Most reasons of [`NoticeKind::TestFailed`] kept apart beside them, because each belongs to the verdict.
const MAX_FAILED_REASONS: usize = 50;

/// What the generator ran short of. New kinds may be added: a reader that does not know one takes it as
/// `unknown`.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum NoticeKind {
    /// Fewer files may be open than there are users. Known before the start: `count` is the users, `worst` the limit.
    FewFileDescriptors,
    /// Requests failed because no more files could be opened; `count` is how many.
    FileDescriptors,
    /// Fewer local ports than users. Known before the start: `count` is the users, `worst` the ports.
    FewPorts,
    /// Requests failed because every local port was in use; `count` is how many.
    Ports,
    /// Requests failed because the name `subject` did not resolve; `count` is how many.
    NameResolution,
    /// The worker used up its core. Only earlier versions say it, as the next: now it is measured each second. `count` is in how many seconds, `worst` the highest share in percent.
    Cpu,
    /// The worker waited for a core that others used; `count` is in how many seconds, `worst` the highest share
    /// of a second in percent.
    CpuWait,
    /// In seconds the generator was saturated, as [`super::ProcessHealth::saturation`] has it: the coordinator says so, of all
    /// workers together. `count` is in how many seconds, `worst` the highest lateness of timers in ms (99th percentile), `subject` the
    /// worst worker in words.
    Saturated,
    /// The task `subject` kept the worker's other users waiting; `count` is how often, `worst` the longest time in
    /// ms.
    BlockedLoop,
    /// The histograms of the agent `subject` alone took too much space and are kept coarsely: the coordinator says so.
    /// `count` is of how many stretches of time.
    CoarseResults,
    /// The scenario's code said that the test failed, for the reason `subject`; `count` is how often. It is not a shortage, but travels the
    /// same way.
    TestFailed,
    /// Values of a custom metric were left out: `subject` is its name and why, `count` is how many.
    CustomMetric,
    /// A kind that this version does not know.
    #[default]
    #[serde(other)]
    Unknown,
}

impl NoticeKind {
    /// Whether it is a forecast: its count is a size and does not add up.
    fn is_forecast(self) -> bool {
        matches!(self, Self::FewFileDescriptors | Self::FewPorts)
    }
}

/// One thing that the generator ran short of, in a range of seconds. Notices of the same kind, worker and subject
/// are merged.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GeneratorNotice {
    /// What.
    pub kind: NoticeKind,
    /// Global index of the worker; none for several workers together.
    pub worker: Option<u32>,
    /// The host or task it is about; empty where the kind has none. At most [`MAX_NAME_BYTES`].
    pub subject: String,
    /// First second of run time; 0 for what was known before the start.
    pub first_second: u32,
    /// Last second of run time.
    pub last_second: u32,
    /// How often, or how many; see the kind.
    pub count: u64,
    /// The worst value; see the kind.
    pub worst: u64,
}

impl GeneratorNotice {
    /// Adds what another notice of the same key says.
    fn merge(&mut self, other: &Self) {
        self.first_second = self.first_second.min(other.first_second);
        self.last_second = self.last_second.max(other.last_second);
        self.count = if self.kind.is_forecast() {
            self.count.max(other.count)
        } else {
            self.count.saturating_add(other.count)
        };
        self.worst = self.worst.max(other.worst);
    }

    /// The notice in words, with the agent that runs the worker if it is known.
    pub fn message(&self, agent: Option<&str>) -> String {
        NoticeText {
            notice: self,
            agent,
        }
        .to_string()
    }
}

/// What notices are kept apart by.
type Key = (NoticeKind, Option<u32>, String);

/// The notices of one run (or one part of it), merged and bounded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GeneratorNotices(BTreeMap<Key, GeneratorNotice>);

impl GeneratorNotices {
    /// Adds a notice. Returns the merged one if it is the first of its kind, worker and subject.
    pub fn add(&mut self, notice: GeneratorNotice) -> Option<&GeneratorNotice> {
        let key = self.key_of(&notice);
        match self.0.entry(key) {
            std::collections::btree_map::Entry::Occupied(mut known) => {
                known.get_mut().merge(&notice);
                None
            }
            std::collections::btree_map::Entry::Vacant(vacant) => {
                let (kind, worker, subject) = vacant.key().clone();
                Some(vacant.insert(GeneratorNotice {
                    kind,
                    worker,
                    subject,
                    ..notice
                }))
            }
        }
    }

    /// Where a notice is kept: apart, or with others when there are too many.
    fn key_of(&self, notice: &GeneratorNotice) -> Key {
        let (kind, worker) = (notice.kind, notice.worker);
        let subject = cut(&notice.subject, MAX_NAME_BYTES).into_owned();
        let key = (kind, worker, subject);
        if self.0.contains_key(&key) {
            return key;
        }
        let others = (kind, None, String::new());
        let is_reason = |key: &Key| key.0 == NoticeKind::TestFailed;
        let reasons = self.0.keys().filter(|key| is_reason(key)).count();
        let is_full = match is_reason(&key) {
            true => reasons >= MAX_FAILED_REASONS,
            false => self.0.len() - reasons >= MAX_GENERATOR_NOTICES,
        };
        if is_full {
            return others;
        }
        let subjects = self
            .0
            .range((kind, worker, String::new())..)
            .take_while(|((other, of, _), _)| (*other, *of) == (kind, worker))
            .count();
        if subjects >= MAX_NOTICE_SUBJECTS && !key.2.is_empty() {
            return (kind, worker, OTHER.to_owned());
        }
        key
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The notices, by kind, worker and subject.
    pub fn iter(&self) -> impl Iterator<Item = &GeneratorNotice> {
        self.0.values()
    }

    /// Takes all notices out.
    pub fn take(&mut self) -> Vec<GeneratorNotice> {
        std::mem::take(&mut self.0).into_values().collect()
    }
}

impl FromIterator<GeneratorNotice> for GeneratorNotices {
    fn from_iter<I: IntoIterator<Item = GeneratorNotice>>(notices: I) -> Self {
        let mut all = Self::default();
        for notice in notices {
            all.add(notice);
        }
        all
    }
}

struct NoticeText<'a> {
    notice: &'a GeneratorNotice,
    agent: Option<&'a str>,
}

impl NoticeText<'_> {
    /// `seconds 12 to 40: `
    fn seconds(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let GeneratorNotice {
            first_second,
            last_second,
            ..
        } = self.notice;
        if first_second == last_second {
            write!(f, "second {first_second}: ")
        } else {
            write!(f, "seconds {first_second} to {last_second}: ")
        }
    }

    fn worker(&self) -> String {
        match (self.notice.worker, self.agent) {
            (None, _) => "several workers".to_owned(),
            (Some(worker), None) => format!("worker {worker}"),
            (Some(worker), Some(agent)) => format!("worker {worker} on agent {agent}"),
        }
    }
}

/// What numbers of seconds with a short generator are worth.
const INCLUDED: &str = "response times in these seconds include the generator's own delay";
/// What a failure of the generator is worth.
const NOT_THE_TARGET: &str = "this is the load machine's limit and says nothing about the target";

impl fmt::Display for NoticeText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let GeneratorNotice {
            kind,
            subject,
            count,
            worst,
            ..
        } = self.notice;
        let worker = self.worker();
        let requests = match count {
            1 => "1 request".to_owned(),
            count => format!("{count} requests"),
        };
        match kind {
            NoticeKind::FewFileDescriptors => write!(
                f,
                "{worker} may open {worst} files but has up to {count} users, each with its own connection: further connections will fail; raise the limit (ulimit -n, LimitNOFILE= in systemd, docker run --ulimit nofile=…) or use more workers"
            ),
            NoticeKind::FewPorts => write!(
                f,
                "{} has {worst} local ports but up to {count} users: to a single target, further connections will fail; widen net.ipv4.ip_local_port_range or use more agents",
                self.agent
                    .map_or_else(|| worker.clone(), |agent| format!("agent {agent}"))
            ),
            NoticeKind::FileDescriptors => {
                self.seconds(f)?;
                write!(
                    f,
                    "{worker} reached its limit of open files, so {requests} failed: {NOT_THE_TARGET}; raise the limit (ulimit -n) or use more workers"
                )
            }
            NoticeKind::Ports => {
                self.seconds(f)?;
                write!(
                    f,
                    "{worker} found no free local port, so {requests} failed: {NOT_THE_TARGET}; keep connections alive, widen net.ipv4.ip_local_port_range or use more agents"
                )
            }
            NoticeKind::NameResolution => {
                self.seconds(f)?;
                write!(
                    f,
                    "{worker} could not resolve the name `{subject}`, so {requests} failed: {NOT_THE_TARGET}; check the name and the load machine's DNS"
                )
            }
            NoticeKind::Cpu => {
                self.seconds(f)?;
                write!(
                    f,
                    "{worker} used up to {worst} % of its core: {INCLUDED}; use more workers (up to one per core) or fewer users"
                )
            }
            NoticeKind::CpuWait => {
                self.seconds(f)?;
                write!(
                    f,
                    "{worker} waited for a free core up to {worst} % of the time, because the machine is busy: {INCLUDED}; use no more workers than cores, and stop other programs on it"
                )
            }
            NoticeKind::Saturated => {
                self.seconds(f)?;
                let seconds = match count {
                    1 => "1 second".to_owned(),
                    count => format!("{count} seconds"),
                };
                write!(f, "the load generator was saturated in {seconds}")?;
                if !subject.is_empty() {
                    write!(f, " ({subject})")?;
                }
                write!(
                    f,
                    ": {INCLUDED}; use more workers (up to one per core), fewer users or more machines"
                )
            }
            NoticeKind::BlockedLoop => {
                self.seconds(f)?;
                let times = match count {
                    1 => "once, for".to_owned(),
                    count => format!("{count} times, for up to"),
                };
                write!(
                    f,
                    "`{subject}` blocked {worker} {times} {worst} ms, while all its other users had to wait: {INCLUDED}; move blocking code to spawn_blocking"
                )
            }
            NoticeKind::CoarseResults => {
                self.seconds(f)?;
                write!(
                    f,
                    "the results of agent {subject} took so much space that percentiles of this agent alone are approximate; those of all agents together are exact"
                )
            }
            NoticeKind::TestFailed => {
                self.seconds(f)?;
                let reason = match subject.as_str() {
                    "" | OTHER => "several reasons",
                    subject => subject,
                };
                write!(f, "the scenario's code says that the test failed: {reason}")
            }
            NoticeKind::CustomMetric => {
                self.seconds(f)?;
                match count {
                    1 => f.write_str("1 value of a custom metric was left out")?,
                    count => write!(f, "{count} values of custom metrics were left out")?,
                }
                // Where workers disagree, their agent or the coordinator leaves out.
                if self.notice.worker.is_some() {
                    write!(f, " by {worker}")?;
                }
                match subject.as_str() {
                    "" | OTHER => f.write_str(" for several reasons")?,
                    subject => write!(f, " ({subject})")?,
                }
                f.write_str(": correct the scenario's code")
            }
            NoticeKind::Unknown => {
                self.seconds(f)?;
                write!(
                    f,
                    "{worker} reports a limit that this version of Greylag does not recognize ({requests} {subject})"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(
        kind: NoticeKind,
        worker: u32,
        subject: &str,
        seconds: (u32, u32),
    ) -> GeneratorNotice {
        GeneratorNotice {
            kind,
            worker: Some(worker),
            subject: subject.into(),
            first_second: seconds.0,
            last_second: seconds.1,
            count: 2,
            worst: u64::from(seconds.1),
        }
    }

    #[test]
    fn notices_of_one_key_are_merged() {
        let mut all = GeneratorNotices::default();
        assert!(all.add(notice(NoticeKind::Cpu, 0, "", (12, 20))).is_some());
        assert!(all.add(notice(NoticeKind::Cpu, 0, "", (10, 15))).is_none());
        assert!(all.add(notice(NoticeKind::Cpu, 1, "", (3, 3))).is_some());
        let kept: Vec<_> = all.iter().collect();
        assert_eq!(kept.len(), 2);
        let (first, last) = (kept[0].first_second, kept[0].last_second);
        assert_eq!((first, last, kept[0].count, kept[0].worst), (10, 20, 4, 20));
        // The number of users is a size: telling it twice does not double it.
        let forecast = notice(NoticeKind::FewFileDescriptors, 0, "", (0, 0));
        all.add(forecast.clone());
        all.add(forecast);
        assert!(
            all.iter()
                .any(|n| n.kind == NoticeKind::FewFileDescriptors && n.count == 2)
        );
    }

    #[test]
    fn nothing_is_lost_beyond_the_bounds() {
        let mut all = GeneratorNotices::default();
        for subject in 0..1_000 {
            all.add(notice(
                NoticeKind::NameResolution,
                7,
                &subject.to_string(),
                (1, 1),
            ));
        }
        assert_eq!(all.0.len(), MAX_NOTICE_SUBJECTS + 1);
        for worker in 0..10_000 {
            all.add(notice(NoticeKind::Cpu, worker, "", (1, 1)));
            all.add(notice(NoticeKind::CpuWait, worker, "", (1, 1)));
        }
        assert!(all.0.len() <= MAX_GENERATOR_NOTICES + 2);
        let sum: u64 = all.iter().map(|notice| notice.count).sum();
        assert_eq!(sum, 2 * 21_000);
        let words = all.iter().last().unwrap().message(None);
        assert!(words.contains("worker"), "{words}");
        // The verdict names its reasons beside whatever else there is, and they are bounded as well.
        all.add(notice(NoticeKind::TestFailed, 7, "sold out", (1, 1)));
        let reasons = |all: &GeneratorNotices| {
            let reasons = all
                .iter()
                .filter(|one| one.kind == NoticeKind::TestFailed)
                .map(|one| one.subject.clone());
            reasons.collect::<Vec<_>>()
        };
        assert_eq!(reasons(&all), ["sold out"]);
        for worker in 0..1_000 {
            all.add(notice(NoticeKind::TestFailed, worker, "sold out", (1, 1)));
        }
        assert_eq!(reasons(&all).len(), MAX_FAILED_REASONS + 1);
    }

    #[test]
    fn kinds_of_later_versions_are_read() {
        let known =
            rmp_serde::to_vec_named(&notice(NoticeKind::BlockedLoop, 1, "t", (1, 2))).unwrap();
        let later: Vec<u8> = {
            let text = b"\xacblocked_loop";
            let at = known
                .windows(text.len())
                .position(|part| part == text)
                .unwrap();
            [&known[..at], b"\xa3new", &known[at + text.len()..]].concat()
        };
        let read: GeneratorNotice = rmp_serde::from_slice(&later).unwrap();
        assert_eq!((read.kind, read.worker), (NoticeKind::Unknown, Some(1)));
        let json = serde_json::to_string(&NoticeKind::FewFileDescriptors).unwrap();
        assert_eq!(json, "\"few_file_descriptors\"");
    }

    #[test]
    fn messages_say_when_who_and_what_to_do() {
        let cpu = GeneratorNotice {
            worst: 99,
            ..notice(NoticeKind::Cpu, 0, "", (12, 40))
        };
        assert_eq!(
            cpu.message(Some("a")),
            "seconds 12 to 40: worker 0 on agent a used up to 99 % of its core: response times in these seconds include the generator's own delay; use more workers (up to one per core) or fewer users"
        );
        let blocked = GeneratorNotice {
            worst: 100,
            count: 1,
            ..notice(NoticeKind::BlockedLoop, 2, "Shopper.buy", (3, 3))
        };
        let text = blocked.message(None);
        assert!(
            text.starts_with("second 3: `Shopper.buy` blocked worker 2 once, for 100 ms"),
            "{text}"
        );
    }
}
