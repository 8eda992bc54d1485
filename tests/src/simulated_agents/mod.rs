//! Many agents in this process: each has a connection of its own and says and keeps what a real agent does, but has no workers. What
//! their users would have measured is made up, so that a thousand of them cost less than a core.
//!
//! As real agents they keep a snapshot until it is acknowledged, send it again after a reconnect, and have at most
//! [`MAX_UNACKNOWLEDGED`](greylag_infra::protocol::MAX_UNACKNOWLEDGED) on their way; what they may not send yet waits and goes into a
//! later snapshot. The limit in bytes that real agents have for slow links is left out.

mod agent;
mod outbox;
mod part;
mod tally;
mod traffic;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use greylag_infra::WallClock;
use greylag_infra::protocol::{ScenarioInfo, UserTypeInfo};
use greylag_scenarios::{Scenario, examples};
use tokio::task::JoinSet;

use crate::wait;
use agent::SimulatedAgent;
pub use tally::{Acknowledged, Tally};
pub use traffic::{Sending, Traffic};

/// How many agents are started per second: a coordinator keeps a bounded number of connections that have not said hello.
const STARTS_PER_SECOND: u32 = 500;

/// Agents that are connected to one coordinator, until it is dropped.
#[derive(Debug)]
pub struct SimulatedAgents {
    shared: Arc<Shared>,
    count: usize,
    _tasks: JoinSet<()>,
}

/// What the agents have in common.
#[derive(Debug)]
struct Shared {
    url: String,
    infrastructure: String,
    /// As large as real ones, because a coordinator has them all.
    scenarios: Vec<ScenarioInfo>,
    traffic: Traffic,
    clock: WallClock,
    tally: Mutex<Tally>,
}

impl Shared {
    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().expect("nothing panics while counting")
    }
}

impl SimulatedAgents {
    /// Starts so many agents, which connect to the coordinator at this base URL and report this traffic of every run that they
    /// have a part in.
    pub fn start(url: &str, infrastructure: &str, count: usize, traffic: Traffic) -> Self {
        let shared = Arc::new(Shared {
            url: url.to_owned(),
            infrastructure: infrastructure.to_owned(),
            scenarios: examples::all().iter().map(scenario_info).collect(),
            traffic,
            clock: WallClock::start(),
            tally: Mutex::default(),
        });
        let mut tasks = JoinSet::new();
        for number in 0..count {
            let agent = SimulatedAgent::new(number, Arc::clone(&shared));
            let delay = Duration::from_secs(1) * u32::try_from(number).unwrap_or(u32::MAX)
                / STARTS_PER_SECOND;
            tasks.spawn(async move {
                tokio::time::sleep(delay).await;
                agent.run().await;
            });
        }
        Self {
            shared,
            count,
            _tasks: tasks,
        }
    }

    /// What they have done so far.
    pub fn tally(&self) -> MutexGuard<'_, Tally> {
        self.shared.tally()
    }

    /// Waits until all are connected.
    ///
    /// # Panics
    /// They are not within the time.
    pub async fn wait_until_connected(&self, within: Duration) {
        self.wait_for("all simulated agents connected", within, |tally, count| {
            tally.connected == count
        })
        .await;
    }

    /// Waits until the coordinator has acknowledged everything, the end of every agent's part included.
    ///
    /// # Panics
    /// It has not within the time.
    pub async fn wait_until_done(&self, within: Duration) {
        self.wait_for(
            "everything acknowledged to simulated agents",
            within,
            |tally, count| tally.done == count,
        )
        .await;
    }

    async fn wait_for(
        &self,
        what: &str,
        within: Duration,
        reached: impl Fn(&Tally, usize) -> bool,
    ) {
        wait::until(what, within, async || {
            let tally = self.tally();
            assert!(tally.refusals.is_empty(), "{:?}", tally.refusals);
            if reached(&tally, self.count) {
                Ok(())
            } else {
                Err(format!("{} agents: {tally}", self.count))
            }
        })
        .await;
    }
}

fn scenario_info(scenario: &Scenario) -> ScenarioInfo {
    let user_types = scenario.user_types.iter().map(|user_type| UserTypeInfo {
        name: user_type.name().to_owned(),
        weight: user_type.weight(),
        ..UserTypeInfo::default()
    });
    ScenarioInfo {
        name: scenario.name.clone(),
        description: scenario.description.clone(),
        user_types: user_types.collect(),
        tags: scenario.tags(),
        ..ScenarioInfo::default()
    }
}
