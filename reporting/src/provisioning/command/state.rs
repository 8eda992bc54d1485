//! What was begun for which runs, in a file each: on disk before a command is started.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use greylag_infra::RunId;
use serde::{Deserialize, Serialize};

use super::error::CommandError;
use super::groups::ProcessMark;

/// What files end with.
const ENDING: &str = "json";
/// Largest file that is read, in bytes.
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// What is known of a run whose `up` was begun, and whose `down` has not succeeded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Begun {
    pub(super) infrastructure: String,
    pub(super) agents: u32,
    pub(super) coordinator_url: String,
    /// The process of `up`, once it is known.
    pub(super) process: Option<ProcessMark>,
    /// Whether `up` has succeeded.
    pub(super) is_up: bool,
    /// The process of `down`, if it was begun.
    #[serde(default)]
    pub(super) ends: Option<ProcessMark>,
}

/// The directory of these files.
#[derive(Debug, Clone)]
pub(super) struct StateDir(PathBuf);

impl StateDir {
    pub(super) fn of(directory: &Path) -> Self {
        Self(directory.to_owned())
    }

    pub(super) async fn read(&self, run_id: &RunId) -> Result<Option<Begun>, CommandError> {
        self.blocking(self.path(run_id), |path| match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
            Ok(_) => read(path).map(Some),
        })
        .await
    }

    /// Writes it to disk, as a whole or not at all.
    pub(super) async fn write(&self, run_id: &RunId, begun: &Begun) -> Result<(), CommandError> {
        let bytes = serde_json::to_vec(begun).expect("texts and numbers can be written as JSON");
        self.blocking(self.path(run_id), move |path| {
            let directory = path.parent().unwrap_or(Path::new("."));
            fs::create_dir_all(directory)?;
            let new = path.with_extension("new");
            let mut file = File::create(&new)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            fs::rename(&new, path)?;
            File::open(directory)?.sync_all()
        })
        .await
    }

    pub(super) async fn remove(&self, run_id: &RunId) -> Result<(), CommandError> {
        self.blocking(self.path(run_id), |path| match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        })
        .await
    }

    pub(super) async fn list(&self) -> Result<Vec<(RunId, Begun)>, CommandError> {
        self.blocking(self.0.clone(), |directory| {
            let entries = match fs::read_dir(directory) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
                entries => entries?,
            };
            let mut list = Vec::new();
            for entry in entries {
                let path = entry?.path();
                let run_id = path.file_stem().and_then(|stem| stem.to_str());
                if path.extension().is_some_and(|ending| ending == ENDING)
                    && let (Some(run_id), Ok(begun)) = (run_id, read(&path))
                {
                    list.push((RunId::from(run_id), begun));
                }
            }
            Ok(list)
        })
        .await
    }

    /// Identifiers of runs are letters and digits.
    fn path(&self, run_id: &RunId) -> PathBuf {
        self.0.join(run_id.as_str()).with_extension(ENDING)
    }

    async fn blocking<T: Send + 'static>(
        &self,
        path: PathBuf,
        work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
    ) -> Result<T, CommandError> {
        let done = tokio::task::spawn_blocking(move || {
            work(&path).map_err(|source| CommandError::State { path, source })
        });
        done.await
            .unwrap_or(Err(CommandError::Panicked { name: "its state" }))
    }
}

fn read(path: &Path) -> io::Result<Begun> {
    if fs::metadata(path)?.len() > MAX_FILE_BYTES {
        return Err(io::Error::other("the file is too large"));
    }
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}
