//! The pages in a real Chromium.

mod console_logs;
mod looking;
mod run_page;
mod shown;
mod sign_in;
mod start_form;

pub(crate) use looking::{assert_quiet, look_from_all_sides};
