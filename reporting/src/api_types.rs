//! What the HTTP API answers, as the server and the clients in this workspace share it. The larger documents are
//! [`crate::Summary`] and [`crate::Progress`].

use greylag_infra::{BuildManifest, FileHash, RunId, SourceCommit, WallTime};
use serde::{Deserialize, Serialize};

use crate::tokens::Role;

/// Header of a CSV history that was asked for from a second on: the second to ask for next. What comes after it may
/// still change.
pub const NEXT_SECOND_HEADER: &str = "greylag-next-second";

/// Why a request was not answered as it asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "coordinator", derive(utoipa::ToSchema))]
pub struct ErrorBody {
    /// For people, with a line for each thing that is wrong.
    pub error: String,
}

/// A run that was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "coordinator", derive(utoipa::ToSchema))]
pub struct RunStarted {
    /// Its identifier.
    #[cfg_attr(feature = "coordinator", schema(value_type = String))]
    pub id: RunId,
    /// Its number within its test.
    pub number: u64,
    /// Path of its page.
    pub url: String,
    /// Address of its page for browsers, where the coordinator knows it.
    #[serde(default)]
    pub page: Option<String>,
    /// What whoever started it should know.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// A run that was imported from a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "coordinator", derive(utoipa::ToSchema))]
pub struct RunImported {
    /// Its identifier, the same as where it was exported.
    #[cfg_attr(feature = "coordinator", schema(value_type = String))]
    pub id: RunId,
    /// The name of its test.
    pub test: String,
    /// Its number within its test here.
    pub number: u64,
    /// Path of its page.
    pub url: String,
}

/// A run that was asked to stop; its last results still arrive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "coordinator", derive(utoipa::ToSchema))]
pub struct RunStopping {
    /// Its identifier.
    #[cfg_attr(feature = "coordinator", schema(value_type = String))]
    pub id: RunId,
    /// `Running`, until it has ended.
    pub status: String,
    /// Always true.
    pub stopping: bool,
}

/// A change of users that has begun.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "coordinator", derive(utoipa::ToSchema))]
pub struct UsersChanging {
    /// How many there will be.
    pub users: u64,
    /// Within so many seconds.
    pub over_s: f64,
}

/// Lines of a run's console log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "coordinator", derive(utoipa::ToSchema))]
pub struct LogLines {
    /// In order.
    pub lines: Vec<LogRow>,
    /// Lines of the whole run that never got into the log.
    pub dropped: u64,
    /// Lines of the whole run that are in its log.
    #[serde(default)]
    pub total: u64,
    /// Where lines were looked for from, if a moment was named: the position before the first line of that moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// Up to where lines were looked for, if not to the end: what to go on with, as `before` or, with `order=first`, as `after`.
    /// There may be more although these are fewer than were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub more: Option<u64>,
    /// Of an agent's lines: that some may be missing, because it is not known whose they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
}

/// How serious a line of a log is, by what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "coordinator", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// `WARN` or `WARNING` stands in it.
    Warning,
    /// `ERROR`, `PANIC` or `panicked` does.
    Error,
}

/// One console log line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "coordinator", derive(utoipa::ToSchema))]
pub struct LogRow {
    /// Position in the run's log, from 1 and without gaps.
    pub seq: u64,
    /// When, in µs since 1970.
    #[serde(rename = "at_us")]
    #[cfg_attr(feature = "coordinator", schema(value_type = u64))]
    pub at: WallTime,
    /// Who.
    pub source: String,
    /// The line, terminal escapes and control characters removed.
    pub text: String,
    /// How serious it is; most lines do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<LogLevel>,
    /// Where in it stands what was searched for: begin and end in UTF-16 code units, as JavaScript counts. Of many places the
    /// first ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "coordinator", schema(value_type = Vec<Vec<u32>>))]
    pub matches: Vec<(u32, u32)>,
}

/// A program that is to be uploaded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "coordinator", derive(utoipa::ToSchema))]
pub struct BuildAnnouncement {
    /// What is known of it.
    pub manifest: BuildManifest,
    /// The infrastructure whose agents are to run it.
    pub infrastructure: String,
}

