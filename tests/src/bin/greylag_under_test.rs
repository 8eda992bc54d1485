//! Binary under test.
fn main() {}
