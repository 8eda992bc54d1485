use std::fs;

use proptest::prelude::*;

use super::*;

fn hash_of(content: &[u8]) -> FileHash {
    FileHash::of(content).unwrap()
}

fn manifest(content: &[u8]) -> BuildManifest {
    BuildManifest {
        sha256: hash_of(content),
        size: content.len() as u64,
        version: "1".into(),
        platform: "x86_64-linux-gnu".into(),
        worker_protocol: 1,
        uploaded_by: "ada@laptop".into(),
        commit: None,
        scenarios: vec![],
        data: vec![],
    }
}

async fn announce(store: &BuildStore, content: &[u8]) -> Result<Stored, BuildError> {
    let announced = store.announce(manifest(content), OfRuns::new()).await?;
    Ok(announced.program)
}

/// Builds of runs without data files.
fn of_runs(builds: &[&[u8]]) -> OfRuns {
    let builds = builds.iter();
    builds
        .map(|content| (hash_of(content), HashSet::new()))
        .collect()
}

fn data_file(path: &str, content: &[u8]) -> DataFile {
    DataFile {
        path: path.parse().unwrap(),
        sha256: hash_of(content),
        size: content.len() as u64,
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    /// However an upload is cut into pieces, and wherever the coordinator is killed between and within them: the whole is
    /// there exactly when the last piece has come, and it is what was announced.
    #[test]
    fn an_upload_continues_where_it_broke_off(
        content in prop::collection::vec(any::<u8>(), 1..2_000),
        pieces in prop::collection::vec((1usize..700, any::<bool>()), 1..40),
    ) {
        runtime().block_on(async {
            let directory = tempfile::tempdir().unwrap();
            let hash = hash_of(&content);
            let mut store = BuildStore::of(directory.path());
            let mut stored = announce(&store, &content).await.unwrap();
            for (length, is_killed) in pieces.into_iter().cycle().take(4_000) {
                let Stored::Part(at) = stored else { break };
                let at = usize::try_from(at).unwrap();
                let end = (at + length).min(content.len());
                assert!(store.get(&hash).await.is_err(), "not there before it is whole");
                if is_killed {
                    // Killed after a part of the piece was written and before it was answered.
                    let part = directory.path().join("builds").join(format!("{hash}.part"));
                    fs::write(&part, &content[..at + (end - at) / 2]).unwrap();
                    store = BuildStore::of(directory.path());
                    stored = announce(&store, &content).await.unwrap();
                    let again = usize::try_from(match stored {
                        Stored::Part(received) => received,
                        Stored::Whole => panic!("the rest has not come"),
                    }).unwrap();
                    assert_eq!(again, at + (end - at) / 2);
                    let end = (again + length).min(content.len());
                    stored = store.add_piece(&hash, again as u64, content[again..end].to_vec()).await.unwrap();
                } else {
                    stored = store.add_piece(&hash, at as u64, content[at..end].to_vec()).await.unwrap();
                }
            }
            assert_eq!(stored, Stored::Whole);
            assert_eq!(store.get(&hash).await.unwrap().manifest, manifest(&content));
            assert_eq!(fs::read(directory.path().join("builds").join(hash.as_str())).unwrap(), content);
            assert_eq!(announce(&store, &content).await.unwrap(), Stored::Whole);
        });
    }
}

#[tokio::test]
async fn what_is_not_as_announced_is_refused_and_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    let store = BuildStore::of(directory.path());
    let hash = hash_of(b"right");
    let piece = |offset, bytes: &[u8]| store.add_piece(&hash, offset, bytes.to_vec());
    assert!(matches!(piece(0, b"r").await, Err(BuildError::Unknown(_))));
    assert_eq!(announce(&store, b"right").await.unwrap(), Stored::Part(0));
    let error = piece(0, b"wrong").await.unwrap_err().to_string();
    assert!(error.contains(hash.as_str()), "{error}");
    assert_eq!(announce(&store, b"right").await.unwrap(), Stored::Part(0));
    let error = piece(0, b"right and more").await.unwrap_err();
    assert!(matches!(error, BuildError::OtherSize { announced: 5 }));
    assert_eq!(piece(0, b"ri").await.unwrap(), Stored::Part(2));
    let error = piece(3, b"ht").await.unwrap_err();
    assert!(matches!(error, BuildError::OtherOffset { received: 2 }));
    assert_eq!(piece(2, b"ght").await.unwrap(), Stored::Whole);
    assert_eq!(piece(0, b"whatever").await.unwrap(), Stored::Whole);

    assert_eq!(store.list().await.unwrap().len(), 1);
    store.delete(&hash, OfRuns::new()).await.unwrap();
    assert!(matches!(
        store.get(&hash).await,
        Err(BuildError::Unknown(_))
    ));
    assert!(store.delete(&hash, OfRuns::new()).await.is_err());
    assert_eq!(
        fs::read_dir(directory.path().join("builds"))
            .unwrap()
            .count(),
        0
    );
    let huge = BuildManifest {
        size: MAX_BUILD_BYTES + 1,
        ..manifest(b"huge")
    };
    let error = store.announce(huge, OfRuns::new()).await.unwrap_err();
    assert!(matches!(error, BuildError::TooLarge { .. }));
}

