//! Where a body ends: its length, its chunks, and bodies where there should be none.

use super::answer::{Answer, BODY, chunked, close, head_and, keep, whole};
use super::encodings::gzip;

/// Lengths. Who ignores one reads until the connection is closed.
pub(super) fn lengths() -> Vec<Answer> {
    let values = [
        ("right", "5"),
        ("spaces", "   5   "),
        ("tabs", "\t5\t"),
        ("plus", "+5"),
        ("minus", "-5"),
        ("minus-1", "-1"),
        ("zero-first", "05"),
        ("zeros-first", "00000000000000000000005"),
        ("list-of-equals", "5, 5"),
        ("list-without-space", "5,5"),
        ("list-of-others", "5, 6"),
        ("list-with-nothing", "5,"),
        ("semicolon", "5;"),
        ("unit", "5 bytes"),
        ("two-numbers", "5 5"),
        ("hex", "0x5"),
        ("fraction", "5.0"),
        ("exponent", "5e0"),
        ("quoted", "\"5\""),
        ("empty", ""),
        ("letters", "abc"),
        ("underscore", "0_5"),
        ("too-small", "3"),
        ("zero", "0"),
        ("too-large", "10"),
        ("2-to-31", "2147483648"),
        ("2-to-63", "9223372036854775808"),
        ("2-to-64-less-1", "18446744073709551615"),
        ("2-to-64", "18446744073709551616"),
        ("2-to-64-and-5", "18446744073709551621"),
        ("30-digits", "999999999999999999999999999999"),
    ];
    let mut answers: Vec<_> = values
        .into_iter()
        .map(|(what, value)| {
            let line = format!("Content-Length: {value}\r\n");
            close(format!("length/{what}"), head_and(&line, BODY))
        })
        .collect();
    let lines = [
        ("none", ""),
        ("twice", "Content-Length: 5\r\nContent-Length: 5\r\n"),
        ("twice-05", "Content-Length: 5\r\nContent-Length: 05\r\n"),
        (
            "twice-first-larger",
            "Content-Length: 6\r\nContent-Length: 5\r\n",
        ),
        (
            "twice-first-smaller",
            "Content-Length: 3\r\nContent-Length: 5\r\n",
        ),
        (
            "twice-one-bad",
            "Content-Length: 5\r\nContent-Length: x\r\n",
        ),
        (
            "thrice",
            "Content-Length: 5\r\nContent-Length: 5\r\nContent-Length: 5\r\n",
        ),
        ("lower-case", "content-length: 5\r\n"),
        ("upper-case", "CONTENT-LENGTH: 5\r\n"),
        ("space-before-colon", "Content-Length : 5\r\n"),
    ];
    let lines = lines.into_iter();
    answers
        .extend(lines.map(|(what, lines)| close(format!("length/{what}"), head_and(lines, BODY))));
    answers.extend([
        keep("length/zero-kept", whole("200 OK", "", "")),
        keep("length/right-kept", whole("200 OK", "", BODY)),
        keep(
            "length/twice-kept",
            head_and("Content-Length: 5\r\nContent-Length: 5\r\n", BODY),
        ),
        keep(
            "length/list-kept",
            head_and("Content-Length: 5, 5\r\n", BODY),
        ),
        keep("length/megabyte", whole("200 OK", "", vec![b'a'; 1 << 20])),
    ]);
    answers
}

