//! Values that are secrets by their names: in URLs, forms, JSON (also JSON within a JSON text), HTML and XML, and headers that a
//! body repeats. It need not be any of them: nothing is parsed, and what is cut off ends where the text does.

use std::ops::Range;

use crate::load_test::secrets::is_secret_header;

/// Ends of words in names of fields beside those of headers.
const SECRET_WORDS: [&str; 12] = [
    "passwd",
    "pwd",
    "passphrase",
    "passcode",
    "jwt",
    "credential",
    "csrf",
    "xsrf",
    "apikey",
    "signature",
    "otp",
    "sid",
];
/// Names whose value is the name of another one: `<input name="token" value="…">`, `{"key": "password", "value": "…"}`.
const LABELS: [&str; 7] = ["name", "id", "key", "property", "field", "param", "type"];
/// Names of that other value.
const LABELLED: [&str; 2] = ["value", "content"];
/// Ends of names of files, which are followed by a line's number: `Session.java:42`.
const FILE_ENDS: [&str; 12] = [
    ".java", ".kt", ".scala", ".py", ".rb", ".js", ".ts", ".go", ".rs", ".cs", ".php", ".html",
];
/// Values that are never secrets.
const LITERALS: [&str; 4] = ["null", "true", "false", "None"];

/// Whether values with this name are secrets, written in whatever way: `api_key`, `apiKey`, `X-Api-Key`.
pub(super) fn is_secret(name: &str) -> bool {
    if FILE_ENDS.iter().any(|end| name.ends_with(end)) {
        return false;
    }
    let mut words = String::with_capacity(name.len() + 4);
    let mut before_is_lower = false;
    for character in name.chars() {
        if character.is_ascii_uppercase() && before_is_lower {
            words.push('_');
        }
        before_is_lower = character.is_ascii_lowercase() || character.is_ascii_digit();
        words.push(character.to_ascii_lowercase());
    }
    let is_secret_word = |word: &str| {
        let one = word.strip_suffix('s').unwrap_or(word);
        let ends = |word: &str| SECRET_WORDS.iter().any(|end| word.ends_with(end));
        ends(word) || ends(one)
    };
    let plurals_of_headers = words
        .split(['-', '_', '.'])
        .filter_map(|word| word.strip_suffix('s'));
    is_secret_header(&words) || words.split(['-', '_', '.']).any(is_secret_word) || {
        plurals_of_headers
    }
    .any(is_secret_header)
}

/// Adds where the values of such names are.
pub(super) fn find(text: &str, found: &mut Vec<Range<usize>>) {
    let mut at = 0;
    while let Some(name) = next_name(text, at) {
        at = name.end;
        let word = &text[name.clone()];
        let secret = is_secret(word);
        if secret && let Some(content) = content_of_element(text, &name) {
            found.push(content);
            found.extend(labelled(text, &name));
            continue;
        }
        let Some(value_at) = after_separator(text, name.end) else {
            continue;
        };
        let value = value_from(text, value_at, word);
        if is_one_of(word, &LABELS) && is_secret(&text[value.clone()]) {
            found.extend(labelled(text, &name));
        }
        if secret && !LITERALS.contains(&&text[value.clone()]) {
            found.push(value);
        }
    }
}

