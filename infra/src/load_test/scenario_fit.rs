//! Whether a load test fits the scenario it names: options, tags, user types and hosts.

use std::collections::BTreeMap;

use super::threshold::NeverJudged;
use super::{LoadTest, NoHost, ScenarioInfo, UserTypeInfo};
use crate::base::{RunTime, nearest};
use crate::profile::{UserTypeWeight, equal_weights};

/// Most names listed in a message.
const MAX_SHOWN: usize = 20;
/// Longest text of the user's that is repeated in a message, in characters.
const MAX_SHOWN_CHARS: usize = 60;

/// Why a load test does not fit its scenario. Each is one message for the user; values of secret options are
/// never in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum MisfitError {
    #[error("scenario `{scenario}` has no {what} `{name}`; {hint}")]
    Unknown {
        scenario: String,
        key: &'static str,
        what: &'static str,
        name: String,
        hint: String,
    },
    #[error("option `{name}` must be {wanted}{}", given.as_ref().map_or_else(String::new, |given| format!(", not `{given}`")))]
    OptionValue {
        name: String,
        wanted: String,
        /// What was given, unless it is secret.
        given: Option<String>,
    },
    #[error(
        "There are no users with weight > 0 in scenario `{0}`; give a selected user type a weight above 0 or a fixed count"
    )]
    NoUsers(String),
    #[error(transparent)]
    NoHost(#[from] NoHost),
    #[error("the requests are declared in the test itself, which has no {0}; leave them out")]
    Declared(&'static str),
    #[error(
        "threshold `{threshold}` is for a tag, but the requests are declared in the test itself and have none; name an endpoint, such as `for GET /`, or leave `for` out"
    )]
    TagOfDeclared { threshold: String },
    #[error(
        "threshold `{threshold}` is for tag `{tag}`, which is in `exclude_tags`, too; leave out one of the two"
    )]
    TagExcluded { threshold: String, tag: String },
    #[error("threshold `{threshold}` would never be judged: {why}")]
    NeverJudged { threshold: String, why: NeverJudged },
}

impl MisfitError {
    /// Where in the API's JSON it is wrong, such as `options.token`.
    pub fn path(&self) -> String {
        match self {
            Self::Unknown { key, name, .. } if *key == "options" => format!("options.{name}"),
            Self::Unknown { key, .. } => (*key).to_owned(),
            Self::OptionValue { name, .. } => format!("options.{name}"),
            Self::NoUsers(_) => "user_types".to_owned(),
            Self::NoHost(_) => "host".to_owned(),
            Self::Declared(_) => "scenario".to_owned(),
            Self::TagOfDeclared { .. } | Self::TagExcluded { .. } | Self::NeverJudged { .. } => {
                "thresholds".to_owned()
            }
        }
    }
}

impl LoadTest {
    /// Checks what can be known of the scenario: that it has the options, tags and user types the test names,
    /// that some user type gets users, and that there is a host for each of them. Whether a task is left when
    /// tags are selected only the agent knows.
    ///
    /// # Errors
    /// See [`MisfitError`]; the first is returned.
    pub fn check_fits(&self, scenario: &ScenarioInfo) -> Result<(), MisfitError> {
        self.check_choice(scenario)?;
        Ok(self.check_host_is_known(scenario)?)
    }

    /// The same without a look at hosts: what the test chooses of the scenario, and its values for the scenario's
    /// options.
    ///
    /// # Errors
    /// See [`MisfitError`]; the first is returned.
    pub fn check_choice(&self, scenario: &ScenarioInfo) -> Result<(), MisfitError> {
        scenario.check_options(&self.options)?;
        let unknown = |key, what, name, known| scenario.unknown(key, what, name, known);
        let counted = self.counted_tags();
        for (key, tags) in [
            ("tags", &self.selection.tags),
            ("exclude_tags", &self.selection.exclude_tags),
            ("thresholds", &counted),
        ] {
            if let Some(tag) = tags.iter().find(|tag| !scenario.tags.contains(tag)) {
                let known = scenario.tags.iter().map(String::as_str);
                return Err(unknown(key, "task with tag", tag, known.collect()));
            }
        }
        let excluded = &self.selection.exclude_tags;
        let mut judged = self.thresholds_for_tags();
        if let Some((threshold, tag)) = judged.find(|(_, tag)| excluded.contains(tag)) {
            return Err(MisfitError::TagExcluded {
                threshold: shown(&threshold.to_string()),
                tag: shown(tag),
            });
        }
        if !self.follows_shape(scenario.has_shape) {
            self.check_thresholds_are_judged()?;
        }
        for name in &self.selection.user_types {
            if !scenario.user_types.iter().any(|known| known.name == *name) {
                let known = scenario.user_types.iter().map(|known| known.name.as_str());
                return Err(unknown("user_types", "user type", name, known.collect()));
            }
        }
        let is_empty = self.user_types_of(scenario).next().is_none();
        if is_empty && !scenario.user_types.is_empty() {
            return Err(MisfitError::NoUsers(shown(&scenario.name)));
        }
        Ok(())
    }

