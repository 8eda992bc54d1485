//! Refuses requests that another site's page made a browser send.
//!
//! - **Host.** Without a token (then we listen on a loopback address only) the Host header must name this
//!   machine: `localhost`, `127.0.0.1`, `[::1]` or the address listened on, with any port (it may be
//!   forwarded). A page of `evil.example` whose name was rebound to 127.0.0.1 has another Host. With a
//!   token any Host will do: people reach the coordinator under names it does not know, and a rebound page
//!   has neither the token nor a cookie for its own name.
//! - **Public URL.** Where `--public-url` names the address that browsers use, its host is ours as well, and
//!   its origin is, whatever Host a proxy passes. Headers that proxies add (`X-Forwarded-Host`) are not believed:
//!   anyone can send them.
//! - **Origin.** A browser sends it with everything that changes something and with everything that crosses
//!   origins, WebSockets included. So where it is given it must be that of the Host or the public one, whatever
//!   the method; `null` is never ours.
//! - **No Origin.** Programs send none and may do everything they have the token for. But a request that
//!   changes something and brings a cookie comes from a browser, and then the Origin is missed: refused,
//!   unless it has a Bearer token, which no browser adds by itself. `Sec-Fetch-Site`, where there is one,
//!   must agree.

use std::net::{IpAddr, SocketAddr};

use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, Method, Uri, header};

use super::auth::bearer;
use super::public_address::PublicUrl;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// Characters of a header that are repeated in a refusal.
const SHOWN_CHARACTERS: usize = 100;

/// Why a request is not taken for one of our own pages or of a program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::web) enum SameOriginError {
    #[error("the request must have exactly one Host header")]
    HostCount,
    #[error("the request's Host header is not a host name with an optional port")]
    HostForm,
    #[error("the request's address and its Host header name different hosts")]
    TwoHosts,
    #[error("the request has more than one Origin header")]
    OriginCount,
    #[error(
        "the Host header names `{host}`, which is not this coordinator; open it as http://{listen}, or start it with --public-url and the address that browsers use"
    )]
    ForeignHost { host: String, listen: SocketAddr },
    #[error(
        "the request comes from a page of `{origin}` (its Origin header), but its Host header says `{host}`; open the coordinator's own page; if a proxy stands in front, let it pass the Host header as the browser sends it, port included (nginx: `proxy_set_header Host $http_host;`), or start the coordinator with --public-url and the address that browsers use"
    )]
    ForeignOrigin { origin: String, host: String },
    #[error(
        "the request comes from a page of `{origin}` (its Origin header), and --public-url says `{public}`; open the coordinator there, or start it with the address that browsers use"
    )]
    NotThePublicOrigin { origin: String, public: String },
    #[error(
        "the request has a cookie but no Origin header; programs send `Authorization: Bearer <token>` and no cookie"
    )]
    CookieWithoutOrigin,
    #[error("the request was made by another site's page; open the coordinator's own page")]
    OtherSite,
}

/// Which Host and Origin are ours.
#[derive(Debug, Clone)]
pub(in crate::web) struct SameOrigin {
    listen: SocketAddr,
    any_host: bool,
    public: Option<PublicUrl>,
}

impl SameOrigin {
    /// For a server at this address, which browsers may find at another one.
    pub(in crate::web) fn new(
        listen: SocketAddr,
        has_token: bool,
        public: Option<PublicUrl>,
    ) -> Self {
        Self {
            listen,
            any_host: has_token,
            public,
        }
    }

