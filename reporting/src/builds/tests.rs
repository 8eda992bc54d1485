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
    }
}

async fn announce(store: &BuildStore, content: &[u8]) -> Result<Stored, BuildError> {
    store.announce(manifest(content), HashSet::new()).await
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
    store.delete(&hash).await.unwrap();
    assert!(matches!(
        store.get(&hash).await,
        Err(BuildError::Unknown(_))
    ));
    assert!(store.delete(&hash).await.is_err());
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
    let error = store.announce(huge, HashSet::new()).await.unwrap_err();
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
    let needed = HashSet::from([hash_of(b"a")]);
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
    let all = HashSet::from([hash_of(b"a"), hash_of(b"c")]);
    let large = BuildManifest {
        size: MAX_STORED_BYTES / 2,
        ..manifest(b"d")
    };
    let refused = make_room(&store.inner.files, &large, &all);
    assert!(matches!(refused, Err(BuildError::NoRoom)));
}
