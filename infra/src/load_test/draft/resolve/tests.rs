use proptest::prelude::*;

use super::*;
use crate::load_test::{FieldKind, FieldValue, Stage, UserTypeInfo};

fn shop() -> ScenarioInfo {
    ScenarioInfo {
        name: "shop".into(),
        ..ScenarioInfo::default()
    }
}

fn resolved_with(json: &str, known: &ScenarioInfo) -> Result<LoadTest, String> {
    let (draft, found) = TestDraft::from_json(json.as_bytes());
    let known = Some(known).filter(|_| draft.infrastructure.is_none());
    found
        .and(draft.resolve(&TestDefaults::USUAL, known))
        .map_err(|errors| errors.to_string())
}

fn resolved(json: &str) -> Result<LoadTest, String> {
    resolved_with(json, &shop())
}

#[test]
fn what_is_left_out_takes_its_default() {
    let test = resolved(r#"{"host": "http://a.example"}"#).unwrap();
    let expected = LoadTest {
        name: "shop".into(),
        host: "http://a.example".into(),
        users: 10,
        ramp_up_s: 10,
        duration_s: 60,
        workers: 0,
        auto_workers: true,
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
    let test = resolved(
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
    let test = resolved(&format!(
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
    let test = resolved(r#"{"host": "http://a.example", "infrastructure": "empty"}"#).unwrap();
    assert_eq!(
        (test.name.as_str(), test.scenario.as_str()),
        ("a.example", "")
    );
}

#[test]
fn stages_take_the_place_of_users_ramp_and_duration() {
    let test = resolved(
        r#"{"host": "http://a", "stages": [
            {"users": 5, "ramp": "10s", "duration": "1m"}, {"users": 20, "duration_s": 30}]}"#,
    )
    .unwrap();
    assert_eq!((test.users, test.ramp_up_s, test.duration_s), (20, 0, 90));
    assert_eq!(test.stages[0].ramp_s, 10);
    assert_eq!(test.stages[1].users, Some(20));
    let rate_only = resolved(
        r#"{"host": "http://a", "users": 7, "stages": [{"arrival_rate": 5, "duration": 30}]}"#,
    )
    .unwrap();
    assert_eq!((rate_only.users, rate_only.duration_s), (7, 30));
}

#[test]
fn contradictions_are_named() {
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
        let message = resolved(json).unwrap_err();
        assert!(message.contains(words), "{json}: {message}");
    }
}

#[test]
fn a_load_shape_decides_and_has_all_the_time_there_is() {
    let shaped = ScenarioInfo {
        has_shape: true,
        ..shop()
    };
    let test = resolved_with(r#"{"host": "http://a", "workers": 40}"#, &shaped).unwrap();
    assert_eq!(test.duration_s, MAX_DURATION.as_secs());
    assert_eq!((test.users, test.ramp_up_s), (10, 0));
    let test = resolved_with(r#"{"host": "http://a", "duration": 90}"#, &shaped).unwrap();
    assert_eq!(test.duration_s, 90);
}

#[test]
fn options_are_texts_whatever_json_says() {
    let test =
        resolved(r#"{"host": "http://a", "options": {"a": "x", "b": 2.5, "c": true, "d": -1}}"#)
            .unwrap();
    let texts: Vec<_> = test.options.values().map(String::as_str).collect();
    assert_eq!(texts, ["x", "2.5", "true", "-1"]);
    let error = resolved(r#"{"host": "http://a", "options": {"a": ["geheim"]}}"#).unwrap_err();
    assert!(
        error.contains("must be a string") && !error.contains("geheim"),
        "{error}"
    );
}

#[test]
fn everything_is_reported_at_once_and_nothing_twice() {
    let errors = resolved(
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
        let errors = resolved(json).unwrap_err();
        assert_eq!(errors.lines().count(), 1, "{json}: {errors}");
    }
}

#[test]
fn the_default_ramp_up_is_shorter_than_a_short_test() {
    let test = resolved(r#"{"host": "http://a", "duration": 6}"#).unwrap();
    assert_eq!((test.duration_s, test.ramp_up_s), (6, 1));
    let test = resolved(r#"{"host": "http://a", "duration": 6, "ramp_up": 10}"#).unwrap();
    assert_eq!((test.ramp_up_s, test.warnings().len()), (10, 1));
}

#[test]
fn the_host_may_be_left_to_the_user_types() {
    let mut with_hosts = shop();
    for host in [Some("http://a".to_owned()), None] {
        with_hosts.user_types.push(UserTypeInfo {
            host,
            weight: 1.0,
            ..UserTypeInfo::default()
        });
    }
    assert!(
        resolved_with("{}", &with_hosts)
            .unwrap_err()
            .contains("no host")
    );
    with_hosts.user_types.pop();
    assert_eq!(resolved_with("{}", &with_hosts).unwrap().host, "");
}

#[test]
fn an_empty_host_is_one_that_is_left_out() {
    let file = TestDraft::from_toml("host = \"\"").unwrap();
    assert_eq!(file.check_given(), Ok(()));
    let flags = TestDraft {
        host: Some("http://a".into()),
        ..TestDraft::default()
    };
    let test = flags
        .over(file)
        .draft
        .resolve(&TestDefaults::USUAL, Some(&shop()));
    assert_eq!(test.unwrap().host, "http://a");

    let mut with_hosts = shop();
    with_hosts.user_types.push(UserTypeInfo {
        host: Some("http://b".to_owned()),
        weight: 1.0,
        ..UserTypeInfo::default()
    });
    let json = r#"{"host": ""}"#;
    assert_eq!(resolved_with(json, &with_hosts).unwrap().host, "");
    let error = resolved_with(json, &shop()).unwrap_err();
    assert!(error.contains("no host is given"), "{error}");

    let declared = "host = \"\"\n[[request]]\npath = \"/\"";
    let error = TestDraft::from_toml(declared).unwrap_err().to_string();
    assert!(error.contains("no host is given"), "{error}");
}

#[test]
fn a_load_shape_is_followed_unless_the_test_says_how_the_load_goes() {
    let draft = |json: &str| TestDraft::from_json(json.as_bytes()).0;
    let rate = draft(r#"{"arrival_rate": 5, "users": 3}"#);
    let stages = draft(r#"{"stages": [{"users": 5, "duration": 60}]}"#);
    let declared = draft(r#"{"declared": {"requests": [{"path": "/"}]}, "users": 3}"#);
    for own in [rate, stages, declared] {
        assert!(!own.follows_shape(true), "{own:?}");
        assert!(own.left_to_shape(true).is_empty());
        assert_eq!(own.clone().without_shape(true), own);
    }
    // The form asks the list of fields.
    for field in FIELDS {
        let mut draft = TestDraft::default();
        let value = match field.kind {
            FieldKind::Text if field.key == "trace_share" => FieldValue::Text("1%".into()),
            FieldKind::Text | FieldKind::Count => FieldValue::Text("1".into()),
            FieldKind::Choice => FieldValue::Text(field.choices[1].into()),
            FieldKind::Whole | FieldKind::Seconds => FieldValue::Whole(1),
            FieldKind::Number => FieldValue::Number(1.0),
            FieldKind::Flag => FieldValue::Flag(true),
            FieldKind::List | FieldKind::Thresholds => FieldValue::List(vec!["1".into()]),
        };
        field.set(&mut draft, value).unwrap();
        let key = field.key;
        assert_eq!(draft.follows_shape(true), !field.replaces_shape, "{key}");
        let is_left = !draft.left_to_shape(true).is_empty();
        assert_eq!(is_left, field.is_of_shape, "{key}");
        if field.is_of_shape {
            assert_eq!(draft.without_shape(true), TestDraft::default(), "{key}");
        }
    }
    let shaped = draft(r#"{"users": 3, "spawn_rate": 2, "duration": 2592000, "workers": 2}"#);
    assert!(shaped.follows_shape(true) && !shaped.follows_shape(false));
    assert_eq!(shaped.left_to_shape(true), ["users", "spawn_rate"]);
    let left = shaped.clone().without_shape(true);
    assert_eq!(left, draft(r#"{"workers": 2}"#));
    assert_eq!(shaped.clone().without_shape(false), shaped);
}

#[test]
fn a_description_is_kept_as_it_is_and_bounded() {
    let with = |text: &str| format!(r#"{{"host": "http://a", "description": "{text}"}}"#);
    let test = resolved(&with("Black Friday, ×3")).unwrap();
    assert_eq!(test.description, "Black Friday, ×3");
    assert_eq!(TestDraft::from(&test).description, Some(test.description));
    assert!(resolved(&with(&"x".repeat(1_000))).is_ok());
    let file = TestDraft::from_toml("description = \"\"\"\nWhat for:\n\t- sales\"\"\"").unwrap();
    assert_eq!(file.description.as_deref(), Some("What for:\n\t- sales"));
    let error = TestDraft::from_toml("name = \"two\\nlines\"").unwrap_err();
    assert!(error.to_string().contains("name"), "{error}");
    for wrong in ["x".repeat(1_001), "a\\u0007".to_owned()] {
        let errors = resolved(&with(&wrong)).unwrap_err();
        assert_eq!(
            errors,
            "description is longer than 1000 bytes or has control characters"
        );
    }
}

#[test]
fn only_what_is_given_is_checked_where_the_scenario_is_not_known() {
    let checked = |json: &str| TestDraft::from_json(json.as_bytes()).0.check_given();
    assert_eq!(checked("{}"), Ok(()));
    assert_eq!(checked(r#"{"workers": 2, "users": 2}"#), Ok(()));
    let errors = checked(r#"{"workers": 3, "users": 2, "host": "example"}"#).unwrap_err();
    let paths: Vec<_> = errors.iter().map(|error| error.path.as_str()).collect();
    assert_eq!(paths, ["host", "workers"], "{errors}");
}

prop_compose! {
    fn tests()(
        users in 1_u64..1_000,
        ramp_up_s in 0_u64..10_000,
        duration_s in 1..=MAX_DURATION.as_secs(),
        // JSON keeps these exactly.
        spawn_rate in prop::option::of((1_u32..9_000).prop_map(|rate| f64::from(rate) / 8.0)),
        arrival_rate in prop::option::of((1_u32..9_000).prop_map(|rate| f64::from(rate) / 8.0)),
        stages in prop::collection::vec((1_u64..90, 1_u64..9_000), 0..5),
        timeout in prop::option::of(1_u64..5_000),
        tags in prop::collection::vec("[a-z]{1,9}", 0..3),
        equal_weights: bool,
        thresholds in prop::sample::subsequence(vec!["p95 < 2s", "rps > 1 for GET /a during whole", "mean < baseline + 5%"], 0..=3),
    ) -> LoadTest {
        let is_staged = !stages.is_empty();
        let arrival_rate = arrival_rate.filter(|_| !is_staged);
        let spawn_rate = spawn_rate.filter(|_| !is_staged && arrival_rate.is_none());
        let mut test = LoadTest {
            name: "a test".into(),
            host: "http://127.0.0.1:9/base".into(),
            users,
            ramp_up_s: if spawn_rate.is_some() { 0 } else { ramp_up_s },
            duration_s,
            workers: 1,
            infrastructure: "lab 1".into(),
            scenario: "shop".into(),
            stop_timeout_s: 7,
            spawn_rate,
            arrival_rate,
            stages: stages
                .into_iter()
                .map(|(users, duration_s)| Stage { users: Some(users), duration_s, ..Stage::default() })
                .collect(),
            ..LoadTest::default()
        };
        test.client.request_timeout = timeout.map(std::time::Duration::from_millis);
        test.selection.tags = tags;
        test.selection.equal_weights = equal_weights;
        test.thresholds = thresholds.into_iter().map(|text| text.parse().unwrap()).collect();
        test.settled()
    }
}

proptest! {
    /// A test that is asked for again is the same, also after its draft went to a coordinator as JSON.
    #[test]
    fn a_draft_of_a_test_means_that_test(test in tests()) {
        let draft = TestDraft::from(&test);
        let sent = serde_json::to_vec(&draft).unwrap();
        let (received, errors) = TestDraft::from_json(&sent);
        prop_assert!(errors.is_empty(), "{}", errors);
        prop_assert_eq!(&received, &draft);
        prop_assert_eq!(received.resolve(&TestDefaults::USUAL, Some(&shop())), Ok(test));
    }
}
