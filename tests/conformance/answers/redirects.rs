//! Redirects and cookies: what is asked next.

use super::answer::{Answer, BODY, chunked, close, keep, ok, whole};

/// Ways to write where to go. Every other address of the server answers with `landed`.
pub(super) fn locations() -> Vec<Answer> {
    let values: [(&str, &[u8]); 50] = [
        ("path", b"/landed"),
        ("relative", b"landed"),
        ("here", b"{HERE}/landed"),
        ("upper-case-scheme", b"HTTP://{HOST}/landed"),
        ("without-scheme", b"//{HOST}/landed"),
        ("scheme-without-slashes", b"http:landed"),
        ("scheme-and-path", b"http:/landed"),
        ("three-slashes", b"http:///landed"),
        ("dot", b"./landed"),
        ("dots", b"../landed"),
        ("many-dots", b"../../../../landed"),
        ("dots-within", b"/a/../landed"),
        ("only-query", b"?to=landed"),
        ("query", b"/landed?a=1&b=2"),
        ("fragment", b"/landed#part"),
        ("only-fragment", b"#part"),
        ("query-and-fragment", b"/landed?a=1#part"),
        ("spaces-around", b"   /landed   "),
        ("tab-before", b"\t/landed"),
        ("space-within", b"/landed here"),
        ("encoded-space", b"/landed%20here"),
        ("plus", b"/landed+here"),
        ("latin-1", b"/landed/caf\xe9"),
        ("utf-8", b"/landed/caf\xc3\xa9"),
        ("encoded-utf-8", b"/landed/caf%C3%A9"),
        ("encoded-lower-case", b"/landed/caf%c3%a9"),
        ("percent-alone", b"/landed/100%"),
        ("percent-bad", b"/landed/%zz"),
        ("pipe", b"/landed?a=1|2"),
        ("brackets", b"/landed?a[]=1"),
        ("braces", b"/landed?a={1}"),
        ("quotes", b"/landed?a=\"1\""),
        ("angles", b"/landed?a=<1>"),
        ("caret", b"/landed?a=^1"),
        ("backquote", b"/landed?a=`1"),
        ("apostrophe", b"/landed?a='1'"),
        ("backslash", b"\\landed"),
        ("backslash-within", b"/landed\\here"),
        ("semicolon", b"/landed;a=1"),
        ("comma", b"/landed,here"),
        ("user", b"http://user:secret@{HOST}/landed"),
        ("two-slashes", b"//"),
        ("scheme-alone", b"http://"),
        ("port-alone", b"http://:80/"),
        ("port-too-large", b"http://127.0.0.1:99999/landed"),
        ("port-letters", b"http://127.0.0.1:abc/landed"),
        ("bracket-open", b"http://[::1/landed"),
        ("ftp", b"ftp://127.0.0.1/landed"),
        ("javascript", b"javascript:alert(1)"),
        ("data", b"data:text/plain,hello"),
    ];
    let found = |value: &[u8]| {
        let head = b"HTTP/1.1 302 Found\r\nContent-Length: 5\r\nLocation: ".as_slice();
        [head, value, b"\r\n\r\nhello"].concat()
    };
    let mut answers: Vec<_> = values
        .into_iter()
        .map(|(what, value)| keep(format!("location/{what}"), found(value)))
        .collect();
    answers.push(keep("location/empty", found(b"")));
    answers.push(keep("location/only-spaces", found(b"   ")));
    answers.push(keep("location/none", whole("302 Found", "", BODY)));
    answers.push(keep(
        "location/twice",
        whole(
            "302 Found",
            "Location: /landed\r\nLocation: /other\r\n",
            BODY,
        ),
    ));
    answers.push(keep(
        "location/folded",
        whole("302 Found", "Location: /lan\r\n ded\r\n", BODY),
    ));
    answers
}

