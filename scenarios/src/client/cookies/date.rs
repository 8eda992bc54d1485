//! The dates of cookies, in nearly every spelling seen in the wild: RFC 6265, section 5.1.1, over bytes.

use time::{Date, Month, Time, UtcDateTime};

/// Milliseconds since 1970-01-01T00:00:00Z, of a date before 1970 negative.
pub(super) type Millis = i64;

/// Reads a date. `None` where the standard says that it is to be ignored: a part is missing or out of range, or
/// there is no such day.
pub(super) fn parse(text: &[u8]) -> Option<Millis> {
    let (mut time, mut day, mut month, mut year) = (None, None, None, None);
    for token in text.split(|byte| is_delimiter(*byte)) {
        // The first token that can be a part is that part, tried in this order.
        if time.is_none()
            && let Some(found) = read_time(token)
        {
            time = Some(found);
        } else if day.is_none()
            && let Some((found, _)) = read_number(token, 1, 2)
        {
            day = Some(found);
        } else if month.is_none()
            && let Some(found) = read_month(token)
        {
            month = Some(found);
        } else if year.is_none()
            && let Some((found, _)) = read_number(token, 2, 4)
        {
            year = Some(found);
        }
    }
    let ([hour, minute, second], day, month, year) = (time?, day?, month?, year?);
    let year = match year {
        70..=99 => year + 1900,
        0..=69 => year + 2000,
        1601.. => year,
        _ => return None,
    };
    let day = u8::try_from(day).ok()?;
    let date = Date::from_calendar_date(i32::from(year), month, day).ok()?;
    let time = Time::from_hms(hour, minute, second).ok()?;
    Some(UtcDateTime::new(date, time).unix_timestamp() * 1_000)
}

fn is_delimiter(byte: u8) -> bool {
    matches!(byte, 0x09 | 0x20..=0x2F | 0x3B..=0x40 | 0x5B..=0x60 | 0x7B..=0x7E)
}

/// A number of `least` to `most` digits (four at most) at the start of a token, and what follows it; more digits are
/// another number.
fn read_number(token: &[u8], least: usize, most: usize) -> Option<(u16, &[u8])> {
    let digits = token
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    if digits < least || digits > most {
        return None;
    }
    let (number, rest) = token.split_at(digits);
    let number = number
        .iter()
        .fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
    Some((number, rest))
}

/// Hours, minutes and seconds with colons between them; what follows does not matter.
fn read_time(token: &[u8]) -> Option<[u8; 3]> {
    let (hour, rest) = read_number(token, 1, 2)?;
    let (minute, rest) = read_number(rest.strip_prefix(b":")?, 1, 2)?;
    let (second, _) = read_number(rest.strip_prefix(b":")?, 1, 2)?;
    let two_digits = |number| u8::try_from(number).ok();
    Some([two_digits(hour)?, two_digits(minute)?, two_digits(second)?])
}

/// A month by its first three letters.
fn read_month(token: &[u8]) -> Option<Month> {
    Some(match &token.get(..3)?.to_ascii_lowercase()[..] {
        b"jan" => Month::January,
        b"feb" => Month::February,
        b"mar" => Month::March,
        b"apr" => Month::April,
        b"may" => Month::May,
        b"jun" => Month::June,
        b"jul" => Month::July,
        b"aug" => Month::August,
        b"sep" => Month::September,
        b"oct" => Month::October,
        b"nov" => Month::November,
        b"dec" => Month::December,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn spellings_seen_in_the_wild_are_read() {
        for text in [
            "Thu, 01 Jan 1970 00:00:00 GMT",
            "Thu, 1 Jan 1970 00:00:00 GMT",
            "Thu, 01 Jan 1970 00:00:00 UTC",
            "Thu, 01 Jan 1970 00:00:00 +0000",
            "Thu, 01 Jan 1970 00:00:00",
            "Thu, 01-Jan-1970 00:00:00 GMT",
            "Thu, 1-Jan-1970 00:00:00 GMT",
            "Thu, 01-Jan-70 00:00:00 GMT",
            "Thu, 01 Jan 70 00:00:00 GMT",
            "Thursday, 01-Jan-1970 00:00:00 GMT",
            "Thursday, 01-Jan-70 00:00:00 GMT",
            "Thu Jan  1 00:00:00 1970",
            "Thu Jan 01 00:00:00 1970 GMT",
            "Thu Jan 01 1970 00:00:00 GMT+0000 (Coordinated Universal Time)",
            "thu, 01 jan 1970 00:00:00 gmt",
            "THU, 01 JAN 1970 00:00:00 GMT",
            "01 Jan 1970 00:00:00 GMT",
            "1 January 1970 00:00:00",
            "Jan 1, 1970 0:0:0",
            "00:00:00 01 Jan 1970",
            "Donnerstag, 01. Jan 1970 00:00:00 GMT",
            "Thu,01 Jan 1970 00:00:00 GMT",
            "  Thu,\t01 Jan 1970\t00:00:00 GMT  ",
            "\"Thu, 01 Jan 1970 00:00:00 GMT\"",
            "1970 Jan 01 00:00:00",
            "Thu, 01/Jan/1970 00:00:00 GMT",
        ] {
            assert_eq!(parse(text.as_bytes()), Some(0), "{text}");
        }
    }

    #[test]
    fn instants_are_exact() {
        let seconds = |text: &str| parse(text.as_bytes()).map(|millis| millis / 1_000);
        for (text, expected) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
            ("Tue, 19 Jan 2038 03:14:07 GMT", 2_147_483_647),
            ("Thu, 29 Feb 2024 23:59:59 GMT", 1_709_251_199),
            ("Fri, 31 Dec 9999 23:59:59 GMT", 253_402_300_799),
            ("Mon, 01 Jan 1601 00:00:00 GMT", -11_644_473_600),
            ("Wed, 31 Dec 1969 23:59:59 GMT", -1),
            ("01 Jan 69 00:00:00", 3_124_224_000),
        ] {
            assert_eq!(seconds(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_ignored() {
        for text in [
            "",
            "0",
            "never",
            "Thu, 01 Jan 1970",
            "Thu, 00 Jan 1970 00:00:00 GMT",
            "Thu, 32 Jan 1970 00:00:00 GMT",
            "Fri, 30 Feb 1970 00:00:00 GMT",
            "Thu, 29 Feb 2023 00:00:00 GMT",
            "Thu, 01 Jan 1600 00:00:00 GMT",
            "Thu, 01 Jan 1970 24:00:00 GMT",
            "Thu, 01 Jan 1970 00:60:00 GMT",
            "Thu, 01 Jan 1970 00:00:60 GMT",
            "Thu, 01 Jan 19700 00:00:00 GMT",
            "Thu, 01 Jan 1970 00:00 GMT",
            "Thu, 01 Foo 1970 00:00:00 GMT",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(parse(b"\xff\x00 \xe4 01 J\xe4n 1970 00:00:00"), None);
    }
}
