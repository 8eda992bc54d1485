//! Values out of one table of a description. What is wrong is added to the problems, and reading continues.

mod durations;
mod pairs;

use super::errors::Problems;
use super::fields::{FieldKind, FieldValue};
use super::thresholds::thresholds;
use super::tree::{Entry, Table, Value};
use crate::base::nearest;

/// Other names of keys: lists are named in the singular in TOML (`[[stage]]`) and in the plural in JSON.
const ALIASES: [(&str, &str); 5] = [
    ("stages", "stage"),
    ("requests", "request"),
    ("threshold", "thresholds"),
    ("ramp_s", "ramp"),
    ("duration_s", "duration"),
];

/// One table while it is read.
pub(super) struct Section<'a> {
    table: &'a Table,
    /// Where it is in the structure; empty for the outermost.
    path: String,
    /// Where it begins in the text.
    at: usize,
    /// What it is, for messages: `a stage`.
    what: &'static str,
    problems: &'a Problems<'a>,
}

/// An element of a list that may have texts and tables.
pub(super) enum Element<'a> {
    /// A text, and a table without keys that stands where it is.
    Text(&'a str, Section<'a>),
    /// A table.
    Table(Section<'a>),
}

/// What stands for a table where there is none.
static NO_TABLE: Table = Table(Vec::new());

pub(super) fn canonical(key: &str) -> &str {
    let alias = ALIASES.iter().find(|(alias, _)| *alias == key);
    alias.map_or(key, |(_, name)| name)
}

fn shown(text: &str) -> String {
    text.chars().take(60).collect()
}

impl<'a> Section<'a> {
    pub(super) fn outermost(
        table: &'a Table,
        what: &'static str,
        problems: &'a Problems<'a>,
    ) -> Self {
        Self {
            table,
            path: String::new(),
            at: 0,
            what,
            problems,
        }
    }

    fn path_of(&self, key: &str) -> String {
        match (self.path.as_str(), key) {
            ("", key) => key.to_owned(),
            (path, "") => path.to_owned(),
            (path, key) => format!("{path}.{key}"),
        }
    }

    /// Adds a problem of a key of this table, whether it is there or not; of the table itself for an empty key.
    pub(super) fn wrong(&self, key: &str, message: impl Into<String>) {
        if self.problems.are_many() {
            return self.problems.count_only();
        }
        let entry = self.table.0.iter().find(|e| canonical(&e.key) == key);
        match entry {
            Some(entry) => self
                .problems
                .add(entry.at, &self.path_of(&entry.key), message),
            None => self.problems.add(self.at, &self.path_of(key), message),
        }
    }

    fn wrong_kind(&self, key: &str, wanted: &str, found: &Value) {
        self.wrong(
            key,
            format!("`{key}` must be {wanted}, not {}", found.kind()),
        );
    }

    /// Adds a problem for each key that is not one of these, and for each that is given under two names.
    pub(super) fn refuse_other_keys(&self, known: &[&str]) {
        for (position, entry) in self.table.0.iter().enumerate() {
            let key = canonical(&entry.key);
            let path = self.path_of(&entry.key);
            if !known.contains(&key) {
                if self.problems.are_many() {
                    self.problems.count_only();
                    continue;
                }
                let name = shown(&entry.key);
                let what = self.what;
                let message = match nearest(&entry.key, known.iter().copied()) {
                    Some(nearest) => {
                        format!("`{name}` is not a valid key of {what}; did you mean `{nearest}`?")
                    }
                    None => format!(
                        "`{name}` is not a valid key of {what}; the keys are {}",
                        known.join(", ")
                    ),
                };
                self.problems.add(entry.at, &path, message);
                // A key is in a table once, so that only known ones can be there twice: by another name.
                continue;
            }
            let earlier = self.table.0[..position].iter();
            if let Some(other) = earlier.into_iter().find(|e| canonical(&e.key) == key) {
                let message = format!(
                    "`{}` and `{}` mean the same; keep one of the two",
                    other.key, entry.key
                );
                self.problems.add(entry.at, &path, message);
            }
        }
    }

