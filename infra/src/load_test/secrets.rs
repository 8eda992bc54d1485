//! What of a load test is secret: never shown, and left out of what is kept once its run is over.

use url::Url;

use super::{LoadTest, LoadTestError};

/// Stands in place of a secret that was left out. It is refused when it comes back, so that no run is started with
/// it by accident.
pub(crate) const LEFT_OUT: &str = "(not kept)";
/// Likewise in place of a host's password, also where it is only not shown; and as it stands in a URL that was parsed.
const HIDDEN_PASSWORD: &str = "…";
const HIDDEN_PASSWORD_IN_URL: &str = "%E2%80%A6";
/// How the words of names of headers end whose values are secrets, in lower case: `x-csrftoken`, `x-auth-user`.
const SECRET_WORDS: [&str; 10] = [
    "auth",
    "authorization",
    "cookie",
    "token",
    "tokens",
    "secret",
    "password",
    "session",
    "sessionid",
    "key",
];
/// Before `-key` in names of headers whose values are no secrets.
const OPEN_KEYS: [&str; 6] = [
    "idempotency",
    "websocket",
    "surrogate",
    "cache",
    "partition",
    "routing",
];

impl LoadTest {
    /// The host as it is shown: with `…` in place of the password of `https://user:password@example.com`. One without
    /// a password comes back as it was written.
    pub fn shown_host(&self) -> String {
        match Url::parse(&self.host) {
            // The parsed URL, because there are many ways to write one (`https:user:password@example.com`).
            Ok(mut url) if url.password().is_some() => {
                // Fails only for URLs without a host, which have no password.
                let _ = url.set_password(Some(HIDDEN_PASSWORD));
                let password = format!(":{HIDDEN_PASSWORD_IN_URL}@");
                url.as_str()
                    .replacen(&password, &format!(":{HIDDEN_PASSWORD}@"), 1)
            }
            // Other schemes are refused anyway, and what follows their host may be a password.
            Ok(url) if url.has_host() && matches!(url.scheme(), "http" | "https") => {
                self.host.clone()
            }
            _ => without_password(&self.host),
        }
    }

    /// The definition without its secrets: the host's password, the client's certificate and proxy, values of
    /// headers that carry credentials, and options that `is_secret`.
    #[must_use]
    pub fn without_secrets(mut self, is_secret: impl Fn(&str) -> bool) -> Self {
        self.host = self.shown_host();
        self.client = self.client.without_secrets();
        let declared = self.declared.iter_mut();
        let of_requests = declared.flat_map(|declared| &mut declared.requests);
        let headers = of_requests.flat_map(|request| &mut request.headers);
        for (name, value) in headers.chain(&mut self.client.headers) {
            if is_secret_header(name) {
                LEFT_OUT.clone_into(value);
            }
        }
        for (name, value) in &mut self.options {
            if is_secret(name) {
                LEFT_OUT.clone_into(value);
            }
        }
        self
    }

    /// What was left out after an earlier run and has to be given again.
    pub(super) fn left_out(&self) -> Vec<LoadTestError> {
        let mut errors = Vec::new();
        let url = Url::parse(&self.host).ok();
        let password = url.as_ref().and_then(|url| url.password());
        if password
            .is_some_and(|password| [HIDDEN_PASSWORD, HIDDEN_PASSWORD_IN_URL].contains(&password))
        {
            errors.push(LoadTestError::PasswordLeftOut);
        }
        for (name, value) in &self.options {
            if value == LEFT_OUT {
                errors.push(LoadTestError::OptionLeftOut(name.clone()));
            }
        }
        errors
    }
}

/// Whether values of headers of this name carry credentials.
pub(super) fn is_secret_header(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let mut before = "";
    name.split(['-', '_', '.']).any(|word| {
        let is_open = word == "key" && OPEN_KEYS.contains(&before);
        before = word;
        !is_open && SECRET_WORDS.iter().any(|end| word.ends_with(end))
    })
}

