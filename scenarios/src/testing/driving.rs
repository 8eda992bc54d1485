//! Scenarios driven as a worker drives them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::Memory;
use crate::{DriveError, Load, PlannedUser, RunSettings, Scenario, UserOrder, drive};

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// When users of the first type begin.
pub(crate) struct Plan {
    pub(crate) host: Url,
    /// Milliseconds after `started_at`, in the order of the users' indexes.
    pub(crate) starts: Vec<u64>,
    pub(crate) started_at: Instant,
    pub(crate) stop_timeout: Duration,
    /// Slots to begin with.
    pub(crate) users: usize,
}

/// Users that begin these milliseconds from now.
pub(crate) fn plan(host: &Url, starts: impl IntoIterator<Item = u64>) -> Plan {
    let starts: Vec<u64> = starts.into_iter().collect();
    Plan {
        host: host.clone(),
        users: starts.len(),
        starts,
        started_at: Instant::now(),
        // An orderly stop does not wait for it, and on a busy machine a shorter one cuts requests that are under way.
        stop_timeout: PATIENCE,
    }
}

impl Plan {
    fn load(&self) -> Load {
        Load {
            prepared: None,
            settings: RunSettings {
                host: Some(self.host.clone()),
                users: self.starts.len() as u64,
                workers: 1,
                ..RunSettings::default()
            },
            users: self.users,
            stop_timeout: self.stop_timeout,
            arrivals: None,
            watch: None,
        }
    }

    /// The orders of this plan, each when it is due.
    fn orders(&self) -> mpsc::Receiver<UserOrder> {
        let (sender, receiver) = mpsc::channel(16);
        let mut starts: Vec<(u64, u64)> = (0..).zip(self.starts.iter().copied()).collect();
        starts.sort_by_key(|(_, after)| *after);
        let started_at = self.started_at;
        tokio::spawn(async move {
            for (index, after) in starts {
                sleep_until(started_at + Duration::from_millis(after)).await;
                let planned = PlannedUser {
                    index,
                    user_type: 0,
                };
                if sender.send(UserOrder::Start(planned)).await.is_err() {
                    return;
                }
            }
            sender.closed().await;
        });
        receiver
    }
}

/// Drives the users of a plan until they are stopped.
pub(crate) async fn drive_plan(
    scenario: &Scenario,
    plan: &Plan,
    memory: &Arc<Memory>,
    stop: CancellationToken,
) -> Result<(), DriveError> {
    drive(scenario, plan.load(), plan.orders(), memory.clone(), stop).await
}

/// Waits until this is so.
pub(crate) async fn until(is_so: impl Fn() -> bool) {
    let looking = async {
        while !is_so() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    let seen = timeout(PATIENCE, looking).await;
    seen.expect("what is waited for happens");
}

/// Drives until `until` resolves, then stops; returns how long the stop took.
pub(crate) async fn drive_until(
    scenario: Scenario,
    plan: Plan,
    memory: &Arc<Memory>,
    until: impl Future<Output = ()>,
) -> Duration {
    let stop = CancellationToken::new();
    let mut driving = tokio::spawn({
        let (memory, stop) = (memory.clone(), stop.clone());
        async move { drive_plan(&scenario, &plan, &memory, stop).await }
    });
    tokio::select! {
        ended = &mut driving => panic!("ended before it was stopped: {ended:?}"),
        () = until => {}
    }
    let stopped_at = Instant::now();
    stop.cancel();
    driving.await.unwrap().unwrap();
    assert_eq!(
        memory.started.load(Ordering::SeqCst),
        memory.stopped.load(Ordering::SeqCst),
        "every user that began has ended"
    );
    stopped_at.elapsed()
}
