//! How many files this process may have open, and whether that is enough for its users.

use greylag_infra::{GeneratorNotice, NoticeKind};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files a worker needs beside its users' connections: its agent, its runtimes, name resolution, test data.
const OTHER_FILES: u64 = 64;

/// Raises the limit of open files as far as the system allows: each user of a worker and each client of a coordinator has
/// a connection.
pub(crate) fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(
            "the limit of open files stays at {:?}: {error}",
            limit.current
        );
    }
}

/// The warning that so many users of this worker need more files than it may open.
pub(crate) fn too_few_files(users: u64) -> Option<GeneratorNotice> {
    too_few(users, getrlimit(Resource::Nofile).current?)
}

fn too_few(users: u64, limit: u64) -> Option<GeneratorNotice> {
    (users.saturating_add(OTHER_FILES) > limit).then(|| GeneratorNotice {
        kind: NoticeKind::FewFileDescriptors,
        count: users,
        worst: limit,
        ..GeneratorNotice::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_and_what_else_needs_files_must_fit() {
        assert_eq!(too_few(960, 1_024), None);
        let notice = too_few(961, 1_024).unwrap();
        assert_eq!((notice.count, notice.worst), (961, 1_024));
    }
}
