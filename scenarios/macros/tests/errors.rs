//! What the attributes say when they are used wrongly: each file in `ui` has one mistake, and beside it
//! what the compiler prints.
//!
//! After a sentence was changed, `TRYBUILD=overwrite cargo test -p greylag-macros --test errors` writes
//! them anew; read the difference before you commit it.

/// All files at once: it takes a build of the scenarios' crate in a target directory of its own.
#[test]
fn mistakes_are_told_at_their_place() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
