//! JSON as Python's `json.dumps` writes it, byte for byte: bodies are signed, and recorded requests compared.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

/// Decimal exponents from which on Python writes numbers with an exponent, below and above.
const PLAIN_EXPONENTS: std::ops::Range<i32> = -4..16;

/// A value as JSON: a space after `,` and `:`, keys in the order given, ASCII only.
///
/// # Errors
///
/// When the value is not one that JSON can have.
pub(in crate::client) fn dumps<T: Serialize + ?Sized>(value: &T) -> serde_json::Result<Vec<u8>> {
    let mut json = Vec::new();
    value.serialize(&mut Serializer::with_formatter(&mut json, Python))?;
    Ok(json)
}

struct Python;

impl Formatter for Python {
    fn write_f32<W: ?Sized + Write>(&mut self, writer: &mut W, value: f32) -> io::Result<()> {
        writer.write_all(float(format!("{value:e}")).as_bytes())
    }

    fn write_f64<W: ?Sized + Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        writer.write_all(float(format!("{value:e}")).as_bytes())
    }

    fn begin_array_value<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        writer.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_key<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        writer.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }

    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        text: &str,
    ) -> io::Result<()> {
        let mut rest = text;
        while let Some(at) = rest.find(|c: char| !c.is_ascii() || c == '\x7F') {
            let (plain, special) = rest.split_at(at);
            writer.write_all(plain.as_bytes())?;
            let mut characters = special.chars();
            if let Some(character) = characters.next() {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
            rest = characters.as_str();
        }
        writer.write_all(rest.as_bytes())
    }
}

/// Python's `repr` of a number that Rust writes as `digits.digitsEexponent`, with the same digits.
fn float(scientific: String) -> String {
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        return scientific;
    };
    let Ok(exponent) = exponent.parse::<i32>() else {
        return scientific;
    };
    if !PLAIN_EXPONENTS.contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs());
    }
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(mantissa) => ("-", mantissa),
        None => ("", mantissa),
    };
    let digits = mantissa.replace('.', "");
    let shift = usize::try_from(exponent.unsigned_abs()).unwrap_or_default();
    if exponent < 0 {
        return format!("{sign}0.{}{digits}", "0".repeat(shift - 1));
    }
    match digits.split_at_checked(shift + 1) {
        Some((whole, fraction)) if !fraction.is_empty() => format!("{sign}{whole}.{fraction}"),
        _ => format!("{sign}{digits:0<width$}.0", width = shift + 1),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::dumps;

    #[test]
    fn json_is_written_as_by_python() {
        // What Python 3.11 prints for json.dumps of the same.
        for (value, expected) in [
            (
                json!({"b": 1, "a": [1, 2, {"c": null}], "d": true}),
                r#"{"b": 1, "a": [1, 2, {"c": null}], "d": true}"#,
            ),
            (json!([]), "[]"),
            (json!({}), "{}"),
            (json!([[], {}]), "[[], {}]"),
            (
                json!("a\"b\\c/\n\t\u{8}\u{c}\u{1}\u{7f}"),
                r#""a\"b\\c/\n\t\b\f\u0001\u007f""#,
            ),
            (
                json!({"schlüssel": "ä€😀x"}),
                r#"{"schl\u00fcssel": "\u00e4\u20ac\ud83d\ude00x"}"#,
            ),
            (
                json!([0.0, -0.0, 1.0, 1.5, -2.25, 0.1, 100.0, 123456789.125]),
                "[0.0, -0.0, 1.0, 1.5, -2.25, 0.1, 100.0, 123456789.125]",
            ),
            (
                json!([1e15, 1e16, 1.5e16, 123456789012345680.0, 1e100, -1e22]),
                "[1000000000000000.0, 1e+16, 1.5e+16, 1.2345678901234568e+17, 1e+100, -1e+22]",
            ),
            (
                json!([0.0001, 0.00001, 0.000123, 1.5e-7, 5e-324]),
                "[0.0001, 1e-05, 0.000123, 1.5e-07, 5e-324]",
            ),
            (
                json!([u64::MAX, i64::MIN]),
                "[18446744073709551615, -9223372036854775808]",
            ),
        ] {
            assert_eq!(String::from_utf8(dumps(&value).unwrap()).unwrap(), expected);
        }
    }

    #[test]
    fn structs_keep_the_order_of_their_fields() {
        #[derive(serde::Serialize)]
        struct Order {
            zebra: f32,
            apple: Option<&'static str>,
        }
        let order = Order {
            zebra: 0.1,
            apple: None,
        };
        assert_eq!(dumps(&order).unwrap(), br#"{"zebra": 0.1, "apple": null}"#);
    }
}
