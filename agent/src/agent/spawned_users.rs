//! How many users of each class an agent will have started, and the line that says that all of them are.

use std::collections::BTreeMap;

use greylag_infra::{ClassSequence, LoadTest, UserClass};

/// The users planned for one agent's part of a run.
#[derive(Debug)]
pub(crate) struct SpawnedUsers {
    by_class: BTreeMap<String, u64>,
    planned: u64,
    told: bool,
}

impl SpawnedUsers {
    /// The plan of nobody.
    pub(crate) fn none() -> Self {
        Self {
            by_class: BTreeMap::new(),
            planned: 0,
            told: false,
        }
    }

    /// The plan for these workers of the run.
    pub(crate) fn planned_for(test: &LoadTest, workers: &[u32], classes: &[UserClass]) -> Self {
        let mut of_class = vec![0_u64; classes.len()];
        let mut is_ours = vec![false; test.workers as usize];
        for worker in workers {
            if let Some(ours) = is_ours.get_mut(*worker as usize) {
                *ours = true;
            }
        }
        let turns = is_ours.iter().cycle();
        for ((_, class), ours) in (0..test.users).zip(ClassSequence::new(classes)).zip(turns) {
            of_class[class] += u64::from(*ours);
        }
        let by_class: BTreeMap<String, u64> = classes
            .iter()
            .zip(of_class)
            .filter(|(_, users)| *users > 0)
            .map(|(class, users)| (class.name.clone(), users))
            .collect();
        Self {
            planned: by_class.values().sum(),
            by_class,
            told: false,
        }
    }

    /// Users this agent will have started at the end of the ramp.
    pub(crate) fn planned(&self) -> u64 {
        self.planned
    }

    /// Locust's sentence, once, when `started` users are all there are.
    pub(crate) fn news(&mut self, started: u64) -> Option<String> {
        if self.told || started < self.planned || self.planned == 0 {
            return None;
        }
        self.told = true;
        let by_class: Vec<String> = self
            .by_class
            .iter()
            .map(|(class, users)| format!("{class:?}: {users}"))
            .collect();
        Some(format!(
            "All users spawned: {{{}}} ({} total users)",
            by_class.join(", "),
            self.planned
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_it_once_as_locust_does() {
        let test = LoadTest {
            name: "t".into(),
            host: "http://127.0.0.1".into(),
            users: 8,
            ramp_up_s: 0,
            duration_s: 1,
            workers: 2,
            infrastructure: "local".into(),
            scenario: "s".into(),
            stop_timeout_s: 1,
            declared: None,
            ..LoadTest::default()
        };
        let classes = [("B", 1.0), ("A", 3.0)].map(|(name, weight)| UserClass::weighted(name, weight));
        let mut all = SpawnedUsers::planned_for(&test, &[0, 1], &classes);
        assert_eq!(all.news(7), None);
        assert_eq!(
            all.news(8).unwrap(),
            "All users spawned: {\"A\": 6, \"B\": 2} (8 total users)"
        );
        assert_eq!(all.news(8), None);
        // ABAAABAA dealt in turn over two workers: AAAA... and BABA....
        let second = SpawnedUsers::planned_for(&test, &[1], &classes);
        assert_eq!(
            second.by_class,
            BTreeMap::from([("A".into(), 2), ("B".into(), 2)])
        );
    }
}
