//! Fetching from a server that misbehaves: the file comes, or it is said why not, and nothing is tried for ever.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use greylag_infra::{DataFile, FileHash};
use tempfile::TempDir;
use url::Url;

use super::hash_of;
use super::misbehaving_server::{Answer, Server};
use crate::agent::builds::cache::BuildCache;
use crate::agent::builds::fetch::{Download, Patience, Progress, Wanted, fetch};
use crate::agent::{AgentConfig, Stay};

/// What is fetched.
const CONTENT: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// For what is to be fetched in the end.
const PATIENT: Patience = Patience {
    give_up_after: Duration::from_secs(60),
    silence: Duration::from_secs(10),
    retry_after: Duration::from_millis(1),
};
/// For what never comes.
const IMPATIENT: Patience = Patience {
    give_up_after: Duration::from_millis(200),
    silence: Duration::from_millis(50),
    ..PATIENT
};

/// An agent's cache, and a server.
struct Stage {
    directory: TempDir,
    server: Server,
    hash: FileHash,
}

impl Stage {
    async fn set(answers: Vec<Answer>) -> Self {
        Self {
            directory: TempDir::new().unwrap(),
            server: Server::start(CONTENT, answers).await,
            hash: hash_of(CONTENT),
        }
    }

    fn cache(&self) -> Arc<BuildCache> {
        let dir = self.directory.path().to_owned();
        Arc::new(BuildCache::new(dir, 1_000, None))
    }

    /// Leaves what an agent had that was killed.
    fn leave(&self, part: &[u8]) {
        let path = self.directory.path().join(self.hash.as_str());
        fs::write(path.with_extension("part"), part).unwrap();
    }

    /// Fetches the file, whose content is checked; else why it did not come.
    async fn fetch(&self, patience: Patience) -> Result<(), String> {
        let config = AgentConfig {
            coordinator_url: Url::parse(&self.server.url).unwrap(),
            infrastructure: "lab".into(),
            name: "east".into(),
            token: None,
            tls: None,
            scenarios: Vec::new(),
            worker_command: Vec::new(),
            stay: Stay::default(),
            uploads: None,
        };
        let file = DataFile {
            path: "rows.csv".parse().unwrap(),
            sha256: self.hash.clone(),
            size: CONTENT.len() as u64,
        };
        let shown = AtomicU64::default();
        let download = Download::with(&config, patience);
        let progress = Progress::of(&shown);
        let fetched = fetch(&self.cache(), &download, &Wanted::data(&file), &progress).await;
        match fetched {
            Ok(fetched) => {
                assert_eq!(fs::read(&fetched.path).unwrap(), CONTENT);
                assert_eq!(shown.load(Ordering::Relaxed), file.size);
                Ok(())
            }
            Err(error) => {
                let whole = self.directory.path().join(self.hash.as_str());
                assert!(!whole.exists(), "only what is right has its name");
                Err(error.to_string())
            }
        }
    }
}

#[tokio::test]
async fn a_connection_that_breaks_is_continued_where_it_broke() {
    let answers = vec![
        Answer::Cut(10),
        Answer::Cut(0),
        Answer::Cut(7),
        Answer::Rest,
    ];
    let stage = Stage::set(answers).await;
    assert_eq!(stage.fetch(PATIENT).await, Ok(()));
    let asked = stage.server.asked();
    assert_eq!(asked, [None, Some(10), Some(10), Some(17)]);
    // It is not fetched again.
    assert_eq!(stage.fetch(PATIENT).await, Ok(()));
    assert_eq!(stage.server.asked().len(), asked.len());
}

#[tokio::test]
async fn the_whole_in_place_of_the_rest_is_taken_from_the_start() {
    let answers = vec![Answer::Cut(10), Answer::FromTheStart(usize::MAX)];
    let stage = Stage::set(answers).await;
    assert_eq!(stage.fetch(PATIENT).await, Ok(()));
    assert_eq!(stage.server.asked(), [None, Some(10)]);
}

