//! Peers that mean harm: what they send harms only themselves.

mod connections;
mod flood;
mod fuzz;
mod identity;
mod memory;
