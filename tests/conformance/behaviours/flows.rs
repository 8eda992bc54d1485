//! Which task follows which.

use super::{both, lines};

/// The user classes of `flows.py`, each a story that goes the same way every time.
const FLOWS: [&str; 9] = [
    "SequentialFlow",
    "InterruptFlow",
    "EndingFlow",
    "DeepStopFlow",
    "OwnWaitFlow",
    "MarkovFlow",
    "StartFails",
    "StartStops",
    "StopFails",
];

#[tokio::test]
async fn tasks_waits_and_ends_follow_each_other_alike() {
    let both = both().await;
    let mut different = Vec::new();
    for flow in FLOWS {
        let (locust, greylag) = (lines(&both.locust, flow), lines(&both.greylag, flow));
        assert!(!locust.is_empty(), "{flow}: Locust asked nothing");
        if locust != greylag {
            different.push(format!(
                "{flow}\n  Locust  {locust:#?}\n  Greylag {greylag:#?}"
            ));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}
