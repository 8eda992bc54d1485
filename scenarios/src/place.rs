//! Where in a scenario's code an error came from, and the one form in which that is written.
//!
//! The place of an error is that of the `?` that made it a [`TaskError`](crate::prelude::TaskError). A panic says
//! its place to the process's panic hook only, so a hook of ours keeps it for whoever catches the panic. The hook
//! that was there before is called first, whatever it does.

use std::any::Any;
use std::borrow::Cow;
use std::cell::RefCell;
use std::panic::{self, Location};
use std::sync::Once;

/// Longest text before a place, in bytes: whoever cuts texts to a kilobyte still shows the place.
const LONGEST_TEXT: usize = 800;
/// Longest path in a place, in bytes; of a longer one the end is kept.
const LONGEST_PATH: usize = 150;

/// A text and where it came from: `no tenants on this worker (src/main.rs:42)`.
pub(crate) fn with_place(text: &str, at: &Location<'_>) -> String {
    written(text, &place(at))
}

/// A place: `src/main.rs:42`.
pub(crate) fn place(at: &Location<'_>) -> String {
    format!("{}:{}", short_path(at.file()), at.line())
}

fn written(text: &str, place: &str) -> String {
    format!("{} ({place})", start_of(text))
}

fn start_of(text: &str) -> Cow<'_, str> {
    if text.len() <= LONGEST_TEXT {
        return text.into();
    }
    format!("{}…", &text[..boundary_from(text, LONGEST_TEXT)]).into()
}

/// The first boundary between characters at this position or after it.
fn boundary_from(text: &str, position: usize) -> usize {
    (position..text.len())
        .find(|position| text.is_char_boundary(*position))
        .unwrap_or(text.len())
}

/// The path as the compiler gives it, which is relative to the user's workspace. Those of other crates are
/// absolute and say where this machine keeps them: of these only the crate and the file are left.
fn short_path(path: &str) -> &str {
    /// What stands before a crate's folder; after it come this many folders that are not the crate's.
    const BEFORE_CRATES: [(&str, usize); 3] = [
        ("/registry/src/", 1),
        ("/git/checkouts/", 2),
        ("/rustc/", 1),
    ];
    let short = BEFORE_CRATES.iter().find_map(|(mark, folders)| {
        let (_, rest) = path.split_once(mark)?;
        rest.splitn(folders + 1, '/').nth(*folders)
    });
    let short = short.or_else(|| {
        // A crate beside the workspace: from its folder on.
        let sources = path.starts_with('/').then(|| path.rfind("/src/"))??;
        let folder = path[..sources].rfind('/')?;
        Some(&path[folder + 1..])
    });
    let short = short.unwrap_or_else(|| match path.strip_prefix('/') {
        Some(absolute) => absolute.rsplit('/').next().unwrap_or(absolute),
        None => path,
    });
    let from = short.len().saturating_sub(LONGEST_PATH);
    &short[boundary_from(short, from)..]
}

/// A panic as its hook saw it.
struct Seen {
    message: String,
    place: String,
}

thread_local! {
    /// The last panic of this thread.
    static LAST: RefCell<Option<Seen>> = const { RefCell::new(None) };
}

/// From now on places of panics are known in this process.
pub(crate) fn keep_places_of_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            before(info);
            if let Some(at) = info.location() {
                let seen = Seen {
                    message: message_of(info.payload()).to_owned(),
                    place: place(at),
                };
                // A thread that is ending keeps nothing any more.
                let _ = LAST.try_with(|last| last.replace(Some(seen)));
            }
        }));
    });
}

/// What a panic said and where, as far as that is known.
pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> String {
    let message = message_of(panic);
    let seen = LAST.with(RefCell::take);
    match seen {
        // A panic that is resumed (`resume_unwind`) does not come by the hook: what it saw last is then another
        // one, or this one when it first came up.
        Some(seen) if seen.message == message => written(message, &seen.place),
        _ => message.to_owned(),
    }
}

