//! Weights and fixed counts come out as Locust distributes them, summed over any number of workers.

use std::collections::BTreeMap;

use greylag_tests::{Nginx, heavy};
use serde_json::json;

use super::{behind, cluster, finish};

/// What Locust 2.47's dispatcher starts for Ant (weight 3), Bee (weight 1) and Cat (fixed count 2): the fixed ones
/// first, then ABAA over and over.
const EXPECTED: [&str; 14] = [
    "Cat", "Cat", "Ant", "Bee", "Ant", "Ant", "Ant", "Bee", "Ant", "Ant", "Ant", "Bee", "Ant",
    "Ant",
];

#[tokio::test]
async fn users_are_distributed_as_by_locust_whatever_the_workers() {
    let _turn = heavy().await;
    for workers in [1, 3] {
        let nginx = Nginx::start().await;
        let cluster = cluster().await;
        let changes = json!({
            "scenario": "weighted", "users": EXPECTED.len(), "workers": workers, "ramp_up": 0, "duration": 3,
        });
        finish(cluster.api(), &nginx, changes).await;
        let log = nginx.finish().await;
        let mut distributed = BTreeMap::new();
        for user in behind(&log, "/is/") {
            let (user_type, index) = user.split_once('/').expect("type and index");
            let index: usize = index.parse().expect("a number");
            let before = distributed.insert(index, user_type.to_owned());
            assert_eq!(before, None, "two users with index {index}");
        }
        let in_order: Vec<&str> = distributed.values().map(String::as_str).collect();
        assert_eq!(in_order, EXPECTED, "over {workers} workers");
        assert!(distributed.keys().copied().eq(0..EXPECTED.len()));
        // on_stop runs at the stop of the run, too.
        assert_eq!(behind(&log, "/was/").len(), EXPECTED.len());
    }
}

#[tokio::test]
async fn a_selection_of_user_types_and_equal_weights_hold_everywhere() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let cluster = cluster().await;
    let changes = json!({
        "scenario": "weighted", "users": 6, "workers": 2, "ramp_up": 0, "duration": 2,
        "user_types": ["Ant", "Bee"], "equal_weights": true,
    });
    finish(cluster.api(), &nginx, changes).await;
    let log = nginx.finish().await;
    let ants = behind(&log, "/is/Ant/").len();
    assert_eq!((ants, behind(&log, "/is/Bee/").len()), (3, 3));
    assert!(behind(&log, "/is/Cat/").is_empty());
}
