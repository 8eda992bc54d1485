//! Who gets what: workers over agents, classes over users. Both over the whole run, so that the sum over any
//! number of workers is what one process would do. (Users are dealt over workers by their index: see
//! `load_profile.rs`.)

use std::cmp::Ordering;

/// A class of users and its weight among the others.
#[derive(Debug, Clone, PartialEq)]
pub struct UserClass {
    /// Name; ties between weights are settled by it, as in Locust.
    pub name: String,
    /// Weight; classes with 0 (or less, or no number) get no users by weight.
    pub weight: f64,
    /// Exactly this many users, dealt before any by weight; 0 for by weight. The weight counts for nothing then.
    pub fixed_count: u64,
}

impl UserClass {
    /// A class whose users are dealt by weight alone.
    pub fn weighted(name: impl Into<String>, weight: f64) -> Self {
        Self {
            name: name.into(),
            weight,
            fixed_count: 0,
        }
    }

    /// Whether it gets users at all.
    pub fn gets_users(&self) -> bool {
        self.fixed_count > 0 || self.is_weighted()
    }

    fn is_weighted(&self) -> bool {
        self.fixed_count == 0 && self.weight > 0.0 && self.weight.is_finite()
    }
}

/// Gives each class that has a weight the weight 1, as Locust's `--equal-weights` does: a class with weight 0
/// still gets no users, and fixed counts stay.
pub fn equal_weights(classes: &mut [UserClass]) {
    for class in classes.iter_mut().filter(|class| class.weight > 0.0) {
        class.weight = 1.0;
    }
}

/// The sequence of classes in which users are dealt, as Locust's dispatcher deals them
/// (`locust/dispatch.py`): classes with a fixed count first, until each has its users, then the others by
/// weight, without end. Within both, after any number of users each class has as close to its share as whole
/// users allow, and the order never depends on the number of workers.
#[derive(Debug, Clone)]
pub struct ClassSequence {
    fixed: Shares,
    fixed_left: u64,
    weighted: Shares,
}

/// Locust's "Kullback-Leibler generator".
#[derive(Debug, Clone)]
struct Shares {
    candidates: Vec<Candidate>,
}

#[derive(Debug, Clone)]
struct Candidate {
    /// `weight * log2(x / (x + 1))`: the smallest is dealt next.
    rank: f64,
    /// Users this class would have, weight included, after being dealt once more.
    x: f64,
    weight: f64,
    name: String,
    class: usize,
}

impl ClassSequence {
    /// The sequence over these classes; its items are positions in `classes`. It ends after the fixed counts
    /// if no class has a weight.
    pub fn new(classes: &[UserClass]) -> Self {
        let shares = |weight_of: fn(&UserClass) -> Option<f64>| Shares {
            candidates: classes
                .iter()
                .enumerate()
                .filter_map(|(position, class)| {
                    let weight = weight_of(class)?;
                    Some(Candidate {
                        rank: rank(weight, weight),
                        x: weight + 1.0,
                        weight,
                        name: class.name.clone(),
                        class: position,
                    })
                })
                .collect(),
        };
        Self {
            fixed: shares(|class| (class.fixed_count > 0).then_some(class.fixed_count as f64)),
            fixed_left: classes
                .iter()
                .fold(0, |sum, class| sum.saturating_add(class.fixed_count)),
            weighted: shares(|class| class.is_weighted().then_some(class.weight)),
        }
    }
}

impl Iterator for ClassSequence {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        if self.fixed_left > 0 {
            self.fixed_left -= 1;
            return self.fixed.next();
        }
        self.weighted.next()
    }
}

fn rank(weight: f64, x: f64) -> f64 {
    weight * (x / (x + 1.0)).log2()
}

impl Candidate {
    fn order(&self, other: &Self) -> Ordering {
        self.rank
            .total_cmp(&other.rank)
            .then(self.x.total_cmp(&other.x))
            .then(self.weight.total_cmp(&other.weight))
            .then_with(|| self.name.cmp(&other.name))
    }
}

impl Iterator for Shares {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let next = self.candidates.iter_mut().min_by(|a, b| a.order(b))?;
        let class = next.class;
        next.rank = rank(next.weight, next.x);
        next.x += 1.0;
        Some(class)
    }
}

