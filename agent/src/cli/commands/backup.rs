//! `greylag backup`: a copy of the results, also while a coordinator writes them.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use greylag_reporting::Store;

use crate::cli::failure::Failure;
use crate::cli::options::DEFAULT_DATA;
use crate::cli::print::print_line;

/// Options of `greylag backup`.
#[derive(Debug, Args)]
pub(crate) struct BackupOptions {
    /// File to write. To restore it, stop the coordinator, move greylag.sqlite, greylag.sqlite-wal and
    /// greylag.sqlite-shm out of the --data directory, and put the file there as greylag.sqlite.
    file: PathBuf,
    /// Directory for results.
    #[arg(long, env = "GREYLAG_DATA", value_name = "DIR", default_value = DEFAULT_DATA)]
    data: PathBuf,
    /// Overwrite the file if it exists.
    #[arg(long)]
    force: bool,
}

/// Copies all results to a file, which has all of them or is not touched.
pub(crate) fn backup(options: &BackupOptions) -> Result<ExitCode, Failure> {
    let BackupOptions { file, data, force } = options;
    if Store::owns(data, file) {
        return Err(Failure::bad_input(format!(
            "{} is one of the results' own files; choose another file for the backup",
            file.display()
        )));
    }
    if !force && file.exists() {
        return Err(exists(file));
    }
    let directory = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let cannot_write = |error: std::io::Error| {
        let file = file.display();
        format!("the backup cannot be written to {file}: {error}")
    };
    let failed = |error| Failure::failed(cannot_write(error));
    // Readable by its owner only, as the results are.
    let copy = tempfile::Builder::new()
        .prefix(".greylag-backup-")
        .tempfile_in(directory)
        .map_err(|error| Failure::bad_input(cannot_write(error)))?;
    Store::back_up(data, copy.path()).map_err(Failure::bad_input)?;
    copy.as_file().sync_all().map_err(failed)?;
    let bytes = copy.as_file().metadata().map_err(failed)?.len();
    let kept = if *force {
        copy.persist(file)
    } else {
        copy.persist_noclobber(file)
    };
    kept.map_err(|error| match error.error.kind() {
        std::io::ErrorKind::AlreadyExists => exists(file),
        _ => failed(error.error),
    })?;
    print_line(format_args!(
        "Backed up {} to {} ({} MiB).",
        data.display(),
        file.display(),
        bytes.div_ceil(1 << 20)
    ));
    Ok(ExitCode::SUCCESS)
}

fn exists(file: &Path) -> Failure {
    Failure::bad_input(format!(
        "{} already exists; choose another name or overwrite it with --force",
        file.display()
    ))
}
