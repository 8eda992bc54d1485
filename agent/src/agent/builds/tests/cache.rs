use std::fs;
use std::io::Write;
use std::path::PathBuf;

use tempfile::TempDir;

use super::hash_of;
use crate::agent::builds::cache::{BuildCache, CacheError};

/// A cache for so many bytes.
fn cache(directory: &TempDir, max_bytes: u64) -> BuildCache {
    let cache = BuildCache::new(directory.path().join("cache"), max_bytes, None);
    cache.prepare().unwrap();
    cache
}

/// Puts a program into the cache, as if fetched.
fn put(cache: &BuildCache, content: &[u8]) -> Result<(), CacheError> {
    let hash = hash_of(content);
    let mut part = cache
        .begin(&hash, content.len() as u64)
        .unwrap()
        .expect("it is free");
    cache.make_room(&hash, content.len() as u64)?;
    part.file.write_all(content).unwrap();
    assert!(BuildCache::is_right(part.path(), &hash).unwrap());
    cache.complete(part, &hash).unwrap();
    Ok(())
}

fn is_there(cache: &BuildCache, content: &[u8]) -> bool {
    let size = content.len() as u64;
    cache.get(&hash_of(content), size).unwrap().is_some()
}

#[test]
fn a_program_is_there_when_it_is_whole_and_nobody_can_change_it() {
    use std::os::unix::fs::PermissionsExt;
    let directory = TempDir::new().unwrap();
    let cache = cache(&directory, 100);
    assert!(!is_there(&cache, b"program"));
    put(&cache, b"program").unwrap();
    let program = cache.get(&hash_of(b"program"), 7).unwrap().unwrap();
    assert_eq!(fs::read(&program.path).unwrap(), b"program");
    let mode = fs::metadata(&program.path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o500);
    // A file of another size is not it, whatever its name is.
    assert!(cache.get(&hash_of(b"program"), 8).unwrap().is_none());
}

#[test]
fn fetching_continues_after_the_end_of_a_process_and_only_one_fetches() {
    let directory = TempDir::new().unwrap();
    let cache = cache(&directory, 100);
    let hash = hash_of(b"program");
    let mut part = cache.begin(&hash, 7).unwrap().expect("it is free");
    assert!(
        cache.begin(&hash, 7).unwrap().is_none(),
        "it is being fetched"
    );
    part.file.write_all(b"pro").unwrap();
    assert_eq!(cache.received(&hash), 3);
    // A process that is killed leaves what has come, and no lock.
    drop(part);
    let mut part = cache.begin(&hash, 7).unwrap().expect("it is free again");
    assert_eq!(part.received, 3);
    part.file.write_all(b"blem").unwrap();
    assert!(!BuildCache::is_right(part.path(), &hash).unwrap());
    part.empty().unwrap();
    part.file.write_all(b"program").unwrap();
    assert!(BuildCache::is_right(part.path(), &hash).unwrap());
    assert!(!is_there(&cache, b"program"), "only when it is complete");
    cache.complete(part, &hash).unwrap();
    assert!(is_there(&cache, b"program"));
    // Whoever looked before it was complete does not fetch it again.
    assert!(cache.begin(&hash, 7).unwrap().is_none());
    assert_eq!(cache.received(&hash), 0);
}

#[test]
fn what_was_not_used_for_longest_makes_room_unless_it_is_in_use() {
    let directory = TempDir::new().unwrap();
    let cache = cache(&directory, 10);
    for (age, content) in [(30, b"aaa"), (20, b"bbb"), (10, b"ccc")] {
        put(&cache, content).unwrap();
        let path: PathBuf = cache.get(&hash_of(content), 3).unwrap().unwrap().path;
        let used_at = std::time::SystemTime::now() - std::time::Duration::from_secs(age);
        fs::File::open(path).unwrap().set_modified(used_at).unwrap();
    }
    // Another file in the directory is not ours to delete.
    let other = directory.path().join("cache").join("README");
    fs::write(&other, "not a program").unwrap();
    let in_use = cache.get(&hash_of(b"bbb"), 3).unwrap().unwrap();
    put(&cache, b"ddddddd").unwrap();
    let there = |content: &[u8]| is_there(&cache, content);
    assert!(!there(b"aaa") && there(b"bbb") && !there(b"ccc") && there(b"ddddddd"));
    assert!(other.exists());
    let refused = put(&cache, b"eeeeeeee").unwrap_err().to_string();
    assert!(refused.contains("--cache-size"), "{refused}");
    drop(in_use);
    put(&cache, b"eeeeeeee").unwrap();
    assert!(there(b"eeeeeeee") && !there(b"bbb"));
}

#[test]
fn what_is_too_large_in_any_case_deletes_nothing() {
    let directory = TempDir::new().unwrap();
    let cache = cache(&directory, 10);
    for content in [b"aaa", b"bbb"] {
        put(&cache, content).unwrap();
    }
    let in_use = cache.get(&hash_of(b"bbb"), 3).unwrap().unwrap();
    for too_large in [&b"eeeeeeee"[..], b"eeeeeeeeeee"] {
        let refused = put(&cache, too_large).unwrap_err();
        assert!(matches!(refused, CacheError::TooSmall { .. }), "{refused}");
        let hash = hash_of(too_large);
        let refused = cache.make_room(&hash, u64::MAX).unwrap_err();
        assert!(matches!(refused, CacheError::TooSmall { .. }), "{refused}");
    }
    drop(in_use);
    assert!(is_there(&cache, b"aaa") && is_there(&cache, b"bbb"));
}

/// Programs are started from it.
#[test]
fn a_directory_that_others_can_write_is_not_used() {
    use std::os::unix::fs::{PermissionsExt, chown};
    let directory = TempDir::new().unwrap();
    let cache = cache(&directory, 10);
    let dir = cache.dir();
    let refused = |mode: u32| {
        fs::set_permissions(dir, fs::Permissions::from_mode(mode)).unwrap();
        let prepared = cache.prepare();
        matches!(prepared, Err(CacheError::OfOthers(_)))
    };
    assert!(!refused(0o700) && !refused(0o711) && !refused(0o755));
    assert!(refused(0o770) && refused(0o707) && refused(0o1777));
    if rustix::process::geteuid().is_root() {
        chown(dir, Some(65_534), None).unwrap();
        assert!(refused(0o700), "another user's");
    }
}
