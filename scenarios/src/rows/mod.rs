//! Test data: the rows of a file, distributed to users.
//!
//! ```
//! # extern crate greylag_scenarios as greylag;
//! use greylag::prelude::*;
//! use greylag::serde::Deserialize;
//!
//! #[derive(Deserialize)]
//! #[serde(crate = "greylag::serde")]
//! struct Account {
//!     name: String,
//!     password: String,
//! }
//!
//! static ACCOUNTS: Rows<Account> = Rows::csv("accounts.csv").unique();
//!
//! async fn login(client: &mut Client) -> TaskResult {
//!     let account = ACCOUNTS.next(client)?;
//!     let form = [("name", &account.name), ("password", &account.password)];
//!     client.post("/login").form(&form).send().await?;
//!     Ok(())
//! }
//!
//! # fn scenario() -> Scenario {
//! Scenario::new("accounts").data(&ACCOUNTS) // read and checked before load starts
//! # }
//! ```

mod read;

use std::fmt;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde::de::DeserializeOwned;

use crate::client::Client;
use crate::run::{Run, RunSettings, UserInfo};
use crate::task::{TaskError, finish_test, stop_test, stop_user};

/// Most bytes of one file of test data. Each worker process keeps all rows in memory.
pub const MAX_DATA_BYTES: u64 = 256 * 1024 * 1024;
/// Most rows of one source of test data.
pub const MAX_ROWS: usize = 10_000_000;

/// Rows of a CSV or JSON-lines file, distributed to users over all workers. Made to be a `static`.
///
/// The file is looked for in the directory that the program was started in. On agents it is that of the agent, unless the program
/// is shipped to them: then the files that are registered with [`Scenario::data`](crate::Scenario::data) are sent along. The texts of
/// [`Rows::csv_text`] and [`Rows::json_lines_text`] can be compiled in with `include_str!`. The rows of a CSV
/// file become `T` by its first line, which names the columns, unless [`Rows::without_header`] says that there
/// is none. The lines of a JSON-lines file become `T` one by one; empty lines do not count.
///
/// How rows are handed out is said by one of [`in_turn`](Rows::in_turn) (if nothing is said), [`once`](Rows::once),
/// [`random`](Rows::random) and [`unique`](Rows::unique). Workers do not talk for it: the j-th row of the whole
/// run is handed out by worker `j % workers`. So which user gets which row depends on how fast users are, but what
/// is promised of each order holds whatever they do.
///
/// Register it with [`Scenario::data`](crate::Scenario::data): then it is read and checked before load starts.
/// Otherwise it is read when the first user asks, and what is wrong with it becomes an error of each task.
pub struct Rows<T> {
    source: Source,
    format: Format,
    order: Order,
    at_end: AtEnd,
    loaded: OnceLock<Result<Vec<T>, RowsError>>,
    drawn: AtomicU64,
    /// Whether it was already reported that there are no more rows.
    is_warned: AtomicBool,
}

#[derive(Debug, Clone, Copy)]
enum Source {
    File(&'static str),
    Text(&'static str),
}

#[derive(Debug, Clone, Copy)]
enum Format {
    Csv { delimiter: u8, header: bool },
    JsonLines,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    InTurn,
    Once,
    Random,
    Unique,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AtEnd {
    StopUser,
    StopTest,
    FinishTest,
}

/// Why test data cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowsError {
    /// The file cannot be read.
    #[error("{file} cannot be read in {}: {reason}", directory.display())]
    Read {
        /// The file as the scenario names it.
        file: String,
        /// Where it was looked for.
        directory: PathBuf,
        /// The system's reason.
        reason: String,
    },
    /// The file is too large.
    #[error("{file} has {bytes} bytes: the maximum is {MAX_DATA_BYTES}")]
    TooLarge {
        /// The file.
        file: String,
        /// How large it is.
        bytes: u64,
    },
    /// There are too many rows.
    #[error("{file} has more than {MAX_ROWS} rows, the maximum")]
    TooManyRows {
        /// The file.
        file: String,
    },
    /// There is no row.
    #[error("{file} has no rows")]
    Empty {
        /// The file.
        file: String,
    },
    /// A row is wrong.
    #[error("{file}, line {line}: {reason}")]
    Row {
        /// The file.
        file: String,
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// There are more users than rows for them.
    #[error(
        "{file} has {rows} rows for {users} users: unique rows need at least one for each user"
    )]
    TooFewRows {
        /// The file.
        file: String,
        /// How many rows there are.
        rows: usize,
        /// The most users that there will be at once.
        users: u64,
    },
}

impl<T> Rows<T> {
    const fn new(source: Source, format: Format) -> Self {
        Self {
            source,
            format,
            order: Order::InTurn,
            at_end: AtEnd::StopUser,
            loaded: OnceLock::new(),
            drawn: AtomicU64::new(0),
            is_warned: AtomicBool::new(false),
        }
    }

