//! Where browsers find the coordinator when a proxy stands in front of it: an origin of its own, a path.

use std::fmt;
use std::str::FromStr;

use url::Url;

/// Longest address, in bytes.
const MAX_ADDRESS_BYTES: usize = 500;

/// The path below which browsers see the coordinator: empty, or `/greylag`, without a slash at its end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BasePath(String);

/// Why a text is not a base path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a valid base path; start it with a slash and use only letters, digits and `-._~/`, such as /greylag"
)]
pub struct BasePathError(String);

impl BasePath {
    /// The path; empty for the root.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What is left of a path below this one; none for other paths.
    pub(in crate::web) fn strip<'p>(&self, path: &'p str) -> Option<&'p str> {
        let rest = path.strip_prefix(self.0.as_str())?;
        match rest {
            "" => Some("/"),
            rest => rest.starts_with('/').then_some(rest),
        }
    }
}

impl FromStr for BasePath {
    type Err = BasePathError;

    fn from_str(text: &str) -> Result<Self, BasePathError> {
        let path = text.trim_end_matches('/');
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
        let segments_are_plain = path
            .split('/')
            .skip(1)
            .all(|segment| !segment.is_empty() && segment != "." && segment != "..");
        let is_valid = text.starts_with('/')
            && (path.is_empty() || path.starts_with('/'))
            && path.len() <= MAX_ADDRESS_BYTES
            && path.bytes().all(is_plain)
            && segments_are_plain;
        if is_valid {
            Ok(Self(path.to_owned()))
        } else {
            Err(BasePathError(text.chars().take(60).collect()))
        }
    }
}

/// The address that browsers use: `https://load.example/greylag`, without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    /// As browsers send it: scheme, host, and the port where it is not the scheme's own.
    origin: String,
    base_path: BasePath,
}

/// Why a text is not a public address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a valid public URL; write it as https://load.example or https://load.example/greylag, without a query, user or password"
)]
pub struct PublicUrlError(String);

impl PublicUrl {
    /// `https://load.example`, as browsers send it in an Origin header.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The path of the address.
    pub fn base_path(&self) -> &BasePath {
        &self.base_path
    }

    /// Host and port as browsers send them in a Host header.
    pub(in crate::web) fn host(&self) -> &str {
        self.origin
            .split_once("://")
            .map_or(self.origin.as_str(), |(_, host)| host)
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}", self.origin, self.base_path.0)
    }
}

impl FromStr for PublicUrl {
    type Err = PublicUrlError;

    fn from_str(text: &str) -> Result<Self, PublicUrlError> {
        let error = || PublicUrlError(text.chars().take(60).collect());
        // A user or a password is not repeated.
        let hidden = || PublicUrlError("…".to_owned());
        let url = Url::parse(text).map_err(|_| error())?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(hidden());
        }
        let is_valid = matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.query().is_none()
            && url.fragment().is_none()
            && text.len() <= MAX_ADDRESS_BYTES;
        if !is_valid {
            return Err(error());
        }
        Ok(Self {
            origin: url.origin().ascii_serialization(),
            base_path: url.path().parse().map_err(|_| error())?,
        })
    }
}

/// Where browsers find the coordinator; by default where it listens.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PublicAddress {
    url: Option<PublicUrl>,
    base_path: BasePath,
}

/// The two options say different paths.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the public URL has the path `{url}` but the base path is `{base_path}`; leave one out or make them the same"
)]
pub struct PathsDiffer {
    url: String,
    base_path: String,
}

impl PublicAddress {
    /// From what was given. The path of the URL is the base path, unless the URL has none.
    ///
    /// # Errors
    /// Both have a path, and not the same.
    pub fn new(url: Option<PublicUrl>, base_path: Option<BasePath>) -> Result<Self, PathsDiffer> {
        let of_url = url.as_ref().map(|url| url.base_path.clone());
        let of_url = of_url.filter(|path| !path.0.is_empty());
        let base_path = match (of_url, base_path) {
            (Some(of_url), Some(given)) if of_url != given => {
                return Err(PathsDiffer {
                    url: of_url.0,
                    base_path: given.0,
                });
            }
            (Some(path), _) | (None, Some(path)) => path,
            (None, None) => BasePath::default(),
        };
        let url = url.map(|url| PublicUrl {
            base_path: base_path.clone(),
            ..url
        });
        Ok(Self { url, base_path })
    }

    /// The whole address, if it was given.
    pub fn url(&self) -> Option<&PublicUrl> {
        self.url.as_ref()
    }

    /// The path below which browsers see the coordinator.
    pub fn base_path(&self) -> &BasePath {
        &self.base_path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_paths() {
        for (text, path) in [
            ("/", ""),
            ("/greylag", "/greylag"),
            ("/greylag/", "/greylag"),
            ("/a-b/c.d", "/a-b/c.d"),
        ] {
            assert_eq!(text.parse::<BasePath>().unwrap().as_str(), path, "{text}");
        }
        for text in [
            "",
            "greylag",
            "//evil.example",
            "/a//b",
            "/a/../b",
            "/a\"b",
            "/a b",
            "/a?b",
            "/<x>",
            "/%2e",
        ] {
            assert!(text.parse::<BasePath>().is_err(), "{text}");
        }
        let path: BasePath = "/greylag".parse().unwrap();
        assert_eq!(path.strip("/greylag"), Some("/"));
        assert_eq!(path.strip("/greylag/runs/a"), Some("/runs/a"));
        assert_eq!(path.strip("/greylags"), None);
        assert_eq!(path.strip("/runs"), None);
    }

    #[test]
    fn public_urls() {
        for (text, shown, origin) in [
            (
                "https://Load.Example:443/greylag/",
                "https://load.example/greylag",
                "https://load.example",
            ),
            (
                "http://10.0.0.1:8090",
                "http://10.0.0.1:8090",
                "http://10.0.0.1:8090",
            ),
        ] {
            let url: PublicUrl = text.parse().unwrap();
            assert_eq!((url.to_string().as_str(), url.origin()), (shown, origin));
        }
        for text in [
            "load.example",
            "ftp://load.example",
            "https://load.example/?x",
            "https://load.example/a\"b",
            "https://",
        ] {
            assert!(text.parse::<PublicUrl>().is_err(), "{text}");
        }
        let error = "https://a:geheim@b".parse::<PublicUrl>().unwrap_err();
        assert!(!error.to_string().contains("geheim"));
    }

    #[test]
    fn both_options_say_the_same() {
        let url = |text: &str| Some(text.parse().unwrap());
        let path = |text: &str| Some(text.parse().unwrap());
        let address = PublicAddress::new(url("https://a/x"), None).unwrap();
        assert_eq!(address.base_path().as_str(), "/x");
        let address = PublicAddress::new(url("https://a"), path("/x")).unwrap();
        assert_eq!(address.url().unwrap().to_string(), "https://a/x");
        assert!(PublicAddress::new(url("https://a/x"), path("/y")).is_err());
    }
}
