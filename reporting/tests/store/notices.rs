//! What is kept of the notices about the load generator.

use crate::support::{run, snapshot};
use greylag_infra::{GeneratorNotice, NoticeKind, RunRecord};
use greylag_reporting::{Scope, Store};

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
