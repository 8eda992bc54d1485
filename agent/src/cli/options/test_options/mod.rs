//! What a load test is made of on the command line: flags over a test file over defaults.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use greylag_infra::{
    DEFAULT_DURATION_S, DEFAULT_INFRASTRUCTURE, DEFAULT_STOP_TIMEOUT_S, DEFAULT_USERS,
    DEFAULT_WORKERS, DraftErrors, LoadTest, MAX_CERTIFICATE_BYTES, MAX_DURATION,
    MAX_TEST_FILE_BYTES, Selection, TestDraft, default_ramp_up_s,
};
use greylag_scenarios::Scenario;

use super::{WorkerCount, seconds};
use crate::cli::failure::Failure;
use crate::cli::settings::Sources;
use crate::scenario_choice::unknown_scenario;

/// What a test file says under the same names; flags win over it.
#[derive(Debug, Args)]
pub(crate) struct TestOptions {
    /// Test file (TOML); the option's name may be omitted. Its keys are name, host, users, ramp_up, spawn_rate,
    /// duration, arrival_rate, workers, infrastructure, scenario, stop_timeout, user_types, equal_weights, tags, exclude_tags, wait_time,
    /// [options], [client], [[stage]] and [[request]] tables. Flags override it.
    #[arg(
        short = 'f',
        long,
        alias = "locustfile",
        env = "GREYLAG_FILE",
        value_name = "FILE"
    )]
    file: Option<PathBuf>,
    /// Name of the test; runs are numbered per name [default: the test file's name, or else the scenario's].
    #[arg(long, visible_alias = "profile", env = "GREYLAG_NAME")]
    name: Option<String>,
    /// Base URL of the target, such as http://127.0.0.1:8080. Overrides the hosts of user types.
    #[arg(short = 'H', long, env = "GREYLAG_HOST", value_name = "URL")]
    host: Option<String>,
    /// Peak concurrent users [default: 10; Locust: 1].
    #[arg(short, long, env = "GREYLAG_USERS", value_name = "N")]
    pub(crate) users: Option<u64>,
    /// Users to start per second, instead of --ramp-up; as in Locust.
    #[arg(short = 'r', long, env = "GREYLAG_SPAWN_RATE", value_name = "RATE")]
    spawn_rate: Option<f64>,
    /// Time to ramp up linearly to all users, such as 90, 90s or 1h20m; 0s starts all users immediately
    /// [default: 10s, but at most a sixth of the duration].
    #[arg(long, env = "GREYLAG_RAMP_UP", value_name = "DURATION", value_parser = seconds)]
    pub(crate) ramp_up: Option<u64>,
    /// Total duration, including ramp-up; for a scenario with a load shape, an upper limit [default: 60s].
    #[arg(short = 't', long, visible_alias = "run-time", env = "GREYLAG_DURATION", value_name = "DURATION", value_parser = seconds)]
    pub(crate) duration: Option<u64>,
    /// New iterations per second over the whole run, regardless of how fast the target responds; --users caps the
    /// iterations in progress.
    #[arg(long, env = "GREYLAG_ARRIVAL_RATE", value_name = "RATE")]
    arrival_rate: Option<f64>,
    /// Total number of worker processes; -1 means one per core of this machine [default: 1].
    #[arg(
        short,
        long,
        visible_alias = "processes",
        env = "GREYLAG_WORKERS",
        value_name = "N",
        allow_negative_numbers = true
    )]
    pub(crate) workers: Option<WorkerCount>,
    /// Name of a compiled-in scenario [default: the first; `greylag scenarios` lists them, as Locust's --list does].
    #[arg(long, env = "GREYLAG_SCENARIO", value_name = "NAME")]
    scenario: Option<String>,
    /// Run only these user types; the option's name may be omitted.
    #[arg(long, env = "GREYLAG_USER_TYPES", value_name = "NAME", num_args = 1.., value_delimiter = ',')]
    user_types: Vec<String>,
    /// Give every user type and every task weight 1.
    #[arg(long, env = "GREYLAG_EQUAL_WEIGHTS")]
    equal_weights: bool,
    /// Run only tasks with at least one of these tags.
    #[arg(short = 'T', long, env = "GREYLAG_TAGS", value_name = "TAG", num_args = 1.., value_delimiter = ',')]
    tags: Vec<String>,
    /// Skip tasks with any of these tags; takes precedence over --tags.
    #[arg(short = 'E', long, env = "GREYLAG_EXCLUDE_TAGS", value_name = "TAG", num_args = 1.., value_delimiter = ',')]
    exclude_tags: Vec<String>,
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
    /// Infrastructure that generates the load, with --coordinator [default: local].
    #[arg(long, env = "GREYLAG_INFRASTRUCTURE", value_name = "NAME")]
    infrastructure: Option<String>,
    /// Grace period for tasks and requests still running at the end [default: 10s; Locust: 0].
    #[arg(short = 's', long, env = "GREYLAG_STOP_TIMEOUT", value_name = "DURATION", value_parser = seconds)]
    pub(crate) stop_timeout: Option<u64>,
}

