//! A test's host as it is shown: without the password it may hold.

use greylag_infra::LoadTest;

/// The host of a test with `…` in place of the password of `https://user:password@example.com`. One without a
/// password comes back as it was written.
pub(crate) fn shown_host(test: &LoadTest) -> String {
    match test.host_url() {
        // The parsed URL, because there are many ways to write one (`https:user:password@example.com`).
        Ok(url) if url.password().is_some() => without_password(url.as_str()),
        Ok(_) => test.host.clone(),
        Err(_) => without_password(&test.host),
    }
}

fn without_password(host: &str) -> String {
    let authority_at = host.find("//").map_or(0, |at| at + 2);
    let authority_len = host[authority_at..]
        .find(['/', '?', '#', '\\'])
        .unwrap_or(host.len() - authority_at);
    let (before, rest) = host.split_at(authority_at);
    let (authority, after) = rest.split_at(authority_len);
    // The last @ ends the credentials, the first colon the user.
    let shown = authority
        .rsplit_once('@')
        .and_then(|(credentials, at)| Some((credentials.split_once(':')?.0, at)))
        .map(|(user, at)| format!("{before}{user}:…@{at}{after}"));
    shown.unwrap_or_else(|| host.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn passwords_are_not_shown() {
        for (host, shown) in [
            (
                "https://user:secret@example.com/a",
                "https://user:…@example.com/a",
            ),
            (
                "https://user:s@cr:et@example.com:8443",
                "https://user:…@example.com:8443",
            ),
            ("http://:secret@[::1]:80?x=@", "http://:…@[::1]:80?x=@"),
            ("user:secret@example.com", "user:…@example.com"),
        ] {
            assert_eq!(without_password(host), shown);
        }
        for host in [
            "http://127.0.0.1:8080",
            "https://user@example.com",
            "https://example.com/a:b@c",
            "https://example.com?mail=a:b@c",
            "",
            "//",
        ] {
            assert_eq!(without_password(host), host);
        }
    }

    #[test]
    fn however_the_url_is_written() {
        let shown = |host: &str| {
            shown_host(&LoadTest {
                name: "a test".to_owned(),
                host: host.to_owned(),
                users: 1,
                ramp_up_s: 0,
                duration_s: 1,
                workers: 1,
                infrastructure: "local".to_owned(),
                scenario: "shop".to_owned(),
                stop_timeout_s: 0,
                declared: None,
                ..LoadTest::default()
            })
        };
        for host in [
            "https://user:secret@example.com",
            "https:user:secret@example.com",
            "https:///user:secret@example.com",
            "HTTPS:\\\\user:se@cret@example.com",
        ] {
            assert_eq!(shown(host), "https://user:…@example.com/", "{host}");
        }
        assert_eq!(shown("http://Example.com"), "http://Example.com");
        assert_eq!(shown("no url:secret@x"), "no url:…@x");
    }

    proptest! {
        #[test]
        fn whatever_the_password_is_it_does_not_matter(
            one in "[^/?#\\\\]{0,20}",
            other in "[^/?#\\\\]{0,20}",
        ) {
            let with = |password: &str| without_password(&format!("https://user:{password}@example.com/"));
            prop_assert_eq!(with(&one), with(&other));
        }
    }
}
