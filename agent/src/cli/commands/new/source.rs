//! Where a new crate's dependency comes from.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use super::NewOptions;
use super::built_from::BuiltFrom;
use crate::cli::failure::Failure;

/// The package that a user's crate depends on.
const PACKAGE: &str = "greylag";
/// Where that package lies in the source tree.
const PACKAGE_DIRECTORY: &str = "agent";

/// Where the new crate's dependency comes from.
pub(super) struct Source {
    from: BuiltFrom,
    /// Whether the user named it.
    given: bool,
}

impl Source {
    /// What the user names, or else what this program was built from.
    pub(super) fn choose(options: &NewOptions, built_from: BuiltFrom) -> Result<Self, Failure> {
        if let Some(url) = &options.git {
            // Anything Cargo can fetch is right, which is more than URLs; what is empty is not.
            return if url.trim().is_empty() {
                Err(Failure::bad_input("--git needs the URL of a repository"))
            } else {
                Ok(Self {
                    from: BuiltFrom::Git {
                        url: url.clone(),
                        revision: None,
                    },
                    given: true,
                })
            };
        }
        if let Some(given) = &options.path {
            let package = package_in(given).ok_or_else(|| {
                Failure::bad_input(format!(
                    "{} does not contain the source of Greylag: --path takes the directory of its repository",
                    given.display()
                ))
            })?;
            return Self::path(&package, true);
        }
        let BuiltFrom::Path(directory) = &built_from else {
            return Ok(Self {
                from: built_from,
                given: false,
            });
        };
        // It may be gone, or this program was copied from another machine.
        match package_in(directory) {
            Some(package) => Self::path(&package, false),
            None => Err(Failure::bad_input(format!(
                "the source this greylag was built from ({}) is not on this machine; \
                 name it with --path DIR or --git URL",
                directory.display()
            ))),
        }
    }

    /// Manifests are UTF-8, and a path from elsewhere would mean another directory in them.
    fn path(package: &Path, given: bool) -> Result<Self, Failure> {
        let package = fs::canonicalize(package).unwrap_or_else(|_| package.to_owned());
        if package.to_str().is_none() {
            return Err(Failure::bad_input(format!(
                "the path {} is not UTF-8 and cannot be written to a Cargo.toml",
                package.display()
            )));
        }
        Ok(Self {
            from: BuiltFrom::Path(package),
            given,
        })
    }

    /// The dependency as Cargo.toml has it.
    pub(super) fn dependency(&self) -> String {
        let text = |value: &str| toml::Value::String(value.to_owned());
        let from = match &self.from {
            BuiltFrom::Version(version) => return format!("{PACKAGE} = {}", text(version)),
            BuiltFrom::Path(package) => format!("path = {}", text(&package.to_string_lossy())),
            BuiltFrom::Git { url, revision } => match revision {
                Some(revision) => format!("git = {}, rev = {}", text(url), text(revision)),
                None => format!("git = {}", text(url)),
            },
        };
        format!("{PACKAGE} = {{ {from} }}")
    }

    /// The versions that Greylag itself was built and tested with, where they are at hand.
    pub(super) fn lock_file(&self) -> Option<String> {
        match &self.from {
            BuiltFrom::Path(package) => {
                fs::read_to_string(package.parent()?.join("Cargo.lock")).ok()
            }
            BuiltFrom::Version(_) | BuiltFrom::Git { .. } => None,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.from {
            BuiltFrom::Version(version) => write!(f, "Greylag {version}")?,
            BuiltFrom::Path(package) => write!(f, "Greylag's source in {}", package.display())?,
            BuiltFrom::Git { url, revision } => {
                write!(f, "Greylag's source at {url}")?;
                if let Some(revision) = revision {
                    write!(f, " ({revision})")?;
                }
            }
        }
        if self.given {
            Ok(())
        } else {
            f.write_str(
                ", which this greylag was built from (use --path or --git for another source)",
            )
        }
    }
}

/// The directory of the package in this one: itself, or that of the repository.
fn package_in(directory: &Path) -> Option<PathBuf> {
    let candidates = [directory.to_owned(), directory.join(PACKAGE_DIRECTORY)];
    candidates.into_iter().find(|candidate| {
        let manifest = fs::read_to_string(candidate.join("Cargo.toml")).unwrap_or_default();
        let manifest: toml::Table = manifest.parse().unwrap_or_default();
        let name = manifest
            .get("package")
            .and_then(|package| package.get("name"));
        name.and_then(toml::Value::as_str) == Some(PACKAGE)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(built_from: BuiltFrom) -> Source {
        let options = NewOptions {
            directory: PathBuf::from("my-load"),
            path: None,
            git: None,
        };
        let Ok(source) = Source::choose(&options, built_from) else {
            panic!("it can be chosen");
        };
        source
    }

    #[test]
    fn the_dependency_is_what_the_program_was_built_from() {
        let release = chosen(BuiltFrom::Version("1.2.3".to_owned()));
        assert_eq!(release.dependency(), r#"greylag = "1.2.3""#);
        assert!(release.to_string().starts_with("Greylag 1.2.3, which"));

        let installed = chosen(BuiltFrom::Git {
            url: "https://git.test/greylag".to_owned(),
            revision: Some("0a1b2c".to_owned()),
        });
        assert_eq!(
            installed.dependency(),
            r#"greylag = { git = "https://git.test/greylag", rev = "0a1b2c" }"#
        );

        let here = fs::canonicalize(env!("CARGO_MANIFEST_DIR")).unwrap();
        let checkout = chosen(BuiltFrom::Path(here.clone()));
        assert_eq!(
            checkout.dependency(),
            format!("greylag = {{ path = \"{}\" }}", here.display())
        );
        assert!(release.lock_file().is_none() && installed.lock_file().is_none());
        assert!(checkout.lock_file().is_some());
    }
}
