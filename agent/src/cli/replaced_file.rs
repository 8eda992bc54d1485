//! A file that is written, or replaced, as a whole: a reader sees the old one or the new one, never half of one.
//!
//! Where it cannot be replaced but be written, as a device, a pipe, a file that is mounted, or one in a directory that belongs to
//! others, it is written once all of the new one is there.

use std::fs::{self, File, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::process::geteuid;
use tempfile::NamedTempFile;

/// Most links that lead from one to the next, as of Linux.
const MAX_LINKS: usize = 40;
/// Bits of a mode that say who may do what.
const PERMISSIONS: u32 = 0o7777;
/// The bit of a directory in which a file is only replaced by its owner or that of the directory.
const STICKY: u32 = 0o1000;

/// Where a file is written to.
#[derive(Debug)]
pub(super) struct ReplacedFile(PathBuf);

impl ReplacedFile {
    /// At this path, or where that leads to if it is a link: that is written, not the link.
    pub(super) fn at(path: PathBuf) -> Self {
        Self(followed(path))
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Whether both are one file, of which only what is written last would stay.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.in_full() == other.in_full() && !self.is_special()
    }

    /// However its directory is named.
    fn in_full(&self) -> Option<PathBuf> {
        let directory = self.directory().canonicalize().ok()?;
        Some(directory.join(self.0.file_name()?))
    }

    /// Whether it is a device, a pipe, or a file that only a link of /proc leads to: that is written, not replaced.
    fn is_special(&self) -> bool {
        let metadata = self.metadata().filter(|metadata| !metadata.is_dir());
        metadata.is_some_and(|metadata| !metadata.is_file() || self.0.is_symlink())
    }

    /// Whether it will be possible to write it, as far as that can be known before.
    ///
    /// # Errors
    /// It will not.
    pub(super) fn check(&self) -> io::Result<()> {
        self.begin()?;
        if self
            .metadata()
            .is_some_and(|metadata| metadata.file_type().is_socket())
        {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "it is a socket, which cannot be opened",
            ));
        }
        let Some(metadata) = self.metadata().filter(Metadata::is_file) else {
            return Ok(());
        };
        match self.opened() {
            Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => Err(error),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                let directory = fs::metadata(self.directory())?;
                let own = geteuid().as_raw();
                match may_replace(own, &Owned::of(&metadata), &Owned::of(&directory)) {
                    true => Ok(()),
                    false => Err(error),
                }
            }
            _ => Ok(()),
        }
    }

    /// A file that is to be filled first, beside it where that is possible, with the permissions of the one it will replace.
    ///
    /// # Errors
    /// There is nowhere to write.
    pub(super) fn begin(&self) -> io::Result<NamedTempFile> {
        let Some(metadata) = self.metadata() else {
            // Readable by whoever may read files made here.
            return temporary(0o666, self.directory());
        };
        if metadata.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let elsewhere = || temporary(0o600, &std::env::temp_dir());
        if self.is_special() {
            return elsewhere();
        }
        let mode = metadata.permissions().mode() & PERMISSIONS;
        temporary(mode, self.directory()).or_else(|error| match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
                if self.opened().is_ok() =>
            {
                elsewhere()
            }
            _ => Err(error),
        })
    }

    /// Puts what was filled in its place.
    ///
    /// # Errors
    /// It can be neither replaced nor written.
    pub(super) fn finish(&self, filled: NamedTempFile) -> io::Result<()> {
        if self.is_special() {
            return self.copy(&filled);
        }
        if let Some(metadata) = self.metadata() {
            // Also those bits that the umask took.
            let file = filled.as_file();
            permit(file, &metadata, |wanted| file.set_permissions(wanted))?;
        }
        match filled.persist(&self.0) {
            Ok(_) => Ok(()),
            Err(failed) if may_be_written(&failed.error) && self.opened().is_ok() => {
                self.copy(&failed.file)
            }
            Err(failed) => Err(failed.error),
        }
    }

    /// Writes what was filled into the file that is there.
    fn copy(&self, filled: &NamedTempFile) -> io::Result<()> {
        let mut filled = File::open(filled.path())?;
        let mut file = self.opened()?;
        if file.metadata()?.is_file() {
            file.set_len(0)?;
        }
        io::copy(&mut filled, &mut file).map(drop)
    }

    fn opened(&self) -> io::Result<File> {
        File::options().write(true).open(&self.0)
    }

    fn metadata(&self) -> Option<Metadata> {
        fs::metadata(&self.0).ok()
    }

    fn directory(&self) -> &Path {
        match self.0.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        }
    }
}

