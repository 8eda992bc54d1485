use std::time::Duration;

use super::*;
use crate::base::{MAX_STAGES, MAX_USERS, RunTime};

fn valid() -> LoadTest {
    LoadTest {
        name: "checkout".into(),
        host: "http://127.0.0.1:8080".into(),
        users: 10,
        ramp_up_s: 5,
        duration_s: 10,
        workers: 2,
        infrastructure: "local".into(),
        scenario: "shop".into(),
        stop_timeout_s: 10,
        declared: None,
        ..LoadTest::default()
    }
}

#[test]
fn a_valid_test_passes() {
    assert_eq!(valid().check(), Ok(()));
}

#[test]
fn declared_requests_are_checked() {
    let request = DeclaredRequest {
        method: "GET".into(),
        path: "/".into(),
        name: None,
        weight: 1,
        headers: Vec::new(),
        body: None,
        expect_status: None,
        expect_body: None,
    };
    type Change = fn(&mut DeclaredRequest);
    let cases: [(Change, &str); 10] = [
        (|_| {}, ""),
        (|r| r.headers = vec![("x-a".into(), "ü\t1".into())], ""),
        (
            |r| r.headers = vec![("x a".into(), "1".into())],
            "`x a` is not a valid header name",
        ),
        (
            |r| r.headers = vec![("x-a".into(), "1\r\n2".into())],
            "header `x-a` has control characters",
        ),
        (|r| r.method = "connect".into(), "opens a tunnel"),
        (|r| r.path = "https://elsewhere.example/".into(), ""),
        (
            |r| r.method = "NO GET".into(),
            "request 2: `NO GET` is not a valid HTTP method",
        ),
        (|r| r.method = String::new(), "not a valid HTTP method"),
        (|r| r.path = "cart".into(), "does not begin with `/`"),
        (|r| r.expect_status = Some(99), "expect_status 99"),
    ];
    for (change, words) in cases {
        let mut second = request.clone();
        change(&mut second);
        let declared = DeclaredScenario {
            requests: vec![request.clone(), second],
            wait_time: None,
        };
        let checked = LoadTest {
            declared: Some(declared),
            ..valid()
        }
        .check();
        let message = checked
            .err()
            .map_or_else(String::new, |error| error.to_string());
        assert!(
            message.contains(words) && words.is_empty() == message.is_empty(),
            "{message:?}"
        );
    }
    for wait_time in [
        WaitTime::Constant(-1.0),
        WaitTime::Constant(f64::NAN),
        WaitTime::Between(2.0, 1.0),
        WaitTime::Between(0.0, 1e9),
    ] {
        let declared = DeclaredScenario {
            requests: vec![request.clone()],
            wait_time: Some(wait_time),
        };
        let problem = declared.problems().concat();
        assert!(problem.contains("wait time"), "{wait_time:?}: {problem}");
    }
    let weightless = DeclaredRequest {
        weight: 0,
        ..request
    };
    let declared = DeclaredScenario {
        requests: vec![weightless],
        wait_time: None,
    };
    let error = LoadTest {
        declared: Some(declared),
        ..valid()
    }
    .check()
    .unwrap_err();
    assert!(error.to_string().contains("weight above 0"), "{error}");
}

