//! Which data files there are, and which are needed: those that were last uploaded with a build that is here, and those of runs of
//! builds that are here. Everything here blocks.

use std::collections::HashSet;
use std::io;
use std::time::SystemTime;

use greylag_infra::{DataFile, FileHash};

use super::files::{ABANDONED_AFTER, Files};
use super::{BuildError, OfRuns};

/// Those of some data files that are not whole.
///
/// # Errors
/// One has another size than was announced, or the disk failed.
pub(super) fn missing<'a>(
    files: &Files,
    data: &'a [DataFile],
) -> Result<Vec<&'a DataFile>, BuildError> {
    let mut missing: Vec<&DataFile> = Vec::new();
    for file in data {
        match files.whole(&file.sha256)? {
            Some(size) if size == file.size => {}
            Some(size) => return Err(BuildError::OtherSize { announced: size }),
            // The same file may have two names.
            None if missing.iter().any(|other| other.sha256 == file.sha256) => {}
            None => missing.push(file),
        }
    }
    Ok(missing)
}

/// The data files that are needed, also by a build that is announced with these.
fn needed(
    files: &Files,
    of_runs: &OfRuns,
    announced: &[DataFile],
) -> io::Result<HashSet<FileHash>> {
    let mut needed: HashSet<FileHash> = HashSet::new();
    needed.extend(announced.iter().map(|file| file.sha256.clone()));
    for manifest in files.manifests()? {
        needed.extend(manifest.data.into_iter().map(|file| file.sha256));
    }
    for (build, data) in of_runs {
        if files.whole(build)?.is_some() {
            needed.extend(data.iter().cloned());
        }
    }
    Ok(needed)
}

/// Deletes a build, and its data files that are not needed otherwise, such as by one that is announced with these. False if there was
/// no such build.
pub(super) fn delete_build(
    files: &Files,
    hash: &FileHash,
    of_runs: &OfRuns,
    announced: &[DataFile],
) -> io::Result<bool> {
    let mut data = of_runs.get(hash).cloned().unwrap_or_default();
    let manifest = files.manifest(hash)?;
    let its = manifest.into_iter().flat_map(|manifest| manifest.data);
    data.extend(its.map(|file| file.sha256));
    let was_there = files.delete(hash)?;
    let needed = needed(files, of_runs, announced)?;
    for hash in data.difference(&needed) {
        delete_data(files, hash)?;
    }
    Ok(was_there)
}

/// Deletes data files that have not been needed for a while: whoever uploads one may not have started the run yet.
pub(super) fn forget_unreferred(
    files: &Files,
    of_runs: &OfRuns,
    announced: &[DataFile],
) -> io::Result<()> {
    let needed = needed(files, of_runs, announced)?;
    let now = SystemTime::now();
    for (hash, _, latest) in files.data()? {
        let age = now.duration_since(latest).unwrap_or_default();
        if !needed.contains(&hash) && age > ABANDONED_AFTER {
            delete_data(files, &hash)?;
        }
    }
    Ok(())
}

/// Deletes a data file, unless it is a program, too.
fn delete_data(files: &Files, hash: &FileHash) -> io::Result<()> {
    if files.manifest(hash)?.is_none() {
        files.delete(hash)?;
    }
    Ok(())
}
