use greylag_infra::protocol::OptionInfo;
use greylag_infra::{
    ClientSettings, Completeness, DeclaredRequest, DeclaredScenario, DraftError, DraftErrors,
    LoadProfile, LoadTest, MAX_DURATION, RunPhase, RunRecord, Selection, ShippedBuild,
    ShippedScenario, Stage, TestDefaults, TestDraft, WallTime,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;

fn form(texts: &[(&str, &str)]) -> StartForm {
    let texts = texts.iter();
    StartForm::sent(
        texts
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect(),
    )
}

fn read(texts: &[(&str, &str)]) -> (TestDraft, DraftErrors) {
    form(texts).to_draft(&TestDraft::default())
}

#[test]
fn an_empty_field_of_the_form_is_left_out() {
    let expected = TestDraft {
        host: Some("http://a.example".into()),
        users: Some(7),
        duration: Some(120),
        ..TestDraft::default()
    };
    let texts = [
        ("host", " http://a.example "),
        ("users", " 7 "),
        ("duration", "2m"),
    ];
    assert_eq!(read(&texts), (expected, DraftErrors::default()));
    for users in ["1e3", "-1", "1.5", "zehn", "99999999999999999999"] {
        let (_, errors) = read(&[("users", users)]);
        let words = format!("Users must be a whole number, not `{users}`");
        assert!(errors.to_string().contains(&words), "{errors}");
    }
    let (_, errors) = read(&[("users", "many"), ("duration", "1.5s"), ("workers", "all")]);
    let fields: Vec<_> = errors.iter().map(|error| error.path.as_str()).collect();
    assert_eq!(fields, ["users", "workers", "duration"]);
}

#[test]
fn thresholds_are_lines() {
    let text = "p95 < 500ms\r\n\r\n max < 5s for GET /a, b \r\n";
    let (draft, errors) = read(&[("thresholds", text)]);
    assert_eq!(errors, DraftErrors::default());
    let thresholds = ["p95 < 500ms", "max < 5s for GET /a, b"].map(String::from);
    assert_eq!(draft.thresholds, Some(thresholds.to_vec()));
    let (draft, _) = read(&[("thresholds", "p95 < 500ms\np95 < 5"), ("host", "http://a")]);
    let errors = draft.resolve(&TestDefaults::USUAL, None).unwrap_err();
    let mut shown = form(&[]);
    shown.mark(&errors.iter().cloned().collect::<Vec<_>>());
    let error = shown.error("thresholds").unwrap_or_default();
    assert!(error.contains("did you mean `5ms`?"), "{error}");
}

#[test]
fn lines_end_as_everywhere_else() {
    let (draft, errors) = read(&[("description", "Black Friday,\r\nthree times\r\n")]);
    assert_eq!(errors, DraftErrors::default());
    assert_eq!(
        draft.description.as_deref(),
        Some("Black Friday,\nthree times")
    );
}

#[test]
fn only_the_options_of_the_chosen_scenario_count() {
    let texts = [
        ("scenario", "shop"),
        ("tags", "api, slow  new"),
        ("spawn_rate", "2.5"),
        ("equal_weights", "on"),
        ("option:4:shop:token", " x "),
        ("option:4:shop:empty", ""),
        ("option:6:shop:2:token", "y"),
        ("option:3:sho:p", "z"),
        ("token", "w"),
    ];
    let (draft, errors) = read(&texts);
    assert!(errors.is_empty(), "{errors}");
    assert_eq!(draft.tags.unwrap(), ["api", "slow", "new"]);
    assert_eq!(draft.spawn_rate, Some(2.5));
    assert!(draft.equal_weights == Some(true) && form(&texts).has_advanced());
    assert_eq!(
        draft.options,
        [("token".to_owned(), " x ".to_owned())].into()
    );
}

#[test]
fn rows_of_stages_say_users_or_rates() {
    let texts = [
        ("stage:2:users", "50"),
        ("stage:2:ramp", "5/s"),
        ("stage:2:duration", "1m"),
        ("stage:10:users", "20 /s"),
        ("stage:10:duration", "30"),
        ("stage:3:users", " "),
    ];
    let (draft, errors) = read(&texts);
    assert!(errors.is_empty(), "{errors}");
    let spawned = Stage {
        users: Some(50),
        spawn_rate: Some(5.0),
        duration_s: 60,
        ..Stage::default()
    };
    let rated = Stage {
        arrival_rate: Some(20.0),
        duration_s: 30,
        ..Stage::default()
    };
    assert_eq!(draft.stages, [spawned, rated]);
}

#[test]
fn each_error_stands_beside_its_field() {
    let texts = [
        ("duration", "1m"),
        ("stage:4:users", "x"),
        ("stage:4:duration", "1m"),
        ("stage:7:ramp", "soon"),
    ];
    let mut form = form(&texts);
    let (draft, found) = form.to_draft(&TestDraft::default());
    let resolved = draft.resolve(&TestDefaults::USUAL, None);
    let errors: Vec<_> = found.and(resolved).unwrap_err().iter().cloned().collect();
    form.mark(&errors);
    for (name, words) in [
        ("duration", "stages define the load"),
        ("stage:4:users", "Users must be a whole number, not `x`"),
        ("stage:7:ramp", "`soon` is not a valid duration"),
        ("stage:7:duration", "Stage 2 has no duration"),
        ("host", "no host is given"),
    ] {
        let error = form.error(name);
        assert!(
            error.is_some_and(|error| error.contains(words)),
            "{name}: {error:?}"
        );
    }
    assert!(form.is_first_error("host") && !form.is_first_error("duration"));
    assert_eq!(form.error("users"), None);
    let summary = form.summary().unwrap();
    assert!(summary.contains("5 fields"), "{summary}");
}

#[test]
fn a_contradiction_names_fields_as_the_page_does() {
    let mut form = form(&[("host", "http://a"), ("ramp_up", "1s"), ("spawn_rate", "2")]);
    let (draft, _) = form.to_draft(&TestDraft::default());
    let errors = draft.resolve(&TestDefaults::USUAL, None).unwrap_err();
    form.mark(&errors.iter().cloned().collect::<Vec<_>>());
    assert_eq!(
        form.error("spawn_rate"),
        Some("Ramp-up and Spawn rate (users/s) are both given; keep one of the two")
    );
}

#[test]
fn an_error_without_a_field_stands_above_them() {
    let mut form = form(&[("scenario", "shop"), ("option:4:shop:rows", "x")]);
    form.mark(&[
        DraftError::new("client", "`client.proxy` is wrong"),
        DraftError::new("options.nowhere", "no such option"),
        DraftError::new("options.rows", "a number"),
        DraftError::new("stages[7].users", "no such stage"),
    ]);
    let summary = form.summary().unwrap();
    assert_eq!(
        summary,
        "`client.proxy` is wrong\nno such option\nno such stage"
    );
    assert_eq!(form.error("option:4:shop:rows"), Some("a number"));
}

#[test]
fn a_secret_that_was_typed_is_asked_for_again() {
    let mut form = form(&[
        ("scenario", "shop"),
        ("option:4:shop:token", "geheim"),
        ("option:4:shop:rows", "3"),
    ]);
    form.forget_secrets(|scenario, option| (scenario, option) == ("shop", "rows"));
    assert!(form.wants_again("option:4:shop:token") && !form.wants_again("option:4:shop:rows"));
    assert_eq!(form.text("option:4:shop:token"), "");
    assert!(!format!("{form:?}").contains("geheim"));
    let (_, errors) = form.to_draft(&TestDraft::default());
    let errors: Vec<_> = errors.iter().cloned().collect();
    assert_eq!(errors.len(), 1);
    form.mark(&errors);
    let error = form.error("option:4:shop:token").unwrap();
    assert!(error.contains("Enter token again"), "{error}");
    // Another scenario does not need it.
    form.texts.insert("scenario".into(), "other".into());
    assert!(form.to_draft(&TestDraft::default()).1.is_empty());
}

#[test]
fn a_password_that_was_typed_is_not_written_into_the_page() {
    for (typed, shown) in [
        (
            " https://ada:geheim@shop.example ",
            "https://ada@shop.example/",
        ),
        ("https:user:geheim@exa mple", "https:…@exa mple"),
        ("ftp://user:geheim@x", "ftp://user:…@x/"),
    ] {
        let mut form = form(&[("host", typed), ("users", "x")]);
        form.forget_secrets(|_, _| true);
        assert!(!format!("{form:?}").contains("geheim"), "{form:?}");
        assert_eq!(form.text("host"), shown);
        assert!(form.wants_again("host"));
        let (_, errors) = form.to_draft(&TestDraft::default());
        let is_asked = |error: &DraftError| error.path == "host" && error.message.contains("again");
        assert!(errors.iter().any(is_asked), "{errors:?}");
    }
    let mut plain = form(&[("host", "http://a.example")]);
    plain.forget_secrets(|_, _| true);
    assert_eq!(plain.text("host"), "http://a.example");
    assert!(!plain.wants_again("host"));
}

#[test]
fn requests_and_client_settings_are_carried() {
    let request: DeclaredRequest =
        serde_json::from_str(r#"{"method": "GET", "path": "/", "weight": 1}"#).unwrap();
    let draft = TestDraft {
        name: Some("own".into()),
        scenario: Some("own".into()),
        declared: Some(DeclaredScenario {
            requests: vec![request; 2],
            wait_time: None,
        }),
        client: ClientSettings {
            max_redirects: Some(3),
            ..ClientSettings::default()
        },
        ..TestDraft::default()
    };
    let source = Source::of_command_line(&draft).unwrap();
    let form = StartForm::filled(Some(&source), &[]);
    let origin = form.origin.as_ref().unwrap();
    assert_eq!(origin.declared.as_deref(), Some("own: 2 requests"));
    assert!(origin.has_client && form.is_declared() && form.is_open());
    let (sent, errors) = form.to_draft(&draft);
    assert!(errors.is_empty(), "{errors}");
    assert_eq!((sent.declared, sent.client), (draft.declared, draft.client));
    assert_eq!(Source::of_command_line(&TestDraft::default()), None);
}

#[test]
fn secrets_of_an_uploaded_build_are_asked_for_again() {
    let option = |name: &str, secret| OptionInfo {
        name: name.into(),
        secret,
        ..OptionInfo::default()
    };
    let mut shipped = ShippedBuild {
        sha256: "a".repeat(64).parse().unwrap(),
        size: 1,
        version: String::new(),
        platform: String::new(),
        worker_protocol: 1,
        uploaded_by: String::new(),
        uploaded_at: WallTime::default(),
        commit: None,
        scenario: ShippedScenario::default(),
        data: Vec::new(),
    };
    shipped.scenario.info.options = vec![option("pages", false), option("pin", true)];
    let values = [("pages", "3"), ("pin", "geheim")];
    let test = LoadTest {
        scenario: "shop".into(),
        options: values
            .map(|(name, value)| (name.into(), value.into()))
            .into(),
        build: Some(Box::new(shipped)),
        ..LoadTest::default()
    };
    let run = RunRecord {
        id: "r1".into(),
        number: 1,
        test: test.without_secrets(|name| name == "pin"),
        phase: RunPhase::Finished,
        created_at: WallTime::default(),
        started_at: None,
        ended_at: None,
        agents: Vec::new(),
        profile: LoadProfile::default(),
        completeness: Completeness::default(),
    };
    let source = Source::of_run(&run, false);
    let form = StartForm::filled(Some(&source), &[]);
    let field = option_field("shop", "pin");
    assert_eq!(form.undeclared_options(&[]), [("pin", field.clone(), true)]);

    let (_, errors) = form.to_draft(&source.draft);
    let asked: Vec<_> = errors.iter().map(|error| error.path.as_str()).collect();
    assert_eq!(asked, ["options.pin"]);
    let mut texts = form.texts.clone();
    texts.insert(field, "new".into());
    // What was chosen for another scenario of this name does not count.
    texts.insert(option_field("shop", "pages"), "7".into());
    texts.insert("scenario".into(), "other".into());
    let (draft, errors) = StartForm::sent(texts).to_draft(&source.draft);
    assert!(errors.is_empty(), "{errors}");
    let values = [("pages", "3"), ("pin", "new")];
    let expected = values.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(draft.options, expected.into());
    assert_eq!(draft.scenario.as_deref(), Some("shop"));
}

/// The test that a form filled in from `test` starts, unless anything is changed.
fn again(test: &LoadTest) -> LoadTest {
    let source = Source::of_command_line(&TestDraft::from(test)).unwrap();
    let form = StartForm::filled(Some(&source), &[]);
    let (draft, found) = form.to_draft(&source.draft);
    found
        .and(draft.resolve(&TestDefaults::USUAL, None))
        .unwrap()
}

fn stages() -> impl Strategy<Value = Vec<Stage>> {
    let ramp = prop_oneof![
        (0_u64..500).prop_map(|ramp_s| (ramp_s, None)),
        (0.1_f64..900.0).prop_map(|rate| (0, Some(rate))),
    ];
    let of_users = (1_u64..90, ramp, 1_u64..9_000).prop_map(|(users, ramp, duration_s)| Stage {
        users: Some(users),
        ramp_s: ramp.0,
        spawn_rate: ramp.1,
        duration_s,
        ..Stage::default()
    });
    let of_rates =
        (0.5_f64..1e6, 0_u64..500, 1_u64..9_000).prop_map(|(rate, ramp_s, duration_s)| Stage {
            arrival_rate: Some(rate),
            ramp_s,
            duration_s,
            ..Stage::default()
        });
    prop_oneof![vec(of_users, 0..12), vec(of_rates, 1..12)]
}

fn names_of_things() -> impl Strategy<Value = Vec<String>> {
    vec("[a-zA-Z]([a-z ,]{0,8}[a-z])?", 0..4)
}

prop_compose! {
    fn tests()(
        users in 1_u64..1_000,
        ramp_up_s in 0_u64..10_000,
        duration_s in 1..=MAX_DURATION.as_secs(),
        spawn_rate in option::of(0.01_f64..1e4),
        arrival_rate in option::of(0.01_f64..1e6),
        stop_timeout_s in 0_u64..1_000,
        stages in stages(),
        user_types in names_of_things(),
        tags in names_of_things(),
        exclude_tags in names_of_things(),
        equal_weights: bool,
    ) -> LoadTest {
        let is_staged = !stages.is_empty();
        let arrival_rate = arrival_rate.filter(|_| !is_staged);
        let spawn_rate = spawn_rate.filter(|_| !is_staged && arrival_rate.is_none());
        LoadTest {
            name: "a test".into(),
            host: "http://127.0.0.1:9/base".into(),
            users,
            ramp_up_s: if spawn_rate.is_some() { 0 } else { ramp_up_s },
            duration_s,
            workers: 1,
            infrastructure: "lab 1".into(),
            scenario: "shop".into(),
            stop_timeout_s,
            spawn_rate,
            arrival_rate,
            stages,
            selection: Selection { user_types, tags, exclude_tags, equal_weights },
            ..LoadTest::default()
        }
        .settled()
    }
}

proptest! {
    #[test]
    fn a_run_that_is_run_again_unchanged_is_the_same(test in tests()) {
        prop_assert_eq!(again(&test), test);
    }
}
