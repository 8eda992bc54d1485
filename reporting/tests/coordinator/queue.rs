//! Runs that wait: for other runs on their infrastructure, for agents, over a restart.

use greylag_infra::protocol::{Hello, ToAgent, ToCoordinator};
use greylag_infra::{AgentCount, FailureReason, Fleet, LoadTest, RunId, RunPhase};

use crate::site::*;

fn with_fleet(fleet: Fleet) -> LoadTest {
    LoadTest {
        fleet,
        ..load_test()
    }
}

fn of_agents(least: u32, most: u32, agents_timeout_s: u64) -> LoadTest {
    LoadTest {
        workers: least,
        ..with_fleet(Fleet {
            agents: AgentCount::new(least, most).unwrap(),
            agents_timeout_s,
            ..Fleet::default()
        })
    }
}

impl Site {
    async fn start(&self, test: LoadTest) -> RunId {
        self.coordinator.start_run(test).await.unwrap().id
    }

    async fn waiting(&self, id: &RunId) -> String {
        let phase = self.run(id).await.phase;
        let reason = phase.wait_reason().unwrap_or_default();
        format!("{}: {reason}", phase.word())
    }

    async fn until_waiting(&self, id: &RunId, words: &str) {
        let mut changes = self.coordinator.changes();
        let until = async {
            while self.waiting(id).await != words {
                changes.changed().await.unwrap();
            }
        };
        tokio::time::timeout(PATIENCE, until)
            .await
            .unwrap_or_else(|_| panic!("it should be {words}"));
    }
}

impl FakeAgent {
    /// The next run it is asked to prepare.
    async fn prepared(&mut self) -> RunId {
        match self.receive().await {
            Some(ToAgent::Prepare(prepare)) => prepare.run_id,
            other => panic!("{other:?} where Prepare is due"),
        }
    }

    async fn ready(&mut self, id: &RunId) {
        let ready = ToCoordinator::Ready {
            run_id: id.clone(),
            shape: None,
            set_up_data: None,
        };
        self.send(&ready).await;
        assert!(matches!(self.receive().await, Some(ToAgent::Start { .. })));
    }

    async fn finish(&mut self, id: &RunId) {
        assert_eq!(self.snapshot(last(id, 1, 0)).await, ack(id, 1));
    }

    /// Finishes a run, and gives the next one that it is asked to prepare. The answers come in any order.
    async fn finish_before_next(&mut self, id: &RunId) -> RunId {
        let end = ToCoordinator::Snapshot(Box::new(last(id, 1, 0)));
        self.send(&end).await;
        let (mut is_saved, mut next) = (false, None);
        loop {
            match self.receive().await {
                Some(ToAgent::Ack { run_id, .. }) if run_id == *id => is_saved = true,
                Some(ToAgent::Prepare(prepare)) => next = Some(prepare.run_id),
                other => panic!("{other:?} where Ack or Prepare is due"),
            }
            if let (true, Some(next)) = (is_saved, &next) {
                return next.clone();
            }
        }
    }
}

