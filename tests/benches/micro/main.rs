//! Micro-benchmarks of what happens for every request, second and look at a page: `cargo bench -p greylag-tests --bench micro`, and
//! a part of a benchmark's name to choose some.

mod intervals;
mod recording;
mod windows;

use criterion::{criterion_group, criterion_main};

criterion_group!(
    benches,
    recording::record,
    recording::record_tagged,
    recording::add,
    recording::close_second,
    intervals::merge,
    intervals::encode,
    intervals::decode,
    windows::query
);
criterion_main!(benches);