#[tokio::test]
async fn builds_that_no_run_needs_make_room_the_oldest_first() {
    let directory = tempfile::tempdir().unwrap();
    let store = BuildStore::of(directory.path());
    for (age, content) in [(3, b"a"), (2, b"b"), (1, b"c")] {
        announce(&store, content).await.unwrap();
        let hash = hash_of(content);
        store.add_piece(&hash, 0, content.to_vec()).await.unwrap();
        let file = File::open(directory.path().join("builds").join(hash.as_str())).unwrap();
        let time = std::time::SystemTime::now() - std::time::Duration::from_secs(age * 60);
        file.set_modified(time).unwrap();
    }
    // As if each were a third of what there may be.
    for content in [b"a", b"b", b"c"] {
        let large = BuildManifest {
            size: MAX_STORED_BYTES / 3,
            ..manifest(content)
        };
        store.inner.files.announce(&large).unwrap();
    }
    let needed = of_runs(&[b"a"]);
    make_room(&store.inner.files, &manifest(b"d"), &needed).unwrap();
    make_room(
        &store.inner.files,
        &BuildManifest {
            size: 100,
            ..manifest(b"d")
        },
        &needed,
    )
    .unwrap();
    let left = store.list().await.unwrap();
    let left: Vec<_> = left.iter().map(|build| &build.manifest.sha256).collect();
    assert_eq!(left, [&hash_of(b"c"), &hash_of(b"a")]);
    let all = of_runs(&[b"a", b"c"]);
    let large = BuildManifest {
        size: MAX_STORED_BYTES / 2,
        ..manifest(b"d")
    };
    let refused = make_room(&store.inner.files, &large, &all);
    assert!(matches!(refused, Err(BuildError::NoRoom)));
}

/// Uploads a build with a data file, which is missing exactly if it says so.
async fn upload(store: &BuildStore, program: &[u8], data: &[u8], is_missing: bool) {
    let announced = BuildManifest {
        data: vec![data_file("a.csv", data)],
        ..manifest(program)
    };
    let announced = store.announce(announced, OfRuns::new()).await.unwrap();
    if let Stored::Part(at) = announced.program {
        let rest = program[usize::try_from(at).unwrap()..].to_vec();
        store.add_piece(&hash_of(program), at, rest).await.unwrap();
    }
    let missing = is_missing.then(|| (hash_of(data), 0));
    assert_eq!(
        announced.missing_data,
        missing.into_iter().collect::<Vec<_>>()
    );
    if is_missing {
        let stored = store.add_piece(&hash_of(data), 0, data.to_vec()).await;
        assert_eq!(stored.unwrap(), Stored::Whole);
    }
}

