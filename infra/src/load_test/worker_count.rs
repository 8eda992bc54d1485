//! How many worker processes a test asks for: a number, or one for each core of its agents.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// What `workers` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkerCount {
    /// One for each core of the agents, and at most one for each user: `auto`, or Locust's -1.
    Auto,
    /// So many.
    Exactly(u32),
}

/// Neither of the two; follows the field's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a whole number, or auto for one worker per core")]
pub struct WorkerCountError;

impl FromStr for WorkerCount {
    type Err = WorkerCountError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.trim() {
            "auto" | "-1" => Ok(Self::Auto),
            number => number
                .parse()
                .map(Self::Exactly)
                .map_err(|_| WorkerCountError),
        }
    }
}

impl fmt::Display for WorkerCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Exactly(count) => count.fmt(f),
        }
    }
}

impl Serialize for WorkerCount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => serializer.collect_str(self),
            Self::Exactly(count) => serializer.serialize_u32(*count),
        }
    }
}

#[cfg(feature = "schema")]
mod schema {
    use std::borrow::Cow;

    use utoipa::openapi::{ObjectBuilder, OneOfBuilder, RefOr, Schema, Type};
    use utoipa::{PartialSchema, ToSchema};

    use super::WorkerCount;

    impl PartialSchema for WorkerCount {
        fn schema() -> RefOr<Schema> {
            let number = ObjectBuilder::new()
                .schema_type(Type::Integer)
                .minimum(Some(1));
            let auto = ObjectBuilder::new()
                .schema_type(Type::String)
                .enum_values(Some(["auto"]));
            Schema::OneOf(OneOfBuilder::new().item(number).item(auto).build()).into()
        }
    }

    impl ToSchema for WorkerCount {
        fn name() -> Cow<'static, str> {
            Cow::Borrowed("WorkerCount")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_read_as_it_is_written() {
        for (text, count) in [
            ("auto", WorkerCount::Auto),
            ("4", WorkerCount::Exactly(4)),
            ("0", WorkerCount::Exactly(0)),
        ] {
            assert_eq!(text.parse(), Ok(count));
            assert_eq!(count.to_string(), text);
        }
        assert_eq!("-1".parse(), Ok(WorkerCount::Auto), "Locust's");
        for wrong in ["-2", "", "four", "1.5", "5000000000"] {
            assert_eq!(wrong.parse::<WorkerCount>(), Err(WorkerCountError));
        }
    }
}
