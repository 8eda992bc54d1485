//! In which order goose runs the transactions of a scenario: a port of `allocate_transactions` of goose 0.19.
//!
//! Transactions with a sequence come first, by their sequence; those without come last. Within each of these
//! groups the scheduler decides. Weights are divided by the greatest common divisor of all of them. The list is
//! made once and then repeated.

use std::collections::BTreeMap;

use ::goose::GooseScheduler;
use ::goose::goose::Transaction;
use rand::seq::SliceRandom as _;

/// Longest list of transactions; weights that would make it longer are cut.
const MAX_LIST: usize = 1_000_000;

/// Transactions by their position in the scenario, in the order in which they run.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) on_start: Vec<usize>,
    pub(super) again_and_again: Vec<usize>,
    pub(super) on_stop: Vec<usize>,
}

impl Order {
    pub(super) fn new(transactions: &[Transaction], scheduler: &GooseScheduler) -> Self {
        let unit = transactions
            .iter()
            .map(|transaction| transaction.weight)
            .fold(0, greatest_common_divisor);
        // The random scheduler leaves on_start and on_stop transactions in serial order.
        let at_the_ends = match scheduler {
            GooseScheduler::Random => &GooseScheduler::Serial,
            other => other,
        };
        let list = |scheduler, wanted: fn(&Transaction) -> bool| {
            let chosen = transactions.iter().enumerate();
            schedule_all(chosen.filter(|(_, one)| wanted(one)), unit, scheduler)
        };
        Self {
            on_start: list(at_the_ends, |one| one.on_start),
            again_and_again: list(scheduler, |one| !one.on_start && !one.on_stop),
            on_stop: list(at_the_ends, |one| one.on_stop),
        }
    }
}

fn greatest_common_divisor(a: usize, b: usize) -> usize {
    if b == 0 {
        a
    } else {
        greatest_common_divisor(b, a % b)
    }
}

fn schedule_all<'a>(
    transactions: impl Iterator<Item = (usize, &'a Transaction)>,
    unit: usize,
    scheduler: &GooseScheduler,
) -> Vec<usize> {
    let mut sequenced: BTreeMap<usize, Vec<Weighted>> = BTreeMap::new();
    let mut unsequenced = Vec::new();
    for (index, transaction) in transactions {
        let weighted = Weighted {
            index,
            count: transaction.weight.checked_div(unit).unwrap_or(0),
        };
        if transaction.sequence > 0 {
            sequenced
                .entry(transaction.sequence)
                .or_default()
                .push(weighted);
        } else {
            unsequenced.push(weighted);
        }
    }
    let mut list = Vec::new();
    for group in sequenced.into_values() {
        // goose takes the weight of the first transaction for that of the whole sequence here, so its round
        // robin may end before all have had their turns. Who ports a scenario wants the same requests.
        let enough = group[0].count;
        schedule(group, enough, scheduler, &mut list);
    }
    let enough = unsequenced
        .iter()
        .fold(0, |sum: usize, weighted| sum.saturating_add(weighted.count));
    schedule(unsequenced, enough, scheduler, &mut list);
    list.truncate(MAX_LIST);
    list
}

/// A transaction and how often it is in the list.
struct Weighted {
    index: usize,
    count: usize,
}

fn schedule(
    mut group: Vec<Weighted>,
    enough: usize,
    scheduler: &GooseScheduler,
    list: &mut Vec<usize>,
) {
    let begin = list.len();
    match scheduler {
        GooseScheduler::RoundRobin => loop {
            for weighted in &mut group {
                if weighted.count > 0 {
                    weighted.count -= 1;
                    list.push(weighted.index);
                }
            }
            if list.len() - begin >= enough.min(MAX_LIST) {
                return;
            }
        },
        GooseScheduler::Serial | GooseScheduler::Random => {
            for weighted in group {
                let count = weighted.count.min(MAX_LIST);
                list.extend(std::iter::repeat_n(weighted.index, count));
            }
            if *scheduler == GooseScheduler::Random {
                list[begin..].shuffle(&mut rand::rng());
            }
        }
    }
}
