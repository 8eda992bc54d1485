//! What goes wrong in a run, drawn from a seed: the same seed gives the same faults.

use std::fmt;
use std::time::Duration;

/// A source of numbers that look random: SplitMix64.
#[derive(Debug, Clone)]
pub struct Seeded(u64);

impl Seeded {
    /// The source of this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let value = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next_u64() % bound as u64).expect("it is below a usize")
    }

    fn between(&mut self, least_ms: usize, most_ms: usize) -> Duration {
        Duration::from_millis((least_ms + self.below(most_ms - least_ms)) as u64)
    }
}

/// Something that goes wrong. Agent 0 speaks to the coordinator through a proxy, agent 1 does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the variants say it")]
pub enum Fault {
    /// `kill -9` of one of an agent's workers.
    KillWorker { agent: usize },
    /// SIGTERM to one of an agent's workers.
    TerminateWorker { agent: usize },
    /// A worker is frozen for a while.
    FreezeWorker { agent: usize, lasts: Duration },
    /// `kill -9` of an agent.
    KillAgent { agent: usize },
    /// SIGTERM to an agent.
    TerminateAgent { agent: usize },
    /// SIGTERM to an agent and its workers together, as a service manager does.
    TerminateUnit { agent: usize },
    /// An agent is frozen for a while.
    FreezeAgent { agent: usize, lasts: Duration },
    /// An agent is killed, and another of its name started immediately.
    RestartAgent { agent: usize },
    /// `kill -9` of the coordinator, which is started again after a while.
    KillCoordinator { down: Duration },
    /// SIGTERM to the coordinator, which is started again after a while.
    TerminateCoordinator { down: Duration },
    /// The coordinator is frozen for a while.
    FreezeCoordinator { lasts: Duration },
    /// Agent 0's connections break, and new ones too, for a while.
    CutLink { lasts: Duration },
    /// Everything on agent 0's link comes late for a while.
    DelayLink { lasts: Duration },
    /// Agent 0's link carries a few bytes at a time for a while.
    DripLink { lasts: Duration },
    /// Agent 0 hears nothing for a while, and is heard; then the connection breaks.
    MuteCoordinator { lasts: Duration },
    /// Agent 0 is not heard for a while, and what it says is lost; then the connection breaks.
    LoseFromAgent { lasts: Duration },
    /// The target answers nothing for a while.
    FreezeTarget { lasts: Duration },
    /// `kill -9` of the coordinator, which is started again on a machine whose wall clock was set so many seconds
    /// ahead, or back if negative.
    SetCoordinatorClock { down: Duration, seconds: i64 },
    /// The coordinator's store can save nothing for a while.
    BlockStore { lasts: Duration },
}

/// How many kinds of faults there are.
const KINDS: usize = 19;
/// How far a clock is set, in seconds.
const CLOCK_JUMPS_S: [i64; 4] = [-3_600, -10, 10, 3_600];

impl Fault {
    /// One of all kinds, each as likely as the others.
    fn draw(random: &mut Seeded) -> Self {
        let kind = random.below(KINDS);
        let agent = random.below(2);
        // Shorter and longer than the lease of the clusters that are driven.
        let lasts = random.between(300, 7_000);
        let down = random.between(100, 3_000);
        match kind {
            0 => Self::KillWorker { agent },
            1 => Self::TerminateWorker { agent },
            2 => Self::FreezeWorker { agent, lasts },
            3 => Self::KillAgent { agent },
            4 => Self::TerminateAgent { agent },
            5 => Self::TerminateUnit { agent },
            6 => Self::FreezeAgent { agent, lasts },
            7 => Self::RestartAgent { agent },
            8 => Self::KillCoordinator { down },
            9 => Self::TerminateCoordinator { down },
            10 => Self::FreezeCoordinator { lasts },
            11 => Self::CutLink { lasts },
            12 => Self::DelayLink { lasts },
            13 => Self::DripLink { lasts },
            14 => Self::MuteCoordinator { lasts },
            15 => Self::LoseFromAgent { lasts },
            16 => Self::FreezeTarget { lasts },
            17 => Self::SetCoordinatorClock {
                down,
                seconds: CLOCK_JUMPS_S[random.below(CLOCK_JUMPS_S.len())],
            },
            _ => Self::BlockStore { lasts },
        }
    }