/// A restart in the middle, and a run that is stopped while it waits.
#[tokio::test(flavor = "multi_thread")]
async fn runs_that_are_asked_for_at_once_have_their_turn_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let site = Site::open(dir.path(), PATIENCE).await;
    let mut agent = FakeAgent::join(&site.url, hello("a", &[])).await;
    let mut runs = Vec::new();
    for _ in 0..4 {
        runs.push(site.start(load_test()).await);
    }
    let [first, second, stopped, last] = &runs[..] else {
        unreachable!("four were started");
    };
    assert_eq!(
        site.waiting(second).await,
        "Queued: #1 of t has these agents"
    );
    let third = "Queued: #1 of t has these agents, and 1 run comes before this one";
    assert_eq!(site.waiting(stopped).await, third);
    assert_eq!(agent.prepared().await, *first);
    agent.ready(first).await;
    site.coordinator.stop_run(stopped).await.unwrap();
    let by_user = RunPhase::Failed(FailureReason::StoppedByUser);
    assert_eq!(site.until_over(stopped).await, by_user);
    site.until_waiting(last, third).await;

    drop(agent);
    site.close().await;
    let site = Site::open(dir.path(), PATIENCE).await;
    assert_eq!(site.waiting(last).await, third);
    let mut agent = FakeAgent::join(&site.url, hello("a", &[first])).await;
    assert!(matches!(agent.receive().await, Some(ToAgent::Start { .. })));
    assert_eq!(agent.finish_before_next(first).await, *second);
    assert_eq!(site.until_over(first).await, RunPhase::Finished);
    site.until_waiting(last, "Queued: #2 of t has these agents")
        .await;
    agent.ready(second).await;
    // Not the one that was stopped.
    assert_eq!(agent.finish_before_next(second).await, *last);
    agent.ready(last).await;
    agent.finish(last).await;
    assert_eq!(site.until_over(last).await, RunPhase::Finished);
    assert!(site.run(stopped).await.agents.is_empty());
    assert_eq!(
        site.run(last).await.agents.len(),
        1,
        "kept when they were chosen"
    );
    site.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_that_share_run_beside_each_other_and_not_beside_others() {
    let dir = tempfile::tempdir().unwrap();
    let site = Site::open(dir.path(), PATIENCE).await;
    let mut agent = FakeAgent::join(&site.url, hello("a", &[])).await;
    let share = || {
        with_fleet(Fleet {
            share: true,
            ..Fleet::default()
        })
    };
    let (one, other) = (site.start(share()).await, site.start(share()).await);
    assert_eq!(agent.prepared().await, one);
    assert_eq!(agent.prepared().await, other);
    let alone = site.start(load_test()).await;
    assert_eq!(
        site.waiting(&alone).await,
        "Queued: #1 of t has these agents"
    );
    let late = site.start(share()).await;
    let behind = "Queued: #3 of t comes first";
    assert_eq!(site.waiting(&late).await, behind);
    site.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_waits_for_its_agents_and_takes_no_more_than_it_asks_for() {
    let dir = tempfile::tempdir().unwrap();
    let site = Site::open(dir.path(), PATIENCE).await;
    // Before the first agent comes, there is no such infrastructure.
    let run = site.start(of_agents(2, 2, 3_600)).await;
    assert_eq!(
        site.waiting(&run).await,
        "Provisioning: waiting for 2 of 2 agents"
    );
    let mut a = FakeAgent::join(&site.url, hello("a", &[])).await;
    site.until_waiting(&run, "Provisioning: waiting for 1 of 2 agents")
        .await;
    let mut b = FakeAgent::join(&site.url, hello("b", &[])).await;
    assert_eq!(
        (a.prepared().await, b.prepared().await),
        (run.clone(), run.clone())
    );
    site.coordinator.stop_run(&run).await.unwrap();
    for agent in [&mut a, &mut b] {
        assert!(matches!(agent.receive().await, Some(ToAgent::Stop { .. })));
        agent.finish(&run).await;
    }
    site.until_over(&run).await;
    let one = site.start(of_agents(1, 1, 3_600)).await;
    assert_eq!(a.prepared().await, one);
    assert_eq!(site.run(&one).await.agents.len(), 1);
    site.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_that_do_not_come_fail_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let site = Site::open(dir.path(), PATIENCE).await;
    let _agent = FakeAgent::join(&site.url, hello("a", &[])).await;
    let run = site.start(of_agents(3, 5, 0)).await;
    let missing = FailureReason::AgentsMissing {
        infrastructure: "lab".into(),
        free: 1,
        least: 3,
        within_s: 0,
        machines: None,
    };
    assert_eq!(site.until_over(&run).await, RunPhase::Failed(missing));
    site.close().await;
}

/// It will be gone before the next run has prepared.
#[tokio::test(flavor = "multi_thread")]
async fn an_agent_of_one_run_is_given_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let site = Site::open(dir.path(), PATIENCE).await;
    let once = Hello {
        once: true,
        ..hello("a", &[])
    };
    let mut agent = FakeAgent::join(&site.url, once.clone()).await;
    let first = site.start(load_test()).await;
    let second = site.start(load_test()).await;
    assert_eq!(agent.prepared().await, first);
    agent.ready(&first).await;
    // A broken connection does not make it another agent.
    drop(agent);
    let back = Hello {
        runs: vec![first.clone()],
        ..once
    };
    let mut agent = FakeAgent::join(&site.url, back).await;
    assert!(matches!(agent.receive().await, Some(ToAgent::Start { .. })));
    agent.finish(&first).await;
    site.until_waiting(&second, "Provisioning: waiting for 1 of 1 agent")
        .await;
    let mut next = FakeAgent::join(&site.url, hello("b", &[])).await;
    assert_eq!(next.prepared().await, second);
    site.close().await;
}
