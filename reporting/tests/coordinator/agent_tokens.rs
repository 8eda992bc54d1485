//! An agent's token on the agents' socket: what it must not do is refused and counted, and harms nobody.

use std::path::Path;

use greylag_infra::protocol::{Hello, OptionInfo, Snapshot, ToAgent, ToCoordinator, WorkerState};
use greylag_infra::{AgentSecret, MAX_OPTIONS, RunId, RunPhase};
use greylag_reporting::coordinator::{ConnectionFault, Provisioning};
use greylag_reporting::web::WebConfig;
use greylag_reporting::{Grant, Role, Token, TokenId};

use crate::site::*;

const OWNER: &str = "correct-horse-battery-staple";

async fn guarded(dir: &Path) -> Site {
    let config = WebConfig {
        token: Some(Token::new(OWNER).unwrap()),
        ..WebConfig::default()
    };
    Site::open_as(dir, PATIENCE, Provisioning::default(), config).await
}

async fn create(site: &Site, grant: Grant) -> (TokenId, String) {
    let (id, token) = site.coordinator.tokens().create(grant).await.unwrap();
    (id, token.expose().to_owned())
}

fn agent_of(infrastructure: &str) -> Grant {
    Grant {
        infrastructure: Some(infrastructure.to_owned()),
        ..Grant::of_role(Role::Agent)
    }
}

async fn join(site: &Site, token: &str, hello: Hello) -> FakeAgent {
    let mut agent = FakeAgent::dial_with(&site.url, token).await.unwrap();
    agent.send(&ToCoordinator::Hello(hello)).await;
    assert!(matches!(agent.receive().await, Some(ToAgent::Welcome(_))));
    agent
}

async fn refusal(site: &Site, token: &str, hello: Hello) -> String {
    let mut agent = FakeAgent::dial_with(&site.url, token).await.unwrap();
    agent.send(&ToCoordinator::Hello(hello)).await;
    match agent.receive().await {
        Some(ToAgent::Refused { reason }) => reason,
        other => panic!("it should be refused: {other:?}"),
    }
}

fn ping(site: &Site) -> ToCoordinator {
    ToCoordinator::Ping {
        sent_at: site.coordinator.now(),
        runs: Vec::new(),
    }
}

