//! The host's address, and what is put behind it.

use std::collections::BTreeSet;

use super::apps::BehavioursApp;
use super::pair::{Outcome, Pair};

#[tokio::test]
async fn hosts_and_paths_are_joined_alike() {
    for (host_path, rooted) in [
        ("/base", "/base/JoiningHttp/rooted"),
        ("/base/", "/base//JoiningHttp/rooted"),
    ] {
        let mut pair = Pair::here(&["joining"], "joining", 2, 2);
        pair.ends_when_idle = true;
        // The users have one task, which a busy machine may not end in the time of the run.
        pair.stop_timeout = "60";
        pair.host_user = "ada:love%20lace@";
        pair.host_path = host_path;
        let both = pair.run(BehavioursApp::default).await;
        // The two users are at it at the same time.
        let asked = |outcome: &Outcome| -> BTreeSet<String> {
            let lines = outcome.seen.iter().map(|seen| {
                let user = seen.header("authorization").unwrap_or("none");
                format!("{} by {user}", seen.target)
            });
            lines.collect()
        };
        assert_eq!(asked(&both.locust), asked(&both.greylag), "{host_path}");
        let expected = format!("{rooted} by Basic YWRhOmxvdmUgbGFjZQ==");
        assert!(
            asked(&both.locust).contains(&expected),
            "{host_path}: {:?}",
            asked(&both.locust)
        );
    }
}
