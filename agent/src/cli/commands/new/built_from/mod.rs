//! What this program was built from. The build script finds out and hands it on as a text.

#[cfg(test)]
mod find;

use std::path::PathBuf;

/// What the build script found.
const FOUND: &str = env!("GREYLAG_BUILT_FROM");

/// Where the source of a build comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum BuiltFrom {
    /// A published version.
    Version(String),
    /// A Git repository.
    Git {
        url: String,
        revision: Option<String>,
    },
    /// The package's directory.
    Path(PathBuf),
}

impl BuiltFrom {
    /// Of this program.
    pub(super) fn of_this_program() -> Self {
        Self::read(FOUND)
    }

    fn read(found: &str) -> Self {
        match found.split_once(' ').unwrap_or((found, "")) {
            ("version", version) => Self::Version(version.to_owned()),
            ("git", git) => match git.split_once(' ') {
                Some((url, revision)) => Self::Git {
                    url: url.to_owned(),
                    revision: Some(revision.to_owned()),
                },
                None => Self::Git {
                    url: git.to_owned(),
                    revision: None,
                },
            },
            _ => Self::Path(PathBuf::from(env!("CARGO_MANIFEST_DIR"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::find::built_from;
    use super::*;

    fn write(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn found(package: &Path, variables: &[(&str, &str)]) -> BuiltFrom {
        let variable = |name: &str| {
            let found = variables.iter().find(|(one, _)| *one == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        BuiltFrom::read(&built_from(package, "1.2.3", variable))
    }

    #[test]
    fn a_checkout_is_a_path() {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        assert_eq!(found(package, &[]), BuiltFrom::Path(package.to_owned()));
        // As a build system sets what it does not know.
        let unset = [("GREYLAG_GIT_URL", ""), ("GREYLAG_GIT_REVISION", "")];
        assert_eq!(found(package, &unset), BuiltFrom::Path(package.to_owned()));
    }

    /// Cargo rewrites a manifest when it makes a package, and keeps the original beside it.
    #[test]
    fn a_package_of_a_registry_is_its_version() {
        let directory = tempfile::tempdir().unwrap();
        let package = directory.path().join("registry/src/index/greylag-1.2.3");
        write(&package.join("Cargo.toml.orig"), "");
        assert_eq!(found(&package, &[]), BuiltFrom::Version("1.2.3".to_owned()));
    }

    /// As `cargo install --git` leaves it, and a crate that depends on a repository.
    #[test]
    fn a_checkout_of_cargos_is_a_git_repository() {
        let directory = tempfile::tempdir().unwrap();
        let git = directory.path().join("home/git");
        let checkout = git.join("checkouts/greylag-729dee7b781903bb/4263c58");
        let database = git.join("db/greylag-729dee7b781903bb");
        let package = checkout.join("agent");
        let revision = "4263c588ed0fb7903e1883bf9885c1394ac8ce15";
        let git_of = |url: &str, revision: &str| BuiltFrom::Git {
            url: url.to_owned(),
            revision: Some(revision.to_owned()),
        };
        write(&package.join("Cargo.toml"), "");
        // Without its database it is a directory like any other.
        assert_eq!(
            found(&package, &[]),
            BuiltFrom::Path(PathBuf::from(env!("CARGO_MANIFEST_DIR")))
        );
        for (fetched, url) in [
            ("\t\thttps://git.test/greylag", "https://git.test/greylag"),
            (
                "\t\ttag 'v1' of ssh://git@git.test/greylag",
                "ssh://git@git.test/greylag",
            ),
            (
                "\tnot-for-merge\tbranch 'a of b' of https://ada:secret@git.test/x",
                "https://git.test/x",
            ),
        ] {
            write(
                &database.join("FETCH_HEAD"),
                &format!("{revision}{fetched}\n"),
            );
            assert_eq!(found(&package, &[]), git_of(url, "4263c58"));
        }
        write(&checkout.join(".git/HEAD"), "ref: refs/heads/master\n");
        write(
            &checkout.join(".git/refs/heads/master"),
            &format!("{revision}\n"),
        );
        assert_eq!(found(&package, &[]), git_of("https://git.test/x", revision));
        write(&checkout.join(".git/HEAD"), &format!("{revision}\n"));
        assert_eq!(found(&package, &[]), git_of("https://git.test/x", revision));
    }

    /// A release is built from a checkout, which whoever downloads it does not have.
    #[test]
    fn whoever_builds_a_release_says_where_it_is_from() {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        let url = ("GREYLAG_GIT_URL", "https://git.test/greylag");
        let git = |revision: Option<&str>| BuiltFrom::Git {
            url: "https://git.test/greylag".to_owned(),
            revision: revision.map(str::to_owned),
        };
        assert_eq!(found(package, &[url]), git(None));
        let revision = ("GREYLAG_GIT_REVISION", "0a1b2c");
        assert_eq!(found(package, &[url, revision]), git(Some("0a1b2c")));
    }
}
