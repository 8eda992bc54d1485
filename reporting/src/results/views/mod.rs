//! What the pages show, as plain data, and how it is put together.

pub(crate) mod about_view;
pub(crate) mod chart_marks;
pub(crate) mod compare_choices;
pub(crate) mod compare_view;
pub mod front_view;
pub mod generator_view;
pub(crate) mod known_scenarios;
pub(crate) mod live_notices;
pub(crate) mod notes_view;
pub mod run_view;
pub(crate) mod scope_view;
pub(crate) mod thresholds_view;
pub(crate) mod trend_view;
pub(crate) mod view_builder;
