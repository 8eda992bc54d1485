use super::*;
use proptest::prelude::*;

use crate::load_test::Stage;
use crate::load_test::TestDefaults;
use crate::load_test::{WaitTime, WorkerCount};
use std::time::Duration;

#[test]
fn reads_a_whole_file() {
    let file = TestDraft::from_toml(
        r#"
name = "checkout"
host = "http://127.0.0.1:8080"
users = 50
ramp_up = "20s"
duration = "1m"
workers = 2
infrastructure = "local"
stop_timeout = 5
wait_time = [1, 2.5]

[[request]]
path = "/"
weight = 3

[[request]]
method = "post"
path = "/cart?id=1"
name = "/cart"
headers = { accept = "application/json" }
body = '{"id":1}'
expect_status = 201
expect_body = "ok"
"#,
    )
    .unwrap();
    assert_eq!(file.name.as_deref(), Some("checkout"));
    assert_eq!(
        (file.users, file.ramp_up, file.duration),
        (Some(50), Some(20), Some(60))
    );
    assert_eq!(
        (file.workers, file.stop_timeout),
        (Some(WorkerCount::Exactly(2)), Some(5))
    );
    let declared = file.declared.unwrap();
    assert_eq!(declared.wait_time, Some(WaitTime::Between(1.0, 2.5)));
    assert_eq!(declared.requests.len(), 2);
    assert_eq!(declared.requests[0].method, "GET");
    assert_eq!(declared.requests[0].weight, 3);
    assert_eq!(declared.requests[1].method, "POST");
    assert_eq!(declared.requests[1].expect_status, Some(201));
    assert_eq!(
        declared.requests[1].headers,
        [("accept".to_owned(), "application/json".to_owned())]
    );
}

#[test]
fn thresholds_are_texts_or_tables() {
    let texts = |toml: &str| TestDraft::from_toml(toml).unwrap().thresholds.unwrap();
    let list = "thresholds = [\"p95<500ms\", 'max < 5s for \"GET /\" during steady within 30s abort after 1m']";
    let canonical = [
        "p95 < 500ms",
        "max < 5s for GET / during steady within 30s abort after 1m",
    ];
    assert_eq!(texts(list), canonical);
    let tables = "[[threshold]]\ncondition = \"p95 < 500ms\"\n[[threshold]]\ncondition = \"max < 5s\"\nfor = \"GET /\"\n\
                  during = \"steady\"\nwithin = 30\nabort_after = \"1m\"";
    assert_eq!(texts(tables), canonical);
    assert_eq!(texts("threshold = \"p95 < 500ms\""), canonical[..1]);
    let of = |of: &str| {
        texts(&format!(
            "[[threshold]]\ncondition = 'p95 < 1s'\nfor = {of}"
        ))
    };
    assert_eq!(of("'GET  /x'"), ["p95 < 1s for GET /x"]);
    let in_quotes = ["p95 < 1s for \"tag slow within\""];
    assert_eq!(of("'\"tag slow within\"'"), in_quotes);
    assert_eq!(of("'tag slow within'"), in_quotes);
    let json = r#"{"thresholds": ["p95 < 500ms", {"condition": "max < 5s", "for": "GET /", "during": "steady", "within": "30s", "abort_after": 60}]}"#;
    let (draft, errors) = TestDraft::from_json(json.as_bytes());
    assert!(errors.is_empty(), "{errors}");
    assert_eq!(draft.thresholds.unwrap(), canonical);
}

