//! The porting guide's table of Locust's options and variables, as a reader finds it.

use std::fs;
use std::path::Path;

/// Heading of the table.
const HEADING: &str = "| Locust | Variable | Here |";

/// A row of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuideRow {
    /// As they are typed; empty where Locust has only a variable or only words.
    pub flags: Vec<String>,
    /// The variable, if there is one.
    pub variable: Option<String>,
    /// `same`, `differs` or `refused`.
    pub here: String,
    /// What differs, or what to use.
    pub note: String,
}

/// Reads the table of `scenarios/README.md`.
///
/// # Panics
/// It does not exist.
pub fn guide_table() -> Vec<GuideRow> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/README.md");
    let guide = fs::read_to_string(path).expect("the guide is in the repository");
    let (_, rest) = guide
        .split_once(HEADING)
        .unwrap_or_else(|| panic!("no table {HEADING} in the porting guide"));
    rest.lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(row)
        .collect()
}

fn row(line: &str) -> GuideRow {
    let cells: Vec<&str> = line
        .trim_matches('|')
        .splitn(4, '|')
        .map(str::trim)
        .collect();
    let [flags, variable, here, note] = cells[..] else {
        panic!("four columns: {line}");
    };
    let texts = |cell: &str| -> Vec<String> {
        let parts = cell.split('`').skip(1).step_by(2);
        parts.map(str::to_owned).collect()
    };
    GuideRow {
        flags: texts(flags)
            .into_iter()
            .filter(|flag| flag.starts_with('-'))
            .collect(),
        variable: texts(variable).into_iter().next(),
        here: here.to_owned(),
        note: note.to_owned(),
    }
}
