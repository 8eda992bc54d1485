use super::*;
use proptest::prelude::*;

use crate::declared::WaitTime;
use crate::load_test::LoadTest;

#[test]
fn reads_a_whole_file() {
    let file = TestFile::parse(
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
        (file.users, file.ramp_up_s, file.duration_s),
        (Some(50), Some(20), Some(60))
    );
    assert_eq!((file.workers, file.stop_timeout_s), (Some(2), Some(5)));
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
fn mistakes_name_the_line_and_the_cure() {
    for (text, line, words) in [
        ("name = \"a\"\nuser = 5\n", 2, "did you mean `users`?"),
        ("rampup = 1", 1, "did you mean `ramp_up`?"),
        ("zzzz = 1", 1, "the keys are name, host"),
        (
            "name = \"a\"\n\nusers = \"x\"",
            3,
            "`users` must be a whole number, not string",
        ),
        ("users = -1", 1, "`users` is -1; give a whole number"),
        ("users = 1\nduration = \"soon\"", 2, "is not a duration"),
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
            "from 100 to 599",
        ),
        (
            "wait_time = 1\nscenario = \"shop\"",
            1,
            "belongs to [[request]]",
        ),
        (
            "scenario = \"shop\"\n[[request]]\npath = \"/\"",
            1,
            "keep one of the two",
        ),
        (
            "wait_time = [3, 1]\n[[request]]\npath = \"/\"",
            1,
            "lesser bound first",
        ),
        (
            "[[request]]\npath = \"/\"\nheaders = { a = 1 }",
            3,
            "text in quotes",
        ),
    ] {
        let error = TestFile::parse(text).unwrap_err();
        assert!(
            error.message.contains(words),
            "{text:?}: {error} should contain {words:?}"
        );
        assert_eq!(error.line, line, "{text:?}: {error}");
    }
}

#[test]
fn reads_how_the_load_goes_and_what_takes_part() {
    let file = TestFile::parse(
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
    let file = TestFile::parse(
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
fn mistakes_in_the_load_name_the_line_and_the_cure() {
    for (text, line, words) in [
        ("ramp_up = 1\nspawn_rate = 2", 2, "keep one of the two"),
        ("spawn_rate = 0", 1, "spawn rate is 0"),
        ("users = 1\nspawn_rate = nan", 2, "spawn rate is NaN"),
        ("spawn_rate = \"fast\"", 1, "must be a number, not string"),
        ("\narrival_rate = 0", 2, "arrival rate is 0"),
        (
            "arrival_rate = 1\nspawn_rate = 2",
            2,
            "leave the spawn rate out",
        ),
        ("tags = [1]", 1, "one of its values is integer"),
        ("tags = 1", 1, "a list of texts"),
        ("equal_weights = 1", 1, "true or false, not integer"),
        ("options = 1", 1, "a table such as [options]"),
        (
            "users = 1\n[options]\na = 1\nb = [2]",
            4,
            "`b` must be a text, a number",
        ),
        ("stage = 1", 1, "[[stage]] tables"),
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
            "[[stage]]\nusers = 1\nramp = \"1m\"\nduration = \"5s\"",
            1,
            "a ramp of 60s but lasts only 5s",
        ),
        (
            "[[stage]]\nusers = 1\nduration = 5\n[[stage]]\narrival_rate = 1\nduration = 5",
            4,
            "some stages say users",
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
        let error = TestFile::parse(text).unwrap_err();
        assert!(
            error.message.contains(words),
            "{text:?}: {error} should contain {words:?}"
        );
        assert_eq!(error.line, line, "{text:?}: {error}");
    }
}

/// The examples of the README do what it says of them.
#[test]
fn the_documented_examples_are_valid() {
    let readme = include_str!("../../README.md");
    let examples: Vec<&str> = readme
        .split("```toml\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    assert!(examples.len() >= 5, "{}", examples.len());
    for example in examples {
        let file = TestFile::parse(example).unwrap_or_else(|error| panic!("{error} in {example}"));
        let test = LoadTest {
            name: "t".into(),
            host: "http://127.0.0.1".into(),
            users: file.users.unwrap_or(0),
            ramp_up_s: file.ramp_up_s.unwrap_or(0),
            duration_s: file.duration_s.unwrap_or(0),
            spawn_rate: file.spawn_rate,
            arrival_rate: file.arrival_rate,
            stages: file.stages,
            workers: 1,
            ..LoadTest::default()
        };
        assert_eq!(test.check(), Ok(()), "{example}");
        assert_eq!(test.profile().check(), Ok(()), "{example}");
    }
}

proptest! {
    #[test]
    fn never_panics(text in "(?s).{0,200}") {
        let _ = TestFile::parse(&text);
    }

    #[test]
    fn never_panics_on_nearly_valid_files(
        lines in prop::collection::vec("(name|users|wait_time|spawn_rate|tags|options|\\[\\[stage\\]\\]|\\[options\\]|duration|ramp_up|\\[\\[request\\]\\]|path|headers|ü) ?=? ?(\"[a-z/]*\"|[0-9]{0,25}|\\[1, 2\\]|\\{ a = 1 \\})?", 0..8)
    ) {
        let _ = TestFile::parse(&lines.join("\n"));
    }
}
