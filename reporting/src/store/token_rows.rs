//! Tokens as they are kept: what each is for, and the hash by which it is recognised. And the key of browsers' sessions.

use greylag_infra::{RunId, WallTime};
use rusqlite::{Connection, params};

use super::Store;
use super::error::{StoreError, StoreResult};
use super::integers::{time_from_sql, time_to_sql};
use super::live::WriterState;

/// A token's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TokenRow {
    pub(crate) id: String,
    /// SHA-256 of the token.
    pub(crate) hash: [u8; 32],
    /// What it is for, as JSON.
    pub(crate) grant: String,
    pub(crate) created_at: WallTime,
    /// When it may be deleted, if ever.
    pub(crate) expires_at: Option<WallTime>,
}

impl Store {
    /// Keeps a token, unless there are so many that have not expired. Those that have are deleted. Whether it was kept.
    ///
    /// # Errors
    /// The database failed.
    pub(crate) async fn add_token(&self, row: TokenRow, maximum: u32) -> Result<bool, StoreError> {
        let now = self.clock().now();
        let added = move |state: &mut WriterState| {
            state.transaction(|connection| {
                delete_expired(connection, now)?;
                let count: u32 =
                    connection.query_row("SELECT count(*) FROM tokens", [], |row| row.get(0))?;
                if count >= maximum {
                    return Ok(false);
                }
                insert(connection, &row)?;
                Ok(true)
            })
        };
        self.inner.writer.run(added).await
    }

    /// Deletes a token. Whether there was one.
    ///
    /// # Errors
    /// The database failed.
    pub(crate) async fn delete_token(&self, id: &str) -> Result<bool, StoreError> {
        let id = id.to_owned();
        let deleted = move |state: &mut WriterState| {
            state.transaction(|connection| {
                let deleted = connection.execute("DELETE FROM tokens WHERE id = ?1", [&id])?;
                Ok(deleted > 0)
            })
        };
        self.inner.writer.run(deleted).await
    }

    /// Deletes all tokens that are for one run only. How many there were.
    ///
    /// # Errors
    /// The database failed.
    pub(crate) async fn delete_tokens_of_run(&self, run_id: &RunId) -> Result<usize, StoreError> {
        let run_id = run_id.to_owned();
        let deleted = move |state: &mut WriterState| {
            state.transaction(|connection| {
                Ok(connection.execute(
                    "DELETE FROM tokens WHERE json_valid(grant) AND json_extract(grant, '$.run') = ?1",
                    [run_id.as_str()],
                )?)
            })
        };
        self.inner.writer.run(deleted).await
    }

    /// The key that sessions of browsers are signed with: the one that is kept, or else this one, which is kept from here on.
    ///
    /// # Errors
    /// The database failed.
    pub(crate) async fn session_key(&self, fresh: [u8; 32]) -> Result<[u8; 32], StoreError> {
        let kept = move |state: &mut WriterState| {
            state.transaction(|connection| {
                connection.execute(
                    "INSERT INTO session_keys (key) SELECT ?1 WHERE NOT EXISTS (SELECT 1 FROM session_keys)",
                    [fresh],
                )?;
                let read = "SELECT key FROM session_keys LIMIT 1";
                Ok(connection.query_row(read, [], |row| row.get(0))?)
            })
        };
        self.inner.writer.run(kept).await
    }

    /// All tokens, the oldest first.
    ///
    /// # Errors
    /// The database failed.
    pub(crate) async fn tokens(&self) -> Result<Vec<TokenRow>, StoreError> {
        self.inner.readers.run(|c| all(c)).await
    }
}

/// Leaves the key of sessions out of a copy: who has one could sign in.
pub(super) fn forget_session_key(connection: &Connection) -> StoreResult<()> {
    connection.execute("DELETE FROM session_keys", [])?;
    Ok(())
}

fn insert(connection: &Connection, row: &TokenRow) -> StoreResult<()> {
    connection.execute(
        "INSERT INTO tokens (id, hash, grant, created_at_us, expires_at_us) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            row.id,
            row.hash,
            row.grant,
            time_to_sql(row.created_at),
            row.expires_at.map(time_to_sql)
        ],
    )?;
    Ok(())
}

fn delete_expired(connection: &Connection, now: WallTime) -> StoreResult<()> {
    connection.execute(
        "DELETE FROM tokens WHERE expires_at_us <= ?1",
        [time_to_sql(now)],
    )?;
    Ok(())
}

fn all(connection: &Connection) -> StoreResult<Vec<TokenRow>> {
    let mut statement = connection.prepare(
        "SELECT id, hash, grant, created_at_us, expires_at_us FROM tokens ORDER BY created_at_us, id",
    )?;
    let rows = statement.query_map([], |row| {
        Ok(TokenRow {
            id: row.get(0)?,
            hash: row.get(1)?,
            grant: row.get(2)?,
            created_at: time_from_sql(row.get(3)?),
            expires_at: row.get::<_, Option<i64>>(4)?.map(time_from_sql),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
