//! What a refusal looks like.

use std::fs;
use std::path::Path;
use std::time::Duration;

use greylag_tests::Ended;

use crate::support::greylag;

/// A command that is refused ends immediately; this is for a busy machine.
pub(super) const REFUSED_WITHIN: Duration = Duration::from_secs(30);

/// Checks that a command was refused with one message that holds these words.
pub(super) fn assert_refused(ended: &Ended, words: &[&str]) {
    assert_eq!(ended.code, Some(2), "bad input has exit code 2: {ended:?}");
    let lines: Vec<&str> = ended
        .stderr
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    assert_eq!(lines.len(), 1, "one message: {}", ended.stderr);
    for word in words {
        assert!(
            lines[0].contains(word),
            "{:?} should contain {word:?}",
            lines[0]
        );
    }
    assert!(
        !ended.stdout.contains("/runs/"),
        "something was started: {}",
        ended.stdout
    );
}

/// `greylag run` with these arguments, in a directory that must stay as it is.
pub(super) async fn refused_run(directory: &Path, arguments: &[&str], words: &[&str]) {
    let before = entries(directory);
    let ended = greylag()
        .run_in(directory, &[&["run"], arguments].concat(), REFUSED_WITHIN)
        .await;
    assert_refused(&ended, words);
    assert_eq!(
        entries(directory),
        before,
        "`run {arguments:?}` left something behind"
    );
}

pub(super) fn entries(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .expect("a directory")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}
