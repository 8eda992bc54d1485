//! Reading `Set-Cookie`: RFC 6265, section 5.2, over bytes.

use super::date::{self, Millis};

/// Longest name and value together, in bytes, as browsers have it (RFC 6265bis, 5.6). A longer cookie is ignored.
pub(super) const LONGEST_PAIR: usize = 4096;
/// Longest value of an attribute, in bytes, as browsers have it. A longer one is ignored.
const LONGEST_ATTRIBUTE: usize = 1024;

/// What a server asks to keep.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SetCookie<'h> {
    /// Empty where there is no `=`: browsers and Python keep such a cookie and send its value back.
    pub(super) name: &'h [u8],
    pub(super) value: &'h [u8],
    /// The last `Domain`, without its first dot and as it was written.
    pub(super) domain: Option<&'h [u8]>,
    /// The last `Path` that is one.
    pub(super) path: Option<&'h [u8]>,
    pub(super) is_secure: bool,
    /// When it ends; `None` for a cookie of the session. One that is not after the present ends the cookie.
    pub(super) expires: Option<Millis>,
}

impl<'h> SetCookie<'h> {
    /// Reads the value of a `Set-Cookie` header that came at `now`. `None` where the whole cookie is to be ignored.
    pub(super) fn parse(header: &'h [u8], now: Millis) -> Option<Self> {
        if header.iter().any(|byte| is_control(*byte)) {
            return None;
        }
        let mut parts = header.split(|byte| *byte == b';');
        let pair = parts.next()?;
        let (name, value) = match split_at_equals(pair) {
            (value, None) => (&b""[..], value),
            (name, Some(value)) => (name, value),
        };
        // A value that would be read as name and value is not kept without a name: browsers do not either.
        let says_nothing = name.is_empty() && (value.is_empty() || value.contains(&b'='));
        if says_nothing || name.len() + value.len() > LONGEST_PAIR {
            return None;
        }
        let mut cookie = Self {
            name,
            value,
            domain: None,
            path: None,
            is_secure: false,
            expires: None,
        };
        let mut max_age = None;
        for part in parts {
            let (attribute, value) = split_at_equals(part);
            let value = value.unwrap_or_default();
            if value.len() > LONGEST_ATTRIBUTE {
                continue;
            }
            if attribute.eq_ignore_ascii_case(b"expires") {
                cookie.expires = date::parse(value).or(cookie.expires);
            } else if attribute.eq_ignore_ascii_case(b"max-age") {
                max_age = read_max_age(value, now).or(max_age);
            } else if attribute.eq_ignore_ascii_case(b"domain") {
                cookie.domain = Some(value.strip_prefix(b".").unwrap_or(value));
            } else if attribute.eq_ignore_ascii_case(b"path") {
                cookie.path = Some(value).filter(|path| path.starts_with(b"/"));
            } else if attribute.eq_ignore_ascii_case(b"secure") {
                cookie.is_secure = true;
            }
        }
        cookie.domain = cookie.domain.filter(|domain| !domain.is_empty());
        cookie.expires = max_age.or(cookie.expires);
        Some(cookie)
    }
}

/// What can be in no header field: control characters but for the tab.
pub(super) fn is_control(byte: u8) -> bool {
    byte != b'\t' && byte.is_ascii_control()
}

/// Both sides of the first `=` without the white space around them.
fn split_at_equals(part: &[u8]) -> (&[u8], Option<&[u8]>) {
    match part.iter().position(|byte| *byte == b'=') {
        None => (trim(part), None),
        Some(at) => (trim(&part[..at]), Some(trim(&part[at + 1..]))),
    }
}

