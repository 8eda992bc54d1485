//! What programs send to start a run, and how it becomes a [`LoadTest`].

use std::collections::BTreeMap;

use greylag_infra::protocol::ScenarioInfo;
use greylag_infra::{DeclaredScenario, LoadTest, LoadTestError, MAX_DURATION, Selection, Stage};
use serde::Deserialize;

use super::values::{DurationValue, OptionText};
use crate::front_view::StartDefaults;

/// Label of a declared scenario that has no name.
const DECLARED_LABEL: &str = "declared";

/// Body of `POST /api/v1/runs`. What is left out takes its default ([`StartDefaults`]).
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct StartRequest {
    /// Name of the test; by default the scenario's, of a declared scenario that of the host.
    pub(super) name: Option<String>,
    /// Base URL of the target; may be left out only when every user type of the scenario has a host.
    pub(super) host: Option<String>,
    /// Peak concurrent users.
    pub(super) users: Option<u64>,
    /// Seconds, or Locust's text.
    pub(super) ramp_up: Option<DurationValue>,
    /// Users started per second, instead of `ramp_up`.
    pub(super) spawn_rate: Option<f64>,
    /// Seconds, or Locust's text. Of a scenario with a load shape the most it may take.
    pub(super) duration: Option<DurationValue>,
    /// Instead of users, ramp-up and duration.
    pub(super) stages: Vec<StageRequest>,
    /// New iterations per second, whatever the target does.
    pub(super) arrival_rate: Option<f64>,
    /// Worker processes.
    pub(super) workers: Option<u32>,
    /// Name of the infrastructure.
    pub(super) infrastructure: Option<String>,
    /// Name of the scenario; by default the first one known.
    pub(super) scenario: Option<String>,
    /// Seconds, or Locust's text.
    pub(super) stop_timeout: Option<DurationValue>,
    /// Requests of a declared scenario.
    pub(super) declared: Option<DeclaredScenario>,
    /// User types that take part; all when empty.
    pub(super) user_types: Vec<String>,
    /// Only tasks with one of these tags; all when empty.
    pub(super) tags: Vec<String>,
    /// No tasks with one of these tags.
    pub(super) exclude_tags: Vec<String>,
    /// Whether user types and tasks are all as likely as each other.
    pub(super) equal_weights: bool,
    /// The scenario's own options by name.
    pub(super) options: BTreeMap<String, OptionText>,
}

/// One of [`StartRequest::stages`]. Durations are seconds, or Locust's text.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct StageRequest {
    /// Users at the end of the ramp; as before when left out.
    users: Option<u64>,
    /// New iterations per second at the end of the ramp; as before when left out.
    arrival_rate: Option<f64>,
    /// How long the ramp takes; 0 when left out.
    #[serde(alias = "ramp_s")]
    ramp: Option<DurationValue>,
    /// Users started or stopped per second, instead of `ramp`.
    spawn_rate: Option<f64>,
    /// How long the stage lasts, its ramp included.
    #[serde(alias = "duration_s")]
    duration: Option<DurationValue>,
}

