//! Where a setting came from, for messages and for what wins.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use clap::Arg;

/// What wins over what, the weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::cli) enum Rank {
    /// A variable that every program with OpenTelemetry reads.
    SharedVariable,
    /// A configuration file.
    ConfigFile,
    /// A variable of Locust's.
    LocustVariable,
    /// A variable of ours.
    Variable,
    /// The command line.
    Flag,
}

/// Where a setting came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Origin {
    pub(super) rank: Rank,
    /// As people write it: `--users`, `GREYLAG_USERS`, `users in locust.conf`.
    pub(super) name: String,
}

impl Origin {
    pub(in crate::cli) fn new(rank: Rank, name: impl Into<String>) -> Self {
        Self {
            rank,
            name: name.into(),
        }
    }

    pub(super) fn flag(arg: &Arg) -> Self {
        Self::new(Rank::Flag, flag_name(arg))
    }
}

/// `--users`, or the name of a word without a flag.
pub(super) fn flag_name(arg: &Arg) -> String {
    match (arg.get_long(), arg.get_value_names()) {
        (Some(long), _) => format!("--{long}"),
        (None, Some([name, ..])) => name.to_string(),
        (None, _) => arg.get_id().as_str().to_uppercase(),
    }
}

/// Where each setting came from that was given.
#[derive(Debug, Default)]
pub(in crate::cli) struct Sources(BTreeMap<String, Origin>);

impl Sources {
    pub(in crate::cli) fn new(origins: impl IntoIterator<Item = (String, Origin)>) -> Self {
        Self(origins.into_iter().collect())
    }

    /// What a setting is called where it was given: `--scenario`, `GREYLAG_SCENARIO`.
    pub(in crate::cli) fn name(&self, id: &str) -> Option<&str> {
        self.0.get(id).map(|origin| origin.name.as_str())
    }

    /// Whether a setting came from a variable that other programs read, too, so that it may not be meant for this one.
    #[cfg(feature = "coordinator")]
    pub(in crate::cli) fn is_shared(&self, id: &str) -> bool {
        let origin = self.0.get(id);
        origin.is_some_and(|origin| origin.rank == Rank::SharedVariable)
    }
}

/// Which of two settings that exclude each other counts: `Greater` for the first, because it was given in a stronger way, and
/// `Equal` when that cannot be said.
pub(super) fn stronger(first: &Origin, second: &Origin) -> Ordering {
    first.rank.cmp(&second.rank)
}
