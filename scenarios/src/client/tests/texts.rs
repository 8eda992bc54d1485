//! Bodies as text.

use http::HeaderValue;
use http::header::{CONTENT_TYPE, HeaderMap};

use crate::client::response::text::decode;

fn text(content_type: &str, body: &[u8]) -> String {
    let mut headers = HeaderMap::new();
    if !content_type.is_empty() {
        let value = HeaderValue::from_bytes(content_type.as_bytes());
        headers.insert(CONTENT_TYPE, value.expect("a header's value"));
    }
    decode(&headers, body).into_owned()
}

#[test]
fn the_charset_of_the_head_is_read() {
    for (content_type, body, expected) in [
        (
            "text/html; charset=iso-8859-1",
            b"caf\xe9".as_slice(),
            "café",
        ),
        ("text/html; charset=iso-8859-1", "café".as_bytes(), "cafÃ©"),
        ("text/html; Charset=\"Latin1\"", b"caf\xe9", "café"),
        ("text/html;charset='windows-1252'", b"10 \x80", "10 €"),
        ("text/html; charset = koi8-r ", b"\xd0\xd2\xc9", "при"),
        ("text/html; charset=shift_jis", b"\x93\xfa\x96\x7b", "日本"),
        (
            "text/html; format=flowed; charset=gbk",
            b"\xd6\xd0\xce\xc4",
            "中文",
        ),
        ("text/plain; charset=utf-16le", b"c\0a\0", "ca"),
        ("text/plain; charset=utf-16", b"\xfe\xff\0c\0a", "ca"),
        ("text/plain; charset=utf-8", b"caf\xe9", "caf�"),
        (
            "text/plain; charset=utf-8; charset=koi8-r",
            "é".as_bytes(),
            "é",
        ),
        // Who is named but not known counts as not named.
        ("text/plain; charset=foo", "é".as_bytes(), "é"),
        ("text/plain; charset=", "é".as_bytes(), "é"),
        ("text/plain; charset", "é".as_bytes(), "é"),
    ] {
        assert_eq!(text(content_type, body), expected, "{content_type}");
    }
}

#[test]
fn without_a_charset_text_is_utf_8_or_latin_1() {
    for (content_type, body, expected) in [
        ("", "café".as_bytes(), "café"),
        ("text/html", "café".as_bytes(), "café"),
        ("text/html", b"caf\xe9".as_slice(), "café"),
        ("application/xhtml+xml", b"caf\xe9", "café"),
        ("Application/XML", b"caf\xe9", "café"),
        ("application/json", b"caf\xe9", "caf�"),
        ("", b"caf\xe9", "caf�"),
        ("", b"", ""),
    ] {
        assert_eq!(text(content_type, body), expected, "{content_type}");
    }
}

#[test]
fn a_byte_order_mark_counts_most_and_is_left_out() {
    for content_type in ["", "application/json", "text/plain; charset=koi8-r"] {
        assert_eq!(text(content_type, b"\xef\xbb\xbfcaf\xc3\xa9"), "café");
        assert_eq!(text(content_type, b"\xff\xfec\0a\0"), "ca");
    }
}
