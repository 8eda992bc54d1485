//! Texts from outside, bounded.

use std::borrow::Cow;

/// Cuts a text at a character so that it has at most `limit` bytes, the mark `…` included.
pub fn cut(text: &str, limit: usize) -> Cow<'_, str> {
    const MARK: &str = "…";
    if text.len() <= limit {
        return text.into();
    }
    let mut end = limit.saturating_sub(MARK.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{MARK}", &text[..end]).into()
}

/// A text of somebody's, as it may be printed on a terminal's line: control characters become spaces, marks that turn the direction of
/// writing are dropped, and at most `limit` bytes are kept, as [`cut`] does. Texts that read alike become the same.
pub fn visible_line(text: &str, limit: usize) -> String {
    let visible = text.replace(|character: char| character.is_control(), " ");
    let visible = visible.replace(turns_direction, "");
    cut(visible.trim(), limit).into_owned()
}

/// Whether a character is one of Unicode's bidirectional embeddings, overrides, isolates and marks: they can make a line read as another.
pub fn turns_direction(character: char) -> bool {
    matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
}