/// A test as it was asked for: complete, but for what only the one who runs it can know.
pub(crate) struct AskedTest {
    /// Name and scenario may be empty.
    pub(crate) test: LoadTest,
    /// What was said about time and number of users, for a scenario with a load shape to ignore or keep.
    pub(crate) duration_given: bool,
    pub(crate) users_given: bool,
    /// Whether the file's stages are left out because flags say how the load goes.
    pub(crate) stages_left_out: bool,
}

impl TestOptions {
    /// Reads the test file, if one is named, and puts everything together. `custom` are the values given by
    /// flags of the scenarios' own options.
    ///
    /// # Errors
    /// The file cannot be read, or what is given contradicts itself; `sources` are for the names in the message.
    pub(crate) fn ask(
        &self,
        custom: BTreeMap<String, String>,
        sources: &Sources,
    ) -> Result<AskedTest, Failure> {
        self.ask_with_file(custom, sources).map(|(_, asked)| asked)
    }

    /// The same, with what the file says.
    ///
    /// # Errors
    /// As those of [`TestOptions::ask`].
    pub(crate) fn ask_with_file(
        &self,
        custom: BTreeMap<String, String>,
        sources: &Sources,
    ) -> Result<(TestDraft, AskedTest), Failure> {
        let file = match &self.file {
            Some(path) => read_file(path)?,
            None => TestDraft::default(),
        };
        self.refuse_two_scenarios(&file, sources)?;
        let asked = self.put_together(file.clone(), custom)?;
        Ok((file, asked))
    }

    fn put_together(
        &self,
        file: TestDraft,
        custom: BTreeMap<String, String>,
    ) -> Result<AskedTest, Failure> {
        self.refuse_swallowed_file()?;
        let declared = file.declared;
        let name = self.name.clone().or(file.name).unwrap_or_default();
        let scenario = match (&self.scenario, file.scenario, &declared) {
            (Some(scenario), _, _) => scenario.clone(),
            (None, Some(scenario), _) => scenario,
            (None, None, Some(_)) => name.clone(),
            (None, None, None) => String::new(),
        };
        // Flags about the load take the place of the file's stages. Beside arrival rates users are only the most
        // that may be busy, which stages do not say.
        let has_rates = file.stages.iter().any(|stage| stage.arrival_rate.is_some());
        let flags_say_users = (self.users.is_some() && !has_rates)
            || self.ramp_up.is_some()
            || self.spawn_rate.is_some()
            || self.duration.is_some()
            || self.arrival_rate.is_some();
        let stages_left_out = flags_say_users && !file.stages.is_empty();
        let stages = if flags_say_users {
            Vec::new()
        } else {
            file.stages
        };
        let duration = self.duration.or(file.duration_s);
        let duration_s = if stages.is_empty() {
            duration.unwrap_or(DEFAULT_DURATION_S)
        } else {
            stages.iter().map(|stage| stage.duration_s).sum()
        };
        let spawn_rate = match (self.ramp_up, self.arrival_rate) {
            (None, None) => self.spawn_rate.or(file.spawn_rate),
            (None, Some(_)) => self.spawn_rate,
            (Some(_), _) => None,
        };
        let ramp_up = match spawn_rate {
            Some(_) => None,
            None => self.ramp_up.or(file.ramp_up_s),
        };
        let users = self.users.or(file.users);
        let staged_users = stages.iter().filter_map(|stage| stage.users).max();
        let or_of_file = |flag: &Vec<String>, file: Option<Vec<String>>| {
            if flag.is_empty() {
                file.unwrap_or_default()
            } else {
                flag.clone()
            }
        };
        let mut options = file.options;
        for text in &self.options {
            let (name, value) = text.split_once('=').ok_or_else(|| {
                Failure::bad_input("--option needs a name and a value: --option NAME=VALUE")
            })?;
            options.insert(name.trim().to_owned(), value.to_owned());
        }
        options.extend(custom);
        let test = LoadTest {
            name,
            host: self.host.clone().or(file.host).unwrap_or_default(),
            users: users.or(staged_users).unwrap_or(DEFAULT_USERS),
            ramp_up_s: match (spawn_rate, stages.is_empty()) {
                (None, true) => ramp_up.unwrap_or_else(|| default_ramp_up_s(duration_s)),
                _ => 0,
            },
            duration_s,
            workers: self
                .workers
                .map_or(file.workers.unwrap_or(DEFAULT_WORKERS), |count| {
                    count.over_users(users.or(staged_users).unwrap_or(DEFAULT_USERS))
                }),
            infrastructure: self
                .infrastructure
                .clone()
                .or(file.infrastructure)
                .unwrap_or_else(|| DEFAULT_INFRASTRUCTURE.to_owned()),
            scenario,
            stop_timeout_s: self
                .stop_timeout
                .or(file.stop_timeout_s)
                .unwrap_or(DEFAULT_STOP_TIMEOUT_S),
            declared,
            client: file.client,
            spawn_rate,
            stages,
            arrival_rate: self.arrival_rate.or(file.arrival_rate),
            selection: Selection {
                user_types: or_of_file(&self.user_types, file.user_types),
                tags: or_of_file(&self.tags, file.tags),
                exclude_tags: or_of_file(&self.exclude_tags, file.exclude_tags),
                equal_weights: self.equal_weights || file.equal_weights.unwrap_or_default(),
            },
            options,
        };
        Ok(AskedTest {
            test,
            duration_given: duration.is_some(),
            users_given: users.is_some() || ramp_up.is_some() || spawn_rate.is_some(),
            stages_left_out,
        })
    }