fn temporary(mode: u32, directory: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new()
        .prefix(".greylag-")
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(directory)
}

/// Gives a file the permissions of the one it will replace. Where that is refused, as on vfat, it may have fewer, but not more.
fn permit(
    file: &File,
    replaced: &Metadata,
    set: impl FnOnce(Permissions) -> io::Result<()>,
) -> io::Result<()> {
    let wanted = replaced.permissions();
    set(wanted.clone()).or_else(|error| {
        let more = file.metadata()?.mode() & PERMISSIONS & !wanted.mode();
        if more == 0 { Ok(()) } else { Err(error) }
    })
}

/// Where a path leads to, whether or not there is a file.
fn followed(mut path: PathBuf) -> PathBuf {
    if let Ok(found) = path.canonicalize() {
        return found;
    }
    // `/dev/stdout` and `>(…)` lead to pipes, which have no path but that of the link.
    if fs::metadata(&path).is_ok() {
        return path;
    }
    for _ in 0..MAX_LINKS {
        let Ok(target) = fs::read_link(&path) else {
            break;
        };
        path = match path.parent() {
            Some(parent) => parent.join(target),
            None => target,
        };
    }
    path
}

/// Whether a file that cannot be replaced for this reason may still be written: it is mounted by itself (EBUSY), in another file
/// system than what was filled (EXDEV), or in a directory of others (EPERM, EACCES, EROFS).
fn may_be_written(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::ResourceBusy
            | Kind::CrossesDevices
            | Kind::PermissionDenied
            | Kind::ReadOnlyFilesystem
    )
}

/// Whose a file is, and its mode.
struct Owned {
    owner: u32,
    mode: u32,
}

impl Owned {
    fn of(metadata: &Metadata) -> Self {
        Self {
            owner: metadata.uid(),
            mode: metadata.mode(),
        }
    }
}

