//! Which build this program is: the hash of its executable as it was when the process started.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use greylag_infra::{BuildInfo, FileHash};
use tokio::sync::OnceCell;

/// The executable that this process was started from, even if its file has been replaced since (Linux).
const OWN_EXECUTABLE: &str = "/proc/self/exe";

/// Read once, because it does not change.
static BUILD: OnceCell<BuildInfo> = OnceCell::const_new();

/// This program's build. The executable is read once, off the async threads; when that fails the hash is
/// unknown, and the log says why.
pub(crate) async fn own_build() -> BuildInfo {
    let read = || async {
        let hash = || open_executable().and_then(FileHash::of);
        let hashed = tokio::task::spawn_blocking(hash).await;
        let sha256 = match hashed.unwrap_or_else(|panic| Err(io::Error::other(panic))) {
            Ok(sha256) => sha256.into(),
            Err(error) => {
                tracing::warn!(
                    "this program's executable cannot be read, so its build is unknown: {error}"
                );
                String::new()
            }
        };
        BuildInfo {
            sha256,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            platform: platform(),
        }
    };
    BUILD.get_or_init(read).await.clone()
}

/// The same, if it has been read; before an agent says its hello it has.
pub(crate) fn known_own_build() -> Option<&'static BuildInfo> {
    BUILD.get()
}

/// What this program was compiled for.
fn platform() -> String {
    let environment = if cfg!(target_env = "musl") {
        "-musl"
    } else if cfg!(target_env = "gnu") {
        "-gnu"
    } else {
        ""
    };
    format!(
        "{}-{}{environment}",
        std::env::consts::ARCH,
        std::env::consts::OS
    )
}

/// This program's executable.
///
/// # Errors
/// It cannot be opened.
pub(crate) fn open_executable() -> io::Result<File> {
    File::open(OWN_EXECUTABLE).or_else(|_| File::open(std::env::current_exe()?))
}

/// The program to start for a command: when its file is this program's and has been replaced since we were
/// started, the executable that we still run, so that workers are never another build than their agent.
pub(crate) fn same_build(program: &OsString) -> OsString {
    let is_ours = std::env::current_exe().is_ok_and(|own| {
        // The kernel adds this to the path of an executable whose file is gone.
        let own = own.into_os_string().into_string().unwrap_or_default();
        let own = own.strip_suffix(" (deleted)").unwrap_or(&own);
        Path::new(own) == Path::new(program)
    });
    if is_ours && !is_same_file(Path::new(program), Path::new(OWN_EXECUTABLE)) {
        return OWN_EXECUTABLE.into();
    }
    program.clone()
}

/// Whether both are the same file, as far as they can be looked at.
fn is_same_file(path: &Path, own: &Path) -> bool {
    match (fs::metadata(path), fs::metadata(own)) {
        (Ok(path), Ok(own)) => (path.dev(), path.ino()) == (own.dev(), own.ino()),
        (Err(_), Ok(_)) => false,
        (_, Err(_)) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_executable_is_hashed_once() {
        let build = own_build().await;
        assert_eq!(build, build.checked(), "a hash, and nothing to cut");
        let file = File::open(std::env::current_exe().unwrap()).unwrap();
        assert_eq!(build.sha256, FileHash::of(file).unwrap().as_str());
        assert!(build.platform.starts_with(std::env::consts::ARCH));
    }

    #[test]
    fn a_file_that_was_replaced_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let (old, new) = (dir.path().join("old"), dir.path().join("new"));
        for path in [&old, &new] {
            fs::write(path, "x").unwrap();
        }
        assert!(is_same_file(&old, &old));
        assert!(!is_same_file(&old, &new));
        assert!(!is_same_file(&dir.path().join("gone"), &old));
        let own = std::env::current_exe().unwrap().into_os_string();
        assert_eq!(same_build(&own), own);
        assert_eq!(same_build(&"/bin/sh".into()), OsString::from("/bin/sh"));
    }
}
