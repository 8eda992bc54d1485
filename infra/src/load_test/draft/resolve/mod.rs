//! From what was asked for to the load test that is meant: the one place that knows defaults, what a load shape takes
//! the place of, and what cannot stand together.

use super::errors::{DraftError, DraftErrors};
use super::{FIELDS, TestDraft};
use crate::base::MAX_DURATION;
use crate::load_test::{self, LoadTest, LoadTestError, NoHost, ScenarioInfo, TestDefaults};

/// Label of a declared scenario that has no name.
const DECLARED_LABEL: &str = "declared";

/// What is wrong with a draft as a whole.
pub(super) struct Problem {
    /// The field or table it is about.
    pub(super) key: &'static str,
    pub(super) path: String,
    pub(super) message: String,
    /// None where the draft contradicts itself.
    pub(super) error: Option<LoadTestError>,
}

impl From<LoadTestError> for Problem {
    fn from(error: LoadTestError) -> Self {
        Self {
            key: error.key(),
            path: error.path(),
            message: error.to_string(),
            error: Some(error),
        }
    }
}

impl From<Problem> for DraftError {
    fn from(problem: Problem) -> Self {
        match problem.error {
            Some(_) => Self::new(problem.path, problem.message),
            None => Self::contradiction(problem.path, problem.message),
        }
    }
}

impl TestDraft {
    /// The load test that is meant: what is left out takes its default. `scenario` is what is known of the compiled-in
    /// scenario: the one that is named, or the only one there is. What only a coordinator can know (infrastructure,
    /// agents, whether the test fits the scenario) is checked when the run is started.
    ///
    /// # Errors
    /// Everything that is wrong, each with its place.
    pub fn resolve(
        &self,
        defaults: &TestDefaults,
        scenario: Option<&ScenarioInfo>,
    ) -> Result<LoadTest, DraftErrors> {
        let (test, problems) = self.completed(defaults, scenario);
        DraftErrors::of(problems.into_iter().map(DraftError::from)).or(test)
    }

    /// Checks what is given, for whoever does not know the scenario: that something is missing is left to those who do.
    ///
    /// # Errors
    /// Everything that is wrong, each with its place.
    pub fn check_given(&self) -> Result<(), DraftErrors> {
        let (_, problems) = self.completed(&TestDefaults::USUAL, None);
        let of_given = problems.into_iter().filter(|problem| {
            self.says(problem.key) && !self.is_left_to_user_types(problem.error.as_ref())
        });
        DraftErrors::of(of_given.map(DraftError::from)).or(())
    }

    /// What is wrong with the values for themselves, whatever else is said elsewhere.
    pub(super) fn problems_of_values(&self) -> impl Iterator<Item = Problem> {
        let mut draft = self.clone();
        // They may be files that are still to be read.
        draft.client.root_certificate = None;
        draft.client.client_certificate = None;
        let (_, problems) = draft.completed(&TestDefaults::USUAL, None);
        problems.into_iter().filter(|problem| {
            use LoadTestError as E;
            !matches!(
                problem.error,
                // Named with their own place where they were read,
                Some(E::Stage { .. } | E::Declared(_) | E::NothingDeclared)
                // or for flags or a load shape in code to change.
                | Some(E::MoreWorkersThanUsers { .. } | E::NoUsers | E::NoUsersForArrivals | E::NoDuration | E::SkipsNothing(_))
            ) && !self.is_left_to_user_types(problem.error.as_ref())
        })
    }

    /// Whether the error is that `host` is empty, which says no more than leaving it out: flags or the scenario's user
    /// types may have one. Declared requests have no other host.
    fn is_left_to_user_types(&self, error: Option<&LoadTestError>) -> bool {
        self.declared.is_none() && matches!(error, Some(LoadTestError::NoHost(_)))
    }

    /// Whether the run follows the load shape of a scenario that has one.
    pub fn follows_shape(&self, scenario_has_shape: bool) -> bool {
        self.placed_load().follows_shape(scenario_has_shape)
    }

