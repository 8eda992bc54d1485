//! Texts from outside as code in Markdown: nothing in them is obeyed, and names in them notify no one.

use crate::plain_text::plain_text;

/// Longest text that is shown, in characters.
pub(super) const MAX_CHARS: usize = 160;

/// A text as code in Markdown, cut to [`MAX_CHARS`]; empty for an empty one.
///
/// Code spans end at as many backquotes as they begin with, and lose one space at both ends (CommonMark 0.31, 6.1).
pub(super) fn code(text: &str) -> String {
    let plain = plain_text(text);
    let plain = plain.trim();
    let mut shown: String = plain.chars().take(MAX_CHARS).collect();
    if shown.len() < plain.len() {
        shown.push('…');
    }
    if shown.is_empty() {
        return shown;
    }
    let longest = shown
        .split(|character| character != '`')
        .map(str::len)
        .max();
    let fence = "`".repeat(longest.unwrap_or(0) + 1);
    // Where a backquote would touch the fence.
    let pad = if shown.starts_with('`') || shown.ends_with('`') {
        " "
    } else {
        ""
    };
    format!("{fence}{pad}{shown}{pad}{fence}")
}

/// The same in a cell of a table of GitHub Flavored Markdown, where bars are escaped in code, too (GFM 0.29, 4.10).
pub(super) fn cell(text: &str) -> String {
    code(text).replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use pulldown_cmark::{Event, Options, Parser};

    use super::*;

    /// What a reader of Markdown sees of a text in a paragraph, and in a cell of a table.
    fn read_back(text: &str) -> [String; 2] {
        let paragraph = code(text);
        let shown = Parser::new(&paragraph).map(|event| match event {
            Event::Code(text) | Event::Text(text) => text.to_string(),
            _ => String::new(),
        });
        [shown.collect(), read_cell(&cell(text))]
    }

    fn read_cell(cell: &str) -> String {
        let table = format!("| a | b |\n|---|---|\n| {cell} | end |\n");
        let events = Parser::new_ext(&table, Options::ENABLE_TABLES);
        let texts: Vec<String> = events
            .filter_map(|event| match event {
                Event::Code(text) | Event::Text(text) => Some(text.to_string()),
                _ => None,
            })
            .collect();
        assert_eq!(texts.last().map(String::as_str), Some("end"), "{table}");
        texts[2..texts.len() - 1].concat()
    }

    #[test]
    fn nothing_is_obeyed() {
        for text in [
            "GET /a|b",
            "<script>alert(1)</script>",
            "@everyone #1",
            "`` ` ``",
            "![x](http://evil/)",
            "a\\",
            "a\\|b",
        ] {
            assert_eq!(read_back(text), [text, text]);
        }
        assert_eq!(code(" \n\u{1b}[31m "), "");
        assert_eq!(code(&"x".repeat(500)).chars().count(), MAX_CHARS + 3);
    }

    proptest! {
        #[test]
        fn any_text_is_read_as_it_is(text in r"[ -~äß日|`\\]{1,60}") {
            let text = text.trim();
            prop_assume!(!text.is_empty());
            prop_assert_eq!(read_back(text), [text, text]);
        }
    }
}
