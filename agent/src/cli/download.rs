//! A long answer of the coordinator as it comes, and the file that it goes into.

use std::fs::Permissions;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use greylag_reporting::NEXT_SECOND_HEADER;
use reqwest::Response;
use tempfile::NamedTempFile;

use super::api_client::ApiError;
use super::failure::Failure;
use crate::innermost::innermost;

/// An answer whose body is read piece by piece.
pub(crate) struct Download {
    url: String,
    response: Response,
}

impl Download {
    /// The answer of the coordinator at this address.
    pub(crate) fn new(url: String, response: Response) -> Self {
        Self { url, response }
    }

    /// The second to ask for next, where only a part of a history was asked for.
    pub(crate) fn next_second(&self) -> Option<u32> {
        let next = self.response.headers().get(NEXT_SECOND_HEADER)?;
        next.to_str().ok()?.parse().ok()
    }

    /// The next bytes; none at the end.
    pub(crate) async fn chunk(&mut self) -> Result<Option<bytes::Bytes>, ApiError> {
        let chunk = self.response.chunk().await;
        chunk.map_err(|error| ApiError::Unreachable {
            url: self.url.clone(),
            cause: innermost(&error),
        })
    }

    /// Writes all of it to standard output. A reader that has gone away (`| head`) is not a failure.
    pub(crate) async fn print(mut self) -> Result<(), Failure> {
        while let Some(chunk) = self.chunk().await.map_err(Failure::bad_input)? {
            let mut output = io::stdout().lock();
            match output.write_all(&chunk).and_then(|()| output.flush()) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
                Err(error) => {
                    return Err(Failure::failed(format!(
                        "standard output cannot be written: {error}"
                    )));
                }
            }
        }
        Ok(())
    }

    /// Writes all of it to a file, which has the whole or is not touched. One that exists is replaced. How many bytes it has.
    pub(crate) async fn save(mut self, path: &Path) -> Result<u64, Failure> {
        let cannot_write = |error: io::Error| cannot_write(path, &error);
        let mut file = file_beside(path)?;
        let mut bytes = 0;
        while let Some(chunk) = self.chunk().await.map_err(Failure::bad_input)? {
            file.write_all(&chunk).map_err(cannot_write)?;
            bytes += chunk.len() as u64;
        }
        file.as_file().sync_all().map_err(cannot_write)?;
        let kept = file.persist(path);
        kept.map_err(|error| cannot_write(error.error))?;
        Ok(bytes)
    }
}

/// A file beside the one that is to be written, which can take its place.
///
/// # Errors
/// There can be none.
pub(crate) fn file_beside(path: &Path) -> Result<NamedTempFile, Failure> {
    if path.is_dir() {
        return Err(cannot_write(path, &io::ErrorKind::IsADirectory.into()));
    }
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    // Readable by whoever may read files made here.
    tempfile::Builder::new()
        .prefix(".greylag-export-")
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(directory)
        .map_err(|error| cannot_write(path, &error))
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::bad_input(format!("{} cannot be written: {error}", path.display()))
}
