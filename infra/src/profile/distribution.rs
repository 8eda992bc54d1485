//! Distribution of user types over users, over the whole run, so that the sum over any number of workers is what one
//! process would do. (Users are distributed over workers by their index: see `load_profile.rs`.)

use std::cmp::Ordering;

/// A user type and its weight among the others.
#[derive(Debug, Clone, PartialEq)]
pub struct UserTypeWeight {
    /// Name; ties between weights are settled by it, as in Locust.
    pub name: String,
    /// Weight; user types with 0 (or less, or no number) get no users by weight.
    pub weight: f64,
    /// Exactly this many users, given before any by weight; 0 for by weight. The weight counts for nothing then.
    pub fixed_count: u64,
}

impl UserTypeWeight {
    /// A user type that gets users by weight alone.
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

/// Gives each user type that has a weight the weight 1, as Locust's `--equal-weights` does: a user type with weight 0
/// still gets no users, and fixed counts stay.
pub fn equal_weights(user_types: &mut [UserTypeWeight]) {
    for user_type in user_types
        .iter_mut()
        .filter(|user_type| user_type.weight > 0.0)
    {
        user_type.weight = 1.0;
    }
}

/// The sequence in which user types get users, as Locust's dispatcher distributes them
/// (`locust/dispatch.py`): user types with a fixed count first, until each has its users, then the others by
/// weight, without end. Within both, after any number of users each user type has as close to its share as whole
/// users allow, and the order never depends on the number of workers.
#[derive(Debug, Clone)]
pub struct UserTypeSequence {
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
    /// `weight * log2(x / (x + 1))`: the smallest gets the next user.
    rank: f64,
    /// Users this user type would have, weight included, with one more.
    x: f64,
    weight: f64,
    name: String,
    user_type: usize,
}

impl UserTypeSequence {
    /// The sequence over these user types; its items are positions in `user_types`. It ends after the fixed counts
    /// if no user type has a weight.
    pub fn new(user_types: &[UserTypeWeight]) -> Self {
        let shares = |weight_of: fn(&UserTypeWeight) -> Option<f64>| Shares {
            candidates: user_types
                .iter()
                .enumerate()
                .filter_map(|(position, user_type)| {
                    let weight = weight_of(user_type)?;
                    Some(Candidate {
                        rank: rank(weight, weight),
                        x: weight + 1.0,
                        weight,
                        name: user_type.name.clone(),
                        user_type: position,
                    })
                })
                .collect(),
        };
        Self {
            fixed: shares(|user_type| {
                (user_type.fixed_count > 0).then_some(user_type.fixed_count as f64)
            }),
            fixed_left: user_types.iter().fold(0, |sum, user_type| {
                sum.saturating_add(user_type.fixed_count)
            }),
            weighted: shares(|user_type| user_type.is_weighted().then_some(user_type.weight)),
        }
    }
}

impl Iterator for UserTypeSequence {
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
        let user_type = next.user_type;
        next.rank = rank(next.weight, next.x);
        next.x += 1.0;
        Some(user_type)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn letters(user_types: &[(&str, f64, u64)], count: usize) -> String {
        let user_types: Vec<_> = user_types
            .iter()
            .map(|(name, weight, fixed_count)| UserTypeWeight {
                name: (*name).to_owned(),
                weight: *weight,
                fixed_count: *fixed_count,
            })
            .collect();
        UserTypeSequence::new(&user_types)
            .take(count)
            .map(|user_type| user_types[user_type].name.clone())
            .collect()
    }

    /// Name, weight, fixed count.
    type Share = (&'static str, f64, u64);

    /// The first 30 users as the dispatcher of Locust 2.47.0 itself distributes them, to one worker and to three.
    const LOCUST_SEQUENCES: [(&[Share], &str); 16] = [
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
    fn the_sequence_is_that_of_locust() {
        for (user_types, expected) in LOCUST_SEQUENCES {
            assert_eq!(letters(user_types, 30), expected, "{user_types:?}");
        }
    }

    #[test]
    fn user_types_without_weight_get_no_users() {
        assert_eq!(
            letters(&[("A", 0.0, 0), ("B", 1.0, 0), ("C", f64::NAN, 0)], 3),
            "BBB"
        );
        assert_eq!(letters(&[("A", 0.0, 0)], 1), "");
        assert_eq!(letters(&[], 1), "");
    }

    #[test]
    fn equal_weights_leave_fixed_counts_and_zero_alone() {
        let mut user_types = [("A", 3.0), ("B", 0.0), ("C", 0.5)]
            .map(|(name, weight)| UserTypeWeight::weighted(name, weight));
        user_types[2].fixed_count = 2;
        equal_weights(&mut user_types);
        let distributed: Vec<_> = user_types
            .iter()
            .map(|c| (c.weight, c.fixed_count))
            .collect();
        assert_eq!(distributed, [(1.0, 0), (0.0, 0), (1.0, 2)]);
    }

    proptest! {
        /// Each user type has exactly its fixed count before the first user is given by weight.
        #[test]
        fn fixed_counts_come_out_exactly(counts in prop::collection::vec(1u64..40, 1..6)) {
            let mut user_types: Vec<_> = (0..).zip(&counts)
                .map(|(i, count)| UserTypeWeight { name: format!("C{i}"), weight: 1.0, fixed_count: *count })
                .collect();
            user_types.push(UserTypeWeight::weighted("W", 1.0));
            let total = counts.iter().sum::<u64>() as usize;
            let mut distributed = vec![0; counts.len()];
            let mut sequence = UserTypeSequence::new(&user_types);
            for user_type in sequence.by_ref().take(total) {
                distributed[user_type] += 1;
            }
            prop_assert_eq!(distributed, counts);
            prop_assert_eq!(sequence.next(), Some(user_types.len() - 1));
        }
    }
}