    /// `-T a b FILE` takes FILE for a tag, and the run would be another than the one that was meant.
    fn refuse_swallowed_file(&self) -> Result<(), Failure> {
        let lists = [
            ("--tags", &self.tags),
            ("--exclude-tags", &self.exclude_tags),
            ("--user-types", &self.user_types),
        ];
        for (flag, texts) in lists {
            if let Some(file) = texts.iter().find(|text| text.ends_with(".toml")) {
                return Err(Failure::bad_input(format!(
                    "{flag} takes everything that follows it, so `{file}` is not read as the test file; write the file before {flag}, or after --"
                )));
            }
        }
        Ok(())
    }

    /// A scenario that is named beside requests that are declared: one of the two would be left out silently.
    fn refuse_two_scenarios(&self, file: &TestDraft, sources: &Sources) -> Result<(), Failure> {
        let (Some(scenario), Some(_)) = (&self.scenario, &file.declared) else {
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
        let Some(name) = &self.scenario else {
            return Ok(scenarios.iter().collect());
        };
        match scenarios.iter().find(|scenario| scenario.name == *name) {
            Some(scenario) => Ok(vec![scenario]),
            None => Err(Failure::bad_input(unknown_scenario(name, scenarios))),
        }
    }

    /// Whether the number of workers is that of this machine's cores.
    pub(crate) fn is_per_core(&self) -> bool {
        self.workers == Some(WorkerCount::PerCore)
    }
}

impl AskedTest {
    /// Leaves time and number of users to the scenario's load shape, if it has one and the test says nothing
    /// that takes its place. Returns a sentence about what is ignored.
    pub(crate) fn leave_to_shape(&mut self, scenario: &Scenario) -> Option<String> {
        let test = &mut self.test;
        if !scenario.has_shape() || !test.stages.is_empty() || test.arrival_rate.is_some() {
            return None;
        }
        if !self.duration_given {
            test.duration_s = MAX_DURATION.as_secs();
        }
        // Until the shape has been asked; a test has at least one user per worker.
        test.users = u64::from(test.workers.max(1));
        test.ramp_up_s = 0;
        test.spawn_rate = None;
        self.users_given.then(|| {
            format!(
                "The load shape of scenario {} says how many users there are; --users, --ramp-up and --spawn-rate are ignored.",
                scenario.name
            )
        })
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