#[test]
fn each_wrong_threshold_is_named_once_with_its_place() {
    for (text, line, words) in [
        (
            "name = \"a\"\nthresholds = [\"p95 < 1s\",\n\"p95 < 1\"]",
            3,
            "did you mean `1ms`?",
        ),
        (
            "\n[[threshold]]\ncondition = \"p95 < 1s\"\nwithin = \"2h\"",
            2,
            "`within` must be between 1s and 60 minutes",
        ),
        ("\n[[threshold]]\nfor = \"GET /\"", 2, "has no `condition`"),
        (
            "[[threshold]]\ncondition = \"p95 < 1s within 5s\"\nwithin = 5",
            1,
            "`within` is given more than once",
        ),
        (
            "[[threshold]]\ncondition = \"p95 < 1s\"\nwihtin = 5",
            3,
            "did you mean `within`?",
        ),
        (
            "thresholds = 5",
            1,
            "`thresholds` must be a list of conditions",
        ),
        ("thresholds = [5]", 1, "one of its values is a whole number"),
        ("threshold = []\nthresholds = []", 2, "mean the same"),
    ] {
        assert_only_error(text, line, words);
    }
    let many = vec!["\"p95 < 1s\""; 51].join(",");
    assert_only_error(&format!("thresholds = [{many}]"), 1, "the maximum is 50");
    let (draft, errors) =
        TestDraft::from_json(br#"{"host": "http://a", "thresholds": ["rps > 1", "p95 < 1"]}"#);
    let resolved = errors
        .and(draft.resolve(&TestDefaults::USUAL, None))
        .unwrap_err();
    let paths: Vec<_> = resolved.iter().map(|error| error.path.as_str()).collect();
    assert_eq!(paths, ["thresholds[1]"], "{resolved}");
    // A flag may bring the arrival rate.
    let mut skips = TestDraft::from_toml("thresholds = [\"skipped < 1%\"]").unwrap();
    let error = skips.check_given().unwrap_err().to_string();
    assert!(
        error.contains("only a test with an arrival rate"),
        "{error}"
    );
    skips.arrival_rate = Some(5.0);
    assert_eq!(skips.check_given(), Ok(()));
    // Flags are read when the test is resolved.
    let flags = TestDraft {
        thresholds: Some(vec!["rps > 1".into(), "p95 < 1".into(), "rps>1".into()]),
        ..TestDraft::default()
    };
    let twice =
        TestDraft::from_toml("host = \"http://a\"\nthresholds = [\"rps > 1\", \"rps>1\"]").unwrap();
    let test = twice.resolve(&TestDefaults::USUAL, None).unwrap();
    assert_eq!(test.thresholds.len(), 1, "the same one counts once");
    let errors = flags.check_given().unwrap_err();
    assert_eq!(errors.iter().count(), 1, "{errors}");
    assert!(
        errors.to_string().starts_with("threshold `p95 < 1`: "),
        "{errors}"
    );
}

/// This text has one error, on this line and with these words.
fn assert_only_error(text: &str, line: usize, words: &str) {
    let errors = TestDraft::from_toml(text).unwrap_err();
    let all: Vec<_> = errors.iter().collect();
    let [error] = all.as_slice() else {
        panic!("{text:?}: one error is enough: {errors}");
    };
    assert!(
        error.message.contains(words),
        "{text:?}: {error} should contain {words:?}"
    );
    assert_eq!(error.line, Some(line), "{text:?}: {error}");
}

#[test]
fn errors_name_the_line_and_the_cure() {
    for (text, line, words) in [
        ("name = \"a\"\nuser = 5\n", 2, "did you mean `users`?"),
        ("rampup = 1", 1, "did you mean `ramp_up`?"),
        (
            "zzzz = 1",
            1,
            "the keys are name, description, labels, host",
        ),
        (
            "name = \"a\"\n\nusers = \"x\"",
            3,
            "`users` must be a whole number, not a string",
        ),
        (
            "users = -1",
            1,
            "`users` must be a whole number of at least 0, got -1",
        ),
        (
            "users = 1\nduration = \"soon\"",
            2,
            "is not a valid duration",
        ),
        ("users = 1\nduration =", 2, "not valid TOML"),
        (
            "[[request]]\npath = \"/\"\n[[request]]\npth = \"/\"",
            4,
            "did you mean `path`?",
        ),
        (
            "[[request]]\npath = \"/\"\n\n[[request]]\nname = \"x\"",
            4,
            "has no `path`",
        ),
        (
            "[[request]]\npath = \"/\"\nexpect_status = 7",
            3,
            "use 100 to 599",
        ),
        (
            "wait_time = 1\nname = \"shop\"",
            1,
            "applies only to [[request]]",
        ),
        (
            "scenario = \"shop\"\n[[request]]\npath = \"/\"",
            1,
            "keep one of the two",
        ),
        (
            "wait_time = [3, 1]\n[[request]]\npath = \"/\"",
            1,
            "smaller bound first",
        ),
        (
            "[[request]]\npath = \"/\"\nheaders = { a = 1 }",
            3,
            "string in quotes",
        ),
    ] {
        assert_only_error(text, line, words);
    }
}

#[test]
fn reads_how_the_load_goes_and_what_takes_part() {
    let file = TestDraft::from_toml(
        r#"
spawn_rate = 2.5
tags = ["api", "slow"]
exclude_tags = "admin"
user_types = ["Web"]
equal_weights = true
scenario = "shop"

[options]
token = "s3cr3t"
size = 5
ratio = 0.25
dry-run = false
"#,
    )
    .unwrap();
    assert_eq!(file.spawn_rate, Some(2.5));
    assert_eq!(file.tags.unwrap(), ["api", "slow"]);
    assert_eq!(file.exclude_tags.unwrap(), ["admin"]);
    assert_eq!(file.user_types.unwrap(), ["Web"]);
    assert_eq!(file.equal_weights, Some(true));
    let options: Vec<_> = file
        .options
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_str()))
        .collect();
    assert_eq!(
        options,
        [
            ("dry-run", "false"),
            ("ratio", "0.25"),
            ("size", "5"),
            ("token", "s3cr3t")
        ]
    );
    let file = TestDraft::from_toml(
        "users = 50\n[[stage]]\narrival_rate = 10\nramp = \"30s\"\nduration = \"2m\"\n",
    )
    .unwrap();
    assert_eq!(file.users, Some(50));
    assert_eq!(
        file.stages,
        [Stage {
            arrival_rate: Some(10.0),
            ramp_s: 30,
            duration_s: 120,
            ..Stage::default()
        }]
    );
}

