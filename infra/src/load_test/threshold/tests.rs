use proptest::prelude::*;

use super::*;

fn parsed(text: &str) -> Threshold {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

/// What the canonical text of each is.
const READ: [(&str, &str); 48] = [
    ("p95 < 500ms", "p95 < 500ms"),
    ("p95<500ms", "p95 < 500ms"),
    ("  p99.9   <=  1.5s ", "p99.9 <= 1500ms"),
    ("p95 < 1m30s", "p95 < 90s"),
    ("p95 < 1h", "p95 < 1h"),
    ("median < 120s", "p50 < 2m"),
    ("avg < 0.25ms", "mean < 0.25ms"),
    ("p95.00 > 0s", "p95 > 0s"),
    ("p100 < 2 s", "p100 < 2s"),
    ("min >= 1ms", "min >= 1ms"),
    ("error_rate < 1%", "error_rate < 1%"),
    ("error_rate <= 0.07 %", "error_rate <= 0.07%"),
    ("rps >= 200", "rps >= 200"),
    ("rps >= 0.50", "rps >= 0.5"),
    ("requests > 1000", "requests > 1000"),
    ("failures <= 0", "failures <= 0"),
    ("skipped < 1%", "skipped < 1%"),
    ("generator.saturated < 1%", "generator.saturated < 1%"),
    ("ttfb.p95 < 100ms", "ttfb.p95 < 100ms"),
    ("intended.max < 5s", "intended.max < 5s"),
    ("p99 < 2s for GET /checkout", "p99 < 2s for GET /checkout"),
    ("p99 < 2s for all", "p99 < 2s"),
    ("p99 < 2s for GET /a b  c", "p99 < 2s for GET /a b  c"),
    ("p99 < 2s for \"GET /a\"", "p99 < 2s for GET /a"),
    (
        "p99 < 2s for \"GET stay within 30s\" within 30s",
        "p99 < 2s for \"GET stay within 30s\" within 30s",
    ),
    (
        "p99 < 2s for \"\\\"GET a\\\\\" during whole",
        "p99 < 2s for \"\\\"GET a\\\\\" during whole",
    ),
    ("p99 < 2s for tag api", "p99 < 2s for tag api"),
    ("p99 < 2s for \"tag api\"", "p99 < 2s for tag api"),
    ("rps > 1 for tag two  words", "rps > 1 for tag two  words"),
    (
        "p95 < 1s for \"tag slow within\" within 30s",
        "p95 < 1s for \"tag slow within\" within 30s",
    ),
    ("max < 5s during steady", "max < 5s during steady"),
    (
        "max < 5s during ramp-down within 60",
        "max < 5s during ramp-down within 1m",
    ),
    (
        "max < 5s within 30s during ramp-up",
        "max < 5s during ramp-up within 30s",
    ),
    (
        "p95 < 1s for GET / during whole within 10s abort after 15s",
        "p95 < 1s for GET / during whole within 10s abort after 15s",
    ),
    ("p95 < 1s for GET   /a  b", "p95 < 1s for GET /a  b"),
    (
        "p95 < 1s for \"GET  /a\" within 1m",
        "p95 < 1s for \"GET  /a\" within 1m",
    ),
    ("p95 < 1s for tag  api", "p95 < 1s for tag api"),
    ("error_rate >= 100.00%", "error_rate >= 100%"),
    ("p95 < baseline", "p95 < baseline"),
    ("p95 < baseline+10%", "p95 < baseline + 10%"),
    ("p95 < baseline + 50ms", "p95 < baseline + 50ms"),
    (
        "error_rate < baseline + 0.5pp",
        "error_rate < baseline + 0.5pp",
    ),
    (
        "metric \"tokens per second\" p95>20.5 within 30s",
        "metric \"tokens per second\" p95 > 20.5 within 30s",
    ),
    ("metric tokens avg >= 0", "metric \"tokens\" mean >= 0"),
    (
        "metric\"a < \\\"b\\\" for c\"total < 1 during whole",
        "metric \"a < \\\"b\\\" for c\" total < 1 during whole",
    ),
    ("metric hits rate > 99%", "metric \"hits\" rate > 99%"),
    (
        "metric sent per_second > 5",
        "metric \"sent\" per_second > 5",
    ),
    (
        "metric depth last <= baseline + 10%",
        "metric \"depth\" last <= baseline + 10%",
    ),
];

#[test]
fn a_threshold_is_written_in_one_way() {
    for (text, canonical) in READ {
        let threshold = parsed(text);
        assert_eq!(threshold.to_string(), canonical, "{text}");
        assert_eq!(parsed(canonical), threshold, "{text}");
    }
}

#[test]
fn its_parts_are_what_the_text_says() {
    let threshold =
        parsed("ttfb.p99.9 <= 1.5s for GET /a b during steady within 1m abort after 0s");
    let TimeStatistic::Percentile(percentile) = TimeStatistic::Percentile(match threshold.metric {
        ThresholdMetric::Time(TimedSpan::FirstByte, TimeStatistic::Percentile(percentile)) => {
            percentile
        }
        other => panic!("{other:?}"),
    }) else {
        unreachable!()
    };
    assert_eq!(percentile.fraction(), 0.999);
    assert_eq!(threshold.comparison, Comparison::AtMost);
    assert_eq!(threshold.limit_value(None), Some(1_500.0));
    let endpoint = ThresholdSubject::Endpoint {
        method: "GET".into(),
        name: "/a b".into(),
    };
    assert_eq!(threshold.of, endpoint);
    assert_eq!(threshold.during, ThresholdPhase::Steady);
    assert_eq!(
        (threshold.within_s, threshold.abort_after_s),
        (Some(60), Some(0))
    );
    assert_eq!(parsed("rps > 1").during, ThresholdPhase::AfterRampUp);
}

#[test]
fn limits_are_in_the_unit_of_the_metric() {
    let value = |text: &str, baseline| parsed(text).limit_value(baseline);
    assert_eq!(value("error_rate < 7%", None), Some(0.07));
    assert_eq!(value("rps >= 0.5", None), Some(0.5));
    assert_eq!(value("p95 < baseline", None), None);
    assert_eq!(value("p95 < baseline", Some(80.0)), Some(80.0));
    assert_eq!(value("p95 < baseline + 10%", Some(80.0)), Some(88.0));
    assert_eq!(value("p95 < baseline + 50ms", Some(80.0)), Some(130.0));
    assert_eq!(value("rps > baseline - 5%", Some(200.0)), Some(190.0));
    assert_eq!(value("rps > baseline - 20", Some(10.0)), Some(0.0));
    assert_eq!(
        value("error_rate < baseline + 100%", Some(0.01)),
        Some(0.02)
    );
    assert_eq!(value("error_rate < baseline + 1pp", Some(0.01)), Some(0.02));
    // Only values of custom metrics are ever below 0.
    assert_eq!(value("metric depth min > -5.5", None), Some(-5.5));
    let last = |limit: &str| value(&format!("metric balance last >= {limit}"), Some(-100.0));
    assert_eq!(last("baseline - 10"), Some(-110.0));
    assert_eq!(last("baseline - 10%"), Some(-110.0));
    assert_eq!(last("baseline + 10%"), Some(-90.0));
}

#[test]
fn a_value_is_within_a_limit_or_not() {
    for (text, below, equal, above) in [
        ("rps < 5", true, false, false),
        ("rps <= 5", true, true, false),
        ("rps > 5", false, false, true),
        ("rps >= 5", false, true, true),
    ] {
        let threshold = parsed(text);
        let holds = [4.0, 5.0, 6.0].map(|value| threshold.holds(value, 5.0));
        assert_eq!(holds, [below, equal, above], "{text}");
        assert_eq!(threshold.comparison.is_upper(), below, "{text}");
    }
}

#[test]
fn parts_may_be_said_apart() {
    let parts = [
        (Clause::For, "GET stay within 30s"),
        (Clause::During, "steady"),
        (Clause::Within, "30"),
        (Clause::AbortAfter, "15s"),
    ];
    let apart = Threshold::from_parts("p95 < 1s", &parts).unwrap();
    let text = "p95 < 1s for \"GET stay within 30s\" during steady within 30s abort after 15s";
    assert_eq!(apart.to_string(), text);
    for (clause, value) in parts {
        let error = Threshold::from_parts(text, &[(clause, value)]).unwrap_err();
        assert!(
            matches!(error.problem, ThresholdProblem::Repeated(_)),
            "{error}"
        );
    }
    // As in the text, but for words that would begin another clause there.
    for (part, canonical) in [
        ("GET  /x", "GET /x"),
        ("  GET   /x ", "GET /x"),
        ("\"GET  /x\"", "\"GET  /x\""),
        ("tag  api", "tag api"),
        ("tag slow within", "\"tag slow within\""),
        ("\"tag slow within\"", "\"tag slow within\""),
        ("\"GET a\\\"b\"", "GET a\"b"),
    ] {
        let apart = Threshold::written("p95 < 1s", &[(Clause::For, part)]).unwrap();
        assert_eq!(apart.to_string(), format!("p95 < 1s for {canonical}"));
    }
    for (part, problem) in [
        ("\"GET /x", ThresholdProblem::OpenQuote),
        (
            "\"GET /x\" within 5s",
            ThresholdProblem::AfterQuotedPart {
                found: "within 5s".into(),
            },
        ),
    ] {
        let error = Threshold::written("p95 < 1s", &[(Clause::For, part)]).unwrap_err();
        assert_eq!(error.problem, problem, "{part}");
    }
    // Even where it says nothing new.
    let error = Threshold::from_parts("p95 < 1s for all", &[(Clause::For, "all")]).unwrap_err();
    assert_eq!(error.problem, ThresholdProblem::Repeated("for"));
}

#[test]
fn every_error_says_which_part_and_what_is_expected() {
    let texts = [
        "",
        "p95",
        "p95 500ms",
        "p95 = 500ms",
        "p95 == 500ms",
        "p95 =< 500ms",
        "p95 ≤ 500ms",
        "< 500ms",
        "P95 < 500ms",
        "p95th < 500ms",
        "p101 < 500ms",
        "p0 < 500ms",
        "avrage < 500ms",
        "error-rate < 1%",
        "saturated < 1%",
        "banana < 1",
        "ttfb.rps > 200",
        "ttfb.p9x < 1s",
        "generator.cpu < 50%",
        "p95 <",
        "p95 < for GET /",
        "p95 < 500",
        "p95 < 500mss",
        "p95 < -5ms",
        "p95 < 2h",
        "p95 < 1%",
        "p95 < 0s",
        "error_rate < 1",
        "error_rate < 0.01",
        "error_rate < 120%",
        "error_rate < 0%",
        "error_rate > 100%",
        "metric cached rate > 100.0%",
        "rps > 200/s",
        "rps > 200ms",
        "requests > many",
        "rps >= 1e3",
        "p95 < basline",
        "p95 < baseline * 2",
        "p95 < baseline + 10",
        "error_rate < baseline + 1",
        "rps > baseline - 10ms",
        "p95 < 500ms in steady",
        "p95 < 500ms withing 30s",
        "p95 < 500ms for",
        "p95 < 500ms for /checkout",
        "p95 < 500ms for tag",
        "p95 < 500ms for tag within 30s",
        "p95 < 500ms for \"tag \"",
        "p95 < 500ms for tags api",
        "p95 < 500ms for Tag two words within 30s",
        "p95 < 500ms for TAGS",
        "p95 < 500ms for \"tagged slow within\"",
        "p95 < 500ms for \"GET /checkout",
        "p95 < 500ms for \"GET /\" and more",
        "skipped < 1% for GET /",
        "skipped < 1% for tag api",
        "generator.saturated < 1% for tag api",
        "p95 < 500ms during",
        "p95 < 500ms during stedy",
        "p95 < 500ms during lunch",
        "p95 < 500ms during steady during whole",
        "p95 < 500ms within 0s",
        "p95 < 500ms within 2h",
        "p95 < 500ms within 1500ms",
        "p95 < 500ms within soon",
        "p95 < 500ms abort 15s",
        "p95 < 500ms abort after",
        "p95 < 500ms abort after 2h",
        "p95 < 500ms\nrps > 1",
        "metric",
        "metric < 5",
        "metric \"\" total > 1",
        "metric \"tokens total > 1",
        "metric tokens < 5",
        "metric tokens totl > 5",
        "metric tokens ttfb.p95 > 5",
        "metric tokens p101 > 5",
        "metric tokens p95 > 5ms",
        "metric tokens rate > 5",
        "metric tokens total > 5 for GET /",
        "metric tokens total > 5 for tag api",
    ];
    let messages: Vec<String> = texts
        .iter()
        .map(|text| match Threshold::written(text, &[]) {
            Ok(threshold) => panic!("{text} is read as {threshold}"),
            Err(error) => error.to_string(),
        })
        .collect();
    insta::assert_snapshot!(messages.join("\n"));
}

/// A run of an earlier version may have such a threshold, and must still be listed.
#[test]
fn what_was_saved_is_read_though_it_is_refused_now() {
    let text = "p95 < 500ms for tags api";
    assert_eq!(parsed(text).to_string(), text);
    let read: Threshold = serde_json::from_value(text.into()).unwrap();
    assert!(
        matches!(read.of, ThresholdSubject::Endpoint { .. }),
        "{read:?}"
    );
}

#[test]
fn a_baseline_that_could_not_be_better_need_not_be_outdone() {
    let holds = |text: &str, baseline: f64, value: f64| {
        let threshold = parsed(text);
        let limit = threshold.limit_value(Some(baseline)).unwrap();
        threshold.holds(value, limit)
    };
    for text in [
        "error_rate < baseline",
        "error_rate < baseline + 10%",
        "error_rate < baseline - 1pp",
        "failures < baseline",
        "skipped < baseline",
        "generator.saturated < baseline",
        "metric hits count < baseline",
    ] {
        assert!(holds(text, 0.0, 0.0), "{text}");
        assert!(!holds(text, 0.0, 0.001), "{text}");
    }
    for text in [
        "metric hits rate > baseline",
        "metric hits rate > baseline + 1pp",
    ] {
        assert!(holds(text, 1.0, 1.0), "{text}");
        assert!(!holds(text, 1.0, 0.999), "{text}");
    }
    // Of these there can always be less, or more.
    assert!(!holds("metric depth max < baseline", 0.0, 0.0));
    assert!(!holds("metric depth max > baseline", 1.0, 1.0));
    assert!(!holds("rps > baseline", 1.0, 1.0));
    assert!(!holds("error_rate < baseline", 0.5, 0.5));
}

#[test]
fn the_length_is_limited_with_any_name() {
    let name = "\"".repeat(MAX_NAME_BYTES);
    let threshold = Threshold {
        of: ThresholdSubject::Endpoint {
            method: "GET".into(),
            name: format!("{} within", &name[..MAX_NAME_BYTES - 7]),
        },
        within_s: Some(3_599),
        abort_after_s: Some(3_599),
        ..parsed("generator.saturated <= 99.9999999% during ramp-down")
    };
    let threshold = Threshold {
        metric: parsed("intended.p99.99999 < 1s").metric,
        ..threshold
    };
    assert_eq!(parsed(&threshold.to_string()), threshold);
    let error = format!("p95 < 1s for GET {}x", name)
        .parse::<Threshold>()
        .unwrap_err();
    assert_eq!(error.problem, ThresholdProblem::LongName);
    let error = format!("p95 < 1s for tag {name}x").parse::<Threshold>();
    assert_eq!(error.unwrap_err().problem, ThresholdProblem::LongTag);
    let long = format!("p95 < 1s{}", " ".repeat(MAX_THRESHOLD_BYTES));
    assert_eq!(
        long.parse::<Threshold>().unwrap_err().problem,
        ThresholdProblem::TooLong
    );
}

#[test]
fn values_are_shown_with_their_unit() {
    use ThresholdUnit as U;
    let shown = [
        U::Ms.text(0.25),
        U::Ms.text(12.345),
        U::Ms.text(512.4),
        U::Ms.text(12_340.0),
        U::Share.text(0.01),
        U::Share.text(0.123_456),
        U::PerSecond.text(200.0),
        U::PerSecond.text(199.97),
        U::Count.text(1_000.0),
    ];
    let expected = [
        "0.25 ms", "12.35 ms", "512 ms", "12.3 s", "1 %", "12.346 %", "200/s", "200/s", "1000",
    ];
    assert_eq!(shown, expected);
}

#[test]
fn the_verdict_is_that_of_the_worst() {
    use ThresholdState as S;
    let verdict = |states: &[ThresholdState]| {
        let result = |state: &ThresholdState| ThresholdResult {
            condition: "p95 < 1s".into(),
            metric: "p95".into(),
            unit: ThresholdUnit::Ms,
            actual: None,
            limit: None,
            state: *state,
            breached_since_s: None,
            explanation: None,
        };
        TestVerdict::of(&states.iter().map(result).collect::<Vec<_>>())
    };
    assert_eq!(verdict(&[]), None);
    assert_eq!(verdict(&[S::Passed]), Some(TestVerdict::Passed));
    assert_eq!(verdict(&[S::Passed, S::Pending]), None);
    assert_eq!(
        verdict(&[S::Pending, S::Breached]),
        Some(TestVerdict::Failed)
    );
    assert_eq!(verdict(&[S::Passed, S::NoData]), Some(TestVerdict::Failed));
}

/// Texts of every form of the grammar, with what is written in more ways than one.
fn texts() -> impl Strategy<Value = String> {
    let time = (
        "(|ttfb\\.|intended\\.)(p[1-9][0-9]?(\\.[0-9]{1,5})?|p100|mean|avg|median|min|max)",
        "[1-9][0-9]{0,2}(\\.[0-9]{1,2})?(ms|s)|[1-5]?[0-9]m",
    );
    let share = (
        "error_rate|skipped|generator\\.saturated",
        "[0-9]{1,2}(\\.[0-9]{1,7})?%",
    );
    let number = ("rps|requests|failures", "[0-9]{1,9}(\\.[0-9]{1,6})?");
    let changed = prop::option::of("baseline( ?[+-] ?[0-9]{1,3}(\\.[0-9]{1,3})?%)?");
    let custom = (
        "metric [a-z]{1,9} (total|last|count|per_second|median|min|p9[0-9](\\.[0-9])?)|metric \"([a-z<>= ]|\\\\\"|for){0,9}x\" (max|mean)",
        "[0-9]{1,9}(\\.[0-9]{1,6})?",
    );
    let head = (
        prop_oneof![time, share, number, custom],
        " ?(<=|>=|>) ?",
        changed,
    )
        .prop_map(|((metric, limit), sign, changed)| {
            let limit = changed.unwrap_or(limit);
            format!("{metric}{sign}{limit}")
        });
    let of = prop_oneof![
        Just(String::new()),
        " for (all|[A-Z]{3,6} [a-z/\" \\\\]{0,10}[a-z])",
        " for tag [a-z/\" \\\\]{0,10}[a-z]",
        " for \"(tag|[A-Z]{3}) (a|within|during 5s|abort after|é|\\\\\"| ){1,5}b\"",
    ];
    let clauses = "( during (steady|whole|ramp-up|ramp-down))?( within [1-9][0-9]{0,2}s)?( abort after [1-5]?[0-9]m)?";
    (head, of, clauses).prop_map(|(head, of, clauses)| {
        let whole = ["skipped", "generator", "metric"];
        let is_whole = whole.iter().any(|start| head.starts_with(start));
        let of = if is_whole { String::new() } else { of };
        format!("{head}{of}{clauses}")
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(text in texts()) {
        let read = text.parse::<Threshold>();
        let threshold = read.map_err(|error| TestCaseError::fail(error.to_string()))?;
        let canonical = threshold.to_string();
        let again = canonical.parse::<Threshold>();
        let again = again.map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(&again, &threshold);
        prop_assert_eq!(again.to_string(), canonical);
        let json = serde_json::to_string(&threshold).unwrap();
        prop_assert_eq!(serde_json::from_str::<Threshold>(&json).unwrap(), threshold);
    }

    #[test]
    fn no_text_panics(text in "(p95|error_rate|rps|[a-z.]{1,5}) ?[<>=]{0,2} ?[0-9a-z%. +-]{0,8}( for| during| within| abort| after| \"|[ a-z0-9\"\\\\]){0,6}|.{0,40}") {
        if let Ok(threshold) = text.parse::<Threshold>() {
            prop_assert_eq!(threshold.to_string().parse::<Threshold>(), Ok(threshold));
        }
    }
}
