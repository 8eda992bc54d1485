//! What is kept of the notices about the load generator.

use crate::support::{run, snapshot};
use greylag_infra::{CustomMetric, GeneratorNotice, MetricKind, NoticeKind, RunRecord};
use greylag_reporting::{MetricSums, Scope, Store};

async fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    (dir, store)
}

async fn create(store: &Store, id: &str, agents: &[&str]) -> RunRecord {
    store.create_run(run(id, "checkout", agents)).await.unwrap()
}

/// Notices of several snapshots are merged by kind, worker and subject, and survive the coordinator.
#[tokio::test]
async fn what_the_generator_ran_short_of_is_kept_and_merged() {
    let (dir, store) = store().await;
    create(&store, "r", &["x"]).await;
    let cpu = |second: u32, worst: u64| GeneratorNotice {
        kind: NoticeKind::Cpu,
        worker: Some(0),
        first_second: second,
        last_second: second,
        count: 1,
        worst,
        ..GeneratorNotice::default()
    };
    for (seq, second, worst) in [(1, 5, 92), (2, 6, 99), (3, 4, 90), (3, 9, 100)] {
        let mut snapshot = snapshot("r", seq, &[]);
        snapshot.notices = vec![cpu(second, worst)];
        // The last one has been saved already: it must not count twice.
        store
            .save_snapshot(&"r".into(), &"x".into(), snapshot)
            .await
            .unwrap();
    }
    let merged = GeneratorNotice {
        first_second: 4,
        last_second: 6,
        count: 3,
        worst: 99,
        ..cpu(0, 0)
    };
    store.close().await;
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(
        store.notices(&"r".into(), &Scope::default()).await.unwrap(),
        [merged]
    );
    assert!(
        store
            .notices(&"r9".into(), &Scope::default())
            .await
            .unwrap_err()
            .is_unknown_run()
    );
}

#[tokio::test]
async fn notices_that_cannot_be_are_refused() {
    let (_dir, store) = store().await;
    create(&store, "r", &["x"]).await;
    let valid = GeneratorNotice {
        worker: Some(0),
        ..GeneratorNotice::default()
    };
    for invalid in [
        GeneratorNotice {
            worker: Some(77),
            ..valid.clone()
        },
        GeneratorNotice {
            first_second: 2,
            last_second: 1,
            ..valid.clone()
        },
        GeneratorNotice {
            last_second: u32::MAX,
            ..valid.clone()
        },
        GeneratorNotice {
            count: u64::MAX,
            ..valid.clone()
        },
    ] {
        let mut snapshot = snapshot("r", 1, &[]);
        snapshot.notices = vec![invalid.clone()];
        let error = store
            .save_snapshot(&"r".into(), &"x".into(), snapshot)
            .await
            .unwrap_err();
        assert!(error.is_invalid_input(), "{invalid:?}: {error}");
    }
}

#[tokio::test]
async fn values_on_which_agents_disagree_are_left_out_and_logged_once() {
    let (_dir, store) = store().await;
    create(&store, "r", &["x", "y"]).await;
    let run = "r".into();
    for (agent, seq, kind) in [
        ("x", 1, MetricKind::Counter),
        ("y", 1, MetricKind::Gauge),
        ("y", 2, MetricKind::Gauge),
    ] {
        let mut sums = MetricSums::default();
        sums.record(5, 0, false);
        let mut snapshot = snapshot("r", seq, &[]);
        snapshot.metrics = vec![CustomMetric::new("depth", kind, "")];
        snapshot.metric_values = vec![sums.to_wire(3, 0)];
        let saved = store.save_snapshot(&run, &agent.into(), snapshot).await;
        saved.unwrap();
    }
    let notices = store.notices(&run, &Scope::default()).await.unwrap();
    let [notice] = &notices[..] else {
        panic!("{notices:?}");
    };
    assert_eq!(
        notice.message(None),
        "second 3: 2 values of custom metrics were left out (depth: the run has a counter of this name without a unit): correct the scenario's code"
    );
    let lines = store.log(&run, &Scope::default(), 0, 10).await.unwrap();
    let [row] = &lines[..] else {
        panic!("{lines:?}");
    };
    let text = &row.text;
    assert!(text.starts_with("Warning: second 3: 1 value of"), "{text}");
}
