//! Runs that were exported as bundles, as files.

use std::io::ErrorKind;
use std::path::Path;

use greylag_infra::TestDraft;
use tokio::fs::File;

use crate::cli::api_client::ApiClient;
use crate::cli::failure::Failure;

/// How the name of a bundle ends.
const EXTENSION: &str = "bundle";

/// Whether a path is that of a bundle, by its name.
pub(crate) fn is_bundle(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == EXTENSION)
}

/// Opens a bundle.
///
/// # Errors
/// It cannot be read.
pub(crate) async fn open_bundle(path: &Path) -> Result<File, Failure> {
    let cannot_read = |error: std::io::Error| {
        Failure::bad_input(format!("{} cannot be read: {error}", path.display()))
    };
    let bundle = File::open(path).await.map_err(cannot_read)?;
    if bundle.metadata().await.map_err(cannot_read)?.is_dir() {
        return Err(cannot_read(ErrorKind::IsADirectory.into()));
    }
    Ok(bundle)
}

/// Where a test names a file as its baseline (`main.bundle`), has the coordinator import its run, unless that already exists, and
/// names that run. `api` waits long for answers.
///
/// # Errors
/// The file is not a bundle, or the coordinator does not take it.
pub(crate) async fn import_baseline(api: &ApiClient, draft: &mut TestDraft) -> Result<(), Failure> {
    let Some(named) = draft.baseline.as_deref().map(str::trim) else {
        return Ok(());
    };
    let path = Path::new(named);
    if !is_bundle(path) {
        return Ok(());
    }
    let bundle = open_bundle(path).await?;
    let run = api.import(bundle, true).await.map_err(|error| {
        Failure::bad_input(format!(
            "the baseline {} was not imported: {error}",
            path.display()
        ))
    })?;
    draft.baseline = Some(run.id.as_str().to_owned());
    Ok(())
}