#[test]
fn errors_in_the_load_name_the_line_and_the_cure() {
    for (text, line, words) in [
        ("ramp_up = 1\nspawn_rate = 2", 2, "keep one of the two"),
        ("spawn_rate = 0", 1, "above 0, got 0"),
        ("users = 1\nspawn_rate = nan", 2, "above 0, got NaN"),
        ("spawn_rate = \"fast\"", 1, "must be a number, not a string"),
        ("\narrival_rate = 0", 2, "per second, got 0"),
        (
            "arrival_rate = 1\nspawn_rate = 2",
            2,
            "leave the spawn rate out",
        ),
        ("tags = [1]", 1, "one of its values is a whole number"),
        ("tags = 1", 1, "a list of strings"),
        ("equal_weights = 1", 1, "true or false, not a whole number"),
        ("options = 1", 1, "a table such as [options]"),
        (
            "users = 1\n[options]\na = 1\nb = [2]",
            4,
            "`b` must be a string, a number",
        ),
        ("stage = 1", 1, "a list of tables ([[stage]])"),
        ("[[stage]]\nusers = 1", 1, "has no `duration`"),
        (
            "[[stage]]\nusers = 1\nduration = 5\nrmap = 1",
            4,
            "did you mean `ramp`?",
        ),
        (
            "[[stage]]\nusers = 1\nduration = 5\n[[stage]]\nduration = 0",
            4,
            "stage 2 has no duration",
        ),
        (
            "[[stage]]\nusers = 1\nduration = 5\n[[stage]]\narrival_rate = 1\nduration = 5",
            1,
            "some stages have users",
        ),
        (
            "name = \"a\"\nduration = 9\n[[stage]]\nusers = 1\nduration = 5",
            2,
            "leave `duration` out",
        ),
        (
            "users = 9\n[[stage]]\nusers = 1\nduration = 5",
            1,
            "leave `users` out",
        ),
    ] {
        assert_only_error(text, line, words);
    }
}

fn json(text: &str) -> TestDraft {
    let (draft, errors) = TestDraft::from_json(text.as_bytes());
    assert!(errors.is_empty(), "{text}: {errors}");
    draft
}

#[test]
fn a_file_and_the_api_say_the_same_in_the_same_words() {
    let toml = r#"
host = "http://a"
duration = "1m"
stop_timeout = "2000ms"
wait_time = ["500ms", 2]

[client]
kind = "full"
accept_invalid_certs = true
request_timeout = "1.5s"
connect_timeout = 0.25
max_redirects = 3
http_version = "1.1"
max_body = 1000
headers = { x-a = "1" }

[[request]]
path = "/"

[[request]]
path = "/b"
method = "post"
headers = [["x-b", "1"], ["x-b", "2"]]
"#;
    let json_text = r#"{"host": "http://a", "duration": 60, "stop_timeout": 2.0, "users": null,
        "client": {"kind": "full", "accept_invalid_certs": true, "request_timeout": 1.5,
                   "connect_timeout": "250ms", "max_redirects": 3, "http_version": "1.1", "max_body": 1000, "headers": {"x-a": "1"}},
        "declared": {"wait_time": [0.5, "2s"], "requests": [
            {"path": "/"},
            {"path": "/b", "method": "POST", "headers": [["x-b", "1"], ["x-b", "2"]]}]}}"#;
    let file = TestDraft::from_toml(toml).unwrap();
    assert_eq!(file, json(json_text));
    let declared = file.declared.unwrap();
    assert_eq!(declared.requests[0].method, "GET");
    assert_eq!(declared.wait_time, Some(WaitTime::Between(0.5, 2.0)));
    assert_eq!(
        file.client.connect_timeout,
        Some(Duration::from_millis(250))
    );
    assert_eq!((file.duration, file.stop_timeout), (Some(60), Some(2)));
    let stages = json(r#"{"stages": [{"users": 5, "ramp": "10s", "duration": "1m"}]}"#);
    let same = TestDraft::from_toml("[[stage]]\nusers = 5\nramp = 10\nduration = 60").unwrap();
    assert_eq!(stages, same);
}

