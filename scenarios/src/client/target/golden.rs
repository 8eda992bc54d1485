//! Targets beside what the real requests and geventhttpclient make of them (`golden.tsv`, made by
//! `tests/conformance/targets.py`), and beside a plain model of the rule.

use http::Uri;
use proptest::prelude::*;
use url::Url;

use super::{Base, ClientKind};

const GOLDEN: &str = include_str!("golden.tsv");

fn sent(path: &str, kind: ClientKind) -> String {
    let host = Url::parse("http://127.0.0.1:8000").unwrap();
    let target = Base::new(&host, kind).target(path, None).unwrap();
    target.name().to_owned()
}

/// What was written, and what Locust's `HttpUser` and `FastHttpUser` make of it.
fn golden() -> impl Iterator<Item = [String; 3]> {
    let lines = GOLDEN.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| {
        let fields: Vec<String> = line
            .split('\t')
            .map(|field| serde_json::from_str(field).unwrap())
            .collect();
        fields.try_into().unwrap()
    })
}

#[test]
fn the_full_client_asks_for_what_http_user_asks_for() {
    assert!(golden().count() > 600);
    for [path, http_user, _] in golden() {
        assert_eq!(sent(&path, ClientKind::Full), http_user, "{path:?}");
    }
}

/// What `FastHttpUser` sends although RFC 3986 does not allow it is encoded; all else is as there.
#[test]
fn the_fast_client_asks_for_what_fast_http_user_asks_for() {
    for [path, _, fast_http_user] in golden() {
        // Python's URL parser loses these characters, and an empty parameter at the end of a path. Where some `%`
        // has other letters behind it geventhttpclient doubles all escapes; before a further `%` it may make a new
        // one of both.
        let end_of_path = path.split(['?', '#']).next().unwrap_or_default();
        if path.contains(['\t', '\r', '\n'])
            || end_of_path.ends_with(';')
            || is_misread_by_geventhttpclient(&path)
        {
            continue;
        }
        assert_eq!(
            sent(&path, ClientKind::Fast),
            allowed(&fast_http_user),
            "{path:?}"
        );
    }
}

fn is_misread_by_geventhttpclient(path: &str) -> bool {
    path.split('%').skip(1).any(|rest| {
        let next: Vec<char> = rest.chars().take(2).collect();
        let is_escape = next.len() == 2 && next.iter().all(char::is_ascii_hexdigit);
        let is_last = path.ends_with(rest);
        !is_escape
            && ((next.len() < 2 && !is_last)
                || (next.len() == 2 && next.iter().all(|c| c.is_alphanumeric())))
    })
}

