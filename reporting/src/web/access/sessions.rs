//! Sessions of browsers: cookies that say who has signed in, and are signed.
//!
//! A cookie names the token that its holder signed in with, and is good only as long as that is. It is signed with a random
//! key that only the coordinator has, and with its token, so that other ones end all sessions: nothing about the token can be
//! found out from a cookie, as a viewer who has one might try. It outlasts a restart of the coordinator.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use rand::RngCore;
use sha2::Sha256;

use super::public_address::BasePath;
use crate::tokens::{Token, TokenId};

/// How long a login holds.
const SESSION_LENGTH: Duration = Duration::from_secs(30 * 24 * 3600);
/// Most session cookies looked at in one request.
const MAX_COOKIES_TRIED: usize = 8;
/// Who signed in with the coordinator's own token; no id is like this.
const OWNER: &str = "-";

/// Who has signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::web) enum SignedIn {
    /// With the coordinator's own token.
    Owner,
    /// With this one.
    With(TokenId),
}

/// What cookies are signed with.
pub(in crate::web) struct SessionKey(Hmac<Sha256>);

impl SessionKey {
    /// Of these random bytes and the coordinator's token.
    pub(in crate::web) fn new(random: &[u8; 32], token: &Token) -> Self {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(random).expect("HMAC takes keys of any length");
        mac.update(b"greylag session v2\n");
        mac.update(token.expose().as_bytes());
        mac.update(b"\n");
        Self(mac)
    }

    fn signature(&self, claims: &str) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        mac.update(claims.as_bytes());
        mac
    }
}

/// Never shows the key.
impl std::fmt::Debug for SessionKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("SessionKey(…)")
    }
}

/// Makes and reads session cookies.
#[derive(Debug)]
pub(in crate::web) struct Sessions {
    key: SessionKey,
    cookie_name: String,
    cookie_path: String,
}

impl Sessions {
    /// Cookies are shared by all ports of a host, so their name holds the port. They are sent below the base
    /// path only, because others may be at home elsewhere on the host.
    pub(in crate::web) fn new(key: SessionKey, port: u16, base: &BasePath) -> Self {
        Self {
            key,
            cookie_name: format!("greylag_session_{port}"),
            cookie_path: match base.as_str() {
                "" => "/".to_owned(),
                path => path.to_owned(),
            },
        }
    }

    /// The cookie of a new session, for `Set-Cookie`.
    pub(in crate::web) fn cookie(
        &self,
        who: &SignedIn,
        now_s: u64,
        over_https: bool,
    ) -> HeaderValue {
        let mut nonce = [0_u8; 16];
        rand::rng().fill_bytes(&mut nonce);
        let expires = now_s + SESSION_LENGTH.as_secs();
        let who = match who {
            SignedIn::Owner => OWNER,
            SignedIn::With(id) => id.as_str(),
        };
        let claims = format!("{expires}.{who}.{}", URL_SAFE_NO_PAD.encode(nonce));
        let signature = self.key.signature(&claims).finalize().into_bytes();
        let value = format!("{claims}.{}", URL_SAFE_NO_PAD.encode(signature));
        self.set(&value, SESSION_LENGTH, over_https)
    }

    /// For `Set-Cookie`: the browser forgets its session.
    pub(in crate::web) fn no_cookie(&self, over_https: bool) -> HeaderValue {
        self.set("", Duration::ZERO, over_https)
    }

    /// Whose sessions the request has cookies of that hold at this time.
    pub(in crate::web) fn of_request(
        &self,
        headers: &HeaderMap,
        now_s: u64,
    ) -> impl Iterator<Item = SignedIn> {
        self.cookies(headers)
            .take(MAX_COOKIES_TRIED)
            .filter_map(move |cookie| self.read(cookie, now_s))
    }