#[test]
fn wait_times_and_durations_are_read_alike() {
    let wait = |value: &str| {
        let text = format!("wait_time = {value}\n[[request]]\npath = \"/\"");
        TestDraft::from_toml(&text).map(|draft| draft.declared.unwrap().wait_time.unwrap())
    };
    for (value, expected) in [
        ("\"500ms\"", WaitTime::Constant(0.5)),
        ("0.5", WaitTime::Constant(0.5)),
        ("\"0.5\"", WaitTime::Constant(0.5)),
        ("\"1m30s\"", WaitTime::Constant(90.0)),
        ("2", WaitTime::Constant(2.0)),
        ("[\"500ms\", 2]", WaitTime::Between(0.5, 2.0)),
        ("[0.5, \"1.5s\"]", WaitTime::Between(0.5, 1.5)),
    ] {
        assert_eq!(wait(value), Ok(expected), "{value}");
    }
    for value in [
        "-1",
        "[1]",
        "[2, 1]",
        "\"soon\"",
        "true",
        "[1, \"x\"]",
        "nan",
    ] {
        assert!(wait(value).is_err(), "{value}");
    }
    for key in ["ramp_up", "duration", "stop_timeout"] {
        for (value, whole) in [
            ("\"90\"", true),
            ("2.0", true),
            ("\"500ms\"", false),
            ("1.5", false),
        ] {
            let read = TestDraft::from_toml(&format!("{key} = {value}"));
            assert_eq!(read.is_ok(), whole, "{key} = {value}");
            if let Err(errors) = read {
                assert!(
                    errors.to_string().contains("whole number of seconds"),
                    "{errors}"
                );
            }
        }
    }
}

#[test]
fn everything_that_is_wrong_is_reported_with_its_place() {
    let errors = TestDraft::from_toml(
        "host = \"nonsense\"\nuser = 3\nduration = \"1d\"\nworkers = 0\nstop_timeout = \"500ms\"\n\
         [client]\nknd = \"fast\"\nproxy = 1\n\
         [[request]]\npath = \"no-slash\"\nmetod = \"GET\"\nexpect_status = 7\n\
         [[request]]\nweight = -1\n",
    )
    .unwrap_err();
    let lines: Vec<_> = errors.iter().map(|error| error.line.unwrap()).collect();
    assert_eq!(lines, [1, 2, 3, 4, 5, 7, 8, 10, 11, 12, 13, 14], "{errors}");
    for words in [
        "line 1: host `nonsense` is not a URL",
        "line 2: `user` is not a valid key of this file; did you mean `users`?",
        "line 3: `duration`: `1d` is not a valid duration",
        "line 4: workers must be between 1 and 20000, got 0",
        "line 7: `knd` is not a valid key of [client]; did you mean `kind`?",
        "line 11: `metod` is not a valid key of a request; did you mean `method`?",
    ] {
        assert!(errors.to_string().contains(words), "{words}: {errors}");
    }

    let (_, errors) = TestDraft::from_json(
        br#"{"usr": 1, "duration": "1.5s", "declared": {"requests": [
            {"path": "/", "metod": "GET"}, {"weight": 1.5}], "wait": 1}, "client": {"kid": "full"}}"#,
    );
    assert!(!errors.are_of_syntax());
    for words in [
        "`usr` is not a valid key of a load test; did you mean `users`?",
        "`duration`: this duration must be a whole number of seconds, not `1.5s`",
        "declared.requests[0].metod: `metod` is not a valid key of a request; did you mean `method`?",
        "declared.requests[1].path: this request has no `path`",
        "declared.requests[1].weight: `weight` must be a whole number, not a decimal number",
        "declared.wait: `wait` is not a valid key of a declared scenario; did you mean `wait_time`?",
        "client.kid: `kid` is not a valid key of [client]; did you mean `kind`?",
    ] {
        assert!(errors.to_string().contains(words), "{words}: {errors}");
    }
    assert_eq!(errors.iter().count(), 7, "{errors}");
}

