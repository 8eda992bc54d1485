//! Which words are test files, which are user types, and which files are Locust's configuration.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::Arg;

use super::config_file::{self, ConfigFile, ConfigFileError};
use super::locust_options::{self, Support};
use super::variables::{has, set};
use super::{Origin, Rank, Setting, Settings, Surroundings};

/// Locust's files that are read without being named, the weakest first.
const UNNAMED: [&str; 2] = ["locust.conf", "pyproject.toml"];
/// The weakest of all, in the home directory.
const OF_HOME: &str = ".locust.conf";

/// A file that was named, and how.
struct Named {
    path: OsString,
    origin: Origin,
    is_config: bool,
}

/// Sorts words into the test file and user types, and adds what Locust's configuration files say about options
/// that were given in no stronger way. Files that were not named are read only where no test file is.
pub(super) fn add(
    arguments: &[Arg],
    user_types: &[&str],
    surroundings: &Surroundings,
    subcommand: &str,
    settings: &mut Settings,
) {
    let mut named = sort_words(user_types, surroundings, settings);
    for (id, is_config) in [("file", false), ("config", true)] {
        if let Some(Setting { origin, values }) = settings.by_id.remove(id) {
            named.extend(values.into_iter().map(|path| Named {
                path,
                origin: origin.clone(),
                is_config,
            }));
        }
    }
    let mut test_files: Vec<Named> = Vec::new();
    let mut configs = Vec::new();
    for file in named {
        match kind_of(&file, surroundings) {
            Ok(Kind::Test) => test_files.push(file),
            Ok(Kind::Config(config)) => configs.push(config),
            Ok(Kind::Locustfile) => refuse_locustfile(&file, settings),
            Err(error) => settings.problems.push(error.to_string()),
        }
    }
    let strongest = test_files.iter().map(|file| file.origin.rank).max();
    test_files.retain(|file| Some(file.origin.rank) == strongest);
    test_files.dedup_by(|a, b| a.path == b.path);
    if let [first, second, ..] = test_files.as_slice() {
        settings.problems.push(format!(
            "two test files are given, {} ({}) and {} ({}); a run takes one",
            Path::new(&first.path).display(),
            first.origin.name,
            Path::new(&second.path).display(),
            second.origin.name
        ));
    }
    for config in &configs {
        apply(config, arguments, subcommand, settings);
    }
    match test_files.pop() {
        Some(Named { path, origin, .. }) => {
            let values = vec![path];
            let setting = Setting { origin, values };
            settings.by_id.insert("file".to_owned(), setting);
        }
        None => read_unnamed(arguments, surroundings, subcommand, settings),
    }
}

/// A word is a file when it ends as one, or when there is one and no user type has that name; all others are user
/// types, as in Locust.
fn sort_words(known: &[&str], surroundings: &Surroundings, settings: &mut Settings) -> Vec<Named> {
    let Some(words) = settings.by_id.remove("words") else {
        return Vec::new();
    };
    let is_file = |word: &OsString| {
        let path = Path::new(word);
        let ends_as_one = path
            .extension()
            .is_some_and(|extension| extension == "toml" || extension == "py");
        let is_there = surroundings.directory.join(path).is_file();
        let is_user_type = word.to_str().is_some_and(|word| known.contains(&word));
        if is_there && is_user_type && !ends_as_one {
            let name = path.display();
            settings.notes.push(format!(
                "warning: {name} is a user type and a file in this directory; the user type is meant (write ./{name} for the file)"
            ));
        }
        ends_as_one || (is_there && !is_user_type)
    };
    let (files, user_types): (Vec<_>, Vec<_>) = words.values.into_iter().partition(is_file);
    if !user_types.is_empty() {
        let origin = words.origin;
        match settings.by_id.get_mut("user_types") {
            Some(given) if given.origin.rank == Rank::Flag => given.values.extend(user_types),
            _ => {
                let values = user_types;
                let setting = Setting { origin, values };
                settings.by_id.insert("user_types".to_owned(), setting);
            }
        }
    }
    let name_of = |path: OsString| Named {
        path,
        origin: Origin::new(Rank::Flag, "a word of the command line"),
        is_config: false,
    };
    files.into_iter().map(name_of).collect()
}

enum Kind {
    /// A load test of ours.
    Test,
    /// Options of Locust's.
    Config(ConfigFile),
    /// Python.
    Locustfile,
}

/// Why a file of settings cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{path} ({origin}) cannot be read: {source}")]
struct UnreadableFile {
    path: String,
    /// What named it.
    origin: String,
    source: ConfigFileError,
}

