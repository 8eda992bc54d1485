//! Both transports against small servers: the same cases, the same outcome.

mod bodies;
mod connections;
mod failures;
mod redirects;
mod requests;
mod verdicts;