#[tokio::test]
async fn data_files_are_uploaded_once_and_deleted_with_the_last_build_that_has_them() {
    let directory = tempfile::tempdir().unwrap();
    let store = BuildStore::of(directory.path());
    upload(&store, b"one", b"rows", true).await;
    upload(&store, b"two", b"rows", false).await;
    upload(&store, b"one", b"edited", true).await;
    let is_here = async |content: &[u8]| {
        let checked = store.check_data(vec![data_file("b.csv", content)]).await;
        checked.is_ok()
    };
    assert!(is_here(b"rows").await && is_here(b"edited").await);
    let refused = store.check_data(vec![data_file("c.csv", b"other")]).await;
    let refused = refused.unwrap_err().to_string();
    assert!(
        refused.contains("`c.csv` is not on this coordinator"),
        "{refused}"
    );
    // They are not builds of their own.
    assert_eq!(store.list().await.unwrap().len(), 2);
    assert!(
        store
            .delete(&hash_of(b"rows"), OfRuns::new())
            .await
            .is_err()
    );

    // Runs of a build that is here keep theirs, even if it has others now.
    let rows = HashSet::from([hash_of(b"rows")]);
    let of_runs = OfRuns::from([(hash_of(b"one"), rows)]);
    store
        .delete(&hash_of(b"two"), of_runs.clone())
        .await
        .unwrap();
    assert!(is_here(b"rows").await && is_here(b"edited").await);
    store.delete(&hash_of(b"one"), of_runs).await.unwrap();
    assert!(!is_here(b"rows").await && !is_here(b"edited").await);
    let left = fs::read_dir(directory.path().join("builds")).unwrap();
    assert_eq!(left.count(), 0);
}

#[tokio::test]
async fn data_files_that_nothing_needs_are_deleted_after_a_while() {
    let directory = tempfile::tempdir().unwrap();
    let store = BuildStore::of(directory.path());
    upload(&store, b"one", b"old", true).await;
    upload(&store, b"one", b"new", true).await;
    let files = &store.inner.files;
    let kept = || {
        let data = files.data().unwrap().into_iter();
        data.map(|(hash, ..)| hash).collect::<HashSet<_>>()
    };
    data::forget_unreferred(files, &OfRuns::new(), &[]).unwrap();
    assert_eq!(kept(), HashSet::from([hash_of(b"old"), hash_of(b"new")]));
    let long_ago = std::time::SystemTime::now() - 2 * files::ABANDONED_AFTER;
    for entry in fs::read_dir(directory.path().join("builds")).unwrap() {
        let file = File::open(entry.unwrap().path()).unwrap();
        file.set_modified(long_ago).unwrap();
    }
    data::forget_unreferred(files, &OfRuns::new(), &[]).unwrap();
    assert_eq!(kept(), HashSet::from([hash_of(b"new")]));
}

/// Else its program would be started without a file that whoever announced it did not upload.
#[tokio::test]
async fn what_is_said_to_be_here_makes_no_room() {
    let directory = tempfile::tempdir().unwrap();
    let store = BuildStore::of(directory.path());
    upload(&store, b"one", b"old", true).await;
    upload(&store, b"one", b"new", true).await;
    announce(&store, b"two").await.unwrap();
    store
        .add_piece(&hash_of(b"two"), 0, b"t".to_vec())
        .await
        .unwrap();
    let long_ago = std::time::SystemTime::now() - 2 * files::ABANDONED_AFTER;
    for entry in fs::read_dir(directory.path().join("builds")).unwrap() {
        let file = File::open(entry.unwrap().path()).unwrap();
        file.set_modified(long_ago).unwrap();
    }
    let two = BuildManifest {
        data: vec![data_file("rows.csv", b"old")],
        ..manifest(b"two")
    };
    let announced = store.announce(two, OfRuns::new()).await.unwrap();
    assert!(announced.missing_data.is_empty());
    store
        .check_data(vec![data_file("rows.csv", b"old")])
        .await
        .unwrap();
    // What was given up long ago is not said to be here either.
    assert_eq!(announced.program, Stored::Part(0));
    assert_eq!(store.inner.files.received(&hash_of(b"two")).unwrap(), 0);
}

#[tokio::test]
async fn data_files_that_cannot_be_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let store = BuildStore::of(directory.path());
    let announce = async |data: Vec<DataFile>| {
        let announced = BuildManifest {
            data,
            ..manifest(b"one")
        };
        let refused = store.announce(announced, OfRuns::new()).await;
        refused.unwrap_err().to_string()
    };
    let twice = vec![data_file("a", b"a"), data_file("./a", b"b")];
    assert!(announce(twice).await.contains("`a` is listed twice"));
    let huge = DataFile {
        size: u64::MAX,
        ..data_file("a", b"a")
    };
    assert!(announce(vec![huge]).await.contains("the maximum is"));
    assert!(!directory.path().join("builds").exists());
}
