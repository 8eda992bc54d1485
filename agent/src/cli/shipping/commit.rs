//! The commit that this program's crate is at, where the crate is on this machine and in git.

use std::path::Path;
use std::process::Stdio;
use std::sync::OnceLock;
use std::time::Duration;

use greylag_infra::SourceCommit;
use tokio::process::Command;
use tokio::time::timeout;

/// How long git may take; what it says is not worth waiting for.
const LONGEST: Duration = Duration::from_secs(5);

/// Where the crate was compiled.
static CRATE_DIR: OnceLock<&'static str> = OnceLock::new();

/// Says where this program's crate was compiled.
pub(crate) fn set_crate_dir(dir: &'static str) {
    // A second main of a process would be of the same crate.
    let _ = CRATE_DIR.set(dir);
}

/// The commit of this program's crate, if it is known.
pub(super) async fn source_commit() -> Option<SourceCommit> {
    commit_of(Path::new(CRATE_DIR.get()?)).await
}

async fn commit_of(dir: &Path) -> Option<SourceCommit> {
    let id = git(dir, &["rev-parse", "HEAD"]).await?;
    let changes = git(dir, &["status", "--porcelain", "--", "."]).await?;
    Some(SourceCommit {
        id: id.trim().to_owned(),
        is_modified: !changes.trim().is_empty(),
    })
}

async fn git(dir: &Path, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new("git");
    command
        .arg("-C")
        .arg(dir)
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = timeout(LONGEST, command.output()).await.ok()?.ok()?;
    let said = String::from_utf8(output.stdout).ok()?;
    output.status.success().then_some(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_crate_has_a_commit_only_in_git() {
        let directory = tempfile::tempdir().unwrap();
        let dir = directory.path();
        assert_eq!(commit_of(dir).await, None);
        assert_eq!(commit_of(&dir.join("gone")).await, None);
        if git(dir, &["init", "-q"]).await.is_none() {
            eprintln!("skipped: git is not installed");
            return;
        }
        let author = ["-c", "user.name=a", "-c", "user.email=a@b.test"];
        let commit = [&author[..], &["commit", "-q", "--allow-empty", "-m", "one"]].concat();
        git(dir, &commit).await.unwrap();
        let clean = commit_of(dir).await.unwrap();
        assert_eq!((clean.id.len(), clean.is_modified), (40, false));
        std::fs::write(dir.join("main.rs"), "").unwrap();
        assert!(commit_of(dir).await.unwrap().is_modified);
    }
}
