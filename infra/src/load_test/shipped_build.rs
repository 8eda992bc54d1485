//! A build that is shipped to the agents: a user's program, uploaded to the coordinator and named by its SHA-256.

use serde::{Deserialize, Serialize};

use super::{DataFile, MAX_DATA_FILES, ScenarioInfo};
use crate::base::{BuildInfo, FileHash, MAX_SCENARIOS, WallTime, bounded_list, cut};

/// Largest program that can be shipped, in bytes.
pub const MAX_BUILD_BYTES: u64 = 512 << 20;
/// Longest text of a manifest about who and from where, in bytes.
const MAX_TEXT_BYTES: usize = 100;

/// What is known of a program before it is uploaded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct BuildManifest {
    /// SHA-256 of the program, which is its name.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub sha256: FileHash,
    /// Its size in bytes.
    pub size: u64,
    /// Greylag's version in it.
    pub version: String,
    /// What it was compiled for, such as `x86_64-linux-gnu`.
    pub platform: String,
    /// Version of the protocol that it speaks as a worker with its agent.
    pub worker_protocol: u32,
    /// Who uploads it, such as `ada@laptop`; may be empty.
    #[serde(default)]
    pub uploaded_by: String,
    /// The commit that its crate was at when it was uploaded, if that is known.
    #[serde(default)]
    pub commit: Option<SourceCommit>,
    /// The scenarios compiled into it.
    #[serde(default, deserialize_with = "bounded_list::<_, _, MAX_SCENARIOS>")]
    #[cfg_attr(feature = "schema", schema(value_type = Vec<Object>))]
    pub scenarios: Vec<ShippedScenario>,
    /// The data files of the scenario that is to run, as they are now.
    #[serde(
        default,
        deserialize_with = "bounded_list::<_, _, MAX_DATA_FILES>",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub data: Vec<DataFile>,
}

/// The commit that a program was compiled from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SourceCommit {
    /// Its id.
    pub id: String,
    /// Whether files had been changed since.
    pub is_modified: bool,
}

/// A scenario of a program that is shipped.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ShippedScenario {
    /// What start forms and checks need to know.
    pub info: ScenarioInfo,
    /// How much longer its own events may make the preparation of a worker, in seconds.
    #[serde(default)]
    pub longest_start_s: u32,
    /// How much longer they may make the end of a worker, in seconds.
    #[serde(default)]
    pub longest_stop_s: u32,
}

/// The shipped build that a run is of, as the run keeps it for ever.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShippedBuild {
    /// SHA-256 of the program.
    pub sha256: FileHash,
    /// Its size in bytes.
    pub size: u64,
    /// Greylag's version in it.
    pub version: String,
    /// What it was compiled for.
    pub platform: String,
    /// Version of the protocol that it speaks as a worker with its agent.
    pub worker_protocol: u32,
    /// Who uploaded it; may be empty.
    pub uploaded_by: String,
    /// When it was uploaded.
    #[serde(rename = "uploaded_at_us")]
    pub uploaded_at: WallTime,
    /// The commit that its crate was at when it was uploaded, if that is known.
    pub commit: Option<SourceCommit>,
    /// The scenario that the run is of.
    pub scenario: ShippedScenario,
    /// The scenario's data files, as they were when the run was started. The last field, and left out where there are none, because
    /// workers of other builds read this as a list.
    #[serde(
        default,
        deserialize_with = "bounded_list::<_, _, MAX_DATA_FILES>",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub data: Vec<DataFile>,
}

impl BuildManifest {
    /// The manifest as it is kept: texts are cut and without control characters.
    #[must_use]
    pub fn checked(mut self) -> Self {
        let commit = self.commit.as_mut().map(|commit| &mut commit.id);
        let texts = [&mut self.version, &mut self.platform, &mut self.uploaded_by];
        for text in texts.into_iter().chain(commit) {
            text.retain(|character| !character.is_control());
            *text = cut(text, MAX_TEXT_BYTES).into_owned();
        }
        self
    }

    /// Which build it is.
    pub fn build(&self) -> BuildInfo {
        build_info(&self.sha256, &self.version, &self.platform)
    }

