//! What the command line says of a load test: flags over a test file.

mod field_flags;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use greylag_infra::{
    DraftErrors, FIELDS, FieldValue, MAX_CERTIFICATE_BYTES, MAX_TEST_FILE_BYTES, Overlaid,
    TestDraft, keys_of_files,
};
use greylag_scenarios::Scenario;

use crate::cli::failure::Failure;
use crate::cli::settings::Sources;
use crate::scenario::unknown_scenario;
use field_flags::{FieldFlags, long};

/// What a test file says under the same names; flags win over it.
#[derive(Debug, Args)]
pub(crate) struct TestOptions {
    #[arg(
        short = 'f',
        long,
        alias = "locustfile",
        env = "GREYLAG_FILE",
        value_name = "FILE",
        help = file_help()
    )]
    file: Option<PathBuf>,
    #[command(flatten)]
    fields: FieldFlags,
    /// Set an option that a scenario on a coordinator's agents declares. (Options of scenarios compiled in here have
    /// their own flags.) In the variable, separate several with commas and write `\,` for a comma in a value.
    #[arg(
        short = 'o',
        long = "option",
        value_name = "NAME=VALUE",
        env = "GREYLAG_OPTIONS",
        hide_env_values = true
    )]
    options: Vec<String>,
}

/// A test as it was asked for.
pub(crate) struct AskedTest {
    pub(crate) draft: TestDraft,
    /// Whether the file's stages are left out because flags say how the load goes.
    pub(crate) stages_left_out: bool,
}

fn file_help() -> String {
    let mut keys: Vec<_> = keys_of_files().collect();
    let last = keys.pop().unwrap_or_default();
    format!(
        "Test file (TOML); the option's name may be omitted. Its keys are {} and {last} tables. Flags override it",
        keys.join(", ")
    )
}

impl TestOptions {
    /// Reads the test file, if one is named, and lays the flags over it. `custom` are the values given by flags of
    /// the scenarios' own options.
    ///
    /// # Errors
    /// The file cannot be read, or what is given contradicts itself; `sources` are for the names in the message.
    pub(crate) fn ask(
        &self,
        custom: BTreeMap<String, String>,
        sources: &Sources,
    ) -> Result<AskedTest, Failure> {
        self.refuse_swallowed_file()?;
        let file = match &self.file {
            Some(path) => read_file(path)?,
            None => TestDraft::default(),
        };
        self.refuse_two_scenarios(&file, sources)?;
        self.over(file, custom)
    }

    fn over(
        &self,
        file: TestDraft,
        custom: BTreeMap<String, String>,
    ) -> Result<AskedTest, Failure> {
        let mut flags = self.fields.draft.clone();
        for text in &self.options {
            let (name, value) = text.split_once('=').ok_or_else(|| {
                Failure::bad_input("--option needs a name and a value: --option NAME=VALUE")
            })?;
            flags
                .options
                .insert(name.trim().to_owned(), value.to_owned());
        }
        flags.options.extend(custom);
        let Overlaid {
            draft,
            stages_left_out,
        } = flags.over(file);
        Ok(AskedTest {
            draft,
            stages_left_out,
        })
    }

    /// `-T a b FILE` takes FILE for a tag, and the run would be another than the one that was meant.
    fn refuse_swallowed_file(&self) -> Result<(), Failure> {
        for field in FIELDS {
            let Some(FieldValue::List(texts)) = field.get(&self.fields.draft) else {
                continue;
            };
            if let Some(file) = texts.iter().find(|text| text.ends_with(".toml")) {
                let flag = long(field);
                return Err(Failure::bad_input(format!(
                    "--{flag} takes everything that follows it, so `{file}` is not read as the test file; write the file before --{flag}, or after --"
                )));
            }
        }
        Ok(())
    }

    /// A scenario that is named beside requests that are declared: one of the two would be left out silently.
    fn refuse_two_scenarios(&self, file: &TestDraft, sources: &Sources) -> Result<(), Failure> {
        let (Some(scenario), Some(_)) = (&self.fields.draft.scenario, &file.declared) else {
            return Ok(());
        };
        let given = sources.name("scenario").unwrap_or("--scenario");
        let path = self.file.as_deref().unwrap_or(Path::new("the test file"));
        Err(Failure::bad_input(format!(
            "{given} names scenario `{scenario}`, and {} declares requests of its own ([[request]]); leave one of the two out",
            path.display()
        )))
    }

    /// The scenario that is named, or all of them.
    ///
    /// # Errors
    /// There is none of that name.
    pub(crate) fn named_among<'a>(
        &self,
        scenarios: &'a [Scenario],
    ) -> Result<Vec<&'a Scenario>, Failure> {
        let Some(name) = &self.fields.draft.scenario else {
            return Ok(scenarios.iter().collect());
        };
        match scenarios.iter().find(|scenario| scenario.name == *name) {
            Some(scenario) => Ok(vec![scenario]),
            None => Err(Failure::bad_input(unknown_scenario(name, scenarios))),
        }
    }
}

fn read_file(path: &Path) -> Result<TestDraft, Failure> {
    let cannot_read = |error: std::io::Error| {
        Failure::bad_input(format!(
            "the test file {} cannot be read: {error}",
            path.display()
        ))
    };
    let size = std::fs::metadata(path).map_err(cannot_read)?.len();
    if size > MAX_TEST_FILE_BYTES as u64 {
        return Err(Failure::bad_input(format!(
            "the test file {} is larger than {MAX_TEST_FILE_BYTES} bytes",
            path.display()
        )));
    }
    let text = std::fs::read_to_string(path).map_err(cannot_read)?;
    let mut file =
        TestDraft::from_toml(&text).map_err(|errors| Failure::bad_input(in_file(path, &errors)))?;
    read_certificates(path, &mut file)?;
    if file.name.is_none() {
        file.name = path
            .file_stem()
            .map(|stem| stem.to_string_lossy().into_owned());
    }
    Ok(file)
}

/// The errors of a file, each with its place.
fn in_file(path: &Path, errors: &DraftErrors) -> String {
    let name = path.display();
    let lines: Vec<_> = errors
        .to_string()
        .lines()
        .map(|line| format!("{name}, {line}"))
        .collect();
    lines.join("\n")
}

/// Puts certificates in place of the files that the test file names, so that agents elsewhere have them. Their
/// paths are relative to the test file.
fn read_certificates(path: &Path, file: &mut TestDraft) -> Result<(), Failure> {
    let directory = path.parent().unwrap_or(Path::new(""));
    for (key, text) in file.client.files_mut() {
        let certificate = directory.join(&*text);
        let wrong = |reason: &dyn std::fmt::Display| {
            Failure::bad_input(format!(
                "{}: the file {} of `client.{key}` {reason}",
                path.display(),
                certificate.display()
            ))
        };
        let cannot_read = |error: std::io::Error| wrong(&format_args!("cannot be read: {error}"));
        let size = std::fs::metadata(&certificate).map_err(cannot_read)?.len();
        if size > MAX_CERTIFICATE_BYTES as u64 {
            return Err(wrong(&format_args!(
                "is larger than {MAX_CERTIFICATE_BYTES} bytes"
            )));
        }
        *text = std::fs::read_to_string(&certificate).map_err(cannot_read)?;
        if !text.contains("-----BEGIN ") {
            return Err(wrong(&"is not PEM: it has no `-----BEGIN …` line"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
