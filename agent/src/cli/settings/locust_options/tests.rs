//! The table against our own arguments and against the porting guide.

use super::*;
use crate::cli::command;

const GUIDE: &str = include_str!("../../../../../scenarios/README.md");

#[test]
fn every_option_that_does_something_is_an_argument_of_that_name() {
    let command = command(&[]);
    let run = command.find_subcommand("run").unwrap();
    for option in OPTIONS {
        let (Same(id) | Differs(id)) = option.support else {
            continue;
        };
        let arg = command
            .get_arguments()
            .chain(run.get_arguments())
            .find(|arg| arg.get_id() == id)
            .unwrap_or_else(|| panic!("{id} is not an argument of run"));
        for flag in option.flags {
            let is_its = match flag.strip_prefix("--") {
                Some(long) => {
                    arg.get_long() == Some(long)
                        || arg.get_all_aliases().is_some_and(|all| all.contains(&long))
                }
                None => {
                    let short = flag.chars().nth(1).unwrap();
                    arg.get_short() == Some(short)
                        || arg
                            .get_all_short_aliases()
                            .is_some_and(|all| all.contains(&short))
                }
            };
            assert!(is_its, "{flag} is not a name of {id}");
        }
        let switch = arg.get_action().takes_values();
        assert_eq!(!switch, option.takes == Nothing, "{id}");
    }
}

/// A row of the guide's table.
fn row(option: &LocustOption) -> String {
    let flags: Vec<String> = option
        .flags
        .iter()
        .map(|flag| format!("`{flag}`"))
        .collect();
    let flags = if option.variable == Some("LOCUST_USER_CLASSES") {
        "`UserClass …`".to_owned()
    } else {
        flags.join(", ")
    };
    let variable = option
        .variable
        .map_or_else(String::new, |name| format!("`{name}`"));
    let support = match option.support {
        Same(_) | Action => "same",
        Differs(_) => "differs",
        Refused => "refused",
    };
    format!("| {flags} | {variable} | {support} | {} |", option.note)
}

#[test]
fn the_porting_guide_has_this_table() {
    let rows: Vec<String> = OPTIONS.iter().map(row).collect();
    let table = rows.join("\n");
    assert!(
        GUIDE.contains(&table),
        "the table in scenarios/README.md should be\n{table}"
    );
}
