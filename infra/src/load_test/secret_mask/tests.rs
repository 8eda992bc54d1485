use proptest::prelude::*;

use super::*;
use crate::load_test::{ClientSettings, DeclaredRequest, DeclaredScenario, Secret};

const ALL: usize = usize::MAX;

fn hidden(text: &str) -> String {
    SecretMask::default().text(text, ALL)
}

#[test]
fn values_are_hidden_by_their_names() {
    let cases = [
        // URLs and forms
        (
            "http://a/b?token=geheim&page=2",
            "http://a/b?token=(hidden)&page=2",
        ),
        ("/x?api_key=geheim#frag", "/x?api_key=(hidden)"),
        (
            "user=ada&password=geheim&go=1",
            "user=ada&password=(hidden)&go=1",
        ),
        (
            "user%5Bpassword%5D=geheim&x=1",
            "user%5Bpassword%5D=(hidden)&x=1",
        ),
        ("user[password]=geheim", "user[password]=(hidden)"),
        ("token=geheim and more", "token=(hidden) and more"),
        (
            "next=%2Flogin%3Ftoken%3Dgeheim%26x",
            "next=%2Flogin%3Ftoken%3D(hidden)%26x",
        ),
        ("http://ada:geheim@a/b", "http://ada:(hidden)@a/b"),
        ("http://ada:ge@heim@a/b", "http://ada:(hidden)@a/b"),
        // JSON
        (
            r#"{"error":"no","accessToken":"geheim"}"#,
            r#"{"error":"no","accessToken":"(hidden)"}"#,
        ),
        (
            r#"{ "client_secret" : "ge\"heim" , "a": 1}"#,
            r#"{ "client_secret" : "(hidden)" , "a": 1}"#,
        ),
        (
            r#"{"session":{"id":"geheim","l":["geheim"]},"a":1}"#,
            r#"{"session":(hidden),"a":1}"#,
        ),
        (
            r#"{"session":{"id":"ge}]heim","l":1},"a":1}"#,
            r#"{"session":(hidden),"a":1}"#,
        ),
        (
            r#"{"tokenValue":"geheim","a":1}"#,
            r#"{"tokenValue":"(hidden)","a":1}"#,
        ),
        (
            r#"{"tokens":["geheim","geheim"],"a":1}"#,
            r#"{"tokens":(hidden),"a":1}"#,
        ),
        (
            r#"{"pin_passcode":123456,"a":1}"#,
            r#"{"pin_passcode":(hidden),"a":1}"#,
        ),
        (
            r#"{"password":null,"secret":false}"#,
            r#"{"password":null,"secret":false}"#,
        ),
        (
            r#"{"body":"{\"token\":\"geheim\",\"a\":1}"}"#,
            r#"{"body":"{\"token\":\"(hidden)\",\"a\":1}"}"#,
        ),
        (
            r#"'{\"token\":\"ge"heim\",\"a\":1}'"#,
            r#"'{\"token\":\"(hidden)\",\"a\":1}'"#,
        ),
        (
            r#"{"key":"password","value":"geheim"}"#,
            r#"{"key":"(hidden)","value":"(hidden)"}"#,
        ),
        (
            r#"[{"value":"geheim","name":"apiKey"},{"name":"a","value":"b"}]"#,
            r#"[{"value":"(hidden)","name":"apiKey"},{"name":"a","value":"b"}]"#,
        ),
        (
            "{'sessionid': 'geheim', 'a': 1}",
            "{'sessionid': '(hidden)', 'a': 1}",
        ),
        // cut off
        (r#"{"token":"geheim"#, r#"{"token":"(hidden)"#),
        (r#"{"session":{"id":"geheim"#, r#"{"session":(hidden)"#),
        ("password=geheim", "password=(hidden)"),
        // HTML and XML
        (
            r#"<input name="csrf_token" value="geheim"><p>a</p>"#,
            r#"<input name="csrf_token" value="(hidden)"><p>a</p>"#,
        ),
        (
            r#"<input value='geheim' type='password'>"#,
            r#"<input value='(hidden)' type='password'>"#,
        ),
        (
            r#"<meta name="csrf-token" content="geheim">"#,
            r#"<meta name="csrf-token" content="(hidden)">"#,
        ),
        (
            "<a:Token type=\"x\">geheim</a:Token><b>c</b>",
            "<a:Token type=\"x\">(hidden)</a:Token><b>c</b>",
        ),
        (
            "{&quot;token&quot;: &quot;geheim&quot;}",
            "{&quot;token&quot;: &quot;(hidden)&quot;}",
        ),
        // headers that are repeated
        (
            "Authorization: Digest a=geheim, b=geheim\nHost: a",
            "Authorization: (hidden)\nHost: a",
        ),
        (
            "cookie: a=geheim; b=geheim\r\nHost: a",
            "cookie: (hidden)\r\nHost: a",
        ),
        ("PHPSESSID=geheim; path=/", "PHPSESSID=(hidden); path=/"),
    ];
    for (text, shown) in cases {
        assert_eq!(hidden(text), shown, "{text}");
    }
}

#[test]
fn credentials_are_known_wherever_they_are() {
    for (text, shown) in [
        ("got Bearer abcdefghij, sorry", "got Bearer (hidden), sorry"),
        ("got bearer  abc.def-123", "got bearer  (hidden)"),
        ("x=Basic%20YWRhOmdlaGVpbQ==&y", "x=Basic%20(hidden)&y"),
        ("Basic YWRhOmdlaGVpbQ==", "Basic (hidden)"),
        (
            "<p>eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl</p>",
            "<p>(hidden)</p>",
        ),
    ] {
        assert_eq!(hidden(text), shown, "{text}");
    }
}

#[test]
fn what_says_what_is_wrong_stays() {
    for text in [
        "",
        "Internal Server Error",
        r#"{"error":"invalid_token","error_description":"The token has expired"}"#,
        r#"{"status":500,"path":"/cart/7","keyboard":"x","author":"ada"}"#,
        "the token is not valid, basic authentication failed",
        "<html><head><title>502 Bad Gateway</title></head></html>",
        "http://example.com:8080/a?page=2",
        "at com.example.Session (Session.java:42)",
        "日本: ünïcode",
    ] {
        assert_eq!(hidden(text), text);
    }
}

/// The secrets of a run.
fn of_run() -> SecretMask {
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let test = LoadTest {
        host: "https://ada:h%40st-pass@example.com".into(),
        client: ClientSettings {
            proxy: Some(Secret::new("http://p:proxy-pass@proxy:1")),
            headers: vec![
                header("Authorization", "Custom abcdefgh12"),
                header("Accept", "text/html"),
            ],
            ..ClientSettings::default()
        },
        declared: Some(DeclaredScenario {
            requests: vec![DeclaredRequest {
                method: "GET".into(),
                path: "/".into(),
                name: None,
                weight: 1,
                headers: vec![header("X-Api-Key", "of-request")],
                body: None,
                expect_status: None,
                expect_body: None,
            }],
            wait_time: None,
        }),
        ..LoadTest::default()
    };
    SecretMask::new(&test, ["p&ss \"wörd\"".to_owned(), "no".to_owned()])
}

#[test]
fn secrets_of_the_run_are_hidden_in_every_writing() {
    let mask = of_run();
    for secret in [
        "p&ss \"wörd\"",
        "p&ss \\\"wörd\\\"",
        "p%26ss+%22w%C3%B6rd%22",
        "p%26ss%20%22w%C3%B6rd%22",
        "p&amp;ss &quot;wörd&quot;",
        "h@st-pass",
        "h%40st-pass",
        "proxy-pass",
        "abcdefgh12",
        "of-request",
    ] {
        let text = format!("you said <{secret}>, no?");
        assert_eq!(
            mask.text(&text, ALL),
            "you said <(hidden)>, no?",
            "{secret}"
        );
    }
    assert_eq!(
        mask.text("no text/html example.com", ALL),
        "no text/html example.com"
    );
    assert!(!format!("{mask:?}").contains("pass"), "{mask:?}");
}

#[test]
fn headers_are_hidden_by_name_and_by_what_they_say() {
    let mask = of_run();
    for (name, value, shown) in [
        ("set-cookie", "a=b", "(hidden)"),
        ("Proxy-Authorization", "Basic x", "(hidden)"),
        ("x-session-id", "1", "(hidden)"),
        ("location", "/a?token=geheim", "/a?token=(hidden)"),
        ("x-echo", "of-request", "(hidden)"),
        (
            "www-authenticate",
            "Bearer realm=\"shop\"",
            "Bearer realm=\"shop\"",
        ),
        ("content-type", "text/html", "text/html"),
    ] {
        assert_eq!(mask.header(name, value, 100), shown, "{name}");
    }
}

#[test]
fn a_secret_that_is_cut_is_hidden() {
    let mask = SecretMask::new(&LoadTest::default(), ["s".repeat(5_000)]);
    let text = format!("{}{}", "a".repeat(2_040), "s".repeat(4_000));
    let shown = mask.text(&text, 2_048);
    assert!(!shown.contains('s') && shown.len() <= 2_048, "{shown}");
    let text = format!("{{\"token\":\"{}\"}}", "t".repeat(100));
    assert_eq!(SecretMask::default().text(&text, 12), "{\"token\":…");
}

#[test]
fn a_long_secret_is_hidden_to_its_end_and_one_that_holds_another_whole() {
    let long: String = (0..1_000).map(|number| number.to_string()).collect();
    let mask = SecretMask::new(&LoadTest::default(), [long.clone()]);
    assert_eq!(mask.text(&format!("{long}!"), ALL), "(hidden)!");

    let secrets = ["outer-inner-outer".to_owned(), "inner".to_owned()];
    let mask = SecretMask::new(&LoadTest::default(), secrets);
    assert_eq!(mask.text("an outer-inner-outer!", ALL), "an (hidden)!");
}

proptest! {
    #[test]
    fn no_text_is_too_strange(
        text in "([a-z]|token|password|[:=&<>\"'{}\\[\\]\\\\%;, ]|eyJ|Bearer |://|@|&quot;|%22|ü){0,60}",
        limit in 0_usize..200,
    ) {
        let shown = of_run().text(&text, limit);
        prop_assert!(shown.len() <= limit.max("…".len()));
    }

    #[test]
    fn a_secret_is_hidden_wherever_it_is(before in "[a-z:=\"{ ]{0,20}", after in "[a-z:=\"} ]{0,20}") {
        let text = format!("{before}proxy-pass{after}");
        prop_assert!(!of_run().text(&text, ALL).contains("proxy-pass"));
    }
}
