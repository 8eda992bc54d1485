//! A wall clock that is wrong for one process: libfaketime, with the monotonic clock left alone.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Where distributions put the library; Debian and Ubuntu have a directory for each architecture.
const PLACES: [&str; 3] = ["/usr/lib", "/usr/local/lib", "/usr/lib64"];

/// Lets a command see a wall clock that is so many seconds ahead (or behind, if negative).
///
/// # Panics
/// The library is not installed.
pub fn fake_clock(command: &mut Command, seconds: i64) {
    let library = library().expect("libfaketime is needed: install faketime (tests/run does)");
    command
        .env("LD_PRELOAD", library)
        .env("FAKETIME", format!("{seconds:+}"))
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .env("NO_FAKE_STAT", "1");
}

fn library() -> Option<PathBuf> {
    let in_directory = |directory: &Path| {
        let library = directory.join("faketime/libfaketime.so.1");
        library.exists().then_some(library)
    };
    PLACES.iter().find_map(|place| {
        let place = Path::new(place);
        let below = place.read_dir().into_iter().flatten().flatten();
        in_directory(place).or_else(|| {
            below
                .map(|entry| entry.path())
                .find_map(|path| in_directory(&path))
        })
    })
}
