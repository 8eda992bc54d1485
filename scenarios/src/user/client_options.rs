//! What a user type says about its users' client.

use std::time::Duration;

use http::HeaderValue;

use crate::client::{ClientProxy, ClientSetupError, HttpVersion, WrittenName};
use crate::user::{Full, UserBuilder};

impl<S, C> UserBuilder<S, C> {
    /// Longest time for a whole request, from `send()` to the end of the body (60 s if not set).
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.client.request_timeout = timeout;
        self
    }

    /// Longest time for making a connection, TLS included (60 s if not set).
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.client.connect_timeout = timeout;
        self
    }

    /// How many redirects are followed before the request fails (30 if not set).
    pub fn max_redirects(mut self, redirects: usize) -> Self {
        self.client.max_redirects = redirects;
        self
    }

    /// How much of a decoded response body is kept to be read, in bytes (64 MiB if not set). A larger body is
    /// received and counted all the same, and the request is a success; only reading it is an error. With 0 no body is
    /// kept that is not empty, which saves memory where no task reads one.
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.client.max_body = bytes;
        self
    }

    /// Accepts every TLS certificate, also invalid ones. The default is to check them, on both clients.
    /// (Locust's `FastHttpUser` does not check them unless it is asked to.)
    pub fn accept_invalid_certs(mut self, accept: bool) -> Self {
        self.client.accept_invalid_certs = accept;
        self
    }

    /// Trusts the certificates in this PEM text beside the system's: as authorities, and where a server shows
    /// one of them itself (a self-signed certificate), as that server's. Names and dates are checked all the same.
    pub fn root_certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.client.tls.authorities.push(pem.into());
        self
    }

    /// Shows this certificate to servers that ask for one: the chain and its private key as PEM texts, which
    /// may be the same text.
    pub fn client_certificate(
        mut self,
        chain: impl Into<Vec<u8>>,
        private_key: impl Into<Vec<u8>>,
    ) -> Self {
        self.client.tls.identity = Some((chain.into(), private_key.into()));
        self
    }

    /// Sends a header with every request unless the request sets it itself: `.default_header("X-Client", "editor")`.
    /// On HTTP/1 a name that is given as a text goes out as it is written here. One that is not valid is refused before
    /// load starts.
    pub fn default_header<V>(mut self, name: impl WrittenName, value: V) -> Self
    where
        V: TryInto<HeaderValue>,
    {
        match (name.into_name(), value.try_into()) {
            (Some(name), Ok(value)) => {
                self.client.headers.insert(name, value);
            }
            (None, _) => {
                self.client.invalid = Some(ClientSetupError::HeaderName);
            }
            (Some((name, _)), Err(_)) => {
                self.client.invalid = Some(ClientSetupError::HeaderValue(name.to_string()));
            }
        }
        self
    }
}

impl<S> UserBuilder<S, Full> {
    /// Which versions of HTTP are spoken: by default what the server offers over TLS, HTTP/2 first. Only the full client
    /// has the choice; the fast one speaks HTTP/1.1.
    pub fn http_version(mut self, version: HttpVersion) -> Self {
        self.client.http_version = version;
        self
    }

    /// Sends every request by this proxy: an `http://`, `https://`, `socks4://`, `socks4a://`, `socks5://` or
    /// `socks5h://` URL, with user and password if it asks for them. Only the full client has proxies; without one, none
    /// is used, whatever the environment says.
    pub fn proxy(mut self, url: &str) -> Self {
        match ClientProxy::parse(url) {
            Ok(proxy) => self.client.proxy = Some(proxy),
            Err(error) => self.client.invalid = Some(error.into()),
        }
        self
    }
}
