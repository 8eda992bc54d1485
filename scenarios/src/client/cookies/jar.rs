//! What a user keeps of the cookies it was given, and which of them go with a request: RFC 6265, sections 5.1.3,
//! 5.1.4, 5.3 and 5.4, over bytes.
//!
//! Where browsers follow its revision (RFC 6265bis) and Python's jar does the same, so does this one: cookies without
//! a name are kept, and a cookie for one host stands beside one of the same name for its domain.

use std::cmp::Reverse;

use bytes::Bytes;
use url::{Host, Url};

use super::date::Millis;
use super::set_cookie::{LONGEST_PAIR, SetCookie, is_control};

/// Most cookies kept of one domain, as Chromium has it. Beyond them the one unused longest makes room.
pub(super) const MOST_OF_A_DOMAIN: usize = 180;
/// Most cookies kept of a user, as browsers have it.
pub(super) const MOST_OF_ALL: usize = 3000;

/// Where a request goes, as far as cookies care.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Site<'t> {
    /// In lower case and ASCII.
    pub(crate) host: &'t str,
    /// Whether the host is an address: it has no domain above it.
    pub(crate) is_address: bool,
    /// As it is sent, without the query.
    pub(crate) path: &'t str,
    pub(crate) is_secure: bool,
}

impl<'u> From<&'u Url> for Site<'u> {
    fn from(url: &'u Url) -> Self {
        Self {
            host: url.host_str().unwrap_or_default(),
            is_address: !matches!(url.host(), Some(Host::Domain(_))),
            path: url.path(),
            is_secure: url.scheme() == "https",
        }
    }
}

/// The cookies of one user.
#[derive(Debug, Clone, Default)]
pub(crate) struct Jar {
    /// In the order they are sent: longer paths first, then those first that were created first.
    cookies: Vec<Cookie>,
    /// Numbers what happens, so that before and after need no clock.
    next: u64,
    /// What `next` was when this jar was made as a fork.
    forked_at: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Cookie {
    /// Name, `=` and value, as they are sent; the value alone where there is no name.
    pair: Box<[u8]>,
    name_length: u16,
    /// Name and value as text where the bytes are not UTF-8.
    latin1: Option<Box<(String, String)>>,
    /// In lower case.
    domain: Box<[u8]>,
    path: Box<[u8]>,
    is_host_only: bool,
    is_secure: bool,
    expires: Option<Millis>,
    created: u64,
    stored: u64,
    used: u64,
}

impl Cookie {
    fn name(&self) -> &[u8] {
        &self.pair[..usize::from(self.name_length)]
    }

    fn value(&self) -> &[u8] {
        match usize::from(self.name_length) {
            0 => &self.pair,
            length => &self.pair[length + 1..],
        }
    }

    fn text(&self) -> (&str, &str) {
        if let Some(text) = &self.latin1 {
            return (&text.0, &text.1);
        }
        // Both are UTF-8, or there would be a text.
        let text = |bytes| std::str::from_utf8(bytes).unwrap_or_default();
        (text(self.name()), text(self.value()))
    }

    fn is_same(&self, other: &Self) -> bool {
        self.path == other.path
            && self.domain == other.domain
            && self.is_host_only == other.is_host_only
            && self.name() == other.name()
    }

    fn is_expired(&self, now: Millis) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    /// Whether it is for requests to a site, its end aside.
    fn is_for(&self, site: Site<'_>) -> bool {
        let host = site.host.as_bytes();
        let domain_fits = if self.is_host_only {
            *self.domain == *host
        } else {
            domain_matches(host, &self.domain, site.is_address)
        };
        domain_fits
            && (site.is_secure || !self.is_secure)
            && path_matches(site.path.as_bytes(), &self.path)
    }

    fn order(&self) -> (Reverse<usize>, u64) {
        (Reverse(self.path.len()), self.created)
    }
}

impl Jar {
    /// Keeps what a `Set-Cookie` header of an answer of `site` says, if the site may say it.
    pub(crate) fn keep(&mut self, header: &[u8], site: Site<'_>, now: Millis) {
        if let Some(cookie) = SetCookie::parse(header, now) {
            self.store(cookie, site, now);
        }
    }

