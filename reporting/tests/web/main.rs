//! The web server through its real router, over a real coordinator and store.

mod access;
mod api;
mod fake_agent;
mod live;
mod site;
