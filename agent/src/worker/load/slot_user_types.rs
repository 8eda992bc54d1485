//! Which user type each slot of a worker gets.

use greylag_infra::{UserTypeSequence, UserTypeWeight};

/// The user types of the slots that belong to some of a run's workers, computed as far as they are needed.
///
/// Slot i of the run gets the i-th user type of the distribution sequence and belongs to worker i % workers. A slot keeps
/// its user type however often it is used.
#[derive(Debug, Clone)]
pub(crate) struct SlotUserTypes {
    sequence: UserTypeSequence,
    /// By worker of the run: whether its slots are ours.
    is_ours: Vec<bool>,
    /// The next slot of the run to be distributed.
    next: usize,
    /// By slot of ours, in order: the position of its user type.
    user_types: Vec<u32>,
}

impl SlotUserTypes {
    /// The slots of `ours` among `workers` workers.
    pub(crate) fn new(weights: &[UserTypeWeight], workers: u32, ours: &[u32]) -> Self {
        let mut is_ours = vec![false; workers as usize];
        for worker in ours {
            if let Some(is_ours) = is_ours.get_mut(*worker as usize) {
                *is_ours = true;
            }
        }
        Self {
            sequence: UserTypeSequence::new(weights),
            is_ours,
            next: 0,
            user_types: Vec::new(),
        }
    }

    /// Positions of the user types of the first `count` slots of ours; fewer if there are no users to distribute.
    pub(crate) fn first(&mut self, count: usize) -> &[u32] {
        if !self.is_ours.contains(&true) {
            return &[];
        }
        while self.user_types.len() < count
            && let Some(user_type) = self.sequence.next()
        {
            if self.is_ours[self.next % self.is_ours.len()] {
                // A scenario does not have 2^32 user types.
                self.user_types.push(user_type as u32);
            }
            self.next += 1;
        }
        &self.user_types[..count.min(self.user_types.len())]
    }

    /// Position of the user type of this slot of ours, counted from 0 among ours; none if there are no users to distribute.
    pub(crate) fn user_type_of(&mut self, slot: usize) -> Option<usize> {
        let user_type = self.first(slot.saturating_add(1)).get(slot)?;
        Some(*user_type as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn user_types(weights: &[f64]) -> Vec<UserTypeWeight> {
        weights
            .iter()
            .enumerate()
            .map(|(number, weight)| UserTypeWeight::weighted(format!("C{number}"), *weight))
            .collect()
    }

    #[test]
    fn without_users_the_search_ends() {
        assert_eq!(
            SlotUserTypes::new(&user_types(&[0.0]), 2, &[1]).user_type_of(3),
            None
        );
        assert_eq!(
            SlotUserTypes::new(&user_types(&[1.0]), 2, &[]).user_type_of(3),
            None
        );
        assert_eq!(
            SlotUserTypes::new(&user_types(&[1.0]), 0, &[0]).user_type_of(0),
            None
        );
        assert_eq!(
            SlotUserTypes::new(&user_types(&[1.0]), 2, &[7]).user_type_of(0),
            None
        );
        let fixed = UserTypeWeight {
            fixed_count: 2,
            ..UserTypeWeight::weighted("F", 0.0)
        };
        let mut slots = SlotUserTypes::new(&[fixed], 1, &[0]);
        assert_eq!(
            (slots.user_type_of(1), slots.user_type_of(2)),
            (Some(0), None)
        );
        assert_eq!(slots.first(9).len(), 2);
    }

    proptest! {
        /// Each worker has every n-th slot of the whole run, in whatever order they are asked for.
        #[test]
        fn workers_share_one_sequence(
            weights in prop::collection::vec(0.1f64..9.0, 1..4),
            workers in 1u32..6,
            asked in prop::collection::vec(0usize..50, 1..10),
        ) {
            let user_types = user_types(&weights);
            let whole: Vec<usize> = UserTypeSequence::new(&user_types).take(50 * 6).collect();
            for worker in 0..workers {
                let mut own = SlotUserTypes::new(&user_types, workers, &[worker]);
                for slot in &asked {
                    let expected = whole[slot * workers as usize + worker as usize];
                    prop_assert_eq!(own.user_type_of(*slot), Some(expected));
                }
            }
            let all: Vec<u32> = (0..workers).collect();
            let mut all = SlotUserTypes::new(&user_types, workers, &all);
            let first: Vec<usize> = all.first(30).iter().map(|user_type| *user_type as usize).collect();
            prop_assert_eq!(&first[..], &whole[..30]);
        }
    }
}
