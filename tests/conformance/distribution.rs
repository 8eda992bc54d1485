//! Users as Locust's own dispatcher distributes them: by weight, fixed counts first, over several workers.

use greylag_infra::{UserTypeSequence, UserTypeWeight};
use serde::Deserialize;

use super::locust;

#[derive(Debug, Deserialize)]
struct Case {
    classes: Vec<Class>,
    workers: usize,
    distributed: Vec<DistributedUser>,
}

#[derive(Debug, Deserialize)]
struct Class {
    name: String,
    weight: f64,
    fixed_count: u64,
}

#[derive(Debug, Deserialize)]
struct DistributedUser {
    class: String,
    worker: usize,
}

#[tokio::test]
async fn users_are_distributed_as_by_locust() {
    let cases: Vec<Case> = serde_json::from_str(&locust::script("distribution.py").await)
        .expect("distribution.py prints this");
    assert!(cases.len() >= 100);
    for case in cases {
        let class = |class: &Class| UserTypeWeight {
            name: class.name.clone(),
            weight: class.weight,
            fixed_count: class.fixed_count,
        };
        let classes: Vec<_> = case.classes.iter().map(class).collect();
        let ours: Vec<_> = UserTypeSequence::new(&classes)
            .take(case.distributed.len())
            .map(|class| classes[class].name.as_str())
            .collect();
        let theirs: Vec<_> = case
            .distributed
            .iter()
            .map(|user| user.class.as_str())
            .collect();
        assert_eq!(ours, theirs, "{case:?}");
        // Greylag's user i is of worker i % workers.
        let workers: Vec<_> = case.distributed.iter().map(|user| user.worker).collect();
        let in_turn: Vec<_> = (0..workers.len()).map(|user| user % case.workers).collect();
        assert_eq!(in_turn, workers, "{case:?}");
    }
}