    /// Checks one request.
    ///
    /// # Errors
    /// See [`SameOriginError`].
    pub(in crate::web) fn check(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<(), SameOriginError> {
        let host = self.host(uri, headers)?;
        let mut origins = headers.get_all(header::ORIGIN).into_iter();
        let changes_something = !matches!(*method, Method::GET | Method::HEAD);
        match (origins.next(), origins.next()) {
            (Some(origin), None) => {
                let origin = origin.to_str().unwrap_or("null");
                if !is_origin_of(origin, &host) && !self.is_public(origin) {
                    return Err(self.foreign(origin, &host));
                }
            }
            (Some(_), Some(_)) => {
                return Err(SameOriginError::OriginCount);
            }
            (None, _) => {
                if changes_something
                    && headers.contains_key(header::COOKIE)
                    && bearer(headers).is_none()
                {
                    return Err(SameOriginError::CookieWithoutOrigin);
                }
            }
        }
        let from_elsewhere = headers
            .get(SEC_FETCH_SITE)
            .is_some_and(|site| !matches!(site.as_bytes(), b"same-origin" | b"none"));
        if changes_something && from_elsewhere {
            return Err(SameOriginError::OtherSite);
        }
        Ok(())
    }

    fn is_public(&self, origin: &str) -> bool {
        let public = self.public.as_ref();
        public.is_some_and(|public| public.origin().eq_ignore_ascii_case(origin))
    }

    /// About a request from a page of another origin, or through a proxy that hides ours.
    fn foreign(&self, origin: &str, host: &str) -> SameOriginError {
        let origin = shown(origin);
        match &self.public {
            Some(public) => SameOriginError::NotThePublicOrigin {
                origin,
                public: public.to_string(),
            },
            None => SameOriginError::ForeignOrigin {
                origin,
                host: host.to_owned(),
            },
        }
    }

    /// The one Host of the request in lower case.
    fn host(&self, uri: &Uri, headers: &HeaderMap) -> Result<String, SameOriginError> {
        let mut hosts = headers.get_all(header::HOST).into_iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else {
            return Err(SameOriginError::HostCount);
        };
        let authority: Authority = host
            .to_str()
            .ok()
            .and_then(|host| host.to_ascii_lowercase().parse().ok())
            .filter(|authority: &Authority| !authority.as_str().contains('@'))
            .ok_or(SameOriginError::HostForm)?;
        if uri
            .authority()
            .is_some_and(|target| !target.as_str().eq_ignore_ascii_case(authority.as_str()))
        {
            return Err(SameOriginError::TwoHosts);
        }
        let is_public = self
            .public
            .as_ref()
            .is_some_and(|public| public.host() == authority.as_str());
        if !self.any_host && !is_public && !self.is_this_machine(authority.host()) {
            return Err(SameOriginError::ForeignHost {
                host: shown(authority.as_str()),
                listen: self.listen,
            });
        }
        Ok(authority.as_str().to_owned())
    }

    fn is_this_machine(&self, host: &str) -> bool {
        if host == "localhost" {
            return true;
        }
        let bare = host
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .unwrap_or(host);
        bare.parse::<IpAddr>().is_ok_and(|address| {
            address == self.listen.ip()
                || address == IpAddr::from([127, 0, 0, 1])
                || address == IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1_u16])
        })
    }
}

/// Whether an Origin header is `http(s)://` and this host. Browsers leave out the scheme's default port in
/// both.
fn is_origin_of(origin: &str, host: &str) -> bool {
    ["http://", "https://"]
        .iter()
        .filter_map(|scheme| origin.strip_prefix(scheme))
        .any(|authority| authority.eq_ignore_ascii_case(host))
}