/// Transfer encodings.
pub(super) fn transfer_encodings() -> Vec<Answer> {
    let chunks = "5\r\nhello\r\n0\r\n\r\n";
    let values = [
        ("chunked", "chunked"),
        ("first-letter", "Chunked"),
        ("upper-case", "CHUNKED"),
        ("spaces", "   chunked   "),
        ("tab", "\tchunked"),
        ("vertical-tab", "\x0bchunked"),
        ("quoted", "\"chunked\""),
        ("parameter", "chunked;q=1"),
        ("twice", "chunked, chunked"),
        ("identity-first", "identity, chunked"),
        ("identity-last", "chunked, identity"),
        ("comma-first", ", chunked"),
        ("comma-last", "chunked,"),
        ("letter-before", "xchunked"),
        ("letter-behind", "chunkedx"),
        ("unknown-first", "foo, chunked"),
        ("unknown-last", "chunked, foo"),
    ];
    let mut answers: Vec<_> = values
        .into_iter()
        .map(|(what, value)| {
            let line = format!("Transfer-Encoding: {value}\r\n");
            close(format!("te/{what}"), head_and(&line, chunks))
        })
        .collect();
    let (length, te) = ("Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n");
    let zipped = gzip(BODY);
    let zipped_chunks = [
        format!("{:x}\r\n", zipped.len()).as_bytes(),
        &zipped,
        b"\r\n0\r\n\r\n",
    ]
    .concat();
    answers.extend([
        close(
            "te/identity",
            head_and("Transfer-Encoding: identity\r\n", BODY),
        ),
        close(
            "te/identity-with-length",
            head_and(&format!("Transfer-Encoding: identity\r\n{length}"), BODY),
        ),
        close(
            "te/empty",
            head_and(&format!("Transfer-Encoding:\r\n{length}"), BODY),
        ),
        close("te/unknown", head_and("Transfer-Encoding: foo\r\n", BODY)),
        close(
            "te/unknown-with-length",
            head_and(&format!("Transfer-Encoding: foo\r\n{length}"), BODY),
        ),
        close("te/gzip", head_and("Transfer-Encoding: gzip\r\n", &zipped)),
        close(
            "te/gzip-chunked",
            head_and("Transfer-Encoding: gzip, chunked\r\n", &zipped_chunks),
        ),
        close(
            "te/gzip-chunked-in-two-lines",
            head_and(&format!("Transfer-Encoding: gzip\r\n{te}"), &zipped_chunks),
        ),
        close(
            "te/gzip-chunked-but-plain",
            head_and("Transfer-Encoding: gzip, chunked\r\n", chunks),
        ),
        close("te/chunked-in-two-lines", head_and(&te.repeat(2), chunks)),
        close(
            "te/folded",
            head_and("Transfer-Encoding:\r\n chunked\r\n", chunks),
        ),
        close(
            "te/space-before-colon",
            head_and("Transfer-Encoding : chunked\r\n", chunks),
        ),
        close(
            "te/length-first",
            head_and(&format!("{length}{te}"), chunks),
        ),
        close("te/length-last", head_and(&format!("{te}{length}"), chunks)),
        close(
            "te/length-bad",
            head_and(&format!("{te}Content-Length: x\r\n"), chunks),
        ),
        close(
            "te/length-twice",
            head_and(&format!("{length}{te}Content-Length: 6\r\n"), chunks),
        ),
        keep("te/length-kept", head_and(&format!("{te}{length}"), chunks)),
        close(
            "te/http-1.0",
            ["HTTP/1.0 200 OK\r\n", te, "\r\n", chunks].concat(),
        ),
        keep(
            "te/http-1.0-keep-alive",
            [
                "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n",
                te,
                "\r\n",
                chunks,
            ]
            .concat(),
        ),
        close("te/chunked-but-plain", chunked(BODY)),
        keep("te/chunked-kept", chunked(chunks)),
    ]);
    answers
}

