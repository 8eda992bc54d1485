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

/// A text of somebody's, as it may be printed on a terminal's line: control characters become spaces, and at most `limit` bytes are
/// kept, as [`cut`] does.
pub fn visible_line(text: &str, limit: usize) -> String {
    let visible = text.replace(|character: char| character.is_control(), " ");
    cut(visible.trim(), limit).into_owned()
}
