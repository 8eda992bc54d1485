//! Both transports against small servers: the same cases, the same outcome.

mod bodies;
mod certificates;
mod connections;
mod cookies;
mod everyday;
mod failed_responses;
mod failures;
mod forms;
mod http2;
mod listeners;
mod measures;
mod proxies;
mod redirects;
mod requests;
mod rest;
mod sessions;
mod streams;
mod targets;
mod texts;
mod traces;
mod trust;
mod verdicts;
