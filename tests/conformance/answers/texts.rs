//! What bodies are as texts and as JSON.

use super::answer::{Answer, keep, whole};

/// Bodies and their content types; the users read them as text.
pub(super) fn texts() -> Vec<Answer> {
    let (latin, utf8) = (b"caf\xe9 cr\xe8me".as_slice(), "café crème".as_bytes());
    let utf16: Vec<_> = "café".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let utf16_be: Vec<_> = "café".encode_utf16().flat_map(u16::to_be_bytes).collect();
    let (bom, bom16, bom16_be) = (
        b"\xef\xbb\xbf".as_slice(),
        b"\xff\xfe".as_slice(),
        b"\xfe\xff".as_slice(),
    );
    let texts: [(&str, &str, Vec<u8>); 41] = [
        ("none-ascii", "", b"plain".into()),
        ("none-utf-8", "", utf8.into()),
        ("none-bom", "", [bom, utf8].concat()),
        ("none-empty", "", Vec::new()),
        ("text-utf-8-unsaid", "text/plain", utf8.into()),
        ("text-latin-1-unsaid", "text/plain", latin.into()),
        ("html-utf-8-unsaid", "text/html", utf8.into()),
        (
            "html-utf-8-in-meta",
            "text/html",
            [b"<meta charset=utf-8>", utf8].concat(),
        ),
        (
            "html-latin-1-in-meta",
            "text/html",
            [b"<meta charset=iso-8859-1>", latin].concat(),
        ),
        ("css-utf-8-unsaid", "text/css", utf8.into()),
        ("xml-utf-8-unsaid", "application/xml", utf8.into()),
        (
            "xml-latin-1-in-prolog",
            "application/xml",
            [b"<?xml version=\"1.0\" encoding=\"iso-8859-1\"?>", latin].concat(),
        ),
        ("text-xml-utf-8-unsaid", "text/xml", utf8.into()),
        ("json-utf-8-unsaid", "application/json", utf8.into()),
        (
            "octets-utf-8-unsaid",
            "application/octet-stream",
            utf8.into(),
        ),
        ("utf-8", "text/plain; charset=utf-8", utf8.into()),
        ("utf-8-upper-case", "Text/Plain; Charset=UTF-8", utf8.into()),
        ("utf-8-quoted", "text/plain; charset=\"utf-8\"", utf8.into()),
        (
            "utf-8-single-quotes",
            "text/plain; charset='utf-8'",
            utf8.into(),
        ),
        (
            "utf-8-without-space",
            "text/plain;charset=utf-8",
            utf8.into(),
        ),
        ("utf-8-spaces", "text/plain ; charset = utf-8 ", utf8.into()),
        (
            "utf-8-behind-another",
            "text/plain; format=flowed; charset=utf-8",
            utf8.into(),
        ),
        (
            "utf-8-before-another",
            "text/plain; charset=utf-8; format=flowed",
            utf8.into(),
        ),
        (
            "utf8-without-hyphen",
            "text/plain; charset=utf8",
            utf8.into(),
        ),
        (
            "utf-8-bom",
            "text/plain; charset=utf-8",
            [bom, utf8].concat(),
        ),
        ("utf-8-not-valid", "text/plain; charset=utf-8", latin.into()),
        ("utf-8-cut", "text/plain; charset=utf-8", b"caf\xc3".into()),
        ("latin-1", "text/html; charset=iso-8859-1", latin.into()),
        (
            "latin-1-other-name",
            "text/html; charset=latin1",
            latin.into(),
        ),
        (
            "latin-1-but-utf-8",
            "text/html; charset=iso-8859-1",
            utf8.into(),
        ),
        (
            "windows-1252",
            "text/html; charset=windows-1252",
            b"10 \x80".into(),
        ),
        (
            "latin-1-controls",
            "text/html; charset=iso-8859-1",
            b"10 \x80".into(),
        ),
        (
            "ascii-but-latin-1",
            "text/html; charset=us-ascii",
            latin.into(),
        ),
        (
            "utf-16-bom",
            "text/plain; charset=utf-16",
            [bom16, &utf16].concat(),
        ),
        (
            "utf-16-bom-be",
            "text/plain; charset=utf-16",
            [bom16_be, &utf16_be].concat(),
        ),
        ("utf-16le", "text/plain; charset=utf-16le", utf16.clone()),
        ("utf-16be", "text/plain; charset=utf-16be", utf16_be),
        (
            "shift-jis",
            "text/html; charset=shift_jis",
            b"\x93\xfa\x96\x7b".into(),
        ),
        (
            "koi8-r",
            "text/html; charset=koi8-r",
            b"\xd0\xd2\xc9".into(),
        ),
        ("gbk", "text/html; charset=gbk", b"\xd6\xd0\xce\xc4".into()),
        (
            "euc-kr",
            "text/html; charset=euc-kr",
            b"\xc7\xd1\xb1\xdb".into(),
        ),
    ];
    let mut answers: Vec<_> = texts
        .into_iter()
        .map(|(what, content_type, body)| {
            let line = match content_type {
                "" => String::new(),
                value => format!("Content-Type: {value}\r\n"),
            };
            keep(format!("text/{what}"), whole("200 OK", &line, body))
        })
        .collect();
    for (what, content_type) in [
        ("charset-unknown", "text/plain; charset=foo"),
        ("charset-empty", "text/plain; charset="),
        ("charset-word-alone", "text/plain; charset"),
        (
            "charset-twice",
            "text/plain; charset=utf-8; charset=iso-8859-1",
        ),
        ("charset-alone", "charset=utf-8"),
        (
            "charset-in-other-line",
            "text/plain\r\nContent-Type: text/plain; charset=utf-8",
        ),
    ] {
        let line = format!("Content-Type: {content_type}\r\n");
        answers.push(keep(format!("text/{what}"), whole("200 OK", &line, utf8)));
    }
    answers
}

