//! Finds out where a package that is being built comes from. The build script compiles this file.

use std::fs;
use std::path::Path;

/// The repository that a release is built from, and the revision: who builds it sets them. Without them it is found out
/// where the package lies.
pub(crate) const GIT_URL: &str = "GREYLAG_GIT_URL";
pub(crate) const GIT_REVISION: &str = "GREYLAG_GIT_REVISION";

/// `version VERSION`, `git URL`, `git URL REVISION` or `path`.
pub(crate) fn built_from(
    package: &Path,
    version: &str,
    variable: impl Fn(&str) -> Option<String>,
) -> String {
    // A build system sets what it does not know to nothing.
    let set = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
    if let Some(url) = set(GIT_URL) {
        return git(&url, set(GIT_REVISION).as_deref());
    }
    // Cargo rewrites a manifest when it makes a package, and keeps the original beside it.
    if package.join("Cargo.toml.orig").exists() {
        return format!("version {version}");
    }
    of_cargos_checkout(package).unwrap_or_else(|| "path".to_owned())
}

fn git(url: &str, revision: Option<&str>) -> String {
    let url = without_password(url.trim());
    match revision {
        Some(revision) => format!("git {url} {}", revision.trim()),
        None => format!("git {url}"),
    }
}

/// A package below `git/checkouts/NAME-HASH/REVISION` in Cargo's home, whose repository is `git/db/NAME-HASH`.
fn of_cargos_checkout(package: &Path) -> Option<String> {
    let checkout = package.ancestors().find(|directory| {
        let checkouts = directory.parent().and_then(Path::parent);
        checkouts.is_some_and(|checkouts| checkouts.ends_with("git/checkouts"))
    })?;
    let name = checkout.parent()?.file_name()?;
    let database = checkout.ancestors().nth(3)?.join("db").join(name);
    // Each line is a hash, a remark and `URL`, or `branch 'NAME' of URL`.
    let fetched = fs::read_to_string(database.join("FETCH_HEAD")).ok()?;
    let url = fetched.lines().next()?.split([' ', '\t']).next_back()?;
    let short = checkout.file_name()?.to_str()?;
    let revision = revision_of(checkout).unwrap_or_else(|| short.to_owned());
    Some(git(url, Some(&revision)))
}

/// What is checked out.
fn revision_of(checkout: &Path) -> Option<String> {
    let git = checkout.join(".git");
    let head = fs::read_to_string(git.join("HEAD")).ok()?;
    let revision = match head.trim().strip_prefix("ref: ") {
        Some(reference) => fs::read_to_string(git.join(reference)).ok()?,
        None => head,
    };
    Some(revision.trim().to_owned())
}

/// The URL becomes part of the program and of every crate that it makes.
fn without_password(url: &str) -> String {
    for scheme in ["https://", "http://"] {
        if let Some(rest) = url.strip_prefix(scheme) {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let host = authority
                .rsplit_once('@')
                .map_or(authority, |(_, host)| host);
            return format!("{scheme}{host}{path}");
        }
    }
    url.to_owned()
}
