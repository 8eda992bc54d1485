//! The pages in a real Chromium.

mod accessibility;
mod console_logs;
mod custom_metrics;
mod dots;
mod endpoint_table;
mod log_search;
mod looking;
mod many_endpoints;
mod more_charts;
mod notes;
mod popovers;
mod repeated_lines;
mod run_page;
mod saved_page;
mod shown;
mod sign_in;
mod start_form;
mod start_form_choices;
mod tabs;
mod thresholds;
mod windows;

pub(crate) use looking::{LIVE, assert_quiet, look_from_all_sides};
