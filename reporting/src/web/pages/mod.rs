//! Pages: handlers that fill the templates in `reporting/templates/`.
//!
//! A template may use its struct's fields (in the handler's file), [`crate::results::page_text`] for how numbers and
//! times read, and the files listed in `web/assets.rs` at `/assets/…`.
//!
//! Forms post `application/x-www-form-urlencoded` to `/runs` (the fields of [`crate::web::requests::start_form::StartForm`]),
//! `/runs/{id}/stop`, `/runs/{id}/users` (`users`, `ramp_up`), `/runs/{id}/again` (runs the same immediately; a GET
//! shows the form filled in from the run), `/runs/{id}/delete` (the query of the list to come back to), `/infrastructures` (`name`), `/login` (`token`, `next`) and `/logout`.

mod compare;
mod front;
mod infrastructures;
mod login;
mod notes;
mod render;
mod run;
mod start_form;

pub(super) use compare::compare_page;
pub(super) use front::{FrontQuery, delete_run_from_page, front_page};
pub(super) use infrastructures::create_infrastructure_from_form;
pub(super) use login::{log_in, log_out, login_page};
pub(super) use notes::{add_mark_from_page, change_notes_from_page, delete_mark_from_page};
pub(super) use render::{ErrorPage, html, html_response};
pub(super) use run::{RunPage, change_users_from_page, run_again, run_page, stop_run_from_page};
pub(super) use start_form::{again_page, start_from_form};