/// Each character that RFC 3986 does not allow at its place, encoded.
fn allowed(target: &str) -> String {
    let mut out = String::new();
    let mut in_query = false;
    for (index, character) in target.char_indices() {
        let next = &target.as_bytes()[index + 1..];
        let is_escape =
            character == '%' && next.len() >= 2 && next[..2].iter().all(u8::is_ascii_hexdigit);
        in_query |= character == '?';
        let is_allowed = character.is_ascii_alphanumeric()
            || "-._~!$&'()*+,;=:@/".contains(character)
            || is_escape
            || (character == '?' && in_query);
        if is_allowed {
            out.push(character);
        } else {
            let mut bytes = [0; 4];
            for byte in character.encode_utf8(&mut bytes).bytes() {
                out.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    out
}

/// What is left when each escape is read once.
fn decoded(text: &str) -> Vec<u8> {
    percent_encoding::percent_decode_str(text).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn targets_are_valid_and_mean_what_was_written(path in "/([ -~äé€😀]|%[0-9a-fA-F]{2}|\\?){0,12}") {
        let written = path.split('#').next().unwrap_or_default();
        for kind in [ClientKind::Fast, ClientKind::Full] {
            let target = sent(&path, kind);
            prop_assert_eq!(&allowed(&target), &target, "all characters are allowed");
            prop_assert!(Uri::try_from(target.as_str()).is_ok());
        }
        let fast = sent(&path, ClientKind::Fast);
        prop_assert_eq!(&sent(&fast, ClientKind::Fast), &fast, "what is encoded stays");
        // Nothing is lost or changed: read back it is what was written, but for an empty query.
        let written = written.strip_suffix('?').filter(|path| !path.contains('?')).unwrap_or(written);
        prop_assert_eq!(decoded(&fast), decoded(written));
    }
}

#[test]
fn absolute_urls_and_hosts_with_paths_are_encoded_by_the_same_rule() {
    let host = Url::parse("http://u:p@example.com:8080/base").unwrap();
    for kind in [ClientKind::Fast, ClientKind::Full] {
        let base = Base::new(&host, kind);
        for (path, url) in [
            ("/x|y?z={1}", "http://example.com:8080/base/x%7Cy?z=%7B1%7D"),
            ("x[1]", "http://example.com:8080/basex%5B1%5D"),
            (
                "HTTP://Other.example/a|b?c=[d]",
                "http://other.example/a%7Cb?c=%5Bd%5D",
            ),
            ("https://other.example?x=^", "https://other.example/?x=%5E"),
            ("https://other.example\\x", "https://other.example/%5Cx"),
            ("https://[::1]:9/|#f", "https://[::1]:9/%7C"),
        ] {
            let target = base.target(path, None).unwrap();
            assert_eq!(target.url.as_str(), url, "{path}");
        }
        let target = base.target("/x?a=|", Some("b=%7C")).unwrap();
        assert_eq!(target.name(), "/base/x?a=%7C&b=%7C");
    }
}

#[test]
fn dot_segments_stay_on_the_fast_client_as_on_locusts() {
    assert_eq!(sent("/a/../b/./c", ClientKind::Fast), "/a/../b/./c");
    assert_eq!(sent("/a/../b/./c", ClientKind::Full), "/b/c");
    let host = Url::parse("http://example.com/base").unwrap();
    let sent = |kind| {
        Base::new(&host, kind)
            .target("/../x", None)
            .unwrap()
            .name()
            .to_owned()
    };
    assert_eq!(sent(ClientKind::Fast), "/base/../x");
    assert_eq!(sent(ClientKind::Full), "/x");
}

#[test]
fn redirects_are_resolved_and_encoded() {
    let host = Url::parse("http://example.com:81/").unwrap();
    for kind in [ClientKind::Fast, ClientKind::Full] {
        let from = Base::new(&host, kind)
            .target("/dir/page?own=1", None)
            .unwrap();
        let lead = |location: &[u8]| {
            let next = from.redirected(location, kind).map_err(|_| ())?;
            Ok::<_, ()>(format!(
                "{}{}",
                &next.url[..url::Position::BeforePath],
                next.name()
            ))
        };
        for (location, expected) in [
            (&b"next"[..], "http://example.com:81/dir/next"),
            (b" next\t", "http://example.com:81/dir/next"),
            (b"../next?x=|", "http://example.com:81/next?x=%7C"),
            (
                b"?only={query}",
                "http://example.com:81/dir/page?only=%7Bquery%7D",
            ),
            (b"?", "http://example.com:81/dir/page?own=1"),
            (b"#fragment", "http://example.com:81/dir/page?own=1"),
            (b"/root#fragment", "http://example.com:81/root"),
            (b"/a/../b/./c/..", "http://example.com:81/b/"),
            (b"//other.example/x", "http://other.example/x"),
            (b"https://other.example", "https://other.example/"),
            (
                b"HTTPS://OTHER.example/a/../[b]",
                "https://other.example/%5Bb%5D",
            ),
            (b"http:/same/host", "http://example.com:81/same/host"),
            (
                b"/with space/caf\xc3\xa9",
                "http://example.com:81/with%20space/caf%C3%A9",
            ),
            (
                b"/latin1/caf\xe9?q=\xff",
                "http://example.com:81/latin1/caf%E9?q=%FF",
            ),
            (b"/100%/\xe9", "http://example.com:81/100%25/%E9"),
            (b"/done%20%C3%A9", "http://example.com:81/done%20%C3%A9"),
            (
                b"\\back\\slash",
                "http://example.com:81/dir/%5Cback%5Cslash",
            ),
            (b"a:b", ""),
            (b"ftp://x/", ""),
            (b"http://", ""),
            (b"//", ""),
            (b"https://bad host/", ""),
            (b"http://\xff\xfe/", ""),
        ] {
            let led = lead(location).unwrap_or_default();
            assert_eq!(led, expected, "{}", String::from_utf8_lossy(location));
        }
    }
}