fn is_one_of(word: &str, names: &[&str]) -> bool {
    names.iter().any(|name| word.eq_ignore_ascii_case(name))
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

/// The next run of characters that may be a name.
fn next_name(text: &str, from: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let start = from + bytes[from..].iter().position(|byte| is_of_name(*byte))?;
    let rest = &bytes[start..];
    let length = rest.iter().position(|byte| !is_of_name(*byte));
    Some(start..start + length.unwrap_or(rest.len()))
}

/// Skips any of these at a place, several times.
fn skip(text: &str, mut at: usize, marks: &[&str]) -> usize {
    while let Some(mark) = marks.iter().find(|mark| text[at..].starts_with(**mark)) {
        at += mark.len();
    }
    at
}

/// Where the value of a name begins that ends here, if it has one.
fn after_separator(text: &str, name_end: usize) -> Option<usize> {
    let at = skip(
        text,
        name_end,
        &["]", "%5D", "%5d", "\\", "\"", "'", "&quot;", "%22"],
    );
    let at = skip(text, at, &[" ", "\t", "\r", "\n"]);
    let after = skip(text, at, &["=>", ":", "=", "%3D", "%3d", "%3A", "%3a"]);
    (after > at).then(|| skip(text, after, &[" ", "\t", "\r", "\n"]))
}

/// The value that begins here, without its quotes.
fn value_from(text: &str, at: usize, name: &str) -> Range<usize> {
    let rest = &text[at..];
    let escapes = rest.len() - rest.trim_start_matches('\\').len();
    for quote in ["\"", "'", "&quot;", "%22"] {
        if rest[escapes..].starts_with(quote) {
            let start = at + escapes + quote.len();
            return start..start + quoted_length(&text[start..], quote, escapes > 0);
        }
    }
    if let Some(length) = bracketed_length(rest) {
        return at..at + length;
    }
    let is_whole_line = {
        let name = name.to_ascii_lowercase();
        ["authorization", "cookie"]
            .iter()
            .any(|end| name.ends_with(end))
            && before_is_colon(text, at)
    };
    let ends = |c: char| match is_whole_line {
        true => matches!(c, '\r' | '\n' | '"' | '\\' | '<'),
        false => c.is_whitespace() || "&;,\"'<>()[]{}|\\".contains(c),
    };
    let encoded = ["%26", "%22", "&quot;"]
        .iter()
        .filter_map(|mark| rest.find(mark));
    let end = encoded.chain(rest.find(ends)).min();
    at..at + end.unwrap_or(rest.len())
}

fn before_is_colon(text: &str, at: usize) -> bool {
    text[..at].trim_end().ends_with(':')
}

/// How long a text in quotes is; where quotes are escaped, up to the next that is, too.
fn quoted_length(text: &str, quote: &str, is_escaped: bool) -> usize {
    let mut from = 0;
    while let Some(found) = text[from..].find(quote) {
        let end = from + found;
        let before = text[..end].len() - text[..end].trim_end_matches('\\').len();
        if is_escaped && before > 0 {
            return end - before;
        }
        if !is_escaped && before.is_multiple_of(2) {
            return end;
        }
        from = end + quote.len();
    }
    text.len()
}

/// How long an object or a list is that a text begins with, with all that is in it.
fn bracketed_length(text: &str) -> Option<usize> {
    if !text.starts_with(['{', '[']) {
        return None;
    }
    let (mut depth, mut in_text, mut is_escaped) = (0_usize, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => depth += 1,
            b'}' | b']' if !in_text => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    Some(text.len())
}

/// What an XML element of this name has in it; none where the name is not that of an element.
fn content_of_element(text: &str, name: &Range<usize>) -> Option<Range<usize>> {
    let before =
        text[..name.start].trim_end_matches(|c: char| c == ':' || c.is_ascii_alphanumeric());
    if !before.ends_with('<') {
        return None;
    }
    let start = name.end + text[name.end..].find('>')? + 1;
    if text[..start].ends_with("/>") {
        return Some(start..start);
    }
    let rest = &text[start..];
    Some(start..start + rest.find('<').unwrap_or(rest.len()))
}

/// The values that stand beside a label, in its element or object.
fn labelled(text: &str, label: &Range<usize>) -> Vec<Range<usize>> {
    let start = text[..label.start].rfind(['<', '{']).map_or(0, |at| at + 1);
    let rest = &text[label.end..];
    let end = label.end + rest.find(['>', '}']).unwrap_or(rest.len());
    let mut values = Vec::new();
    let mut at = start;
    while let Some(name) = next_name(text, at).filter(|name| name.start < end) {
        at = name.end;
        if is_one_of(&text[name.clone()], &LABELLED)
            && let Some(value_at) = after_separator(text, name.end)
        {
            values.push(value_from(text, value_at, &text[name]));
        }
    }
    values
}
