//! The tokens of a coordinator: made, recognised, listed and revoked.
//!
//! A token is `greylag_<id>_<secret>`. Its id says which one it is, in lists and in the log; its secret is 256 random bits. What is
//! kept is the SHA-256 of the whole. A slow hash, as for passwords, would add nothing: it makes guessing what people
//! choose slow, and nothing guesses 256 random bits, however fast it hashes. A fast one can be computed for each request.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use greylag_infra::protocol::cut;
use greylag_infra::{RunId, WallTime};
use rand::{Rng, RngCore};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio_util::sync::CancellationToken;

use super::grant::{Grant, GrantError};
use super::token::{ID_LENGTH, PREFIX, Token, id_in};
use crate::store::{Store, StoreError, TokenRow};

/// Most tokens that have not expired. A run on machines that were asked for has one.
const MAX_TOKENS: u32 = 2_000;
/// Bytes of the secret.
const SECRET_BYTES: usize = 32;
/// Bytes of an id from outside that a message repeats.
const MAX_SHOWN_BYTES: usize = 60;

/// Says which token it is; not secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenId(String);

impl TokenId {
    /// It as a text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for TokenId {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What is known of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRecord {
    /// Which one it is.
    pub id: TokenId,
    /// What it is for.
    pub grant: Grant,
    /// When it was made.
    pub created_at: WallTime,
}

/// A token that lets in.
#[derive(Debug, Clone)]
pub struct ValidToken {
    /// What is known of it.
    pub record: Arc<TokenRecord>,
    /// Cancelled when it is revoked.
    pub revoked: CancellationToken,
}

/// Why there is no new token.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum CreateTokenError {
    #[error(transparent)]
    Grant(#[from] GrantError),
    #[error("there are {MAX_TOKENS} tokens, the maximum; revoke those that are not used")]
    TooMany,
    #[error("the token cannot be saved; the coordinator's log says why")]
    Store(#[source] StoreError),
}

/// Why a token was not revoked.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum RevokeTokenError {
    #[error("token `{}` was not found", cut(.0.as_str(), MAX_SHOWN_BYTES))]
    Unknown(TokenId),
    #[error(
        "the token lets in no longer, but that cannot be saved, so that it would again after a restart; the coordinator's log says why"
    )]
    Store(#[source] StoreError),
}

/// The tokens of a coordinator, but for its own. Clones are the same.
#[derive(Debug, Clone)]
pub struct TokenStore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Store,
    session_key: [u8; 32],
    /// All that are kept, so that no request waits for the disk.
    known: Mutex<BTreeMap<TokenId, Known>>,
}

#[derive(Debug)]
struct Known {
    hash: [u8; 32],
    token: ValidToken,
}

impl TokenStore {
    /// Those that a store has.
    ///
    /// # Errors
    /// The database failed.
    pub(crate) async fn open(store: Store) -> Result<Self, StoreError> {
        let mut fresh = [0; 32];
        rand::rng().fill_bytes(&mut fresh);
        let session_key = store.session_key(fresh).await?;
        let mut known = BTreeMap::new();
        for row in store.tokens().await? {
            match serde_json::from_str(&row.grant) {
                Ok(grant) => {
                    let record = TokenRecord {
                        id: TokenId(row.id),
                        grant,
                        created_at: row.created_at,
                    };
                    known.insert(record.id.clone(), Known::new(row.hash, record));
                }
                Err(error) => {
                    tracing::error!(%error, token = %row.id, "a token cannot be read and lets nothing in");
                }
            }
        }
        Ok(Self {
            inner: Arc::new(Inner {
                store,
                session_key,
                known: Mutex::new(known),
            }),
        })
    }

