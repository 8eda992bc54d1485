//! Reading a response's JSON: the whole of it, or the value at one place.

use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::client::body::BodyNotKept;

/// A type that JSON can be read as: everything that implements serde's `Deserialize` and owns what it holds.
#[diagnostic::on_unimplemented(
    message = "JSON cannot be read as `{Self}`",
    label = "the type to read the JSON as is missing, or does not implement `Deserialize`",
    note = "where the message says `!`, no type was given: write `page.json::<Value>()?` for any JSON, or `let products: Vec<Product> = page.json()?`",
    note = "a type of your own needs `#[derive(Deserialize)]` and, where serde comes with greylag, `#[serde(crate = \"greylag::serde\")]`"
)]
pub trait ReadJson: DeserializeOwned {}

// Without the attribute the compiler would name the bound of this impl, and not what to do.
#[diagnostic::do_not_recommend]
impl<T: DeserializeOwned> ReadJson for T {}

/// A response whose body is not the JSON that the scenario expects: which request it was, at which place of
/// the JSON, and why.
#[derive(Debug, thiserror::Error)]
#[error("{request}: {problem}")]
pub struct JsonError {
    request: String,
    problem: Problem,
}

#[derive(Debug)]
enum Problem {
    /// Not JSON at all, or not of the expected type.
    Unexpected(serde_json::Error),
    /// Not of the expected type at this place.
    UnexpectedAt(String, serde_json::Error),
    /// There is nothing at this place.
    Nothing { pointer: String, ends: String },
    /// Not a place.
    NotAPointer(String),
    /// The body was too large to be kept.
    NotKept(BodyNotKept),
}

impl JsonError {
    pub(in crate::client) fn not_kept(request: String, missing: BodyNotKept) -> Self {
        Self {
            request,
            problem: Problem::NotKept(missing),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unexpected(error) => {
                write!(f, "the response is not the expected JSON: {error}")
            }
            Self::UnexpectedAt(pointer, error) => {
                write!(f, "\"{pointer}\" is not the expected value: {error}")
            }
            Self::Nothing { pointer, ends } => {
                write!(f, "nothing at \"{pointer}\" in the response's JSON: {ends}")
            }
            Self::NotKept(missing) => missing.fmt(f),
            Self::NotAPointer(pointer) => write!(
                f,
                "\"{pointer}\" is not a JSON pointer: write it with a slash before each step, as in \"/items/0/id\""
            ),
        }
    }
}

/// A whole body as JSON. `request` names the request in errors.
pub(in crate::client) fn read<T: ReadJson>(
    body: &[u8],
    request: impl FnOnce() -> String,
) -> Result<T, JsonError> {
    serde_json::from_slice(without_mark(body)).map_err(|error| JsonError {
        request: request(),
        problem: Problem::Unexpected(error),
    })
}

/// A body without the byte order mark that some servers put before JSON; Python does not mind it either.
pub(in crate::client) fn without_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)
}

/// What stands at `pointer` (RFC 6901) in `whole`.
pub(in crate::client) fn pick<T: ReadJson>(
    whole: &Value,
    pointer: &str,
    request: impl FnOnce() -> String,
) -> Result<T, JsonError> {
    let problem = match whole.pointer(pointer) {
        Some(value) => match T::deserialize(value) {
            Ok(value) => return Ok(value),
            Err(error) => Problem::UnexpectedAt(pointer.to_owned(), error),
        },
        None if !pointer.starts_with('/') => Problem::NotAPointer(pointer.to_owned()),
        None => Problem::Nothing {
            pointer: pointer.to_owned(),
            ends: where_it_ends(whole, pointer),
        },
    };
    Err(JsonError {
        request: request(),
        problem,
    })
}

/// The last part of a pointer that leads anywhere, and what is there instead. It names no values and no keys
/// of the response, so that errors of one kind stay one.
fn where_it_ends(whole: &Value, pointer: &str) -> String {
    let mut known = pointer;
    while let Some(end) = known.rfind('/') {
        known = &pointer[..end];
        let Some(value) = whole.pointer(known) else {
            continue;
        };
        let step = pointer[end + 1..].split('/').next().unwrap_or_default();
        let what = match value {
            Value::Null => "null".to_owned(),
            Value::Bool(_) => "a boolean".to_owned(),
            Value::Number(_) => "a number".to_owned(),
            Value::String(_) => "a string".to_owned(),
            Value::Array(items) if items.is_empty() => "an empty array".to_owned(),
            Value::Array(_) => format!("an array without an item {step}"),
            Value::Object(_) => format!("an object without a key \"{step}\""),
        };
        return if known.is_empty() {
            format!("it is {what}")
        } else {
            format!("\"{known}\" is {what}")
        };
    }
    "it is empty".to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn error(whole: &Value, pointer: &str) -> String {
        let picked = pick::<u64>(whole, pointer, || "GET /api".to_owned());
        picked.expect_err(pointer).to_string()
    }

    #[test]
    fn a_place_is_read_as_the_type_that_is_wanted() {
        let whole = json!({"items": [{"id": 7, "a/b": ["x"], "m~n": null}]});
        let pick = |pointer| pick::<Value>(&whole, pointer, String::new).unwrap();
        assert_eq!(pick("/items/0/id"), json!(7));
        assert_eq!(pick("/items/0/a~1b/0"), json!("x"));
        assert_eq!(pick("/items/0/m~0n"), Value::Null);
        assert_eq!(pick(""), whole);
    }

    #[test]
    fn errors_name_the_request_the_place_and_what_is_there_instead() {
        let whole = json!({"items": [{"id": "seven"}], "none": [], "name": "x", "no": null});
        for (pointer, text) in [
            (
                "/items/0/id",
                "\"/items/0/id\" is not the expected value: invalid type: string \"seven\", expected u64",
            ),
            (
                "/items/3/id",
                "nothing at \"/items/3/id\" in the response's JSON: \"/items\" is an array without an item 3",
            ),
            (
                "/items/0/price/net",
                "nothing at \"/items/0/price/net\" in the response's JSON: \"/items/0\" is an object without a key \"price\"",
            ),
            (
                "/none/0",
                "nothing at \"/none/0\" in the response's JSON: \"/none\" is an empty array",
            ),
            (
                "/name/first",
                "nothing at \"/name/first\" in the response's JSON: \"/name\" is a string",
            ),
            (
                "/no/way",
                "nothing at \"/no/way\" in the response's JSON: \"/no\" is null",
            ),
            (
                "/token",
                "nothing at \"/token\" in the response's JSON: it is an object without a key \"token\"",
            ),
            (
                "items/0",
                "\"items/0\" is not a JSON pointer: write it with a slash before each step, as in \"/items/0/id\"",
            ),
        ] {
            assert_eq!(error(&whole, pointer), format!("GET /api: {text}"));
        }
    }
}
