//! The targets that `scenarios` compares its own with are those of the real libraries.

use crate::conformance::locust;

const GOLDEN: &str = include_str!("../../scenarios/src/client/target/golden.tsv");

#[tokio::test]
async fn the_targets_are_those_of_the_real_libraries() {
    let made = locust::script("targets.py").await;
    let different: Vec<_> = made
        .lines()
        .zip(GOLDEN.lines())
        .filter(|(made, kept)| made != kept)
        .collect();
    assert!(
        different.is_empty(),
        "targets.py says how to make the file anew: {different:#?}"
    );
    assert_eq!(made.lines().count(), GOLDEN.lines().count());
}