#[test]
fn each_error_has_its_message() {
    type Change = fn(&mut LoadTest);
    let cases: [(Change, &str); 35] = [
        (
            |t| t.scenario = "x".repeat(201),
            "scenario is longer than 200 bytes",
        ),
        (|t| t.name = " ".into(), "name is not valid"),
        (
            |t| t.users = 0,
            "users must be between 1 and 1000000, got 0",
        ),
        (|t| t.users = MAX_USERS + 1, "got 1000001"),
        (
            |t| t.workers = 0,
            "workers must be between 1 and 20000, got 0",
        ),
        (|t| t.workers = 11, "at most one worker per user"),
        (
            |t| t.duration_s = 0,
            "duration must be between 1s and 30 days, got 0s",
        ),
        (|t| t.duration_s = u64::MAX, "between 1s and 30 days"),
        (|t| t.ramp_up_s = u64::MAX, "at most 30 days"),
        (
            |t| t.client.max_redirects = Some(10_000),
            "`client.max_redirects` is 10000; the maximum is 1000",
        ),
        (
            |t| t.client.root_certificate = Some("ca.pem".into()),
            "`client.root_certificate` is not PEM text",
        ),
        (
            |t| t.client.kind = Some(super::ClientKind::Full),
            "`client.kind` is for declared requests",
        ),
        (
            |t| t.client.request_timeout = Some(Duration::ZERO),
            "`client.request_timeout` must be above 0",
        ),
        (
            |t| t.host = "example.com".into(),
            "is not a URL; did you mean http://example.com?",
        ),
        (
            |t| t.host = "localhost:8080/shop".into(),
            "did you mean http://localhost:8080/shop?",
        ),
        (|t| t.host = "two words".into(), "write it as http://"),
        (
            |t| t.host = "ftp://example.com".into(),
            "neither http:// nor https://",
        ),
        (|t| t.host = "http://".into(), "is not a URL"),
        (|t| t.host = "http://a/?x=1".into(), "query"),
        (
            |t| t.declared = Some(DeclaredScenario::default()),
            "[[request]]",
        ),
        (
            |t| {
                t.declared = Some(DeclaredScenario {
                    requests: vec![get("/")],
                    wait_time: None,
                });
                t.host = String::new();
            },
            "no host is given",
        ),
        (|t| spawn(t, 0.0), "above 0, got 0"),
        (|t| spawn(t, f64::INFINITY), "above 0, got inf"),
        (
            |t| t.spawn_rate = Some(5.0),
            "ramp-up and spawn rate are both",
        ),
        (|t| t.arrival_rate = Some(-1.0), "per second, got -1"),
        (|t| t.arrival_rate = Some(2e6), "at most 1000000"),
        (|t| t.arrival_rate = Some(f64::NAN), "per second, got NaN"),
        (
            |t| {
                spawn(t, 5.0);
                t.arrival_rate = Some(5.0);
            },
            "leave the spawn rate out",
        ),
        (
            |t| {
                t.users = 0;
                t.arrival_rate = Some(5.0);
            },
            "maximum number of iterations in progress",
        ),
        (
            |t| t.selection.tags = vec![String::new()],
            "is not a valid tag",
        ),
        (
            |t| t.selection.user_types = vec!["a\nb".into()],
            "`ab` is not a valid name of a user type",
        ),
        (
            |t| t.selection.exclude_tags = vec!["x".into(); 1_001],
            "1001 excluded tags",
        ),
        (
            |t| t.options = (0..101).map(|n| (format!("o{n}"), String::new())).collect(),
            "101 options; the maximum is 100",
        ),
        (
            |t| t.options = [("x".repeat(65), String::new())].into(),
            "is not a valid name of an option",
        ),
        (
            |t| t.options = [("key".into(), "se\0cret".into())].into(),
            "option `key` is longer",
        ),
    ];
    for (change, words) in cases {
        let mut test = valid();
        change(&mut test);
        let message = test.check().unwrap_err().to_string();
        assert!(
            message.contains(words),
            "{message:?} should contain {words:?}"
        );
        assert!(!message.contains("cret"), "{message:?} shows a value");
    }
}

fn get(path: &str) -> DeclaredRequest {
    DeclaredRequest {
        method: "GET".into(),
        path: path.into(),
        name: None,
        weight: 1,
        headers: Vec::new(),
        body: None,
        expect_status: None,
        expect_body: None,
    }
}

fn spawn(test: &mut LoadTest, rate: f64) {
    test.ramp_up_s = 0;
    test.spawn_rate = Some(rate);
}

fn stage(users: u64, ramp_s: u64, duration_s: u64) -> Stage {
    Stage {
        users: Some(users),
        ramp_s,
        duration_s,
        ..Stage::default()
    }
}

fn rate(arrival_rate: f64, ramp_s: u64, duration_s: u64) -> Stage {
    Stage {
        arrival_rate: Some(arrival_rate),
        ramp_s,
        duration_s,
        ..Stage::default()
    }
}

fn staged(stages: Vec<Stage>) -> LoadTest {
    LoadTest {
        users: 0,
        ramp_up_s: 0,
        duration_s: 0,
        stages,
        ..valid()
    }
}

#[test]
fn each_error_in_stages_has_its_message() {
    let spawned = |spawn_rate, stage| Stage {
        spawn_rate: Some(spawn_rate),
        ..stage
    };
    let nothing = Stage {
        duration_s: 5,
        ..Stage::default()
    };
    for (stages, words) in [
        (vec![stage(5, 0, 9); MAX_STAGES + 1], "1001 stages"),
        (
            vec![stage(5, 0, 9), stage(5, 0, 0)],
            "stage 2 has no duration",
        ),
        (
            vec![stage(MAX_USERS + 1, 0, 9)],
            "stage 1 has 1000001 users",
        ),
        (vec![spawned(-1.0, stage(5, 0, 9))], "spawn rate of -1"),
        (
            vec![spawned(1.0, stage(5, 1, 9))],
            "a ramp and a spawn rate",
        ),
        (vec![spawned(1.0, nothing)], "spawn rate but no users"),
        (vec![rate(-1.0, 0, 9)], "arrival rate of -1"),
        (
            vec![rate(1.0, 0, 9)],
            "maximum number of iterations in progress",
        ),
        (
            vec![stage(5, 0, 9), rate(1.0, 0, 9)],
            "some stages have users",
        ),
        (vec![nothing, stage(0, 0, 9)], "above 0 in at least one"),
        (vec![stage(1, 0, 9)], "2 workers but only 1 users"),
        (vec![stage(5, 0, 9_999_999)], "between 1s and 30 days"),
    ] {
        let message = staged(stages).check().unwrap_err().to_string();
        assert!(
            message.contains(words),
            "{message:?} should contain {words:?}"
        );
    }
    let also = LoadTest {
        arrival_rate: Some(1.0),
        ..staged(vec![stage(5, 0, 9)])
    };
    assert_eq!(
        also.check(),
        Err(LoadTestError::StagesAnd("arrival rate").into())
    );
    let idle = LoadTest {
        users: 5,
        ..staged(vec![rate(0.0, 0, 9)])
    };
    assert_eq!(idle.check(), Err(LoadTestError::NoLoad.into()));
}

