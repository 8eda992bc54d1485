//! Sizes in bytes, as people write them.

/// Reads a size such as `500M`, `4G` or `1000000`; letters mean powers of 1024.
///
/// # Errors
/// It is not a size, or too large.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    let wrong = || "use a number of bytes, or one with K, M, G or T, such as 500M".to_owned();
    let digits = text.trim_end_matches(|character: char| character.is_ascii_alphabetic());
    let shift = match &text[digits.len()..] {
        "" | "B" => 0,
        "K" | "k" | "KiB" => 10,
        "M" | "MiB" => 20,
        "G" | "GiB" => 30,
        "T" | "TiB" => 40,
        _ => return Err(wrong()),
    };
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    number.checked_mul(1 << shift).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_powers_of_1024() {
        for (text, bytes) in [
            ("7", 7),
            ("2K", 2_048),
            ("500M", 500 << 20),
            ("4GiB", 4 << 30),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "G", "1.5G", "-1", "1X", "99999999T", "1 G"] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