/// Chunks.
pub(super) fn chunks() -> Vec<Answer> {
    let long_extension = format!("5;{}\r\nhello\r\n0\r\n\r\n", "e".repeat(10_000));
    let very_long_extension = format!("5;{}\r\nhello\r\n0\r\n\r\n", "e".repeat(100_000));
    let many_extensions = "1;ext=value\r\na\r\n".repeat(2_000) + "0\r\n\r\n";
    let many = "1\r\na\r\n".repeat(1_000) + "0\r\n\r\n";
    let trailers: String = (0..150).map(|n| format!("X-{n}: {n}\r\n")).collect();
    let many_trailers = format!("5\r\nhello\r\n0\r\n{trailers}\r\n");
    let long_trailer = format!("5\r\nhello\r\n0\r\nX: {}\r\n\r\n", "a".repeat(100_000));
    let chunks = [
        ("none", "0\r\n\r\n"),
        ("two", "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"),
        ("thousand", many.as_str()),
        ("upper-case", "A\r\nhellohello\r\n0\r\n\r\n"),
        ("lower-case", "a\r\nhellohello\r\n0\r\n\r\n"),
        ("zero-first", "05\r\nhello\r\n0\r\n\r\n"),
        ("zeros-first", "0000000000000005\r\nhello\r\n0\r\n\r\n"),
        (
            "more-zeros-first",
            "000000000000000000000005\r\nhello\r\n0\r\n\r\n",
        ),
        ("space-behind", "5 \r\nhello\r\n0\r\n\r\n"),
        ("spaces-behind", "5      \r\nhello\r\n0\r\n\r\n"),
        ("tab-behind", "5\t\r\nhello\r\n0\r\n\r\n"),
        ("space-before", " 5\r\nhello\r\n0\r\n\r\n"),
        ("extension", "5;ext\r\nhello\r\n0\r\n\r\n"),
        ("extension-value", "5;ext=value\r\nhello\r\n0\r\n\r\n"),
        ("extension-quoted", "5;ext=\"a;b\"\r\nhello\r\n0\r\n\r\n"),
        ("extension-spaces", "5 ; ext = value\r\nhello\r\n0\r\n\r\n"),
        ("extension-empty", "5;\r\nhello\r\n0\r\n\r\n"),
        ("extension-8-bit", "5;é\r\nhello\r\n0\r\n\r\n"),
        ("extension-lf", "5;a\nb\r\nhello\r\n0\r\n\r\n"),
        ("extension-10k", &long_extension),
        ("extension-100k", &very_long_extension),
        ("extensions-many", &many_extensions),
        ("plus", "+5\r\nhello\r\n0\r\n\r\n"),
        ("minus", "-5\r\nhello\r\n0\r\n\r\n"),
        ("minus-1", "-1\r\nhello\r\n0\r\n\r\n"),
        ("hex-prefix", "0x5\r\nhello\r\n0\r\n\r\n"),
        ("underscore", "0_5\r\nhello\r\n0\r\n\r\n"),
        ("letter-behind", "5g\r\nhello\r\n0\r\n\r\n"),
        ("letters", "zz\r\nhello\r\n0\r\n\r\n"),
        ("no-size", "\r\nhello\r\n0\r\n\r\n"),
        ("15-digits", "fffffffffffffff\r\nhello\r\n0\r\n\r\n"),
        ("16-digits", "ffffffffffffffff\r\nhello\r\n0\r\n\r\n"),
        ("17-digits", "10000000000000005\r\nhello\r\n0\r\n\r\n"),
        ("lf-behind-size", "5\nhello\r\n0\r\n\r\n"),
        ("lf-behind-data", "5\r\nhello\n0\r\n\r\n"),
        ("lf-behind-last", "5\r\nhello\r\n0\n\n"),
        ("cr-behind-size", "5\rhello\r\n0\r\n\r\n"),
        ("nothing-behind-data", "5\r\nhello0\r\n\r\n"),
        ("more-behind-data", "5\r\nhello\r\n\r\n0\r\n\r\n"),
        ("size-too-small", "3\r\nhello\r\n0\r\n\r\n"),
        ("size-too-large", "7\r\nhello\r\n0\r\n\r\n"),
        ("no-last", "5\r\nhello\r\n"),
        ("last-zeros", "5\r\nhello\r\n000\r\n\r\n"),
        ("last-extension", "5\r\nhello\r\n0;ext\r\n\r\n"),
        ("last-space", "5\r\nhello\r\n0 \r\n\r\n"),
        ("last-without-end", "5\r\nhello\r\n0\r\n"),
        ("last-without-line-end", "5\r\nhello\r\n0"),
        ("trailer", "5\r\nhello\r\n0\r\nX-Odd: one\r\n\r\n"),
        ("trailers", &many_trailers),
        ("trailer-100k", &long_trailer),
        (
            "trailer-length",
            "5\r\nhello\r\n0\r\nContent-Length: 9\r\n\r\n",
        ),
        (
            "trailer-folded",
            "5\r\nhello\r\n0\r\nX-Odd: one\r\n two\r\n\r\n",
        ),
        (
            "trailer-without-colon",
            "5\r\nhello\r\n0\r\ngarbage\r\n\r\n",
        ),
        (
            "trailer-control",
            "5\r\nhello\r\n0\r\nX-Odd: a\x01b\r\n\r\n",
        ),
        ("trailer-lf", "5\r\nhello\r\n0\r\nX-Odd: one\n\n"),
        ("trailer-without-end", "5\r\nhello\r\n0\r\nX-Odd: one\r\n"),
    ];
    let mut answers: Vec<_> = chunks
        .into_iter()
        .map(|(what, bytes)| close(format!("chunks/{what}"), chunked(bytes)))
        .collect();
    for (what, bytes) in [
        ("extension-kept", "5;ext=value\r\nhello\r\n0\r\n\r\n"),
        ("trailer-kept", "5\r\nhello\r\n0\r\nX-Odd: one\r\n\r\n"),
        ("lf-kept", "5\nhello\n0\n\n"),
    ] {
        answers.push(keep(format!("chunks/{what}"), chunked(bytes)));
    }
    answers.push(
        keep("chunks/split-in-size", chunked("1"))
            .then("0\r\n0123456789")
            .then("abcdef\r")
            .then("\n0\r\n\r")
            .then("\n"),
    );
    answers
}

