//! The files of builds and of their data. Everything here blocks.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use greylag_infra::{BuildManifest, DataFile, FileHash, WallTime, micros};

use super::{BuildError, StoredBuild};

/// How long is kept what does not go on: an upload, or a data file that nothing refers to.
pub(super) const ABANDONED_AFTER: Duration = Duration::from_secs(24 * 3_600);
const MANIFEST: &str = "json";
const PART: &str = "part";
/// Beside a data file: its size, as it was announced.
const DATA: &str = "data";

/// A directory of builds.
#[derive(Debug)]
pub(super) struct Files {
    dir: PathBuf,
}

impl Files {
    pub(super) fn in_dir(dir: PathBuf) -> Self {
        Self { dir }
    }

    fn path(&self, hash: &FileHash, extension: &str) -> PathBuf {
        self.dir.join(hash.as_str()).with_extension(extension)
    }

    /// The size of a whole build, if it is here.
    pub(super) fn whole(&self, hash: &FileHash) -> io::Result<Option<u64>> {
        let found = found(fs::metadata(self.path(hash, "")))?;
        Ok(found.map(|metadata| metadata.len()))
    }

    /// How many bytes of an upload are here.
    pub(super) fn received(&self, hash: &FileHash) -> io::Result<u64> {
        let found = found(fs::metadata(self.path(hash, PART)))?;
        Ok(found.map_or(0, |metadata| metadata.len()))
    }

    /// What was announced of a build; none also where it cannot be read.
    pub(super) fn manifest(&self, hash: &FileHash) -> io::Result<Option<BuildManifest>> {
        let text = found(fs::read(self.path(hash, MANIFEST)))?;
        Ok(text.and_then(|text| serde_json::from_slice(&text).ok()))
    }

    /// Of which size a file is to be that was announced.
    pub(super) fn announced_size(&self, hash: &FileHash) -> io::Result<Option<u64>> {
        if let Some(manifest) = self.manifest(hash)? {
            return Ok(Some(manifest.size));
        }
        let text = found(fs::read(self.path(hash, DATA)))?;
        Ok(text.and_then(|text| serde_json::from_slice(&text).ok()))
    }

    pub(super) fn stored(&self, hash: &FileHash) -> io::Result<Option<StoredBuild>> {
        let Some(metadata) = found(fs::metadata(self.path(hash, "")))? else {
            return Ok(None);
        };
        let since_1970 = metadata.modified()?.duration_since(UNIX_EPOCH);
        let uploaded_at = WallTime::from_micros(micros(since_1970.unwrap_or_default()));
        Ok(self.manifest(hash)?.map(|manifest| StoredBuild {
            manifest,
            uploaded_at,
        }))
    }

    /// A whole build, with its size, to be read.
    pub(super) fn open(&self, hash: &FileHash) -> io::Result<Option<(File, u64)>> {
        let Some(file) = found(File::open(self.path(hash, "")))? else {
            return Ok(None);
        };
        let size = file.metadata()?.len();
        Ok(Some((file, size)))
    }

    /// All whole builds, the newest first.
    pub(super) fn list(&self) -> io::Result<Vec<StoredBuild>> {
        let mut builds = Vec::new();
        for hash in self.named("")? {
            builds.extend(self.stored(&hash)?);
        }
        builds.sort_by_key(|build| std::cmp::Reverse(build.uploaded_at));
        Ok(builds)
    }

    /// All programs that were announced, and what was.
    pub(super) fn manifests(&self) -> io::Result<Vec<BuildManifest>> {
        let mut manifests = Vec::new();
        for hash in self.named(MANIFEST)? {
            manifests.extend(self.manifest(&hash)?);
        }
        Ok(manifests)
    }

    /// All data files that were announced: how much there is of each, and when the latest of it came.
    pub(super) fn data(&self) -> io::Result<Vec<(FileHash, u64, SystemTime)>> {
        let mut data = Vec::new();
        for hash in self.named(DATA)? {
            let parts = ["", PART, DATA].map(|extension| self.path(&hash, extension));
            let parts = parts.map(|path| found(fs::metadata(path)));
            let [whole, part, announced] = parts;
            let (whole, part, announced) = (whole?, part?, announced?);
            let bytes = whole.as_ref().or(part.as_ref());
            let bytes = bytes.map_or(0, |metadata| metadata.len());
            let times = [&whole, &part, &announced].into_iter().flatten();
            let latest = times.filter_map(|metadata| metadata.modified().ok()).max();
            data.push((hash, bytes, latest.unwrap_or(UNIX_EPOCH)));
        }
        Ok(data)
    }

