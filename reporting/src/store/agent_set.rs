//! Which agents of a run: a bit for each, so that thousands fit into a row.

/// Numbers of agents within their run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct AgentSet(Vec<u8>);

impl AgentSet {
    /// Adds an agent; a number that no agent has is left out.
    pub(super) fn insert(&mut self, agent: i64) {
        let Ok(agent) = usize::try_from(agent) else {
            return;
        };
        let at = agent / 8;
        if at >= self.0.len() {
            self.0.resize(at + 1, 0);
        }
        self.0[at] |= 1 << (agent % 8);
    }

    /// Adds those of a set as [`Self::as_bytes`] gave it.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        if bytes.len() > self.0.len() {
            self.0.resize(bytes.len(), 0);
        }
        for (mine, theirs) in self.0.iter_mut().zip(bytes) {
            *mine |= theirs;
        }
    }

    /// As it is stored.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The numbers, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        let bits = |byte: u8| (0..8).filter(move |bit| byte & (1 << bit) != 0);
        (0..)
            .zip(&self.0)
            .flat_map(move |(at, byte)| bits(*byte).map(move |bit| at * 8 + bit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_add_up() {
        let (mut one, mut other) = (AgentSet::default(), AgentSet::default());
        for agent in [0, 9, -1] {
            one.insert(agent);
        }
        for agent in [9, 9_999] {
            other.insert(agent);
        }
        one.add(other.as_bytes());
        assert_eq!(one.iter().collect::<Vec<_>>(), [0, 9, 9_999]);
        other.add(&[1]);
        assert_eq!(one, other);
    }
}
