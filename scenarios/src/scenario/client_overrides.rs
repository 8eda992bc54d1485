//! What a load test says about the clients of all its user types.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue};

use crate::client::{ClientKind, ClientOptions, ClientProxy, ClientSetupError, HttpVersion};
use crate::scenario::Scenario;
use crate::user::{ClientOverrideError, Definition, UserType, UserTypeError, UserTypeProblem};

/// Settings of the client that win over those of every user type; none leaves the user type's own.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ClientOverrides {
    /// Which client.
    pub kind: Option<ClientKind>,
    /// Whether certificates of servers go unchecked.
    pub accept_invalid_certs: Option<bool>,
    /// PEM text of certificates to trust beside the system's and the user type's.
    pub root_certificate: Option<String>,
    /// PEM text of a certificate chain and its private key, for servers that ask for one.
    pub client_certificate: Option<String>,
    /// URL of a proxy; of the full client only.
    pub proxy: Option<String>,
    /// Longest time for a whole request.
    pub request_timeout: Option<Duration>,
    /// Longest time for making a connection.
    pub connect_timeout: Option<Duration>,
    /// How many redirects are followed.
    pub max_redirects: Option<usize>,
    /// Which versions of HTTP are spoken; of the full client only.
    pub http_version: Option<HttpVersion>,
    /// Most bytes of a decoded response body that are kept to be read.
    pub max_body: Option<usize>,
    /// Headers of every request, each in place of the user type's default header of its name.
    pub headers: Vec<(String, String)>,
}

/// Shows neither certificates, proxies nor headers, which may hold secrets.
impl fmt::Debug for ClientOverrides {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientOverrides")
            .field("kind", &self.kind)
            .field("accept_invalid_certs", &self.accept_invalid_certs)
            .field("request_timeout", &self.request_timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("max_redirects", &self.max_redirects)
            .field("http_version", &self.http_version)
            .field("max_body", &self.max_body)
            .finish_non_exhaustive()
    }
}

impl Scenario {
    /// The scenario with these settings for the clients of all its user types.
    ///
    /// # Errors
    ///
    /// When a user type cannot have them: a proxy and the choice of an HTTP version are of the full client only, users
    /// of goose scenarios have goose's own client, or a setting is not valid. The first is named with its user type.
    pub fn with_client(mut self, overrides: &ClientOverrides) -> Result<Self, UserTypeError> {
        if *overrides == ClientOverrides::default() {
            return Ok(self);
        }
        for user_type in &mut self.user_types {
            if user_type.self_driven().is_some() {
                return Err(user_type.refused(ClientOverrideError::Goose));
            }
            let mut options = ClientOptions::clone(user_type.client_options());
            overrides
                .apply_to(&mut options)
                .map_err(|reason| user_type.refused(reason))?;
            if let Some(problem) = options.problem() {
                return Err(user_type.refused(problem));
            }
            *user_type = UserType::new(Definition {
                client: Arc::new(options),
                ..user_type.definition().clone()
            });
        }
        Ok(self)
    }
}

impl ClientOverrides {
    /// What only the full client has must not be lost without a word when a user type gets the fast one.
    fn change_kind(
        &self,
        options: &mut ClientOptions,
        kind: ClientKind,
    ) -> Result<(), ClientOverrideError> {
        if kind == ClientKind::Fast && options.kind == ClientKind::Full {
            let lost = match options.http_version {
                _ if options.proxy.is_some() => "a proxy",
                HttpVersion::Http2 => "HTTP/2 only",
                HttpVersion::Auto | HttpVersion::Http1 => "",
            };
            if !lost.is_empty() {
                return Err(ClientOverrideError::FullClientOnly(lost));
            }
        }
        options.kind = kind;
        Ok(())
    }

