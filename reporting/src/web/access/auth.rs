//! The token: who may speak to a coordinator that has one.
//!
//! Programs (agents, the API's clients) send it as `Authorization: Bearer <token>`. People type it once
//! into the login page and get a session cookie, which holds a keyed hash and not the token, so that it can
//! be neither forged nor read back, and outlasts a restart of the coordinator. Tokens are
//! compared in constant time, and wrong ones are answered slowly ([`WrongTokens`]).

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use axum::http::{Extensions, HeaderMap, HeaderValue, header};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use rand::RngCore;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::public_address::BasePath;
use super::wrong_tokens::{TooManyWaiting, WrongTokens, network_of};
use crate::tokens::Token;
use greylag_infra::WallTime;

/// How long a login holds.
const SESSION_LENGTH: Duration = Duration::from_secs(30 * 24 * 3600);
/// Most session cookies looked at in one request.
const MAX_COOKIES_TRIED: usize = 8;

/// The address a connection comes from, put into each of its requests as an extension. Behind a proxy it is
/// the proxy's: what headers say of others can be made up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::web) struct Peer(pub(in crate::web) IpAddr);

impl Peer {
    /// Of a request; those that came over no connection share one.
    pub(in crate::web) fn of(extensions: &Extensions) -> Self {
        extensions
            .get()
            .copied()
            .unwrap_or(Self(Ipv4Addr::UNSPECIFIED.into()))
    }

    /// What counts as one sender.
    pub(in crate::web) fn network(self) -> IpAddr {
        network_of(self.0)
    }
}

/// Why a request is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in crate::web) enum AccessDenied {
    /// Neither token nor session.
    #[error(
        "this coordinator requires a token; send it as `Authorization: Bearer <token>`, or open its page in a browser and sign in"
    )]
    Missing,
    /// Another token.
    #[error("wrong token; use the one the coordinator was started with")]
    Wrong,
    /// Another token, and so many wrong ones are waiting that there is no place in line for it.
    #[error(
        "wrong token, and too many wrong ones are being tried; use the one the coordinator was started with"
    )]
    TooMany,
}

/// Decides who is let in.
#[derive(Debug)]
pub(in crate::web) struct Access {
    token: Option<Token>,
    cookie_name: String,
    cookie_path: String,
    wrong: WrongTokens,
}

impl Access {
    /// Cookies are shared by all ports of a host, so their name holds the port. They are sent below the base
    /// path only, because others may be at home elsewhere on the host.
    pub(in crate::web) fn new(token: Option<Token>, port: u16, base: &BasePath) -> Self {
        Self {
            token,
            cookie_name: format!("greylag_session_{port}"),
            cookie_path: match base.as_str() {
                "" => "/".to_owned(),
                path => path.to_owned(),
            },
            wrong: WrongTokens::default(),
        }
    }

    /// Whether every request is let in, because there is no token.
    pub(in crate::web) fn is_open(&self) -> bool {
        self.token.is_none()
    }

    /// Checks the Bearer token of a request.
    ///
    /// # Errors
    /// See [`AccessDenied`]; that the token is wrong is said late on purpose.
    pub(in crate::web) async fn check_bearer(
        &self,
        headers: &HeaderMap,
        peer: Peer,
    ) -> Result<(), AccessDenied> {
        if self.is_open() {
            return Ok(());
        }
        let Some(given) = bearer(headers) else {
            return Err(AccessDenied::Missing);
        };
        self.check_token(given, peer).await
    }

    /// Checks a token that was sent in any way.
    ///
    /// # Errors
    /// [`AccessDenied::Wrong`] or [`AccessDenied::TooMany`], both late on purpose.
    pub(in crate::web) async fn check_token(
        &self,
        given: &[u8],
        peer: Peer,
    ) -> Result<(), AccessDenied> {
        let Some(token) = &self.token else {
            return Ok(());
        };
        let waited = self.wrong.wait_before(peer.0).await;
        if bool::from(token.expose().as_bytes().ct_eq(given)) {
            self.wrong.was_right(peer.0);
            return Ok(());
        }
        self.wrong.count(peer.0);
        let waited = match waited {
            Some(waited) => waited,
            None => self.wrong.wait(peer.0).await,
        };
        Err(match waited {
            Ok(()) => AccessDenied::Wrong,
            Err(TooManyWaiting) => AccessDenied::TooMany,
        })
    }

    /// How many wrong tokens there were.
    pub(in crate::web) fn wrong_tokens(&self) -> u64 {
        self.wrong.total()
    }

