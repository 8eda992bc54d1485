//! Proof from outside, one binary: the product's processes, a real nginx, a real Chromium. See `tests/README.md`.

mod access;
mod bad_input;
mod browser;
mod builds;
mod clocks;
mod command_line;
mod completeness;
mod connections;
mod exactly_once;
mod faults;
mod frames;
mod generator_limits;
mod hostile_peers;
mod hostile_texts;
mod http_versions;
mod presence;
mod proxies;
mod ramp;
mod random_faults;
mod results_at_rest;
mod secrets;
mod set_up_data;
mod signals;
mod slow_links;
mod support;
mod vocabulary;
