use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use serde::Deserialize;

use super::*;
use crate::scenario::{PrepareError, Scenario};
use crate::task::{Flow, TestEnd};
use crate::testing::Memory;

#[derive(Debug, Deserialize, PartialEq)]
struct Account {
    name: String,
    age: u32,
}

const CSV: &str = "name,age\nada,36\n\"Hopper, Grace\",85\n";

fn settings(worker: u32, workers: u32, users: u64) -> RunSettings {
    RunSettings {
        worker,
        workers,
        users,
        ..RunSettings::default()
    }
}

fn run(worker: u32, workers: u32) -> (Arc<Run>, Arc<Memory>) {
    let memory = Arc::new(Memory::default());
    let run = Scenario::new("data").run(settings(worker, workers, 1), memory.clone());
    (run, memory)
}

fn user(index: u64) -> UserInfo {
    UserInfo {
        index,
        user_type: "Tester".into(),
    }
}

/// The numbers 0 to count - 1 as JSON lines; leaked, because a source is made for a static.
fn numbers(count: u64) -> &'static str {
    let lines: String = (0..count).map(|number| format!("{number}\n")).collect();
    lines.leak()
}

#[test]
fn rows_of_both_formats_become_values() {
    let expected = [
        Account {
            name: "ada".into(),
            age: 36,
        },
        Account {
            name: "Hopper, Grace".into(),
            age: 85,
        },
    ];
    assert_eq!(Rows::<Account>::csv_text(CSV).all().unwrap(), expected);
    let marked = "\u{feff}name;age\r\nada;36\r\nHopper, Grace;85\r\n";
    let marked = Rows::<Account>::csv_text(marked).delimiter(b';');
    assert_eq!(marked.all().unwrap(), expected);
    let lines = "{\"name\":\"ada\",\"age\":36}\r\n\n{\"age\":85,\"name\":\"Hopper, Grace\"}";
    assert_eq!(
        Rows::<Account>::json_lines_text(lines).all().unwrap(),
        expected
    );
    let bare = Rows::<(String, u32)>::csv_text("ada,36\n").without_header();
    assert_eq!(bare.all().unwrap(), [("ada".to_owned(), 36)]);
    let mapped = Rows::<BTreeMap<String, String>>::csv_text(CSV);
    assert_eq!(mapped.all().unwrap()[1]["name"], "Hopper, Grace");
}

#[test]
fn what_is_wrong_with_data_is_a_message() {
    let csv = |text| {
        let rows = Rows::<Account>::csv_text(text);
        rows.all().map(<[_]>::len).unwrap_err().to_string()
    };
    assert_eq!(
        csv("name,age\nada,36\n\nbob,old\n"),
        "the CSV text, line 4: column 2: invalid digit found in string"
    );
    assert_eq!(
        csv("name,age\nada\n"),
        "the CSV text, line 2: 1 columns where the first line has 2"
    );
    assert_eq!(
        csv("name\nada\n"),
        "the CSV text, line 2: missing field `age`"
    );
    assert_eq!(csv("name,age\n"), "the CSV text has no rows");
    assert_eq!(csv(""), "the CSV text has no rows");
    let json = |text| {
        let rows = Rows::<Account>::json_lines_text(text);
        rows.all().map(<[_]>::len).unwrap_err().to_string()
    };
    assert_eq!(
        json("{\"name\":\"ada\",\"age\":36}\n\n{\"name\":\"bob\",\"age\":-1}\n"),
        "the JSON-lines text, line 3: column 22: invalid value: integer `-1`, expected u32"
    );
    assert_eq!(
        json("nonsense"),
        "the JSON-lines text, line 1: column 2: expected ident"
    );
}

#[test]
fn a_missing_file_says_where_it_was_looked_for() {
    let rows = Rows::<Account>::csv("no-such-directory/accounts.csv");
    let error = rows.all().map(<[_]>::len).unwrap_err().to_string();
    let directory = std::env::current_dir().unwrap().join("no-such-directory");
    assert_eq!(
        error,
        format!(
            "no-such-directory/accounts.csv cannot be read in {}: No such file or directory (os error 2)",
            directory.display()
        )
    );
}

#[test]
fn a_file_is_read_from_the_working_directory() {
    // Tests run in the crate's directory.
    let rows = Rows::<BTreeMap<String, String>>::json_lines("Cargo.toml");
    let error = rows.all().map(<[_]>::len).unwrap_err().to_string();
    assert!(error.starts_with("Cargo.toml, line 1: column "), "{error}");
}

#[test]
fn a_scenario_reads_its_data_before_load() {
    static GOOD: Rows<Account> = Rows::csv_text(CSV).unique();
    static BAD: Rows<Account> = Rows::csv_text("name,age\nada,old\n");
    let scenario = Scenario::new("data").data(&GOOD);
    let said = |prepared: Result<(), PrepareError>| prepared.map_err(|error| error.to_string());
    assert_eq!(scenario.prepare(&settings(0, 1, 2)), Ok(()));
    assert_eq!(
        said(scenario.prepare(&settings(0, 1, 3))),
        Err(
            "the CSV text has 2 rows for 3 users: unique rows need at least one for each user"
                .to_owned()
        )
    );
    assert_eq!(
        said(scenario.data(&BAD).prepare(&settings(0, 1, 1))),
        Err("the CSV text, line 2: column 2: invalid digit found in string".to_owned())
    );
}