    /// The rows of a CSV file.
    pub const fn csv(path: &'static str) -> Self {
        Self::new(Source::File(path), Format::CSV)
    }

    /// The rows of a CSV text: `Rows::csv_text(include_str!("accounts.csv"))`.
    pub const fn csv_text(text: &'static str) -> Self {
        Self::new(Source::Text(text), Format::CSV)
    }

    /// The lines of a file, each a JSON value.
    pub const fn json_lines(path: &'static str) -> Self {
        Self::new(Source::File(path), Format::JsonLines)
    }

    /// The lines of a text, each a JSON value.
    pub const fn json_lines_text(text: &'static str) -> Self {
        Self::new(Source::Text(text), Format::JsonLines)
    }

    /// Columns of a CSV file are separated by this byte and not by a comma. No meaning for JSON lines.
    pub const fn delimiter(mut self, delimiter: u8) -> Self {
        if let Format::Csv { header, .. } = self.format {
            self.format = Format::Csv { delimiter, header };
        }
        self
    }

    /// The first line of a CSV file is a row, too; `T` is then a tuple or an array, or a struct whose fields
    /// are in the order of the columns. No meaning for JSON lines.
    pub const fn without_header(mut self) -> Self {
        if let Format::Csv { delimiter, .. } = self.format {
            self.format = Format::Csv {
                delimiter,
                header: false,
            };
        }
        self
    }

    /// Rows are handed out one after the other, and from the beginning again after the last. Over the same number of
    /// draws on each worker every row is handed out equally often, up to one.
    pub const fn in_turn(mut self) -> Self {
        self.order = Order::InTurn;
        self
    }

    /// Each row is handed out once over the whole run. A user that asks when its worker's rows have run out ends, as
    /// by [`stop_user`](crate::stop_user), and the log says so once; see [`Rows::finish_test_at_end`] and [`Rows::stop_test_at_end`].
    ///
    /// A worker hands out the rows that belong to it: those whose number (from 0), divided by the number of
    /// workers, leaves the worker's number.
    pub const fn once(mut self) -> Self {
        self.order = Order::Once;
        self
    }

    /// Each time any row, with equal chances.
    pub const fn random(mut self) -> Self {
        self.order = Order::Random;
        self
    }

    /// The user with index i has row i, always: no two users that are active at the same time share one. There
    /// must be at least as many rows as users at most, which is checked before load starts. A user that is
    /// added later and has no row ends, as by [`stop_user`](crate::stop_user).
    pub const fn unique(mut self) -> Self {
        self.order = Order::Unique;
        self
    }

    /// The whole test stops and has failed, with a message that names the file, when a user asks for a row and none is left for it.
    pub const fn stop_test_at_end(mut self) -> Self {
        self.at_end = AtEnd::StopTest;
        self
    }

    /// The whole test finishes before its time, as by [`finish_test`](crate::finish_test), when a user asks for a row and none is left for
    /// it. With [`once`](Self::once) that is when the first worker has handed out its part: those of others may have a few left.
    pub const fn finish_test_at_end(mut self) -> Self {
        self.at_end = AtEnd::FinishTest;
        self
    }