    /// Checks that the test or each user type that takes part names the target.
    ///
    /// # Errors
    /// [`NoHost`], with the first user type that has none.
    pub(crate) fn check_host_is_known(&self, scenario: &ScenarioInfo) -> Result<(), NoHost> {
        if !self.host.is_empty() {
            return Ok(());
        }
        let mut user_types = self.user_types_of(scenario).peekable();
        if user_types.peek().is_none() {
            return Err(NoHost::default());
        }
        match user_types.find(|user_type| user_type.host.is_none()) {
            None => Ok(()),
            Some(user_type) => Err(NoHost {
                user_type: Some(shown(&user_type.name)),
            }),
        }
    }

    /// Checks a test that lists its requests itself: there is nothing to select from and no option to give.
    ///
    /// # Errors
    /// [`MisfitError::Declared`].
    pub fn check_fits_declared(&self) -> Result<(), MisfitError> {
        let selection = &self.selection;
        if !self.options.is_empty() {
            return Err(MisfitError::Declared("options"));
        }
        let has_tags = !selection.tags.is_empty() || !selection.exclude_tags.is_empty();
        if has_tags {
            return Err(MisfitError::Declared("tags"));
        }
        if !selection.user_types.is_empty() {
            return Err(MisfitError::Declared("user types to choose from"));
        }
        match self.thresholds_for_tags().next() {
            None => self.check_thresholds_are_judged(),
            Some((threshold, _)) => Err(MisfitError::TagOfDeclared {
                threshold: shown(&threshold.to_string()),
            }),
        }
    }

    /// Checks that what the test plans is long enough for its thresholds and has their phases. A load shape says only when it has
    /// begun what it plans.
    fn check_thresholds_are_judged(&self) -> Result<(), MisfitError> {
        let profile = self.profile();
        if profile.ends_at == RunTime::ZERO {
            // How long it takes is not known, or a validation error of its own.
            return Ok(());
        }
        let mut judged = self.thresholds.iter();
        let never = judged.find_map(|threshold| {
            let why = threshold.check_against(&profile).err()?;
            Some((threshold, why))
        });
        match never {
            Some((threshold, why)) => Err(MisfitError::NeverJudged {
                threshold: shown(&threshold.to_string()),
                why,
            }),
            None => Ok(()),
        }
    }

    /// The warning when fewer users will start than are asked for, because all user types that take part
    /// have fixed counts.
    pub fn fixed_counts_warning(&self, scenario: &ScenarioInfo) -> Option<String> {
        let mut fixed = 0_u64;
        for user_type in self.user_types_of(scenario) {
            if user_type.fixed_count == 0 {
                return None;
            }
            fixed = fixed.saturating_add(user_type.fixed_count);
        }
        let users = self.most_users();
        (fixed > 0 && fixed < users).then(|| {
            format!(
                "all user types have fixed counts, which add up to {fixed}: only {fixed} of {users} users will start"
            )
        })
    }

    /// The user types that users are taken from. None if they are not known here: tags may leave a user type without tasks.
    pub fn user_type_weights(&self, scenario: &ScenarioInfo) -> Option<Vec<UserTypeWeight>> {
        let selection = &self.selection;
        let has_tags = !selection.tags.is_empty() || !selection.exclude_tags.is_empty();
        if has_tags || self.declared.is_some() {
            return None;
        }
        let mut weights: Vec<UserTypeWeight> = self
            .user_types_of(scenario)
            .map(|known| UserTypeWeight {
                name: known.name.clone(),
                weight: known.weight,
                fixed_count: known.fixed_count,
            })
            .collect();
        if selection.equal_weights {
            equal_weights(&mut weights);
        }
        (!weights.is_empty()).then_some(weights)
    }