    /// Keeps a cookie of the session for a site and all its paths. False where no such cookie can be sent: a control
    /// character in it, or too long.
    pub(super) fn set(&mut self, name: &str, value: &str, site: Site<'_>, now: Millis) -> bool {
        let (name, value) = (name.as_bytes(), value.as_bytes());
        let mut bytes = name.iter().chain(value);
        if bytes.any(|byte| is_control(*byte)) || name.len() + value.len() > LONGEST_PAIR {
            return false;
        }
        let cookie = SetCookie {
            name,
            value,
            domain: None,
            path: Some(b"/"),
            is_secure: false,
            expires: None,
        };
        self.store(cookie, site, now);
        true
    }

    /// RFC 6265, 5.3.
    fn store(&mut self, cookie: SetCookie<'_>, site: Site<'_>, now: Millis) {
        let host = site.host.as_bytes();
        let asked = cookie.domain.map(<[u8]>::to_ascii_lowercase);
        let domain = match asked {
            None => None,
            // An address has no other hosts beside it; and what has no dot is not a domain that can be owned, but may be the
            // name of this host.
            Some(domain) if domain == host && (site.is_address || !domain.contains(&b'.')) => None,
            Some(domain)
                if domain.contains(&b'.') && domain_matches(host, &domain, site.is_address) =>
            {
                Some(domain)
            }
            Some(_) => return,
        };
        let number = self.number();
        let kept = Cookie {
            pair: pair(cookie.name, cookie.value),
            // It is at most LONGEST_PAIR.
            name_length: u16::try_from(cookie.name.len()).unwrap_or_default(),
            latin1: latin1(cookie.name, cookie.value),
            is_host_only: domain.is_none(),
            domain: domain.unwrap_or_else(|| host.to_vec()).into(),
            path: cookie
                .path
                .unwrap_or(default_path(site.path.as_bytes()))
                .into(),
            is_secure: cookie.is_secure,
            expires: cookie.expires,
            created: number,
            stored: number,
            used: number,
        };
        self.replace(kept, now);
    }

    /// Puts a cookie in the place of the same one, whose creation it keeps; one that has ended only removes that.
    fn replace(&mut self, mut cookie: Cookie, now: Millis) {
        if let Some(index) = self.cookies.iter().position(|kept| kept.is_same(&cookie)) {
            let replaced = self.cookies.remove(index);
            if !replaced.is_expired(now) {
                cookie.created = replaced.created;
            }
        }
        if cookie.is_expired(now) {
            return;
        }
        self.make_room(&cookie.domain, now);
        let order = cookie.order();
        let index = self.cookies.partition_point(|kept| kept.order() < order);
        self.cookies.insert(index, cookie);
    }

