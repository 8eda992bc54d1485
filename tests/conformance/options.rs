//! The porting guide's table of options against the options that the real Locust has. What each does is shown in
//! `tests/system/command_line/locust_options.rs`.

use std::collections::BTreeSet;

use greylag_tests::guide_table;
use serde::Deserialize;

use super::locust;

#[derive(Debug, Deserialize)]
struct Locusts {
    options: Vec<LocustsOption>,
    /// All that its source names.
    variables: BTreeSet<String>,
}

#[derive(Debug, Deserialize)]
struct LocustsOption {
    flags: Vec<String>,
    variable: Option<String>,
}

#[tokio::test]
async fn the_porting_guide_has_every_option_and_variable_of_locust() {
    let locusts: Locusts =
        serde_json::from_str(&locust::script("options.py").await).expect("options.py prints this");
    assert!(locusts.options.len() > 50, "{locusts:?}");
    let table = guide_table();
    for option in &locusts.options {
        let row = table
            .iter()
            .find(|row| row.flags.contains(&option.flags[0]))
            .unwrap_or_else(|| panic!("the guide does not have {:?}", option.flags));
        let all = |flags: &[String]| flags.iter().cloned().collect::<BTreeSet<String>>();
        assert_eq!(all(&row.flags), all(&option.flags));
        if option.variable.is_some() {
            assert_eq!(row.variable, option.variable, "{:?}", option.flags);
        }
    }
    let known = locusts.options.iter().flat_map(|option| &option.flags);
    let known: BTreeSet<&String> = known.collect();
    for flag in table.iter().flat_map(|row| &row.flags) {
        assert!(known.contains(flag), "Locust has no {flag}");
    }
    let ours: BTreeSet<String> = table.into_iter().filter_map(|row| row.variable).collect();
    assert_eq!(ours, locusts.variables);
}
