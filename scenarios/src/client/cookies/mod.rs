//! A user's cookies.

mod date;
mod jar;
#[cfg(test)]
mod model;
mod set_cookie;
#[cfg(test)]
mod tests;

use std::time::SystemTime;

use http::HeaderValue;
use http::header::SET_COOKIE;

use super::Client;
use super::request_headers::RequestHeaders;
use super::target::Target;
use super::transport::AnswerHeaders;
use date::Millis;
pub(crate) use jar::{Jar, Site};

impl Client {
    /// The value of the cookie that would be sent to the host's root under this name.
    ///
    /// Cookies are kept and sent as the bytes that servers wrote. As text they are UTF-8, or where they are not,
    /// Latin-1 (a character for each byte), as Python reads them.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies
            .as_ref()?
            .get(name, Site::from(&self.shared.base.url), now())
    }

    /// Names and values of all cookies of this user, whatever they are for; as text like [`cookie`](Self::cookie).
    /// The name is empty of a cookie that a server wrote without one.
    pub fn cookies(&self) -> impl Iterator<Item = (&str, &str)> {
        self.cookies.iter().flat_map(|jar| jar.iter(now()))
    }

    /// Sets a cookie for the host, as if it had sent it: for all paths, without an end. It is sent as UTF-8.
    ///
    /// One that cannot be sent (with a control character, or longer than the 4096 bytes that browsers allow) is not
    /// set, and the log says so.
    pub fn set_cookie(&mut self, name: &str, value: &str) {
        let jar = self.cookies.get_or_insert_default();
        if !jar.set(name, value, Site::from(&self.shared.base.url), now()) {
            tracing::warn!(
                "the cookie `{}` is not set: its name or value has a control character or is too long",
                name.escape_debug()
            );
        }
    }

    /// Forgets all cookies of this name.
    pub fn remove_cookie(&mut self, name: &str) {
        if let Some(jar) = &mut self.cookies {
            jar.remove(name);
        }
    }

    /// Forgets all cookies.
    pub fn clear_cookies(&mut self) {
        if let Some(jar) = &mut self.cookies {
            jar.clear();
        }
    }
}

impl Target {
    /// What cookies need to know of it.
    pub(in crate::client) fn site(&self) -> Site<'_> {
        Site {
            host: &self.origin.host,
            is_address: self.is_address,
            path: self.uri.path(),
            is_secure: self.origin.https,
        }
    }
}

/// Keeps the cookies of an answer. There is no jar before the first one.
pub(super) fn keep(cookies: &mut Option<Box<Jar>>, headers: &AnswerHeaders, target: &Target) {
    if !headers.noted().cookies {
        return;
    }
    let (jar, now) = (cookies.get_or_insert_default(), now());
    for cookie in headers.map().get_all(SET_COOKIE) {
        jar.keep(cookie.as_bytes(), target.site(), now);
    }
}

/// Adds the cookies for a request, unless it brings its own.
pub(super) fn add(
    cookies: &mut Option<Box<Jar>>,
    headers: &mut RequestHeaders<'_>,
    target: &Target,
) {
    let Some(jar) = cookies else {
        return;
    };
    if headers.has_cookie() {
        return;
    }
    let line = jar.header(target.site(), now);
    // Nothing that is not valid in a header gets into the jar.
    if let Some(Ok(line)) = line.map(HeaderValue::from_maybe_shared) {
        headers.set_cookie(line);
    }
}

pub(crate) fn now() -> Millis {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Millis::try_from(since_1970.unwrap_or_default().as_millis()).unwrap_or(Millis::MAX)
}
