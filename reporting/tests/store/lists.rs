//! Lists of runs: searched and in pages.

use std::time::Duration;

use crate::support::{START, run};
use greylag_infra::{FailureReason, RunPhase, RunRecord};
use greylag_reporting::{RunFilter, Store};

/// Runs of three tests, the oldest first.
async fn some_runs(store: &Store) -> Vec<RunRecord> {
    let mut runs = Vec::new();
    for number in 0..60_u64 {
        let test = ["Checkout 2", "search é", "100%_sure"][(number % 3) as usize];
        let mut record = run(&format!("r{number}"), test, &["a"]);
        record.created_at = START + Duration::from_micros(number);
        record.test.host = match number % 4 {
            0 => "https://User:Geheim@Shop.example.com/a".into(),
            1 => "http://10.0.0.7:8080".into(),
            2 => String::new(),
            _ => "http://shop.internal".into(),
        };
        record = store.create_run(record).await.unwrap();
        record.phase = match number % 5 {
            0 => RunPhase::Running,
            1 => RunPhase::Failing(FailureReason::other("x")),
            2 | 3 => RunPhase::Finished,
            _ => RunPhase::Failed(FailureReason::other("Finished badly")),
        };
        store.update_run(&record).await.unwrap();
        runs.push(record);
    }
    runs
}

/// What a search means, said plainly.
fn is_found(run: &RunRecord, search: &str) -> bool {
    search.split_whitespace().all(|word| {
        let word = word.to_ascii_lowercase();
        let host = run.test.host.rsplit('@').next().unwrap_or_default();
        run.test.name.to_ascii_lowercase().contains(&word)
            || host.to_ascii_lowercase().contains(&word)
            || word.strip_prefix('#').unwrap_or(&word) == run.number.to_string()
            || run
                .phase
                .status()
                .word()
                .to_ascii_lowercase()
                .starts_with(&word)
    })
}

#[tokio::test]
async fn a_search_finds_what_its_words_describe() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let runs = some_runs(&store).await;
    let mut found_something = 0;
    for search in [
        "",
        "  ",
        "check",
        "CHECKOUT",
        "check 2",
        "é",
        "É",
        "%",
        "_",
        "'",
        "\"",
        "\\",
        "10.0.0",
        "shop",
        "shop finished",
        "#7",
        "7",
        "#",
        "running",
        "failed checkout #4",
        "fin",
        "badly",
        "geheim",
        "user",
        "a:b",
        "nothing of this",
    ] {
        let expected: Vec<&str> = runs
            .iter()
            .rev()
            .filter(|run| is_found(run, search))
            .map(|run| run.id.as_str())
            .collect();
        let filter = RunFilter {
            search: search.into(),
            ..RunFilter::default()
        };
        let (found, total) = store.runs_and_count(filter).await.unwrap();
        let found: Vec<&str> = found.iter().map(|run| run.id.as_str()).collect();
        assert_eq!(found, expected, "{search:?}");
        assert_eq!(total, expected.len() as u64, "{search:?}");
        found_something += usize::from(!expected.is_empty());
    }
    assert!(found_something > 10);
    // Of one test, a page of them.
    let filter = RunFilter {
        test: Some("Checkout 2".into()),
        search: "shop".into(),
        limit: Some(3),
        offset: 3,
    };
    let (found, total) = store.runs_and_count(filter).await.unwrap();
    let ids: Vec<&str> = found.iter().map(|run| run.id.as_str()).collect();
    assert_eq!((ids, total), (vec!["r36", "r27", "r24"], 10));
}

#[tokio::test]
async fn a_test_has_as_many_runs_as_there_are() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    some_runs(&store).await;
    store.delete_run(&"r57".into()).await.unwrap();
    let tests = store.tests().await.unwrap();
    let counts: Vec<_> = tests
        .iter()
        .map(|test| (test.name.as_str(), test.runs))
        .collect();
    assert_eq!(
        counts,
        [("100%_sure", 20), ("search é", 20), ("Checkout 2", 19)]
    );
}
