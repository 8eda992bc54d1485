//! Status lines, header lines, the ends of lines.

use super::answer::{Answer, BODY, close, head_and, keep, ok, whole};

/// Status lines before an ordinary rest.
pub(super) fn status_lines() -> Vec<Answer> {
    let lines: [(&str, &[u8]); 60] = [
        ("http-1.0", b"HTTP/1.0 200 OK"),
        ("http-1.2", b"HTTP/1.2 200 OK"),
        ("http-1.9", b"HTTP/1.9 200 OK"),
        ("http-1.10", b"HTTP/1.10 200 OK"),
        ("http-01.1", b"HTTP/01.1 200 OK"),
        ("http-1", b"HTTP/1 200 OK"),
        ("http-0.9", b"HTTP/0.9 200 OK"),
        ("http-2", b"HTTP/2 200 OK"),
        ("http-2.0", b"HTTP/2.0 200 OK"),
        ("http-3", b"HTTP/3 200 OK"),
        ("http-without-version", b"HTTP/ 200 OK"),
        ("http-bare", b"HTTP 200 OK"),
        ("lower-case", b"http/1.1 200 OK"),
        ("mixed-case", b"Http/1.1 200 OK"),
        ("icy", b"ICY 200 OK"),
        ("rtsp", b"RTSP/1.0 200 OK"),
        ("sip", b"SIP/2.0 200 OK"),
        ("no-protocol", b"200 OK"),
        ("two-spaces", b"HTTP/1.1  200 OK"),
        ("tabs", b"HTTP/1.1\t200\tOK"),
        ("tab-before-reason", b"HTTP/1.1 200\tOK"),
        ("space-first", b" HTTP/1.1 200 OK"),
        ("space-last", b"HTTP/1.1 200 OK "),
        ("no-reason", b"HTTP/1.1 200"),
        ("no-reason-space", b"HTTP/1.1 200 "),
        ("no-reason-spaces", b"HTTP/1.1 200   "),
        ("no-reason-404", b"HTTP/1.1 404"),
        ("no-reason-500-space", b"HTTP/1.1 500 "),
        ("no-reason-499", b"HTTP/1.1 499"),
        ("no-reason-599-space", b"HTTP/1.1 599 "),
        ("own-reason-404", b"HTTP/1.1 404 Nicht da"),
        ("spaces-in-reason", b"HTTP/1.1 404  Not   Found"),
        ("tab-in-reason", b"HTTP/1.1 404 Not\tFound"),
        ("latin-1-reason", b"HTTP/1.1 404 Introuvable \xe9"),
        ("utf-8-reason", b"HTTP/1.1 404 Introuvable \xc3\xa9"),
        ("control-in-reason", b"HTTP/1.1 404 Not\x01Found"),
        ("escape-in-reason", b"HTTP/1.1 404 Not\x1bFound"),
        ("nul-in-reason", b"HTTP/1.1 404 Not\0Found"),
        ("delete-in-reason", b"HTTP/1.1 404 Not\x7fFound"),
        ("reason-glued", b"HTTP/1.1 200OK"),
        ("one-digit", b"HTTP/1.1 2 OK"),
        ("two-digits", b"HTTP/1.1 20 OK"),
        ("four-digits", b"HTTP/1.1 2000 OK"),
        ("zero-first", b"HTTP/1.1 0200 OK"),
        ("000", b"HTTP/1.1 000 Zero"),
        ("099", b"HTTP/1.1 099 Low"),
        ("299", b"HTTP/1.1 299 Odd"),
        ("399", b"HTTP/1.1 399 Odd"),
        ("600", b"HTTP/1.1 600 High"),
        ("999", b"HTTP/1.1 999 Request denied"),
        ("1000", b"HTTP/1.1 1000 High"),
        ("minus", b"HTTP/1.1 -200 OK"),
        ("plus", b"HTTP/1.1 +200 OK"),
        ("fraction", b"HTTP/1.1 200.0 OK"),
        ("letters", b"HTTP/1.1 abc OK"),
        ("hex", b"HTTP/1.1 0xC8 OK"),
        ("8-bit-digits", b"HTTP/1.1 \xb200 OK"),
        ("no-status", b"HTTP/1.1"),
        ("no-status-space", b"HTTP/1.1 "),
        ("no-status-but-reason", b"HTTP/1.1 OK"),
    ];
    let rest = b"\r\nContent-Length: 5\r\n\r\nhello";
    let mut answers: Vec<_> = lines
        .into_iter()
        .map(|(what, line)| close(format!("status/{what}"), [line, rest].concat()))
        .collect();
    for (what, length) in [("4k", 4 << 10), ("70k", 70 << 10)] {
        let status = format!("404 {}", "a".repeat(length));
        let name = format!("status/long-reason-{what}");
        answers.push(close(name, whole(&status, "", BODY)));
    }
    answers
}

