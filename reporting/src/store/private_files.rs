//! Files that only their owner may read: results have hosts, names and texts of other people's systems in them.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

const FILE_MODE: u32 = 0o600;
const DIRECTORY_MODE: u32 = 0o700;

/// Creates a directory that only its owner may enter, and those above it. One that exists is left as it is: who
/// made it decided about it.
pub(super) fn create_directory(dir: &Path) -> io::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(DIRECTORY_MODE)
        .create(dir)
}

/// Opens a file to be written, creating it if it does not exist; takes away what others may do with it.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(FILE_MODE)
        .open(path)?;
    make_private(path);
    Ok(file)
}

/// Takes away what others may do with a file, if it exists.
pub(super) fn make_private(path: &Path) {
    let is_open = |mode: u32| mode & 0o077 != 0;
    let restricted = match fs::metadata(path) {
        Ok(known) if is_open(known.permissions().mode()) => {
            fs::set_permissions(path, Permissions::from_mode(FILE_MODE))
        }
        _ => Ok(()),
    };
    if let Err(error) = restricted {
        tracing::warn!(file = %path.display(), %error, "other users of this machine may be able to read this file");
    }
}
