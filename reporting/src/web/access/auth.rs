//! Tokens: who may speak to a coordinator that has one.
//!
//! Programs (agents, the API's clients) send theirs as `Authorization: Bearer <token>`. People type it once
//! into the login page and get a session (`sessions.rs`). Tokens are compared in constant time, and wrong ones are
//! answered slowly ([`WrongTokens`]). What whoever is let in may do is decided by `identity.rs`.

use std::net::{IpAddr, Ipv4Addr};

use axum::http::{Extensions, HeaderMap, HeaderValue, header};
use subtle::ConstantTimeEq;

use super::forbidden::Forbidden;
use super::identity::Identity;
use super::public_address::BasePath;
use super::sessions::{SessionKey, Sessions, SignedIn};
use super::wrong_tokens::{TooManyWaiting, WrongTokens, network_of};
use crate::tokens::{Role, Token, TokenStore};
use greylag_infra::WallTime;

/// The address a request comes from, as one of its extensions: that of its connection, or what a trusted proxy says of it
/// (`trusted_proxies.rs`). What others say of themselves can be made up.
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
    #[error(
        "wrong token; use the one the coordinator was started with, or one that was created for you and has not expired"
    )]
    Wrong,
    /// Another token, and so many wrong ones are waiting that there is no place in line for it.
    #[error(
        "wrong token, and too many wrong ones are being tried; use the one the coordinator was started with, or one that was created for you"
    )]
    TooMany,
    /// A viewer's token, and this is not for viewers.
    #[error("this token has the role viewer, which only reads; use one with the role admin")]
    NotForViewers,
    /// An agent's token, and this is not for agents.
    #[error(
        "this token has the role agent, which only generates load for its runs; use one with the role viewer or admin"
    )]
    NotForAgents,
    /// An agent's token, and this belongs to runs of others.
    #[error(
        "this token has the role agent, and this build does not belong to a run that is in progress where the token is for"
    )]
    OtherRuns,
    /// A viewer's token, and this is for agents.
    #[error(
        "this token has the role viewer, and agents need one with the role agent; create one with `greylag token create --role agent`"
    )]
    OnlyForAgents,
}

/// Decides who is let in.
#[derive(Debug)]
pub(in crate::web) struct Access {
    /// The coordinator's token and the sessions under it, where one is needed.
    guard: Option<Guard>,
    tokens: TokenStore,
    wrong: WrongTokens,
    /// Requests that their token does not allow.
    pub(in crate::web) forbidden: Forbidden,
}

#[derive(Debug)]
struct Guard {
    token: Token,
    sessions: Sessions,
}

impl Access {
    pub(in crate::web) fn new(
        token: Option<Token>,
        tokens: TokenStore,
        port: u16,
        base: &BasePath,
    ) -> Self {
        let guard = token.map(|token| Guard {
            sessions: Sessions::new(SessionKey::new(&tokens.session_key(), &token), port, base),
            token,
        });
        Self {
            guard,
            tokens,
            wrong: WrongTokens::default(),
            forbidden: Forbidden::default(),
        }
    }

    /// Whether every request is let in, because there is no token.
    pub(in crate::web) fn is_open(&self) -> bool {
        self.guard.is_none()
    }

    /// Checks the Bearer token of a request.
    ///
    /// # Errors
    /// See [`AccessDenied`]; that the token is wrong is said late on purpose.
    pub(in crate::web) async fn check_bearer(
        &self,
        headers: &HeaderMap,
        peer: Peer,
    ) -> Result<Identity, AccessDenied> {
        match bearer(headers) {
            Some(given) => self.check_token(given, peer).await,
            None if self.is_open() => Ok(Identity::Anyone),
            None => Err(AccessDenied::Missing),
        }
    }

