//! Text from outside without what a terminal or a browser would obey.

use greylag_infra::protocol::turns_direction;

/// The text without terminal escapes (ECMA-48: CSI, OSC and the other control strings, two-character
/// sequences, 7-bit and 8-bit), control characters and marks that turn the direction of writing. A tab
/// becomes a space.
pub fn plain_text(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut state = State::Text;
    for character in text.chars() {
        state = match (state, character) {
            (State::Text | State::Escape | State::Csi, '\u{1b}') => State::Escape,
            (State::Text, '\u{9b}') => State::Csi,
            (State::Text, '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}') => State::ControlString,
            (State::Text, '\t') => {
                plain.push(' ');
                State::Text
            }
            (State::Text, character) => {
                if !character.is_control() && !turns_direction(character) {
                    plain.push(character);
                }
                State::Text
            }
            (State::Escape, '[') => State::Csi,
            (State::Escape, 'P' | 'X' | ']' | '^' | '_') => State::ControlString,
            // intermediate characters, then a final one
            (State::Escape, ' '..='/') => State::Escape,
            (State::Escape, _) => State::Text,
            (State::Csi, ' '..='?') => State::Csi,
            (State::Csi, _) => State::Text,
            (State::ControlString, '\u{7}' | '\u{9c}') => State::Text,
            (State::ControlString, '\u{1b}') => State::ControlStringEscape,
            (State::ControlString, _) => State::ControlString,
            (State::ControlStringEscape, '\\') => State::Text,
            (State::ControlStringEscape, '\u{1b}') => State::ControlStringEscape,
            (State::ControlStringEscape, _) => State::ControlString,
        };
    }
    plain
}

/// The same of a text of several lines, which stay lines.
#[cfg(feature = "coordinator")]
pub(crate) fn plain_lines(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(plain_text).collect();
    lines.join("\n")
}

#[derive(Clone, Copy)]
enum State {
    Text,
    Escape,
    Csi,
    ControlString,
    ControlStringEscape,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escapes_are_removed_and_text_is_kept() {
        let cases = [
            ("plain ünïcode 日本", "plain ünïcode 日本"),
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("\u{1b}[38;5;196mred\u{1b}[m", "red"),
            ("\u{9b}31mred", "red"),
            ("\u{1b}]0;title\u{7}after", "after"),
            (
                "\u{1b}]8;;http://evil/\u{1b}\\link\u{1b}]8;;\u{1b}\\",
                "link",
            ),
            ("\u{1b}Pdevice\u{1b}\\after", "after"),
            ("\u{9d}0;title\u{9c}after", "after"),
            ("\u{1b}(Bafter", "after"),
            ("\u{1b}cafter", "after"),
            ("a\tb\r\nc\u{8}\u{0}d\u{7f}", "a bcd"),
            ("\u{202e}desrever", "desrever"),
            ("cut \u{1b}[3", "cut "),
            ("cut \u{1b}", "cut "),
            ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ];
        for (text, plain) in cases {
            assert_eq!(plain_text(text), plain, "{text:?}");
        }
    }

    #[cfg(feature = "coordinator")]
    #[test]
    fn lines_stay_lines() {
        assert_eq!(plain_lines("a\u{1b}[31m\r\n\tb\n"), "a\n b\n");
    }

    proptest! {
        #[test]
        fn nothing_that_acts_is_left(text in "(\\PC|\\x1b|\\x9b|\\x07|\\[|\\]|\\\\|[0-9;m]){0,80}") {
            let plain = plain_text(&text);
            prop_assert!(!plain.chars().any(char::is_control));
            prop_assert_eq!(plain_text(&plain), plain);
        }
    }
}