    fn name(&self) -> &'static str {
        match (self.source, self.format) {
            (Source::File(path), _) => path,
            (Source::Text(_), Format::Csv { .. }) => "the CSV text",
            (Source::Text(_), Format::JsonLines) => "the JSON-lines text",
        }
    }
}

impl Format {
    const CSV: Self = Self::Csv {
        delimiter: b',',
        header: true,
    };
}

impl<T: DeserializeOwned + Send + Sync + 'static> Rows<T> {
    /// All rows, in the order of the file; read at first use.
    ///
    /// # Errors
    /// When the file cannot be read, or a row is not a `T`.
    pub fn all(&self) -> Result<&[T], RowsError> {
        self.loaded
            .get_or_init(|| read::read(self.name(), self.source, self.format))
            .as_deref()
            .map_err(Clone::clone)
    }

    /// The row for this user now.
    ///
    /// # Errors
    /// What is wrong with the file, if it was not checked before; and when there are no more rows, what
    /// ends the user (or the test) when it is passed on with `?`.
    pub fn next(&self, client: &Client) -> Result<&T, TaskError> {
        self.next_row(client.run(), client.user())
    }

    fn next_row(&self, run: &Run, user: &UserInfo) -> Result<&T, TaskError> {
        let rows = self.all()?;
        let count = rows.len() as u64;
        let number = match self.order {
            Order::Random => rand::random_range(0..count),
            Order::Unique => user.index,
            Order::Once => self.of_the_run(run),
            Order::InTurn => self.of_the_run(run) % count,
        };
        match usize::try_from(number)
            .ok()
            .and_then(|number| rows.get(number))
        {
            Some(row) => Ok(row),
            None => self.run_out(run, user, count),
        }
    }

    /// Counts the draws of this process, as numbers over the whole run.
    fn of_the_run(&self, run: &Run) -> u64 {
        let before = self.drawn.fetch_add(1, Ordering::Relaxed);
        before
            .saturating_mul(u64::from(run.workers()))
            .saturating_add(u64::from(run.worker()))
    }

    fn run_out<R>(&self, run: &Run, user: &UserInfo, count: u64) -> Result<R, TaskError> {
        let message = match self.order {
            Order::Unique => format!(
                "user {} has no row of its own: {} has {count} rows",
                user.index,
                self.name()
            ),
            _ => format!(
                "worker {} of {} has handed out its part of the {count} rows of {}",
                run.worker(),
                run.workers(),
                self.name()
            ),
        };
        match self.at_end {
            AtEnd::StopTest => stop_test(message),
            AtEnd::FinishTest => finish_test(message),
            AtEnd::StopUser => {
                if !self.is_warned.swap(true, Ordering::Relaxed) {
                    tracing::warn!("{message}; users that ask for one end");
                }
                stop_user()
            }
        }
    }
}

impl<T> fmt::Debug for Rows<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows")
            .field("name", &self.name())
            .field("format", &self.format)
            .field("order", &self.order)
            .finish_non_exhaustive()
    }
}

/// Something that must be read and checked before load starts. Implemented by [`Rows`].
pub trait DataSource: Send + Sync {
    /// Reads and checks it for this run; called once in each worker process. May block.
    ///
    /// # Errors
    /// What is wrong with it.
    fn prepare(&self, settings: &RunSettings) -> Result<(), RowsError>;

    /// The file that it reads, if it does, as it names it: it travels with a program that is shipped to agents.
    fn file(&self) -> Option<&'static str> {
        None
    }
}

impl<T: DeserializeOwned + Send + Sync + 'static> DataSource for Rows<T> {
    fn prepare(&self, settings: &RunSettings) -> Result<(), RowsError> {
        let rows = self.all()?.len();
        if self.order == Order::Unique && (rows as u64) < settings.users {
            return Err(RowsError::TooFewRows {
                file: self.name().to_owned(),
                rows,
                users: settings.users,
            });
        }
        self.drawn.store(0, Ordering::Relaxed);
        self.is_warned.store(false, Ordering::Relaxed);
        Ok(())
    }

    fn file(&self) -> Option<&'static str> {
        match self.source {
            Source::File(path) => Some(path),
            Source::Text(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
