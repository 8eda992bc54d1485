//! Distribution of workers over agents.

/// Distributes `workers` worker indexes over `agents` agents, one at a time in turn. An agent may get none.
pub fn distribute_workers(workers: u32, agents: usize) -> Vec<Vec<u32>> {
    let mut distributed = vec![Vec::new(); agents];
    if agents > 0 {
        for worker in 0..workers {
            distributed[worker as usize % agents].push(worker);
        }
    }
    distributed
}

/// Gives each agent a worker for each of its cores, in turn, but at most `most` in all. An agent that does not say how
/// many cores it has counts as one.
pub fn workers_by_cores(cores: &[u32], most: u32) -> Vec<Vec<u32>> {
    let mut distributed = vec![Vec::new(); cores.len()];
    let mut next = 0;
    let most_cores = cores.iter().copied().max().unwrap_or(0).max(1);
    for round in 0..most_cores {
        for (workers, cores) in distributed.iter_mut().zip(cores) {
            if next == most {
                return distributed;
            }
            if round < (*cores).max(1) {
                workers.push(next);
                next += 1;
            }
        }
    }
    distributed
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn workers_are_distributed_in_turn() {
        assert_eq!(distribute_workers(5, 2), vec![vec![0, 2, 4], vec![1, 3]]);
        assert_eq!(distribute_workers(1, 2), vec![vec![0], vec![]]);
        assert!(distribute_workers(3, 0).is_empty());
    }

    #[test]
    fn each_core_gets_a_worker() {
        let cores = [1, 4, 2];
        let all = vec![vec![0], vec![1, 3, 5, 6], vec![2, 4]];
        assert_eq!(workers_by_cores(&cores, 1_000), all);
        // Few users are spread over the machines.
        assert_eq!(workers_by_cores(&cores, 2), [vec![0], vec![1], vec![]]);
        assert_eq!(workers_by_cores(&[0, 0], 9), [vec![0], vec![1]], "not said");
        assert!(workers_by_cores(&[], 9).is_empty());
    }

    proptest! {
        /// Every index once, no agent more than it has cores, and none idle while another has two.
        #[test]
        fn cores_are_used_once(cores in prop::collection::vec(0u32..70, 0..20), most in 0u32..200) {
            let distributed = workers_by_cores(&cores, most);
            let mut indexes: Vec<u32> = distributed.iter().flatten().copied().collect();
            indexes.sort_unstable();
            let all: u32 = cores.iter().map(|cores| (*cores).max(1)).sum();
            prop_assert_eq!(indexes, (0..all.min(most)).collect::<Vec<_>>());
            for (workers, cores) in distributed.iter().zip(&cores) {
                prop_assert!(workers.len() <= (*cores).max(1) as usize);
            }
            let counts = distributed.iter().map(Vec::len);
            prop_assert!(counts.clone().min() != Some(0) || counts.max() <= Some(1));
        }
    }
}