    fn entry(&self, key: &str) -> Option<&'a Entry> {
        let mut entries = self.table.0.iter();
        entries.find(|entry| canonical(&entry.key) == key && entry.node.value != Value::Null)
    }

    /// Whether the key is given.
    pub(super) fn has(&self, key: &str) -> bool {
        self.entry(key).is_some()
    }

    /// Whether one of these keys is neither given nor meant by another one that is none of them.
    pub(super) fn lacks(&self, key: &str, known: &[&str]) -> bool {
        let means_it = |entry: &Entry| {
            !known.contains(&canonical(&entry.key))
                && nearest(&entry.key, known.iter().copied()) == Some(key)
        };
        !self.has(key) && !self.table.0.iter().any(means_it)
    }

    /// Whether something is wrong with the key, or below it.
    pub(super) fn is_wrong(&self, key: &str) -> bool {
        self.entry(key)
            .is_some_and(|entry| self.problems.has(&self.path_of(&entry.key)))
    }

    /// A value of this kind.
    pub(super) fn value(&self, key: &str, kind: FieldKind) -> Option<FieldValue> {
        match kind {
            FieldKind::Text | FieldKind::Choice => self.text(key).map(FieldValue::Text),
            FieldKind::Whole => self.whole(key).map(FieldValue::Whole),
            FieldKind::Count => self.count(key).map(FieldValue::Text),
            FieldKind::Number => self.number(key).map(FieldValue::Number),
            FieldKind::Seconds => self.seconds(key).map(FieldValue::Whole),
            FieldKind::Flag => self.flag(key).map(FieldValue::Flag),
            FieldKind::List => self.texts(key).map(FieldValue::List),
            FieldKind::Thresholds => thresholds(self).map(FieldValue::List),
        }
    }

    pub(super) fn text(&self, key: &str) -> Option<String> {
        match &self.entry(key)?.node.value {
            Value::Text(text) => Some(text.clone()),
            other => {
                self.wrong_kind(key, "a string in quotes", other);
                None
            }
        }
    }

    pub(super) fn whole(&self, key: &str) -> Option<u64> {
        match &self.entry(key)?.node.value {
            Value::Whole(number) => match u64::try_from(*number) {
                Ok(number) => Some(number),
                Err(_) if *number < 0 => {
                    let message =
                        format!("`{key}` must be a whole number of at least 0, got {number}");
                    self.wrong(key, message);
                    None
                }
                Err(_) => {
                    self.wrong(key, format!("`{key}` is too large"));
                    None
                }
            },
            other => {
                self.wrong_kind(key, "a whole number", other);
                None
            }
        }
    }

    /// A whole number, or a text in its place.
    pub(super) fn count(&self, key: &str) -> Option<String> {
        match &self.entry(key)?.node.value {
            Value::Text(text) => Some(text.clone()),
            Value::Whole(_) => self.whole(key).map(|number| number.to_string()),
            other => {
                self.wrong_kind(key, "a whole number or a string in quotes", other);
                None
            }
        }
    }

    /// A whole number that fits into 32 bits.
    pub(super) fn small(&self, key: &str) -> Option<u32> {
        let number = self.whole(key)?;
        if let Ok(number) = u32::try_from(number) {
            return Some(number);
        }
        self.wrong(key, format!("`{key}` is too large"));
        None
    }

    pub(super) fn number(&self, key: &str) -> Option<f64> {
        match &self.entry(key)?.node.value {
            Value::Whole(number) => Some(*number as f64),
            Value::Decimal(number) => Some(*number),
            other => {
                self.wrong_kind(key, "a number", other);
                None
            }
        }
    }

    pub(super) fn flag(&self, key: &str) -> Option<bool> {
        match &self.entry(key)?.node.value {
            Value::Flag(flag) => Some(*flag),
            other => {
                self.wrong_kind(key, "true or false", other);
                None
            }
        }
    }

    /// One of some words.
    pub(super) fn choice<T: Copy>(&self, key: &str, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text(key)?;
        let choice = choices.iter().find(|(name, _)| *name == text);
        if choice.is_none() {
            let names: Vec<_> = choices
                .iter()
                .map(|(name, _)| format!("`{name}`"))
                .collect();
            let message = format!("`{key}` is `{}`; use {}", shown(&text), names.join(" or "));
            self.wrong(key, message);
        }
        choice.map(|(_, value)| *value)
    }

    /// A list of texts; a single one may stand without the brackets.
    pub(super) fn texts(&self, key: &str) -> Option<Vec<String>> {
        const WANTED: &str = "a list of strings such as [\"a\", \"b\"]";
        match &self.entry(key)?.node.value {
            Value::Text(text) => Some(vec![text.clone()]),
            Value::List(values) => {
                let mut texts = Vec::new();
                for value in values {
                    match &value.value {
                        Value::Text(text) => texts.push(text.clone()),
                        other => self.wrong(
                            key,
                            format!(
                                "`{key}` must be {WANTED}, and one of its values is {}",
                                other.kind()
                            ),
                        ),
                    }
                }
                Some(texts)
            }
            other => {
                self.wrong_kind(key, WANTED, other);
                None
            }
        }
    }

    /// The texts and tables of a list; a single text may stand without the brackets.
    pub(super) fn elements(
        &self,
        key: &str,
        what: &'static str,
        wanted: &str,
        most: usize,
    ) -> Option<Vec<Element<'a>>> {
        let entry = self.entry(key)?;
        let nodes = match &entry.node.value {
            Value::Text(_) => std::slice::from_ref(&entry.node),
            Value::List(nodes) => nodes.as_slice(),
            other => {
                self.wrong_kind(key, wanted, other);
                return None;
            }
        };
        if nodes.len() > most {
            let message = format!(
                "`{key}` has {} elements; the maximum is {most}",
                nodes.len()
            );
            self.wrong(key, message);
            return None;
        }
        let mut elements = Vec::new();
        for (index, node) in nodes.iter().enumerate() {
            let place = |table: &'a Table| Section {
                table,
                path: format!("{}[{index}]", self.path_of(&entry.key)),
                at: node.at,
                what,
                problems: self.problems,
            };
            match &node.value {
                Value::Text(text) => elements.push(Element::Text(text, place(&NO_TABLE))),
                Value::Table(table) => elements.push(Element::Table(place(table))),
                other => self.wrong(
                    key,
                    format!(
                        "`{key}` must be {wanted}, and one of its values is {}",
                        other.kind()
                    ),
                ),
            }
        }
        Some(elements)
    }

    /// A table below this one.
    pub(super) fn section(&self, key: &str, what: &'static str) -> Option<Section<'a>> {
        let entry = self.entry(key)?;
        match &entry.node.value {
            Value::Table(table) => Some(Section {
                table,
                path: self.path_of(&entry.key),
                at: entry.at,
                what,
                problems: self.problems,
            }),
            other => {
                self.wrong_kind(key, &format!("a table such as [{key}]"), other);
                None
            }
        }
    }

    /// The tables of a list below this one, such as [[stage]].
    pub(super) fn sections(&self, key: &str, what: &'static str, most: usize) -> Vec<Section<'a>> {
        let Some(entry) = self.entry(key) else {
            return Vec::new();
        };
        let wanted = format!("a list of tables ([[{key}]])");
        let Value::List(list) = &entry.node.value else {
            self.wrong_kind(key, &wanted, &entry.node.value);
            return Vec::new();
        };
        if list.len() > most {
            let message = format!("`{key}` has {} tables; the maximum is {most}", list.len());
            self.wrong(key, message);
            return Vec::new();
        }
        let mut sections = Vec::new();
        for (index, node) in list.iter().enumerate() {
            match &node.value {
                Value::Table(table) => sections.push(Section {
                    table,
                    path: format!("{}[{index}]", self.path_of(&entry.key)),
                    at: node.at,
                    what,
                    problems: self.problems,
                }),
                other => self.wrong_kind(key, &wanted, other),
            }
        }
        sections
    }
}
