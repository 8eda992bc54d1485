//! Bad input: one clear message, exit code 2 (or 4xx with a JSON error), and nothing is started.

mod coordinators;
mod flags;
mod http;
mod places;
mod refusal;
mod test_files;
