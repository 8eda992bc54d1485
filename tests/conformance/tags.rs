//! `--tags` and `--exclude-tags`, on the same command line.

use super::apps::BehavioursApp;
use super::pair::{Outcome, Pair};

/// Options, and the tasks that they leave, in their order.
const SELECTIONS: [(&[&str], &[&str]); 3] = [
    (&["--tags", "a"], &["a", "a-b", "c-a"]),
    (&["-E", "b", "c"], &["plain", "a"]),
    (&["-T", "b", "c", "-E", "a"], &["c", "c", "c", "c"]),
];

/// Each request is a task of its own, and none begins after the end.
const SECONDS: u64 = 5;

#[tokio::test]
async fn tags_select_the_same_tasks() {
    for (options, expected) in SELECTIONS {
        let mut pair = Pair::here(&["tags"], "tags", 1, SECONDS);
        pair.ends_when_idle = true;
        pair.options = options;
        let both = pair.run(BehavioursApp::default).await;
        let asked = |outcome: &Outcome| -> Vec<String> {
            let targets = outcome
                .seen
                .iter()
                .map(|seen| seen.target.replace("/Tagged/", ""));
            targets.collect()
        };
        let (locust, greylag) = (asked(&both.locust), asked(&both.greylag));
        assert_eq!(locust, greylag, "{options:?}");
        assert!(
            locust.iter().take(expected.len()).eq(expected),
            "{options:?}: {locust:?}"
        );
    }
}