/// Deals `workers` worker indexes over `agents` agents, one at a time in turn. An agent may get none.
pub fn deal_workers(workers: u32, agents: usize) -> Vec<Vec<u32>> {
    let mut dealt = vec![Vec::new(); agents];
    if agents > 0 {
        for worker in 0..workers {
            dealt[worker as usize % agents].push(worker);
        }
    }
    dealt
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn letters(classes: &[(&str, f64, u64)], count: usize) -> String {
        let classes: Vec<_> = classes
            .iter()
            .map(|(name, weight, fixed_count)| UserClass {
                name: (*name).to_owned(),
                weight: *weight,
                fixed_count: *fixed_count,
            })
            .collect();
        ClassSequence::new(&classes)
            .take(count)
            .map(|class| classes[class].name.clone())
            .collect()
    }

    /// Name, weight, fixed count.
    type Class = (&'static str, f64, u64);

    /// The first 30 users as the dispatcher of Locust 2.47.0 itself deals them, to one worker and to three.
    const LOCUST_DEALS: [(&[Class], &str); 16] = [
        (
            &[("A", 3.0, 0), ("B", 1.0, 0)],
            "ABAAABAAABAAABAAABAAABAAABAAAB",
        ),
        (
            &[("A", 5.0, 0), ("B", 1.0, 0)],
            "AABAAAAABAAAAABAAAAABAAAAABAAA",
        ),
        (
            &[("A", 1.0, 0), ("B", 1.0, 0), ("C", 1.0, 0)],
            "ABCABCABCABCABCABCABCABCABCABC",
        ),
        (
            &[("A", 2.0, 0), ("B", 1.0, 0), ("C", 1.0, 0)],
            "ABCAABCAABCAABCAABCAABCAABCAAB",
        ),
        (
            &[("A", 10.0, 0), ("B", 3.0, 0), ("C", 1.0, 0)],
            "AABAACABAAABAAAABAAACBAAABAAAA",
        ),
        (
            &[("A", 0.5, 0), ("B", 1.5, 0), ("C", 0.1, 0)],
            "BABBBABCBBABBBABBBABBBABBBABBB",
        ),
        (
            &[("B", 7.0, 0), ("A", 7.0, 0), ("D", 2.5, 0), ("C", 2.5, 0)],
            "ABCDABABABCDABABABCDABABABCDAB",
        ),
        (
            &[("A", 100.0, 0), ("B", 1.0, 0)],
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        ),
        (
            &[("A", 1.0, 2), ("B", 1.0, 0)],
            "AABBBBBBBBBBBBBBBBBBBBBBBBBBBB",
        ),
        (
            &[("A", 1.0, 3), ("B", 1.0, 1), ("C", 2.0, 0), ("D", 1.0, 0)],
            "ABAACDCCDCCDCCDCCDCCDCCDCCDCCD",
        ),
        (
            &[
                ("A", 1.0, 5),
                ("B", 1.0, 2),
                ("C", 1.0, 2),
                ("D", 3.0, 0),
                ("E", 0.5, 0),
            ],
            "ABCAAABCADDEDDDDDDDEDDDDDDEDDD",
        ),
        (
            &[("A", 0.0, 2), ("B", 0.0, 0), ("C", 1.0, 0)],
            "AACCCCCCCCCCCCCCCCCCCCCCCCCCCC",
        ),
        (
            &[("A", 1.0, 4), ("B", 9.0, 4), ("C", 3.0, 0), ("D", 1.0, 0)],
            "ABABABABCDCCCDCCCDCCCDCCCDCCCD",
        ),
        (&[("A", 1.0, 2), ("B", 1.0, 1)], "ABA"),
        (
            &[("A", 1.0, 1), ("B", 1.0, 1), ("C", 1.0, 1), ("D", 1.0, 0)],
            "ABCDDDDDDDDDDDDDDDDDDDDDDDDDDD",
        ),
        (
            &[("A", 1.0, 10), ("B", 1.0, 3), ("C", 0.25, 0)],
            "AABAAABAAABAACCCCCCCCCCCCCCCCC",
        ),
    ];

    #[test]
    fn deals_as_locust_does() {
        for (classes, expected) in LOCUST_DEALS {
            assert_eq!(letters(classes, 30), expected, "{classes:?}");
        }
    }

    #[test]
    fn classes_without_weight_get_no_users() {
        assert_eq!(
            letters(&[("A", 0.0, 0), ("B", 1.0, 0), ("C", f64::NAN, 0)], 3),
            "BBB"
        );
        assert_eq!(letters(&[("A", 0.0, 0)], 1), "");
        assert_eq!(letters(&[], 1), "");
    }

    #[test]
    fn equal_weights_leave_fixed_counts_and_zero_alone() {
        let mut classes = [("A", 3.0), ("B", 0.0), ("C", 0.5)]
            .map(|(name, weight)| UserClass::weighted(name, weight));
        classes[2].fixed_count = 2;
        equal_weights(&mut classes);
        let dealt: Vec<_> = classes.iter().map(|c| (c.weight, c.fixed_count)).collect();
        assert_eq!(dealt, [(1.0, 0), (0.0, 0), (1.0, 2)]);
    }

    #[test]
    fn workers_are_dealt_in_turn() {
        assert_eq!(deal_workers(5, 2), vec![vec![0, 2, 4], vec![1, 3]]);
        assert_eq!(deal_workers(1, 2), vec![vec![0], vec![]]);
        assert!(deal_workers(3, 0).is_empty());
    }

    proptest! {
        /// Each class has exactly its fixed count before the first user is dealt by weight.
        #[test]
        fn fixed_counts_come_out_exactly(counts in prop::collection::vec(1u64..40, 1..6)) {
            let mut classes: Vec<_> = (0..).zip(&counts)
                .map(|(i, count)| UserClass { name: format!("C{i}"), weight: 1.0, fixed_count: *count })
                .collect();
            classes.push(UserClass::weighted("W", 1.0));
            let total = counts.iter().sum::<u64>() as usize;
            let mut dealt = vec![0; counts.len()];
            let mut sequence = ClassSequence::new(&classes);
            for class in sequence.by_ref().take(total) {
                dealt[class] += 1;
            }
            prop_assert_eq!(dealt, counts);
            prop_assert_eq!(sequence.next(), Some(classes.len() - 1));
        }
    }
}
