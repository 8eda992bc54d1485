//! Reads rows out of files and texts.

use std::borrow::Cow;
use std::io::Read as _;
use std::path::Path;

use serde::de::DeserializeOwned;

use super::{Format, MAX_DATA_BYTES, MAX_ROWS, RowsError, Source};

/// Reads all rows; at least one.
pub(super) fn read<T: DeserializeOwned>(
    name: &str,
    source: Source,
    format: Format,
) -> Result<Vec<T>, RowsError> {
    let bytes = match source {
        Source::Text(text) => Cow::Borrowed(text.as_bytes()),
        Source::File(path) => Cow::Owned(file(path)?),
    };
    // Spreadsheets write a byte order mark, which would become part of the first column's name.
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
    let rows = match format {
        Format::Csv { delimiter, header } => csv_rows(name, bytes, delimiter, header)?,
        Format::JsonLines => json_rows(name, bytes)?,
    };
    if rows.is_empty() {
        return Err(RowsError::Empty {
            file: name.to_owned(),
        });
    }
    Ok(rows)
}

fn file(path: &str) -> Result<Vec<u8>, RowsError> {
    let unreadable = |error: std::io::Error| {
        let parent = Path::new(path).parent().unwrap_or(Path::new(""));
        let here = std::env::current_dir().unwrap_or_default();
        RowsError::Read {
            file: path.to_owned(),
            directory: here.join(parent),
            reason: error.to_string(),
        }
    };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    // One byte more than allowed tells a file that is too large from one that just fits, also while it grows.
    file.take(MAX_DATA_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > MAX_DATA_BYTES {
        return Err(RowsError::TooLarge {
            file: path.to_owned(),
            bytes: std::fs::metadata(path).map_or(bytes.len() as u64, |file| file.len()),
        });
    }
    Ok(bytes)
}

fn csv_rows<T: DeserializeOwned>(
    name: &str,
    bytes: &[u8],
    delimiter: u8,
    header: bool,
) -> Result<Vec<T>, RowsError> {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(header)
        .from_reader(bytes);
    let mut rows = Vec::new();
    for row in reader.deserialize() {
        let row = row.map_err(|error| RowsError::Row {
            file: name.to_owned(),
            line: error.position().map_or(1, |at| line_of(at, bytes)),
            reason: reason(&error),
        })?;
        push(name, &mut rows, row)?;
    }
    Ok(rows)
}

/// The line a row begins in: its position may be that of empty lines before it.
fn line_of(at: &csv::Position, bytes: &[u8]) -> u64 {
    let from = usize::try_from(at.byte()).map_or(bytes.len(), |from| from.min(bytes.len()));
    let empty = bytes[from..]
        .iter()
        .take_while(|byte| matches!(byte, b'\r' | b'\n'))
        .filter(|byte| **byte == b'\n')
        .count();
    at.line() + empty as u64
}

/// The reason alone: the csv crate's own messages count bytes and records, too.
fn reason(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::Deserialize { err, .. } => match err.field() {
            Some(field) => format!("column {}: {}", field + 1, err.kind()),
            None => err.kind().to_string(),
        },
        csv::ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => format!("{len} columns where the first line has {expected_len}"),
        csv::ErrorKind::Utf8 { err, .. } => {
            format!("column {} is not valid UTF-8", err.field() + 1)
        }
        _ => error.to_string(),
    }
}

fn json_rows<T: DeserializeOwned>(name: &str, bytes: &[u8]) -> Result<Vec<T>, RowsError> {
    let mut rows = Vec::new();
    for (number, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let row = serde_json::from_slice(line).map_err(|error| RowsError::Row {
            file: name.to_owned(),
            line: number as u64 + 1,
            reason: json_reason(&error),
        })?;
        push(name, &mut rows, row)?;
    }
    Ok(rows)
}

/// The reason with its column; the line that serde_json counts is always the first.
fn json_reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line ") {
        Some((reason, _)) => format!("column {}: {reason}", error.column()),
        None => text,
    }
}

fn push<T>(name: &str, rows: &mut Vec<T>, row: T) -> Result<(), RowsError> {
    if rows.len() == MAX_ROWS {
        return Err(RowsError::TooManyRows {
            file: name.to_owned(),
        });
    }
    rows.push(row);
    Ok(())
}
