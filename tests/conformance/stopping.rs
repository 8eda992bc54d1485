//! A user that stops the whole test.

use std::collections::BTreeSet;
use std::time::Duration;

use super::apps::BehavioursApp;
use super::pair::Pair;

/// Far longer than three turns take.
const SECONDS: u64 = 30;

#[tokio::test]
async fn a_user_stops_the_test() {
    let mut pair = Pair::here(&["stopping"], "stopping", 2, SECONDS);
    // Locust's user that stops the test is waited for as long as this, because it waits for the test to stop.
    pair.stop_timeout = "2";
    let both = pair.run(BehavioursApp::default).await;
    for outcome in both.each() {
        let mut asked = outcome
            .seen
            .iter()
            .map(|seen| seen.target.clone())
            .collect::<Vec<_>>();
        let last = outcome.seen.iter().map(|seen| seen.at).max();
        assert!(
            last < Some(Duration::from_secs(SECONDS / 2)),
            "{}: {asked:?}",
            outcome.system
        );
        let own = asked
            .extract_if(.., |target| target.starts_with("/Stopper/"))
            .collect::<Vec<_>>();
        let turns = ["/Stopper/1", "/Stopper/2", "/Stopper/3", "/Stopper/stops"];
        assert_eq!(own, turns, "{}", outcome.system);
        assert_eq!(
            asked,
            ["/Bystander/waits", "/Bystander/stops"],
            "{}",
            outcome.system
        );
        assert_eq!(
            outcome.results.error_lines(),
            BTreeSet::new(),
            "{}",
            outcome.system
        );
    }
    // On purpose: a test that stops itself early has failed, and says why; Locust ends as if all were well.
    assert_eq!((both.locust.exit_code, both.greylag.exit_code), (0, 1));
    assert_eq!(
        both.greylag.failure_reason.as_deref(),
        Some("three turns are enough")
    );
}