#[test]
fn what_is_not_json_is_refused_with_its_place() {
    for (text, words) in [
        ("", "line 1 column 0"),
        ("{", "line 1 column 1"),
        ("[]", "a JSON object, not a list"),
        ("{\"users\": 1, \"users\": 2}", "`users` is given twice"),
    ] {
        let (_, errors) = TestDraft::from_json(text.as_bytes());
        assert!(errors.are_of_syntax());
        assert!(errors.to_string().contains(words), "{text}: {errors}");
        assert!(
            errors
                .to_string()
                .starts_with("the body is not a valid load test: ")
        );
    }
    let (_, errors) = TestDraft::from_json(b"{\"stage\": [], \"stages\": []}");
    assert!(errors.to_string().contains("mean the same"));
}

#[test]
fn many_errors_are_cut() {
    let text: String = (0..500).map(|n| format!("unknown{n} = 1\n")).collect();
    let errors = TestDraft::from_toml(&text).unwrap_err();
    assert_eq!(errors.iter().count(), 50);
    assert!(errors.to_string().ends_with("and 450 more errors"));
    // As many as the API takes: neither kept nor compared with each other.
    let unknown: String = (0..50_000).map(|n| format!("\"k{n}\": 1, ")).collect();
    let headers = vec!["1"; 50_000].join(",");
    let text = format!("{{{unknown} \"client\": {{\"headers\": [{headers}]}}}}");
    let (_, errors) = TestDraft::from_json(text.as_bytes());
    assert_eq!((errors.iter().count(), errors.more()), (50, 99_950));
}

/// The examples of the README do what it says of them.
#[test]
fn the_documented_examples_are_valid() {
    let readme = include_str!("../../../README.md");
    let examples: Vec<&str> = readme
        .split("```toml\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    assert!(examples.len() >= 5, "{}", examples.len());
    for example in examples {
        let file =
            TestDraft::from_toml(example).unwrap_or_else(|error| panic!("{error} in {example}"));
        let asked = TestDraft {
            name: Some("t".into()),
            host: Some("http://127.0.0.1".into()),
            ..TestDraft::default()
        };
        let mut draft = asked.over(file).draft;
        for (_, text) in draft.client.files_mut() {
            *text = "-----BEGIN CERTIFICATE-----".into();
        }
        let test = draft
            .resolve(&TestDefaults::USUAL, None)
            .unwrap_or_else(|errors| panic!("{errors} in {example}"));
        assert_eq!(test.profile().check(), Ok(()), "{example}");
    }
}

proptest! {
    #[test]
    fn never_panics(text in "(?s).{0,200}") {
        let _ = TestDraft::from_toml(&text);
        let _ = TestDraft::from_json(text.as_bytes());
    }

    #[test]
    fn never_panics_on_nearly_valid_json(
        pairs in prop::collection::vec(r#""(users|wait_time|stages|options|client|declared|duration|requests)":("[0-9]{0,3}m?s?"|-?[0-9]{1,25}|[0-9]\.[0-9]|null|\[1,2\]|\[\{\}\]|\{"requests":\[\{\}\]\})"#, 0..6)
    ) {
        let _ = TestDraft::from_json(format!("{{{}}}", pairs.join(",")).as_bytes());
    }

    #[test]
    fn never_panics_on_nearly_valid_files(
        lines in prop::collection::vec("(name|users|wait_time|spawn_rate|tags|options|\\[\\[stage\\]\\]|\\[options\\]|duration|ramp_up|\\[\\[request\\]\\]|path|headers|ü) ?=? ?(\"[a-z/]*\"|[0-9]{0,25}|\\[1, 2\\]|\\{ a = 1 \\})?", 0..8)
    ) {
        let _ = TestDraft::from_toml(&lines.join("\n"));
    }
}

#[test]
fn every_key_is_in_both_lists_of_keys() {
    let of_files = include_str!("../../../README.md");
    let of_starts = include_str!("../../../../reporting/README.md");
    for field in FIELDS {
        let key = field.key;
        let assigned = format!("{key} = ");
        let of_tables = format!("[[{}]]", key.trim_end_matches('s'));
        let mut lines = of_files.lines();
        assert!(
            !field.is_of_files()
                || lines.any(|line| line.starts_with(&assigned) || line == of_tables),
            "infra/README.md lacks {key}"
        );
        let named = format!("`{key}`");
        let mut rows = of_starts.lines().filter(|line| line.starts_with("| `"));
        assert!(
            rows.any(|row| row
                .split('|')
                .nth(1)
                .is_some_and(|keys| keys.contains(&named))),
            "reporting/README.md lacks {key}"
        );
    }
}