/// A text that is not a URL, with `…` in place of what may be a password: rather too much than too little.
fn without_password(host: &str) -> String {
    let Some((before, after)) = host.rsplit_once('@') else {
        return host.to_owned();
    };
    let is_slash = |c| matches!(c, '/' | '\\');
    let scheme_len = before
        .find(':')
        .filter(|at| before[at + 1..].starts_with(is_slash));
    let user_at = scheme_len.map_or(0, |at| {
        let rest = &before[at + 1..];
        before.len() - rest.trim_start_matches(is_slash).len()
    });
    match before[user_at..].find(':') {
        Some(user_len) => format!(
            "{}:{HIDDEN_PASSWORD}@{after}",
            &before[..user_at + user_len]
        ),
        None => host.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::load_test::{ClientSettings, DeclaredRequest, DeclaredScenario, Secret};
    use proptest::prelude::*;

    fn shown(host: &str) -> String {
        let host = host.to_owned();
        LoadTest {
            host,
            ..LoadTest::default()
        }
        .shown_host()
    }

    #[test]
    fn passwords_are_not_shown_however_the_url_is_written() {
        for (host, shown_host) in [
            (
                "https://user:secret@example.com/a",
                "https://user:…@example.com/a",
            ),
            (
                "https://user:s@cr:et@example.com:8443",
                "https://user:…@example.com:8443/",
            ),
            ("http://:secret@[::1]:80?x=@", "http://:…@[::1]/?x=@"),
            ("user:secret@example.com", "user:…@example.com"),
            (
                "http://user:se/cret@example.com",
                "http://user:…@example.com",
            ),
            (
                "https:\\\\user:secret@exa mple",
                "https:\\\\user:…@exa mple",
            ),
            ("https:user:secret@exa mple", "https:…@exa mple"),
            ("ftp://a/user:secret@b", "ftp://a/user:…@b"),
        ] {
            assert_eq!(shown(host), shown_host);
        }
        for host in [
            "http://127.0.0.1:8080",
            "https://user@example.com",
            "https://example.com/a:b@c",
            "https://example.com?mail=a:b@c",
            "",
            "//",
        ] {
            assert_eq!(shown(host), host);
        }
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
        assert_eq!(shown("user:secret@example.com"), "user:…@example.com");
        assert_eq!(shown("ftp://user:secret@x"), "ftp://user:…@x/");
    }

    #[test]
    fn headers_with_credentials_are_known_by_whole_words() {
        for secret in [
            "Authorization",
            "Proxy-Authorization",
            "Cookie",
            "X-API-Key",
            "Api_Key",
            "apikey",
            "Ocp-Apim-Subscription-Key",
            "X-Auth-User",
            "X-CSRFToken",
            "X-Access-Token",
            "Client-Secret",
            "X-Session-Id",
            "key",
        ] {
            assert!(is_secret_header(secret), "{secret}");
        }
        for open in [
            "Idempotency-Key",
            "x-idempotency-key",
            "Author",
            "X-Authors",
            "Keywords",
            "Keep-Alive",
            "Cookies-Accepted",
            "Accept",
        ] {
            assert!(!is_secret_header(open), "{open}");
        }
    }

    #[test]
    fn what_is_left_out_is_refused_until_it_is_given_again() {
        let headers = |value: &str| vec![("Authorization".to_owned(), value.to_owned())];
        let mut test = LoadTest {
            name: "a test".into(),
            host: "https://ada:geheim@example.com/".into(),
            users: 1,
            duration_s: 1,
            workers: 1,
            infrastructure: "local".into(),
            options: BTreeMap::from(["pin", "tenant"].map(|name| (name.into(), "geheim".into()))),
            client: ClientSettings {
                client_certificate: Some(Secret::new("-----BEGIN geheim")),
                headers: headers("geheim"),
                ..ClientSettings::default()
            },
            declared: Some(DeclaredScenario {
                requests: vec![DeclaredRequest {
                    method: "GET".into(),
                    path: "/".into(),
                    name: None,
                    weight: 1,
                    headers: [headers("geheim"), vec![("Accept".into(), "a/b".into())]].concat(),
                    body: None,
                    expect_status: None,
                    expect_body: None,
                }],
                wait_time: None,
            }),
            ..LoadTest::default()
        };
        assert_eq!(test.check(), Ok(()));
        test.options.insert("tenant".into(), "acme".into());
        let kept = test.clone().without_secrets(|option| option == "pin");
        let stored = serde_json::to_string(&kept).unwrap();
        assert!(!stored.contains("geheim"), "{stored}");
        assert!(stored.contains("acme") && stored.contains("a/b"));
        let refused = kept.check().unwrap_err().to_string();
        assert_eq!(refused.lines().count(), 5, "{refused}");
        for words in ["password", "`pin`", "client_certificate", "`Authorization`"] {
            assert!(refused.contains(words), "{words}: {refused}");
        }
        // what is refused is left out only once
        assert_eq!(kept.clone().without_secrets(|name| name == "pin"), kept);
    }

    proptest! {
        #[test]
        fn whatever_the_password_is_it_does_not_matter(
            one in "[!-~&&[^/?#\\\\]]{1,20}",
            other in "[a-z0-9@:]{1,20}",
        ) {
            let with = |password: &str| shown(&format!("https://user:{password}@example.com/"));
            prop_assert_eq!(with(&one), with(&other));
        }

        #[test]
        fn no_message_about_a_host_has_its_password(
            before in "[a-z:/\\\\]{0,9}",
            after in "[a-z0-9:/?#\\\\@ .-]{0,20}",
        ) {
            let test = LoadTest { host: format!("{before}user:geheim@{after}"), ..LoadTest::default() };
            let refused = test.host_url().err().map_or_else(String::new, |error| error.to_string());
            prop_assert!(!refused.contains("geheim"), "{}", refused);
            prop_assert!(!test.shown_host().contains("geheim"), "{}", test.shown_host());
        }
    }
}
