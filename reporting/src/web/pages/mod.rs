//! Pages: handlers that fill the templates in `reporting/templates/`.
//!
//! What a template may use beside its own fields (the structs are in the handler's file):
//!
//! - `page_title` (every template): the text of `<title>`.
//! - `{{ crate::web::assets::url_of("css/page.css") }}`: the address of a file in `reporting/assets/`, with the hash of all
//!   assets in it, so that browsers may keep it for ever. Every file there is listed in `web/assets.rs`. ES modules
//!   import each other by relative paths.
//! - [`crate::page_text`]: how numbers and times read.
//! - `initial_json|safe` inside `<script type="application/json">`: escaped for that place and for no other.
//!
//! Forms post `application/x-www-form-urlencoded` to `/runs` (the fields of [`super::forms::StartForm`]),
//! `/runs/{id}/stop`, `/runs/{id}/again`, `/infrastructures` (`name`) and `/login` (`token`, `next`).

mod front;
mod infrastructures;
mod login;
mod render;
mod run;

pub(super) use front::{front_page, start_from_form};
pub(super) use infrastructures::create_infrastructure_from_form;
pub(super) use login::{log_in, login_page};
pub(super) use render::ErrorPage;
pub(super) use run::{run_again, run_page, stop_run_from_page};