    fn named(&self, extension: &str) -> io::Result<Vec<FileHash>> {
        let Some(entries) = found(fs::read_dir(&self.dir))? else {
            return Ok(Vec::new());
        };
        let mut hashes = Vec::new();
        for entry in entries {
            let path = PathBuf::from(entry?.file_name());
            let is_one = path.extension().unwrap_or_default() == extension;
            let stem = path.file_stem().and_then(|stem| stem.to_str());
            hashes.extend(stem.filter(|_| is_one).and_then(|stem| stem.parse().ok()));
        }
        Ok(hashes)
    }

    /// Keeps what is said of a build.
    pub(super) fn announce(&self, manifest: &BuildManifest) -> io::Result<()> {
        self.keep(&manifest.sha256, MANIFEST, &serde_json::to_vec(manifest)?)
    }

    /// Keeps which size a data file has.
    pub(super) fn announce_data(&self, file: &DataFile) -> io::Result<()> {
        self.keep(&file.sha256, DATA, &serde_json::to_vec(&file.size)?)
    }

    /// Keeps a text under a temporary name first.
    fn keep(&self, hash: &FileHash, extension: &str, text: &[u8]) -> io::Result<()> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.dir)?;
        let temporary = self.path(hash, &format!("{extension}.new"));
        let mut file = private(OpenOptions::new().create(true).truncate(true)).open(&temporary)?;
        file.write_all(text)?;
        file.sync_all()?;
        fs::rename(&temporary, self.path(hash, extension))?;
        self.sync_dir()
    }

    /// Adds to an upload, which has `offset` bytes.
    pub(super) fn append(&self, hash: &FileHash, offset: u64, piece: &[u8]) -> io::Result<()> {
        let path = self.path(hash, PART);
        let mut file = private(OpenOptions::new().create(true).truncate(false)).open(path)?;
        file.seek(SeekFrom::Start(offset))?;
        let written = file.write_all(piece);
        if written.is_err() {
            // A part of a piece would not be known for one.
            file.set_len(offset)?;
        }
        written
    }

    pub(super) fn forget_part(&self, hash: &FileHash) -> io::Result<()> {
        found(fs::remove_file(self.path(hash, PART))).map(drop)
    }

    /// Checks an upload that has its size and gives it its last name.
    pub(super) fn complete(&self, hash: &FileHash) -> Result<(), BuildError> {
        let path = self.path(hash, PART);
        let file = File::open(&path)?;
        let uploaded = FileHash::of(&file)?;
        if uploaded != *hash {
            self.forget_part(hash)?;
            return Err(BuildError::OtherHash {
                announced: hash.to_string(),
                uploaded: uploaded.to_string(),
            });
        }
        file.sync_all()?;
        fs::rename(path, self.path(hash, ""))?;
        Ok(self.sync_dir()?)
    }

    /// Deletes everything of a build or a data file. False if there was nothing.
    pub(super) fn delete(&self, hash: &FileHash) -> io::Result<bool> {
        let mut was_there = false;
        for extension in ["", PART, MANIFEST, DATA] {
            was_there |= found(fs::remove_file(self.path(hash, extension)))?.is_some();
        }
        Ok(was_there)
    }

    /// Deletes uploads that do not go on, and the oldest of all beyond `most`.
    pub(super) fn forget_abandoned(&self, most: usize) -> io::Result<()> {
        let mut waiting = Vec::new();
        for hash in self.named(MANIFEST)? {
            if self.whole(&hash)?.is_some() {
                continue;
            }
            let Some(said) = found(fs::metadata(self.path(&hash, MANIFEST)))? else {
                continue;
            };
            let said = said.modified()?;
            let came = found(fs::metadata(self.path(&hash, PART)))?;
            let came = came.and_then(|metadata| metadata.modified().ok());
            waiting.push((came.map_or(said, |came| came.max(said)), hash));
        }
        waiting.sort_unstable_by(|one, other| other.cmp(one));
        let now = SystemTime::now();
        for (position, (latest, hash)) in waiting.into_iter().enumerate() {
            let age = now.duration_since(latest).unwrap_or_default();
            if position >= most || age > ABANDONED_AFTER {
                self.delete(&hash)?;
            }
        }
        Ok(())
    }

    /// Bytes that are left on the disk.
    pub(super) fn free_bytes(&self) -> io::Result<u64> {
        let existing = self.dir.ancestors().find(|dir| dir.exists());
        let known = rustix::fs::statvfs(existing.unwrap_or(&self.dir))?;
        Ok(known.f_bavail.saturating_mul(known.f_frsize))
    }

    fn sync_dir(&self) -> io::Result<()> {
        File::open(&self.dir)?.sync_all()
    }
}

fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options.write(true).mode(0o600)
}

/// What is there; none if nothing is.
fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