    /// The user types that take part and get users.
    fn user_types_of<'a>(
        &'a self,
        scenario: &'a ScenarioInfo,
    ) -> impl Iterator<Item = &'a UserTypeInfo> {
        let selected = &self.selection.user_types;
        scenario
            .user_types
            .iter()
            .filter(move |known| selected.is_empty() || selected.contains(&known.name))
            .filter(|known| {
                UserTypeWeight {
                    name: String::new(),
                    weight: known.weight,
                    fixed_count: known.fixed_count,
                }
                .gets_users()
            })
    }
}

impl ScenarioInfo {
    /// Whether every user type that gets users brings a host, so that a test need not name one.
    pub fn has_hosts(&self) -> bool {
        LoadTest::default().check_host_is_known(self).is_ok()
    }

    /// Whether these texts can be given for the scenario's options.
    ///
    /// # Errors
    /// The first that is unknown or not a valid value.
    pub fn check_options(&self, given: &BTreeMap<String, String>) -> Result<(), MisfitError> {
        for (name, value) in given {
            let Some(option) = self.options.iter().find(|option| option.name == *name) else {
                let known = self.options.iter().map(|option| option.name.as_str());
                return Err(self.unknown("options", "option", name, known.collect()));
            };
            option.check(value)?;
        }
        Ok(())
    }

    fn unknown(
        &self,
        key: &'static str,
        what: &'static str,
        name: &str,
        known: Vec<&str>,
    ) -> MisfitError {
        MisfitError::Unknown {
            scenario: shown(&self.name),
            key,
            what,
            name: shown(name),
            hint: hint(name, &known),
        }
    }
}

fn hint(name: &str, known: &[&str]) -> String {
    match nearest(name, known.iter().copied()) {
        Some(nearest) => format!("did you mean `{}`?", shown(nearest)),
        None if known.is_empty() => "it has none".to_owned(),
        None => format!("available: {}", list(known)),
    }
}

pub(super) fn list(names: &[&str]) -> String {
    let mut names: Vec<String> = names.iter().map(|name| shown(name)).collect();
    if names.len() > MAX_SHOWN {
        names.truncate(MAX_SHOWN);
        names.push("…".to_owned());
    }
    names.join(", ")
}

