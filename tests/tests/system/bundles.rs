//! A run that one coordinator measured, in another one.

use greylag_tests::Cluster;
use serde_json::{Value, json};

use crate::support::{RUN_TIMEOUT, greylag};

#[tokio::test]
async fn a_run_that_is_imported_elsewhere_has_the_same_numbers() {
    let greylag = greylag();
    let from = Cluster::start(&greylag)
        .await
        .with_agents("local", &["one", "two"])
        .await;
    let to = Cluster::start(&greylag).await;
    // Nothing listens there: the results have failures and errors.
    let id = from
        .api()
        .start(&json!({
            "host": "http://127.0.0.1:9",
            "users": 4,
            "workers": 2,
            "duration": 2,
            "ramp_up": 0,
            "declared": { "requests": [{ "path": "/" }, { "path": "/b" }], "wait_time": "10ms" },
        }))
        .await;
    from.api()
        .wait_for_status(&id, "Finished", RUN_TIMEOUT)
        .await;

    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = |name: &str| directory.path().join(name).display().to_string();
    let run = async |arguments: &[&str], cluster: &Cluster| {
        let coordinator = ["--coordinator", cluster.api().url()];
        let arguments = [arguments, &coordinator].concat();
        greylag
            .run_in(directory.path(), &arguments, RUN_TIMEOUT)
            .await
    };
    let export = async |cluster: &Cluster, name: &str| {
        let arguments = ["export", &id, "--format", "bundle", "--output", name];
        let ended = run(&arguments, cluster).await;
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        std::fs::read(file(name)).expect("a bundle")
    };
    let bundle = export(&from, "run.bundle").await;
    let imported = run(&["import", "run.bundle"], &to).await;
    assert_eq!(imported.code, Some(0), "{}", imported.stderr);
    assert!(
        imported.stdout.contains(&format!("/runs/{id}")),
        "{}",
        imported.stdout
    );
    let summary =
        async |cluster: &Cluster| -> Value { cluster.api().summary_and_json(&id).await.1 };
    let (there, here) = (summary(&from).await, summary(&to).await);
    // Ten times as many are more than the one user below can send.
    assert!(there["totals"]["requests"].as_u64() > Some(20), "{there}");
    assert_eq!(there, here);
    assert!(export(&to, "again.bundle").await == bundle);

    // As the baseline of a run, whether the run is there or not.
    let elsewhere = Cluster::start(&greylag)
        .await
        .with_agents("local", &["one"])
        .await;
    for number in [1, 2] {
        let arguments = [
            "run",
            "--baseline",
            "run.bundle",
            "--threshold",
            "p50 < baseline + 1000000% during whole",
            "--threshold",
            "requests >= baseline + 900% during whole",
            "--users=1",
            "--duration=2s",
            "--ramp-up=0s",
            "again.toml",
        ];
        let test = "host = \"http://127.0.0.1:9\"\nname = \"again\"\nwait_time = [0.02, 0.02]\n[[request]]\npath = \"/\"\n";
        std::fs::write(file("again.toml"), test).expect("the directory is ours");
        let ended = run(&arguments, &elsewhere).await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(
            ended.stdout.contains(&format!("Run #{number} ")),
            "{ended:?}"
        );
        let requests = there["totals"]["requests"].as_u64().expect("a number");
        let limit = format!("limit {}, breached", 10 * requests);
        assert!(ended.stdout.contains(&limit), "{limit} in {ended:?}");
        assert!(ended.stdout.contains("passed    p50"), "{ended:?}");
    }

    for (name, bytes, words) in [
        ("again.bundle", bundle.clone(), "already exists"),
        (
            "cut.bundle",
            bundle[..bundle.len() / 2].to_vec(),
            "cut short or was altered",
        ),
    ] {
        std::fs::write(file(name), bytes).expect("the directory is ours");
        let refused = run(&["import", name], &to).await;
        assert_eq!(refused.code, Some(2), "{}", refused.stdout);
        assert!(refused.stderr.contains(words), "{}", refused.stderr);
    }
}