    /// How long it lasts; none for what cannot be undone.
    fn lasts(self) -> Option<Duration> {
        match self {
            Self::FreezeWorker { lasts, .. }
            | Self::FreezeAgent { lasts, .. }
            | Self::FreezeCoordinator { lasts }
            | Self::CutLink { lasts }
            | Self::DelayLink { lasts }
            | Self::DripLink { lasts }
            | Self::MuteCoordinator { lasts }
            | Self::LoseFromAgent { lasts }
            | Self::FreezeTarget { lasts }
            | Self::BlockStore { lasts }
            | Self::SetCoordinatorClock { down: lasts, .. }
            | Self::KillCoordinator { down: lasts }
            | Self::TerminateCoordinator { down: lasts } => Some(lasts),
            Self::KillWorker { .. }
            | Self::TerminateWorker { .. }
            | Self::KillAgent { .. }
            | Self::TerminateAgent { .. }
            | Self::TerminateUnit { .. }
            | Self::RestartAgent { .. } => None,
        }
    }

    /// The agent that may lose results by this. All others must not lose any.
    pub fn may_lose(self) -> Option<usize> {
        match self {
            Self::KillWorker { agent }
            | Self::FreezeWorker { agent, .. }
            | Self::KillAgent { agent }
            | Self::FreezeAgent { agent, .. }
            | Self::TerminateAgent { agent }
            | Self::TerminateUnit { agent }
            | Self::RestartAgent { agent } => Some(agent),
            Self::TerminateWorker { .. }
            | Self::KillCoordinator { .. }
            | Self::TerminateCoordinator { .. }
            | Self::FreezeCoordinator { .. }
            | Self::CutLink { .. }
            | Self::DelayLink { .. }
            | Self::DripLink { .. }
            | Self::MuteCoordinator { .. }
            | Self::LoseFromAgent { .. }
            | Self::FreezeTarget { .. }
            | Self::SetCoordinatorClock { .. }
            | Self::BlockStore { .. } => None,
        }
    }
}

/// The beginning or the end of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the variants say it")]
pub enum Step {
    Begin(Fault),
    End(Fault),
}

/// What goes wrong in one run: one fault, or two at once or one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultPlan {
    /// Each with how long after the first requests it happens.
    pub faults: Vec<(Duration, Fault)>,
}

impl FaultPlan {
    /// The plan of this seed.
    pub fn of_seed(seed: u64) -> Self {
        let mut random = Seeded::new(seed);
        let count = 1 + random.below(2);
        let mut faults: Vec<_> = (0..count)
            .map(|_| (random.between(500, 4_000), Fault::draw(&mut random)))
            .collect();
        faults.sort_by_key(|(at, _)| *at);
        Self { faults }
    }

    /// When what begins and ends, in order: two faults may overlap.
    pub fn timeline(&self) -> Vec<(Duration, Step)> {
        let mut steps = Vec::new();
        for (at, fault) in &self.faults {
            steps.push((*at, Step::Begin(*fault)));
            steps.extend(fault.lasts().map(|lasts| (*at + lasts, Step::End(*fault))));
        }
        steps.sort_by_key(|(at, _)| *at);
        steps
    }

    /// Whether this agent may lose results.
    pub fn may_lose(&self, agent: usize) -> bool {
        let mut faults = self.faults.iter();
        faults.any(|(_, fault)| fault.may_lose() == Some(agent))
    }
}

impl fmt::Display for FaultPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, fault) in &self.faults {
            write!(f, "[after {at:?} {fault:?}] ")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_plan_and_all_kinds_come_up() {
        assert_eq!(FaultPlan::of_seed(7), FaultPlan::of_seed(7));
        let kinds: std::collections::BTreeSet<String> = (0..500)
            .flat_map(|seed| FaultPlan::of_seed(seed).faults)
            .map(|(_, fault)| {
                let name = format!("{fault:?}");
                name.split(' ').next().unwrap_or_default().to_owned()
            })
            .collect();
        assert_eq!(kinds.len(), KINDS, "{kinds:?}");
    }
}