    /// Whether the request has the cookie of a session that still holds. Its sender had the token.
    pub(in crate::web) fn has_session(&self, headers: &HeaderMap, peer: Peer) -> bool {
        let has = self
            .cookies(headers)
            .take(MAX_COOKIES_TRIED)
            .any(|cookie| self.session_holds(cookie, unix_seconds()));
        if has {
            self.wrong.was_right(peer.0);
        }
        has
    }

    /// The cookie of a new session, for `Set-Cookie`; none where no token is needed.
    pub(in crate::web) fn session_cookie(&self, over_https: bool) -> Option<HeaderValue> {
        let mut nonce = [0_u8; 16];
        rand::rng().fill_bytes(&mut nonce);
        let expires = unix_seconds() + SESSION_LENGTH.as_secs();
        let claims = format!("{expires}.{}", URL_SAFE_NO_PAD.encode(nonce));
        let signature = self.signature(&claims)?.finalize().into_bytes();
        let cookie = format!(
            "{}={claims}.{}; Path={}; Max-Age={}; HttpOnly; SameSite=Strict{}",
            self.cookie_name,
            URL_SAFE_NO_PAD.encode(signature),
            self.cookie_path,
            SESSION_LENGTH.as_secs(),
            if over_https { "; Secure" } else { "" }
        );
        Some(
            HeaderValue::try_from(cookie).expect("name, path, digits and base64 are visible ASCII"),
        )
    }

    fn session_holds(&self, cookie: &str, now: u64) -> bool {
        let Some((claims, signature)) = cookie.rsplit_once('.') else {
            return false;
        };
        let Ok(signature) = URL_SAFE_NO_PAD.decode(signature) else {
            return false;
        };
        // `verify_slice` compares in constant time.
        self.signature(claims)
            .is_some_and(|mac| mac.verify_slice(&signature).is_ok())
            && claims
                .split_once('.')
                .and_then(|(expires, _)| expires.parse::<u64>().ok())
                .is_some_and(|expires| now < expires)
    }

    fn signature(&self, claims: &str) -> Option<Hmac<Sha256>> {
        let token = self.token.as_ref()?;
        let mut mac = Hmac::<Sha256>::new_from_slice(token.expose().as_bytes())
            .expect("HMAC takes keys of any length");
        mac.update(b"greylag session v1\n");
        mac.update(claims.as_bytes());
        Some(mac)
    }