/// Statuses with a place to go, and what their own bodies are like.
pub(super) fn redirects() -> Vec<Answer> {
    let to = "Location: /landed\r\n";
    let mut answers = Vec::new();
    for status in [
        "200 OK",
        "201 Created",
        "202 Accepted",
        "204 No Content",
        "300 Multiple Choices",
        "301 Moved",
        "302 Found",
        "303 See Other",
        "304 Not Modified",
        "305 Use Proxy",
        "306 Unused",
        "307 Temporary",
        "308 Permanent",
        "399 Odd",
        "401 Unauthorized",
        "404 Not Found",
        "503 Service Unavailable",
    ] {
        let code = &status[..3];
        let (lines, body) = match code {
            "204" | "304" => ("", ""),
            _ => ("Content-Length: 5\r\n", BODY),
        };
        let answer = format!("HTTP/1.1 {status}\r\n{lines}{to}\r\n{body}");
        answers.push(keep(format!("redirect/{code}"), answer));
    }
    answers.extend([
        keep("redirect/head", format!("HTTP/1.1 302 Found\r\nContent-Length: 5\r\n{to}\r\n")).to("HEAD"),
        keep("redirect/post-302", whole("302 Found", to, BODY)).to("POST"),
        keep("redirect/post-307", whole("307 Temporary", to, BODY)).to("POST"),
        keep("redirect/put-301", whole("301 Moved", to, BODY)).to("PUT"),
        keep("redirect/close", whole("302 Found", &format!("{to}Connection: close\r\n"), BODY)),
        close("redirect/until-close", format!("HTTP/1.1 302 Found\r\n{to}\r\n{BODY}")),
        keep("redirect/no-body", whole("302 Found", to, "")),
        keep("redirect/large-body", whole("302 Found", to, "a".repeat(300_000))),
        keep("redirect/chunked", format!("HTTP/1.1 302 Found\r\n{to}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")),
        keep("redirect/bad-gzip", whole("302 Found", &format!("{to}Content-Encoding: gzip\r\n"), BODY)),
        close("redirect/bad-chunks", format!("HTTP/1.1 302 Found\r\n{to}Transfer-Encoding: chunked\r\n\r\nzz\r\n")),
        close("redirect/cut-body", format!("HTTP/1.1 302 Found\r\n{to}Content-Length: 50\r\n\r\n{BODY}")),
        keep("redirect/extra", [whole("302 Found", to, BODY), b"garbage".to_vec()].concat()),
        keep("redirect/loop", whole("302 Found", "Location: {SAME}\r\n", BODY)),
        keep("redirect/refresh", ok("Refresh: 0; url=/landed\r\n")),
        keep("redirect/content-location", chunked("5\r\nhello\r\n0\r\n\r\n")),
    ]);
    answers
}

/// Cookies, each for the request that follows only. (How they are matched is compared elsewhere.)
pub(super) fn cookies() -> Vec<Answer> {
    let values: [(&str, &[u8]); 17] = [
        ("ordinary", b"a=1"),
        ("empty-value", b"a="),
        ("equals-in-value", b"a=b=c"),
        ("quoted", b"a=\"b c\""),
        ("spaces-in-value", b"a=b c"),
        ("spaces-around", b"  a  =  1  "),
        ("comma", b"a=1,2"),
        ("utf-8", b"a=caf\xc3\xa9"),
        ("latin-1", b"a=caf\xe9"),
        ("brackets", b"a[b]=1"),
        ("upper-case-attributes", b"a=1; PATH=/never; HTTPONLY"),
        ("unknown-attribute", b"a=1; Foo=bar; SameSite=None"),
        ("secure", b"a=1; Secure"),
        ("max-age-0", b"a=1; Max-Age=0"),
        ("expired", b"a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT"),
        (
            "max-age-before-expires",
            b"a=1; Max-Age=100; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
        ),
        ("expires-not-a-date", b"a=1; Expires=never"),
    ];
    let answers = values.into_iter().map(|(what, value)| {
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nSet-Cookie: ";
        let path = format!("; Path=/after/cookie/{what}\r\n\r\nhello");
        keep(
            format!("cookie/{what}"),
            [head.as_bytes(), value, path.as_bytes()].concat(),
        )
    });
    answers.collect()
}
