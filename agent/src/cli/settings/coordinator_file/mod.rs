//! The coordinator's configuration file: every option of `greylag coordinator` by its long name. What the file says of
//! infrastructures is read by [`CoordinatorFile`], too.

use std::ffi::OsStr;
use std::path::Path;

use clap::Arg;
use greylag_reporting::provisioning::{ConfiguredOption, CoordinatorFile};

use super::variables::set;
use super::{Rank, Settings, Surroundings};

/// The option that names the file.
const CONFIG: &str = "config";
/// Options that a file does not have: it would name itself, or show a secret to whoever may read it.
const NOT_IN_FILES: [(&str, &str); 4] = [
    (CONFIG, "a file does not name another one"),
    (
        "token",
        "it is a secret; set GREYLAG_TOKEN, from a file that only the coordinator's user may read",
    ),
    (
        "otlp-headers",
        "they may have a secret; set GREYLAG_OTLP_HEADERS, from a file that only the coordinator's user may read",
    ),
    (
        "webhook-secret",
        "it is a secret; set GREYLAG_WEBHOOK_SECRET, from a file that only the coordinator's user may read",
    ),
];

/// Adds what the file says that is named, about options that were given in no stronger way.
pub(super) fn add(arguments: &[Arg], surroundings: &Surroundings, settings: &mut Settings) {
    let Some(path) = settings
        .by_id
        .get(CONFIG)
        .and_then(|setting| setting.values.first().cloned())
    else {
        return;
    };
    let shown = Path::new(&path).display().to_string();
    let file = match CoordinatorFile::read(&surroundings.directory.join(&path)) {
        Ok(file) => file,
        Err(error) => {
            let problems = error.to_string();
            let problems = problems.lines().map(|line| format!("{shown}: {line}"));
            settings.problems.extend(problems);
            return;
        }
    };
    for option in &file.options {
        if let Err(problem) = add_option(arguments, &shown, option, settings) {
            let line = option.line;
            settings
                .problems
                .push(format!("{shown}: line {line}: {problem}"));
        }
    }
}

fn add_option(
    arguments: &[Arg],
    shown: &str,
    option: &ConfiguredOption,
    settings: &mut Settings,
) -> Result<(), String> {
    let name = option.name.replace('_', "-");
    if let Some((_, why)) = NOT_IN_FILES.iter().find(|(id, _)| *id == name) {
        return Err(format!("`{}` cannot be set here: {why}", option.name));
    }
    let arg = arguments
        .iter()
        .find(|arg| arg.get_long() == Some(&name))
        .ok_or_else(|| {
            let known = keys(arguments).join(", ");
            let name: String = option.name.chars().take(60).collect();
            format!("`{name}` is not a valid key of this file; the keys are {known}")
        })?;
    let id = arg.get_id().as_str();
    let name = format!("`{}` in line {} of {shown}", option.name, option.line);
    if let Some(known) = settings.by_id.get(id)
        && known.origin.rank == Rank::ConfigFile
    {
        return Err(format!(
            "`{}` and {} mean the same; keep one of the two",
            option.name, known.origin.name
        ));
    }
    let value = OsStr::new(&option.value);
    set(arguments, id, Rank::ConfigFile, &name, value, settings);
    Ok(())
}

/// What the outermost table of a file may have.
fn keys(arguments: &[Arg]) -> Vec<String> {
    let longs = arguments.iter().filter_map(Arg::get_long);
    let options = longs
        .filter(|long| NOT_IN_FILES.iter().all(|(id, _)| id != long))
        .filter(|long| !matches!(*long, "help" | "version"))
        .map(|long| long.replace('-', "_"));
    let tables = ["coordinator_url", "[infrastructures.NAME]"].map(str::to_owned);
    options.chain(tables).collect()
}

#[cfg(test)]
mod tests;
