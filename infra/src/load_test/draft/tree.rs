//! A test file or a JSON body as a tree of values, each with its place.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

/// Most tables and lists inside of each other, more than any test needs. TOML's dotted keys make deeper ones than a
/// thread's stack has room for.
const MAX_DEPTH: usize = 32;

/// A value and where it begins in the text, in bytes; 0 where that is not known.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) at: usize,
    pub(super) value: Value,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Flag(bool),
    Whole(i128),
    Decimal(f64),
    Text(String),
    List(Vec<Node>),
    Table(Table),
    /// A date or a time, which nothing here is.
    Date,
}

/// Keys in the order of their texts, each once.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Table(pub(super) Vec<Entry>);

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) key: String,
    /// Where the key begins.
    pub(super) at: usize,
    pub(super) node: Node,
}

impl Value {
    /// What it is, with its article.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Flag(_) => "a boolean",
            Value::Whole(_) => "a whole number",
            Value::Decimal(_) => "a decimal number",
            Value::Text(_) => "a string",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
            Value::Date => "a date",
        }
    }
}

/// The table of a TOML text.
///
/// # Errors
/// Every place at which the text is not TOML, with what is wrong there.
pub(super) fn of_toml(text: &str) -> Result<Table, Vec<(usize, String)>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    let read = table_of(table.get_ref(), 0);
    take_apart(table.into_inner());
    if errors.is_empty() {
        return read.map_err(|TooDeep { at }| {
            let message = format!("tables and lists are nested more than {MAX_DEPTH} levels deep");
            vec![(at, message)]
        });
    }
    Err(errors
        .iter()
        .map(|error| {
            (
                error.span().map_or(0, |span| span.start),
                error.message().to_owned(),
            )
        })
        .collect())
}

/// Drops a table without recursion, which would need more stack than there is for deep ones.
fn take_apart(table: DeTable<'_>) {
    let mut tables = vec![table];
    let mut values = Vec::new();
    while let Some(table) = tables.pop() {
        values.extend(table.into_iter().map(|(_, value)| value.into_inner()));
        while let Some(value) = values.pop() {
            match value {
                DeValue::Table(table) => tables.push(table),
                DeValue::Array(array) => values.extend(array.into_iter().map(Spanned::into_inner)),
                _ => {}
            }
        }
    }
}

/// Where a value is below [`MAX_DEPTH`].
struct TooDeep {
    at: usize,
}

fn table_of(table: &DeTable<'_>, depth: usize) -> Result<Table, TooDeep> {
    let mut entries: Vec<Entry> = table
        .iter()
        .map(|(key, value): (&Spanned<DeString<'_>>, _)| {
            Ok(Entry {
                key: key.get_ref().to_string(),
                at: key.span().start,
                node: node_of(value, depth + 1)?,
            })
        })
        .collect::<Result<_, _>>()?;
    entries.sort_by_key(|entry| entry.at);
    Ok(Table(entries))
}

fn node_of(value: &Spanned<DeValue<'_>>, depth: usize) -> Result<Node, TooDeep> {
    let at = value.span().start;
    if depth > MAX_DEPTH {
        return Err(TooDeep { at });
    }
    Ok(Node {
        at,
        value: match value.get_ref() {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Integer(number) => {
                match i128::from_str_radix(number.as_str(), number.radix()) {
                    Ok(number) => Value::Whole(number),
                    // More digits than any value here may have.
                    Err(_) => Value::Whole(i128::MAX),
                }
            }
            DeValue::Float(number) => {
                Value::Decimal(number.as_str().parse().unwrap_or(f64::INFINITY))
            }
            DeValue::Boolean(flag) => Value::Flag(*flag),
            DeValue::Datetime(_) => Value::Date,
            DeValue::Array(values) => {
                let nodes = values.iter().map(|value| node_of(value, depth + 1));
                Value::List(nodes.collect::<Result<_, _>>()?)
            }
            DeValue::Table(table) => Value::Table(table_of(table, depth)?),
        },
    })
}

/// Why a text is not a JSON object.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotAnObject {
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    #[error("it must be a JSON object, not {0}")]
    Other(&'static str),
}

/// The object of a JSON text.
///
/// # Errors
/// Where the text is not a JSON object, and what is wrong there.
pub(super) fn of_json(text: &[u8]) -> Result<Table, NotAnObject> {
    let node: Node = serde_json::from_slice(text)?;
    match node.value {
        Value::Table(table) => Ok(table),
        other => Err(NotAnObject::Other(other.kind())),
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = deserializer.deserialize_any(AnyValue)?;
        Ok(Node { at: 0, value })
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: de::Error>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Flag(flag))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Whole(number.into()))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Whole(number.into()))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Value, E> {
        Ok(Value::Decimal(number))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<Value, E> {
        Ok(Value::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = values.next_element()? {
            list.push(value);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut values: A) -> Result<Value, A::Error> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut keys = std::collections::BTreeSet::new();
        while let Some((key, node)) = values.next_entry::<String, Node>()? {
            if !keys.insert(key.clone()) {
                let shown: String = key.chars().take(60).collect();
                return Err(de::Error::custom(format_args!("`{shown}` is given twice")));
            }
            entries.push(Entry { key, at: 0, node });
        }
        Ok(Value::Table(Table(entries)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As deep as the parser allows: its limits are for keys and for values each.
    #[test]
    fn deep_tables_are_refused_and_not_a_crash() {
        let key = "a.".repeat(78) + "a";
        let deepest = format!("{}1{}", format!("{{ {key} = ").repeat(78), " }".repeat(78));
        let deep = format!("[{key}]\n{key} = {deepest}\n");
        let just_deep_enough = format!("{} = 1", vec!["a"; MAX_DEPTH].join("."));
        let one_more = format!("a.{just_deep_enough}");
        assert!(of_toml(&just_deep_enough).is_ok());
        for text in [deep, one_more] {
            let errors = of_toml(&text).unwrap_err();
            assert!(errors[0].1.contains("32 levels"), "{errors:?}");
        }
    }
}