fn trim(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = text {
        text = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

/// When a cookie of this `Max-Age` ends.
fn read_max_age(value: &[u8], now: Millis) -> Option<Millis> {
    let (is_negative, digits) = match value {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let seconds = digits.iter().fold(0_i64, |sum, digit| {
        sum.saturating_mul(10)
            .saturating_add(i64::from(digit - b'0'))
    });
    Some(if is_negative || seconds == 0 {
        Millis::MIN
    } else {
        now.saturating_add(seconds.saturating_mul(1_000))
    })
}

#[cfg(test)]
mod tests {
    use super::{LONGEST_ATTRIBUTE, LONGEST_PAIR, SetCookie};

    const NOW: i64 = 1_000_000;

    fn parse(header: &str) -> Option<SetCookie<'_>> {
        SetCookie::parse(header.as_bytes(), NOW)
    }

    #[test]
    fn the_last_attribute_counts_and_max_age_over_expires() {
        let cookie = parse(
            " sid = a=b ; PATH=/x;path = /y ; Domain=.a.example; domain=B.example; secure=no;\
             Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=junk; max-age=5; HttpOnly; SameSite=Lax; ;=;x",
        )
        .unwrap();
        assert_eq!((cookie.name, cookie.value), (&b"sid"[..], &b"a=b"[..]));
        assert_eq!(cookie.path, Some(&b"/y"[..]));
        assert_eq!(cookie.domain, Some(&b"B.example"[..]));
        assert!(cookie.is_secure);
        assert_eq!(cookie.expires, Some(NOW + 5_000));
    }

    #[test]
    fn max_ages_are_read_as_the_standard_has_them() {
        for (text, expected) in [
            ("0", Some(i64::MIN)),
            ("-0", Some(i64::MIN)),
            ("-1", Some(i64::MIN)),
            ("1", Some(NOW + 1_000)),
            ("007", Some(NOW + 7_000)),
            ("99999999999999999999999999", Some(i64::MAX)),
            ("", None),
            ("-", None),
            ("+1", None),
            ("1.5", None),
            ("\"1\"", None),
            ("1 2", None),
        ] {
            let header = format!("a=b; Max-Age={text}");
            assert_eq!(parse(&header).unwrap().expires, expected, "{text:?}");
        }
    }

    #[test]
    fn paths_that_are_none_and_empty_domains_say_nothing() {
        let cookie = parse("a=b; Path=/x; Path=relative; Domain=x.example; Domain=").unwrap();
        assert_eq!((cookie.path, cookie.domain), (None, None));
    }

    #[test]
    fn sizes_are_limited() {
        let value = "v".repeat(LONGEST_PAIR - 1);
        assert!(parse(&format!("a={value}")).is_some());
        assert!(parse(&format!("ab={value}")).is_none());
        let path = format!("/{}", "p".repeat(LONGEST_ATTRIBUTE));
        assert_eq!(parse(&format!("a=b; Path={path}")).unwrap().path, None);
        assert!(
            parse(&format!("a=b; Path={}", &path[..LONGEST_ATTRIBUTE]))
                .unwrap()
                .path
                .is_some()
        );
    }

    #[test]
    fn cookies_without_a_name_have_a_value() {
        let cookie = parse("just this").unwrap();
        assert_eq!((cookie.name, cookie.value), (&b""[..], &b"just this"[..]));
        let cookie = parse("=v").unwrap();
        assert_eq!((cookie.name, cookie.value), (&b""[..], &b"v"[..]));
        assert_eq!(parse("v=").unwrap().value, b"");
        for nothing in [
            "",
            " ",
            "=",
            " = ",
            ";",
            "; Path=/",
            "= ; Path=/",
            "=v=w",
            "==v",
        ] {
            assert_eq!(parse(nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn control_characters_make_a_cookie_ignored() {
        for byte in (0..0x20).chain([0x7F]).filter(|byte| *byte != b'\t') {
            assert_eq!(
                SetCookie::parse(&[b'a', b'=', b'b', byte, b'c'], NOW),
                None,
                "{byte}"
            );
        }
        assert_eq!(parse("a=b\tc").unwrap().value, b"b\tc");
    }
}