    /// The fields that are given and count for nothing, where the run follows the load shape of a scenario that has
    /// one: the shape says how many users there are. (A duration limits it.)
    pub fn left_to_shape(&self, scenario_has_shape: bool) -> Vec<&'static str> {
        if !self.follows_shape(scenario_has_shape) {
            return Vec::new();
        }
        let of_shape = FIELDS.iter().filter(|field| field.is_of_shape);
        let given = of_shape.filter(|field| field.get(self).is_some());
        given.map(|field| field.key).collect()
    }

    /// The draft without what a load shape said of a run that followed it, and which is not what was asked for.
    #[must_use]
    pub fn without_shape(mut self, scenario_has_shape: bool) -> Self {
        if self.follows_shape(scenario_has_shape) {
            (self.users, self.ramp_up, self.spawn_rate) = (None, None, None);
            self.duration = self.duration.filter(|s| *s != MAX_DURATION.as_secs());
        }
        self
    }

    /// The infrastructure that is meant.
    pub fn infrastructure_or<'a>(&'a self, defaults: &'a TestDefaults) -> &'a str {
        let given = self.infrastructure.as_deref();
        given.unwrap_or(defaults.infrastructure)
    }

    pub(super) fn has_rate_stages(&self) -> bool {
        load_test::have_rates(&self.stages)
    }

    fn completed(
        &self,
        defaults: &TestDefaults,
        scenario: Option<&ScenarioInfo>,
    ) -> (LoadTest, Vec<Problem>) {
        let scenario = scenario.filter(|_| self.declared.is_none());
        let mut test = self.placed_load();
        self.infrastructure_or(defaults)
            .clone_into(&mut test.infrastructure);
        if self.scenario.is_none() {
            test.scenario = self.default_scenario(scenario);
        }
        test.stop_timeout_s = self.stop_timeout.unwrap_or(defaults.stop_timeout_s);
        test.fleet.agents_timeout_s = self.agents_timeout.unwrap_or(defaults.agents_timeout_s);
        test.users = self.users.unwrap_or(defaults.users);
        let has_shape = scenario.is_some_and(|scenario| scenario.has_shape);
        if test.follows_shape(has_shape) {
            // The shape brings its own number of users, and has all the time there is.
            test.duration_s = self.duration.unwrap_or(MAX_DURATION.as_secs());
            test.spawn_rate = None;
        } else if test.stages.is_empty() {
            test.duration_s = self.duration.unwrap_or(defaults.duration_s);
            test.ramp_up_s = match self.spawn_rate {
                Some(_) => 0,
                None => self
                    .ramp_up
                    .unwrap_or_else(|| defaults.ramp_up_s(test.duration_s)),
            };
        } else {
            test = test.settled();
        }
        let workers = self.workers.unwrap_or_else(|| defaults.workers(test.users));
        test = test.with_workers(workers);
        if self.name.is_none() {
            test.name = default_name(&test);
        }
        let texts = self.thresholds.as_deref().unwrap_or_default();
        let (thresholds, wrong) = load_test::read_thresholds(texts);
        test.thresholds = thresholds;
        let mut problems = self.contradictions();
        problems.extend(wrong.into_iter().map(Problem::from));
        let known = |key| problems.iter().any(|problem: &Problem| problem.key == key);
        let errors = match test.check_for_scenario(has_shape) {
            Ok(()) => Vec::new(),
            Err(errors) => errors.iter().cloned().map(Problem::from).collect(),
        };
        let errors: Vec<_> = errors
            .into_iter()
            .filter(|error| !known(error.key))
            .collect();
        problems.extend(errors);
        if test.declared.is_none() {
            let host = match scenario {
                Some(scenario) => test.check_host_is_known(scenario),
                None if test.host.is_empty() => Err(NoHost::default()),
                None => Ok(()),
            };
            problems.extend(host.err().map(|error| LoadTestError::from(error).into()));
        }
        (test, problems)
    }

    /// What is put into the load test as it is asked for.
    fn placed_load(&self) -> LoadTest {
        let is_staged = !self.stages.is_empty();
        LoadTest {
            // Beside stages both are named as a contradiction.
            spawn_rate: self.spawn_rate.filter(|_| !is_staged),
            arrival_rate: self.arrival_rate.filter(|_| !is_staged),
            stages: self.stages.clone(),
            options: self.options.clone(),
            declared: self.declared.clone(),
            client: self.client.clone(),
            ..self.placed()
        }
    }

    /// The scenario that is meant where none is named. Without any, the coordinator says what is missing (an
    /// infrastructure, an agent).
    fn default_scenario(&self, known: Option<&ScenarioInfo>) -> String {
        match (&self.declared, known) {
            (Some(_), _) => self
                .name
                .clone()
                .unwrap_or_else(|| DECLARED_LABEL.to_owned()),
            (None, Some(known)) => known.name.clone(),
            (None, None) => String::new(),
        }
    }

    /// What values that are valid for themselves must not say together.
    fn contradictions(&self) -> Vec<Problem> {
        let contradiction = |key: &'static str, message: String| Problem {
            key,
            path: key.to_owned(),
            message,
            error: None,
        };
        if self.stages.is_empty() {
            let both = self.ramp_up.is_some() && self.spawn_rate.is_some();
            let message = "`ramp_up` and `spawn_rate` are both given; keep one of the two";
            return Vec::from_iter(both.then(|| contradiction("spawn_rate", message.to_owned())));
        }
        let of_stages = FIELDS.iter().filter(|field| field.is_of_stages);
        let given = of_stages.filter(|field| field.get(self).is_some());
        given
            // The most users that may be busy at the same time, which no stage of an arrival rate says.
            .filter(|field| field.key != "users" || !self.has_rate_stages())
            .map(|field| {
                let key = field.key;
                contradiction(key, format!(
                    "stages and `{key}` are both given; stages define the load, so leave `{key}` out"
                ))
            })
            .collect()
    }

    /// Whether anything is said of a field or table.
    fn says(&self, key: &str) -> bool {
        match key {
            "stage" => !self.stages.is_empty(),
            "options" => !self.options.is_empty(),
            "request" => self.declared.is_some(),
            "client" => true,
            key => super::field(key).is_some_and(|field| field.get(self).is_some()),
        }
    }
}

/// The scenario's name, or that of the host where the scenario has none of its own.
fn default_name(test: &LoadTest) -> String {
    if test.declared.is_none() && !test.scenario.is_empty() {
        return test.scenario.clone();
    }
    let host = test.host_url().ok();
    let name = host.and_then(|url| url.host_str().map(str::to_owned));
    // Without a host there is an error about it, and the name need not have one, too.
    name.unwrap_or_else(|| DECLARED_LABEL.to_owned())
}

#[cfg(test)]
mod tests;