fn message_of(panic: &(dyn Any + Send)) -> &str {
    if let Some(text) = panic.downcast_ref::<&'static str>() {
        text
    } else if let Some(text) = panic.downcast_ref::<String>() {
        text
    } else {
        "(no message)"
    }
}

#[cfg(test)]
mod tests {
    use std::env;
    use std::panic::{catch_unwind, resume_unwind};
    use std::process::Command;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    /// Says to a test that it runs in a process of its own.
    const CHILD: &str = "GREYLAG_TEST_HOOKS";

    #[test]
    fn paths_name_the_crate_and_the_file() {
        let cases = [
            ("src/main.rs", "src/main.rs"),
            ("crates/load/src/main.rs", "crates/load/src/main.rs"),
            (
                "/home/ada/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/rand-0.9.2/src/rng.rs",
                "rand-0.9.2/src/rng.rs",
            ),
            (
                "/home/ada/.cargo/git/checkouts/shop-0a1b2c/3d4e5f/client/src/lib.rs",
                "client/src/lib.rs",
            ),
            (
                "/rustc/17067e9ac6d7a6f9c0d6ab1d87549aaa/library/core/src/option.rs",
                "library/core/src/option.rs",
            ),
            (
                "/home/ada/shared/src/login/mod.rs",
                "shared/src/login/mod.rs",
            ),
            ("/tmp/build.rs", "build.rs"),
            ("/", ""),
            ("", ""),
        ];
        for (path, short) in cases {
            assert_eq!(short_path(path), short, "{path}");
        }
        let long = format!("{}ü/main.rs", "folder/".repeat(40));
        assert!(long.ends_with(short_path(&long)) && short_path(&long).len() <= LONGEST_PATH);
    }

    #[test]
    fn a_long_text_is_cut_before_its_place() {
        let text = "ü".repeat(LONGEST_TEXT);
        let at = Location::caller();
        let written = with_place(&text, at);
        let end = format!("… (scenarios/src/place.rs:{})", at.line());
        assert!(
            written.ends_with(&end) && written.len() < 1_024,
            "{written}"
        );
    }

    #[test]
    fn a_panic_has_its_place_once() {
        keep_places_of_panics();
        let line = line!() + 1;
        let panic = catch_unwind(|| panic!("no {}", "table")).unwrap_err();
        let known = format!("no table (scenarios/src/place.rs:{line})");
        assert_eq!(panic_message(&*panic), known);

        // Neither that place nor that of another panic is taken for one that is not known.
        let unknown = catch_unwind(|| resume_unwind(Box::new("other"))).unwrap_err();
        assert_eq!(panic_message(&*unknown), "other");
        let caught = catch_unwind(|| panic!("caught by the scenario"));
        assert!(caught.is_err());
        let unknown = catch_unwind(|| resume_unwind(Box::new("other"))).unwrap_err();
        assert_eq!(panic_message(&*unknown), "other");
        // One that is resumed keeps its place.
        let passed_on = catch_unwind(|| {
            let first = catch_unwind(|| panic!("passed on"));
            resume_unwind(first.unwrap_err());
        });
        let text = panic_message(&*passed_on.unwrap_err());
        assert!(
            text.starts_with("passed on (scenarios/src/place.rs:"),
            "{text}"
        );
    }

    #[test]
    fn a_hook_of_the_users_is_kept() {
        static HEARD: AtomicBool = AtomicBool::new(false);
        if env::var_os(CHILD).is_none() {
            // Hooks belong to the whole process, so this one is tried in a process of its own.
            let child = Command::new(env::current_exe().unwrap())
                .args(["--exact", "place::tests::a_hook_of_the_users_is_kept"])
                .env(CHILD, "1")
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&child.stdout);
            assert!(
                child.status.success() && said.contains("1 passed"),
                "{said}"
            );
            return;
        }
        panic::set_hook(Box::new(|_| HEARD.store(true, Ordering::SeqCst)));
        keep_places_of_panics();
        let panic = catch_unwind(|| panic!("heard")).unwrap_err();
        assert!(HEARD.load(Ordering::SeqCst));
        assert!(panic_message(&*panic).starts_with("heard (scenarios/src/place.rs:"));
    }
}