fn faults(site: &Site, fault: ConnectionFault) -> u64 {
    site.coordinator.connection_faults().get(fault)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_speaks_only_of_its_own_runs_and_workers_and_nobody_is_harmed() {
    let dir = tempfile::tempdir().unwrap();
    let site = guarded(dir.path()).await;
    let mut victim = join(&site, OWNER, hello("a", &[])).await;
    let run_id = begin(&site, &mut victim).await;
    assert_eq!(
        victim.snapshot(snapshot(&run_id, 1, 7)).await,
        ack(&run_id, 1)
    );
    let (_, token) = create(&site, agent_of("lab")).await;
    let rogue = async |name: &str| join(&site, &token, hello(name, &[])).await;

    // Results of a run that it takes no part in, also as the last ones.
    for (number, forged) in [snapshot(&run_id, 2, 1_000), last(&run_id, 2, 1_000)]
        .into_iter()
        .enumerate()
    {
        let mut agent = rogue("b").await;
        assert_eq!(agent.snapshot(forged).await, None, "it is disconnected");
        let count = number as u64 + 1;
        site.until_fault(ConnectionFault::InvalidSnapshot, count)
            .await;
    }
    // As one who holds it and comes back.
    let mut returned = join(&site, &token, hello("d", &[&run_id])).await;
    assert_eq!(
        returned.receive().await,
        Some(ToAgent::Abandon {
            run_id: run_id.clone()
        }),
        "it is not one of its runs"
    );

    // The name of an agent that is away for a moment, with a secret of its own.
    drop(victim);
    until_disconnected(&site, "agent-a").await;
    let mut usurper = hello("a", &[&run_id]);
    usurper.secret = AgentSecret::new("x".repeat(32));
    let mut usurper = join(&site, &token, usurper).await;
    assert!(matches!(
        usurper.receive().await,
        Some(ToAgent::Abandon { .. })
    ));
    assert_eq!(usurper.snapshot(snapshot(&run_id, 2, 9)).await, None);

    let mut victim = join(&site, OWNER, hello("a", &[&run_id])).await;
    assert!(matches!(
        victim.receive().await,
        Some(ToAgent::Start { .. })
    ));
    // A worker that is not its own is refused from any agent.
    let mut of_other_worker: Snapshot = snapshot(&run_id, 2, 9);
    of_other_worker.workers.push(WorkerState {
        index: 5,
        pid: 1,
        users: 0,
        running: true,
    });
    assert_eq!(victim.snapshot(of_other_worker).await, None);
    let mut victim = join(&site, OWNER, hello("a", &[&run_id])).await;
    assert!(matches!(
        victim.receive().await,
        Some(ToAgent::Start { .. })
    ));
    assert_eq!(
        victim.snapshot(snapshot(&run_id, 2, 5)).await,
        ack(&run_id, 2)
    );
    assert_eq!(victim.snapshot(last(&run_id, 3, 12)).await, ack(&run_id, 3));
    assert_eq!(site.until_over(&run_id).await, RunPhase::Finished);
    assert_eq!(requests(&site, &run_id).await, 12);
    assert_eq!(faults(&site, ConnectionFault::InvalidSnapshot), 4);
}

/// A load shape and set-up data go to all agents of a run, so they are taken from none that is not its.
#[tokio::test(flavor = "multi_thread")]
async fn an_agent_is_ready_for_its_own_runs_only() {
    let dir = tempfile::tempdir().unwrap();
    let site = guarded(dir.path()).await;
    let mut victim = join(&site, OWNER, hello("a", &[])).await;
    let run = site.coordinator.start_run(load_test()).await.unwrap();
    assert!(matches!(victim.receive().await, Some(ToAgent::Prepare(_))));
    let (_, token) = create(&site, agent_of("lab")).await;
    let mut rogue = join(&site, &token, hello("b", &[])).await;
    let mut other = load_test();
    other.users += 1;
    let ready = |shape, set_up_data: &[u8]| ToCoordinator::Ready {
        run_id: run.id.clone(),
        shape,
        set_up_data: Some(set_up_data.to_vec().into()),
    };
    rogue.send(&ready(Some(other.profile()), b"forged")).await;
    rogue.send(&ping(&site)).await;
    assert!(matches!(rogue.receive().await, Some(ToAgent::Pong { .. })));
    victim.send(&ready(None, b"its own")).await;
    let Some(ToAgent::Start {
        profile,
        set_up_data,
        ..
    }) = victim.receive().await
    else {
        panic!("the agent should be asked to start");
    };
    assert_eq!(*profile, load_test().profile());
    assert_eq!(set_up_data, Some(b"its own".to_vec().into()));
}

async fn until_disconnected(site: &Site, name: &str) {
    let mut changes = site.coordinator.changes();
    let is_gone = || {
        let infrastructures = site.coordinator.infrastructures();
        let mut agents = infrastructures.iter().flat_map(|known| &known.agents);
        agents.any(|agent| agent.name == name && agent.status.word() == "Disconnected")
    };
    let gone = async {
        while !is_gone() {
            changes.changed().await.unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_lets_into_its_infrastructure_only() {
    let dir = tempfile::tempdir().unwrap();
    let site = guarded(dir.path()).await;
    let (_, token) = create(&site, agent_of("eu")).await;
    let reason = refusal(&site, &token, hello("a", &[])).await;
    assert!(
        reason.contains("for infrastructure `eu` only") && reason.contains("--infrastructure eu"),
        "{reason}"
    );
    site.until_fault(ConnectionFault::Refused, 1).await;
    assert!(site.coordinator.infrastructures().is_empty());
    let mut there = hello("a", &[]);
    there.infrastructure = "eu".into();
    join(&site, &token, there).await;

    let (_, viewer) = create(&site, Grant::of_role(Role::Viewer)).await;
    for (token, fault) in [
        (viewer.as_str(), ConnectionFault::Forbidden),
        ("wrong", ConnectionFault::Unauthenticated),
    ] {
        assert!(FakeAgent::dial_with(&site.url, token).await.is_err());
        assert_eq!(faults(&site, fault), 1, "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_a_run_is_known_with_its_agents() {
    let dir = tempfile::tempdir().unwrap();
    let site = guarded(dir.path()).await;
    let grant = Grant {
        run: Some("r".into()),
        ..agent_of("lab")
    };
    let (id, token) = create(&site, grant).await;
    let _agent = join(&site, &token, hello("a", &[])).await;
    let mut changes = site.coordinator.changes();
    let agent = loop {
        let known = site.coordinator.infrastructures();
        if let Some(agent) = known.first().and_then(|lab| lab.agents.first()) {
            break agent.clone();
        }
        changes.changed().await.unwrap();
    };
    assert_eq!(agent.admission.run, Some(RunId::from("r")));
    assert_eq!(agent.admission.token.as_deref(), Some(id.as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_disconnects_its_agents_only() {
    let dir = tempfile::tempdir().unwrap();
    let site = guarded(dir.path()).await;
    let (id, token) = create(&site, agent_of("lab")).await;
    let (_, other) = create(&site, agent_of("lab")).await;
    let mut agent = join(&site, &token, hello("a", &[])).await;
    let mut beside = join(&site, &other, hello("b", &[])).await;
    site.coordinator.tokens().revoke(&id).await.unwrap();
    assert_eq!(agent.receive().await, None, "it is disconnected");
    site.until_fault(ConnectionFault::Revoked, 1).await;
    assert!(FakeAgent::dial_with(&site.url, &token).await.is_err());
    beside.send(&ping(&site)).await;
    assert!(matches!(beside.receive().await, Some(ToAgent::Pong { .. })));
}

/// One whose scenario has so many secret options that no other hello has.
fn declaring(id: &str, number: usize) -> Hello {
    let options = (0..MAX_OPTIONS).map(|option| OptionInfo {
        name: format!("{id}-{number}-{option}"),
        secret: true,
        ..OptionInfo::default()
    });
    let mut hello = hello(id, &[]);
    hello.scenarios[0].options = options.collect();
    hello
}

#[tokio::test(flavor = "multi_thread")]
async fn one_token_does_not_use_up_what_all_share() {
    let dir = tempfile::tempdir().unwrap();
    let site = guarded(dir.path()).await;
    let (_, greedy) = create(&site, agent_of("lab")).await;
    let (_, other) = create(&site, agent_of("lab")).await;
    let mut let_in = 0;
    let reason = loop {
        let mut agent = FakeAgent::dial_with(&site.url, &greedy).await.unwrap();
        let hello = declaring("a", let_in);
        agent.send(&ToCoordinator::Hello(hello)).await;
        match agent.receive().await {
            Some(ToAgent::Welcome(_)) => let_in += 1,
            Some(ToAgent::Refused { reason }) => break reason,
            answer => panic!("{answer:?}"),
        }
    };
    assert_eq!(let_in, 50, "half of 10,000 options");
    assert!(reason.contains("2500 secret options"), "{reason}");
    site.until_fault(ConnectionFault::Refused, 1).await;
    let mut beside = join(&site, &other, declaring("b", 0)).await;
    beside.send(&ping(&site)).await;
    assert!(matches!(beside.receive().await, Some(ToAgent::Pong { .. })));
    // As many are known after a restart, and whose they are.
    let known = site.coordinator.store().secret_options().await.unwrap();
    assert_eq!(known.len(), (let_in + 1) * MAX_OPTIONS);
    let tokens: std::collections::BTreeSet<_> = known.iter().map(|known| &known.token).collect();
    assert_eq!(tokens.len(), 2);
}