#[test]
fn when_rows_run_out_the_user_ends_or_the_test() {
    let (run, _) = run(0, 1);
    let rows = Rows::<u64>::json_lines_text("7\n").once();
    assert_eq!(rows.next_row(&run, &user(0)).unwrap(), &7);
    for _ in 0..3 {
        let error = rows.next_row(&run, &user(0)).unwrap_err();
        assert_eq!(error.flow(), Some(&Flow::StopUser));
    }
    let rows = Rows::<u64>::json_lines_text("7\n")
        .once()
        .stop_test_at_end();
    assert_eq!(rows.next_row(&run, &user(0)).unwrap(), &7);
    let error = rows.next_row(&run, &user(0)).unwrap_err();
    let message = "worker 0 of 1 has handed out its part of the 1 rows of the JSON-lines text";
    let stop = Flow::EndTest(TestEnd::Stop(message.to_owned()));
    assert_eq!(error.flow(), Some(&stop));
    let rows = Rows::<u64>::json_lines_text("7\n")
        .once()
        .finish_test_at_end();
    assert_eq!(rows.next_row(&run, &user(0)).unwrap(), &7);
    let error = rows.next_row(&run, &user(0)).unwrap_err();
    let finish = Flow::EndTest(TestEnd::Finish(message.to_owned()));
    assert_eq!(error.flow(), Some(&finish));
    let rows = Rows::<u64>::json_lines_text("7\n").unique();
    let error = rows.next_row(&run, &user(1)).unwrap_err();
    assert_eq!(error.flow(), Some(&Flow::StopUser));
    let rows = rows.stop_test_at_end();
    let error = rows.next_row(&run, &user(1)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "user 1 has no row of its own: the JSON-lines text has 1 rows"
    );
}

#[test]
fn a_new_run_begins_with_the_first_row() {
    let (run, _) = run(0, 1);
    let rows = Rows::<u64>::json_lines_text("7\n8\n").once();
    for _ in 0..2 {
        rows.prepare(&settings(0, 1, 1)).unwrap();
        assert_eq!(rows.next_row(&run, &user(0)).unwrap(), &7);
        assert_eq!(rows.next_row(&run, &user(0)).unwrap(), &8);
        assert!(rows.next_row(&run, &user(0)).is_err());
    }
}

#[test]
fn bad_data_that_was_not_checked_is_an_error_of_each_task() {
    let (run, _) = run(0, 1);
    let rows = Rows::<u64>::json_lines_text("x");
    for _ in 0..2 {
        let error = rows.next_row(&run, &user(0)).unwrap_err();
        assert!(error.flow().is_none());
        assert_eq!(
            error.to_string(),
            "the JSON-lines text, line 1: column 1: expected value"
        );
    }
}

#[test]
fn random_rows_are_all_of_them() {
    let (run, _) = run(0, 1);
    let rows = Rows::<u64>::json_lines_text(numbers(5)).random();
    let drawn: std::collections::BTreeSet<u64> = (0..1_000)
        .map(|_| *rows.next_row(&run, &user(0)).unwrap())
        .collect();
    assert_eq!(drawn.len(), 5);
}

proptest! {
    #[test]
    fn once_hands_out_each_row_exactly_once(count in 1u64..80, workers in 1u32..12) {
        let text = numbers(count);
        let mut drawn = Vec::new();
        for worker in 0..workers {
            let (run, _) = run(worker, workers);
            let rows = Rows::<u64>::json_lines_text(text).once();
            while let Ok(row) = rows.next_row(&run, &user(u64::from(worker))) {
                prop_assert_eq!(row % u64::from(workers), u64::from(worker), "rows of others");
                drawn.push(*row);
            }
        }
        drawn.sort_unstable();
        prop_assert_eq!(drawn, (0..count).collect::<Vec<_>>());
    }

    #[test]
    fn in_turn_covers_all_rows_evenly(count in 1u64..40, workers in 1u32..8, draws in 1u64..100) {
        let text = numbers(count);
        let mut times = vec![0_u64; usize::try_from(count).unwrap()];
        for worker in 0..workers {
            let (run, _) = run(worker, workers);
            let rows = Rows::<u64>::json_lines_text(text);
            for _ in 0..draws {
                times[usize::try_from(*rows.next_row(&run, &user(0)).unwrap()).unwrap()] += 1;
            }
        }
        let (least, most) = (times.iter().min().unwrap(), times.iter().max().unwrap());
        prop_assert!(most - least <= 1, "{times:?}");
    }

    #[test]
    fn unique_rows_are_never_shared(count in 1u64..60, workers in 1u32..8) {
        let text = numbers(count);
        let mut owners = std::collections::HashMap::new();
        for index in 0..count {
            let worker = u32::try_from(index % u64::from(workers)).unwrap();
            let (run, _) = run(worker, workers);
            let rows = Rows::<u64>::json_lines_text(text).unique();
            rows.prepare(&settings(worker, workers, count)).unwrap();
            for _ in 0..3 {
                let row = *rows.next_row(&run, &user(index)).unwrap();
                prop_assert_eq!(*owners.entry(row).or_insert(index), index);
            }
        }
        prop_assert_eq!(owners.len() as u64, count);
    }
}

#[test]
fn a_scenario_names_the_files_of_its_data() {
    static ONE: Rows<u64> = Rows::csv("one.csv");
    static AGAIN: Rows<u64> = Rows::csv("one.csv").once();
    static LINES: Rows<u64> = Rows::json_lines("data/two.jsonl");
    static TEXT: Rows<u64> = Rows::csv_text("1");
    let scenario = Scenario::new("data").data(&ONE).data(&TEXT);
    let scenario = scenario.data(&AGAIN).data(&LINES);
    assert_eq!(scenario.data_files(), ["one.csv", "data/two.jsonl"]);
}
