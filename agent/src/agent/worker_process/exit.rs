//! How a worker process ended, for people.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// How a process ended, as text that follows its name; none for exit code 0.
pub(crate) fn describe_exit(status: ExitStatus, last_error_line: &str) -> Option<String> {
    /// Longest part of a worker's last error line in the reason of a failed run.
    const LAST_WORDS_BYTES: usize = 300;
    if let Some(signal) = status.signal() {
        let name = signal_name(signal).map_or(String::new(), |name| format!(" ({name})"));
        return Some(format!("was killed by signal {signal}{name}"));
    }
    let code = status.code().filter(|code| *code != 0)?;
    // The reason is printed on terminals, which obey what is in it.
    let visible: String = last_error_line
        .chars()
        .filter(|character| !character.is_control())
        .collect();
    let words = greylag_infra::protocol::cut(&visible, LAST_WORDS_BYTES);
    Some(if words.is_empty() {
        format!("ended with exit code {code}")
    } else {
        format!("ended with exit code {code}: {words}")
    })
}

/// The name of a signal that ends processes, of those that have the same number on every Unix that Rust runs on.
fn signal_name(signal: i32) -> Option<&'static str> {
    Some(match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exits_are_described() {
        let exit = |raw| ExitStatus::from_raw(raw);
        assert_eq!(describe_exit(exit(0), "x"), None);
        assert_eq!(
            describe_exit(exit(9), "x").unwrap(),
            "was killed by signal 9 (SIGKILL)"
        );
        assert_eq!(
            describe_exit(exit(64), "x").unwrap(),
            "was killed by signal 64"
        );
        assert_eq!(
            describe_exit(exit(101 << 8), "thread 'load' panicked").unwrap(),
            "ended with exit code 101: thread 'load' panicked"
        );
        assert_eq!(
            describe_exit(exit(1 << 8), "\u{1b}[2Jgone").unwrap(),
            "ended with exit code 1: [2Jgone"
        );
        assert_eq!(
            describe_exit(exit(1 << 8), "").unwrap(),
            "ended with exit code 1"
        );
    }
}