pub(super) fn shown(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(MAX_SHOWN_CHARS)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load_test::{OptionInfo, OptionKind};

    fn user_type(name: &str, weight: f64, fixed_count: u64, host: Option<&str>) -> UserTypeInfo {
        UserTypeInfo {
            name: name.into(),
            weight,
            fixed_count,
            host: host.map(Into::into),
        }
    }

    fn option(name: &str, kind: OptionKind) -> OptionInfo {
        OptionInfo {
            name: name.into(),
            kind,
            ..OptionInfo::default()
        }
    }

    fn scenario() -> ScenarioInfo {
        ScenarioInfo {
            name: "shop".into(),
            tags: vec!["api".into(), "slow".into()],
            user_types: vec![
                user_type("Web", 3.0, 0, Some("http://a")),
                user_type("Admin", 0.0, 2, None),
                user_type("Unused", 0.0, 0, None),
            ],
            options: vec![
                option("count", OptionKind::Integer),
                option("ratio", OptionKind::Number),
                option("dry-run", OptionKind::Flag),
                OptionInfo {
                    secret: true,
                    ..option("pin", OptionKind::Integer)
                },
                OptionInfo {
                    choices: vec!["red".into(), "blue".into()],
                    ..option("colour", OptionKind::Text)
                },
            ],
            ..ScenarioInfo::default()
        }
    }

    fn test() -> LoadTest {
        LoadTest {
            host: "http://a".into(),
            users: 9,
            ..LoadTest::default()
        }
    }

    fn given(name: &str, value: &str) -> LoadTest {
        LoadTest {
            options: [(name.to_owned(), value.to_owned())].into(),
            ..test()
        }
    }

    fn judging(threshold: &str) -> LoadTest {
        LoadTest {
            thresholds: vec![threshold.parse().unwrap()],
            ..test()
        }
    }

    fn selecting(user_types: &[&str]) -> LoadTest {
        let mut test = test();
        test.selection.user_types = user_types.iter().map(|name| (*name).into()).collect();
        test
    }

    #[test]
    fn what_fits_is_taken() {
        for test in [
            test(),
            given("count", "-3"),
            given("ratio", "1e3"),
            given("dry-run", "true"),
            given("pin", "1234"),
            given("colour", "blue"),
            selecting(&["Admin"]),
            LoadTest {
                host: String::new(),
                ..selecting(&["Web", "Unused"])
            },
        ] {
            assert_eq!(test.check_fits(&scenario()), Ok(()), "{test:?}");
        }
        assert_eq!(test().check_fits(&ScenarioInfo::default()), Ok(()));
    }

    #[test]
    fn a_load_shape_says_later_how_long_its_run_takes() {
        let short = LoadTest {
            duration_s: 120,
            ..judging("p95 < 1s within 5m")
        };
        let shaped = ScenarioInfo {
            has_shape: true,
            ..scenario()
        };
        assert_eq!(short.check_choice(&shaped), Ok(()));
        let refused = short.check_fits_declared().unwrap_err();
        assert_eq!(refused.path(), "thresholds");
        let long = LoadTest {
            duration_s: 300,
            ..short
        };
        assert_eq!(long.check_choice(&scenario()), Ok(()));
    }

    #[test]
    fn each_misfit_has_its_message() {
        let tagged = |tags: &[&str], excluded: &[&str]| {
            let mut test = test();
            test.selection.tags = tags.iter().map(|tag| (*tag).into()).collect();
            test.selection.exclude_tags = excluded.iter().map(|tag| (*tag).into()).collect();
            test
        };
        let contradictory = LoadTest {
            thresholds: judging("failures < 5 for tag slow").thresholds,
            ..tagged(&[], &["slow"])
        };
        let homeless = LoadTest {
            host: String::new(),
            ..test()
        };
        for (test, words) in [
            (
                given("cuont", "1"),
                "no option `cuont`; did you mean `count`?",
            ),
            (
                given("zzz", "1"),
                "available: count, ratio, dry-run, pin, colour",
            ),
            (given("count", "1.5"), "must be a whole number, not `1.5`"),
            (given("ratio", "inf"), "must be a number, not `inf`"),
            (given("dry-run", "yes"), "true or false, not `yes`"),
            (
                given("pin", "s3cr3t"),
                "option `pin` must be a whole number",
            ),
            (given("colour", "green"), "one of red, blue, not `green`"),
            (
                tagged(&["zz"], &[]),
                "no task with tag `zz`; available: api, slow",
            ),
            (tagged(&["api"], &["slwo"]), "did you mean `slow`?"),
            (
                judging("p95 < 1s for tag apo"),
                "scenario `shop` has no task with tag `apo`; did you mean `api`?",
            ),
            (
                contradictory,
                "threshold `failures < 5 for tag slow` is for tag `slow`, which is in `exclude_tags`, too",
            ),
            (
                LoadTest {
                    duration_s: 120,
                    ..judging("p95 < 1s within 5m")
                },
                "threshold `p95 < 1s within 5m` would never be judged: the run without its ramp-up takes 2m",
            ),
            (
                selecting(&["web"]),
                "no user type `web`; did you mean `Web`?",
            ),
            (
                selecting(&["Unused"]),
                "There are no users with weight > 0 in scenario `shop`",
            ),
            (homeless, "user type `Admin` has none of its own"),
        ] {
            let message = test.check_fits(&scenario()).unwrap_err().to_string();
            assert!(message.contains(words), "{message:?}: {words:?}");
            assert!(!message.contains("s3cr3t"), "{message:?} tells a secret");
        }
        let nowhere = LoadTest::default();
        let error = nowhere.check_fits(&ScenarioInfo::default()).unwrap_err();
        assert_eq!(error, NoHost::default().into());
    }

    #[test]
    fn a_test_with_its_own_requests_has_nothing_to_select() {
        assert_eq!(test().check_fits_declared(), Ok(()));
        assert!(given("a", "b").check_fits_declared().is_err());
        assert!(selecting(&["Web"]).check_fits_declared().is_err());
        assert_eq!(judging("p95 < 1s for GET /").check_fits_declared(), Ok(()));
        let refused = judging("p95 < 1s for tag api").check_fits_declared();
        let refused = refused.unwrap_err();
        assert_eq!(refused.path(), "thresholds");
        let message = refused.to_string();
        assert!(
            message.contains("`p95 < 1s for tag api` is for a tag, but the requests are declared"),
            "{message}"
        );
    }

    #[test]
    fn too_few_fixed_users_are_told() {
        assert_eq!(test().fixed_counts_warning(&scenario()), None);
        let warning = selecting(&["Admin"])
            .fixed_counts_warning(&scenario())
            .unwrap();
        assert!(
            warning.contains("add up to 2: only 2 of 9 users"),
            "{warning}"
        );
    }
}