/// Whether this user may replace a file in a directory that it may write to.
fn may_replace(user: u32, file: &Owned, directory: &Owned) -> bool {
    let is_sticky = directory.mode & STICKY != 0;
    !is_sticky || [0, file.owner, directory.owner].contains(&user)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek, Write};
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::symlink;

    use super::*;

    fn write(path: &Path) -> io::Result<()> {
        let file = ReplacedFile::at(path.to_owned());
        file.check()?;
        let mut filled = file.begin()?;
        filled.write_all(b"new")?;
        file.finish(filled)
    }

    fn read(path: &Path) -> String {
        fs::read_to_string(path).unwrap()
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & PERMISSIONS
    }

    #[test]
    fn a_link_leads_to_what_is_written_even_if_that_does_not_exist() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::write(at("there"), "old").unwrap();
        fs::create_dir(at("in")).unwrap();
        symlink("in/next", at("nowhere")).unwrap();
        symlink("meant", at("in/next")).unwrap();
        symlink(at("there"), at("somewhere")).unwrap();
        for (link, meant) in [("somewhere", "there"), ("nowhere", "in/meant")] {
            write(&at(link)).unwrap();
            assert!(fs::symlink_metadata(at(link)).unwrap().is_symlink());
            assert_eq!(read(&at(meant)), "new");
        }
    }

    #[test]
    fn what_only_a_descriptor_leads_to_is_written() {
        let of = |descriptor: &dyn AsRawFd| {
            PathBuf::from(format!("/proc/self/fd/{}", descriptor.as_raw_fd()))
        };
        let directory = tempfile::tempdir().unwrap();
        let (mut reader, writer) = io::pipe().unwrap();
        let link = directory.path().join("stdout");
        symlink(of(&writer), &link).unwrap();
        write(&link).unwrap();
        write(&of(&writer)).unwrap();
        drop(writer);
        let mut written = String::new();
        reader.read_to_string(&mut written).unwrap();
        assert_eq!(written, "newnew");
        assert!(link.is_symlink());

        let (socket, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        ReplacedFile::at(of(&socket)).check().unwrap_err();

        let mut removed = tempfile::tempfile_in(directory.path()).unwrap();
        removed.write_all(b"much that was there before").unwrap();
        fs::remove_file(&link).unwrap();
        symlink(of(&removed), &link).unwrap();
        write(&link).unwrap();
        assert!(link.is_symlink());
        let mut written = String::new();
        removed.rewind().unwrap();
        removed.read_to_string(&mut written).unwrap();
        assert_eq!(written, "new");
    }

    #[test]
    fn permissions_that_cannot_be_changed_may_be_fewer_but_not_more() {
        let directory = tempfile::tempdir().unwrap();
        for (has, wanted, is_good) in [
            (0o644, 0o666, true),
            (0o644, 0o644, true),
            (0o644, 0o600, false),
            (0o640, 0o604, false),
        ] {
            let filled = temporary(has, directory.path()).unwrap();
            let replaced = temporary(wanted, directory.path()).unwrap();
            let of = |file: &NamedTempFile, mode| {
                let permissions = Permissions::from_mode(mode);
                file.as_file().set_permissions(permissions).unwrap();
            };
            of(&filled, has);
            of(&replaced, wanted);
            let replaced = replaced.as_file().metadata().unwrap();
            let refused = |_| Err(rustix::io::Errno::PERM.into());
            let permitted = permit(filled.as_file(), &replaced, refused);
            assert_eq!(permitted.is_ok(), is_good, "{has:o} for {wanted:o}");
        }
    }

    #[test]
    fn what_is_replaced_keeps_its_permissions() {
        let directory = tempfile::tempdir().unwrap();
        for wanted in [0o600, 0o640, 0o666] {
            let path = directory.path().join(wanted.to_string());
            fs::write(&path, "old").unwrap();
            fs::set_permissions(&path, Permissions::from_mode(wanted)).unwrap();
            let file = ReplacedFile::at(path.clone());
            let filled = file.begin().unwrap();
            let others = mode(filled.path()) & !wanted;
            assert_eq!(others, 0, "nor do others read it meanwhile");
            file.finish(filled).unwrap();
            assert_eq!(mode(&path), wanted);
        }
    }

    #[test]
    fn what_cannot_be_replaced_is_written_if_it_may_be() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("mounted");
        fs::write(&path, "much that was there before").unwrap();
        let file = ReplacedFile::at(path.clone());
        let mut filled = file.begin().unwrap();
        filled.write_all(b"new").unwrap();
        file.copy(&filled).unwrap();
        assert_eq!(read(&path), "new");
        for (code, may_be) in [
            (rustix::io::Errno::BUSY, true),
            (rustix::io::Errno::PERM, true),
            (rustix::io::Errno::ACCESS, true),
            (rustix::io::Errno::XDEV, true),
            (rustix::io::Errno::ROFS, true),
            (rustix::io::Errno::NOSPC, false),
        ] {
            assert_eq!(may_be_written(&code.into()), may_be, "{code}");
        }
        // Across file systems, where this machine has two.
        if let Ok(shared) = tempfile::tempdir_in("/dev/shm") {
            let elsewhere = temporary(0o600, shared.path()).unwrap();
            file.finish(elsewhere).unwrap();
            assert_eq!(read(&path), "");
        }
    }

    #[test]
    fn a_file_of_others_in_a_directory_for_all_is_not_replaced() {
        let owned = |owner, mode| Owned { owner, mode };
        let (ours, others) = (owned(7, 0o644), owned(8, 0o644));
        let (open, sticky) = (owned(0, 0o40777), owned(0, 0o41777));
        assert!(may_replace(7, &ours, &sticky) && may_replace(7, &others, &open));
        assert!(may_replace(0, &others, &sticky));
        assert!(may_replace(7, &others, &owned(7, 0o41777)));
        assert!(!may_replace(7, &others, &sticky));
    }
}
