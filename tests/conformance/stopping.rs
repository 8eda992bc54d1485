//! A user that stops the whole test.

use std::collections::BTreeSet;
use std::time::Duration;

use super::apps::BehavioursApp;
use super::pair::Pair;

/// Far longer than three turns take: a run that is not stopped takes all of it.
const SECONDS: u64 = 120;

#[tokio::test]
async fn a_user_stops_the_test() {
    let pair = Pair::here(&["stopping"], "stopping", 2, SECONDS);
    let both = pair.run(BehavioursApp::default).await;
    for outcome in both.each() {
        let system = outcome.system;
        let mut asked = outcome
            .seen
            .iter()
            .map(|seen| seen.target.clone())
            .collect::<Vec<_>>();
        // Not from the server's start: how long a system takes to start is not the point.
        let first = outcome.seen.iter().map(|seen| seen.at).min();
        let last = outcome.seen.iter().map(|seen| seen.at).max();
        let took = last.unwrap_or_default() - first.unwrap_or_default();
        assert!(
            took < Duration::from_secs(SECONDS / 2),
            "{system}: {took:?} {asked:?}"
        );
        let own = asked
            .extract_if(.., |target| target.starts_with("/Stopper/"))
            .collect::<Vec<_>>();
        let turns = ["/Stopper/1", "/Stopper/2", "/Stopper/3", "/Stopper/stops"];
        assert_eq!(own, turns, "{system}");
        assert_eq!(asked, ["/Bystander/waits", "/Bystander/stops"], "{system}");
        assert_eq!(outcome.results.error_lines(), BTreeSet::new(), "{system}");
    }
    // On purpose: a test that stops itself early has failed, and says why; Locust ends as if all were well.
    assert_eq!((both.locust.exit_code, both.greylag.exit_code), (0, 1));
    assert_eq!(
        both.greylag.failure_reason.as_deref(),
        Some("stopped by the scenario: three turns are enough")
    );
}