/// How much of a program, or of a data file, is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "coordinator", derive(utoipa::ToSchema))]
pub struct BuildAnnounced {
    /// Whether all of it is there and has been checked.
    pub is_whole: bool,
    /// Bytes that are there: where the next piece begins.
    pub received_bytes: u64,
    /// The data files that are to be uploaded, too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing_data: Vec<MissingData>,
}

/// A data file that is not whole on the coordinator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "coordinator", derive(utoipa::ToSchema))]
pub struct MissingData {
    /// SHA-256 of the file.
    #[cfg_attr(feature = "coordinator", schema(value_type = String))]
    pub sha256: FileHash,
    /// Bytes that are there: where the next piece begins.
    pub received_bytes: u64,
}

/// The programs that were uploaded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "coordinator", derive(utoipa::ToSchema))]
pub struct BuildList {
    /// Whether more may be uploaded, and run by agents.
    pub accept_uploads: bool,
    /// Whether data files may be uploaded with them.
    #[serde(default)]
    pub takes_data: bool,
    /// The newest first.
    pub builds: Vec<ListedBuild>,
}

/// A program that was uploaded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "coordinator", derive(utoipa::ToSchema))]
pub struct ListedBuild {
    /// SHA-256 of the program.
    #[cfg_attr(feature = "coordinator", schema(value_type = String))]
    pub sha256: FileHash,
    /// Its size in bytes.
    pub size: u64,
    /// Greylag's version in it.
    pub version: String,
    /// What it was compiled for.
    pub platform: String,
    /// Who uploaded it; may be empty.
    pub uploaded_by: String,
    /// When, in µs since 1970.
    #[serde(rename = "uploaded_at_us")]
    #[cfg_attr(feature = "coordinator", schema(value_type = u64))]
    pub uploaded_at: WallTime,
    /// The commit that its crate was at when it was uploaded, if that is known.
    pub commit: Option<SourceCommit>,
    /// The names of its scenarios.
    pub scenarios: Vec<String>,
}

/// What a token is to be for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "coordinator", derive(utoipa::ToSchema))]
pub struct NewToken {
    /// What its holder may do.
    pub role: Role,
    /// What people know it by.
    #[serde(default)]
    #[cfg_attr(feature = "coordinator", schema(max_length = 100))]
    pub label: String,
    /// The only infrastructure that an agent with it may join.
    #[serde(default)]
    #[cfg_attr(feature = "coordinator", schema(min_length = 1, max_length = 100))]
    pub infrastructure: Option<String>,
    /// After so many seconds it lets in no longer; until it is revoked unless given.
    #[serde(default)]
    #[cfg_attr(feature = "coordinator", schema(minimum = 1))]
    pub expires_in_s: Option<u64>,
}

/// A token that was created.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "coordinator", derive(utoipa::ToSchema))]
pub struct TokenCreated {
    /// Says which one it is; not secret.
    pub id: String,
    /// The token itself. It is not kept and cannot be shown again.
    pub token: String,
}

/// Never shows the secret, so that it cannot get into a log.
impl std::fmt::Debug for TokenCreated {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("TokenCreated")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// The tokens that let in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "coordinator", derive(utoipa::ToSchema))]
pub struct TokenList {
    /// The oldest first.
    pub tokens: Vec<ListedToken>,
}

/// A token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "coordinator", derive(utoipa::ToSchema))]
pub struct ListedToken {
    /// Says which one it is.
    pub id: String,
    /// What its holder may do.
    pub role: Role,
    /// What people know it by; may be empty.
    pub label: String,
    /// The only infrastructure that an agent with it may join.
    pub infrastructure: Option<String>,
    /// The only run that an agent with it may take part in.
    #[cfg_attr(feature = "coordinator", schema(value_type = Option<String>))]
    pub run: Option<RunId>,
    /// When it was created, in µs since 1970.
    #[serde(rename = "created_at_us")]
    #[cfg_attr(feature = "coordinator", schema(value_type = u64))]
    pub created_at: WallTime,
    /// When it expires, in µs since 1970; null for one that does not.
    #[serde(rename = "expires_at_us")]
    #[cfg_attr(feature = "coordinator", schema(value_type = Option<u64>))]
    pub expires_at: Option<WallTime>,
}