    /// Makes a token. It is not kept, only its hash: what is returned is the only chance to read it.
    ///
    /// # Errors
    /// It cannot be for this, there are too many, or it cannot be saved.
    pub async fn create(&self, grant: Grant) -> Result<(TokenId, Token), CreateTokenError> {
        let now = self.now();
        grant.check(now)?;
        let id = TokenId(new_id());
        let token = new_token(&id);
        let hash = hash_of(token.expose().as_bytes());
        let row = TokenRow {
            id: id.to_string(),
            hash,
            grant: serde_json::to_string(&grant).expect("texts and numbers can be written as JSON"),
            created_at: now,
            expires_at: grant.expires_at,
        };
        match self.inner.store.add_token(row, MAX_TOKENS).await {
            Ok(true) => {}
            Ok(false) => return Err(CreateTokenError::TooMany),
            Err(error) => {
                tracing::error!(%error, "cannot save a token");
                return Err(CreateTokenError::Store(error));
            }
        }
        tracing::info!(token = %id, role = %grant.role, label = grant.label, "token created");
        let record = TokenRecord {
            id: id.clone(),
            grant,
            created_at: now,
        };
        let mut known = self.known();
        known.retain(|_, known| !known.token.record.grant.has_expired(now));
        known.insert(id.clone(), Known::new(hash, record));
        Ok((id, token))
    }

    /// What a token is for, if it is one of these, was not revoked and has not expired.
    pub fn check(&self, token: &[u8]) -> Option<Grant> {
        Some(self.recognise(token)?.record.grant.clone())
    }

    /// The token, likewise.
    pub(crate) fn recognise(&self, token: &[u8]) -> Option<ValidToken> {
        let id = id_in(std::str::from_utf8(token).ok()?)?;
        let hash = hash_of(token);
        let known = self.known();
        let known = known.get(&TokenId::from(id))?;
        let is_right = bool::from(known.hash.ct_eq(&hash));
        (is_right && !known.token.record.grant.has_expired(self.now())).then(|| known.token.clone())
    }

    /// Whether this has the form of the tokens made here, known or not.
    pub(crate) fn makes_such(token: &[u8]) -> bool {
        token.starts_with(PREFIX.as_bytes())
    }

    /// The token with this id, if it lets in.
    pub(crate) fn get(&self, id: &TokenId) -> Option<ValidToken> {
        let known = self.known();
        let token = &known.get(id)?.token;
        (!token.record.grant.has_expired(self.now())).then(|| token.clone())
    }

    /// Random bytes that only this coordinator has, also after a restart, to sign sessions with.
    pub(crate) fn session_key(&self) -> [u8; 32] {
        self.inner.session_key
    }

    /// All that let in, the oldest first.
    pub fn list(&self) -> Vec<Arc<TokenRecord>> {
        let now = self.now();
        let known = self.known();
        let records = known.values().map(|known| &known.token.record);
        let valid = records.filter(|record| !record.grant.has_expired(now));
        let mut records: Vec<_> = valid.map(Arc::clone).collect();
        records.sort_by_key(|record| record.created_at);
        records
    }

    /// Ends a token: nothing is let in with it any more, and what is connected with it is disconnected.
    ///
    /// # Errors
    /// There is no such token, or that it is gone cannot be saved.
    pub async fn revoke(&self, id: &TokenId) -> Result<(), RevokeTokenError> {
        // First here, so that it works with a disk that is full.
        let known = self.known().remove(id);
        if let Some(known) = &known {
            known.token.revoked.cancel();
        }
        match self.inner.store.delete_token(id.as_str()).await {
            Ok(deleted) if deleted || known.is_some() => {
                tracing::info!(token = %id, "token revoked");
                Ok(())
            }
            Ok(_) => Err(RevokeTokenError::Unknown(id.clone())),
            Err(error) => {
                tracing::error!(%error, token = %id, "cannot save that a token is revoked");
                Err(RevokeTokenError::Store(error))
            }
        }
    }

    /// Whether there are tokens for this run only.
    pub(crate) fn are_for_run(&self, run: &RunId) -> bool {
        self.known().values().any(|known| known.is_for(run))
    }

