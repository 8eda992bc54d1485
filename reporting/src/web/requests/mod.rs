//! What forms and programs ask for in the same words: starting, changing, annotating, deleting and comparing runs.

pub(in crate::web) mod annotate;
pub(in crate::web) mod asked_part;
pub(in crate::web) mod change_users;
pub(in crate::web) mod compare;
pub(in crate::web) mod delete_run;
pub(in crate::web) mod invalid_change;
pub(in crate::web) mod log_filter;
pub(in crate::web) mod scope;
pub(in crate::web) mod scope_error;
pub(in crate::web) mod start;
pub(in crate::web) mod start_error;
pub(crate) mod start_form;
pub(in crate::web) mod values;