    fn cookies<'a>(&'a self, headers: &'a HeaderMap) -> impl Iterator<Item = &'a str> {
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

/// The Bearer token of a request, if it has one.
pub(in crate::web) fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked(7)?;
    scheme
        .eq_ignore_ascii_case(b"bearer ")
        .then(|| token.trim_ascii())
}

fn unix_seconds() -> u64 {
    WallTime::of_system().as_micros() / 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: Peer = Peer(IpAddr::V4(Ipv4Addr::LOCALHOST));

    fn access() -> Access {
        Access::new(
            Some(Token::new("correct-horse").unwrap()),
            8089,
            &BasePath::default(),
        )
    }

    fn with(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    fn cookie_of(access: &Access) -> String {
        let set = access.session_cookie(false).unwrap();
        set.to_str().unwrap().split(';').next().unwrap().to_owned()
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_right_bearer_token_is_let_in() {
        let access = access();
        let check = async |value: &str| {
            access
                .check_bearer(&with(header::AUTHORIZATION, value), PEER)
                .await
        };
        assert_eq!(check("Bearer correct-horse").await, Ok(()));
        assert_eq!(check("bearer  correct-horse ").await, Ok(()));
        for wrong in [
            "Bearer ",
            "Bearer correct-hors",
            "Bearer correct-horse!",
            "Bearer CORRECT-HORSE",
        ] {
            assert_eq!(check(wrong).await, Err(AccessDenied::Wrong), "{wrong}");
        }
        assert_eq!(
            check("Basic correct-horse").await,
            Err(AccessDenied::Missing)
        );
        assert_eq!(
            access.check_bearer(&HeaderMap::new(), PEER).await,
            Err(AccessDenied::Missing)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_right_token_is_let_in_at_once_while_wrong_ones_wait() {
        let access = access();
        let wrong = futures_util::future::join_all((0..200).map(|sender| {
            let peer = Peer([192, 0, 2, sender].into());
            access.check_token(b"wrong", peer)
        }));
        let right = async {
            let begun = tokio::time::Instant::now();
            for peer in [PEER, Peer([192, 0, 2, 1].into())] {
                assert_eq!(access.check_token(b"correct-horse", peer).await, Ok(()));
            }
            assert_eq!(begun.elapsed(), Duration::ZERO);
        };
        let (denied, ()) = tokio::join!(wrong, right);
        assert!(denied.iter().all(Result::is_err));
    }

    /// Who hangs up on answers that do not come immediately learns nothing.
    #[tokio::test(start_paused = true)]
    async fn guessing_without_waiting_for_answers_finds_nothing() {
        let access = access();
        let guess = async |token: &[u8]| {
            let answer = access.check_token(token, PEER);
            tokio::time::timeout(Duration::from_millis(50), answer).await
        };
        for _ in 0..200 {
            assert!(guess(b"wrong").await.is_err());
        }
        assert!(guess(b"correct-horse").await.is_err());
        assert_eq!(access.wrong_tokens(), 20, "the others were not looked at");
        let elsewhere = Peer([192, 0, 2, 1].into());
        assert_eq!(
            access.check_token(b"correct-horse", elsewhere).await,
            Ok(())
        );
    }

    /// Behind a proxy all senders have one address.
    #[tokio::test(start_paused = true)]
    async fn who_shares_a_guessers_address_gets_in_by_waiting() {
        let access = access();
        let flood =
            futures_util::future::join_all((0..300).map(|_| access.check_token(b"wrong", PEER)));
        assert!(flood.await.iter().all(Result::is_err));
        let flood =
            futures_util::future::join_all((0..300).map(|_| access.check_token(b"wrong", PEER)));
        let right = async {
            let begun = tokio::time::Instant::now();
            assert_eq!(access.check_token(b"correct-horse", PEER).await, Ok(()));
            let waited = begun.elapsed();
            // An agent waits so long for an answer.
            assert!(
                !waited.is_zero() && waited < Duration::from_secs(10),
                "{waited:?}"
            );
            let begun = tokio::time::Instant::now();
            assert_eq!(access.check_token(b"correct-horse", PEER).await, Ok(()));
            assert!(begun.elapsed().is_zero());
        };
        tokio::join!(flood, right);
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_is_as_good_as_a_right_token() {
        let access = access();
        let flood =
            futures_util::future::join_all((0..300).map(|_| access.check_token(b"wrong", PEER)));
        flood.await;
        assert!(access.has_session(&with(header::COOKIE, &cookie_of(&access)), PEER));
        let begun = tokio::time::Instant::now();
        assert_eq!(access.check_token(b"correct-horse", PEER).await, Ok(()));
        assert!(begun.elapsed().is_zero());
    }

    #[test]
    fn a_session_holds_until_it_expires_and_only_under_its_token() {
        let access = access();
        let cookie = cookie_of(&access);
        let with_others = with(header::COOKIE, &format!("a=b; {cookie}; c=d"));
        assert!(access.has_session(&with_others, PEER));
        let value = cookie.split_once('=').unwrap().1;
        let now = unix_seconds();
        assert!(access.session_holds(value, now + SESSION_LENGTH.as_secs() - 60));
        assert!(!access.session_holds(value, now + SESSION_LENGTH.as_secs() + 60));
        let other = Access::new(
            Some(Token::new("another").unwrap()),
            8089,
            &BasePath::default(),
        );
        assert!(!other.has_session(&with(header::COOKIE, &cookie), PEER));
        assert!(!value.contains("correct-horse"));
    }

    #[test]
    fn a_session_cannot_be_forged() {
        let access = access();
        let cookie = cookie_of(&access);
        let value = cookie.split_once('=').unwrap().1;
        let (claims, signature) = value.rsplit_once('.').unwrap();
        let (expires, nonce) = claims.split_once('.').unwrap();
        let later = expires.parse::<u64>().unwrap() + 1;
        for forged in [
            format!("{later}.{nonce}.{signature}"),
            format!("{claims}."),
            format!("{claims}.AAAA"),
            claims.to_owned(),
            String::new(),
            "..".to_owned(),
        ] {
            assert!(!access.session_holds(&forged, 0), "{forged}");
        }
    }

    #[test]
    fn cookies_are_secure_where_the_page_is() {
        let access = access();
        let set = |https| {
            access
                .session_cookie(https)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        };
        assert!(set(true).contains("; Secure"));
        assert!(!set(false).contains("Secure"));
        assert!(set(false).contains("HttpOnly; SameSite=Strict"));
    }
}