fn shown(text: &str) -> String {
    text.chars().take(SHOWN_CHARACTERS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::error::WebError;

    fn loopback() -> SameOrigin {
        SameOrigin::new("127.0.0.2:8089".parse().unwrap(), false, None)
    }

    fn check(rule: &SameOrigin, method: Method, headers: &[(&str, &str)]) -> Result<(), u16> {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect::<Vec<(HeaderName, axum::http::HeaderValue)>>();
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, value);
        }
        rule.check(&method, &Uri::from_static("/runs"), &map)
            .map_err(|error| WebError::from(error).status().as_u16())
    }

    #[test]
    fn without_a_token_only_this_machine_is_named() {
        for host in [
            "localhost",
            "localhost:8089",
            "LOCALHOST:1",
            "127.0.0.1:9",
            "[::1]:8089",
            "127.0.0.2:8089",
        ] {
            assert_eq!(
                check(&loopback(), Method::GET, &[("host", host)]),
                Ok(()),
                "{host}"
            );
        }
        for host in [
            "evil.example",
            "evil.example:8089",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "127.0.0.3",
            "0.0.0.0",
            "[::2]",
        ] {
            assert_eq!(
                check(&loopback(), Method::GET, &[("host", host)]),
                Err(403),
                "{host}"
            );
        }
        for host in ["", "user@localhost", "a b", "localhost/x"] {
            assert_eq!(
                check(&loopback(), Method::GET, &[("host", host)]),
                Err(400),
                "{host}"
            );
        }
        assert_eq!(check(&loopback(), Method::GET, &[]), Err(400));
        assert_eq!(
            check(
                &loopback(),
                Method::GET,
                &[("host", "localhost"), ("host", "localhost")]
            ),
            Err(400)
        );
    }

    #[test]
    fn with_a_token_any_host_will_do_but_the_origin_must_be_its_own() {
        let rule = SameOrigin::new("0.0.0.0:8089".parse().unwrap(), true, None);
        let host = ("host", "load.example");
        assert_eq!(check(&rule, Method::GET, &[host]), Ok(()));
        assert_eq!(
            check(
                &rule,
                Method::POST,
                &[host, ("origin", "https://load.example")]
            ),
            Ok(())
        );
        assert_eq!(
            check(
                &rule,
                Method::POST,
                &[host, ("origin", "https://evil.example")]
            ),
            Err(403)
        );
    }

    #[test]
    fn a_public_url_is_ours_and_nothing_else_becomes_so() {
        let public = || Some("https://load.example/greylag".parse().unwrap());
        for (rule, upstream) in [
            (
                SameOrigin::new("127.0.0.1:8089".parse().unwrap(), false, public()),
                "127.0.0.1:8089",
            ),
            (
                SameOrigin::new("0.0.0.0:8089".parse().unwrap(), true, public()),
                "upstream",
            ),
        ] {
            for host in [upstream, "load.example"] {
                let with =
                    |origin| check(&rule, Method::POST, &[("host", host), ("origin", origin)]);
                assert_eq!(with("https://load.example"), Ok(()), "{host}");
                for foreign in [
                    "https://evil.example",
                    "https://load.example:8443",
                    "https://load.example.evil.example",
                    "https://load.example/",
                    "null",
                ] {
                    assert_eq!(with(foreign), Err(403), "{host} {foreign}");
                }
            }
        }
        let rule = SameOrigin::new("127.0.0.1:8089".parse().unwrap(), false, public());
        for host in [
            "evil.example",
            "load.example:8443",
            "load.example.evil.example",
        ] {
            assert_eq!(
                check(&rule, Method::GET, &[("host", host)]),
                Err(403),
                "{host}"
            );
        }
        let pretended = [
            ("host", "127.0.0.1:8089"),
            ("x-forwarded-host", "evil.example"),
            ("origin", "https://evil.example"),
        ];
        assert_eq!(check(&rule, Method::POST, &pretended), Err(403));
    }

    #[test]
    fn an_origin_is_ours_or_refused_whatever_the_method() {
        let host = ("host", "localhost:8089");
        for method in [
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::DELETE,
            Method::OPTIONS,
        ] {
            let with = |origin| check(&loopback(), method.clone(), &[host, ("origin", origin)]);
            assert_eq!(with("http://localhost:8089"), Ok(()), "{method}");
            for foreign in [
                "http://localhost:3000",
                "http://localhost",
                "http://evil.example",
                "null",
                "",
                "localhost:8089",
                "ftp://localhost:8089",
                "http://localhost:8089.evil.example",
                "http://127.0.0.1:8089",
            ] {
                assert_eq!(with(foreign), Err(403), "{method} {foreign}");
            }
        }
    }

    #[test]
    fn programs_need_no_origin_and_browsers_do() {
        let host = ("host", "localhost:8089");
        assert_eq!(check(&loopback(), Method::POST, &[host]), Ok(()));
        let cookie = ("cookie", "a=b");
        assert_eq!(check(&loopback(), Method::GET, &[host, cookie]), Ok(()));
        assert_eq!(check(&loopback(), Method::POST, &[host, cookie]), Err(403));
        let bearer = ("authorization", "Bearer x");
        assert_eq!(
            check(&loopback(), Method::POST, &[host, cookie, bearer]),
            Ok(())
        );
        for (site, outcome) in [
            ("cross-site", Err(403)),
            ("same-site", Err(403)),
            ("same-origin", Ok(())),
            ("none", Ok(())),
        ] {
            assert_eq!(
                check(&loopback(), Method::POST, &[host, ("sec-fetch-site", site)]),
                outcome,
                "{site}"
            );
        }
    }

    #[test]
    fn an_absolute_address_agrees_with_its_host() {
        let headers = HeaderMap::from_iter([(header::HOST, "localhost:8089".parse().unwrap())]);
        let check = |uri| loopback().check(&Method::GET, &Uri::from_static(uri), &headers);
        assert!(check("http://localhost:8089/").is_ok());
        assert!(check("http://evil.example/").is_err());
    }
}