    /// The scenario of this name.
    pub fn scenario(&self, name: &str) -> Option<&ShippedScenario> {
        let mut scenarios = self.scenarios.iter();
        scenarios.find(|scenario| scenario.info.name == name)
    }

    /// What a run of one of its scenarios keeps of it.
    pub fn of_run(
        &self,
        scenario: &ShippedScenario,
        uploaded_at: WallTime,
        data: Vec<DataFile>,
    ) -> ShippedBuild {
        ShippedBuild {
            sha256: self.sha256.clone(),
            size: self.size,
            version: self.version.clone(),
            platform: self.platform.clone(),
            worker_protocol: self.worker_protocol,
            uploaded_by: self.uploaded_by.clone(),
            uploaded_at,
            commit: self.commit.clone(),
            scenario: scenario.clone(),
            data,
        }
    }
}

impl ShippedBuild {
    /// Which build it is.
    pub fn build(&self) -> BuildInfo {
        build_info(&self.sha256, &self.version, &self.platform)
    }

    /// Bytes that an agent fetches of it: the program and its data files.
    pub fn bytes(&self) -> u64 {
        let data = self.data.iter().map(|file| file.size);
        data.fold(self.size, u64::saturating_add)
    }
}

fn build_info(sha256: &FileHash, version: &str, platform: &str) -> BuildInfo {
    BuildInfo {
        sha256: sha256.to_string(),
        version: version.to_owned(),
        platform: platform.to_owned(),
    }
}

/// `commit 0123456789ab`, and whether files had been changed since.
impl std::fmt::Display for SourceCommit {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const SHOWN_DIGITS: usize = 12;
        let id: String = self.id.chars().take(SHOWN_DIGITS).collect();
        let modified = if self.is_modified {
            " with changes"
        } else {
            ""
        };
        write!(formatter, "commit {id}{modified}")
    }
}

/// Whether a program compiled for one platform may run where another one runs: the same processor and system. Which C library
/// a machine has the platform of its agent does not say.
pub fn is_same_machine(program: &str, agent: &str) -> bool {
    let machine = |platform: &str| {
        let mut parts = platform.splitn(3, '-').map(str::to_owned);
        (parts.next(), parts.next())
    };
    machine(program) == machine(agent)
}

/// The target of `cargo build` for a platform, such as `x86_64-unknown-linux-gnu`.
pub fn target_of(platform: &str) -> String {
    match platform.split_once('-') {
        Some((processor, "macos")) => format!("{processor}-apple-darwin"),
        Some((processor, system)) => format!("{processor}-unknown-{system}"),
        None => platform.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_are_targets_and_machines() {
        assert_eq!(target_of("x86_64-linux-gnu"), "x86_64-unknown-linux-gnu");
        assert_eq!(target_of("aarch64-macos"), "aarch64-apple-darwin");
        assert!(is_same_machine("x86_64-linux-musl", "x86_64-linux-gnu"));
        assert!(!is_same_machine("aarch64-linux-gnu", "x86_64-linux-gnu"));
        assert!(!is_same_machine("x86_64-macos", "x86_64-linux-gnu"));
        assert!(!is_same_machine("", "x86_64-linux-gnu"));
    }

    #[test]
    fn texts_of_a_manifest_are_cut() {
        let manifest = BuildManifest {
            sha256: "a".repeat(64).parse().unwrap(),
            size: 1,
            version: "1\u{1b}[31m".into(),
            platform: "p".repeat(1_000),
            worker_protocol: 1,
            uploaded_by: String::new(),
            commit: Some(SourceCommit {
                id: "c".repeat(1_000),
                is_modified: true,
            }),
            scenarios: vec![],
            data: vec![],
        };
        let checked = manifest.checked();
        assert_eq!(checked.version, "1[31m");
        assert!(checked.platform.len() <= MAX_TEXT_BYTES);
        let commit = checked.commit.unwrap();
        assert!(commit.id.len() <= MAX_TEXT_BYTES);
        assert_eq!(commit.to_string(), "commit cccccccccccc with changes");
    }
}