/// JSON, and nearly JSON; the users read it.
pub(super) fn json() -> Vec<Answer> {
    let text = "{\"a\":\"é\"}";
    let utf16: Vec<_> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let utf16_be: Vec<_> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let deep = "[".repeat(100) + &"]".repeat(100);
    let deeper = "[".repeat(200) + &"]".repeat(200);
    let bodies: [(&str, Vec<u8>); 28] = [
        ("object", text.into()),
        ("bom", [b"\xef\xbb\xbf", text.as_bytes()].concat()),
        ("utf-16-bom", [b"\xff\xfe".as_slice(), &utf16].concat()),
        (
            "utf-16-be-bom",
            [b"\xfe\xff".as_slice(), &utf16_be].concat(),
        ),
        ("utf-16-le", utf16),
        ("latin-1", b"{\"a\":\"\xe9\"}".into()),
        ("empty", Vec::new()),
        ("spaces", b"   ".into()),
        ("spaces-around", b" \t\r\n{\"a\": 1}\r\n ".into()),
        ("nul-behind", b"{\"a\":1}\0".into()),
        ("text-behind", b"{\"a\":1} x".into()),
        ("two", b"{\"a\":1}{\"a\":2}".into()),
        ("string", b"\"a\"".into()),
        ("number", b"1".into()),
        ("null", b"null".into()),
        ("same-key-twice", b"{\"a\":1,\"a\":2}".into()),
        ("comma-last", b"[1,]".into()),
        ("single-quotes", b"{'a':1}".into()),
        ("comment", b"{\"a\":1} // x".into()),
        ("control-in-string", b"\"a\nb\"".into()),
        ("escapes", b"\"\\u00e9\\n\\/\"".into()),
        ("half-pair", b"\"\\ud800\"".into()),
        ("20-digits", b"12345678901234567890".into()),
        ("leading-zero", b"01".into()),
        ("jsonp", b"call({\"a\":1})".into()),
        ("anti-hijacking", b")]}',\n{\"a\":1}".into()),
        ("deep", deep.into()),
        ("deeper", deeper.into()),
    ];
    let mut answers: Vec<_> = bodies
        .into_iter()
        .map(|(what, body)| {
            keep(
                format!("json/{what}"),
                whole("200 OK", "Content-Type: application/json\r\n", body),
            )
        })
        .collect();
    for (what, content_type) in [
        ("with-charset", "application/json; charset=utf-8"),
        ("bom-with-charset", "application/json; charset=utf-8"),
        ("as-text", "text/plain"),
        ("as-problem", "application/problem+json"),
        ("as-octets", "application/octet-stream"),
    ] {
        let bom = if what.starts_with("bom") {
            "\u{feff}"
        } else {
            ""
        };
        let line = format!("Content-Type: {content_type}\r\n");
        answers.push(keep(
            format!("json/{what}"),
            whole("200 OK", &line, format!("{bom}{text}")),
        ));
    }
    for (what, body) in [
        ("nan", "[NaN]"),
        ("infinity", "[-Infinity]"),
        ("1e999", "[1e999]"),
    ] {
        answers.push(keep(
            format!("json/{what}"),
            whole("200 OK", "Content-Type: application/json\r\n", body),
        ));
    }
    answers
}
