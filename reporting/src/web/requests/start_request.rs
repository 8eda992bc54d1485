//! How what programs and the form say becomes a [`LoadTest`].

use std::fmt;

use greylag_infra::protocol::ScenarioInfo;
use greylag_infra::{
    DEFAULT_DURATION_S, DEFAULT_INFRASTRUCTURE, DEFAULT_STOP_TIMEOUT_S, DEFAULT_USERS,
    DEFAULT_WORKERS, DraftErrors, LoadTest, LoadTestError, MAX_DURATION, TestDraft,
    default_ramp_up_s,
};

/// Label of a declared scenario that has no name.
const DECLARED_LABEL: &str = "declared";

/// Why what was sent makes no test: every error at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::web) struct InvalidTest {
    pub(in crate::web) errors: Vec<FieldError>,
    /// Whether the body as such could not be read.
    pub(in crate::web) is_malformed: bool,
}

/// What is wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::web) struct FieldError {
    /// Where it is, such as `declared.requests[0].path`; empty for the whole.
    pub(in crate::web) path: String,
    /// What is wrong there and what to do.
    pub(in crate::web) message: String,
}

impl FieldError {
    pub(in crate::web) fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            message: message.into(),
        }
    }
}

/// One line for each.
impl fmt::Display for InvalidTest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, error) in self.errors.iter().enumerate() {
            if number > 0 {
                formatter.write_str("\n")?;
            }
            formatter.write_str(&error.message)?;
        }
        Ok(())
    }
}

impl From<DraftErrors> for InvalidTest {
    fn from(errors: DraftErrors) -> Self {
        let more = errors.more();
        Self {
            is_malformed: errors.are_of_syntax(),
            errors: errors
                .iter()
                .map(|error| FieldError::new(&error.path, error.to_string()))
                .chain((more > 0).then(|| FieldError::new("", format!("and {more} more errors"))))
                .collect(),
        }
    }
}

/// The test that is meant: what is left out takes its default. `found` are the errors that
/// were met while the draft was read; those of the whole are told with them. `find` knows scenarios by
/// infrastructure and name (the only one without a name). What only the coordinator can know (infrastructure,
/// scenario, agents) is checked when the run is started.
///
/// # Errors
/// Everything that is wrong.
pub(in crate::web) fn complete(
    draft: TestDraft,
    found: Vec<FieldError>,
    find: impl FnOnce(&str, Option<&str>) -> Result<Option<ScenarioInfo>, String>,
) -> Result<LoadTest, InvalidTest> {
    let mut errors = Errors {
        read: found,
        checked: Vec::new(),
    };
    let selection = draft.selection();
    let infrastructure = draft
        .infrastructure
        .unwrap_or_else(|| DEFAULT_INFRASTRUCTURE.to_owned());
    let known = match draft.declared {
        Some(_) => None,
        None => match find(&infrastructure, draft.scenario.as_deref()) {
            Ok(known) => known,
            Err(message) => {
                errors.checked.push(FieldError::new("scenario", message));
                None
            }
        },
    };
    let scenario = match (draft.scenario, &draft.declared, &known) {
        (Some(scenario), _, _) => scenario,
        (None, Some(_), _) => DECLARED_LABEL.to_owned(),
        // Without any, the coordinator's refusal says what is missing (an infrastructure, an agent).
        (None, None, known) => known.as_ref().map_or_else(String::new, |k| k.name.clone()),
    };
    if draft.host.is_none() && !known.as_ref().is_some_and(every_user_type_has_a_host) {
        errors.add(&LoadTestError::NoHost);
    }
    let has_shape = known.is_some_and(|known| known.has_shape);
    let is_shaped = has_shape && draft.stages.is_empty() && draft.arrival_rate.is_none();
    let mut test = LoadTest {
        host: draft.host.unwrap_or_default(),
        users: draft.users.unwrap_or(DEFAULT_USERS),
        workers: draft.workers.unwrap_or(DEFAULT_WORKERS),
        infrastructure,
        scenario,
        stop_timeout_s: draft.stop_timeout_s.unwrap_or(DEFAULT_STOP_TIMEOUT_S),
        declared: draft.declared,
        spawn_rate: draft.spawn_rate,
        arrival_rate: draft.arrival_rate,
        selection,
        options: draft.options,
        client: draft.client,
        stages: draft.stages,
        ..LoadTest::default()
    };
    if test.stages.is_empty() {
        let longest = if is_shaped {
            MAX_DURATION.as_secs()
        } else {
            DEFAULT_DURATION_S
        };
        test.duration_s = draft.duration_s.unwrap_or(longest);
        test.ramp_up_s = match draft.spawn_rate {
            Some(_) => 0,
            None => draft
                .ramp_up_s
                .unwrap_or_else(|| default_ramp_up_s(test.duration_s)),
        };
    } else {
        test = test.settled();
    }
    if is_shaped {
        // The shape brings its own number of users later.
        test.ramp_up_s = 0;
        test.spawn_rate = None;
    }
    test.name = draft.name.unwrap_or_else(|| default_name(&test));
    let checked = if has_shape {
        test.check_with_shape()
    } else {
        test.check()
    };
    if let Err(invalid) = checked {
        for error in invalid.iter() {
            errors.add(error);
        }
    }
    let Errors { read, checked } = errors;
    let errors = [read, checked].concat();
    if errors.is_empty() {
        return Ok(test);
    }
    Err(InvalidTest {
        errors,
        is_malformed: false,
    })
}

