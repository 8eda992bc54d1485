//! Which agents a run waits for, whether it shares them, and whether it goes on without one that it loses.

use std::fmt;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error};
use serde::{Serialize, Serializer};

use super::error::LoadTestError;
use super::{LoadTest, OnLostAgent};
use crate::base::{MAX_AGENTS_OF_A_RUN, MAX_DURATION};

/// How long a run waits for its agents unless it says otherwise, in seconds.
pub const DEFAULT_AGENTS_TIMEOUT_S: u64 = 300;

/// What a run asks of its infrastructure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Fleet {
    /// How many agents it waits for.
    pub agents: AgentCount,
    /// How long it waits for them when the infrastructure is free for it, in seconds.
    pub agents_timeout_s: u64,
    /// Whether it runs beside other runs that share, too. Others have the infrastructure for themselves.
    pub share: bool,
    /// What becomes of the run if it loses an agent or a worker.
    // The last one, and left out, so that frames to workers of earlier builds stay as they are.
    #[serde(skip_serializing_if = "OnLostAgent::is_default")]
    pub on_lost_agent: OnLostAgent,
}

impl Default for Fleet {
    fn default() -> Self {
        Self {
            agents: AgentCount::default(),
            agents_timeout_s: DEFAULT_AGENTS_TIMEOUT_S,
            share: false,
            on_lost_agent: OnLostAgent::default(),
        }
    }
}

/// How many agents take part: `3`, or `2..5` for at least two and at most five. By default whoever is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AgentCount {
    least: u32,
    most: u32,
}

/// Not a number of agents; follows the field's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be a number of agents such as 3, or a range such as 2..5, from 1 to {MAX_AGENTS_OF_A_RUN}"
)]
pub struct AgentCountError;

impl AgentCount {
    /// This range.
    ///
    /// # Errors
    /// It is empty or out of bounds.
    pub fn new(least: u32, most: u32) -> Result<Self, AgentCountError> {
        let is_valid = 1 <= least && least <= most && most <= MAX_AGENTS_OF_A_RUN;
        is_valid
            .then_some(Self { least, most })
            .ok_or(AgentCountError)
    }

    /// With fewer it does not start.
    pub fn least(self) -> u32 {
        self.least
    }

    /// No more take part.
    pub fn most(self) -> u32 {
        self.most
    }

    /// Whether anything was asked for.
    pub fn is_given(self) -> bool {
        self != Self::default()
    }
}

impl Default for AgentCount {
    fn default() -> Self {
        Self {
            least: 1,
            most: MAX_AGENTS_OF_A_RUN,
        }
    }
}

impl FromStr for AgentCount {
    type Err = AgentCountError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |text: &str| text.trim().parse().map_err(|_| AgentCountError);
        match text.split_once("..") {
            Some((least, most)) => Self::new(number(least)?, number(most)?),
            None => number(text).and_then(|count| Self::new(count, count)),
        }
    }
}

impl fmt::Display for AgentCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.least == self.most {
            self.least.fmt(f)
        } else {
            write!(f, "{}..{}", self.least, self.most)
        }
    }
}

/// A number where it is one.
impl Serialize for AgentCount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.least == self.most {
            serializer.serialize_u32(self.least)
        } else {
            serializer.collect_str(self)
        }
    }
}

impl<'de> Deserialize<'de> for AgentCount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(u32),
            Text(String),
        }
        let count = match Written::deserialize(deserializer)? {
            Written::Number(count) => Self::new(count, count),
            Written::Text(text) => text.parse(),
        };
        count.map_err(|error| D::Error::custom(format!("the number of agents {error}")))
    }
}

pub(crate) fn check_agents_timeout(test: &LoadTest) -> Vec<LoadTestError> {
    let seconds = test.fleet.agents_timeout_s;
    let error = (seconds > MAX_DURATION.as_secs()).then_some(LoadTestError::AgentsTimeout(seconds));
    error.into_iter().collect()
}

#[cfg(feature = "schema")]
mod schema {
    use std::borrow::Cow;

    use utoipa::openapi::{ObjectBuilder, OneOfBuilder, RefOr, Schema, Type};
    use utoipa::{PartialSchema, ToSchema};

    use super::{AgentCount, MAX_AGENTS_OF_A_RUN};

    impl PartialSchema for AgentCount {
        fn schema() -> RefOr<Schema> {
            let number = ObjectBuilder::new()
                .schema_type(Type::Integer)
                .minimum(Some(1))
                .maximum(Some(MAX_AGENTS_OF_A_RUN));
            let range = ObjectBuilder::new()
                .schema_type(Type::String)
                .pattern(Some(r"^\d+(\.\.\d+)?$"));
            Schema::OneOf(OneOfBuilder::new().item(number).item(range).build()).into()
        }
    }

    impl ToSchema for AgentCount {
        fn name() -> Cow<'static, str> {
            Cow::Borrowed("AgentCount")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_read_as_it_is_written() {
        for (text, least, most) in [("3", 3, 3), ("2..5", 2, 5), ("1..10000", 1, 10_000)] {
            let count: AgentCount = text.parse().unwrap();
            assert_eq!((count.least(), count.most()), (least, most));
            assert_eq!(count.to_string(), text);
            let json = serde_json::to_string(&count).unwrap();
            assert_eq!(serde_json::from_str::<AgentCount>(&json).unwrap(), count);
        }
        assert_eq!(" 2 .. 5 ".parse(), AgentCount::new(2, 5));
        for wrong in [
            "0", "5..2", "0..3", "1..10001", "-1", "many", "", "..", "1.5", "1...3",
        ] {
            assert_eq!(wrong.parse::<AgentCount>(), Err(AgentCountError), "{wrong}");
        }
        assert!(!AgentCount::default().is_given());
    }

    #[test]
    fn a_definition_that_says_nothing_of_it_waits_as_usual() {
        let fleet: Fleet = serde_json::from_str("{}").unwrap();
        assert_eq!(fleet, Fleet::default());
        assert_eq!(fleet.agents_timeout_s, DEFAULT_AGENTS_TIMEOUT_S);
    }
}