#[test]
fn stages_follow_one_another() {
    let down = Stage {
        spawn_rate: Some(2.0),
        ..stage(15, 0, 60)
    };
    let test = staged(vec![stage(20, 10, 60), down, stage(0, 10, 10)]);
    assert_eq!(test.check(), Ok(()));
    let settled = test.settled();
    assert_eq!(settled.check(), Ok(()));
    assert_eq!(
        (settled.users, settled.ramp_up_s, settled.duration_s),
        (20, 0, 130)
    );
    let profile = settled.profile();
    assert_eq!(profile.check(), Ok(()));
    let at = |s: u64| profile.users_at(Duration::from_secs(s).into());
    assert_eq!((at(5), at(10), at(60), at(61)), (11, 20, 19, 17));
    assert_eq!((at(62), at(119), at(125), at(130)), (15, 15, 7, 0));
    assert_eq!(profile.most_users(), settled.users);
}

#[test]
fn arrival_rates_have_all_users_from_the_start() {
    let test = LoadTest {
        arrival_rate: Some(50.0),
        ..valid()
    };
    assert_eq!(test.check(), Ok(()));
    let profile = test.profile();
    assert_eq!(profile.users_at(RunTime::ZERO), 10);
    assert_eq!(
        profile.rate_at(RunTime::from_micros(2_500_000)),
        25.0,
        "the ramp-up is the rate's"
    );
    let test = LoadTest {
        users: 7,
        ..staged(vec![rate(50.0, 10, 20), rate(0.0, 0, 5)])
    }
    .settled();
    assert_eq!(test.check(), Ok(()));
    assert_eq!((test.users, test.duration_s), (7, 25));
    let profile = test.profile();
    assert_eq!(
        (
            profile.users_at(RunTime::ZERO),
            profile.rate_at(RunTime::of_second(5))
        ),
        (7, 25.0)
    );
    assert_eq!(profile.rate_at(RunTime::of_second(21)), 0.0);
}

#[test]
fn with_a_shape_in_code_users_and_duration_may_be_left_out() {
    let test = LoadTest {
        users: 0,
        duration_s: 0,
        ..valid()
    };
    assert!(test.check().is_err());
    assert_eq!(test.check_for_scenario(true), Ok(()));
    let crowded = LoadTest {
        users: u64::MAX,
        ..test.clone()
    };
    assert_eq!(
        crowded.check_for_scenario(true),
        Err(LoadTestError::TooManyUsers(u64::MAX).into()),
        "it is kept with the run"
    );
    let test = LoadTest {
        arrival_rate: Some(1.0),
        ..test
    };
    assert!(
        test.check_for_scenario(true).is_err(),
        "the shape does not count"
    );
}

#[test]
fn all_that_is_wrong_is_said() {
    let test = LoadTest {
        name: String::new(),
        users: 0,
        workers: 0,
        stop_timeout_s: 100_000,
        ..valid()
    };
    let errors = test.check().unwrap_err();
    let keys: Vec<_> = errors.iter().map(LoadTestError::key).collect();
    assert_eq!(keys, ["name", "stop_timeout", "users", "workers"]);
    assert_eq!(errors.to_string().lines().count(), 4);
}

#[test]
fn a_host_may_be_left_to_the_user_types() {
    let test = LoadTest {
        host: String::new(),
        ..valid()
    };
    assert_eq!(test.check(), Ok(()));
    assert_eq!(test.host_if_any(), Ok(None));
    assert_eq!(test.host_url(), Err(NoHost::default().into()));
}

#[test]
fn a_definition_of_the_first_version_is_still_read() {
    let stored = r#"{"name":"t","host":"http://a","users":3,"ramp_up_s":1,"duration_s":9,"workers":1,
        "infrastructure":"lab","scenario":"shop","stop_timeout_s":1}"#;
    let test: LoadTest = serde_json::from_str(stored).unwrap();
    assert_eq!(test.check(), Ok(()));
    assert_eq!(test.profile().users_at(RunTime::of_second(1)), 3);
}
