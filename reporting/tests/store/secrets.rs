//! What is secret: in no file once the run is over, and in files that only their owner may read before.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::support::run;
use greylag_infra::{
    ClientKind, DeclaredRequest, DeclaredScenario, RunPhase, RunRecord, Secret, SecretOption,
    SetUpData,
};
use greylag_reporting::Store;

/// In every secret of these tests.
const SECRET: &str = "geheim";

fn files(dir: &Path) -> Vec<PathBuf> {
    fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect()
}

/// Files in which the secret stands.
fn holding_secrets(dir: &Path) -> Vec<PathBuf> {
    let mut files = files(dir);
    files.retain(|file| {
        let bytes = fs::read(file).unwrap();
        bytes
            .windows(SECRET.len())
            .any(|window| window == SECRET.as_bytes())
    });
    files
}

/// Waits until secrets are in some file, or in none: SQLite moves what it holds from one to the other.
async fn until_holding(dir: &Path, expected: bool) {
    for _ in 0..2_400 {
        if holding_secrets(dir).is_empty() != expected {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("secrets are in {:?}", holding_secrets(dir));
}

/// A run with a secret in everything that may have one.
fn secretive(id: &str) -> RunRecord {
    let headers = || vec![("Authorization".to_owned(), format!("Bearer {SECRET}"))];
    let mut record = run(id, "a", &["x"]);
    let test = &mut record.test;
    test.host = format!("https://ada:{SECRET}@shop.example");
    // Large enough for pages of its own, too.
    let certificate = format!("-----BEGIN {}", SECRET.repeat(10_000));
    test.client.kind = Some(ClientKind::Full);
    test.client.client_certificate = Some(Secret::new(certificate));
    test.client.proxy = Some(Secret::new(format!("http://ada:{SECRET}@proxy.example")));
    test.client.headers = headers();
    test.options = [("pin", SECRET), ("tenant", "acme")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    test.declared = Some(DeclaredScenario {
        requests: vec![DeclaredRequest {
            method: "GET".into(),
            path: "/".into(),
            name: None,
            weight: 1,
            headers: headers(),
            body: None,
            expect_status: None,
            expect_body: None,
        }],
        wait_time: None,
    });
    record
}

#[tokio::test]
async fn secrets_are_in_no_file_once_the_run_is_over() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let pin = SecretOption {
        scenario: "shop".to_owned(),
        option: "pin".to_owned(),
        token: Some("t1".to_owned()),
    };
    store.save_secret_options(vec![pin.clone()]).await.unwrap();
    assert_eq!(store.secret_options().await.unwrap(), [pin]);
    let mut record = store.create_run(secretive("r")).await.unwrap();
    let made = SetUpData::from(SECRET.repeat(5_000).into_bytes());
    store.save_set_up_data(&"r".into(), made).await.unwrap();
    // A coordinator that is started again finds all that the run needs.
    assert_eq!(store.run(&"r".into()).await.unwrap(), Some(record.clone()));
    until_holding(dir.path(), true).await;

    record.phase = RunPhase::Finished;
    store.update_run(&record).await.unwrap();
    let kept = store.run(&"r".into()).await.unwrap().unwrap().test;
    assert_eq!(kept.host, "https://ada:…@shop.example/");
    assert_eq!(kept.options["tenant"], "acme");
    let refused = kept.check().unwrap_err();
    assert_eq!(refused.iter().count(), 6, "{refused}");
    until_holding(dir.path(), false).await;
    store.close().await;
    assert_eq!(holding_secrets(dir.path()), [] as [PathBuf; 0]);
}

#[tokio::test]
async fn only_the_owner_may_read_the_files() {
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let above = tempfile::tempdir().unwrap();
    let dir = above.path().join("data");
    let store = Store::open(&dir).unwrap();
    store.create_run(run("r", "a", &["x"])).await.unwrap();
    assert_eq!(mode(&dir), 0o700);
    let check = || {
        let files = files(&dir);
        assert!(files.len() >= 3, "{files:?}");
        for file in files {
            assert_eq!(mode(&file), 0o600, "{}", file.display());
        }
    };
    check();
    // As an older version left them, after a crash.
    let image = tempfile::tempdir().unwrap();
    for file in files(&dir) {
        let copy = image.path().join(file.file_name().unwrap());
        fs::copy(&file, &copy).unwrap();
        fs::set_permissions(&copy, fs::Permissions::from_mode(0o644)).unwrap();
    }
    store.close().await;
    drop(store);
    let store = Store::open(image.path()).unwrap();
    store.create_run(run("r2", "a", &["x"])).await.unwrap();
    for file in files(image.path()) {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[tokio::test]
async fn secrets_of_the_client_are_kept_only_as_long_as_the_run_needs_them() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let mut record = run("r1", "a", &["x"]);
    record.test.client.client_certificate = Some(Secret::new("-----BEGIN geheim"));
    record.test.client.proxy = Some(Secret::new("http://ada:geheim@proxy.example"));
    record = store.create_run(record).await.unwrap();
    // A coordinator that is started again finds the whole definition.
    assert_eq!(store.run(&"r1".into()).await.unwrap(), Some(record.clone()));
    record.phase = RunPhase::Finished;
    store.update_run(&record).await.unwrap();
    let kept = store.run(&"r1".into()).await.unwrap().unwrap().test;
    assert_eq!(kept.client.client_certificate, Some(Secret::default()));
    assert_eq!(kept.client.proxy, Some(Secret::default()));
    let refused = kept.check().unwrap_err().to_string();
    assert!(refused.contains("is not kept after a run"), "{refused}");
}

/// Set-up data survives the coordinator, and is forgotten with the run's end: it may hold passwords.
#[tokio::test]
async fn set_up_data_is_kept_as_long_as_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let mut record = store.create_run(run("r", "a", &["x"])).await.unwrap();
    assert_eq!(store.set_up_data(&"r".into()).await.unwrap(), None);
    let data = SetUpData::from(b"tenants".to_vec());
    store
        .save_set_up_data(&"r".into(), data.clone())
        .await
        .unwrap();
    record.phase = RunPhase::Running;
    store.update_run(&record).await.unwrap();
    store.close().await;
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(
        store.set_up_data(&"r".into()).await.unwrap(),
        Some(data.clone())
    );
    record.phase = RunPhase::Finished;
    store.update_run(&record).await.unwrap();
    assert_eq!(store.set_up_data(&"r".into()).await.unwrap(), None);
    store.save_set_up_data(&"r".into(), data).await.unwrap();
    assert_eq!(
        store.set_up_data(&"r".into()).await.unwrap(),
        None,
        "the run is over"
    );
}