#[tokio::test]
async fn an_answer_that_stalls_is_asked_for_again() {
    let patience = Patience {
        silence: IMPATIENT.silence,
        ..PATIENT
    };
    let stage = Stage::set(vec![Answer::Stall(10), Answer::Stall(0), Answer::Rest]).await;
    assert_eq!(stage.fetch(patience).await, Ok(()));
    assert_eq!(stage.server.asked()[..2], [None, Some(10)]);
}

#[tokio::test]
async fn errors_of_the_coordinator_are_waited_for_and_refusals_are_not() {
    let stage = Stage::set(vec![Answer::Status(500), Answer::Status(503), Answer::Rest]).await;
    assert_eq!(stage.fetch(PATIENT).await, Ok(()));
    for (status, words) in [
        (
            404,
            "data file `rows.csv` cannot be fetched: it is not on the coordinator (any more)",
        ),
        (403, "answers with status 403"),
    ] {
        let stage = Stage::set(vec![Answer::Cut(5), Answer::Status(status)]).await;
        let refused = stage.fetch(PATIENT).await.unwrap_err();
        assert!(refused.contains(words), "{refused}");
        assert_eq!(stage.server.asked(), [None, Some(5)]);
    }
}

#[tokio::test]
async fn content_that_is_not_what_the_hash_names_is_refused_once() {
    const WRONG: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxy!";
    const LONGER: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz and more";
    for wrong in [WRONG, LONGER] {
        let stage = Stage::set(vec![Answer::Other(wrong), Answer::Rest]).await;
        let refused = stage.fetch(PATIENT).await.unwrap_err();
        assert!(
            refused.contains("not the file that its SHA-256 names"),
            "{refused}"
        );
        assert_eq!(stage.server.asked(), [None]);
        // Nothing of it is left to continue with.
        assert_eq!(stage.fetch(PATIENT).await, Ok(()));
        assert_eq!(stage.server.asked(), [None, None]);
    }
}

#[tokio::test]
async fn what_was_left_behind_and_is_wrong_is_fetched_anew_and_only_once() {
    let stage = Stage::set(vec![Answer::Rest]).await;
    stage.leave(&CONTENT[..12]);
    assert_eq!(stage.fetch(PATIENT).await, Ok(()));
    assert_eq!(stage.server.asked(), [Some(12)]);

    // A power failure can leave zeros.
    let stage = Stage::set(vec![Answer::Rest]).await;
    stage.leave(&[0; 12]);
    assert_eq!(stage.fetch(PATIENT).await, Ok(()));
    assert_eq!(stage.server.asked(), [Some(12), None]);

    let stage = Stage::set(vec![Answer::Rest, Answer::Other(&[0; CONTENT.len()])]).await;
    stage.leave(&[0; 12]);
    let refused = stage.fetch(PATIENT).await.unwrap_err();
    assert!(refused.contains("not the file"), "{refused}");
    assert_eq!(stage.server.asked(), [Some(12), None]);

    // As large as the file, so that nothing is left to ask for.
    let stage = Stage::set(vec![Answer::Rest]).await;
    stage.leave(&[0; CONTENT.len()]);
    assert_eq!(stage.fetch(PATIENT).await, Ok(()));
    assert_eq!(stage.server.asked(), [None]);
}

#[tokio::test]
async fn what_brings_nothing_new_is_given_up() {
    for answer in [
        Answer::Stall(0),
        Answer::Cut(0),
        Answer::Status(502),
        // Never more than this, and never from where it broke.
        Answer::FromTheStart(10),
        // Too short.
        Answer::Other(b"0123"),
    ] {
        let stage = Stage::set(vec![answer]).await;
        let refused = stage.fetch(IMPATIENT).await.unwrap_err();
        assert!(refused.contains("nothing more came"), "{refused}");
        assert!(!stage.server.asked().is_empty());
    }
}

#[tokio::test]
async fn fetching_that_is_aborted_lets_go_of_everything() {
    let mut stage = Stage::set(vec![Answer::Stall(10), Answer::Rest]).await;
    tokio::select! {
        ended = stage.fetch(PATIENT) => panic!("it stalls, but: {ended:?}"),
        () = stage.server.is_asked() => {}
    }
    stage.server.is_left().await;
    // What had come is continued by whoever is next.
    assert_eq!(stage.fetch(PATIENT).await, Ok(()));
    assert_eq!(stage.server.asked().len(), 2);
}