    /// Ends all tokens that are for one run only: this run.
    ///
    /// # Errors
    /// That they are gone cannot be saved.
    pub async fn revoke_of_run(&self, run: &RunId) -> Result<(), RevokeTokenError> {
        self.known().retain(|_, known| {
            let is_for_run = known.is_for(run);
            if is_for_run {
                known.token.revoked.cancel();
            }
            !is_for_run
        });
        // Also those that are only there: whoever made one may not have waited until it was known here.
        match self.inner.store.delete_tokens_of_run(run).await {
            Ok(0) => Ok(()),
            Ok(deleted) => {
                tracing::info!(%run, deleted, "tokens of a run revoked");
                Ok(())
            }
            Err(error) => {
                tracing::error!(%error, %run, "cannot save that the tokens of a run are revoked");
                Err(RevokeTokenError::Store(error))
            }
        }
    }

    fn now(&self) -> WallTime {
        self.inner.store.clock().now()
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<TokenId, Known>> {
        self.inner
            .known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn is_for(&self, run: &RunId) -> bool {
        self.token.record.grant.run.as_ref() == Some(run)
    }

    fn new(hash: [u8; 32], record: TokenRecord) -> Self {
        Self {
            hash,
            token: ValidToken {
                record: Arc::new(record),
                revoked: CancellationToken::new(),
            },
        }
    }
}

fn new_id() -> String {
    const ALPHABET: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut random = rand::rng();
    let letters =
        (0..ID_LENGTH).map(|_| char::from(ALPHABET[random.random_range(0..ALPHABET.len())]));
    letters.collect()
}

fn new_token(id: &TokenId) -> Token {
    let mut secret = [0_u8; SECRET_BYTES];
    rand::rng().fill_bytes(&mut secret);
    let secret = URL_SAFE_NO_PAD.encode(secret);
    Token::new(format!("{PREFIX}{id}_{secret}")).expect("letters, digits, `-` and `_` are visible")
}

fn hash_of(token: &[u8]) -> [u8; 32] {
    Sha256::digest(token).into()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::tokens::Role;

    async fn tokens_of(dir: &std::path::Path) -> TokenStore {
        let store = Store::open(dir).unwrap();
        TokenStore::open(store).await.unwrap()
    }

    fn until(tokens: &TokenStore, length: Duration) -> Grant {
        Grant {
            expires_at: Some(tokens.now() + length),
            ..Grant::of_role(Role::Viewer)
        }
    }

    #[tokio::test]
    async fn a_token_is_recognised_whole_until_it_is_revoked() {
        let dir = tempfile::tempdir().unwrap();
        let tokens = tokens_of(dir.path()).await;
        let grant = Grant {
            label: "spot machines".to_owned(),
            infrastructure: Some("lab".to_owned()),
            run: Some("r".into()),
            ..Grant::of_role(Role::Agent)
        };
        let (id, token) = tokens.create(grant.clone()).await.unwrap();
        let (other, _) = tokens.create(Grant::of_role(Role::Admin)).await.unwrap();
        let token = token.expose();
        assert_eq!(tokens.check(token.as_bytes()), Some(grant.clone()));
        let as_other = token.replace(id.as_str(), other.as_str());
        let mut shorter = token.to_owned();
        shorter.pop();
        for wrong in [
            &as_other,
            &shorter,
            &format!("{token}A"),
            id.as_str(),
            PREFIX,
            "",
        ] {
            assert_eq!(tokens.check(wrong.as_bytes()), None, "{wrong}");
        }
        assert_eq!(tokens.check(b"greylag_\xff_"), None);

        // A coordinator that is started again knows it.
        tokens.inner.store.close().await;
        drop(tokens);
        let tokens = tokens_of(dir.path()).await;
        assert_eq!(tokens.check(token.as_bytes()), Some(grant));
        let list = tokens.list();
        assert_eq!(list.len(), 2);
        assert_eq!(list[0].id, id);

        let held = tokens.recognise(token.as_bytes()).unwrap();
        tokens.revoke(&id).await.unwrap();
        assert!(held.revoked.is_cancelled());
        assert_eq!(tokens.check(token.as_bytes()), None);
        let again = tokens.revoke(&id).await.unwrap_err();
        assert_eq!(again.to_string(), format!("token `{id}` was not found"));
        tokens.inner.store.close().await;
        drop(tokens);
        let tokens = tokens_of(dir.path()).await;
        assert_eq!(tokens.check(token.as_bytes()), None);
        assert_eq!(tokens.list().len(), 1);
    }

    #[tokio::test]
    async fn a_token_is_not_kept() {
        let dir = tempfile::tempdir().unwrap();
        let tokens = tokens_of(dir.path()).await;
        let (_, token) = tokens.create(Grant::of_role(Role::Admin)).await.unwrap();
        tokens.inner.store.close().await;
        let (_, id_and_secret) = token.expose().split_once(PREFIX).unwrap();
        // The secret may have one of these, too.
        let secret = id_and_secret.split_once('_').unwrap().1.as_bytes();
        for file in std::fs::read_dir(dir.path()).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            assert!(!bytes.windows(secret.len()).any(|part| part == secret));
        }
    }

    #[tokio::test]
    async fn expired_tokens_let_nothing_in_and_make_room() {
        let dir = tempfile::tempdir().unwrap();
        let tokens = tokens_of(dir.path()).await;
        let (_, token) = tokens
            .create(until(&tokens, Duration::from_millis(200)))
            .await
            .unwrap();
        while tokens.check(token.expose().as_bytes()).is_some() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert!(tokens.list().is_empty());
        assert_eq!(tokens.inner.store.tokens().await.unwrap().len(), 1);
        let hour = Duration::from_secs(3_600);
        let (_, token) = tokens.create(until(&tokens, hour)).await.unwrap();
        assert!(tokens.check(token.expose().as_bytes()).is_some());
        assert_eq!(tokens.inner.store.tokens().await.unwrap().len(), 1);
        assert_eq!(tokens.known().len(), 1);
    }

    #[tokio::test]
    async fn a_run_s_tokens_end_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let tokens = tokens_of(dir.path()).await;
        let of = |run: Option<&str>| Grant {
            run: run.map(RunId::from),
            ..Grant::of_role(Role::Agent)
        };
        for run in [Some("a"), Some("a"), Some("b"), None] {
            tokens.create(of(run)).await.unwrap();
        }
        // One whose maker did not wait until it was known.
        let row = TokenRow {
            id: "b".to_owned(),
            hash: [0; 32],
            grant: serde_json::to_string(&of(Some("a"))).unwrap(),
            created_at: tokens.now(),
            expires_at: None,
        };
        assert!(tokens.inner.store.add_token(row, MAX_TOKENS).await.unwrap());
        tokens.revoke_of_run(&"a".into()).await.unwrap();
        assert_eq!(tokens.inner.store.tokens().await.unwrap().len(), 2);
        let left: Vec<_> = tokens.list().iter().map(|t| t.grant.run.clone()).collect();
        assert_eq!(left, [Some("b".into()), None]);
    }

    #[tokio::test]
    async fn there_are_not_more_than_the_maximum() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let row = |id: &str| TokenRow {
            id: id.to_owned(),
            hash: [0; 32],
            grant: "{}".to_owned(),
            created_at: WallTime::from_micros(1),
            expires_at: None,
        };
        assert!(store.add_token(row("a"), 2).await.unwrap());
        assert!(store.add_token(row("b"), 2).await.unwrap());
        assert!(!store.add_token(row("c"), 2).await.unwrap());
        // What cannot be read lets nothing in, and can be revoked.
        let tokens = TokenStore::open(store).await.unwrap();
        assert!(tokens.list().is_empty());
        tokens.revoke(&"a".into()).await.unwrap();
        assert_eq!(tokens.inner.store.tokens().await.unwrap().len(), 1);
    }
}
