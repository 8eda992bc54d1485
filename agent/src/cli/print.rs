//! What commands print to standard output.

use std::fmt::Display;
use std::io::Write;

/// Prints a line to standard output. A reader that has gone away (`| head`) is not a failure.
pub(crate) fn print_line(text: impl Display) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}