    /// Makes room for one more cookie of a domain: those go that have ended, then the one unused longest, of the
    /// domain if that has too many.
    fn make_room(&mut self, domain: &[u8], now: Millis) {
        let of_domain = |jar: &Self| {
            jar.cookies
                .iter()
                .filter(|kept| *kept.domain == *domain)
                .count()
        };
        if self.cookies.len() < MOST_OF_A_DOMAIN
            || (self.cookies.len() < MOST_OF_ALL && of_domain(self) < MOST_OF_A_DOMAIN)
        {
            return;
        }
        self.cookies.retain(|kept| !kept.is_expired(now));
        let is_domain_full = of_domain(self) >= MOST_OF_A_DOMAIN;
        if !is_domain_full && self.cookies.len() < MOST_OF_ALL {
            return;
        }
        let candidates = self.cookies.iter().enumerate();
        let oldest = candidates
            .filter(|(_, kept)| !is_domain_full || *kept.domain == *domain)
            .min_by_key(|(_, kept)| kept.used)
            .map(|(index, _)| index);
        if let Some(index) = oldest {
            self.cookies.remove(index);
        }
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// The value of `Cookie` for a request to `site`: RFC 6265, 5.4. `now` is asked only where a cookie has an end.
    pub(crate) fn header(&mut self, site: Site<'_>, now: impl FnOnce() -> Millis) -> Option<Bytes> {
        let number = self.number();
        let now = std::cell::LazyCell::new(now);
        let mut line = Vec::new();
        for cookie in &mut self.cookies {
            if !cookie.is_for(site) || (cookie.expires.is_some() && cookie.is_expired(*now)) {
                continue;
            }
            cookie.used = number;
            if !line.is_empty() {
                line.extend_from_slice(b"; ");
            }
            line.extend_from_slice(&cookie.pair);
        }
        (!line.is_empty()).then(|| line.into())
    }

    /// The first cookie of this name that would be sent to `site`.
    pub(super) fn get(&self, name: &str, site: Site<'_>, now: Millis) -> Option<&str> {
        let sent = self.cookies.iter();
        let mut sent = sent.filter(|cookie| cookie.is_for(site) && !cookie.is_expired(now));
        sent.find(|cookie| cookie.text().0 == name)
            .map(|cookie| cookie.text().1)
    }

    /// Names and values of all cookies that have not ended.
    pub(super) fn iter(&self, now: Millis) -> impl Iterator<Item = (&str, &str)> {
        let alive = self
            .cookies
            .iter()
            .filter(move |cookie| !cookie.is_expired(now));
        alive.map(Cookie::text)
    }

    /// Removes all cookies of this name.
    pub(super) fn remove(&mut self, name: &str) {
        self.cookies.retain(|cookie| cookie.text().0 != name);
    }

    /// Removes all cookies.
    pub(super) fn clear(&mut self) {
        self.cookies = Vec::new();
    }

    /// A copy that can be joined again.
    pub(crate) fn fork(&self) -> Self {
        let mut fork = self.clone();
        fork.forked_at = self.next;
        fork
    }

    /// Takes over what a fork was given and what was removed from it since it was made.
    pub(crate) fn join(&mut self, fork: Self, now: Millis) {
        self.cookies.retain(|own| {
            let is_newer = own.stored > fork.forked_at;
            is_newer || fork.cookies.iter().any(|theirs| theirs.is_same(own))
        });
        let forked_at = fork.forked_at;
        let mut given = fork.cookies;
        given.retain(|cookie| cookie.stored > forked_at);
        given.sort_by_key(|cookie| cookie.stored);
        for mut cookie in given {
            let number = self.number();
            (cookie.created, cookie.stored, cookie.used) = (number, number, number);
            self.replace(cookie, now);
        }
    }
}

/// A cookie as it is sent.
fn pair(name: &[u8], value: &[u8]) -> Box<[u8]> {
    match name {
        [] => value.into(),
        name => [name, b"=", value].concat().into(),
    }
}

/// Name and value with a character for each byte, as Python reads them, where they are not UTF-8.
fn latin1(name: &[u8], value: &[u8]) -> Option<Box<(String, String)>> {
    if std::str::from_utf8(name).is_ok() && std::str::from_utf8(value).is_ok() {
        return None;
    }
    let text = |bytes: &[u8]| bytes.iter().copied().map(char::from).collect();
    Some(Box::new((text(name), text(value))))
}

/// RFC 6265, 5.1.3.
fn domain_matches(host: &[u8], domain: &[u8], is_address: bool) -> bool {
    host.strip_suffix(domain).is_some_and(|rest| match rest {
        [] => true,
        [.., b'.'] => !is_address,
        _ => false,
    })
}

/// RFC 6265, 5.1.4.
fn default_path(path: &[u8]) -> &[u8] {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(last) if last > 0 && path.starts_with(b"/") => &path[..last],
        _ => b"/",
    }
}

/// RFC 6265, 5.1.4.
fn path_matches(path: &[u8], cookie_path: &[u8]) -> bool {
    path.strip_prefix(cookie_path)
        .is_some_and(|rest| matches!(rest, [] | [b'/', ..]) || cookie_path.ends_with(b"/"))
}
