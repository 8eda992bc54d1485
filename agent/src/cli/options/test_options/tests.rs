//! What becomes of flags and a test file together.

use clap::Parser;

use super::*;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    test: TestOptions,
}

fn asked(flags: &[&str], file: &str) -> AskedTest {
    let line = Line::try_parse_from(["run"].iter().chain(flags)).unwrap();
    let file = TestDraft::from_toml(file).unwrap();
    line.test.over(file, BTreeMap::new()).unwrap()
}

const RATES: &str = r#"
host = "http://a"
users = 50
[[stage]]
arrival_rate = 20
duration = "5m"
"#;

const STAGES: &str = r#"
[[stage]]
users = 5
duration = "1m"
[[stage]]
users = 9
duration = "1m"
"#;

#[test]
fn users_beside_arrival_rates_keep_the_stages() {
    let more = asked(&["--users", "100"], RATES);
    assert_eq!((more.draft.users, more.draft.stages.len()), (Some(100), 1));
    assert!(!more.stages_left_out);
    let other = asked(&["--users", "100"], STAGES);
    assert_eq!(
        (other.draft.users, other.draft.stages.len()),
        (Some(100), 0)
    );
    assert!(other.stages_left_out, "it is reported");
    let whole = asked(&[], STAGES);
    assert_eq!((whole.draft.users, whole.draft.stages.len()), (None, 2));
    assert!(!whole.stages_left_out);
}

#[test]
fn an_arrival_rate_flag_takes_the_place_of_the_files_spawn_rate() {
    let test = asked(
        &["--arrival-rate", "7"],
        "host = \"http://a\"\nspawn_rate = 2",
    )
    .draft;
    assert_eq!((test.arrival_rate, test.spawn_rate), (Some(7.0), None));
}

#[test]
fn a_description_is_a_flag_and_a_key() {
    let file = "description = \"of the file\"";
    let described = |flags: &[&str]| asked(flags, file).draft.description.unwrap();
    assert_eq!(described(&[]), "of the file");
    assert_eq!(described(&["--description", "of the flag"]), "of the flag");
}

#[test]
fn a_file_behind_a_list_is_not_a_tag() {
    for flag in ["-T", "-E", "--user-types"] {
        let line = Line::try_parse_from(["run", flag, "a", "b", "test.toml"]).unwrap();
        let refused = line
            .test
            .ask(BTreeMap::new(), &Sources::default())
            .err()
            .map(|failure| format!("{failure:?}"));
        assert!(
            refused.is_some_and(|reason| reason.contains("`test.toml`")),
            "{flag}"
        );
    }
}

#[test]
fn a_scenario_beside_declared_requests_is_refused() {
    let file = "host = \"http://a\"\n[[request]]\npath = \"/\"\n";
    let file = TestDraft::from_toml(file).unwrap();
    let line = Line::try_parse_from(["run", "--scenario", "shop"]).unwrap();
    let refused = line.test.refuse_two_scenarios(&file, &Sources::default());
    let reason = format!("{:?}", refused.unwrap_err());
    assert!(
        reason.contains("`shop`") && reason.contains("[[request]]"),
        "{reason}"
    );
    let line = Line::try_parse_from(["run"]).unwrap();
    assert!(
        line.test
            .refuse_two_scenarios(&file, &Sources::default())
            .is_ok()
    );
    assert!(
        line.test
            .over(file, BTreeMap::new())
            .unwrap()
            .draft
            .declared
            .is_some()
    );
}