/// What is not HTTP, or only its oldest kind, or stands before the status line.
pub(super) fn beginnings() -> Vec<Answer> {
    let no_http: [(&str, &[u8]); 9] = [
        ("text", b"hello"),
        ("line", b"hello\r\n"),
        ("page", b"<html><body>hello</body></html>\r\n"),
        ("smtp", b"220 mail.example.com ESMTP\r\n"),
        ("ssh", b"SSH-2.0-OpenSSH_9.2\r\n"),
        ("redis", b"-ERR unknown command\r\n"),
        ("tls-alert", b"\x15\x03\x01\x00\x02\x02\x46"),
        ("http-2-preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        ("zeros", &[0; 64]),
    ];
    let before: [(&str, &[u8]); 10] = [
        ("crlf", b"\r\n"),
        ("crlf-twice", b"\r\n\r\n"),
        ("lf", b"\n"),
        ("cr", b"\r"),
        ("space", b" "),
        ("tab", b"\t"),
        ("bom", b"\xef\xbb\xbf"),
        ("nul", b"\0"),
        ("text", b"x"),
        ("line", b"what is this?\r\n"),
    ];
    let no_http = no_http
        .into_iter()
        .map(|(what, bytes)| close(format!("no-http/{what}"), bytes));
    let before = before
        .into_iter()
        .map(|(what, bytes)| close(format!("before/{what}"), [bytes, &ok("")].concat()));
    let mut answers: Vec<_> = no_http.chain(before).collect();
    answers.push(close("before/20-empty-lines", {
        ["\r\n".repeat(20).as_bytes(), &ok("")].concat()
    }));
    answers
}

/// Answers after interim ones.
pub(super) fn interim() -> Vec<Answer> {
    let last = ok("");
    let hint = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n".as_slice();
    let cont = b"HTTP/1.1 100 Continue\r\n\r\n".as_slice();
    vec![
        keep("interim/100", [cont, &last].concat()),
        keep("interim/100-in-two-pieces", cont).then(last.clone()),
        keep("interim/103", [hint, &last].concat()),
        keep("interim/103-and-100", [hint, cont, &last].concat()),
        keep(
            "interim/100-twenty",
            [&cont.repeat(20), last.as_slice()].concat(),
        ),
        keep(
            "interim/103-fifty",
            [&hint.repeat(50), last.as_slice()].concat(),
        ),
        keep(
            "interim/100-on-http-1.0",
            [b"HTTP/1.0 100 Continue\r\n\r\n", last.as_slice()].concat(),
        ),
        keep(
            "interim/100-without-reason",
            [b"HTTP/1.1 100\r\n\r\n", last.as_slice()].concat(),
        ),
        keep("interim/100-with-length-0", {
            [
                b"HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\n",
                last.as_slice(),
            ]
            .concat()
        }),
        keep("interim/100-with-close", {
            [
                b"HTTP/1.1 100 Continue\r\nConnection: close\r\n\r\n",
                last.as_slice(),
            ]
            .concat()
        }),
        keep(
            "interim/199",
            [b"HTTP/1.1 199 Odd\r\n\r\n", last.as_slice()].concat(),
        ),
        close("interim/100-and-nothing", cont),
        close(
            "interim/101-unasked",
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nabc"
                .as_slice(),
        ),
        keep("interim/100-to-post", [cont, &last].concat()).to("POST"),
        keep(
            "interim/100-to-head",
            [cont, &whole("200 OK", "", "")].concat(),
        )
        .to("HEAD"),
    ]
}

/// One odd header line between two ordinary ones. `X-Odd` is what the users look at, and `X-After` behind it.
pub(super) fn header_lines() -> Vec<Answer> {
    let lines: [(&str, &[u8]); 67] = [
        ("ordinary", b"X-Odd: one"),
        ("folded", b"X-Odd: one\r\n two"),
        ("folded-by-tab", b"X-Odd: one\r\n\ttwo"),
        ("folded-twice", b"X-Odd: one\r\n two\r\n three"),
        ("folded-by-many-spaces", b"X-Odd: one\r\n      two"),
        ("folded-into-nothing", b"X-Odd: one\r\n "),
        ("folded-from-nothing", b"X-Odd:\r\n two"),
        ("folded-with-colon", b"X-Odd: one\r\n two: three"),
        ("empty", b"X-Odd:"),
        ("only-spaces", b"X-Odd:    "),
        ("no-space", b"X-Odd:one"),
        ("spaces-around", b"X-Odd:   one   "),
        ("tabs-around", b"X-Odd:\tone\t"),
        ("spaces-within", b"X-Odd: one   two"),
        ("tab-within", b"X-Odd: one\ttwo"),
        ("colons", b"X-Odd: one:two::three"),
        ("quotes", b"X-Odd: \"one, two\""),
        ("lower-case", b"x-odd: one"),
        ("upper-case", b"X-ODD: one"),
        ("duplicate", b"X-Odd: one\r\nX-Odd: two"),
        ("duplicate-other-case", b"X-Odd: one\r\nx-oDD: two"),
        ("latin-1", b"X-Odd: caf\xe9"),
        ("utf-8", b"X-Odd: caf\xc3\xa9"),
        ("all-high", b"X-Odd: \x80\x9f\xa0\xff"),
        ("control-01", b"X-Odd: a\x01b"),
        ("control-07", b"X-Odd: a\x07b"),
        ("control-08", b"X-Odd: a\x08b"),
        ("control-0b", b"X-Odd: a\x0bb"),
        ("control-0c", b"X-Odd: a\x0cb"),
        ("control-1b", b"X-Odd: a\x1bb"),
        ("control-1f", b"X-Odd: a\x1fb"),
        ("control-7f", b"X-Odd: a\x7fb"),
        ("nul", b"X-Odd: a\0b"),
        ("nul-alone", b"X-Odd: \0"),
        ("cr", b"X-Odd: a\rb"),
        ("cr-last", b"X-Odd: one\r"),
        ("space-before-colon", b"X-Odd : one"),
        ("spaces-before-colon", b"X-Odd   : one"),
        ("tab-before-colon", b"X-Odd\t: one"),
        ("space-in-name", b"X Odd: one"),
        ("tab-in-name", b"X\tOdd: one"),
        ("no-colon", b"garbage without a colon"),
        ("no-colon-word", b"garbage"),
        ("only-colon", b":"),
        ("empty-name", b": one"),
        ("empty-name-space", b" : one"),
        ("status-line", b"HTTP/1.1 200 OK"),
        ("latin-1-name", b"X-\xe9: one"),
        ("utf-8-name", b"X-\xc3\xa9: one"),
        ("nul-name", b"X-\0: one"),
        ("control-name", b"X-\x01: one"),
        ("delete-name", b"X-\x7f: one"),
        ("cr-name", b"X-\rOdd: one"),
        ("name-parentheses", b"X(Odd): one"),
        ("name-brackets", b"X[Odd]: one"),
        ("name-braces", b"X{Odd}: one"),
        ("name-angles", b"<X-Odd>: one"),
        ("name-at", b"X@Odd: one"),
        ("name-slash", b"X/Odd: one"),
        ("name-backslash", b"X\\Odd: one"),
        ("name-quotes", b"\"X-Odd\": one"),
        ("name-comma", b"X,Odd: one"),
        ("name-semicolon", b"X;Odd: one"),
        ("name-equals", b"X=Odd: one"),
        ("name-question-mark", b"X?Odd: one"),
        ("name-allowed", b"!#$%&'*+-.^_`|~: one"),
        ("name-digits", b"123: one"),
    ];
    let mut answers = Vec::new();
    for (what, line) in lines {
        let before = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n".as_slice();
        let after = b"\r\nX-After: kept\r\n\r\nhello";
        // Who gives a head up looks for its end at the end of the connection.
        answers.push(close(
            format!("line/{what}"),
            [before, line, after].concat(),
        ));
    }
    answers
}

/// Heads that are large, or have lines at odd places.
pub(super) fn large_heads() -> Vec<Answer> {
    let mut answers = Vec::new();
    for count in [0, 1, 50, 99, 100, 101, 150, 200, 256, 300] {
        let lines: String = (0..count).map(|n| format!("X-{n}: {n}\r\n")).collect();
        answers.push(close(format!("head/{count}-lines"), ok(&lines)));
    }
    for count in [500, 1_000, 2_000] {
        let lines = "X-Same: 1\r\n".repeat(count);
        answers.push(close(format!("head/{count}-same-lines"), ok(&lines)));
    }
    for kilobytes in [1, 8, 16, 32, 60, 70, 100, 200, 1_000] {
        let line = format!("X-Odd: {}\r\n", "a".repeat(kilobytes << 10));
        answers.push(close(format!("head/value-of-{kilobytes}k"), ok(&line)));
    }
    for kilobytes in [1, 32, 70] {
        let line = format!("{}: 1\r\n", "a".repeat(kilobytes << 10));
        answers.push(close(format!("head/name-of-{kilobytes}k"), ok(&line)));
    }
    answers.extend([
        close(
            "head/fold-first",
            b"HTTP/1.1 200 OK\r\n folded\r\nContent-Length: 5\r\n\r\nhello".as_slice(),
        ),
        close(
            "head/fold-of-length",
            b"HTTP/1.1 200 OK\r\nContent-Length:\r\n 5\r\n\r\nhello".as_slice(),
        ),
        close(
            "head/fold-last",
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n \r\n\r\nhello".as_slice(),
        ),
        close(
            "head/no-colon-first",
            b"HTTP/1.1 200 OK\r\ngarbage\r\nContent-Length: 5\r\n\r\nhello".as_slice(),
        ),
        close("head/no-lines", head_and("", BODY)),
        close("head/only-status-line", b"HTTP/1.1 200 OK\r\n".as_slice()),
    ]);
    answers
}

/// Lines that end in other ways than by CR and LF.
pub(super) fn line_ends() -> Vec<Answer> {
    let lf = "HTTP/1.1 200 OK\nContent-Length: 5\nX-After: kept\n\nhello";
    vec![
        close("ends/lf", lf),
        close(
            "ends/lf-of-status-line",
            lf.replace('\n', "\r\n").replacen("\r\n", "\n", 1),
        ),
        close(
            "ends/lf-of-header",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\nX-After: kept\r\n\r\nhello",
        ),
        close(
            "ends/lf-of-head",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-After: kept\r\n\nhello",
        ),
        close(
            "ends/lf-of-last-header",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-After: kept\n\r\nhello",
        ),
        close(
            "ends/lf-with-fold",
            "HTTP/1.1 200 OK\nContent-Length: 5\nX-Odd: one\n two\n\nhello",
        ),
        close("ends/cr", lf.replace('\n', "\r")),
        close("ends/cr-cr-lf", lf.replace('\n', "\r\r\n")),
        close("ends/lf-cr", lf.replace('\n', "\n\r")),
        close(
            "ends/space-in-empty-line",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n \r\n\r\nhello",
        ),
        close(
            "ends/lf-chunked",
            "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n5\nhello\n0\n\n",
        ),
    ]
}