/// Bodies, and lengths of bodies, where there is none by the method or the status.
pub(super) fn bodiless() -> Vec<Answer> {
    let length = "Content-Length: 5\r\n";
    let te = "Transfer-Encoding: chunked\r\n";
    let chunks = "5\r\nhello\r\n0\r\n\r\n";
    let mut answers = Vec::new();
    for status in ["204 No Content", "205 Reset Content", "304 Not Modified"] {
        let code = &status[..3];
        let head = |lines: &str| format!("HTTP/1.1 {status}\r\n{lines}\r\n");
        answers.push(keep(format!("none/{code}"), head("Content-Length: 0\r\n")));
        answers.push(close(format!("none/{code}-without-length"), head("")));
        answers.push(close(format!("none/{code}-of-length-5"), head(length)));
        answers.push(close(format!("none/{code}-with-body"), head(length) + BODY));
        answers.push(close(format!("none/{code}-with-chunks"), head(te) + chunks));
        answers.push(close(format!("none/{code}-with-chunks-promised"), head(te)));
    }
    let head = |lines: &str| head_and(lines, "");
    answers.extend([
        keep(
            "none/204-without-length-kept",
            "HTTP/1.1 204 No Content\r\n\r\n",
        ),
        keep(
            "none/304-without-length-kept",
            "HTTP/1.1 304 Not Modified\r\n\r\n",
        ),
        keep(
            "none/304-of-length-5-kept",
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
        ),
        keep("none/head-of-length-5", head(length)).to("HEAD"),
        keep("none/head-of-chunks", head(te)).to("HEAD"),
        keep("none/head-without-length", head("")).to("HEAD"),
        keep(
            "none/head-gzip",
            head("Content-Encoding: gzip\r\nContent-Length: 25\r\n"),
        )
        .to("HEAD"),
        keep("none/head-bad-length", head("Content-Length: x\r\n")).to("HEAD"),
        keep(
            "none/head-404",
            "HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\n",
        )
        .to("HEAD"),
        close("none/head-with-body", head_and(length, BODY)).to("HEAD"),
        close("none/head-with-chunks", head_and(te, chunks)).to("HEAD"),
    ]);
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        let name = method.to_ascii_lowercase();
        answers.push(keep(format!("methods/{name}"), whole("200 OK", "", BODY)).to(method));
        answers.push(
            keep(
                format!("methods/{name}-204"),
                "HTTP/1.1 204 No Content\r\n\r\n",
            )
            .to(method),
        );
        answers.push(close(format!("methods/{name}-closed"), "").to(method));
    }
    answers
}
