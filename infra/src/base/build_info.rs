//! Which build of a program runs: results of different builds are results of different users.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Hexadecimal digits of the hash that are shown to people.
const SHOWN_DIGITS: usize = 12;

/// A build of the program that runs scenarios: Greylag with the user types compiled in.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct BuildInfo {
    /// SHA-256 of the executable in lower-case hexadecimal; empty when it is not known.
    pub sha256: String,
    /// Greylag's version.
    pub version: String,
    /// What it was compiled for, such as `x86_64-linux-gnu`; empty when it is not known.
    pub platform: String,
}

impl BuildInfo {
    /// The build as it is kept of an agent: a hash that cannot be one counts as unknown, and texts are cut.
    #[must_use]
    pub fn checked(&self) -> Self {
        const SHA256_DIGITS: usize = 64;
        const MAX_TEXT_BYTES: usize = 100;
        let is_hash = self.sha256.len() == SHA256_DIGITS
            && self.sha256.bytes().all(|byte| byte.is_ascii_hexdigit());
        let kept = |text: &str| super::cut(text, MAX_TEXT_BYTES).into_owned();
        Self {
            sha256: if is_hash {
                self.sha256.to_ascii_lowercase()
            } else {
                String::new()
            },
            version: kept(&self.version),
            platform: kept(&self.platform),
        }
    }

    /// Whether nothing is known of it.
    pub fn is_unknown(&self) -> bool {
        self.sha256.is_empty()
    }

    /// The first digits of the hash, or `unknown`.
    pub fn short(&self) -> &str {
        match self.sha256.get(..SHOWN_DIGITS) {
            Some(digits) => digits,
            None => "unknown",
        }
    }
}

/// `0123456789ab (Greylag 0.1.0)`
impl fmt::Display for BuildInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = match self.version.as_str() {
            "" => "unknown",
            version => version,
        };
        write!(f, "{} (Greylag {version})", self.short())
    }
}

/// On which terms a run may start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StartTerms {
    /// Agents and whoever asks may be of different builds.
    pub allow_mixed_builds: bool,
    /// The build of the program that asks, if it has the scenario compiled in and means its own.
    pub client_build: Option<BuildInfo>,
}

/// The builds of some agents, each with the names of those that run it, in the order in which they are met.
pub fn builds_of<'a>(
    agents: impl IntoIterator<Item = (&'a str, &'a BuildInfo)>,
) -> Vec<(&'a BuildInfo, Vec<&'a str>)> {
    let mut builds: Vec<(&BuildInfo, Vec<&str>)> = Vec::new();
    let mut places: BTreeMap<&BuildInfo, usize> = BTreeMap::new();
    for (agent, build) in agents {
        let place = *places.entry(build).or_insert_with(|| {
            builds.push((build, Vec::new()));
            builds.len() - 1
        });
        builds[place].1.push(agent);
    }
    builds
}

/// Which agents run which build, for a message: `agents a and c run build …, agent b runs build …`.
pub fn describe_builds(builds: &[(&BuildInfo, Vec<&str>)]) -> String {
    /// Builds, and agents of each, that are named.
    const MAX_NAMED: usize = 5;
    let mut parts: Vec<String> = builds
        .iter()
        .take(MAX_NAMED)
        .map(|(build, agents)| match &agents[..] {
            [agent] => format!("agent {agent} runs build {build}"),
            _ => format!("agents {} run build {build}", list(agents, MAX_NAMED)),
        })
        .collect();
    if builds.len() > MAX_NAMED {
        parts.push(format!("and {} more builds", builds.len() - MAX_NAMED));
    }
    parts.join(", ")
}

/// `a, b and c`, or of too many the first ones and how many more.
fn list(names: &[&str], most: usize) -> String {
    match names {
        [] => String::new(),
        [name] => (*name).to_owned(),
        _ if names.len() > most => {
            format!(
                "{} and {} more",
                names[..most].join(", "),
                names.len() - most
            )
        }
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_a_hash_is_unknown() {
        let build = |sha256: &str| BuildInfo {
            sha256: sha256.into(),
            version: "1.2.3".into(),
            platform: String::new(),
        };
        let hash = "0123456789ABCDEF".repeat(4);
        let checked = build(&hash).checked();
        assert_eq!(checked.to_string(), "0123456789ab (Greylag 1.2.3)");
        for wrong in [
            "",
            "0123",
            &format!("{}ü", &hash[..62]),
            &hash.replace('A', "x"),
        ] {
            let checked = build(wrong).checked();
            assert!(checked.is_unknown(), "{wrong}");
            assert_eq!(checked.to_string(), "unknown (Greylag 1.2.3)");
        }
        assert_eq!(build("ü").short(), "unknown");
    }

    #[test]
    fn builds_are_told_with_their_agents() {
        let build = |digit: &str| BuildInfo {
            sha256: digit.repeat(64),
            version: "1.0.0".into(),
            platform: String::new(),
        };
        let (one, two) = (build("1"), build("2"));
        let builds = builds_of([("a", &one), ("b", &two), ("c", &one)]);
        assert_eq!(
            describe_builds(&builds),
            "agents a and c run build 111111111111 (Greylag 1.0.0), agent b runs build 222222222222 (Greylag 1.0.0)"
        );
        let names: Vec<String> = (0..100).map(|number| format!("m{number}")).collect();
        let many = builds_of(names.iter().map(|name| (name.as_str(), &one)));
        assert!(
            describe_builds(&many).starts_with("agents m0, m1, m2, m3, m4 and 95 more run build")
        );
    }
}
