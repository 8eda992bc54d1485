//! Why a command did not do what was asked: one message and an exit code.

use std::fmt::{self, Display};
use std::process::ExitCode;

use greylag_reporting::hide_tokens;

/// Exit code for a failed run, a test that failed, or a defect.
pub(super) const FAILED: u8 = 1;
/// Exit code for bad input: nothing was started, nothing is lost.
const BAD_INPUT: u8 = 2;

/// A command's failure.
#[derive(Debug)]
pub(super) struct Failure {
    message: String,
    code: u8,
}

impl Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl Failure {
    /// What was asked for cannot be done; the message says what to do.
    pub(super) fn bad_input(message: impl Display) -> Self {
        Self {
            message: message.to_string(),
            code: BAD_INPUT,
        }
    }

    /// What was asked for cannot be done, for one or more reasons; none if there are no problems.
    pub(super) fn of_problems(problems: &[String]) -> Option<Self> {
        let message = listed(problems)?;
        // A token may stand in the wrong place.
        Some(Self::bad_input(hide_tokens(&message)))
    }

    /// It was started, and these things failed; an error if there are any.
    pub(super) fn of_failures(failures: &[Self]) -> Result<(), Self> {
        let messages: Vec<String> = failures.iter().map(Self::to_string).collect();
        match listed(&messages) {
            Some(message) => Err(Self::failed(message)),
            None => Ok(()),
        }
    }

    /// It was started and failed.
    pub(super) fn failed(message: impl Display) -> Self {
        Self {
            message: message.to_string(),
            code: FAILED,
        }
    }

    /// Prints the message as clap prints its own.
    pub(super) fn report(self) -> ExitCode {
        eprintln!("error: {}", self.message);
        ExitCode::from(self.code)
    }
}

/// Problems as one message; none if there are none.
fn listed(problems: &[String]) -> Option<String> {
    match problems {
        [] => None,
        [only] => Some(only.clone()),
        all => {
            let lines = all.iter().map(|problem| format!("\n  - {problem}"));
            let lines: String = lines.collect();
            Some(format!("{} problems:{lines}", all.len()))
        }
    }
}