    /// Checks a token that was sent in any way.
    ///
    /// # Errors
    /// [`AccessDenied::Wrong`] or [`AccessDenied::TooMany`], both late on purpose.
    pub(in crate::web) async fn check_token(
        &self,
        given: &[u8],
        peer: Peer,
    ) -> Result<Identity, AccessDenied> {
        let Some(Guard { token, .. }) = &self.guard else {
            // Who needs no token and shows one has what it is for. One that was revoked was limited, too: an agent of a run
            // that is over is not to be anyone's.
            return match self.tokens.recognise(given) {
                Some(holder) => Ok(Identity::Holder(holder)),
                None if TokenStore::makes_such(given) => Err(AccessDenied::Wrong),
                None => Ok(Identity::Anyone),
            };
        };
        // Theirs are too long to be guessed, so they need not wait. They do not excuse guesses at the owner's either.
        if let Some(holder) = self.tokens.recognise(given) {
            return Ok(Identity::Holder(holder));
        }
        let waited = self.wrong.wait_before(peer.0).await;
        if bool::from(token.expose().as_bytes().ct_eq(given)) {
            self.wrong.was_right(peer.0);
            return Ok(Identity::Owner);
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

    /// Whose session the request has a cookie of, if it still holds. They had a token.
    pub(in crate::web) fn session(&self, headers: &HeaderMap, peer: Peer) -> Option<Identity> {
        let sessions = &self.guard.as_ref()?.sessions;
        let mut signed_in = sessions.of_request(headers, unix_seconds());
        let identity = signed_in.find_map(|who| match who {
            SignedIn::Owner => Some(Identity::Owner),
            SignedIn::With(id) => self.tokens.get(&id).map(Identity::Holder),
        })?;
        if matches!(identity, Identity::Owner) {
            self.wrong.was_right(peer.0);
        }
        Some(identity)
    }

    /// The cookie of a new session, for `Set-Cookie`; none where no token is needed.
    ///
    /// # Errors
    /// Agents do not sign in.
    pub(in crate::web) fn session_cookie(
        &self,
        identity: &Identity,
        over_https: bool,
    ) -> Result<Option<HeaderValue>, AccessDenied> {
        if identity.role() == Role::Agent {
            return Err(AccessDenied::NotForAgents);
        }
        let who = match identity {
            Identity::Anyone | Identity::Owner => SignedIn::Owner,
            Identity::Holder(token) => SignedIn::With(token.record.id.clone()),
        };
        let cookie = |guard: &Guard| guard.sessions.cookie(&who, unix_seconds(), over_https);
        Ok(self.guard.as_ref().map(cookie))
    }

    /// For `Set-Cookie`: the browser forgets its session, if it can have one.
    pub(in crate::web) fn no_cookie(&self, over_https: bool) -> Option<HeaderValue> {
        let guard = self.guard.as_ref()?;
        Some(guard.sessions.no_cookie(over_https))
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
    use std::time::Duration;

    use super::*;
    use crate::tokens::Grant;

    const PEER: Peer = Peer(IpAddr::V4(Ipv4Addr::LOCALHOST));

    /// With an empty data directory, which is deleted with it.
    struct Site {
        access: Access,
        tokens: TokenStore,
        _directory: tempfile::TempDir,
    }

    impl std::ops::Deref for Site {
        type Target = Access;

        fn deref(&self) -> &Access {
            &self.access
        }
    }

    async fn access() -> Site {
        site(Some("correct-horse")).await
    }

    async fn site(token: Option<&str>) -> Site {
        let directory = tempfile::tempdir().unwrap();
        let store = crate::store::Store::open(directory.path()).unwrap();
        let tokens = TokenStore::open(store).await.unwrap();
        let token = token.map(|token| Token::new(token).unwrap());
        Site {
            access: Access::new(token, tokens.clone(), 8089, &BasePath::default()),
            tokens,
            _directory: directory,
        }
    }

    #[tokio::test]
    async fn a_token_that_was_revoked_lets_nothing_in_where_none_is_needed_either() {
        let site = site(None).await;
        let (id, token) = site
            .tokens
            .create(Grant::of_role(Role::Agent))
            .await
            .unwrap();
        let check = async |token: &str| role(site.check_token(token.as_bytes(), PEER).await);
        assert_eq!(check(token.expose()).await, Ok(Role::Agent));
        assert_eq!(check("of another coordinator").await, Ok(Role::Admin));
        site.tokens.revoke(&id).await.unwrap();
        assert_eq!(check(token.expose()).await, Err(AccessDenied::Wrong));
    }

    fn role(checked: Result<Identity, AccessDenied>) -> Result<Role, AccessDenied> {
        checked.map(|identity| identity.role())
    }

    fn with(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    fn cookie_of(access: &Access, identity: &Identity) -> String {
        let set = access.session_cookie(identity, false).unwrap().unwrap();
        set.to_str().unwrap().split(';').next().unwrap().to_owned()
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_right_bearer_token_is_let_in() {
        let access = access().await;
        let check = async |value: &str| {
            let headers = with(header::AUTHORIZATION, value);
            role(access.check_bearer(&headers, PEER).await)
        };
        assert_eq!(check("Bearer correct-horse").await, Ok(Role::Admin));
        assert_eq!(check("bearer  correct-horse ").await, Ok(Role::Admin));
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
            role(access.check_bearer(&HeaderMap::new(), PEER).await),
            Err(AccessDenied::Missing)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_right_token_is_let_in_at_once_while_wrong_ones_wait() {
        let access = access().await;
        let wrong = futures_util::future::join_all((0..200).map(|sender| {
            let peer = Peer([192, 0, 2, sender].into());
            access.check_token(b"wrong", peer)
        }));
        let right = async {
            let begun = tokio::time::Instant::now();
            for peer in [PEER, Peer([192, 0, 2, 1].into())] {
                assert!(access.check_token(b"correct-horse", peer).await.is_ok());
            }
            assert_eq!(begun.elapsed(), Duration::ZERO);
        };
        let (denied, ()) = tokio::join!(wrong, right);
        assert!(denied.iter().all(Result::is_err));
    }

    /// Who hangs up on answers that do not come immediately learns nothing.
    #[tokio::test(start_paused = true)]
    async fn guessing_without_waiting_for_answers_finds_nothing() {
        let access = access().await;
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
        let right = access.check_token(b"correct-horse", elsewhere).await;
        assert!(right.is_ok());
    }

    /// Behind a proxy all senders have one address.
    #[tokio::test(start_paused = true)]
    async fn who_shares_a_guessers_address_gets_in_by_waiting() {
        let access = access().await;
        let flood =
            futures_util::future::join_all((0..300).map(|_| access.check_token(b"wrong", PEER)));
        assert!(flood.await.iter().all(Result::is_err));
        let flood =
            futures_util::future::join_all((0..300).map(|_| access.check_token(b"wrong", PEER)));
        let right = async {
            let begun = tokio::time::Instant::now();
            assert!(access.check_token(b"correct-horse", PEER).await.is_ok());
            let waited = begun.elapsed();
            // An agent waits so long for an answer.
            assert!(
                !waited.is_zero() && waited < Duration::from_secs(10),
                "{waited:?}"
            );
            let begun = tokio::time::Instant::now();
            assert!(access.check_token(b"correct-horse", PEER).await.is_ok());
            assert!(begun.elapsed().is_zero());
        };
        tokio::join!(flood, right);
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_is_as_good_as_a_right_token() {
        let access = access().await;
        let flood =
            futures_util::future::join_all((0..300).map(|_| access.check_token(b"wrong", PEER)));
        flood.await;
        let cookie = cookie_of(&access, &Identity::Owner);
        assert!(
            access
                .session(&with(header::COOKIE, &cookie), PEER)
                .is_some()
        );
        let begun = tokio::time::Instant::now();
        assert!(access.check_token(b"correct-horse", PEER).await.is_ok());
        assert!(begun.elapsed().is_zero());
    }

    /// Else whoever was given a small role could guess the owner's token as fast as they like.
    #[tokio::test(start_paused = true)]
    async fn a_token_with_a_role_neither_waits_nor_excuses_guesses() {
        let site = access().await;
        let (_, token) = site
            .tokens
            .create(Grant::of_role(Role::Viewer))
            .await
            .unwrap();
        let viewer = async || {
            let begun = tokio::time::Instant::now();
            let checked = site.check_token(token.expose().as_bytes(), PEER).await;
            assert!(begun.elapsed().is_zero());
            checked.unwrap()
        };
        let cookie = with(header::COOKIE, &cookie_of(&site, &viewer().await));
        for _ in 0..20 {
            let guess = site.check_token(b"wrong", PEER).await;
            assert_eq!(role(guess), Err(AccessDenied::Wrong));
            viewer().await;
            assert_eq!(
                site.session(&cookie, PEER).map(|of| of.role()),
                Some(Role::Viewer)
            );
        }
        let begun = tokio::time::Instant::now();
        assert_eq!(
            role(site.check_token(b"correct-horse", PEER).await),
            Ok(Role::Admin)
        );
        assert!(!begun.elapsed().is_zero());
    }

    /// Whatever the signature says, a session is good only as long as its token.
    #[tokio::test]
    async fn a_session_ends_with_its_token() {
        let site = access().await;
        let (id, token) = site
            .tokens
            .create(Grant::of_role(Role::Viewer))
            .await
            .unwrap();
        let identity = site
            .check_token(token.expose().as_bytes(), PEER)
            .await
            .unwrap();
        let cookie = with(header::COOKIE, &cookie_of(&site, &identity));
        let role = |identity: Option<Identity>| identity.map(|identity| identity.role());
        assert_eq!(role(site.session(&cookie, PEER)), Some(Role::Viewer));
        site.tokens.revoke(&id).await.unwrap();
        assert_eq!(role(site.session(&cookie, PEER)), None);
        let owner = with(header::COOKIE, &cookie_of(&site, &Identity::Owner));
        assert_eq!(role(site.session(&owner, PEER)), Some(Role::Admin));
    }

    #[tokio::test]
    async fn agents_do_not_sign_in() {
        let site = access().await;
        let (_, token) = site
            .tokens
            .create(Grant::of_role(Role::Agent))
            .await
            .unwrap();
        let agent = site
            .check_token(token.expose().as_bytes(), PEER)
            .await
            .unwrap();
        assert_eq!(
            site.session_cookie(&agent, false),
            Err(AccessDenied::NotForAgents)
        );
    }

    #[tokio::test]
    async fn where_no_token_is_needed_one_still_says_what_it_is_for() {
        let site = site(None).await;
        let (_, token) = site
            .tokens
            .create(Grant::of_role(Role::Agent))
            .await
            .unwrap();
        let bearer = |token: &str| with(header::AUTHORIZATION, &format!("Bearer {token}"));
        for (headers, expected) in [
            (bearer(token.expose()), Role::Agent),
            (bearer("unknown"), Role::Admin),
            (HeaderMap::new(), Role::Admin),
        ] {
            assert_eq!(role(site.check_bearer(&headers, PEER).await), Ok(expected));
        }
        assert_eq!(site.session_cookie(&Identity::Anyone, false), Ok(None));
    }
}