fn kind_of(file: &Named, surroundings: &Surroundings) -> Result<Kind, UnreadableFile> {
    let path = Path::new(&file.path);
    let is_toml = path
        .extension()
        .is_some_and(|extension| extension == "toml");
    if !file.is_config {
        let is_python = is_locustfile(path, &surroundings.directory);
        return Ok(if is_python {
            Kind::Locustfile
        } else {
            Kind::Test
        });
    }
    let shown = path.display().to_string();
    let text =
        config_file::read(&surroundings.directory.join(path)).map_err(|source| UnreadableFile {
            path: shown.clone(),
            origin: file.origin.name.clone(),
            source,
        })?;
    if !is_toml {
        return Ok(Kind::Config(ConfigFile::of_lines(&shown, &text)));
    }
    match ConfigFile::of_toml(&shown, &text) {
        Ok(Some(config)) => Ok(Kind::Config(config)),
        // What is wrong in a test file is said when it is read as one, with its line.
        Ok(None) | Err(_) => Ok(Kind::Test),
    }
}

/// What Locust takes for `-f`: Python files, a list of them, directories, URLs, `-` for the master's.
fn is_locustfile(path: &Path, directory: &Path) -> bool {
    let text = path.to_string_lossy();
    text.ends_with(".py")
        || text == "-"
        || text.contains(".py,")
        || text.starts_with("http://")
        || text.starts_with("https://")
        || directory.join(path).is_dir()
}

/// On the command line a locustfile is what should run, and it cannot. From an environment that is shared with
/// Locust it is only worth a word.
fn refuse_locustfile(file: &Named, settings: &mut Settings) {
    let shown = Path::new(&file.path).display();
    let name = &file.origin.name;
    if file.origin.rank == Rank::Flag {
        settings.problems.push(format!(
            "{shown} is not a TOML test file, and Python files cannot be run: users are compiled into this program; leave it out, or port it with the porting guide"
        ));
    } else {
        settings.notes.push(format!(
            "warning: {name} names {shown}, which is ignored: users are compiled into this program"
        ));
    }
}

fn read_unnamed(
    arguments: &[Arg],
    surroundings: &Surroundings,
    subcommand: &str,
    settings: &mut Settings,
) {
    // What comes first wins, so from the strongest to the weakest.
    let here = UNNAMED
        .iter()
        .rev()
        .map(|name| surroundings.directory.join(name));
    let of_home = surroundings.home.iter().map(|home| home.join(OF_HOME));
    for path in here.chain(of_home) {
        if !path.is_file() {
            continue;
        }
        let shown = path
            .strip_prefix(".")
            .unwrap_or(&path)
            .display()
            .to_string();
        let is_toml = path
            .extension()
            .is_some_and(|extension| extension == "toml");
        let config = match config_file::read(&path) {
            Ok(text) if is_toml => ConfigFile::of_toml(&shown, &text),
            Ok(text) => Ok(Some(ConfigFile::of_lines(&shown, &text))),
            Err(reason) => Err(reason),
        };
        match config {
            Ok(Some(config)) => apply(&config, arguments, subcommand, settings),
            Ok(None) => {}
            Err(reason) => settings
                .notes
                .push(format!("warning: {shown} is ignored: {reason}")),
        }
    }
}

/// Adds the settings of one file, and says which had an effect and which cannot have one.
fn apply(config: &ConfigFile, arguments: &[Arg], subcommand: &str, settings: &mut Settings) {
    let mut used = Vec::new();
    let mut ineffective = Vec::new();
    for (key, value) in &config.settings {
        let long = key.replace('_', "-");
        let own = || {
            arguments.iter().find(|arg| {
                arg.get_long() == Some(&long)
                    || arg
                        .get_all_aliases()
                        .is_some_and(|all| all.contains(&long.as_str()))
            })
        };
        let id = match locust_options::of_long(&long) {
            Some(option) => match option.support {
                Support::Same(id) | Support::Differs(id) if has(arguments, id) => id.to_owned(),
                Support::Same(_) | Support::Differs(_) => {
                    ineffective.push(format!("{key} (has no meaning for `{subcommand}`)"));
                    continue;
                }
                Support::Refused | Support::Action => {
                    if super::boolish(value) != Some(false) {
                        ineffective.push(format!("{key} ({})", option.note));
                    }
                    continue;
                }
            },
            None => match own() {
                Some(arg) => arg.get_id().as_str().to_owned(),
                None => {
                    ineffective.push(format!("{key} (unknown)"));
                    continue;
                }
            },
        };
        if id == "file" || id == "config" {
            ineffective.push(format!(
                "{key} (users are compiled into this program, and a test file is named on the command line)"
            ));
            continue;
        }
        if settings.by_id.contains_key(&id) {
            continue;
        }
        let name = format!("`{key}` in {}", config.shown);
        set(
            arguments,
            &id,
            Rank::ConfigFile,
            &name,
            OsStr::new(value),
            settings,
        );
        used.push(key.as_str());
    }
    if !used.is_empty() {
        settings.notes.push(format!(
            "Settings from {}: {}",
            config.shown,
            used.join(", ")
        ));
    }
    if !ineffective.is_empty() {
        settings.notes.push(format!(
            "warning: these settings of {} have no effect: {}",
            config.shown,
            ineffective.join("; ")
        ));
    }
}
