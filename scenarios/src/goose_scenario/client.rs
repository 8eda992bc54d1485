//! goose's HTTP client: one per process, cookies per user.
//!
//! goose makes a client for each user, which costs 109 kB and 2.5 ms each, because cookies belong to the client.
//! Here all users share one client and so its connections, as goose's users do without cookies; each has its
//! cookies for itself all the same, because the client asks for those of the task it runs in. A request that a
//! transaction sends from a task that it spawned itself has no cookies. A transaction can still give its user a
//! client of its own by `set_client_builder`, as in goose.

use std::cell::RefCell;
use std::sync::{Arc, LazyLock};

use ::goose::client::GooseClientConfig;
use http::HeaderValue;
use reqwest::cookie::CookieStore;
use url::Url;

use crate::client::cookies::{self, Jar, Site};

tokio::task_local! {
    static COOKIES: RefCell<Jar>;
}

/// Runs a user's life with cookies of its own.
pub(super) async fn with_own_cookies<R>(life: impl Future<Output = R>) -> R {
    COOKIES.scope(RefCell::default(), life).await
}

/// The cookies of the user whose task asks.
struct OwnCookies;

impl CookieStore for OwnCookies {
    fn set_cookies(&self, headers: &mut dyn Iterator<Item = &HeaderValue>, url: &Url) {
        // Outside of a user's task there is no user to keep them for.
        let _ = COOKIES.try_with(|jar| {
            for header in headers {
                let mut jar = jar.borrow_mut();
                jar.keep(header.as_bytes(), Site::from(url), cookies::now());
            }
        });
    }

    fn cookies(&self, url: &Url) -> Option<HeaderValue> {
        let line = COOKIES.try_with(|jar| jar.borrow_mut().header(Site::from(url), cookies::now));
        HeaderValue::from_maybe_shared(line.ok()??).ok()
    }
}

/// The client, set up as goose sets up its own.
pub(super) fn shared() -> Result<reqwest::Client, Arc<reqwest::Error>> {
    static CLIENT: LazyLock<Result<reqwest::Client, Arc<reqwest::Error>>> = LazyLock::new(|| {
        let like_goose = GooseClientConfig::default();
        let builder = || {
            let builder = reqwest::Client::builder()
                .user_agent(&like_goose.user_agent)
                .gzip(like_goose.gzip)
                .cookie_provider(Arc::new(OwnCookies));
            match like_goose.timeout {
                Some(timeout) => builder.timeout(timeout),
                None => builder,
            }
        };
        // Small images have no authorities, and http needs none.
        let built = builder()
            .build()
            .or_else(|_| builder().tls_certs_only([]).build());
        built.map_err(Arc::new)
    });
    CLIENT.clone()
}
