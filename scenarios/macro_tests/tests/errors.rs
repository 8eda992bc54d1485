//! What the compiler says about code that is not right: attributes used wrongly and, in `everyday_*`, the lines of
//! requests and responses that a porter writes first. Each file in `ui` has one error, and beside it what is printed.
//!
//! After a message was changed, `TRYBUILD=overwrite cargo test -p greylag-macro-tests` writes them anew; read
//! the difference before you commit it. `… -- errors trybuild=everyday` runs only the files with that in their name.

/// All files at once: it takes a build of the scenarios' crate in a target directory of its own.
#[test]
fn errors_point_at_their_place() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