    fn apply_to(&self, options: &mut ClientOptions) -> Result<(), UserTypeProblem> {
        if let Some(kind) = self.kind {
            self.change_kind(options, kind)?;
        }
        if let Some(accept) = self.accept_invalid_certs {
            options.accept_invalid_certs = accept;
        }
        if let Some(pem) = &self.root_certificate {
            options.tls.authorities.push(pem.clone().into_bytes());
        }
        if let Some(pem) = &self.client_certificate {
            let pem = pem.clone().into_bytes();
            options.tls.identity = Some((pem.clone(), pem));
        }
        if let Some(url) = &self.proxy {
            if options.kind == ClientKind::Fast {
                return Err(ClientOverrideError::Proxy.into());
            }
            options.proxy = Some(ClientProxy::parse(url).map_err(ClientSetupError::from)?);
        }
        if let Some(timeout) = self.request_timeout {
            options.request_timeout = timeout;
        }
        if let Some(timeout) = self.connect_timeout {
            options.connect_timeout = timeout;
        }
        if let Some(redirects) = self.max_redirects {
            options.max_redirects = redirects;
        }
        if let Some(version) = self.http_version {
            if options.kind == ClientKind::Fast {
                return Err(ClientOverrideError::HttpVersion.into());
            }
            options.http_version = version;
        }
        if let Some(bytes) = self.max_body {
            options.max_body = bytes;
        }
        for (name, value) in &self.headers {
            HeaderName::try_from(name)
                .map_err(|_| ClientOverrideError::HeaderName(name.clone()))?;
            let value = HeaderValue::try_from(value)
                .map_err(|_| ClientOverrideError::HeaderValue(name.clone()))?;
            options.headers.insert(name, value);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Client;
    use crate::task::TaskResult;
    use crate::user::{FastHttpUser, HttpUser};

    async fn nothing(_: &mut (), _: &mut Client) -> TaskResult {
        Ok(())
    }

    fn scenario() -> Scenario {
        let fast = FastHttpUser::<()>::new("Fast").task(1, nothing);
        let full = HttpUser::<()>::new("Full").task(1, nothing);
        Scenario::new("both")
            .user(fast.max_redirects(7).default_header("x-a", "own"))
            .user(full.request_timeout(Duration::from_secs(5)))
    }

    #[test]
    fn what_is_said_wins_and_the_rest_stays() {
        let changed = scenario()
            .with_client(&ClientOverrides {
                accept_invalid_certs: Some(true),
                connect_timeout: Some(Duration::from_millis(500)),
                max_redirects: Some(3),
                headers: vec![("X-A".into(), "test".into()), ("x-b".into(), "1".into())],
                ..ClientOverrides::default()
            })
            .unwrap();
        for user_type in &changed.user_types {
            let options = user_type.client_options();
            assert!(options.accept_invalid_certs);
            assert_eq!(options.connect_timeout, Duration::from_millis(500));
            assert_eq!(options.max_redirects, 3);
            assert_eq!(options.headers["x-a"], "test");
            assert_eq!(options.headers["x-b"], "1");
        }
        let kinds = changed.user_types.iter().map(|t| t.client_options().kind);
        assert!(kinds.eq([ClientKind::Fast, ClientKind::Full]));
        let own = changed.user_types[1].client_options().request_timeout;
        assert_eq!(own, Duration::from_secs(5));
        let same = scenario().with_client(&ClientOverrides::default()).unwrap();
        assert_eq!(same.user_types[0].client_options().max_redirects, 7);
    }

    #[test]
    fn the_fast_client_is_refused_to_user_types_that_need_the_full_one() {
        let fast = ClientOverrides {
            kind: Some(ClientKind::Fast),
            ..ClientOverrides::default()
        };
        let full = || HttpUser::<()>::new("Full").task(1, nothing);
        let with = |user| Scenario::new("one").user(user).with_client(&fast);
        for (user, word) in [
            (full().proxy("http://ada:geheim@proxy:1"), "a proxy"),
            (full().http_version(HttpVersion::Http2), "HTTP/2"),
        ] {
            let error = with(user).unwrap_err().to_string();
            assert!(error.contains("`Full`") && error.contains(word), "{error}");
            assert!(!error.contains("geheim"), "{error}");
        }
        for user in [full(), full().http_version(HttpVersion::Http1)] {
            let changed = with(user).unwrap();
            let options = changed.user_types[0].client_options();
            assert_eq!(options.kind, ClientKind::Fast);
        }
    }

    #[test]
    fn what_a_user_type_cannot_have_names_it() {
        let refused = |overrides: ClientOverrides| {
            scenario().with_client(&overrides).unwrap_err().to_string()
        };
        let proxy = refused(ClientOverrides {
            proxy: Some("http://ada:geheim@proxy:1".into()),
            ..ClientOverrides::default()
        });
        assert!(proxy.contains("`Fast`") && proxy.contains("only the full client"));
        assert!(!proxy.contains("geheim"), "{proxy}");
        let pem = refused(ClientOverrides {
            root_certificate: Some("no PEM".into()),
            ..ClientOverrides::default()
        });
        assert!(pem.contains("root certificate"), "{pem}");
        let version = refused(ClientOverrides {
            http_version: Some(HttpVersion::Http1),
            ..ClientOverrides::default()
        });
        assert!(version.contains("HTTP version"), "{version}");
        let all_full = ClientOverrides {
            kind: Some(ClientKind::Full),
            http_version: Some(HttpVersion::Http1),
            max_body: Some(5),
            proxy: Some("http://proxy:1".into()),
            ..ClientOverrides::default()
        };
        let changed = scenario().with_client(&all_full).unwrap();
        let options = changed.user_types[0].client_options();
        assert_eq!(
            (options.http_version, options.max_body),
            (HttpVersion::Http1, 5)
        );
        let shown = format!("{all_full:?}");
        assert!(!shown.contains("proxy:1"), "{shown}");
    }
}