    /// Who has a session by this cookie, if it holds.
    fn read(&self, cookie: &str, now_s: u64) -> Option<SignedIn> {
        let (claims, signed) = cookie.rsplit_once('.')?;
        let signed = URL_SAFE_NO_PAD.decode(signed).ok()?;
        // `verify_slice` compares in constant time.
        self.key.signature(claims).verify_slice(&signed).ok()?;
        let mut claims = claims.split('.');
        let expires: u64 = claims.next()?.parse().ok()?;
        let who = claims.next()?;
        (now_s < expires).then(|| match who {
            OWNER => SignedIn::Owner,
            id => SignedIn::With(TokenId::from(id)),
        })
    }

    fn set(&self, value: &str, max_age: Duration, over_https: bool) -> HeaderValue {
        let cookie = format!(
            "{}={value}; Path={}; Max-Age={}; HttpOnly; SameSite=Strict{}",
            self.cookie_name,
            self.cookie_path,
            max_age.as_secs(),
            if over_https { "; Secure" } else { "" }
        );
        HeaderValue::try_from(cookie)
            .expect("name, path, digits, letters and base64 are visible ASCII")
    }

    fn cookies<'a>(&self, headers: &'a HeaderMap) -> impl Iterator<Item = &'a str> {
        headers
            .get_all(header::COOKIE)
            .into_iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(name, _)| *name == self.cookie_name)
            .map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sessions_of(random: u8, token: &str) -> Sessions {
        let key = SessionKey::new(&[random; 32], &Token::new(token).unwrap());
        Sessions::new(key, 8089, &BasePath::default())
    }

    fn sessions() -> Sessions {
        sessions_of(1, "correct-horse")
    }

    fn cookie_of(who: &SignedIn) -> String {
        let set = sessions().cookie(who, 0, false);
        set.to_str().unwrap().split(';').next().unwrap().to_owned()
    }

    fn value_of(who: &SignedIn) -> String {
        cookie_of(who).split_once('=').unwrap().1.to_owned()
    }

    #[test]
    fn a_session_says_who_until_it_expires_and_only_under_its_key() {
        for who in [SignedIn::Owner, SignedIn::With("abc123".into())] {
            let value = value_of(&who);
            assert_eq!(sessions().read(&value, 0), Some(who.clone()));
            let last = SESSION_LENGTH.as_secs();
            assert_eq!(sessions().read(&value, last - 1), Some(who));
            assert_eq!(sessions().read(&value, last), None);
            assert_eq!(sessions_of(1, "battery-staple").read(&value, 0), None);
            assert_eq!(sessions_of(2, "correct-horse").read(&value, 0), None);
        }
    }

    #[test]
    fn a_session_cannot_be_forged() {
        let value = value_of(&SignedIn::With("abc123".into()));
        let (claims, signature) = value.rsplit_once('.').unwrap();
        let (expires, rest) = claims.split_once('.').unwrap();
        let later = expires.parse::<u64>().unwrap() + 1;
        for forged in [
            format!("{later}.{rest}.{signature}"),
            value.replace("abc123", OWNER),
            value.replace("abc123", "abc124"),
            format!("{claims}."),
            format!("{claims}.AAAA"),
            claims.to_owned(),
            String::new(),
            "..".to_owned(),
        ] {
            assert_eq!(sessions().read(&forged, 0), None, "{forged}");
        }
    }

    #[test]
    fn a_request_may_have_other_cookies() {
        let cookie = cookie_of(&SignedIn::Owner);
        let header = format!("other=1; greylag_session_8089=nonsense; {cookie}");
        let headers = HeaderMap::from_iter([(header::COOKIE, header.parse().unwrap())]);
        let sessions = sessions();
        let found: Vec<_> = sessions.of_request(&headers, 0).collect();
        assert_eq!(found, [SignedIn::Owner]);
    }

    #[test]
    fn cookies_are_secure_where_the_page_is() {
        for https in [false, true] {
            let set = sessions().cookie(&SignedIn::Owner, 0, https);
            let none = sessions().no_cookie(https);
            for cookie in [set, none.clone()] {
                let cookie = cookie.to_str().unwrap();
                assert_eq!(cookie.contains("; Secure"), https);
                assert!(cookie.contains("HttpOnly; SameSite=Strict"));
            }
            assert!(none.to_str().unwrap().contains("=; Path=/; Max-Age=0;"));
        }
    }
}
