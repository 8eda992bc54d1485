//! Names with texts: options and headers.

use super::{Section, shown};
use crate::load_test::draft::tree::{Entry, Node, Value};

impl Section<'_> {
    /// The value of an option of a scenario: a text, or what can be written as one.
    pub(in crate::load_test::draft) fn scalars(&self, key: &str) -> Vec<(String, String)> {
        let Some(inner) = self.section(key, "the options") else {
            return Vec::new();
        };
        let mut scalars = Vec::new();
        for entry in &inner.table.0 {
            let text = match &entry.node.value {
                Value::Text(text) => text.clone(),
                Value::Whole(number) => number.to_string(),
                Value::Decimal(number) => number.to_string(),
                Value::Flag(flag) => flag.to_string(),
                // The value is not repeated: it may be a secret.
                other => {
                    let name = shown(&entry.key);
                    let message = format!(
                        "`{name}` must be a string, a number, true or false, not {}",
                        other.kind()
                    );
                    self.problems
                        .add(entry.at, &inner.path_of(&entry.key), message);
                    continue;
                }
            };
            scalars.push((entry.key.clone(), text));
        }
        scalars
    }

    /// Names and texts: a table, or a list of pairs, which may have a name more than once.
    pub(in crate::load_test::draft) fn pairs(&self, key: &str) -> Vec<(String, String)> {
        const WANTED: &str =
            "a table such as { accept = \"application/json\" }, or a list of pairs of strings";
        let Some(entry) = self.entry(key) else {
            return Vec::new();
        };
        let mut pairs = Vec::new();
        match &entry.node.value {
            Value::Table(table) => {
                for Entry {
                    key: name, node, ..
                } in &table.0
                {
                    match &node.value {
                        Value::Text(text) => pairs.push((name.clone(), text.clone())),
                        other => self.wrong(
                            key,
                            format!(
                                "`{}` of `{key}` must be a string in quotes, not {}",
                                shown(name),
                                other.kind()
                            ),
                        ),
                    }
                }
            }
            Value::List(list) => {
                for node in list {
                    match &node.value {
                        Value::List(pair) => match pair.as_slice() {
                            [
                                Node {
                                    value: Value::Text(name),
                                    ..
                                },
                                Node {
                                    value: Value::Text(text),
                                    ..
                                },
                            ] => pairs.push((name.clone(), text.clone())),
                            _ => self.wrong(key, format!("`{key}` must be {WANTED}")),
                        },
                        other => self.wrong_kind(key, WANTED, other),
                    }
                }
            }
            other => self.wrong_kind(key, WANTED, other),
        }
        pairs
    }
}
