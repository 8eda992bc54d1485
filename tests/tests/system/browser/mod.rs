//! The pages in a real Chromium.

mod console_logs;
mod looking;
mod many_endpoints;
mod run_page;
mod shown;
mod sign_in;
mod start_form;
mod start_form_choices;
mod tabs;

pub(crate) use looking::{assert_quiet, look_from_all_sides};