/// What was found while reading, and what the check of the whole adds.
struct Errors {
    read: Vec<FieldError>,
    checked: Vec<FieldError>,
}

impl Errors {
    /// Adds an error unless one of the same field was read, of which it may be a consequence.
    fn add(&mut self, error: &LoadTestError) {
        let key = error.key();
        let is_of_key = |known: &FieldError| {
            let field = known.path.split(['.', '[']).next().unwrap_or_default();
            field == key
                || field.strip_suffix('s') == Some(key)
                || (key == "request" && field == "declared")
        };
        let error = FieldError::new(error.path(), error.to_string());
        if !self.read.iter().any(is_of_key) && !self.checked.contains(&error) {
            self.checked.push(error);
        }
    }
}

fn every_user_type_has_a_host(scenario: &ScenarioInfo) -> bool {
    let types = &scenario.user_types;
    !types.is_empty() && types.iter().all(|user_type| user_type.host.is_some())
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
mod tests {
    use super::*;
    use greylag_infra::protocol::UserTypeInfo;

    fn shop() -> ScenarioInfo {
        ScenarioInfo {
            name: "shop".into(),
            ..ScenarioInfo::default()
        }
    }

    fn complete_with(json: &str, known: &ScenarioInfo) -> Result<LoadTest, String> {
        let (draft, errors) = TestDraft::from_json(json.as_bytes());
        let found = errors.map_or_else(Vec::new, |errors| InvalidTest::from(errors).errors);
        super::complete(draft, found, |infrastructure, _| {
            Ok((infrastructure == "local").then(|| known.clone()))
        })
        .map_err(|invalid| invalid.to_string())
    }

    fn complete(json: &str) -> Result<LoadTest, String> {
        complete_with(json, &shop())
    }

    #[test]
    fn what_is_left_out_takes_its_default() {
        let test = complete(r#"{"host": "http://a.example"}"#).unwrap();
        let expected = LoadTest {
            name: "shop".into(),
            host: "http://a.example".into(),
            users: 10,
            ramp_up_s: 10,
            duration_s: 60,
            workers: 1,
            infrastructure: "local".into(),
            scenario: "shop".into(),
            stop_timeout_s: 10,
            declared: None,
            ..LoadTest::default()
        };
        assert_eq!(test, expected);
    }

    #[test]
    fn durations_are_seconds_or_locusts_text() {
        let test = complete(
            r#"{"host": "http://a", "duration": "1h20m", "ramp_up": 90, "stop_timeout": "0s"}"#,
        )
        .unwrap();
        assert_eq!(
            (test.duration_s, test.ramp_up_s, test.stop_timeout_s),
            (4_800, 90, 0)
        );
    }

    #[test]
    fn a_declared_scenario_is_named_after_its_host() {
        let declared = r#"{"requests": [{"method": "GET", "path": "/", "weight": 1}]}"#;
        let test = complete(&format!(
            r#"{{"host": "http://a.example:80/x", "declared": {declared}}}"#
        ))
        .unwrap();
        assert_eq!(
            (test.name.as_str(), test.scenario.as_str()),
            ("a.example", "declared")
        );
    }

    #[test]
    fn without_a_scenario_the_coordinator_decides() {
        let test = complete(r#"{"host": "http://a.example", "infrastructure": "empty"}"#).unwrap();
        assert_eq!(
            (test.name.as_str(), test.scenario.as_str()),
            ("a.example", "")
        );
    }

    #[test]
    fn stages_take_the_place_of_users_ramp_and_duration() {
        let test = complete(
            r#"{"host": "http://a", "stages": [
                {"users": 5, "ramp": "10s", "duration": "1m"}, {"users": 20, "duration_s": 30}]}"#,
        )
        .unwrap();
        assert_eq!((test.users, test.ramp_up_s, test.duration_s), (20, 0, 90));
        assert_eq!(test.stages[0].ramp_s, 10);
        assert_eq!(test.stages[1].users, Some(20));
        let rate_only = complete(
            r#"{"host": "http://a", "users": 7, "stages": [{"arrival_rate": 5, "duration": 30}]}"#,
        )
        .unwrap();
        assert_eq!((rate_only.users, rate_only.duration_s), (7, 30));
    }

    #[test]
    fn contradictions_have_their_sentence() {
        for (json, words) in [
            (
                r#"{"host": "http://a", "ramp_up": 1, "spawn_rate": 2}"#,
                "`ramp_up` and `spawn_rate` are both given",
            ),
            (
                r#"{"host": "http://a", "duration": 9, "stages": [{"users": 1, "duration": 9}]}"#,
                "stages and `duration` are both given",
            ),
            (
                r#"{"host": "http://a", "stages": [{"users": 1}]}"#,
                "stages[0].duration: this stage has no `duration`",
            ),
            (
                r#"{"host": "http://a", "stages": [{"users": 1, "duration": "x"}]}"#,
                "stages[0].duration: `duration`: `x` is not a valid duration",
            ),
        ] {
            let sentence = complete(json).unwrap_err();
            assert!(sentence.contains(words), "{json}: {sentence}");
        }
    }

    #[test]
    fn a_load_shape_decides_and_has_all_the_time_there_is() {
        let shaped = ScenarioInfo {
            has_shape: true,
            ..shop()
        };
        let test = complete_with(r#"{"host": "http://a", "workers": 40}"#, &shaped).unwrap();
        assert_eq!(test.duration_s, MAX_DURATION.as_secs());
        assert_eq!((test.users, test.ramp_up_s), (10, 0));
        let test = complete_with(r#"{"host": "http://a", "duration": 90}"#, &shaped).unwrap();
        assert_eq!(test.duration_s, 90);
    }

    #[test]
    fn options_are_texts_whatever_json_says() {
        let test = complete(
            r#"{"host": "http://a", "options": {"a": "x", "b": 2.5, "c": true, "d": -1}}"#,
        )
        .unwrap();
        let texts: Vec<_> = test.options.values().map(String::as_str).collect();
        assert_eq!(texts, ["x", "2.5", "true", "-1"]);
        let error = complete(r#"{"host": "http://a", "options": {"a": ["geheim"]}}"#).unwrap_err();
        assert!(
            error.contains("must be a string") && !error.contains("geheim"),
            "{error}"
        );
    }

    #[test]
    fn everything_is_told_at_once_and_nothing_twice() {
        let errors = complete(
            r#"{"hots": "http://a", "users": 0, "workers": "two", "duration": "5x",
                "declared": {"requests": [{"path": "/", "metod": "GET"}]}}"#,
        )
        .unwrap_err();
        for words in [
            "`hots` is not a valid key of a load test; did you mean `host`?",
            "users must be between 1 and 1000000, got 0",
            "`workers` must be a whole number",
            "`5x` is not a valid duration",
            "did you mean `method`?",
            "no host is given",
        ] {
            assert!(errors.contains(words), "{words}: {errors}");
        }
        assert_eq!(errors.lines().count(), 6, "{errors}");
        for json in [
            r#"{"host": "nonsense"}"#,
            r#"{"host": 5}"#,
            r#"{"host": "http://a", "stages": [{"users": 1}]}"#,
            r#"{"host": "http://a", "client": {"proxy": "http://p:1"}, "declared": {"requests": [{"path": "/"}]}}"#,
            r#"{"host": "http://a", "declared": {"requests": [{"path": "x"}]}}"#,
            r#"{"host": "http://a", "declared": {"requests": []}}"#,
            r#"{"host": "http://a", "client": {"root_certificate": "ca.pem"}}"#,
        ] {
            let errors = complete(json).unwrap_err();
            assert_eq!(errors.lines().count(), 1, "{json}: {errors}");
        }
    }

    #[test]
    fn the_default_ramp_up_is_shorter_than_a_short_test() {
        let test = complete(r#"{"host": "http://a", "duration": 6}"#).unwrap();
        assert_eq!((test.duration_s, test.ramp_up_s), (6, 1));
        let test = complete(r#"{"host": "http://a", "duration": 6, "ramp_up": 10}"#).unwrap();
        assert_eq!((test.ramp_up_s, test.warnings().len()), (10, 1));
    }

    #[test]
    fn the_host_may_be_left_to_the_user_types() {
        let mut with_hosts = shop();
        for host in [Some("http://a".to_owned()), None] {
            with_hosts.user_types.push(UserTypeInfo {
                host,
                ..UserTypeInfo::default()
            });
        }
        assert!(
            complete_with("{}", &with_hosts)
                .unwrap_err()
                .contains("no host")
        );
        with_hosts.user_types.pop();
        assert_eq!(complete_with("{}", &with_hosts).unwrap().host, "");
    }
}
