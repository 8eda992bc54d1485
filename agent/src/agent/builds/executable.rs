//! Whether a file is a program for this machine. Starting one that is not may give it to a shell, which makes anything of it.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::own_build::open_executable;

/// Bytes of the beginning of an executable in the ELF format, up to the machine that it is for.
const HEAD_BYTES: u64 = 20;

/// Whether a program is for the kind of machine that this one is for: the same format, word size, byte order and processor.
pub(super) fn is_for_this_machine(program: &Path) -> io::Result<bool> {
    Ok(kind(File::open(program)?)? == kind(open_executable()?)?)
}

/// What the beginning of an executable says of its machine.
fn kind(program: File) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    program.take(HEAD_BYTES).read_to_end(&mut head)?;
    if !head.starts_with(b"\x7fELF") {
        // Other systems have other formats, which begin with four bytes of their own.
        head.truncate(4);
        return Ok(head);
    }
    // After magic number, class and byte order come the system, the version and the kind of file, which may differ.
    if head.len() > 6 {
        head.drain(6..head.len().min(18));
    }
    Ok(head)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn only_programs_for_this_machine_are_taken_for_such() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("program");
        let is_one = |content: &[u8]| {
            fs::write(&path, content).unwrap();
            is_for_this_machine(&path).unwrap()
        };
        let own = fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(is_one(&own));
        assert!(!is_one(b"not a program") && !is_one(b"#!/bin/sh\n") && !is_one(b""));
        assert!(!is_one(&own[..5]));
        if own.starts_with(b"\x7fELF") {
            let mut other_machine = own;
            other_machine[18] ^= 0x55;
            assert!(!is_one(&other_machine));
        }
    }
}
