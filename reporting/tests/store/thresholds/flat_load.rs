//! Runs with the same load from beginning to end, which are over.

use greylag_infra::protocol::Snapshot;
use greylag_infra::{LoadProfile, ProfileStep, RunPhase, RunRecord, RunTime};
use greylag_reporting::Store;

use crate::support::{START, run};

/// How long they were to take.
pub(super) const PLANNED_S: u32 = 60;

/// Keeps a run with these thresholds against `base`, and what its only agent sent; it finished as planned, but for what `end` changes.
pub(super) async fn finished(
    store: &Store,
    id: &str,
    thresholds: &[&str],
    sent: Snapshot,
    end: impl FnOnce(&mut RunRecord),
) -> RunRecord {
    let mut new = run(id, "test", &["a"]);
    new.profile = LoadProfile {
        steps: vec![ProfileStep {
            at: RunTime::ZERO,
            users: 100,
            over_us: 0,
        }],
        ends_at: RunTime::of_second(PLANNED_S),
        ..LoadProfile::default()
    };
    let parsed = thresholds.iter().map(|text| text.parse().unwrap());
    new.test.thresholds = parsed.collect();
    new.test.baseline = "base".to_owned();
    let mut record = store.create_run(new).await.unwrap();
    store
        .save_snapshot(&id.into(), &"a".into(), sent)
        .await
        .unwrap();
    record.phase = RunPhase::Finished;
    record.ended_at = Some(START + RunTime::of_second(PLANNED_S));
    end(&mut record);
    store.update_run(&record).await.unwrap();
    record
}