impl StartRequest {
    /// The test that is meant. `find` knows scenarios by infrastructure and name (the first one without a
    /// name). What only the coordinator can know (infrastructure, scenario, agents) is checked when the run is
    /// started.
    ///
    /// # Errors
    /// One sentence about the first mistake.
    pub(super) fn into_load_test(
        self,
        defaults: &StartDefaults,
        find: impl FnOnce(&str, Option<&str>) -> Option<ScenarioInfo>,
    ) -> Result<LoadTest, String> {
        let infrastructure = self
            .infrastructure
            .unwrap_or_else(|| defaults.infrastructure.to_owned());
        let known = match self.declared {
            Some(_) => None,
            None => find(&infrastructure, self.scenario.as_deref()),
        };
        let scenario = match (self.scenario, &self.declared, &known) {
            (Some(scenario), _, _) => scenario,
            (None, Some(_), _) => DECLARED_LABEL.to_owned(),
            // Without any, the coordinator's refusal says what is missing (an infrastructure, an agent).
            (None, None, known) => known.as_ref().map_or_else(String::new, |k| k.name.clone()),
        };
        let host = match self.host {
            Some(host) => host,
            None if known.as_ref().is_some_and(every_user_type_has_a_host) => String::new(),
            None => {
                return Err(LoadTestError::NoHost.to_string());
            }
        };
        let has_shape = known.is_some_and(|known| known.has_shape);
        let is_shaped = has_shape && self.stages.is_empty() && self.arrival_rate.is_none();
        let mut test = LoadTest {
            host,
            users: self.users.unwrap_or(defaults.users),
            workers: self.workers.unwrap_or(defaults.workers),
            infrastructure,
            scenario,
            stop_timeout_s: seconds(
                self.stop_timeout.as_ref(),
                "stop_timeout",
                defaults.stop_timeout_s,
            )?,
            declared: self.declared,
            spawn_rate: self.spawn_rate,
            arrival_rate: self.arrival_rate,
            selection: Selection {
                user_types: self.user_types,
                tags: self.tags,
                exclude_tags: self.exclude_tags,
                equal_weights: self.equal_weights,
            },
            options: self
                .options
                .into_iter()
                .map(|(name, OptionText(value))| (name, value))
                .collect(),
            ..LoadTest::default()
        };
        if !self.stages.is_empty() {
            let other = [
                ("ramp_up", self.ramp_up.is_some()),
                ("spawn_rate", self.spawn_rate.is_some()),
                ("duration", self.duration.is_some()),
            ];
            if let Some((name, _)) = other.into_iter().find(|(_, given)| *given) {
                return Err(format!(
                    "stages and {name} are given; stages say themselves how users change and how long it takes, so leave out {name}"
                ));
            }
            test.stages = self
                .stages
                .iter()
                .enumerate()
                .map(|(index, stage)| stage.to_stage(index))
                .collect::<Result<_, _>>()?;
            test = test.settled();
        } else {
            if self.spawn_rate.is_some() && self.ramp_up.is_some() {
                return Err("ramp_up and spawn_rate are both given; give one of them".to_owned());
            }
            test.ramp_up_s = match self.spawn_rate {
                Some(_) => 0,
                None => seconds(self.ramp_up.as_ref(), "ramp_up", defaults.ramp_up_s)?,
            };
            let longest = if is_shaped {
                MAX_DURATION.as_secs()
            } else {
                defaults.duration_s
            };
            test.duration_s = seconds(self.duration.as_ref(), "duration", longest)?;
        }
        if is_shaped {
            // The shape brings its own number of users later.
            test.ramp_up_s = 0;
            test.spawn_rate = None;
        }
        test.name = match self.name {
            Some(name) => name,
            None => default_name(&test).map_err(|error| error.to_string())?,
        };
        let checked = if has_shape {
            test.check_with_shape()
        } else {
            test.check()
        };
        checked.map_err(|error| error.to_string())?;
        Ok(test)
    }
}

impl StageRequest {
    fn to_stage(&self, index: usize) -> Result<Stage, String> {
        let field = |name: &str| format!("stages[{index}].{name}");
        let duration = self.duration.as_ref().ok_or_else(|| {
            format!(
                "{} is not given; say how long the stage lasts",
                field("duration")
            )
        })?;
        Ok(Stage {
            users: self.users,
            arrival_rate: self.arrival_rate,
            ramp_s: seconds(self.ramp.as_ref(), &field("ramp"), 0)?,
            spawn_rate: self.spawn_rate,
            duration_s: duration.seconds(&field("duration"))?,
        })
    }
}

fn seconds(value: Option<&DurationValue>, field: &str, default: u64) -> Result<u64, String> {
    value.map_or(Ok(default), |value| value.seconds(field))
}

fn every_user_type_has_a_host(scenario: &ScenarioInfo) -> bool {
    let types = &scenario.user_types;
    !types.is_empty() && types.iter().all(|user_type| user_type.host.is_some())
}

/// The scenario's name, or that of the host where the scenario has none of its own.
fn default_name(test: &LoadTest) -> Result<String, LoadTestError> {
    if test.declared.is_none() && !test.scenario.is_empty() {
        return Ok(test.scenario.clone());
    }
    Ok(test.host_url()?.host_str().unwrap_or_default().to_owned())
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
        let request: StartRequest = serde_json::from_str(json).expect("a request");
        request.into_load_test(&StartDefaults::default(), |infrastructure, _| {
            (infrastructure == "local").then(|| known.clone())
        })
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
                "ramp_up and spawn_rate are both given",
            ),
            (
                r#"{"host": "http://a", "duration": 9, "stages": [{"users": 1, "duration": 9}]}"#,
                "stages and duration are given",
            ),
            (
                r#"{"host": "http://a", "stages": [{"users": 1}]}"#,
                "stages[0].duration is not given",
            ),
            (
                r#"{"host": "http://a", "stages": [{"users": 1, "duration": "x"}]}"#,
                "stages[0].duration: `x` is not a duration",
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
        let error = serde_json::from_str::<StartRequest>(r#"{"options": {"a": ["geheim"]}}"#)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("must be a text") && !error.contains("geheim"),
            "{error}"
        );
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
